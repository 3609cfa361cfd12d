/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators. Two vectors meet by their match groups: the labels that on() names, or all but those of ignoring() and the
 * metric's name. Groups are found once, for they depend on labels only; which series of a group is there is looked at
 * anew at each step, for an error is only what does not fit at one moment.
 */
#include "promql/eval.h"

#include <math.h>

/* ---- one pair of values */

double
promql_apply(enum binary_op op, double a, double b, bool *keep_out)
{
	*keep_out = true;
	switch (op) {
	case OP_ADD: return a + b;
	case OP_SUB: return a - b;
	case OP_MUL: return a * b;
	case OP_DIV: return a / b;
	case OP_MOD: return fmod(a, b);
	case OP_POW: return pow(a, b);
	case OP_ATAN2: return atan2(a, b);
	case OP_EQ: *keep_out = a == b; return a;
	case OP_NE: *keep_out = a != b; return a;
	case OP_LT: *keep_out = a < b; return a;
	case OP_LE: *keep_out = a <= b; return a;
	case OP_GT: *keep_out = a > b; return a;
	case OP_GE: *keep_out = a >= b; return a;
	case OP_AND:
	case OP_OR:
	case OP_UNLESS: break;
	}
	return a;
}

struct operand {
	double v;
	const struct promql_hist *h;
};

static struct point
hist_point(const struct promql_hist *h)
{
	return (struct point){.set = h != NULL, .spent = h == NULL, .h = h};
}

/* By 0 no bucket is left. */
static struct point
divide(struct eval *e, const struct promql_hist *h, double by)
{
	struct promql_hist *out = promql_hist_scale(e->arena, h, 1 / by);
	if (out && by == 0)
		out->pos = out->neg = (struct promql_buckets){0};
	return hist_point(out);
}

/* Not set: there is no such operation, or the comparison does not hold. */
static struct point
apply_hist(struct eval *e, enum binary_op op, struct operand a, struct operand b)
{
	bool equal;
	if (a.h && b.h) {
		switch ((int)op) {
		case OP_ADD: return hist_point(promql_hist_add(e->arena, a.h, b.h, 1));
		case OP_SUB: return hist_point(promql_hist_add(e->arena, a.h, b.h, -1));
		case OP_EQ:
		case OP_NE:
			equal = promql_hist_equal(a.h, b.h);
			return (struct point){.set = equal == (op == OP_EQ), .h = a.h};
		default: return (struct point){0};
		}
	}
	if (op == OP_MUL)
		return hist_point(promql_hist_scale(e->arena, a.h ? a.h : b.h, a.h ? b.v : a.v));
	if (op == OP_DIV && a.h)
		return divide(e, a.h, b.v);
	return (struct point){0};
}

static struct point
apply(struct eval *e, const struct promql_node *n, struct operand a, struct operand b)
{
	struct point p;
	bool hist_compare = a.h && b.h && (n->op == OP_EQ || n->op == OP_NE);
	if (a.h || b.h) {
		p = apply_hist(e, n->op, a, b);
		if (!n->returns_bool || !hist_compare)
			return p;
	} else {
		p = (struct point){0};
		p.v = promql_apply(n->op, a.v, b.v, &p.set);
		if (!n->returns_bool)
			return p;
	}
	return (struct point){.set = true, .v = p.set ? 1 : 0};
}

static struct operand
operand_at(const struct promql_series *s, size_t step)
{
	return (struct operand){s->value[step], promql_hist_at(s, step)};
}

static bool
drops_name(const struct promql_node *n)
{
	return n->returns_bool || !promql_is_comparison(n->op);
}

/* ---- with scalars */

static enum err_code
with_scalar(struct eval *e, const struct promql_node *n, struct vec *vector, const double *scalar,
    bool scalar_first)
{
	enum err_code code = ERR_OK;
	bool filter = promql_is_comparison(n->op) && !n->returns_bool;
	for (size_t i = 0; i < vector->count && code == ERR_OK; i++) {
		struct promql_series *s = &vector->items[i];
		for (size_t k = 0; k < e->steps && code == ERR_OK; k++) {
			struct operand v = operand_at(s, k), x = {scalar[k], NULL};
			if (!promql_has(s, k))
				continue;
			struct point p = scalar_first ? apply(e, n, x, v) : apply(e, n, v, x);
			if (p.set && filter && scalar_first)
				p.v = v.v;
			if (!p.set && !p.spent)
				s->value[k] = promql_stale();
			else
				code = promql_put(e, s, k, p);
		}
	}
	if (code == ERR_OK && drops_name(n))
		code = promql_vec_drop_names(e, vector);
	return code == ERR_OK ? promql_vec_settle(e, vector, false, n->at) : code;
}

static void
two_scalars(struct eval *e, const struct promql_node *n, double *a, const double *b)
{
	bool keep;
	for (size_t k = 0; k < e->steps; k++) {
		double v = promql_apply(n->op, a[k], b[k], &keep);
		a[k] = n->returns_bool ? (keep ? 1 : 0) : v;
	}
}

/* ---- match groups */

struct groups {
	struct label_set set;
	size_t *of_left, *of_right; /* a series' group */
};

static enum err_code
find_groups(struct eval *e, const struct promql_node *n, const struct vec *v, struct groups *g,
    size_t **of_out)
{
	*of_out = arena_array(e->arena, v->count + 1, sizeof(**of_out));
	for (size_t i = 0; *of_out && i < v->count; i++) {
		struct promql_labels match;
		bool added;
		if (!promql_labels_pick(e->arena, &v->items[i].labels, &n->labels, !n->on, &match))
			return promql_spent(e);
		(*of_out)[i] = promql_set_add(&g->set, &match, &added);
		if ((*of_out)[i] == SIZE_MAX)
			return promql_spent(e);
	}
	return *of_out ? ERR_OK : promql_spent(e);
}

static enum err_code
group_both(struct eval *e, const struct promql_node *n, const struct vec *left,
    const struct vec *right, struct groups *g)
{
	*g = (struct groups){.set = {.arena = e->arena}};
	enum err_code code = find_groups(e, n, left, g, &g->of_left);
	return code == ERR_OK ? find_groups(e, n, right, g, &g->of_right) : code;
}

/* ---- and, or, unless */

/* Take values away where the other side does (`unless`) or does not (`and`) have the group. */
static void
keep_by_groups(struct eval *e, struct vec *left, const size_t *of_left, const struct vec *right,
    const size_t *of_right, unsigned char *there, size_t group_count, bool wanted)
{
	for (size_t k = 0; k < e->steps; k++) {
		memset(there, 0, group_count);
		for (size_t i = 0; i < right->count; i++)
			if (promql_has(&right->items[i], k))
				there[of_right[i]] = 1;
		for (size_t i = 0; i < left->count; i++)
			if ((there[of_left[i]] != 0) != wanted)
				left->items[i].value[k] = promql_stale();
	}
}

static enum err_code
eval_set(struct eval *e, const struct promql_node *n, struct vec *left, struct vec *right,
    struct vec *out)
{
	struct groups g;
	enum err_code code = group_both(e, n, left, right, &g);
	unsigned char *there = arena_alloc(e->arena, g.set.count + 1);
	if (code != ERR_OK || !there)
		return code == ERR_OK ? promql_spent(e) : code;
	if (n->op == OP_OR)
		keep_by_groups(e, right, g.of_right, left, g.of_left, there, g.set.count, false);
	else
		keep_by_groups(e, left, g.of_left, right, g.of_right, there, g.set.count,
		    n->op == OP_AND);
	for (size_t i = 0; i < left->count && code == ERR_OK; i++)
		code = promql_vec_add(e, out, &left->items[i]);
	for (size_t i = 0; n->op == OP_OR && i < right->count && code == ERR_OK; i++)
		code = promql_vec_add(e, out, &right->items[i]);
	return code == ERR_OK ? promql_vec_settle(e, out, false, n->at) : code;
}

/* ---- one to one, many to one */

struct matching {
	struct eval *e;
	const struct promql_node *n;
	const struct vec *many, *one;
	size_t *of_many, *of_one;
	bool swapped; /* `many` is the right operand */
	size_t *one_at; /* of a group: its series + 1 at this step */
	unsigned char *taken; /* one to one: the group has an answer at this step */
	size_t *last_one, *last_out; /* of a `many` series: where its last answer went */
	struct label_set results;
	struct vec *out;
};

static enum err_code
result_labels(struct matching *m, const struct promql_labels *many, const struct promql_labels *one,
    struct promql_labels *out)
{
	struct arena *a = m->e->arena;
	const struct promql_node *n = m->n;
	bool good = true;
	*out = *many;
	if (drops_name(n))
		good = promql_labels_drop_name(a, out, out);
	if (n->card == ONE_TO_ONE && n->on)
		good = good && promql_labels_pick(a, out, &n->labels, false, out);
	for (size_t i = 0; n->card == ONE_TO_ONE && !n->on && i < n->labels.count; i++)
		good = good && promql_labels_set(a, out, n->labels.items[i], STR(""), out);
	for (size_t i = 0; n->card != ONE_TO_ONE && i < n->include.count; i++)
		good = good &&
		    promql_labels_set(a, out, n->include.items[i],
		        promql_label_get(one, n->include.items[i]), out);
	return good ? ERR_OK : promql_spent(m->e);
}

/* The series that the answer of a pair goes to. */
static enum err_code
result_of(struct matching *m, size_t many, size_t one, size_t *out)
{
	struct promql_labels labels;
	bool added;
	if (m->last_one[many] == one + 1) {
		*out = m->last_out[many];
		return ERR_OK;
	}
	enum err_code code =
	    result_labels(m, &m->many->items[many].labels, &m->one->items[one].labels, &labels);
	if (code != ERR_OK)
		return code;
	*out = promql_set_add(&m->results, &labels, &added);
	if (*out == SIZE_MAX)
		return promql_spent(m->e);
	m->last_one[many] = one + 1;
	m->last_out[many] = *out;
	if (!added)
		return ERR_OK;
	struct promql_series s = {
	    .labels = labels, .count = m->e->steps, .value = promql_new_values(m->e)};
	return s.value ? promql_vec_add(m->e, m->out, &s) : promql_spent(m->e);
}

static enum err_code
not_unique(struct matching *m, const char *what, const struct promql_labels *group)
{
	struct buf text = {0};
	promql_labels_print(&text, group);
	enum err_code code = promql_fail_run(m->e->err, m->e->q->text, m->n->at, what,
	    (int)(text.len < 60 ? text.len : 60), text.ptr);
	buf_fini(&text);
	return code;
}

static enum err_code
answer_pair(struct matching *m, size_t many, size_t one, size_t step)
{
	struct operand a = operand_at(&m->many->items[many], step);
	struct operand b = operand_at(&m->one->items[one], step);
	size_t group = m->of_many[many], place;
	struct point p = m->swapped ? apply(m->e, m->n, b, a) : apply(m->e, m->n, a, b);
	/* What has no meaning at all, like a histogram less a number, is as if it were not there. */
	bool equality = m->n->op == OP_EQ || m->n->op == OP_NE;
	if (!p.set && !p.spent && (a.h || b.h) && !(a.h && b.h && equality))
		return ERR_OK;
	if (m->n->card == ONE_TO_ONE && m->taken[group])
		return not_unique(m,
		    "several series on the left match one on the right, like %.*s: group_left or "
		    "group_right says that they may",
		    &m->many->items[many].labels);
	m->taken[group] = 1;
	if (!p.set && !p.spent)
		return ERR_OK;
	enum err_code code = result_of(m, many, one, &place);
	if (code != ERR_OK)
		return code;
	if (promql_has(&m->out->items[place], step))
		return not_unique(m,
		    "several answers would have the labels %.*s: keep what tells them apart",
		    &m->results.items[place]);
	return promql_put(m->e, &m->out->items[place], step, p);
}

static bool
any_at(const struct vec *v, size_t step)
{
	for (size_t i = 0; i < v->count; i++)
		if (promql_has(&v->items[i], step))
			return true;
	return false;
}

static enum err_code
answer_step(struct matching *m, size_t step)
{
	if (!any_at(m->many, step) || !any_at(m->one, step))
		return ERR_OK;
	for (size_t i = 0; i < m->one->count; i++) {
		size_t *at = &m->one_at[m->of_one[i]];
		if (!promql_has(&m->one->items[i], step))
			continue;
		if (*at)
			return not_unique(m,
			    m->swapped
			        ? "several series on the left are the one side of a match, as %.*s"
			        : "several series on the right are the one side of a match, as "
			          "%.*s; labels must tell them apart",
			    &m->one->items[i].labels);
		*at = i + 1;
	}
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < m->many->count && code == ERR_OK; i++) {
		size_t one = m->one_at[m->of_many[i]];
		if (one && promql_has(&m->many->items[i], step))
			code = answer_pair(m, i, one - 1, step);
	}
	return code;
}

static enum err_code
eval_matching(struct eval *e, const struct promql_node *n, struct vec *left, struct vec *right,
    struct vec *out)
{
	struct groups g;
	enum err_code code = group_both(e, n, left, right, &g);
	if (code != ERR_OK)
		return code;
	bool swapped = n->card == ONE_TO_MANY;
	struct matching m = {.e = e,
	    .n = n,
	    .many = swapped ? right : left,
	    .one = swapped ? left : right,
	    .of_many = swapped ? g.of_right : g.of_left,
	    .of_one = swapped ? g.of_left : g.of_right,
	    .swapped = swapped,
	    .results = {.arena = e->arena},
	    .out = out};
	m.one_at = arena_array(e->arena, g.set.count + 1, sizeof(size_t));
	m.taken = arena_alloc(e->arena, g.set.count + 1);
	m.last_one = arena_array(e->arena, m.many->count + 1, sizeof(size_t));
	m.last_out = arena_array(e->arena, m.many->count + 1, sizeof(size_t));
	if (!m.one_at || !m.taken || !m.last_one || !m.last_out)
		return promql_spent(e);
	for (size_t k = 0; k < e->steps && code == ERR_OK; k++) {
		memset(m.one_at, 0, g.set.count * sizeof(size_t));
		memset(m.taken, 0, g.set.count);
		code = answer_step(&m, k);
		if (code == ERR_OK)
			code = promql_check_stop(e);
	}
	return code == ERR_OK ? promql_vec_settle(e, out, false, n->at) : code;
}

/* ---- the node */

enum err_code
promql_eval_binary(struct eval *e, const struct promql_node *n, struct vec *out)
{
	struct vec left, right;
	enum err_code code = promql_eval(e, n->args[0], &left);
	if (code == ERR_OK)
		code = promql_eval(e, n->args[1], &right);
	if (code != ERR_OK)
		return code;
	bool left_scalar = left.type == PROMQL_SCALAR, right_scalar = right.type == PROMQL_SCALAR;
	if (left_scalar && right_scalar) {
		two_scalars(e, n, left.items[0].value, right.items[0].value);
		*out = left;
		return ERR_OK;
	}
	if (left_scalar || right_scalar) {
		*out = left_scalar ? right : left;
		return with_scalar(e, n, out,
		    left_scalar ? left.items[0].value : right.items[0].value, left_scalar);
	}
	if (promql_is_set(n->op))
		return eval_set(e, n, &left, &right, out);
	return eval_matching(e, n, &left, &right, out);
}
