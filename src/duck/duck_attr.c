/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir_attr_is(attributes, key, value): does an attribute map (model/typed.h) have this value for
 * this key? weir_attr_cmp(attributes, key, operator, value): has it a number that is >=, >, <= or <
 * this decimal (duck/duck_number.h)? weir_attr_has(attributes, key): true. weir_attr_text(attributes, key): the text
 * that weir_attr_is() compares. All are NULL when there is no such key. weir_attr_any(attributes, keys): is one of these
 * there, a key a line, of at most ANY_KEYS_MAX? weir_code_cmp(text, code, operator, value) and
 * weir_code_text(text, code) are the same for a value of a shared column (duck_shred.h), NULL when it has another code,
 * weir_double_text(value) for one of a column of doubles. DuckDB's own JSON functions are not used for it: they write
 * numbers anew (so 1.50e3 is not the text it was), they need paths in which keys are quoted, and they parse all of the
 * JSON.
 *
 * This reads the text once and looks only at the keys of the outermost object; the first of equal
 * keys counts. Text that is no such object has no keys. Nothing is allocated, every step moves
 * forward, and nothing is read beyond the text.
 */
#include "duck/duck_priv.h"

#include "duck/duck_json.h"
#include "duck/duck_number.h"

#include "base/number.h"

#include <math.h>
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
	const void *data[ARGS_MAX];
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
		out[c] = duck_text_at(a->data[c], row);
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

static void
run_has(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	(void)info;
	struct args a = args_of(in);
	struct str s[ARGS_MAX] = {0}, value;
	bool *result = duckdb_vector_get_data(out);
	duckdb_vector_ensure_validity_writable(out);
	uint64_t *validity = duckdb_vector_get_validity(out);
	for (idx_t row = 0; row < duckdb_data_chunk_get_size(in); row++) {
		result[row] = args_row(&a, row, s) && find(s[0], s[1], &value);
		if (!result[row])
			duckdb_validity_set_row_invalid(validity, row);
	}
}

/* A list of keys, which is mostly the same for all rows. */
enum { ANY_KEYS_MAX = 32 };

struct any {
	struct str text;
	struct str keys[ANY_KEYS_MAX];
	size_t count;
	bool first
	    [256]; /* bytes that keys begin with, or a backslash: an escape may be any of them */
};

static void
take_keys(struct any *a, struct str text)
{
	if (a->text.ptr == text.ptr && a->text.len == text.len)
		return;
	*a = (struct any){.text = text};
	a->first['\\'] = true;
	while (text.ptr && text.len > 0 && a->count < ANY_KEYS_MAX) {
		struct str key = {text.ptr, str_find(text, '\n')};
		text = str_skip(text, key.len + 1);
		if (key.len > 0)
			a->first[(unsigned char)key.ptr[0]] = true;
		a->keys[a->count++] = key;
	}
}

static bool
has_any(const struct any *a, struct str json)
{
	struct duck_json j = duck_json_begin(json);
	struct duck_json_member m;
	while (duck_json_member(&j, &m)) {
		if (m.key.len == 0 || !a->first[(unsigned char)m.key.ptr[0]])
			continue;
		for (size_t i = 0; i < a->count; i++)
			if (duck_json_raw_is(m.key, a->keys[i]))
				return true;
	}
	return false;
}

static void
run_any(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	(void)info;
	struct args a = args_of(in);
	struct str s[ARGS_MAX] = {0};
	struct any any = {0};
	bool *result = duckdb_vector_get_data(out);
	for (idx_t row = 0; row < duckdb_data_chunk_get_size(in); row++) {
		result[row] = false;
		if (!args_row(&a, row, s))
			continue;
		take_keys(&any, s[1]);
		result[row] = has_any(&any, s[0]);
	}
}

static void
text_rows(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out,
    bool (*value_of)(struct str text, struct str key, struct str *value))
{
	struct args a = args_of(in);
	struct str s[ARGS_MAX] = {0}, value;
	struct buf text = {0};
	duckdb_vector_ensure_validity_writable(out);
	uint64_t *validity = duckdb_vector_get_validity(out);
	for (idx_t row = 0; row < duckdb_data_chunk_get_size(in); row++) {
		if (!args_row(&a, row, s) || !value_of(s[0], s[1], &value)) {
			duckdb_validity_set_row_invalid(validity, row);
			continue;
		}
		buf_reset(&text);
		duck_json_text_put(&text, value);
		if (text.failed) {
			duckdb_scalar_function_set_error(info, "no memory for the text of a value");
			break;
		}
		duckdb_unsafe_vector_assign_string_element_len(out, row, text.len ? text.ptr : "",
		    text.len);
	}
	buf_fini(&text);
}

static void
run_text(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	text_rows(info, in, out, find);
}

static void
run_code_text(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	text_rows(info, in, out, behind_code);
}

static void
run_double_text(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	(void)info;
	duckdb_vector v = duckdb_data_chunk_get_vector(in, 0);
	const double *data = duckdb_vector_get_data(v);
	uint64_t *valid = duckdb_vector_get_validity(v);
	char text[NUMBER_DOUBLE_BYTES];
	duckdb_vector_ensure_validity_writable(out);
	uint64_t *validity = duckdb_vector_get_validity(out);
	for (idx_t row = 0; row < duckdb_data_chunk_get_size(in); row++) {
		/* Others are never in a column. */
		if (duckdb_validity_row_is_valid(valid, row) && isfinite(data[row]))
			duckdb_unsafe_vector_assign_string_element_len(out, row, text,
			    number_double_text(data[row], text));
		else
			duckdb_validity_set_row_invalid(validity, row);
	}
}

static enum err_code
register_one(struct duck *d, duckdb_connection con, const struct duck_function *def,
    struct err *err)
{
	char why[64];
	enum err_code code = ERR_OK;
	duckdb_scalar_function f = duckdb_create_scalar_function();
	duckdb_logical_type arg = duckdb_create_logical_type(def->arg_type);
	duckdb_logical_type result = duckdb_create_logical_type(def->result_type);
	duckdb_scalar_function_set_name(f, def->name);
	for (int i = 0; i < def->arg_count; i++)
		duckdb_scalar_function_add_parameter(f, arg);
	duckdb_scalar_function_set_return_type(f, result);
	duckdb_scalar_function_set_special_handling(
	    f); /* of NULL, which is the function's to see */
	duckdb_scalar_function_set_function(f, def->run);
	snprintf(why, sizeof(why), "%s cannot be registered", def->name);
	if (duckdb_register_scalar_function(con, f) != DuckDBSuccess)
		code = duck_fail(d, DUCKDB_ERROR_CATALOG, why, err);
	duckdb_destroy_logical_type(&result);
	duckdb_destroy_logical_type(&arg);
	duckdb_destroy_scalar_function(&f);
	return code;
}

enum err_code
duck_functions_register(struct duck *d, duckdb_connection con, const struct duck_function *defs,
    size_t count, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < count && code == ERR_OK; i++)
		code = register_one(d, con, &defs[i], err);
	return code;
}

enum err_code
duck_attr_register(struct duck *d, duckdb_connection con, struct err *err)
{
	static const struct duck_function functions[] = {
	    {"weir_attr_is", DUCKDB_TYPE_VARCHAR, 3, DUCKDB_TYPE_BOOLEAN, run_is},
	    {"weir_attr_cmp", DUCKDB_TYPE_VARCHAR, 4, DUCKDB_TYPE_BOOLEAN, run_cmp},
	    {"weir_code_cmp", DUCKDB_TYPE_VARCHAR, 4, DUCKDB_TYPE_BOOLEAN, run_code_cmp},
	    {"weir_attr_has", DUCKDB_TYPE_VARCHAR, 2, DUCKDB_TYPE_BOOLEAN, run_has},
	    {"weir_attr_any", DUCKDB_TYPE_VARCHAR, 2, DUCKDB_TYPE_BOOLEAN, run_any},
	    {"weir_attr_text", DUCKDB_TYPE_VARCHAR, 2, DUCKDB_TYPE_VARCHAR, run_text},
	    {"weir_code_text", DUCKDB_TYPE_VARCHAR, 2, DUCKDB_TYPE_VARCHAR, run_code_text},
	    {"weir_double_text", DUCKDB_TYPE_DOUBLE, 1, DUCKDB_TYPE_VARCHAR, run_double_text},
	};
	return duck_functions_register(d, con, functions, ARRAY_LEN(functions), err);
}
