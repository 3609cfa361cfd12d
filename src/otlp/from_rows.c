/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/from_rows.h"

#include "base/base64.h"
#include "base/hash.h"
#include "otlp/encode.h"
#include "wire/json_read.h"
#include "wire/pb.h"

#include <math.h>
#include <stdlib.h>

/* ---- typed JSON to protobuf */

/* Readers of one text: `scratch` takes strings that had escapes. */
struct typed_reader {
	struct json_reader r;
	struct arena scratch;
};

static bool put_value(struct typed_reader *t, struct buf *out, uint32_t number,
    enum json_token tok);

static bool
number_value(struct str raw, struct otlp_value *out)
{
	bool is_double = memchr(raw.ptr, '.', raw.len) || memchr(raw.ptr, 'e', raw.len) ||
	    memchr(raw.ptr, 'E', raw.len);
	int64_t i = 0;
	double d = 0;
	bool good = is_double ? str_to_f64(raw, &d) : str_to_i64(raw, &i);
	*out = is_double ? otlp_value_double(d) : otlp_value_int(i);
	return good;
}

/* The value of {"$double":".."} or {"$bytes":".."}, whose key was read. */
static bool
special_value(struct typed_reader *t, struct str key, struct otlp_value *out)
{
	if (jsonr_next(&t->r) != JSON_STRING)
		return false;
	struct str text = jsonr_string(&t->r, &t->scratch);
	if (jsonr_next(&t->r) != JSON_OBJECT_END)
		return false;
	if (str_eq(key, STR("$bytes"))) {
		struct buf bytes = {0};
		bool good = base64_read(text, &bytes);
		struct str copy = arena_str(&t->scratch, buf_view(&bytes));
		buf_fini(&bytes);
		*out = otlp_value_bytes(copy);
		return good;
	}
	double d = str_eq(text, STR("NaN")) ? (double)NAN : (double)INFINITY;
	*out = otlp_value_double(str_eq(text, STR("-Infinity")) ? -d : d);
	return str_eq(text, STR("NaN")) || str_eq(text, STR("Infinity")) ||
	    str_eq(text, STR("-Infinity"));
}

/* A key that was read, without the '$' that was put before another one. */
static struct str
plain_key(struct typed_reader *t)
{
	struct str key = jsonr_string(&t->r, &t->scratch);
	return str_starts(key, STR("$$")) ? str_skip(key, 1) : key;
}

/* Members up to the end of an object, as KeyValues in field `number`. tok: what was read first in it. */
static bool
put_members(struct typed_reader *t, struct buf *out, uint32_t number, enum json_token tok)
{
	for (; tok == JSON_KEY; tok = jsonr_next(&t->r)) {
		size_t mark = pb_open(out, number);
		struct str key = plain_key(t);
		if (key.len > 0)
			pb_put_bytes(out, 1, key);
		if (!put_value(t, out, 2, jsonr_next(&t->r)))
			return false;
		pb_close(out, mark);
	}
	return tok == JSON_OBJECT_END;
}

static bool
put_object(struct typed_reader *t, struct buf *out, uint32_t number)
{
	struct otlp_value value;
	enum json_token tok = jsonr_next(&t->r);
	bool special = tok == JSON_KEY &&
	    (str_eq(t->r.raw, STR("$bytes")) || str_eq(t->r.raw, STR("$double")));
	if (special) {
		if (!special_value(t, t->r.raw, &value))
			return false;
		otlp_encode_value(out, number, &value);
		return true;
	}
	size_t any = pb_open(out, number), list = pb_open(out, 6);
	bool good = put_members(t, out, 1, tok);
	pb_close(out, list);
	pb_close(out, any);
	return good;
}

static bool
put_array(struct typed_reader *t, struct buf *out, uint32_t number)
{
	size_t any = pb_open(out, number), list = pb_open(out, 5);
	enum json_token tok = jsonr_next(&t->r);
	for (; tok != JSON_ARRAY_END; tok = jsonr_next(&t->r))
		if (!put_value(t, out, 1, tok))
			return false;
	pb_close(out, list);
	pb_close(out, any);
	return true;
}

/* One value, whose first token was read. */
static bool
put_value(struct typed_reader *t, struct buf *out, uint32_t number, enum json_token tok)
{
	struct otlp_value value = {.kind = OTLP_UNSET};
	bool good = tok == JSON_NULL;
	if (tok == JSON_OBJECT)
		return put_object(t, out, number);
	if (tok == JSON_ARRAY)
		return put_array(t, out, number);
	if (tok == JSON_NUMBER) {
		good = number_value(t->r.raw, &value);
	} else if (tok == JSON_STRING) {
		value = otlp_value_str(jsonr_string(&t->r, &t->scratch));
		good = true;
	} else if (tok == JSON_TRUE || tok == JSON_FALSE) {
		value = otlp_value_bool(tok == JSON_TRUE);
		good = true;
	}
	if (good)
		otlp_encode_value(out, number, &value);
	return good;
}

bool
otlp_put_typed(struct buf *out, uint32_t number, struct str typed)
{
	struct typed_reader t = {0};
	jsonr_begin(&t.r, typed);
	bool good = put_value(&t, out, number, jsonr_next(&t.r)) && jsonr_next(&t.r) == JSON_END;
	arena_fini(&t.scratch);
	return good;
}

/* An attribute object; no text is no attributes. */
static bool
put_attributes(struct buf *out, uint32_t number, struct str typed)
{
	struct typed_reader t = {0};
	if (typed.len == 0)
		return true;
	jsonr_begin(&t.r, typed);
	bool good = jsonr_next(&t.r) == JSON_OBJECT &&
	    put_members(&t, out, number, jsonr_next(&t.r)) && jsonr_next(&t.r) == JSON_END;
	arena_fini(&t.scratch);
	return good;
}

/* ---- lists of objects: events, links, exemplars, entity references */

enum { MEMBERS_MAX = 8 };

/* The members of one object: their raw texts, those of strings without quotes and decoded. */
struct object {
	struct str keys[MEMBERS_MAX], values[MEMBERS_MAX];
	size_t count;
};

static struct str
member(const struct object *o, const char *key)
{
	for (size_t i = 0; i < o->count; i++)
		if (str_eq(o->keys[i], str_from(key)))
			return o->values[i];
	return STR_EMPTY;
}

static bool
read_member(struct typed_reader *t, struct object *o)
{
	if (o->count == MEMBERS_MAX)
		return false;
	o->keys[o->count] = t->r.raw;
	enum json_token tok = jsonr_next(&t->r);
	struct str *value = &o->values[o->count++];
	if (tok == JSON_STRING) {
		*value = jsonr_string(&t->r, &t->scratch);
		return true;
	}
	if (tok == JSON_NUMBER) {
		*value = t->r.raw;
		return true;
	}
	if (tok != JSON_OBJECT && tok != JSON_ARRAY)
		return false;
	const char *start = t->r.at - 1;
	bool good = jsonr_skip(&t->r, tok);
	*value = str_of(start, (size_t)(t->r.at - start));
	return good;
}

/* Each object of a list; no text is an empty list. */
static bool
each_object(struct str typed, bool (*put)(struct buf *out, uint32_t number, const struct object *o),
    struct buf *out, uint32_t number)
{
	struct typed_reader t = {0};
	if (typed.len == 0)
		return true;
	jsonr_begin(&t.r, typed);
	bool good = jsonr_next(&t.r) == JSON_ARRAY;
	enum json_token tok = good ? jsonr_next(&t.r) : JSON_ERROR;
	for (; good && tok == JSON_OBJECT; tok = jsonr_next(&t.r)) {
		struct object o = {.count = 0};
		enum json_token in = jsonr_next(&t.r);
		for (; good && in == JSON_KEY; in = jsonr_next(&t.r))
			good = read_member(&t, &o);
		good = good && in == JSON_OBJECT_END && put(out, number, &o);
	}
	good = good && tok == JSON_ARRAY_END && jsonr_next(&t.r) == JSON_END;
	arena_fini(&t.scratch);
	return good;
}

/* A decimal member; missing: 0. */
static bool
member_u64(const struct object *o, const char *key, uint64_t *out)
{
	struct str text = member(o, key);
	*out = 0;
	return text.len == 0 || str_to_u64(text, out);
}

/* Hex digits of a member as the bytes of an id in a field; missing: not written. */
static bool
put_id(struct buf *out, uint32_t number, struct str hex, size_t bytes)
{
	unsigned char id[16] = {0};
	if (hex.len == 0)
		return true;
	if (hex.len != 2 * bytes)
		return false;
	for (size_t i = 0; i < hex.len; i++) {
		char c = hex.ptr[i];
		int digit = c >= '0' && c <= '9' ? c - '0'
		    : c >= 'a' && c <= 'f'       ? c - 'a' + 10
		                                 : -1;
		if (digit < 0)
			return false;
		id[i / 2] = (unsigned char)(id[i / 2] << 4 | digit);
	}
	pb_put_bytes(out, number, str_of(id, bytes));
	return true;
}

static void
put_text(struct buf *out, uint32_t number, struct str s)
{
	if (s.len > 0)
		pb_put_bytes(out, number, s);
}

static void
put_varint(struct buf *out, uint32_t number, uint64_t v)
{
	if (v)
		pb_put_u64(out, number, v);
}

static bool
put_event(struct buf *out, uint32_t number, const struct object *o)
{
	uint64_t t, dropped;
	size_t mark = pb_open(out, number);
	bool good = member_u64(o, "t", &t) && member_u64(o, "dropped", &dropped);
	if (good && t)
		pb_put_fixed64(out, 1, t);
	put_text(out, 2, member(o, "name"));
	good = good && put_attributes(out, 3, member(o, "attributes"));
	if (good)
		put_varint(out, 4, dropped);
	pb_close(out, mark);
	return good;
}

static bool
put_link(struct buf *out, uint32_t number, const struct object *o)
{
	uint64_t dropped, flags;
	size_t mark = pb_open(out, number);
	bool good = member_u64(o, "flags", &flags) && member_u64(o, "dropped", &dropped) &&
	    put_id(out, 1, member(o, "trace_id"), 16) && put_id(out, 2, member(o, "span_id"), 8);
	put_text(out, 3, member(o, "trace_state"));
	good = good && put_attributes(out, 4, member(o, "attributes"));
	if (good)
		put_varint(out, 5, dropped);
	if (good && flags)
		pb_put_fixed32(out, 6, (uint32_t)flags);
	pb_close(out, mark);
	return good;
}

/* The text of a number, or {"$double":..}: in an AnyValue it says what it is. */
static bool
put_exemplar_value(struct buf *out, struct str text)
{
	struct otlp_value value;
	struct typed_reader t = {0};
	jsonr_begin(&t.r, text);
	enum json_token tok = jsonr_next(&t.r);
	bool good = tok == JSON_NUMBER && number_value(t.r.raw, &value);
	if (tok == JSON_OBJECT)
		good = jsonr_next(&t.r) == JSON_KEY && str_eq(t.r.raw, STR("$double")) &&
		    special_value(&t, t.r.raw, &value);
	arena_fini(&t.scratch);
	if (good && value.kind == OTLP_INT)
		pb_put_fixed64(out, 6, (uint64_t)value.i64);
	else if (good)
		pb_put_double(out, 3, value.f64);
	return good;
}

static bool
put_exemplar(struct buf *out, uint32_t number, const struct object *o)
{
	uint64_t t;
	size_t mark = pb_open(out, number);
	struct str value = member(o, "value");
	bool good = member_u64(o, "t", &t);
	if (good && t)
		pb_put_fixed64(out, 2, t);
	good = good && (value.len == 0 || put_exemplar_value(out, value)) &&
	    put_id(out, 4, member(o, "span_id"), 8) && put_id(out, 5, member(o, "trace_id"), 16) &&
	    put_attributes(out, 7, member(o, "attributes"));
	pb_close(out, mark);
	return good;
}

static bool
put_names(struct buf *out, uint32_t number, struct str list)
{
	struct typed_reader t = {0};
	if (list.len == 0)
		return true;
	jsonr_begin(&t.r, list);
	bool good = jsonr_next(&t.r) == JSON_ARRAY;
	enum json_token tok = good ? jsonr_next(&t.r) : JSON_ERROR;
	for (; tok == JSON_STRING; tok = jsonr_next(&t.r))
		pb_put_bytes(out, number, jsonr_string(&t.r, &t.scratch));
	arena_fini(&t.scratch);
	return tok == JSON_ARRAY_END;
}

static bool
put_entity(struct buf *out, uint32_t number, const struct object *o)
{
	size_t mark = pb_open(out, number);
	put_text(out, 1, member(o, "schema_url"));
	put_text(out, 2, member(o, "type"));
	bool good = put_names(out, 3, member(o, "id_keys")) &&
	    put_names(out, 4, member(o, "description_keys"));
	pb_close(out, mark);
	return good;
}

/* ---- items. Attributes and lists are written where the encoder stands: in the item that was opened last. */

static struct otlp_span
span_of(const struct table *t, size_t row)
{
	uint64_t start = table_u64(t, row, SPAN_START_NS);
	return (struct otlp_span){.trace_hi = table_u64(t, row, SPAN_TRACE_HI),
	    .trace_lo = table_u64(t, row, SPAN_TRACE_LO),
	    .span_id = table_u64(t, row, SPAN_SPAN_ID),
	    .parent_id = table_u64(t, row, SPAN_PARENT_ID),
	    .start_ns = start,
	    .end_ns = start + (uint64_t)table_i64(t, row, SPAN_DURATION_NS),
	    .name = table_str(t, row, SPAN_NAME),
	    .trace_state = table_str(t, row, SPAN_TRACE_STATE),
	    .status_message = table_str(t, row, SPAN_STATUS_MESSAGE),
	    .kind = table_i32(t, row, SPAN_KIND),
	    .status_code = table_i32(t, row, SPAN_STATUS_CODE),
	    .flags = table_u32(t, row, SPAN_FLAGS),
	    .dropped_attributes = table_u32(t, row, SPAN_DROPPED_ATTRIBUTES),
	    .dropped_events = table_u32(t, row, SPAN_DROPPED_EVENTS),
	    .dropped_links = table_u32(t, row, SPAN_DROPPED_LINKS)};
}

static bool
put_span_lists(struct buf *out, const struct table *t, size_t row)
{
	return put_attributes(out, 9, table_str(t, row, SPAN_ATTRIBUTES)) &&
	    each_object(table_str(t, row, SPAN_EVENTS), put_event, out, 11) &&
	    each_object(table_str(t, row, SPAN_LINKS), put_link, out, 13);
}

static bool
put_span(struct otlp_encoder *e, const struct table *t, size_t row)
{
	struct otlp_span s = span_of(t, row);
	otlp_encode_span(e, &s);
	return put_span_lists(e->out, t, row);
}

bool
otlp_span_from_row(const struct table *spans, size_t row, struct buf *out)
{
	struct otlp_span s = span_of(spans, row);
	otlp_encode_span_fields(out, &s);
	return put_span_lists(out, spans, row);
}

static bool
put_log(struct otlp_encoder *e, const struct table *t, size_t row)
{
	struct str body = table_str(t, row, LOG_BODY);
	int32_t kind = table_i32(t, row, LOG_BODY_KIND);
	struct otlp_value text = otlp_value_str(body);
	otlp_encode_log(e,
	    &(struct otlp_log){.time_ns = table_u64(t, row, LOG_TIME_NS),
	        .observed_ns = table_u64(t, row, LOG_OBSERVED_NS),
	        .trace_hi = table_u64(t, row, LOG_TRACE_HI),
	        .trace_lo = table_u64(t, row, LOG_TRACE_LO),
	        .span_id = table_u64(t, row, LOG_SPAN_ID),
	        .severity = table_i32(t, row, LOG_SEVERITY_NUMBER),
	        .severity_text = table_str(t, row, LOG_SEVERITY_TEXT),
	        .event_name = table_str(t, row, LOG_EVENT_NAME),
	        .body = kind == LOG_BODY_STRING ? &text : NULL,
	        .flags = table_u32(t, row, LOG_FLAGS),
	        .dropped = table_u32(t, row, LOG_DROPPED_ATTRIBUTES)});
	return (kind != LOG_BODY_TYPED || otlp_put_typed(e->out, 5, body)) &&
	    put_attributes(e->out, e->attr_field, table_str(t, row, LOG_ATTRIBUTES));
}

static uint64_t
maybe_u64(const struct table *t, size_t row, int col)
{
	return table_is_null(t, row, col) ? 0 : table_u64(t, row, col);
}

static double
maybe_f64(const struct table *t, size_t row, int col)
{
	return table_is_null(t, row, col) ? 0 : table_f64(t, row, col);
}

static int32_t
maybe_i32(const struct table *t, size_t row, int col)
{
	return table_is_null(t, row, col) ? 0 : table_i32(t, row, col);
}

static struct otlp_point
point_of(const struct table *t, size_t row)
{
	bool has_int = !table_is_null(t, row, POINT_VALUE_INT);
	return (struct otlp_point){
	    .time_ns = table_u64(t, row, POINT_TIME_NS),
	    .start_ns = table_u64(t, row, POINT_START_NS),
	    .flags = table_u32(t, row, POINT_FLAGS),
	    .has_int = has_int,
	    .i64 = has_int ? table_i64(t, row, POINT_VALUE_INT) : 0,
	    .has_double = !has_int && !table_is_null(t, row, POINT_VALUE),
	    .f64 = maybe_f64(t, row, POINT_VALUE),
	    .count = maybe_u64(t, row, POINT_COUNT),
	    .has_sum = !table_is_null(t, row, POINT_SUM),
	    .has_min = !table_is_null(t, row, POINT_MIN),
	    .has_max = !table_is_null(t, row, POINT_MAX),
	    .sum = maybe_f64(t, row, POINT_SUM),
	    .min = maybe_f64(t, row, POINT_MIN),
	    .max = maybe_f64(t, row, POINT_MAX),
	    .bounds = table_f64s(t, row, POINT_BOUNDS),
	    .counts = table_u64s(t, row, POINT_BUCKETS),
	    .scale = maybe_i32(t, row, POINT_SCALE),
	    .zero_count = maybe_u64(t, row, POINT_ZERO_COUNT),
	    .zero_threshold = maybe_f64(t, row, POINT_ZERO_THRESHOLD),
	    .positive = {maybe_i32(t, row, POINT_POS_OFFSET), table_u64s(t, row, POINT_POS_COUNTS)},
	    .negative = {maybe_i32(t, row, POINT_NEG_OFFSET), table_u64s(t, row, POINT_NEG_COUNTS)},
	    .quantiles = table_f64s(t, row, POINT_QUANTILES),
	    .values = table_f64s(t, row, POINT_QUANTILE_VALUES),
	};
}

static bool
put_point(struct otlp_encoder *e, const struct table *t, size_t row)
{
	struct otlp_point p = point_of(t, row);
	if (p.quantiles.len != p.values.len)
		return false;
	otlp_encode_point(e, &p);
	return put_attributes(e->out, e->attr_field, table_str(t, row, POINT_ATTRIBUTES)) &&
	    each_object(table_str(t, row, POINT_EXEMPLARS), put_exemplar, e->out,
	        otlp_encode_exemplar_field(e));
}

static bool
put_metric(struct otlp_encoder *e, const struct table *t, size_t row)
{
	int32_t type = table_i32(t, row, POINT_TYPE);
	if (type < POINT_GAUGE || type > POINT_SUMMARY)
		return false;
	otlp_encode_metric(e,
	    &(struct otlp_metric){.name = table_str(t, row, POINT_NAME),
	        .description = table_str(t, row, POINT_DESCRIPTION),
	        .unit = table_str(t, row, POINT_UNIT),
	        .type = (enum point_type)type,
	        .temporality = table_i32(t, row, POINT_TEMPORALITY),
	        .monotonic = table_bool(t, row, POINT_MONOTONIC)});
	return put_attributes(e->out, e->attr_field, table_str(t, row, POINT_METADATA));
}

/* ---- resources and scopes */

bool
otlp_resource_from_row(const struct table *t, size_t row, struct buf *out)
{
	put_varint(out, 2, table_u32(t, row, RESOURCE_DROPPED_ATTRIBUTES));
	return put_attributes(out, 1, table_str(t, row, RESOURCE_ATTRIBUTES)) &&
	    each_object(table_str(t, row, RESOURCE_ENTITY_REFS), put_entity, out, 3);
}

static bool
put_resource(struct otlp_encoder *e, const struct table *t, size_t row)
{
	otlp_encode_resource(e, table_str(t, row, RESOURCE_SCHEMA_URL));
	return otlp_resource_from_row(t, row, e->out);
}

bool
otlp_scope_from_row(const struct table *t, size_t row, struct buf *out)
{
	put_text(out, 1, table_str(t, row, SCOPE_NAME));
	put_text(out, 2, table_str(t, row, SCOPE_VERSION));
	put_varint(out, 4, table_u32(t, row, SCOPE_DROPPED_ATTRIBUTES));
	return put_attributes(out, 3, table_str(t, row, SCOPE_ATTRIBUTES));
}

static bool
put_scope(struct otlp_encoder *e, const struct table *t, size_t row)
{
	otlp_encode_scope(e, table_str(t, row, SCOPE_NAME), table_str(t, row, SCOPE_VERSION),
	    table_str(t, row, SCOPE_SCHEMA_URL));
	put_varint(e->out, 4, table_u32(t, row, SCOPE_DROPPED_ATTRIBUTES));
	return put_attributes(e->out, e->attr_field, table_str(t, row, SCOPE_ATTRIBUTES));
}

/* ---- groups */

struct place {
	uint64_t resource, scope, metric; /* ids; of the metric a hash */
	size_t row;
};

static int
compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->resource != y->resource)
		return x->resource < y->resource ? -1 : 1;
	if (x->scope != y->scope)
		return x->scope < y->scope ? -1 : 1;
	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static const int metric_texts[] = {POINT_NAME, POINT_DESCRIPTION, POINT_UNIT, POINT_METADATA};

static uint64_t
metric_hash(const struct table *t, size_t row)
{
	const int32_t kinds[3] = {table_i32(t, row, POINT_TYPE),
	    table_i32(t, row, POINT_TEMPORALITY), table_bool(t, row, POINT_MONOTONIC)};
	uint64_t h = hash_u64(str_of(kinds, sizeof(kinds)));
	for (size_t i = 0; i < ARRAY_LEN(metric_texts); i++)
		h = hash_u64_seed(table_str(t, row, metric_texts[i]), h);
	return h;
}

static bool
same_metric(const struct table *t, size_t a, size_t b)
{
	bool same = table_i32(t, a, POINT_TYPE) == table_i32(t, b, POINT_TYPE) &&
	    table_i32(t, a, POINT_TEMPORALITY) == table_i32(t, b, POINT_TEMPORALITY) &&
	    table_bool(t, a, POINT_MONOTONIC) == table_bool(t, b, POINT_MONOTONIC);
	for (size_t i = 0; i < ARRAY_LEN(metric_texts) && same; i++)
		same = str_eq(table_str(t, a, metric_texts[i]), table_str(t, b, metric_texts[i]));
	return same;
}

struct signal_columns {
	enum signal_kind signal;
	int resource, scope;
	bool (*put)(struct otlp_encoder *e, const struct table *t, size_t row);
};

static const struct signal_columns columns_of[] = {
    [TABLE_SPANS] = {SIGNAL_TRACES, SPAN_RESOURCE_ID, SPAN_SCOPE_ID, put_span},
    [TABLE_LOGS] = {SIGNAL_LOGS, LOG_RESOURCE_ID, LOG_SCOPE_ID, put_log},
    [TABLE_POINTS] = {SIGNAL_METRICS, POINT_RESOURCE_ID, POINT_SCOPE_ID, put_point},
};

/* The rows of a dictionary by id. */
static void
index_rows(const struct table *dict, int id_col, struct map *out)
{
	for (size_t i = 0; i < dict->row_count; i++) {
		bool put = map_put(out, table_u64(dict, i, id_col), i);
		CHECK(put);
	}
}

struct writing {
	struct otlp_encoder e;
	const struct otlp_rows *in;
	struct map resources, scopes;
	struct place *places;
};

/* What begins anew at a row: resource, scope, metric. NULL: it is written; else what was wrong. */
static const char *
begin_groups(struct writing *w, const struct place *p, const struct place *last)
{
	const uint64_t *place;
	bool new_resource = !last || last->resource != p->resource;
	bool new_scope = new_resource || last->scope != p->scope;
	if (new_resource) {
		place = map_get(&w->resources, p->resource);
		if (!place)
			return "its resource is not there";
		if (!put_resource(&w->e, w->in->resources, (size_t)*place))
			return "its resource is no typed JSON";
	}
	if (new_scope) {
		place = map_get(&w->scopes, p->scope);
		if (!place)
			return "its scope is not there";
		if (!put_scope(&w->e, w->in->scopes, (size_t)*place))
			return "its scope is no typed JSON";
	}
	if (w->in->rows->def != &table_defs[TABLE_POINTS] ||
	    (!new_scope && same_metric(w->in->rows, last->row, p->row)))
		return NULL;
	return put_metric(&w->e, w->in->rows, p->row) ? NULL : "it is of no known metric type";
}

static const char *
write_rows(struct writing *w, const struct signal_columns *c, size_t *bad_row)
{
	const struct place *last = NULL;
	for (size_t i = 0; i < w->in->rows->row_count; i++) {
		const struct place *p = &w->places[i];
		*bad_row = p->row;
		const char *wrong = begin_groups(w, p, last);
		if (!wrong && !c->put(&w->e, w->in->rows, p->row))
			wrong = "its JSON is no typed JSON";
		if (wrong)
			return wrong;
		last = p;
	}
	return NULL;
}

enum err_code
otlp_from_rows(const struct otlp_rows *in, struct buf *out, struct err *err)
{
	const struct table *t = in->rows;
	size_t id = (size_t)(t->def - table_defs), bad_row = 0;
	CHECK(id < ARRAY_LEN(columns_of));
	const struct signal_columns *c = &columns_of[id];
	struct writing w = {.in = in};
	w.places = xcalloc(t->row_count + 1, sizeof(*w.places));
	for (size_t i = 0; i < t->row_count; i++)
		w.places[i] = (struct place){table_u64(t, i, c->resource),
		    table_u64(t, i, c->scope), id == TABLE_POINTS ? metric_hash(t, i) : 0, i};
	if (t->row_count > 0)
		qsort(w.places, t->row_count, sizeof(*w.places), compare);
	index_rows(in->resources, RESOURCE_ID, &w.resources);
	index_rows(in->scopes, SCOPE_ID, &w.scopes);
	otlp_encode_begin(&w.e, c->signal, out);
	const char *wrong = write_rows(&w, c, &bad_row);
	otlp_encode_end(&w.e);
	map_fini(&w.resources);
	map_fini(&w.scopes);
	free(w.places);
	if (wrong)
		return err_set(err, ERR_CORRUPT, "a row of %s cannot be written as OTLP: %s",
		    t->def->name, wrong);
	return out->failed ? err_set(err, ERR_BUSY, "no memory for an OTLP request") : ERR_OK;
}
