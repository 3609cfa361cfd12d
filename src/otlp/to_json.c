/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/to_json.c - protobuf to OTLP/JSON by the tables of otlp/json_fields.h.
 *
 * A repeated field may stand in pieces, with others between: each member of a message is collected
 * from the whole message when the first piece of it is met. So that this costs a pass for each
 * member that is there, not for each piece. Of a field that is not repeated the last one counts;
 * messages that come twice are not merged, for no encoder writes them so.
 */
#include "otlp/to_json.h"

#include "base/base64.h"
#include "base/bits.h"
#include "otlp/json_fields.h"
#include "wire/json_write.h"
#include "wire/pb.h"

struct printer {
	struct json_writer w;
	unsigned depth_max;
	const char *error; /* NULL: fine */
};

static void print_message(struct printer *p, const struct otlp_json_message *m, struct str bytes,
    unsigned depth);

static enum pb_wire
wire_of(enum otlp_json_type type)
{
	switch (type) {
	case OTLP_JSON_MESSAGE:
	case OTLP_JSON_STRING:
	case OTLP_JSON_BYTES:
	case OTLP_JSON_ID: return PB_BYTES;
	case OTLP_JSON_FIXED32: return PB_FIXED32;
	case OTLP_JSON_FIXED64:
	case OTLP_JSON_SFIXED64:
	case OTLP_JSON_DOUBLE: return PB_FIXED64;
	case OTLP_JSON_BOOL:
	case OTLP_JSON_ENUM:
	case OTLP_JSON_INT64:
	case OTLP_JSON_UINT32:
	case OTLP_JSON_UINT64:
	case OTLP_JSON_SINT32: return PB_VARINT;
	}
	return PB_VARINT;
}

static void
print_i64_string(struct printer *p, int64_t v)
{
	struct buf text = {0};
	buf_i64(&text, v);
	jsonw_str(&p->w, buf_view(&text));
	buf_fini(&text);
}

static void
print_number(struct printer *p, enum otlp_json_type type, uint64_t v)
{
	switch (type) {
	case OTLP_JSON_BOOL: jsonw_bool(&p->w, v != 0); return;
	case OTLP_JSON_ENUM: jsonw_i64(&p->w, (int32_t)v); return;
	case OTLP_JSON_UINT32:
	case OTLP_JSON_FIXED32: jsonw_u64(&p->w, (uint32_t)v); return;
	case OTLP_JSON_SINT32: jsonw_i64(&p->w, pb_zigzag((uint32_t)v)); return;
	case OTLP_JSON_DOUBLE: jsonw_f64(&p->w, pb_double(v)); return;
	case OTLP_JSON_UINT64:
	case OTLP_JSON_FIXED64: jsonw_u64_string(&p->w, v); return;
	case OTLP_JSON_INT64:
	case OTLP_JSON_SFIXED64: print_i64_string(p, (int64_t)v); return;
	case OTLP_JSON_MESSAGE:
	case OTLP_JSON_STRING:
	case OTLP_JSON_BYTES:
	case OTLP_JSON_ID: CHECK(!"these are bytes");
	}
}

static void
print_bytes(struct printer *p, const struct otlp_json_field *f, struct str bytes, unsigned depth)
{
	struct buf text = {0};
	if (f->type == OTLP_JSON_MESSAGE) {
		print_message(p, f->message, bytes, depth + 1);
		return;
	}
	if (f->type == OTLP_JSON_STRING) {
		jsonw_str(&p->w, bytes);
		return;
	}
	if (f->type == OTLP_JSON_BYTES) {
		base64_write(&text, bytes);
	} else if (bytes.len > 0) {
		char *to = buf_reserve(&text, bytes.len * 2);
		CHECK(to != NULL);
		hex_encode(bytes.ptr, bytes.len, to);
		text.len += bytes.len * 2;
	}
	jsonw_str(&p->w, buf_view(&text));
	buf_fini(&text);
}

/* One field on the wire: an element, or a packed run of them. */
static void
print_elements(struct printer *p, const struct otlp_json_field *f, const struct pb_field *field,
    unsigned depth)
{
	enum pb_wire wire = wire_of(f->type);
	struct pb_packed packed;
	uint64_t v;
	if (wire == PB_BYTES) {
		print_bytes(p, f, field->bytes, depth);
		return;
	}
	pb_packed_init(&packed, field, wire);
	while (!p->w.out->failed && pb_packed_next(&packed, &v))
		print_number(p, f->type, v);
	if (packed.error)
		p->error = packed.error;
}

static bool
belongs(const struct otlp_json_field *f, const struct pb_field *field)
{
	enum pb_wire wire = wire_of(f->type);
	if (field->number != f->number)
		return false;
	return field->wire == wire || (f->repeated && wire != PB_BYTES && field->wire == PB_BYTES);
}

/* All that the message has of one member. */
static void
print_member(struct printer *p, const struct otlp_json_field *f, struct str bytes, unsigned depth)
{
	struct pb_reader r;
	struct pb_field field, last = {0};
	pb_reader_init(&r, bytes);
	jsonw_key_str(&p->w, f->name);
	if (f->repeated)
		jsonw_array(&p->w);
	while (!p->error && !p->w.out->failed && pb_next(&r, &field)) {
		if (!belongs(f, &field))
			continue;
		if (f->repeated)
			print_elements(p, f, &field, depth);
		last = field;
	}
	if (f->repeated)
		jsonw_array_end(&p->w);
	else if (!p->error)
		print_elements(p, f, &last, depth);
}

static const struct otlp_json_field *
find_field(const struct otlp_json_message *m, const struct pb_field *field, size_t *idx_out)
{
	for (size_t i = 0; i < m->field_count; i++) {
		*idx_out = i;
		if (belongs(&m->fields[i], field))
			return &m->fields[i];
	}
	return NULL;
}

static void
print_message(struct printer *p, const struct otlp_json_message *m, struct str bytes,
    unsigned depth)
{
	struct pb_reader r;
	struct pb_field field;
	uint64_t seen = 0;
	size_t idx;
	CHECK(m->field_count <= 64);
	if (depth > p->depth_max) {
		p->error = "it is nested too deeply";
		return;
	}
	pb_reader_init(&r, bytes);
	jsonw_object(&p->w);
	while (!p->error && !p->w.out->failed && pb_next(&r, &field)) {
		const struct otlp_json_field *f = find_field(m, &field, &idx);
		if (!f || seen & UINT64_C(1) << idx)
			continue;
		seen |= UINT64_C(1) << idx;
		print_member(p, f, bytes, depth);
	}
	jsonw_object_end(&p->w);
	if (pb_failed(&r) && !p->error)
		p->error = r.error;
}

enum err_code
otlp_to_json(enum signal_kind signal, struct str body, unsigned depth_max, struct buf *out,
    struct err *err)
{
	struct printer p = {.depth_max = depth_max};
	json_writer_init(&p.w, out);
	print_message(&p, otlp_json_request(signal), body, 0);
	if (p.error)
		return err_set(err, ERR_INVALID, "not an OTLP request: %s", p.error);
	if (out->failed)
		return err_set(err, ERR_TOO_LARGE, "as JSON it is larger than %zu bytes",
		    out->bytes_max);
	return ERR_OK;
}
