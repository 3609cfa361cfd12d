/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of cuckoo tables: only the newest is added to, all are asked. */
#include "ident/ident_priv.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIRST_BYTES = 64 * 1024,
	/* The newest table is at most this part of the whole, so that making room for one forgets
	 * about that part and not everything. */
	TABLE_PART = 4,
	TABLES_MAX = 64,
	TOGETHER = 32, /* keys whose memory is waited for together */
};

struct ident_filter {
	struct ident_cuckoo tables[TABLES_MAX]; /* the oldest first */
	size_t table_count;
	uint64_t bytes_max, table_bytes_max;
	_Atomic uint64_t bytes, count, forgotten;
};

static uint64_t
gauge(const _Atomic uint64_t *g)
{
	return atomic_load_explicit(g, memory_order_relaxed);
}

/* There is one writer. */
static void
gauge_set(_Atomic uint64_t *g, uint64_t value)
{
	atomic_store_explicit(g, value, memory_order_relaxed);
}

struct ident_filter *
ident_filter_new(uint64_t bytes_max)
{
	CHECK(bytes_max >= FIRST_BYTES);
	struct ident_filter *f = xcalloc(1, sizeof(*f));
	f->bytes_max = bytes_max;
	f->table_bytes_max = FIRST_BYTES;
	while (f->table_bytes_max <= bytes_max / TABLE_PART / 2)
		f->table_bytes_max *= 2;
	return f;
}

void
ident_filter_free(struct ident_filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->table_count; i++)
		ident_cuckoo_fini(&f->tables[i]);
	free(f);
}

static void
forget_oldest(struct ident_filter *f)
{
	struct ident_cuckoo *oldest = &f->tables[0];
	gauge_set(&f->forgotten, gauge(&f->forgotten) + oldest->count);
	gauge_set(&f->count, gauge(&f->count) - oldest->count);
	gauge_set(&f->bytes, gauge(&f->bytes) - ident_cuckoo_bytes(oldest));
	ident_cuckoo_fini(oldest);
	f->table_count--;
	memmove(&f->tables[0], &f->tables[1], f->table_count * sizeof(f->tables[0]));
}

static void
begin_table(struct ident_filter *f)
{
	uint64_t bytes = FIRST_BYTES;
	if (f->table_count > 0)
		bytes = 2 * ident_cuckoo_bytes(&f->tables[f->table_count - 1]);
	if (bytes > f->table_bytes_max)
		bytes = f->table_bytes_max;
	while (f->table_count > 0 && gauge(&f->bytes) + bytes > f->bytes_max)
		forget_oldest(f);
	CHECK(f->table_count < TABLES_MAX);
	CHECK(gauge(&f->bytes) + bytes <= f->bytes_max);
	ident_cuckoo_init(&f->tables[f->table_count++], bytes / sizeof(uint64_t));
	gauge_set(&f->bytes, gauge(&f->bytes) + bytes);
}

void
ident_filter_add(struct ident_filter *f, const struct hash128 *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (f->table_count == 0 || f->tables[f->table_count - 1].full)
			begin_table(f);
		struct ident_cuckoo *newest = &f->tables[f->table_count - 1];
		if (i % TOGETHER == 0)
			for (size_t k = i; k < count && k < i + TOGETHER; k++)
				ident_cuckoo_prefetch(newest, keys[k]);
		ident_cuckoo_add(newest, keys[i]);
		gauge_set(&f->count, gauge(&f->count) + 1);
	}
}

static void
test_together(const struct ident_cuckoo *t, const struct hash128 *keys, size_t count, bool *perhaps)
{
	for (size_t i = 0; i < count; i++)
		ident_cuckoo_prefetch(t, keys[i]);
	for (size_t i = 0; i < count; i++)
		perhaps[i] = perhaps[i] || ident_cuckoo_has(t, keys[i]);
}

void
ident_filter_test(const struct ident_filter *f, const struct hash128 *keys, size_t count,
    bool *perhaps)
{
	memset(perhaps, 0, count * sizeof(*perhaps));
	for (size_t i = 0; i < count; i += TOGETHER) {
		size_t n = count - i < TOGETHER ? count - i : TOGETHER;
		for (size_t k = f->table_count; k > 0; k--)
			test_together(&f->tables[k - 1], keys + i, n, perhaps + i);
	}
}

uint64_t
ident_filter_bytes(const struct ident_filter *f)
{
	return gauge(&f->bytes);
}

uint64_t
ident_filter_count(const struct ident_filter *f)
{
	return gauge(&f->count);
}

uint64_t
ident_filter_forgotten(const struct ident_filter *f)
{
	return gauge(&f->forgotten);
}
