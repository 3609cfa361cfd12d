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

TEST(store, find_id_finds_the_row_or_none)
{
	struct batch b;
	bool added;
	batch_init(&b, 0);
	assert_true(store_find_id(&b.tables[TABLE_SCOPES], 5) == SIZE_MAX);
	assert_int_equal(batch_scope(&b, 4, &added), 0);
	assert_int_equal(batch_scope(&b, 5, &added), 1);
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
