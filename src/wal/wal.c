/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/wal.c - the writer: append, commit, mark, close.
 *
 * A record is sealed (its checksums written) when it is known which segment it goes to, for they
 * begin from that segment's salt. A commit fills the newest segment with as many records as fit,
 * syncs them, and only then begins the next one: that order is what recovery relies on when it
 * takes a later segment for a witness of all earlier ones.
 *
 * A segment keeps room for one mark behind its last request, so that closing the log does not need
 * a new segment for 32 bytes.
 */
#include "wal/wal.h"

#include "base/arena.h"
#include "base/bits.h"
#include "base/hash.h"
#include "sys/log.h"
#include "wal/wal_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { PENDING_KEEP_BYTES = 16 << 20, SEGMENT_BYTES_MIN = 4096 };

static void
wal_free(struct wal *w)
{
	wal_segment_helper_stop(w);
	file_close(&w->active);
	file_close(&w->folder);
	buf_fini(&w->pending);
	cond_fini(&w->next_changed);
	mutex_fini(&w->lock);
	free(w->segments);
	free(w);
}

enum err_code
wal_open(const struct wal_options *opt, struct wal **wal_out, struct wal_report *report,
    struct err *err)
{
	struct wal_report unused;
	struct err e = {0};
	*wal_out = NULL;
	if (!report)
		report = &unused;
	*report = (struct wal_report){0};
	if (opt->dir.len == 0 || opt->dir.len > FILE_PATH_BYTES - 64 ||
	    memchr(opt->dir.ptr, 0, opt->dir.len))
		return err_set(err, ERR_INVALID, "the folder of the log has no usable name");
	struct wal *w = xcalloc(1, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "%.*s", STR_ARG(opt->dir));
	w->segment_bytes_max =
	    opt->segment_bytes_max > SEGMENT_BYTES_MIN ? opt->segment_bytes_max : SEGMENT_BYTES_MIN;
	mutex_init(&w->lock);
	cond_init(&w->next_changed);
	enum err_code code = wal_recover(w, opt->applied_seq, report, &e);
	w->free_bytes_min = opt->free_bytes_min;
	if (code == ERR_OK)
		code = wal_segment_helper_start(w, &e);
	if (code != ERR_OK) {
		if (err)
			*err = e;
		wal_free(w);
		return code;
	}
	*wal_out = w;
	return ERR_OK;
}

/* Forget what has been appended and is not durable; the seqs are free again. */
static void
drop_pending(struct wal *w)
{
	w->next_seq = atomic_load(&w->durable_seq) + 1;
	if (w->pending.cap > PENDING_KEEP_BYTES)
		buf_fini(&w->pending);
	else
		buf_reset(&w->pending);
}

void
wal_close(struct wal *w)
{
	struct err err;
	if (!w)
		return;
	drop_pending(w);
	if (!wal_failed(w) && wal_mark_idle(w, &err) != ERR_OK)
		log_warn("wal", "cannot write the mark of a clean end: %s", err.message);
	wal_free(w);
}

enum err_code
wal_append(struct wal *w, enum wal_kind kind, struct str head, struct str body, uint64_t *seq_out,
    struct err *err)
{
	CHECK(kind == WAL_REQUEST || (head.len == 0 && body.len == 0));
	size_t len;
	if (wal_failed(w))
		return err_set(err, ERR_IO, "the log has failed and takes no more records");
	if (!size_add(head.len, body.len, &len) || len > WAL_PAYLOAD_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "a record of %zu bytes is larger than %u", len,
		    WAL_PAYLOAD_BYTES_MAX);
	size_t bytes = (size_t)wal_record_bytes(len);
	char *p = buf_reserve(&w->pending, bytes);
	CHECK(p != NULL); /* no limit is set */
	/* What seal() needs; the rest of the head is its to write. */
	memset(p, 0, WAL_RECORD_HEAD_BYTES);
	put_u32le(p, (uint32_t)len);
	put_u64le(p + 8, w->next_seq);
	p[28] = (char)kind;
	p += WAL_RECORD_HEAD_BYTES;
	if (head.len)
		memcpy(p, head.ptr, head.len);
	if (body.len)
		memcpy(p + head.len, body.ptr, body.len);
	memset(p + len, 0, bytes - WAL_RECORD_HEAD_BYTES - len);
	w->pending.len += bytes;
	*seq_out = w->next_seq++;
	return ERR_OK;
}

uint64_t
wal_pending_bytes(const struct wal *w)
{
	return w->pending.len;
}

/* Head and checksums of the record at p, for the active segment. Returns its size. */
static uint64_t
seal(struct wal *w, unsigned char *p)
{
	struct wal_head h = {.len = get_u32le(p),
	    .seq = get_u64le(p + 8),
	    .durable = atomic_load(&w->durable_seq),
	    .kind = p[28] == WAL_MARK ? WAL_MARK : WAL_REQUEST};
	uint64_t bytes = wal_record_bytes(h.len);
	h.body_crc = hash_crc32c(w->active_salt, p + WAL_RECORD_HEAD_BYTES,
	    (size_t)bytes - WAL_RECORD_HEAD_BYTES);
	wal_head_write(&h, w->active_salt, p);
	return bytes;
}

/* Bytes that the record at p needs at the end of a segment: its own, and a mark's behind it. */
static uint64_t
room_for(const unsigned char *p)
{
	return wal_record_bytes(get_u32le(p)) + (p[28] == WAL_MARK ? 0 : WAL_RECORD_HEAD_BYTES);
}

/* The seq first: a reader that finds the new end must not be ahead of what is called durable. */
static void
publish(struct wal *w, uint64_t last_seq)
{
	mutex_lock(&w->lock);
	struct wal_segment *s = &w->segments[w->segment_count - 1];
	uint64_t end_off = w->write_off;
	atomic_store(&w->durable_bytes, s->base_bytes + end_off - WAL_SEGMENT_HEAD_BYTES);
	atomic_store_explicit(&w->durable_seq, last_seq, memory_order_release);
	s->end_off = end_off;
	mutex_unlock(&w->lock);
}

/* As many of the records from *from on as fit into one segment: write, sync, publish. */
static enum err_code
commit_some(struct wal *w, size_t *from, struct err *err)
{
	unsigned char *p = (unsigned char *)w->pending.ptr + *from;
	size_t left = w->pending.len - *from, n = 0;
	uint64_t last_seq = 0;
	bool is_mark = false;
	if (w->write_off + room_for(p) > w->active_cap) {
		uint64_t need = WAL_SEGMENT_HEAD_BYTES + room_for(p);
		/* An empty segment has the seq that a new one would have. */
		if (w->write_off == WAL_SEGMENT_HEAD_BYTES)
			return wal_segment_extend(w, need, err);
		return wal_segment_start(w, get_u64le(p + 8), need, err);
	}
	while (n < left && w->write_off + n + room_for(p + n) <= w->active_cap) {
		last_seq = get_u64le(p + n + 8);
		is_mark = p[n + 28] == WAL_MARK;
		n += (size_t)seal(w, p + n);
	}
	CHECK(n > 0 && n <= left);
	enum err_code code = file_pwrite(&w->active, w->write_off, p, n, err);
	if (code == ERR_OK)
		code = file_sync(&w->active, err);
	if (code != ERR_OK)
		return ERR_IO;
	w->write_off += n;
	w->last_is_mark = is_mark;
	*from += n;
	publish(w, last_seq);
	return ERR_OK;
}

enum err_code
wal_commit(struct wal *w, uint64_t *durable_out, struct err *err)
{
	enum err_code code = ERR_OK;
	size_t from = 0;
	if (wal_failed(w))
		code = err_set(err, ERR_IO, "the log has failed and takes no more records");
	else
		while (code == ERR_OK && from < w->pending.len)
			code = commit_some(w, &from, err);
	if (code != ERR_OK && code != ERR_BUSY) {
		if (err)
			err->code = ERR_IO;
		code = ERR_IO;
		atomic_store(&w->failed, true);
	}
	drop_pending(w);
	*durable_out = atomic_load(&w->durable_seq);
	if (code == ERR_OK)
		wal_segment_plan(w);
	return code;
}

enum err_code
wal_mark_idle(struct wal *w, struct err *err)
{
	uint64_t seq;
	CHECK(w->pending.len == 0);
	if (w->last_is_mark && !wal_failed(w))
		return ERR_OK;
	enum err_code code = wal_append(w, WAL_MARK, STR_EMPTY, STR_EMPTY, &seq, err);
	return code == ERR_OK ? wal_commit(w, &seq, err) : code;
}

uint64_t
wal_durable_seq(const struct wal *w)
{
	return atomic_load_explicit(&w->durable_seq, memory_order_acquire);
}

uint64_t
wal_durable_bytes(const struct wal *w)
{
	return atomic_load(&w->durable_bytes);
}

bool
wal_failed(const struct wal *w)
{
	return atomic_load(&w->failed);
}

uint64_t
wal_segment_count(const struct wal *w)
{
	return atomic_load(&w->segment_count_now);
}
