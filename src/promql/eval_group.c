/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregations: series to groups by their labels, then the values of a group at a step to one. */
#include "promql/eval.h"

#include <math.h>
#include <stdlib.h>

struct group {
	size_t *members; /* series of the vector */
	size_t count, cap;
};

struct grouping {
	struct eval *e;
	const struct promql_node *n;
	struct vec in;
	struct label_set labels; /* of the groups */
	struct group *groups;
	const double *param; /* a value a step */
	double *values; /* of one group at one step */
	struct vec *out;
};

/* ---- groups */

static bool
add_member(struct arena *arena, struct group *g, size_t series)
{
	if (g->count == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 4;
		size_t *more = arena_array(arena, cap, sizeof(*more));
		if (!more)
			return false;
		if (g->count > 0)
			memcpy(more, g->members, g->count * sizeof(*more));
		g->members = more;
		g->cap = cap;
	}
	g->members[g->count++] = series;
	return true;
}

static enum err_code
form_groups(struct grouping *g)
{
	struct eval *e = g->e;
	g->groups = arena_array(e->arena, g->in.count + 1, sizeof(*g->groups));
	if (!g->groups)
		return promql_spent(e);
	for (size_t i = 0; i < g->in.count; i++) {
		struct promql_labels key;
		bool added;
		if (!promql_labels_pick(e->arena, &g->in.items[i].labels, &g->n->labels,
		        g->n->without, &key))
			return promql_spent(e);
		size_t place = promql_set_add(&g->labels, &key, &added);
		if (place == SIZE_MAX || !add_member(e->arena, &g->groups[place], i))
			return promql_spent(e);
	}
	return ERR_OK;
}

/* ---- one value of many */

struct totals {
	struct kahan sum;
	double n, numbers, min, max, mean, squares;
	const struct promql_hist *h;
};

static void
add_number(struct totals *t, double v)
{
	double delta = v - t->mean;
	promql_kahan_add(&t->sum, v);
	t->min = t->numbers == 0 || isnan(t->min) || v < t->min ? v : t->min;
	t->max = t->numbers == 0 || isnan(t->max) || v > t->max ? v : t->max;
	t->numbers++;
	t->mean += delta / t->numbers;
	t->squares += delta * (v - t->mean);
}

static enum err_code
add_up(struct grouping *g, const struct group *group, size_t step, struct totals *t)
{
	bool sums = g->n->aggregator == AGG_SUM || g->n->aggregator == AGG_AVG;
	*t = (struct totals){0};
	for (size_t i = 0; i < group->count; i++) {
		const struct promql_series *s = &g->in.items[group->members[i]];
		const struct promql_hist *h = promql_hist_at(s, step);
		if (!promql_has(s, step))
			continue;
		t->n++;
		if (!h)
			add_number(t, s->value[step]);
		else if (sums)
			t->h = t->h ? promql_hist_add(g->e->arena, t->h, h, 1) : h;
		if (h && sums && !t->h)
			return promql_spent(g->e);
	}
	return ERR_OK;
}

static struct point
number(double v)
{
	return (struct point){.set = true, .v = v};
}

static struct point
total_of(struct grouping *g, const struct totals *t)
{
	enum aggregator a = g->n->aggregator;
	if (t->n == 0)
		return (struct point){0};
	if (a == AGG_COUNT || a == AGG_GROUP)
		return number(a == AGG_COUNT ? t->n : 1);
	if (t->h && t->numbers > 0)
		return (struct point){0}; /* numbers and histograms have no sum */
	if (t->h) {
		const struct promql_hist *h =
		    promql_hist_scale(g->e->arena, t->h, a == AGG_AVG ? 1 / t->n : 1);
		return (struct point){.set = h != NULL, .spent = h == NULL, .h = h};
	}
	if (t->numbers == 0)
		return (struct point){0};
	double sum = promql_kahan(&t->sum), variance = t->squares / t->numbers;
	switch ((int)a) {
	case AGG_SUM: return number(sum);
	case AGG_AVG: return number(isinf(sum) ? t->mean : sum / t->numbers);
	case AGG_MIN: return number(t->min);
	case AGG_MAX: return number(t->max);
	case AGG_STDVAR: return number(variance);
	default: return number(sqrt(variance));
	}
}

static size_t
values_of(struct grouping *g, const struct group *group, size_t step)
{
	size_t n = 0;
	for (size_t i = 0; i < group->count; i++) {
		const struct promql_series *s = &g->in.items[group->members[i]];
		if (promql_has(s, step) && !promql_hist_at(s, step))
			g->values[n++] = s->value[step];
	}
	return n;
}

static enum err_code
one_value(struct grouping *g, const struct group *group, struct promql_series *out)
{
	struct eval *e = g->e;
	enum err_code code = ERR_OK;
	for (size_t k = 0; k < e->steps && code == ERR_OK; k++) {
		struct point p = {0};
		struct totals t;
		if (g->n->aggregator == AGG_QUANTILE) {
			size_t n = values_of(g, group, k);
			if (n > 0)
				p = number(promql_quantile(g->param[k], g->values, n));
		} else {
			code = add_up(g, group, k, &t);
			p = total_of(g, &t);
		}
		if (code == ERR_OK)
			code = promql_put(e, out, k, p);
	}
	return code == ERR_OK ? promql_check_stop(e) : code;
}

static enum err_code
eval_values(struct grouping *g)
{
	struct eval *e = g->e;
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < g->labels.count && code == ERR_OK; i++) {
		struct promql_series s = {
		    .labels = g->labels.items[i], .count = e->steps, .value = promql_new_values(e)};
		if (!s.value)
			return promql_spent(e);
		code = one_value(g, &g->groups[i], &s);
		if (code == ERR_OK)
			code = promql_vec_add(e, g->out, &s);
	}
	return code;
}

/* ---- topk, bottomk */

struct ranked {
	double v;
	size_t series;
};

static int
falling(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (isnan(x->v) || isnan(y->v))
		return isnan(x->v) - isnan(y->v);
	if (x->v != y->v)
		return x->v > y->v ? -1 : 1;
	return (x->series > y->series) - (x->series < y->series);
}

static int
rising(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (isnan(x->v) || isnan(y->v) || x->v == y->v)
		return falling(a, b);
	return x->v < y->v ? -1 : 1;
}

/* The first k of a group at a step, into series of their own; `place`: where a series' answer is, + 1. */
static enum err_code
take_first(struct grouping *g, const struct group *group, size_t step, struct ranked *ranked,
    size_t *place)
{
	struct eval *e = g->e;
	size_t n = 0;
	double k = g->param[step];
	for (size_t i = 0; i < group->count; i++) {
		const struct promql_series *s = &g->in.items[group->members[i]];
		if (promql_has(s, step) && !promql_hist_at(s, step))
			ranked[n++] = (struct ranked){s->value[step], group->members[i]};
	}
	if (n > 1)
		qsort(ranked, n, sizeof(*ranked), g->n->aggregator == AGG_TOPK ? falling : rising);
	for (size_t i = 0; i < n && (double)(i + 1) <= k; i++) {
		size_t *at = &place[ranked[i].series];
		if (!*at) {
			struct promql_series s = {.labels = g->in.items[ranked[i].series].labels,
			    .count = e->steps,
			    .value = promql_new_values(e)};
			enum err_code code =
			    s.value ? promql_vec_add(e, g->out, &s) : promql_spent(e);
			if (code != ERR_OK)
				return code;
			*at = g->out->count;
		}
		g->out->items[*at - 1].value[step] = ranked[i].v;
	}
	return ERR_OK;
}

static enum err_code
eval_ranks(struct grouping *g)
{
	struct eval *e = g->e;
	struct ranked *ranked = arena_array(e->arena, g->in.count + 1, sizeof(*ranked));
	size_t *place = arena_array(e->arena, g->in.count + 1, sizeof(*place));
	enum err_code code = ERR_OK;
	if (!ranked || !place)
		return promql_spent(e);
	for (size_t k = 0; k < e->steps && code == ERR_OK; k++) {
		if (isnan(g->param[k]))
			return promql_fail_run(e->err, e->q->text, g->n->at, "%s of NaN series",
			    promql_aggregator_text(g->n->aggregator));
		for (size_t i = 0; i < g->labels.count && code == ERR_OK; i++)
			code = take_first(g, &g->groups[i], k, ranked, place);
		if (code == ERR_OK)
			code = promql_check_stop(e);
	}
	return code;
}

/* ---- count_values */

static enum err_code
count_value(struct grouping *g, const struct promql_labels *of, struct str label, double v,
    size_t step, struct label_set *results)
{
	char text[PROMQL_NUMBER_BYTES];
	struct eval *e = g->e;
	struct promql_labels labels;
	bool added;
	struct str value = arena_str(e->arena, str_of(text, promql_label_number_text(v, text)));
	if (!value.ptr || !promql_labels_set(e->arena, of, label, value, &labels))
		return promql_spent(e);
	size_t place = promql_set_add(results, &labels, &added);
	if (place == SIZE_MAX)
		return promql_spent(e);
	if (added) {
		struct promql_series s = {
		    .labels = labels, .count = e->steps, .value = promql_new_values(e)};
		enum err_code code = s.value ? promql_vec_add(e, g->out, &s) : promql_spent(e);
		if (code != ERR_OK)
			return code;
	}
	double *at = &g->out->items[place].value[step];
	*at = promql_is_stale(*at) ? 1 : *at + 1;
	return ERR_OK;
}

static enum err_code
eval_count_values(struct grouping *g)
{
	struct str label = g->n->args[1]->text;
	struct label_set results = {.arena = g->e->arena};
	enum err_code code = ERR_OK;
	if (!promql_is_label_name(label))
		return promql_fail_run(g->e->err, g->e->q->text, g->n->args[1]->at,
		    "count_values needs the name of a label");
	for (size_t i = 0; i < g->labels.count; i++)
		for (size_t k = 0; k < g->e->steps; k++) {
			size_t n = values_of(g, &g->groups[i], k);
			for (size_t j = 0; j < n && code == ERR_OK; j++)
				code = count_value(g, &g->labels.items[i], label, g->values[j], k,
				    &results);
			if (code != ERR_OK)
				return code;
		}
	return code;
}

/* ---- the node */

enum err_code
promql_eval_aggregate(struct eval *e, const struct promql_node *n, struct vec *out)
{
	struct grouping g = {.e = e, .n = n, .labels = {.arena = e->arena}, .out = out};
	enum err_code code = promql_eval(e, n->args[0], &g.in);
	if (code == ERR_OK && n->arg_count > 1 && n->args[1]->type == PROMQL_SCALAR)
		code = promql_eval_scalar(e, n->args[1], &g.param);
	if (code == ERR_OK)
		code = form_groups(&g);
	if (code != ERR_OK)
		return code;
	g.values = arena_array(e->arena, g.in.count + 1, sizeof(*g.values));
	if (!g.values)
		return promql_spent(e);
	if (n->aggregator == AGG_TOPK || n->aggregator == AGG_BOTTOMK)
		return eval_ranks(&g);
	if (n->aggregator == AGG_COUNT_VALUES)
		return eval_count_values(&g);
	code = eval_values(&g);
	return code == ERR_OK ? promql_vec_settle(e, out, false, n->at) : code;
}
