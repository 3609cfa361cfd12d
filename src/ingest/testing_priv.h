/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/testing_priv.h - what the tests of ingest share. Included by *_test.c only.
 *
 * A store that counts how often each span became visible and fails as it is told; a bench with a
 * log, that store and ingest between them; requests of known spans.
 */
#ifndef INGEST_TESTING_PRIV_H
#define INGEST_TESTING_PRIV_H

#include "ingest/ingest.h"

#include "base/arena.h"
#include "otlp/encode.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>

enum { INGEST_TEST_SPANS = 4096 };

struct ingest_test_store {
	struct store store;
	struct mutex lock;
	unsigned seen[INGEST_TEST_SPANS]; /* by span id */
	uint64_t position;
	uint64_t appends; /* calls */
	uint64_t batches; /* that became visible */
	uint64_t failures; /* so many of the next appends fail */
	enum err_code code; /* with this */
	bool after; /* having kept the batch */
	uint64_t rows_max, too_large; /* that fit in its memory, 0: all; appends that did not */
};

static inline enum err_code
ingest_test_append(struct store *s, struct batch *b, struct err *err)
{
	struct ingest_test_store *t = (struct ingest_test_store *)s;
	const struct table *spans = &b->tables[TABLE_SPANS];
	mutex_lock(&t->lock);
	t->appends++;
	bool fails = t->failures > 0, poison = false;
	bool large = t->rows_max && spans->row_count > t->rows_max;
	t->failures -= fails;
	for (size_t i = 0; i < spans->row_count; i++) {
		CHECK(table_u64(spans, i, SPAN_SEQ) > t->position);
		CHECK(table_u64(spans, i, SPAN_SEQ) <= b->last_seq);
		poison |= str_eq(table_str(spans, i, SPAN_NAME), STR("poison"));
	}
	t->too_large += large;
	bool keep = !poison && !large && (!fails || t->after);
	for (size_t i = 0; keep && i < spans->row_count; i++)
		t->seen[table_u64(spans, i, SPAN_SPAN_ID) % INGEST_TEST_SPANS]++;
	if (keep) {
		t->batches++;
		t->position = b->last_seq;
	}
	enum err_code code = t->code;
	mutex_unlock(&t->lock);
	if (large || poison)
		return err_set(err, large ? ERR_TOO_LARGE : ERR_INVALID, "this is poison");
	return fails ? err_set(err, code, "told to fail") : ERR_OK;
}

static inline uint64_t
ingest_test_position(struct store *s)
{
	struct ingest_test_store *t = (struct ingest_test_store *)s;
	mutex_lock(&t->lock);
	uint64_t position = t->position;
	mutex_unlock(&t->lock);
	return position;
}

static inline void
ingest_test_status(struct store *s, struct store_status *out)
{
	(void)s;
	*out = (struct store_status){.ok = true, .text = "a store for tests"};
}

static const struct store_ops ingest_test_ops = {.name = "test",
    .append = ingest_test_append,
    .position = ingest_test_position,
    .status = ingest_test_status};

struct ingest_test {
	const char *dir;
	struct wal *wal;
	struct ingest *in;
	struct limits limits;
	struct stats stats;
	struct ingest_test_store store;
	uint64_t segment_bytes;
	uint64_t load_delay_ms;
	_Atomic uint64_t answers[ERR_COUNT];
	_Atomic uint64_t accepted, rejected;
	char message[ERR_MESSAGE_BYTES]; /* of the last answer that was a no */
};

static inline void
ingest_test_init(struct ingest_test *t, const char *dir)
{
	*t = (struct ingest_test){.dir = dir, .segment_bytes = 1 << 16, .load_delay_ms = 5};
	t->limits = limits_default();
	t->limits.free_bytes_min = 0;
	t->store.store.ops = &ingest_test_ops;
	mutex_init(&t->store.lock);
}

static inline void
ingest_test_up(struct ingest_test *t)
{
	char wal_dir[4096];
	struct err err = {0};
	snprintf(wal_dir, sizeof(wal_dir), "%s/wal", t->dir);
	struct wal_options wo = {.dir = str_from(wal_dir),
	    .segment_bytes_max = t->segment_bytes,
	    .applied_seq = ingest_test_position(&t->store.store)};
	enum err_code code = wal_open(&wo, &t->wal, NULL, &err);
	struct ingest_options io = {.wal = t->wal,
	    .store = &t->store.store,
	    .limits = &t->limits,
	    .stats = &t->stats,
	    .data_dir = str_from(t->dir),
	    .load_delay_ms = t->load_delay_ms,
	    .load_retry_ms = 4};
	if (code == ERR_OK)
		code = ingest_start(&io, &t->in, &err);
	if (code != ERR_OK)
		fprintf(stderr, "%s\n", err.message);
	CHECK(code == ERR_OK);
}

/* Give it `drain_ms` to load what is durable. */
static inline void
ingest_test_down(struct ingest_test *t, uint64_t drain_ms)
{
	ingest_stop(t->in, drain_ms ? clock_mono_ns() + drain_ms * 1000000 : 0);
	ingest_free(t->in);
	wal_close(t->wal);
	t->in = NULL;
	t->wal = NULL;
}

static inline void
ingest_test_fini(struct ingest_test *t)
{
	mutex_fini(&t->store.lock);
}

static inline void
ingest_test_done(void *ctx, enum err_code code, const struct otlp_counts *counts,
    const char *message)
{
	struct ingest_test *t = ctx;
	CHECK((code == ERR_OK) == (message[0] == '\0'));
	if (code != ERR_OK) /* only the commit thread comes here */
		snprintf(t->message, sizeof(t->message), "%s", message);
	atomic_fetch_add(&t->accepted, code == ERR_OK ? counts->accepted : 0);
	atomic_fetch_add(&t->rejected, code == ERR_OK ? counts->rejected : 0);
	atomic_fetch_add(&t->answers[code], 1);
}

/* Spans first .. last (ids of that number); an id of 0 is one that is refused. */
static inline struct buf
ingest_test_spans(uint64_t first, uint64_t last, const char *name)
{
	struct otlp_encoder e;
	struct buf b = {0};
	otlp_encode_begin(&e, SIGNAL_TRACES, &b);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_attr(&e, STR("service.name"), otlp_value_str(STR("shop")));
	otlp_encode_scope(&e, STR("lib"), STR("1"), STR_EMPTY);
	for (uint64_t k = first; k <= last; k++)
		otlp_encode_span(&e,
		    &(struct otlp_span){.trace_hi = 1,
		        .trace_lo = 1,
		        .span_id = k,
		        .start_ns = k,
		        .end_ns = k + 1,
		        .name = str_from(name)});
	otlp_encode_end(&e);
	return b;
}

static inline enum err_code
ingest_test_submit(struct ingest_test *t, uint64_t first, uint64_t last, const char *name,
    struct err *err)
{
	struct ingest_request req = {.signal = SIGNAL_TRACES,
	    .tenant = STR("acme"),
	    .body = ingest_test_spans(first, last, name),
	    .received_ns = 1,
	    .done = ingest_test_done,
	    .ctx = t};
	enum err_code code = ingest_submit(t->in, &req, err);
	CHECK((req.body.ptr == NULL) == (code == ERR_OK));
	buf_fini(&req.body);
	return code;
}

/* Until *value is want, for at most 20 s. */
static inline bool
ingest_test_wait(const _Atomic uint64_t *value, uint64_t want)
{
	uint64_t end = clock_mono_ns() + UINT64_C(20000000000);
	while (atomic_load(value) != want && clock_mono_ns() < end)
		clock_sleep_ns(200000);
	return atomic_load(value) == want;
}

/* Until the store stands at the end of the log's requests. */
static inline bool
ingest_test_wait_loaded(struct ingest_test *t, uint64_t seq)
{
	uint64_t end = clock_mono_ns() + UINT64_C(20000000000);
	while (ingest_test_position(&t->store.store) < seq && clock_mono_ns() < end)
		clock_sleep_ns(200000);
	return ingest_test_position(&t->store.store) >= seq;
}

/* Spans first .. last were made visible so many times each. */
static inline bool
ingest_test_seen(struct ingest_test *t, uint64_t first, uint64_t last, unsigned times)
{
	bool all = true;
	mutex_lock(&t->store.lock);
	for (uint64_t k = first; k <= last; k++) {
		if (t->store.seen[k] != times)
			fprintf(stderr, "span %llu: %u times\n", (unsigned long long)k,
			    t->store.seen[k]);
		all = all && t->store.seen[k] == times;
	}
	mutex_unlock(&t->store.lock);
	return all;
}

static inline void
ingest_test_fail_next(struct ingest_test *t, uint64_t n, enum err_code code, bool after)
{
	mutex_lock(&t->store.lock);
	t->store.failures = n;
	t->store.code = code;
	t->store.after = after;
	mutex_unlock(&t->store.lock);
}

#endif
