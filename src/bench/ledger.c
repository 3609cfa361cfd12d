/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ledger.h"

#include "base/arena.h"
#include "bench/payload_priv.h"

#include <stdlib.h>

enum { PICKS_MAX = 10000 };

struct acked {
	uint64_t *times; /* of each request, by its serial number; 0: it was not acknowledged */
	uint64_t cap;
	uint64_t end; /* one above the largest */
	uint64_t requests;
	uint64_t *by_body; /* spans: requests that were sent in each body of the ring */
	struct payload payload;
};

struct ledger {
	enum payload_kind kind;
	uint32_t spans;
	uint32_t first_client, connections;
	uint64_t ring;
	struct acked clients[LOAD_CLIENTS_MAX];
};

struct ledger *
ledger_new(enum payload_kind kind, uint32_t spans, uint32_t first_client, uint32_t connections)
{
	CHECK(connections > 0 && connections <= LOAD_CLIENTS_MAX);
	struct ledger *l = xcalloc(1, sizeof(*l));
	l->kind = kind;
	l->spans = spans;
	l->first_client = first_client;
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
		free(l->clients[i].times);
		free(l->clients[i].by_body);
	}
	free(l);
}

static bool
has_request(const struct acked *c, uint64_t serial)
{
	return serial < c->end && c->times[serial] != 0;
}

static void
make_room(struct acked *c, uint64_t requests)
{
	uint64_t cap = c->cap ? c->cap : 4096;
	while (cap < requests)
		cap *= 2;
	if (cap == c->cap)
		return;
	c->times = xrealloc(c->times, cap * sizeof(*c->times));
	memset(c->times + c->cap, 0, (cap - c->cap) * sizeof(*c->times));
	c->cap = cap;
}

bool
ledger_has_client(const struct ledger *l, uint32_t client)
{
	return client >= l->first_client && client - l->first_client < l->connections;
}

void
ledger_ack(void *ctx, const struct load_acked *acked)
{
	struct ledger *l = ctx;
	CHECK(ledger_has_client(l, acked->payload->client));
	CHECK(acked->payload->kind == l->kind && acked->payload->spans == l->spans);
	CHECK(acked->unix_ns != 0);
	struct acked *c = &l->clients[acked->payload->client - l->first_client];
	make_room(c, acked->serial + 1);
	CHECK(!has_request(c, acked->serial));
	c->times[acked->serial] = acked->unix_ns;
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

/* One above the largest serial number of any client. */
static uint64_t
end_of_all(const struct ledger *l)
{
	uint64_t end = 0;
	for (uint32_t i = 0; i < l->connections; i++)
		end = l->clients[i].end > end ? l->clients[i].end : end;
	return end;
}

/* ---- traces */

bool
ledger_has_trace(const struct ledger *l, uint32_t client, uint64_t trace)
{
	CHECK(ledger_has_client(l, client));
	uint64_t per = payload_trace_spans(l->kind), first = trace * per;
	for (uint64_t s = first / l->spans; s <= (first + per - 1) / l->spans; s++)
		if (!has_request(&l->clients[client - l->first_client], s))
			return false;
	return true;
}

bool
ledger_pick_trace(const struct ledger *l, uint64_t *random, struct payload *p_out,
    uint64_t *trace_out)
{
	uint64_t per = payload_trace_spans(l->kind);
	CHECK(per > 0);
	uint64_t traces = end_of_all(l) * l->spans / per;
	for (int i = 0; i < PICKS_MAX && traces > 0; i++) {
		uint32_t client = (uint32_t)(payload_random(random) % l->connections);
		uint64_t trace = payload_random(random) % traces;
		if (!ledger_has_trace(l, l->first_client + client, trace))
			continue;
		*p_out = l->clients[client].payload;
		*trace_out = trace;
		return true;
	}
	return false;
}

uint64_t
ledger_traces(const struct ledger *l)
{
	uint64_t per = payload_trace_spans(l->kind), traces = 0;
	CHECK(per > 0);
	for (uint32_t i = 0; i < l->connections; i++) {
		uint64_t next = 0; /* the ones before are counted */
		for (uint64_t serial = 0; serial < l->clients[i].end; serial++) {
			if (!has_request(&l->clients[i], serial))
				continue;
			uint64_t first = serial * l->spans / per,
			         end = ((serial + 1) * l->spans - 1) / per + 1;
			traces += end - (first > next ? first : next);
			next = end;
		}
	}
	return traces;
}

/* ---- spans; bodies of different clients hold the same */

uint64_t
ledger_services(const struct ledger *l, uint64_t spans_out[PAYLOAD_JAEGER_SERVICES])
{
	uint64_t services = 0;
	CHECK(l->kind == PAYLOAD_JAEGER);
	memset(spans_out, 0, PAYLOAD_JAEGER_SERVICES * sizeof(*spans_out));
	for (uint64_t span = 0; span < l->ring * l->spans; span++)
		for (uint32_t i = 0; i < l->connections; i++)
			spans_out[payload_jaeger_service(span)] +=
			    l->clients[i].by_body[span / l->spans];
	for (unsigned s = 0; s < PAYLOAD_JAEGER_SERVICES; s++)
		services += spans_out[s] > 0;
	return services;
}

void
ledger_services_between(const struct ledger *l, uint64_t from_ns, uint64_t to_ns,
    uint64_t spans_out[PAYLOAD_JAEGER_SERVICES])
{
	uint64_t age_max = payload_jaeger_age_max(l->spans);
	uint64_t *whole = xcalloc(l->ring, sizeof(*whole)); /* requests of which all spans do */
	CHECK(l->kind == PAYLOAD_JAEGER);
	memset(spans_out, 0, PAYLOAD_JAEGER_SERVICES * sizeof(*spans_out));
	for (uint64_t n = 0; n < end_of_all(l) * l->connections; n++) {
		uint64_t serial = n / l->connections;
		const struct acked *c = &l->clients[n % l->connections];
		if (!has_request(c, serial) || c->times[serial] <= from_ns ||
		    c->times[serial] - age_max >= to_ns)
			continue;
		if (c->times[serial] - age_max >= from_ns && c->times[serial] <= to_ns) {
			whole[serial % l->ring]++;
			continue;
		}
		for (uint64_t span = serial * l->spans; span < (serial + 1) * l->spans; span++) {
			uint64_t ns = c->times[serial] - payload_jaeger_age(&c->payload, span);
			spans_out[payload_jaeger_service(span)] += ns >= from_ns && ns < to_ns;
		}
	}
	for (uint64_t span = 0; span < l->ring * l->spans; span++)
		spans_out[payload_jaeger_service(span)] += whole[span / l->spans];
	free(whole);
}

uint64_t
ledger_span_ns(const struct ledger *l, uint32_t client, uint64_t span)
{
	CHECK(l->kind == PAYLOAD_JAEGER && ledger_has_client(l, client));
	const struct acked *c = &l->clients[client - l->first_client];
	uint64_t serial = span / l->spans;
	return has_request(c, serial) ? c->times[serial] - payload_jaeger_age(&c->payload, span)
	                              : 0;
}

bool
ledger_pick_time(const struct ledger *l, uint64_t *random, uint64_t *ns_out)
{
	uint64_t end = end_of_all(l);
	CHECK(l->kind == PAYLOAD_JAEGER);
	for (int i = 0; i < PICKS_MAX && end > 0; i++) {
		const struct acked *c = &l->clients[payload_random(random) % l->connections];
		uint64_t serial = payload_random(random) % end;
		if (!has_request(c, serial))
			continue;
		*ns_out = c->times[serial] - payload_jaeger_age_max(l->spans);
		return true;
	}
	return false;
}

/* Which spans of the ring are asked for, body by body. */
struct wanted {
	bool *spans;
	uint64_t *by_body; /* how many */
};

static struct wanted
wanted_of(const struct ledger *l, unsigned service, const struct payload_attribute *a)
{
	struct wanted w = {
	    xcalloc(l->ring * l->spans, sizeof(bool)), xcalloc(l->ring, sizeof(uint64_t))};
	for (uint64_t span = 0; span < l->ring * l->spans; span++) {
		if (service != LEDGER_ANY_SERVICE && payload_jaeger_service(span) != service)
			continue;
		if (a && !payload_jaeger_has(span, *a))
			continue;
		w.spans[span] = true;
		w.by_body[span / l->spans]++;
	}
	return w;
}

/* The spans of one request. No span begins later than its request was made. */
static void
offer_spans(const struct ledger *l, const struct acked *c, uint64_t serial, const struct wanted *w,
    struct newest *out)
{
	uint64_t body = serial % l->ring, first = serial * l->spans;
	if (w->by_body[body] == 0)
		return;
	if (!newest_wants(out, c->times[serial])) {
		out->total += w->by_body[body];
		return;
	}
	for (uint32_t i = 0; i < l->spans; i++)
		if (w->spans[body * l->spans + i])
			newest_offer(out,
			    (struct newest_item){
			        c->times[serial] - payload_jaeger_age(&c->payload, first + i),
			        c->payload.client, first + i});
}

void
ledger_newest_spans(const struct ledger *l, unsigned service, const struct payload_attribute *a,
    struct newest *out)
{
	CHECK(l->kind == PAYLOAD_JAEGER);
	*out = (struct newest){0};
	struct wanted w = wanted_of(l, service, a);
	for (uint64_t serial = end_of_all(l); serial-- > 0;)
		for (uint32_t i = 0; i < l->connections; i++)
			if (has_request(&l->clients[i], serial))
				offer_spans(l, &l->clients[i], serial, &w, out);
	free(w.spans);
	free(w.by_body);
}

/* ---- log records */

uint64_t
ledger_records_since(const struct ledger *l, uint64_t from_ns)
{
	uint64_t records = 0;
	CHECK(l->kind == PAYLOAD_LOGS);
	for (uint64_t n = 0; n < end_of_all(l) * l->spans * l->connections; n++) {
		const struct acked *c = &l->clients[n % l->connections];
		uint64_t record = n / l->connections, serial = record / l->spans;
		records += has_request(c, serial) &&
		    c->times[serial] - payload_log_age(&c->payload, record) >= from_ns;
	}
	return records;
}

bool
ledger_pick_record(const struct ledger *l, uint64_t *random, struct payload *p_out, uint64_t *n_out)
{
	uint64_t end = end_of_all(l) * l->spans;
	CHECK(l->kind == PAYLOAD_LOGS);
	for (int i = 0; i < PICKS_MAX && end > 0; i++) {
		const struct acked *c = &l->clients[payload_random(random) % l->connections];
		*n_out = payload_random(random) % end;
		if (!has_request(c, *n_out / l->spans))
			continue;
		*p_out = c->payload;
		return true;
	}
	return false;
}

void
ledger_newest_records(const struct ledger *l, enum payload_word kind, uint64_t word,
    struct newest *out)
{
	CHECK(l->kind == PAYLOAD_LOGS && kind != PAYLOAD_NOWHERE);
	*out = (struct newest){0};
	for (uint64_t n = end_of_all(l) * l->spans; n-- > 0;) {
		if (payload_log_word(kind, n) != word)
			continue;
		for (uint32_t i = 0; i < l->connections; i++) {
			const struct acked *c = &l->clients[i];
			uint64_t serial = n / l->spans;
			if (!has_request(c, serial))
				continue;
			newest_offer(out,
			    (struct newest_item){c->times[serial] - payload_log_age(&c->payload, n),
			        c->payload.client, n});
		}
	}
}
