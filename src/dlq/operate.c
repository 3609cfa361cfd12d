/* SPDX-License-Identifier: Apache-2.0 */
/* What operators do with letters: look, try again, throw away. */
#include "dlq/dlq_priv.h"

#include "base/arena.h"
#include "base/bits.h"

#include <stdio.h>
#include <stdlib.h>

#define UNREADABLE_PREFIX "unreadable-"

enum { UNREADABLE_PREFIX_LEN = sizeof(UNREADABLE_PREFIX) - 1 };

static bool
unreadable_id_read(struct str id, uint64_t *hash_out)
{
	return str_starts(id, STR(UNREADABLE_PREFIX)) &&
	    hex_to_u64(id.ptr + UNREADABLE_PREFIX_LEN, id.len - UNREADABLE_PREFIX_LEN, hash_out);
}

static enum err_code
no_such(const char *id, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "there is no dead letter %.48s", id);
}

static void
fill_foreign(const struct dlq_foreign *f, struct dlq_letter *out)
{
	char text[DLQ_ERROR_BYTES * 2];
	*out = (struct dlq_letter){.state = DLQ_UNREADABLE};
	snprintf(out->id, sizeof(out->id), UNREADABLE_PREFIX "%016llx",
	    (unsigned long long)f->hash);
	snprintf(text, sizeof(text), "%s: %s/%s", f->why,
	    f->place == DLQ_IN_WAITING ? "dlq" : "quarantine", f->name);
	dlq_text_clean(out->error, sizeof(out->error), str_from(text));
}

static enum err_code
foreign_path(const struct dlq *d, const struct dlq_foreign *f, char out[FILE_PATH_BYTES],
    struct err *err)
{
	return file_join(str_from(dlq_dir(d, f->place)), str_from(f->name), out, err);
}

static void
fill_entry(const struct dlq_entry *e, const struct dlq_head *h, struct dlq_letter *out)
{
	*out = h->letter;
	dlq_id_write(dlq_key_of(e), out->id);
	out->state = (enum dlq_state)e->state;
	out->next_ns = e->state == DLQ_QUARANTINED ? 0 : e->next_ns;
}

static bool
is_letter(const struct dlq_entry *e)
{
	return e->state != DLQ_DONE && e->state != DLQ_GONE;
}

/* ---- list */

struct page {
	const struct dlq_query *q;
	unsigned states;
	uint64_t tenant_hash;
	struct dlq_letter *out;
	size_t max, count;
	bool more;
};

/* Its file cannot be read now: what is in memory. */
static void
fill_unknown(const struct dlq_entry *e, const struct err *err, struct dlq_head *out)
{
	*out = (struct dlq_head){.kind = DLQ_KIND_LETTER};
	out->letter.seq = e->seq;
	out->letter.item_first = e->first;
	out->letter.item_count = e->count;
	out->letter.attempts = e->attempts;
	dlq_text_clean(out->letter.error, sizeof(out->letter.error), str_from(err->message));
}

/* One that the query may want: it is read, and is on the page unless it is not what was thought. */
static void
list_entry(struct dlq *d, struct page *p, struct dlq_entry *e)
{
	struct dlq_head h;
	struct err err = {0};
	if (!is_letter(e) || !(p->states & 1u << e->state) ||
	    (p->q->tenant.len > 0 && e->tenant_hash != p->tenant_hash))
		return;
	if (p->count == p->max) {
		p->more = true;
		return;
	}
	enum err_code code = dlq_entry_read(d, e, &h, NULL, &err);
	if (code == ERR_CORRUPT || code == ERR_NOT_FOUND)
		return; /* among the unreadable ones from now on, or nowhere */
	if (code != ERR_OK)
		fill_unknown(e, &err, &h);
	else if (p->q->tenant.len > 0 && !str_eq(str_from(h.letter.tenant), p->q->tenant))
		return; /* another one of the same hash */
	fill_entry(e, &h, &p->out[p->count++]);
}

static void
list_foreign(struct dlq *d, struct page *p, size_t at)
{
	if (!(p->states & 1u << DLQ_UNREADABLE) || p->q->tenant.len > 0)
		return;
	for (; at < d->foreign_count && p->count < p->max; at++)
		fill_foreign(&d->foreign[at], &p->out[p->count++]);
	p->more = p->more || at < d->foreign_count;
}

static enum err_code
list_locked(struct dlq *d, struct page *p, struct err *err)
{
	struct dlq_key key;
	uint64_t hash = 0;
	size_t at = 0;
	if (unreadable_id_read(p->q->after, &hash)) {
		at = d->count;
		hash++;
	} else if (dlq_id_read(p->q->after, &key)) {
		at = dlq_upper(d, key);
	} else if (p->q->after.len > 0) {
		return err_set(err, ERR_INVALID, "not the id of a dead letter: \"%.*s\"",
		    p->q->after.len < 48 ? (int)p->q->after.len : 48, p->q->after.ptr);
	}
	for (; at < d->count && !p->more; at++)
		list_entry(d, p, &d->entries[at]);
	if (!p->more)
		list_foreign(d, p, dlq_foreign_find(d, hash));
	return ERR_OK;
}

enum err_code
dlq_list(struct dlq *d, const struct dlq_query *q, struct dlq_letter *out, size_t max,
    size_t *count_out, bool *more_out, struct err *err)
{
	struct page p = {.q = q,
	    .states = q->states ? q->states : ~0u,
	    .tenant_hash = hash_u64(q->tenant),
	    .out = out,
	    .max = max};
	mutex_lock(&d->io);
	enum err_code code = list_locked(d, &p, err);
	mutex_unlock(&d->io);
	*count_out = p.count;
	*more_out = p.more;
	return code;
}

void
dlq_counts(struct dlq *d, uint64_t out[DLQ_UNREADABLE + 1])
{
	mutex_lock(&d->lock);
	for (int i = 0; i <= DLQ_UNREADABLE; i++)
		out[i] = d->counts[i];
	mutex_unlock(&d->lock);
}

/* ---- one */

static struct dlq_entry *
find_letter(struct dlq *d, const char *id)
{
	struct dlq_key key;
	struct dlq_entry *e = dlq_id_read(str_from(id), &key) ? dlq_find(d, key) : NULL;
	return e && is_letter(e) ? e : NULL;
}

static bool
find_unreadable(const struct dlq *d, const char *id, size_t *at_out)
{
	uint64_t hash;
	if (!unreadable_id_read(str_from(id), &hash))
		return false;
	*at_out = dlq_foreign_find(d, hash);
	return *at_out < d->foreign_count && d->foreign[*at_out].hash == hash;
}

enum err_code
dlq_show(struct dlq *d, const char *id, struct dlq_letter *out, struct buf *payload,
    struct err *err)
{
	enum err_code code = ERR_OK;
	struct dlq_head h;
	size_t at;
	mutex_lock(&d->io);
	struct dlq_entry *e = find_letter(d, id);
	if (e) {
		code = dlq_entry_read(d, e, &h, payload, err);
		if (code == ERR_OK)
			fill_entry(e, &h, out);
	} else if (find_unreadable(d, id, &at)) {
		fill_foreign(&d->foreign[at], out);
	} else {
		code = no_such(id, err);
	}
	mutex_unlock(&d->io);
	return code;
}

static enum err_code
retry_locked(struct dlq *d, struct dlq_entry *e, uint64_t now_ns, struct err *err)
{
	struct dlq_head h;
	struct buf payload;
	if (e->state == DLQ_RUNNING)
		return err_set(err, ERR_BUSY, "the letter is being tried just now");
	buf_init(&payload, 0);
	enum err_code code = dlq_entry_read(d, e, &h, &payload, err);
	if (code == ERR_OK) {
		h.revision = ++e->revision;
		h.letter.attempts = 0;
		h.letter.next_ns = now_ns;
		code = dlq_write(d, DLQ_IN_WAITING, &h, buf_view(&payload), err);
	}
	buf_fini(&payload);
	if (code != ERR_OK)
		return code;
	char path[FILE_PATH_BYTES];
	/* Else the next start does, for this revision is higher. */
	if (e->place != DLQ_IN_WAITING &&
	    dlq_path(d, (enum dlq_place)e->place, dlq_key_of(e), ".letter", path, NULL) == ERR_OK)
		(void)!file_unlink(path, NULL);
	e->place = DLQ_IN_WAITING;
	e->attempts = 0;
	dlq_set_state(d, e, DLQ_WAITING, now_ns);
	return ERR_OK;
}

enum err_code
dlq_retry(struct dlq *d, const char *id, uint64_t now_unix_ns, struct err *err)
{
	enum err_code code;
	size_t at;
	mutex_lock(&d->io);
	struct dlq_entry *e = find_letter(d, id);
	if (e)
		code = retry_locked(d, e, now_unix_ns, err);
	else if (find_unreadable(d, id, &at))
		code =
		    err_set(err, ERR_CORRUPT, "this file cannot be read: %s", d->foreign[at].why);
	else
		code = no_such(id, err);
	mutex_unlock(&d->io);
	dlq_ring(d);
	return code;
}

static enum err_code
drop_unreadable(struct dlq *d, size_t at, struct err *err)
{
	char path[FILE_PATH_BYTES];
	enum dlq_place place = d->foreign[at].place;
	enum err_code code = foreign_path(d, &d->foreign[at], path, err);
	if (code == ERR_OK)
		code = file_unlink(path, err);
	if (code != ERR_OK && code != ERR_NOT_FOUND)
		return code;
	dlq_foreign_remove(d, at);
	return file_sync_dir(dlq_dir(d, place), err);
}

enum err_code
dlq_drop(struct dlq *d, const char *id, struct err *err)
{
	enum err_code code;
	size_t at;
	mutex_lock(&d->io);
	struct dlq_entry *e = find_letter(d, id);
	if (e)
		code = dlq_end(d, e, err);
	else if (find_unreadable(d, id, &at))
		code = drop_unreadable(d, at, err);
	else
		code = no_such(id, err);
	mutex_unlock(&d->io);
	return code;
}
