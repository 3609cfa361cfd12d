/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "base/bits.h"

static const char link_prefix[] = "\"trace_id\":\"";

size_t
store_find_id(const struct table *dict, uint64_t id)
{
	CHECK(dict->row_count == 0 || dict->def->cols[0].kind == COL_U64);
	for (size_t row = 0; row < dict->row_count; row++)
		if (table_u64(dict, row, 0) == id)
			return row;
	return SIZE_MAX;
}

__extension__ typedef unsigned __int128 uint128;

bool
store_count_bounds(const struct store_query *q, uint64_t *first_ns, uint64_t *last_ns)
{
	bool any = *first_ns <= *last_ns;
	bool has_from = q->from_ns > 0, has_to = q->to_ns != UINT64_MAX;
	if (q->to_ns == 0 || (!any && !(has_from && (has_to || q->until_ns > 0))))
		return false;
	if (!any)
		*last_ns = 0;
	if (has_from)
		*first_ns = q->from_ns;
	if (has_to)
		*last_ns = q->to_ns - 1;
	else if (q->until_ns > 0 && q->until_ns - 1 > *last_ns)
		*last_ns = q->until_ns - 1;
	return *first_ns <= *last_ns;
}

bool
store_buckets_init(struct table *out, uint64_t first_ns, uint64_t last_ns, size_t count_max)
{
	CHECK(first_ns <= last_ns && count_max > 0);
	uint128 length = (uint128)(last_ns - first_ns) + 1;
	uint128 width = (length + count_max - 1) / count_max;
	for (uint128 at = 0; at < length; at += width) {
		size_t row = table_add_row(out);
		if (row == SIZE_MAX)
			return false;
		uint128 end = (uint128)first_ns + at + width;
		table_set_u64(out, row, BUCKET_FROM_NS, (uint64_t)(first_ns + at));
		table_set_u64(out, row, BUCKET_TO_NS,
		    end > UINT64_MAX ? UINT64_MAX : (uint64_t)end);
	}
	return true;
}

size_t
store_bucket_of(const struct table *buckets, uint64_t time_ns)
{
	uint64_t first = table_u64(buckets, 0, BUCKET_FROM_NS);
	uint64_t width = table_u64(buckets, 0, BUCKET_TO_NS) - first;
	CHECK(time_ns >= first);
	size_t row = (size_t)((time_ns - first) / width);
	if (row == buckets->row_count) /* the last nanosecond there is */
		row--;
	CHECK(row < buckets->row_count);
	return row;
}

struct str
store_link_text(uint64_t trace_hi, uint64_t trace_lo, char out[STORE_LINK_BYTES])
{
	enum { PREFIX = sizeof(link_prefix) - 1 };
	_Static_assert(PREFIX + 33 == STORE_LINK_BYTES, "the prefix, 32 digits and a quote");
	memcpy(out, link_prefix, PREFIX);
	hex_u64(trace_hi, out + PREFIX);
	hex_u64(trace_lo, out + PREFIX + 16);
	out[PREFIX + 32] = '"';
	return str_of(out, STORE_LINK_BYTES);
}

void
store_pull_move(struct store_pull *p, const struct batch_request *r)
{
	CHECK(r->position.len > 0 && r->position.len <= LIMIT_POSITION_BYTES);
	if (r->seq <= p->seq)
		return;
	memcpy(p->position, r->position.ptr, r->position.len);
	p->position_len = r->position.len;
	p->seq = r->seq;
	p->received_ns = r->received_ns;
	p->spans += r->rows;
}
