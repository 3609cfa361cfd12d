/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq/check.c - are the dead letters whole?
 *
 * A file changes by being replaced, so that one that is open can be read to its end beside a weir that works
 * with them; one that has gone meanwhile is none of our business.
 */
#include "dlq/dlq_priv.h"

#include "base/arena.h"
#include "base/finding.h"

#include <stdio.h>
#include <stdlib.h>

struct checking {
	struct str data_dir;
	bool live;
	const struct finding_sink *sink;
	struct dlq_checked *out;
	enum dlq_place place;
	struct buf keys; /* of struct dlq_key: letters that wait */
};

static const char *
folder_of(enum dlq_place place)
{
	return place == DLQ_IN_WAITING ? "dlq" : "quarantine";
}

/* What is wrong, as format.c says it, is one of two things: bytes are missing, or they are not what was written. */
static enum finding_kind
kind_of(const char *why)
{
	return strstr(why, "empty") || strstr(why, "ends inside") || strstr(why, "as long as")
	    ? FINDING_LETTER_TORN
	    : FINDING_LETTER_DAMAGED;
}

static bool
is_waiting(const struct checking *c, struct dlq_key key)
{
	for (size_t i = 0; i + sizeof(key) <= c->keys.len; i += sizeof(key)) {
		struct dlq_key one;
		memcpy(&one, c->keys.ptr + i, sizeof(one));
		if (dlq_key_cmp(one, key) == 0)
			return true;
	}
	return false;
}

static void
count(struct checking *c, const char *place, struct dlq_key key, enum dlq_kind kind)
{
	if (kind == DLQ_KIND_MARK) {
		c->out->done++;
		return;
	}
	c->out->waiting += c->place == DLQ_IN_WAITING;
	c->out->quarantined += c->place == DLQ_IN_QUARANTINE;
	if (c->place == DLQ_IN_WAITING)
		buf_append(&c->keys, &key, sizeof(key));
	else if (!c->live && is_waiting(c, key))
		finding_say(c->sink, FINDING_LETTER_TWICE, place,
		    "the letter is in dlq/ too: weir stopped while it was moved; the next start keeps "
		    "the newer one");
}

static void
check_file(struct checking *c, const char *place, struct dlq_key key, enum dlq_kind kind)
{
	char path[FILE_PATH_BYTES];
	struct dlq_head h;
	struct buf payload = {0};
	struct err err = {0};
	const char *why = NULL;
	enum err_code code = file_join(c->data_dir, str_from(place), path, &err);
	if (code == ERR_OK)
		code = dlq_file_read(path, &h, &payload, &why, &err);
	buf_fini(&payload);
	if (code == ERR_NOT_FOUND)
		return;
	if (code != ERR_OK)
		finding_say(c->sink, why ? kind_of(why) : FINDING_LETTER_DAMAGED, place,
		    "this dead letter cannot be read: %s; the request in it is lost, unless the log still "
		    "has record %llu",
		    why ? why : err.message, (unsigned long long)key.seq);
	else if (h.kind != kind ||
	    dlq_key_cmp(key, (struct dlq_key){h.letter.seq, h.letter.item_first}) != 0)
		finding_say(c->sink, FINDING_LETTER_MISNAMED, place,
		    "it is a dead letter of record %llu, item %u, which is not what its name says",
		    (unsigned long long)h.letter.seq, (unsigned)h.letter.item_first);
	else
		count(c, place, key, kind);
}

static void
check_entry(void *ctx, const char *name)
{
	struct checking *c = ctx;
	struct dlq_key key;
	char place[FINDING_PLACE_BYTES];
	snprintf(place, sizeof(place), "%s/%s", folder_of(c->place), name);
	switch (dlq_name_read(c->place, name, &key)) {
	case DLQ_NAME_LETTER: check_file(c, place, key, DLQ_KIND_LETTER); break;
	case DLQ_NAME_MARK: check_file(c, place, key, DLQ_KIND_MARK); break;
	case DLQ_NAME_OLD: c->out->quarantined++; break; /* it has no checksum */
	case DLQ_NAME_LEFTOVER:
		if (!c->live)
			finding_say(c->sink, FINDING_LETTER_LEFTOVER, place,
			    "what a write that was interrupted has left; the next start removes it");
		break;
	case DLQ_NAME_FOREIGN:
		finding_say(c->sink, FINDING_LETTER_FOREIGN, place,
		    "its name is not that of a dead letter; weir lists it as unreadable and leaves it "
		    "alone");
		break;
	}
}

static enum err_code
check_folder(struct checking *c, enum dlq_place place, struct err *err)
{
	char path[FILE_PATH_BYTES];
	c->place = place;
	enum err_code code = file_join(c->data_dir, str_from(folder_of(place)), path, err);
	if (code != ERR_OK || !file_exists(path))
		return code;
	return file_list(path, check_entry, c, err);
}

enum err_code
dlq_check(struct str data_dir, bool live, const struct finding_sink *sink, struct dlq_checked *out,
    struct err *err)
{
	struct checking c = {.data_dir = data_dir, .live = live, .sink = sink, .out = out};
	*out = (struct dlq_checked){0};
	enum err_code code = check_folder(&c, DLQ_IN_WAITING, err);
	if (code == ERR_OK)
		code = check_folder(&c, DLQ_IN_QUARANTINE, err);
	buf_fini(&c.keys);
	return code;
}
