/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/walk.h"

#include "base/bits.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "model/typed.h"

static void
check_text(struct walk *w, const char *what, struct str s, uint64_t bytes_max)
{
	if (__builtin_expect(s.len > bytes_max, 0))
		walk_refuse(w, "%s is longer than %llu bytes", what, (unsigned long long)bytes_max);
	else if (__builtin_expect(!utf8_valid(s), 0))
		walk_refuse(w, "%s is not valid UTF-8", what);
}

void
walk_string(struct walk *w, const char *what, struct str s, struct str *out)
{
	check_text(w, what, s, w->limits->value_bytes_max);
	*out = s;
}

void
walk_name(struct walk *w, const char *what, struct str s, struct str *out)
{
	check_text(w, what, s, w->limits->name_bytes_max);
	*out = s;
}

void
walk_trace_id(struct walk *w, const char *what, struct str id, bool required, uint64_t *hi,
    uint64_t *lo)
{
	*hi = *lo = 0;
	if (id.len == 16) {
		*hi = get_u64be(id.ptr);
		*lo = get_u64be(id.ptr + 8);
	} else if (id.len > 0) {
		walk_refuse(w, "%s has %zu bytes, not 16", what, id.len);
	}
	if (required && (*hi | *lo) == 0)
		walk_refuse(w, "%s is %s", what, id.len > 0 ? "all zero" : "missing");
}

void
walk_span_id(struct walk *w, const char *what, struct str id, bool required, uint64_t *out)
{
	*out = 0;
	if (id.len == 8)
		*out = get_u64be(id.ptr);
	else if (id.len > 0)
		walk_refuse(w, "%s has %zu bytes, not 8", what, id.len);
	if (required && *out == 0)
		walk_refuse(w, "%s is %s", what, id.len > 0 ? "all zero" : "missing");
}

void
walk_count(struct walk *w, const char *what, uint64_t *count)
{
	if (++*count > w->limits->list_items_max)
		walk_refuse(w, "more than %llu %s", (unsigned long long)w->limits->list_items_max,
		    what);
}

void
walk_weigh_text(struct walk *w, struct str s)
{
	w->weight += s.len;
	w->json_bytes += s.len;
	if (__builtin_expect(w->weigh_escapes, 0))
		w->weight += typed_escape_bytes(s);
}

/* ---- AnyValue */

/* With the comma before it: the longest scalar is {"$double":"-Infinity"}. Text and what is in
 * arrays and lists comes on top. */
enum {
	WEIGHT_STRING = 3,
	WEIGHT_SHORT = 6, /* null, false, [], {} */
	WEIGHT_NUMBER = 28,
	WEIGHT_KEY = 5,
	WEIGHT_OBJECT = 2
};

enum {
	VALUE_STRING = PB_KEY(1, PB_BYTES),
	VALUE_BOOL = PB_KEY(2, PB_VARINT),
	VALUE_INT = PB_KEY(3, PB_VARINT),
	VALUE_DOUBLE = PB_KEY(4, PB_FIXED64),
	VALUE_ARRAY = PB_KEY(5, PB_BYTES),
	VALUE_KVLIST = PB_KEY(6, PB_BYTES),
	VALUE_BYTES = PB_KEY(7, PB_BYTES),
};

static bool
is_value(uint32_t key)
{
	return key == VALUE_STRING || key == VALUE_BOOL || key == VALUE_INT ||
	    key == VALUE_DOUBLE || key == VALUE_ARRAY || key == VALUE_KVLIST || key == VALUE_BYTES;
}

/* The member of the oneof that counts; its key is 0 when the value is unset. */
static uint32_t
pick_value(struct walk *w, struct str message, struct pb_field *value_out)
{
	struct pb_reader r;
	struct pb_field f;
	uint32_t key = 0;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (!is_value(pb_key(&f)))
			continue;
		key = pb_key(&f);
		*value_out = f;
	}
	return key;
}

static inline void
put_char(struct buf *out, char c)
{
	if (out)
		buf_char(out, c);
}

static void
walk_array(struct walk *w, struct str message, unsigned level, struct buf *out)
{
	struct pb_reader r;
	struct pb_field f;
	bool first = true;
	put_char(out, '[');
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) != PB_KEY(1, PB_BYTES))
			continue;
		if (!first)
			put_char(out, ',');
		first = false;
		walk_value(w, f.bytes, level, out);
	}
	put_char(out, ']');
}

void
walk_key_value(struct walk *w, struct str message, struct str *key, struct str *value)
{
	struct pb_reader r;
	struct pb_field f;
	*key = *value = STR_EMPTY;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) == PB_KEY(1, PB_BYTES))
			walk_name(w, "attribute key", f.bytes, key);
		else if (pb_key(&f) == PB_KEY(2, PB_BYTES))
			*value = f.bytes;
	}
}

static void
walk_member(struct walk *w, struct str message, unsigned level, struct buf *out)
{
	struct str key, value;
	walk_key_value(w, message, &key, &value);
	walk_weigh(w, WEIGHT_KEY);
	walk_weigh_text(w, key);
	if (out)
		typed_put_key(out, key);
	walk_value(w, value, level, out);
}

static void
walk_kvlist(struct walk *w, struct str message, unsigned level, struct buf *out)
{
	struct pb_reader r;
	struct pb_field f;
	bool first = true;
	put_char(out, '{');
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) != PB_KEY(1, PB_BYTES))
			continue;
		if (!first)
			put_char(out, ',');
		first = false;
		walk_member(w, f.bytes, level, out);
	}
	put_char(out, '}');
}

static void
put_scalar(struct buf *out, uint32_t key, const struct pb_field *f)
{
	switch (key) {
	case VALUE_STRING: typed_put_string(out, f->bytes); return;
	case VALUE_BOOL: buf_str(out, f->value ? STR("true") : STR("false")); return;
	case VALUE_INT: buf_i64(out, (int64_t)f->value); return;
	case VALUE_DOUBLE: typed_put_double(out, pb_double(f->value)); return;
	case VALUE_BYTES: typed_put_bytes(out, f->bytes); return;
	default: buf_str(out, STR("null")); return;
	}
}

static inline void
weigh_value(struct walk *w, uint32_t key, struct str bytes)
{
	if (__builtin_expect(key == VALUE_STRING, 1)) {
		walk_weigh(w, WEIGHT_STRING);
		walk_weigh_text(w, bytes);
		return;
	}
	if (key == VALUE_DOUBLE || key == VALUE_INT || key == VALUE_BYTES)
		walk_weigh(w, WEIGHT_NUMBER);
	else
		walk_weigh(w, WEIGHT_SHORT);
	if (key == VALUE_BYTES)
		walk_weigh(w, bytes.len + bytes.len / 2); /* base64 takes a third */
}

/* What lies deeper than the limit is not read at all. */
bool
walk_value(struct walk *w, struct str message, unsigned level, struct buf *out)
{
	struct pb_field f = {0};
	if (level > w->limits->depth_max) {
		walk_refuse(w, "%s is nested deeper than %llu levels", w->value_name,
		    (unsigned long long)w->limits->depth_max);
		return false;
	}
	uint32_t key = pick_value(w, message, &f);
	weigh_value(w, key, f.bytes);
	if (f.bytes.len > w->limits->value_bytes_max)
		walk_refuse(w, "%s is longer than %llu bytes", w->value_name,
		    (unsigned long long)w->limits->value_bytes_max);
	if (key == VALUE_STRING && !utf8_valid(f.bytes))
		walk_refuse(w, "%s is not valid UTF-8", w->value_name);
	if (w->bad)
		out = NULL;
	if (key == VALUE_ARRAY)
		walk_array(w, f.bytes, level + 1, out);
	else if (key == VALUE_KVLIST)
		walk_kvlist(w, f.bytes, level + 1, out);
	else if (out)
		put_scalar(out, key, &f);
	return key == VALUE_STRING;
}

bool
walk_value_text(struct walk *w, struct str message, struct str *out)
{
	struct pb_field f;
	if (pick_value(w, message, &f) != VALUE_STRING)
		return false;
	*out = f.bytes;
	return true;
}

/* ---- lists of attributes */

struct attr_list
walk_attributes(struct walk *w, enum sink_buf id)
{
	return (struct attr_list){.out = walk_buf(w, id)};
}

void
walk_attribute(struct walk *w, struct attr_list *list, struct str key_value)
{
	if (++list->count > w->limits->attributes_max)
		walk_refuse(w, "more than %llu attributes",
		    (unsigned long long)w->limits->attributes_max);
	if (list->count == 1)
		walk_weigh(w, WEIGHT_OBJECT);
	struct buf *out = w->bad ? NULL : list->out;
	size_t from = 0;
	if (out) {
		buf_char(out, list->count == 1 ? '{' : ',');
		from = out->len;
	}
	walk_member(w, key_value, 1, out);
	if (out && !out->failed && w->signal == SIGNAL_METRICS)
		list->sum += hash_u64(str_of(out->ptr + from, out->len - from));
}

void
walk_attributes_end(struct attr_list *list)
{
	if (list->out && list->count > 0)
		buf_char(list->out, '}');
}

/* ---- JSON objects in lists: events, links, exemplars, entity references */

void
walk_put_element(struct buf *out)
{
	buf_str(out, out->len == 0 ? STR("[{") : STR(",{"));
}

void
walk_put_list_end(struct buf *out)
{
	if (out->len > 0)
		buf_char(out, ']');
}

/* No value and no key ends with '{', so one before us means that we are the first. */
void
walk_put_member(struct buf *out, struct str name)
{
	if (out->failed)
		return;
	buf_str(out, out->ptr[out->len - 1] == '{' ? STR("\"") : STR(",\""));
	buf_str(out, name);
	buf_str(out, STR("\":"));
}

void
walk_put_member_u64(struct buf *out, struct str name, uint64_t v)
{
	if (v == 0)
		return;
	walk_put_member(out, name);
	buf_u64(out, v);
}

void
walk_put_member_text(struct buf *out, struct str name, struct str v)
{
	if (v.len == 0)
		return;
	walk_put_member(out, name);
	typed_put_string(out, v);
}

void
walk_put_member_ids(struct buf *out, uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id)
{
	char text[32];
	if (trace_hi | trace_lo) {
		hex_u64(trace_hi, text);
		hex_u64(trace_lo, text + 16);
		walk_put_member_text(out, STR("trace_id"), str_of(text, 32));
	}
	if (span_id) {
		hex_u64(span_id, text);
		walk_put_member_text(out, STR("span_id"), str_of(text, 16));
	}
}

void
walk_put_member_attributes(struct buf *out, const struct attr_list *list)
{
	if (list->count == 0)
		return;
	walk_put_member(out, STR("attributes"));
	if (list->out->failed)
		out->failed = true;
	buf_str(out, buf_view(list->out));
}
