/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/kit_test.h - what the tests of ingest share.
 *
 * A store that remembers each row that became visible, fails as it is told and forgets, as one with
 * a hot tail does in a crash, what is beyond its position; a bench with a log, dead letters, that store
 * and ingest between them; requests of known spans.
 */
#ifndef INGEST_KIT_TEST_H
#define INGEST_KIT_TEST_H

#include "ingest/ingest.h"

#include "sys/clock.h"
#include "sys/thread.h"

enum { INGEST_TEST_SPANS = 4096 };

struct test_row {
	int table;
	uint64_t seq, key; /* key: the span's id, or a hash of what else it is */
	uint32_t ord;
};

struct test_identity {
	struct hash128 identity;
	uint64_t seq;
};

struct ingest_test_store {
	struct store store;
	struct mutex lock;
	unsigned seen[INGEST_TEST_SPANS]; /* visible now, by span id */
	struct test_row *rows; /* visible */
	size_t row_count, row_cap;
	struct test_identity *identities;
	size_t identity_count, identity_cap;
	uint64_t applied, position;
	bool hot; /* position moves only by ingest_test_seal() */
	bool dedupe; /* spans by id: the first one wins */
	_Atomic uint64_t appends, checks; /* calls */
	_Atomic uint64_t batches; /* that became visible */
	uint64_t failures; /* so many of the next appends fail */
	enum err_code code; /* with this */
	bool after; /* having kept the batch */
	bool healed; /* takes poison */
	uint64_t rows_max, too_large; /* that fit in its memory, 0: all; appends that did not */
	/* Of all appends and checks together, so many work; from then on the store is unavailable. The last
	 * one is kept but said to have failed. 0: no end. */
	_Atomic uint64_t steps_max, steps;
	store_poison_fn poison;
	void *poison_ctx;
};

struct ingest_test {
	const char *dir;
	struct wal *wal;
	struct dlq *dlq;
	struct ingest *in;
	struct limits limits;
	struct stats stats;
	struct ingest_test_store store;
	struct store *use; /* in place of it; what looks at rows does not work then */
	uint64_t segment_bytes;
	uint64_t load_delay_ms;
	uint64_t backoff_ms; /* of letters; an hour unless said otherwise */
	unsigned attempts_max;
	bool no_dlq;
	_Atomic uint64_t answers[ERR_COUNT];
	_Atomic uint64_t accepted, rejected;
	char message[ERR_MESSAGE_BYTES]; /* of the last answer that was a no */
	/* What an observer heard of since the start: the loader's, looked at after the stop. */
	unsigned heard[INGEST_TEST_SPANS];
	uint64_t heard_rows, heard_batches;
};

void ingest_test_init(struct ingest_test *t, const char *dir);
void ingest_test_fini(struct ingest_test *t);
/* A store that cannot be asked what it would take. */
void ingest_test_no_check(struct ingest_test *t);
void ingest_test_up(struct ingest_test *t);
/* Give it `drain_ms` to load what is durable. */
void ingest_test_down(struct ingest_test *t, uint64_t drain_ms);
/* The store's memory is gone, as after a kill; only while it is down. */
void ingest_test_forget(struct ingest_test *t);
/* Up to this seq the store keeps what it has by itself. */
void ingest_test_seal(struct ingest_test *t, uint64_t seq);

uint64_t ingest_test_applied(struct ingest_test *t);
/* Spans first .. last (ids of that number); an id of 0 is one that is refused. */
struct buf ingest_test_spans(uint64_t first, uint64_t last, const char *name);
/* The same, where those whose place in the list `bad` has are named "poison". */
struct buf ingest_test_poisoned(uint64_t first, uint64_t last, const uint64_t *bad, size_t count);
enum err_code ingest_test_submit(struct ingest_test *t, uint64_t first, uint64_t last,
    const char *name, struct err *err);
/* Takes the body. */
enum err_code ingest_test_submit_body(struct ingest_test *t, enum signal_kind signal,
    struct str tenant, struct buf *body, struct err *err);
void ingest_test_done(void *ctx, enum err_code code, const struct otlp_counts *counts,
    const char *message);
/* Until *value is want, for at most 20 s. */
bool ingest_test_wait(const _Atomic uint64_t *value, uint64_t want);
/* Until the store has applied seq. */
bool ingest_test_wait_loaded(struct ingest_test *t, uint64_t seq);
/* Until all of the log is loaded. */
bool ingest_test_wait_level(struct ingest_test *t);
/* Until this counter is at least want. */
bool ingest_test_wait_stat(struct ingest_test *t, enum stats_id id, int64_t want);
/* Until there are so many letters in a state. */
bool ingest_test_wait_letters(struct ingest_test *t, enum dlq_state state, uint64_t want);
uint64_t ingest_test_letters(struct ingest_test *t, enum dlq_state state);
/* Spans first .. last are visible so many times each. */
bool ingest_test_seen(struct ingest_test *t, uint64_t first, uint64_t last, unsigned times);
/* The observer heard of spans first .. last so often. */
bool ingest_test_heard(struct ingest_test *t, uint64_t first, uint64_t last, unsigned times);
void ingest_test_fail_next(struct ingest_test *t, uint64_t n, enum err_code code, bool after);
void ingest_test_heal(struct ingest_test *t, bool healed);
const struct ingest_check *ingest_test_check(struct ingest_test *t, const char *name);
/* The value of this line of ingest_metrics(); -1: there is none. */
int64_t ingest_test_metric(struct ingest_test *t, const char *line);

#endif
