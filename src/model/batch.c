/* SPDX-License-Identifier: Apache-2.0 */
#include "model/batch.h"

/* Memory a batch keeps over a reset: enough for a steady load, little enough to be idle with. */
enum { BATCH_KEEP_BYTES = 16 * 1024 * 1024 };

const char *
signal_name(enum signal_kind s)
{
	switch (s) {
	case SIGNAL_TRACES: return "traces";
	case SIGNAL_METRICS: return "metrics";
	case SIGNAL_LOGS: return "logs";
	case SIGNAL_COMMENTS: return "comments";
	}
	CHECK(false);
	return NULL;
}

struct dict_cols {
	int id, tenant;
};

static const struct dict_cols resource_cols = {RESOURCE_ID, RESOURCE_TENANT};
static const struct dict_cols scope_cols = {SCOPE_ID, SCOPE_TENANT};

static void
init_tables(struct batch *b)
{
	for (int i = 0; i < TABLE_STORED_COUNT; i++)
		table_init(&b->tables[i], (enum table_id)i, &b->arena);
}

void
batch_init(struct batch *b, size_t bytes_max)
{
	*b = (struct batch){0};
	arena_init(&b->arena, bytes_max, BATCH_KEEP_BYTES);
	init_tables(b);
}

void
batch_fini(struct batch *b)
{
	if (!b)
		return;
	arena_fini(&b->arena);
	map_fini(&b->resource_rows);
	map_fini(&b->scope_rows);
	*b = (struct batch){0};
}

void
batch_reset(struct batch *b)
{
	arena_reset(&b->arena);
	init_tables(b);
	map_clear(&b->resource_rows);
	map_clear(&b->scope_rows);
	b->requests = NULL;
	b->request_count = b->request_cap = 0;
	memset(b->hidden, 0, sizeof(b->hidden));
	b->last_seq = b->last_bytes = 0;
}

struct batch_mark
batch_mark(const struct batch *b)
{
	struct batch_mark mark;
	for (int i = 0; i < TABLE_STORED_COUNT; i++)
		mark.row_count[i] = b->tables[i].row_count;
	mark.request_count = b->request_count;
	return mark;
}

struct batch_request *
batch_request_add(struct batch *b)
{
	if (b->request_count == b->request_cap) {
		size_t cap = b->request_cap ? 2 * b->request_cap : 16;
		struct batch_request *more = arena_array(&b->arena, cap, sizeof(*more));
		if (!more)
			return NULL;
		if (b->request_count > 0)
			memcpy(more, b->requests, b->request_count * sizeof(*more));
		b->requests = more;
		b->request_cap = cap;
	}
	b->requests[b->request_count] = (struct batch_request){0};
	return &b->requests[b->request_count++];
}

uint64_t
batch_dict_key(struct str tenant, uint64_t id)
{
	return hash_keyed_str(tenant, id);
}

/* A map forgets only all at once. */
static void
reindex(struct map *rows, const struct table *dict, struct dict_cols cols)
{
	map_clear(rows);
	for (size_t row = 0; row < dict->row_count; row++) {
		struct str tenant = table_str(dict, row, cols.tenant);
		bool put =
		    map_put(rows, batch_dict_key(tenant, table_u64(dict, row, cols.id)), row);
		CHECK(put);
	}
}

void
batch_rewind(struct batch *b, struct batch_mark mark)
{
	for (int i = 0; i < TABLE_STORED_COUNT; i++)
		table_truncate(&b->tables[i], mark.row_count[i]);
	b->request_count = mark.request_count;
	reindex(&b->resource_rows, &b->tables[TABLE_RESOURCES], resource_cols);
	reindex(&b->scope_rows, &b->tables[TABLE_SCOPES], scope_cols);
}

size_t
batch_row_count(const struct batch *b)
{
	size_t rows = 0;
	for (int i = 0; i < SIGNAL_TABLES; i++)
		rows += b->tables[i].row_count;
	return rows;
}

static size_t
dict_row(struct map *rows, struct table *dict, struct dict_cols cols, struct str tenant,
    uint64_t id, bool *added_out)
{
	uint64_t key = batch_dict_key(tenant, id);
	const uint64_t *found = map_get(rows, key);
	*added_out = false;
	if (found)
		return (size_t)*found;
	size_t row = table_add_row(dict);
	if (row == SIZE_MAX)
		return SIZE_MAX;
	table_set_u64(dict, row, cols.id, id);
	table_set_str(dict, row, cols.tenant, tenant);
	bool put = map_put(rows, key, row);
	CHECK(put);
	*added_out = true;
	return row;
}

size_t
batch_resource(struct batch *b, struct str tenant, uint64_t id, bool *added_out)
{
	return dict_row(&b->resource_rows, &b->tables[TABLE_RESOURCES], resource_cols, tenant, id,
	    added_out);
}

size_t
batch_scope(struct batch *b, struct str tenant, uint64_t id, bool *added_out)
{
	return dict_row(&b->scope_rows, &b->tables[TABLE_SCOPES], scope_cols, tenant, id,
	    added_out);
}
