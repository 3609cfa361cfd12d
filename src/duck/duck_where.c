/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conditions of a question as SQL. Names of columns come from the tables of model/columns.h,
 * numbers are literals, text is always a parameter or a quoted literal.
 *
 * An attribute is looked for on the item and, when the item has no such key, on its resource. On the item it
 * is in the column that its key has in the table, or else in the rest, the JSON in "attributes":
 *
 *     a3 = value OR (a3 IS NULL AND coalesce(weir_attr_is(attributes, key, value),
 *         resource_id IN (those that have it)))
 *
 * In a shared column the value is compared with its code before it, in each form JSON may have it in:
 * "5" and 5 have the same text. That the key is not there is then: NULL, or not between its code and the next one.
 *
 * weir_attr_is() is NULL when there is no such key; so what the item itself says comes first. Parts that
 * can not be true are left out: no resource has it; the value is none of the column's type; the
 * rest has no such key, or not with this value (a unit's form, from the seal's filter). As a rule that
 * leaves the comparison with the column, which the database does fast and only where it has to.
 */
#include "duck/duck_query_priv.h"

#include "base/number.h"
#include "base/utf8.h"
#include "duck/duck_json.h"
#include "duck/duck_number.h"
#include "model/typed.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

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

/* ---- attributes */

static const char *const operators[] = {
    [STORE_ATTR_EQ] = "=",
    [STORE_ATTR_GE] = ">=",
    [STORE_ATTR_GT] = ">",
    [STORE_ATTR_LE] = "<=",
    [STORE_ATTR_LT] = "<",
};

/* In the JSON: NULL when there is no such key. */
static void
put_in_json(struct duck_sql *sql, const struct store_attr *a)
{
	bool range = a->op != STORE_ATTR_EQ;
	buf_str(&sql->text,
	    range ? STR("weir_attr_cmp(attributes, ") : STR("weir_attr_is(attributes, "));
	if (str_starts(a->key, STR("$")))
		buf_str(&sql->text, STR("'$' || ")); /* as it is stored, see model/typed.h */
	duck_sql_text(sql, a->key);
	if (range)
		buf_printf(&sql->text, ", '%s'", operators[a->op]);
	buf_str(&sql->text, STR(", "));
	duck_sql_text(sql, a->value);
	buf_char(&sql->text, ')');
}

/* Keys of columns are escaped as in the JSON. */
static bool
is_key(struct str raw, struct str key)
{
	bool dollar = str_starts(key, STR("$"));
	if (dollar && str_starts(raw, STR("$$")))
		raw = str_skip(raw, 1);
	else if (dollar || str_starts(raw, STR("$")))
		return false;
	return duck_json_raw_is(raw, key);
}

static const struct shred_column *
find_column(const struct duck_source *source, struct str key, unsigned *code)
{
	*code = 0;
	for (unsigned i = 0; source && i < source->column_count; i++) {
		const struct shred_column *c = &source->columns[i];
		if (c->type != SHRED_SHARED && is_key(c->key, key))
			return c;
		for (unsigned k = 0; k < c->key_count; k++)
			if (is_key(c->keys[k], key)) {
				*code = k;
				return c;
			}
	}
	return NULL;
}

/* The text that an int of this value has; false when the text is no int's. */
static bool
is_int_text(struct str text, int64_t *out)
{
	char again[24];
	if (!str_to_i64(text, out))
		return false;
	int n = snprintf(again, sizeof(again), "%" PRId64, *out);
	return n > 0 && str_eq(text, str_of(again, (size_t)n));
}

static bool
is_double_text(struct str text, double *out)
{
	char again[NUMBER_DOUBLE_BYTES];
	if (!str_to_f64(text, out) || !isfinite(*out))
		return false;
	return str_eq(text, str_of(again, number_double_text(*out, again)));
}

static void
put_double(struct duck_sql *sql, double v)
{
	buf_printf(&sql->text, "'%.17g'::DOUBLE", v);
}

/* `column = value`; false when no value of that type has this text. NULL sql: only tell. */
static bool
put_equal(struct duck_sql *sql, const struct shred_column *c, const struct store_attr *a)
{
	int64_t i64 = 0;
	double f64 = 0;
	bool is_true = str_eq(a->value, STR("true"));
	bool can = true;
	switch (c->type) {
	case SHRED_TEXT: break;
	case SHRED_INT: can = is_int_text(a->value, &i64); break;
	case SHRED_DOUBLE: /* -0.0 is never in a column, for the database does not keep it */
		can = is_double_text(a->value, &f64) && !(f64 == 0 && signbit(f64));
		break;
	case SHRED_BOOL: can = is_true || str_eq(a->value, STR("false")); break;
	case SHRED_SHARED:
	case SHRED_TYPES: can = false;
	}
	if (!can || !sql)
		return can;
	buf_printf(&sql->text, "a%u = ", c->number);
	if (c->type == SHRED_TEXT)
		duck_sql_text(sql, a->value);
	else if (c->type == SHRED_INT)
		duck_sql_i64(sql, i64);
	else if (c->type == SHRED_BOOL)
		buf_str(&sql->text, is_true ? STR("true") : STR("false"));
	else
		put_double(sql, f64);
	return true;
}

/* An int against a decimal d: with an int, for v >= 1.5 is v >= 2. False: no int is there. */
static bool
put_int_range(struct duck_sql *sql, const struct shred_column *c, enum store_attr_op op,
    const struct duck_decimal *d)
{
	bool upwards = op == STORE_ATTR_GE || op == STORE_ATTR_GT;
	bool beyond = d->whole > (uint64_t)INT64_MAX; /* of the ints, but for the very least */
	if (beyond && d->negative && d->whole == (uint64_t)INT64_MAX + 1 && !d->fraction)
		beyond = false;
	if (beyond && upwards != d->negative)
		return false;
	if (!sql)
		return true;
	if (beyond) {
		buf_printf(&sql->text, "a%u IS NOT NULL", c->number);
		return true;
	}
	int64_t whole = d->negative ? (int64_t)(0 - d->whole) : (int64_t)d->whole;
	/* With a fraction d is between whole and the next one away from 0. */
	const char *sign = operators[op];
	if (d->fraction && d->negative)
		sign = upwards ? ">=" : "<";
	else if (d->fraction)
		sign = upwards ? ">" : "<=";
	buf_printf(&sql->text, "a%u %s ", c->number, sign);
	duck_sql_i64(sql, whole);
	return true;
}

static bool
put_range(struct duck_sql *sql, const struct shred_column *c, const struct store_attr *a)
{
	struct duck_decimal d;
	if (!duck_decimal_parse(a->value, &d))
		return false;
	if (c->type == SHRED_INT)
		return put_int_range(sql, c, a->op, &d);
	if (c->type != SHRED_DOUBLE)
		return false;
	if (!sql)
		return true;
	/* The decimal may be a little off its nearest double (duck_number.h). */
	bool upwards = a->op == STORE_ATTR_GE || a->op == STORE_ATTR_GT;
	const char *sign = operators[a->op];
	if (d.f64_order != 0)
		sign =
		    upwards == (d.f64_order > 0) ? (upwards ? ">=" : "<=") : (upwards ? ">" : "<");
	buf_printf(&sql->text, "a%u %s ", c->number, sign);
	if (isinf(d.f64))
		buf_printf(&sql->text, "'%s'::DOUBLE", d.f64 < 0 ? "-infinity" : "infinity");
	else
		put_double(sql, d.f64);
	return true;
}

/* ---- shared columns */

/* A literal of a code, or of the one behind it, and text. */
static void
put_coded(struct duck_sql *sql, unsigned code, struct str before, struct str text, struct str after)
{
	const struct str parts[] = {before, text, after};
	buf_char(&sql->text, '\'');
	if (SHRED_CODE_FIRST + code == '\'')
		buf_char(&sql->text, '\'');
	buf_char(&sql->text, (char)(SHRED_CODE_FIRST + code));
	for (size_t p = 0; p < ARRAY_LEN(parts); p++)
		for (size_t i = 0; i < parts[p].len; i++) {
			if (parts[p].ptr[i] == '\'')
				buf_char(&sql->text, '\'');
			buf_char(&sql->text, parts[p].ptr[i]);
		}
	buf_char(&sql->text, '\'');
}

/* What is between a key's codes; the code behind the last one is a character like any other. */
static void
put_has_key(struct duck_sql *sql, unsigned column, unsigned code, bool has)
{
	_Static_assert((int)SHRED_CODE_FIRST + (int)SHRED_CODES <= 0x7E, "there is a code behind");
	buf_printf(&sql->text, has ? "(a%u >= " : "(a%u IS NULL OR a%u < ", column, column);
	put_coded(sql, code, STR(""), STR(""), STR(""));
	buf_printf(&sql->text, has ? " AND a%u < " : " OR a%u >= ", column);
	put_coded(sql, code + 1, STR(""), STR(""), STR(""));
	buf_char(&sql->text, ')');
}

/* Could text stand in JSON as it is, and be found by that (duck_attr.c)? Not a string, and nothing of which the
 * inside counts. */
static bool
is_bare(struct str text)
{
	return text.len > 0 && memchr("-0123456789tfn[{", text.ptr[0], 16) &&
	    !str_starts(text, STR("{\"$double\":\"")) && !str_starts(text, STR("{\"$bytes\":\"")) &&
	    duck_json_is_value(text) && !memchr(text.ptr, '\0', text.len);
}

static bool
is_base64(struct str text)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	for (size_t i = 0; i < text.len; i++)
		if (!memchr(set, text.ptr[i], sizeof(set) - 1))
			return false;
	return text.len % 4 == 0;
}

static bool
is_no_number(struct str text)
{
	return str_eq(text, STR("NaN")) || str_eq(text, STR("Infinity")) ||
	    str_eq(text, STR("-Infinity"));
}

/* `column IN (..)`: of all forms that a search in the JSON would find. */
static void
put_shared_equal(struct duck_sql *sql, const struct shred_column *c, unsigned code,
    const struct store_attr *a)
{
	struct buf quoted = {0};
	struct str value = a->value.ptr ? a->value : STR("");
	if (!utf8_valid(value)) {
		sql->failed = true;
		return;
	}
	typed_put_string(&quoted, value);
	sql->failed = sql->failed || quoted.failed;
	buf_printf(&sql->text, "a%u IN (", c->number);
	put_coded(sql, code, STR(""), buf_view(&quoted), STR(""));
	if (is_bare(value)) {
		buf_str(&sql->text, STR(", "));
		put_coded(sql, code, STR(""), value, STR(""));
	}
	if (is_no_number(value)) {
		buf_str(&sql->text, STR(", "));
		put_coded(sql, code, STR("{\"$double\":\""), value, STR("\"}"));
	}
	if (is_base64(value)) {
		buf_str(&sql->text, STR(", "));
		put_coded(sql, code, STR("{\"$bytes\":\""), value, STR("\"}"));
	}
	buf_char(&sql->text, ')');
	buf_fini(&quoted);
}

static bool
put_shared(struct duck_sql *sql, const struct shred_column *c, unsigned code,
    const struct store_attr *a)
{
	struct duck_decimal d;
	if (a->op != STORE_ATTR_EQ && !duck_decimal_parse(a->value, &d))
		return false;
	if (!sql)
		return true;
	if (a->op == STORE_ATTR_EQ) {
		put_shared_equal(sql, c, code, a);
		return true;
	}
	buf_char(&sql->text, '(');
	put_has_key(sql, c->number, code, true);
	buf_printf(&sql->text, " AND weir_code_cmp(a%u, ", c->number);
	put_coded(sql, code, STR(""), STR(""), STR(""));
	buf_printf(&sql->text, ", '%s', ", operators[a->op]);
	duck_sql_text(sql, a->value);
	buf_str(&sql->text, STR("))"));
	return true;
}

static bool
put_in_column(struct duck_sql *sql, const struct shred_column *c, unsigned code,
    const struct store_attr *a)
{
	if (!c)
		return false;
	if (c->type == SHRED_SHARED)
		return put_shared(sql, c, code, a);
	return a->op == STORE_ATTR_EQ ? put_equal(sql, c, a) : put_range(sql, c, a);
}

/* ---- resources */

static void
put_resources_with(struct duck_question *ask, const struct store_attr *a)
{
	const struct hot_view *hot = ask->view.hot;
	struct duck_sql *sql = &ask->sql;
	buf_str(&sql->text, STR("SELECT id FROM resources WHERE tenant = "));
	duck_sql_text(sql, ask->q->tenant);
	buf_str(&sql->text, STR(" AND "));
	put_in_json(sql, a);
	for (size_t i = 0; i < hot->part_count; i++) {
		if (hot->parts[i].table != TABLE_RESOURCES || hot->parts[i].rows == 0)
			continue;
		buf_str(&sql->text, STR(" UNION ALL SELECT id FROM "));
		duck_view_put(sql, &ask->view, (uint32_t)i, NULL);
		buf_str(&sql->text, STR(" WHERE tenant = "));
		duck_sql_text(sql, ask->q->tenant);
		buf_str(&sql->text, STR(" AND "));
		put_in_json(sql, a);
	}
}

static bool
any_resource(const struct duck_ids *ids)
{
	return ids->many || ids->list.len > 0;
}

static void
put_of_resource(struct duck_question *ask, size_t attr)
{
	const struct duck_ids *ids = &ask->ids[attr];
	buf_str(&ask->sql.text, STR("resource_id IN ("));
	if (ids->many)
		put_resources_with(ask, &ask->q->attrs[attr]);
	else
		buf_str(&ask->sql.text, buf_view(&ids->list));
	buf_char(&ask->sql.text, ')');
}

enum err_code
duck_where_resources(struct duck_question *ask, size_t attr, struct err *err)
{
	struct duck_ids *out = &ask->ids[attr];
	struct buf words = {0};
	duck_sql_reset(&ask->sql);
	put_resources_with(ask, &ask->q->attrs[attr]);
	buf_printf(&ask->sql.text, " LIMIT %d", RESOURCE_LIST_MAX + 1);
	enum err_code code = duck_read_words(ask->d, ask->view.con, &ask->sql,
	    ask->q->deadline_mono_ns, &words, err);
	size_t count = words.len / sizeof(uint64_t);
	out->many = count > RESOURCE_LIST_MAX;
	for (size_t i = 0; i < count && !out->many; i++) {
		uint64_t id;
		memcpy(&id, words.ptr + i * sizeof(id), sizeof(id));
		buf_printf(&out->list, "%s%" PRIu64 "::UBIGINT", i > 0 ? ", " : "", id);
	}
	buf_fini(&words);
	return code;
}

/* ---- a condition */

/* Which parts of it can be true. */
struct attr_parts {
	const struct shred_column *column;
	unsigned code; /* of the key in it, when it is shared */
	bool in_column, in_rest, of_resource;
	bool key_in_rest; /* with whatever value: then the resource does not count */
};

static struct attr_parts
parts_of(const struct duck_question *ask, const struct duck_source *source, uint64_t form, size_t i)
{
	const struct store_attr *a = &ask->q->attrs[i];
	uint64_t bits = form >> (i * FORM_BITS);
	struct attr_parts p = {
	    .in_rest = (bits & FORM_MATCH) != 0,
	    .of_resource = any_resource(&ask->ids[i]),
	    .key_in_rest = (bits & FORM_KEY) != 0,
	};
	p.column = find_column(source, a->key, &p.code);
	p.in_column = put_in_column(NULL, p.column, p.code, a);
	return p;
}

static void
put_without_column(struct duck_question *ask, const struct attr_parts *p, size_t i)
{
	struct buf *text = &ask->sql.text;
	bool rest = p->in_rest || (p->of_resource && p->key_in_rest);
	if (rest) {
		buf_str(text, STR("coalesce("));
		put_in_json(&ask->sql, &ask->q->attrs[i]);
		buf_str(text, STR(", "));
	}
	if (p->of_resource)
		put_of_resource(ask, i);
	else
		buf_str(text, STR("false"));
	if (rest)
		buf_char(text, ')');
}

static void
put_attr(struct duck_question *ask, const struct duck_source *source, uint64_t form, size_t i)
{
	struct buf *text = &ask->sql.text;
	struct attr_parts p = parts_of(ask, source, form, i);
	bool others = p.in_rest || p.of_resource;
	buf_str(text, STR(" AND "));
	if (p.in_column && !others) {
		put_in_column(&ask->sql, p.column, p.code, &ask->q->attrs[i]);
		return;
	}
	buf_char(text, '(');
	if (p.in_column) {
		put_in_column(&ask->sql, p.column, p.code, &ask->q->attrs[i]);
		buf_str(text, STR(" OR "));
	}
	if (p.column && p.column->type == SHRED_SHARED) {
		put_has_key(&ask->sql, p.column->number, p.code, false);
		buf_str(text, STR(" AND "));
	} else if (p.column) {
		buf_printf(text, "a%u IS NULL AND ", p.column->number);
	}
	put_without_column(ask, &p, i);
	buf_char(text, ')');
}

bool
duck_where_never(const struct duck_question *ask, const struct duck_source *source, uint64_t form)
{
	for (size_t i = 0; i < ask->q->attr_count; i++) {
		struct attr_parts p = parts_of(ask, source, form, i);
		if (!p.in_column && !p.in_rest && !p.of_resource)
			return true;
	}
	return false;
}

void
duck_where(struct duck_question *ask, const struct store_query *q, enum table_id id,
    const struct duck_source *source, uint64_t form)
{
	CHECK(id <= TABLE_POINTS);
	struct duck_sql *sql = &ask->sql;
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
	for (size_t i = 0; i < q->attr_count; i++)
		put_attr(ask, source, form, i);
}
