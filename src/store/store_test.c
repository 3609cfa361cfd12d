/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory, the one that fails, and what stores share. */
#include "store/store.h"

#include "store/conformance.h"
#include "store/fault.h"
#include "store/mem.h"
#include "tests/test.h"

#define X(claim)                                                                                   \
	TEST(store, mem_##claim)                                                                   \
	{                                                                                          \
		struct store *s = store_mem_new();                                                 \
		store_conformance_##claim(s);                                                      \
		store_close(s);                                                                    \
	}
STORE_CONFORMANCE(X)
STORE_CONFORMANCE_IDENTITY(X)
STORE_CONFORMANCE_SEARCH(X)
STORE_CONFORMANCE_ARRIVALS(X)
STORE_CONFORMANCE_SUMS(X)
STORE_CONFORMANCE_SERIES(X)
STORE_CONFORMANCE_PULLS(X)
#undef X

TEST(store, mem_attribute_text_is_what_a_filter_compares)
{
	static const struct {
		const char *map, *key, *text; /* NULL: no such key */
	} cases[] = {
	    {"{\"a\":1}", "a", "1"},
	    {"{\"a\":1}", "b", NULL},
	    {"{\"a\":\"x\\n\\u00e9\\\"\"}", "a", "x\n\xC3\xA9\""},
	    {"{\"a\":{\"b\":[1,{\"c\":\"}\"}]},\"d\":true}", "d", "true"},
	    {"{\"a\":{\"b\":1}}", "b", NULL},
	    {"{\"a\":{\"b\":1}}", "a", "{\"b\":1}"},
	    {"{\"$$a\":2.0}", "$a", "2.0"},
	    {"{\"a\":{\"$double\":\"-Infinity\"}}", "a", "-Infinity"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = {0};
		bool found =
		    store_mem_attr_text(str_from(cases[i].map), str_from(cases[i].key), &out);
		assert_int_equal(found, cases[i].text != NULL);
		if (found)
			assert_true(str_eq(buf_view(&out), str_from(cases[i].text)));
		buf_fini(&out);
	}
}

TEST(store, mem_recognises_what_lists_of_it_do)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct store *s = store_mem_new();
		struct store *other = store_fault_new(store_mem_new());
		store_conformance_same_identity(s, other, seed, 30, 150);
		store_close(s);
		store_close(other);
	}
}

/* The batch has no memory left to say in which rows are hidden. */
TEST(store, mem_append_that_fails_changes_nothing)
{
	struct store *s = store_mem_new();
	struct batch b;
	struct err err = {0};
	size_t failed = 0;
	enum err_code code;
	for (size_t bytes_max = 1000;; bytes_max += 50) {
		batch_init(&b, bytes_max);
		b.last_seq = store_position(s) + 1;
		struct batch_request *request = batch_request_add(&b);
		bool fits = request != NULL;
		for (uint32_t i = 0; i < 100 && fits; i++) {
			size_t row = table_add_row(&b.tables[TABLE_SPANS]);
			fits = row != SIZE_MAX;
			if (!fits)
				continue;
			request->seq = b.last_seq;
			table_set_str(&b.tables[TABLE_SPANS], row, SPAN_TENANT, STR("acme"));
			table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_SEQ, b.last_seq);
			table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_SPAN_ID, i / 2);
		}
		code = fits ? store_append(s, &b, &err) : ERR_TOO_LARGE;
		if (fits && code != ERR_OK) {
			failed++;
			assert_int_equal(code, ERR_TOO_LARGE);
			assert_int_equal(store_position(s), 0);
			assert_null(b.hidden[TABLE_SPANS]);
			assert_int_equal(request->duplicates, 0);
		}
		if (code == ERR_OK)
			break;
		batch_fini(&b);
	}
	assert_true(failed > 0);
	assert_int_equal(b.requests[0].duplicates, 50);
	struct store_status status;
	store_status(s, &status);
	assert_int_equal(status.row_count, 50);
	batch_fini(&b);
	store_close(s);
}

static enum err_code
no_poison(void *ctx, enum table_id table, uint64_t seq, uint32_t ord, const struct err *why,
    struct err *err)
{
	(void)ctx, (void)table, (void)seq, (void)ord, (void)why, (void)err;
	return ERR_OK;
}

/* A store that only remembers what it was asked. */
struct asked {
	struct store store;
	store_poison_fn poison;
};

static uint64_t
asked_applied(struct store *s)
{
	(void)s;
	return 41;
}

static uint64_t
asked_position(struct store *s)
{
	(void)s;
	return 40;
}

static uint64_t
asked_knows(struct store *s, struct hash128 identity)
{
	(void)s;
	return identity.hi + identity.lo;
}

static void
asked_on_poison(struct store *s, store_poison_fn fn, void *ctx)
{
	assert_ptr_equal(ctx, s);
	((struct asked *)s)->poison = fn;
}

static void
asked_close(struct store *s)
{
	(void)s;
}

TEST(store, fault_passes_on_what_it_does_not_fail)
{
	static const struct store_ops ops = {
	    .name = "asked",
	    .position = asked_position,
	    .applied = asked_applied,
	    .knows = asked_knows,
	    .on_poison = asked_on_poison,
	    .close = asked_close,
	};
	struct asked inside = {.store.ops = &ops};
	struct store *s = store_fault_new(&inside.store);
	assert_int_equal(store_position(s), 40);
	assert_int_equal(store_applied(s), 41);
	assert_int_equal(store_knows(s, (struct hash128){2, 3}), 5);
	store_on_poison(s, no_poison, &inside.store);
	assert_ptr_equal(inside.poison, no_poison);
	store_close(s);
}

TEST(store, find_id_finds_the_row_or_none)
{
	struct batch b;
	bool added;
	batch_init(&b, 0);
	assert_true(store_find_id(&b.tables[TABLE_SCOPES], 5) == SIZE_MAX);
	assert_int_equal(batch_scope(&b, STR("t"), 4, &added), 0);
	assert_int_equal(batch_scope(&b, STR("t"), 5, &added), 1);
	assert_int_equal(store_find_id(&b.tables[TABLE_SCOPES], 5), 1);
	assert_true(store_find_id(&b.tables[TABLE_SCOPES], 6) == SIZE_MAX);
	batch_fini(&b);
}

TEST(store, fault_fails_the_calls_it_is_told_to)
{
	struct store *s = store_fault_new(store_mem_new());
	struct batch b;
	struct err err = {0};
	uint64_t seq = 0, failed = 0;
	batch_init(&b, 0);
	store_fault_plan(s, STORE_FAULT_APPEND,
	    (struct store_fault_plan){.first = 3, .count = 2, .code = ERR_BUSY});
	for (int call = 1; call <= 6; call++) {
		store_conformance_batch(&b, 5, seq + 1, 10);
		enum err_code code = store_append(s, &b, &err);
		assert_int_equal(code, call == 3 || call == 4 ? ERR_BUSY : ERR_OK);
		failed += code != ERR_OK;
		seq += code == ERR_OK;
		assert_int_equal(store_position(s), seq);
	}
	assert_int_equal(failed, 2);
	assert_int_equal(store_fault_calls(s, STORE_FAULT_APPEND), 6);
	store_fault_plan(s, STORE_FAULT_APPEND,
	    (struct store_fault_plan){.first = 1, .code = ERR_IO, .after = true});
	store_conformance_batch(&b, 5, seq + 1, 10);
	assert_int_equal(store_append(s, &b, &err), ERR_IO);
	assert_int_equal(store_position(s), seq + 1); /* it was done, and said to have failed */
	store_fault_plan(s, STORE_FAULT_QUERY,
	    (struct store_fault_plan){.first = 1, .code = ERR_IO});
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	struct arena arena = {0};
	struct store_result r;
	assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_IO);
	store_fault_plan(s, STORE_FAULT_QUERY, (struct store_fault_plan){0});
	store_conformance_ask(s, &q, &arena, &r);
	arena_fini(&arena);
	batch_fini(&b);
	store_close(s);
}

TEST(store, mem_sums_of_parts_add_up_to_those_of_the_whole)
{
	for (size_t count = 1; count <= 8; count++) {
		struct store *parts[8], *whole = store_mem_new();
		for (size_t i = 0; i < count; i++)
			parts[i] = store_mem_new();
		store_conformance_same_sums(parts, count, whole, count, 20, 60);
		for (size_t i = 0; i < count; i++)
			store_close(parts[i]);
		store_close(whole);
	}
}
