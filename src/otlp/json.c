/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP/JSON to protobuf, in one pass over the text, driven by the tables of otlp/json_fields.h.
 *
 * Each object or list that is entered has a frame on a stack, so that nesting costs no recursion;
 * the JSON reader bounds its depth. A message is written as it is read: its length is filled in
 * when its object ends.
 *
 * What comes is written, defaults too: a member of a oneof or an optional field that is zero was
 * set, and of any other field a parser cannot tell. A member that comes twice is written twice,
 * which means what it means in protobuf: of scalars and of the members of a oneof the last
 * counts, messages merge, lists join.
 */
#include "otlp/json_fields.h"
#include "otlp/json_number.h"
#include "otlp/otlp.h"
#include "wire/json_read.h"
#include "wire/pb.h"

#include "base/base64.h"
#include "base/bits.h"

#include <math.h>

enum {
	ID_BYTES_MAX = 32, /* longer ones are refused by the scan, like all of a wrong length */
	PLACE_BYTES_MAX = 120,
	SCRATCH_KEEP_BYTES = 65536,
};

struct frame {
	const struct otlp_json_message *message; /* of an object; NULL: a list */
	const struct otlp_json_field
	    *field; /* of an object: the member in hand; what a list holds */
	size_t mark; /* of pb_open() */
	size_t index; /* of a list: the element in hand */
	bool marked;
};

struct transcoder {
	struct json_reader reader;
	struct buf *out;
	struct err *err;
	enum err_code code; /* ERR_OK until something is wrong */
	struct arena scratch; /* decoded strings */
	struct buf bytes; /* decoded base64 */
	size_t depth;
	struct frame stack[LIMIT_MESSAGE_DEPTH];
};

/* ---- errors that name the place */

static void
put_place(const struct transcoder *t, struct buf *place)
{
	for (size_t i = 0; i < t->depth; i++) {
		const struct frame *f = &t->stack[i];
		if (!f->message) {
			buf_printf(place, "[%zu]", f->index);
		} else if (f->field) {
			buf_str(place, i == 0 ? STR_EMPTY : STR("."));
			buf_str(place, f->field->name);
		}
	}
}

/* "resourceSpans[0].scopeSpans[1].spans[3].kind: <why>". A deep place loses its middle. */
static bool
refuse(struct transcoder *t, const char *why)
{
	struct buf place = {0};
	put_place(t, &place);
	size_t cut = place.len > PLACE_BYTES_MAX ? place.len - PLACE_BYTES_MAX : 0;
	size_t head = cut ? PLACE_BYTES_MAX / 2 : place.len;
	t->code = err_set(t->err, ERR_INVALID, "%.*s%s%.*s: %s", (int)head, place.ptr,
	    cut ? "..." : "", (int)(place.len - head - cut), place.ptr + head + cut, why);
	buf_fini(&place);
	return false;
}

static bool
refuse_json(struct transcoder *t)
{
	t->code = err_set(t->err, ERR_INVALID, "the JSON is malformed at byte %zu: %s",
	    t->reader.error_at, t->reader.error);
	return false;
}

/* ---- scalar values */

static void
put_key(struct transcoder *t, const struct otlp_json_field *f, enum pb_wire wire)
{
	/* The elements of a list of numbers are packed: they have one key together. */
	if (!f->repeated || f->type == OTLP_JSON_STRING)
		pb_put_varint(t->out, PB_KEY(f->number, wire));
}

static void
put_u64(struct transcoder *t, const struct otlp_json_field *f, uint64_t v)
{
	put_key(t, f, PB_VARINT);
	pb_put_varint(t->out, v);
}

static void
put_fixed64(struct transcoder *t, const struct otlp_json_field *f, uint64_t v)
{
	char bytes[8];
	put_u64le(bytes, v);
	put_key(t, f, PB_FIXED64);
	buf_append(t->out, bytes, sizeof(bytes));
}

/* The key or string in hand, decoded; lives until the next one. */
static struct str
decoded(struct transcoder *t)
{
	if (!t->reader.escaped)
		return t->reader.raw;
	arena_reset(&t->scratch);
	struct str text = jsonr_string(&t->reader, &t->scratch);
	CHECK(text.ptr); /* the arena has no limit of its own */
	return text;
}

static bool
get_text(struct transcoder *t, enum json_token token, struct str *text_out)
{
	if (token != JSON_STRING)
		return refuse(t, "not a string");
	*text_out = decoded(t);
	return true;
}

static bool
put_string(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	struct str text = STR_EMPTY;
	if (!get_text(t, token, &text))
		return false;
	pb_put_bytes(t->out, f->number, text);
	return true;
}

static bool
put_bytes(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	struct str text = STR_EMPTY;
	if (!get_text(t, token, &text))
		return false;
	buf_reset(&t->bytes);
	if (!base64_read(text, &t->bytes))
		return refuse(t, "not base64");
	pb_put_bytes(t->out, f->number, buf_view(&t->bytes));
	return true;
}

/* Text that is not hex becomes one byte, which is no length of an id: the scan refuses the item
 * and counts it, instead of the whole request. */
static bool
put_id(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	unsigned char id[ID_BYTES_MAX] = {0xff};
	struct str text = STR_EMPTY;
	if (!get_text(t, token, &text))
		return false;
	size_t n = text.len / 2;
	if (text.len % 2 != 0 || n > ID_BYTES_MAX || !hex_decode(text.ptr, n, id))
		n = 1;
	pb_put_bytes(t->out, f->number, str_of(id, n));
	return true;
}

static bool
put_bool(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	if (token != JSON_TRUE && token != JSON_FALSE)
		return refuse(t, "not a boolean");
	put_u64(t, f, token == JSON_TRUE);
	return true;
}

/* The text of a number, which may stand in a string. */
static bool
get_number_text(struct transcoder *t, enum json_token token, const char *otherwise,
    struct str *text_out)
{
	if (token == JSON_STRING)
		return get_text(t, token, text_out);
	*text_out = t->reader.raw;
	return token == JSON_NUMBER || refuse(t, otherwise);
}

static bool
put_double(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	struct str text = STR_EMPTY;
	double v = 0;
	uint64_t bits;
	if (!get_number_text(t, token, "not a number", &text))
		return false;
	enum number_result result = NUMBER_OK;
	if (token == JSON_STRING && str_eq(text, STR("NaN")))
		v = (double)NAN;
	else if (token == JSON_STRING && str_eq(text, STR("Infinity")))
		v = (double)INFINITY;
	else if (token == JSON_STRING && str_eq(text, STR("-Infinity")))
		v = -(double)INFINITY;
	else
		result = json_number_f64(text, &v);
	if (result != NUMBER_OK)
		return refuse(t,
		    result == NUMBER_OUT_OF_RANGE ? "out of the range of a double"
		                                  : "not a number");
	memcpy(&bits, &v, sizeof(bits));
	put_fixed64(t, f, bits);
	return true;
}

static bool
put_unsigned(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	bool wide = f->type == OTLP_JSON_UINT64 || f->type == OTLP_JSON_FIXED64;
	const char *otherwise =
	    wide ? "not an unsigned 64-bit integer" : "not an unsigned 32-bit integer";
	struct str text = STR_EMPTY;
	uint64_t v;
	if (!get_number_text(t, token, otherwise, &text))
		return false;
	if (json_number_u64(text, wide ? UINT64_MAX : UINT32_MAX, &v) != NUMBER_OK)
		return refuse(t, otherwise);
	if (f->type == OTLP_JSON_FIXED64)
		put_fixed64(t, f, v);
	else if (f->type == OTLP_JSON_FIXED32)
		pb_put_fixed32(t->out, f->number, (uint32_t)v);
	else
		put_u64(t, f, v);
	return true;
}

static bool
put_signed(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	bool wide = f->type != OTLP_JSON_ENUM && f->type != OTLP_JSON_SINT32;
	const char *otherwise = wide ? "not a 64-bit integer" : "not a 32-bit integer";
	struct str text = STR_EMPTY;
	int64_t v;
	if (f->type == OTLP_JSON_ENUM && token != JSON_NUMBER)
		return refuse(t, "not an integer, as enum values must be in OTLP/JSON");
	if (!get_number_text(t, token, otherwise, &text))
		return false;
	if (json_number_i64(text, wide ? INT64_MIN : INT32_MIN, wide ? INT64_MAX : INT32_MAX, &v) !=
	    NUMBER_OK)
		return refuse(t, otherwise);
	if (f->type == OTLP_JSON_SFIXED64)
		put_fixed64(t, f, (uint64_t)v);
	else if (f->type == OTLP_JSON_SINT32)
		pb_put_sint(t->out, f->number, v);
	else
		put_u64(t, f, (uint64_t)v);
	return true;
}

/* JavaScript has one type of number, and its SDK writes every whole one as an intValue, 5.4e307 too.
 * As a bare number beyond 64 bits it is taken for the double it was: the rest of the request is
 * not to be lost for it. As a string, which only a program with real integers writes, it is an
 * error like any other. */
static bool
put_any_int(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	static const struct otlp_json_field as_double = {
	    .name = STR_INIT("doubleValue"), .number = 4, .type = OTLP_JSON_DOUBLE};
	int64_t v;
	if (token == JSON_NUMBER &&
	    json_number_i64(t->reader.raw, INT64_MIN, INT64_MAX, &v) == NUMBER_OUT_OF_RANGE)
		return put_double(t, &as_double, token);
	return put_signed(t, f, token);
}

/* ---- structure */

static void
push(struct transcoder *t, struct frame frame)
{
	CHECK(t->depth < ARRAY_LEN(t->stack)); /* as deep as the reader goes */
	t->stack[t->depth++] = frame;
}

static void
pop(struct transcoder *t)
{
	CHECK(t->depth > 0);
	const struct frame *f = &t->stack[--t->depth];
	if (f->marked)
		pb_close(t->out, f->mark);
}

static bool
put_value(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	switch (f->type) {
	case OTLP_JSON_STRING: return put_string(t, f, token);
	case OTLP_JSON_BYTES: return put_bytes(t, f, token);
	case OTLP_JSON_ID: return put_id(t, f, token);
	case OTLP_JSON_BOOL: return put_bool(t, f, token);
	case OTLP_JSON_DOUBLE: return put_double(t, f, token);
	case OTLP_JSON_UINT32:
	case OTLP_JSON_UINT64:
	case OTLP_JSON_FIXED32:
	case OTLP_JSON_FIXED64: return put_unsigned(t, f, token);
	case OTLP_JSON_INT64: return put_any_int(t, f, token);
	case OTLP_JSON_ENUM:
	case OTLP_JSON_SINT32:
	case OTLP_JSON_SFIXED64: return put_signed(t, f, token);
	case OTLP_JSON_MESSAGE: break;
	}
	if (token != JSON_OBJECT)
		return refuse(t, "not an object");
	push(t,
	    (struct frame){
	        .message = f->message, .mark = pb_open(t->out, f->number), .marked = true});
	return true;
}

static bool
begin_list(struct transcoder *t, const struct otlp_json_field *f, enum json_token token)
{
	if (token != JSON_ARRAY)
		return refuse(t, "not an array");
	bool packed = f->type != OTLP_JSON_MESSAGE && f->type != OTLP_JSON_STRING;
	struct frame list = {.field = f, .index = SIZE_MAX, .marked = packed};
	if (packed)
		list.mark = pb_open(t->out, f->number);
	push(t, list);
	return true;
}

/* The field that the key in hand names, or NULL. The search begins behind the field that came
 * before it: members mostly come in the order of the table. */
static const struct otlp_json_field *
find_field(struct transcoder *t, const struct frame *f)
{
	const struct otlp_json_message *m = f->message;
	size_t at = f->field ? (size_t)(f->field - m->fields) + 1 : 0;
	struct str name = decoded(t);
	for (size_t n = 0; n < m->field_count; n++, at++) {
		if (at >= m->field_count)
			at = 0;
		if (str_eq(m->fields[at].name, name))
			return &m->fields[at];
	}
	return NULL;
}

/* Inside an object. */
static bool
on_member(struct transcoder *t, enum json_token token)
{
	if (token == JSON_OBJECT_END) {
		pop(t);
		return true;
	}
	CHECK(token == JSON_KEY);
	struct frame *f = &t->stack[t->depth - 1];
	const struct otlp_json_field *field = find_field(t, f);
	token = jsonr_next(&t->reader);
	if (token == JSON_ERROR)
		return refuse_json(t);
	if (!field)
		return jsonr_skip(&t->reader, token) || refuse_json(t);
	f->field = field;
	if (token == JSON_NULL)
		return true;
	return field->repeated ? begin_list(t, field, token) : put_value(t, field, token);
}

/* Inside a list. */
static bool
on_element(struct transcoder *t, enum json_token token)
{
	if (token == JSON_ARRAY_END) {
		pop(t);
		return true;
	}
	struct frame *f = &t->stack[t->depth - 1];
	f->index++;
	if (token == JSON_NULL)
		return refuse(t, "null, which a list may not hold");
	return put_value(t, f->field, token);
}

static bool
transcode(struct transcoder *t, const struct otlp_json_message *request)
{
	enum json_token token = jsonr_next(&t->reader);
	if (token == JSON_ERROR)
		return refuse_json(t);
	if (token != JSON_OBJECT) {
		t->code = err_set(t->err, ERR_INVALID, "the request is not a JSON object");
		return false;
	}
	push(t, (struct frame){.message = request});
	while (t->depth > 0) {
		token = jsonr_next(&t->reader);
		if (token == JSON_ERROR)
			return refuse_json(t);
		bool in_object = t->stack[t->depth - 1].message;
		if (in_object ? !on_member(t, token) : !on_element(t, token))
			return false;
		if (t->out->failed)
			return false;
	}
	return jsonr_next(&t->reader) == JSON_END || refuse_json(t);
}

enum err_code
otlp_from_json(enum signal_kind signal, struct str json, const struct limits *limits,
    struct buf *out, struct err *err)
{
	struct transcoder t = {.out = out, .err = err};
	size_t bytes_max_before = out->bytes_max;
	/* Zeros in a list grow from two bytes to eight: what comes out has a limit too. */
	if (out->bytes_max == 0 || out->bytes_max > limits->body_bytes_max)
		out->bytes_max = (size_t)limits->body_bytes_max;
	buf_reset(out);
	jsonr_begin(&t.reader, json);
	arena_init(&t.scratch, 0, SCRATCH_KEEP_BYTES);
	bool done = transcode(&t, otlp_json_request(signal));
	if (!done && t.code == ERR_OK)
		t.code = err_set(err, ERR_TOO_LARGE,
		    "the request is larger than %zu bytes when turned into protobuf",
		    out->bytes_max);
	CHECK(done == (t.code == ERR_OK));
	out->bytes_max = bytes_max_before;
	arena_fini(&t.scratch);
	buf_fini(&t.bytes);
	return t.code;
}
