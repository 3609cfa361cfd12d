/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir_attr_is(attributes, key, value): does an attribute map (model/typed.h) have this value for
 * this key? weir_attr_cmp(attributes, key, operator, value): has it a number that is >=, >, <= or <
 * this decimal (duck/duck_number.h)? Both are NULL when there is no such key. weir_code_cmp(text, code,
 * operator, value) is the same for a value of a shared column (duck_shred.h), NULL when it has another code. DuckDB's own JSON functions are not used for it: they write numbers anew (so 1.50e3 is
 * not the text it was), they need paths in which keys are quoted, and they parse all of the JSON.
 *
 * This reads the text once and looks only at the keys of the outermost object; the first of equal
 * keys counts. Text that is no such object has no keys. Nothing is allocated, every step moves
 * forward, and nothing is read beyond the text.
 */
#include "duck/duck_priv.h"

#include "duck/duck_json.h"
#include "duck/duck_number.h"

#include <stdio.h>

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

/* Most rows of a search have no such key, and without a backslash that is seen without taking the
 * text apart: a third of the time. */
static bool
cannot_have(struct str json, struct str key)
{
	return json.len > 0 && key.len > 0 && !memchr(json.ptr, '\\', json.len) &&
	    !memmem(json.ptr, json.len, key.ptr, key.len);
}

/* The first of equal keys; false: there is none. */
static bool
find(struct str json, struct str key, struct str *value)
{
	struct duck_json j = duck_json_begin(json);
	struct duck_json_member m;
	if (cannot_have(json, key))
		return false;
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

/* ---- SQL */

enum { ARGS_MAX = 4 };

/* The VARCHAR vectors of a call. */
struct args {
	duckdb_string_t *data[ARGS_MAX];
	uint64_t *validity[ARGS_MAX];
	idx_t count;
};

static struct args
args_of(duckdb_data_chunk in)
{
	struct args a = {.count = duckdb_data_chunk_get_column_count(in)};
	CHECK(a.count <= ARGS_MAX);
	for (idx_t c = 0; c < a.count; c++) {
		duckdb_vector v = duckdb_data_chunk_get_vector(in, c);
		a.data[c] = duckdb_vector_get_data(v);
		a.validity[c] = duckdb_vector_get_validity(v);
	}
	return a;
}

/* False when one of them is NULL. */
static bool
args_row(const struct args *a, idx_t row, struct str out[ARGS_MAX])
{
	for (idx_t c = 0; c < a->count; c++) {
		if (!duckdb_validity_row_is_valid(a->validity[c], row))
			return false;
		duckdb_string_t *s = &a->data[c][row];
		out[c] = str_of(duckdb_string_t_data(s), duckdb_string_t_length(*s));
	}
	return true;
}

static void
run_is(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	(void)info;
	idx_t count = duckdb_data_chunk_get_size(in);
	struct args a = args_of(in);
	struct str s[ARGS_MAX] = {0};
	bool *result = duckdb_vector_get_data(out);
	duckdb_vector_ensure_validity_writable(out);
	uint64_t *validity = duckdb_vector_get_validity(out);
	for (idx_t row = 0; row < count; row++) {
		enum duck_attr_match m = DUCK_ATTR_ABSENT;
		if (args_row(&a, row, s))
			m = duck_attr_is(s[0], s[1], s[2]);
		result[row] = m == DUCK_ATTR_EQUAL;
		if (m == DUCK_ATTR_ABSENT)
			duckdb_validity_set_row_invalid(validity, row);
	}
}

/* What is asked for, which is mostly the same for all rows. */
struct asked {
	struct str op, value;
	unsigned orders; /* which answer true: bits 1 << (1 + enum duck_order) */
	struct duck_decimal decimal;
};

enum { BIT_LESS = 1, BIT_EQUAL = 2, BIT_GREATER = 4 };

/* False when the operator is none. */
static bool
ask(struct asked *a, struct str op, struct str value)
{
	static const struct {
		struct str op;
		unsigned orders;
	} ops[] = {
	    {STR_INIT(">="), BIT_GREATER | BIT_EQUAL},
	    {STR_INIT(">"), BIT_GREATER},
	    {STR_INIT("<="), BIT_LESS | BIT_EQUAL},
	    {STR_INIT("<"), BIT_LESS},
	};
	if (a->op.ptr && str_eq(a->op, op) && str_eq(a->value, value))
		return true;
	*a = (struct asked){.op = op, .value = value};
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_eq(ops[i].op, op))
			a->orders = ops[i].orders;
	if (a->orders == 0)
		return false;
	if (!duck_decimal_parse(value, &a->decimal))
		a->orders = 0; /* no number is beside it */
	return true;
}

/* The text behind a code; false: it begins with another one. */
static bool
behind_code(struct str text, struct str code, struct str *value)
{
	*value = str_skip(text, code.len);
	return str_starts(text, code) && value->len > 0;
}

static void
compare_rows(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out,
    bool (*number_of)(struct str text, struct str key, struct str *value))
{
	idx_t count = duckdb_data_chunk_get_size(in);
	struct args a = args_of(in);
	struct asked asked = {0};
	struct str s[ARGS_MAX] = {0}, number;
	bool *result = duckdb_vector_get_data(out);
	duckdb_vector_ensure_validity_writable(out);
	uint64_t *validity = duckdb_vector_get_validity(out);
	for (idx_t row = 0; row < count; row++) {
		bool there = args_row(&a, row, s);
		if (there && !ask(&asked, s[2], s[3])) {
			duckdb_scalar_function_set_error(info,
			    "weir_attr_cmp, weir_code_cmp: the operator is none of >=, >, <=, <");
			return;
		}
		there = there && number_of(s[0], s[1], &number);
		if (!there)
			duckdb_validity_set_row_invalid(validity, row);
		enum duck_order order =
		    there ? duck_number_cmp(number, &asked.decimal) : DUCK_NO_NUMBER;
		result[row] = order != DUCK_NO_NUMBER && asked.orders >> (order + 1) & 1;
	}
}

static void
run_cmp(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	compare_rows(info, in, out, find);
}

static void
run_code_cmp(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	compare_rows(info, in, out, behind_code);
}

static enum err_code
add_function(struct duck *d, duckdb_connection con, const char *name, int arg_count,
    duckdb_scalar_function_t run, struct err *err)
{
	char why[64];
	enum err_code code = ERR_OK;
	duckdb_scalar_function f = duckdb_create_scalar_function();
	duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
	duckdb_logical_type boolean = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
	duckdb_scalar_function_set_name(f, name);
	for (int i = 0; i < arg_count; i++)
		duckdb_scalar_function_add_parameter(f, text);
	duckdb_scalar_function_set_return_type(f, boolean);
	duckdb_scalar_function_set_special_handling(f); /* NULL attributes: args_row() sees to it */
	duckdb_scalar_function_set_function(f, run);
	snprintf(why, sizeof(why), "%s cannot be registered", name);
	if (duckdb_register_scalar_function(con, f) != DuckDBSuccess)
		code = duck_fail(d, DUCKDB_ERROR_CATALOG, why, err);
	duckdb_destroy_logical_type(&boolean);
	duckdb_destroy_logical_type(&text);
	duckdb_destroy_scalar_function(&f);
	return code;
}

enum err_code
duck_attr_register(struct duck *d, duckdb_connection con, struct err *err)
{
	enum err_code code = add_function(d, con, "weir_attr_is", 3, run_is, err);
	if (code == ERR_OK)
		code = add_function(d, con, "weir_attr_cmp", 4, run_cmp, err);
	if (code == ERR_OK)
		code = add_function(d, con, "weir_code_cmp", 4, run_code_cmp, err);
	return code;
}
