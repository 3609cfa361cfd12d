/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/recover.c - opening a log that may have been left in any state.
 *
 * Segments are read in order, each record's two checksums and its seq compared. What is found at the
 * first place that is no next record decides:
 *
 *     the next segment begins with the seq expected here     the segment is complete
 *     reading can go on at a later record, and all between   damage to what is in the store
 *       the two is at or below applied_seq                    already: noted, passed over
 *     a later segment exists, or in the rest of this one a   damage to what was acknowledged:
 *       head is intact whose `durable` covers what is lost    ERR_CORRUPT, nothing is changed
 *     else                                                   the end of the log; bytes that are
 *                                                            not zero behind it are cut
 *
 * A later segment vouches because it is created only after all before it was synced. What is cut
 * is as a rule a torn tail; it may also be the last commit, acknowledged and damaged since, if no
 * mark came to vouch for it. The two cannot be told apart, and the report does not pretend to. It
 * is overwritten with zeros and synced before anything else is written, so that its records
 * cannot come back behind new ones.
 *
 * What no record vouches for at the end of the log is written once more and synced. It may have been
 * read from the page cache after an fdatasync that failed in an earlier life of the process; the
 * kernel then holds it to be clean, and a sync alone would say yes to pages that never reached
 * the disk.
 *
 * Memory is one window (128 KiB) whatever the size of the log.
 */
#include "base/arena.h"
#include "wal/wal_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct recovery {
	struct wal *w;
	uint64_t applied_seq;
	struct wal_report *report;
	uint64_t *first_seqs; /* of the segments there are, ascending */
	size_t count;
	size_t cap;
	uint64_t expect; /* seq of the next record */
	uint64_t bytes; /* of records, all segments so far */
	bool broken_end; /* between the last good record and the end there is damage */
	bool leftover; /* there is a prepared segment that was never used */
};

struct scan { /* of one segment */
	struct file file;
	struct wal_view view;
	uint64_t size;
	uint64_t first_seq;
	uint64_t next_first; /* of the segment behind it; UINT64_MAX: it is the newest */
	uint64_t off;
	uint32_t salt;
	uint64_t group_off; /* where the records that nobody vouches for begin */
	uint64_t group_durable; /* their `durable` */
	bool last_is_mark;
};

static void
note_entry(void *ctx, const char *name)
{
	struct recovery *r = ctx;
	uint64_t first_seq;
	if (strcmp(name, WAL_NEXT_NAME) == 0)
		r->leftover = true;
	if (!wal_segment_name_parse(name, &first_seq))
		return; /* none of ours: leave it alone */
	if (r->count == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 64;
		r->first_seqs = xrealloc(r->first_seqs, r->cap * sizeof(*r->first_seqs));
	}
	r->first_seqs[r->count++] = first_seq;
}

static int
by_seq(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static enum err_code
corrupt(const struct recovery *r, const struct scan *s, struct err *err)
{
	if (s->next_first != UINT64_MAX)
		return err_set(err, ERR_CORRUPT,
		    "%s: record %llu at offset %llu is damaged or missing, and there is a later segment",
		    s->file.path, (unsigned long long)r->expect, (unsigned long long)s->off);
	return err_set(err, ERR_CORRUPT,
	    "%s: record %llu at offset %llu is damaged, and later records say it was durable",
	    s->file.path, (unsigned long long)r->expect, (unsigned long long)s->off);
}

static void
note_damage(struct recovery *r, const char *path, uint64_t off)
{
	struct wal_report *report = r->report;
	const char *name = strrchr(path, '/'); /* a long folder must not push it out */
	r->broken_end = true;
	if (report->damaged_below_applied++ == 0)
		snprintf(report->damage, sizeof(report->damage),
		    "%.120s: record %llu at offset %llu", name ? name + 1 : path,
		    (unsigned long long)r->expect, (unsigned long long)off);
}

/* Does anything behind s->off say that record `lost` or a later one was durable? */
static enum err_code
find_witness(struct recovery *r, struct scan *s, uint64_t lost, bool *found_out, struct err *err)
{
	struct wal_head head;
	uint64_t at, from = s->off;
	*found_out = false;
	while (!*found_out) {
		enum err_code code =
		    wal_view_find(&s->view, from, s->salt, r->expect, &at, &head, err);
		if (code != ERR_OK || at == UINT64_MAX)
			return code;
		*found_out = head.durable >= lost;
		from = at + 8;
	}
	return ERR_OK;
}

/* At s->off there is no next record. *more_out: reading goes on, at a new s->off. */
static enum err_code
judge(struct recovery *r, struct scan *s, bool *more_out, struct err *err)
{
	struct wal_head head;
	uint64_t at;
	enum err_code code = wal_view_find(&s->view, s->off, s->salt, r->expect, &at, &head, err);
	*more_out = false;
	if (code != ERR_OK)
		return code;
	uint64_t resume = at == UINT64_MAX ? s->next_first : head.seq;
	if (resume != UINT64_MAX && resume - 1 <= r->applied_seq) {
		note_damage(r, s->file.path, s->off);
		*more_out = at != UINT64_MAX;
		s->off = *more_out ? at : s->off;
		r->expect = resume;
		return ERR_OK;
	}
	if (s->next_first != UINT64_MAX)
		return corrupt(r, s, err);
	uint64_t lost = r->expect > r->applied_seq ? r->expect : r->applied_seq + 1;
	bool witness;
	code = find_witness(r, s, lost, &witness, err);
	if (code == ERR_OK && witness)
		return corrupt(r, s, err);
	return code;
}

static void
take_record(struct recovery *r, struct scan *s, const struct wal_head *head)
{
	/* All records of a commit have the same `durable`: the last of the one before. */
	if (s->group_off == 0 || head->durable > s->group_durable) {
		s->group_off = s->off;
		s->group_durable = head->durable;
	}
	s->last_is_mark = head->kind == WAL_MARK;
	r->report->record_count += !s->last_is_mark && head->seq > r->applied_seq;
	s->off += wal_record_bytes(head->len);
	r->expect = head->seq + 1;
}

/* A reader that seeks walks the same way, see hop() in reader.c. */
static enum err_code
scan_records(struct recovery *r, struct scan *s, struct err *err)
{
	struct wal_head head;
	enum wal_found found;
	bool more = true;
	enum err_code code = ERR_OK;
	s->last_is_mark = true;
	while (code == ERR_OK && more && r->expect != s->next_first) {
		code = wal_view_record(&s->view, s->off, s->salt, r->expect, &found, &head, err);
		if (code != ERR_OK)
			break;
		if (found == WAL_FOUND_HEAD && r->expect <= r->applied_seq)
			note_damage(r, s->file.path, s->off); /* and its length is known */
		else if (found == WAL_FOUND_RECORD)
			r->broken_end = false;
		else {
			code = judge(r, s, &more, err);
			continue;
		}
		take_record(r, s, &head);
	}
	return code;
}

/* Open segment i and read its head; *usable_out: it has records to be read. */
static enum err_code
open_segment(struct recovery *r, size_t i, struct scan *s, bool *usable_out, struct err *err)
{
	char path[FILE_PATH_BYTES];
	const unsigned char *head;
	s->first_seq = r->first_seqs[i];
	s->next_first = i + 1 < r->count ? r->first_seqs[i + 1] : UINT64_MAX;
	s->off = WAL_SEGMENT_HEAD_BYTES;
	*usable_out = false;
	wal_segment_path(r->w, s->first_seq, path);
	enum err_code code =
	    file_open(path, i + 1 < r->count ? FILE_READ : FILE_WRITE, &s->file, err);
	if (code == ERR_OK)
		code = file_size(&s->file, &s->size, err);
	if (code != ERR_OK)
		return code;
	wal_view_init(&s->view, &s->file, s->size);
	code = wal_view_get(&s->view, 0, WAL_SEGMENT_HEAD_BYTES, &head, err);
	if (code != ERR_OK)
		return code;
	*usable_out = head && wal_segment_head_read(head, s->first_seq, &s->salt);
	if (*usable_out)
		return ERR_OK;
	if (s->next_first == UINT64_MAX || s->next_first - 1 > r->applied_seq)
		return err_set(err, ERR_CORRUPT,
		    "%s: offset 0: this is not the head of log segment %llu", path,
		    (unsigned long long)s->first_seq);
	note_damage(r, path, 0);
	r->expect = s->next_first;
	return ERR_OK;
}

/* Where the bytes at or behind `from` that are not zero end; `from` when there are none. */
static enum err_code
find_dirt_end(struct scan *s, uint64_t from, uint64_t *end_out, struct err *err)
{
	*end_out = from;
	for (uint64_t off = from; off < s->size;) {
		size_t n =
		    s->size - off < WAL_VIEW_BYTES ? (size_t)(s->size - off) : WAL_VIEW_BYTES;
		const unsigned char *p;
		enum err_code code = wal_view_get(&s->view, off, n, &p, err);
		if (code != ERR_OK || !p)
			return code;
		bool all_zero = p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
		for (size_t i = n; i > 0 && !all_zero; i--) {
			if (p[i - 1] != 0) {
				*end_out = off + i;
				break;
			}
		}
		off += n;
	}
	return ERR_OK;
}

/* Zero a torn tail and make what is before it durable for certain. */
static enum err_code
settle_tail(struct recovery *r, struct scan *s, struct err *err)
{
	uint64_t end;
	enum err_code code = find_dirt_end(s, s->off, &end, err);
	if (code != ERR_OK)
		return code;
	r->report->cut_bytes = end - s->off;
	if (r->expect <= r->applied_seq) /* the store is ahead of the log */
		note_damage(r, s->file.path, s->off);
	code = wal_zero(&s->file, s->off, end, err);
	for (uint64_t off = s->group_off; code == ERR_OK && off && off < s->off;) {
		size_t n = s->off - off < WAL_VIEW_BYTES ? (size_t)(s->off - off) : WAL_VIEW_BYTES;
		const unsigned char *p;
		code = wal_view_get(&s->view, off, n, &p, err);
		if (code == ERR_OK && !p)
			code = err_set(err, ERR_IO, "%s has become shorter", s->file.path);
		if (code == ERR_OK)
			code = file_pwrite(&s->file, off, p, n, err);
		off += n;
	}
	return code == ERR_OK ? file_sync(&s->file, err) : code;
}

static enum err_code
recover_segment(struct recovery *r, size_t i, struct err *err)
{
	struct wal *w = r->w;
	struct scan s = {0};
	bool usable;
	enum err_code code = open_segment(r, i, &s, &usable, err);
	if (usable)
		r->broken_end = false; /* it begins where the damage before it ends */
	if (code == ERR_OK && usable)
		code = scan_records(r, &s, err);
	bool newest = s.next_first == UINT64_MAX;
	if (code == ERR_OK && newest)
		code = settle_tail(r, &s, err);
	if (code == ERR_OK) {
		wal_segment_add(w,
		    &(struct wal_segment){.first_seq = s.first_seq,
		        .base_bytes = r->bytes,
		        .end_off = s.off,
		        .salt = s.salt});
		r->bytes += s.off - WAL_SEGMENT_HEAD_BYTES;
	}
	if (code == ERR_OK && newest) {
		w->active = s.file;
		w->active_cap = s.size;
		w->active_salt = s.salt;
		w->write_off = s.off;
		w->last_is_mark = s.last_is_mark;
		s.file = (struct file){0};
	}
	wal_view_fini(&s.view);
	file_close(&s.file);
	return code;
}

static enum err_code
recover_segments(struct recovery *r, struct err *err)
{
	char path[FILE_PATH_BYTES];
	r->expect = r->first_seqs[0];
	if (r->expect == 0 || r->expect - 1 > r->applied_seq)
		return err_set(err, ERR_CORRUPT,
		    "%.100s: the log begins at record %llu, but the store ends at record %llu",
		    r->w->dir, (unsigned long long)r->expect, (unsigned long long)r->applied_seq);
	for (size_t i = 0; i < r->count; i++) {
		if (r->first_seqs[i] != r->expect) {
			wal_segment_path(r->w, r->first_seqs[i], path);
			return err_set(err, ERR_CORRUPT,
			    "%s: offset 0: record %llu is in the segment before it too", path,
			    (unsigned long long)r->first_seqs[i]);
		}
		enum err_code code = recover_segment(r, i, err);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

/* The folder itself, and what an earlier life left half made in it. */
static enum err_code
read_folder(struct recovery *r, struct err *err)
{
	struct wal *w = r->w;
	char parent[FILE_PATH_BYTES + 4], leftover[FILE_PATH_BYTES];
	bool created;
	enum err_code code = file_mkdir(w->dir, &created, err);
	if (code == ERR_OK && created) {
		snprintf(parent, sizeof(parent), "%s/..", w->dir);
		code = file_sync_dir(parent, err);
	}
	if (code == ERR_OK)
		code = file_open(w->dir, FILE_READ, &w->folder, err);
	if (code == ERR_OK)
		code = file_list(w->dir, note_entry, r, err);
	if (code == ERR_OK && r->leftover) {
		code = file_join(str_from(w->dir), STR(WAL_NEXT_NAME), leftover, err);
		if (code == ERR_OK)
			code = file_unlink(leftover, err);
	}
	return code;
}

enum err_code
wal_recover(struct wal *w, uint64_t applied_seq, struct wal_report *report, struct err *err)
{
	struct recovery r = {.w = w, .applied_seq = applied_seq, .report = report};
	enum err_code code = read_folder(&r, err);
	if (r.count > 0)
		qsort(r.first_seqs, r.count, sizeof(*r.first_seqs), by_seq);
	if (code == ERR_OK && r.count > 0)
		code = recover_segments(&r, err);
	/* A segment may have been renamed into place without its folder having been synced. */
	if (code == ERR_OK && r.count > 0)
		code = file_sync_entries(&w->folder, err);
	if (code == ERR_OK && r.expect <= applied_seq) /* 0: there was no segment at all */
		report->missing_records = applied_seq + 1 - (r.expect > 0 ? r.expect : 1);
	/* A reader finds the first record of a segment whatever is wrong with the one before. */
	if (code == ERR_OK && (r.count == 0 || r.broken_end)) {
		r.expect = r.expect > applied_seq ? r.expect : applied_seq + 1;
		w->last_is_mark = true;
		code = wal_segment_start(w, r.expect, 0, err);
	}
	if (code == ERR_OK) {
		w->next_seq = r.expect;
		atomic_store(&w->durable_seq, r.expect - 1);
		atomic_store(&w->durable_bytes, r.bytes);
		report->last_seq = r.expect - 1;
		report->segment_count = w->segment_count;
	}
	free(r.first_seqs);
	return code;
}
