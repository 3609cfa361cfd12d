/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One appender, one sealer and readers at once. What the sealer takes it writes to a list of "files"
 * and commits there, as a store does, before it says that it is done; a reader takes the generation
 * of the files first, then the view, and must then see exactly the rows of every batch up to the
 * one applied: from the files those up to its generation, from the view the rest.
 */
#include "hot/kit_test.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	BATCHES = 600,
	REQUEST_ROWS = 12, /* of each signal, at most */
	FILE_ROWS = BATCHES * REQUEST_ROWS * (SIGNAL_TABLES + 1),
	READERS = 3,
};

struct stage {
	struct hot *h;
	struct mutex lock; /* of the files */
	uint64_t *file_keys; /* committed, in order of commits */
	size_t file_count;
	size_t *count_at; /* file_count after this generation */
	size_t generations_max;
	uint64_t generation;
	/* Failures are counted here: an assertion belongs to the test's own thread. */
	atomic_uint wrong;
	atomic_bool appended, stop;
	atomic_ulong views, busy;
};

/* What batch `seq` has: rows of table t with ord 0 .. count - 1; an empty one now and then. */
static uint32_t
rows_of(uint64_t seq, int t)
{
	return (uint32_t)(kit_mix(seq, (uint64_t)t) % (REQUEST_ROWS + 1));
}

static int64_t
day_of(uint64_t seq, int t, uint32_t ord)
{
	uint64_t x = kit_mix(seq * 31 + (uint64_t)t, ord) % 10;
	return x < 7 ? KIT_DAY : x < 9 ? KIT_DAY - 1 : 50 + (int64_t)(seq % 20);
}

static void
run_appender(void *ctx)
{
	struct stage *s = ctx;
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= BATCHES; seq++) {
		for (int t = 0; t < SIGNAL_TABLES; t++)
			for (uint32_t i = 0; i < rows_of(seq, t); i++)
				kit_add_row(&b, (enum table_id)t, seq, i, day_of(seq, t, i));
		kit_add_dict(&b, TABLE_RESOURCES, seq);
		kit_append(s->h, &b, seq);
		if (seq % 8 == 0)
			clock_sleep_ns(1000 * 1000);
	}
	batch_fini(&b);
	atomic_store(&s->appended, true);
}

static void
write_file(struct stage *s, const struct hot_slice *slices, size_t count)
{
	struct kit_keys keys = {0};
	kit_read_slices(slices, count, &keys);
	for (size_t i = 0; i < keys.count; i++)
		s->file_keys[s->file_count++] = keys.keys[i];
	kit_keys_fini(&keys);
}

static void
seal_one(struct stage *s, const struct hot_part_info *part, uint64_t *rand)
{
	struct hot_seal seal;
	bool dict = hot_is_dict(part->table);
	uint64_t rows = dict ? 0 : 1 + kit_rand(rand) % part->rows;
	hot_seal_begin(s->h, dict ? TABLE_STORED_COUNT : part->table, part->day, rows, &seal);
	if (kit_rand(rand) % 5 == 0) {
		hot_seal_failed(s->h);
		return;
	}
	mutex_lock(&s->lock);
	write_file(s, seal.slices, seal.slice_count);
	for (int d = 0; d < 2; d++)
		write_file(s, seal.dict_slices[d], seal.dict_slice_count[d]);
	if (seal.generation != s->generation + 1 || seal.generation >= s->generations_max)
		atomic_fetch_add(&s->wrong, 1);
	s->generation = seal.generation;
	s->count_at[s->generation] = s->file_count;
	mutex_unlock(&s->lock);
	/* Committed there and not yet here: readers come in between. */
	if (kit_rand(rand) % 3 == 0)
		clock_sleep_ns(300 * 1000);
	hot_seal_done(s->h);
}

static void
run_sealer(void *ctx)
{
	struct stage *s = ctx;
	uint64_t rand = 5;
	struct hot_info info;
	for (bool last = false;;) {
		uint64_t left = 0;
		bool appended = atomic_load(&s->appended);
		hot_info(s->h, &info);
		size_t first = (size_t)(kit_rand(&rand) % info.part_count);
		for (size_t i = 0; i < info.part_count; i++)
			left += info.parts[i].rows;
		size_t i = first;
		while (left > 0 && info.parts[i].rows == 0)
			i = (i + 1) % info.part_count;
		if (left > 0)
			seal_one(s, &info.parts[i], &rand);
		if (left == 0 && appended && last)
			break;
		last = left == 0 && appended;
		hot_tidy(s->h, clock_mono_ns());
		clock_sleep_ns(200 * 1000);
	}
	atomic_store(&s->stop, true);
}

static void
add_view(const struct hot_view *v, struct kit_keys *out)
{
	for (size_t i = 0; i < v->part_count; i++)
		kit_read_slices(v->parts[i].slices, v->parts[i].slice_count, out);
}

/* The exact set: all rows of all batches up to the applied one. */
static bool
is_exact(struct kit_keys *got, uint64_t applied)
{
	struct kit_keys want = {0};
	for (uint64_t seq = 1; seq <= applied; seq++) {
		for (int t = 0; t < SIGNAL_TABLES; t++)
			for (uint32_t i = 0; i < rows_of(seq, t); i++)
				kit_keys_add(&want, kit_key((enum table_id)t, seq, i));
		kit_keys_add(&want, kit_key(TABLE_RESOURCES, seq, 0));
	}
	kit_keys_sort(got);
	kit_keys_sort(&want);
	bool same = got->count == want.count &&
	    (got->count == 0 || memcmp(got->keys, want.keys, got->count * sizeof(*got->keys)) == 0);
	kit_keys_fini(&want);
	return same;
}

static void
read_once(struct stage *s, uint64_t number)
{
	struct kit_keys got = {0};
	struct hot_view *v;
	uint64_t least = hot_applied(s->h);
	mutex_lock(&s->lock);
	uint64_t generation = s->generation;
	for (size_t i = 0; i < s->count_at[generation]; i++)
		kit_keys_add(&got, s->file_keys[i]);
	mutex_unlock(&s->lock);
	if (number % 4 == 0)
		clock_sleep_ns(500 * 1000); /* slow: seals end meanwhile */
	if (hot_view_take(s->h, generation, &v, NULL) != ERR_OK) {
		atomic_fetch_add(&s->busy, 1);
		kit_keys_fini(&got);
		return;
	}
	if (v->applied_seq < least)
		atomic_fetch_add(&s->wrong, 1);
	uint64_t applied = v->applied_seq;
	add_view(v, &got);
	hot_view_free(v);
	if (!is_exact(&got, applied))
		atomic_fetch_add(&s->wrong, 1);
	atomic_fetch_add(&s->views, 1);
	kit_keys_fini(&got);
}

static void
run_reader(void *ctx)
{
	struct stage *s = ctx;
	for (uint64_t n = 0; !atomic_load(&s->stop); n++)
		read_once(s, n);
	read_once(s, 1);
}

TEST(hot, readers_see_whole_batches_exactly_once_while_rows_come_and_are_sealed)
{
	struct stage s = {.h = hot_new(), .generations_max = FILE_ROWS + 1};
	struct thread threads[2 + READERS] = {0};
	struct err err;
	mutex_init(&s.lock);
	s.file_keys = xcalloc(FILE_ROWS, sizeof(*s.file_keys));
	s.count_at = xcalloc(s.generations_max, sizeof(*s.count_at));
	assert_int_equal(thread_start(&threads[0], "append", run_appender, &s, &err), ERR_OK);
	assert_int_equal(thread_start(&threads[1], "seal", run_sealer, &s, &err), ERR_OK);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(thread_start(&threads[2 + i], "read", run_reader, &s, &err),
		    ERR_OK);
	for (int i = 0; i < 2 + READERS; i++)
		thread_join(&threads[i]);
	printf("%lu views, %lu busy, %llu seals\n", atomic_load(&s.views), atomic_load(&s.busy),
	    (unsigned long long)s.generation);
	assert_int_equal(atomic_load(&s.wrong), 0);
	assert_true(atomic_load(&s.views) >= READERS);
	assert_int_equal(s.count_at[s.generation], s.file_count);
	struct kit_keys all = {0};
	for (size_t i = 0; i < s.file_count; i++)
		kit_keys_add(&all, s.file_keys[i]);
	assert_true(is_exact(&all, BATCHES));
	kit_keys_fini(&all);
	mutex_fini(&s.lock);
	free(s.file_keys);
	free(s.count_at);
	hot_free(s.h);
}
