/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/shop.h"

static const struct {
	const char *name;
	const char *version;
	const char *language;
} services[SHOP_SERVICES] = {
    [SHOP_WEB] = {"web", "3.2.0", "nodejs"},
    [SHOP_CHECKOUT] = {"checkout", "1.14.2", "java"},
    [SHOP_CART] = {"cart", "0.9.1", "go"},
    [SHOP_PAYMENT] = {"payment", "2.0.5", "java"},
    [SHOP_STOCK] = {"stock", "5.1.0", "rust"},
    [SHOP_ASSISTANT] = {"assistant", "0.3.0", "python"},
};

static const struct str schema_url = {"https://opentelemetry.io/schemas/1.37.0", 39};

static void
attr_text(struct otlp_encoder *e, const char *key, const char *text)
{
	otlp_encode_attr(e, str_from(key), otlp_value_str(str_from(text)));
}

void
shop_encode_resource(struct otlp_encoder *e, enum shop_service service)
{
	otlp_encode_resource(e, schema_url);
	attr_text(e, "service.name", services[service].name);
	attr_text(e, "service.namespace", "shop");
	attr_text(e, "service.version", services[service].version);
	attr_text(e, "telemetry.sdk.language", services[service].language);
	attr_text(e, "deployment.environment.name", "demo");
	otlp_encode_attr(e, STR("process.pid"), otlp_value_int(1000 + (int)service));
	otlp_encode_scope(e, STR("weir.demo"), STR("1.0"), STR_EMPTY);
}

static void
encode_span(struct otlp_encoder *e, const struct shop_span *s)
{
	otlp_encode_span(e, &s->span);
	for (size_t i = 0; i < s->attr_count; i++)
		otlp_encode_attr(e, s->attrs[i].key, s->attrs[i].value);
	if (s->event.len) {
		otlp_encode_event(e, s->event_ns, s->event, 0);
		for (size_t i = 0; i < s->event_attr_count; i++)
			otlp_encode_attr(e, s->event_attrs[i].key, s->event_attrs[i].value);
	}
	if (s->has_link)
		otlp_encode_link(e, &s->link);
}

void
shop_encode_spans(const struct shop_story *story, struct buf *out)
{
	struct otlp_encoder e;
	buf_reset(out);
	otlp_encode_begin(&e, SIGNAL_TRACES, out);
	for (int service = 0; service < SHOP_SERVICES; service++) {
		bool begun = false;
		for (size_t i = 0; i < story->span_count; i++) {
			if ((int)story->spans[i].service != service)
				continue;
			if (!begun)
				shop_encode_resource(&e, (enum shop_service)service);
			begun = true;
			encode_span(&e, &story->spans[i]);
		}
	}
	otlp_encode_end(&e);
}

void
shop_encode_logs(const struct shop_story *story, struct buf *out)
{
	struct otlp_encoder e;
	buf_reset(out);
	otlp_encode_begin(&e, SIGNAL_LOGS, out);
	for (size_t i = 0; i < story->log_count; i++) {
		const struct shop_log *l = &story->logs[i];
		struct otlp_log log = l->log;
		log.body = &l->body;
		if (i == 0 || l->service != story->logs[i - 1].service)
			shop_encode_resource(&e, l->service);
		otlp_encode_log(&e, &log);
		for (size_t k = 0; k < l->attr_count; k++)
			otlp_encode_attr(&e, l->attrs[k].key, l->attrs[k].value);
	}
	otlp_encode_end(&e);
}

static void
metric(struct otlp_encoder *e, const char *name, const char *description, const char *unit,
    enum point_type type, bool monotonic)
{
	bool has_temporality = type != POINT_GAUGE && type != POINT_SUMMARY;
	otlp_encode_metric(e,
	    &(struct otlp_metric){.name = str_from(name),
	        .description = str_from(description),
	        .unit = str_from(unit),
	        .type = type,
	        .temporality = has_temporality ? 2 : 0,
	        .monotonic = monotonic});
}

static void
encode_common(struct otlp_encoder *e, const struct shop *shop, int i, uint64_t now_ns)
{
	struct otlp_point p = {.time_ns = now_ns, .start_ns = shop->started_ns};
	struct otlp_point h = p, sum = p, gauge = p;
	metric(e, "http.server.request.duration", "Duration of HTTP server requests.", "s",
	    POINT_HISTOGRAM, false);
	h.count = shop->requests[i];
	h.has_sum = true;
	h.has_min = h.has_max = shop->requests[i] > 0;
	h.sum = shop->duration_sum_s[i];
	h.min = shop->duration_min_s[i];
	h.max = shop->duration_max_s[i];
	h.bounds = (struct f64s){shop_bounds, SHOP_HISTORY};
	h.counts = (struct u64s){shop->buckets[i], SHOP_HISTORY + 1};
	otlp_encode_point(e, &h);
	attr_text(e, "http.request.method", i == SHOP_STOCK || i == SHOP_CART ? "GET" : "POST");
	if (i == SHOP_CHECKOUT && shop->slowest.span_id)
		otlp_encode_exemplar(e, &shop->slowest);
	metric(e, "shop.errors", "Requests that failed.", "{request}", POINT_SUM_TYPE, true);
	sum.has_int = true;
	sum.i64 = (int64_t)shop->errors[i];
	otlp_encode_point(e, &sum);
	metric(e, "process.memory.usage", "Memory in use.", "By", POINT_GAUGE, false);
	gauge.has_int = true;
	gauge.i64 = (int64_t)(64 + 16 * i) * 1048576 + (int64_t)(shop->stories * 7919 % 4000000);
	otlp_encode_point(e, &gauge);
}

static void
encode_payment(struct otlp_encoder *e, const struct shop *shop, uint64_t now_ns)
{
	static const double quantiles[] = {0.5, 0.95, 0.99};
	double mean = shop->exp_count ? shop->exp_sum / (double)shop->exp_count : 0;
	const double values[] = {mean * 0.9, mean * 1.8, mean * 2};
	struct otlp_point p = {.time_ns = now_ns, .start_ns = shop->started_ns};
	struct otlp_point exp = p, sum = p, summary = p;
	metric(e, "shop.payment.amount", "Amounts paid.", "EUR", POINT_EXP_HISTOGRAM, false);
	exp.count = shop->exp_count;
	exp.has_sum = true;
	exp.sum = shop->exp_sum;
	size_t buckets = ARRAY_LEN(shop->exp_buckets);
	while (buckets > 1 && shop->exp_buckets[buckets - 1] == 0)
		buckets--;
	exp.positive = (struct otlp_buckets){0, {shop->exp_buckets, buckets}};
	otlp_encode_point(e, &exp);
	metric(e, "shop.revenue", "Money taken.", "EUR", POINT_SUM_TYPE, true);
	sum.has_double = true;
	sum.f64 = shop->revenue;
	otlp_encode_point(e, &sum);
	metric(e, "shop.payment.summary", "Amounts paid, as an old client tells it.", "EUR",
	    POINT_SUMMARY, false);
	summary.count = shop->exp_count;
	summary.has_sum = true;
	summary.sum = shop->exp_sum;
	summary.quantiles = (struct f64s){quantiles, ARRAY_LEN(quantiles)};
	summary.values = (struct f64s){values, ARRAY_LEN(values)};
	otlp_encode_point(e, &summary);
}

static void
encode_assistant(struct otlp_encoder *e, const struct shop *shop, uint64_t now_ns)
{
	struct otlp_point p = {.time_ns = now_ns, .start_ns = shop->started_ns, .has_int = true};
	metric(e, "shop.assistant.tokens", "Tokens used by the model.", "{token}", POINT_SUM_TYPE,
	    true);
	p.i64 = shop->tokens_in;
	otlp_encode_point(e, &p);
	attr_text(e, "gen_ai.token.type", "input");
	p.i64 = shop->tokens_out;
	otlp_encode_point(e, &p);
	attr_text(e, "gen_ai.token.type", "output");
	metric(e, "shop.assistant.waiting", "Visitors in the queue.", "{visitor}", POINT_SUM_TYPE,
	    false);
	p.i64 = (int64_t)(shop->stories % 5);
	otlp_encode_point(e, &p);
}

void
shop_encode_metrics(const struct shop *shop, uint64_t now_ns, struct buf *out)
{
	struct otlp_encoder e;
	buf_reset(out);
	otlp_encode_begin(&e, SIGNAL_METRICS, out);
	for (int i = 0; i < SHOP_SERVICES; i++) {
		shop_encode_resource(&e, (enum shop_service)i);
		encode_common(&e, shop, i, now_ns);
		if (i == SHOP_PAYMENT)
			encode_payment(&e, shop, now_ns);
		if (i == SHOP_ASSISTANT)
			encode_assistant(&e, shop, now_ns);
	}
	otlp_encode_end(&e);
}
