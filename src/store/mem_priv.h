/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/mem_priv.h - shared by the files of the store in memory.
 */
#ifndef STORE_MEM_PRIV_H
#define STORE_MEM_PRIV_H

#include "store/mem.h"

/* One append. Never changed once it is in the list. */
struct node {
	struct node *older;
	struct arena arena;
	struct table tables[TABLE_STORED_COUNT];
	uint64_t last_seq;
	struct store_mem_pull *pulls; /* how far sources are after it; only those that it moved */
	size_t pull_count;
};

struct store_mem_pull {
	struct str tenant;
	struct store_pull pull;
};

/* mem_pulls.c. Before the node is in the list; false: no memory. */
bool store_mem_add_pulls(struct node *n, const struct batch *batch);
size_t store_mem_pulls(const struct node *newest, struct str tenant, struct str from,
    struct store_pull *out, size_t max);
uint64_t store_mem_sources(const struct node *newest);

/* mem_series.c: STORE_METRICS .. STORE_DISTRIBUTIONS, but for the dictionaries; false: the arena is spent. */
bool store_mem_series(const struct node *newest, const struct store_query *q,
    struct store_result *r);

#endif
