/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mending what a crash can leave of DuckDB's files. What is changed is copied first, to
 * <file>.<n>.damaged.
 *
 * The log (weir.duckdb.wal). It is cut where DuckDB says it is damaged, which leaves all transactions before
 * that. What was lost with the rest are seals that no checkpoint had covered: weir's own log still has
 * their rows (position, in duck_keep.c), and they come again with the next start.
 *
 * A head of the file. weir.duckdb begins with three blocks of HEAD_BYTES: one that names the format, and two
 * heads, which checkpoints write in turn, last of all; the one with the greater number counts. Each begins with
 * a checksum of its rest (DuckDB's storage/single_file_block_manager.cpp and common/checksum.cpp). When the
 * system dies while one is being written, DuckDB refuses the file although the other head and all it needs are
 * whole; then that one is copied over it. This is right only for a checkpoint that did not end: a file of ours
 * (weir.duckdb.checkpoint) says so. DuckDB's log is still there then, and says of itself which head it continues.
 * If DuckDB does not take it with the other head, the head that counts is the damaged one: then all is put back as it
 * was, and the file is refused.
 *
 * A block of metadata. They are BLOCK_BYTES each, behind the heads, and begin with a checksum too. Blocks of rows are
 * only written where none is in use; a block of metadata has 64 parts, and when some of them are free it is
 * written again in its place: the parts in use as they are, others new. When the system dies meanwhile, what is there
 * is partly the old block and partly the new one, in all parts that count the same as before, and only the
 * checksum is wrong. So after a checkpoint that did not end, and only then, the checksum is put right, be it that DuckDB names the
 * block when it opens the file, be it that we find it among those that DuckDB has not read yet, and reads when a question
 * needs them. A block that is damaged otherwise would not be understood, or would be met by the checksums of the rows.
 */
#include "duck/duck_priv.h"

#include "base/bits.h"
#include "sys/file.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	COPIES_MAX = 1000,
	COPY_BYTES_MAX = 1 << 30,
	HEAD_BYTES = DUCK_HEAD_BYTES,
	HEADS = DUCK_HEADS,
	BLOCK_BYTES = DUCK_BLOCK_BYTES,
	BLOCKS_AT = DUCK_BLOCKS_AT,
};

static bool
has_bytes(const char *path, struct str bytes)
{
	struct buf all = {0};
	bool same = file_read_all(path, COPY_BYTES_MAX, &all, NULL) == ERR_OK &&
	    str_eq(buf_view(&all), bytes);
	buf_fini(&all);
	return same;
}

/* The next free name of <file>.<n>.damaged gets these bytes, if none has them yet. */
static enum err_code
keep_copy(struct duck *d, const char *file, struct str bytes, char copy[FILE_PATH_BYTES],
    struct err *err)
{
	char name[64];
	for (int i = 1; i < COPIES_MAX; i++) {
		snprintf(name, sizeof(name), "%s.%d.damaged", file, i);
		enum err_code code = file_join(str_from(d->dir), str_from(name), copy, err);
		if (code != ERR_OK)
			return code;
		if (has_bytes(copy, bytes))
			return ERR_OK;
		if (!file_exists(copy))
			return file_write_whole(str_from(d->dir), str_from(name), &bytes, 1, err);
	}
	return err_set(err, ERR_CORRUPT, "there are %d copies of damaged files (%s.*.damaged)",
	    COPIES_MAX - 1, file);
}

enum err_code
duck_repair_log(struct duck *d, uint64_t byte, struct err *err)
{
	char path[FILE_PATH_BYTES], copy[FILE_PATH_BYTES];
	struct file file = {0};
	struct buf all = {0};
	uint64_t size = 0;
	enum err_code code = file_join(str_from(d->dir), STR(DUCK_FILE ".wal"), path, err);
	if (code == ERR_OK)
		code = file_read_all(path, COPY_BYTES_MAX, &all, err);
	if (code == ERR_OK)
		code = keep_copy(d, DUCK_FILE ".wal", buf_view(&all), copy, err);
	buf_fini(&all);
	if (code == ERR_OK)
		code = file_open(path, FILE_WRITE, &file, err);
	if (code == ERR_OK)
		code = file_size(&file, &size, err);
	if (code == ERR_OK && byte >= size)
		byte = 0; /* no place was named: only what was checkpointed is certain */
	if (code == ERR_OK)
		code = file_truncate(&file, byte, err);
	if (code == ERR_OK)
		code = file_sync(&file, err);
	file_close(&file);
	if (code == ERR_OK)
		log_error("duck",
		    DUCK_FILE ".wal was damaged at byte %" PRIu64 " of %" PRIu64
		              ": it was cut there, a copy is %s; the log has what was behind",
		    byte, size, copy);
	return code;
}

/* ---- a head */

/* Of what stands behind it. */
static uint64_t
checksum_of(const unsigned char *bytes, size_t n)
{
	uint64_t sum = 5381;
	for (size_t i = sizeof(sum); i < n; i += sizeof(sum))
		sum ^= get_u64le(bytes + i) * UINT64_C(0xbf58476d1ce4e5b9);
	return sum;
}

static bool
head_is_whole(const unsigned char *head)
{
	return checksum_of(head, HEAD_BYTES) == get_u64le(head);
}

/* The place of the only head that is not whole; HEADS: there is nothing that could be mended. */
static size_t
torn_head(const unsigned char *blocks)
{
	bool whole[HEADS];
	for (size_t i = 0; i < HEADS; i++)
		whole[i] = head_is_whole(blocks + (i + 1) * HEAD_BYTES);
	if (!head_is_whole(blocks) || whole[0] == whole[1])
		return HEADS;
	return whole[0] ? 1 : 0;
}

/* ---- a checkpoint under way: a file says so, before it writes anything, and goes when it has ended */

static enum err_code
mark_path(struct duck *d, char path[FILE_PATH_BYTES], struct err *err)
{
	return file_join(str_from(d->dir), STR(DUCK_FILE ".checkpoint"), path, err);
}

enum err_code
duck_mark_checkpoint(struct duck *d, struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct file file = {0};
	enum err_code code = mark_path(d, path, err);
	if (code != ERR_OK || file_exists(path))
		return code; /* of one that failed: it is on disk */
	code = file_open(path, FILE_REPLACE, &file, err);
	file_close(&file);
	return code == ERR_OK ? file_sync_dir(d->dir, err) : code;
}

void
duck_unmark_closed(struct duck *d)
{
	char path[FILE_PATH_BYTES];
	struct file file = {0};
	uint64_t size = 0;
	bool has_log = file_join(str_from(d->dir), STR(DUCK_FILE ".wal"), path, NULL) == ERR_OK &&
	    file_open(path, FILE_READ, &file, NULL) == ERR_OK &&
	    file_size(&file, &size, NULL) == ERR_OK && size > 0;
	file_close(&file);
	if (!has_log)
		duck_unmark_checkpoint(d);
}

void
duck_unmark_checkpoint(struct duck *d)
{
	char path[FILE_PATH_BYTES];
	if (mark_path(d, path, NULL) == ERR_OK && file_exists(path) &&
	    file_unlink(path, NULL) != ERR_OK)
		log_debug("duck", "left %s for the next checkpoint to delete", path);
}

bool
duck_died_in_checkpoint(struct duck *d)
{
	char path[FILE_PATH_BYTES];
	return mark_path(d, path, NULL) == ERR_OK && file_exists(path);
}

static enum err_code
write_head(const struct file *file, size_t head, const unsigned char *bytes, struct err *err)
{
	enum err_code code = file_pwrite(file, (1 + head) * HEAD_BYTES, bytes, HEAD_BYTES, err);
	return code == ERR_OK ? file_sync(file, err) : code;
}

static enum err_code
mend_head(struct duck *d, const struct file *file, const unsigned char *blocks,
    struct duck_torn_head *torn, struct err *err)
{
	char copy[FILE_PATH_BYTES];
	const unsigned char *at = blocks + (1 + torn->place) * HEAD_BYTES;
	memcpy(torn->bytes, at, HEAD_BYTES);
	enum err_code code = keep_copy(d, DUCK_FILE ".head",
	    str_of((const char *)torn->bytes, HEAD_BYTES), copy, err);
	if (code == ERR_OK)
		code = write_head(file, torn->place, blocks + (2 - torn->place) * HEAD_BYTES, err);
	torn->mended = code == ERR_OK;
	if (code == ERR_OK)
		log_error("duck",
		    "one of the two heads of " DUCK_FILE
		    " was written only in part, in a checkpoint that "
		    "did not end: the other one, of before, is used; a copy is %s; nothing was lost",
		    copy);
	return code;
}

enum err_code
duck_repair_head(struct duck *d, struct duck_torn_head *torn, struct err *err)
{
	unsigned char blocks[(1 + HEADS) * HEAD_BYTES];
	char path[FILE_PATH_BYTES];
	struct file file = {0};
	size_t got = 0;
	*torn = (struct duck_torn_head){0};
	enum err_code code = file_join(str_from(d->dir), STR(DUCK_FILE), path, err);
	if (code != ERR_OK || !file_exists(path))
		return code;
	code = file_open(path, FILE_WRITE, &file, err);
	if (code == ERR_OK)
		code = file_pread(&file, 0, blocks, sizeof(blocks), &got, err);
	torn->equal = code == ERR_OK && got == sizeof(blocks) &&
	    memcmp(blocks + HEAD_BYTES, blocks + 2 * HEAD_BYTES, HEAD_BYTES) == 0;
	if (!duck_died_in_checkpoint(d)) {
		file_close(&file);
		return code;
	}
	torn->place = code == ERR_OK && got == sizeof(blocks) ? torn_head(blocks) : HEADS;
	if (torn->place < HEADS)
		code = mend_head(d, &file, blocks, torn, err);
	file_close(&file);
	return code;
}

enum err_code
duck_unrepair_head(struct duck *d, const struct duck_torn_head *torn, struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct file file = {0};
	enum err_code code = file_join(str_from(d->dir), STR(DUCK_FILE), path, err);
	if (code == ERR_OK && torn->mended)
		code = file_open(path, FILE_WRITE, &file, err);
	if (code == ERR_OK && torn->mended)
		code = write_head(&file, torn->place, torn->bytes, err);
	file_close(&file);
	if (code != ERR_OK)
		return code;
	return err_set(err, ERR_CORRUPT,
	    DUCK_FILE " is damaged: of its two heads the one that counts cannot be read, and the "
	              "other one does not go with its log; nothing was changed");
}

/* ---- a block of metadata */

static enum err_code
mend_block(struct duck *d, const struct file *file, uint64_t at, bool *mended, struct err *err)
{
	unsigned char sum[8], *block = xcalloc(1, BLOCK_BYTES);
	char copy[FILE_PATH_BYTES];
	size_t got = 0;
	enum err_code code = file_pread(file, at, block, BLOCK_BYTES, &got, err);
	put_u64le(sum, checksum_of(block, BLOCK_BYTES));
	*mended = code == ERR_OK && got == BLOCK_BYTES && memcmp(sum, block, sizeof(sum)) != 0;
	if (*mended)
		code = keep_copy(d, DUCK_FILE ".block", str_of((const char *)block, BLOCK_BYTES),
		    copy, err);
	if (*mended && code == ERR_OK)
		code = file_pwrite(file, at, sum, sizeof(sum), err);
	if (*mended && code == ERR_OK)
		code = file_sync(file, err);
	if (*mended && code == ERR_OK)
		log_error("duck",
		    "a block of " DUCK_FILE " at %" PRIu64
		    " was written only in part, in a checkpoint that did not end: its checksum was put "
		    "right; a copy is %s; nothing was lost",
		    at, copy);
	free(block);
	return code;
}

enum err_code
duck_repair_block(struct duck *d, uint64_t at, struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct file file = {0};
	bool mended = false, block = at >= BLOCKS_AT && (at - BLOCKS_AT) % BLOCK_BYTES == 0;
	enum err_code code = file_join(str_from(d->dir), STR(DUCK_FILE), path, err);
	if (code == ERR_OK && block)
		code = file_open(path, FILE_WRITE, &file, err);
	if (code == ERR_OK && block)
		code = mend_block(d, &file, at, &mended, err);
	file_close(&file);
	if (code != ERR_OK || mended)
		return code;
	return err_set(err, ERR_CORRUPT, DUCK_FILE " is damaged at byte %" PRIu64, at);
}

enum err_code
duck_open_beside(struct duck *d, struct err *err)
{
	char path[FILE_PATH_BYTES];
	if (d->beside.path)
		return ERR_OK;
	enum err_code code = file_join(str_from(d->dir), STR(DUCK_FILE), path, err);
	return code == ERR_OK ? file_open(path, FILE_WRITE, &d->beside, err) : code;
}

enum err_code
duck_repair_metadata(struct duck *d, duckdb_connection con, struct err *err)
{
	struct duck_sql sql;
	struct buf words = {0};
	bool mended;
	duck_sql_init(&sql);
	buf_str(&sql.text, STR("SELECT block_id FROM pragma_metadata_info()"));
	enum err_code code = duck_read_words(d, con, &sql, UINT64_MAX, &words, err);
	duck_sql_fini(&sql);
	if (code == ERR_OK)
		code = duck_open_beside(d, err);
	for (size_t i = 0; i < words.len / sizeof(uint64_t) && code == ERR_OK; i++) {
		uint64_t id;
		memcpy(&id, words.ptr + i * sizeof(id), sizeof(id));
		code = mend_block(d, &d->beside, BLOCKS_AT + id * BLOCK_BYTES, &mended, err);
	}
	buf_fini(&words);
	return code;
}
