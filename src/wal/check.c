/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/check.c - is the log whole?
 *
 * It walks as recovery does (recover.c) and comes to the same judgement, but says everything that it
 * finds instead of stopping at the first, and writes nothing. Beside a writer only what is durable
 * is looked at: those bytes never change again, and the only segments that go away are the oldest.
 *
 * Behind a damaged place reading goes on at the next head that is intact, so that each place is one
 * finding, with the records that it takes along.
 */
#include "wal/wal_priv.h"

#include "base/arena.h"
#include "base/finding.h"

#include <stdio.h>
#include <stdlib.h>

struct checking {
	const struct wal_check *what;
	struct wal_checked *out;
	uint64_t *first_seqs; /* ascending */
	size_t count, cap;
	uint64_t expect;
	bool live; /* somebody writes to it */
	uint64_t durable; /* when it is live: what is looked at ends there */
	uint64_t first; /* the log has to begin there, or before */
};

struct segment {
	struct file file;
	struct wal_view view;
	char place[32]; /* "wal/<name>" */
	uint64_t size, off, next_first;
	uint32_t salt;
};

static void
note_entry(void *ctx, const char *name)
{
	struct checking *c = ctx;
	uint64_t first_seq;
	char place[128];
	if (!wal_segment_name_parse(name, &first_seq)) {
		bool next = strcmp(name, WAL_NEXT_NAME) == 0;
		snprintf(place, sizeof(place), "wal/%.100s", name);
		if (next && !c->live)
			finding_say(c->what->sink, FINDING_LOG_LEFTOVER, place,
			    "a segment that was prepared and never used; the next start removes it");
		else if (!next)
			finding_say(c->what->sink, FINDING_LOG_FOREIGN, place,
			    "this is no segment of the log; weir leaves it alone");
		return;
	}
	if (c->count == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->first_seqs = xrealloc(c->first_seqs, c->cap * sizeof(*c->first_seqs));
	}
	c->first_seqs[c->count++] = first_seq;
}

static int
by_seq(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static bool
is_over(const struct checking *c)
{
	return c->live && c->expect > c->durable;
}

/* What the loss of records first .. last means. */
static const char *
meaning(const struct checking *c, uint64_t first, uint64_t last)
{
	if (c->what->unknown)
		return "whether the store has them is not known";
	if (last <= c->what->applied_seq)
		return "the store has them already: nothing is lost";
	return first > c->what->applied_seq
	    ? "the store does not have them: restore a backup, or lose them"
	    : "the store has only a part of them: restore a backup, or lose the others";
}

static void
say_lost(struct checking *c, const struct segment *s, uint64_t last)
{
	c->out->damages++;
	finding_say(c->what->sink, FINDING_LOG_RECORD, s->place,
	    "record %llu at offset %llu is damaged, and what is lost with it goes to record %llu; %s",
	    (unsigned long long)c->expect, (unsigned long long)s->off, (unsigned long long)last,
	    meaning(c, c->expect, last));
}

/* The highest seq that a head behind s->off says was durable; 0: there is no head. */
static enum err_code
find_witness(struct checking *c, struct segment *s, uint64_t *durable_out, struct err *err)
{
	struct wal_head head;
	uint64_t at, from = s->off;
	*durable_out = 0;
	for (;;) {
		enum err_code code =
		    wal_view_find(&s->view, from, s->salt, c->expect, &at, &head, err);
		if (code != ERR_OK || at == UINT64_MAX)
			return code;
		if (head.durable > *durable_out)
			*durable_out = head.durable;
		from = at + 8;
	}
}

static enum err_code
has_bytes(struct segment *s, bool *dirty_out, struct err *err)
{
	*dirty_out = false;
	for (uint64_t off = s->off; off < s->size && !*dirty_out;) {
		const unsigned char *p;
		size_t n =
		    s->size - off < WAL_VIEW_BYTES ? (size_t)(s->size - off) : WAL_VIEW_BYTES;
		enum err_code code = wal_view_get(&s->view, off, n, &p, err);
		if (code != ERR_OK || !p)
			return code;
		*dirty_out = p[0] != 0 || memcmp(p, p + 1, n - 1) != 0;
		off += n;
	}
	return ERR_OK;
}

/* No next record at s->off, none behind it that reading could go on with, and no later segment. */
static enum err_code
judge_end(struct checking *c, struct segment *s, struct err *err)
{
	uint64_t durable;
	bool dirty;
	enum err_code code = find_witness(c, s, &durable, err);
	if (code == ERR_OK)
		code = has_bytes(s, &dirty, err);
	if (code != ERR_OK)
		return code;
	if (c->live) {
		say_lost(c, s, c->durable);
	} else if (durable >= c->expect) {
		say_lost(c, s, durable);
	} else if (dirty) {
		const char *name = strrchr(s->place, '/') + 1;
		c->out->torn = true;
		snprintf(c->out->torn_file, sizeof(c->out->torn_file), "%.24s", name);
		finding_say(c->what->sink, FINDING_LOG_TAIL, s->place,
		    "behind record %llu, from offset %llu on, there are bytes that nothing vouches for: a "
		    "write that was under way when weir stopped; the next start cuts them",
		    (unsigned long long)c->expect - 1, (unsigned long long)s->off);
	}
	return code;
}

/* At s->off there is no next record. *more_out: reading goes on, at a new s->off. */
static enum err_code
judge(struct checking *c, struct segment *s, bool *more_out, struct err *err)
{
	struct wal_head head;
	uint64_t at, durable;
	bool dirty;
	*more_out = false;
	enum err_code code = wal_view_find(&s->view, s->off, s->salt, c->expect, &at, &head, err);
	if (code != ERR_OK)
		return code;
	if (s->next_first == UINT64_MAX) {
		/* Heads of a torn tail are intact, too: only what one of them vouches for was there. */
		code = find_witness(c, s, &durable, err);
		if (code != ERR_OK || at == UINT64_MAX || (!c->live && durable < c->expect))
			return code == ERR_OK ? judge_end(c, s, err) : code;
	}
	if (at != UINT64_MAX && head.seq <= s->next_first) {
		say_lost(c, s, head.seq - 1);
		c->expect = head.seq;
		s->off = at;
		*more_out = true;
		return ERR_OK;
	}
	code = has_bytes(s, &dirty, err);
	if (code == ERR_OK && dirty) {
		say_lost(c, s, s->next_first - 1);
		c->expect = s->next_first;
	}
	return code;
}

static enum err_code
walk(struct checking *c, struct segment *s, struct err *err)
{
	bool more = true;
	enum err_code code = ERR_OK;
	while (code == ERR_OK && more && c->expect != s->next_first && !is_over(c)) {
		struct wal_head head;
		enum wal_found found;
		code = wal_view_record(&s->view, s->off, s->salt, c->expect, &found, &head, err);
		if (code != ERR_OK)
			break;
		if (found == WAL_FOUND_NONE) {
			code = judge(c, s, &more, err);
			continue;
		}
		if (found == WAL_FOUND_HEAD) {
			/* Its payload alone may be a torn end. */
			uint64_t durable = 0;
			if (s->next_first == UINT64_MAX && !c->live)
				code = find_witness(c, s, &durable, err);
			if (code == ERR_OK && s->next_first == UINT64_MAX && !c->live &&
			    durable < c->expect)
				return judge_end(c, s, err);
			if (code == ERR_OK)
				say_lost(c, s, c->expect);
		} else {
			c->out->records += head.kind == WAL_REQUEST;
			c->out->last_seq = head.seq;
		}
		c->out->bytes += wal_record_bytes(head.len);
		s->off += wal_record_bytes(head.len);
		c->expect = head.seq + 1;
	}
	return code;
}

/* *usable_out: it is open, and its head is one. */
static enum err_code
enter(struct checking *c, size_t i, struct segment *s, bool *usable_out, struct err *err)
{
	char path[FILE_PATH_BYTES], name[WAL_NAME_BYTES];
	const unsigned char *head = NULL;
	uint64_t first = c->first_seqs[i];
	*usable_out = false;
	wal_segment_name(first, name);
	snprintf(s->place, sizeof(s->place), "wal/%s", name);
	s->next_first = i + 1 < c->count ? c->first_seqs[i + 1] : UINT64_MAX;
	s->off = WAL_SEGMENT_HEAD_BYTES;
	enum err_code code = file_join(c->what->dir, str_from(name), path, err);
	if (code == ERR_OK)
		code = file_open(path, FILE_READ, &s->file, err);
	if (code == ERR_OK)
		code = file_size(&s->file, &s->size, err);
	if (code != ERR_OK)
		return code;
	wal_view_init(&s->view, &s->file, s->size);
	code = wal_view_get(&s->view, 0, WAL_SEGMENT_HEAD_BYTES, &head, err);
	if (code != ERR_OK)
		return code;
	*usable_out = head && wal_segment_head_read(head, first, &s->salt);
	if (*usable_out)
		return ERR_OK;
	c->out->damages++;
	if (s->next_first == UINT64_MAX)
		finding_say(c->what->sink, FINDING_LOG_HEAD, s->place,
		    "it does not begin as a segment of the log does, so that no record in it, from %llu on, "
		    "can be read; restore a backup, or move the file away and lose them",
		    (unsigned long long)first);
	else
		finding_say(c->what->sink, FINDING_LOG_HEAD, s->place,
		    "it does not begin as a segment of the log does, so that records %llu to %llu cannot "
		    "be read; %s",
		    (unsigned long long)first, (unsigned long long)s->next_first - 1,
		    meaning(c, first, s->next_first - 1));
	c->expect = s->next_first == UINT64_MAX ? first : s->next_first;
	return ERR_OK;
}

/* Between the segment before and this one. */
static void
compare_first(struct checking *c, size_t i)
{
	uint64_t first = c->first_seqs[i];
	char place[32], name[WAL_NAME_BYTES];
	wal_segment_name(first, name);
	snprintf(place, sizeof(place), "wal/%s", name);
	if (i == 0 && first > c->first) {
		c->out->damages++;
		finding_say(c->what->sink, FINDING_LOG_RECORDS_LOST, "wal",
		    "the log begins at record %llu and the store ends at %llu: the records between "
		    "are lost; restore a backup",
		    (unsigned long long)first, (unsigned long long)c->first - 1);
	} else if (i > 0 && first > c->expect) {
		c->out->damages++;
		finding_say(c->what->sink, FINDING_LOG_SEGMENT_MISSING, place,
		    "the segment with records %llu to %llu, which should be before it, has gone; %s",
		    (unsigned long long)c->expect, (unsigned long long)first - 1,
		    meaning(c, c->expect, first - 1));
	} else if (i > 0 && first < c->expect) {
		c->out->damages++;
		finding_say(c->what->sink, FINDING_LOG_SEGMENT_TWICE, place,
		    "record %llu is in the segment before it too; one of the two files does not belong here",
		    (unsigned long long)first);
	}
	c->expect = first;
}

static enum err_code
check_segment(struct checking *c, size_t i, struct err *err)
{
	struct segment s = {0};
	bool usable;
	enum err_code code = enter(c, i, &s, &usable, err);
	/* Beside a writer the oldest segments go when the store has them. */
	bool trimmed = code == ERR_NOT_FOUND && c->live;
	if (code == ERR_OK && usable)
		code = walk(c, &s, err);
	wal_view_fini(&s.view);
	file_close(&s.file);
	if (trimmed) {
		c->expect = s.next_first == UINT64_MAX ? c->expect : s.next_first;
		return ERR_OK;
	}
	c->out->segments++;
	if (code == ERR_OK)
		return ERR_OK;
	c->out->damages++;
	finding_say(c->what->sink, FINDING_LOG_UNREADABLE, s.place, "it cannot be read: %s",
	    err->message);
	c->expect = s.next_first == UINT64_MAX ? c->expect : s.next_first;
	return ERR_OK;
}

static void
compare_end(struct checking *c)
{
	/* The newest segment may be empty, and those before it trimmed. */
	uint64_t end = c->expect > 0 ? c->expect - 1 : 0;
	if (c->live || c->what->unknown || c->out->damages > 0 || c->count == 0 ||
	    end >= c->what->applied_seq)
		return;
	c->out->damages++;
	finding_say(c->what->sink, FINDING_LOG_ENDS_EARLY, "wal",
	    "the log ends at record %llu, but the store has all up to %llu: files of the log were "
	    "removed, or its end is damaged, and what was not in the store yet is lost",
	    (unsigned long long)end, (unsigned long long)c->what->applied_seq);
}

/* Where the log began, at the latest, when its folder was listed a moment ago. What is trimmed since was there then; of
 * the oldest segment the file goes before its entry. */
static uint64_t
first_of(struct wal *w)
{
	mutex_lock(&w->lock);
	uint64_t first = w->segments[w->segment_count > 1 ? 1 : 0].first_seq;
	mutex_unlock(&w->lock);
	return first;
}

enum err_code
wal_check(const struct wal_check *what, struct wal_checked *out, struct err *err)
{
	struct checking c = {.what = what, .out = out, .live = what->live != NULL};
	char dir[FILE_PATH_BYTES];
	*out = (struct wal_checked){0};
	c.durable = c.live ? wal_durable_seq(what->live) : UINT64_MAX;
	enum err_code code = file_join(what->dir, STR("."), dir, err);
	if (code == ERR_OK)
		code = file_list(dir, note_entry, &c, err);
	c.first = c.live    ? first_of(what->live)
	    : what->unknown ? UINT64_MAX
	                    : what->applied_seq + 1;
	if (code == ERR_NOT_FOUND || (code == ERR_OK && c.count == 0)) {
		code = ERR_OK;
		if (what->applied_seq > 0)
			finding_say(what->sink, FINDING_LOG_MISSING, "wal",
			    "there is no log, but the store has records up to %llu of one: what was "
			    "acknowledged since and not stored yet is lost; restore a backup",
			    (unsigned long long)what->applied_seq);
	}
	if (c.count > 0)
		qsort(c.first_seqs, c.count, sizeof(*c.first_seqs), by_seq);
	if (code == ERR_OK && c.count > 0)
		out->first_seq = c.first_seqs[0];
	for (size_t i = 0; i < c.count && code == ERR_OK; i++) {
		if (c.live && c.first_seqs[i] > c.durable)
			break;
		compare_first(&c, i);
		code = check_segment(&c, i, err);
	}
	if (code == ERR_OK)
		compare_end(&c);
	free(c.first_seqs);
	return code;
}
