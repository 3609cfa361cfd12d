/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small order service in Node. Each trace: a request comes in, its route handler runs, asks a
 * database and a cache, and calls another service. Every span's values follow from its number.
 */
#include "base/timefmt.h"
#include "bench/payload_priv.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	TRACE_SPANS = 5,
	KIND_INTERNAL = 1,
	KIND_SERVER = 2,
	KIND_CLIENT = 3,
	STATUS_ERROR = 2,
	EVENT_PERCENT = 30,
	EXCEPTION_PERCENT = 4, /* of all spans; they are among those with an event */
	LINK_PERCENT = 5
};

/* One span being written. */
struct writer {
	struct otlp_encoder *e;
	uint64_t rng;
};

static uint64_t
pick(struct writer *w, uint64_t below)
{
	return payload_random(&w->rng) % below;
}

static void
set_text(struct writer *w, const char *key, const char *value)
{
	otlp_encode_attr(w->e, str_from(key), otlp_value_str(str_from(value)));
}

static void
set_int(struct writer *w, const char *key, uint64_t value)
{
	otlp_encode_attr(w->e, str_from(key), otlp_value_int((int64_t)value));
}

PRINTF_LIKE(3, 4)
static void
set_format(struct writer *w, const char *key, const char *fmt, ...)
{
	char text[256];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	CHECK(n >= 0 && (size_t)n < sizeof(text));
	set_text(w, key, text);
}

static const char *const routes[] = {"/api/v2/orders/:orderId", "/api/v2/customers/:customerId",
    "/api/v2/catalog/:productId/price", "/api/v2/baskets/:basketId/items"};
static const char *const tables[] = {"orders", "customers", "products", "baskets"};

/* ---- the five spans of a trace; each has 12 or 13 attributes */

static void
server_attributes(struct writer *w)
{
	uint64_t route = pick(w, ARRAY_LEN(routes));
	set_text(w, "http.request.method", route == 3 ? "POST" : "GET");
	set_text(w, "url.scheme", "http");
	set_text(w, "server.address", "orders.shop.internal");
	set_int(w, "server.port", 8080);
	set_format(w, "url.path", "/api/v2/%s/%08llx", tables[route],
	    (unsigned long long)pick(w, UINT64_C(1) << 32));
	set_text(w, "http.route", routes[route]);
	set_int(w, "http.response.status_code", pick(w, 50) ? 200 : 503);
	set_text(w, "network.protocol.version", "1.1");
	set_format(w, "network.peer.address", "10.4.%u.%u", (unsigned)pick(w, 8),
	    (unsigned)pick(w, 250));
	set_int(w, "network.peer.port", 32768 + pick(w, 28000));
	set_text(w, "user_agent.original",
	    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
	    "Chrome/142.0.0.0 Safari/537.36");
	set_format(w, "enduser.id", "customer-%05u", (unsigned)pick(w, 60000));
	set_int(w, "http.response.body.size", 200 + pick(w, 9000));
}

static void
handler_attributes(struct writer *w)
{
	uint64_t route = pick(w, ARRAY_LEN(routes));
	set_text(w, "http.route", routes[route]);
	set_text(w, "express.name", routes[route]);
	set_text(w, "express.type", "request_handler");
	set_format(w, "code.function.name", "%sController.handle", tables[route]);
	set_format(w, "code.file.path",
	    "/srv/app/dist/modules/%s/controllers/request.controller.js", tables[route]);
	set_int(w, "code.line.number", 20 + pick(w, 300));
	set_format(w, "session.id", "%08x-%04x-4%03x-9%03x-%012llx", (unsigned)pick(w, UINT32_MAX),
	    (unsigned)pick(w, 1 << 16), (unsigned)pick(w, 1 << 12), (unsigned)pick(w, 1 << 12),
	    (unsigned long long)pick(w, UINT64_C(1) << 48));
	set_format(w, "app.tenant", "store-%02u", (unsigned)pick(w, 40));
	set_text(w, "app.feature.checkout", pick(w, 2) ? "one-page" : "classic");
	otlp_encode_attr(w->e, STR("app.cache.hit"), otlp_value_bool(pick(w, 3) > 0));
	otlp_encode_attr(w->e, STR("app.event_loop.delay_ms"),
	    otlp_value_double((double)pick(w, 40000) / 1000));
	set_int(w, "app.items", 1 + pick(w, 12));
}

static void
database_attributes(struct writer *w)
{
	uint64_t table = pick(w, ARRAY_LEN(tables));
	set_text(w, "db.system.name", "postgresql");
	set_text(w, "db.namespace", "shop");
	set_text(w, "db.operation.name", "SELECT");
	set_text(w, "db.collection.name", tables[table]);
	set_format(w, "db.query.text",
	    "SELECT t.id, t.state, t.total, t.currency, t.version, t.updated_at, s.name AS store "
	    "FROM %s t JOIN stores s ON s.id = t.store_id "
	    "WHERE t.id = $1 AND t.store_id = $2 AND t.deleted_at IS NULL LIMIT 1",
	    tables[table]);
	set_format(w, "db.query.summary", "SELECT %s", tables[table]);
	set_text(w, "server.address", "pg-primary.shop.internal");
	set_int(w, "server.port", 5432);
	set_text(w, "network.peer.address", "10.4.0.12");
	set_format(w, "db.client.connection.pool.name", "pg-%u", (unsigned)pick(w, 4));
	set_int(w, "db.response.returned_rows", pick(w, 2));
	otlp_encode_attr(w->e, STR("app.db.wait_ms"),
	    otlp_value_double((double)pick(w, 9000) / 1000));
}

static void
cache_attributes(struct writer *w)
{
	uint64_t table = pick(w, ARRAY_LEN(tables));
	set_text(w, "db.system.name", "redis");
	set_text(w, "db.namespace", "0");
	set_text(w, "db.operation.name", "HGETALL");
	set_format(w, "db.query.text", "HGETALL shop:production:%s:price:by-id:%07u", tables[table],
	    (unsigned)pick(w, 10000000));
	set_text(w, "server.address", "redis.shop.internal");
	set_int(w, "server.port", 6379);
	set_text(w, "network.peer.address", "10.4.0.31");
	set_text(w, "network.transport", "tcp");
	set_format(w, "db.client.connection.pool.name", "redis-%u", (unsigned)pick(w, 2));
	otlp_encode_attr(w->e, STR("app.cache.hit"), otlp_value_bool(pick(w, 4) > 0));
	set_int(w, "app.cache.bytes", pick(w, 4000));
	set_text(w, "app.cache.namespace", tables[table]);
}

static void
client_attributes(struct writer *w)
{
	uint64_t id = pick(w, 10000000);
	set_text(w, "http.request.method", "GET");
	set_format(w, "url.full",
	    "http://stock.shop.internal:8080/v1/stock/%07u?reserve=false&warehouse=nearest&fields=count,eta",
	    (unsigned)id);
	set_text(w, "server.address", "stock.shop.internal");
	set_int(w, "server.port", 8080);
	set_int(w, "http.response.status_code", pick(w, 40) ? 200 : 504);
	set_text(w, "network.protocol.version", "1.1");
	set_text(w, "network.peer.address", "10.4.1.7");
	set_int(w, "network.peer.port", 8080);
	set_int(w, "http.response.body.size", 80 + pick(w, 900));
	set_text(w, "peer.service", "stock");
	set_format(w, "app.product.id", "%07u", (unsigned)id);
	set_text(w, "user_agent.original", "orders/2.8.1 undici/6.21");
	set_int(w, "http.request.resend_count", pick(w, 20) == 0);
}

static const struct {
	const char *scope;
	const char *version;
	const char *name;
	int32_t kind;
	unsigned parent; /* position in the trace */
	uint32_t start_us, end_us; /* after the trace's beginning */
	void (*attributes)(struct writer *w);
} spans[TRACE_SPANS] = {
    {"@opentelemetry/instrumentation-http", "0.207.0", "GET /api/v2/orders/:orderId", KIND_SERVER,
        0, 0, 24000, server_attributes},
    {"@opentelemetry/instrumentation-express", "0.56.0", "request handler - /api/v2/orders",
        KIND_INTERNAL, 0, 400, 23800, handler_attributes},
    {"@opentelemetry/instrumentation-pg", "0.60.0", "pg.query:SELECT shop", KIND_CLIENT, 1, 900,
        7300, database_attributes},
    {"@opentelemetry/instrumentation-redis", "0.57.0", "redis-HGETALL", KIND_CLIENT, 1, 7500, 8300,
        cache_attributes},
    {"@opentelemetry/instrumentation-http", "0.207.0", "GET", KIND_CLIENT, 1, 8600, 23100,
        client_attributes},
};

/* ---- what only some spans have */

static void
encode_exception(struct writer *w, uint64_t time_ns)
{
	otlp_encode_event(w->e, time_ns, STR("exception"), 0);
	set_text(w, "exception.type", "UpstreamTimeoutError");
	set_format(w, "exception.message", "stock.shop.internal did not answer within %u ms",
	    (unsigned)(500 + pick(w, 1000)));
	set_text(w, "exception.stacktrace",
	    "UpstreamTimeoutError: stock.shop.internal did not answer\n"
	    "    at Timeout.<anonymous> (/srv/app/dist/clients/stock.client.js:118:23)\n"
	    "    at listOnTimeout (node:internal/timers:581:17)\n"
	    "    at process.processTimers (node:internal/timers:519:7)\n"
	    "    at async StockClient.get (/srv/app/dist/clients/stock.client.js:74:20)\n"
	    "    at async OrderService.price (/srv/app/dist/services/order.service.js:201:19)\n"
	    "    at async ordersController.handle (/srv/app/dist/controllers/orders.js:57:16)");
}

static void
encode_event(struct writer *w, uint64_t time_ns)
{
	otlp_encode_event(w->e, time_ns, STR("cache.refresh"), 0);
	set_format(w, "app.cache.key", "price:%07u", (unsigned)pick(w, 10000000));
	set_int(w, "app.cache.age_ms", pick(w, 60000));
}

static void
encode_span(const struct payload *p, uint64_t first, uint64_t g, struct otlp_encoder *e)
{
	unsigned position = (unsigned)(g % TRACE_SPANS);
	uint64_t root = g - position;
	uint64_t later = p->spans - 1 - (g - first); /* spans of the request behind it */
	struct writer w = {e, payload_mix(g * PAYLOAD_CLIENTS_MAX + p->client)};
	bool exception = pick(&w, 100) < EXCEPTION_PERCENT;
	bool event =
	    exception || pick(&w, 100 - EXCEPTION_PERCENT) < EVENT_PERCENT - EXCEPTION_PERCENT;
	bool link = pick(&w, 100) < LINK_PERCENT;
	uint64_t jitter_ns = pick(&w, 300000);
	uint64_t begin = PAYLOAD_NOW - (later / TRACE_SPANS + 5) * 5 * NS_PER_MS;
	struct otlp_span s =
	    payload_span(p, first, g, position ? root + spans[position].parent : UINT64_MAX);
	s.name = str_from(spans[position].name);
	s.kind = spans[position].kind;
	s.start_ns = begin + spans[position].start_us * NS_PER_US + jitter_ns;
	s.end_ns = begin + spans[position].end_us * NS_PER_US + jitter_ns;
	if (exception) {
		s.status_code = STATUS_ERROR;
		s.status_message = STR("stock.shop.internal did not answer");
	}
	otlp_encode_span(e, &s);
	spans[position].attributes(&w);
	if (exception)
		encode_exception(&w, s.end_ns - NS_PER_US);
	else if (event)
		encode_event(&w, s.start_ns + NS_PER_US);
	if (link) {
		struct otlp_link l = payload_link(p, first, g);
		otlp_encode_link(e, &l);
	}
}

static void
encode_resource(const struct payload *p, struct otlp_encoder *e)
{
	struct writer w = {.e = e};
	otlp_encode_resource(e, STR_EMPTY);
	set_format(&w, "service.name", "orders-%u", (unsigned)(p->client % 4));
	set_text(&w, "service.namespace", "shop");
	set_text(&w, "service.version", "2.8.1");
	set_format(&w, "service.instance.id", "7c9f64d8-5b1e-4c0a-9d57-%012x", (unsigned)p->client);
	set_text(&w, "deployment.environment.name", "production");
	set_format(&w, "host.name", "node-%02u.shop.internal", (unsigned)(p->client % 16));
	set_text(&w, "host.arch", "amd64");
	set_int(&w, "process.pid", 1000 + p->client);
	set_text(&w, "process.runtime.name", "nodejs");
	set_text(&w, "process.runtime.version", "22.21.0");
	set_text(&w, "telemetry.sdk.language", "nodejs");
	set_text(&w, "telemetry.sdk.version", "2.2.0");
}

/* Spans stand below their scopes, as an SDK's batch has them. */
void
payload_sdk(const struct payload *p, uint64_t first, struct otlp_encoder *e)
{
	encode_resource(p, e);
	for (unsigned scope = 0; scope < TRACE_SPANS - 1; scope++) {
		struct str name = str_from(spans[scope].scope);
		bool begun = false;
		for (uint64_t g = first; g < first + p->spans; g++) {
			if (!str_eq(str_from(spans[g % TRACE_SPANS].scope), name))
				continue;
			if (!begun)
				otlp_encode_scope(e, name, str_from(spans[scope].version),
				    STR_EMPTY);
			begun = true;
			encode_span(p, first, g, e);
		}
	}
}
