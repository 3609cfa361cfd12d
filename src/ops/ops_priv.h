/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/ops_priv.h - what the files of ops/ share: parsed parameters, the query they make, cursors,
 * and the writers of docs/api.md's shapes.
 */
#ifndef OPS_OPS_PRIV_H
#define OPS_OPS_PRIV_H

#include "ops/conditions.h"
#include "ops/ops.h"

#include "wire/json_write.h"

/* ---- parameters (param.c) */

struct ops_parsed { /* which members are set depends on the type */
	struct str text; /* TEXT, WORDS, CURSOR: as it came */
	struct store_attr attr; /* ATTR */
	int64_t i64; /* INT; BOOL: 0 or 1; ENUM: index into choices */
	double f64; /* DURATION_MS */
	uint64_t hi, lo; /* TRACE_ID; lo alone: SPAN_ID, TIME and SPAN in ns */
};

/* The message says what is wrong and shows the value, without the parameter's name. */
MUST_CHECK enum err_code ops_parse(const struct op_param *p, struct str value,
    struct ops_parsed *out, struct err *err);
const struct op_param *ops_find_param(const struct op *op, struct str name);
/* ERR_INVALID with what is expected and the value, as much of it as an error shows. */
enum err_code ops_refuse(struct str value, struct err *err, const char *expected);

/* ---- what takes long (ops.c) */

struct ops_stop {
	const struct op_context *ctx;
	uint64_t deadline_mono_ns;
};

/* ctx->stop() of a struct ops_stop, for those who know no operation. */
bool ops_should_stop(void *stop);

/* ---- the query (query.c) */

/* Text of the parameters becomes a store query of `kind`. Without a limit it is the fallback of the operation's row, and
 * where that says nothing the server's maximum. A cursor is checked against the other parameters. *cursor_base_out is what ops_cursor_write()
 * needs. */
struct ops_cursor_base {
	enum store_query_kind kind;
	uint64_t from_ns; /* `last` is resolved on the first page and stays */
	uint64_t params_hash;
};

MUST_CHECK enum err_code ops_build_query(const struct op_context *ctx, const struct op *op,
    enum store_query_kind kind, const struct op_value *values, size_t value_count,
    struct store_query *q, struct ops_cursor_base *base_out, struct err *err);

/* ---- cursors (cursor.c) */

void ops_cursor_write(struct buf *out, const struct ops_cursor_base *base,
    const struct store_cursor *at);
/* ERR_INVALID when it is not a cursor, or one of other parameters. Sets base->from_ns. */
MUST_CHECK enum err_code ops_cursor_read(struct str text, struct ops_cursor_base *base,
    struct store_cursor *at_out, struct err *err);

/* ---- writers. `arena` is scratch. ERR_CORRUPT names the row; the output is then to be thrown
 * away. Each writes one JSON value. */

MUST_CHECK enum err_code ops_span_write(struct json_writer *w, const struct store_result *r,
    size_t row, struct err *err);
MUST_CHECK enum err_code ops_log_write(struct json_writer *w, const struct store_result *r,
    size_t row, struct err *err);
MUST_CHECK enum err_code ops_point_write(struct json_writer *w, const struct store_result *r,
    size_t row, struct err *err);
void ops_service_write(struct json_writer *w, const struct store_result *r, size_t row);
MUST_CHECK enum err_code ops_trace_row_write(struct json_writer *w, const struct store_result *r,
    size_t row, struct err *err);
/* The answer to STORE_COUNTS. */
void ops_histogram_write(struct json_writer *w, const char *key, const struct table *buckets);
void ops_write_kind(struct json_writer *w, const char *key, int32_t kind);
void ops_write_status(struct json_writer *w, const char *key, int32_t code);

/* The rows of an answer as the array `key`. */
typedef enum err_code ops_row_writer(struct json_writer *w, const struct store_result *r,
    size_t row, struct err *err);
MUST_CHECK enum err_code ops_write_rows(struct json_writer *w, const char *key,
    const struct store_result *r, ops_row_writer *write, struct err *err);

/* ---- what a trace is, besides its spans (trace_head.c) */

struct ops_trace_head {
	uint64_t start_ns, end_ns, span_count, error_count;
	struct str *services; /* each once, sorted */
	size_t service_count;
};

MUST_CHECK enum err_code ops_trace_head(const struct table *spans, struct arena *arena,
    struct ops_trace_head *out, struct err *err);
/* Its members, from trace_id to error_count. */
void ops_trace_head_write(struct json_writer *w, uint64_t trace_hi, uint64_t trace_lo,
    const struct ops_trace_head *head);

/* ---- analyses (window.c) */

/* What an analysis is about: the parameters service, from, to, last, limit; an hour when they do not say how long. */
struct ops_window {
	struct store_query q; /* from_ns, to_ns (UINT64_MAX: no end), service, row_max */
	uint64_t until_ns; /* where it ends for people: to, or now */
};

MUST_CHECK enum err_code ops_build_window(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct ops_window *out, struct err *err);
/* The value of a parameter that the table's checks have passed; false: it was not given. */
bool ops_find_value(const struct op *op, const struct op_value *values, size_t value_count,
    const char *name, struct ops_parsed *out);
/* Whole seconds as an integer. */
void ops_write_seconds(struct json_writer *w, const char *key, uint64_t ns);
/* Members from, to and service_filter. */
void ops_window_write(struct json_writer *w, const struct ops_window *win);
/* A quantile of durations, in ms; null: there are none. */
void ops_write_quantile(struct json_writer *w, const char *key, const struct hist *h,
    unsigned thousandths);
double ops_rate(uint64_t part, uint64_t whole); /* 0 of nothing */

/* Pieces (value_json.c). `key` is always the member's name. */
void ops_write_u64(struct json_writer *w, const char *key, uint64_t v);
void ops_write_text(struct json_writer *w, const char *key, struct str v);
void ops_put_text_or_null(struct json_writer *w, const char *key, struct str v); /* no ptr: null */
/* Two members: RFC 3339 under `key`, nanoseconds as a string under `nano_key`. */
void ops_write_time(struct json_writer *w, const char *key, const char *nano_key, uint64_t unix_ns);
void ops_write_duration_ms(struct json_writer *w, const char *key, double ns);
void ops_write_trace_id(struct json_writer *w, const char *key, uint64_t hi, uint64_t lo);
void ops_write_span_id(struct json_writer *w, const char *key, uint64_t id); /* null when 0 */
/* names[v], or the number when there is none. */
void ops_write_named(struct json_writer *w, const char *key, int32_t v, const char *const *names,
    size_t name_count);
/* Typed JSON in the API's form; {} when NULL. */
MUST_CHECK enum err_code ops_write_typed(struct json_writer *w, const char *key, struct str typed,
    struct err *err);
MUST_CHECK enum err_code ops_write_resource(struct json_writer *w, const struct store_result *r,
    uint64_t id, struct err *err);
MUST_CHECK enum err_code ops_write_scope(struct json_writer *w, const struct store_result *r,
    uint64_t id, struct err *err);

/* Lists that are stored as typed JSON (items_json.c); [] when NULL. */
MUST_CHECK enum err_code ops_write_events(struct json_writer *w, struct str typed,
    struct arena *arena, struct err *err);
MUST_CHECK enum err_code ops_write_links(struct json_writer *w, struct str typed,
    struct arena *arena, struct err *err);
/* Calls `each` for every link of the list, ids as they are stored, until it is false. */
MUST_CHECK enum err_code ops_each_link(struct str typed, struct arena *arena,
    bool (*each)(void *ctx, struct str trace_id, struct str span_id), void *ctx, struct err *err);
MUST_CHECK enum err_code ops_write_exemplars(struct json_writer *w, struct str typed,
    struct arena *arena, struct err *err);

/* The same as Junjo's server had them: events_json, links_json. */
MUST_CHECK enum err_code ops_write_otel_events(struct json_writer *w, struct str typed,
    struct arena *arena, struct err *err);
MUST_CHECK enum err_code ops_write_otel_links(struct json_writer *w, struct str typed,
    struct arena *arena, struct err *err);

/* ---- JSON within JSON (plain_json.c) */

/* JSON that came as text: the value, numbers as they stand. False: it is no JSON, and was written as a string. */
bool ops_write_json_text(struct json_writer *w, const char *key, struct str text,
    struct arena *arena);
/* Typed JSON as plain JSON: bytes as lower case hex, NaN and the infinities as null, integers beyond 2^53 - 1 as strings;
 * without the outermost members that `skip` is true for (NULL: none). {} when NULL. ERR_CORRUPT. */
MUST_CHECK enum err_code ops_write_plain(struct json_writer *w, const char *key, struct str typed,
    bool (*skip)(struct str key), struct arena *arena, struct err *err);

/* ---- spans that call a model (query.c) */

/* One of the conditions of agent/llm.h has to hold. */
void ops_ask_for_llm(struct store_query *q);

/* ---- PromQL (promql.c) */

struct promql_answer;
struct promql_params;
struct promql_hist;
struct promql_labels;
struct series_reader;

/* A reader of the tenant's series for this question. The caller ends it. */
void ops_begin_series(const struct op_context *ctx, struct series_reader *out);
/* Parse, check and run: the limits of params are set here. `range`: the type must be one that has a value a step. */
MUST_CHECK enum err_code ops_run_promql(const struct op_context *ctx, uint64_t deadline_mono_ns,
    struct str text, struct promql_params *params, bool range, struct promql_answer *out,
    struct err *err);
/* An object: names and values. */
void ops_write_labels(struct json_writer *w, const struct promql_labels *l);
/* The buckets of a histogram that have something in them, from below. open: which of its ends are outside, as Prometheus
 * counts: 0 the lower one, 1 the upper one, 3 none. */
struct ops_bucket {
	double lower, upper, count;
	int open;
};
typedef void (*ops_bucket_fn)(struct json_writer *w, const struct ops_bucket *b);
void ops_each_bucket(struct json_writer *w, const struct promql_hist *h, ops_bucket_fn fn);

/* ---- handlers, one per row of the table */

enum err_code ops_query(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_query_range(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_metric_names(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);

enum err_code ops_traces(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_trace(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_search(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_logs(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_metrics(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_services(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_comments(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_trace_comments(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_comment_add(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_summary(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_anomalies(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_correlate(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);

enum err_code ops_sql(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *out, struct err *err);
enum err_code ops_sql_schema(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);

#endif
