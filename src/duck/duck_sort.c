/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order in which rows are stored. Rows of a trace (a service, a series) and of about the same
 * time stand together: ids and names compress to next to nothing, and what is asked for together is in
 * few vectors. Sorting keys of our own costs a tenth of letting the database sort whole rows.
 */
#include "duck/duck_priv.h"

#include "base/hash.h"

#include <stdlib.h>

struct sort_key {
	uint64_t bucket_and; /* see key_of() */
	uint64_t then;
	uint64_t last;
	struct seal_row row;
};

static int
compare(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	if (x->bucket_and != y->bucket_and)
		return x->bucket_and < y->bucket_and ? -1 : 1;
	if (x->then != y->then)
		return x->then < y->then ? -1 : 1;
	return (x->last > y->last) - (x->last < y->last);
}

/* The upper 16 bits of bucket_and are the 10 minutes: an order that is not that of time around the
 * wrap of 450 days, which rows of one table never span. */
static struct sort_key
key_of(enum table_id id, const struct table *t, size_t row)
{
	uint64_t time = t->cols[t->def->time_col].u64[row];
	uint64_t bucket = time / (UINT64_C(1000000000) * SEAL_SORT_BUCKET_S) << 48;
	struct sort_key k = {.row = {t, (uint32_t)row}, .last = time};
	switch (id) {
	case TABLE_SPANS:
		k.bucket_and = bucket | table_u64(t, row, SPAN_TRACE_HI) >> 16;
		k.then =
		    table_u64(t, row, SPAN_TRACE_HI) << 48 | table_u64(t, row, SPAN_TRACE_LO) >> 16;
		break;
	case TABLE_LOGS:
		k.bucket_and = bucket | hash_u64(table_str(t, row, LOG_SERVICE)) >> 16;
		break;
	case TABLE_POINTS:
		k.bucket_and = bucket | hash_u64(table_str(t, row, POINT_NAME)) >> 16;
		k.then = table_u64(t, row, POINT_SERIES_ID);
		break;
	case TABLE_COMMENTS:
		k.bucket_and = bucket | table_u64(t, row, COMMENT_TRACE_HI) >> 16;
		break;
	case TABLE_RESOURCES:
	case TABLE_SCOPES:
	case TABLE_SERVICES:
	case TABLE_TRACES:
	case TABLE_BUCKETS:
	case TABLE_METRICS:
	case TABLE_SERIES:
	case TABLE_SAMPLES:
	case TABLE_DISTRIBUTIONS:
	case TABLE_COUNT: CHECK(false);
	}
	return k;
}

struct seal_row *
duck_sort(enum table_id id, const struct hot_slice *slices, size_t slice_count, size_t count)
{
	struct sort_key *keys = xcalloc(count > 0 ? count : 1, sizeof(*keys));
	struct seal_row *rows = xcalloc(count > 0 ? count : 1, sizeof(*rows));
	size_t n = 0;
	for (size_t i = 0; i < slice_count; i++)
		for (uint32_t k = 0; k < slices[i].count; k++) {
			CHECK(n < count);
			keys[n++] = key_of(id, slices[i].rows, slices[i].first + k);
		}
	CHECK(n == count);
	qsort(keys, count, sizeof(*keys), compare);
	for (size_t i = 0; i < count; i++)
		rows[i] = keys[i].row;
	free(keys);
	return rows;
}
