/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DuckDB's file does not become smaller when what is at its beginning is deleted: blocks that are free are used
 * again, and only free ones at its end are cut off. Here the free ones in between give their disk back: holes are
 * made in the file where they are.
 *
 * Which are free DuckDB does not tell, but which are in use: those of metadata, and those of each
 * table's columns. Only when there are exactly as many of them as DuckDB says that are in use is anything done.
 * It runs on the sealer's thread right after a checkpoint: nobody else writes to the file, DuckDB's log is
 * empty, and the heads of the file name nothing but what is in use (the older head is of before the checkpoint;
 * DuckDB, too, writes over what it names).
 */
#include "duck/duck_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORTH_BLOCKS = 64 }; /* 16 MiB: fewer are not worth the look */

struct trimming {
	struct duck *d;
	unsigned char *used; /* for each block */
	uint64_t total, used_count;
	uint64_t seen; /* of the blocks found in use */
	bool strange; /* a block that cannot be */
};

static enum err_code
take_blocks(struct trimming *t, struct duck_sql *sql, struct err *err)
{
	struct buf words = {0};
	enum err_code code = duck_read_words(t->d, t->d->keeper.con, sql, UINT64_MAX, &words, err);
	for (size_t i = 0; i < words.len / sizeof(uint64_t); i++) {
		uint64_t id;
		memcpy(&id, words.ptr + i * sizeof(id), sizeof(id));
		if (id >= t->total) {
			t->strange = true;
			continue;
		}
		t->seen += !t->used[id];
		t->used[id] = 1;
	}
	buf_fini(&words);
	duck_sql_reset(sql);
	return code;
}

static enum err_code
take_table(struct trimming *t, const char *name, struct duck_sql *sql, struct err *err)
{
	buf_printf(&sql->text,
	    "SELECT DISTINCT b::UBIGINT FROM (SELECT block_id AS b FROM pragma_storage_info('%s')"
	    " UNION ALL SELECT unnest(additional_block_ids) FROM pragma_storage_info('%s'))"
	    " WHERE b >= 0",
	    name, name);
	return take_blocks(t, sql, err);
}

static enum err_code
find_used(struct trimming *t, struct err *err)
{
	static const char *const fixed[] = {"meta", "seals", "positions", "partitions", "shreds",
	    "requests", "pulls", "resources", "scopes", "seal_services", "seal_parts", "seal_words",
	    "seal_hashes"};
	const struct duck_catalog *c = &t->d->catalog;
	struct duck_sql sql;
	duck_sql_init(&sql);
	buf_str(&sql.text, STR("SELECT block_id::UBIGINT FROM pragma_metadata_info()"));
	enum err_code code = take_blocks(t, &sql, err);
	for (size_t i = 0; i < ARRAY_LEN(fixed) && code == ERR_OK; i++)
		code = take_table(t, fixed[i], &sql, err);
	for (size_t i = 0; i < c->count && code == ERR_OK; i++) {
		char name[DUCK_TABLE_NAME_BYTES];
		if (c->tables[i]->until != UINT64_MAX)
			continue;
		duck_schema_table_name(&table_defs[c->tables[i]->id], c->tables[i]->day, name);
		code = take_table(t, name, &sql, err);
	}
	duck_sql_fini(&sql);
	return code;
}

static enum err_code
make_holes(struct trimming *t, uint64_t *blocks_out, struct err *err)
{
	enum err_code code = duck_open_beside(t->d, err);
	*blocks_out = 0;
	for (uint64_t first = 0, end; first < t->total && code == ERR_OK; first = end) {
		for (end = first; end < t->total && !t->used[end]; end++)
			continue;
		if (end > first)
			code = file_punch(&t->d->beside, DUCK_BLOCKS_AT + first * DUCK_BLOCK_BYTES,
			    (end - first) * DUCK_BLOCK_BYTES, err);
		*blocks_out += end - first;
		end += end == first;
	}
	return code;
}

static enum err_code
trim(struct trimming *t, uint64_t *blocks_out, struct err *err)
{
	struct duck *d = t->d;
	*blocks_out = 0;
	enum err_code code = duck_number(d, d->keeper.con,
	    "SELECT total_blocks::UBIGINT FROM pragma_database_size()", &t->total, err);
	if (code == ERR_OK)
		code = duck_number(d, d->keeper.con,
		    "SELECT used_blocks::UBIGINT FROM pragma_database_size()", &t->used_count, err);
	if (code != ERR_OK || t->total - t->used_count < WORTH_BLOCKS)
		return code;
	t->used = xcalloc(t->total, 1);
	code = find_used(t, err);
	/* What somebody still looks at is not free. */
	if (code == ERR_OK && !t->strange && t->seen < t->used_count)
		return err_set(err, ERR_BUSY, "%" PRIu64 " blocks are not free yet",
		    t->used_count - t->seen);
	if (code == ERR_OK && (t->strange || t->seen != t->used_count))
		return err_set(err, ERR_INTERNAL,
		    "%" PRIu64 " blocks of the database are in use, but %" PRIu64 " were found",
		    t->used_count, t->seen);
	return code == ERR_OK ? make_holes(t, blocks_out, err) : code;
}

bool
duck_trim(struct duck *d)
{
	struct trimming t = {.d = d};
	struct err err;
	uint64_t blocks, start_ns = clock_mono_ns();
	enum err_code code = trim(&t, &blocks, &err);
	free(t.used);
	if (code == ERR_BUSY)
		log_debug("duck", "free blocks stay on the disk for now: %s", err.message);
	else if (code != ERR_OK)
		log_warn("duck", "free blocks stay on the disk: %s", err.message);
	else if (blocks == 0)
		log_debug("duck", "%" PRIu64 " of %" PRIu64 " blocks of the database are in use",
		    t.used_count, t.total);
	else
		log_info("duck", "%" PRIu64 " MiB of the database are free, in %" PRIu64 " ms",
		    blocks * DUCK_BLOCK_BYTES >> 20, (clock_mono_ns() - start_ns) / NS_PER_MS);
	return code != ERR_BUSY;
}
