/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/answer.h"

#include "base/bits.h"
#include "bench/answer_priv.h"

enum { TRACE_SPANS_MAX = 64 };

bool
answer_wrong(struct err *err, const char *what, struct str shown)
{
	if (shown.len > 60)
		shown.len = 60;
	err_set(err, ERR_INVALID, "%s \"%.*s\"", what, STR_ARG(shown));
	return false;
}

bool
answer_wrong_count(uint64_t count, uint64_t wanted, const char *what, struct err *err)
{
	err_set(err, ERR_INVALID, "%llu %s instead of %llu", (unsigned long long)count, what,
	    (unsigned long long)wanted);
	return false;
}

bool
answer_not_json(const struct json_reader *r, struct err *err)
{
	err_set(err, ERR_INVALID, "the answer is not the JSON it should be: %s at byte %zu",
	    r->error ? r->error : "another shape", (size_t)(r->at - r->start));
	return false;
}

/* ---- reading */

bool
answer_read_members(struct json_reader *r, const struct answer_member *members, size_t count)
{
	enum json_token token;
	while ((token = jsonr_next(r)) == JSON_KEY) {
		struct str name = r->raw;
		token = jsonr_next(r);
		for (size_t i = 0; i < count; i++)
			if (token == members[i].type && str_eq(name, members[i].name))
				*members[i].out = r->raw;
		if (!jsonr_skip(r, token))
			return false;
	}
	return token == JSON_OBJECT_END;
}

bool
answer_read_part(struct str json, struct str name, const struct answer_member *members,
    size_t count, struct err *err)
{
	struct json_reader r;
	enum json_token token = JSON_ERROR;
	if (name.len > 0) {
		if (!answer_find_member(&r, json, name, &token))
			return answer_not_json(&r, err);
	} else {
		jsonr_begin(&r, json);
		token = jsonr_next(&r);
	}
	return (token == JSON_OBJECT && answer_read_members(&r, members, count)) ||
	    answer_not_json(&r, err);
}

/* At an object's beginning: its member `key` when that is a string. */
static bool
read_attribute(struct json_reader *r, struct str key, struct str *value_out)
{
	enum json_token token;
	while ((token = jsonr_next(r)) == JSON_KEY) {
		bool found = str_eq(r->raw, key);
		token = jsonr_next(r);
		if (found && token == JSON_STRING)
			*value_out = r->raw;
		if (!jsonr_skip(r, token))
			return false;
	}
	return token == JSON_OBJECT_END;
}

bool
answer_read_span(struct json_reader *r, struct str key, struct answer_seen_span *out)
{
	const struct {
		struct str name;
		struct str *to;
	} wanted[] = {{STR("trace_id"), &out->trace_id}, {STR("span_id"), &out->span_id},
	    {STR("service"), &out->service}, {STR("start_time_unix_nano"), &out->start_ns}};
	enum json_token token;
	*out = (struct answer_seen_span){0};
	while ((token = jsonr_next(r)) == JSON_KEY) {
		struct str name = r->raw, *to = NULL;
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
			if (str_eq(name, wanted[i].name))
				to = wanted[i].to;
		token = jsonr_next(r);
		bool ok;
		if (token == JSON_OBJECT && str_eq(name, STR("attributes")))
			ok = read_attribute(r, key, &out->value);
		else
			ok = jsonr_skip(r, token);
		if (!ok)
			return false;
		if (to && token == JSON_STRING)
			*to = r->raw;
	}
	return token == JSON_OBJECT_END;
}

bool
answer_find_member(struct json_reader *r, struct str json, struct str name,
    enum json_token *value_out)
{
	jsonr_begin(r, json);
	if (jsonr_next(r) != JSON_OBJECT)
		return false;
	while (jsonr_next(r) == JSON_KEY) {
		bool found = str_eq(r->raw, name);
		*value_out = jsonr_next(r);
		if (found)
			return true;
		if (!jsonr_skip(r, *value_out))
			return false;
	}
	return false;
}

bool
answer_each(struct str json, struct str list,
    bool (*item)(void *ctx, struct json_reader *r, struct err *err), void *ctx, struct err *err)
{
	struct json_reader r;
	enum json_token token;
	if (!answer_find_member(&r, json, list, &token) || token != JSON_ARRAY)
		return answer_not_json(&r, err);
	while ((token = jsonr_next(&r)) == JSON_OBJECT)
		if (!item(ctx, &r, err))
			return false;
	return token == JSON_ARRAY_END || answer_not_json(&r, err);
}

static bool
find_number(struct str json, struct str name, uint64_t *out)
{
	struct json_reader r;
	enum json_token token;
	return answer_find_member(&r, json, name, &token) && token == JSON_NUMBER &&
	    str_to_u64(r.raw, out);
}

/* ---- a trace */

static void
trace_hex(const struct payload *p, uint64_t trace, char hex[32])
{
	struct payload_trace_id id = payload_trace_id(p, trace);
	hex_u64(id.hi, hex);
	hex_u64(id.lo, hex + 16);
}

/* Which of the trace's spans it is; UINT64_MAX: none. */
static uint64_t
position_of(const struct payload *p, uint64_t trace, struct str span_id)
{
	uint64_t per = payload_trace_spans(p->kind), id;
	if (!hex_to_u64(span_id.ptr, span_id.len, &id))
		return UINT64_MAX;
	for (uint64_t i = 0; i < per; i++)
		if (payload_span_id(p, trace * per + i) == id)
			return i;
	return UINT64_MAX;
}

struct trace_check {
	const struct payload *p;
	uint64_t trace;
	struct str id;
	uint64_t seen; /* a bit for each of its spans */
};

static bool
is_of_trace(void *ctx, struct json_reader *r, struct err *err)
{
	struct trace_check *c = ctx;
	struct answer_seen_span s;
	if (!answer_read_span(r, STR_EMPTY, &s))
		return answer_not_json(r, err);
	uint64_t i = position_of(c->p, c->trace, s.span_id);
	if (!str_eq(s.trace_id, c->id) || i == UINT64_MAX || (c->seen >> i & 1))
		return answer_wrong(err, "a span that is another's or comes twice:", s.span_id);
	c->seen |= UINT64_C(1) << i;
	return true;
}

bool
answer_is_trace(struct str json, const struct payload *p, uint64_t trace, struct err *err)
{
	char hex[32];
	uint64_t count = 0, per = payload_trace_spans(p->kind);
	struct trace_check c = {p, trace, str_of(hex, sizeof(hex)), 0};
	CHECK(per < TRACE_SPANS_MAX);
	trace_hex(p, trace, hex);
	if (!find_number(json, STR("span_count"), &count) || count != per)
		return answer_wrong(err, "not all spans, and only those, are in trace", c.id);
	return answer_each(json, STR("spans"), is_of_trace, &c, err) &&
	    (c.seen == (UINT64_C(1) << per) - 1 ||
	        answer_wrong(err, "spans are missing in trace", c.id));
}
