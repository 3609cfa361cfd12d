/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree is evaluated from its leaves, each node once, for all steps: a node's answer is series with a value a step.
 * Samples are looked at as the source gives them, one series after another, and what stays of them are those values; so
 * that memory is series times steps, not samples.
 */
#include "promql/eval.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { STOP_EVERY = 64 };

/* ---- numbers */

bool
promql_is_stale(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	return bits == PROMQL_STALE_BITS;
}

double
promql_stale(void)
{
	const uint64_t bits = PROMQL_STALE_BITS;
	double v;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

void
promql_kahan_add(struct kahan *k, double v)
{
	double t = k->sum + v;
	if (isinf(t))
		k->c = 0;
	else if (fabs(k->sum) >= fabs(v))
		k->c += (k->sum - t) + v;
	else
		k->c += (v - t) + k->sum;
	k->sum = t;
}

/* ---- vectors */

double *
promql_new_values(struct eval *e)
{
	double stale = promql_stale();
	double *values = arena_array(e->arena, e->steps, sizeof(*values));
	for (size_t i = 0; values && i < e->steps; i++)
		memcpy(&values[i], &stale, sizeof(stale));
	return values;
}

enum err_code
promql_vec_add(struct eval *e, struct vec *v, const struct promql_series *s)
{
	if (v->count >= e->params->series_max)
		return promql_fail_run(e->err, e->q->text, 0,
		    "more than %" PRIu64
		    " series (--max-query-series): narrow the selectors, or aggregate",
		    e->params->series_max);
	if (v->count == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 16;
		struct promql_series *more = arena_array(e->arena, cap, sizeof(*more));
		if (!more)
			return promql_spent(e);
		if (v->count > 0)
			memcpy(more, v->items, v->count * sizeof(*more));
		v->items = more;
		v->cap = cap;
	}
	v->items[v->count++] = *s;
	return ERR_OK;
}

enum err_code
promql_put(struct eval *e, struct promql_series *s, size_t step, struct point p)
{
	if (p.spent)
		return promql_spent(e);
	if (!p.set)
		return ERR_OK;
	if (p.h && !s->hist)
		s->hist = arena_array(e->arena, e->steps, sizeof(*s->hist));
	if (p.h && !s->hist)
		return promql_spent(e);
	s->value[step] = p.h ? 0 : p.v;
	if (s->hist)
		s->hist[step] = p.h;
	return ERR_OK;
}

static bool
is_empty(const struct promql_series *s, size_t steps)
{
	for (size_t i = 0; i < steps; i++)
		if (promql_has(s, i))
			return false;
	return true;
}

static enum err_code
same_labels(struct eval *e, size_t at)
{
	return promql_fail_run(e->err, e->q->text, at,
	    "two series would have the same labels: keep a label that tells them apart");
}

static enum err_code
merge(struct eval *e, struct promql_series *to, const struct promql_series *from, size_t at)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < e->steps && code == ERR_OK; i++) {
		if (!promql_has(from, i))
			continue;
		if (promql_has(to, i))
			return same_labels(e, at);
		code = promql_put(e, to, i,
		    (struct point){.set = true, .v = from->value[i], .h = promql_hist_at(from, i)});
	}
	return code;
}

enum err_code
promql_vec_settle(struct eval *e, struct vec *v, bool strict, size_t at)
{
	struct label_set seen = {.arena = e->arena};
	enum err_code code = ERR_OK;
	size_t count = 0;
	for (size_t i = 0; i < v->count && code == ERR_OK; i++) {
		struct promql_series *s = &v->items[i];
		bool added;
		if (is_empty(s, e->steps))
			continue;
		size_t place = promql_set_add(&seen, &s->labels, &added);
		if (place == SIZE_MAX)
			return promql_spent(e);
		if (added)
			v->items[count++] = *s;
		else
			code = strict ? same_labels(e, at) : merge(e, &v->items[place], s, at);
	}
	v->count = count;
	return code;
}

enum err_code
promql_vec_drop_names(struct eval *e, struct vec *v)
{
	for (size_t i = 0; i < v->count; i++)
		if (!promql_labels_drop_name(e->arena, &v->items[i].labels, &v->items[i].labels))
			return promql_spent(e);
	return ERR_OK;
}

enum err_code
promql_check_stop(struct eval *e)
{
	if (e->stop_in > 0) {
		e->stop_in--;
		return ERR_OK;
	}
	e->stop_in = STOP_EVERY;
	if (e->params->stop && e->params->stop(e->params->stop_ctx))
		return err_set(e->err, ERR_DEADLINE, "the query did not end in its time");
	return ERR_OK;
}

/* ---- leaves */

static enum err_code
constant(struct eval *e, double v, struct vec *out)
{
	struct promql_series s = {.value = promql_new_values(e), .count = e->steps};
	if (!s.value)
		return promql_spent(e);
	for (size_t i = 0; i < e->steps; i++)
		s.value[i] = v;
	out->type = PROMQL_SCALAR;
	return promql_vec_add(e, out, &s);
}

int64_t
promql_node_time(const struct eval *e, const struct promql_node *n, size_t step)
{
	int64_t t = promql_step_time(e, step);
	switch (n->at_kind) {
	case AT_NONE: break;
	case AT_TIME: t = n->at_ms; break;
	case AT_START: t = e->params->start_ms; break;
	case AT_END: t = e->params->end_ms; break;
	}
	return t - n->offset_ms;
}

struct selecting {
	struct eval *e;
	const struct promql_node *node;
	bool as_timestamps;
	struct vec *out;
	uint64_t series;
};

static enum err_code
count_samples(struct eval *e, const struct promql_node *n, uint64_t *series,
    const struct promql_samples *s)
{
	e->samples += s->count;
	e->series++;
	if (++*series > e->params->series_max)
		return promql_fail_run(e->err, e->q->text, n->at,
		    "the selector matches more than %" PRIu64
		    " series (--max-query-series): add matchers",
		    e->params->series_max);
	if (e->samples > e->params->samples_max)
		return promql_fail_run(e->err, e->q->text, n->at,
		    "the query reads more than %" PRIu64
		    " samples (--max-query-samples): add matchers, or ask for a shorter time",
		    e->params->samples_max);
	return promql_check_stop(e);
}

static enum err_code
copy_point(struct eval *e, const struct promql_samples *s, size_t i, struct point *out)
{
	const struct promql_hist *h = s->hist ? s->hist[i] : NULL;
	*out = (struct point){.set = true, .v = s->value[i]};
	if (!h)
		return ERR_OK;
	out->h = promql_hist_copy(e->arena, h);
	return out->h ? ERR_OK : promql_spent(e);
}

/* The newest sample in (t - lookback, t], at each step. */
static enum err_code
take_instants(void *ctx, const struct promql_labels *labels, const struct promql_samples *s,
    struct err *err)
{
	struct selecting *g = ctx;
	struct eval *e = g->e;
	struct promql_series out = {
	    .labels = *labels, .count = e->steps, .value = promql_new_values(e)};
	size_t next = 0;
	(void)err;
	enum err_code code = count_samples(e, g->node, &g->series, s);
	if (code == ERR_OK && !out.value)
		code = promql_spent(e);
	for (size_t i = 0; i < e->steps && code == ERR_OK; i++) {
		int64_t t = promql_node_time(e, g->node, i);
		struct point p;
		while (next < s->count && s->t_ms[next] <= t)
			next++;
		if (next == 0 || s->t_ms[next - 1] <= t - e->lookback_ms ||
		    promql_is_stale(s->value[next - 1]))
			continue;
		code = copy_point(e, s, next - 1, &p);
		if (g->as_timestamps)
			p = (struct point){.set = true, .v = (double)s->t_ms[next - 1] / 1000};
		if (code == ERR_OK)
			code = promql_put(e, &out, i, p);
	}
	return code == ERR_OK && !is_empty(&out, e->steps) ? promql_vec_add(e, g->out, &out) : code;
}

enum err_code
promql_eval_selector(struct eval *e, const struct promql_node *n, bool as_timestamps,
    struct vec *out)
{
	struct selecting g = {.e = e, .node = n, .as_timestamps = as_timestamps, .out = out};
	struct promql_select s = {
	    .matchers = n->matchers,
	    .matcher_count = n->matcher_count,
	    .from_ms = promql_node_time(e, n, 0) - e->lookback_ms,
	    .to_ms = promql_node_time(e, n, e->steps - 1),
	    .at = n->at,
	    .series_max = e->params->series_max,
	    .samples_max = e->params->samples_max - e->samples,
	};
	out->type = PROMQL_VECTOR;
	return e->source->select(e->source->ctx, &s, take_instants, &g, e->err);
}

/* ---- nodes */

static enum err_code
eval_number_call(struct eval *e, const struct promql_node *call, struct vec *out)
{
	struct vec in = {0};
	enum err_code code = promql_eval(e, call->args[0], &in);
	out->type = call->type;
	for (size_t i = 0; i < in.count && code == ERR_OK; i++) {
		struct promql_series *s = &in.items[i];
		for (size_t k = 0; k < e->steps; k++) {
			if (!promql_has(s, k))
				continue;
			s->value[k] =
			    promql_hist_at(s, k) ? promql_stale() : call->fn->number(s->value[k]);
		}
		s->hist = NULL;
		code = promql_vec_add(e, out, s);
	}
	if (code == ERR_OK)
		code = promql_vec_drop_names(e, out);
	return code == ERR_OK ? promql_vec_settle(e, out, false, call->at) : code;
}

static enum err_code
eval_call(struct eval *e, const struct promql_node *call, struct vec *out)
{
	if (call->fn->range)
		return promql_eval_range_call(e, call, out);
	if (call->fn->number)
		return eval_number_call(e, call, out);
	out->type = call->type;
	return call->fn->vector(e, call, out);
}

static enum err_code
eval_minus(struct eval *e, const struct promql_node *n, struct vec *out)
{
	enum err_code code = promql_eval(e, n->args[0], out);
	for (size_t i = 0; i < out->count && code == ERR_OK; i++) {
		struct promql_series *s = &out->items[i];
		for (size_t k = 0; k < e->steps && code == ERR_OK; k++) {
			const struct promql_hist *h = promql_hist_at(s, k);
			if (!promql_has(s, k))
				continue;
			if (!h)
				s->value[k] = -s->value[k];
			else if (!(s->hist[k] = promql_hist_scale(e->arena, h, -1)))
				code = promql_spent(e);
		}
	}
	if (code != ERR_OK || n->type == PROMQL_SCALAR)
		return code;
	code = promql_vec_drop_names(e, out);
	return code == ERR_OK ? promql_vec_settle(e, out, false, n->at) : code;
}

enum err_code
promql_eval(struct eval *e, const struct promql_node *n, struct vec *out)
{
	enum err_code code = promql_check_stop(e);
	*out = (struct vec){.type = n->type};
	if (code != ERR_OK)
		return code;
	switch (n->kind) {
	case NODE_NUMBER: return constant(e, n->number, out);
	case NODE_STRING: out->text = n->text; return ERR_OK;
	case NODE_SELECTOR: return promql_eval_selector(e, n, false, out);
	case NODE_SUBQUERY: break; /* a matrix: whoever takes one asks promql_each_of_range() */
	case NODE_CALL: return eval_call(e, n, out);
	case NODE_AGGREGATE: return promql_eval_aggregate(e, n, out);
	case NODE_BINARY: return promql_eval_binary(e, n, out);
	case NODE_UNARY: return eval_minus(e, n, out);
	}
	CHECK(!"a matrix is no vector");
	return ERR_INTERNAL;
}

enum err_code
promql_eval_scalar(struct eval *e, const struct promql_node *n, const double **values_out)
{
	struct vec v;
	enum err_code code = promql_eval(e, n, &v);
	if (code != ERR_OK)
		return code;
	CHECK(v.type == PROMQL_SCALAR && v.count == 1);
	*values_out = v.items[0].value;
	return ERR_OK;
}

/* ---- a query */

/* Samples as they are: the answer to an instant query of a range. */
struct raw {
	struct eval *e;
	const struct promql_node *node;
	struct vec *out;
	uint64_t series;
};

static enum err_code
take_raw(void *ctx, const struct promql_labels *labels, const struct promql_samples *s,
    struct err *err)
{
	struct raw *r = ctx;
	struct eval *e = r->e;
	struct promql_series out = {.labels = *labels};
	int64_t to = promql_node_time(e, r->node, 0), from = to - r->node->range_ms;
	int64_t *t_ms = arena_array(e->arena, s->count + 1, sizeof(*t_ms));
	(void)err;
	out.value = arena_array(e->arena, s->count + 1, sizeof(double));
	if (s->hist)
		out.hist = arena_array(e->arena, s->count + 1, sizeof(*out.hist));
	if (!t_ms || !out.value || (s->hist && !out.hist))
		return promql_spent(e);
	for (size_t i = 0; i < s->count; i++) {
		struct point p;
		if (promql_is_stale(s->value[i]) || s->t_ms[i] <= from || s->t_ms[i] > to)
			continue;
		enum err_code code = copy_point(e, s, i, &p);
		if (code != ERR_OK)
			return code;
		t_ms[out.count] = s->t_ms[i];
		if (out.hist)
			out.hist[out.count] = p.h;
		out.value[out.count++] = p.v;
	}
	out.t_ms = t_ms;
	return out.count > 0 ? promql_vec_add(e, r->out, &out) : ERR_OK;
}

static int
by_labels(const void *a, const void *b)
{
	const struct promql_series *x = a, *y = b;
	return promql_labels_compare(&x->labels, &y->labels);
}

/* Functions and aggregations that say in which order an instant's answer is. */
static bool
is_ordered(const struct promql_node *n)
{
	if (n->kind == NODE_AGGREGATE)
		return n->aggregator == AGG_TOPK || n->aggregator == AGG_BOTTOMK;
	return n->kind == NODE_CALL && str_starts(str_from(n->fn->name), STR("sort"));
}

static enum err_code
check_params(const struct promql_query *q, const struct promql_params *p, size_t *steps_out,
    struct err *err)
{
	*steps_out = 1;
	CHECK(p->end_ms >= p->start_ms);
	if (p->end_ms == p->start_ms)
		return ERR_OK;
	if (q->type != PROMQL_SCALAR && q->type != PROMQL_VECTOR)
		return err_set(err, ERR_INVALID,
		    "over a range of time a query is a scalar or an instant vector, this is %s",
		    promql_type_phrase(q->type));
	CHECK(p->step_ms > 0);
	uint64_t steps = (uint64_t)(p->end_ms - p->start_ms) / (uint64_t)p->step_ms + 1;
	if (steps > p->steps_max)
		return err_set(err, ERR_INVALID,
		    "%" PRIu64 " steps are more than %" PRIu64
		    " (--max-query-steps): make the step longer or the time shorter",
		    steps, p->steps_max);
	*steps_out = (size_t)steps;
	return ERR_OK;
}

static enum err_code
run_root(struct eval *e, struct vec *v)
{
	const struct promql_node *root = e->q->root;
	if (e->q->type != PROMQL_MATRIX)
		return promql_eval(e, root, v);
	struct raw r = {.e = e, .node = root, .out = v};
	return promql_each_of_range(e, root, take_raw, &r);
}

enum err_code
promql_run(const struct promql_query *q, const struct promql_params *p,
    const struct promql_source *source, struct arena *arena, struct promql_answer *out,
    struct err *err)
{
	struct eval e = {.q = q,
	    .params = p,
	    .source = source,
	    .arena = arena,
	    .err = err,
	    .start_ms = p->start_ms,
	    .step_ms = p->step_ms,
	    .lookback_ms = p->lookback_ms > 0 ? p->lookback_ms : 300000};
	struct vec v = {0};
	enum err_code code = check_params(q, p, &e.steps, err);
	if (code == ERR_OK)
		code = run_root(&e, &v);
	if (code != ERR_OK)
		return code;
	*out = (struct promql_answer){.type = q->type,
	    .steps = e.steps,
	    .start_ms = p->start_ms,
	    .step_ms = p->step_ms,
	    .text = v.text,
	    .samples_read = e.samples,
	    .series_read = e.series};
	if (q->type == PROMQL_SCALAR) {
		CHECK(v.count == 1);
		out->scalar = v.items[0].value;
		return ERR_OK;
	}
	out->series = v.items;
	out->series_count = v.count;
	if (v.count > 1 && (e.steps > 1 || !is_ordered(q->root)))
		qsort(v.items, v.count, sizeof(*v.items), by_labels);
	return ERR_OK;
}
