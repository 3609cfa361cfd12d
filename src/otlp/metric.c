/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opentelemetry.proto.metrics.v1.Metric: its name and kind, and the list of its points.
 *
 * `data` is a oneof of five messages. Protobuf wants fields of the same kind merged and one of
 * another kind to replace what was before. So the data that counts is the run of fields of the
 * last kind, from the place behind the last field of another kind on: `data` below.
 */
#include "otlp/walk.h"

#include "base/bits.h"
#include "base/hash.h"

enum {
	DATA_GAUGE = PB_KEY(5, PB_BYTES),
	DATA_SUM = PB_KEY(7, PB_BYTES),
	DATA_HISTOGRAM = PB_KEY(9, PB_BYTES),
	DATA_EXP_HISTOGRAM = PB_KEY(10, PB_BYTES),
	DATA_SUMMARY = PB_KEY(11, PB_BYTES),
};

struct data {
	uint32_t key; /* 0: none */
	struct str run; /* fields of the metric; those with another key are not data */
};

/* 0 when the field is no data. */
static int
data_type(uint32_t key)
{
	switch (key) {
	case DATA_GAUGE: return POINT_GAUGE;
	case DATA_SUM: return POINT_SUM_TYPE;
	case DATA_HISTOGRAM: return POINT_HISTOGRAM;
	case DATA_EXP_HISTOGRAM: return POINT_EXP_HISTOGRAM;
	case DATA_SUMMARY: return POINT_SUMMARY;
	default: return 0;
	}
}

static void
read_metric(struct walk *w, struct str message, struct metric *m, struct data *data)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	for (const unsigned char *from = r.at; walk_next(w, &r, &f); from = r.at) {
		uint32_t key = pb_key(&f);
		switch (key) {
		case PB_KEY(1, PB_BYTES): walk_name(w, "metric name", f.bytes, &m->name); break;
		case PB_KEY(2, PB_BYTES):
			walk_string(w, "metric description", f.bytes, &m->description);
			break;
		case PB_KEY(3, PB_BYTES): walk_name(w, "metric unit", f.bytes, &m->unit); break;
		case PB_KEY(12, PB_BYTES): walk_attribute(w, &m->metadata, f.bytes); break;
		default:
			if (!data_type(key) || key == data->key)
				break;
			data->key = key;
			data->run = str_of(from, (size_t)(r.end - from));
			break;
		}
	}
	walk_attributes_end(&m->metadata);
	walk_weigh(w, m->metadata.count ? WALK_TEXT_BYTES : 0);
}

/* Sum, Histogram and ExponentialHistogram have the temporality in field 2; the others nothing but
 * their points. */
static void
read_data(struct walk *w, struct str message, struct metric *m)
{
	struct pb_reader r;
	struct pb_field f;
	if (m->type == POINT_GAUGE || m->type == POINT_SUMMARY)
		return;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) == PB_KEY(2, PB_VARINT))
			m->temporality = (int32_t)(uint32_t)f.value;
		else if (pb_key(&f) == PB_KEY(3, PB_VARINT) && m->type == POINT_SUM_TYPE)
			m->monotonic = f.value != 0;
	}
}

static void
walk_points(struct walk *w, struct str message, const struct metric *m)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f))
		if (pb_key(&f) == PB_KEY(1, PB_BYTES))
			walk_point(w, m, f.bytes);
}

static uint64_t
series_seed(const struct walk *w, const struct metric *m)
{
	char kind[12];
	put_u32le(kind, (uint32_t)m->type);
	put_u32le(kind + 4, (uint32_t)m->temporality);
	put_u32le(kind + 8, m->monotonic);
	uint64_t h = hash_u64_seed(m->name, walk_series_seed(w));
	h = hash_u64_seed(m->unit, h);
	return hash_u64_seed(str_of(kind, sizeof(kind)), h);
}

/* Before the points: whatever the data say of all of them, wherever it stands. */
static void
walk_data(struct walk *w, const struct data *data, struct metric *m)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, data->run);
	while (walk_next(w, &r, &f))
		if (pb_key(&f) == data->key)
			read_data(w, f.bytes, m);
	if (walk_keeps(w)) {
		m->series_seed = series_seed(w, m);
		m->metadata_json = walk_text(w, BUF_METADATA);
	}
	pb_reader_init(&r, data->run);
	while (walk_next(w, &r, &f))
		if (pb_key(&f) == data->key)
			walk_points(w, f.bytes, m);
}

void
walk_metric(struct walk *w, struct str message)
{
	bool scope_bad = w->bad = w->outer_bad;
	struct data data = {0};
	w->where = "";
	struct metric m = {.metadata = walk_attributes(w, BUF_METADATA)};
	read_metric(w, message, &m, &data);
	w->outer_bad = w->bad;
	m.type = (enum point_type)data_type(data.key);
	if (data.key)
		walk_data(w, &data, &m);
	w->outer_bad = scope_bad;
}
