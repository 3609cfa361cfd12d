/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/segment.c - how a segment comes to be.
 *
 * Writing into blocks that hold zeros already is what makes fdatasync cheap: neither the size of the
 * file nor its extents change, so no journal commit is needed. Writing those zeros takes much
 * longer than a commit, hence a helper thread does it for the next segment, under a name that
 * recovery does not read, when the newest one is a quarter full. A segment then gets its head, is
 * synced, renamed to its first seq, and the folder is synced: one that has a name is whole.
 *
 * The helper syncs its zeros in steps, to leave the disk to the commits in between. Commits of
 * 64 KiB, the slowest of 2,500 (median of 4 rounds): 41 ms without a helper, 30 ms with one that
 * syncs once, 3.6 ms with steps of 4 MiB. They are written past the page cache where that can be done: to copy
 * them there would be 3 to 8 % of all that weir does under load.
 *
 * A lack of space or of descriptors is not final: it is met before anything of the records has
 * been written, so the log stays as it was and the clients come again later. The space is looked
 * at before the zeros are written: else each attempt would fill the disk to its last byte, and
 * whoever else writes to it, the store first of all, would fail too.
 */
#include "base/arena.h"
#include "sys/log.h"
#include "sys/rand.h"
#include "wal/wal_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ZERO_BYTES = 64 * 1024, ZERO_PARTS = 8, STEP_BYTES = 4 << 20 };

void
wal_segment_path(const struct wal *w, uint64_t first_seq, char out[FILE_PATH_BYTES])
{
	char name[WAL_NAME_BYTES];
	wal_segment_name(first_seq, name);
	/* wal_open() made sure that it fits */
	CHECK(file_join(str_from(w->dir), str_from(name), out, NULL) == ERR_OK);
}

static void
next_path(const struct wal *w, char out[FILE_PATH_BYTES])
{
	CHECK(file_join(str_from(w->dir), STR(WAL_NEXT_NAME), out, NULL) == ERR_OK);
}

enum err_code
wal_zero(const struct file *f, uint64_t from, uint64_t to, struct err *err)
{
	static _Alignas(FILE_DIRECT_BYTES) const char zeros[ZERO_BYTES];
	enum err_code code = ERR_OK;
	while (code == ERR_OK && from < to) {
		struct str parts[ZERO_PARTS];
		uint64_t end = from;
		size_t n = 0;
		for (; n < ZERO_PARTS && end < to; n++) {
			size_t len = to - end < ZERO_BYTES ? (size_t)(to - end) : ZERO_BYTES;
			parts[n] = str_of(zeros, len);
			end += len;
		}
		code = file_pwritev(f, from, parts, n, err);
		from = end;
	}
	return code;
}

/* No space and no descriptor become ERR_BUSY; all else is for ever. */
static enum err_code
soften(enum err_code code, struct err *e, struct err *err)
{
	if (code == ERR_OK)
		return code;
	if (e->os_errno == ENOSPC || e->os_errno == EDQUOT || e->os_errno == EMFILE ||
	    e->os_errno == ENFILE)
		e->code = ERR_BUSY;
	else if (e->code != ERR_BUSY)
		e->code = ERR_IO;
	if (err)
		*err = *e;
	return e->code;
}

/* Whether `size` more bytes leave enough free. */
static enum err_code
check_room(const struct wal *w, uint64_t size, struct err *err)
{
	uint64_t free_bytes;
	enum err_code code = file_free_bytes(w->dir, &free_bytes, err);
	if (code != ERR_OK)
		return code;
	if (free_bytes >= size && free_bytes - size >= w->free_bytes_min)
		return ERR_OK;
	return err_set_errno(err, ERR_BUSY, ENOSPC,
	    "%.100s: %llu MiB are free, a segment takes %llu of them and must leave %llu", w->dir,
	    (unsigned long long)(free_bytes >> 20), (unsigned long long)(size >> 20),
	    (unsigned long long)(w->free_bytes_min >> 20));
}

/* wal_zero() in steps that are synced. A file system may refuse at any time to write directly. */
static enum err_code
zero_in_steps(const struct file *f, uint64_t size, struct err *err)
{
	bool direct = size % FILE_DIRECT_BYTES == 0 && file_direct(f, true);
	enum err_code code = ERR_OK;
	for (uint64_t from = 0; code == ERR_OK && from < size; from += STEP_BYTES) {
		uint64_t to = from + STEP_BYTES < size ? from + STEP_BYTES : size;
		code = wal_zero(f, from, to, err);
		if (code != ERR_OK && direct && err->os_errno == EINVAL) {
			direct = file_direct(f, false);
			code = wal_zero(f, from, to, err);
		}
		if (code == ERR_OK)
			code = file_sync(f, err);
	}
	return code;
}

/* A file of zeros under the name of the next segment. Helper thread, or the writer without one. */
static enum err_code
prepare(const struct wal *w, uint64_t size, struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct file f = {0};
	next_path(w, path);
	enum err_code code = check_room(w, size, err);
	if (code == ERR_OK)
		code = file_open(path, FILE_REPLACE, &f, err);
	if (code == ERR_OK)
		code = zero_in_steps(&f, size, err);
	bool opened = f.path != NULL;
	file_close(&f);
	if (code != ERR_OK && opened && file_unlink(path, NULL) != ERR_OK)
		return code; /* emptied by the next attempt, deleted by the next wal_open() */
	return code;
}

static void
helper_main(void *ctx)
{
	struct wal *w = ctx;
	mutex_lock(&w->lock);
	while (!w->stopping) {
		if (w->next_state != WAL_NEXT_WANTED) {
			cond_wait(&w->next_changed, &w->lock);
			continue;
		}
		mutex_unlock(&w->lock);
		struct err err;
		enum err_code code = prepare(w, w->segment_bytes_max, &err);
		if (code != ERR_OK)
			log_warn("wal", "cannot prepare the next segment yet: %s", err.message);
		mutex_lock(&w->lock);
		w->next_state = code == ERR_OK ? WAL_NEXT_READY : WAL_NEXT_FAILED;
		cond_broadcast(&w->next_changed);
	}
	mutex_unlock(&w->lock);
}

enum err_code
wal_segment_helper_start(struct wal *w, struct err *err)
{
	return thread_start(&w->helper, "wal-prepare", helper_main, w, err);
}

void
wal_segment_helper_stop(struct wal *w)
{
	char path[FILE_PATH_BYTES];
	mutex_lock(&w->lock);
	w->stopping = true;
	cond_broadcast(&w->next_changed);
	mutex_unlock(&w->lock);
	thread_join(&w->helper);
	next_path(w, path);
	if (w->next_state == WAL_NEXT_READY && file_unlink(path, NULL) != ERR_OK)
		log_debug("wal", "left %s for the next start to delete", path);
}

void
wal_segment_plan(struct wal *w)
{
	if (w->write_off < w->active_cap / 4)
		return;
	mutex_lock(&w->lock);
	if (w->next_state == WAL_NEXT_NONE) {
		w->next_state = WAL_NEXT_WANTED;
		cond_broadcast(&w->next_changed);
	}
	mutex_unlock(&w->lock);
}

/* Wait for the helper if it is at work; whether there is a prepared segment. */
static bool
take_prepared(struct wal *w)
{
	mutex_lock(&w->lock);
	while (w->next_state == WAL_NEXT_WANTED)
		cond_wait(&w->next_changed, &w->lock);
	bool ready = w->next_state == WAL_NEXT_READY;
	w->next_state = WAL_NEXT_NONE;
	mutex_unlock(&w->lock);
	return ready;
}

void
wal_segment_add(struct wal *w, const struct wal_segment *s)
{
	mutex_lock(&w->lock);
	size_t count = w->segment_count, cap = w->segment_cap;
	mutex_unlock(&w->lock);
	/* Only this thread adds; another may take away, so the room found is there. */
	struct wal_segment *grown = NULL, *old = NULL;
	if (count == cap)
		grown = xcalloc(cap ? 2 * cap : 16, sizeof(*grown));
	mutex_lock(&w->lock);
	if (grown) {
		if (w->segment_count > 0)
			memcpy(grown, w->segments, w->segment_count * sizeof(*grown));
		old = w->segments;
		w->segments = grown;
		w->segment_cap = cap ? 2 * cap : 16;
	}
	w->segments[w->segment_count++] = *s;
	atomic_store(&w->segment_count_now, w->segment_count);
	mutex_unlock(&w->lock);
	free(old);
}

static enum err_code
start_prepared(struct wal *w, uint64_t first_seq, uint64_t size, struct file *f, struct err *err)
{
	char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
	unsigned char head[WAL_SEGMENT_HEAD_BYTES];
	next_path(w, from);
	wal_segment_path(w, first_seq, to);
	uint32_t salt = (uint32_t)rand_u64();
	enum err_code code = file_open(from, FILE_WRITE, f, err);
	if (code == ERR_OK && size > w->segment_bytes_max)
		code = check_room(w, size - w->segment_bytes_max, err);
	if (code == ERR_OK)
		code = wal_zero(f, w->segment_bytes_max, size, err);
	wal_segment_head_write(first_seq, salt, head);
	if (code == ERR_OK)
		code = file_pwrite(f, 0, head, sizeof(head), err);
	if (code == ERR_OK)
		code = file_sync(f, err);
	if (code == ERR_OK)
		code = file_rename(from, to, err);
	if (code != ERR_OK && f->path && file_unlink(from, NULL) != ERR_OK)
		return code; /* as in prepare() */
	if (code == ERR_OK)
		code = file_sync_entries(&w->folder, err);
	if (code == ERR_OK) {
		w->active_salt = salt;
		free(f->path); /* errors name it as it is called now */
		f->path = strdup(to);
		CHECK(f->path != NULL);
	}
	return code;
}

/* Bytes of records in all segments so far. */
static uint64_t
records_end(struct wal *w)
{
	uint64_t end = 0;
	mutex_lock(&w->lock);
	if (w->segment_count > 0) {
		const struct wal_segment *last = &w->segments[w->segment_count - 1];
		end = last->base_bytes + last->end_off - WAL_SEGMENT_HEAD_BYTES;
	}
	mutex_unlock(&w->lock);
	return end;
}

enum err_code
wal_segment_start(struct wal *w, uint64_t first_seq, uint64_t size, struct err *err)
{
	struct err e = {0};
	struct file f = {0};
	enum err_code code = ERR_OK;
	if (size < w->segment_bytes_max)
		size = w->segment_bytes_max;
	if (!take_prepared(w))
		code = prepare(w, w->segment_bytes_max, &e);
	if (code == ERR_OK)
		code = start_prepared(w, first_seq, size, &f, &e);
	if (code != ERR_OK) {
		file_close(&f);
		return soften(code, &e, err);
	}
	uint64_t base = records_end(w);
	file_close(&w->active);
	w->active = f;
	w->active_cap = size;
	w->write_off = WAL_SEGMENT_HEAD_BYTES;
	wal_segment_add(w,
	    &(struct wal_segment){.first_seq = first_seq,
	        .base_bytes = base,
	        .end_off = WAL_SEGMENT_HEAD_BYTES,
	        .salt = w->active_salt});
	return ERR_OK;
}

enum err_code
wal_segment_extend(struct wal *w, uint64_t size, struct err *err)
{
	struct err e = {0};
	CHECK(size > w->active_cap);
	enum err_code code = check_room(w, size - w->active_cap, &e);
	if (code == ERR_OK)
		code = wal_zero(&w->active, w->active_cap, size, &e);
	if (code == ERR_OK)
		code = file_sync(&w->active, &e);
	if (code == ERR_OK)
		w->active_cap = size;
	return soften(code, &e, err);
}
