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
 * whole; then that one is copied over it. This is right only for a checkpoint that did not end, after which
 * DuckDB's log is still there, and says of itself which head it continues. So with no log nothing is done, and if
 * DuckDB does not take its log with the other head, the head that counts is the damaged one: then all is put back
 * as it was, and the file is refused.
 */
#include "duck/duck_priv.h"

#include "base/bits.h"
#include "sys/file.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>

enum { COPIES_MAX = 1000, COPY_BYTES_MAX = 1 << 30, HEAD_BYTES = DUCK_HEAD_BYTES, HEADS = 2 };

/* The next free name of <file>.<n>.damaged gets these bytes. */
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

static bool
head_is_whole(const unsigned char *head)
{
	uint64_t sum = 5381;
	for (size_t i = sizeof(sum); i < HEAD_BYTES; i += sizeof(sum))
		sum ^= get_u64le(head + i) * UINT64_C(0xbf58476d1ce4e5b9);
	return sum == get_u64le(head);
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

static bool
has_log(struct duck *d)
{
	char path[FILE_PATH_BYTES];
	struct file file = {0};
	uint64_t size = 0;
	bool is = file_join(str_from(d->dir), STR(DUCK_FILE ".wal"), path, NULL) == ERR_OK &&
	    file_open(path, FILE_READ, &file, NULL) == ERR_OK &&
	    file_size(&file, &size, NULL) == ERR_OK && size > 0;
	file_close(&file);
	return is;
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
	if (code != ERR_OK || !file_exists(path) || !has_log(d))
		return code;
	code = file_open(path, FILE_WRITE, &file, err);
	if (code == ERR_OK)
		code = file_pread(&file, 0, blocks, sizeof(blocks), &got, err);
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
	if (code == ERR_OK)
		code = file_open(path, FILE_WRITE, &file, err);
	if (code == ERR_OK)
		code = write_head(&file, torn->place, torn->bytes, err);
	file_close(&file);
	if (code != ERR_OK)
		return code;
	return err_set(err, ERR_CORRUPT,
	    DUCK_FILE " is damaged: of its two heads the one that counts cannot be read, and the "
	              "other one does not go with its log; the file is as it was");
}
