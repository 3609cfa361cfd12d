/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record.h"

#include "base/bits.h"
#include "tenant/tenant.h"

#include <stddef.h>

enum { RECORD_WHOLE = 1, RECORD_PART = 2, RECORD_PULLED = 3, LIMITS_OFF = 32 };

/* What a scan goes by, in the order of the record. */
static const size_t limit_fields[] = {offsetof(struct limits, items_max),
    offsetof(struct limits, attributes_max), offsetof(struct limits, value_bytes_max),
    offsetof(struct limits, name_bytes_max), offsetof(struct limits, list_items_max),
    offsetof(struct limits, depth_max)};

_Static_assert(LIMITS_OFF + 4 * ARRAY_LEN(limit_fields) == RECORD_FIXED_BYTES, "the head is full");
_Static_assert(RECORD_PART_BYTES + RECORD_LETTER_BYTES_MAX <=
        RECORD_PULL_BYTES + LIMIT_SOURCE_BYTES + LIMIT_POSITION_BYTES,
    "RECORD_HEAD_BYTES_MAX is that of what was pulled");

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

static bool
is_pulled(const struct record *r)
{
	return r->source.len > 0;
}

static size_t
write_text(char *out, struct str s)
{
	if (s.len > 0)
		memcpy(out, s.ptr, s.len);
	return s.len;
}

/* Behind the fixed part, before the texts. */
static size_t
write_version(const struct record *r, char *out)
{
	if (is_part(r)) {
		put_u32le(out, r->part_first);
		put_u32le(out + 4, r->part_count);
		return RECORD_PART_BYTES;
	}
	if (!is_pulled(r))
		return 0;
	memset(out, 0, RECORD_PULL_BYTES);
	out[0] = (char)r->source.len;
	out[1] = (char)r->position.len;
	return RECORD_PULL_BYTES;
}

static void
check_source(const struct record *r)
{
	CHECK(!is_part(r) || !is_pulled(r));
	CHECK(r->source.len <= LIMIT_SOURCE_BYTES);
	CHECK(r->position.len <= LIMIT_POSITION_BYTES);
	CHECK((r->source.len > 0) == (r->position.len > 0));
}

size_t
record_write_head(const struct record *r, char out[RECORD_HEAD_BYTES_MAX])
{
	size_t n = RECORD_FIXED_BYTES;
	check_source(r);
	CHECK(r->tenant.len > 0);
	CHECK(r->tenant.len <= LIMIT_TENANT_BYTES);
	CHECK(r->letter.len <= RECORD_LETTER_BYTES_MAX);
	CHECK(is_part(r) || (r->part_first == 0 && r->part_count == RECORD_ALL));
	CHECK(r->part_count > 0);
	memset(out, 0, RECORD_FIXED_BYTES);
	out[0] = is_part(r) ? RECORD_PART : is_pulled(r) ? RECORD_PULLED : RECORD_WHOLE;
	out[1] = (char)r->signal;
	out[2] = (char)r->tenant.len;
	out[3] = (char)r->letter.len;
	put_u32le(out + 4, r->item_count);
	put_u64le(out + 8, r->received_ns);
	put_u64le(out + 16, r->hash.hi);
	put_u64le(out + 24, r->hash.lo);
	write_limits(&r->limits, out + LIMITS_OFF);
	n += write_version(r, out + n);
	n += write_text(out + n, r->tenant);
	n += write_text(out + n, r->letter);
	n += write_text(out + n, r->source);
	return n + write_text(out + n, r->position);
}

/* How long the parts of a head are. */
struct shape {
	size_t fixed, tenant, letter, source, position;
};

static struct shape
shape_of(const unsigned char *p)
{
	struct shape s = {.fixed = RECORD_FIXED_BYTES, .tenant = p[2], .letter = p[3]};
	if (p[0] == RECORD_PART)
		s.fixed += RECORD_PART_BYTES;
	if (p[0] == RECORD_PULLED)
		s.fixed += RECORD_PULL_BYTES;
	return s;
}

/* Lengths and kinds in the first bytes agree with one another and fit into the payload. */
static bool
head_fits(struct str payload, struct shape *s)
{
	const unsigned char *p = (const unsigned char *)payload.ptr;
	bool pulled = p[0] == RECORD_PULLED;
	if (payload.len < s->fixed)
		return false;
	if (pulled) {
		s->source = p[RECORD_FIXED_BYTES];
		s->position = p[RECORD_FIXED_BYTES + 1];
	}
	return p[1] >= SIGNAL_TRACES && p[1] <= SIGNAL_COMMENTS && s->tenant > 0 &&
	    s->tenant <= LIMIT_TENANT_BYTES && s->letter <= RECORD_LETTER_BYTES_MAX &&
	    (s->letter > 0) == (p[0] == RECORD_PART) && (s->source > 0) == pulled &&
	    (s->position > 0) == pulled && s->source <= LIMIT_SOURCE_BYTES &&
	    s->position <= LIMIT_POSITION_BYTES &&
	    payload.len - s->fixed >= s->tenant + s->letter + s->source + s->position;
}

static enum err_code
malformed(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "a log record has a malformed head");
}

static struct str
take_text(struct str *rest, size_t len)
{
	struct str s = str_of(rest->ptr, len);
	*rest = str_skip(*rest, len);
	return s;
}

enum err_code
record_read(struct str payload, struct record *out, struct err *err)
{
	const unsigned char *p = (const unsigned char *)payload.ptr;
	*out = (struct record){.part_count = RECORD_ALL};
	if (payload.len < RECORD_FIXED_BYTES)
		return err_set(err, ERR_CORRUPT, "a log record of %zu bytes is too short",
		    payload.len);
	if (p[0] < RECORD_WHOLE || p[0] > RECORD_PULLED)
		return err_set(err, ERR_CORRUPT,
		    "a log record has version %u, this weir reads %d to %d", p[0], RECORD_WHOLE,
		    RECORD_PULLED);
	struct shape s = shape_of(p);
	if (!head_fits(payload, &s))
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
	struct str rest = str_skip(payload, s.fixed);
	out->tenant = take_text(&rest, s.tenant);
	out->letter = take_text(&rest, s.letter);
	out->source = take_text(&rest, s.source);
	out->position = take_text(&rest, s.position);
	out->body = rest;
	if (out->source.len > 0 && !tenant_name_valid(out->source))
		return malformed(err);
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
