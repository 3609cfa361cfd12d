/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/shop.h"

#include "base/timefmt.h"

/* Where a story is being told: times go forward from `at`, in a trace. */
struct teller {
	struct shop *shop;
	struct shop_story *story;
	uint64_t hi, lo;
};

const double shop_bounds[SHOP_HISTORY] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014. */
static uint64_t
next_random(struct shop *shop)
{
	uint64_t z = shop->rng += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t
pick(struct shop *shop, uint64_t below)
{
	return next_random(shop) % below;
}

static bool
chance(struct shop *shop, unsigned percent)
{
	return pick(shop, 100) < percent;
}

/* Around `us` microseconds, long tail to the right. */
static uint64_t
about_ns(struct shop *shop, uint64_t us)
{
	uint64_t share = 50 + pick(shop, 80) + (chance(shop, 5) ? pick(shop, 400) : 0);
	return us * share * NS_PER_US / 100 + pick(shop, 1000);
}

static uint64_t
new_id(const struct teller *t)
{
	return (next_random(t->shop) ^ t->shop->id_salt) | 1;
}

static struct shop_span *
add_span(struct teller *t, enum shop_service service, const struct shop_span *parent,
    struct str name, int32_t kind, uint64_t start_ns)
{
	struct shop_story *story = t->story;
	CHECK(story->span_count < SHOP_SPANS_MAX);
	struct shop_span *s = &story->spans[story->span_count++];
	*s = (struct shop_span){.service = service,
	    .span = {.trace_hi = t->hi,
	        .trace_lo = t->lo,
	        .span_id = new_id(t),
	        .parent_id = parent ? parent->span.span_id : 0,
	        .start_ns = start_ns,
	        .end_ns = start_ns,
	        .name = name,
	        .kind = kind,
	        .flags = 0x101}};
	return s;
}

static void
set(struct shop_span *s, const char *key, struct otlp_value value)
{
	CHECK(s->attr_count < SHOP_ATTRS_MAX);
	s->attrs[s->attr_count++] = (struct otlp_attr){str_from(key), value};
}

static void
set_text(struct shop_span *s, const char *key, const char *text)
{
	set(s, key, otlp_value_str(str_from(text)));
}

static void
log_at(struct teller *t, const struct shop_span *s, uint64_t time_ns, int32_t severity,
    const char *severity_text, struct str text)
{
	struct shop_story *story = t->story;
	CHECK(story->log_count < SHOP_LOGS_MAX);
	struct shop_log *l = &story->logs[story->log_count++];
	*l = (struct shop_log){.service = s->service,
	    .body = otlp_value_str(text),
	    .log = {.time_ns = time_ns,
	        .observed_ns = time_ns + 1000,
	        .trace_hi = t->hi,
	        .trace_lo = t->lo,
	        .span_id = s->span.span_id,
	        .severity = severity,
	        .severity_text = str_from(severity_text),
	        .flags = 1}};
	l->attrs[l->attr_count++] =
	    (struct otlp_attr){STR("code.function.name"), otlp_value_str(s->span.name)};
}

static void
fail(struct teller *t, struct shop_span *s, uint64_t time_ns, const char *type, struct str text)
{
	s->span.status_code = 2;
	s->span.status_message = text;
	set_text(s, "error.type", type);
	s->event = STR("exception");
	s->event_ns = time_ns;
	s->event_attrs[0] =
	    (struct otlp_attr){STR("exception.type"), otlp_value_str(str_from(type))};
	s->event_attrs[1] = (struct otlp_attr){STR("exception.message"), otlp_value_str(text)};
	s->event_attr_count = 2;
	log_at(t, s, time_ns, 17, "ERROR", text);
}

static void
count_span(struct shop *shop, const struct shop_span *s)
{
	enum shop_service i = s->service;
	double seconds = (double)(s->span.end_ns - s->span.start_ns) / 1e9;
	size_t b = 0;
	while (b < SHOP_HISTORY && seconds > shop_bounds[b])
		b++;
	if (shop->requests[i] == 0 || seconds < shop->duration_min_s[i])
		shop->duration_min_s[i] = seconds;
	if (seconds > shop->duration_max_s[i]) {
		shop->duration_max_s[i] = seconds;
		if (i == SHOP_CHECKOUT)
			shop->slowest = (struct otlp_exemplar){.time_ns = s->span.end_ns,
			    .trace_hi = s->span.trace_hi,
			    .trace_lo = s->span.trace_lo,
			    .span_id = s->span.span_id,
			    .f64 = seconds};
	}
	shop->requests[i]++;
	shop->errors[i] += s->span.status_code == 2;
	shop->buckets[i][b]++;
	shop->duration_sum_s[i] += seconds;
}

/* A query to a service's database, inside `parent`; returns when it ended. */
static uint64_t
query(struct teller *t, struct shop_span *parent, const char *system, const char *text,
    uint64_t start_ns, uint64_t us)
{
	struct str name = arena_printf(&t->story->arena, "%.*s", (int)strcspn(text, " "), text);
	struct shop_span *s = add_span(t, parent->service, parent, name, 3, start_ns);
	set_text(s, "db.system.name", system);
	set_text(s, "db.query.text", text);
	set_text(s, "server.address", "db.shop.example");
	s->span.end_ns = start_ns + about_ns(t->shop, us);
	return s->span.end_ns;
}

/* A call from one service to another: the client's span and the server's; the server's span is
 * returned open, its end is set by end_call(). */
static struct shop_span *
begin_call(struct teller *t, enum shop_service to, struct shop_span *from, const char *method,
    const char *route, uint64_t start_ns)
{
	struct str name = arena_printf(&t->story->arena, "%s %s", method, route);
	struct shop_span *client = add_span(t, from->service, from, str_from(method), 3, start_ns);
	set_text(client, "http.request.method", method);
	set_text(client, "url.path", route);
	uint64_t arrived = start_ns + about_ns(t->shop, 300);
	struct shop_span *server = add_span(t, to, client, name, 2, arrived);
	set_text(server, "http.request.method", method);
	set_text(server, "http.route", route);
	set(server, "client.port", otlp_value_int((int64_t)(32768 + pick(t->shop, 28000))));
	return server;
}

static uint64_t
end_call(struct teller *t, struct shop_span *server, uint64_t end_ns)
{
	struct shop_span *client = server - 1;
	CHECK(client->span.span_id == server->span.parent_id);
	int64_t status = server->span.status_code == 2 ? 500 : 200;
	server->span.end_ns = end_ns;
	client->span.end_ns = end_ns + about_ns(t->shop, 250);
	set(server, "http.response.status_code", otlp_value_int(status));
	set(client, "http.response.status_code", otlp_value_int(status));
	client->span.status_code = server->span.status_code;
	count_span(t->shop, server);
	return client->span.end_ns;
}

static const char *const products[] = {
    "espresso-machine", "kettle", "grinder", "mug", "filter-papers"};

static uint64_t
tell_stock(struct teller *t, struct shop_span *from, uint64_t at, bool *ok_out)
{
	struct shop *shop = t->shop;
	const char *product = products[pick(shop, ARRAY_LEN(products))];
	struct shop_span *s = begin_call(t, SHOP_STOCK, from, "GET", "/stock/{product}", at);
	set_text(s, "shop.product", product);
	bool slow = chance(shop, 6);
	uint64_t end = query(t, s, "postgresql", "SELECT count FROM stock WHERE product = $1",
	    s->span.start_ns + about_ns(shop, 200), slow ? 900000 : 2500);
	if (slow)
		log_at(t, s, end, 13, "WARN", STR("slow query: stock has no index on product"));
	*ok_out = !chance(shop, 2) || shop->next_fails;
	if (!*ok_out) {
		end += NS_PER_S;
		fail(t, s, end, "TimeoutError",
		    arena_printf(&t->story->arena, "warehouse did not answer for %s within 1s",
		        product));
	}
	return end_call(t, s, end + about_ns(shop, 300));
}

static uint64_t
tell_payment(struct teller *t, struct shop_span *from, uint64_t at, bool *ok_out)
{
	struct shop *shop = t->shop;
	double amount = 5 + (double)pick(shop, 30000) / 100;
	struct shop_span *s = begin_call(t, SHOP_PAYMENT, from, "POST", "/payments", at);
	set(s, "shop.amount", otlp_value_double(amount));
	set_text(s, "shop.currency", "EUR");
	struct shop_span *out =
	    add_span(t, SHOP_PAYMENT, s, STR("POST"), 3, s->span.start_ns + NS_PER_MS);
	set_text(out, "server.address", "bank.example");
	set_text(out, "http.request.method", "POST");
	out->span.end_ns = out->span.start_ns + about_ns(shop, 45000);
	*ok_out = !chance(shop, 7) && !shop->next_fails;
	if (*ok_out) {
		unsigned bucket = 0; /* scale 0: bucket i holds amounts in (2^i, 2^(i+1)] */
		while (amount > (double)(UINT64_C(2) << bucket))
			bucket++;
		shop->exp_buckets[bucket]++;
		shop->exp_count++;
		shop->exp_sum += amount;
		shop->revenue += amount;
		log_at(t, s, out->span.end_ns, 9, "INFO",
		    arena_printf(&t->story->arena, "payment of %.2f EUR accepted", amount));
	} else {
		fail(t, s, out->span.end_ns, "PaymentDeclined",
		    arena_printf(&t->story->arena, "card declined for %.2f EUR", amount));
	}
	return end_call(t, s, out->span.end_ns + about_ns(shop, 500));
}

static uint64_t
tell_checkout(struct teller *t, struct shop_span *web, uint64_t at)
{
	bool in_stock = true, paid = true;
	struct shop_span *s = begin_call(t, SHOP_CHECKOUT, web, "POST", "/checkout", at);
	struct shop_span *cart =
	    begin_call(t, SHOP_CART, s, "GET", "/cart", s->span.start_ns + NS_PER_MS);
	uint64_t end = query(t, cart, "redis", "HGETALL cart", cart->span.start_ns + 100000, 600);
	end = end_call(t, cart, end + about_ns(t->shop, 150));
	end = tell_stock(t, s, end, &in_stock);
	if (in_stock)
		end = tell_payment(t, s, end, &paid);
	if (!in_stock || !paid)
		fail(t, s, end, "CheckoutFailed",
		    in_stock ? STR("payment failed") : STR("stock unknown"));
	else
		end = query(t, s, "postgresql", "INSERT INTO orders (cart, total) VALUES ($1, $2)",
		    end + 100000, 3500);
	return end_call(t, s, end + about_ns(t->shop, 400));
}

static uint64_t
tell_chat(struct teller *t, struct shop_span *agent, uint64_t at, const char *finish)
{
	struct shop *shop = t->shop;
	int64_t in = 300 + (int64_t)pick(shop, 1500), out = 20 + (int64_t)pick(shop, 400);
	struct shop_span *s = add_span(t, SHOP_ASSISTANT, agent, STR("chat small-talk-1"), 3, at);
	set_text(s, "gen_ai.operation.name", "chat");
	set_text(s, "gen_ai.provider.name", "example");
	set_text(s, "gen_ai.request.model", "small-talk-1");
	set(s, "gen_ai.request.temperature", otlp_value_double(0.2));
	set(s, "gen_ai.usage.input_tokens", otlp_value_int(in));
	set(s, "gen_ai.usage.output_tokens", otlp_value_int(out));
	const struct otlp_value reason = otlp_value_str(str_from(finish));
	struct otlp_value *reasons = arena_array(&t->story->arena, 1, sizeof(reason));
	CHECK(reasons != NULL);
	reasons[0] = reason;
	set(s, "gen_ai.response.finish_reasons", otlp_value_array(reasons, 1));
	s->span.end_ns = at + about_ns(shop, 400000 + (uint64_t)out * 2000);
	shop->tokens_in += in;
	shop->tokens_out += out;
	return s->span.end_ns;
}

/* An agent's run: think, use a tool or two, answer. */
static uint64_t
tell_agent(struct teller *t, struct shop_span *web, uint64_t at)
{
	static const char *const tools[] = {"search_products", "check_stock", "compare_prices"};
	struct shop *shop = t->shop;
	struct shop_span *call = begin_call(t, SHOP_ASSISTANT, web, "POST", "/ask", at);
	struct shop_span *agent = add_span(t, SHOP_ASSISTANT, call, STR("invoke_agent shop-guide"),
	    1, call->span.start_ns + NS_PER_MS);
	set_text(agent, "gen_ai.operation.name", "invoke_agent");
	set_text(agent, "gen_ai.agent.name", "shop-guide");
	set(agent, "gen_ai.conversation.id",
	    otlp_value_str(arena_printf(&t->story->arena, "c-%llu",
	        (unsigned long long)(shop->stories % 97))));
	uint64_t end = tell_chat(t, agent, agent->span.start_ns + NS_PER_MS, "tool_calls");
	size_t steps = 1 + pick(shop, 3);
	for (size_t i = 0; i < steps; i++) {
		const char *tool = tools[pick(shop, ARRAY_LEN(tools))];
		struct shop_span *s = add_span(t, SHOP_ASSISTANT, agent,
		    arena_printf(&t->story->arena, "execute_tool %s", tool), 1, end + NS_PER_MS);
		bool ok = true;
		set_text(s, "gen_ai.operation.name", "execute_tool");
		set_text(s, "gen_ai.tool.name", tool);
		s->span.end_ns = tell_stock(t, s, s->span.start_ns + NS_PER_MS, &ok) + NS_PER_MS;
		if (!ok)
			fail(t, s, s->span.end_ns, "ToolError", STR("the tool returned an error"));
		end = tell_chat(t, agent, s->span.end_ns + NS_PER_MS,
		    i + 1 < steps ? "tool_calls" : "stop");
	}
	agent->span.end_ns = end + NS_PER_MS;
	log_at(t, agent, agent->span.end_ns, 9, "INFO",
	    arena_printf(&t->story->arena, "answered after %zu tool calls", steps));
	return end_call(t, call, agent->span.end_ns + NS_PER_MS);
}

static uint64_t
tell_browse(struct teller *t, struct shop_span *web, uint64_t at)
{
	bool ok;
	uint64_t end = tell_stock(t, web, at, &ok);
	if (!ok)
		log_at(t, web, end, 13, "WARN", STR("showing the product without its stock"));
	return end;
}

static const struct {
	const char *name;
	const char *route;
	uint64_t (*tell)(struct teller *t, struct shop_span *web, uint64_t at);
} stories[] = {
    {"GET /products/{product}", "/products/{product}", tell_browse},
    {"GET /products/{product}", "/products/{product}", tell_browse},
    {"GET /products/{product}", "/products/{product}", tell_browse},
    {"GET /products/{product}", "/products/{product}", tell_browse},
    {"POST /checkout", "/checkout", tell_checkout},
    {"POST /checkout", "/checkout", tell_checkout},
    {"POST /checkout", "/checkout", tell_checkout},
    {"POST /assistant", "/assistant", tell_agent},
};

enum { STORY_CHECKOUT = 4 }; /* the first of its rows */

/* Told forward from 0, then moved so that the whole ends at end_ns. */
static void
shift(struct shop_story *story, uint64_t by_ns)
{
	for (size_t i = 0; i < story->span_count; i++) {
		story->spans[i].span.start_ns += by_ns;
		story->spans[i].span.end_ns += by_ns;
		story->spans[i].event_ns += by_ns;
	}
	for (size_t i = 0; i < story->log_count; i++) {
		story->logs[i].log.time_ns += by_ns;
		story->logs[i].log.observed_ns += by_ns;
	}
}

void
shop_init(struct shop *shop, uint64_t seed, uint64_t id_salt, uint64_t started_ns)
{
	*shop = (struct shop){.rng = seed, .id_salt = id_salt, .started_ns = started_ns};
}

void
shop_play(struct shop *shop, uint64_t end_ns, struct shop_story *story)
{
	arena_reset(&story->arena);
	story->span_count = story->log_count = 0;
	struct teller t = {.shop = shop, .story = story};
	t.hi = new_id(&t);
	t.lo = new_id(&t);
	size_t which = pick(shop, ARRAY_LEN(stories));
	if (shop->next_fails)
		which = STORY_CHECKOUT;
	struct shop_span *web = add_span(&t, SHOP_WEB, NULL, str_from(stories[which].name), 2, 0);
	set_text(web, "http.request.method", which < STORY_CHECKOUT ? "GET" : "POST");
	set_text(web, "http.route", stories[which].route);
	set_text(web, "user_agent.original", chance(shop, 30) ? "Firefox/140" : "Chrome/156");
	set(web, "enduser.id",
	    otlp_value_str(arena_printf(&story->arena, "user-%llu",
	        (unsigned long long)pick(shop, 50))));
	if (shop->last_span_id && chance(shop, 20)) {
		web->has_link = true;
		web->link = (struct otlp_link){.trace_hi = shop->last_trace_hi,
		    .trace_lo = shop->last_trace_lo,
		    .span_id = shop->last_span_id};
	}
	uint64_t end = stories[which].tell(&t, web, about_ns(shop, 800)) + about_ns(shop, 900);
	bool failed = story->span_count > 2 && story->spans[2].span.status_code == 2 &&
	    which >= STORY_CHECKOUT;
	web->span.end_ns = end;
	web->span.status_code = failed ? 2 : 0;
	set(web, "http.response.status_code", otlp_value_int(failed ? 502 : 200));
	count_span(shop, web);
	CHECK(end_ns > end);
	shift(story, end_ns - end);
	/* The exemplar was noted before the story had its place in time. */
	if (shop->slowest.trace_hi == t.hi && shop->slowest.trace_lo == t.lo)
		shop->slowest.time_ns = end_ns;
	shop->last_trace_hi = t.hi;
	shop->last_trace_lo = t.lo;
	shop->last_span_id = web->span.span_id;
	shop->next_fails = false;
	shop->stories++;
}

void
shop_story_fini(struct shop_story *story)
{
	arena_fini(&story->arena);
}
