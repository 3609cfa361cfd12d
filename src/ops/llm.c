/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `llm`: what calls of models took and cost in a window, by model, provider, agent ...
 *
 * Tokens and costs are sums of what spans say; a call that says nothing of tokens, and one whose price nobody knows, are
 * counted as such, so that a sum is never mistaken for all of it. Groups are at most LLM_GROUPS_MAX: calls beyond them are
 * in the totals only, and the answer is partial.
 */
#include "ops/llm.h"

#include "ops/op_params.h"

#include "agent/prices.h"
#include "base/hash.h"
#include "base/hist.h"
#include "base/map.h"

#include <stdlib.h>

enum { LLM_GROUPS_MAX = 5000, P50 = 500, P95 = 950 };

#define BY_CHOICES "model|provider|agent|service|conversation|operation"
enum by { BY_MODEL, BY_PROVIDER, BY_AGENT, BY_SERVICE, BY_CONVERSATION, BY_OPERATION };

#define PARAMS_CALL                                                                                \
	PARAM("model", OP_TEXT, "this model was asked for, or answered"),                          \
	    PARAM("provider", OP_TEXT, "of this provider, in either case"),                        \
	    PARAM("agent", OP_TEXT, "made by this agent, which it or a span above it names"),      \
	    PARAM("conversation", OP_TEXT, "of this conversation")

const struct op_param ops_llm_params[] = {
    {.name = "by",
        .type = OP_ENUM,
        .choices = BY_CHOICES,
        .help = "what makes a group",
        .fallback = "model"},
    PARAM_SERVICE,
    PARAMS_CALL,
    PARAM_FROM,
    PARAM_TO,
    {.name = "last",
        .type = OP_SPAN,
        .help = "how long the window is, up to now (90s, 15m, 1.5h, 7d)",
        .fallback = "1h"},
    PARAM_LIMIT,
    PARAM_END,
};

const struct op_param ops_llm_calls_params[] = {
    PARAM_SERVICE,
    PARAMS_CALL,
    PARAM_ENUM("status", "ok|error|unset", "has this status"),
    PARAM("trace_id", OP_TRACE_ID, "of this trace"),
    PARAM("messages", OP_BOOL, "also what was said"),
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT,
    PARAM_CURSOR,
    PARAM_END,
};

struct sums {
	struct str name; /* owned; of a group without one empty */
	uint64_t calls, errors, without_tokens, unpriced;
	uint64_t input, output, total, cached, reasoning;
	double cost;
	struct hist durations, first_tokens;
	uint64_t first_ns, last_ns;
};

struct rolling {
	const struct op_context *ctx;
	enum by by;
	struct sums *groups;
	size_t count, cap;
	struct map index; /* hash of the name to group */
	struct sums all;
	bool too_many;
};

static void
add_count(uint64_t *sum, bool has, uint64_t n)
{
	if (has)
		*sum = n > UINT64_MAX - *sum ? UINT64_MAX : *sum + n;
}

static void
add_call(const struct op_context *ctx, struct sums *s, const struct store_result *r, size_t row,
    const struct llm_call *c)
{
	uint64_t start_ns = table_u64(&r->rows, row, SPAN_START_NS), first_ns;
	int64_t duration_ns = table_i64(&r->rows, row, SPAN_DURATION_NS);
	double cost;
	s->calls++;
	s->errors += ops_llm_failed(r, row, c);
	s->without_tokens += !c->has_input_tokens && !c->has_output_tokens && !c->has_total_tokens;
	add_count(&s->input, c->has_input_tokens, c->input_tokens);
	add_count(&s->output, c->has_output_tokens, c->output_tokens);
	add_count(&s->total, c->has_total_tokens, c->total_tokens);
	add_count(&s->cached, c->has_cached_tokens, c->cached_tokens);
	add_count(&s->reasoning, c->has_reasoning_tokens, c->reasoning_tokens);
	if (prices_cost(ctx->prices, c, &cost))
		s->cost += cost;
	else
		s->unpriced++;
	if (duration_ns >= 0)
		hist_add(&s->durations, (uint64_t)duration_ns);
	if (ops_llm_first_token(r, row, c, &first_ns))
		hist_add(&s->first_tokens, first_ns);
	if (s->calls == 1 || start_ns < s->first_ns)
		s->first_ns = start_ns;
	if (start_ns > s->last_ns)
		s->last_ns = start_ns;
}

static struct str
name_of(const struct rolling *s, const struct store_result *r, size_t row, const struct llm_call *c)
{
	switch (s->by) {
	case BY_MODEL: return llm_model(c);
	case BY_PROVIDER: return c->provider;
	case BY_AGENT: return c->agent;
	case BY_SERVICE: return table_str(&r->rows, row, SPAN_SERVICE);
	case BY_CONVERSATION: return c->conversation;
	case BY_OPERATION: return c->operation;
	}
	return STR_EMPTY;
}

/* NULL: there are too many. Names whose hashes are the same stand behind one another. */
static struct sums *
group_of(struct rolling *s, struct str name)
{
	uint64_t key = hash_keyed_str(name, 0), *at;
	for (; (at = map_get(&s->index, key)) != NULL; key++)
		if (str_eq(s->groups[*at].name, name))
			return &s->groups[*at];
	if (s->count == LLM_GROUPS_MAX)
		return NULL;
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->groups = xrealloc(s->groups, s->cap * sizeof(*s->groups));
	}
	char *copy = xcalloc(1, name.len + 1);
	if (name.len)
		memcpy(copy, name.ptr, name.len);
	CHECK(map_put(&s->index, key, s->count));
	s->groups[s->count] = (struct sums){.name = str_of(copy, name.len)};
	return &s->groups[s->count++];
}

static enum err_code
roll_call(void *ctx, const struct store_result *r, size_t row, const struct llm_call *call,
    bool *enough_out, struct err *err)
{
	struct rolling *s = ctx;
	struct sums *group = group_of(s, name_of(s, r, row, call));
	(void)enough_out;
	(void)err;
	s->too_many = s->too_many || !group;
	if (group)
		add_call(s->ctx, group, r, row, call);
	add_call(s->ctx, &s->all, r, row, call);
	return ERR_OK;
}

/* By cost, then by calls, then by name. */
static int
dearest_first(const void *a, const void *b)
{
	const struct sums *x = a, *y = b;
	if (x->cost != y->cost)
		return x->cost > y->cost ? -1 : 1;
	if (x->calls != y->calls)
		return x->calls > y->calls ? -1 : 1;
	return str_cmp(x->name, y->name);
}

/* ---- the answer */

static void
write_time_or_null(struct json_writer *w, const char *key, const char *nano_key, uint64_t ns,
    bool has)
{
	if (has) {
		ops_write_time(w, key, nano_key, ns);
		return;
	}
	jsonw_key(w, key);
	jsonw_null(w);
	jsonw_key(w, nano_key);
	jsonw_null(w);
}

static void
write_sums(struct json_writer *w, const struct sums *s)
{
	ops_write_u64(w, "calls", s->calls);
	ops_write_u64(w, "errors", s->errors);
	jsonw_key(w, "error_rate");
	jsonw_f64(w, ops_rate(s->errors, s->calls));
	ops_write_u64(w, "input_tokens", s->input);
	ops_write_u64(w, "output_tokens", s->output);
	ops_write_u64(w, "total_tokens", s->total);
	ops_write_u64(w, "cached_tokens", s->cached);
	ops_write_u64(w, "reasoning_tokens", s->reasoning);
	ops_write_u64(w, "calls_without_tokens", s->without_tokens);
	jsonw_key(w, "cost_usd");
	if (s->unpriced < s->calls)
		jsonw_f64(w, s->cost);
	else
		jsonw_null(w);
	ops_write_u64(w, "calls_without_price", s->unpriced);
	jsonw_key(w, "avg_ms");
	if (s->durations.count > 0)
		jsonw_f64(w, hist_mean(&s->durations) / 1e6);
	else
		jsonw_null(w);
	ops_write_quantile(w, "p50_ms", &s->durations, P50);
	ops_write_quantile(w, "p95_ms", &s->durations, P95);
	ops_write_quantile(w, "first_token_p50_ms", &s->first_tokens, P50);
	write_time_or_null(w, "first_time", "first_time_unix_nano", s->first_ns, s->calls > 0);
	write_time_or_null(w, "last_time", "last_time_unix_nano", s->last_ns, s->calls > 0);
}

static void
write_report(struct json_writer *w, const struct ops_window *win, const struct rolling *s,
    const struct ops_llm_walk *walk)
{
	static const char *const by[] = {
	    "model", "provider", "agent", "service", "conversation", "operation"};
	size_t max = win->q.row_max;
	jsonw_object(w);
	ops_window_write(w, win);
	ops_write_text(w, "by", str_from(by[s->by]));
	jsonw_key(w, "groups");
	jsonw_array(w);
	for (size_t i = 0; i < s->count && i < max; i++) {
		const struct sums *g = &s->groups[i];
		jsonw_object(w);
		jsonw_key(w, "name");
		if (g->name.len)
			jsonw_str(w, g->name);
		else
			jsonw_null(w);
		write_sums(w, g);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	ops_write_u64(w, "count", s->count < max ? s->count : max);
	jsonw_key(w, "truncated");
	jsonw_bool(w, s->count > max);
	jsonw_key(w, "totals");
	jsonw_object(w);
	write_sums(w, &s->all);
	jsonw_object_end(w);
	ops_write_u64(w, "spans_read", walk->spans_read);
	ops_llm_write_partial(w,
	    walk->partial     ? walk->partial
	        : s->too_many ? "there are too many groups: some calls are in the totals only"
	                      : NULL);
	jsonw_object_end(w);
}

static void
sums_fini(struct sums *s)
{
	hist_fini(&s->durations);
	hist_fini(&s->first_tokens);
	free((char *)s->name.ptr);
}

enum err_code
ops_llm(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct ops_window win;
	struct ops_llm_walk walk = {0};
	struct rolling s = {.ctx = ctx};
	struct ops_parsed by;
	struct json_writer w;
	enum err_code code = ops_build_window(ctx, op, values, value_count, &win, err);
	if (code)
		return code;
	if (ops_find_value(op, values, value_count, "by", &by))
		s.by = (enum by)by.i64;
	walk.q = win.q;
	walk.wants_agents = s.by == BY_AGENT;
	ops_llm_filter(op, values, value_count, &walk);
	code = ops_llm_walk(ctx, &walk, roll_call, &s, err);
	if (!code) {
		if (s.count > 0)
			qsort(s.groups, s.count, sizeof(*s.groups), dearest_first);
		json_writer_init(&w, json_out);
		write_report(&w, &win, &s, &walk);
	}
	for (size_t i = 0; i < s.count; i++)
		sums_fini(&s.groups[i]);
	sums_fini(&s.all);
	free(s.groups);
	map_fini(&s.index);
	return code;
}
