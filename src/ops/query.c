/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters to a store query. Each name has one small function that puts its parsed value into
 * the query; what depends on several of them (time, severity, cursor) is settled at the end.
 */
#include "ops/ops_priv.h"

#include "agent/llm.h"
#include "base/hash.h"
#include "base/timefmt.h"

#include <math.h>

/* OTLP severity numbers come in buckets of four: trace 1-4, debug 5-8 ... fatal 21-24. */
enum { SEVERITY_BUCKET = 4, SEVERITY_MAX = 24, SEVERITY_CHOICE_UNSPECIFIED = 6 };

struct building {
	struct store_query *q;
	struct arena *arena;
	bool has_from, has_to, has_last;
	uint64_t last_ns;
	bool has_severity, has_severity_min;
	int32_t severity, severity_min; /* index of the choice */
	struct str cursor;
};

typedef enum err_code apply_fn(struct building *b, const struct ops_parsed *v, struct err *err);

static enum err_code
apply_service(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->service = v->text;
	return ERR_OK;
}

static enum err_code
apply_operation(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->operation = v->text;
	return ERR_OK;
}

static enum err_code
apply_name(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->name = v->text;
	return ERR_OK;
}

static enum err_code
apply_body_contains(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->body_contains = v->text;
	return ERR_OK;
}

static enum err_code
apply_author(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->author = v->text;
	return ERR_OK;
}

/* Choices are ok|error|unset; OTLP's codes are unset 0, ok 1, error 2. */
static enum err_code
apply_status(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	static const int32_t codes[] = {1, 2, 0};
	b->q->has_status = true;
	b->q->status_code = codes[v->i64];
	return ERR_OK;
}

/* Choices stand in OTLP's order. */
static enum err_code
apply_kind(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->has_kind = true;
	b->q->span_kind = (int32_t)v->i64;
	return ERR_OK;
}

static enum err_code
apply_metric_type(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->point_type = (int32_t)v->i64 + POINT_GAUGE;
	return ERR_OK;
}

/* To the nearest nanosecond, so that 2.01 means 2,010,000 ns though its double is a little less. */
static enum err_code
to_duration_ns(double ms, int64_t *ns_out, struct err *err)
{
	double ns = ms * 1e6;
	if (!(fabs(ns) < 9.2e18))
		return err_set(err, ERR_INVALID, "out of range: %g", ms);
	*ns_out = llround(ns);
	return ERR_OK;
}

static enum err_code
apply_min_duration(struct building *b, const struct ops_parsed *v, struct err *err)
{
	b->q->has_duration_min = true;
	return to_duration_ns(v->f64, &b->q->duration_min_ns, err);
}

static enum err_code
apply_max_duration(struct building *b, const struct ops_parsed *v, struct err *err)
{
	b->q->has_duration_max = true;
	return to_duration_ns(v->f64, &b->q->duration_max_ns, err);
}

static enum err_code
apply_attribute(struct building *b, const struct ops_parsed *v, struct err *err)
{
	if (b->q->attr_count == STORE_ATTRS_MAX)
		return err_set(err, ERR_INVALID, "given more than %d times", STORE_ATTRS_MAX);
	b->q->attrs[b->q->attr_count++] = v->attr;
	return ERR_OK;
}

static enum err_code
apply_words(struct building *b, const struct ops_parsed *v, struct err *err)
{
	return ops_parse_words(v->text, b->arena, b->q->words, &b->q->word_count, err);
}

static enum err_code
apply_min_trace_duration(struct building *b, const struct ops_parsed *v, struct err *err)
{
	int64_t ns = 0;
	enum err_code code = to_duration_ns(v->f64, &ns, err);
	b->q->has_trace_duration_min = true;
	b->q->trace_duration_min_ns = (uint64_t)ns;
	return code;
}

static enum err_code
apply_max_trace_duration(struct building *b, const struct ops_parsed *v, struct err *err)
{
	int64_t ns = 0;
	enum err_code code = to_duration_ns(v->f64, &ns, err);
	b->q->has_trace_duration_max = true;
	b->q->trace_duration_max_ns = (uint64_t)ns;
	return code;
}

static enum err_code
apply_min_spans(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->trace_spans_min = (uint64_t)v->i64;
	return ERR_OK;
}

static enum err_code
apply_errors(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->has_trace_errors = true;
	b->q->trace_errors = v->i64 != 0;
	return ERR_OK;
}

static enum err_code
apply_histogram(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->bucket_count = (size_t)v->i64;
	return ERR_OK;
}

static enum err_code
apply_trace_id(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->has_trace_id = true;
	b->q->trace_hi = v->hi;
	b->q->trace_lo = v->lo;
	return ERR_OK;
}

static enum err_code
apply_span_id(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->span_id = v->lo;
	return ERR_OK;
}

static enum err_code
apply_roots(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->q->roots_only = v->i64 != 0;
	return ERR_OK;
}

static enum err_code
apply_severity(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->has_severity = true;
	b->severity = (int32_t)v->i64;
	return ERR_OK;
}

static enum err_code
apply_min_severity(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->has_severity_min = v->i64 != SEVERITY_CHOICE_UNSPECIFIED; /* that or worse: all */
	b->severity_min = (int32_t)v->i64;
	return ERR_OK;
}

static enum err_code
apply_from(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->has_from = true;
	b->q->from_ns = v->lo;
	return ERR_OK;
}

static enum err_code
apply_to(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->has_to = true;
	b->q->to_ns = v->lo;
	return ERR_OK;
}

static enum err_code
apply_last(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->has_last = true;
	b->last_ns = v->lo;
	return ERR_OK;
}

static enum err_code
apply_limit(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	CHECK(v->i64 >= 1); /* as ops_run() has seen */
	b->q->row_max = (size_t)v->i64;
	return ERR_OK;
}

static enum err_code
apply_cursor(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)err;
	b->cursor = v->text;
	return ERR_OK;
}

/* The handler's own: ops_find_value(). */
static enum err_code
apply_nothing(struct building *b, const struct ops_parsed *v, struct err *err)
{
	(void)b;
	(void)v;
	(void)err;
	return ERR_OK;
}

static const struct {
	const char *name;
	apply_fn *apply;
} appliers[] = {
    {"service", apply_service},
    {"operation", apply_operation},
    {"name", apply_name},
    {"event_name", apply_name},
    {"body_contains", apply_body_contains},
    {"text", apply_body_contains}, /* of a comment; where it is words: apply_words() */
    {"author", apply_author},
    {"status", apply_status},
    {"kind", apply_kind},
    {"metric_type", apply_metric_type},
    {"min_duration_ms", apply_min_duration},
    {"max_duration_ms", apply_max_duration},
    {"attribute", apply_attribute},
    {"min_trace_duration_ms", apply_min_trace_duration},
    {"max_trace_duration_ms", apply_max_trace_duration},
    {"min_spans", apply_min_spans},
    {"errors", apply_errors},
    {"histogram", apply_histogram},
    {"trace_id", apply_trace_id},
    {"trace", apply_trace_id},
    {"span_id", apply_span_id},
    {"roots", apply_roots},
    {"severity", apply_severity},
    {"min_severity", apply_min_severity},
    {"from", apply_from},
    {"to", apply_to},
    {"last", apply_last},
    {"limit", apply_limit},
    {"contains", apply_nothing},
    {"cursor", apply_cursor},
    {"baseline", apply_nothing},
    {"padding", apply_nothing},
    {"link_window", apply_nothing},
    {"offset", apply_nothing},
    {"type", apply_nothing},
    {"by", apply_nothing},
    {"model", apply_nothing},
    {"provider", apply_nothing},
    {"agent", apply_nothing},
    {"conversation", apply_nothing},
    {"messages", apply_nothing},
};

static apply_fn *
find_applier(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(appliers); i++)
		if (str_eq(str_from(appliers[i].name), name))
			return appliers[i].apply;
	return NULL;
}

static enum err_code
apply_value(struct building *b, const struct op *op, const struct op_value *value, struct err *err)
{
	const struct op_param *p = ops_find_param(op, value->name);
	CHECK(p != NULL); /* ops_run() has refused what is unknown */
	apply_fn *apply = p->type == OP_WORDS ? apply_words : find_applier(value->name);
	CHECK(apply != NULL);
	struct ops_parsed parsed;
	enum err_code code = ops_parse(p, value->value, &parsed, err);
	if (!code)
		code = apply(b, &parsed, err);
	return code ? err_wrap(err, "parameter %s", p->name) : ERR_OK;
}

static enum err_code
settle_time(struct building *b, uint64_t now_ns, struct err *err)
{
	if (b->has_last && (b->has_from || b->has_to))
		return err_set(err, ERR_INVALID, "parameter last: not together with from or to");
	if (b->has_last) {
		b->q->from_ns = now_ns > b->last_ns ? now_ns - b->last_ns : 0;
		b->q->until_ns = now_ns; /* of a histogram */
	}
	if (b->has_from && b->has_to && b->q->from_ns >= b->q->to_ns)
		return err_set(err, ERR_INVALID, "parameter to: must be later than from");
	return ERR_OK;
}

static void
settle_severity(struct building *b)
{
	struct store_query *q = b->q;
	bool unspecified = b->has_severity && b->severity == SEVERITY_CHOICE_UNSPECIFIED;
	if (unspecified && !b->has_severity_min) {
		q->severity_unspecified = true;
		return;
	}
	if (!b->has_severity && !b->has_severity_min)
		return;
	int32_t low = b->has_severity_min ? b->severity_min * SEVERITY_BUCKET + 1 : 1;
	int32_t high = SEVERITY_MAX;
	if (unspecified) {
		high = 0; /* contradicts min_severity: no row has both */
	} else if (b->has_severity) {
		int32_t first = b->severity * SEVERITY_BUCKET + 1;
		low = first > low ? first : low;
		high = first + SEVERITY_BUCKET - 1;
	}
	q->severity_min = low;
	q->severity_max = high > 0 ? high : low - 1; /* an empty range; 0 would mean any */
	if (q->severity_max == 0) {
		q->severity_min = SEVERITY_MAX;
		q->severity_max = 1;
	}
}

/* Independent of their order; `limit` and `histogram` may differ from page to page, and an `offset` is of the first. */
static uint64_t
hash_params(struct str tenant, const struct op_value *values, size_t count)
{
	uint64_t sum = hash_u64(tenant);
	for (size_t i = 0; i < count; i++) {
		if (str_eq(values[i].name, STR("cursor")) || str_eq(values[i].name, STR("limit")) ||
		    str_eq(values[i].name, STR("histogram")) ||
		    str_eq(values[i].name, STR("offset")))
			continue;
		sum += hash_u64_seed(values[i].value, hash_u64(values[i].name));
	}
	return sum;
}

/* The row's, which help and documents show, as far as the server gives so many. */
static size_t
limit_without_one(const struct op *op, size_t results_max)
{
	const struct op_param *p = ops_find_param(op, STR("limit"));
	uint64_t n = results_max;
	CHECK(!p || !p->fallback || str_to_u64(str_from(p->fallback), &n));
	return n < results_max ? (size_t)n : results_max;
}

enum err_code
ops_build_query(const struct op_context *ctx, const struct op *op, enum store_query_kind kind,
    const struct op_value *values, size_t value_count, struct store_query *q,
    struct ops_cursor_base *base_out, struct err *err)
{
	*q = (struct store_query){.kind = kind,
	    .tenant = ctx->tenant,
	    .to_ns = UINT64_MAX,
	    .deadline_mono_ns = ctx->deadline_mono_ns};
	q->row_max = limit_without_one(op, ctx->limits->results_max);
	struct building b = {.q = q, .arena = ctx->arena};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < value_count && !code; i++)
		code = apply_value(&b, op, &values[i], err);
	if (!code)
		code = settle_time(&b, ctx->now_unix_ns, err);
	if (code)
		return code;
	settle_severity(&b);
	*base_out = (struct ops_cursor_base){.kind = kind,
	    .from_ns = q->from_ns,
	    .params_hash =
	        hash_params(ctx->tenant, values, value_count) + hash_u64(str_from(op->name))};
	if (b.cursor.len > 0) {
		code = ops_cursor_read(b.cursor, base_out, &q->after, err);
		q->from_ns = base_out->from_ns;
	}
	return code;
}

void
ops_ask_for_llm(struct store_query *q)
{
	CHECK(q->attr_count + LLM_CONDITIONS <= STORE_ATTRS_MAX);
	for (size_t i = 0; i < LLM_CONDITIONS; i++) {
		const struct llm_condition *c = &llm_conditions[i];
		q->attrs[q->attr_count++] = (struct store_attr){.key = str_from(c->key),
		    .value = c->value ? str_from(c->value) : STR_EMPTY,
		    .op = c->value ? STORE_ATTR_EQ : STORE_ATTR_HAS,
		    .of = STORE_ATTR_OF_ITEM};
	}
	q->any_count = LLM_CONDITIONS;
}
