/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/walk.h"

#include "model/typed.h"

#include <stdarg.h>
#include <stdio.h>

/* The three requests have the same shape down to their items, field numbers included:
 * Export*ServiceRequest.resource_* = 1, Resource*.{resource, scope_*, schema_url} = 1, 2, 3 and
 * Scope*.{scope, spans | log_records | metrics, schema_url} = 1, 2, 3. */
enum { FIELD_RESOURCES = 1, FIELD_HEAD = 1, FIELD_BELOW = 2, FIELD_SCHEMA_URL = 3 };

static const char *
item_name(enum signal_kind signal)
{
	switch (signal) {
	case SIGNAL_TRACES: return "span";
	case SIGNAL_METRICS: return "data point";
	case SIGNAL_LOGS: return "log record";
	case SIGNAL_COMMENTS: break; /* not of OTLP */
	}
	CHECK(false);
	return NULL;
}

bool
walk_next(struct walk *w, struct pb_reader *r, struct pb_field *f)
{
	if (__builtin_expect(w->stop != ERR_OK, 0))
		return false;
	if (pb_next(r, f))
		return true;
	if (pb_failed(r)) {
		w->stop = ERR_INVALID;
		w->malformed = r->error;
	}
	return false;
}

void
walk_refuse(struct walk *w, const char *fmt, ...)
{
	if (w->bad)
		return;
	w->bad = true;
	if (w->counts.rejected > 0)
		return; /* only the first reason is told */
	int n = snprintf(w->why, sizeof(w->why), "%s", w->where);
	CHECK(n >= 0 && (size_t)n < sizeof(w->why));
	va_list args;
	va_start(args, fmt);
	vsnprintf(w->why + n, sizeof(w->why) - (size_t)n, fmt, args);
	va_end(args);
}

bool
walk_item_begin(struct walk *w)
{
	if (walk_ord(w) >= w->limits->items_max) {
		w->stop = ERR_TOO_LARGE;
		return false;
	}
	w->bad = w->outer_bad;
	w->where = "";
	w->item_weight = w->weight;
	w->item_json_bytes = w->json_bytes;
	return w->stop == ERR_OK;
}

/* A resource or scope goes to the batch with its first good item. With a sink the two flags are
 * set by then. */
static void
weigh_item(struct walk *w)
{
	w->resource_count += !w->resource.stored;
	w->scope_count += !w->scope.stored;
	w->resource.stored = w->scope.stored = true;
}

void
walk_item_end(struct walk *w)
{
	if (w->stop != ERR_OK)
		return;
	if (!w->bad) {
		w->counts.accepted++;
		weigh_item(w);
		return;
	}
	w->weight = w->item_weight;
	w->json_bytes = w->item_json_bytes;
	if (w->counts.rejected == 0)
		snprintf(w->counts.reason, sizeof(w->counts.reason), "%s %u: %s",
		    item_name(w->signal), walk_ord(w), w->why);
	w->counts.rejected++;
}

struct buf *
walk_buf(struct walk *w, enum sink_buf id)
{
	if (!w->sink || w->bad)
		return NULL;
	buf_reset(&w->sink->bufs[id]);
	return &w->sink->bufs[id];
}

void
walk_spent(struct walk *w)
{
	if (w->stop == ERR_OK)
		w->stop = ERR_TOO_LARGE;
}

struct str
walk_text(struct walk *w, enum sink_buf id)
{
	const struct buf *b = &w->sink->bufs[id];
	if (b->failed)
		walk_spent(w);
	if (w->stop != ERR_OK || b->len == 0)
		return STR_EMPTY;
	struct str s = arena_str(&w->sink->batch->arena, buf_view(b));
	if (!s.ptr)
		walk_spent(w);
	return s;
}

size_t
walk_row(struct walk *w, enum table_id table)
{
	size_t row = SIZE_MAX;
	if (w->stop == ERR_OK)
		row = table_add_row(&w->sink->batch->tables[table]);
	if (row == SIZE_MAX)
		walk_spent(w);
	return row;
}

static void
walk_item(struct walk *w, struct str message)
{
	switch (w->signal) {
	case SIGNAL_TRACES: walk_span(w, message); return;
	case SIGNAL_METRICS: walk_metric(w, message); return;
	case SIGNAL_LOGS: walk_log(w, message); return;
	case SIGNAL_COMMENTS: break;
	}
	CHECK(false);
}

static void
walk_scope_items(struct walk *w, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	bool resource_bad = w->bad = w->outer_bad;
	walk_scope_begin(w);
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) == PB_KEY(FIELD_HEAD, PB_BYTES))
			walk_scope(w, f.bytes);
		else if (pb_key(&f) == PB_KEY(FIELD_SCHEMA_URL, PB_BYTES))
			walk_name(w, "schema URL", f.bytes, &w->scope.schema_url);
	}
	walk_scope_end(w);
	w->outer_bad = w->bad;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f))
		if (pb_key(&f) == PB_KEY(FIELD_BELOW, PB_BYTES))
			walk_item(w, f.bytes);
	w->outer_bad = resource_bad;
}

static void
walk_resource_items(struct walk *w, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	w->bad = false;
	walk_resource_begin(w);
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) == PB_KEY(FIELD_HEAD, PB_BYTES))
			walk_resource(w, f.bytes);
		else if (pb_key(&f) == PB_KEY(FIELD_SCHEMA_URL, PB_BYTES))
			walk_name(w, "schema URL", f.bytes, &w->resource.schema_url);
	}
	walk_resource_end(w);
	w->outer_bad = w->bad;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f))
		if (pb_key(&f) == PB_KEY(FIELD_BELOW, PB_BYTES))
			walk_scope_items(w, f.bytes);
}

static enum err_code
walk_request(struct walk *w, struct str body, struct err *err)
{
	struct pb_reader r;
	struct pb_field f;
	CHECK(w->limits->depth_max <= LIMIT_MESSAGE_DEPTH);
	pb_reader_init(&r, body);
	while (walk_next(w, &r, &f))
		if (pb_key(&f) == PB_KEY(FIELD_RESOURCES, PB_BYTES))
			walk_resource_items(w, f.bytes);
	if (w->stop == ERR_INVALID)
		return err_set(err, ERR_INVALID, "malformed protobuf of a %s request: %s",
		    signal_name(w->signal), w->malformed);
	return w->stop;
}

static struct walk
walk_start(enum signal_kind signal, const struct limits *limits, struct sink *sink)
{
	return (struct walk){
	    .signal = signal,
	    .limits = limits,
	    .sink = sink,
	    .where = "",
	    .value_name = "attribute value",
	};
}

/* ---- what decoding would take */

enum {
	ROWS_FIRST = 64, /* room a table has from its first row on; then it doubles */
	TEXTS_PER_ROW = 4,
	BATCH_BYTES = 256 * 1024 /* tables with few rows, tenant, rounding of columns */
};

/* Column arrays, which double as rows come and leave the smaller ones behind, and the rounding of
 * what the rows point to. */
static uint64_t
rows_weight(enum table_id id, uint64_t rows)
{
	uint64_t row_bytes = 0, cap = ROWS_FIRST;
	for (size_t i = 0; i < table_defs[id].col_count; i++)
		row_bytes +=
		    table_kind_bytes(table_defs[id].cols[i].kind) + table_defs[id].cols[i].nullable;
	while (cap < rows)
		cap *= 2;
	return rows == 0 ? 0 : 2 * cap * row_bytes + rows * TEXTS_PER_ROW * WALK_TEXT_BYTES / 2;
}

static uint64_t
decoded_bytes(const struct walk *w)
{
	static const enum table_id tables[] = {[SIGNAL_TRACES] = TABLE_SPANS,
	    [SIGNAL_METRICS] = TABLE_POINTS,
	    [SIGNAL_LOGS] = TABLE_LOGS};
	return BATCH_BYTES + w->weight + rows_weight(tables[w->signal], w->counts.accepted) +
	    rows_weight(TABLE_RESOURCES, w->resource_count) +
	    rows_weight(TABLE_SCOPES, w->scope_count);
}

/* Whether it fits is seen from the lengths of texts, unless they are so long that it depends on
 * what has to be escaped: then that is counted, which takes a second walk. */
static enum err_code
check_decoded(struct walk *w, struct str body, uint64_t *bytes_out, struct err *err)
{
	const struct limits *limits = w->limits;
	uint64_t max = limits->decoded_bytes_max;
	uint64_t bytes = decoded_bytes(w);
	if (bytes <= max && bytes + TYPED_ESCAPE_GROWTH * w->json_bytes > max) {
		struct walk again = walk_start(w->signal, limits, NULL);
		again.weigh_escapes = true;
		if (walk_request(&again, body, err) == ERR_OK)
			bytes = decoded_bytes(&again);
	} else {
		bytes += TYPED_ESCAPE_GROWTH * w->json_bytes;
	}
	*bytes_out = bytes;
	if (bytes <= max)
		return ERR_OK;
	return err_set(err, ERR_TOO_LARGE,
	    "the request of %zu bytes would take more than the %llu bytes that --max-decoded-bytes "
	    "allows: send fewer or smaller items at a time",
	    body.len, (unsigned long long)max);
}

enum err_code
otlp_scan(enum signal_kind signal, struct str body, const struct limits *limits,
    struct otlp_counts *counts_out, struct err *err)
{
	struct walk w = walk_start(signal, limits, NULL);
	enum err_code code = walk_request(&w, body, err);
	*counts_out = w.counts;
	if (code == ERR_TOO_LARGE)
		return err_set(err, code, "more than %llu %ss in one request",
		    (unsigned long long)limits->items_max, item_name(signal));
	if (code != ERR_OK)
		return code;
	return check_decoded(&w, body, &counts_out->decoded_bytes, err);
}

enum err_code
otlp_decode(enum signal_kind signal, struct str body, const struct limits *limits,
    const struct otlp_origin *origin, struct batch *batch, struct err *err)
{
	CHECK(origin->tenant.len > 0);
	struct sink sink = {.batch = batch, .origin = origin};
	for (size_t i = 0; i < BUF_COUNT; i++)
		buf_init(&sink.bufs[i], batch->arena.bytes_max);
	sink.tenant = arena_str(&batch->arena, origin->tenant);
	struct walk w = walk_start(signal, limits, &sink);
	if (!sink.tenant.ptr)
		walk_spent(&w);
	enum err_code code = walk_request(&w, body, err);
	for (size_t i = 0; i < BUF_COUNT; i++)
		buf_fini(&sink.bufs[i]);
	if (code == ERR_TOO_LARGE)
		return err_set(err, code,
		    "a %s request of %zu bytes does not fit in a batch of %zu bytes",
		    signal_name(signal), body.len, batch->arena.bytes_max);
	return code;
}
