/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/price_list.h - the table of prices of `weir serve` (agent/prices.h), which can be another while it runs.
 *
 * A table that was replaced lives until the end: a query may still look at it. So a table is replaced only when the file
 * says something else than before.
 *
 * Threading: the main thread; `now` is read by any.
 */
#ifndef APP_PRICE_LIST_H
#define APP_PRICE_LIST_H

#include "base/err.h"
#include "base/str.h"

struct prices;
struct price_table;

struct price_list {
	const struct prices *_Atomic now;
	struct price_table *tables; /* newest first */
};

/* Of the file, which an empty path stands for none. On an error nothing is changed. */
MUST_CHECK enum err_code price_list_load(struct price_list *l, struct str path, struct err *err);
/* The same, for a signal: says in the log what came of it. */
void price_list_reload(struct price_list *l, struct str path);
void price_list_fini(struct price_list *l);

#endif
