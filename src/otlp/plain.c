/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/plain.h"

#include "base/arena.h"
#include "model/typed.h"
#include "wire/json_read.h"

struct plain {
	struct json_reader r;
	struct arena scratch;
	struct buf *out;
};

static bool put_value(struct plain *p, enum json_token tok);

static bool
put_number(struct plain *p)
{
	struct str raw = p->r.raw;
	int64_t i;
	double d;
	bool whole = !memchr(raw.ptr, '.', raw.len) && !memchr(raw.ptr, 'e', raw.len) &&
	    !memchr(raw.ptr, 'E', raw.len);
	if (whole && str_to_i64(raw, &i)) {
		buf_i64(p->out, i);
		return true;
	}
	if (!str_to_f64(raw, &d))
		return false;
	typed_put_double(p->out, d);
	return true;
}

/* Members up to the end of an object; tok: what was read first in it. */
static bool
put_members(struct plain *p, enum json_token tok)
{
	bool first = true;
	buf_char(p->out, '{');
	for (; tok == JSON_KEY; tok = jsonr_next(&p->r), first = false) {
		if (!first)
			buf_char(p->out, ',');
		typed_put_key(p->out, jsonr_string(&p->r, &p->scratch));
		if (!put_value(p, jsonr_next(&p->r)))
			return false;
	}
	buf_char(p->out, '}');
	return tok == JSON_OBJECT_END;
}

static bool
put_items(struct plain *p)
{
	enum json_token tok = jsonr_next(&p->r);
	bool first = true;
	buf_char(p->out, '[');
	for (; tok != JSON_ARRAY_END; tok = jsonr_next(&p->r), first = false) {
		if (!first)
			buf_char(p->out, ',');
		if (!put_value(p, tok))
			return false;
	}
	buf_char(p->out, ']');
	return true;
}

static bool
put_value(struct plain *p, enum json_token tok)
{
	if (tok == JSON_OBJECT)
		return put_members(p, jsonr_next(&p->r));
	if (tok == JSON_ARRAY)
		return put_items(p);
	if (tok == JSON_STRING)
		typed_put_string(p->out, jsonr_string(&p->r, &p->scratch));
	else if (tok == JSON_NUMBER)
		return put_number(p);
	else if (tok == JSON_TRUE || tok == JSON_FALSE)
		buf_str(p->out, tok == JSON_TRUE ? STR("true") : STR("false"));
	else if (tok == JSON_NULL)
		buf_str(p->out, STR("null"));
	else
		return false;
	return true;
}

/* An object that was begun, as the attributes of something; nothing is written for an empty one. */
static bool
put_attributes(struct plain *p, const char *before)
{
	enum json_token tok = jsonr_next(&p->r);
	if (tok == JSON_OBJECT_END)
		return true;
	buf_str(p->out, str_from(before));
	return put_members(p, tok);
}

bool
otlp_plain_attributes(struct str json, struct buf *out)
{
	struct plain p = {.out = out};
	if (str_trim(json).len == 0)
		return true;
	jsonr_begin(&p.r, json);
	enum json_token tok = jsonr_next(&p.r);
	bool good = tok == JSON_NULL || (tok == JSON_OBJECT && put_attributes(&p, ""));
	good = good && jsonr_next(&p.r) == JSON_END;
	arena_fini(&p.scratch);
	return good;
}

/* ---- events and links */

/* A member of theirs and of ours. */
struct known {
	const char *camel, *snake;
	const char *ours; /* with what stands before its value */
	enum { KNOWN_TEXT, KNOWN_NUMBER, KNOWN_ATTRIBUTES } kind;
};

static const struct known event_members[] = {
    {"timeUnixNano", "time_unix_nano", "\"t\":", KNOWN_NUMBER},
    {"name", "name", "\"name\":", KNOWN_TEXT},
    {"attributes", "attributes", ",\"attributes\":", KNOWN_ATTRIBUTES},
    {"droppedAttributesCount", "dropped_attributes_count", ",\"dropped\":", KNOWN_NUMBER},
    {NULL, NULL, NULL, KNOWN_TEXT},
};

static const struct known link_members[] = {
    {"traceId", "trace_id", "\"trace_id\":", KNOWN_TEXT},
    {"spanId", "span_id", ",\"span_id\":", KNOWN_TEXT},
    {"traceState", "trace_state", ",\"trace_state\":", KNOWN_TEXT},
    {"attributes", "attributes", ",\"attributes\":", KNOWN_ATTRIBUTES},
    {"droppedAttributesCount", "dropped_attributes_count", ",\"dropped\":", KNOWN_NUMBER},
    {"flags", "flags", ",\"flags\":", KNOWN_NUMBER},
    {NULL, NULL, NULL, KNOWN_TEXT},
};

enum { MEMBERS_MAX = 6, ALWAYS = 2 /* the first ones are written even when they are zero */ };

/* What was read of one: texts decoded, numbers as digits, attributes converted. */
struct item {
	struct str values[MEMBERS_MAX];
	struct buf attributes;
};

static bool
read_attributes(struct plain *p, struct item *item, enum json_token tok)
{
	struct buf *out = p->out;
	p->out = &item->attributes;
	buf_reset(p->out); /* given twice: the last one counts */
	bool good = tok == JSON_NULL || (tok == JSON_OBJECT && put_attributes(p, ""));
	p->out = out;
	return good;
}

/* An id must be so many hex digits, which become small ones. */
static bool
take_id(struct plain *p, struct str *id, size_t digits)
{
	struct buf small = {0};
	bool good = id->len == digits;
	for (size_t i = 0; i < id->len && good; i++) {
		char c = id->ptr[i];
		good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		buf_char(&small, c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c);
	}
	if (good)
		*id = arena_str(&p->scratch, buf_view(&small));
	good = id->len == 0 || (good && id->ptr);
	buf_fini(&small);
	return good;
}

static bool
read_member(struct plain *p, const struct known *members, struct item *item)
{
	struct str key = p->r.raw;
	enum json_token tok = jsonr_next(&p->r);
	for (size_t i = 0; members[i].camel; i++) {
		if (!str_eq(key, str_from(members[i].camel)) &&
		    !str_eq(key, str_from(members[i].snake)))
			continue;
		if (members[i].kind == KNOWN_ATTRIBUTES)
			return read_attributes(p, item, tok);
		uint64_t n;
		if (tok == JSON_STRING)
			item->values[i] = jsonr_string(&p->r, &p->scratch);
		if (tok == JSON_STRING && members == link_members && i < ALWAYS)
			return take_id(p, &item->values[i], i == 0 ? 32 : 16);
		if (tok == JSON_NUMBER)
			item->values[i] = p->r.raw;
		else if (tok != JSON_NULL && tok != JSON_STRING)
			return false;
		return members[i].kind != KNOWN_NUMBER || item->values[i].len == 0 ||
		    str_to_u64(item->values[i], &n);
	}
	return jsonr_skip(&p->r, tok);
}

static void
put_item(struct plain *p, const struct known *members, const struct item *item)
{
	bool event = members == event_members;
	buf_char(p->out, '{');
	for (size_t i = 0; members[i].camel; i++) {
		struct str v = item->values[i];
		bool zero = v.len == 0 || (members[i].kind == KNOWN_NUMBER && str_eq(v, STR("0")));
		if (members[i].kind == KNOWN_ATTRIBUTES) {
			if (item->attributes.len > 0) {
				buf_str(p->out, str_from(members[i].ours));
				buf_str(p->out, buf_view(&item->attributes));
			}
			continue;
		}
		if (zero && i >= ALWAYS)
			continue;
		if (event && i == 1)
			buf_char(p->out, ',');
		buf_str(p->out, str_from(members[i].ours));
		if (members[i].kind == KNOWN_TEXT)
			typed_put_string(p->out, v);
		else
			buf_str(p->out, v.len > 0 ? v : STR("0"));
	}
	buf_char(p->out, '}');
}

static bool
read_item(struct plain *p, const struct known *members, struct item *item)
{
	enum json_token tok = jsonr_next(&p->r);
	for (; tok == JSON_KEY; tok = jsonr_next(&p->r))
		if (!read_member(p, members, item))
			return false;
	return tok == JSON_OBJECT_END;
}

static bool
put_list(struct str json, const struct known *members, struct buf *out)
{
	struct plain p = {.out = out};
	size_t count = 0;
	if (str_trim(json).len == 0)
		return true;
	jsonr_begin(&p.r, json);
	enum json_token tok = jsonr_next(&p.r);
	bool good = tok == JSON_NULL || tok == JSON_ARRAY;
	for (tok = tok == JSON_ARRAY ? jsonr_next(&p.r) : JSON_ARRAY_END;
	    good && tok == JSON_OBJECT; tok = jsonr_next(&p.r)) {
		struct item item = {.attributes = {0}};
		good = read_item(&p, members, &item);
		buf_char(out, count++ == 0 ? '[' : ',');
		put_item(&p, members, &item);
		buf_fini(&item.attributes);
	}
	good = good && tok == JSON_ARRAY_END && jsonr_next(&p.r) == JSON_END;
	if (count > 0)
		buf_char(out, ']');
	arena_fini(&p.scratch);
	return good;
}

bool
otlp_plain_events(struct str json, struct buf *out)
{
	return put_list(json, event_members, out);
}

bool
otlp_plain_links(struct str json, struct buf *out)
{
	return put_list(json, link_members, out);
}
