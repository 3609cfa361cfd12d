/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot/kit_test.h - rows whose every value follows from their key, for the tests of the hot tail.
 *
 * The key of a row of a signal is made of its table, seq and ord, that of a dictionary row of its
 * table and id. kit_check_row() computes anew what each column must have.
 */
#ifndef HOT_KIT_TEST_H
#define HOT_KIT_TEST_H

#include "hot/hot_priv.h"

#define KIT_DAY 20000 /* "today" */

uint64_t kit_key(enum table_id table, uint64_t seq, uint32_t ord);
uint64_t kit_mix(uint64_t a, uint64_t b);
uint64_t kit_rand(uint64_t *state);

/* Add a row to a batch; its strings are in the batch's arena. */
void kit_add_row(struct batch *b, enum table_id table, uint64_t seq, uint32_t ord, int64_t day);
/* A dictionary row: its tenant follows from its id. Gives its place. */
uint32_t kit_add_dict(struct batch *b, enum table_id table, uint64_t id);
struct str kit_tenant(uint64_t seq, char buf[16]);
/* Gives its key; fails the test when a value is not what it must be. */
uint64_t kit_check_row(const struct table *t, size_t row);

/* Append what is in the batch, with log position `seq`, all dictionary rows new; then forget it. */
void kit_append(struct hot *h, struct batch *b, uint64_t seq);

struct kit_keys {
	uint64_t *keys;
	size_t count, cap;
};

void kit_keys_add(struct kit_keys *k, uint64_t key);
void kit_keys_sort(struct kit_keys *k);
void kit_keys_fini(struct kit_keys *k);
/* Checks each row, and that slices are in order and their times exact; adds the keys. */
void kit_read_slices(const struct hot_slice *slices, size_t count, struct kit_keys *out);
/* All rows of the view at this generation, sorted. False: ERR_BUSY. */
bool kit_read_view(struct hot *h, uint64_t generation, struct kit_keys *out);
void kit_assert_same(struct kit_keys *got, struct kit_keys *want);
/* Rows of the part that hot_info() tells; 0 when there is none. */
uint64_t kit_part_rows(struct hot *h, enum table_id table, int64_t day);

#endif
