/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir_attr_is(attributes, key, value): does an attribute map (model/typed.h) have this value for
 * this key? DuckDB's own JSON functions are not used for it: they write numbers anew (so 1.50e3 is
 * not the text it was), they need paths in which keys are quoted, and they parse all of the JSON.
 *
 * This reads the text once and looks only at the keys of the outermost object; the first of equal
 * keys counts. Text that is no such object has no keys. Nothing is allocated, every step moves
 * forward, and nothing is read beyond the text.
 */
#include "duck/duck_priv.h"

#include "base/utf8.h"

/* The scan position; ptr == end at the end. */
struct scan {
	const char *ptr, *end;
};

static bool
take(struct scan *s, char c)
{
	if (s->ptr == s->end || *s->ptr != c)
		return false;
	s->ptr++;
	return true;
}

/* Over a string whose opening quote was taken; its raw inside goes to *out. */
static bool
take_string(struct scan *s, struct str *out)
{
	const char *start = s->ptr;
	while (s->ptr < s->end && *s->ptr != '"')
		s->ptr += *s->ptr == '\\' && s->end - s->ptr > 1 ? 2 : 1;
	*out = str_of(start, (size_t)(s->ptr - start));
	return take(s, '"');
}

/* Over one value, any kind; its text goes to *out. */
static bool
take_value(struct scan *s, struct str *out)
{
	const char *start = s->ptr;
	struct str ignored;
	size_t depth = 0;
	while (s->ptr < s->end) {
		char c = *s->ptr;
		if (depth == 0 && (c == ',' || c == '}'))
			break;
		s->ptr++;
		if (c == '"' && !take_string(s, &ignored))
			return false;
		if (c == '{' || c == '[')
			depth++;
		if (c == '}' || c == ']')
			depth--; /* not 0: such a c ended the loop, or is an ']' too many */
		if (depth == SIZE_MAX)
			return false;
	}
	*out = str_of(start, (size_t)(s->ptr - start));
	return out->len > 0 && depth == 0;
}

static bool
hex4(const char *p, const char *end, uint32_t *out)
{
	*out = 0;
	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
		    : c >= 'a' && c <= 'f'            ? (uint32_t)(c - 'a' + 10)
		    : c >= 'A' && c <= 'F'            ? (uint32_t)(c - 'A' + 10)
		                                      : 16;
		if (digit > 15)
			return false;
		*out = *out << 4 | digit;
	}
	return true;
}

/* The character an escape stands for, as UTF-8; 0 when it is none. s->ptr is behind the '\\'. */
static size_t
take_escape(struct scan *s, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t cp, low;
	char c = *s->ptr++;
	const char *at = c != '\0' ? strchr(from, c) : NULL;
	if (at) {
		out[0] = to[at - from];
		return 1;
	}
	if (c != 'u' || !hex4(s->ptr, s->end, &cp))
		return 0;
	s->ptr += 4;
	if (cp >= 0xD800 && cp < 0xDC00 && s->end - s->ptr >= 6 && s->ptr[0] == '\\' &&
	    s->ptr[1] == 'u' && hex4(s->ptr + 2, s->end, &low) && low >= 0xDC00 && low < 0xE000) {
		cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
		s->ptr += 6;
	}
	return cp >= 0xD800 && cp < 0xE000 ? 0 : utf8_put(cp, out);
}

/* Is the raw inside of a JSON string the text `want`? */
static bool
string_is(struct str raw, struct str want)
{
	if (raw.len < want.len)
		return false; /* an escape is never shorter than what it stands for */
	if (raw.len == 0 || !memchr(raw.ptr, '\\', raw.len))
		return str_eq(raw, want);
	struct scan s = {raw.ptr, raw.ptr + raw.len};
	while (s.ptr < s.end) {
		char bytes[4] = {*s.ptr++};
		size_t n = 1;
		if (bytes[0] == '\\')
			n = s.ptr < s.end ? take_escape(&s, bytes) : 0;
		if (n == 0 || !str_starts(want, str_of(bytes, n)))
			return false;
		want = str_skip(want, n);
	}
	return want.len == 0;
}

/* A string is its content; {"$double":"NaN"} is NaN, {"$bytes":"AQID"} is AQID; all else is its typed
 * JSON. */
static bool
value_is(struct str text, struct str want)
{
	static const struct str wrappers[] = {
	    STR_INIT("{\"$double\":\""), STR_INIT("{\"$bytes\":\"")};
	if (text.ptr[0] == '"')
		return string_is(str_of(text.ptr + 1, text.len - 2), want);
	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
		if (str_starts(text, wrappers[i]))
			return text.len == wrappers[i].len + want.len + 2 &&
			    str_starts(str_skip(text, wrappers[i].len), want);
	return str_eq(text, want);
}

enum duck_attr_match
duck_attr_is(struct str json, struct str key, struct str value)
{
	struct scan s = {json.ptr, json.ptr + json.len};
	struct str raw_key, text;
	if (json.len == 0 || !take(&s, '{'))
		return DUCK_ATTR_ABSENT;
	while (take(&s, '"') && take_string(&s, &raw_key) && take(&s, ':') &&
	    take_value(&s, &text)) {
		if (string_is(raw_key, key))
			return value_is(text, value) ? DUCK_ATTR_EQUAL : DUCK_ATTR_DIFFERENT;
		if (!take(&s, ','))
			break;
	}
	return DUCK_ATTR_ABSENT;
}

static struct str
text_at(duckdb_data_chunk chunk, idx_t col, idx_t row)
{
	duckdb_string_t *data = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, col));
	return str_of(duckdb_string_t_data(&data[row]), duckdb_string_t_length(data[row]));
}

static void
run(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	(void)info;
	enum { COLS = 3 };
	idx_t count = duckdb_data_chunk_get_size(in);
	uint64_t *valid[COLS];
	for (idx_t c = 0; c < COLS; c++)
		valid[c] = duckdb_vector_get_validity(duckdb_data_chunk_get_vector(in, c));
	bool *result = duckdb_vector_get_data(out);
	duckdb_vector_ensure_validity_writable(out);
	uint64_t *validity = duckdb_vector_get_validity(out);
	for (idx_t row = 0; row < count; row++) {
		enum duck_attr_match m = DUCK_ATTR_ABSENT;
		bool all = true;
		for (idx_t c = 0; c < COLS; c++)
			all = all && duckdb_validity_row_is_valid(valid[c], row);
		if (all)
			m = duck_attr_is(text_at(in, 0, row), text_at(in, 1, row),
			    text_at(in, 2, row));
		result[row] = m == DUCK_ATTR_EQUAL;
		if (m == DUCK_ATTR_ABSENT)
			duckdb_validity_set_row_invalid(validity, row);
	}
}

enum err_code
duck_attr_register(struct duck *d, duckdb_connection con, struct err *err)
{
	duckdb_scalar_function f = duckdb_create_scalar_function();
	duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
	duckdb_logical_type boolean = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
	duckdb_scalar_function_set_name(f, "weir_attr_is");
	for (int i = 0; i < 3; i++)
		duckdb_scalar_function_add_parameter(f, text);
	duckdb_scalar_function_set_return_type(f, boolean);
	duckdb_scalar_function_set_special_handling(f); /* NULL attributes: run() sees to it */
	duckdb_scalar_function_set_function(f, run);
	enum err_code code = ERR_OK;
	if (duckdb_register_scalar_function(con, f) != DuckDBSuccess)
		code = duck_fail(d, DUCKDB_ERROR_CATALOG, "weir_attr_is cannot be registered", err);
	duckdb_destroy_logical_type(&boolean);
	duckdb_destroy_logical_type(&text);
	duckdb_destroy_scalar_function(&f);
	return code;
}
