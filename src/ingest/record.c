/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record.h"

#include "base/bits.h"

#include <stddef.h>

enum { RECORD_VERSION = 1, LIMITS_OFF = 32 };

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

size_t
record_write_head(const struct record *r, char out[RECORD_HEAD_BYTES_MAX])
{
	CHECK(r->tenant.len > 0);
	CHECK(r->tenant.len <= LIMIT_TENANT_BYTES);
	memset(out, 0, RECORD_FIXED_BYTES);
	out[0] = RECORD_VERSION;
	out[1] = (char)r->signal;
	out[2] = (char)r->tenant.len;
	put_u32le(out + 4, r->item_count);
	put_u64le(out + 8, r->received_ns);
	put_u64le(out + 16, r->hash.hi);
	put_u64le(out + 24, r->hash.lo);
	write_limits(&r->limits, out + LIMITS_OFF);
	memcpy(out + RECORD_FIXED_BYTES, r->tenant.ptr, r->tenant.len);
	return RECORD_FIXED_BYTES + r->tenant.len;
}

enum err_code
record_read(struct str payload, struct record *out, struct err *err)
{
	const unsigned char *p = (const unsigned char *)payload.ptr;
	*out = (struct record){0};
	if (payload.len < RECORD_FIXED_BYTES)
		return err_set(err, ERR_CORRUPT, "a log record of %zu bytes is too short",
		    payload.len);
	if (p[0] != RECORD_VERSION)
		return err_set(err, ERR_CORRUPT, "a log record has version %u, this weir reads %d",
		    p[0], RECORD_VERSION);
	size_t tenant_len = p[2];
	if (p[1] < SIGNAL_TRACES || p[1] > SIGNAL_LOGS || p[3] != 0 || tenant_len == 0 ||
	    tenant_len > LIMIT_TENANT_BYTES || payload.len - RECORD_FIXED_BYTES < tenant_len)
		return err_set(err, ERR_CORRUPT, "a log record has a malformed head");
	out->signal = (enum signal_kind)p[1];
	out->item_count = get_u32le(p + 4);
	out->received_ns = get_u64le(p + 8);
	out->hash.hi = get_u64le(p + 16);
	out->hash.lo = get_u64le(p + 24);
	read_limits(p + LIMITS_OFF, &out->limits);
	if (out->limits.depth_max > LIMIT_MESSAGE_DEPTH)
		return err_set(err, ERR_CORRUPT, "a log record has a malformed head");
	out->tenant = str_of(payload.ptr + RECORD_FIXED_BYTES, tenant_len);
	out->body = str_skip(payload, RECORD_FIXED_BYTES + tenant_len);
	return ERR_OK;
}
