/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kit_test.h"

#include "base/arena.h"
#include "otlp/encode.h"

#include <stdio.h>
#include <stdlib.h>

static const int ord_cols[] = {SPAN_ORD, LOG_ORD, POINT_ORD, COMMENT_ORD};
static const int seq_cols[] = {SPAN_SEQ, LOG_SEQ, POINT_SEQ, COMMENT_SEQ};

/* ---- the store; all under its lock */

static struct ingest_test_store *
store_of(struct store *s)
{
	return (struct ingest_test_store *)s;
}

static uint64_t
key_of(const struct table *t, int table, size_t row)
{
	if (table == TABLE_SPANS)
		return table_u64(t, row, SPAN_SPAN_ID);
	if (table == TABLE_LOGS)
		return hash_u64(table_str(t, row, LOG_BODY));
	if (table == TABLE_COMMENTS)
		return hash_u64(table_str(t, row, COMMENT_ID));
	return table_u64(t, row, POINT_SERIES_ID);
}

static bool
has_row(const struct ingest_test_store *t, const struct test_row *r)
{
	for (size_t i = 0; i < t->row_count; i++)
		if (t->rows[i].table == r->table && t->rows[i].seq == r->seq &&
		    t->rows[i].ord == r->ord)
			return true;
	return false;
}

static bool
hides(const struct ingest_test_store *t, const struct test_row *r)
{
	if (t->dedupe && r->table == TABLE_SPANS && t->seen[r->key % INGEST_TEST_SPANS] > 0)
		return true;
	return t->hot && has_row(t, r);
}

static void
add_row(struct ingest_test_store *t, struct test_row r)
{
	if (t->row_count == t->row_cap) {
		t->row_cap = t->row_cap ? 2 * t->row_cap : 64;
		t->rows = xrealloc(t->rows, t->row_cap * sizeof(*t->rows));
	}
	t->rows[t->row_count++] = r;
	if (r.table == TABLE_SPANS)
		t->seen[r.key % INGEST_TEST_SPANS]++;
}

static uint64_t
find_identity(const struct ingest_test_store *t, struct hash128 id)
{
	for (size_t i = 0; i < t->identity_count; i++)
		if (t->identities[i].identity.hi == id.hi && t->identities[i].identity.lo == id.lo)
			return t->identities[i].seq;
	return 0;
}

static void
add_identity(struct ingest_test_store *t, const struct batch_request *r)
{
	if (find_identity(t, r->identity) != 0)
		return;
	if (t->identity_count == t->identity_cap) {
		t->identity_cap = t->identity_cap ? 2 * t->identity_cap : 64;
		t->identities = xrealloc(t->identities, t->identity_cap * sizeof(*t->identities));
	}
	t->identities[t->identity_count++] = (struct test_identity){r->identity, r->seq};
}

/* The rows of one table, and how many of each request were there. */
static void
keep_table(struct ingest_test_store *t, struct batch *b, int table)
{
	const struct table *from = &b->tables[table];
	for (size_t row = 0; row < from->row_count; row++) {
		struct test_row r = {.table = table,
		    .seq = table_u64(from, row, seq_cols[table]),
		    .key = key_of(from, table, row),
		    .ord = table_u32(from, row, ord_cols[table])};
		if (!hides(t, &r)) {
			add_row(t, r);
			continue;
		}
		if (!b->hidden[table])
			b->hidden[table] = arena_alloc(&b->arena, from->row_count);
		CHECK(b->hidden[table] != NULL);
		b->hidden[table][row] = 1;
		for (size_t i = 0; i < b->request_count; i++)
			b->requests[i].duplicates += b->requests[i].seq == r.seq;
	}
}

static void
keep(struct ingest_test_store *t, struct batch *b)
{
	memset(b->hidden, 0, sizeof(b->hidden));
	for (int table = 0; table < SIGNAL_TABLES; table++)
		keep_table(t, b, table);
	for (size_t i = 0; i < b->request_count; i++)
		add_identity(t, &b->requests[i]);
	t->batches++;
	t->applied = b->last_seq;
	if (!t->hot)
		t->position = t->applied;
}

/* What is wrong with it, if anything. */
static enum err_code
judge(struct ingest_test_store *t, const struct batch *b, struct err *err)
{
	const struct table *spans = &b->tables[TABLE_SPANS];
	const struct table *comments = &b->tables[TABLE_COMMENTS];
	uint64_t rows = 0;
	for (size_t i = 0; i < b->request_count; i++) {
		const struct batch_request *r = &b->requests[i];
		CHECK(r->seq > t->applied && r->seq <= b->last_seq);
		CHECK(i == 0 || r->seq > b->requests[i - 1].seq);
		CHECK(r->tenant.len > 0);
		CHECK(!r->repeat || r->rows == 0);
		rows += r->rows;
	}
	CHECK(rows == batch_row_count(b));
	if (t->rows_max && rows > t->rows_max)
		return err_set(err, ERR_TOO_LARGE, "this is too large");
	for (size_t i = 0; i < spans->row_count && !t->healed; i++) {
		CHECK(table_u64(spans, i, SPAN_SEQ) > t->applied);
		if (str_eq(table_str(spans, i, SPAN_NAME), STR("poison")))
			return err_set(err, ERR_INVALID, "this is poison");
	}
	for (size_t i = 0; i < comments->row_count && !t->healed; i++)
		if (str_eq(table_str(comments, i, COMMENT_BODY), STR("poison")))
			return err_set(err, ERR_INVALID, "this is poison");
	return ERR_OK;
}

/* Whether this step is the last that works. ERR_UNAVAILABLE: it was before. */
static enum err_code
step(struct ingest_test_store *t, bool *last, struct err *err)
{
	*last = false;
	if (t->steps_max == 0)
		return ERR_OK;
	if (t->steps >= t->steps_max)
		return err_set(err, ERR_UNAVAILABLE, "stopped at a step");
	*last = ++t->steps == t->steps_max;
	return ERR_OK;
}

static enum err_code
append_locked(struct ingest_test_store *t, struct batch *b, struct err *err)
{
	bool last;
	t->appends++;
	enum err_code code = step(t, &last, err);
	if (code == ERR_OK)
		code = judge(t, b, err);
	t->too_large += code == ERR_TOO_LARGE;
	bool fails = code == ERR_OK && t->failures > 0;
	t->failures -= fails;
	if (code == ERR_OK && (!fails || t->after))
		keep(t, b);
	if (fails)
		return err_set(err, t->code, "told to fail");
	return code == ERR_OK && last ? err_set(err, ERR_IO, "the answer was lost") : code;
}

static enum err_code
test_append(struct store *s, struct batch *b, struct err *err)
{
	struct ingest_test_store *t = store_of(s);
	mutex_lock(&t->lock);
	enum err_code code = append_locked(t, b, err);
	mutex_unlock(&t->lock);
	return code;
}

static enum err_code
test_check(struct store *s, struct batch *b, struct err *err)
{
	struct ingest_test_store *t = store_of(s);
	bool last;
	mutex_lock(&t->lock);
	t->checks++;
	enum err_code code = step(t, &last, err);
	if (code == ERR_OK && t->failures > 0) {
		t->failures--;
		code = err_set(err, t->code, "told to fail");
	}
	if (code == ERR_OK)
		code = judge(t, b, err);
	mutex_unlock(&t->lock);
	return code;
}

static uint64_t
test_position(struct store *s)
{
	mutex_lock(&store_of(s)->lock);
	uint64_t position = store_of(s)->position;
	mutex_unlock(&store_of(s)->lock);
	return position;
}

static uint64_t
test_applied(struct store *s)
{
	mutex_lock(&store_of(s)->lock);
	uint64_t applied = store_of(s)->applied;
	mutex_unlock(&store_of(s)->lock);
	return applied;
}

static uint64_t
test_knows(struct store *s, struct hash128 identity)
{
	mutex_lock(&store_of(s)->lock);
	uint64_t seq = find_identity(store_of(s), identity);
	mutex_unlock(&store_of(s)->lock);
	return seq;
}

static void
test_on_poison(struct store *s, store_poison_fn fn, void *ctx)
{
	store_of(s)->poison = fn;
	store_of(s)->poison_ctx = ctx;
}

static void
test_status(struct store *s, struct store_status *out)
{
	mutex_lock(&store_of(s)->lock);
	*out = (struct store_status){.ok = true,
	    .text = "a store for tests",
	    .row_count = store_of(s)->row_count,
	    .identities = store_of(s)->identity_count};
	mutex_unlock(&store_of(s)->lock);
}

static const struct store_ops ops = {.name = "test",
    .append = test_append,
    .check = test_check,
    .position = test_position,
    .applied = test_applied,
    .knows = test_knows,
    .on_poison = test_on_poison,
    .status = test_status};

static const struct store_ops ops_no_check = {.name = "test",
    .append = test_append,
    .position = test_position,
    .applied = test_applied,
    .knows = test_knows,
    .on_poison = test_on_poison,
    .status = test_status};

void
ingest_test_no_check(struct ingest_test *t)
{
	t->store.store.ops = &ops_no_check;
}

void
ingest_test_forget(struct ingest_test *t)
{
	struct ingest_test_store *s = &t->store;
	size_t kept = 0;
	CHECK(t->in == NULL);
	memset(s->seen, 0, sizeof(s->seen));
	for (size_t i = 0; i < s->row_count; i++) {
		if (s->rows[i].seq > s->position)
			continue;
		s->rows[kept++] = s->rows[i];
		if (s->rows[i].table == TABLE_SPANS)
			s->seen[s->rows[i].key % INGEST_TEST_SPANS]++;
	}
	s->row_count = kept;
	kept = 0;
	for (size_t i = 0; i < s->identity_count; i++)
		if (s->identities[i].seq <= s->position)
			s->identities[kept++] = s->identities[i];
	s->identity_count = kept;
	s->applied = s->position;
}

void
ingest_test_seal(struct ingest_test *t, uint64_t seq)
{
	mutex_lock(&t->store.lock);
	CHECK(seq <= t->store.applied);
	t->store.position = seq;
	mutex_unlock(&t->store.lock);
}

/* ---- the bench */

void
ingest_test_init(struct ingest_test *t, const char *dir)
{
	*t = (struct ingest_test){
	    .dir = dir, .segment_bytes = 1 << 16, .load_delay_ms = 5, .backoff_ms = 3600000};
	t->limits = limits_default();
	t->limits.free_bytes_min = 0;
	t->store.store.ops = &ops;
	mutex_init(&t->store.lock);
}

void
ingest_test_fini(struct ingest_test *t)
{
	mutex_fini(&t->store.lock);
	free(t->store.rows);
	free(t->store.identities);
}

static void
on_visible(void *ctx, const struct batch *b)
{
	struct ingest_test *t = ctx;
	t->heard_batches++;
	for (int table = 0; table < SIGNAL_TABLES; table++)
		for (size_t row = 0; row < b->tables[table].row_count; row++) {
			if (b->hidden[table] && b->hidden[table][row])
				continue;
			t->heard_rows++;
			if (table == TABLE_SPANS)
				t->heard[key_of(&b->tables[table], table, row) %
				    INGEST_TEST_SPANS]++;
		}
}

static void
must(enum err_code code, const struct err *err)
{
	if (code != ERR_OK)
		fprintf(stderr, "%s\n", err->message);
	CHECK(code == ERR_OK);
}

void
ingest_test_up(struct ingest_test *t)
{
	char wal_dir[4096];
	struct err err = {0};
	snprintf(wal_dir, sizeof(wal_dir), "%s/wal", t->dir);
	struct store *store = t->use ? t->use : &t->store.store;
	memset(t->heard, 0, sizeof(t->heard));
	t->heard_rows = t->heard_batches = 0;
	must(wal_open(&(struct wal_options){.dir = str_from(wal_dir),
	                  .segment_bytes_max = t->segment_bytes,
	                  .applied_seq = store_position(store)},
	         &t->wal, NULL, &err),
	    &err);
	if (!t->no_dlq)
		must(dlq_open(&(struct dlq_options){.data_dir = str_from(t->dir),
		                  .attempts_max = t->attempts_max,
		                  .backoff_ms = t->backoff_ms},
		         &t->dlq, &err),
		    &err);
	must(ingest_start(&(struct ingest_options){.wal = t->wal,
	                      .store = store,
	                      .limits = &t->limits,
	                      .stats = &t->stats,
	                      .dlq = t->dlq,
	                      .on_visible = on_visible,
	                      .visible_ctx = t,
	                      .data_dir = str_from(t->dir),
	                      .load_delay_ms = t->load_delay_ms,
	                      .load_retry_ms = 4},
	         &t->in, &err),
	    &err);
}

void
ingest_test_down(struct ingest_test *t, uint64_t drain_ms)
{
	ingest_stop(t->in, drain_ms ? clock_mono_ns() + drain_ms * 1000000 : 0);
	ingest_free(t->in);
	dlq_close(t->dlq);
	wal_close(t->wal);
	t->in = NULL;
	t->dlq = NULL;
	t->wal = NULL;
}

uint64_t
ingest_test_applied(struct ingest_test *t)
{
	return test_applied(&t->store.store);
}

void
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

static void
begin_spans(struct otlp_encoder *e, struct buf *b)
{
	otlp_encode_begin(e, SIGNAL_TRACES, b);
	otlp_encode_resource(e, STR_EMPTY);
	otlp_encode_attr(e, STR("service.name"), otlp_value_str(STR("shop")));
	otlp_encode_scope(e, STR("lib"), STR("1"), STR_EMPTY);
}

static void
put_span(struct otlp_encoder *e, uint64_t k, const char *name)
{
	otlp_encode_span(e,
	    &(struct otlp_span){.trace_hi = 1,
	        .trace_lo = 1,
	        .span_id = k,
	        .start_ns = k,
	        .end_ns = k + 1,
	        .name = str_from(name)});
}

struct buf
ingest_test_spans(uint64_t first, uint64_t last, const char *name)
{
	struct otlp_encoder e;
	struct buf b = {0};
	begin_spans(&e, &b);
	for (uint64_t k = first; k <= last; k++)
		put_span(&e, k, name);
	otlp_encode_end(&e);
	return b;
}

struct buf
ingest_test_poisoned(uint64_t first, uint64_t last, const uint64_t *bad, size_t count)
{
	struct otlp_encoder e;
	struct buf b = {0};
	begin_spans(&e, &b);
	for (uint64_t k = first; k <= last; k++) {
		bool poison = false;
		for (size_t i = 0; i < count; i++)
			poison |= bad[i] == k - first;
		put_span(&e, k, poison ? "poison" : "op");
	}
	otlp_encode_end(&e);
	return b;
}

enum err_code
ingest_test_submit_body(struct ingest_test *t, enum signal_kind signal, struct str tenant,
    struct buf *body, struct err *err)
{
	struct ingest_request req = {.signal = signal,
	    .tenant = tenant,
	    .body = *body,
	    .received_ns = 1,
	    .done = ingest_test_done,
	    .ctx = t};
	*body = (struct buf){0};
	bool empty = req.body.ptr == NULL;
	enum err_code code = ingest_submit(t->in, &req, err);
	CHECK(empty || (req.body.ptr == NULL) == (code == ERR_OK));
	buf_fini(&req.body);
	return code;
}

enum err_code
ingest_test_submit(struct ingest_test *t, uint64_t first, uint64_t last, const char *name,
    struct err *err)
{
	struct buf b = ingest_test_spans(first, last, name);
	return ingest_test_submit_body(t, SIGNAL_TRACES, STR("acme"), &b, err);
}

/* ---- waiting and looking */

static uint64_t
end_of_patience(void)
{
	return clock_mono_ns() + UINT64_C(20000000000);
}

bool
ingest_test_wait(const _Atomic uint64_t *value, uint64_t want)
{
	uint64_t end = end_of_patience();
	while (atomic_load(value) != want && clock_mono_ns() < end)
		clock_sleep_ns(200000);
	return atomic_load(value) == want;
}

bool
ingest_test_wait_loaded(struct ingest_test *t, uint64_t seq)
{
	uint64_t end = end_of_patience();
	while (ingest_test_applied(t) < seq && clock_mono_ns() < end)
		clock_sleep_ns(200000);
	return ingest_test_applied(t) >= seq;
}

bool
ingest_test_wait_level(struct ingest_test *t)
{
	uint64_t end = end_of_patience();
	bool level = false;
	while (!level && clock_mono_ns() < end) {
		level = ingest_test_check(t, "loader")->ok &&
		    stats_get(&t->stats, STATS_LAG_BYTES) == 0;
		clock_sleep_ns(200000);
	}
	return level;
}

bool
ingest_test_wait_stat(struct ingest_test *t, enum stats_id id, int64_t want)
{
	uint64_t end = end_of_patience();
	while (stats_get(&t->stats, id) < want && clock_mono_ns() < end)
		clock_sleep_ns(200000);
	return stats_get(&t->stats, id) >= want;
}

uint64_t
ingest_test_letters(struct ingest_test *t, enum dlq_state state)
{
	uint64_t n[DLQ_UNREADABLE + 1];
	dlq_counts(t->dlq, n);
	return n[state];
}

bool
ingest_test_wait_letters(struct ingest_test *t, enum dlq_state state, uint64_t want)
{
	uint64_t end = end_of_patience();
	while (ingest_test_letters(t, state) != want && clock_mono_ns() < end)
		clock_sleep_ns(200000);
	return ingest_test_letters(t, state) == want;
}

static bool
all_are(const unsigned *counts, const char *what, uint64_t first, uint64_t last, unsigned times)
{
	bool all = true;
	for (uint64_t k = first; k <= last; k++) {
		if (counts[k] != times)
			fprintf(stderr, "span %llu: %s %u times, not %u\n", (unsigned long long)k,
			    what, counts[k], times);
		all = all && counts[k] == times;
	}
	return all;
}

bool
ingest_test_seen(struct ingest_test *t, uint64_t first, uint64_t last, unsigned times)
{
	mutex_lock(&t->store.lock);
	bool all = all_are(t->store.seen, "seen", first, last, times);
	mutex_unlock(&t->store.lock);
	return all;
}

bool
ingest_test_heard(struct ingest_test *t, uint64_t first, uint64_t last, unsigned times)
{
	return all_are(t->heard, "heard of", first, last, times);
}

void
ingest_test_fail_next(struct ingest_test *t, uint64_t n, enum err_code code, bool after)
{
	mutex_lock(&t->store.lock);
	t->store.failures = n;
	t->store.code = code;
	t->store.after = after;
	mutex_unlock(&t->store.lock);
}

void
ingest_test_heal(struct ingest_test *t, bool healed)
{
	mutex_lock(&t->store.lock);
	t->store.healed = healed;
	mutex_unlock(&t->store.lock);
}

const struct ingest_check *
ingest_test_check(struct ingest_test *t, const char *name)
{
	static struct ingest_check all[INGEST_CHECKS];
	ingest_checks(t->in, all);
	for (int i = 0; i < INGEST_CHECKS; i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	CHECK(false);
	return NULL;
}

int64_t
ingest_test_metric(struct ingest_test *t, const char *line)
{
	struct buf out = {0};
	int64_t value = -1;
	buf_char(&out, '\n');
	ingest_metrics(t->in, &out);
	char wanted[200];
	snprintf(wanted, sizeof(wanted), "\n%s ", line);
	buf_char(&out, '\0');
	const char *at = strstr(out.ptr, wanted);
	if (at)
		value = strtoll(at + strlen(wanted), NULL, 10);
	buf_fini(&out);
	return value;
}
