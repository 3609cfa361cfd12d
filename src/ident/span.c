/* SPDX-License-Identifier: Apache-2.0 */
/* What a span, and a comment, is known by. */
#include "ident/ident.h"

#include "base/arena.h"
#include "base/bits.h"

#include <stdlib.h>

enum { NUMBERS = 4, SHORT_BYTES = 256 };

/* The length of the tenant comes first, so that no other split of the same bytes is hashed. */
struct hash128
ident_span(struct str tenant, uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id)
{
	char on_stack[SHORT_BYTES];
	size_t len = NUMBERS * 8 + tenant.len;
	char *bytes = len <= SHORT_BYTES ? on_stack : xcalloc(1, len);
	put_u64le(bytes, tenant.len);
	put_u64le(bytes + 8, trace_hi);
	put_u64le(bytes + 16, trace_lo);
	put_u64le(bytes + 24, span_id);
	if (tenant.len > 0)
		memcpy(bytes + NUMBERS * 8, tenant.ptr, tenant.len);
	struct hash128 h = hash_u128(str_of(bytes, len));
	if (bytes != on_stack)
		free(bytes);
	return h;
}

struct hash128
ident_comment(struct str tenant, struct str id)
{
	char on_stack[SHORT_BYTES];
	size_t len = 16 + tenant.len + id.len;
	char *bytes = len <= SHORT_BYTES ? on_stack : xcalloc(1, len);
	put_u64le(bytes, UINT64_MAX); /* no length: never the bytes of a span */
	put_u64le(bytes + 8, tenant.len);
	if (tenant.len > 0)
		memcpy(bytes + 16, tenant.ptr, tenant.len);
	if (id.len > 0)
		memcpy(bytes + 16 + tenant.len, id.ptr, id.len);
	struct hash128 h = hash_u128(str_of(bytes, len));
	if (bytes != on_stack)
		free(bytes);
	return h;
}
