/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/pull.c - the order of things: reserve the source, look at each record, put the bad ones aside, submit the rest with the
 * position, and let the source go when the log has said yes or no, however long that takes.
 */
#include "ingest/pull.h"

#include "base/bits.h"
#include "ingest/ingest_priv.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "tenant/tenant.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>

/* Letters of one batch; more bad records than that share the last. */
enum { LETTERS_MAX = 32 };

/* ---- sources on their way */

struct under_way {
	char tenant[LIMIT_TENANT_BYTES + 1];
	struct store_pull pull; /* seq: the log is durable up to there or further */
	bool busy; /* until the log has answered; then until the store has it */
};

struct pulls {
	struct mutex lock;
	struct under_way *items;
	size_t count, cap;
};

struct pulls *
ingest_pulls_new(void)
{
	struct pulls *p = xcalloc(1, sizeof(*p));
	mutex_init(&p->lock);
	return p;
}

void
ingest_pulls_free(struct pulls *p)
{
	if (!p)
		return;
	mutex_fini(&p->lock);
	free(p->items);
	free(p);
}

static struct under_way *
find(struct pulls *p, struct str tenant, struct str source)
{
	for (size_t i = 0; i < p->count; i++)
		if (str_eq(str_from(p->items[i].tenant), tenant) &&
		    str_eq(str_from(p->items[i].pull.source), source))
			return &p->items[i];
	return NULL;
}

/* What the store has by now. */
static void
tidy(struct ingest *in)
{
	struct pulls *p = in->pulls;
	uint64_t loaded = atomic_load(&in->loaded_seq);
	size_t n = 0;
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].busy || p->items[i].pull.seq > loaded)
			p->items[n++] = p->items[i];
	p->count = n;
}

static void
copy_text(char *out, size_t size, struct str s)
{
	CHECK(s.len < size);
	memcpy(out, s.ptr, s.len);
	out[s.len] = '\0';
}

/* Of a source whose batches are all in the store, or durable. The lock is held. */
static void
position_now(struct ingest *in, struct str tenant, struct str source, struct store_pull *out)
{
	const struct under_way *u = find(in->pulls, tenant, source);
	*out = (struct store_pull){0};
	if (!store_pulled(in->store, tenant, source, out))
		copy_text(out->source, sizeof(out->source), source);
	if (u && u->pull.position_len > 0 && u->pull.seq > atomic_load(&in->loaded_seq)) {
		memcpy(out->position, u->pull.position, sizeof(out->position));
		out->position_len = u->pull.position_len;
		out->received_ns = u->pull.received_ns;
	}
}

static enum err_code
check_ready(struct ingest *in, struct str source, struct err *err)
{
	if (!tenant_name_valid(source))
		return err_set(err, ERR_INVALID,
		    "a source's name is 1 to %d characters of A-Z a-z 0-9 . _ -",
		    LIMIT_SOURCE_BYTES);
	if (!atomic_load(&in->caught_up))
		return err_set(err, ERR_UNAVAILABLE,
		    "weir is still loading what was in its log at the start, try again later");
	return ERR_OK;
}

static enum err_code
check_count(struct ingest *in, struct str tenant, struct err *err)
{
	struct store_status status = {0};
	struct store_pull *all = xcalloc(LIMIT_TENANT_SOURCES, sizeof(*all));
	size_t count = store_pulls(in->store, tenant, STR_EMPTY, all, LIMIT_TENANT_SOURCES);
	store_status(in->store, &status);
	free(all);
	if (count < LIMIT_TENANT_SOURCES && status.sources < LIMIT_SOURCES)
		return ERR_OK;
	return err_set(err, ERR_INVALID,
	    "there are %zu sources of this tenant and %llu in all, at most %d and %d can be: use the "
	    "name of one that is there",
	    count, (unsigned long long)status.sources, LIMIT_TENANT_SOURCES, LIMIT_SOURCES);
}

static struct str
position_of(const struct store_pull *p)
{
	return str_of((const char *)p->position, p->position_len);
}

/* The source is the caller's until settle(). */
static enum err_code
reserve_locked(struct ingest *in, const struct ingest_pull *p, struct str after,
    struct store_pull *now, struct err *err)
{
	struct pulls *all = in->pulls;
	tidy(in);
	position_now(in, p->tenant, p->source, now);
	struct under_way *u = find(all, p->tenant, p->source);
	if (u && u->busy)
		return err_set(err, ERR_BUSY,
		    "another batch of source %.*s is on its way to the log, try again later",
		    STR_ARG(p->source));
	if (!str_eq(position_of(now), after))
		return err_set(err, ERR_CONFLICT,
		    "source %.*s does not stand where the batch begins: somebody else has brought one, or "
		    "this one came before",
		    STR_ARG(p->source));
	if (!u && now->position_len == 0 && check_count(in, p->tenant, err) != ERR_OK)
		return err->code;
	if (!u) {
		if (all->count == all->cap) {
			all->cap = all->cap ? 2 * all->cap : 8;
			all->items = xrealloc(all->items, all->cap * sizeof(*all->items));
		}
		u = &all->items[all->count++];
		*u = (struct under_way){.pull = *now};
		u->pull.seq = 0;
		u->pull.position_len = 0; /* the store says where it stands */
		copy_text(u->tenant, sizeof(u->tenant), p->tenant);
	}
	u->busy = true;
	return ERR_OK;
}

static enum err_code
reserve(struct ingest *in, const struct ingest_pull *p, struct str after, struct store_pull *now,
    struct err *err)
{
	mutex_lock(&in->pulls->lock);
	enum err_code code = reserve_locked(in, p, after, now, err);
	mutex_unlock(&in->pulls->lock);
	return code;
}

/* A batch on its way: whoever hears from the log frees it. */
struct settling {
	struct ingest *in;
	char tenant[LIMIT_TENANT_BYTES + 1];
	struct store_pull to;
};

/* The log has it or not. Commit thread, or the sender. */
static void
settle(void *ctx, enum err_code code)
{
	struct settling *s = ctx;
	struct pulls *p = s->in->pulls;
	mutex_lock(&p->lock);
	struct under_way *u = find(p, str_from(s->tenant), str_from(s->to.source));
	CHECK(u && u->busy);
	u->busy = false;
	if (code == ERR_OK) {
		u->pull = s->to;
		u->pull.seq = wal_durable_seq(s->in->wal);
	}
	mutex_unlock(&p->lock);
	free(s);
}

/* ---- the batch */

struct pull_record {
	struct str key, span, resource, scope, resource_url, scope_url;
	uint64_t left_out; /* bytes of a span that is not here; 0: it is */
	struct str trace_id, span_id; /* of that, or empty */
};

static enum err_code
malformed(struct err *err)
{
	return err_set(err, ERR_INVALID, "the body is no PullBatch");
}

static bool
read_record(struct str bytes, struct pull_record *out)
{
	struct pb_reader r;
	struct pb_field f;
	*out = (struct pull_record){0};
	pb_reader_init(&r, bytes);
	while (pb_next(&r, &f))
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_BYTES): out->key = f.bytes; break;
		case PB_KEY(2, PB_BYTES): out->span = f.bytes; break;
		case PB_KEY(3, PB_BYTES): out->resource = f.bytes; break;
		case PB_KEY(4, PB_BYTES): out->scope = f.bytes; break;
		case PB_KEY(5, PB_BYTES): out->resource_url = f.bytes; break;
		case PB_KEY(6, PB_BYTES): out->scope_url = f.bytes; break;
		case PB_KEY(7, PB_VARINT): out->left_out = f.value; break;
		case PB_KEY(8, PB_BYTES): out->trace_id = f.bytes; break;
		case PB_KEY(9, PB_BYTES): out->span_id = f.bytes; break;
		default: break;
		}
	return !pb_failed(&r);
}

/* All but the records, which are looked at too: nothing may be done for a batch that is half one. */
static enum err_code
read_batch(struct str body, const struct limits *limits, struct str *after, struct str *position,
    struct err *err)
{
	struct pb_reader r;
	struct pb_field f;
	struct pull_record record;
	uint64_t count = 0;
	bool good = true;
	*after = *position = STR_EMPTY;
	pb_reader_init(&r, body);
	while (good && pb_next(&r, &f))
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_BYTES): *after = f.bytes; break;
		case PB_KEY(2, PB_BYTES): *position = f.bytes; break;
		case PB_KEY(3, PB_BYTES):
			good = read_record(f.bytes, &record);
			count++;
			break;
		default: break;
		}
	if (!good || pb_failed(&r))
		return malformed(err);
	if (position->len == 0 || position->len > LIMIT_POSITION_BYTES ||
	    after->len > LIMIT_POSITION_BYTES)
		return err_set(err, ERR_INVALID, "the position of a batch is 1 to %d bytes",
		    LIMIT_POSITION_BYTES);
	if (str_eq(*after, *position))
		return err_set(err, ERR_INVALID, "a batch ends where it begins");
	if (count > limits->items_max)
		return err_set(err, ERR_TOO_LARGE,
		    "a batch of %llu records, at most %llu are allowed", (unsigned long long)count,
		    (unsigned long long)limits->items_max);
	if (count > 1 && body.len > limits->wire_bytes_max)
		return err_set(err, ERR_TOO_LARGE,
		    "a batch of %zu bytes, at most %llu are allowed (--max-wire-bytes) but for one record",
		    body.len, (unsigned long long)limits->wire_bytes_max);
	return ERR_OK;
}

/* An ExportTraceServiceRequest that is made span by span; neighbours of one resource, or scope, share it. */
struct request_maker {
	struct buf *out;
	struct pull_record of; /* what is open */
	bool open;
	size_t resource_mark, scope_mark;
};

static void
make_end(struct request_maker *m)
{
	if (!m->open)
		return;
	pb_close(m->out, m->scope_mark);
	pb_close(m->out, m->resource_mark);
	m->open = false;
}

static void
put_if_any(struct buf *out, uint32_t number, struct str bytes)
{
	if (bytes.len > 0)
		pb_put_bytes(out, number, bytes);
}

static void
make_span(struct request_maker *m, const struct pull_record *r)
{
	bool same_resource = m->open && str_eq(m->of.resource, r->resource) &&
	    str_eq(m->of.resource_url, r->resource_url);
	bool same_scope =
	    same_resource && str_eq(m->of.scope, r->scope) && str_eq(m->of.scope_url, r->scope_url);
	if (m->open && !same_resource)
		make_end(m);
	else if (m->open && !same_scope)
		pb_close(m->out, m->scope_mark);
	if (!same_resource) {
		m->resource_mark = pb_open(m->out, 1);
		put_if_any(m->out, 1, r->resource);
		put_if_any(m->out, 3, r->resource_url);
	}
	if (!same_scope) {
		m->scope_mark = pb_open(m->out, 2);
		put_if_any(m->out, 1, r->scope);
		put_if_any(m->out, 3, r->scope_url);
	}
	m->of = *r;
	m->open = true;
	pb_put_bytes(m->out, 2, r->span);
}

/* One batch that is being taken. */
struct taking {
	struct ingest *in;
	const struct ingest_pull *pull;
	struct str position;
	struct buf one, good, bad; /* requests */
	struct request_maker good_maker, bad_maker;
	struct ingest_pulled *out;
	/* Of the letter that is being made. */
	uint32_t bad_count;
	struct str bad_key;
	char bad_why[160];
	unsigned letters;
	uint64_t left_out; /* records */
};

static const char *
say_left_out(const struct pull_record *r, struct err *why)
{
	char ids[80] = "";
	if (r->trace_id.len == 16 && r->span_id.len == 8) {
		char trace[33] = "", span[17] = "";
		hex_encode((const unsigned char *)r->trace_id.ptr, 16, trace);
		hex_encode((const unsigned char *)r->span_id.ptr, 8, span);
		snprintf(ids, sizeof(ids), ", span %s of trace %s", span, trace);
	}
	(void)err_set(why, ERR_TOO_LARGE,
	    "it has %llu bytes, more than --max-body-bytes: only the source has it%s",
	    (unsigned long long)r->left_out, ids);
	return why->message;
}

/* NULL: it fits; else why not, in *why. */
static const char *
check_size(const struct taking *t, struct err *why)
{
	const struct limits *limits = t->in->limits;
	const char *option = NULL;
	size_t bytes = t->pull->batch.len;
	if (bytes > limits->wire_bytes_max)
		option = "--max-wire-bytes";
	else if ((bytes = t->one.len) > limits->body_bytes_max)
		option = "--max-body-bytes";
	if (!option)
		return NULL;
	(void)err_set(why, ERR_TOO_LARGE, "it has %zu bytes, more than %s", bytes, option);
	return why->message;
}

/* NULL: it is good; else why not, in *why. */
static const char *
look_at(struct taking *t, const struct pull_record *r, struct err *why)
{
	struct otlp_counts counts = {0};
	struct request_maker m = {.out = &t->one};
	buf_reset(&t->one);
	if (r->left_out > 0)
		return say_left_out(r, why);
	make_span(&m, r);
	make_end(&m);
	if (t->one.failed)
		return "no memory for the record";
	if (check_size(t, why))
		return why->message;
	enum err_code code =
	    otlp_scan(SIGNAL_TRACES, buf_view(&t->one), t->in->limits, &counts, why);
	if (code != ERR_OK)
		return why->message;
	if (counts.accepted == 1 && counts.rejected == 0)
		return NULL;
	(void)err_set(why, ERR_INVALID, "%s", counts.reason[0] ? counts.reason : "it is no span");
	return why->message;
}

/* What names the letter: the same when the same record comes again, and of no record of the log. */
static uint64_t
letter_seq(const struct taking *t)
{
	struct buf text = {0};
	buf_printf(&text, "%.*s/%.*s/%zu/", STR_ARG(t->pull->tenant), STR_ARG(t->pull->source),
	    t->bad_key.len);
	buf_str(&text, t->bad_key);
	buf_str(&text, buf_view(&t->bad));
	CHECK(!text.failed);
	uint64_t seq = DLQ_SEQ_NONE | hash_u64(buf_view(&text)) >> 1;
	buf_fini(&text);
	return seq;
}

/* The bad records since the last letter. */
static enum err_code
put_letter(struct taking *t, struct err *err)
{
	char head[RECORD_HEAD_BYTES_MAX];
	const struct ingest_pull *p = t->pull;
	make_end(&t->bad_maker);
	struct str body = buf_view(&t->bad);
	bool has_key = t->bad_key.len > 0 && t->bad_key.len <= LIMIT_POSITION_BYTES;
	struct record rec = {.signal = SIGNAL_TRACES,
	    .received_ns = p->received_ns,
	    .hash = hash_request(p->tenant, SIGNAL_TRACES, body),
	    .tenant = p->tenant,
	    .source = p->source,
	    .position = has_key ? t->bad_key : t->position,
	    .part_count = RECORD_ALL,
	    .limits = *t->in->limits};
	struct dlq_letter letter = {.seq = letter_seq(t),
	    .item_count = t->bad_count,
	    .identity = record_part_identity(rec.hash, 0, RECORD_ALL)};
	struct buf payload = {0};
	snprintf(letter.tenant, sizeof(letter.tenant), "%.*s", STR_ARG(p->tenant));
	snprintf(letter.signal, sizeof(letter.signal), "%s", signal_name(SIGNAL_TRACES));
	snprintf(letter.error, sizeof(letter.error), "pulled from %.*s: %s", STR_ARG(p->source),
	    t->bad_why);
	buf_str(&payload, str_of(head, record_write_head(&rec, head)));
	buf_str(&payload, body);
	enum err_code code = payload.failed
	    ? err_set(err, ERR_BUSY, "no memory for a dead letter, try again")
	    : dlq_quarantine(t->in->dlq, &letter, buf_view(&payload), clock_unix_ns(), err);
	buf_fini(&payload);
	if (code == ERR_OK) {
		stats_add(t->in->stats, STATS_DEAD_LETTERS, 1);
		t->letters++;
	}
	t->bad_count = 0;
	buf_reset(&t->bad);
	return code;
}

static enum err_code
add_bad(struct taking *t, const struct pull_record *r, const char *why, struct err *err)
{
	if (!t->out->reason[0])
		err_copy(t->out->reason, sizeof(t->out->reason), why);
	if (t->bad_count == 0) {
		t->bad_key = r->key;
		err_copy(t->bad_why, sizeof(t->bad_why), why);
	}
	make_span(&t->bad_maker, r);
	t->left_out += r->left_out > 0;
	t->bad_count++;
	t->out->rejected++;
	if (t->bad.failed)
		return err_set(err, ERR_BUSY, "no memory for a dead letter, try again");
	return t->letters < LETTERS_MAX - 1 ? put_letter(t, err) : ERR_OK;
}

/* What was put aside. */
static void
say_bad(const struct taking *t)
{
	const struct ingest_pulled *out = t->out;
	if (out->rejected == 0)
		return;
	log_warn("ingest",
	    "%llu of %llu records that were pulled from %.*s (tenant %.*s) cannot be taken and were put "
	    "into quarantine: %s",
	    (unsigned long long)out->rejected, (unsigned long long)(out->rejected + out->accepted),
	    STR_ARG(t->pull->source), STR_ARG(t->pull->tenant), out->reason);
	if (t->left_out == 0)
		return;
	stats_add(t->in->stats, STATS_PULL_LEFT_OUT, (int64_t)t->left_out);
	log_error("ingest",
	    "%llu records of %.*s (tenant %.*s) are too large even for a dead letter and were left out: "
	    "only the source has them; weir dlq list names them",
	    (unsigned long long)t->left_out, STR_ARG(t->pull->source), STR_ARG(t->pull->tenant));
}

static enum err_code
sort_out(struct taking *t, struct err *err)
{
	struct pb_reader r;
	struct pb_field f;
	enum err_code code = ERR_OK;
	t->good_maker.out = &t->good;
	t->bad_maker.out = &t->bad;
	pb_reader_init(&r, t->pull->batch);
	while (code == ERR_OK && pb_next(&r, &f)) {
		struct pull_record record;
		struct err why = {0};
		if (pb_key(&f) != PB_KEY(3, PB_BYTES))
			continue;
		bool readable = read_record(f.bytes, &record);
		CHECK(readable); /* read_batch() */
		const char *text = look_at(t, &record, &why);
		if (t->one.failed)
			return err_set(err, ERR_BUSY, "no memory for a batch, try again");
		if (text) {
			code = add_bad(t, &record, text, err);
		} else {
			make_span(&t->good_maker, &record);
			t->out->accepted++;
		}
	}
	if (code == ERR_OK && t->bad_count > 0)
		code = put_letter(t, err);
	make_end(&t->good_maker);
	if (code == ERR_OK && t->good.failed)
		code = err_set(err, ERR_BUSY, "no memory for a batch, try again");
	if (code == ERR_OK)
		say_bad(t);
	return code;
}

static struct settling *
settling_of(const struct taking *t)
{
	struct settling *s = xcalloc(1, sizeof(*s));
	s->in = t->in;
	copy_text(s->tenant, sizeof(s->tenant), t->pull->tenant);
	copy_text(s->to.source, sizeof(s->to.source), t->pull->source);
	if (t->position.len > 0)
		memcpy(s->to.position, t->position.ptr, t->position.len);
	s->to.position_len = t->position.len;
	s->to.received_ns = t->pull->received_ns;
	return s;
}

/* The source is reserved; it is let go when all is said. */
static enum err_code
take(struct taking *t, uint64_t deadline_mono_ns, struct err *err)
{
	struct settling *s = settling_of(t);
	struct store_pull to = s->to;
	enum err_code code = sort_out(t, err);
	if (code != ERR_OK) {
		settle(s, code);
		return code;
	}
	struct ingest_request req = {.signal = SIGNAL_TRACES,
	    .tenant = t->pull->tenant,
	    .source = t->pull->source,
	    .position = t->position,
	    .body = t->good,
	    .received_ns = t->pull->received_ns};
	t->good = (struct buf){0};
	code = ingest_submit_and_hear(t->in, &req, deadline_mono_ns, settle, s, err);
	buf_fini(&req.body);
	if (code == ERR_DEADLINE)
		return err_set(err, code,
		    "the log has not answered in time: the batch may have been taken, ask where the source "
		    "stands");
	if (code == ERR_OK)
		t->out->now = to;
	return code;
}

enum err_code
ingest_pull(struct ingest *in, const struct ingest_pull *p, uint64_t deadline_mono_ns,
    struct ingest_pulled *out, struct err *err)
{
	struct str after, position;
	*out = (struct ingest_pulled){0};
	enum err_code code = check_ready(in, p->source, err);
	if (code == ERR_OK)
		code = ingest_check_open(in, err);
	if (code == ERR_OK)
		code = ingest_admits(in, p->tenant, err);
	if (code == ERR_OK)
		code = read_batch(p->batch, in->limits, &after, &position, err);
	if (code == ERR_OK && !in->dlq)
		code = err_set(err, ERR_UNAVAILABLE, "there is no store of dead letters");
	if (code == ERR_OK)
		code = reserve(in, p, after, &out->now, err);
	if (code != ERR_OK)
		return code;
	struct taking t = {.in = in, .pull = p, .position = position, .out = out};
	code = take(&t, deadline_mono_ns, err);
	buf_fini(&t.one);
	buf_fini(&t.good);
	buf_fini(&t.bad);
	return code;
}

enum err_code
ingest_pull_position(struct ingest *in, struct str tenant, struct str source,
    struct store_pull *out, struct err *err)
{
	enum err_code code = check_ready(in, source, err);
	if (code != ERR_OK)
		return code;
	mutex_lock(&in->pulls->lock);
	position_now(in, tenant, source, out);
	mutex_unlock(&in->pulls->lock);
	return ERR_OK;
}
