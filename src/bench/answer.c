/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/answer.h"

#include "base/bits.h"
#include "wire/json_read.h"

enum { TRACE_SPANS_MAX = 64 };

/* What a check looks at in a span of an answer. Strings point into the answer. */
struct seen_span {
	struct str trace_id, span_id, service, start_ns;
	struct str value; /* of the attribute that is looked for; ptr NULL: it has none */
};

static bool
wrong(struct err *err, const char *what, struct str shown)
{
	if (shown.len > 60)
		shown.len = 60;
	err_set(err, ERR_INVALID, "%s \"%.*s\"", what, STR_ARG(shown));
	return false;
}

static bool
not_json(const struct json_reader *r, struct err *err)
{
	err_set(err, ERR_INVALID, "the answer is not the JSON it should be: %s at byte %zu",
	    r->error ? r->error : "another shape", (size_t)(r->at - r->start));
	return false;
}

/* ---- reading */

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

/* At a span's beginning. */
static bool
read_span(struct json_reader *r, struct str key, struct seen_span *out)
{
	const struct {
		struct str name;
		struct str *to;
	} wanted[] = {{STR("trace_id"), &out->trace_id}, {STR("span_id"), &out->span_id},
	    {STR("service"), &out->service}, {STR("start_time_unix_nano"), &out->start_ns}};
	enum json_token token;
	*out = (struct seen_span){0};
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

/* On to the value of the answer's member `name`; members before it are passed over. */
static bool
find_member(struct json_reader *r, struct str json, struct str name, enum json_token *value_out)
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

static bool
find_number(struct str json, struct str name, uint64_t *out)
{
	struct json_reader r;
	enum json_token token;
	return find_member(&r, json, name, &token) && token == JSON_NUMBER &&
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

bool
answer_is_trace(struct str json, const struct payload *p, uint64_t trace, struct err *err)
{
	char hex[32];
	struct json_reader r;
	struct seen_span s;
	enum json_token token;
	uint64_t seen = 0, count = 0, per = payload_trace_spans(p->kind);
	CHECK(per < TRACE_SPANS_MAX);
	trace_hex(p, trace, hex);
	struct str id = str_of(hex, sizeof(hex));
	if (!find_number(json, STR("span_count"), &count) || count != per)
		return wrong(err, "not all spans, and only those, are in trace", id);
	if (!find_member(&r, json, STR("spans"), &token) || token != JSON_ARRAY)
		return not_json(&r, err);
	while ((token = jsonr_next(&r)) == JSON_OBJECT) {
		if (!read_span(&r, STR_EMPTY, &s))
			return not_json(&r, err);
		uint64_t i = position_of(p, trace, s.span_id);
		if (!str_eq(s.trace_id, id) || i == UINT64_MAX || (seen >> i & 1))
			return wrong(err, "a span that is another's or comes twice:", s.span_id);
		seen |= UINT64_C(1) << i;
	}
	if (token != JSON_ARRAY_END)
		return not_json(&r, err);
	return seen == (UINT64_C(1) << per) - 1 || wrong(err, "spans are missing in trace", id);
}

/* ---- lists of spans */

static bool
is_wanted(const struct seen_span *s, const struct answer_spans *want, uint64_t start_ns,
    uint64_t before_ns, struct err *err)
{
	if (want->service.len > 0 && !str_eq(s->service, want->service))
		return wrong(err, "a span of another service:", s->service);
	if (want->key.len > 0 && (!s->value.ptr || !str_eq(s->value, want->value)))
		return wrong(err, "a span with another value of the attribute:", s->value);
	if (start_ns > before_ns)
		return wrong(err, "not newest first: span", s->span_id);
	if (before_ns == UINT64_MAX && start_ns < want->newest_min_ns)
		return wrong(err, "there are newer spans than", s->span_id);
	return true;
}

bool
answer_is_spans(struct str json, const struct answer_spans *want, struct err *err)
{
	struct json_reader r;
	struct seen_span s;
	enum json_token token;
	uint64_t count = 0, start_ns, before_ns = UINT64_MAX;
	if (!find_member(&r, json, STR("spans"), &token) || token != JSON_ARRAY)
		return not_json(&r, err);
	while ((token = jsonr_next(&r)) == JSON_OBJECT) {
		if (!read_span(&r, want->key, &s) || !str_to_u64(s.start_ns, &start_ns))
			return not_json(&r, err);
		if (!is_wanted(&s, want, start_ns, before_ns, err))
			return false;
		before_ns = start_ns;
		count++;
	}
	if (token != JSON_ARRAY_END)
		return not_json(&r, err);
	if (count != want->count)
		err_set(err, ERR_INVALID, "%llu spans instead of %llu", (unsigned long long)count,
		    (unsigned long long)want->count);
	return count == want->count;
}

/* ---- services */

static bool
read_service(struct json_reader *r, uint64_t *spans_out)
{
	enum json_token token;
	uint64_t n;
	while ((token = jsonr_next(r)) == JSON_KEY) {
		bool found = str_eq(r->raw, STR("span_count"));
		token = jsonr_next(r);
		if (found && token == JSON_NUMBER && str_to_u64(r->raw, &n))
			*spans_out += n;
		if (!jsonr_skip(r, token))
			return false;
	}
	return token == JSON_OBJECT_END;
}

bool
answer_services(struct str json, uint64_t *services_out, uint64_t *spans_out, struct err *err)
{
	struct json_reader r;
	enum json_token token;
	*services_out = *spans_out = 0;
	if (!find_member(&r, json, STR("services"), &token) || token != JSON_ARRAY)
		return not_json(&r, err);
	for (; (token = jsonr_next(&r)) == JSON_OBJECT; ++*services_out)
		if (!read_service(&r, spans_out))
			return not_json(&r, err);
	return token == JSON_ARRAY_END || not_json(&r, err);
}

bool
answer_is_services(struct str json, uint64_t services, uint64_t spans, struct err *err)
{
	uint64_t count, found;
	if (!answer_services(json, &count, &found, err))
		return false;
	if (count == services && found == spans)
		return true;
	err_set(err, ERR_INVALID, "%llu services with %llu spans instead of %llu with %llu",
	    (unsigned long long)count, (unsigned long long)found, (unsigned long long)services,
	    (unsigned long long)spans);
	return false;
}
