/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A condition on an attribute as SQL.
 *
 * It is looked for on the item and, when the item has no such key, on its resource. On the item it
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
 *
 * What is negated is made as it is, and then NOT: what does not meet the condition, be it for want of the key. So
 * what can not be true is always true, and is left out; no unit is passed over for it.
 *
 * A regular expression is RE2's, on the text that = compares; it is always a literal, for then it is compiled
 * once.
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

enum { DICT_LIST_MAX = 1000 };

static const char *const operators[] = {
    [STORE_ATTR_EQ] = "=",
    [STORE_ATTR_GE] = ">=",
    [STORE_ATTR_GT] = ">",
    [STORE_ATTR_LE] = "<=",
    [STORE_ATTR_LT] = "<",
};

static bool
is_range(const struct store_attr *a)
{
	return operators[a->op < ARRAY_LEN(operators) ? a->op : STORE_ATTR_EQ] !=
	    operators[STORE_ATTR_EQ];
}

/* ", pattern)": the end of regexp_matches(. */
static void
put_pattern(struct duck_sql *sql, const struct store_attr *a)
{
	if (!utf8_valid(a->value) ||
	    (a->value.len > 0 && memchr(a->value.ptr, '\0', a->value.len))) {
		sql->failed = true;
		return;
	}
	buf_str(&sql->text, STR(", '"));
	duck_sql_quoted(&sql->text, a->value);
	buf_str(&sql->text, STR("')"));
}

/* In the JSON: NULL when there is no such key. */
static void
put_in_json(struct duck_sql *sql, const struct store_attr *a)
{
	static const char *const functions[] = {
	    [STORE_ATTR_EQ] = "weir_attr_is",
	    [STORE_ATTR_GE] = "weir_attr_cmp",
	    [STORE_ATTR_GT] = "weir_attr_cmp",
	    [STORE_ATTR_LE] = "weir_attr_cmp",
	    [STORE_ATTR_LT] = "weir_attr_cmp",
	    [STORE_ATTR_MATCH] = "regexp_matches(weir_attr_text",
	    [STORE_ATTR_HAS] = "weir_attr_has",
	};
	buf_printf(&sql->text, "%s(attributes, ", functions[a->op]);
	if (str_starts(a->key, STR("$")))
		buf_str(&sql->text, STR("'$' || ")); /* as it is stored, see model/typed.h */
	duck_sql_text(sql, a->key);
	if (is_range(a))
		buf_printf(&sql->text, ", '%s'", operators[a->op]);
	if (a->op == STORE_ATTR_EQ || is_range(a)) {
		buf_str(&sql->text, STR(", "));
		duck_sql_text(sql, a->value);
	}
	buf_char(&sql->text, ')');
	if (a->op == STORE_ATTR_MATCH)
		put_pattern(sql, a);
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

/* weir_code_..(column, code */
static void
put_coded_call(struct duck_sql *sql, const char *function, const struct shred_column *c,
    unsigned code)
{
	buf_printf(&sql->text, "%s(a%u, ", function, c->number);
	put_coded(sql, code, STR(""), STR(""), STR(""));
}

static bool
put_shared(struct duck_sql *sql, const struct shred_column *c, unsigned code,
    const struct store_attr *a)
{
	struct duck_decimal d;
	if (is_range(a) && !duck_decimal_parse(a->value, &d))
		return false;
	if (!sql)
		return true;
	if (a->op == STORE_ATTR_EQ) {
		put_shared_equal(sql, c, code, a);
		return true;
	}
	buf_char(&sql->text, '(');
	put_has_key(sql, c->number, code, true);
	if (a->op == STORE_ATTR_MATCH) {
		buf_str(&sql->text, STR(" AND regexp_matches("));
		put_coded_call(sql, "weir_code_text", c, code);
		buf_char(&sql->text, ')');
		put_pattern(sql, a);
	} else if (is_range(a)) {
		buf_str(&sql->text, STR(" AND "));
		put_coded_call(sql, "weir_code_cmp", c, code);
		buf_printf(&sql->text, ", '%s', ", operators[a->op]);
		duck_sql_text(sql, a->value);
		buf_char(&sql->text, ')');
	}
	buf_char(&sql->text, ')');
	return true;
}

/* The text that = compares, of a typed column. */
static void
put_column_match(struct duck_sql *sql, const struct shred_column *c, const struct store_attr *a)
{
	buf_str(&sql->text, STR("regexp_matches("));
	switch (c->type) {
	case SHRED_TEXT: buf_printf(&sql->text, "a%u", c->number); break;
	case SHRED_INT: buf_printf(&sql->text, "a%u::VARCHAR", c->number); break;
	case SHRED_DOUBLE: buf_printf(&sql->text, "weir_double_text(a%u)", c->number); break;
	case SHRED_BOOL:
		buf_printf(&sql->text, "CASE a%u WHEN true THEN 'true' WHEN false THEN 'false' END",
		    c->number);
		break;
	case SHRED_SHARED:
	case SHRED_TYPES: CHECK(false);
	}
	put_pattern(sql, a);
}

static bool
put_in_column(struct duck_sql *sql, const struct shred_column *c, unsigned code,
    const struct store_attr *a)
{
	if (!c)
		return false;
	if (c->type == SHRED_SHARED)
		return put_shared(sql, c, code, a);
	switch (a->op) {
	case STORE_ATTR_EQ: return put_equal(sql, c, a);
	case STORE_ATTR_GE:
	case STORE_ATTR_GT:
	case STORE_ATTR_LE:
	case STORE_ATTR_LT: return put_range(sql, c, a);
	case STORE_ATTR_MATCH:
		if (sql)
			put_column_match(sql, c, a);
		return true;
	case STORE_ATTR_HAS:
		if (sql)
			buf_printf(&sql->text, "a%u IS NOT NULL", c->number);
		return true;
	}
	return false;
}

/* ---- resources and scopes */

static enum table_id
dict_of(const struct store_attr *a)
{
	return a->of == STORE_ATTR_OF_SCOPE ? TABLE_SCOPES : TABLE_RESOURCES;
}

static void
put_dict_with(struct duck_question *ask, const struct store_attr *a)
{
	const struct hot_view *hot = ask->view.hot;
	struct duck_sql *sql = &ask->sql;
	enum table_id dict = dict_of(a);
	buf_printf(&sql->text, "SELECT id FROM %s WHERE tenant = ", table_defs[dict].name);
	duck_sql_text(sql, ask->q->tenant);
	buf_str(&sql->text, STR(" AND "));
	put_in_json(sql, a);
	for (size_t i = 0; i < hot->part_count; i++) {
		if (hot->parts[i].table != dict || hot->parts[i].rows == 0)
			continue;
		buf_str(&sql->text, STR(" UNION ALL SELECT id FROM "));
		duck_view_put(sql, &ask->view, (uint32_t)i, NULL, NULL);
		buf_str(&sql->text, STR(" WHERE tenant = "));
		duck_sql_text(sql, ask->q->tenant);
		buf_str(&sql->text, STR(" AND "));
		put_in_json(sql, a);
	}
}

static bool
any_in_dict(const struct duck_ids *ids)
{
	return ids->many || ids->list.len > 0;
}

static void
put_of_dict(struct duck_question *ask, size_t attr)
{
	const struct duck_ids *ids = &ask->ids[attr];
	const struct store_attr *a = &ask->q->attrs[attr];
	buf_str(&ask->sql.text,
	    dict_of(a) == TABLE_SCOPES ? STR("scope_id IN (") : STR("resource_id IN ("));
	if (ids->many)
		put_dict_with(ask, a);
	else
		buf_str(&ask->sql.text, buf_view(&ids->list));
	buf_char(&ask->sql.text, ')');
}

enum err_code
duck_where_dicts(struct duck_question *ask, size_t attr, struct err *err)
{
	struct duck_ids *out = &ask->ids[attr];
	struct buf words = {0};
	if (ask->q->attrs[attr].of == STORE_ATTR_OF_ITEM)
		return ERR_OK;
	duck_sql_reset(&ask->sql);
	put_dict_with(ask, &ask->q->attrs[attr]);
	buf_printf(&ask->sql.text, " LIMIT %d", DICT_LIST_MAX + 1);
	enum err_code code = duck_read_words(ask->d, ask->view.con, &ask->sql,
	    ask->q->deadline_mono_ns, &words, err);
	size_t count = words.len / sizeof(uint64_t);
	out->many = count > DICT_LIST_MAX;
	for (size_t i = 0; i < count && !out->many; i++) {
		uint64_t id;
		memcpy(&id, words.ptr + i * sizeof(id), sizeof(id));
		buf_printf(&out->list, "%s%" PRIu64 "::UBIGINT", i > 0 ? ", " : "", id);
	}
	buf_fini(&words);
	return code;
}

/* ---- a condition */

/* Which parts of it can be true, were it not negated. */
struct attr_parts {
	const struct shred_column *column;
	unsigned code; /* of the key in it, when it is shared */
	bool in_column, in_rest, of_dict;
	bool key_in_rest; /* with whatever value: then the resource does not count */
};

static struct attr_parts
parts_of(const struct duck_question *ask, const struct duck_source *source, uint64_t form, size_t i)
{
	const struct store_attr *a = &ask->q->attrs[i];
	uint64_t bits = form >> (i * FORM_BITS);
	struct attr_parts p = {.of_dict = any_in_dict(&ask->ids[i])};
	if (a->of == STORE_ATTR_OF_RESOURCE || a->of == STORE_ATTR_OF_SCOPE)
		return p;
	p.in_rest = (bits & FORM_MATCH) != 0;
	p.key_in_rest = (bits & FORM_KEY) != 0;
	p.column = find_column(source, a->key, &p.code);
	p.in_column = put_in_column(NULL, p.column, p.code, a);
	return p;
}

static bool
is_possible(const struct attr_parts *p)
{
	return p->in_column || p->in_rest || p->of_dict;
}

static void
put_without_column(struct duck_question *ask, const struct attr_parts *p, size_t i)
{
	struct buf *text = &ask->sql.text;
	bool rest = p->in_rest || (p->of_dict && p->key_in_rest);
	if (rest) {
		buf_str(text, STR("coalesce("));
		put_in_json(&ask->sql, &ask->q->attrs[i]);
		buf_str(text, STR(", "));
	}
	if (p->of_dict)
		put_of_dict(ask, i);
	else
		buf_str(text, STR("false"));
	if (rest)
		buf_char(text, ')');
}

/* Not true may be NULL. */
static void
put_condition(struct duck_question *ask, const struct attr_parts *p, size_t i)
{
	struct buf *text = &ask->sql.text;
	if (p->in_column && !p->in_rest && !p->of_dict) {
		put_in_column(&ask->sql, p->column, p->code, &ask->q->attrs[i]);
		return;
	}
	buf_char(text, '(');
	if (p->in_column) {
		put_in_column(&ask->sql, p->column, p->code, &ask->q->attrs[i]);
		buf_str(text, STR(" OR "));
	}
	if (p->column && p->column->type == SHRED_SHARED) {
		put_has_key(&ask->sql, p->column->number, p->code, false);
		buf_str(text, STR(" AND "));
	} else if (p->column) {
		buf_printf(text, "a%u IS NULL AND ", p->column->number);
	}
	put_without_column(ask, p, i);
	buf_char(text, ')');
}

static void
put_whole(struct duck_question *ask, const struct attr_parts *p, size_t i)
{
	struct buf *text = &ask->sql.text;
	if (!ask->q->attrs[i].negated) {
		put_condition(ask, p, i);
		return;
	}
	buf_str(text, STR("NOT coalesce("));
	put_condition(ask, p, i);
	buf_str(text, STR(", false)"));
}

/* Can it only be met by what is in the JSON? */
static bool
is_of_rest(const struct duck_question *ask, const struct attr_parts *p, size_t i)
{
	const struct store_attr *a = &ask->q->attrs[i];
	return !a->negated && p->in_rest && !p->column && !p->of_dict && a->key.len > 0 &&
	    !str_starts(a->key, STR("$")) && !memchr(a->key.ptr, '\n', a->key.len) &&
	    !memchr(a->key.ptr, '\0', a->key.len) && utf8_valid(a->key);
}

/* Those in the JSON, which is taken apart once for rows that have none of the keys: most have none. */
static void
put_any_of_rest(struct duck_question *ask, const struct duck_source *source, uint64_t form,
    size_t first)
{
	struct buf *text = &ask->sql.text;
	struct buf keys = {0};
	for (size_t i = first; i < ask->q->attr_count; i++) {
		struct attr_parts p = parts_of(ask, source, form, i);
		if (is_of_rest(ask, &p, i))
			buf_printf(&keys, "%s%.*s", keys.len > 0 ? "\n" : "",
			    STR_ARG(ask->q->attrs[i].key));
	}
	if (keys.len > 0) {
		buf_str(text, STR("(weir_attr_any(attributes, '"));
		duck_sql_quoted(text, buf_view(&keys));
		buf_str(text, STR("') AND ("));
	}
	for (size_t i = first; keys.len > 0 && i < ask->q->attr_count; i++) {
		struct attr_parts p = parts_of(ask, source, form, i);
		if (!is_of_rest(ask, &p, i))
			continue;
		put_whole(ask, &p, i);
		buf_str(text, STR(" OR "));
	}
	if (keys.len > 0)
		buf_str(text, STR("false)) OR "));
	ask->sql.failed = ask->sql.failed || keys.failed;
	buf_fini(&keys);
}

/* One of the alternatives, those that can be true. */
static void
put_any(struct duck_question *ask, const struct duck_source *source, uint64_t form, size_t first)
{
	struct buf *text = &ask->sql.text;
	buf_str(text, STR(" AND ("));
	for (size_t i = first; i < ask->q->attr_count; i++) {
		struct attr_parts p = parts_of(ask, source, form, i);
		if (is_of_rest(ask, &p, i))
			continue;
		if (is_possible(&p)) {
			put_whole(ask, &p, i);
			buf_str(text, STR(" OR "));
		} else if (ask->q->attrs[i].negated) {
			buf_str(text, STR("true OR "));
		}
	}
	put_any_of_rest(ask, source, form, first);
	buf_str(text, STR("false)"));
}

void
duck_where_attrs(struct duck_question *ask, const struct duck_source *source, uint64_t form)
{
	size_t all = ask->q->attr_count - ask->q->any_count;
	for (size_t i = 0; i < all; i++) {
		struct attr_parts p = parts_of(ask, source, form, i);
		if (ask->q->attrs[i].negated && !is_possible(&p))
			continue;
		buf_str(&ask->sql.text, STR(" AND "));
		put_whole(ask, &p, i);
	}
	if (ask->q->any_count > 0)
		put_any(ask, source, form, all);
}

bool
duck_where_never(const struct duck_question *ask, const struct duck_source *source, uint64_t form)
{
	size_t all = ask->q->attr_count - ask->q->any_count;
	for (size_t i = 0; i < ask->q->attr_count; i++) {
		struct attr_parts p = parts_of(ask, source, form, i);
		bool never = !ask->q->attrs[i].negated && !is_possible(&p);
		if (i < all && never)
			return true;
		if (i >= all && !never)
			return false;
	}
	return ask->q->any_count > 0;
}
