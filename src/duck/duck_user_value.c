/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value of an answer as text. docs/sql.md has the table of what each type becomes.
 *
 * Integers beyond 2^53 - 1 and decimals of more than 15 digits are strings in JSON, so that no reader loses digits; times
 * are RFC 3339 with nine digits; what JSON has no number for is a string: "NaN", "Infinity", "infinity" (a time).
 */
#include "duck/duck_user_worker.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/bits.h"
#include "base/timefmt.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

enum { DEPTH_MAX = 64, EXACT_DIGITS = 15, DIGITS_MAX = 48 };

#define SAFE_MAX ((UINT64_C(1) << 53) - 1)

/* How a scalar's text stands in JSON. */
enum form { FORM_BARE, FORM_STRING, FORM_JSON };

/* ---- numbers */

static size_t
digits_of(uwide v, char out[DIGITS_MAX])
{
	char back[DIGITS_MAX];
	size_t n = 0;
	do {
		back[n++] = (char)('0' + (int)(v % 10));
		v /= 10;
	} while (v > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = back[n - 1 - i];
	return n;
}

static uwide
magnitude(wide v)
{
	return v < 0 ? (uwide)0 - (uwide)v : (uwide)v;
}

static enum form
put_integer(struct buf *out, bool negative, uwide v)
{
	char digits[DIGITS_MAX];
	if (negative)
		buf_char(out, '-');
	buf_append(out, digits, digits_of(v, digits));
	return v <= SAFE_MAX ? FORM_BARE : FORM_STRING;
}

static wide
wide_of(duckdb_hugeint h)
{
	return (wide)((uwide)(uint64_t)h.upper << 64 | h.lower);
}

static enum form
put_decimal(struct buf *out, wide v, unsigned scale)
{
	char digits[DIGITS_MAX];
	size_t n = digits_of(magnitude(v), digits);
	if (v < 0)
		buf_char(out, '-');
	if (n <= scale) {
		buf_str(out, STR("0."));
		for (size_t i = n; i < scale; i++)
			buf_char(out, '0');
		buf_append(out, digits, n);
	} else {
		buf_append(out, digits, n - scale);
		if (scale > 0)
			buf_char(out, '.');
		buf_append(out, digits + n - scale, scale);
	}
	return n <= EXACT_DIGITS ? FORM_BARE : FORM_STRING;
}

static enum form
put_double(struct buf *out, double v)
{
	char text[32];
	buf_append(out, text, json_double_text(v, text));
	return isfinite(v) ? FORM_BARE : FORM_STRING;
}

/* The fewest digits that are the same float again. */
static enum form
put_float(struct buf *out, float v)
{
	char text[40];
	if (!isfinite(v))
		return put_double(out, (double)v);
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, (double)v);
		if (strtof(text, NULL) == v)
			break;
	}
	buf_str(out, str_from(text));
	if (!strpbrk(text, ".e"))
		buf_str(out, STR(".0"));
	return FORM_BARE;
}

/* ---- times */

static void
put_date(struct buf *out, int32_t days)
{
	duckdb_date_struct d = duckdb_from_date((duckdb_date){days});
	if (d.year >= 0 && d.year <= 9999)
		buf_printf(out, "%04d-%02d-%02d", d.year, d.month, d.day);
	else
		buf_printf(out, "%+07d-%02d-%02d", d.year, d.month, d.day);
}

static bool
put_infinite(struct buf *out, bool more, bool less)
{
	if (more || less)
		buf_str(out, more ? STR("infinity") : STR("-infinity"));
	return more || less;
}

static enum form
put_date_value(struct buf *out, int32_t days)
{
	if (!put_infinite(out, days == INT32_MAX, days == -INT32_MAX))
		put_date(out, days);
	return FORM_STRING;
}

/* Of so many parts of a second since 1970. */
static enum form
put_timestamp(struct buf *out, int64_t v, int64_t per_second)
{
	if (put_infinite(out, v == INT64_MAX, v == -INT64_MAX))
		return FORM_STRING;
	int64_t seconds = v / per_second, rest = v % per_second;
	if (rest < 0) {
		rest += per_second;
		seconds--;
	}
	int64_t days = seconds / 86400, of_day = seconds % 86400;
	if (of_day < 0) {
		of_day += 86400;
		days--;
	}
	put_date(out, (int32_t)days);
	buf_printf(out, "T%02d:%02d:%02d.%09" PRId64 "Z", (int)(of_day / 3600),
	    (int)(of_day / 60 % 60), (int)(of_day % 60), rest * ((int64_t)NS_PER_S / per_second));
	return FORM_STRING;
}

static void
put_time_of_day(struct buf *out, int64_t micros)
{
	buf_printf(out, "%02d:%02d:%02d.%06d", (int)(micros / 3600000000),
	    (int)(micros / 60000000 % 60), (int)(micros / 1000000 % 60), (int)(micros % 1000000));
}

static enum form
put_time_tz(struct buf *out, duckdb_time_tz v)
{
	duckdb_time_tz_struct t = duckdb_from_time_tz(v);
	int offset = t.offset;
	buf_printf(out, "%02d:%02d:%02d.%06d", t.time.hour, t.time.min, t.time.sec, t.time.micros);
	buf_printf(out, "%c%02d:%02d", offset < 0 ? '-' : '+', abs(offset) / 3600,
	    abs(offset) / 60 % 60);
	return FORM_STRING;
}

static void
put_unit(struct buf *out, size_t before, int64_t n, const char *unit)
{
	if (n == 0)
		return;
	buf_printf(out, "%s%" PRId64 " %s%s", out->len > before ? " " : "", n, unit,
	    n == 1 || n == -1 ? "" : "s");
}

/* As DuckDB writes it: '1 year 2 months 3 days 04:05:06.7'. */
static enum form
put_interval(struct buf *out, duckdb_interval v)
{
	size_t before = out->len;
	put_unit(out, before, v.months / 12, "year");
	put_unit(out, before, v.months % 12, "month");
	put_unit(out, before, v.days, "day");
	if (v.micros == 0 && out->len > before)
		return FORM_STRING;
	uint64_t us = v.micros < 0 ? 0 - (uint64_t)v.micros : (uint64_t)v.micros;
	buf_printf(out, "%s%s%02" PRIu64 ":%02d:%02d", out->len > before ? " " : "",
	    v.micros < 0 ? "-" : "", us / UINT64_C(3600000000), (int)(us / 60000000 % 60),
	    (int)(us / 1000000 % 60));
	if (us % 1000000 != 0)
		buf_printf(out, ".%06d", (int)(us % 1000000));
	return FORM_STRING;
}

/* ---- other scalars */

static enum form
put_uuid(struct buf *out, duckdb_hugeint v)
{
	char hex[32];
	/* The highest bit is turned, so that they sort. */
	hex_u64((uint64_t)v.upper ^ UINT64_C(1) << 63, hex);
	hex_u64(v.lower, hex + 16);
	static const int parts[] = {8, 4, 4, 4, 12};
	for (size_t i = 0, at = 0; i < ARRAY_LEN(parts); at += (size_t)parts[i++]) {
		if (i > 0)
			buf_char(out, '-');
		buf_append(out, hex + at, (size_t)parts[i]);
	}
	return FORM_STRING;
}

/* The first byte says how many bits of the second are none. */
static enum form
put_bits(struct buf *out, struct str bits)
{
	size_t skip = bits.len > 0 ? (unsigned char)bits.ptr[0] : 0;
	for (size_t i = skip; bits.len > 1 && i < (bits.len - 1) * 8; i++)
		buf_char(out, (unsigned char)bits.ptr[1 + i / 8] >> (7 - i % 8) & 1 ? '1' : '0');
	return FORM_STRING;
}

static enum form
put_enum(struct buf *out, duckdb_logical_type type, const void *data, idx_t row)
{
	uint64_t at = 0;
	duckdb_type as = duckdb_enum_internal_type(type);
	if (as == DUCKDB_TYPE_UTINYINT)
		at = ((const uint8_t *)data)[row];
	else if (as == DUCKDB_TYPE_USMALLINT)
		at = ((const uint16_t *)data)[row];
	else
		at = ((const uint32_t *)data)[row];
	char *text = duckdb_enum_dictionary_value(type, at);
	buf_str(out, str_from(text));
	duckdb_free(text);
	return FORM_STRING;
}

static enum form
put_decimal_value(struct buf *out, duckdb_logical_type type, const void *data, idx_t row)
{
	wide v = 0;
	duckdb_type as = duckdb_decimal_internal_type(type);
	if (as == DUCKDB_TYPE_SMALLINT)
		v = ((const int16_t *)data)[row];
	else if (as == DUCKDB_TYPE_INTEGER)
		v = ((const int32_t *)data)[row];
	else if (as == DUCKDB_TYPE_BIGINT)
		v = ((const int64_t *)data)[row];
	else
		v = wide_of(((const duckdb_hugeint *)data)[row]);
	return put_decimal(out, v, duckdb_decimal_scale(type));
}

static bool
is_json(duckdb_logical_type type)
{
	char *alias = duckdb_logical_type_get_alias(type);
	bool json = alias && strcmp(alias, "JSON") == 0;
	duckdb_free(alias);
	return json;
}

static enum form
put_text(struct buf *out, duckdb_logical_type type, const void *data, idx_t row)
{
	buf_str(out, duck_text_at(data, row));
	return is_json(type) ? FORM_JSON : FORM_STRING;
}

#define INTEGER(kind)                                                                              \
	put_integer(out, ((const kind *)data)[row] < 0, magnitude(((const kind *)data)[row]))
#define UNSIGNED(kind) put_integer(out, false, ((const kind *)data)[row])

/* The text of a scalar; it is not NULL. */
static enum form
put_scalar(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row)
{
	const void *data = duckdb_vector_get_data(v);
	duckdb_type id = duckdb_get_type_id(type);
	if (id == DUCKDB_TYPE_BOOLEAN) {
		buf_str(out, ((const bool *)data)[row] ? STR("true") : STR("false"));
		return FORM_BARE;
	}
	if (id == DUCKDB_TYPE_TINYINT)
		return INTEGER(int8_t);
	if (id == DUCKDB_TYPE_SMALLINT)
		return INTEGER(int16_t);
	if (id == DUCKDB_TYPE_INTEGER)
		return INTEGER(int32_t);
	if (id == DUCKDB_TYPE_BIGINT)
		return INTEGER(int64_t);
	if (id == DUCKDB_TYPE_UTINYINT)
		return UNSIGNED(uint8_t);
	if (id == DUCKDB_TYPE_USMALLINT)
		return UNSIGNED(uint16_t);
	if (id == DUCKDB_TYPE_UINTEGER)
		return UNSIGNED(uint32_t);
	if (id == DUCKDB_TYPE_UBIGINT)
		return UNSIGNED(uint64_t);
	if (id == DUCKDB_TYPE_HUGEINT) {
		wide w = wide_of(((const duckdb_hugeint *)data)[row]);
		return put_integer(out, w < 0, magnitude(w));
	}
	if (id == DUCKDB_TYPE_UHUGEINT) {
		duckdb_uhugeint u = ((const duckdb_uhugeint *)data)[row];
		return put_integer(out, false, (uwide)u.upper << 64 | u.lower);
	}
	if (id == DUCKDB_TYPE_FLOAT)
		return put_float(out, ((const float *)data)[row]);
	if (id == DUCKDB_TYPE_DOUBLE)
		return put_double(out, ((const double *)data)[row]);
	if (id == DUCKDB_TYPE_DECIMAL)
		return put_decimal_value(out, type, data, row);
	if (id == DUCKDB_TYPE_VARCHAR)
		return put_text(out, type, data, row);
	if (id == DUCKDB_TYPE_BLOB) {
		base64_write(out, duck_text_at(data, row));
		return FORM_STRING;
	}
	if (id == DUCKDB_TYPE_BIT)
		return put_bits(out, duck_text_at(data, row));
	if (id == DUCKDB_TYPE_UUID)
		return put_uuid(out, ((const duckdb_hugeint *)data)[row]);
	if (id == DUCKDB_TYPE_ENUM)
		return put_enum(out, type, data, row);
	if (id == DUCKDB_TYPE_DATE)
		return put_date_value(out, ((const int32_t *)data)[row]);
	if (id == DUCKDB_TYPE_TIME) {
		put_time_of_day(out, ((const int64_t *)data)[row]);
		return FORM_STRING;
	}
	if (id == DUCKDB_TYPE_TIME_TZ)
		return put_time_tz(out, ((const duckdb_time_tz *)data)[row]);
	if (id == DUCKDB_TYPE_INTERVAL)
		return put_interval(out, ((const duckdb_interval *)data)[row]);
	int64_t per_second = id == DUCKDB_TYPE_TIMESTAMP_S ? 1
	    : id == DUCKDB_TYPE_TIMESTAMP_MS               ? 1000
	    : id == DUCKDB_TYPE_TIMESTAMP_NS               ? (int64_t)NS_PER_S
	                                                   : 1000000;
	return put_timestamp(out, ((const int64_t *)data)[row], per_second);
}

/* ---- JSON */

/* A value of type JSON: written anew, so that what is said of numbers and control characters holds for it too. */
static bool
copy_json(struct buf *out, struct str json)
{
	struct json_reader r;
	struct json_writer w;
	struct arena arena = {0};
	size_t start = out->len;
	enum json_token t;
	json_writer_init(&w, out);
	jsonr_begin(&r, json);
	while ((t = jsonr_next(&r)) != JSON_END && t != JSON_ERROR) {
		uint64_t ignored;
		struct str digits = r.raw;
		switch (t) {
		case JSON_OBJECT: jsonw_object(&w); break;
		case JSON_OBJECT_END: jsonw_object_end(&w); break;
		case JSON_ARRAY: jsonw_array(&w); break;
		case JSON_ARRAY_END: jsonw_array_end(&w); break;
		case JSON_KEY: jsonw_key_str(&w, jsonr_string(&r, &arena)); break;
		case JSON_STRING: jsonw_str(&w, jsonr_string(&r, &arena)); break;
		case JSON_NUMBER:
			digits = str_starts(digits, STR("-")) ? str_skip(digits, 1) : digits;
			bool safe = digits.len < 16 ||
			    (str_to_u64(digits, &ignored) && ignored <= SAFE_MAX) ||
			    memchr(digits.ptr, '.', digits.len) ||
			    memchr(digits.ptr, 'e', digits.len) ||
			    memchr(digits.ptr, 'E', digits.len);
			if (safe)
				jsonw_raw(&w, r.raw);
			else
				jsonw_str(&w, r.raw);
			break;
		case JSON_TRUE: jsonw_bool(&w, true); break;
		case JSON_FALSE: jsonw_bool(&w, false); break;
		case JSON_NULL: jsonw_null(&w); break;
		case JSON_END:
		case JSON_ERROR: break;
		}
	}
	arena_fini(&arena);
	if (t == JSON_ERROR)
		out->len = start;
	return t != JSON_ERROR;
}

static void
put_quoted(struct buf *out, struct str text)
{
	struct json_writer w;
	json_writer_init(&w, out);
	jsonw_str(&w, text);
}

static void put_value(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row,
    int depth);

static void
put_items(struct buf *out, duckdb_logical_type item, duckdb_vector items, idx_t first, idx_t count,
    int depth)
{
	buf_char(out, '[');
	for (idx_t i = 0; i < count; i++) {
		if (i > 0)
			buf_char(out, ',');
		put_value(out, item, items, first + i, depth);
	}
	buf_char(out, ']');
}

static void
put_list(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row, int depth)
{
	duckdb_list_entry e = ((const duckdb_list_entry *)duckdb_vector_get_data(v))[row];
	duckdb_logical_type item = duckdb_list_type_child_type(type);
	put_items(out, item, duckdb_list_vector_get_child(v), e.offset, e.length, depth);
	duckdb_destroy_logical_type(&item);
}

static void
put_array(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row, int depth)
{
	idx_t size = duckdb_array_type_array_size(type);
	duckdb_logical_type item = duckdb_array_type_child_type(type);
	put_items(out, item, duckdb_array_vector_get_child(v), row * size, size, depth);
	duckdb_destroy_logical_type(&item);
}

/* Without names (row(1, 2)) it is an array. */
static void
put_struct(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row, int depth)
{
	idx_t count = duckdb_struct_type_child_count(type);
	char *first = count > 0 ? duckdb_struct_type_child_name(type, 0) : NULL;
	bool named = count == 0 || (first && first[0]);
	duckdb_free(first);
	buf_char(out, named ? '{' : '[');
	for (idx_t i = 0; i < count; i++) {
		duckdb_logical_type child = duckdb_struct_type_child_type(type, i);
		char *name = duckdb_struct_type_child_name(type, i);
		if (i > 0)
			buf_char(out, ',');
		if (named) {
			put_quoted(out, str_from(name));
			buf_char(out, ':');
		}
		put_value(out, child, duckdb_struct_vector_get_child(v, i), row, depth);
		duckdb_free(name);
		duckdb_destroy_logical_type(&child);
	}
	buf_char(out, named ? '}' : ']');
}

/* Its keys are different: an object, whose keys are their text. */
static void
put_map(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row, int depth)
{
	duckdb_list_entry e = ((const duckdb_list_entry *)duckdb_vector_get_data(v))[row];
	duckdb_vector entries = duckdb_list_vector_get_child(v);
	duckdb_logical_type key = duckdb_map_type_key_type(type);
	duckdb_logical_type value = duckdb_map_type_value_type(type);
	buf_char(out, '{');
	for (idx_t i = 0; i < e.length; i++) {
		struct buf text = {0};
		if (i > 0)
			buf_char(out, ',');
		worker_put_csv(&text, key, duckdb_struct_vector_get_child(entries, 0),
		    e.offset + i);
		put_quoted(out, buf_view(&text));
		buf_char(out, ':');
		put_value(out, value, duckdb_struct_vector_get_child(entries, 1), e.offset + i,
		    depth);
		buf_fini(&text);
	}
	buf_char(out, '}');
	duckdb_destroy_logical_type(&key);
	duckdb_destroy_logical_type(&value);
}

/* The value that it has, whichever member that is. */
static void
put_union(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row, int depth)
{
	duckdb_vector tags = duckdb_struct_vector_get_child(v, 0);
	uint8_t tag = ((const uint8_t *)duckdb_vector_get_data(tags))[row];
	duckdb_logical_type member = duckdb_union_type_member_type(type, tag);
	put_value(out, member, duckdb_struct_vector_get_child(v, (idx_t)tag + 1), row, depth);
	duckdb_destroy_logical_type(&member);
}

static void
put_scalar_json(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row)
{
	struct buf text = {0};
	enum form form = put_scalar(&text, type, v, row);
	if (form == FORM_BARE)
		buf_str(out, buf_view(&text));
	else if (form == FORM_STRING || !copy_json(out, buf_view(&text)))
		put_quoted(out, buf_view(&text));
	buf_fini(&text);
}

static void
put_value(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row, int depth)
{
	duckdb_type id = duckdb_get_type_id(type);
	if (id == DUCKDB_TYPE_SQLNULL || depth > DEPTH_MAX ||
	    !duckdb_validity_row_is_valid(duckdb_vector_get_validity(v), row))
		buf_str(out, STR("null"));
	else if (id == DUCKDB_TYPE_LIST)
		put_list(out, type, v, row, depth + 1);
	else if (id == DUCKDB_TYPE_ARRAY)
		put_array(out, type, v, row, depth + 1);
	else if (id == DUCKDB_TYPE_STRUCT)
		put_struct(out, type, v, row, depth + 1);
	else if (id == DUCKDB_TYPE_MAP)
		put_map(out, type, v, row, depth + 1);
	else if (id == DUCKDB_TYPE_UNION)
		put_union(out, type, v, row, depth + 1);
	else
		put_scalar_json(out, type, v, row);
}

void
worker_put_json(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row)
{
	put_value(out, type, v, row, 0);
}

static bool
is_nested(duckdb_type id)
{
	return id == DUCKDB_TYPE_LIST || id == DUCKDB_TYPE_ARRAY || id == DUCKDB_TYPE_STRUCT ||
	    id == DUCKDB_TYPE_MAP || id == DUCKDB_TYPE_UNION;
}

void
worker_put_csv(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row)
{
	duckdb_type id = duckdb_get_type_id(type);
	if (id == DUCKDB_TYPE_SQLNULL ||
	    !duckdb_validity_row_is_valid(duckdb_vector_get_validity(v), row))
		return;
	if (is_nested(id))
		put_value(out, type, v, row, 0);
	else
		(void)put_scalar(out, type, v, row);
}

/* ---- types */

struct type_name {
	duckdb_type id;
	const char *name;
};

static const struct type_name type_names[] = {
    {DUCKDB_TYPE_BOOLEAN, "BOOLEAN"},
    {DUCKDB_TYPE_TINYINT, "TINYINT"},
    {DUCKDB_TYPE_SMALLINT, "SMALLINT"},
    {DUCKDB_TYPE_INTEGER, "INTEGER"},
    {DUCKDB_TYPE_BIGINT, "BIGINT"},
    {DUCKDB_TYPE_UTINYINT, "UTINYINT"},
    {DUCKDB_TYPE_USMALLINT, "USMALLINT"},
    {DUCKDB_TYPE_UINTEGER, "UINTEGER"},
    {DUCKDB_TYPE_UBIGINT, "UBIGINT"},
    {DUCKDB_TYPE_HUGEINT, "HUGEINT"},
    {DUCKDB_TYPE_UHUGEINT, "UHUGEINT"},
    {DUCKDB_TYPE_FLOAT, "FLOAT"},
    {DUCKDB_TYPE_DOUBLE, "DOUBLE"},
    {DUCKDB_TYPE_VARCHAR, "VARCHAR"},
    {DUCKDB_TYPE_BLOB, "BLOB"},
    {DUCKDB_TYPE_BIT, "BIT"},
    {DUCKDB_TYPE_UUID, "UUID"},
    {DUCKDB_TYPE_ENUM, "ENUM"},
    {DUCKDB_TYPE_DATE, "DATE"},
    {DUCKDB_TYPE_TIME, "TIME"},
    {DUCKDB_TYPE_TIME_TZ, "TIME WITH TIME ZONE"},
    {DUCKDB_TYPE_TIMESTAMP, "TIMESTAMP"},
    {DUCKDB_TYPE_TIMESTAMP_S, "TIMESTAMP_S"},
    {DUCKDB_TYPE_TIMESTAMP_MS, "TIMESTAMP_MS"},
    {DUCKDB_TYPE_TIMESTAMP_NS, "TIMESTAMP_NS"},
    {DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE"},
    {DUCKDB_TYPE_INTERVAL, "INTERVAL"},
    {DUCKDB_TYPE_SQLNULL, "NULL"},
};

static const char *
scalar_name(duckdb_type id)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
		if (type_names[i].id == id)
			return type_names[i].name;
	return NULL;
}

static void
put_member_types(struct buf *out, duckdb_logical_type type, bool is_union)
{
	idx_t count =
	    is_union ? duckdb_union_type_member_count(type) : duckdb_struct_type_child_count(type);
	buf_char(out, '(');
	for (idx_t i = 0; i < count; i++) {
		char *name = is_union ? duckdb_union_type_member_name(type, i)
		                      : duckdb_struct_type_child_name(type, i);
		duckdb_logical_type child = is_union ? duckdb_union_type_member_type(type, i)
		                                     : duckdb_struct_type_child_type(type, i);
		buf_printf(out, "%s%s%s", i > 0 ? ", " : "", name, name[0] ? " " : "");
		worker_put_type(out, child);
		duckdb_free(name);
		duckdb_destroy_logical_type(&child);
	}
	buf_char(out, ')');
}

static void
put_child_type(struct buf *out, duckdb_logical_type child)
{
	worker_put_type(out, child);
	duckdb_destroy_logical_type(&child);
}

void
worker_put_type(struct buf *out, duckdb_logical_type type)
{
	duckdb_type id = duckdb_get_type_id(type);
	const char *scalar = scalar_name(id);
	if (id == DUCKDB_TYPE_VARCHAR && is_json(type)) {
		buf_str(out, STR("JSON"));
	} else if (scalar) {
		buf_str(out, str_from(scalar));
	} else if (id == DUCKDB_TYPE_DECIMAL) {
		buf_printf(out, "DECIMAL(%u,%u)", duckdb_decimal_width(type),
		    duckdb_decimal_scale(type));
	} else if (id == DUCKDB_TYPE_LIST) {
		put_child_type(out, duckdb_list_type_child_type(type));
		buf_str(out, STR("[]"));
	} else if (id == DUCKDB_TYPE_ARRAY) {
		put_child_type(out, duckdb_array_type_child_type(type));
		buf_printf(out, "[%" PRIu64 "]", (uint64_t)duckdb_array_type_array_size(type));
	} else if (id == DUCKDB_TYPE_MAP) {
		buf_str(out, STR("MAP("));
		put_child_type(out, duckdb_map_type_key_type(type));
		buf_str(out, STR(", "));
		put_child_type(out, duckdb_map_type_value_type(type));
		buf_char(out, ')');
	} else if (id == DUCKDB_TYPE_STRUCT || id == DUCKDB_TYPE_UNION) {
		buf_str(out, id == DUCKDB_TYPE_STRUCT ? STR("STRUCT") : STR("UNION"));
		put_member_types(out, type, id == DUCKDB_TYPE_UNION);
	} else {
		buf_str(out, STR("another type"));
	}
}

static bool
all_known(duckdb_logical_type child)
{
	bool known = worker_knows_type(child);
	duckdb_destroy_logical_type(&child);
	return known;
}

bool
worker_knows_type(duckdb_logical_type type)
{
	duckdb_type id = duckdb_get_type_id(type);
	bool known = true;
	if (id == DUCKDB_TYPE_LIST)
		return all_known(duckdb_list_type_child_type(type));
	if (id == DUCKDB_TYPE_ARRAY)
		return all_known(duckdb_array_type_child_type(type));
	if (id == DUCKDB_TYPE_MAP)
		return all_known(duckdb_map_type_key_type(type)) &&
		    all_known(duckdb_map_type_value_type(type));
	if (id == DUCKDB_TYPE_STRUCT) {
		for (idx_t i = 0; i < duckdb_struct_type_child_count(type) && known; i++)
			known = all_known(duckdb_struct_type_child_type(type, i));
		return known;
	}
	if (id == DUCKDB_TYPE_UNION) {
		for (idx_t i = 0; i < duckdb_union_type_member_count(type) && known; i++)
			known = all_known(duckdb_union_type_member_type(type, i));
		return known;
	}
	return id == DUCKDB_TYPE_DECIMAL || scalar_name(id) != NULL;
}
