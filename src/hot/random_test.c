/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations against a list of rows that knows nothing of parts and segments. HOT_TEST_SEED=n
 * in the environment runs another sequence.
 */
#include "hot/kit_test.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum state { ROW_HOT, ROW_TAKEN /* by the seal under way */, ROW_RETIRED /* by the last one */ };

struct row {
	uint64_t key, seq, log_bytes;
	int64_t day;
	enum state state;
};

struct model {
	struct hot *h;
	struct batch b;
	uint64_t rand;
	struct row *rows; /* in order of arrival */
	size_t count, cap;
	uint64_t seq, dict_id, generation;
	bool sealing, retired_kept;
	uint64_t retired_since; /* 0: not tidied since */
	uint64_t now;
	uint64_t checks, seals, failed, discards, busy;
};

static uint64_t
below(struct model *m, uint64_t n)
{
	return kit_rand(&m->rand) % n;
}

static enum table_id
table_of(uint64_t key)
{
	return (enum table_id)(key >> 60);
}

static void
add(struct model *m, uint64_t key, uint64_t seq, int64_t day)
{
	if (m->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 1024;
		m->rows = xrealloc(m->rows, m->cap * sizeof(*m->rows));
	}
	m->rows[m->count++] = (struct row){key, seq, 0, day, ROW_HOT};
}

/* Forget the rows in one state. */
static void
drop(struct model *m, enum state state)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->count; i++)
		if (m->rows[i].state != state)
			m->rows[kept++] = m->rows[i];
	m->count = kept;
}

static void
change(struct model *m, enum state from, enum state to)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->rows[i].state == from)
			m->rows[i].state = to;
}

/* ---- appends */

static int64_t
random_day(struct model *m)
{
	uint64_t x = below(m, 100);
	if (x < 60)
		return KIT_DAY;
	if (x < 85)
		return KIT_DAY - 1 + (int64_t)below(m, 3);
	return 100 + (int64_t)below(m, 15);
}

static void
add_request(struct model *m, uint32_t rows, int64_t day)
{
	uint64_t seq = m->seq += 1 + below(m, 3);
	batch_request_add(&m->b)->seq = seq;
	for (uint32_t i = 0; i < rows; i++) {
		enum table_id table = (enum table_id)below(m, 3);
		int64_t at = day >= 0 ? day : random_day(m);
		kit_add_row(&m->b, table, seq, i, at);
		add(m, kit_key(table, seq, i), seq, at);
	}
}

static void
hide_some(struct model *m, size_t first)
{
	for (int t = 0; t < SIGNAL_TABLES; t++) {
		size_t n = m->b.tables[t].row_count;
		m->b.hidden[t] = arena_alloc(&m->b.arena, n + 1);
		size_t row = 0, kept = first;
		for (size_t i = first; i < m->count; i++) {
			bool mine = table_of(m->rows[i].key) == (enum table_id)t;
			if (mine && (m->b.hidden[t][row++] = below(m, 3) == 0))
				continue;
			m->rows[kept++] = m->rows[i];
		}
		m->count = kept;
		assert_int_equal(row, n);
	}
}

static void
append(struct model *m)
{
	size_t first = m->count;
	bool large = below(m, 200) == 0;
	uint64_t requests = large ? 1 : below(m, 4);
	for (uint64_t r = 0; r < requests; r++)
		add_request(m, large ? 1500 : (uint32_t)below(m, 8), large ? random_day(m) : -1);
	if (requests > 0 && below(m, 4) == 0)
		hide_some(m, first);
	uint64_t dict_seq = requests > 0 ? m->b.requests[0].seq : hot_applied(m->h) + 1;
	for (uint64_t d = below(m, 6); d >= 4; d--) {
		enum table_id table = (enum table_id)(TABLE_RESOURCES + below(m, 2));
		kit_add_dict(&m->b, table, ++m->dict_id);
		add(m, kit_key(table, m->dict_id, 0), dict_seq, 0);
	}
	m->seq += requests == 0;
	for (size_t i = first; i < m->count; i++)
		m->rows[i].log_bytes = m->seq * 100;
	kit_append(m->h, &m->b, m->seq);
}

/* ---- seals */

/* Of each day the rows that arrived first, in the order they came: none that is left is older than
 * one that is taken. */
static void
assert_oldest(const struct model *m, enum table_id table)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct row *taken = &m->rows[i];
		if (taken->state != ROW_TAKEN || table_of(taken->key) != table)
			continue;
		/* Its neighbour before it in the same day is enough. */
		for (size_t j = i; j-- > 0;) {
			const struct row *older = &m->rows[j];
			if (older->state == ROW_RETIRED || table_of(older->key) != table ||
			    older->day != taken->day)
				continue;
			assert_int_equal(older->state, ROW_TAKEN);
			break;
		}
	}
}

static uint64_t
model_floor(const struct model *m, bool after_seal)
{
	uint64_t floor = m->seq;
	for (size_t i = 0; i < m->count; i++) {
		const struct row *r = &m->rows[i];
		bool gone = r->state == ROW_RETIRED || (after_seal && r->state == ROW_TAKEN);
		if (!gone && r->seq - 1 < floor)
			floor = r->seq - 1;
	}
	return floor;
}

static void
mark_taken(struct model *m, struct kit_keys *keys)
{
	kit_keys_sort(keys);
	size_t found = 0;
	for (size_t i = 0; i < m->count; i++) {
		struct row *r = &m->rows[i];
		size_t low = 0, high = keys->count;
		while (low < high) {
			size_t mid = (low + high) / 2;
			if (keys->keys[mid] < r->key)
				low = mid + 1;
			else
				high = mid;
		}
		if (low == keys->count || keys->keys[low] != r->key)
			continue;
		assert_int_equal(r->state, ROW_HOT);
		r->state = ROW_TAKEN;
		found++;
	}
	assert_int_equal(found, keys->count);
}

static void
begin_seal(struct model *m)
{
	struct hot_info info;
	struct hot_seal s;
	struct kit_keys keys = {0};
	hot_info(m->h, &info);
	const struct hot_part_info *part = &info.parts[below(m, info.part_count)];
	bool dict = hot_is_dict(part->table);
	uint64_t rows = dict ? 0 : below(m, 3) == 0 ? part->rows : below(m, part->rows + 1);
	hot_seal_begin(m->h, dict ? TABLE_STORED_COUNT : part->table, part->day, rows, &s);
	m->sealing = true;
	assert_int_equal(s.generation, m->generation + 1);
	kit_read_slices(s.slices, s.slice_count, &keys);
	assert_int_equal(keys.count, rows);
	for (size_t i = 0; i < keys.count; i++)
		assert_int_equal(table_of(keys.keys[i]), part->table);
	for (int d = 0; d < 2; d++)
		kit_read_slices(s.dict_slices[d], s.dict_slice_count[d], &keys);
	mark_taken(m, &keys);
	for (size_t i = 0; i < m->count; i++)
		if (hot_is_dict(table_of(m->rows[i].key)))
			assert_int_not_equal(m->rows[i].state, ROW_HOT);
	if (!dict)
		assert_oldest(m, part->table);
	assert_int_equal(s.floor_seq, model_floor(m, true));
	kit_keys_fini(&keys);
}

static void
end_seal(struct model *m)
{
	m->sealing = false;
	if (below(m, 4) == 0) {
		hot_seal_failed(m->h);
		change(m, ROW_TAKEN, ROW_HOT);
		m->failed++;
		return;
	}
	hot_seal_done(m->h);
	drop(m, ROW_RETIRED);
	change(m, ROW_TAKEN, ROW_RETIRED);
	m->generation++;
	m->retired_kept = true;
	m->retired_since = 0;
	m->seals++;
}

static void
discard(struct model *m)
{
	if (m->sealing || m->count == 0)
		return;
	size_t i = (size_t)below(m, m->count);
	const struct row *r = &m->rows[i];
	if (hot_is_dict(table_of(r->key)))
		return;
	hot_discard(m->h, table_of(r->key), r->seq, (uint32_t)(r->key & 0xfffff));
	if (r->state == ROW_RETIRED)
		return; /* it has left: nothing happened */
	m->count--;
	memmove(&m->rows[i], &m->rows[i + 1], (m->count - i) * sizeof(*m->rows));
	m->discards++;
}

static void
tidy(struct model *m)
{
	m->now += below(m, HOT_RETIRED_NS);
	hot_tidy(m->h, m->now);
	if (m->retired_kept && m->retired_since == 0)
		m->retired_since = m->now;
	if (!m->retired_kept || m->now - m->retired_since <= HOT_RETIRED_NS)
		return;
	m->retired_kept = false;
	drop(m, ROW_RETIRED);
}

/* ---- checks */

static void
check_view(struct model *m)
{
	uint64_t generation = m->generation + below(m, 4) - 2; /* wraps at first: nobody's */
	struct kit_keys got = {0}, want = {0};
	bool now = generation == m->generation;
	bool sealed = generation == m->generation + 1 && m->sealing;
	bool before = generation + 1 == m->generation && m->retired_kept;
	bool there = kit_read_view(m->h, generation, &got);
	assert_int_equal(there, now || sealed || before);
	for (size_t i = 0; there && i < m->count; i++) {
		enum state s = m->rows[i].state;
		if (s == ROW_HOT || (s == ROW_TAKEN && !sealed) || (s == ROW_RETIRED && before))
			kit_keys_add(&want, m->rows[i].key);
	}
	kit_assert_same(&got, &want);
	m->checks += there;
	m->busy += !there;
	kit_keys_fini(&got);
	kit_keys_fini(&want);
}

static uint64_t
log_bytes_of(const struct model *m, uint64_t seq)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->rows[i].seq == seq && m->rows[i].state != ROW_RETIRED)
			return m->rows[i].log_bytes;
	return 0;
}

static void
check_info(struct model *m)
{
	struct hot_info info;
	uint64_t rows[SIGNAL_TABLES] = {0}, in_parts = 0, all = 0;
	hot_info(m->h, &info);
	assert_int_equal(info.applied_seq, m->seq);
	assert_int_equal(info.generation, m->generation);
	assert_int_equal(info.floor_seq, model_floor(m, false));
	for (size_t i = 0; i < m->count; i++) {
		bool here = m->rows[i].state != ROW_RETIRED;
		all += here;
		if (!hot_is_dict(table_of(m->rows[i].key)))
			rows[table_of(m->rows[i].key)] += here;
	}
	for (int t = 0; t < SIGNAL_TABLES; t++)
		assert_int_equal(info.rows[t], rows[t]);
	for (size_t i = 0; i < info.part_count; i++) {
		const struct hot_part_info *part = &info.parts[i];
		in_parts += part->rows;
		assert_int_equal(part->first_seq == 0, part->rows == 0);
		assert_int_equal(part->first_log_bytes, log_bytes_of(m, part->first_seq));
	}
	assert_int_equal(in_parts, all);
}

/* Keeps the number of rows within bounds, so that the checks stay cheap. */
static void
step(struct model *m)
{
	uint64_t x = below(m, 100);
	if (x < 30 && m->count < 1000)
		append(m);
	else if (x < 60 && !m->sealing)
		begin_seal(m);
	else if (x < 90 && m->sealing)
		end_seal(m);
	else if (x < 96)
		discard(m);
	else
		tidy(m);
	if (below(m, 40) == 0)
		check_view(m);
	if (below(m, 40) == 0)
		check_info(m);
}

/* Sanitizers make each step ten times as long. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { STEPS = 10000 };
#else
enum { STEPS = 100000 };
#endif

TEST(hot, random_appends_seals_failures_and_discards_show_each_row_exactly_once)
{
	const char *seed = getenv("HOT_TEST_SEED");
	struct model m = {.h = hot_new(), .rand = seed ? strtoull(seed, NULL, 10) : 1};
	batch_init(&m.b, 0);
	for (int i = 0; i < STEPS; i++)
		step(&m);
	printf("%llu views, %llu seals, %llu failed, %llu discards, %llu busy, seq %llu\n",
	    (unsigned long long)m.checks, (unsigned long long)m.seals, (unsigned long long)m.failed,
	    (unsigned long long)m.discards, (unsigned long long)m.busy, (unsigned long long)m.seq);
	assert_true(m.checks > STEPS / 100);
	assert_true(m.seals > STEPS / 100);
	assert_true(m.busy > STEPS / 1000);
	free(m.rows);
	hot_free(m.h);
	batch_fini(&m.b);
}
