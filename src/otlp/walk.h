/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/walk.h - the one walker behind otlp_scan() and otlp_decode(); private to otlp/.
 *
 * A walk goes once through a request. It stops for good on broken framing, on too many items and
 * when the batch's arena is spent. Everything else that is wrong refuses the item in hand: the walk
 * marks it `bad`, goes on through its bytes (their framing still counts) and leaves it out. A
 * scan is a walk without a sink; nothing else differs, so both refuse the same.
 *
 * Levels. A resource message is read twice, and so are a scope, a metric and a metric's data: first
 * what its items need, wherever it stands, then the items. `outer_bad` says that the level
 * above is refused, and with it each item.
 *
 * Repeated submessages that should be single are merged as protobuf wants (resource, scope, status,
 * a metric's data, buckets), except a value: of several the last counts and the others are not
 * read.
 *
 * JSON is gathered in the sink's buffers, for fields come in any order, and copied to the arena
 * when the item is whole and good. Where it goes is a `struct buf *` that is NULL in a scan and for
 * a bad item: the functions below then check and write nothing.
 *
 * Weight. A scan adds up what decoding would take from the arena, to refuse a request of a few
 * kilobytes that would become gigabytes. Each place that writes JSON or a list has its weight
 * beside it: who writes more there must weigh more, which a test and a fuzzer check.
 *
 * Recursion: values in values, bounded by limits.depth_max (at most 100).
 */
#ifndef OTLP_WALK_H
#define OTLP_WALK_H

#include "otlp/otlp.h"
#include "wire/pb.h"

enum sink_buf {
	BUF_RESOURCE,
	BUF_ENTITIES,
	BUF_SCOPE,
	BUF_METADATA,
	BUF_ATTRIBUTES,
	BUF_INNER_ATTRIBUTES, /* of the event, link or exemplar in hand */
	BUF_EVENTS, /* of a span; exemplars of a point */
	BUF_LINKS,
	BUF_BODY,
	BUF_LIST_A, /* numbers of a point, as they lie in memory */
	BUF_LIST_B,
	BUF_COUNT,
};

struct sink {
	struct batch *batch;
	const struct otlp_origin *origin;
	struct str tenant; /* in the arena */
	struct buf bufs[BUF_COUNT];
};

/* A list of KeyValue. `sum` does not depend on their order; it is only kept for series. */
struct attr_list {
	struct buf *out;
	uint64_t count;
	uint64_t sum;
};

struct resource {
	struct attr_list attributes;
	uint64_t entity_count;
	struct buf *entities;
	uint32_t dropped;
	struct str schema_url;
	struct str service; /* empty until seen */
	uint64_t id;
	bool stored; /* in the batch, under id */
};

struct scope {
	struct attr_list attributes;
	struct str name, version, schema_url;
	uint32_t dropped;
	uint64_t id;
	bool stored;
};

struct walk {
	enum signal_kind signal;
	const struct limits *limits;
	struct sink *sink; /* NULL: scan */
	enum err_code stop; /* ERR_OK while it goes on */
	const char *malformed; /* why, when stop is ERR_INVALID */
	bool bad; /* what is in hand is refused */
	bool outer_bad;
	uint64_t item_weight, item_json_bytes; /* the two below, when the item in hand began */
	const char *where; /* "resource " and the like, before a reason */
	const char *value_name; /* "attribute value", "body" */
	char why[120]; /* reason for the first refusal */
	struct otlp_counts counts;
	/* What a scan expects decoding to take, besides rows: see walk_weigh(). */
	uint64_t weight;
	uint64_t json_bytes; /* of it: text that may have to be escaped */
	bool weigh_escapes; /* it is in the weight as it becomes, not as it is */
	uint64_t resource_count, scope_count; /* that have an item which is not refused */
	struct resource resource;
	struct scope scope;
};

/* ---- walk.c */

/* pb_next() that stops the walk on an error and returns false when the walk has stopped. */
bool walk_next(struct walk *w, struct pb_reader *r, struct pb_field *f);
/* Refuse what is in hand; the first reason stays. */
void walk_refuse(struct walk *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Around each item; false when there may not be one more. */
bool walk_item_begin(struct walk *w);
void walk_item_end(struct walk *w);
/* The item in hand goes to the batch. */
static inline bool
walk_keeps(const struct walk *w)
{
	return w->sink && !w->bad && w->stop == ERR_OK;
}
/* The ordinal of the item in hand. */
static inline uint32_t
walk_ord(const struct walk *w)
{
	return (uint32_t)(w->counts.accepted + w->counts.rejected);
}

/* Take note of bytes that decoding would allocate for what is in hand. Never less than it does,
 * but for text and rows no more than a few bytes per member more. */
static inline void
walk_weigh(struct walk *w, uint64_t bytes)
{
	w->weight += bytes;
}
/* An allocation of its own is rounded up by as much, with the NUL and the end of a list. */
#define WALK_TEXT_BYTES 32
/* Text that becomes a JSON string, without its quotes. */
void walk_weigh_text(struct walk *w, struct str s);

/* An emptied buffer of the sink, or NULL: nothing is to be written. */
struct buf *walk_buf(struct walk *w, enum sink_buf id);
/* What a buffer holds, copied to the arena. NULL ptr when it is empty, or the walk has stopped. */
struct str walk_text(struct walk *w, enum sink_buf id);
/* A new row, or SIZE_MAX when the walk has stopped. */
size_t walk_row(struct walk *w, enum table_id table);
/* Take note of an allocation that failed. */
void walk_spent(struct walk *w);

/* ---- value.c */

/* Text of at most value_bytes_max, or a name of at most name_bytes_max, into *out. */
void walk_string(struct walk *w, const char *what, struct str s, struct str *out);
void walk_name(struct walk *w, const char *what, struct str s, struct str *out);
/* Empty and all zero mean that there is none, which refuses the item if the id is required; so
 * does any other length than 16 or 8 bytes. */
void walk_trace_id(struct walk *w, const char *what, struct str id, bool required, uint64_t *hi,
    uint64_t *lo);
void walk_span_id(struct walk *w, const char *what, struct str id, bool required, uint64_t *out);
/* Count an element of a list; refuses when there are too many. */
void walk_count(struct walk *w, const char *what, uint64_t *count);

/* An AnyValue as typed JSON. Level 1 is an attribute's value. True when it is a string. */
bool walk_value(struct walk *w, struct str message, unsigned level, struct buf *out);
/* The text of an AnyValue that is a string; false when it is none. */
bool walk_value_text(struct walk *w, struct str message, struct str *out);

struct attr_list walk_attributes(struct walk *w, enum sink_buf id);
void walk_attribute(struct walk *w, struct attr_list *list, struct str key_value);
void walk_attributes_end(struct attr_list *list);
void walk_key_value(struct walk *w, struct str message, struct str *key, struct str *value);

/* Members of an object: the comma before all but the first (out->len tells), then "name":. */
void walk_put_member(struct buf *out, struct str name);
void walk_put_member_u64(struct buf *out, struct str name, uint64_t v); /* left out when 0 */
void walk_put_member_text(struct buf *out, struct str name, struct str v); /* left out when empty */
void walk_put_member_ids(struct buf *out, uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id);
void walk_put_member_attributes(struct buf *out, const struct attr_list *list);
/* Open an element of a list of objects, close it; a list is closed by walk_walk_put_list_end(). */
void walk_put_element(struct buf *out);
void walk_put_list_end(struct buf *out);

/* ---- resource.c */

void walk_resource_begin(struct walk *w);
void walk_resource(struct walk *w, struct str message);
void walk_resource_end(struct walk *w);
void walk_scope_begin(struct walk *w);
void walk_scope(struct walk *w, struct str message);
void walk_scope_end(struct walk *w);
/* Ids of the resource and scope in hand, which are in the batch then. Only with a sink. */
uint64_t walk_resource_id(struct walk *w);
uint64_t walk_scope_id(struct walk *w);
struct str walk_service(const struct walk *w);
/* What a series' id begins with: (tenant, resource, scope), the order of attributes set aside. */
uint64_t walk_series_seed(const struct walk *w);

/* ---- span.c, log.c, metric.c: a Span, a LogRecord, a Metric with all its points */

void walk_span(struct walk *w, struct str message);
void walk_log(struct walk *w, struct str message);
void walk_metric(struct walk *w, struct str message);

/* ---- point.c */

struct metric {
	struct str name, description, unit;
	struct attr_list metadata;
	enum point_type type;
	int32_t temporality;
	bool monotonic;
	uint64_t series_seed; /* (resource, scope, metric) */
	struct str metadata_json; /* in the arena */
};

void walk_point(struct walk *w, const struct metric *m, struct str message);

#endif
