/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as messages. Many spans have the same resource and scope: each of these is written once, and copied.
 */
#include "reads/reads_priv.h"

#include "base/arena.h"
#include "base/map.h"
#include "otlp/from_rows.h"
#include "sys/log.h"
#include "wire/pb.h"

#include <inttypes.h>
#include <stdlib.h>

enum response_field {
	FIELD_KEY = 1,
	FIELD_SPAN = 2,
	FIELD_RESOURCE = 3,
	FIELD_REMAINING = 4,
	FIELD_SCOPE = 5,
	FIELD_RESOURCE_URL = 6,
	FIELD_SCOPE_URL = 7,
};

/* A dictionary's rows as messages: row i is bytes[ends[i - 1] .. ends[i]), or is damaged. */
struct packed {
	const struct table *rows;
	struct map by_id;
	struct buf bytes;
	size_t *ends;
	bool *damaged;
};

static void
pack(struct packed *p, const struct table *rows,
    bool (*write)(const struct table *t, size_t row, struct buf *out))
{
	*p = (struct packed){.rows = rows};
	p->ends = xcalloc(rows->row_count + 1, sizeof(*p->ends));
	p->damaged = xcalloc(rows->row_count + 1, sizeof(*p->damaged));
	for (size_t i = 0; i < rows->row_count; i++) {
		bool put = map_put(&p->by_id, table_u64(rows, i, 0), i);
		CHECK(put);
		p->damaged[i] = !write(rows, i, &p->bytes);
		p->ends[i] = p->bytes.len;
	}
}

static void
unpack(struct packed *p)
{
	map_fini(&p->by_id);
	buf_fini(&p->bytes);
	free(p->ends);
	free(p->damaged);
}

/* SIZE_MAX: it is not there, or damaged. */
static size_t
find_packed(const struct packed *p, uint64_t id)
{
	const uint64_t *row = map_get(&p->by_id, id);
	return row && !p->damaged[*row] ? (size_t)*row : SIZE_MAX;
}

static void
put_packed(struct buf *out, uint32_t field, uint32_t url_field, int url_col, const struct packed *p,
    size_t row)
{
	size_t from = row > 0 ? p->ends[row - 1] : 0;
	struct str url = table_str(p->rows, row, url_col);
	if (p->ends[row] > from)
		pb_put_bytes(out, field, str_of(p->bytes.ptr + from, p->ends[row] - from));
	if (url.len > 0)
		pb_put_bytes(out, url_field, url);
}

struct writing {
	const struct table *rows;
	struct packed resources, scopes;
	struct buf *out;
};

/* False: it is damaged. */
static bool
put_span(struct writing *w, size_t row, const char key[READS_KEY_BYTES])
{
	struct buf *b = w->out;
	size_t resource = find_packed(&w->resources, table_u64(w->rows, row, SPAN_RESOURCE_ID));
	size_t scope = find_packed(&w->scopes, table_u64(w->rows, row, SPAN_SCOPE_ID));
	if (resource == SIZE_MAX || scope == SIZE_MAX)
		return false;
	size_t begun = grpc_message_begin(b);
	pb_put_bytes(b, FIELD_KEY, str_of(key, READS_KEY_BYTES));
	size_t span = pb_open(b, FIELD_SPAN);
	bool good = otlp_span_from_row(w->rows, row, b);
	pb_close(b, span);
	put_packed(b, FIELD_RESOURCE, FIELD_RESOURCE_URL, RESOURCE_SCHEMA_URL, &w->resources,
	    resource);
	put_packed(b, FIELD_SCOPE, FIELD_SCOPE_URL, SCOPE_SCHEMA_URL, &w->scopes, scope);
	grpc_message_end(b, begun);
	return good;
}

/* Rows up to where the bytes end; how many were looked at. key: of the last of them. */
static size_t
put_spans(struct writing *w, size_t bytes_max, struct reads_answer *a, char key[READS_KEY_BYTES])
{
	char next[READS_KEY_BYTES];
	size_t row;
	for (row = 0; row < w->rows->row_count; row++) {
		uint64_t seq = table_u64(w->rows, row, SPAN_SEQ);
		uint32_t ord = table_u32(w->rows, row, SPAN_ORD);
		size_t before = w->out->len;
		reads_key_write(seq, ord, next);
		bool good = put_span(w, row, next);
		if (w->out->failed)
			break;
		bool fits = w->out->len <= bytes_max || a->spans == 0;
		if (!good || !fits)
			w->out->len = before;
		if (good && !fits)
			break;
		if (!good)
			log_warn("reads",
			    "span %" PRIu32 " of record %" PRIu64
			    " is damaged and was left out: its JSON is no typed JSON, or its resource or "
			    "scope is not there",
			    ord, seq);
		memcpy(key, next, READS_KEY_BYTES);
		a->spans += good;
		a->damaged += !good;
	}
	return row;
}

enum err_code
reads_answer_write(const struct store_result *result, const struct reads_request *asked,
    size_t bytes_max, struct reads_answer *out, struct err *err)
{
	char key[READS_KEY_BYTES];
	*out = (struct reads_answer){.spans = 0};
	struct writing w = {.rows = &result->rows, .out = &out->messages};
	reads_key_write(asked->after.seq, asked->after.ord, key);
	pack(&w.resources, &result->resources, otlp_resource_from_row);
	pack(&w.scopes, &result->scopes, otlp_scope_from_row);
	size_t looked = put_spans(&w, bytes_max, out, key);
	unpack(&w.resources);
	unpack(&w.scopes);
	uint64_t remaining = result->remaining + (result->rows.row_count - looked);
	size_t begun = grpc_message_begin(w.out);
	if (looked > 0 || asked->after.set)
		pb_put_bytes(w.out, FIELD_KEY, str_of(key, READS_KEY_BYTES));
	if (remaining > 0)
		pb_put_u64(w.out, FIELD_REMAINING,
		    remaining < STORE_REMAINING_MAX ? remaining : STORE_REMAINING_MAX);
	grpc_message_end(w.out, begun);
	if (!w.out->failed)
		return ERR_OK;
	buf_fini(w.out);
	return err_set(err, ERR_BUSY, "no memory for an answer");
}
