/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `compare`: two runs beside each other. A step of one is the other's that has the same name, type and way from the run
 * down, and is as much the n-th of them: so a node that ran three times in one run and twice in the other has one
 * step more there. What differs of states is a patch from one to the other.
 */
#include "ops/workflow.h"

#include "base/hash.h"
#include "base/map.h"
#include "ops/op_params.h"

#include <stdlib.h>

enum { DIFF_BYTES_MAX = 8 << 20 };
/* Of all comparisons of states: some seconds. */
#define COMPARE_STEPS_MAX (UINT64_C(1) << 29)

const struct op_param ops_workflow_compare_params[] = {
    {.name = "a",
        .type = OP_TRACE_ID,
        .required = true,
        .help = "the trace of the one run (of more than one workflow in it the first)"},
    {.name = "b", .type = OP_TRACE_ID, .required = true, .help = "the trace of the other"},
    PARAM("span_a", OP_SPAN_ID, "the run of this span"),
    PARAM("span_b", OP_SPAN_ID, "the run of this span"),
    {.name = "states",
        .type = OP_BOOL,
        .help = "what differs of the states after each step (states=false: without)",
        .fallback = "true"},
    PARAM_END,
};

struct comparison {
	const struct op_context *ctx;
	struct ops_run *a, *b;
	struct json_writer w;
	bool states;
	size_t diff_bytes, diffs_left_out;
	uint64_t steps; /* see patch_doc_steps() */
	uint64_t pairs, looked_steps; /* `steps` when it was last asked whether it is late */
	enum err_code late; /* nothing more is compared */
	struct err *err;
};

/* Which step it is whatever the run: its way down by names and types, without ids. */
static uint64_t
path_hash(const struct ops_run *run, const uint64_t *above, const struct workflow_step *s)
{
	uint64_t seed = s->parent == WORKFLOW_NONE ? 0 : above[s->parent];
	seed = hash_keyed_str(str_from(ops_run_type(&s->junjo, &s->llm)), seed);
	return hash_keyed_str(table_str(&run->r.rows, s->row, SPAN_NAME), seed);
}

struct deep {
	unsigned depth;
	size_t step;
};

static int
by_depth(const void *a, const void *b)
{
	const struct deep *x = a, *y = b;
	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return (x->step > y->step) - (x->step < y->step);
}

/* A hash for each step, with the number of those before it that are alike; NULL: the arena is spent. */
static uint64_t *
name_steps(const struct ops_run *run, struct arena *arena)
{
	size_t n = run->w.step_count;
	struct map seen = {0};
	uint64_t *hashes = arena_array(arena, n + 1, sizeof(*hashes));
	struct deep *order = arena_array(arena, n + 1, sizeof(*order));
	if (!hashes || !order)
		return NULL;
	for (size_t i = 0; i < n; i++)
		order[i] = (struct deep){run->w.steps[i].depth, i};
	if (n > 1)
		qsort(order, n, sizeof(*order), by_depth);
	for (size_t i = 0; i < n; i++)
		hashes[order[i].step] = path_hash(run, hashes, &run->w.steps[order[i].step]);
	for (size_t i = 0; i < n; i++) {
		const uint64_t *count = map_get(&seen, hashes[i]);
		uint64_t nth = count ? *count : 0;
		bool put = map_put(&seen, hashes[i], nth + 1);
		CHECK(put);
		order[i].step = (size_t)nth;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t nth = order[i].step;
		hashes[i] = hash_keyed_str(str_of((const char *)&nth, sizeof(nth)), hashes[i]);
	}
	map_fini(&seen);
	return hashes;
}

static void
put_delta(struct json_writer *w, const char *key, double a, double b)
{
	jsonw_key(w, key);
	jsonw_f64(w, b - a);
}

static double
duration_ms(const struct ops_run *run, size_t row)
{
	return (double)table_i64(&run->r.rows, row, SPAN_DURATION_NS) / 1e6;
}

/* *same_out: there is nothing to say. */
static void
put_diff(struct comparison *c, const char *key, const struct patch_doc *a,
    const struct patch_doc *b, bool *same_out)
{
	struct json_writer *w = &c->w;
	struct err ignored;
	struct buf diff = {.bytes_max = DIFF_BYTES_MAX};
	jsonw_key(w, key);
	*same_out = !a && !b;
	if (!a || !b || c->steps > COMPARE_STEPS_MAX) {
		jsonw_null(w);
		return;
	}
	uint64_t before = patch_doc_steps(a);
	*same_out = patch_doc_equal(a, b);
	if (c->states && c->diff_bytes <= DIFF_BYTES_MAX &&
	    patch_diff(a, b, &diff, &ignored) == ERR_OK) {
		jsonw_raw(w, buf_view(&diff));
		c->diff_bytes += diff.len;
	} else {
		jsonw_null(w);
		c->diffs_left_out += c->states;
	}
	c->steps += patch_doc_steps(a) - before;
	buf_fini(&diff);
}

static void
put_side(struct json_writer *w, const char *key, const struct ops_run *run, int step)
{
	jsonw_key(w, key);
	if (step == WORKFLOW_NONE) {
		jsonw_null(w);
		return;
	}
	const struct workflow_step *s = &run->w.steps[step];
	jsonw_object(w);
	ops_write_u64(w, "step", (uint64_t)step + 1);
	ops_write_span_id(w, "span_id", table_u64(&run->r.rows, s->row, SPAN_SPAN_ID));
	ops_write_text(w, "outcome", str_from(ops_run_outcome(&run->r.rows, s->row, &s->junjo)));
	jsonw_key(w, "duration_ms");
	jsonw_f64(w, duration_ms(run, s->row));
	ops_write_u64(w, "patch_count", s->patch_count);
	ops_write_u64(w, "llm_calls", s->call_count);
	jsonw_object_end(w);
}

/* Every so many pairs, or steps of comparing: some milliseconds. */
static bool
is_late(struct comparison *c)
{
	enum { LOOK_PAIRS = 64, LOOK_STEPS = 1 << 18 };
	if (!c->late &&
	    (c->pairs++ % LOOK_PAIRS == 0 || c->steps - c->looked_steps >= LOOK_STEPS)) {
		c->looked_steps = c->steps;
		c->late = ops_run_look(c->ctx, c->err);
	}
	return c->late != ERR_OK;
}

static void
put_pair(struct comparison *c, int a, int b)
{
	struct json_writer *w = &c->w;
	const struct workflow_step *x = a == WORKFLOW_NONE ? NULL : &c->a->w.steps[a];
	const struct workflow_step *y = b == WORKFLOW_NONE ? NULL : &c->b->w.steps[b];
	const struct workflow_step *s = x ? x : y;
	const struct ops_run *of = x ? c->a : c->b;
	bool same = true;
	CHECK(s != NULL);
	if (is_late(c))
		return;
	jsonw_object(w);
	ops_write_text(w, "name", table_str(&of->r.rows, s->row, SPAN_NAME));
	ops_write_text(w, "type", str_from(ops_run_type(&s->junjo, &s->llm)));
	ops_write_u64(w, "depth", s->depth);
	put_side(w, "a", c->a, a);
	put_side(w, "b", c->b, b);
	if (x && y) {
		put_delta(w, "duration_delta_ms", duration_ms(c->a, x->row),
		    duration_ms(c->b, y->row));
		put_diff(c, "state_difference", x->after, y->after, &same);
		same = same &&
		    strcmp(ops_run_outcome(&c->a->r.rows, x->row, &x->junjo),
		        ops_run_outcome(&c->b->r.rows, y->row, &y->junjo)) == 0;
	} else {
		jsonw_key(w, "duration_delta_ms");
		jsonw_null(w);
		jsonw_key(w, "state_difference");
		jsonw_null(w);
	}
	ops_write_text(w, "difference",
	    !x         ? STR("only_b")
	        : !y   ? STR("only_a")
	        : same ? STR("same")
	               : STR("changed"));
	jsonw_object_end(w);
}

/* In the order of a; what only b has comes after the step that it follows there. */
static bool
put_pairs(struct comparison *c)
{
	uint64_t *of_a = name_steps(c->a, c->ctx->arena), *of_b = name_steps(c->b, c->ctx->arena);
	struct map places = {0};
	size_t na = c->a->w.step_count, nb = c->b->w.step_count, next = 0;
	bool *in_a = arena_array(c->ctx->arena, nb + 1, sizeof(*in_a));
	if (!of_a || !of_b || !in_a)
		return false;
	for (size_t i = 0; i < na; i++) {
		bool put = map_put(&places, of_a[i], i);
		CHECK(put);
	}
	for (size_t i = 0; i < nb; i++)
		in_a[i] = map_get(&places, of_b[i]) != NULL;
	map_clear(&places);
	for (size_t i = 0; i < nb; i++) {
		bool put = map_put(&places, of_b[i], i);
		CHECK(put);
	}
	for (; next < nb && !in_a[next]; next++)
		put_pair(c, WORKFLOW_NONE, (int)next);
	for (size_t i = 0; i < na; i++) {
		const uint64_t *b = map_get(&places, of_a[i]);
		put_pair(c, (int)i, b ? (int)*b : WORKFLOW_NONE);
		if (!b)
			continue;
		/* Those behind it that nobody in a stands before. */
		for (next = (size_t)*b + 1; next < nb && !in_a[next]; next++)
			put_pair(c, WORKFLOW_NONE, (int)next);
	}
	map_fini(&places);
	return true;
}

static const struct patch_doc *
end_state(const struct ops_run *run)
{
	const struct workflow *w = &run->w;
	return w->store_count > 0 && w->stores[0].owner == w->root ? w->stores[0].result.state
	                                                           : NULL;
}

static void
put_run(struct comparison *c, const char *key, const struct ops_run *run)
{
	struct json_writer *w = &c->w;
	const struct workflow *r = &run->w;
	jsonw_key(w, key);
	jsonw_object(w);
	ops_run_write_head(w, &run->r.rows, r->root, &r->junjo, &r->llm);
	ops_write_u64(w, "step_count", r->step_count);
	ops_write_u64(w, "patch_count", r->patch_count);
	ops_write_llm_sums(w, "llm", c->ctx, &run->r.rows, r->llm_of, r->calls, r->call_count);
	ops_write_verdict(w, r);
	jsonw_key(w, "truncated");
	jsonw_bool(w, run->cut);
	jsonw_object_end(w);
}

static enum err_code
put_comparison(struct comparison *c, struct err *err)
{
	struct json_writer *w = &c->w;
	bool same;
	jsonw_object(w);
	put_run(c, "a", c->a);
	put_run(c, "b", c->b);
	put_delta(w, "duration_delta_ms", duration_ms(c->a, c->a->w.root),
	    duration_ms(c->b, c->b->w.root));
	put_diff(c, "end_state_difference", end_state(c->a), end_state(c->b), &same);
	jsonw_key(w, "end_state_same");
	if (end_state(c->a) || end_state(c->b))
		jsonw_bool(w, same);
	else
		jsonw_null(w);
	jsonw_key(w, "steps");
	jsonw_array(w);
	bool fits = put_pairs(c);
	jsonw_array_end(w);
	ops_write_u64(w, "differences_left_out", c->diffs_left_out);
	jsonw_object_end(w);
	if (c->late)
		return c->late;
	if (c->steps > COMPARE_STEPS_MAX)
		return err_set(err, ERR_TOO_LARGE,
		    "the states of these runs are too large to be compared step by step: compare runs of "
		    "their subflows (span_a, span_b)");
	return fits ? ERR_OK
	            : err_set(err, ERR_TOO_LARGE, "the runs do not fit the memory of one query");
}

enum err_code
ops_workflow_compare(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err)
{
	struct ops_run a = {0}, b = {0};
	struct ops_parsed trace_a, trace_b, span_a = {0}, span_b = {0}, states;
	bool given = ops_find_value(op, values, value_count, "a", &trace_a) &&
	    ops_find_value(op, values, value_count, "b", &trace_b);
	CHECK(given);
	(void)ops_find_value(op, values, value_count, "span_a", &span_a);
	(void)ops_find_value(op, values, value_count, "span_b", &span_b);
	struct comparison c = {.ctx = ctx, .a = &a, .b = &b, .states = true, .err = err};
	if (ops_find_value(op, values, value_count, "states", &states))
		c.states = states.i64 != 0;
	enum err_code code = ops_run_read(ctx, trace_a.hi, trace_a.lo, span_a.lo, &a, err);
	if (!code)
		code = ops_run_read(ctx, trace_b.hi, trace_b.lo, span_b.lo, &b, err);
	json_writer_init(&c.w, json_out);
	if (!code)
		code = put_comparison(&c, err);
	ops_run_end(&a);
	ops_run_end(&b);
	return code;
}
