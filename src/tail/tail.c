/* SPDX-License-Identifier: Apache-2.0 */
#include "tail/tail_priv.h"

#include "base/timefmt.h"
#include "ops/ops.h"
#include "store/match.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>

/* How often readers are looked after: their keys, signs of life. */
#define TICK_NS (NS_PER_S / 4)

enum { EVENT_KEEP_BYTES = 1 << 20 };

static const struct {
	enum table_id table;
	enum signal_kind signal;
	enum store_query_kind kind;
	const char *event;
} followed[] = {
    {TABLE_SPANS, SIGNAL_TRACES, STORE_SPANS, "span"},
    {TABLE_LOGS, SIGNAL_LOGS, STORE_LOGS, "log"},
};

/* ---- the loader's side */

/* TABLE_COUNT: it is none that is followed. */
static enum table_id
table_of(enum signal_kind signal)
{
	size_t i = 0;
	while (i < ARRAY_LEN(followed) && followed[i].signal != signal)
		i++;
	return i < ARRAY_LEN(followed) ? followed[i].table : TABLE_COUNT;
}

/* Under the lock. */
static bool
somebody_follows(const struct tail *t, const struct batch_request *q)
{
	enum table_id table = table_of(q->signal);
	const struct tail_reader *r = t->readers;
	while (r && !tail_reader_follows(r, q->tenant, table))
		r = r->next;
	return r != NULL;
}

/* For whoever follows: neighbours mostly are. */
static bool
is_alike(const struct batch_request *a, const struct batch_request *b)
{
	return a->signal == b->signal && str_eq(a->tenant, b->tenant);
}

/* Which requests of the batch are to be shown; false: none is. */
static bool
mark_wanted(struct tail *t, const struct batch *b, size_t *room_out)
{
	const struct batch_request *last = NULL;
	bool any = false, follows = false;
	buf_reset(&t->wanted);
	char *wanted = buf_reserve(&t->wanted, b->request_count);
	CHECK(wanted != NULL);
	mutex_lock(&t->lock);
	for (size_t i = 0; i < b->request_count && !t->stopping; i++) {
		const struct batch_request *q = &b->requests[i];
		bool news = !q->repeat && q->rows > q->duplicates && q->seq > t->seen_seq;
		if (!last || !is_alike(q, last))
			follows = somebody_follows(t, q);
		last = q;
		wanted[i] = news && follows;
		any = any || wanted[i];
	}
	*room_out = (size_t)t->limits.live_queue_bytes_max - t->queue_bytes;
	mutex_unlock(&t->lock);
	return any;
}

/* The rows that are news for somebody: how many there are, and, unless it is NULL, copies of them; false: no room. */
static bool
copy_rows(const struct tail *t, const struct batch *b, enum table_id id, struct table *to,
    size_t *count_out)
{
	const struct table *from = &b->tables[id];
	const struct store_shape *shape = store_shape_of(from);
	const char *wanted = t->wanted.ptr;
	*count_out = 0;
	for (size_t row = 0, i = 0; row < from->row_count; row++) {
		uint64_t seq = table_u64(from, row, shape->seq);
		while (i < b->request_count && b->requests[i].seq < seq)
			i++;
		CHECK(i < b->request_count);
		if (!wanted[i] || (b->hidden[id] && b->hidden[id][row]))
			continue;
		if (to && !table_copy_row(to, from, row))
			return false;
		++*count_out;
	}
	return true;
}

static bool
copy_wanted(const struct tail *t, const struct batch *b, enum table_id id, struct arena *arena,
    struct table *to)
{
	size_t count;
	table_init(to, id, arena);
	return copy_rows(t, b, id, NULL, &count) && table_reserve(to, count) &&
	    copy_rows(t, b, id, to, &count);
}

static bool
copy_all(const struct table *from, enum table_id id, struct arena *arena, struct table *to)
{
	table_init(to, id, arena);
	if (!table_reserve(to, from->row_count))
		return false;
	for (size_t row = 0; row < from->row_count; row++)
		if (!table_copy_row(to, from, row))
			return false;
	return true;
}

static void
chunk_free(struct tail_chunk *c)
{
	arena_fini(&c->arena);
	free(c);
}

/* NULL: it does not fit into so many bytes. */
static struct tail_chunk *
chunk_of(const struct tail *t, const struct batch *b, size_t bytes_max)
{
	struct tail_chunk *c = xcalloc(1, sizeof(*c));
	struct table resources, scopes;
	arena_init(&c->arena, bytes_max, 0);
	bool fits = bytes_max > 0 && /* 0 would be no limit */
	    copy_all(&b->tables[TABLE_RESOURCES], TABLE_RESOURCES, &c->arena, &resources) &&
	    copy_all(&b->tables[TABLE_SCOPES], TABLE_SCOPES, &c->arena, &scopes);
	for (size_t i = 0; i < ARRAY_LEN(followed) && fits; i++) {
		struct store_result *r = &c->result[i];
		*r = (struct store_result){
		    .arena = &c->arena, .resources = resources, .scopes = scopes};
		fits = copy_wanted(t, b, followed[i].table, &c->arena, &r->rows);
	}
	c->bytes = c->arena.used_bytes;
	c->arena.bytes_max = 0; /* what writing takes is not kept */
	if (fits)
		return c;
	chunk_free(c);
	return NULL;
}

/* All of it is missed by all who follow its tenants: whether they want it nobody knows. */
static void
lose(struct tail *t, const struct batch *b)
{
	mutex_lock(&t->lock);
	for (size_t i = 0; i < b->request_count;) {
		const struct batch_request *first = &b->requests[i];
		uint64_t count = 0;
		for (; i < b->request_count && is_alike(&b->requests[i], first); i++)
			if (t->wanted.ptr[i])
				count += b->requests[i].rows - b->requests[i].duplicates;
		for (struct tail_reader *r = t->readers; r && count > 0; r = r->next)
			if (tail_reader_follows(r, first->tenant, table_of(first->signal)))
				tail_reader_miss(r, count, false);
	}
	mutex_unlock(&t->lock);
}

void
tail_publish(struct tail *t, const struct batch *batch)
{
	size_t room;
	if (atomic_load_explicit(&t->reader_count, memory_order_relaxed) == 0 ||
	    batch->request_count == 0 || !mark_wanted(t, batch, &room))
		return;
	struct tail_chunk *c = chunk_of(t, batch, room);
	if (!c) {
		lose(t, batch);
		return;
	}
	mutex_lock(&t->lock);
	if (t->last)
		t->last->next = c;
	else
		t->first = c;
	t->last = c;
	t->queue_bytes += c->bytes;
	mutex_unlock(&t->lock);
	cond_signal(&t->news);
}

/* ---- the tail thread */

static struct str
attributes_of(const struct table *t, uint64_t id, int col)
{
	size_t row = store_find_id(t, id);
	return row == SIZE_MAX ? STR_EMPTY : table_str(t, row, col);
}

static struct str
resource_attributes(void *ctx, struct str tenant, uint64_t id)
{
	const struct store_result *r = ctx;
	(void)tenant;
	return attributes_of(&r->resources, id, RESOURCE_ATTRIBUTES);
}

static struct str
scope_attributes(void *ctx, struct str tenant, uint64_t id)
{
	const struct store_result *r = ctx;
	(void)tenant;
	return attributes_of(&r->scopes, id, SCOPE_ATTRIBUTES);
}

/* Into t->event; false: it cannot be shown. */
static bool
write_event(struct tail *t, size_t i, const struct store_result *r, size_t row)
{
	struct err err = {0};
	buf_reset(&t->event);
	buf_printf(&t->event, "event: %s\ndata: ", followed[i].event);
	struct arena_mark mark = arena_mark(r->arena);
	enum err_code code = ops_write_item(followed[i].kind, r, row, &t->event, &err);
	arena_rewind(r->arena, mark);
	buf_str(&t->event, STR("\n\n"));
	if (code != ERR_OK)
		log_warn("tail", "an item that came in cannot be shown: %s", err.message);
	return code == ERR_OK && !t->event.failed;
}

static void
deliver_row(struct tail *t, size_t i, struct store_result *r, size_t row, size_t reader_count,
    uint64_t now_ns)
{
	const struct store_resources resources = {resource_attributes, r, scope_attributes};
	bool written = false, good = false;
	for (size_t k = 0; k < reader_count; k++) {
		struct tail_reader *reader = t->at_work[k];
		if (reader->table != followed[i].table || atomic_load(&reader->left) ||
		    !store_match(&reader->query, &r->rows, row, &resources))
			continue;
		if (!written)
			good = write_event(t, i, r, row);
		written = true;
		reader->dirty = true;
		if (good)
			tail_reader_put(reader, buf_view(&t->event), now_ns);
		else
			tail_reader_miss(reader, 1, true);
	}
}

static void
deliver(struct tail *t, struct tail_chunk *c, size_t reader_count)
{
	uint64_t now_ns = clock_mono_ns();
	for (size_t i = 0; i < ARRAY_LEN(followed); i++)
		for (size_t row = 0; row < c->result[i].rows.row_count; row++)
			deliver_row(t, i, &c->result[i], row, reader_count, now_ns);
}

static void
look_after(struct tail_reader *r, uint64_t now_ns)
{
	struct err err = {0};
	if (tail_reader_beat(r, now_ns))
		r->dirty = true;
	if (r->opt.allowed && r->opt.allowed(r->opt.ctx, &err) != ERR_OK) {
		tail_reader_end(r, &err);
		r->dirty = true;
	}
}

/* Under the lock: a reference of each reader. */
static size_t
take_readers(struct tail *t)
{
	size_t n = 0;
	for (struct tail_reader *r = t->readers; r; r = r->next) {
		CHECK(n < t->limits.live_readers_max);
		atomic_fetch_add(&r->refs, 1);
		t->at_work[n++] = r;
	}
	return n;
}

static void
give_back_readers(struct tail *t, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct tail_reader *r = t->at_work[i];
		if (r->dirty && !atomic_load(&r->left))
			r->opt.wake(r->opt.ctx);
		r->dirty = false;
		tail_reader_unref(r);
	}
}

/* Under the lock: what there is to do. False: there is nothing more, and never will be. */
static bool
wait_for_work(struct tail *t, uint64_t tick_ns, struct tail_chunk **chunk_out)
{
	while (!t->first && !t->stopping) {
		bool idle = !t->readers;
		if (idle)
			cond_wait(&t->news, &t->lock);
		else if (!cond_wait_until(&t->news, &t->lock, tick_ns))
			break;
	}
	struct tail_chunk *c = t->first;
	*chunk_out = c;
	if (c) {
		t->first = c->next;
		t->last = t->first ? t->last : NULL;
	}
	return c || !t->stopping;
}

static void
tail_main(void *ctx)
{
	struct tail *t = ctx;
	uint64_t tick_ns = clock_mono_ns() + TICK_NS;
	struct tail_chunk *c;
	mutex_lock(&t->lock);
	while (wait_for_work(t, tick_ns, &c)) {
		size_t n = take_readers(t);
		mutex_unlock(&t->lock);
		uint64_t now_ns = clock_mono_ns();
		if (c)
			deliver(t, c, n);
		for (size_t i = 0; i < n && now_ns >= tick_ns; i++)
			look_after(t->at_work[i], now_ns);
		if (now_ns >= tick_ns)
			tick_ns = now_ns + TICK_NS;
		give_back_readers(t, n);
		size_t bytes = c ? c->bytes : 0;
		if (c)
			chunk_free(c);
		if (t->event.cap > EVENT_KEEP_BYTES)
			buf_fini(&t->event);
		mutex_lock(&t->lock);
		t->queue_bytes -= bytes;
	}
	mutex_unlock(&t->lock);
}

/* ---- readers come and go */

static void
ignore(void *ctx)
{
	(void)ctx;
}

enum err_code
tail_join(struct tail *t, const struct tail_reader_options *opt, struct tail_reader **out,
    struct err *err)
{
	struct tail_reader *r;
	*out = NULL;
	if (tail_reader_new(t, opt, &r, err) != ERR_OK)
		return err->code;
	mutex_lock(&t->lock);
	bool stopping = t->stopping;
	bool full = atomic_load(&t->reader_count) >= t->limits.live_readers_max;
	if (!stopping && !full) {
		r->next = t->readers;
		if (r->next)
			r->next->prev = r;
		t->readers = r;
		atomic_fetch_add(&t->reader_count, 1);
	}
	mutex_unlock(&t->lock);
	if (!stopping && !full) {
		stats_add(t->stats, STATS_LIVE_READERS, 1);
		cond_signal(&t->news);
		*out = r;
		return ERR_OK;
	}
	r->opt.freed = ignore;
	tail_reader_unref(r);
	if (stopping)
		return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
	stats_add(t->stats, STATS_LIVE_REFUSED, 1);
	return err_set(err, ERR_BUSY,
	    "%llu clients follow what comes in, and that is as many as there may be "
	    "(--max-live-readers): try again later",
	    (unsigned long long)t->limits.live_readers_max);
}

void
tail_leave(struct tail_reader *r)
{
	struct tail *t = r->tail;
	atomic_store(&r->left, true);
	mutex_lock(&t->lock);
	if (r->prev)
		r->prev->next = r->next;
	else
		t->readers = r->next;
	if (r->next)
		r->next->prev = r->prev;
	atomic_fetch_sub(&t->reader_count, 1);
	mutex_unlock(&t->lock);
	stats_add(t->stats, STATS_LIVE_READERS, -1);
	tail_reader_unref(r);
}

/* ---- start and stop */

enum err_code
tail_start(const struct tail_options *opt, struct tail **out, struct err *err)
{
	struct tail *t = xcalloc(1, sizeof(*t));
	t->limits = *opt->limits;
	t->stats = opt->stats;
	t->seen_seq = opt->seen_seq;
	t->at_work = xcalloc((size_t)t->limits.live_readers_max, sizeof(*t->at_work));
	mutex_init(&t->lock);
	cond_init(&t->news);
	*out = t;
	if (thread_start(&t->thread, "tail", tail_main, t, err) == ERR_OK)
		return ERR_OK;
	tail_free(t);
	*out = NULL;
	return err->code;
}

void
tail_stop(struct tail *t)
{
	struct err why;
	if (!t || t->stopped)
		return;
	t->stopped = true;
	mutex_lock(&t->lock);
	t->stopping = true;
	mutex_unlock(&t->lock);
	cond_signal(&t->news);
	thread_join(&t->thread);
	(void)err_set(&why, ERR_UNAVAILABLE, "the server is stopping");
	mutex_lock(&t->lock);
	size_t n = take_readers(t);
	mutex_unlock(&t->lock);
	for (size_t i = 0; i < n; i++) {
		tail_reader_end(t->at_work[i], &why);
		t->at_work[i]->dirty = true;
	}
	give_back_readers(t, n);
}

void
tail_free(struct tail *t)
{
	if (!t)
		return;
	tail_stop(t);
	CHECK(t->readers == NULL);
	CHECK(t->first == NULL);
	cond_fini(&t->news);
	mutex_fini(&t->lock);
	buf_fini(&t->wanted);
	buf_fini(&t->event);
	free(t->at_work);
	free(t);
}
