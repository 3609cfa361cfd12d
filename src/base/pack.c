/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pack.h"

#include "base/bits.h"

enum { U64_BYTES_MAX = 10, WORD_BYTES = 8 };

void
pack_u64(struct buf *out, uint64_t v)
{
	char bytes[U64_BYTES_MAX];
	size_t n = 0;
	for (; v > 0x7f; v >>= 7)
		bytes[n++] = (char)(v | 0x80);
	bytes[n++] = (char)v;
	buf_append(out, bytes, n);
}

void
pack_word(struct buf *out, uint64_t v)
{
	char bytes[WORD_BYTES];
	put_u64le(bytes, v);
	buf_append(out, bytes, sizeof(bytes));
}

void
pack_text(struct buf *out, struct str s)
{
	pack_u64(out, s.len);
	buf_str(out, s);
}

struct pack_reader
pack_read_begin(struct str bytes)
{
	return (struct pack_reader){
	    .at = bytes.ptr, .end = bytes.ptr ? bytes.ptr + bytes.len : NULL};
}

static size_t
left(const struct pack_reader *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->at);
}

static uint64_t
fail(struct pack_reader *r)
{
	r->failed = true;
	r->at = r->end;
	return 0;
}

uint64_t
pack_read_u64(struct pack_reader *r)
{
	uint64_t v = 0;
	size_t n = left(r);
	for (size_t i = 0; i < n && i < U64_BYTES_MAX; i++) {
		unsigned char byte = (unsigned char)r->at[i];
		/* The tenth byte has room for one bit; a last byte of zero is a longer form than needed. */
		if ((i == U64_BYTES_MAX - 1 && byte > 1) || (i > 0 && byte == 0))
			return fail(r);
		v |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		r->at += i + 1;
		return v;
	}
	return fail(r);
}

uint64_t
pack_read_max(struct pack_reader *r, uint64_t max)
{
	uint64_t v = pack_read_u64(r);
	return v <= max ? v : fail(r);
}

uint64_t
pack_read_word(struct pack_reader *r)
{
	struct str bytes = pack_read_bytes(r, WORD_BYTES);
	return bytes.len == WORD_BYTES ? get_u64le(bytes.ptr) : 0;
}

struct str
pack_read_bytes(struct pack_reader *r, size_t n)
{
	if (n > left(r)) {
		fail(r);
		return STR_EMPTY;
	}
	struct str s = {r->at, n};
	if (n > 0)
		r->at += n;
	return s;
}

struct str
pack_read_text(struct pack_reader *r, size_t len_max)
{
	return pack_read_bytes(r, (size_t)pack_read_max(r, len_max));
}

bool
pack_read_end(const struct pack_reader *r)
{
	return !r->failed && r->at == r->end;
}
