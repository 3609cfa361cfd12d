/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/ops_priv.h - what the files of ops/ share: parsed parameters, the query they make, cursors,
 * and the writers of docs/api.md's shapes.
 */
#ifndef OPS_OPS_PRIV_H
#define OPS_OPS_PRIV_H

#include "ops/ops.h"

#include "wire/json_write.h"

/* ---- parameters (param.c) */

struct ops_parsed { /* which members are set depends on the type */
	struct str text; /* TEXT, CURSOR: as it came; ATTR: the value */
	struct str key; /* ATTR */
	/* INT; BOOL: 0 or 1; ENUM: index into choices; ATTR: an enum store_attr_op */
	int64_t i64;
	double f64; /* DURATION_MS */
	uint64_t hi, lo; /* TRACE_ID; lo alone: SPAN_ID, TIME and SPAN in ns */
};

/* The message says what is wrong and shows the value, without the parameter's name. */
MUST_CHECK enum err_code ops_parse(const struct op_param *p, struct str value,
    struct ops_parsed *out, struct err *err);
const struct op_param *ops_find_param(const struct op *op, struct str name);

/* ---- the query (query.c) */

/* Text of the parameters becomes a store query of `kind`. `limit_default` 0: the server's maximum.
 * A cursor is checked against the other parameters. *cursor_base_out is what ops_cursor_write()
 * needs. */
struct ops_cursor_base {
	enum store_query_kind kind;
	uint64_t from_ns; /* `last` is resolved on the first page and stays */
	uint64_t params_hash;
};

MUST_CHECK enum err_code ops_build_query(const struct op_context *ctx, const struct op *op,
    enum store_query_kind kind, size_t limit_default, const struct op_value *values,
    size_t value_count, struct store_query *q, struct ops_cursor_base *base_out, struct err *err);

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

/* Pieces (value_json.c). `key` is always the member's name. */
void ops_write_u64(struct json_writer *w, const char *key, uint64_t v);
void ops_write_text(struct json_writer *w, const char *key, struct str v);
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
MUST_CHECK enum err_code ops_write_exemplars(struct json_writer *w, struct str typed,
    struct arena *arena, struct err *err);

/* ---- handlers, one per row of the table */

enum err_code ops_traces(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_trace(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_logs(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_metrics(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_services(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);

#endif
