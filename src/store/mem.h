/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/mem.h - a store in memory, for tests: what another store answers is compared with it.
 *
 * It does everything the plainest way: each batch is copied whole into a list that only grows, a
 * query looks at every row and sorts what it wants. Nothing is ever forgotten. Readers take no
 * lock: a batch becomes visible by one atomic store of the head of the list.
 */
#ifndef STORE_MEM_H
#define STORE_MEM_H

#include "base/buf.h"
#include "store/store.h"

struct store *store_mem_new(void);

/* The text a filter compares the value of `key` in typed JSON with, appended to out; false when
 * there is no such key. */
bool store_mem_attr_text(struct str attributes, struct str key, struct buf *out);

/* Whether there is such a key; if so *matches_out is whether its value matches, `negated` apart. */
bool store_mem_attr_test(struct str attributes, const struct store_attr *a, bool *matches_out);

/* Do the words all occur in texts of this span, log record or point (store_query.words)? */
bool store_mem_has_words(const struct store_query *q, const struct table *t, size_t row);

/* A span of the tenant; does it meet the conditions, the cursor apart? */
struct store_mem_span {
	const struct table *table;
	size_t row;
	bool matches;
};
/* STORE_TRACES from all spans there are; false: the arena is spent. */
bool store_mem_traces(struct store_mem_span *spans, size_t count, const struct store_query *q,
    struct store_result *r);

#endif
