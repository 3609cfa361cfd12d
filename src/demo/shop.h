/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo/shop.h - a small shop of services that never existed, as OTLP: what `weir demo` plays.
 *
 * shop_play() makes up one visitor's request: a tree of spans over several services, with errors and slow
 * calls now and then, and logs that belong to the spans. One story in eight is an AI agent's run
 * (gen_ai semantic conventions: agent, model calls, tool calls). shop_encode_metrics()
 * tells what the shop has counted so far, in every kind of metric.
 *
 * Everything follows from the seed and the given times: the same seed plays the same shop.
 * Threading: one owner. A story's strings live until the next shop_play() on it.
 */
#ifndef DEMO_SHOP_H
#define DEMO_SHOP_H

#include "otlp/encode.h"

enum shop_service {
	SHOP_WEB,
	SHOP_CHECKOUT,
	SHOP_CART,
	SHOP_PAYMENT,
	SHOP_STOCK,
	SHOP_ASSISTANT,
	SHOP_SERVICES
};

enum { SHOP_SPANS_MAX = 48, SHOP_LOGS_MAX = 48, SHOP_ATTRS_MAX = 12, SHOP_HISTORY = 12 };

struct shop_span {
	enum shop_service service;
	struct otlp_span span;
	struct otlp_attr attrs[SHOP_ATTRS_MAX];
	size_t attr_count;
	struct str event; /* empty: none */
	uint64_t event_ns;
	struct otlp_attr event_attrs[3];
	size_t event_attr_count;
	bool has_link;
	struct otlp_link link;
};

struct shop_log {
	enum shop_service service;
	struct otlp_log log;
	struct otlp_value body;
	struct otlp_attr attrs[SHOP_ATTRS_MAX];
	size_t attr_count;
};

struct shop_story {
	struct arena arena;
	struct shop_span spans[SHOP_SPANS_MAX];
	size_t span_count;
	struct shop_log logs[SHOP_LOGS_MAX];
	size_t log_count;
};

struct shop {
	uint64_t rng;
	uint64_t id_salt; /* keeps two runs of one seed from sharing trace ids */
	uint64_t started_ns;
	uint64_t stories;
	bool next_fails; /* the next story is a checkout whose payment is declined */
	/* What the metrics count, since started_ns, per service. */
	uint64_t requests[SHOP_SERVICES], errors[SHOP_SERVICES];
	uint64_t buckets[SHOP_SERVICES][SHOP_HISTORY + 1];
	double duration_sum_s[SHOP_SERVICES], duration_min_s[SHOP_SERVICES],
	    duration_max_s[SHOP_SERVICES];
	uint64_t exp_buckets[64]; /* payment amounts, scale 0 */
	uint64_t exp_count;
	double exp_sum;
	int64_t tokens_in, tokens_out;
	double revenue;
	struct otlp_exemplar slowest; /* of checkout */
	uint64_t last_trace_hi, last_trace_lo, last_span_id;
};

void shop_init(struct shop *shop, uint64_t seed, uint64_t id_salt, uint64_t started_ns);
/* One request that ends at end_ns. */
void shop_play(struct shop *shop, uint64_t end_ns, struct shop_story *story);
void shop_story_fini(struct shop_story *story);

/* Export requests; each replaces the buffer's content. */
void shop_encode_spans(const struct shop_story *story, struct buf *out);
void shop_encode_logs(const struct shop_story *story, struct buf *out);
void shop_encode_metrics(const struct shop *shop, uint64_t now_ns, struct buf *out);

/* The resource of a service: begins it in the request. */
void shop_encode_resource(struct otlp_encoder *e, enum shop_service service);

/* Upper bounds of the duration histogram, in seconds. */
extern const double shop_bounds[SHOP_HISTORY];

#endif
