/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record.h"

#include "base/bits.h"

#include <stddef.h>

enum { RECORD_WHOLE = 1, RECORD_PART = 2, LIMITS_OFF = 32 };

/* What a scan goes by, in the order of the record. */
static const size_t limit_fields[] = {offsetof(struct limits, items_max),
    offsetof(struct limits, attributes_max), offsetof(struct limits, value_bytes_max),
    offsetof(struct limits, name_bytes_max), offsetof(struct limits, list_items_max),
    offsetof(struct limits, depth_max)};

_Static_assert(LIMITS_OFF + 4 * ARRAY_LEN(limit_fields) == RECORD_FIXED_BYTES, "the head is full");

static void
write_limits(const struct limits *limits, char *out)
{
	for (size_t i = 0; i < ARRAY_LEN(limit_fields); i++) {
		uint64_t v;
		memcpy(&v, (const char *)limits + limit_fields[i], sizeof(v));
		CHECK(v <= UINT32_MAX);
		put_u32le(out + 4 * i, (uint32_t)v);
	}
}

static void
read_limits(const unsigned char *in, struct limits *limits)
{
	for (size_t i = 0; i < ARRAY_LEN(limit_fields); i++) {
		uint64_t v = get_u32le(in + 4 * i);
		memcpy((char *)limits + limit_fields[i], &v, sizeof(v));
	}
}

/* Also a part that happens to be everything has a letter. */
static bool
is_part(const struct record *r)
{
	return r->letter.len > 0;
}

size_t
record_write_head(const struct record *r, char out[RECORD_HEAD_BYTES_MAX])
{
	size_t n = RECORD_FIXED_BYTES;
	CHECK(r->tenant.len > 0);
	CHECK(r->tenant.len <= LIMIT_TENANT_BYTES);
	CHECK(r->letter.len <= RECORD_LETTER_BYTES_MAX);
	CHECK(is_part(r) || (r->part_first == 0 && r->part_count == RECORD_ALL));
	CHECK(r->part_count > 0);
	memset(out, 0, RECORD_FIXED_BYTES);
	out[0] = is_part(r) ? RECORD_PART : RECORD_WHOLE;
	out[1] = (char)r->signal;
	out[2] = (char)r->tenant.len;
	out[3] = (char)r->letter.len;
	put_u32le(out + 4, r->item_count);
	put_u64le(out + 8, r->received_ns);
	put_u64le(out + 16, r->hash.hi);
	put_u64le(out + 24, r->hash.lo);
	write_limits(&r->limits, out + LIMITS_OFF);
	if (is_part(r)) {
		put_u32le(out + n, r->part_first);
		put_u32le(out + n + 4, r->part_count);
		n += RECORD_PART_BYTES;
	}
	memcpy(out + n, r->tenant.ptr, r->tenant.len);
	n += r->tenant.len;
	if (is_part(r))
		memcpy(out + n, r->letter.ptr, r->letter.len);
	return n + r->letter.len;
}

/* Lengths and kinds in the first bytes agree with one another and fit into the payload. */
static bool
head_fits(struct str payload, size_t fixed, size_t tenant_len, size_t letter_len)
{
	const unsigned char *p = (const unsigned char *)payload.ptr;
	return p[1] >= SIGNAL_TRACES && p[1] <= SIGNAL_LOGS && tenant_len > 0 &&
	    tenant_len <= LIMIT_TENANT_BYTES && letter_len <= RECORD_LETTER_BYTES_MAX &&
	    (letter_len > 0) == (p[0] == RECORD_PART) && payload.len >= fixed &&
	    payload.len - fixed >= tenant_len + letter_len;
}

static enum err_code
malformed(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "a log record has a malformed head");
}

enum err_code
record_read(struct str payload, struct record *out, struct err *err)
{
	const unsigned char *p = (const unsigned char *)payload.ptr;
	*out = (struct record){.part_count = RECORD_ALL};
	if (payload.len < RECORD_FIXED_BYTES)
		return err_set(err, ERR_CORRUPT, "a log record of %zu bytes is too short",
		    payload.len);
	if (p[0] != RECORD_WHOLE && p[0] != RECORD_PART)
		return err_set(err, ERR_CORRUPT,
		    "a log record has version %u, this weir reads %d and %d", p[0], RECORD_WHOLE,
		    RECORD_PART);
	size_t tenant_len = p[2], letter_len = p[3];
	size_t fixed = RECORD_FIXED_BYTES + (p[0] == RECORD_PART ? RECORD_PART_BYTES : 0);
	if (!head_fits(payload, fixed, tenant_len, letter_len))
		return malformed(err);
	out->signal = (enum signal_kind)p[1];
	out->item_count = get_u32le(p + 4);
	out->received_ns = get_u64le(p + 8);
	out->hash.hi = get_u64le(p + 16);
	out->hash.lo = get_u64le(p + 24);
	read_limits(p + LIMITS_OFF, &out->limits);
	if (p[0] == RECORD_PART) {
		out->part_first = get_u32le(p + RECORD_FIXED_BYTES);
		out->part_count = get_u32le(p + RECORD_FIXED_BYTES + 4);
	}
	if (out->limits.depth_max > LIMIT_MESSAGE_DEPTH || out->part_count == 0)
		return malformed(err);
	out->tenant = str_of(payload.ptr + fixed, tenant_len);
	out->letter = str_of(payload.ptr + fixed + tenant_len, letter_len);
	out->body = str_skip(payload, fixed + tenant_len + letter_len);
	return ERR_OK;
}

struct hash128
record_part_identity(struct hash128 whole, uint32_t first, uint32_t count)
{
	char of[24];
	put_u64le(of, whole.hi);
	put_u64le(of + 8, whole.lo);
	put_u32le(of + 16, first);
	put_u32le(of + 20, count);
	return hash_u128(str_of(of, sizeof(of)));
}

struct hash128
record_identity(const struct record *r)
{
	return is_part(r) ? record_part_identity(r->hash, r->part_first, r->part_count) : r->hash;
}

bool
record_has(const struct record *r, uint32_t ord)
{
	return ord >= r->part_first && ord - r->part_first < r->part_count;
}
