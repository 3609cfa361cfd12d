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

#include "duck/duck_json.h"

/* A string is its content; {"$double":"NaN"} is NaN, {"$bytes":"AQID"} is AQID; all else is its typed
 * JSON. */
static bool
value_is(struct str text, struct str want)
{
	static const struct str wrappers[] = {
	    STR_INIT("{\"$double\":\""), STR_INIT("{\"$bytes\":\"")};
	if (text.ptr[0] == '"')
		return duck_json_raw_is(str_of(text.ptr + 1, text.len - 2), want);
	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
		if (str_starts(text, wrappers[i]))
			return text.len == wrappers[i].len + want.len + 2 &&
			    str_starts(str_skip(text, wrappers[i].len), want);
	return str_eq(text, want);
}

/* The first of equal keys; false: there is none. */
static bool
find(struct str json, struct str key, struct str *value)
{
	struct duck_json j = duck_json_begin(json);
	struct duck_json_member m;
	while (duck_json_member(&j, &m)) {
		*value = m.value;
		if (duck_json_raw_is(m.key, key))
			return true;
	}
	return false;
}

enum duck_attr_match
duck_attr_is(struct str json, struct str key, struct str value)
{
	struct str text;
	if (!find(json, key, &text))
		return DUCK_ATTR_ABSENT;
	return value_is(text, value) ? DUCK_ATTR_EQUAL : DUCK_ATTR_DIFFERENT;
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
