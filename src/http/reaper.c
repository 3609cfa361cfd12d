/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/tcp.h"

enum { VICTIMS_MAX = 32, TICK_MS_MIN = 5, TICK_MS_MAX = 250 };

/* What is needed of a connection that is cut once the lock is gone and it may be gone too. */
struct victim {
	int fd; /* a duplicate */
	enum conn_phase phase; /* IDLE: close without a word */
	struct http_request *request; /* a reference, or NULL */
};

static bool
body_too_slow(const struct http_conn *c, const struct limits *limits, uint64_t now_ns)
{
	uint64_t ms = (now_ns - c->body_start_ns) / NS_PER_MS;
	return ms > limits->body_grace_ms && c->body_bytes < limits->body_rate_min * ms / 1000;
}

/* Of an answer that is sent in parts. A reader that took much at first and then stops is above the
 * average for long. */
static bool
reader_too_slow(const struct http_conn *c, const struct limits *limits, uint64_t now_ns)
{
	uint64_t ms = (now_ns - c->answer_start_ns) / NS_PER_MS;
	if (now_ns < c->answer_moved_ns || ms <= limits->body_grace_ms)
		return false;
	return c->answer_bytes < limits->answer_rate_min * ms / 1000 ||
	    now_ns - c->answer_moved_ns > limits->idle_timeout_ms * NS_PER_MS;
}

/* A stream's client takes nothing of what there is for it. */
static bool
reader_stands_still(const struct http_conn *c, const struct limits *limits, uint64_t now_ns)
{
	return !c->parked && now_ns > c->answer_moved_ns &&
	    now_ns - c->answer_moved_ns > limits->idle_timeout_ms * NS_PER_MS;
}

static bool
overdue(const struct http_conn *c, const struct limits *limits, uint64_t now_ns)
{
	switch (c->phase) {
	case CONN_HEADER:
	case CONN_IDLE: return now_ns >= c->deadline_ns;
	case CONN_ANSWER:
		return c->deadline_ns == UINT64_MAX ? reader_too_slow(c, limits, now_ns)
		                                    : now_ns >= c->deadline_ns;
	case CONN_BODY: return body_too_slow(c, limits, now_ns);
	case CONN_STREAM: return reader_stands_still(c, limits, now_ns);
	case CONN_HANDLER:
	case CONN_DEAD: return false;
	}
	return false;
}

/* libmicrohttpd (0.9.75) polls for edges and does not read again after a short read, so an end of
 * input that came together with the last bytes stays unseen. Look for it, as often as for time. */
static bool
abandoned(const struct http_conn *c)
{
	bool waits_for_input =
	    c->phase == CONN_HEADER || c->phase == CONN_IDLE || c->phase == CONN_BODY;
	/* Nobody hears of it while nothing is sent. */
	if (c->phase == CONN_STREAM)
		return tcp_peer(c->fd) != TCP_PEER_THERE;
	return waits_for_input && linger_at_end(c->fd);
}

/* Under the lock: mark up to VICTIMS_MAX connections dead. */
static size_t
find_victims(struct http_server *s, uint64_t now_ns, struct victim out[VICTIMS_MAX])
{
	size_t n = 0;
	for (struct http_conn *c = s->conns; c && n < VICTIMS_MAX; c = c->next) {
		bool late = overdue(c, &s->limits, now_ns);
		if (!late && !abandoned(c))
			continue;
		out[n] =
		    (struct victim){.fd = linger_dup(c->fd), .phase = late ? c->phase : CONN_IDLE};
		if (out[n].fd < 0)
			break; /* out of descriptors: next time */
		if (out[n].phase == CONN_BODY && c->request) {
			out[n].request = c->request;
			http_request_ref(c->request);
		}
		c->phase = CONN_DEAD;
		http_conn_wake(c);
		n++;
	}
	return n;
}

/* libmicrohttpd is still waiting for input, so nothing of its own is half sent. */
static void
cut(struct http_server *s, struct victim *v)
{
	struct buf answer = {0};
	struct err err;
	if (v->phase == CONN_HEADER || v->phase == CONN_BODY) {
		bool header = v->phase == CONN_HEADER;
		err_set(&err, ERR_TIMEOUT, "the %s came too slowly", header ? "header" : "body");
		http_answer_raw(s, header ? NULL : v->request, &err, &answer);
		http_answer_last_words(v->fd, buf_view(&answer));
	}
	if (v->phase != CONN_IDLE)
		stats_add(s->stats, STATS_CONNS_TIMED_OUT, 1);
	linger_cut(v->fd);
	tcp_close(v->fd);
	buf_fini(&answer);
	if (v->request)
		http_request_unref(v->request);
}

static uint64_t
tick_ns(const struct limits *limits)
{
	uint64_t ms = limits->header_timeout_ms;
	if (limits->idle_timeout_ms < ms)
		ms = limits->idle_timeout_ms;
	if (limits->body_grace_ms < ms)
		ms = limits->body_grace_ms;
	ms /= 4;
	ms = ms < TICK_MS_MIN ? TICK_MS_MIN : ms > TICK_MS_MAX ? TICK_MS_MAX : ms;
	return ms * NS_PER_MS;
}

void
http_reaper_main(void *ctx)
{
	struct http_server *s = ctx;
	struct victim victims[VICTIMS_MAX];
	mutex_lock(&s->lock);
	while (!s->reaper_stop) {
		size_t n = find_victims(s, clock_mono_ns(), victims);
		if (n > 0) {
			mutex_unlock(&s->lock);
			for (size_t i = 0; i < n; i++)
				cut(s, &victims[i]);
			mutex_lock(&s->lock);
		} else if (!s->conns) {
			cond_wait(&s->conn_came, &s->lock);
		} else {
			(void)cond_wait_until(&s->conn_came, &s->lock,
			    clock_mono_ns() + tick_ns(&s->limits));
		}
	}
	mutex_unlock(&s->lock);
}
