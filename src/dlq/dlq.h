/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq/dlq.h - dead letters: parts of requests that were acknowledged and cannot be applied.
 *
 * A letter is one file in <data>/dlq/ and, after its last attempt, in <data>/quarantine/: the log
 * record's payload, which part of the request it is, why it failed, how often, when it is tried
 * again. Every change is durable before it is said to be made: written beside it, synced, renamed,
 * folder synced. Files are named <seq>-<first item>.letter (hexadecimal), so that the same failure
 * after a replay of the log is the same letter. A file that is torn, of another version or no
 * letter at all is listed as unreadable and otherwise left alone: it never stops the others and
 * never costs an attempt. It covers nothing either: what the log still has of it is applied again.
 * <data>/quarantine/<seq>.rec, a whole record put aside by weir 0.1, is a quarantined letter of
 * DLQ_ALL_ITEMS whose tenant, signal and identity are only in its payload.
 *
 * In memory a letter takes some 80 bytes; the rest is read from its file when asked for. Opening
 * reads the head of every file, not the payloads: those are checked when they are used.
 *
 * Its life. WAITING until next_ns, then it is handed out once (dlq_due), and either dlq_done() or
 * dlq_failed(): the next attempt is after 1 s, 2 s, 4 s .. at most an hour; after the last one of
 * attempts_max it is QUARANTINED until somebody says retry or drop. What has been done or dropped leaves a
 * small mark (<name>.done) until the log no longer has the original record (dlq_trim()), so
 * that a replay leaves that part out (dlq_covers()). Nothing is ever evicted. A letter that cannot be
 * written for lack of space is ERR_BUSY: the caller waits, and clients are told to retry.
 *
 * Threading: any thread; one short lock, and file operations one at a time.
 */
#ifndef DLQ_DLQ_H
#define DLQ_DLQ_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"

struct dlq;

enum dlq_state { DLQ_WAITING, DLQ_RUNNING, DLQ_QUARANTINED, DLQ_UNREADABLE };

const char *dlq_state_name(enum dlq_state s); /* "waiting" "running" "quarantined" "unreadable" */

enum { DLQ_ERROR_BYTES = 256, DLQ_ID_BYTES = 40 };

#define DLQ_ALL_ITEMS UINT32_MAX /* as item_count: all of the request, however many they are */
/* seqs from here on are of no record of the log: whoever puts such a letter chooses one. */
#define DLQ_SEQ_NONE (UINT64_C(1) << 63)
#define DLQ_PAYLOAD_BYTES_MAX (UINT64_C(1) << 30)

struct dlq_letter {
	/* The file's name without its ending; of an unreadable one "unreadable-<16 hex>". */
	char id[DLQ_ID_BYTES];
	enum dlq_state state;
	uint64_t seq; /* of the original record */
	uint32_t item_first, item_count; /* by ordinal: the part of the request */
	char tenant[LIMIT_TENANT_BYTES + 1];
	char signal[12]; /* "traces" "logs" "metrics" "comments" */
	struct hash128 identity; /* of the part: what the retry is known by */
	unsigned attempts; /* that have failed */
	uint64_t created_ns, last_ns, next_ns; /* unix */
	uint64_t bytes; /* of the payload */
	/* Of the last attempt; of an unreadable one, which file it is and what is wrong with it. UTF-8
	 * without control characters. */
	char error[DLQ_ERROR_BYTES];
};

struct dlq_options {
	struct str data_dir; /* copied */
	unsigned attempts_max; /* 0: 10 */
	uint64_t backoff_ms; /* first pause; 0: 1000 */
	uint64_t backoff_max_ms; /* 0: one hour */
};

/* Reads what is there, removes what interrupted writes have left. Makes the folders when they are
 * first needed. */
MUST_CHECK enum err_code dlq_open(const struct dlq_options *opt, struct dlq **out, struct err *err);
void dlq_close(struct dlq *d); /* NULL allowed */

/* Put a part aside; durable on ERR_OK. `letter` gives seq, items (one at least), tenant, signal,
 * identity, error; the rest is set here. One that is there already is left as it is. ERR_BUSY: no
 * space; ERR_IO: it cannot be written; nothing is left of it then. */
MUST_CHECK enum err_code dlq_put(struct dlq *d, const struct dlq_letter *letter, struct str payload,
    uint64_t now_unix_ns, struct err *err);
/* The same for what never came into the log (letter->seq >= DLQ_SEQ_NONE) and cannot become better by itself: it is in quarantine at
 * once. When it has been done or dropped nothing is left of it. */
MUST_CHECK enum err_code dlq_quarantine(struct dlq *d, const struct dlq_letter *letter,
    struct str payload, uint64_t now_unix_ns, struct err *err);
/* Whether this item of this record has been put aside (and may have been done or dropped since). */
bool dlq_covers(struct dlq *d, uint64_t seq, uint32_t ord);
/* Whether any item of it has: the cheap question to ask first. */
bool dlq_covers_any(struct dlq *d, uint64_t seq);

/* The letter that is due, now RUNNING; its payload is appended to *payload. ERR_NOT_FOUND: none is,
 * and *next_ns_out says when to ask again (UINT64_MAX: never). A letter due more than
 * backoff_max_ms from now was written by a clock that has been set back since: it is due. */
MUST_CHECK enum err_code dlq_due(struct dlq *d, uint64_t now_unix_ns, struct dlq_letter *out,
    struct buf *payload, uint64_t *next_ns_out, struct err *err);
/* How a running one ended. Of ids that are not there nothing is said: they were dropped meanwhile.
 * When this cannot be made durable, that is an error, no attempt is counted, and the letter waits
 * to be tried again (which changes nothing that is there). */
MUST_CHECK enum err_code dlq_done(struct dlq *d, const char *id, struct err *err);
MUST_CHECK enum err_code dlq_failed(struct dlq *d, const char *id, const char *why,
    uint64_t now_unix_ns, struct err *err);
/* It was not tried (the log was busy): as it was before. */
void dlq_put_back(struct dlq *d, const char *id);

/* The log has nothing at or below this seq any more. */
void dlq_trim(struct dlq *d, uint64_t floor_seq);

/* ---- for operators. ERR_NOT_FOUND: no such letter. */

struct dlq_query {
	unsigned states; /* bits 1 << enum dlq_state; 0: all */
	struct str tenant; /* empty: of all tenants, and what belongs to none */
	struct str after; /* the id of the last one of the page before; empty: from the beginning */
};

/* A page, oldest record first, unreadable files at the end. *more_out: there are others behind it.
 * ERR_INVALID: `after` is no id. */
MUST_CHECK enum err_code dlq_list(struct dlq *d, const struct dlq_query *q, struct dlq_letter *out,
    size_t max, size_t *count_out, bool *more_out, struct err *err);
/* Of an unreadable one there is no payload. */
MUST_CHECK enum err_code dlq_show(struct dlq *d, const char *id, struct dlq_letter *out,
    struct buf *payload, struct err *err); /* payload may be NULL */
/* Try it now, with its attempts forgotten; out of quarantine too. ERR_BUSY: it is running.
 * ERR_CORRUPT: unreadable. */
MUST_CHECK enum err_code dlq_retry(struct dlq *d, const char *id, uint64_t now_unix_ns,
    struct err *err);
/* Delete it for good. An unreadable file too. */
MUST_CHECK enum err_code dlq_drop(struct dlq *d, const char *id, struct err *err);
/* How many there are in each state. */
void dlq_counts(struct dlq *d, uint64_t out[DLQ_UNREADABLE + 1]);
/* Bell for whoever waits for dlq_due(): called (any thread, no lock held) when one becomes due
 * earlier than was said. */
void dlq_on_change(struct dlq *d, void (*fn)(void *ctx), void *ctx);

/* ---- are they whole? (check.c) */

struct finding_sink;

struct dlq_checked {
	uint64_t waiting, quarantined; /* letters, whole ones */
	uint64_t done; /* marks */
};

/* Reads every file, payloads too, and changes nothing. live: a weir works with them meanwhile. The place of a
 * finding is the file's path below the data folder. An error only when a folder cannot be read. Any thread. */
MUST_CHECK enum err_code dlq_check(struct str data_dir, bool live, const struct finding_sink *sink,
    struct dlq_checked *out, struct err *err);

#endif
