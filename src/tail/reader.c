/* SPDX-License-Identifier: Apache-2.0 */
#include "tail/tail_priv.h"

#include "base/regex.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "wire/json_write.h"

#include <stdio.h>
#include <stdlib.h>

/* Of events of its own. They are put where there is room for them: the end into an empty buffer. */
enum { MISSED_BYTES = 96, END_BYTES_MAX = 2048, COMMENT_BYTES_MAX = 512 };

static void
reader_free(struct tail_reader *r)
{
	for (size_t i = 0; i < STORE_ATTRS_MAX; i++)
		regex_free(r->regexes[i]);
	ring_fini(&r->ring);
	mutex_fini(&r->lock);
	free(r);
}

static enum err_code
compile(struct tail_reader *r, struct err *err)
{
	for (size_t i = 0; i < r->query.attr_count; i++) {
		struct store_attr *a = &r->query.attrs[i];
		if (a->op == STORE_ATTR_MATCH && regex_compile(a->value, &r->regexes[i], err))
			return err->code;
		a->regex = r->regexes[i];
	}
	return ERR_OK;
}

enum err_code
tail_reader_new(struct tail *t, const struct tail_reader_options *opt, struct tail_reader **out,
    struct err *err)
{
	struct tail_reader *r = xcalloc(1, sizeof(*r));
	struct buf comment;
	CHECK(opt->query->kind == STORE_SPANS || opt->query->kind == STORE_LOGS);
	r->tail = t;
	r->opt = *opt;
	r->query = *opt->query;
	r->table = opt->query->kind == STORE_SPANS ? TABLE_SPANS : TABLE_LOGS;
	r->missed_exact = true;
	r->ring.bytes_max = t->limits.live_bytes_max;
	r->last_ns = clock_mono_ns();
	atomic_init(&r->refs, 1);
	mutex_init(&r->lock);
	if (compile(r, err) != ERR_OK) {
		reader_free(r);
		return err->code;
	}
	buf_init(&comment, COMMENT_BYTES_MAX);
	buf_printf(&comment, ": %.*s\n\n", STR_ARG(opt->comment));
	CHECK(!comment.failed);
	ring_put(&r->ring, buf_view(&comment));
	buf_fini(&comment);
	*out = r;
	return ERR_OK;
}

void
tail_reader_unref(struct tail_reader *r)
{
	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	void (*freed)(void *ctx) = r->opt.freed;
	void *ctx = r->opt.ctx;
	reader_free(r);
	freed(ctx);
}

bool
tail_reader_follows(const struct tail_reader *r, struct str tenant, enum table_id table)
{
	return r->table == table && str_eq(r->query.tenant, tenant);
}

/* ---- what is put into it; all under its lock */

static void
put_missed(struct tail_reader *r)
{
	char text[MISSED_BYTES];
	int n =
	    snprintf(text, sizeof(text), "event: missed\ndata: {\"count\":%llu,\"exact\":%s}\n\n",
	        (unsigned long long)r->missed, r->missed_exact ? "true" : "false");
	CHECK(n > 0 && n < MISSED_BYTES);
	ring_put(&r->ring, str_of(text, (size_t)n));
	r->missed = 0;
	r->missed_exact = true;
}

static void
put_end(struct tail_reader *r)
{
	struct buf text;
	struct json_writer w;
	buf_init(&text, END_BYTES_MAX);
	buf_str(&text, STR("event: end\ndata: "));
	json_writer_init(&w, &text);
	jsonw_object(&w);
	jsonw_key(&w, "code");
	jsonw_str(&w, str_from(err_name(r->end.code)));
	jsonw_key(&w, "message");
	jsonw_str(&w, str_from(r->end.message));
	jsonw_object_end(&w);
	buf_str(&text, STR("\n\n"));
	CHECK(!text.failed);
	ring_put(&r->ring, buf_view(&text));
	buf_fini(&text);
	r->end_told = true;
}

static void
miss(struct tail_reader *r, uint64_t count, bool exact)
{
	r->missed += count;
	r->missed_exact = r->missed_exact && exact;
	stats_add(r->tail->stats, STATS_LIVE_MISSED, (int64_t)count);
}

void
tail_reader_put(struct tail_reader *r, struct str event, uint64_t now_ns)
{
	mutex_lock(&r->lock);
	size_t need = event.len + (r->missed > 0 ? MISSED_BYTES : 0);
	if (!r->ending && need <= ring_room(&r->ring)) {
		if (r->missed > 0)
			put_missed(r);
		ring_put(&r->ring, event);
		r->last_ns = now_ns;
		stats_add(r->tail->stats, STATS_LIVE_SHOWN, 1);
	} else if (!r->ending) {
		miss(r, 1, true);
	}
	mutex_unlock(&r->lock);
}

void
tail_reader_miss(struct tail_reader *r, uint64_t count, bool exact)
{
	mutex_lock(&r->lock);
	if (!r->ending)
		miss(r, count, exact);
	mutex_unlock(&r->lock);
}

bool
tail_reader_beat(struct tail_reader *r, uint64_t now_ns)
{
	mutex_lock(&r->lock);
	bool silent = now_ns - r->last_ns >= r->tail->limits.live_heartbeat_ms * NS_PER_MS;
	if (silent && !r->ending && r->ring.len == 0 && now_ns > r->last_ns) {
		ring_put(&r->ring, STR(":\n\n"));
		r->last_ns = now_ns;
	}
	bool readable = r->ring.len > 0 || r->missed > 0;
	mutex_unlock(&r->lock);
	return readable;
}

void
tail_reader_end(struct tail_reader *r, const struct err *why)
{
	mutex_lock(&r->lock);
	if (!r->ending)
		r->end = *why;
	r->ending = true;
	mutex_unlock(&r->lock);
}

/* ---- what is taken from it */

ptrdiff_t
tail_read(struct tail_reader *r, char *out, size_t max)
{
	CHECK(max > 0);
	mutex_lock(&r->lock);
	if (r->ring.len == 0 && r->missed > 0)
		put_missed(r);
	if (r->ring.len == 0 && r->ending && !r->end_told)
		put_end(r);
	size_t n = ring_take(&r->ring, out, max);
	bool over = n == 0 && r->ending;
	mutex_unlock(&r->lock);
	return over ? TAIL_END : (ptrdiff_t)n;
}
