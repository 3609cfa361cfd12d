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

/* Whether there is such a key; if so *matches_out is whether its value matches. */
bool store_mem_attr_test(struct str attributes, const struct store_attr *a, bool *matches_out);

#endif
