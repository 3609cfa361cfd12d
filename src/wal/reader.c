/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/reader.c - reading beside the writer.
 *
 * The writer tells under the lock where the durable records of each segment end. Bytes before that
 * end never change again, so that a reader needs the lock only when it has reached the end it
 * knew, and never reads a byte that is still being written. A segment that has a successor has its
 * final end.
 */
#include "base/arena.h"
#include "base/hash.h"
#include "wal/wal_priv.h"

#include <stdlib.h>

struct wal_reader {
	struct wal *w;
	struct wal_segment seg; /* as it was when last asked */
	struct file file;
	struct wal_view view;
	uint64_t off;
	uint64_t next_seq;
};

/* The newest segment that begins at or before seq. */
static bool
find_segment(struct wal *w, uint64_t seq, struct wal_segment *out)
{
	bool found = false;
	mutex_lock(&w->lock);
	for (size_t i = w->segment_count; i > 0 && !found; i--) {
		*out = w->segments[i - 1];
		found = out->first_seq <= seq;
	}
	mutex_unlock(&w->lock);
	return found;
}

/* What is known now about the segment the reader is in; *next: the one behind it, if any. */
static bool
refresh(struct wal_reader *r, struct wal_segment *next)
{
	bool has_next = false;
	mutex_lock(&r->w->lock);
	for (size_t i = r->w->segment_count; i > 0; i--) {
		const struct wal_segment *s = &r->w->segments[i - 1];
		if (s->first_seq == r->seg.first_seq)
			r->seg.end_off = s->end_off;
		if (s->first_seq <= r->seg.first_seq)
			break;
		*next = *s;
		has_next = true;
	}
	mutex_unlock(&r->w->lock);
	r->view.end = r->seg.end_off;
	return has_next;
}

static enum err_code
enter_segment(struct wal_reader *r, const struct wal_segment *seg, struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct file f;
	wal_segment_path(r->w, seg->first_seq, path);
	enum err_code code = file_open(path, FILE_READ, &f, err);
	if (code == ERR_NOT_FOUND && err)
		err->code = ERR_IO; /* "not found" means "no record yet" here */
	if (code != ERR_OK)
		return ERR_IO;
	wal_view_fini(&r->view);
	file_close(&r->file);
	r->file = f;
	r->seg = *seg;
	r->off = WAL_SEGMENT_HEAD_BYTES;
	wal_view_init(&r->view, &r->file, seg->end_off);
	return ERR_OK;
}

static enum err_code
corrupt(const struct wal_reader *r, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "%s: record %llu at offset %llu is damaged", r->file.path,
	    (unsigned long long)r->next_seq, (unsigned long long)r->off);
}

/* The head at r->off, which must be that of record r->next_seq, within the segment. */
static enum err_code
read_head(struct wal_reader *r, struct wal_head *h, bool *good_out, struct err *err)
{
	const unsigned char *p;
	enum err_code code = wal_view_get(&r->view, r->off, WAL_RECORD_HEAD_BYTES, &p, err);
	*good_out = code == ERR_OK && p && wal_head_read(p, r->seg.salt, h) &&
	    h->seq == r->next_seq && wal_record_bytes(h->len) <= r->seg.end_off - r->off;
	return code;
}

/* One record on, in the search for the first one behind after_seq. What is damaged on the way
 * may be passed over as long as that one is not. */
static enum err_code
hop(struct wal_reader *r, uint64_t after_seq, struct err *err)
{
	struct wal_head h;
	bool good;
	uint64_t at;
	enum err_code code = read_head(r, &h, &good, err);
	if (code != ERR_OK)
		return code;
	if (good) {
		r->off += wal_record_bytes(h.len);
		r->next_seq++;
		return ERR_OK;
	}
	code = wal_view_find(&r->view, r->off, r->seg.salt, r->next_seq, &at, &h, err);
	if (code != ERR_OK)
		return code;
	if (at == UINT64_MAX || h.seq - 1 > after_seq)
		return corrupt(r, err);
	r->off = at;
	r->next_seq = h.seq;
	return ERR_OK;
}

static enum err_code
seek(struct wal_reader *r, uint64_t after_seq, struct err *err)
{
	struct wal_segment seg = {0};
	if (after_seq > wal_durable_seq(r->w))
		return err_set(err, ERR_INVALID,
		    "record %llu is beyond the log, which ends at %llu",
		    (unsigned long long)after_seq, (unsigned long long)wal_durable_seq(r->w));
	if (!find_segment(r->w, after_seq + 1, &seg))
		return err_set(err, ERR_CORRUPT, "%.100s: record %llu is no longer in the log",
		    r->w->dir, (unsigned long long)after_seq + 1);
	enum err_code code = enter_segment(r, &seg, err);
	r->next_seq = seg.first_seq;
	while (code == ERR_OK && r->next_seq <= after_seq)
		code = hop(r, after_seq, err);
	return code;
}

enum err_code
wal_reader_open(struct wal *w, uint64_t after_seq, struct wal_reader **reader_out, struct err *err)
{
	struct wal_reader *r = xcalloc(1, sizeof(*r));
	*reader_out = NULL;
	r->w = w;
	enum err_code code = seek(r, after_seq, err);
	if (code == ERR_OK)
		*reader_out = r;
	else
		wal_reader_close(r);
	return code;
}

void
wal_reader_close(struct wal_reader *r)
{
	if (!r)
		return;
	wal_view_fini(&r->view);
	file_close(&r->file);
	free(r);
}

/* Until there is a durable record at r->off; ERR_NOT_FOUND when there is none yet. */
static enum err_code
find_data(struct wal_reader *r, struct err *err)
{
	while (r->off >= r->seg.end_off) {
		struct wal_segment next = {0};
		bool has_next = refresh(r, &next);
		if (r->off < r->seg.end_off)
			break;
		if (!has_next)
			return err_set(err, ERR_NOT_FOUND, "no more records yet");
		if (next.first_seq != r->next_seq)
			return corrupt(r, err);
		enum err_code code = enter_segment(r, &next, err);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

static enum err_code
read_payload(struct wal_reader *r, const struct wal_head *h, struct arena *arena, struct str *out,
    struct err *err)
{
	const unsigned char *seen;
	uint64_t at = r->off + WAL_RECORD_HEAD_BYTES;
	size_t n = (size_t)wal_record_bytes(h->len) - WAL_RECORD_HEAD_BYTES, got = 0;
	enum err_code code;
	char *p = arena_alloc(arena, n); /* the pad is checked too */
	if (!p)
		return err_set(err, ERR_TOO_LARGE, "no room left for a record of %u bytes", h->len);
	if (n <= WAL_VIEW_BYTES / 2) {
		code = wal_view_get(&r->view, at, n, &seen, err);
		if (code == ERR_OK && seen) {
			memcpy(p, seen, n);
			got = n;
		}
	} else {
		code = file_pread(&r->file, at, p, n, &got, err);
	}
	if (code != ERR_OK)
		return code;
	if (got != n || hash_crc32c(r->seg.salt, p, n) != h->body_crc)
		return corrupt(r, err);
	*out = str_of(p, h->len);
	return ERR_OK;
}

enum err_code
wal_reader_next(struct wal_reader *r, struct arena *arena, struct wal_record *record_out,
    struct err *err)
{
	*record_out = (struct wal_record){0};
	for (;;) {
		struct wal_head h;
		bool good;
		enum err_code code = find_data(r, err);
		if (code != ERR_OK)
			return code;
		code = read_head(r, &h, &good, err);
		if (code != ERR_OK)
			return code;
		if (!good)
			return corrupt(r, err);
		if (h.kind == WAL_REQUEST) {
			code = read_payload(r, &h, arena, &record_out->payload, err);
			if (code != ERR_OK)
				return code;
		}
		r->off += wal_record_bytes(h.len);
		r->next_seq++;
		if (h.kind == WAL_MARK)
			continue;
		record_out->seq = h.seq;
		record_out->kind = h.kind;
		record_out->end_bytes = wal_reader_bytes(r);
		return ERR_OK;
	}
}

uint64_t
wal_reader_bytes(const struct wal_reader *r)
{
	return r->seg.base_bytes + r->off - WAL_SEGMENT_HEAD_BYTES;
}
