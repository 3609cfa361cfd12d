/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opentelemetry.proto.metrics.v1.*DataPoint: the four kinds of points, one row each.
 *
 * Of the numbers that are in lists, `a` and `b` are: bounds and counts of a histogram, positive
 * and negative counts of an exponential one, quantiles and values of a summary.
 */
#include "otlp/walk.h"

#include "base/bits.h"
#include "base/hash.h"
#include "model/typed.h"

struct maybe {
	bool set;
	double v;
};

struct buckets {
	bool set;
	int32_t offset;
};

struct point {
	uint64_t time_ns, start_ns;
	uint32_t flags;
	bool has_int;
	int64_t value_int;
	struct maybe value, sum, min, max;
	uint64_t count, zero_count;
	int32_t scale;
	double zero_threshold;
	struct buckets positive, negative;
	struct attr_list attributes;
	struct buf *exemplars, *a, *b;
	uint64_t exemplar_count, a_count, b_count;
};

struct exemplar {
	uint64_t time_ns;
	bool has_int;
	int64_t value_int;
	struct maybe value;
	struct str trace_id_bytes, span_id_bytes;
	uint64_t trace_hi, trace_lo, span_id;
	struct attr_list attributes;
};

static struct maybe
just(uint64_t fixed64)
{
	return (struct maybe){.set = true, .v = pb_double(fixed64)};
}

static void
put_f64(struct buf *out, double v)
{
	if (out)
		buf_append(out, &v, sizeof(v));
}

/* ---- exemplars */

/* As put_exemplar() writes it. */
static void
weigh_exemplar(struct walk *w, const struct exemplar *e)
{
	walk_weigh(w, 4); /* {}, */
	walk_weigh(w, e->time_ns ? sizeof("\"t\":,") + 20 : 0);
	walk_weigh(w, e->has_int || e->value.set ? sizeof("\"value\":,") + 24 : 0);
	walk_weigh(w, e->trace_id_bytes.len ? sizeof("\"trace_id\":\"\",") + 32 : 0);
	walk_weigh(w, e->span_id_bytes.len ? sizeof("\"span_id\":\"\",") + 16 : 0);
	walk_weigh(w, e->attributes.count ? sizeof("\"attributes\":,") : 0);
}

static void
put_exemplar(struct buf *out, const struct exemplar *e)
{
	walk_put_element(out);
	walk_put_member_u64(out, STR("t"), e->time_ns);
	if (e->has_int || e->value.set)
		walk_put_member(out, STR("value"));
	if (e->has_int)
		buf_i64(out, e->value_int);
	else if (e->value.set)
		typed_put_double(out, e->value.v);
	walk_put_member_ids(out, e->trace_hi, e->trace_lo, e->span_id);
	walk_put_member_attributes(out, &e->attributes);
	buf_char(out, '}');
}

static void
walk_exemplar(struct walk *w, struct str message, struct point *p)
{
	struct pb_reader r;
	struct pb_field f;
	struct exemplar e = {.attributes = walk_attributes(w, BUF_INNER_ATTRIBUTES)};
	walk_count(w, "exemplars", &p->exemplar_count);
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		switch (pb_key(&f)) {
		case PB_KEY(2, PB_FIXED64): e.time_ns = f.value; break;
		case PB_KEY(3, PB_FIXED64):
			e.value = just(f.value);
			e.has_int = false;
			break;
		case PB_KEY(4, PB_BYTES): e.span_id_bytes = f.bytes; break;
		case PB_KEY(5, PB_BYTES): e.trace_id_bytes = f.bytes; break;
		case PB_KEY(6, PB_FIXED64):
			e.value_int = (int64_t)f.value;
			e.has_int = true;
			break;
		case PB_KEY(7, PB_BYTES): walk_attribute(w, &e.attributes, f.bytes); break;
		default: break;
		}
	}
	walk_attributes_end(&e.attributes);
	weigh_exemplar(w, &e);
	walk_trace_id(w, "exemplar trace id", e.trace_id_bytes, false, &e.trace_hi, &e.trace_lo);
	walk_span_id(w, "exemplar span id", e.span_id_bytes, false, &e.span_id);
	if (walk_keeps(w))
		put_exemplar(p->exemplars, &e);
}

/* ---- lists of numbers */

static void
packed_end(struct walk *w, const struct pb_packed *p)
{
	if (!p->error || w->stop != ERR_OK)
		return;
	w->stop = ERR_INVALID;
	w->malformed = p->error;
}

static void
walk_u64s(struct walk *w, const char *what, const struct pb_field *f, enum pb_wire element,
    struct buf *out, uint64_t *count)
{
	struct pb_packed p;
	uint64_t v, before = *count;
	pb_packed_init(&p, f, element);
	while (pb_packed_next(&p, &v)) {
		walk_count(w, what, count);
		if (out && !w->bad)
			buf_append(out, &v, sizeof(v));
	}
	walk_weigh(w, (*count - before) * sizeof(v));
	packed_end(w, &p);
}

static void
walk_f64s(struct walk *w, const char *what, const struct pb_field *f, struct buf *out,
    uint64_t *count)
{
	struct pb_packed p;
	uint64_t v, before = *count;
	pb_packed_init(&p, f, PB_FIXED64);
	while (pb_packed_next(&p, &v)) {
		walk_count(w, what, count);
		if (!w->bad)
			put_f64(out, pb_double(v));
	}
	walk_weigh(w, (*count - before) * sizeof(v));
	packed_end(w, &p);
}

static void
walk_buckets(struct walk *w, struct str message, struct buckets *b, struct buf *out,
    uint64_t *count)
{
	struct pb_reader r;
	struct pb_field f;
	b->set = true;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) == PB_KEY(1, PB_VARINT))
			b->offset = (int32_t)pb_zigzag(f.value);
		else if (f.number == 2)
			walk_u64s(w, "buckets", &f, PB_VARINT, out, count);
	}
}

static void
walk_quantile(struct walk *w, struct str message, struct point *p)
{
	struct pb_reader r;
	struct pb_field f;
	double quantile = 0, value = 0;
	walk_count(w, "quantiles", &p->a_count);
	p->b_count = p->a_count;
	walk_weigh(w, 2 * sizeof(double));
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) == PB_KEY(1, PB_FIXED64))
			quantile = pb_double(f.value);
		else if (pb_key(&f) == PB_KEY(2, PB_FIXED64))
			value = pb_double(f.value);
	}
	if (w->bad)
		return;
	put_f64(p->a, quantile);
	put_f64(p->b, value);
}

/* ---- the fields of each kind of point; 2 and 3 are the times in all of them */

static void
number_field(struct walk *w, const struct pb_field *f, struct point *p)
{
	switch (pb_key(f)) {
	case PB_KEY(4, PB_FIXED64):
		p->value = just(f->value);
		p->has_int = false;
		return;
	case PB_KEY(5, PB_BYTES): walk_exemplar(w, f->bytes, p); return;
	case PB_KEY(6, PB_FIXED64):
		p->value_int = (int64_t)f->value;
		p->has_int = true;
		return;
	case PB_KEY(7, PB_BYTES): walk_attribute(w, &p->attributes, f->bytes); return;
	case PB_KEY(8, PB_VARINT): p->flags = (uint32_t)f->value; return;
	default: return;
	}
}

static void
histogram_field(struct walk *w, const struct pb_field *f, struct point *p)
{
	switch (pb_key(f)) {
	case PB_KEY(4, PB_FIXED64): p->count = f->value; return;
	case PB_KEY(5, PB_FIXED64): p->sum = just(f->value); return;
	case PB_KEY(6, PB_FIXED64):
	case PB_KEY(6, PB_BYTES): walk_u64s(w, "buckets", f, PB_FIXED64, p->b, &p->b_count); return;
	case PB_KEY(7, PB_FIXED64):
	case PB_KEY(7, PB_BYTES): walk_f64s(w, "bounds", f, p->a, &p->a_count); return;
	case PB_KEY(8, PB_BYTES): walk_exemplar(w, f->bytes, p); return;
	case PB_KEY(9, PB_BYTES): walk_attribute(w, &p->attributes, f->bytes); return;
	case PB_KEY(10, PB_VARINT): p->flags = (uint32_t)f->value; return;
	case PB_KEY(11, PB_FIXED64): p->min = just(f->value); return;
	case PB_KEY(12, PB_FIXED64): p->max = just(f->value); return;
	default: return;
	}
}

static void
exp_histogram_field(struct walk *w, const struct pb_field *f, struct point *p)
{
	switch (pb_key(f)) {
	case PB_KEY(1, PB_BYTES): walk_attribute(w, &p->attributes, f->bytes); return;
	case PB_KEY(4, PB_FIXED64): p->count = f->value; return;
	case PB_KEY(5, PB_FIXED64): p->sum = just(f->value); return;
	case PB_KEY(6, PB_VARINT): p->scale = (int32_t)pb_zigzag(f->value); return;
	case PB_KEY(7, PB_FIXED64): p->zero_count = f->value; return;
	case PB_KEY(8, PB_BYTES):
		walk_buckets(w, f->bytes, &p->positive, p->a, &p->a_count);
		return;
	case PB_KEY(9, PB_BYTES):
		walk_buckets(w, f->bytes, &p->negative, p->b, &p->b_count);
		return;
	case PB_KEY(10, PB_VARINT): p->flags = (uint32_t)f->value; return;
	case PB_KEY(11, PB_BYTES): walk_exemplar(w, f->bytes, p); return;
	case PB_KEY(12, PB_FIXED64): p->min = just(f->value); return;
	case PB_KEY(13, PB_FIXED64): p->max = just(f->value); return;
	case PB_KEY(14, PB_FIXED64): p->zero_threshold = pb_double(f->value); return;
	default: return;
	}
}

static void
summary_field(struct walk *w, const struct pb_field *f, struct point *p)
{
	switch (pb_key(f)) {
	case PB_KEY(4, PB_FIXED64): p->count = f->value; return;
	case PB_KEY(5, PB_FIXED64): p->sum = just(f->value); return;
	case PB_KEY(6, PB_BYTES): walk_quantile(w, f->bytes, p); return;
	case PB_KEY(7, PB_BYTES): walk_attribute(w, &p->attributes, f->bytes); return;
	case PB_KEY(8, PB_VARINT): p->flags = (uint32_t)f->value; return;
	default: return;
	}
}

static void
point_field(struct walk *w, enum point_type type, const struct pb_field *f, struct point *p)
{
	if (pb_key(f) == PB_KEY(2, PB_FIXED64)) {
		p->start_ns = f->value;
		return;
	}
	if (pb_key(f) == PB_KEY(3, PB_FIXED64)) {
		p->time_ns = f->value;
		return;
	}
	switch (type) {
	case POINT_GAUGE:
	case POINT_SUM_TYPE: number_field(w, f, p); return;
	case POINT_HISTOGRAM: histogram_field(w, f, p); return;
	case POINT_EXP_HISTOGRAM: exp_histogram_field(w, f, p); return;
	case POINT_SUMMARY: summary_field(w, f, p); return;
	}
}

/* ---- rows */

static const void *
list_memory(struct walk *w, enum sink_buf id)
{
	const struct buf *b = &w->sink->bufs[id];
	void *p = b->failed ? NULL : arena_alloc(&w->sink->batch->arena, b->len);
	if (!p)
		walk_spent(w);
	else if (b->len > 0)
		memcpy(p, b->ptr, b->len);
	return p;
}

static void
put_u64_list(struct walk *w, size_t row, int col, enum sink_buf id, uint64_t count)
{
	struct u64s list = {list_memory(w, id), (size_t)count};
	table_set_u64s(&w->sink->batch->tables[TABLE_POINTS], row, col, list);
}

static void
put_f64_list(struct walk *w, size_t row, int col, enum sink_buf id, uint64_t count)
{
	struct f64s list = {list_memory(w, id), (size_t)count};
	table_set_f64s(&w->sink->batch->tables[TABLE_POINTS], row, col, list);
}

static void
put_maybe(struct table *t, size_t row, int col, struct maybe m)
{
	if (m.set)
		table_set_f64(t, row, col, m.v);
}

static void
put_exp_histogram(struct walk *w, struct table *t, size_t row, const struct point *p)
{
	table_set_i32(t, row, POINT_SCALE, p->scale);
	table_set_u64(t, row, POINT_ZERO_COUNT, p->zero_count);
	table_set_f64(t, row, POINT_ZERO_THRESHOLD, p->zero_threshold);
	if (p->positive.set) {
		table_set_i32(t, row, POINT_POS_OFFSET, p->positive.offset);
		put_u64_list(w, row, POINT_POS_COUNTS, BUF_LIST_A, p->a_count);
	}
	if (p->negative.set) {
		table_set_i32(t, row, POINT_NEG_OFFSET, p->negative.offset);
		put_u64_list(w, row, POINT_NEG_COUNTS, BUF_LIST_B, p->b_count);
	}
}

/* The columns that some kinds of points have and others not. */
static void
put_values(struct walk *w, struct table *t, size_t row, enum point_type type, const struct point *p)
{
	if (type == POINT_GAUGE || type == POINT_SUM_TYPE) {
		if (p->has_int)
			table_set_i64(t, row, POINT_VALUE_INT, p->value_int);
		else
			put_maybe(t, row, POINT_VALUE, p->value);
		return;
	}
	table_set_u64(t, row, POINT_COUNT, p->count);
	put_maybe(t, row, POINT_SUM, p->sum);
	put_maybe(t, row, POINT_MIN, p->min);
	put_maybe(t, row, POINT_MAX, p->max);
	if (type == POINT_HISTOGRAM) {
		put_f64_list(w, row, POINT_BOUNDS, BUF_LIST_A, p->a_count);
		put_u64_list(w, row, POINT_BUCKETS, BUF_LIST_B, p->b_count);
	} else if (type == POINT_EXP_HISTOGRAM) {
		put_exp_histogram(w, t, row, p);
	} else {
		/* A summary's sum has no presence: absent is 0. */
		table_set_f64(t, row, POINT_SUM, p->sum.v);
		put_f64_list(w, row, POINT_QUANTILES, BUF_LIST_A, p->a_count);
		put_f64_list(w, row, POINT_QUANTILE_VALUES, BUF_LIST_B, p->b_count);
	}
}

static uint64_t
series_id(const struct metric *m, const struct point *p)
{
	char sum[8];
	put_u64le(sum, p->attributes.sum);
	return hash_u64_seed(str_of(sum, sizeof(sum)), m->series_seed);
}

static void
put_point(struct walk *w, const struct metric *m, const struct point *p)
{
	struct table *t = &w->sink->batch->tables[TABLE_POINTS];
	size_t row = walk_row(w, TABLE_POINTS);
	if (row == SIZE_MAX)
		return;
	table_set_str(t, row, POINT_TENANT, w->sink->tenant);
	table_set_u64(t, row, POINT_SEQ, w->sink->origin->seq);
	table_set_u32(t, row, POINT_ORD, walk_ord(w));
	table_set_u64(t, row, POINT_TIME_NS, p->time_ns);
	table_set_u64(t, row, POINT_START_NS, p->start_ns);
	table_set_str(t, row, POINT_SERVICE, walk_service(w));
	table_set_str(t, row, POINT_NAME, m->name);
	table_set_str(t, row, POINT_DESCRIPTION, m->description);
	table_set_str(t, row, POINT_UNIT, m->unit);
	table_set_str(t, row, POINT_METADATA, m->metadata_json);
	table_set_i32(t, row, POINT_TYPE, (int32_t)m->type);
	table_set_i32(t, row, POINT_TEMPORALITY, m->temporality);
	table_set_bool(t, row, POINT_MONOTONIC, m->monotonic);
	table_set_u64(t, row, POINT_SERIES_ID, series_id(m, p));
	table_set_str(t, row, POINT_ATTRIBUTES, walk_text(w, BUF_ATTRIBUTES));
	table_set_u32(t, row, POINT_FLAGS, p->flags);
	put_values(w, t, row, m->type, p);
	table_set_str(t, row, POINT_EXEMPLARS, walk_text(w, BUF_EVENTS));
	table_set_u64(t, row, POINT_RESOURCE_ID, walk_resource_id(w));
	table_set_u64(t, row, POINT_SCOPE_ID, walk_scope_id(w));
}

void
walk_point(struct walk *w, const struct metric *m, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	if (!walk_item_begin(w))
		return;
	struct point p = {
	    .attributes = walk_attributes(w, BUF_ATTRIBUTES),
	    .exemplars = walk_buf(w, BUF_EVENTS),
	    .a = walk_buf(w, BUF_LIST_A),
	    .b = walk_buf(w, BUF_LIST_B),
	};
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f))
		point_field(w, m->type, &f, &p);
	if (walk_keeps(w)) {
		walk_attributes_end(&p.attributes);
		walk_put_list_end(p.exemplars);
		put_point(w, m, &p);
	}
	walk_item_end(w);
}
