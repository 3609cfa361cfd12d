/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/answer.h"

#include "bench/answer_priv.h"

struct seen_record {
	struct str time_ns, body; /* ptr NULL: it is no text */
};

static bool
read_record(struct json_reader *r, struct arena *arena, struct seen_record *out)
{
	enum json_token token;
	*out = (struct seen_record){0};
	while ((token = jsonr_next(r)) == JSON_KEY) {
		struct str name = r->raw;
		token = jsonr_next(r);
		if (token == JSON_STRING && str_eq(name, STR("time_unix_nano")))
			out->time_ns = r->raw;
		if (token == JSON_STRING && str_eq(name, STR("body")))
			out->body = jsonr_string(r, arena);
		if (!jsonr_skip(r, token))
			return false;
	}
	return token == JSON_OBJECT_END;
}

struct records_check {
	const struct payload *p;
	const struct newest *newest;
	struct arena arena; /* bodies */
	size_t count; /* seen */
};

/* Records of one time may come in any order. */
static bool
is_record_at(const struct seen_record *s, const struct payload *p, const struct newest *newest,
    size_t at, struct err *err)
{
	char body[PAYLOAD_LOG_BODY_BYTES];
	uint64_t time_ns;
	if (at >= newest->count)
		return answer_wrong(err, "a record too many:", s->body);
	if (!str_to_u64(s->time_ns, &time_ns) || time_ns != newest->items[at].time_ns)
		return answer_wrong(err, "another record comes before", s->body);
	while (at > 0 && newest->items[at - 1].time_ns == time_ns)
		at--;
	for (; at < newest->count && newest->items[at].time_ns == time_ns; at++) {
		struct payload of = *p;
		of.client = newest->items[at].client;
		size_t len = payload_log_body(&of, newest->items[at].number, body);
		if (str_eq(s->body, str_of(body, len)))
			return true;
	}
	/* Of those of one time there may have been more than are wanted. */
	if (newest->total > newest->count && time_ns == newest->items[newest->count - 1].time_ns)
		return true;
	return answer_wrong(err, "not what was sent then:", s->body);
}

static bool
is_next_record(void *ctx, struct json_reader *r, struct err *err)
{
	struct records_check *c = ctx;
	struct seen_record s;
	if (!read_record(r, &c->arena, &s))
		return answer_not_json(r, err);
	return is_record_at(&s, c->p, c->newest, c->count++, err);
}

bool
answer_is_records(struct str json, const struct payload *p, const struct newest *newest,
    struct err *err)
{
	struct records_check c = {.p = p, .newest = newest};
	bool right = answer_each(json, STR("logs"), is_next_record, &c, err) &&
	    (c.count == newest->count ||
	        answer_wrong_count(c.count, newest->count, "records", err));
	arena_fini(&c.arena);
	return right;
}
