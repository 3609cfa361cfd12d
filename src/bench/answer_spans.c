/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/answer.h"

#include "base/bits.h"
#include "bench/answer_priv.h"

struct span_checks {
	struct str key; /* of the attribute that is looked at */
	bool (*is_right)(void *ctx, const struct answer_seen_span *s, struct err *err);
	void *ctx;
};

static bool
check_span(void *ctx, struct json_reader *r, struct err *err)
{
	const struct span_checks *c = ctx;
	struct answer_seen_span s;
	if (!answer_read_span(r, c->key, &s))
		return answer_not_json(r, err);
	return c->is_right(c->ctx, &s, err);
}

struct listing {
	const struct answer_spans *want;
	uint64_t count, before_ns; /* of the span before */
};

static bool
is_wanted(void *ctx, const struct answer_seen_span *s, struct err *err)
{
	struct listing *l = ctx;
	const struct answer_spans *want = l->want;
	uint64_t start_ns;
	if (!str_to_u64(s->start_ns, &start_ns))
		return answer_wrong(err, "a span without a time:", s->span_id);
	if (want->service.len > 0 && !str_eq(s->service, want->service))
		return answer_wrong(err, "a span of another service:", s->service);
	if (want->key.len > 0 && (!s->value.ptr || !str_eq(s->value, want->value)))
		return answer_wrong(err, "a span with another value of the attribute:", s->value);
	if (l->count++ > 0 && start_ns > l->before_ns)
		return answer_wrong(err, "not newest first: span", s->span_id);
	l->before_ns = start_ns;
	return true;
}

bool
answer_is_spans(struct str json, const struct answer_spans *want, struct err *err)
{
	struct listing l = {.want = want};
	struct span_checks c = {want->key, is_wanted, &l};
	if (!answer_each(json, STR("spans"), check_span, &c, err))
		return false;
	return l.count == want->count || answer_wrong_count(l.count, want->count, "spans", err);
}

/* ---- the newest spans, of which all is known */

struct newest_check {
	const struct answer_world *world;
	const struct answer_newest *want;
	struct answer_spans shown_want;
	struct listing shown;
	uint64_t ids[NEWEST_MAX];
	size_t old, live; /* seen of the ledger's, of those that are being sent */
};

/* Whose it is, by its ids; false when nobody sent it. */
static bool
find_span(const struct answer_world *world, const struct answer_seen_span *s, struct payload *p,
    uint64_t *number_out, uint64_t *id_out)
{
	struct payload_trace_id trace;
	*p = world->payload;
	if (s->trace_id.len != 32 || !hex_to_u64(s->trace_id.ptr, 16, &trace.hi) ||
	    !hex_to_u64(s->trace_id.ptr + 16, 16, &trace.lo) ||
	    !hex_to_u64(s->span_id.ptr, s->span_id.len, id_out))
		return false;
	return payload_span_of(p, trace, *id_out, number_out);
}

bool
answer_was_asked_for(const struct answer_newest *want, const struct payload *p, uint64_t number)
{
	uint64_t span = number % (payload_ring(p->kind, p->spans) * p->spans);
	if (want->service != LEDGER_ANY_SERVICE && payload_jaeger_service(span) != want->service)
		return false;
	return !want->attribute || payload_jaeger_has(span, *want->attribute);
}

bool
answer_is_live(const struct answer_world *world, uint32_t client)
{
	return client >= world->live_first && client - world->live_first < world->live_count;
}

size_t
answer_room(const struct answer_newest *want, size_t live)
{
	size_t room = NEWEST_MAX - live;
	return want->newest->count < room ? want->newest->count : room;
}

/* The next one of the ledger's has to be it. */
static bool
is_next_old(struct newest_check *c, const struct answer_seen_span *s, struct err *err)
{
	uint64_t start_ns = 0;
	(void)str_to_u64(s->start_ns, &start_ns);
	if (c->old == c->want->newest->count || start_ns != c->want->newest->items[c->old].time_ns)
		return answer_wrong(err, "another span comes before", s->span_id);
	c->old++;
	return true;
}

static bool
is_among_newest(void *ctx, const struct answer_seen_span *s, struct err *err)
{
	struct newest_check *c = ctx;
	const struct answer_world *world = c->world;
	struct payload p;
	uint64_t number, id;
	if (!is_wanted(&c->shown, s, err))
		return false;
	if (c->old + c->live == NEWEST_MAX)
		return answer_wrong_count(NEWEST_MAX + 1, NEWEST_MAX, "spans", err);
	if (!find_span(world, s, &p, &number, &id))
		return answer_wrong(err, "nobody has sent span", s->span_id);
	for (size_t i = 0; i < c->old + c->live; i++)
		if (c->ids[i] == id)
			return answer_wrong(err, "a span comes twice:", s->span_id);
	c->ids[c->old + c->live] = id;
	if (!answer_was_asked_for(c->want, &p, number))
		return answer_wrong(err, "what was asked for was not sent with span", s->span_id);
	if (ledger_has_client(world->ledger, p.client))
		return is_next_old(c, s, err);
	if (!answer_is_live(world, p.client))
		return answer_wrong(err, "no client that is sending has sent span", s->span_id);
	c->live++;
	return true;
}

bool
answer_is_newest(struct str json, const struct answer_world *world,
    const struct answer_newest *want, struct err *err)
{
	char service[PAYLOAD_TEXT_BYTES], key[PAYLOAD_TEXT_BYTES], value[PAYLOAD_TEXT_BYTES];
	struct newest_check c = {.world = world, .want = want};
	CHECK(world->payload.kind == PAYLOAD_JAEGER);
	c.shown.want = &c.shown_want;
	if (want->service != LEDGER_ANY_SERVICE) {
		payload_jaeger_service_text(want->service, service);
		c.shown_want.service = str_from(service);
	}
	if (want->attribute) {
		payload_jaeger_attribute_text(*want->attribute, key, value);
		c.shown_want.key = str_from(key);
		c.shown_want.value = str_from(value);
	}
	struct span_checks checks = {c.shown_want.key, is_among_newest, &c};
	if (!answer_each(json, STR("spans"), check_span, &checks, err))
		return false;
	size_t old = answer_room(want, c.live);
	return c.old == old || answer_wrong_count(c.live + c.old, c.live + old, "spans", err);
}
