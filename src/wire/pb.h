/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire/pb.h - protobuf wire format: a zero-copy cursor to read, a small writer.
 * Source: protobuf.dev/programming-guides/encoding.
 *
 * Reading. A `struct pb_reader` walks the fields of one message; a length-delimited field's bytes
 * point into the input. Lengths are checked against what is left, varints have at most ten bytes
 * and no overflowing bits, groups are skipped whole and balanced (depth bounded), wire types 6 and
 * 7 and field number 0 are errors. The error is sticky: pb_next() then returns false for good, and
 * pb_failed() tells it from the end. No recursion, no allocation.
 *
 * Writing. Appends to a struct buf. A nested message is opened and closed; its length is written
 * as a padded varint of four bytes, which every parser accepts (messages below 256 MiB).
 */
#ifndef WIRE_PB_H
#define WIRE_PB_H

#include "base/buf.h"

enum pb_wire {
	PB_VARINT = 0,
	PB_FIXED64 = 1,
	PB_BYTES = 2,
	PB_GROUP = 3,
	PB_GROUP_END = 4,
	PB_FIXED32 = 5
};

struct pb_reader {
	const unsigned char *at;
	const unsigned char *end;
	const char *error; /* NULL: fine */
};

struct pb_field {
	uint32_t number;
	enum pb_wire wire; /* never PB_GROUP_END; a PB_GROUP is skipped and reported as such */
	uint64_t value; /* varint, fixed64, fixed32 */
	struct str bytes; /* PB_BYTES */
};

/* For `switch (pb_key(f))`: a known field with another wire type is an unknown field. */
#define PB_KEY(number, wire) ((uint32_t)(number) << 3 | (uint32_t)(wire))

void pb_reader_init(struct pb_reader *r, struct str message);
bool pb_next(struct pb_reader *r, struct pb_field *field_out); /* false: end or error */
static inline bool
pb_failed(const struct pb_reader *r)
{
	return r->error != NULL;
}
static inline uint32_t
pb_key(const struct pb_field *f)
{
	return PB_KEY(f->number, f->wire);
}
double pb_double(uint64_t fixed64);
int64_t pb_zigzag(uint64_t varint);

/* Elements of a repeated numeric field, which may come packed or one by one, mixed. Call for each
 * PB_BYTES (packed) or single field met, of wire type `element`; a field of any other wire type
 * has no elements. pb_packed_next(): false at the end and when the run is malformed (`error`). */
struct pb_packed {
	const unsigned char *at;
	const unsigned char *end;
	enum pb_wire wire;
	const char *error;
	uint64_t single; /* a field that came by itself */
	bool has_single;
};
void pb_packed_init(struct pb_packed *p, const struct pb_field *f, enum pb_wire element);
bool pb_packed_next(struct pb_packed *p, uint64_t *value_out);

void pb_put_varint(struct buf *b, uint64_t v);
void pb_put_u64(struct buf *b, uint32_t number, uint64_t v); /* varint; writes zeros too */
void pb_put_sint(struct buf *b, uint32_t number, int64_t v); /* zigzag */
void pb_put_fixed64(struct buf *b, uint32_t number, uint64_t v);
void pb_put_fixed32(struct buf *b, uint32_t number, uint32_t v);
void pb_put_double(struct buf *b, uint32_t number, double v);
void pb_put_bytes(struct buf *b, uint32_t number, struct str s);
/* Returns a mark for pb_close(). Marks nest. */
size_t pb_open(struct buf *b, uint32_t number);
void pb_close(struct buf *b, size_t mark);

#endif
