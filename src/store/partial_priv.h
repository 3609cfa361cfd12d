/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/partial_priv.h - what partial.c (counting and merging) and partial_pack.c (bytes) share.
 */
#ifndef STORE_PARTIAL_PRIV_H
#define STORE_PARTIAL_PRIV_H

#include "store/partial.h"

void partial_tally_init(struct partial_tally *t);
void partial_tally_merge(struct partial_tally *to, const struct partial_tally *from);
struct partial_tally *partial_tally_of(struct partial *p, struct partial_map *m, struct str service,
    struct str operation);
/* What comes after this key is in `other`, here too. */
void partial_map_bound(struct partial *p, struct partial_map *m, const struct partial_entry *bound);
bool partial_key_before(const struct partial_entry *a, const struct partial_entry *b);
uint64_t partial_key_hash(const struct partial_map *m, struct str service, struct str operation);

#endif
