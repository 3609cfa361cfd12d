/* SPDX-License-Identifier: Apache-2.0 */
#include "tail/tail_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_NS (UINT64_C(30) * NS_PER_S)

/* ---- batches */

static void
add_request(struct batch *b, uint64_t seq, const char *tenant, enum signal_kind signal, bool repeat)
{
	struct batch_request *q = batch_request_add(b);
	assert_non_null(q);
	*q = (struct batch_request){
	    .seq = seq, .tenant = str_from(tenant), .signal = signal, .repeat = repeat};
	b->last_seq = seq;
}

static void
add_span(struct batch *b, const char *service, const char *name, struct str attributes)
{
	struct table *t = &b->tables[TABLE_SPANS];
	struct batch_request *q = &b->requests[b->request_count - 1];
	bool added;
	size_t resource = batch_resource(b, q->tenant, 7, &added);
	table_set_str(&b->tables[TABLE_RESOURCES], resource, RESOURCE_ATTRIBUTES,
	    STR("{\"zone\":\"a\"}"));
	size_t scope = batch_scope(b, q->tenant, 9, &added);
	assert_true(scope != SIZE_MAX);
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, SPAN_TENANT, q->tenant);
	table_set_u64(t, row, SPAN_SEQ, q->seq);
	table_set_u32(t, row, SPAN_ORD, q->rows);
	table_set_u64(t, row, SPAN_START_NS, 1);
	table_set_u64(t, row, SPAN_TRACE_LO, 1);
	table_set_u64(t, row, SPAN_SPAN_ID, row + 1);
	table_set_str(t, row, SPAN_SERVICE, str_from(service));
	table_set_str(t, row, SPAN_NAME, str_from(name));
	if (attributes.len > 0)
		table_set_str(t, row, SPAN_ATTRIBUTES, attributes);
	table_set_u64(t, row, SPAN_RESOURCE_ID, 7);
	table_set_u64(t, row, SPAN_SCOPE_ID, 9);
	q->rows++;
}

static void
hide_last(struct batch *b)
{
	size_t count = b->tables[TABLE_SPANS].row_count;
	if (!b->hidden[TABLE_SPANS])
		b->hidden[TABLE_SPANS] = arena_alloc(&b->arena, 1000);
	b->hidden[TABLE_SPANS][count - 1] = 1;
	b->requests[b->request_count - 1].duplicates++;
}

/* ---- a reader whose stream is read when it is told to */

struct follower {
	struct store_query query;
	struct tail_reader *reader;
	struct buf text;
	_Atomic int woken, freed;
	_Atomic bool refused;
	bool over;
};

static void
on_wake(void *ctx)
{
	struct follower *f = ctx;
	atomic_fetch_add(&f->woken, 1);
}

static void
on_freed(void *ctx)
{
	struct follower *f = ctx;
	atomic_fetch_add(&f->freed, 1);
}

static enum err_code
on_allowed(void *ctx, struct err *err)
{
	struct follower *f = ctx;
	return atomic_load(&f->refused) ? err_set(err, ERR_UNAUTHENTICATED, "no \"more\"") : ERR_OK;
}

static enum err_code
join(struct tail *t, struct follower *f, const char *tenant, struct err *err)
{
	f->query.kind = f->query.kind ? f->query.kind : STORE_SPANS;
	f->query.tenant = str_from(tenant);
	f->query.to_ns = UINT64_MAX;
	return tail_join(t,
	    &(struct tail_reader_options){.query = &f->query,
	        .comment = STR("hello"),
	        .wake = on_wake,
	        .allowed = on_allowed,
	        .freed = on_freed,
	        .ctx = f},
	    &f->reader, err);
}

static void
must_join(struct tail *t, struct follower *f)
{
	struct err err;
	assert_int_equal(join(t, f, "acme", &err), ERR_OK);
}

static void
leave(struct follower *f)
{
	tail_leave(f->reader);
	uint64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	while (atomic_load(&f->freed) == 0 && clock_mono_ns() < until_ns)
		clock_sleep_ns(NS_PER_MS);
	assert_int_equal(f->freed, 1);
	buf_fini(&f->text);
}

/* What there is now, in pieces of 7 bytes. */
static void
take(struct follower *f)
{
	ptrdiff_t n = 1;
	while (n > 0) {
		char *p = buf_reserve(&f->text, 7);
		n = tail_read(f->reader, p, 7);
		f->text.len += n > 0 ? (size_t)n : 0;
	}
	f->over = n == TAIL_END;
}

static size_t
count_of(const struct follower *f, const char *what)
{
	size_t n = 0, len = strlen(what);
	for (size_t i = 0; i + len <= f->text.len; i++)
		n += memcmp(f->text.ptr + i, what, len) == 0;
	return n;
}

/* Read until it has come so often. */
static void
await(struct follower *f, const char *what, size_t times)
{
	uint64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	take(f);
	while (count_of(f, what) < times) {
		if (clock_mono_ns() > until_ns)
			fail_msg("%s: %zu times in: %.*s", what, count_of(f, what),
			    STR_ARG(buf_view(&f->text)));
		clock_sleep_ns(NS_PER_MS);
		take(f);
	}
}

static uint64_t
sum_missed(const struct follower *f, const char *exact)
{
	static const char head[] = "event: missed\ndata: {\"count\":";
	uint64_t sum = 0;
	struct str rest = buf_view(&f->text);
	while (rest.len > sizeof(head)) {
		if (!str_starts(rest, STR("event: missed\ndata: {\"count\":"))) {
			rest = str_skip(rest, 1);
			continue;
		}
		uint64_t n;
		rest = str_skip(rest, sizeof(head) - 1);
		assert_true(str_to_u64(str_of(rest.ptr, str_find(rest, ',')), &n));
		sum += n;
		rest = str_skip(rest, str_find(rest, ','));
		assert_true(str_starts(rest, str_from(exact)));
	}
	return sum;
}

struct kit {
	struct limits limits;
	struct stats stats;
	struct tail *tail;
	struct batch batch;
};

static struct kit *
kit_start(uint64_t seen_seq, uint64_t buffer_bytes, uint64_t queue_bytes)
{
	struct kit *k = xcalloc(1, sizeof(*k));
	struct err err;
	k->limits = limits_default();
	k->limits.live_readers_max = 8;
	k->limits.live_bytes_max = buffer_bytes;
	k->limits.live_queue_bytes_max = queue_bytes;
	assert_int_equal(tail_start(&(struct tail_options){.limits = &k->limits,
	                                .stats = &k->stats,
	                                .seen_seq = seen_seq},
	                     &k->tail, &err),
	    ERR_OK);
	batch_init(&k->batch, 0);
	return k;
}

static void
kit_stop(struct kit *k)
{
	assert_int_equal(stats_get(&k->stats, STATS_LIVE_READERS), 0);
	tail_free(k->tail);
	batch_fini(&k->batch);
	free(k);
}

static void
publish_one(struct kit *k, uint64_t seq, const char *name)
{
	batch_reset(&k->batch);
	add_request(&k->batch, seq, "acme", SIGNAL_TRACES, false);
	add_span(&k->batch, "shop", name, STR_EMPTY);
	tail_publish(k->tail, &k->batch);
}

/* ---- the promises */

TEST(tail, shown_is_what_is_wanted_first_seen_and_of_the_tenant)
{
	struct kit *k = kit_start(10, LIMIT_MIB, LIMIT_MIB);
	struct follower all = {0}, zone = {0}, pattern = {0}, none = {0};
	zone.query.attrs[0] = (struct store_attr){
	    .key = STR("zone"), .value = STR("a"), .of = STORE_ATTR_OF_RESOURCE};
	none.query.attrs[0] = (struct store_attr){
	    .key = STR("zone"), .value = STR("b"), .of = STORE_ATTR_OF_RESOURCE};
	pattern.query.attrs[0] =
	    (struct store_attr){.key = STR("k"), .value = STR("^v+$"), .op = STORE_ATTR_MATCH};
	zone.query.attr_count = none.query.attr_count = pattern.query.attr_count = 1;
	must_join(k->tail, &all);
	must_join(k->tail, &zone);
	must_join(k->tail, &pattern);
	must_join(k->tail, &none);
	struct batch *b = &k->batch;
	add_request(b, 9, "acme", SIGNAL_TRACES, false);
	add_span(b, "shop", "of the log at the start", STR_EMPTY);
	add_request(b, 11, "zeta", SIGNAL_TRACES, false);
	add_span(b, "shop", "of another tenant", STR_EMPTY);
	add_request(b, 12, "acme", SIGNAL_TRACES, true);
	add_request(b, 13, "acme", SIGNAL_TRACES, false);
	add_span(b, "shop", "there already", STR_EMPTY);
	hide_last(b);
	add_span(b, "shop", "new-1", STR("{\"k\":\"vvv\"}"));
	add_span(b, "cart", "new-2", STR("{\"k\":\"w\"}"));
	tail_publish(k->tail, b);
	publish_one(k, 14, "the last");
	await(&all, "\"the last\"", 1);
	assert_int_equal(count_of(&all, "event: span\ndata: {"), 3);
	assert_int_equal(count_of(&all, "\"new-1\"") + count_of(&all, "\"new-2\""), 2);
	assert_int_equal(count_of(&all, "}\n\n"), 3);
	assert_memory_equal(all.text.ptr, ": hello\n\n", 9);
	await(&zone, "event: span", 3);
	await(&pattern, "\"new-1\"", 1);
	take(&none);
	assert_int_equal(count_of(&pattern, "event: span"), 1);
	assert_int_equal(count_of(&none, "event: span"), 0);
	assert_int_equal(stats_get(&k->stats, STATS_LIVE_SHOWN), 7);
	assert_int_equal(stats_get(&k->stats, STATS_LIVE_MISSED), 0);
	assert_true(atomic_load(&all.woken) > 0);
	leave(&all);
	leave(&zone);
	leave(&pattern);
	leave(&none);
	kit_stop(k);
}

TEST(tail, what_a_buffer_cannot_hold_is_counted_and_said_where_it_is_missing)
{
	enum { BATCHES = 40, EACH = 25 };
	struct kit *k = kit_start(0, 16 * LIMIT_KIB, 16 * LIMIT_MIB);
	struct follower slow = {0}, quick = {0};
	quick.query.name = STR("rare");
	must_join(k->tail, &slow);
	must_join(k->tail, &quick);
	for (int i = 0; i < BATCHES; i++) {
		batch_reset(&k->batch);
		add_request(&k->batch, (uint64_t)i + 1, "acme", SIGNAL_TRACES, false);
		for (int n = 0; n < EACH; n++)
			add_span(&k->batch, "shop", n == 0 && i % 10 == 0 ? "rare" : "often",
			    STR_EMPTY);
		tail_publish(k->tail, &k->batch);
		if (i % 7 == 0)
			take(&slow);
	}
	await(&quick, "event: span", BATCHES / 10);
	uint64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	do {
		take(&slow);
		if (clock_mono_ns() > until_ns)
			fail_msg("%zu shown, %llu missed", count_of(&slow, "event: span"),
			    (unsigned long long)sum_missed(&slow, ",\"exact\":true"));
	} while (count_of(&slow, "event: span") + sum_missed(&slow, ",\"exact\":true") <
	    BATCHES * EACH);
	assert_int_equal(count_of(&slow, "event: span") + sum_missed(&slow, ",\"exact\":true"),
	    BATCHES * EACH);
	assert_int_equal(stats_get(&k->stats, STATS_LIVE_SHOWN) +
	        stats_get(&k->stats, STATS_LIVE_MISSED),
	    BATCHES * EACH + BATCHES / 10);
	assert_int_equal(count_of(&quick, "event: missed"), 0);
	leave(&slow);
	leave(&quick);
	kit_stop(k);
}

TEST(tail, what_the_queue_cannot_hold_is_counted_whoever_wants_it)
{
	struct kit *k = kit_start(0, LIMIT_MIB, 64 * LIMIT_KIB);
	struct follower f = {0}, other = {0}, logs = {.query.kind = STORE_LOGS};
	struct err err;
	static char filling[40000];
	memset(filling, 'x', sizeof(filling));
	filling[0] = '{';
	memcpy(filling + 1, "\"k\":\"", 5);
	memcpy(filling + sizeof(filling) - 2, "\"}", 2);
	f.query.name = STR("nothing has this");
	must_join(k->tail, &f);
	must_join(k->tail, &logs);
	assert_int_equal(join(k->tail, &other, "zeta", &err), ERR_OK);
	add_request(&k->batch, 1, "acme", SIGNAL_TRACES, false);
	for (int i = 0; i < 5; i++)
		add_span(&k->batch, "shop", "large", str_of(filling, sizeof(filling)));
	hide_last(&k->batch);
	add_request(&k->batch, 2, "zeta", SIGNAL_LOGS, false);
	tail_publish(k->tail, &k->batch);
	await(&f, "event: missed", 1);
	assert_int_equal(sum_missed(&f, ",\"exact\":false"), 4);
	take(&other);
	take(&logs);
	assert_int_equal(count_of(&other, "missed") + count_of(&logs, "missed"), 0);
	leave(&f);
	leave(&other);
	leave(&logs);
	kit_stop(k);
}

TEST(tail, readers_have_a_maximum_and_a_place_is_free_when_one_leaves)
{
	struct kit *k = kit_start(0, LIMIT_MIB, LIMIT_MIB);
	static struct follower f[8], more;
	struct err err;
	for (int i = 0; i < 8; i++)
		must_join(k->tail, &f[i]);
	assert_int_equal(join(k->tail, &more, "acme", &err), ERR_BUSY);
	assert_int_equal(stats_get(&k->stats, STATS_LIVE_REFUSED), 1);
	assert_int_equal(more.freed, 0);
	leave(&f[3]);
	must_join(k->tail, &more);
	publish_one(k, 1, "x");
	await(&more, "event: span", 1);
	leave(&more);
	for (int i = 0; i < 8; i++)
		if (i != 3)
			leave(&f[i]);
	kit_stop(k);
}

TEST(tail, a_reader_that_is_no_longer_allowed_gets_what_it_has_and_the_reason)
{
	struct kit *k = kit_start(0, LIMIT_MIB, LIMIT_MIB);
	struct follower f = {0};
	must_join(k->tail, &f);
	publish_one(k, 1, "before");
	await(&f, "event: span", 1);
	atomic_store(&f.refused, true);
	await(&f,
	    "event: end\ndata: {\"code\":\"unauthenticated\",\"message\":\"no \\\"more\\\"\"}\n\n",
	    1);
	assert_true(f.over);
	publish_one(k, 2, "after");
	publish_one(k, 3, "after");
	take(&f);
	assert_int_equal(count_of(&f, "after"), 0);
	leave(&f);
	kit_stop(k);
}

TEST(tail, silence_is_broken_by_signs_of_life)
{
	struct kit *k = kit_start(0, LIMIT_MIB, LIMIT_MIB);
	struct follower f = {0};
	tail_free(k->tail);
	k->limits.live_heartbeat_ms = 100;
	struct err err;
	assert_int_equal(tail_start(&(struct tail_options){.limits = &k->limits,
	                                .stats = &k->stats},
	                     &k->tail, &err),
	    ERR_OK);
	must_join(k->tail, &f);
	await(&f, "\n:\n\n", 3);
	leave(&f);
	kit_stop(k);
}

TEST(tail, a_stop_gives_out_what_was_published_and_then_says_so)
{
	struct kit *k = kit_start(0, LIMIT_MIB, LIMIT_MIB);
	struct follower f = {0}, late = {0};
	struct err err;
	must_join(k->tail, &f);
	for (uint64_t seq = 1; seq <= 50; seq++)
		publish_one(k, seq, "x");
	tail_stop(k->tail);
	publish_one(k, 51, "too late");
	take(&f);
	assert_int_equal(count_of(&f, "event: span"), 50);
	assert_true(f.over);
	assert_int_equal(count_of(&f, "event: end\ndata: {\"code\":\"unavailable\""), 1);
	assert_int_equal(join(k->tail, &late, "acme", &err), ERR_UNAVAILABLE);
	leave(&f);
	kit_stop(k);
}

/* ---- readers that come and go while it works */

struct crowd {
	struct kit *kit;
	_Atomic int working;
};

static void
come_and_go(void *ctx)
{
	struct crowd *c = ctx;
	for (int i = 0; i < 150; i++) {
		struct follower f = {0};
		must_join(c->kit->tail, &f);
		await(&f, i % 3 ? ": hello" : "event: span", 1);
		leave(&f);
	}
	atomic_fetch_sub(&c->working, 1);
}

TEST(tail, readers_come_and_go_while_it_works)
{
	enum { CROWD = 3 };
	struct crowd c = {.kit = kit_start(0, 8 * LIMIT_KIB, 64 * LIMIT_KIB)};
	struct thread threads[CROWD] = {{0}};
	struct err err;
	atomic_store(&c.working, CROWD);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(thread_start(&threads[i], "crowd", come_and_go, &c, &err), ERR_OK);
	for (uint64_t seq = 1; atomic_load(&c.working) > 0; seq++) {
		publish_one(c.kit, seq, "x");
		if (seq % 16 == 0)
			clock_sleep_ns(NS_PER_MS);
	}
	for (int i = 0; i < CROWD; i++)
		thread_join(&threads[i]);
	kit_stop(c.kit);
}

/* ---- the ring */

TEST(tail, a_ring_gives_what_was_put_in_order)
{
	struct ring r = {.bytes_max = 10000};
	uint64_t state = 42, put = 0, taken = 0;
	char piece[3000];
	for (int i = 0; i < 20000; i++) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
		size_t n = (size_t)(state >> 33) % sizeof(piece);
		if ((state >> 20 & 1) && n <= ring_room(&r)) {
			for (size_t k = 0; k < n; k++)
				piece[k] = (char)((put + k) * 31 >> 3);
			ring_put(&r, str_of(piece, n));
			put += n;
		} else {
			n = ring_take(&r, piece, n);
			for (size_t k = 0; k < n; k++)
				assert_int_equal(piece[k], (char)((taken + k) * 31 >> 3));
			taken += n;
		}
		assert_int_equal(put - taken, 10000 - ring_room(&r));
		assert_true(r.cap <= r.bytes_max);
	}
	assert_true(put > 1000000);
	ring_fini(&r);
}
