/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/ingest.h"

#include "base/arena.h"
#include "comment/comment.h"
#include "ingest/ingest_priv.h"
#include "ingest/pull.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "tenant/tenant.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	QUEUE_REQUESTS = 4096,
	LOAD_ROWS_DEFAULT = 100000,
	LOAD_DELAY_MS_DEFAULT = 5,
	LOAD_RETRY_MS_DEFAULT = 100
};

/* Whoever reads it knows the data folder, and behind a long path there is no room for the cause. */
static void
copy_without_folder(const struct ingest *in, const char *why, char out[INGEST_TEXT_BYTES])
{
	char text[INGEST_TEXT_BYTES + ERR_MESSAGE_BYTES];
	size_t used = 0, dir = strlen(in->data_dir);
	while (*why && used + 1 < sizeof(text)) {
		if (dir > 0 && strncmp(why, in->data_dir, dir) == 0 && why[dir] == '/')
			why += dir + 1;
		else
			text[used++] = *why++;
	}
	text[used] = '\0';
	err_copy(out, INGEST_TEXT_BYTES, text);
}

void
ingest_set_text(struct ingest *in, char text[INGEST_TEXT_BYTES], const char *why)
{
	mutex_lock(&in->lock);
	copy_without_folder(in, why ? why : "", text);
	mutex_unlock(&in->lock);
}

uint64_t
ingest_lag_bytes(const struct ingest *in)
{
	/* In this order: the loader cannot be ahead of what was durable afterwards. */
	uint64_t loaded = atomic_load(&in->loaded_bytes);
	uint64_t durable = wal_durable_bytes(in->wal);
	uint64_t lag = durable > loaded ? durable - loaded : 0;
	stats_set(in->stats, STATS_LAG_BYTES, (int64_t)lag);
	return lag;
}

uint64_t
ingest_kept_bytes(const struct ingest *in)
{
	uint64_t position = atomic_load(&in->position_bytes);
	uint64_t durable = wal_durable_bytes(in->wal);
	uint64_t kept = durable > position ? durable - position : 0;
	stats_set(in->stats, STATS_KEPT_BYTES, (int64_t)kept);
	return kept;
}

bool
ingest_disk_refuses(const struct ingest *in, uint64_t bytes)
{
	uint64_t floor = in->limits->free_bytes_min, free_bytes = atomic_load(&in->free_bytes);
	/* Both are at most a few times what the log may hold: no overflow. */
	uint64_t coming = 2 * (in->taken_bytes + bytes) + ingest_kept_bytes(in);
	return floor > 0 && (free_bytes < coming || free_bytes - coming < floor);
}

enum err_code
ingest_say_full(const struct ingest *in, struct err *err)
{
	return err_set(err, ERR_BUSY, "the disk is full (%llu MiB are free), try later",
	    (unsigned long long)(atomic_load(&in->free_bytes) / LIMIT_MIB));
}

void
ingest_check_disk(struct ingest *in)
{
	struct err err;
	uint64_t free_bytes;
	if (file_free_bytes(in->data_dir, &free_bytes, &err) != ERR_OK) {
		ingest_set_text(in, in->disk_text, err.message);
		return;
	}
	atomic_store(&in->free_bytes, free_bytes);
	in->taken_bytes = 0;
	bool low = ingest_disk_refuses(in, 0);
	bool was_low = atomic_exchange(&in->disk_low, low);
	if (low && !was_low)
		log_error("ingest",
		    "%.200s has %llu MiB free, of which %llu MiB are needed for what is only in the "
		    "log; --min-free-bytes is %llu MiB: new requests are refused until there is "
		    "room",
		    in->data_dir, (unsigned long long)(free_bytes / LIMIT_MIB),
		    (unsigned long long)(ingest_kept_bytes(in) / LIMIT_MIB),
		    (unsigned long long)(in->limits->free_bytes_min / LIMIT_MIB));
	if (!low && was_low)
		log_info("ingest", "there is room on the disk again: new requests are taken");
	ingest_set_text(in, in->disk_text, NULL);
}

static void
ingest_init(struct ingest *in, const struct ingest_options *opt)
{
	in->wal = opt->wal;
	in->store = opt->store;
	in->dlq = opt->dlq;
	in->on_visible = opt->on_visible;
	in->visible_ctx = opt->visible_ctx;
	in->limits = opt->limits;
	in->stats = opt->stats;
	in->load_rows_max = opt->load_rows_max ? opt->load_rows_max : LOAD_ROWS_DEFAULT;
	in->load_delay_ns =
	    (opt->load_delay_ms ? opt->load_delay_ms : LOAD_DELAY_MS_DEFAULT) * UINT64_C(1000000);
	in->load_retry_ms = opt->load_retry_ms ? opt->load_retry_ms : LOAD_RETRY_MS_DEFAULT;
	in->queue = queue_new(QUEUE_REQUESTS);
	mutex_init(&in->lock);
	cond_init(&in->progress);
	cond_init(&in->retry_news);
	in->duplicates = ingest_duplicates_new();
	in->quota = quota_new(opt->limits);
	in->pulls = ingest_pulls_new();
}

/* Where things stand before the threads run. */
static void
note_start(struct ingest *in, uint64_t position)
{
	atomic_store(&in->commit_seen_ns, clock_mono_ns());
	atomic_store(&in->load_seen_ns, clock_mono_ns());
	in->start_bytes = wal_reader_bytes(in->reader);
	in->start_bytes_end = wal_durable_bytes(in->wal);
	in->start_seq_end = in->durable_seq = wal_durable_seq(in->wal);
	atomic_store(&in->caught_up, position >= in->start_seq_end);
	atomic_store(&in->loaded_bytes, in->start_bytes);
	atomic_store(&in->position_bytes, in->start_bytes);
	atomic_store(&in->loaded_seq, position);
	stats_set(in->stats, STATS_LOADED_SEQ, (int64_t)position);
	stats_set(in->stats, STATS_KEPT_SEQ, (int64_t)position);
	stats_set(in->stats, STATS_WAL_DURABLE_SEQ, (int64_t)in->durable_seq);
	stats_set(in->stats, STATS_WAL_SEGMENTS, (int64_t)wal_segment_count(in->wal));
	ingest_lag_bytes(in);
	ingest_check_disk(in);
	if (in->dlq) {
		dlq_on_change(in->dlq, ingest_retry_bell, in);
		store_on_poison(in->store, ingest_on_poison, in);
	}
}

const char *
ingest_hangs(const struct ingest *in, uint64_t now_mono_ns, uint64_t for_ns)
{
	struct store_status store = {0};
	if (now_mono_ns > atomic_load(&in->commit_seen_ns) + for_ns)
		return "commit thread";
	if (now_mono_ns <= atomic_load(&in->load_seen_ns) + for_ns)
		return NULL;
	store_status(in->store, &store);
	return store.keeps_waiting ? NULL : "loader";
}

enum err_code
ingest_start(const struct ingest_options *opt, struct ingest **out, struct err *err)
{
	*out = NULL;
	if (opt->data_dir.len >= FILE_PATH_BYTES - 64)
		return err_set(err, ERR_INVALID, "the path of the data folder is too long");
	struct ingest *in = xcalloc(1, sizeof(*in));
	ingest_init(in, opt);
	if (quota_override(in->quota, opt->tenant_limits, err) != ERR_OK) {
		ingest_free(in);
		return err->code;
	}
	snprintf(in->data_dir, sizeof(in->data_dir), "%.*s", STR_ARG(opt->data_dir));
	in->own_tenant = opt->own_tenant;
	uint64_t position = store_position(in->store);
	enum err_code code = wal_reader_open(in->wal, position, &in->reader, err);
	if (code == ERR_OK) {
		note_start(in, position);
		code = thread_start(&in->load_thread, "weir-load", ingest_load_main, in, err);
	}
	if (code == ERR_OK)
		code = thread_start(&in->commit_thread, "weir-commit", ingest_commit_main, in, err);
	if (code == ERR_OK && in->dlq)
		code = thread_start(&in->retry_thread, "weir-dlq", ingest_retry_main, in, err);
	if (code != ERR_OK) {
		ingest_stop(in, 0);
		ingest_free(in);
		return code;
	}
	*out = in;
	return ERR_OK;
}

enum err_code
ingest_check_open(struct ingest *in, struct err *err)
{
	if (atomic_load(&in->stopping))
		return err_set(err, ERR_UNAVAILABLE, "weir is stopping");
	if (wal_failed(in->wal))
		return err_set(err, ERR_UNAVAILABLE, "the log cannot be written, see /readyz");
	if (atomic_load(&in->disk_low) || atomic_load(&in->log_full))
		return ingest_say_full(in, err);
	uint64_t lag = ingest_lag_bytes(in);
	if (lag > in->limits->lag_bytes_max)
		return err_set(err, ERR_BUSY,
		    "%llu MiB of the log are waiting to be loaded, try again later",
		    (unsigned long long)(lag / LIMIT_MIB));
	return ERR_OK;
}

enum err_code
ingest_admits(struct ingest *in, struct str tenant, struct err *err)
{
	if (!tenant_name_valid(tenant))
		return err_set(err, ERR_INVALID,
		    "the tenant must be 1 to %d characters of A-Z a-z 0-9 . _ -",
		    LIMIT_TENANT_BYTES);
	return quota_look(in->quota, tenant, clock_mono_ns(), err);
}

/* *body: what came in, then what is logged. */
static enum err_code
scan(struct ingest *in, const struct ingest_request *req, struct str *body, struct pending *p,
    struct buf *converted, struct err *err)
{
	enum err_code code = ERR_OK;
	if (req->json) {
		code = otlp_from_json(req->signal, *body, in->limits, converted, err);
		*body = buf_view(converted);
	}
	return code == ERR_OK ? otlp_scan(req->signal, *body, in->limits, &p->counts, err) : code;
}

/* Validate and turn into what is logged. */
static enum err_code
prepare(struct ingest *in, const struct ingest_request *req, struct pending *p,
    struct buf *converted, struct err *err)
{
	enum err_code code = ERR_OK;
	struct str body = buf_view(&req->body);
	struct record rec = {.signal = req->signal,
	    .received_ns = req->received_ns,
	    .part_count = RECORD_ALL,
	    .limits = *in->limits};
	if (body.len > in->limits->body_bytes_max)
		return err_set(err, ERR_TOO_LARGE,
		    "the body has %zu bytes, at most %llu are allowed", body.len,
		    (unsigned long long)in->limits->body_bytes_max);
	rec.tenant = req->tenant;
	rec.source = req->source;
	rec.position = req->position;
	p->pulled = req->source.len > 0;
	if (req->signal == SIGNAL_COMMENTS) {
		code = comment_scan(body, in->limits, &p->counts.accepted, err);
		if (code != ERR_OK)
			return code;
		rec.hash = comment_request_hash(req->tenant, body);
	} else {
		rec.hash = hash_request(req->tenant, (uint8_t)req->signal, body);
		code = scan(in, req, &body, p, converted, err);
	}
	CHECK(p->counts.accepted <= UINT32_MAX);
	rec.item_count = (uint32_t)p->counts.accepted;
	p->head_len = record_write_head(&rec, p->head);
	return code;
}

enum err_code
ingest_push(struct ingest *in, struct pending *p, struct err *err)
{
	uint64_t bytes = p->req.body.len;
	uint64_t waiting = atomic_fetch_add(&in->queue_bytes, bytes);
	enum err_code code = waiting > 0 && waiting + bytes > in->limits->inflight_bytes_max
	    ? ERR_BUSY
	    : queue_push(in->queue, p);
	if (code == ERR_OK)
		return ERR_OK;
	atomic_fetch_sub(&in->queue_bytes, bytes);
	return err_set(err, code, "%s",
	    code == ERR_BUSY ? "too many requests are waiting for the log, try again later"
	                     : "weir is stopping");
}

/* The body moves first: once pushed, p is the commit thread's, which may be done with it. */
static enum err_code
hand_over(struct ingest *in, struct ingest_request *req, struct pending *p, struct buf *converted,
    struct err *err)
{
	struct buf original = req->body;
	p->req = *req;
	p->req.tenant = p->req.source = p->req.position = STR_EMPTY; /* they stand in the head */
	if (req->json)
		p->req.body = *converted;
	enum err_code code = ingest_push(in, p, err);
	if (code != ERR_OK)
		return code;
	if (req->json)
		buf_fini(&original);
	*converted = (struct buf){0};
	req->body = (struct buf){0};
	return ERR_OK;
}

enum err_code
ingest_submit(struct ingest *in, struct ingest_request *req, struct err *err)
{
	CHECK(req->done != NULL);
	struct buf converted = {0};
	CHECK(req->source.len == 0 || tenant_name_valid(req->source));
	enum err_code code = ingest_check_open(in, err);
	if (code == ERR_OK)
		code = ingest_admits(in, req->tenant, err);
	if (code != ERR_OK)
		return code;
	struct pending *p = xcalloc(1, sizeof(*p));
	code = prepare(in, req, p, &converted, err);
	uint64_t bytes = req->body.len, items = p->counts.accepted;
	if (code == ERR_OK)
		code = hand_over(in, req, p, &converted, err);
	/* A bad one costs no less to look at. One that comes again pays then. */
	if (!err_retryable(code))
		quota_pay(in->quota, req->tenant, bytes, items, clock_mono_ns());
	if (code != ERR_OK) {
		buf_fini(&converted);
		free(p);
	}
	return code;
}

void
ingest_stop(struct ingest *in, uint64_t deadline_mono_ns)
{
	atomic_store(&in->stopping, true);
	queue_close(in->queue);
	atomic_store(&in->queue_closed, true);
	thread_join(&in->commit_thread);
	mutex_lock(&in->lock);
	in->load_stop = true;
	in->load_deadline_ns = deadline_mono_ns;
	mutex_unlock(&in->lock);
	cond_broadcast(&in->progress);
	thread_join(&in->load_thread);
	mutex_lock(&in->lock);
	in->retry.stop = true;
	mutex_unlock(&in->lock);
	cond_broadcast(&in->retry_news);
	thread_join(&in->retry_thread);
	if (in->dlq)
		dlq_on_change(in->dlq, NULL, NULL);
}

void
ingest_free(struct ingest *in)
{
	if (!in)
		return;
	CHECK(!in->commit_thread.started);
	CHECK(!in->load_thread.started);
	CHECK(!in->retry_thread.started);
	CHECK(queue_len(in->queue) == 0);
	wal_reader_close(in->reader);
	queue_free(in->queue);
	ingest_duplicates_free(in->duplicates);
	quota_free(in->quota);
	ingest_pulls_free(in->pulls);
	cond_fini(&in->retry_news);
	cond_fini(&in->progress);
	mutex_fini(&in->lock);
	free(in);
}

uint64_t
ingest_retry_after_ms(const struct ingest *in, enum err_code code)
{
	if (!err_retryable(code))
		return 0;
	if (atomic_load(&in->disk_low) || atomic_load(&in->log_full) || wal_failed(in->wal))
		return 30000; /* needs somebody to do something */
	if (code == ERR_BUSY && ingest_lag_bytes(in) <= in->limits->lag_bytes_max)
		return 200; /* a full queue: one commit empties it */
	return 2000;
}
