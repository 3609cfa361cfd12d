/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conditions of a question as SQL. Names of columns come from the tables of model/columns.h,
 * numbers are literals, text is always a parameter or a quoted literal.
 */
#include "duck/duck_query_priv.h"

#include <inttypes.h>
#include <stdio.h>

/* Columns that not all tables have, or not by the same name. */
struct names {
	const char *time, *trace_hi, *trace_lo, *span_id, *service;
};

static const struct names names_of[] = {
    [TABLE_SPANS] = {"start_ns", "trace_hi", "trace_lo", "span_id", "service"},
    [TABLE_LOGS] = {"event_ns", "trace_hi", "trace_lo", "span_id", "service"},
    [TABLE_POINTS] = {"time_ns", NULL, NULL, NULL, "service"},
    [TABLE_COMMENTS] = {"created_ns", "trace_hi", "trace_lo", "span_id", NULL},
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
one_of_texts(struct duck_sql *sql, const char *col, const struct str *list, size_t count)
{
	if (count == 0)
		return;
	buf_printf(&sql->text, " AND %s IN (", col);
	for (size_t i = 0; i < count; i++) {
		buf_str(&sql->text, i > 0 ? STR(", ") : STR_EMPTY);
		duck_sql_text(sql, list[i]);
	}
	buf_char(&sql->text, ')');
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
where_time(struct duck_sql *sql, const struct store_query *q, const char *time)
{
	const struct store_cursor *a = &q->after;
	if (q->from_ns > 0)
		compare_u64(sql, time, ">=", q->from_ns);
	if (q->to_ns != UINT64_MAX)
		compare_u64(sql, time, "<", q->to_ns);
	if (!a->set)
		return;
	bool up = store_query_is_upwards(q);
	const char *op = up ? ">" : "<";
	compare_u64(sql, time, up ? ">=" : "<=", a->time_ns); /* this is what prunes */
	buf_printf(&sql->text,
	    " AND (%s %s %" PRIu64 "::UBIGINT OR seq %s %" PRIu64 "::UBIGINT"
	    " OR (seq = %" PRIu64 "::UBIGINT AND ord %s %" PRIu32 "))",
	    time, op, a->time_ns, op, a->seq, a->seq, op, a->ord);
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
	equal_text(sql, "name", q->name);
	contains_text(sql, "name", q->operation);
	if (q->has_link) {
		char text[STORE_LINK_BYTES];
		buf_str(&sql->text, STR(" AND links IS NOT NULL")); /* this is what prunes */
		contains_text(sql, "links", store_link_text(q->link_hi, q->link_lo, text));
	}
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
	for (size_t i = 0; i < q->name_count; i++) {
		buf_str(&sql->text, i == 0 ? STR(" AND name IN (") : STR(", "));
		duck_sql_text(sql, q->names[i]);
	}
	if (q->name_count > 0)
		buf_char(&sql->text, ')');
	for (size_t i = 0; i < q->series_count; i++) {
		buf_str(&sql->text, i == 0 ? STR(" AND series_id IN (") : STR(", "));
		duck_sql_u64(sql, q->series[i]);
	}
	if (q->series_count > 0)
		buf_char(&sql->text, ')');
}

static void
where_comment(struct duck_sql *sql, const struct store_query *q)
{
	CHECK(q->attr_count == 0);
	equal_text(sql, "id", q->comment_id);
	equal_text(sql, "author", q->author);
	contains_text(sql, "body", q->body_contains);
}

/* ---- words */

/* One of a list joined by OR. */
static void
put_has(struct duck_sql *sql, const char *function, const char *column, struct str folded)
{
	buf_printf(&sql->text, "%s(%s, ", function, column);
	duck_sql_text(sql, folded);
	buf_str(&sql->text, STR(") OR "));
}

/* In the columns that attributes have in this table. */
static void
put_has_columns(struct duck_sql *sql, const struct duck_source *source, struct str folded)
{
	char column[16];
	for (unsigned i = 0; source && i < source->column_count; i++) {
		const struct shred_column *c = &source->columns[i];
		snprintf(column, sizeof(column), "a%u", c->number);
		if (c->type == SHRED_TEXT)
			put_has(sql, "weir_has", column, folded);
		else if (c->type == SHRED_SHARED)
			put_has(sql, "weir_code_has", column, folded);
	}
}

/* What is cheap to look at comes first. */
static void
put_word(struct duck_question *ask, enum table_id id, const struct duck_source *source,
    struct str folded)
{
	struct duck_sql *sql = &ask->sql;
	buf_str(&sql->text, STR(" AND ("));
	if (id == TABLE_SPANS) {
		put_has(sql, "weir_has", "name", folded);
		put_has(sql, "weir_has", "status_message", folded);
	} else {
		put_has(sql, "weir_has", "body", folded);
		put_has(sql, "weir_has", "event_name", folded);
	}
	put_has_columns(sql, source, folded);
	put_has(sql, "weir_json_has", "attributes", folded);
	if (id == TABLE_SPANS)
		put_has(sql, "weir_json_has", "events", folded);
	buf_str(&sql->text, STR("false)"));
}

void
duck_where(struct duck_question *ask, const struct store_query *q, enum table_id id,
    const struct duck_source *source, uint64_t form)
{
	CHECK(id < SIGNAL_TABLES);
	struct duck_sql *sql = &ask->sql;
	const struct names *n = &names_of[id];
	where_time(sql, q, q->kind == STORE_ARRIVALS ? "seq" : n->time);
	if (q->has_trace_id && n->trace_hi) {
		compare_u64(sql, n->trace_hi, "=", q->trace_hi);
		compare_u64(sql, n->trace_lo, "=", q->trace_lo);
	}
	if (q->span_id != 0 && n->span_id)
		compare_u64(sql, n->span_id, "=", q->span_id);
	if (n->service) {
		equal_text(sql, n->service, q->service);
		one_of_texts(sql, n->service, q->services, q->service_count);
	}
	if (id == TABLE_SPANS)
		where_span(sql, q);
	if (id == TABLE_LOGS)
		where_log(sql, q);
	if (id == TABLE_POINTS)
		where_point(sql, q);
	if (id == TABLE_COMMENTS)
		where_comment(sql, q);
	if (q->attr_count > 0)
		duck_where_attrs(ask, source, form);
	for (size_t i = 0; i < q->word_count && (id == TABLE_SPANS || id == TABLE_LOGS); i++)
		put_word(ask, id, source, ask->words[i]);
}
