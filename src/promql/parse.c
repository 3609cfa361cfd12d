/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Precedence climbing over tokens, one function a level of the grammar; types are checked as nodes are made. Depth is
 * counted, of the brackets on the way down and of the tree that comes back up, so that nothing that walks the tree
 * recurses deeper than PROMQL_DEPTH_MAX.
 */
#include "promql/eval.h"

/* ---- pieces */

bool
promql_advance(struct parser *p)
{
	if (p->code != ERR_OK)
		return false;
	p->tok = promql_lex(&p->lex);
	if (p->tok.kind == TOK_ERROR)
		p->code = p->err ? p->err->code : ERR_INVALID;
	return p->code == ERR_OK;
}

static void
fail(struct parser *p, size_t at, const char *what)
{
	if (p->code == ERR_OK)
		p->code = promql_fail_parse(p->err, p->lex.text, at, "%s", what);
}

void
promql_unexpected(struct parser *p, const char *expected)
{
	const struct token *t = &p->tok;
	struct str shown = str_of(p->lex.text.ptr + t->at, t->len < 40 ? t->len : 40);
	if (p->code != ERR_OK)
		return;
	if (t->kind == TOK_END)
		p->code = promql_fail_parse(p->err, p->lex.text, t->at,
		    "the query ends where %s should be", expected);
	else
		p->code = promql_fail_parse(p->err, p->lex.text, t->at,
		    "%s should be here, not \"%.*s\"", expected, STR_ARG(shown));
}

bool
promql_expect(struct parser *p, enum tok kind, const char *what)
{
	if (p->code == ERR_OK && p->tok.kind == kind)
		return promql_advance(p);
	promql_unexpected(p, what);
	return false;
}

bool
promql_is_word(const struct parser *p, const char *word)
{
	return p->tok.kind == TOK_NAME && str_eq_nocase(p->tok.text, str_from(word));
}

struct promql_node *
promql_new_node(struct parser *p, enum node_kind kind, enum promql_type type, size_t at)
{
	if (p->code != ERR_OK)
		return NULL;
	if (++p->nodes > PROMQL_NODES_MAX) {
		fail(p, at, "the query has more than 10,000 parts");
		return NULL;
	}
	struct promql_node *n = arena_alloc(p->arena, sizeof(*n));
	if (!n) {
		p->code = err_set(p->err, ERR_TOO_LARGE, "no memory for the query");
		return NULL;
	}
	n->kind = kind;
	n->type = type;
	n->at = (uint32_t)at;
	n->depth = 1;
	return n;
}

static struct promql_node **
new_args(struct parser *p, size_t count)
{
	struct promql_node **args = arena_array(p->arena, count, sizeof(struct promql_node *));
	if (!args)
		p->code = err_set(p->err, ERR_TOO_LARGE, "no memory for the query");
	return args;
}

static struct promql_node *
set_args(struct parser *p, struct promql_node *n, struct promql_node **args, size_t count)
{
	n->args = args;
	n->arg_count = count;
	for (size_t i = 0; i < count; i++)
		if (args[i]->depth >= n->depth)
			n->depth = args[i]->depth + 1;
	if (n->depth <= PROMQL_DEPTH_MAX)
		return n;
	fail(p, n->at, "the query is nested more than 250 deep");
	return NULL;
}

static bool
go_deeper(struct parser *p)
{
	if (++p->depth > PROMQL_DEPTH_MAX)
		fail(p, p->tok.at, "the query is nested more than 250 deep");
	return p->code == ERR_OK;
}

const char *
promql_type_phrase(enum promql_type t)
{
	switch (t) {
	case PROMQL_SCALAR: return "a scalar";
	case PROMQL_VECTOR: return "an instant vector";
	case PROMQL_MATRIX: return "a range vector";
	case PROMQL_STRING: return "a string";
	}
	return "";
}

/* ---- operators */

static const struct {
	const char *text;
	enum tok tok; /* TOK_NAME: a word */
	int precedence;
} operators[] = {
    [OP_ADD] = {"+", TOK_ADD, 4},
    [OP_SUB] = {"-", TOK_SUB, 4},
    [OP_MUL] = {"*", TOK_MUL, 5},
    [OP_DIV] = {"/", TOK_DIV, 5},
    [OP_MOD] = {"%", TOK_MOD, 5},
    [OP_POW] = {"^", TOK_POW, 6},
    [OP_ATAN2] = {"atan2", TOK_NAME, 5},
    [OP_EQ] = {"==", TOK_EQ, 3},
    [OP_NE] = {"!=", TOK_NE, 3},
    [OP_LT] = {"<", TOK_LT, 3},
    [OP_LE] = {"<=", TOK_LE, 3},
    [OP_GT] = {">", TOK_GT, 3},
    [OP_GE] = {">=", TOK_GE, 3},
    [OP_AND] = {"and", TOK_NAME, 2},
    [OP_OR] = {"or", TOK_NAME, 1},
    [OP_UNLESS] = {"unless", TOK_NAME, 2},
};

enum { PRECEDENCE_POW = 6 };

const char *
promql_op_text(enum binary_op op)
{
	return operators[op].text;
}

static bool
next_operator(const struct parser *p, enum binary_op *out)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (operators[i].tok == p->tok.kind &&
		    (p->tok.kind != TOK_NAME || promql_is_word(p, operators[i].text))) {
			*out = (enum binary_op)i;
			return true;
		}
	return false;
}

static void
parse_grouping(struct parser *p, struct promql_node *n)
{
	bool left = promql_is_word(p, "group_left");
	if (!left && !promql_is_word(p, "group_right"))
		return;
	size_t at = p->tok.at;
	if (!promql_advance(p))
		return;
	if (promql_is_set(n->op)) {
		fail(p, at, "and, or, unless take no group_left or group_right");
		return;
	}
	n->card = left ? MANY_TO_ONE : ONE_TO_MANY;
	if (p->tok.kind == TOK_LEFT_PAREN && !promql_parse_names(p, &n->include))
		return;
	for (size_t i = 0; n->on && i < n->include.count; i++)
		if (promql_names_have(&n->labels, n->include.items[i]))
			fail(p, at, "a label is in on() and in group_left() or group_right()");
}

/* bool, on (..), ignoring (..), group_left (..), group_right (..) */
static void
parse_modifiers(struct parser *p, struct promql_node *n)
{
	n->card = promql_is_set(n->op) ? MANY_TO_MANY : ONE_TO_ONE;
	if (promql_is_word(p, "bool")) {
		if (!promql_is_comparison(n->op))
			fail(p, p->tok.at, "bool is only for comparisons");
		n->returns_bool = true;
		if (!promql_advance(p))
			return;
	}
	n->on = promql_is_word(p, "on");
	if (!n->on && !promql_is_word(p, "ignoring"))
		return;
	n->has_matching = true;
	if (promql_advance(p) && promql_parse_names(p, &n->labels))
		parse_grouping(p, n);
}

static void
check_operand(struct parser *p, const struct promql_node *operand)
{
	if (operand->type != PROMQL_SCALAR && operand->type != PROMQL_VECTOR)
		p->code = promql_fail_parse(p->err, p->lex.text, operand->at,
		    "an operator takes scalars and instant vectors, this is %s",
		    promql_type_phrase(operand->type));
}

static struct promql_node *
new_binary(struct parser *p, struct promql_node *n, struct promql_node *left,
    struct promql_node *right)
{
	struct promql_node **args = new_args(p, 2);
	if (!args)
		return NULL;
	check_operand(p, right);
	check_operand(p, left);
	bool scalars = left->type == PROMQL_SCALAR && right->type == PROMQL_SCALAR;
	bool vectors = left->type == PROMQL_VECTOR && right->type == PROMQL_VECTOR;
	if (scalars && promql_is_comparison(n->op) && !n->returns_bool)
		fail(p, n->at, "a comparison of two scalars needs bool: 1 < bool 2");
	if (!vectors && promql_is_set(n->op))
		fail(p, n->at, "and, or, unless are only between instant vectors");
	if (!vectors && n->has_matching)
		fail(p, n->at, "on and ignoring are only between instant vectors");
	if (p->code != ERR_OK)
		return NULL;
	n->type = scalars ? PROMQL_SCALAR : PROMQL_VECTOR;
	args[0] = left;
	args[1] = right;
	return set_args(p, n, args, 2);
}

static struct promql_node *parse_unary(struct parser *p);

static struct promql_node *
parse_binary(struct parser *p, int least)
{
	enum binary_op op;
	if (!go_deeper(p))
		return NULL;
	struct promql_node *left = parse_unary(p);
	while (left && next_operator(p, &op) && operators[op].precedence >= least) {
		struct promql_node *n = promql_new_node(p, NODE_BINARY, PROMQL_VECTOR, p->tok.at);
		if (!n || !promql_advance(p))
			return NULL;
		n->op = op;
		parse_modifiers(p, n);
		struct promql_node *right =
		    parse_binary(p, operators[op].precedence + (op == OP_POW ? 0 : 1));
		left = right ? new_binary(p, n, left, right) : NULL;
	}
	p->depth--;
	return left;
}

static struct promql_node *
parse_expression(struct parser *p)
{
	return parse_binary(p, 0);
}

/* ---- functions and aggregations */

static const struct {
	const char *name;
	enum aggregator aggregator;
	bool has_param;
	enum promql_type param;
} aggregations[] = {
    {"sum", AGG_SUM, false, 0},
    {"avg", AGG_AVG, false, 0},
    {"min", AGG_MIN, false, 0},
    {"max", AGG_MAX, false, 0},
    {"count", AGG_COUNT, false, 0},
    {"group", AGG_GROUP, false, 0},
    {"stddev", AGG_STDDEV, false, 0},
    {"stdvar", AGG_STDVAR, false, 0},
    {"topk", AGG_TOPK, true, PROMQL_SCALAR},
    {"bottomk", AGG_BOTTOMK, true, PROMQL_SCALAR},
    {"quantile", AGG_QUANTILE, true, PROMQL_SCALAR},
    {"count_values", AGG_COUNT_VALUES, true, PROMQL_STRING},
};

const char *
promql_aggregator_text(enum aggregator a)
{
	return aggregations[a].name;
}

static int
find_aggregation(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(aggregations); i++)
		if (str_eq_nocase(name, str_from(aggregations[i].name)))
			return (int)i;
	return -1;
}

/* ( a, b, c ): the list grows in the arena. */
static bool
parse_arguments(struct parser *p, struct promql_node ***args_out, size_t *count_out)
{
	size_t cap = 4, count = 0;
	struct promql_node **args = new_args(p, cap);
	if (!args || !promql_expect(p, TOK_LEFT_PAREN, "\"(\""))
		return false;
	while (p->tok.kind != TOK_RIGHT_PAREN) {
		struct promql_node *arg = parse_expression(p);
		if (!arg)
			return false;
		if (count == cap) {
			struct promql_node **more = new_args(p, cap * 2);
			if (!more)
				return false;
			memcpy(more, args, count * sizeof(struct promql_node *));
			args = more;
			cap *= 2;
		}
		args[count++] = arg;
		if (p->tok.kind == TOK_RIGHT_PAREN)
			break;
		if (!promql_expect(p, TOK_COMMA, "\",\" or \")\""))
			return false;
		if (p->tok.kind == TOK_RIGHT_PAREN) {
			promql_unexpected(p, "an argument");
			return false;
		}
	}
	*args_out = args;
	*count_out = count;
	return promql_expect(p, TOK_RIGHT_PAREN, "\")\"");
}

static bool
parse_by(struct parser *p, struct promql_node *n)
{
	n->without = promql_is_word(p, "without");
	if (!n->without && !promql_is_word(p, "by"))
		return true;
	return promql_advance(p) && promql_parse_names(p, &n->labels);
}

static bool
is_by(const struct parser *p)
{
	return promql_is_word(p, "by") || promql_is_word(p, "without");
}

static bool
check_type(struct parser *p, const struct promql_node *arg, enum promql_type type, const char *of)
{
	if (arg->type == type)
		return true;
	p->code = promql_fail_parse(p->err, p->lex.text, arg->at, "%s takes %s here, this is %s",
	    of, promql_type_phrase(type), promql_type_phrase(arg->type));
	return false;
}

static struct promql_node *
parse_aggregation(struct parser *p, int which, struct token name)
{
	struct promql_node *n = promql_new_node(p, NODE_AGGREGATE, PROMQL_VECTOR, name.at);
	struct promql_node **args;
	size_t count;
	if (!n)
		return NULL;
	n->aggregator = aggregations[which].aggregator;
	bool before = is_by(p);
	if (!parse_by(p, n) || !parse_arguments(p, &args, &count))
		return NULL;
	if (!before && !parse_by(p, n))
		return NULL;
	size_t wanted = aggregations[which].has_param ? 2 : 1;
	if (count != wanted) {
		p->code = promql_fail_parse(p->err, p->lex.text, name.at,
		    "%s takes %zu argument%s, not %zu", aggregations[which].name, wanted,
		    wanted == 1 ? "" : "s", count);
		return NULL;
	}
	if (wanted == 2 &&
	    !check_type(p, args[0], aggregations[which].param, aggregations[which].name))
		return NULL;
	if (!check_type(p, args[wanted - 1], PROMQL_VECTOR, aggregations[which].name))
		return NULL;
	if (wanted == 2) { /* the vector first */
		struct promql_node *vector = args[1];
		args[1] = args[0];
		args[0] = vector;
	}
	return set_args(p, n, args, wanted);
}

static bool
check_arguments(struct parser *p, const struct function *f, struct promql_node **args, size_t count,
    size_t at)
{
	static const enum promql_type types[] = {
	    PROMQL_SCALAR, PROMQL_SCALAR, PROMQL_VECTOR, PROMQL_MATRIX, PROMQL_STRING};
	size_t most = 0;
	while (most < ARGS_MAX && f->args[most] != ARG_NONE)
		most++;
	if (count < f->required || (count > most && !f->repeats)) {
		p->code =
		    promql_fail_parse(p->err, p->lex.text, at, "%s takes %s%u argument%s, not %zu",
		        f->name, f->repeats || most > f->required ? "at least " : "", f->required,
		        f->required == 1 ? "" : "s", count);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		if (!check_type(p, args[i], types[f->args[i < most ? i : most - 1]], f->name))
			return false;
	return true;
}

static struct promql_node *
parse_call(struct parser *p, struct token name)
{
	const struct function *f = promql_find_function(name.text);
	struct promql_node **args;
	size_t count;
	if (!f) {
		p->code =
		    promql_fail_parse(p->err, p->lex.text, name.at, "there is no function \"%.*s\"",
		        (int)(name.len < 60 ? name.len : 60), name.text.ptr);
		return NULL;
	}
	struct promql_node *n = promql_new_node(p, NODE_CALL, f->type, name.at);
	if (!n || !parse_arguments(p, &args, &count) ||
	    !check_arguments(p, f, args, count, name.at))
		return NULL;
	n->fn = f;
	return set_args(p, n, args, count);
}

/* ---- what stands alone */

static struct promql_node *
parse_number(struct parser *p, double v)
{
	struct promql_node *n = promql_new_node(p, NODE_NUMBER, PROMQL_SCALAR, p->tok.at);
	if (n)
		n->number = v;
	return n && promql_advance(p) ? n : NULL;
}

/* A name is a function when a bracket follows, an aggregation also when by or without does, else a metric. */
static struct promql_node *
parse_word(struct parser *p)
{
	struct token name = p->tok;
	struct lexer before = p->lex;
	if (promql_is_word(p, "inf"))
		return parse_number(p, __builtin_inf());
	if (promql_is_word(p, "nan"))
		return parse_number(p, __builtin_nan(""));
	if (!promql_advance(p))
		return NULL;
	int which = find_aggregation(name.text);
	if (which >= 0 && (p->tok.kind == TOK_LEFT_PAREN || is_by(p)))
		return parse_aggregation(p, which, name);
	if (p->tok.kind == TOK_LEFT_PAREN)
		return parse_call(p, name);
	p->lex = before;
	p->tok = name;
	return promql_parse_vector_selector(p);
}

static struct promql_node *
parse_brackets(struct parser *p)
{
	if (!promql_advance(p))
		return NULL;
	struct promql_node *n = parse_expression(p);
	return n && promql_expect(p, TOK_RIGHT_PAREN, "\")\"") ? n : NULL;
}

static struct promql_node *
parse_primary(struct parser *p)
{
	struct promql_node *n;
	switch (p->tok.kind) {
	case TOK_NUMBER:
	case TOK_DURATION: return parse_number(p, p->tok.number);
	case TOK_STRING:
		n = promql_new_node(p, NODE_STRING, PROMQL_STRING, p->tok.at);
		if (n)
			n->text = p->tok.text;
		return n && promql_advance(p) ? n : NULL;
	case TOK_LEFT_PAREN: return parse_brackets(p);
	case TOK_LEFT_BRACE: return promql_parse_vector_selector(p);
	case TOK_NAME: return parse_word(p);
	case TOK_END:
	case TOK_ERROR:
	case TOK_RIGHT_PAREN:
	case TOK_RIGHT_BRACE:
	case TOK_LEFT_BRACKET:
	case TOK_RIGHT_BRACKET:
	case TOK_COMMA:
	case TOK_COLON:
	case TOK_AT:
	case TOK_ASSIGN:
	case TOK_ADD:
	case TOK_SUB:
	case TOK_MUL:
	case TOK_DIV:
	case TOK_MOD:
	case TOK_POW:
	case TOK_EQ:
	case TOK_NE:
	case TOK_LT:
	case TOK_LE:
	case TOK_GT:
	case TOK_GE:
	case TOK_RE:
	case TOK_NRE: break;
	}
	promql_unexpected(p, "an expression");
	return NULL;
}

/* A sign binds less than ^, more than *: -2^2 is -4. */
static struct promql_node *
parse_unary(struct parser *p)
{
	bool minus = p->tok.kind == TOK_SUB;
	size_t at = p->tok.at;
	if (!minus && p->tok.kind != TOK_ADD) {
		struct promql_node *n = parse_primary(p);
		return n ? promql_parse_suffixes(p, n) : NULL;
	}
	if (!promql_advance(p))
		return NULL;
	struct promql_node *operand = parse_binary(p, PRECEDENCE_POW);
	if (!operand)
		return NULL;
	check_operand(p, operand);
	if (!minus || p->code != ERR_OK)
		return p->code == ERR_OK ? operand : NULL;
	if (operand->kind == NODE_NUMBER) {
		operand->number = -operand->number;
		operand->at = (uint32_t)at;
		return operand;
	}
	struct promql_node *n = promql_new_node(p, NODE_UNARY, operand->type, at);
	struct promql_node **args = n ? new_args(p, 1) : NULL;
	if (!args)
		return NULL;
	args[0] = operand;
	return set_args(p, n, args, 1);
}

/* ---- all of it */

static bool
begin(struct parser *p, struct str text, promql_name_fn label_name, struct arena *arena,
    struct err *err)
{
	*p = (struct parser){.lex = {.text = text, .arena = arena, .err = err},
	    .arena = arena,
	    .err = err,
	    .label_name = label_name};
	if (text.len > PROMQL_TEXT_BYTES_MAX) {
		p->code = err_set(err, ERR_INVALID, "the query is longer than %d bytes",
		    PROMQL_TEXT_BYTES_MAX);
		return false;
	}
	return promql_advance(p);
}

static void
finish(struct parser *p)
{
	if (p->code == ERR_OK && p->tok.kind != TOK_END)
		promql_unexpected(p, "an operator, or the end,");
}

enum err_code
promql_parse(struct str text, promql_name_fn label_name, struct arena *arena,
    struct promql_query *out, struct err *err)
{
	struct parser p;
	struct promql_node *root = NULL;
	if (begin(&p, text, label_name, arena, err))
		root = parse_expression(&p);
	finish(&p);
	CHECK(root || p.code != ERR_OK);
	if (p.code != ERR_OK)
		return p.code;
	*out = (struct promql_query){
	    .text = text, .label_name = label_name, .root = root, .type = root->type};
	return ERR_OK;
}

enum err_code
promql_parse_selector(struct str text, promql_name_fn label_name, struct arena *arena,
    const struct promql_matcher **out, size_t *count_out, struct err *err)
{
	struct parser p;
	struct promql_node *n = NULL;
	if (begin(&p, text, label_name, arena, err)) {
		if (p.tok.kind == TOK_NAME || p.tok.kind == TOK_LEFT_BRACE)
			n = promql_parse_vector_selector(&p);
		else
			promql_unexpected(&p, "a selector");
	}
	if (p.code == ERR_OK && p.tok.kind != TOK_END)
		promql_unexpected(&p, "the end");
	if (p.code != ERR_OK)
		return p.code;
	CHECK(n != NULL);
	*out = n->matchers;
	*count_out = n->matcher_count;
	return ERR_OK;
}
