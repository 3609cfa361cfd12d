/* SPDX-License-Identifier: Apache-2.0 */
/*
 * promql/tree.h - tokens, the tree that they become, and how it is made.
 *
 *     lex.c          tokens                         parse.c        tokens to the tree
 *     parse_select.c selectors, labels, modifiers   print.c        the tree as text, numbers as text
 */
#ifndef PROMQL_TREE_H
#define PROMQL_TREE_H

#include "promql/promql.h"

/* ---- tokens (lex.c) */

enum tok {
	TOK_END,
	TOK_ERROR,
	TOK_NUMBER,
	TOK_DURATION,
	TOK_STRING,
	TOK_NAME, /* letters, digits, _ and : */
	TOK_LEFT_PAREN,
	TOK_RIGHT_PAREN,
	TOK_LEFT_BRACE,
	TOK_RIGHT_BRACE,
	TOK_LEFT_BRACKET,
	TOK_RIGHT_BRACKET,
	TOK_COMMA,
	TOK_COLON,
	TOK_AT,
	TOK_ASSIGN, /* = */
	TOK_ADD,
	TOK_SUB,
	TOK_MUL,
	TOK_DIV,
	TOK_MOD,
	TOK_POW,
	TOK_EQ, /* == */
	TOK_NE,
	TOK_LT,
	TOK_LE,
	TOK_GT,
	TOK_GE,
	TOK_RE, /* =~ */
	TOK_NRE,
};

struct token {
	enum tok kind;
	size_t at, len; /* bytes in the text */
	double number; /* NUMBER; DURATION in seconds */
	int64_t ms; /* DURATION */
	struct str text; /* STRING: what it stands for; NAME: itself */
};

struct lexer {
	struct str text;
	size_t at;
	bool in_brackets; /* a ':' is no part of a name */
	struct arena *arena;
	struct err *err;
};

/* "parse error at column 12: ..."; `at` is a byte of the text. ERR_INVALID. */
enum err_code promql_fail_parse(struct err *err, struct str text, size_t at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* "... (at column 12)": of a query that cannot be answered. ERR_EXECUTION. */
enum err_code promql_fail_run(struct err *err, struct str text, size_t at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* TOK_ERROR: *err has been filled. */
struct token promql_lex(struct lexer *l);
bool promql_is_label_name(struct str s); /* [a-zA-Z_][a-zA-Z0-9_]* */

/* ---- the tree */

enum node_kind {
	NODE_NUMBER,
	NODE_STRING,
	NODE_SELECTOR, /* range_ms > 0: of type matrix */
	NODE_SUBQUERY,
	NODE_CALL,
	NODE_AGGREGATE,
	NODE_BINARY,
	NODE_UNARY, /* minus; a plus leaves nothing behind */
};

enum binary_op {
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_POW,
	OP_ATAN2,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_AND,
	OP_OR,
	OP_UNLESS,
};

enum cardinality { ONE_TO_ONE, MANY_TO_ONE, ONE_TO_MANY, MANY_TO_MANY };

enum aggregator {
	AGG_SUM,
	AGG_AVG,
	AGG_MIN,
	AGG_MAX,
	AGG_COUNT,
	AGG_GROUP,
	AGG_STDDEV,
	AGG_STDVAR,
	AGG_TOPK,
	AGG_BOTTOMK,
	AGG_QUANTILE,
	AGG_COUNT_VALUES,
};

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };

struct names { /* sorted, each once */
	struct str *items;
	size_t count;
};

struct function;

struct promql_node {
	enum node_kind kind;
	enum promql_type type;
	uint32_t at; /* byte of the text where it begins; of a binary one its operator */
	uint32_t depth;
	double number;
	struct str text;
	/* SELECTOR, SUBQUERY */
	struct promql_matcher *matchers;
	size_t matcher_count;
	int64_t range_ms, step_ms, offset_ms, at_ms;
	enum at_kind at_kind;
	bool has_offset;
	/* what it is made of: CALL the arguments, AGGREGATE the vector and maybe its parameter */
	struct promql_node **args;
	size_t arg_count;
	const struct function *fn;
	enum aggregator aggregator;
	bool without; /* AGGREGATE; without labels and this false: one group */
	struct names labels; /* AGGREGATE: by or without; BINARY: on or ignoring */
	enum binary_op op;
	bool returns_bool;
	enum cardinality card;
	bool on;
	struct names include;
	bool has_matching;
};

static inline bool
promql_is_comparison(enum binary_op op)
{
	return op >= OP_EQ && op <= OP_GE;
}

static inline bool
promql_is_set(enum binary_op op)
{
	return op >= OP_AND;
}

const char *promql_op_text(enum binary_op op);
const char *promql_aggregator_text(enum aggregator a);

/* ---- parsing (parse.c, parse_select.c) */

struct parser {
	struct lexer lex;
	struct token tok; /* the next one, not taken yet */
	struct arena *arena;
	struct err *err;
	promql_name_fn label_name;
	unsigned depth;
	size_t nodes;
	enum err_code code; /* sticky */
};

/* NULL, and the error is set; also when one was set before. */
struct promql_node *promql_new_node(struct parser *p, enum node_kind kind, enum promql_type type,
    size_t at);
bool promql_advance(struct parser *p); /* false: an error */
bool promql_expect(struct parser *p, enum tok kind, const char *what);
void promql_unexpected(struct parser *p, const char *expected);
/* The next token is this word, in any case. */
bool promql_is_word(const struct parser *p, const char *word);
struct promql_node *promql_parse_vector_selector(struct parser *p);
/* Ranges, subqueries, offset, @ behind an expression. */
struct promql_node *promql_parse_suffixes(struct parser *p, struct promql_node *n);
bool promql_parse_names(struct parser *p, struct names *out); /* (a, b, "c.d") */

const struct function *promql_find_function(struct str name); /* functions.c */

#endif
