/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq/scan.c - reading the folders at the start.
 *
 * A crash between two steps of a change leaves two files of one letter: a mark beats a letter, the
 * higher revision the lower one, and the other is deleted. What is no letter is listed and stays.
 */
#include "dlq/dlq_priv.h"

#include "base/bits.h"
#include "sys/log.h"

#include <stdio.h>

struct scan {
	struct dlq *d;
	enum dlq_place place;
	struct err err;
};

static bool
ends_with(struct str *name, struct str ending)
{
	if (name->len < ending.len ||
	    memcmp(name->ptr + name->len - ending.len, ending.ptr, ending.len) != 0)
		return false;
	name->len -= ending.len;
	return true;
}

/* <seq>.rec */
static bool
is_old_name(struct str stem, struct dlq_key *key_out)
{
	char again[17];
	*key_out = (struct dlq_key){0};
	if (!hex_to_u64(stem.ptr, stem.len, &key_out->seq))
		return false;
	snprintf(again, sizeof(again), "%016llx", (unsigned long long)key_out->seq);
	return str_eq(str_from(again), stem);
}

/* What file_write_whole() leaves when it is interrupted. */
static bool
is_leftover(struct str name)
{
	struct dlq_key key;
	if (!ends_with(&name, STR(".tmp")))
		return false;
	struct str stem = name;
	if (ends_with(&stem, STR(".letter")) || ends_with(&stem, STR(".done")))
		return dlq_id_read(stem, &key);
	return ends_with(&stem, STR(".rec")) && is_old_name(stem, &key);
}

static void
add_foreign(struct scan *s, const char *name, const char *why)
{
	log_warn("dlq", "%s/%s cannot be read and stays as it is: %s",
	    s->place == DLQ_IN_WAITING ? "dlq" : "quarantine", name, why);
	dlq_foreign_add(s->d, s->place, name, why);
}

static void
add_old(struct scan *s, struct dlq_key key)
{
	struct dlq_entry e = {
	    .seq = key.seq, .count = DLQ_ALL_ITEMS, .state = DLQ_QUARANTINED, .place = DLQ_IN_OLD};
	dlq_index_append(s->d, &e);
}

static void
add_known(struct scan *s, const struct dlq_head *h)
{
	const struct dlq_letter *l = &h->letter;
	struct dlq_entry e = {.seq = l->seq,
	    .next_ns = l->next_ns,
	    .tenant_hash = hash_u64(str_from(l->tenant)),
	    .first = l->item_first,
	    .count = l->item_count,
	    .revision = h->revision,
	    .attempts = l->attempts,
	    .state = DLQ_WAITING,
	    .place = (uint8_t)s->place};
	if (h->kind == DLQ_KIND_MARK)
		e.state = DLQ_DONE;
	else if (s->place == DLQ_IN_QUARANTINE)
		e.state = DLQ_QUARANTINED;
	dlq_index_append(s->d, &e);
}

static struct dlq_key
key_of_head(const struct dlq_head *h)
{
	return (struct dlq_key){h->letter.seq, h->letter.item_first};
}

/* A file whose name is that of a letter or mark. */
static void
add_file(struct scan *s, const char *name, struct dlq_key key, enum dlq_kind kind)
{
	char path[FILE_PATH_BYTES];
	struct dlq_head h;
	const char *why = NULL;
	enum err_code code =
	    file_join(str_from(dlq_dir(s->d, s->place)), str_from(name), path, &s->err);
	if (code == ERR_OK)
		code = dlq_head_read(path, &h, &why, &s->err);
	if (code == ERR_OK && (h.kind != kind || dlq_key_cmp(key, key_of_head(&h)) != 0))
		why = "it is not what its name says";
	if (code == ERR_OK && !why)
		add_known(s, &h);
	else if (why)
		add_foreign(s, name, why);
	else if (code != ERR_NOT_FOUND)
		add_foreign(s, name, s->err.message);
}

static void
remove_leftover(struct scan *s, const char *name)
{
	char path[FILE_PATH_BYTES];
	enum err_code code =
	    file_join(str_from(dlq_dir(s->d, s->place)), str_from(name), path, &s->err);
	if (code == ERR_OK)
		code = file_unlink(path, &s->err);
	if (code != ERR_OK)
		log_warn("dlq", "what an interrupted write has left stays: %s", s->err.message);
}

enum dlq_name
dlq_name_read(enum dlq_place place, const char *name, struct dlq_key *key_out)
{
	struct str stem = str_from(name);
	*key_out = (struct dlq_key){0};
	if (is_leftover(stem))
		return DLQ_NAME_LEFTOVER;
	if (ends_with(&stem, STR(".letter")) && dlq_id_read(stem, key_out))
		return DLQ_NAME_LETTER;
	if (place == DLQ_IN_WAITING && ends_with(&stem, STR(".done")) && dlq_id_read(stem, key_out))
		return DLQ_NAME_MARK;
	if (place == DLQ_IN_QUARANTINE && ends_with(&stem, STR(".rec")) &&
	    is_old_name(stem, key_out))
		return DLQ_NAME_OLD;
	return DLQ_NAME_FOREIGN;
}

static void
scan_entry(void *ctx, const char *name)
{
	struct scan *s = ctx;
	struct dlq_key key;
	switch (dlq_name_read(s->place, name, &key)) {
	case DLQ_NAME_LEFTOVER: remove_leftover(s, name); break;
	case DLQ_NAME_LETTER: add_file(s, name, key, DLQ_KIND_LETTER); break;
	case DLQ_NAME_MARK: add_file(s, name, key, DLQ_KIND_MARK); break;
	case DLQ_NAME_OLD: add_old(s, key); break;
	case DLQ_NAME_FOREIGN: add_foreign(s, name, "its name is not that of a letter"); break;
	}
}

/* Of two files of one letter the one that does not count. */
static void
drop_loser(void *ctx, const struct dlq_entry *winner, const struct dlq_entry *e)
{
	struct dlq *d = ctx;
	struct err err;
	char path[FILE_PATH_BYTES], name[DLQ_NAME_BYTES];
	bool old = e->place == DLQ_IN_OLD;
	enum err_code code =
	    dlq_path(d, (enum dlq_place)e->place, dlq_key_of(e), ".letter", path, &err);
	if (old && winner->count != DLQ_ALL_ITEMS) {
		snprintf(name, sizeof(name), "%016llx.rec", (unsigned long long)e->seq);
		dlq_foreign_add(d, DLQ_IN_QUARANTINE, name,
		    "it is a whole request of which a letter holds a part");
		return;
	}
	if (code == ERR_OK)
		code = file_unlink(path, &err);
	if (code != ERR_OK)
		log_warn("dlq", "what a later file replaces stays: %s", err.message);
}

static enum err_code
scan_folder(struct scan *s, enum dlq_place place, struct err *err)
{
	s->place = place;
	if (!file_exists(dlq_dir(s->d, place)))
		return ERR_OK;
	return file_list(dlq_dir(s->d, place), scan_entry, s, err);
}

enum err_code
dlq_scan(struct dlq *d, struct err *err)
{
	struct scan s = {.d = d};
	enum err_code code = scan_folder(&s, DLQ_IN_WAITING, err);
	if (code == ERR_OK)
		code = scan_folder(&s, DLQ_IN_QUARANTINE, err);
	if (code == ERR_OK)
		dlq_index_settle(d, drop_loser, d);
	return code;
}
