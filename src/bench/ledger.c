/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ledger.h"

#include "base/arena.h"
#include "bench/payload_priv.h"

#include <stdlib.h>

enum { PICKS_MAX = 10000 };

/* One bit a request, by its serial number. */
struct acked {
	unsigned char *bits;
	uint64_t cap; /* in bits */
	uint64_t end; /* one above the largest */
	uint64_t requests;
	uint64_t *by_body; /* requests that were sent in each body of the ring */
	struct payload payload;
};

struct ledger {
	enum payload_kind kind;
	uint32_t spans;
	uint32_t connections;
	uint64_t ring;
	struct acked clients[LOAD_CLIENTS_MAX];
};

struct ledger *
ledger_new(enum payload_kind kind, uint32_t spans, uint32_t connections)
{
	CHECK(connections > 0 && connections <= LOAD_CLIENTS_MAX);
	struct ledger *l = xcalloc(1, sizeof(*l));
	l->kind = kind;
	l->spans = spans;
	l->connections = connections;
	l->ring = payload_ring(kind, spans);
	for (uint32_t i = 0; i < connections; i++)
		l->clients[i].by_body = xcalloc(l->ring, sizeof(uint64_t));
	return l;
}

void
ledger_free(struct ledger *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->connections; i++) {
		free(l->clients[i].bits);
		free(l->clients[i].by_body);
	}
	free(l);
}

static bool
has_request(const struct acked *c, uint64_t serial)
{
	return serial < c->end && (c->bits[serial / 8] >> serial % 8 & 1);
}

static void
make_room(struct acked *c, uint64_t bits)
{
	uint64_t cap = c->cap ? c->cap : 4096;
	while (cap < bits)
		cap *= 2;
	if (cap == c->cap)
		return;
	c->bits = xrealloc(c->bits, cap / 8);
	memset(c->bits + c->cap / 8, 0, (cap - c->cap) / 8);
	c->cap = cap;
}

void
ledger_ack(void *ctx, const struct load_acked *acked)
{
	struct ledger *l = ctx;
	CHECK(acked->payload->client < l->connections);
	CHECK(acked->payload->kind == l->kind && acked->payload->spans == l->spans);
	struct acked *c = &l->clients[acked->payload->client];
	make_room(c, acked->serial + 1);
	CHECK(!has_request(c, acked->serial));
	c->bits[acked->serial / 8] |= (unsigned char)(1u << acked->serial % 8);
	if (acked->serial >= c->end)
		c->end = acked->serial + 1;
	c->requests++;
	c->by_body[acked->serial % l->ring]++;
	c->payload = *acked->payload;
}

uint64_t
ledger_spans(const struct ledger *l)
{
	uint64_t requests = 0;
	for (uint32_t i = 0; i < l->connections; i++)
		requests += l->clients[i].requests;
	return requests * l->spans;
}

bool
ledger_has_trace(const struct ledger *l, uint32_t client, uint64_t trace)
{
	CHECK(client < l->connections);
	uint64_t per = payload_trace_spans(l->kind), first = trace * per;
	for (uint64_t s = first / l->spans; s <= (first + per - 1) / l->spans; s++)
		if (!has_request(&l->clients[client], s))
			return false;
	return true;
}

bool
ledger_pick_trace(const struct ledger *l, uint64_t *random, struct payload *p_out,
    uint64_t *trace_out)
{
	uint64_t end = 0, per = payload_trace_spans(l->kind);
	for (uint32_t i = 0; i < l->connections; i++)
		end = l->clients[i].end > end ? l->clients[i].end : end;
	uint64_t traces = end * l->spans / per;
	for (int i = 0; i < PICKS_MAX && traces > 0; i++) {
		uint32_t client = (uint32_t)(payload_random(random) % l->connections);
		uint64_t trace = payload_random(random) % traces;
		if (!ledger_has_trace(l, client, trace))
			continue;
		*p_out = l->clients[client].payload;
		*trace_out = trace;
		return true;
	}
	return false;
}

static bool
has_attribute(uint64_t span, struct payload_attribute a)
{
	struct payload_attribute b;
	for (unsigned i = 0; i < PAYLOAD_JAEGER_ATTRIBUTES; i++)
		if (payload_jaeger_attribute(span, i, &b) && a.key == b.key && a.value == b.value)
			return true;
	return false;
}

/* Bodies of different clients hold the same. */
static uint64_t
count_body(const struct ledger *l, uint64_t body)
{
	uint64_t count = 0;
	for (uint32_t i = 0; i < l->connections; i++)
		count += l->clients[i].by_body[body];
	return count;
}

uint64_t
ledger_services(const struct ledger *l)
{
	uint64_t seen = 0;
	CHECK(l->kind == PAYLOAD_JAEGER);
	for (uint64_t span = 0; span < l->ring * l->spans; span++)
		if (count_body(l, span / l->spans) > 0)
			seen |= UINT64_C(1) << payload_jaeger_service(span);
	return (uint64_t)__builtin_popcountll(seen);
}

uint64_t
ledger_count(const struct ledger *l, unsigned service, struct payload_attribute a)
{
	uint64_t count = 0;
	CHECK(l->kind == PAYLOAD_JAEGER);
	for (uint64_t span = 0; span < l->ring * l->spans; span++)
		if (payload_jaeger_service(span) == service && has_attribute(span, a))
			count += count_body(l, span / l->spans);
	return count;
}
