/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are the traces of a search those with the newest spans that match?
 *
 * The answer does not say when a trace's match begins. Of the ledger's traces it is known. Of those that are being sent it follows from the
 * trace's start, when all of it came in one request; else it lies within the trace.
 */
#include "bench/answer.h"

#include "base/bits.h"
#include "bench/answer_priv.h"

struct seen_trace {
	struct str id, start, end, spans, matched, errors; /* as they stand there */
	struct str service, service_spans; /* of the one that it has */
	unsigned services;
	uint64_t start_ns, end_ns, span_count;
};

struct search_check {
	const struct answer_world *world;
	const struct answer_newest *want;
	uint64_t ids[NEWEST_MAX];
	size_t old, live; /* seen of the ledger's, of those that are being sent */
	uint64_t latest_ns; /* the match of the trace before began then, or earlier */
};

static bool
read_services(struct json_reader *r, struct seen_trace *out)
{
	const struct answer_member members[] = {{STR("name"), JSON_STRING, &out->service},
	    {STR("span_count"), JSON_NUMBER, &out->service_spans}};
	enum json_token token;
	for (; (token = jsonr_next(r)) == JSON_OBJECT; out->services++)
		if (!answer_read_members(r, members, ARRAY_LEN(members)))
			return false;
	return token == JSON_ARRAY_END;
}

/* At a trace's beginning. */
static bool
read_trace(struct json_reader *r, struct seen_trace *out)
{
	const struct answer_member members[] = {{STR("trace_id"), JSON_STRING, &out->id},
	    {STR("start_time_unix_nano"), JSON_STRING, &out->start},
	    {STR("end_time_unix_nano"), JSON_STRING, &out->end},
	    {STR("span_count"), JSON_NUMBER, &out->spans},
	    {STR("matched_spans"), JSON_NUMBER, &out->matched},
	    {STR("error_count"), JSON_NUMBER, &out->errors}};
	struct json_reader again = *r;
	*out = (struct seen_trace){0};
	if (!answer_read_members(r, members, ARRAY_LEN(members)))
		return false;
	while (jsonr_next(&again) == JSON_KEY) {
		bool services = str_eq(again.raw, STR("services"));
		enum json_token token = jsonr_next(&again);
		if (services && token == JSON_ARRAY)
			return read_services(&again, out);
		if (!jsonr_skip(&again, token))
			return false;
	}
	return false;
}

/* What it says has to be of the one service that the trace is of, and one span matches. */
static bool
is_summed_up(struct seen_trace *s, uint64_t first, struct err *err)
{
	char service[PAYLOAD_TEXT_BYTES];
	payload_jaeger_service_text(payload_jaeger_service(first), service);
	if (!str_to_u64(s->start, &s->start_ns) || !str_to_u64(s->end, &s->end_ns) ||
	    !str_to_u64(s->spans, &s->span_count))
		return answer_wrong(err, "times or a count are missing in trace", s->id);
	if (s->services != 1 || !str_eq(s->service, str_from(service)) ||
	    !str_eq(s->service_spans, s->spans))
		return answer_wrong(err, "not its service is with trace", s->id);
	if (!str_eq(s->matched, STR("1")))
		return answer_wrong(err, "not one span of it matches: trace", s->id);
	return str_eq(s->errors, STR("0")) ||
	    answer_wrong(err, "no span of it failed: trace", s->id);
}

/* All that the ledger has of it, and it has to be the next one. */
static bool
is_next_old(struct search_check *c, const struct payload *p, const struct seen_trace *s,
    uint64_t first, uint64_t match, struct err *err)
{
	const struct newest *newest = c->want->newest;
	uint64_t match_ns = ledger_span_ns(c->world->ledger, p->client, match);
	uint64_t spans = 0, start_ns = UINT64_MAX;
	for (uint64_t span = first; span < first + payload_trace_spans(p->kind); span++) {
		uint64_t ns = ledger_span_ns(c->world->ledger, p->client, span);
		spans += ns > 0;
		start_ns = ns > 0 && ns < start_ns ? ns : start_ns;
	}
	if (c->old == newest->count || match_ns != newest->items[c->old].time_ns)
		return answer_wrong(err, "another trace comes before", s->id);
	if (s->span_count != spans || s->start_ns != start_ns)
		return answer_wrong(err, "not all that was sent of it is in trace", s->id);
	if (match_ns > c->latest_ns)
		return answer_wrong(err, "not newest first: trace", s->id);
	c->latest_ns = match_ns;
	c->old++;
	return true;
}

/* Whole requests are visible, or are not. */
static bool
is_live(struct search_check *c, const struct payload *p, const struct seen_trace *s, uint64_t first,
    uint64_t match, struct err *err)
{
	uint64_t per = payload_trace_spans(p->kind);
	bool whole = first / p->spans == (first + per - 1) / p->spans;
	uint64_t since = payload_jaeger_age(p, first) - payload_jaeger_age(p, match);
	uint64_t earliest = whole ? s->start_ns + since : s->start_ns;
	uint64_t latest = whole ? s->start_ns + since : s->end_ns;
	if (!answer_is_live(c->world, p->client))
		return answer_wrong(err, "no client that is sending has sent trace", s->id);
	if (s->span_count < (whole ? per : 1) || s->span_count > per)
		return answer_wrong(err, "not whole requests are in trace", s->id);
	if (earliest > c->latest_ns)
		return answer_wrong(err, "not newest first: trace", s->id);
	c->latest_ns = latest < c->latest_ns ? latest : c->latest_ns;
	c->live++;
	return true;
}

/* Which span of the trace is asked for. */
static bool
find_match(const struct answer_newest *want, const struct payload *p, uint64_t first, uint64_t *out)
{
	uint64_t end = first + payload_trace_spans(p->kind);
	for (*out = first; *out < end; ++*out)
		if (answer_was_asked_for(want, p, *out))
			return true;
	return false;
}

static bool
is_among_traces(void *ctx, struct json_reader *r, struct err *err)
{
	struct search_check *c = ctx;
	struct seen_trace shown, *s = &shown;
	struct payload p = c->world->payload;
	struct payload_trace_id id;
	size_t seen = c->old + c->live;
	uint64_t trace, match;
	if (!read_trace(r, s))
		return answer_not_json(r, err);
	if (seen == NEWEST_MAX)
		return answer_wrong_count(NEWEST_MAX + 1, NEWEST_MAX, "traces", err);
	if (s->id.len != 32 || !hex_to_u64(s->id.ptr, 16, &id.hi) ||
	    !hex_to_u64(s->id.ptr + 16, 16, &id.lo) || !payload_trace_of(&p, id, &trace))
		return answer_wrong(err, "nobody has sent trace", s->id);
	for (size_t i = 0; i < seen; i++)
		if (c->ids[i] == id.hi)
			return answer_wrong(err, "a trace comes twice:", s->id);
	c->ids[seen] = id.hi;
	uint64_t first = trace * payload_trace_spans(p.kind);
	if (!find_match(c->want, &p, first, &match))
		return answer_wrong(err, "what was asked for was not sent in trace", s->id);
	if (!is_summed_up(s, first, err))
		return false;
	return ledger_has_client(c->world->ledger, p.client)
	    ? is_next_old(c, &p, s, first, match, err)
	    : is_live(c, &p, s, first, match, err);
}

bool
answer_is_search(struct str json, const struct answer_world *world,
    const struct answer_newest *want, struct err *err)
{
	struct search_check c = {.world = world, .want = want, .latest_ns = UINT64_MAX};
	CHECK(world->payload.kind == PAYLOAD_JAEGER && want->attribute);
	if (!answer_each(json, STR("traces"), is_among_traces, &c, err))
		return false;
	size_t old = answer_room(want, c.live);
	return c.old == old || answer_wrong_count(c.live + c.old, c.live + old, "traces", err);
}
