/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions over ranges. Of each series the windows of all steps are looked at while its samples are there; a subquery is a
 * query of its own whose values are the samples.
 *
 * Delta points (each is what was added since its start) are added up before a function that wants a counter sees them: to the
 * samples  (start, sum before) (end, sum behind)  of each, the first only where nothing else says how the sum stood then, so
 * where there is a gap before it. Other functions see the points as they are: sum_over_time() is the total.
 */
#include "promql/eval.h"

#include <inttypes.h>

enum { SCRATCH_KEEP_BYTES = 1 << 20 };

/* ---- samples of a series as a function wants them */

static bool
any_stale(const struct promql_samples *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (promql_is_stale(s->value[i]))
			return true;
	return false;
}

struct columns {
	int64_t *t_ms, *start_ms;
	double *value;
	const struct promql_hist **hist;
	size_t count;
};

static bool
new_columns(struct arena *scratch, const struct promql_samples *s, size_t n, struct columns *c)
{
	*c = (struct columns){.t_ms = arena_array(scratch, n, sizeof(int64_t)),
	    .value = arena_array(scratch, n, sizeof(double))};
	if (s->start_ms)
		c->start_ms = arena_array(scratch, n, sizeof(int64_t));
	if (s->hist)
		c->hist = arena_array(scratch, n, sizeof(*c->hist));
	return c->t_ms && c->value && (c->start_ms || !s->start_ms) && (c->hist || !s->hist);
}

static void
put_column(struct columns *c, int64_t t_ms, double value, const struct promql_hist *h,
    int64_t start)
{
	c->t_ms[c->count] = t_ms;
	c->value[c->count] = value;
	if (c->hist)
		c->hist[c->count] = h;
	if (c->start_ms)
		c->start_ms[c->count] = start;
	c->count++;
}

static struct promql_samples
samples_of(const struct columns *c)
{
	return (struct promql_samples){.count = c->count,
	    .t_ms = c->t_ms,
	    .value = c->value,
	    .hist = c->hist,
	    .start_ms = c->start_ms};
}

static bool
without_stale(struct arena *scratch, const struct promql_samples *s, struct promql_samples *out)
{
	struct columns c;
	if (!new_columns(scratch, s, s->count + 1, &c))
		return false;
	for (size_t i = 0; i < s->count; i++)
		if (!promql_is_stale(s->value[i]))
			put_column(&c, s->t_ms[i], s->value[i], s->hist ? s->hist[i] : NULL,
			    s->start_ms ? s->start_ms[i] : 0);
	*out = samples_of(&c);
	out->delta = s->delta;
	return true;
}

/* An histogram of nothing, of the same buckets. */
static const struct promql_hist *
nothing_of(struct arena *scratch, const struct promql_hist *h)
{
	return promql_hist_scale(scratch, h, 0);
}

static bool
add_up(struct arena *scratch, const struct promql_samples *s, struct promql_samples *out)
{
	struct columns c;
	double sum = 0;
	const struct promql_hist *total = NULL;
	struct promql_samples counter = *s;
	counter.start_ms = NULL;
	if (!new_columns(scratch, &counter, 2 * s->count + 1, &c))
		return false;
	for (size_t i = 0; i < s->count; i++) {
		const struct promql_hist *h = s->hist ? s->hist[i] : NULL;
		int64_t start = s->start_ms ? s->start_ms[i] : 0;
		bool gap = start > 0 && start < s->t_ms[i] &&
		    (c.count == 0 || start > c.t_ms[c.count - 1]);
		if (h && !total && !(total = nothing_of(scratch, h)))
			return false;
		if (gap)
			put_column(&c, start, sum, h ? total : NULL, 0);
		if (h && !(total = promql_hist_add(scratch, total, h, 1)))
			return false;
		sum += h ? 0 : s->value[i];
		put_column(&c, s->t_ms[i], sum, h ? total : NULL, 0);
	}
	*out = samples_of(&c);
	return true;
}

static bool
prepare(struct arena *scratch, const struct promql_samples *s, bool counter,
    struct promql_samples *out)
{
	*out = *s;
	if (any_stale(s) && !without_stale(scratch, s, out))
		return false;
	struct promql_samples before = *out;
	return !counter || !before.delta || add_up(scratch, &before, out);
}

/* ---- a function */

struct calling {
	struct eval *e;
	const struct promql_node *call, *matrix;
	const double *args[2]; /* its scalar arguments, a value a step */
	struct arena scratch;
	struct vec *out;
	uint64_t series;
};

static enum err_code
call_at_steps(struct calling *c, const struct promql_samples *s, struct promql_series *out)
{
	struct eval *e = c->e;
	struct window w = {.s = s, .range_ms = c->matrix->range_ms, .arena = e->arena};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < e->steps && code == ERR_OK; i++) {
		w.now_ms = promql_step_time(e, i);
		w.to_ms = promql_node_time(e, c->matrix, i);
		w.from_ms = w.to_ms - w.range_ms;
		while (w.end < s->count && s->t_ms[w.end] <= w.to_ms)
			w.end++;
		while (w.first < w.end && s->t_ms[w.first] <= w.from_ms)
			w.first++;
		for (size_t k = 0; k < ARRAY_LEN(c->args); k++)
			w.arg[k] = c->args[k] ? c->args[k][i] : 0;
		if (w.first < w.end)
			code = promql_put(e, out, i, c->call->fn->range(&w));
		if (code == ERR_OK)
			code = promql_check_stop(e);
	}
	return code;
}

static enum err_code
take_for_call(void *ctx, const struct promql_labels *labels, const struct promql_samples *s,
    struct err *err)
{
	struct calling *c = ctx;
	struct eval *e = c->e;
	struct promql_samples ready;
	(void)err;
	arena_reset(&c->scratch);
	struct arena_mark mark = arena_mark(e->arena);
	struct promql_series out = {
	    .labels = *labels, .count = e->steps, .value = promql_new_values(e)};
	if (!out.value || !prepare(&c->scratch, s, c->call->fn->counter, &ready))
		return promql_spent(e);
	enum err_code code = call_at_steps(c, &ready, &out);
	bool any = false;
	for (size_t i = 0; i < e->steps && !any; i++)
		any = promql_has(&out, i);
	if (code != ERR_OK)
		return code;
	if (any)
		return promql_vec_add(e, c->out, &out);
	arena_rewind(e->arena, mark);
	return ERR_OK;
}

enum err_code
promql_eval_range_call(struct eval *e, const struct promql_node *call, struct vec *out)
{
	struct calling c = {.e = e, .call = call, .out = out};
	enum err_code code = ERR_OK;
	size_t scalars = 0;
	out->type = PROMQL_VECTOR;
	for (size_t i = 0; i < call->arg_count && code == ERR_OK; i++) {
		if (call->args[i]->type == PROMQL_MATRIX)
			c.matrix = call->args[i];
		else
			code = promql_eval_scalar(e, call->args[i], &c.args[scalars++]);
	}
	if (code != ERR_OK)
		return code;
	CHECK(c.matrix);
	arena_init(&c.scratch, e->arena->bytes_max, SCRATCH_KEEP_BYTES);
	code = promql_each_of_range(e, c.matrix, take_for_call, &c);
	arena_fini(&c.scratch);
	if (code == ERR_OK && !call->fn->keeps_name)
		code = promql_vec_drop_names(e, out);
	return code == ERR_OK ? promql_vec_settle(e, out, true, call->at) : code;
}

/* ---- where the samples come from */

struct counting {
	struct eval *e;
	const struct promql_node *node;
	promql_take_fn take;
	void *ctx;
	uint64_t series;
};

static enum err_code
take_counted(void *ctx, const struct promql_labels *labels, const struct promql_samples *s,
    struct err *err)
{
	struct counting *c = ctx;
	struct eval *e = c->e;
	e->samples += s->count;
	e->series++;
	if (++c->series > e->params->series_max)
		return promql_fail_run(err, e->q->text, c->node->at,
		    "the selector matches more than %" PRIu64
		    " series (--max-query-series): add matchers",
		    e->params->series_max);
	if (e->samples > e->params->samples_max)
		return promql_fail_run(err, e->q->text, c->node->at,
		    "the query reads more than %" PRIu64
		    " samples (--max-query-samples): add matchers, or ask for a shorter time",
		    e->params->samples_max);
	enum err_code code = promql_check_stop(e);
	return code == ERR_OK ? c->take(c->ctx, labels, s, err) : code;
}

static enum err_code
each_of_selector(struct eval *e, const struct promql_node *n, promql_take_fn take, void *ctx)
{
	struct counting c = {.e = e, .node = n, .take = take, .ctx = ctx};
	struct promql_select s = {
	    .matchers = n->matchers,
	    .matcher_count = n->matcher_count,
	    .from_ms = promql_node_time(e, n, 0) - n->range_ms,
	    .to_ms = promql_node_time(e, n, e->steps - 1),
	    .at = n->at,
	    .series_max = e->params->series_max,
	    .samples_max = e->params->samples_max - e->samples,
	};
	return e->source->select(e->source->ctx, &s, take_counted, &c, e->err);
}

/* Times of a subquery are multiples of its step, whatever the query's own are. */
static enum err_code
begin_subquery(struct eval *e, const struct promql_node *n, struct eval *inner)
{
	int64_t step = n->step_ms > 0 ? n->step_ms : e->params->subquery_step_ms;
	int64_t from = promql_node_time(e, n, 0) - n->range_ms;
	int64_t to = promql_node_time(e, n, e->steps - 1);
	step = step > 0 ? step : 60000;
	*inner = *e;
	inner->step_ms = step;
	inner->start_ms = from / step * step;
	while (inner->start_ms <= from)
		inner->start_ms += step;
	inner->steps = 0;
	if (to < inner->start_ms)
		return ERR_OK;
	uint64_t steps = (uint64_t)(to - inner->start_ms) / (uint64_t)step + 1;
	if (steps > PROMQL_SUBQUERY_STEPS_MAX)
		return promql_fail_run(e->err, e->q->text, n->at,
		    "a subquery of %" PRIu64 " steps is more than %d: make its step longer", steps,
		    PROMQL_SUBQUERY_STEPS_MAX);
	inner->steps = (size_t)steps;
	return ERR_OK;
}

static enum err_code
give_series(struct eval *e, const struct eval *inner, const struct promql_series *from,
    struct counting *c)
{
	struct promql_samples s = {.hist = NULL};
	int64_t *t_ms = arena_array(e->arena, inner->steps, sizeof(*t_ms));
	double *value = arena_array(e->arena, inner->steps, sizeof(*value));
	const struct promql_hist **hist =
	    from->hist ? arena_array(e->arena, inner->steps, sizeof(*hist)) : NULL;
	if (!t_ms || !value || (from->hist && !hist))
		return promql_spent(e);
	for (size_t i = 0; i < inner->steps; i++) {
		if (!promql_has(from, i))
			continue;
		t_ms[s.count] = promql_step_time(inner, i);
		if (hist)
			hist[s.count] = from->hist[i];
		value[s.count++] = from->value[i];
	}
	s.t_ms = t_ms;
	s.value = value;
	s.hist = hist;
	return s.count > 0 ? take_counted(c, &from->labels, &s, e->err) : ERR_OK;
}

static enum err_code
each_of_subquery(struct eval *e, const struct promql_node *n, promql_take_fn take, void *ctx)
{
	struct counting c = {.e = e, .node = n, .take = take, .ctx = ctx};
	struct eval inner;
	struct vec v;
	enum err_code code = begin_subquery(e, n, &inner);
	if (code != ERR_OK || inner.steps == 0)
		return code;
	code = promql_eval(&inner, n->args[0], &v);
	e->samples = inner.samples;
	e->series = inner.series;
	for (size_t i = 0; i < v.count && code == ERR_OK; i++)
		code = give_series(e, &inner, &v.items[i], &c);
	return code;
}

enum err_code
promql_each_of_range(struct eval *e, const struct promql_node *matrix, promql_take_fn take,
    void *ctx)
{
	CHECK(matrix->type == PROMQL_MATRIX);
	if (matrix->kind == NODE_SUBQUERY)
		return each_of_subquery(e, matrix, take, ctx);
	return each_of_selector(e, matrix, take, ctx);
}
