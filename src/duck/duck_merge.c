/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir_attributes(columns, rest, attribute_order, value...): the attributes of a row of a table with
 * shred columns, as they came (duck_priv.h).
 *
 * Whoever may write SQL may call it, with anything. Parts of a row that do not belong together are
 * shred_merge()'s affair; what the call as a whole gets wrong (the text of the columns, their number,
 * a type) is an error, for else a mistake in our own views would look like rows without attributes.
 *
 * `columns` is mostly a constant: it is read again only where it differs from the row before.
 */
#include "duck/duck_priv.h"

#include "duck/duck_json.h"
#include "duck/duck_shred.h"

#include <stdio.h>

enum { ARG_COLUMNS, ARG_REST, ARG_ORDER, ARG_VALUES };

#define MERGED_BYTES_MAX (UINT64_C(1) << 30)

struct arg {
	void *data;
	uint64_t *validity;
	duckdb_type type;
};

struct merger {
	duckdb_function_info info;
	idx_t value_count;
	struct arg args[ARG_VALUES + SHRED_COLUMNS];
	struct str text; /* `columns` as they were read */
	bool read;
	/* Typed ones by key, so that merging has little to sort; number: which value it is. */
	struct shred_column columns[SHRED_COLUMNS];
	struct str keys[SHRED_SHARED_KEYS]; /* of the shared ones, one column's after the other's */
	unsigned key_count;
	struct buf out;
};

static bool
refuse(const struct merger *m, const char *why, unsigned long long n)
{
	char text[160];
	snprintf(text, sizeof(text), "weir_attributes: %s%llu", why, n);
	duckdb_scalar_function_set_error(m->info, text);
	return false;
}

static bool
open_args(struct merger *m, duckdb_data_chunk in)
{
	idx_t count = duckdb_data_chunk_get_column_count(in);
	CHECK(count >= ARG_VALUES);
	m->value_count = count - ARG_VALUES;
	if (m->value_count > SHRED_COLUMNS)
		return refuse(m, "there are more values than columns can be, which is ",
		    SHRED_COLUMNS);
	for (idx_t i = 0; i < count; i++) {
		duckdb_vector v = duckdb_data_chunk_get_vector(in, i);
		duckdb_logical_type type = duckdb_vector_get_column_type(v);
		m->args[i] = (struct arg){duckdb_vector_get_data(v), duckdb_vector_get_validity(v),
		    duckdb_get_type_id(type)};
		duckdb_destroy_logical_type(&type);
	}
	return true;
}

static bool
is_null(const struct merger *m, idx_t arg, idx_t row)
{
	const struct arg *a = &m->args[arg];
	return a->type == DUCKDB_TYPE_SQLNULL || !duckdb_validity_row_is_valid(a->validity, row);
}

static struct str
text_of(const struct merger *m, idx_t arg, idx_t row)
{
	if (is_null(m, arg, row))
		return STR_EMPTY;
	return duck_text_at(m->args[arg].data, row);
}

/* ---- columns */

static bool
read_keys(struct merger *m, struct str text, struct shred_column *c)
{
	c->keys = m->keys + m->key_count;
	for (bool more = true; more; c->key_count++) {
		size_t end = str_find(text, '\t');
		struct str key = str_of(text.ptr, end);
		if (m->key_count == SHRED_SHARED_KEYS)
			return refuse(m,
			    "there are more keys than shared columns can have, which is ",
			    SHRED_SHARED_KEYS);
		if (!duck_json_raw_is_ours(key))
			return refuse(m, "this is no key of a column: number ", c->number + 1);
		m->keys[m->key_count++] = key;
		more = end < text.len;
		text = str_skip(text, end + 1);
	}
	return true;
}

static bool
read_column(struct merger *m, struct str line, unsigned number)
{
	static const duckdb_type types[] = {[SHRED_TEXT] = DUCKDB_TYPE_VARCHAR,
	    [SHRED_INT] = DUCKDB_TYPE_BIGINT,
	    [SHRED_DOUBLE] = DUCKDB_TYPE_DOUBLE,
	    [SHRED_BOOL] = DUCKDB_TYPE_BOOLEAN,
	    [SHRED_SHARED] = DUCKDB_TYPE_VARCHAR};
	size_t letter = line.len > 0 ? str_find(STR(SHRED_LETTERS), line.ptr[0]) : SHRED_TYPES;
	if (letter >= SHRED_TYPES)
		return refuse(m, "the columns are not written as they should be, at number ",
		    number + 1);
	struct shred_column c = {.number = number, .type = (enum shred_type)letter};
	duckdb_type got = m->args[ARG_VALUES + number].type;
	if (c.type != SHRED_SHARED)
		c.key = str_skip(line, 1);
	else if (!read_keys(m, str_skip(line, 1), &c))
		return false;
	if (!duck_json_raw_is_ours(c.key))
		return refuse(m, "this is no key of a column: number ", number + 1);
	if (got != types[letter] && got != DUCKDB_TYPE_SQLNULL)
		return refuse(m, "this value has another type than its column: number ",
		    number + 1);
	unsigned at = number;
	for (; at > 0 && str_cmp(m->columns[at - 1].key, c.key) > 0; at--)
		m->columns[at] = m->columns[at - 1];
	m->columns[at] = c;
	return true;
}

/* False, with the error set: they are not the columns of these values. */
static bool
read_columns(struct merger *m, struct str text)
{
	unsigned count = 0;
	if (m->read && str_eq(m->text, text))
		return true;
	m->text = text;
	m->read = true;
	m->key_count = 0;
	for (bool more = text.len > 0; more; count++) {
		size_t end = str_find(text, '\n');
		if (count == m->value_count)
			return refuse(m, "there are more columns than values, which are ", count);
		if (!read_column(m, str_of(text.ptr, end), count))
			return false;
		more = end < text.len;
		text = str_skip(text, end + 1);
	}
	return count == m->value_count ||
	    refuse(m, "there are more values than columns, which are ", count);
}

/* ---- rows */

static void
read_value(const struct merger *m, const struct shred_column *c, idx_t row, struct shred_value *out)
{
	idx_t arg = ARG_VALUES + c->number;
	out->set = !is_null(m, arg, row);
	if (!out->set)
		return;
	const void *data = m->args[arg].data;
	switch (c->type) {
	case SHRED_TEXT:
	case SHRED_SHARED: out->text = text_of(m, arg, row); return;
	case SHRED_INT: out->i64 = ((const int64_t *)data)[row]; return;
	case SHRED_DOUBLE: out->f64 = ((const double *)data)[row]; return;
	case SHRED_BOOL: out->boolean = ((const bool *)data)[row]; return;
	case SHRED_TYPES: break;
	}
	out->set = false;
}

static bool
merge_row(struct merger *m, idx_t row, duckdb_vector out, uint64_t *validity)
{
	struct shred_value values[SHRED_COLUMNS];
	bool any = !is_null(m, ARG_REST, row);
	if (is_null(m, ARG_COLUMNS, row))
		return refuse(m, "there are no columns (NULL) for the values, which are ",
		    m->value_count);
	if (!read_columns(m, text_of(m, ARG_COLUMNS, row)))
		return false;
	for (idx_t i = 0; i < m->value_count; i++) {
		read_value(m, &m->columns[i], row, &values[i]);
		any = any || values[i].set;
	}
	if (!any) {
		duckdb_validity_set_row_invalid(validity, row);
		return true;
	}
	buf_reset(&m->out);
	shred_merge(m->columns, values, m->value_count, text_of(m, ARG_REST, row),
	    text_of(m, ARG_ORDER, row), &m->out);
	if (m->out.failed)
		return refuse(m, "the attributes of a row are longer than ", MERGED_BYTES_MAX);
	duckdb_unsafe_vector_assign_string_element_len(out, row, m->out.len ? m->out.ptr : "",
	    m->out.len);
	return true;
}

static void
run(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	struct merger m = {.info = info};
	idx_t count = duckdb_data_chunk_get_size(in);
	buf_init(&m.out, MERGED_BYTES_MAX);
	duckdb_vector_ensure_validity_writable(out);
	uint64_t *validity = duckdb_vector_get_validity(out);
	bool good = open_args(&m, in);
	for (idx_t row = 0; good && row < count; row++)
		good = merge_row(&m, row, out, validity);
	buf_fini(&m.out);
}

enum err_code
duck_merge_register(struct duck *d, duckdb_connection con, struct err *err)
{
	enum err_code code = ERR_OK;
	duckdb_scalar_function f = duckdb_create_scalar_function();
	duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
	duckdb_logical_type any = duckdb_create_logical_type(DUCKDB_TYPE_ANY);
	duckdb_scalar_function_set_name(f, "weir_attributes");
	for (int i = 0; i < ARG_VALUES; i++)
		duckdb_scalar_function_add_parameter(f, text);
	duckdb_scalar_function_set_varargs(f, any);
	duckdb_scalar_function_set_return_type(f, text);
	duckdb_scalar_function_set_special_handling(f); /* of NULL: most values of a row are */
	duckdb_scalar_function_set_function(f, run);
	if (duckdb_register_scalar_function(con, f) != DuckDBSuccess)
		code =
		    duck_fail(d, DUCKDB_ERROR_CATALOG, "weir_attributes cannot be registered", err);
	duckdb_destroy_logical_type(&any);
	duckdb_destroy_logical_type(&text);
	duckdb_destroy_scalar_function(&f);
	return code;
}
