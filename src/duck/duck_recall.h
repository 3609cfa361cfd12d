/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_recall.h - dictionary rows (resources, scopes) that answers named lately.
 *
 * Nearly every answer names one of a few resources and scopes, and to ask the file for them took a fifth of the time
 * of a trace. A row of a dictionary never changes: an id is a hash of what it names (duck_dict.c). So what was read
 * once is remembered, a bounded number of rows and only small ones: RECALL_ROWS of each, of RECALL_ROW_BYTES at
 * most, 4 MiB together. Where two fall on the same place the later one stays.
 *
 * A row is remembered when the file has it, and forgotten when the file is opened again, which may have less then.
 * Threading: any thread; a short lock.
 */
#ifndef DUCK_DUCK_RECALL_H
#define DUCK_DUCK_RECALL_H

#include "model/table.h"
#include "sys/thread.h"

enum { RECALL_ROWS = 512, RECALL_ROW_BYTES = 4096 };

struct duck_recalled;

struct duck_recall {
	struct mutex lock; /* leaf */
	struct duck_recalled *rows[2][RECALL_ROWS]; /* resources, scopes */
};

void duck_recall_init(struct duck_recall *r);
void duck_recall_fini(struct duck_recall *r);
void duck_recall_forget(struct duck_recall *r);
/* Copy the row of this tenant and id to `out`, a table of a dictionary. False: it is not remembered, or there is no
 * room for it in `out`. */
MUST_CHECK bool duck_recall_get(struct duck_recall *r, enum table_id dict, struct str tenant,
    uint64_t id, struct table *out);
void duck_recall_put(struct duck_recall *r, enum table_id dict, const struct table *from,
    size_t row);

/* Append a copy of a dictionary row; false: there is no room. */
MUST_CHECK bool duck_copy_dict_row(const struct table *from, size_t row, struct table *to);

#endif
