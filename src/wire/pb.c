/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/pb.h"

#include "base/bits.h"
#include "base/limits.h"

enum {
	VARINT_BYTES_MAX = 10,
	LENGTH_BYTES = 4, /* the padded varint of a nested message */
};
#define NESTED_BYTES_MAX ((UINT64_C(1) << (7 * LENGTH_BYTES)) - 1)

/* Reads a varint at *at and moves behind it. False: cut short, or more than 64 bits. */
static bool
get_long_varint(const unsigned char **at, const unsigned char *end, uint64_t *value_out)
{
	const unsigned char *p = *at;
	uint64_t value = 0;
	size_t bytes_max =
	    (size_t)(end - p) < VARINT_BYTES_MAX ? (size_t)(end - p) : VARINT_BYTES_MAX;
	for (size_t i = 0; i < bytes_max; i++) {
		if (i == VARINT_BYTES_MAX - 1 && p[i] > 1)
			return false;
		value |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (p[i] < 0x80) {
			*at = p + i + 1;
			*value_out = value;
			return true;
		}
	}
	return false;
}

static inline bool
get_varint(const unsigned char **at, const unsigned char *end, uint64_t *value_out)
{
	const unsigned char *p = *at;
	if (__builtin_expect(p < end && *p < 0x80, 1)) {
		*value_out = *p;
		*at = p + 1;
		return true;
	}
	return get_long_varint(at, end, value_out);
}

static bool
fail(struct pb_reader *r, const char *why)
{
	r->error = why;
	return false;
}

static inline bool
get_key(struct pb_reader *r, uint32_t *number_out, uint32_t *wire_out)
{
	uint64_t key;
	if (!get_varint(&r->at, r->end, &key))
		return fail(r, "a field's key is cut short or too long");
	if (key > UINT32_MAX)
		return fail(r, "a field number is above 2^29 - 1");
	if (key < 8)
		return fail(r, "a field has number 0");
	*number_out = (uint32_t)key >> 3;
	*wire_out = (uint32_t)key & 7;
	return true;
}

/* A value that is no group. */
static inline bool
get_value(struct pb_reader *r, uint32_t wire, struct pb_field *f)
{
	size_t left;
	f->wire = (enum pb_wire)wire;
	f->value = 0;
	f->bytes = STR_EMPTY;
	switch (wire) {
	case PB_VARINT:
		return get_varint(&r->at, r->end, &f->value) ||
		    fail(r, "a varint is cut short or has more than 64 bits");
	case PB_FIXED64:
		if (r->end - r->at < 8)
			return fail(r, "a 64-bit value is cut short");
		f->value = get_u64le(r->at);
		r->at += 8;
		return true;
	case PB_BYTES:
		if (!get_varint(&r->at, r->end, &f->value))
			return fail(r, "a length is cut short or has more than 64 bits");
		left = (size_t)(r->end - r->at);
		if (f->value > left)
			return fail(r, "a field is longer than what is left of its message");
		f->bytes = str_of(r->at, (size_t)f->value);
		r->at += f->bytes.len;
		return true;
	case PB_FIXED32:
		if (r->end - r->at < 4)
			return fail(r, "a 32-bit value is cut short");
		f->value = get_u32le(r->at);
		r->at += 4;
		return true;
	default: return fail(r, "a wire type is unknown");
	}
}

/* Behind the start of group `number`: move behind its end. The numbers of the open groups are
 * kept, for each end must name the innermost one. */
static bool
skip_group(struct pb_reader *r, uint32_t number)
{
	uint32_t open[LIMIT_MESSAGE_DEPTH];
	size_t depth = 0;
	open[depth++] = number;
	while (depth > 0) {
		struct pb_field skipped;
		uint32_t wire;
		if (r->at == r->end)
			return fail(r, "a group has no end");
		if (!get_key(r, &number, &wire))
			return false;
		if (wire == PB_GROUP) {
			if (depth == ARRAY_LEN(open))
				return fail(r, "groups are nested too deeply");
			open[depth++] = number;
		} else if (wire == PB_GROUP_END) {
			if (open[--depth] != number)
				return fail(r, "a group ends that did not begin");
		} else if (!get_value(r, wire, &skipped)) {
			return false;
		}
	}
	return true;
}

void
pb_reader_init(struct pb_reader *r, struct str message)
{
	const unsigned char *p = (const unsigned char *)message.ptr;
	*r = (struct pb_reader){.at = p, .end = message.len ? p + message.len : p};
}

bool
pb_next(struct pb_reader *r, struct pb_field *field_out)
{
	uint32_t wire;
	if (r->error || r->at == r->end)
		return false;
	if (!get_key(r, &field_out->number, &wire))
		return false;
	if (wire == PB_GROUP) {
		field_out->wire = PB_GROUP;
		field_out->value = 0;
		field_out->bytes = STR_EMPTY;
		return skip_group(r, field_out->number);
	}
	if (wire == PB_GROUP_END)
		return fail(r, "a group ends that did not begin");
	return get_value(r, wire, field_out);
}

double
pb_double(uint64_t fixed64)
{
	double v;
	_Static_assert(sizeof(v) == sizeof(fixed64), "double is IEEE 754 binary64");
	memcpy(&v, &fixed64, sizeof(v));
	return v;
}

int64_t
pb_zigzag(uint64_t varint)
{
	uint64_t v = varint >> 1 ^ (0 - (varint & 1));
	return (int64_t)v;
}

void
pb_packed_init(struct pb_packed *p, const struct pb_field *f, enum pb_wire element)
{
	CHECK(element == PB_VARINT || element == PB_FIXED64 || element == PB_FIXED32);
	*p = (struct pb_packed){.wire = element};
	if (f->wire == PB_BYTES && f->bytes.len > 0) {
		p->at = (const unsigned char *)f->bytes.ptr;
		p->end = p->at + f->bytes.len;
	} else if (f->wire == element) {
		p->single = f->value;
		p->has_single = true;
	}
}

bool
pb_packed_next(struct pb_packed *p, uint64_t *value_out)
{
	if (p->has_single) {
		p->has_single = false;
		*value_out = p->single;
		return true;
	}
	if (p->error || p->at == p->end)
		return false;
	size_t left = (size_t)(p->end - p->at);
	size_t need = p->wire == PB_FIXED64 ? 8 : p->wire == PB_FIXED32 ? 4 : 1;
	if (left < need) {
		p->error = "a packed list is cut short";
		return false;
	}
	if (p->wire == PB_VARINT) {
		if (get_varint(&p->at, p->end, value_out))
			return true;
		p->error = "a packed varint is cut short or has more than 64 bits";
		return false;
	}
	*value_out = p->wire == PB_FIXED64 ? get_u64le(p->at) : get_u32le(p->at);
	p->at += need;
	return true;
}

void
pb_put_varint(struct buf *b, uint64_t v)
{
	size_t n = (size_t)(64 - __builtin_clzll(v | 1) + 6) / 7;
	char *p = buf_reserve(b, n);
	if (!p)
		return;
	for (size_t i = 0; i + 1 < n; i++, v >>= 7)
		p[i] = (char)(v | 0x80);
	p[n - 1] = (char)v;
	b->len += n;
}

static void
put_key(struct buf *b, uint32_t number, enum pb_wire wire)
{
	CHECK(number > 0 && number < UINT32_C(1) << 29);
	pb_put_varint(b, PB_KEY(number, wire));
}

void
pb_put_u64(struct buf *b, uint32_t number, uint64_t v)
{
	put_key(b, number, PB_VARINT);
	pb_put_varint(b, v);
}

void
pb_put_sint(struct buf *b, uint32_t number, int64_t v)
{
	pb_put_u64(b, number, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void
pb_put_fixed64(struct buf *b, uint32_t number, uint64_t v)
{
	char bytes[8];
	put_u64le(bytes, v);
	put_key(b, number, PB_FIXED64);
	buf_append(b, bytes, sizeof(bytes));
}

void
pb_put_fixed32(struct buf *b, uint32_t number, uint32_t v)
{
	char bytes[4];
	put_u32le(bytes, v);
	put_key(b, number, PB_FIXED32);
	buf_append(b, bytes, sizeof(bytes));
}

void
pb_put_double(struct buf *b, uint32_t number, double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	pb_put_fixed64(b, number, bits);
}

void
pb_put_bytes(struct buf *b, uint32_t number, struct str s)
{
	put_key(b, number, PB_BYTES);
	pb_put_varint(b, s.len);
	buf_str(b, s);
}

size_t
pb_open(struct buf *b, uint32_t number)
{
	static const char length[LENGTH_BYTES];
	put_key(b, number, PB_BYTES);
	buf_append(b, length, sizeof(length));
	return b->len;
}

void
pb_close(struct buf *b, size_t mark)
{
	if (b->failed)
		return;
	CHECK(mark >= LENGTH_BYTES && mark <= b->len);
	uint64_t len = b->len - mark;
	if (len > NESTED_BYTES_MAX) {
		b->failed = true;
		return;
	}
	for (size_t i = 0; i < LENGTH_BYTES; i++) {
		unsigned char more = i < LENGTH_BYTES - 1 ? 0x80 : 0;
		b->ptr[mark - LENGTH_BYTES + i] = (char)((len >> (7 * i) & 0x7f) | more);
	}
}
