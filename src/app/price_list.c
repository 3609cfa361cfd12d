/* SPDX-License-Identifier: Apache-2.0 */
#include "app/price_list.h"

#include "agent/prices.h"
#include "base/hash.h"
#include "sys/file.h"
#include "sys/log.h"

#include <stdatomic.h>
#include <stdlib.h>

struct price_table {
	struct prices *prices;
	struct hash128 text; /* of the file */
	struct price_table *next;
};

static enum err_code
load(struct price_list *l, struct str path, bool *changed_out, struct err *err)
{
	struct buf text = {0};
	struct prices *prices = NULL;
	struct arena names = {0};
	*changed_out = false;
	enum err_code code = ERR_OK;
	if (path.len > 0)
		code =
		    file_read_all(arena_str(&names, path).ptr, PRICES_FILE_BYTES_MAX, &text, err);
	struct hash128 hash = hash_u128(buf_view(&text));
	bool same = l->tables && l->tables->text.hi == hash.hi && l->tables->text.lo == hash.lo;
	if (!code && !same) {
		/* A file without anything in it is no table; no file is one. */
		code = path.len > 0 && text.len == 0
		    ? err_set(err, ERR_INVALID, "the file is empty")
		    : prices_new(buf_view(&text), &prices, err);
		if (code)
			err_wrap(err, "%.*s", STR_ARG(path));
	}
	if (prices) {
		struct price_table *table = xcalloc(1, sizeof(*table));
		*table = (struct price_table){prices, hash, l->tables};
		l->tables = table;
		atomic_store(&l->now, prices);
		*changed_out = true;
	}
	buf_fini(&text);
	arena_fini(&names);
	return code;
}

enum err_code
price_list_load(struct price_list *l, struct str path, struct err *err)
{
	bool changed;
	return load(l, path, &changed, err);
}

void
price_list_reload(struct price_list *l, struct str path)
{
	struct err err = {0};
	bool changed;
	if (load(l, path, &changed, &err) != ERR_OK)
		log_error("serve", "SIGHUP: prices are as before: %s", err.message);
	else if (changed)
		log_info("serve", "SIGHUP: there are other prices: %zu rows",
		    prices_count(l->tables->prices));
}

void
price_list_fini(struct price_list *l)
{
	while (l->tables) {
		struct price_table *table = l->tables;
		l->tables = table->next;
		prices_free(table->prices);
		free(table);
	}
}
