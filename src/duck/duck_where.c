/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conditions of a question as SQL. Names of columns come from the tables of model/table.h,
 * numbers are literals, text is always a parameter.
 *
 * An attribute is looked for on the item and, when the item has no such key, on its resource:
 *     coalesce(weir_attr_is(attributes, key, value), resource_id IN (those that have it))
 * weir_attr_is() is NULL when there is no such key.
 */
#include "duck/duck_priv.h"

#include <inttypes.h>

enum { RESOURCE_LIST_MAX = 1000 };

/* Columns that not all tables have, or not by the same name. */
struct names {
	const char *time, *trace_hi, *trace_lo, *span_id;
};

static const struct names names_of[] = {
    [TABLE_SPANS] = {"start_ns", "trace_hi", "trace_lo", "span_id"},
    [TABLE_LOGS] = {"event_ns", "trace_hi", "trace_lo", "span_id"},
    [TABLE_POINTS] = {"time_ns", NULL, NULL, NULL},
};

static void
compare_u64(struct duck_sql *sql, const char *col, const char *op, uint64_t v)
{
	buf_printf(&sql->text, " AND %s %s ", col, op);
	duck_sql_u64(sql, v);
}

static void
compare_i32(struct duck_sql *sql, const char *col, const char *op, int32_t v)
{
	buf_printf(&sql->text, " AND %s %s (%" PRId32 ")", col, op, v);
}

static void
equal_text(struct duck_sql *sql, const char *col, struct str v)
{
	if (v.len == 0)
		return;
	buf_printf(&sql->text, " AND %s = ", col);
	duck_sql_text(sql, v);
}

static void
contains_text(struct duck_sql *sql, const char *col, struct str v)
{
	if (v.len == 0)
		return;
	buf_printf(&sql->text, " AND contains(%s, ", col);
	duck_sql_text(sql, v);
	buf_char(&sql->text, ')');
}

static void
where_time(struct duck_sql *sql, const struct store_query *q, const struct names *n)
{
	const struct store_cursor *a = &q->after;
	if (q->from_ns > 0)
		compare_u64(sql, n->time, ">=", q->from_ns);
	if (q->to_ns != UINT64_MAX)
		compare_u64(sql, n->time, "<", q->to_ns);
	if (!a->set)
		return;
	bool up = q->kind == STORE_TRACE;
	const char *op = up ? ">" : "<";
	compare_u64(sql, n->time, up ? ">=" : "<=", a->time_ns); /* this is what prunes */
	buf_printf(&sql->text,
	    " AND (%s %s %" PRIu64 "::UBIGINT OR seq %s %" PRIu64 "::UBIGINT"
	    " OR (seq = %" PRIu64 "::UBIGINT AND ord %s %" PRIu32 "))",
	    n->time, op, a->time_ns, op, a->seq, a->seq, op, a->ord);
}

static void
where_span(struct duck_sql *sql, const struct store_query *q)
{
	if (q->has_status)
		compare_i32(sql, "status_code", "=", q->status_code);
	if (q->has_kind)
		compare_i32(sql, "kind", "=", q->span_kind);
	if (q->roots_only)
		compare_u64(sql, "parent_id", "=", 0);
	if (q->has_duration_min) {
		buf_str(&sql->text, STR(" AND duration_ns >= "));
		duck_sql_i64(sql, q->duration_min_ns);
	}
	if (q->has_duration_max) {
		buf_str(&sql->text, STR(" AND duration_ns <= "));
		duck_sql_i64(sql, q->duration_max_ns);
	}
	contains_text(sql, "name", q->operation);
}

static void
where_log(struct duck_sql *sql, const struct store_query *q)
{
	if (q->severity_min != 0)
		compare_i32(sql, "severity_number", ">=", q->severity_min);
	if (q->severity_max != 0)
		compare_i32(sql, "severity_number", "<=", q->severity_max);
	if (q->severity_unspecified)
		buf_str(&sql->text, STR(" AND severity_number NOT BETWEEN 1 AND 24"));
	equal_text(sql, "event_name", q->name);
	contains_text(sql, "body", q->body_contains);
}

static void
where_point(struct duck_sql *sql, const struct store_query *q)
{
	if (q->point_type != 0)
		compare_i32(sql, "type", "=", q->point_type);
	equal_text(sql, "name", q->name);
}

static void
attr_is(struct duck_sql *sql, const struct store_attr *a)
{
	buf_str(&sql->text, STR("weir_attr_is(attributes, "));
	if (str_starts(a->key, STR("$")))
		buf_str(&sql->text, STR("'$' || ")); /* as it is stored, see model/typed.h */
	duck_sql_text(sql, a->key);
	buf_str(&sql->text, STR(", "));
	duck_sql_text(sql, a->value);
	buf_char(&sql->text, ')');
}

static void
resources_with(struct duck_sql *sql, const struct store_query *q, const struct store_attr *a)
{
	buf_str(&sql->text, STR("SELECT id FROM resources WHERE tenant = "));
	duck_sql_text(sql, q->tenant);
	buf_str(&sql->text, STR(" AND "));
	attr_is(sql, a);
}

static void
of_resource(struct duck_sql *sql, const struct store_query *q, const struct store_attr *a,
    const struct duck_ids *ids)
{
	if (!ids->many && ids->list.len == 0) {
		buf_str(&sql->text, STR("false"));
		return;
	}
	buf_str(&sql->text, STR("resource_id IN ("));
	if (ids->many)
		resources_with(sql, q, a);
	else
		buf_str(&sql->text, buf_view(&ids->list));
	buf_char(&sql->text, ')');
}

void
duck_where(struct duck_sql *sql, const struct store_query *q, enum table_id id,
    const struct duck_ids *ids)
{
	CHECK(id <= TABLE_POINTS);
	const struct names *n = &names_of[id];
	where_time(sql, q, n);
	if (q->has_trace_id && n->trace_hi) {
		compare_u64(sql, n->trace_hi, "=", q->trace_hi);
		compare_u64(sql, n->trace_lo, "=", q->trace_lo);
	}
	if (q->span_id != 0 && n->span_id)
		compare_u64(sql, n->span_id, "=", q->span_id);
	equal_text(sql, "service", q->service);
	if (id == TABLE_SPANS)
		where_span(sql, q);
	if (id == TABLE_LOGS)
		where_log(sql, q);
	if (id == TABLE_POINTS)
		where_point(sql, q);
	for (size_t i = 0; i < q->attr_count; i++) {
		buf_str(&sql->text, STR(" AND coalesce("));
		attr_is(sql, &q->attrs[i]);
		buf_str(&sql->text, STR(", "));
		of_resource(sql, q, &q->attrs[i], &ids[i]);
		buf_char(&sql->text, ')');
	}
}

enum err_code
duck_where_resources(struct duck *d, duckdb_connection con, const struct store_query *q,
    const struct store_attr *a, struct duck_ids *out, struct err *err)
{
	struct duck_sql sql;
	struct buf words = {0};
	duck_sql_init(&sql);
	resources_with(&sql, q, a);
	buf_printf(&sql.text, " LIMIT %d", RESOURCE_LIST_MAX + 1);
	enum err_code code = duck_read_words(d, con, &sql, q->deadline_mono_ns, &words, err);
	size_t count = words.len / sizeof(uint64_t);
	out->many = count > RESOURCE_LIST_MAX;
	for (size_t i = 0; i < count && !out->many; i++) {
		uint64_t id;
		memcpy(&id, words.ptr + i * sizeof(id), sizeof(id));
		buf_printf(&out->list, "%s%" PRIu64 "::UBIGINT", i > 0 ? ", " : "", id);
	}
	buf_fini(&words);
	duck_sql_fini(&sql);
	return code;
}
