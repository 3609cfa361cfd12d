/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_pick.h"

#include "base/hash.h"
#include "duck/duck_priv.h"

#include <stdlib.h>

enum { BITS_MIN = 4 };

struct pair {
	uint64_t a, b;
	uint64_t hash; /* of a trace */
};

/* Two tables of 2^bits places each. */
struct duck_pick {
	struct duck_handle handle; /* its owner's, and one for each who looks */
	enum duck_pick_of of;
	unsigned bits;
	uint64_t *hints; /* 0: empty */
	bool has_zero; /* among the hints */
	struct pair *pairs; /* of `max` */
	uint32_t *places; /* in pairs, + 1; 0: empty */
	size_t count, max;
};

/* ---- one */

static void
free_pick(struct duck_handle *h)
{
	struct duck_pick *p = (struct duck_pick *)h;
	free(p->hints);
	free(p->pairs);
	free(p->places);
	free(p);
}

struct duck_pick *
duck_pick_begin(struct duck_handles *all, enum duck_pick_of of, size_t max)
{
	struct duck_pick *p = xcalloc(1, sizeof(*p));
	CHECK(max < UINT32_MAX);
	p->of = of;
	p->max = max;
	for (p->bits = BITS_MIN; (size_t)1 << p->bits < 2 * max; p->bits++)
		;
	p->hints = xcalloc((size_t)1 << p->bits, sizeof(*p->hints));
	p->places = xcalloc((size_t)1 << p->bits, sizeof(*p->places));
	p->pairs = xcalloc(max + 1, sizeof(*p->pairs));
	duck_handle_begin(all, &p->handle, free_pick);
	return p;
}

void
duck_pick_end(struct duck_pick *p)
{
	if (p)
		duck_handle_end(&p->handle);
}

struct duck_pick *
duck_pick_ref(struct duck_handles *all, uint64_t number)
{
	return (struct duck_pick *)duck_handle_ref(all, number);
}

void
duck_pick_unref(struct duck_pick *p)
{
	duck_handle_unref(&p->handle);
}

uint64_t
duck_pick_number(const struct duck_pick *p)
{
	return p->handle.number;
}

enum duck_pick_of
duck_pick_is_of(const struct duck_pick *p)
{
	return p->of;
}

size_t
duck_pick_count(const struct duck_pick *p)
{
	return p->count;
}

uint64_t
duck_pick_trace_hash(const struct duck_pick *p, size_t i)
{
	CHECK(p->of == DUCK_PICK_TRACES && i < p->count);
	return p->pairs[i].hash;
}

static uint64_t *
hint_slot(const struct duck_pick *p, uint64_t hint)
{
	size_t mask = ((size_t)1 << p->bits) - 1;
	size_t at = (size_t)hash_keyed_u64(hint) & mask;
	while (p->hints[at] != 0 && p->hints[at] != hint)
		at = (at + 1) & mask;
	return &p->hints[at];
}

static uint32_t *
pair_place(const struct duck_pick *p, uint64_t a, uint64_t b)
{
	size_t mask = ((size_t)1 << p->bits) - 1;
	size_t at = (size_t)hash_keyed_u128(a, b) & mask;
	while (p->places[at] != 0) {
		const struct pair *pair = &p->pairs[p->places[at] - 1];
		if (pair->a == a && pair->b == b)
			break;
		at = (at + 1) & mask;
	}
	return &p->places[at];
}

void
duck_pick_add(struct duck_pick *p, uint64_t a, uint64_t b, uint64_t hint)
{
	uint32_t *place = pair_place(p, a, b);
	if (*place == 0) {
		CHECK(p->count < p->max);
		p->pairs[p->count++] =
		    (struct pair){a, b, p->of == DUCK_PICK_TRACES ? duck_trace_hash(a, b) : 0};
		*place = (uint32_t)p->count;
	}
	if (hint == 0)
		p->has_zero = true;
	else
		*hint_slot(p, hint) = hint;
}

bool
duck_pick_has_hint(const struct duck_pick *p, uint64_t hint)
{
	return hint == 0 ? p->has_zero : *hint_slot(p, hint) == hint;
}

bool
duck_pick_has(const struct duck_pick *p, uint64_t a, uint64_t b)
{
	return *pair_place(p, a, b) != 0;
}

/* ---- as SQL */

static const uint64_t *
column(duckdb_data_chunk in, idx_t col)
{
	return duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, col));
}

/* The pick that a chunk names, in its first column; NULL: the function has failed. */
static struct duck_pick *
pick_of(duckdb_function_info info, duckdb_data_chunk in)
{
	struct duck *d = duckdb_scalar_function_get_extra_info(info);
	struct duck_pick *p = duck_pick_ref(&d->picks, column(in, 0)[0]);
	if (!p)
		duckdb_scalar_function_set_error(info,
		    "weir_picked() is weir's own: there is no such pick");
	return p;
}

static void
run_hint(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	idx_t rows = duckdb_data_chunk_get_size(in);
	bool *result = duckdb_vector_get_data(out);
	struct duck_pick *p = rows > 0 ? pick_of(info, in) : NULL;
	if (!p)
		return;
	const uint64_t *hints = column(in, 1);
	for (idx_t i = 0; i < rows; i++)
		result[i] = duck_pick_has_hint(p, hints[i]);
	duck_pick_unref(p);
}

static void
run_pair(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	idx_t rows = duckdb_data_chunk_get_size(in);
	bool *result = duckdb_vector_get_data(out);
	struct duck_pick *p = rows > 0 ? pick_of(info, in) : NULL;
	if (!p)
		return;
	const uint64_t *a = column(in, 1), *b = column(in, 2);
	for (idx_t i = 0; i < rows; i++)
		result[i] = duck_pick_has(p, a[i], b[i]);
	duck_pick_unref(p);
}

struct function {
	const char *name;
	idx_t arg_count; /* the first one is the pick */
	duckdb_scalar_function_t run;
};

static enum err_code
register_one(struct duck *d, duckdb_connection con, const struct function *def, struct err *err)
{
	duckdb_scalar_function f = duckdb_create_scalar_function();
	duckdb_logical_type result = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
	enum err_code code = ERR_OK;
	duckdb_scalar_function_set_name(f, def->name);
	for (idx_t i = 0; i < def->arg_count; i++) {
		duckdb_logical_type type =
		    duckdb_create_logical_type(i == 0 ? DUCKDB_TYPE_BIGINT : DUCKDB_TYPE_UBIGINT);
		duckdb_scalar_function_add_parameter(f, type);
		duckdb_destroy_logical_type(&type);
	}
	duckdb_scalar_function_set_return_type(f, result);
	duckdb_scalar_function_set_extra_info(f, d, NULL);
	duckdb_scalar_function_set_function(f, def->run);
	if (duckdb_register_scalar_function(con, f) != DuckDBSuccess)
		code =
		    duck_fail(d, DUCKDB_ERROR_CATALOG, "weir_picked() cannot be registered", err);
	duckdb_destroy_logical_type(&result);
	duckdb_destroy_scalar_function(&f);
	return code;
}

enum err_code
duck_pick_register(struct duck *d, duckdb_connection con, struct err *err)
{
	static const struct function functions[] = {
	    {"weir_picked", 2, run_hint}, {"weir_picked_pair", 3, run_pair}};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(functions) && code == ERR_OK; i++)
		code = register_one(d, con, &functions[i], err);
	return code;
}
