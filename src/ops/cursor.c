/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor is 48 bytes as base64url (64 characters), little-endian:
 *
 *     u8 version   u8 kind   u16 zero   u32 ord   u64 time_ns   u64 seq
 *     u64 from_ns            the lower bound of the first page, which `last` made of its moment
 *     u64 params_hash        of tenant and all other parameters but `limit`
 *     u64 check              XXH3 of the 40 bytes before
 *
 * The check finds damage, it is no signature: whoever forges a cursor gets to a place in rows that
 * the same request may read anyway.
 */
#include "ops/ops_priv.h"

#include "base/bits.h"
#include "base/hash.h"
#include "base/base64.h"

enum { CURSOR_VERSION = 1, CURSOR_BYTES = 48, CURSOR_TEXT_BYTES = 64, CHECKED_BYTES = 40 };

static const uint64_t check_seed = UINT64_C(0x7765697263757231);

void
ops_cursor_write(struct buf *out, const struct ops_cursor_base *base, const struct store_cursor *at)
{
	unsigned char raw[CURSOR_BYTES] = {CURSOR_VERSION, (unsigned char)base->kind};
	put_u32le(raw + 4, at->ord);
	put_u64le(raw + 8, at->time_ns);
	put_u64le(raw + 16, at->seq);
	put_u64le(raw + 24, base->from_ns);
	put_u64le(raw + 32, base->params_hash);
	put_u64le(raw + 40, hash_u64_seed(str_of(raw, CHECKED_BYTES), check_seed));

	size_t start = out->len;
	base64_write(out, str_of(raw, sizeof raw));
	if (out->failed)
		return;
	CHECK(out->len - start == CURSOR_TEXT_BYTES);
	for (char *c = out->ptr + start; c < out->ptr + out->len; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
}

static enum err_code
malformed(struct err *err)
{
	return err_set(err, ERR_INVALID,
	    "parameter cursor: not a cursor of this server; pass next_cursor as it came");
}

enum err_code
ops_cursor_read(struct str text, struct ops_cursor_base *base, struct store_cursor *at_out,
    struct err *err)
{
	unsigned char raw[CURSOR_BYTES];
	struct buf bytes;
	buf_init(&bytes, CURSOR_BYTES + 16);
	bool ok = text.len == CURSOR_TEXT_BYTES && base64_read(text, &bytes) && !bytes.failed &&
	    bytes.len == CURSOR_BYTES;
	if (ok)
		memcpy(raw, bytes.ptr, sizeof raw);
	buf_fini(&bytes);
	if (!ok)
		return malformed(err);
	if (get_u64le(raw + 40) != hash_u64_seed(str_of(raw, CHECKED_BYTES), check_seed))
		return malformed(err);
	if (raw[0] != CURSOR_VERSION || raw[2] != 0 || raw[3] != 0)
		return malformed(err);
	if (raw[1] != (unsigned char)base->kind || get_u64le(raw + 32) != base->params_hash)
		return err_set(err, ERR_INVALID,
		    "parameter cursor: made for other parameters or another tenant; "
		    "repeat those it came with");
	base->from_ns = get_u64le(raw + 24);
	*at_out = (struct store_cursor){.time_ns = get_u64le(raw + 8),
	    .seq = get_u64le(raw + 16),
	    .ord = get_u32le(raw + 4),
	    .set = true};
	return ERR_OK;
}
