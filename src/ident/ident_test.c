/* SPDX-License-Identifier: Apache-2.0 */
#include "ident/ident_priv.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

struct rng {
	uint64_t state;
};

static uint64_t
next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* The n-th of the keys of a kind; kinds share none. */
static struct hash128
key_of(uint64_t kind, uint64_t n)
{
	struct rng r = {kind << 40 | n};
	uint64_t hi = next(&r);
	return (struct hash128){.hi = hi, .lo = next(&r)};
}

static bool
same(struct hash128 a, struct hash128 b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

/* ---- spans */

TEST(ident, span_identity_depends_on_every_part_of_it)
{
	char long_tenant[1000];
	memset(long_tenant, 'a', sizeof(long_tenant));
	/* "b" and what follows it could be the first number, were the tenant's length not in it. */
	uint64_t b_first = 'b';
	struct hash128 h[] = {
	    ident_span(STR("a"), 1, 2, 3),
	    ident_span(STR("a"), 2, 1, 3),
	    ident_span(STR("a"), 1, 3, 2),
	    ident_span(STR("a"), 1, 2, 4),
	    ident_span(STR("b"), 1, 2, 3),
	    ident_span(STR("ab"), 1, 2, 3),
	    ident_span(STR("a"), b_first, 2, 3),
	    ident_span(STR("a\0"), 1, 2, 3),
	    ident_span(STR_EMPTY, 1, 2, 3),
	    ident_span(STR(""), 0, 0, 0),
	    ident_span(str_of(long_tenant, 1000), 1, 2, 3),
	    ident_span(str_of(long_tenant, 999), 1, 2, 3),
	};
	for (size_t i = 0; i < ARRAY_LEN(h); i++)
		for (size_t k = 0; k < i; k++)
			assert_false(same(h[i], h[k]));
	assert_true(same(ident_span(STR("a"), 1, 2, 3), h[0]));
	assert_true(same(ident_span(str_of(long_tenant, 1000), 1, 2, 3), h[10]));
}

/* ---- the filter */

enum { CHUNK = 500 };

/* Keys [from, to) of a kind into it, so many at a time. */
static void
add_keys(struct ident_filter *f, uint64_t kind, uint64_t from, uint64_t to, size_t chunk)
{
	struct hash128 keys[CHUNK];
	while (from < to) {
		size_t n = 0;
		while (n < chunk && from < to)
			keys[n++] = key_of(kind, from++);
		ident_filter_add(f, keys, n);
	}
}

static uint64_t
count_perhaps(const struct ident_filter *f, uint64_t kind, uint64_t from, uint64_t to)
{
	struct hash128 keys[CHUNK];
	bool perhaps[CHUNK];
	uint64_t count = 0;
	while (from < to) {
		size_t n = 0;
		while (n < CHUNK && from < to)
			keys[n++] = key_of(kind, from++);
		memset(perhaps, 1, sizeof(perhaps));
		ident_filter_test(f, keys, n, perhaps);
		for (size_t i = 0; i < n; i++)
			count += perhaps[i];
	}
	return count;
}

TEST(ident, filter_never_denies_a_key_it_has)
{
	struct ident_filter *f = ident_filter_new(64 << 20);
	assert_int_equal(count_perhaps(f, 1, 0, 1000), 0);
	assert_int_equal(ident_filter_bytes(f), 0);
	uint64_t steps[] = {1, 31, 32, 33, 1000, 29000, 31000, 100000, 300000};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		add_keys(f, 1, i > 0 ? steps[i - 1] : 0, steps[i], 1 + i * 7 % CHUNK);
		assert_int_equal(ident_filter_count(f), steps[i]);
		assert_int_equal(count_perhaps(f, 1, 0, steps[i]), steps[i]);
	}
	assert_int_equal(ident_filter_forgotten(f), 0);
	ident_filter_free(f);
	ident_filter_free(NULL);
}

TEST(ident, filter_is_wrong_about_few_keys)
{
	struct ident_filter *f = ident_filter_new(64 << 20);
	add_keys(f, 1, 0, 300000, CHUNK);
	/* Five tables, each wrong about 8 / 65536 of the keys when it is full. */
	uint64_t wrong = count_perhaps(f, 2, 0, 300000);
	assert_in_range(wrong, 1, 300000 * 5 * 8 / 65536 * 3 / 2);
	/* 2.3 bytes a key when the tables are full, twice that just after one was begun. */
	assert_in_range(ident_filter_bytes(f), 300000 * 2, 300000 * 5);
	ident_filter_free(f);
}

TEST(ident, filter_forgets_the_oldest_when_its_memory_is_used_up)
{
	uint64_t limits[] = {64 << 10, 65 << 10, 127 << 10, 128 << 10, 1 << 20, (1 << 20) + 12345};
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct ident_filter *f = ident_filter_new(limits[i]);
		uint64_t known_least = UINT64_MAX;
		for (uint64_t n = 0; n < 1200000; n += 2500) {
			add_keys(f, 1, n, n + 2500, CHUNK);
			uint64_t count = ident_filter_count(f);
			assert_in_range(ident_filter_bytes(f), 64 << 10, limits[i]);
			assert_int_equal(count + ident_filter_forgotten(f), n + 2500);
			if (ident_filter_forgotten(f) > 0 && count < known_least)
				known_least = count;
		}
		assert_true(ident_filter_forgotten(f) > 0);
		/* Nearly half of the memory is in use whenever there is room for four tables. */
		if (limits[i] >= 256 << 10)
			assert_in_range(known_least, limits[i] / 2 / 2 * 9 / 10, limits[i] / 2);
		/* What is left is the newest, all of it. */
		uint64_t count = ident_filter_count(f);
		assert_int_equal(count_perhaps(f, 1, 1200000 - count, 1200000), count);
		uint64_t old = 1200000 - count < 100000 ? 1200000 - count : 100000;
		assert_in_range(count_perhaps(f, 1, 0, old), 0, old / 100);
		ident_filter_free(f);
	}
}

TEST(ident, filter_takes_equal_keys_for_ever)
{
	struct ident_filter *f = ident_filter_new(1 << 20);
	struct hash128 keys[CHUNK];
	for (size_t i = 0; i < CHUNK; i++)
		keys[i] = key_of(1, i % 3);
	for (size_t round = 0; round < 1000; round++)
		ident_filter_add(f, keys, CHUNK);
	assert_int_equal(ident_filter_bytes(f), 64 << 10);
	assert_int_equal(ident_filter_count(f), 1000 * CHUNK);
	assert_int_equal(count_perhaps(f, 1, 0, 3), 3);
	ident_filter_free(f);
}

/* Small tables are full before their limit: then a tag is left without a slot. */
TEST(ident, cuckoo_table_keeps_the_tag_it_has_no_slot_for)
{
	size_t left_over = 0;
	for (uint64_t kind = 0; kind < 200; kind++) {
		struct ident_cuckoo t;
		uint64_t n = 0;
		ident_cuckoo_init(&t, kind % 2 ? 4 : 16);
		t.used_max = UINT64_MAX;
		while (!t.full)
			ident_cuckoo_add(&t, key_of(kind, n++));
		assert_int_equal(t.count, n);
		left_over += t.victim_tag != 0;
		for (uint64_t i = 0; i < n; i++)
			assert_true(ident_cuckoo_has(&t, key_of(kind, i)));
		ident_cuckoo_fini(&t);
	}
	assert_int_equal(left_over, 200);
}

static void
add_to_full(void *ctx)
{
	struct ident_cuckoo *t = ctx;
	ident_cuckoo_add(t, key_of(1, 1));
}

TEST(ident, cuckoo_table_that_is_full_is_not_added_to)
{
	struct ident_cuckoo t;
	ident_cuckoo_init(&t, 16);
	t.full = true;
	test_dies(add_to_full, &t);
	ident_cuckoo_fini(&t);
	ident_cuckoo_fini(NULL);
}

/* ---- the set, against a list */

struct model {
	struct hash128 keys[4000];
	uint64_t seq[4000];
	bool in[4000];
	uint64_t below; /* those below it are gone */
	size_t asked;
};

static bool
gone(void *ctx, uint64_t seq, uint32_t ord)
{
	struct model *m = ctx;
	assert_int_equal(ord, (uint32_t)seq * 7);
	m->asked++;
	return seq < m->below;
}

static void
check_set(const struct ident_set *s, const struct model *m)
{
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(m->keys); i++) {
		assert_int_equal(ident_set_has(s, m->keys[i]), m->in[i]);
		count += m->in[i];
	}
	assert_int_equal(ident_set_count(s), count);
}

TEST(ident, set_does_what_a_list_does)
{
	static struct model m;
	struct ident_set *s = ident_set_new();
	struct rng r = {7};
	uint64_t seq = 0;
	for (size_t i = 0; i < ARRAY_LEN(m.keys); i++)
		m.keys[i] = key_of(1, i);
	m.keys[0] = (struct hash128){0, 0};
	for (int step = 0; step < 60000; step++) {
		size_t i = next(&r) % ARRAY_LEN(m.keys);
		seq++;
		if (next(&r) % 3) {
			assert_int_equal(ident_set_add(s, m.keys[i], seq, (uint32_t)seq * 7),
			    !m.in[i]);
			m.seq[i] = m.in[i] ? m.seq[i] : seq;
			m.in[i] = true;
		} else {
			ident_set_remove(s, m.keys[i]);
			m.in[i] = false;
		}
		if (next(&r) % 5000 == 0) {
			check_set(s, &m);
			m.below = seq > 1500 ? seq - next(&r) % 1500 : 0;
			ident_set_sweep(s, gone, &m);
			for (size_t k = 0; k < ARRAY_LEN(m.keys); k++)
				m.in[k] = m.in[k] && m.seq[k] >= m.below;
			check_set(s, &m);
		}
	}
	assert_true(m.asked > 1000);
	check_set(s, &m);
	ident_set_free(s);
	ident_set_free(NULL);
}

TEST(ident, set_gives_memory_back_after_a_sweep)
{
	struct ident_set *s = ident_set_new();
	struct model all_gone = {.below = UINT64_MAX};
	uint64_t empty_bytes = ident_set_bytes(s);
	for (uint64_t i = 1; i <= 100000; i++) {
		ident_set_prefetch(s, key_of(1, i));
		assert_true(ident_set_add(s, key_of(1, i), i, (uint32_t)i * 7));
	}
	assert_in_range(ident_set_bytes(s), 100000 * 32, 100000 * 90);
	for (uint64_t i = 1; i <= 100000; i++)
		assert_true(ident_set_has(s, key_of(1, i)));
	assert_false(ident_set_has(s, key_of(1, 100001)));
	all_gone.below = 99991;
	for (uint64_t bytes = ident_set_bytes(s); bytes > empty_bytes; bytes /= 2) {
		assert_int_equal(ident_set_bytes(s), bytes);
		ident_set_sweep(s, gone, &all_gone);
		assert_int_equal(ident_set_count(s), 10);
	}
	ident_set_sweep(s, gone, &all_gone);
	assert_int_equal(ident_set_bytes(s), empty_bytes);
	for (uint64_t i = 1; i <= 100000; i++)
		assert_int_equal(ident_set_has(s, key_of(1, i)), i >= 99991);
	ident_set_free(s);
}

/* ---- requests */

struct seen {
	uint64_t seqs[5000];
	size_t count, stop_at;
};

static bool
see(void *ctx, const struct ident_request *request)
{
	struct seen *seen = ctx;
	seen->seqs[seen->count++] = request->seq;
	return seen->count != seen->stop_at;
}

static void
check_since(const struct ident_requests *r, uint64_t after, uint64_t first, uint64_t last)
{
	struct seen seen = {0};
	ident_requests_since(r, after, see, &seen);
	assert_int_equal(seen.count, first > last ? 0 : last - first + 1);
	for (size_t i = 0; i < seen.count; i++)
		assert_int_equal(seen.seqs[i], first + i);
}

static void
add_request(struct ident_requests *r, uint64_t n, uint64_t seq)
{
	ident_requests_add(r,
	    &(struct ident_request){.identity = key_of(1, n), .seq = seq, .received_ns = seq * 10});
}

TEST(ident, requests_are_known_by_the_first_seq_until_there_are_too_many)
{
	struct ident_requests *r = ident_requests_new(3000, UINT64_MAX);
	assert_int_equal(ident_requests_find(r, key_of(1, 1)), 0);
	check_since(r, 0, 1, 0);
	for (uint64_t n = 1; n <= 4000; n++) {
		add_request(r, n, n);
		add_request(r, n, n + 1);
		add_request(r, n > 10 ? n - 10 : 1, 1); /* known: its seq is not looked at */
		uint64_t first = n > 3000 ? n - 2999 : 1;
		assert_int_equal(ident_requests_count(r), n - first + 1);
		assert_int_equal(ident_requests_forgotten(r), first - 1);
		assert_int_equal(ident_requests_find(r, key_of(1, n)), n);
		assert_int_equal(ident_requests_find(r, key_of(1, first)), first);
		assert_int_equal(ident_requests_find(r, key_of(1, first - 1)), 0);
	}
	for (uint64_t n = 1; n <= 4000; n++)
		assert_int_equal(ident_requests_find(r, key_of(1, n)), n > 1000 ? n : 0);
	check_since(r, 0, 1001, 4000);
	check_since(r, 1001, 1002, 4000);
	check_since(r, 3999, 4000, 4000);
	check_since(r, 4000, 1, 0);
	check_since(r, UINT64_MAX, 1, 0);
	struct seen seen = {.stop_at = 2};
	ident_requests_since(r, 2000, see, &seen);
	assert_int_equal(seen.count, 2);
	/* One that was forgotten is new. */
	add_request(r, 5, 4001);
	assert_int_equal(ident_requests_find(r, key_of(1, 5)), 4001);
	assert_in_range(ident_requests_bytes(r), 3000 * 32, 3000 * 80);
	ident_requests_free(r);
	ident_requests_free(NULL);
}

TEST(ident, requests_are_forgotten_by_age_too)
{
	struct ident_requests *r = ident_requests_new(10000, 1000);
	for (uint64_t n = 1; n <= 500; n++)
		add_request(r, n, n);
	ident_requests_expire(r, 999); /* the clock is less than the age itself */
	assert_int_equal(ident_requests_count(r), 500);
	ident_requests_expire(r, 1010); /* the first one is as old as can be */
	assert_int_equal(ident_requests_count(r), 500);
	ident_requests_expire(r, 1011);
	assert_int_equal(ident_requests_count(r), 499);
	assert_int_equal(ident_requests_find(r, key_of(1, 1)), 0);
	check_since(r, 0, 2, 500);
	ident_requests_expire(r, 2000);
	check_since(r, 0, 100, 500);
	for (uint64_t n = 501; n <= 700; n++)
		add_request(r, n, n);
	for (uint64_t n = 1; n <= 700; n++)
		assert_int_equal(ident_requests_find(r, key_of(1, n)), n >= 100 ? n : 0);
	ident_requests_expire(r, UINT64_MAX);
	assert_int_equal(ident_requests_count(r), 0);
	assert_int_equal(ident_requests_forgotten(r), 0); /* for their number */
	check_since(r, 0, 1, 0);
	add_request(r, 1, 701);
	assert_int_equal(ident_requests_find(r, key_of(1, 1)), 701);
	ident_requests_free(r);
}

static void
add_older(void *ctx)
{
	add_request(ctx, 2, 4);
}

TEST(ident, requests_come_by_ascending_seq)
{
	struct ident_requests *r = ident_requests_new(10, 1000);
	add_request(r, 1, 5);
	add_request(r, 3, 5); /* two parts of one record */
	test_dies(add_older, r);
	ident_requests_free(r);
}
