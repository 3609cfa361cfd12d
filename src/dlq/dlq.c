/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq/dlq.c - a letter's life, as the loader sees it.
 *
 * Each change is one whole file written in the place of the other, or in the other folder with a
 * higher revision, after which the one before is deleted: what a crash leaves is either state. That
 * a delete is on disk matters only when the record's mark goes, so that dlq_trim() syncs first.
 */
#include "dlq/dlq_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ATTEMPTS_MAX = 10, BACKOFF_MS = 1000, BACKOFF_MAX_MS = 3600 * 1000 };

const char *
dlq_state_name(enum dlq_state s)
{
	switch (s) {
	case DLQ_WAITING: return "waiting";
	case DLQ_RUNNING: return "running";
	case DLQ_QUARANTINED: return "quarantined";
	case DLQ_UNREADABLE: return "unreadable";
	}
	return "";
}

/* ---- files */

const char *
dlq_dir(const struct dlq *d, enum dlq_place place)
{
	return d->dirs[place == DLQ_IN_WAITING ? 0 : 1];
}

enum err_code
dlq_path(const struct dlq *d, enum dlq_place place, struct dlq_key key, const char *ending,
    char out[FILE_PATH_BYTES], struct err *err)
{
	char id[DLQ_ID_BYTES], name[DLQ_NAME_BYTES];
	dlq_id_write(key, id);
	if (place == DLQ_IN_OLD)
		snprintf(name, sizeof(name), "%.16s.rec", id);
	else
		snprintf(name, sizeof(name), "%s%s", id, ending);
	return file_join(str_from(dlq_dir(d, place)), str_from(name), out, err);
}

static enum err_code
make_folder(const struct dlq *d, enum dlq_place place, struct err *err)
{
	bool created;
	enum err_code code = file_mkdir(dlq_dir(d, place), &created, err);
	if (code == ERR_OK && created)
		code = file_sync_dir(d->data_dir, err);
	return code;
}

enum err_code
dlq_write(struct dlq *d, enum dlq_place place, const struct dlq_head *h, struct str payload,
    struct err *err)
{
	unsigned char raw[DLQ_HEAD_BYTES];
	char id[DLQ_ID_BYTES], name[DLQ_NAME_BYTES];
	struct err local = {0};
	dlq_id_write((struct dlq_key){h->letter.seq, h->letter.item_first}, id);
	snprintf(name, sizeof(name), "%s%s", id, h->kind == DLQ_KIND_MARK ? ".done" : ".letter");
	CHECK(h->letter.bytes == payload.len);
	dlq_head_write(h, raw);
	struct str parts[] = {str_of(raw, sizeof(raw)), payload};
	enum err_code code = make_folder(d, place, &local);
	if (code == ERR_OK)
		code = file_write_whole(str_from(dlq_dir(d, place)), str_from(name), parts,
		    payload.len > 0 ? 2 : 1, &local);
	if (code == ERR_OK)
		return ERR_OK;
	if (local.os_errno == ENOSPC || local.os_errno == EDQUOT)
		local.code = ERR_BUSY;
	(void)err_wrap(&local, "a dead letter");
	if (err)
		*err = local;
	return local.code;
}

/* As much as is known of a file of the old form. */
static void
old_head(const struct dlq_entry *e, uint64_t bytes, struct dlq_head *out)
{
	*out = (struct dlq_head){.kind = DLQ_KIND_LETTER};
	out->letter.seq = e->seq;
	out->letter.item_count = DLQ_ALL_ITEMS;
	out->letter.bytes = bytes;
	snprintf(out->letter.error, sizeof(out->letter.error),
	    "put aside by an earlier version of weir, which kept no reason");
}

static enum err_code
read_old(const struct dlq_entry *e, const char *path, struct dlq_head *out, struct buf *payload,
    struct err *err)
{
	struct file f;
	uint64_t bytes = 0;
	size_t before = payload ? payload->len : 0;
	enum err_code code = file_open(path, FILE_READ, &f, err);
	if (code == ERR_OK)
		code = file_size(&f, &bytes, err);
	file_close(&f);
	if (code == ERR_OK && payload)
		code = file_read_all(path, DLQ_PAYLOAD_BYTES_MAX, payload, err);
	if (code != ERR_OK)
		return code;
	old_head(e, payload ? payload->len - before : bytes, out);
	if (payload)
		out->payload_crc = hash_crc32c(0, payload->ptr + before, payload->len - before);
	return ERR_OK;
}

/* Its file turned out to be none: it is listed as such, and nothing waits for it. */
static void
lose_entry(struct dlq *d, struct dlq_entry *e, const char *path, const char *why)
{
	log_error("dlq", "%s cannot be read and stays as it is: %s", path, why);
	const char *slash = strrchr(path, '/');
	CHECK(slash != NULL);
	dlq_foreign_add(d, e->place == DLQ_IN_WAITING ? DLQ_IN_WAITING : DLQ_IN_QUARANTINE,
	    slash + 1, why);
	dlq_set_state(d, e, DLQ_GONE, 0);
}

enum err_code
dlq_entry_read(struct dlq *d, struct dlq_entry *e, struct dlq_head *out, struct buf *payload,
    struct err *err)
{
	char path[FILE_PATH_BYTES];
	const char *why = NULL;
	size_t before = payload ? payload->len : 0;
	enum err_code code =
	    dlq_path(d, (enum dlq_place)e->place, dlq_key_of(e), ".letter", path, err);
	if (code != ERR_OK)
		return code;
	if (e->place == DLQ_IN_OLD)
		code = read_old(e, path, out, payload, err);
	else
		code = dlq_file_read(path, out, payload, &why, err);
	if (code == ERR_OK && e->place != DLQ_IN_OLD &&
	    (out->kind != DLQ_KIND_LETTER || out->letter.seq != e->seq ||
	        out->letter.item_first != e->first)) {
		why = "it is not what its name says";
		code = err_set(err, ERR_CORRUPT, "%s: %s", path, why);
	}
	if (code != ERR_OK && payload)
		payload->len = before;
	if (code == ERR_CORRUPT) {
		lose_entry(d, e, path, why);
	} else if (code == ERR_NOT_FOUND) {
		log_warn("dlq", "%s is gone: somebody has deleted it", path);
		dlq_set_state(d, e, DLQ_GONE, 0);
	}
	return code;
}

static enum err_code
remove_one(const struct dlq *d, enum dlq_place place, struct dlq_key key, struct err *err)
{
	char path[FILE_PATH_BYTES];
	enum err_code code = dlq_path(d, place, key, ".letter", path, err);
	if (code == ERR_OK)
		code = file_unlink(path, err);
	return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code
dlq_remove_copies(const struct dlq *d, struct dlq_key key, uint32_t count, struct err *err)
{
	enum err_code code = remove_one(d, DLQ_IN_WAITING, key, err);
	if (code == ERR_OK)
		code = remove_one(d, DLQ_IN_QUARANTINE, key, err);
	if (code == ERR_OK && count == DLQ_ALL_ITEMS && key.first == 0)
		code = remove_one(d, DLQ_IN_OLD, key, err);
	return code;
}

static enum err_code
write_mark(struct dlq *d, struct dlq_entry *e, struct err *err)
{
	struct dlq_head h = {.kind = DLQ_KIND_MARK, .revision = ++e->revision};
	h.letter.seq = e->seq;
	h.letter.item_first = e->first;
	h.letter.item_count = e->count;
	return dlq_write(d, DLQ_IN_WAITING, &h, STR_EMPTY, err);
}

enum err_code
dlq_end(struct dlq *d, struct dlq_entry *e, struct err *err)
{
	/* A record that the log no longer has needs no mark: letters can go when the disk is full. */
	bool marked = e->seq > d->floor_seq && e->seq < DLQ_SEQ_NONE;
	enum dlq_place folder = e->place == DLQ_IN_WAITING ? DLQ_IN_WAITING : DLQ_IN_QUARANTINE;
	struct err unlinking = {0};
	if (marked) {
		enum err_code code = write_mark(d, e, err);
		if (code != ERR_OK)
			return code;
	}
	enum err_code code = dlq_remove_copies(d, dlq_key_of(e), e->count, &unlinking);
	if (marked) {
		/* The mark counts, also after a restart; dlq_trim() deletes what stays. */
		if (code != ERR_OK)
			log_warn("dlq", "a letter that is done with stays for now: %s",
			    unlinking.message);
		dlq_set_state(d, e, DLQ_DONE, 0);
		return ERR_OK;
	}
	if (code != ERR_OK) {
		if (err)
			*err = unlinking;
		return code;
	}
	dlq_set_state(d, e, DLQ_GONE, 0);
	dlq_index_compact(d);
	return file_sync_dir(dlq_dir(d, folder), err);
}

/* ---- open, close */

enum err_code
dlq_open(const struct dlq_options *opt, struct dlq **out, struct err *err)
{
	struct dlq *d = xcalloc(1, sizeof(*d));
	*out = NULL;
	d->opt = *opt;
	d->opt.attempts_max = opt->attempts_max ? opt->attempts_max : ATTEMPTS_MAX;
	d->opt.backoff_ms = opt->backoff_ms ? opt->backoff_ms : BACKOFF_MS;
	d->opt.backoff_max_ms = opt->backoff_max_ms ? opt->backoff_max_ms : BACKOFF_MAX_MS;
	d->done_seq_min = d->said_ns = UINT64_MAX;
	mutex_init(&d->io);
	mutex_init(&d->lock);
	snprintf(d->data_dir, sizeof(d->data_dir), "%.*s", STR_ARG(opt->data_dir));
	d->opt.data_dir = str_from(d->data_dir);
	enum err_code code = file_join(opt->data_dir, STR("dlq"), d->dirs[0], err);
	if (code == ERR_OK)
		code = file_join(opt->data_dir, STR("quarantine"), d->dirs[1], err);
	if (code == ERR_OK)
		code = dlq_scan(d, err);
	if (code != ERR_OK) {
		dlq_close(d);
		return code;
	}
	*out = d;
	return ERR_OK;
}

void
dlq_close(struct dlq *d)
{
	if (!d)
		return;
	dlq_index_fini(d);
	mutex_fini(&d->lock);
	mutex_fini(&d->io);
	free(d);
}

void
dlq_on_change(struct dlq *d, void (*fn)(void *ctx), void *ctx)
{
	mutex_lock(&d->lock);
	d->bell = fn;
	d->bell_ctx = ctx;
	mutex_unlock(&d->lock);
}

void
dlq_ring(struct dlq *d)
{
	uint64_t next;
	mutex_lock(&d->io);
	(void)dlq_next(d, &next);
	mutex_lock(&d->lock);
	bool earlier = next < d->said_ns;
	if (earlier)
		d->said_ns = next;
	void (*bell)(void *ctx) = earlier ? d->bell : NULL;
	void *ctx = d->bell_ctx;
	mutex_unlock(&d->lock);
	mutex_unlock(&d->io);
	if (bell)
		bell(ctx);
}

/* ---- putting aside */

/* A file of this name that is no letter keeps its content under another name. */
static enum err_code
move_foreign(struct dlq *d, enum dlq_place place, struct dlq_key key, struct err *err)
{
	char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
	enum err_code code = dlq_path(d, place, key, ".letter", from, err);
	if (code != ERR_OK)
		return code;
	const char *name = strrchr(from, '/') + 1;
	uint64_t hash = dlq_foreign_hash(place, name);
	size_t at = dlq_foreign_find(d, hash);
	if (at == d->foreign_count || d->foreign[at].hash != hash)
		return ERR_OK;
	unsigned n = 0;
	do {
		char ending[32];
		snprintf(ending, sizeof(ending), ".letter.unreadable-%u", n);
		code = dlq_path(d, place, key, ending, to, err);
	} while (code == ERR_OK && n++ < 1000 && file_exists(to));
	if (code == ERR_OK)
		code = file_rename(from, to, err);
	if (code != ERR_OK)
		return code;
	/* The new one first: the old one owns the words. */
	dlq_foreign_add(d, place, strrchr(to, '/') + 1, d->foreign[at].why);
	dlq_foreign_remove(d, dlq_foreign_find(d, hash));
	return ERR_OK;
}

static uint64_t
backoff_ns(const struct dlq *d, unsigned attempts)
{
	uint64_t ms = d->opt.backoff_ms, max = d->opt.backoff_max_ms;
	for (unsigned i = 0; i < attempts && ms < max; i++)
		ms *= 2;
	return (ms < max ? ms : max) * NS_PER_MS;
}

static enum err_code
put_new(struct dlq *d, enum dlq_place place, const struct dlq_letter *letter, struct str payload,
    uint64_t now_ns, struct err *err)
{
	struct dlq_head h = {.kind = DLQ_KIND_LETTER,
	    .letter = *letter,
	    .revision = 1,
	    .payload_crc = hash_crc32c(0, payload.ptr, payload.len)};
	struct dlq_key key = {letter->seq, letter->item_first};
	char path[FILE_PATH_BYTES];
	dlq_text_clean(h.letter.error, sizeof(h.letter.error), str_from(letter->error));
	h.letter.attempts = 0;
	h.letter.bytes = payload.len;
	h.letter.created_ns = h.letter.last_ns = now_ns;
	h.letter.next_ns = now_ns + backoff_ns(d, 0);
	enum err_code code = move_foreign(d, place, key, err);
	if (code != ERR_OK)
		return code;
	code = dlq_write(d, place, &h, payload, err);
	if (code != ERR_OK) {
		/* It may be there, whole, and only its name not be durable: it was not put. */
		if (dlq_path(d, place, key, ".letter", path, NULL) == ERR_OK)
			(void)!file_unlink(path, NULL);
		return code;
	}
	struct dlq_entry e = {.seq = letter->seq,
	    .next_ns = h.letter.next_ns,
	    .tenant_hash = hash_u64(str_from(letter->tenant)),
	    .first = letter->item_first,
	    .count = letter->item_count,
	    .revision = 1,
	    .state = place == DLQ_IN_WAITING ? DLQ_WAITING : DLQ_QUARANTINED,
	    .place = (uint8_t)place};
	(void)dlq_insert(d, &e);
	return ERR_OK;
}

static enum err_code
put(struct dlq *d, enum dlq_place place, const struct dlq_letter *letter, struct str payload,
    uint64_t now_unix_ns, struct err *err)
{
	uint32_t first = letter->item_first, count = letter->item_count;
	CHECK(count > 0);
	CHECK(count <= UINT32_MAX - first || count == DLQ_ALL_ITEMS);
	if (payload.len > DLQ_PAYLOAD_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "a dead letter of %zu bytes is too large",
		    payload.len);
	enum err_code code = ERR_OK;
	mutex_lock(&d->io);
	if (!dlq_find(d, (struct dlq_key){letter->seq, first}))
		code = put_new(d, place, letter, payload, now_unix_ns, err);
	mutex_unlock(&d->io);
	if (code == ERR_OK)
		dlq_ring(d);
	return code;
}

enum err_code
dlq_put(struct dlq *d, const struct dlq_letter *letter, struct str payload, uint64_t now_unix_ns,
    struct err *err)
{
	CHECK(letter->seq < DLQ_SEQ_NONE);
	return put(d, DLQ_IN_WAITING, letter, payload, now_unix_ns, err);
}

enum err_code
dlq_quarantine(struct dlq *d, const struct dlq_letter *letter, struct str payload,
    uint64_t now_unix_ns, struct err *err)
{
	CHECK(letter->seq >= DLQ_SEQ_NONE);
	return put(d, DLQ_IN_QUARANTINE, letter, payload, now_unix_ns, err);
}

/* ---- attempts */

static uint64_t
when_due(const struct dlq *d, uint64_t next_ns, uint64_t now_ns)
{
	uint64_t most = d->opt.backoff_max_ms * NS_PER_MS;
	return next_ns > now_ns && next_ns - now_ns <= most ? next_ns : now_ns;
}

static void
fill_letter(const struct dlq_entry *e, const struct dlq_head *h, struct dlq_letter *out)
{
	*out = h->letter;
	dlq_id_write(dlq_key_of(e), out->id);
	out->state = (enum dlq_state)e->state;
	out->next_ns = e->next_ns;
}

/* One that could not be read now, for no fault of its own. */
static void
postpone(struct dlq *d, struct dlq_entry *e, uint64_t now_ns)
{
	dlq_set_state(d, e, DLQ_WAITING, now_ns + backoff_ns(d, e->attempts));
}

static enum err_code
due_locked(struct dlq *d, uint64_t now_ns, struct dlq_letter *out, struct buf *payload,
    uint64_t *next_ns_out, struct err *err)
{
	for (;;) {
		struct dlq_head h;
		struct dlq_entry *e = dlq_next(d, next_ns_out);
		if (!e || when_due(d, e->next_ns, now_ns) > now_ns)
			return err_set(err, ERR_NOT_FOUND, "no dead letter is due");
		dlq_set_state(d, e, DLQ_RUNNING, e->next_ns);
		enum err_code code = dlq_entry_read(d, e, &h, payload, err);
		if (code == ERR_OK) {
			fill_letter(e, &h, out);
			return ERR_OK;
		}
		if (code == ERR_CORRUPT || code == ERR_NOT_FOUND)
			continue;
		postpone(d, e, now_ns);
		if (err)
			log_warn("dlq", "a letter is tried later: %s", err->message);
	}
}

enum err_code
dlq_due(struct dlq *d, uint64_t now_unix_ns, struct dlq_letter *out, struct buf *payload,
    uint64_t *next_ns_out, struct err *err)
{
	struct err local = {0};
	mutex_lock(&d->io);
	enum err_code code =
	    due_locked(d, now_unix_ns, out, payload, next_ns_out, err ? err : &local);
	mutex_lock(&d->lock);
	/* With one in hand the caller comes back by itself. */
	d->said_ns = code == ERR_NOT_FOUND ? *next_ns_out : 0;
	mutex_unlock(&d->lock);
	mutex_unlock(&d->io);
	return code;
}

static struct dlq_entry *
find_running(struct dlq *d, const char *id)
{
	struct dlq_key key;
	struct dlq_entry *e = dlq_id_read(str_from(id), &key) ? dlq_find(d, key) : NULL;
	return e && e->state == DLQ_RUNNING ? e : NULL;
}

enum err_code
dlq_done(struct dlq *d, const char *id, struct err *err)
{
	enum err_code code = ERR_OK;
	mutex_lock(&d->io);
	struct dlq_entry *e = find_running(d, id);
	if (e)
		code = dlq_end(d, e, err);
	e = code == ERR_OK ? NULL : find_running(d, id);
	if (e) /* it is still there */
		dlq_set_state(d, e, DLQ_WAITING, e->next_ns + backoff_ns(d, e->attempts));
	mutex_unlock(&d->io);
	dlq_ring(d);
	return code;
}

static enum err_code
failed_locked(struct dlq *d, struct dlq_entry *e, const char *why, uint64_t now_ns, struct err *err)
{
	struct dlq_head h;
	struct buf payload;
	buf_init(&payload, 0);
	enum err_code code = dlq_entry_read(d, e, &h, &payload, err);
	unsigned attempts = e->attempts + 1;
	bool last = attempts >= d->opt.attempts_max;
	h.revision = ++e->revision;
	h.letter.attempts = attempts;
	h.letter.last_ns = now_ns;
	h.letter.next_ns = now_ns + backoff_ns(d, attempts);
	dlq_text_clean(h.letter.error, sizeof(h.letter.error), str_from(why));
	enum dlq_place to = last ? DLQ_IN_QUARANTINE : DLQ_IN_WAITING;
	if (code == ERR_OK)
		code = dlq_write(d, to, &h, buf_view(&payload), err);
	buf_fini(&payload);
	if (code != ERR_OK)
		return code;
	e->attempts = attempts;
	e->place = (uint8_t)to;
	dlq_set_state(d, e, last ? DLQ_QUARANTINED : DLQ_WAITING, h.letter.next_ns);
	if (last)
		(void)!remove_one(d, DLQ_IN_WAITING, dlq_key_of(e),
		    NULL); /* else the next start does */
	return ERR_OK;
}

enum err_code
dlq_failed(struct dlq *d, const char *id, const char *why, uint64_t now_unix_ns, struct err *err)
{
	enum err_code code = ERR_OK;
	mutex_lock(&d->io);
	struct dlq_entry *e = find_running(d, id);
	if (e)
		code = failed_locked(d, e, why, now_unix_ns, err);
	if (e && e->state == DLQ_GONE)
		code = ERR_OK; /* said in the log, and listed: there is nothing to try again */
	else if (code != ERR_OK)
		postpone(d, e, now_unix_ns);
	mutex_unlock(&d->io);
	dlq_ring(d);
	return code;
}

void
dlq_put_back(struct dlq *d, const char *id)
{
	mutex_lock(&d->io);
	struct dlq_entry *e = find_running(d, id);
	if (e)
		dlq_set_state(d, e, DLQ_WAITING, e->next_ns);
	mutex_unlock(&d->io);
	dlq_ring(d);
}

/* ---- marks that have served */

static enum err_code
sync_folders(const struct dlq *d, struct err *err)
{
	enum err_code code = ERR_OK;
	for (int i = 0; i < 2 && code == ERR_OK; i++)
		if (file_exists(d->dirs[i]))
			code = file_sync_dir(d->dirs[i], err);
	return code;
}

static void
trim_marks(struct dlq *d)
{
	char path[FILE_PATH_BYTES];
	struct err err = {0};
	enum err_code code = ERR_OK;
	size_t end = dlq_upper(d, (struct dlq_key){d->floor_seq, UINT32_MAX});
	for (size_t i = 0; i < end && code == ERR_OK; i++)
		if (d->entries[i].state == DLQ_DONE)
			code = dlq_remove_copies(d, dlq_key_of(&d->entries[i]), d->entries[i].count,
			    &err);
	/* No letter may come back after its mark has gone. */
	if (code == ERR_OK)
		code = sync_folders(d, &err);
	for (size_t i = 0; i < end && code == ERR_OK; i++) {
		struct dlq_entry *e = &d->entries[i];
		if (e->state != DLQ_DONE)
			continue;
		code = dlq_path(d, DLQ_IN_WAITING, dlq_key_of(e), ".done", path, &err);
		if (code == ERR_OK)
			code = file_unlink(path, &err);
		if (code == ERR_OK || code == ERR_NOT_FOUND) {
			dlq_set_state(d, e, DLQ_GONE, 0);
			code = ERR_OK;
		}
	}
	if (code != ERR_OK) {
		log_warn("dlq", "marks of letters that are done with stay for now: %s",
		    err.message);
		return;
	}
	mutex_lock(&d->lock);
	d->done_seq_min = UINT64_MAX;
	for (size_t i = end; i < d->count && d->done_seq_min == UINT64_MAX; i++)
		if (d->entries[i].state == DLQ_DONE)
			d->done_seq_min = d->entries[i].seq;
	mutex_unlock(&d->lock);
	dlq_index_compact(d);
}

void
dlq_trim(struct dlq *d, uint64_t floor_seq)
{
	mutex_lock(&d->io);
	if (floor_seq > d->floor_seq)
		d->floor_seq = floor_seq;
	if (d->done_seq_min <= d->floor_seq)
		trim_marks(d);
	mutex_unlock(&d->io);
}
