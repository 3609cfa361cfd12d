/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/answer.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/buf.h"
#include "base/timefmt.h"
#include "bench/kit_test.h"

#include <stdio.h>
#include <string.h>

static const struct payload jaeger = {PAYLOAD_JAEGER, 2, 512, 99};

/* A trace's answer: the spans of these positions, `count` said. */
static void
write_trace(struct buf *out, uint64_t trace, const uint64_t *positions, size_t n, uint64_t count)
{
	char id[33] = {0}, span[17] = {0};
	struct payload_trace_id t = payload_trace_id(&jaeger, trace);
	hex_u64(t.hi, id);
	hex_u64(t.lo, id + 16);
	buf_reset(out);
	buf_printf(out, "{\"trace_id\":\"%s\",\"span_count\":%llu,\"services\":[\"a\"],\"spans\":[",
	    id, (unsigned long long)count);
	for (size_t i = 0; i < n; i++) {
		hex_u64(payload_span_id(&jaeger, trace * 10 + positions[i]), span);
		buf_printf(out,
		    "%s{\"trace_id\":\"%s\",\"span_id\":\"%s\",\"attributes\":{\"k\":[1]}}",
		    i ? "," : "", id, span);
	}
	buf_str(out, STR("],\"truncated\":false}"));
}

TEST(bench_answer, a_trace_is_all_its_spans_once_in_any_order)
{
	static const uint64_t whole[] = {9, 0, 1, 2, 3, 4, 5, 6, 7, 8},
	                      twice[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 8},
	                      one_more[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9},
	                      another[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10};
	struct buf b = {0};
	struct err err = {0};
	write_trace(&b, 77, whole, 10, 10);
	assert_true(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 78, &err));
	write_trace(&b, 77, whole, 9, 10);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	assert_non_null(strstr(err.message, "missing"));
	write_trace(&b, 77, whole, 10, 11);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	write_trace(&b, 77, twice, 10, 10);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	assert_non_null(strstr(err.message, "comes twice"));
	write_trace(&b, 77, one_more, 11, 10);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	write_trace(&b, 77, another, 10, 10);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	assert_non_null(strstr(err.message, "another's or comes twice"));
	write_trace(&b, 77, whole, 10, 10);
	for (size_t cut = 0; cut < b.len - strlen("],\"truncated\":false}"); cut++)
		assert_false(answer_is_trace(str_of(b.ptr, cut), &jaeger, 77, &err));
	buf_fini(&b);
}

TEST(bench_answer, spans_have_what_was_asked_for_newest_first)
{
#define SPAN(service, start, attributes)                                                           \
	"{\"trace_id\":\"t\",\"span_id\":\"s\",\"service\":\"" service                             \
	"\",\"start_time_unix_nano\":\"" start "\",\"attributes\":{" attributes                    \
	"},\"resource\":{\"attributes\":{\"k\":\"v\"}}}"
	static const struct {
		const char *spans;
		const char *said; /* NULL: right */
	} cases[] = {
	    {SPAN("a", "9", "\"x\":1,\"k\":\"v\"") "," SPAN("a", "9", "\"k\":\"v\""), NULL},
	    {SPAN("a", "9", "\"k\":\"v\""), "1 spans instead of 2"},
	    {"", "0 spans instead of 2"},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("b", "9", "\"k\":\"v\""),
	        "another service: \"b\""},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("a", "9", "\"k\":\"w\""), "another value"},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("a", "9", "\"j\":\"v\""), "another value"},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("a", "9", "\"k\":3"), "another value"},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("a", "10", "\"k\":\"v\""), "not newest first"},
	    {SPAN("a", "x", "\"k\":\"v\""), "a span without a time"},
	    {"3", "not the JSON"},
	};
	struct answer_spans want = {
	    .count = 2, .service = STR("a"), .key = STR("k"), .value = STR("v")};
	struct buf b = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		buf_reset(&b);
		buf_printf(&b, "{\"spans\":[%s],\"count\":2}", cases[i].spans);
		bool right = answer_is_spans(buf_view(&b), &want, &err);
		if (right != !cases[i].said)
			fail_msg("%s: %s", cases[i].spans, err.message);
		if (cases[i].said && !strstr(err.message, cases[i].said))
			fail_msg("%s: \"%s\"", cases[i].spans, err.message);
	}
#undef SPAN
	buf_fini(&b);
}

TEST(bench_answer, nothing_asked_for_is_any_span)
{
	struct answer_spans want = {.count = 1}, none = {.count = 0};
	struct err err = {0};
	struct str one = STR("{\"spans\":[{\"start_time_unix_nano\":\"1\"}]}");
	assert_true(answer_is_spans(one, &want, &err));
	assert_false(answer_is_spans(one, &none, &err));
	assert_true(answer_is_spans(STR("{\"spans\":[]}"), &none, &err));
	assert_false(answer_is_spans(STR("{\"count\":0}"), &none, &err));
	assert_false(answer_is_spans(STR_EMPTY, &none, &err));
}

TEST(bench_answer, services_are_counted_with_their_spans)
{
	struct err err = {0};
	uint64_t services, spans, seven_five[PAYLOAD_JAEGER_SERVICES] = {[2] = 7, [4] = 5};
	uint64_t seven_six[PAYLOAD_JAEGER_SERVICES] = {[2] = 7, [4] = 6},
	         one_more[PAYLOAD_JAEGER_SERVICES] = {[2] = 7, [4] = 5, [5] = 1},
	         seven[PAYLOAD_JAEGER_SERVICES] = {[2] = 7};
	struct str json = STR("{\"services\":[{\"name\":\"tracegen-02\",\"span_count\":7,"
	                      "\"x\":{\"span_count\":1}},"
	                      "{\"span_count\":5,\"name\":\"tracegen-04\"}],\"count\":2}");
	assert_true(answer_services(json, &services, &spans, &err));
	assert_int_equal(services, 2);
	assert_int_equal(spans, 12);
	assert_true(answer_is_counts(json, &answer_services_counts, seven_five, 0, &spans, &err));
	assert_int_equal(spans, 12);
	assert_false(answer_is_counts(json, &answer_services_counts, seven_six, 100, &spans, &err));
	assert_string_equal(err.message, "5 spans of tracegen-04 instead of 6");
	assert_false(answer_is_counts(json, &answer_services_counts, one_more, 100, &spans, &err));
	assert_string_equal(err.message, "0 spans of tracegen-05 instead of 1");
	/* As many more as there may be, of whatever service. */
	assert_true(answer_is_counts(json, &answer_services_counts, seven, 5, &spans, &err));
	assert_false(answer_is_counts(json, &answer_services_counts, seven, 4, &spans, &err));
	assert_string_equal(err.message, "12 spans of all services instead of 11 at the most");
	assert_false(answer_is_counts(json, &answer_services_counts, seven, 0, &spans, &err));
	assert_false(answer_services(STR("{\"services\":[{\"span_count\":7]"), &services, &spans,
	    &err));
	assert_false(answer_is_counts(STR("{\"services\":{}}"), &answer_services_counts, seven, 0,
	    &spans, &err));
	static const char *const strange[] = {
	    "{\"name\":\"else\",\"span_count\":7}",
	    "{\"span_count\":7}",
	    "{\"name\":\"tracegen-02\",\"span_count\":0}",
	    "{\"name\":\"tracegen-02\",\"span_count\":7},{\"name\":\"tracegen-02\",\"span_count\":1}",
	};
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		char text[200];
		snprintf(text, sizeof(text), "{\"services\":[%s]}", strange[i]);
		assert_false(answer_is_counts(str_from(text), &answer_services_counts, seven, 100,
		    &spans, &err));
		assert_non_null(strstr(err.message, "has no spans or comes twice"));
	}
}

TEST(bench_answer, counts_of_services_may_have_other_names_and_be_in_strings)
{
	const struct answer_counts shape = {
	    .list = STR("rows"), .name = STR("service"), .spans = STR("n")};
	const uint64_t want[PAYLOAD_JAEGER_SERVICES] = {[2] = 7, [4] = 5};
	struct err err = {0};
	uint64_t spans;
	assert_true(answer_is_counts(
	    STR("{\"columns\":[{\"name\":\"service\"}],\"rows\":[{\"service\":\"tracegen-04\",\"n\":5},"
	        "{\"service\":\"tracegen-02\",\"n\":\"7\"}],\"truncated\":false}"),
	    &shape, want, 0, &spans, &err));
	assert_int_equal(spans, 12);
	static const char *const not_numbers[] = {"null", "\"\"", "\"7x\"", "-7", "[7]"};
	for (size_t i = 0; i < ARRAY_LEN(not_numbers); i++) {
		char text[100];
		snprintf(text, sizeof(text), "{\"rows\":[{\"service\":\"tracegen-02\",\"n\":%s}]}",
		    not_numbers[i]);
		assert_false(answer_is_counts(str_from(text), &shape, want, 9, &spans, &err));
		assert_non_null(strstr(err.message, "is not the JSON"));
	}
}

/* ---- the newest, of which all is known */

#define NOW (UINT64_C(1795187531) * NS_PER_S)

/* What the server might show of the span of a client, at its real time or another. */
static void
write_span(struct buf *out, uint32_t client, uint64_t number, uint64_t start_ns)
{
	struct payload p = {PAYLOAD_JAEGER, client, 100, 99};
	char id[33] = {0}, span[17] = {0}, service[PAYLOAD_TEXT_BYTES];
	struct payload_trace_id t = payload_trace_id(&p, number / 10);
	hex_u64(t.hi, id);
	hex_u64(t.lo, id + 16);
	hex_u64(payload_span_id(&p, number), span);
	payload_jaeger_service_text(payload_jaeger_service(number), service);
	buf_printf(out,
	    "%s{\"trace_id\":\"%s\",\"span_id\":\"%s\",\"service\":\"%s\","
	    "\"start_time_unix_nano\":\"%llu\",\"attributes\":{",
	    out->len ? "," : "", id, span, service, (unsigned long long)start_ns);
	struct payload_attribute a;
	for (unsigned i = 0; i < PAYLOAD_JAEGER_ATTRIBUTES; i++) {
		char key[PAYLOAD_TEXT_BYTES], value[PAYLOAD_TEXT_BYTES];
		if (!payload_jaeger_attribute(number % (payload_ring(p.kind, 100) * 100), i, &a))
			continue;
		payload_jaeger_attribute_text(a, key, value);
		buf_printf(out, "%s\"%s\":\"%s\"", i ? "," : "", key, value);
	}
	buf_str(out, STR("}}"));
}

/* The same of its trace, whose spans were all sent; `first` is its first one. */
static void
write_trace_row(struct buf *out, uint32_t client, uint64_t first, uint64_t start_ns)
{
	struct payload p = {PAYLOAD_JAEGER, client, 100, 99};
	char id[33] = {0}, service[PAYLOAD_TEXT_BYTES];
	struct payload_trace_id t = payload_trace_id(&p, first / 10);
	hex_u64(t.hi, id);
	hex_u64(t.lo, id + 16);
	payload_jaeger_service_text(payload_jaeger_service(first), service);
	buf_printf(out,
	    "%s{\"trace_id\":\"%s\",\"root\":{\"span_count\":3},\"start_time_unix_nano\":\"%llu\","
	    "\"end_time_unix_nano\":\"%llu\",\"span_count\":10,\"error_count\":0,"
	    "\"matched_spans\":1,\"services\":[{\"name\":\"%s\",\"span_count\":10}]}",
	    out->len ? "," : "", id, (unsigned long long)start_ns,
	    (unsigned long long)start_ns + PAYLOAD_JAEGER_ROOT_NS, service);
}

struct newest_world {
	bool search; /* an answer has traces instead of spans */
	struct ledger *ledger;
	struct answer_world world;
	struct newest newest;
	struct answer_newest want;
	struct payload_attribute attribute;
	struct buf spans;
	struct err err;
};

/* Clients 0 and 1 have sent `requests` of 100 spans each, in turn; asked for is an attribute of span 1 of a body. Clients 5 and 6 are sending. */
static void
begin_world(struct newest_world *w, uint64_t requests)
{
	static struct payload p[2] = {{PAYLOAD_JAEGER, 0, 100, 99}, {PAYLOAD_JAEGER, 1, 100, 99}};
	*w = (struct newest_world){.ledger = ledger_new(PAYLOAD_JAEGER, 100, 0, 2)};
	for (uint64_t i = 0; i < 2 * requests; i++)
		ledger_ack(w->ledger,
		    &(struct load_acked){&p[i % 2], i / 2, 0, NOW + i * NS_PER_S});
	w->world = (struct answer_world){w->ledger, p[0], 5, 2};
	assert_true(payload_jaeger_attribute(1, 0, &w->attribute));
	ledger_newest_spans(w->ledger, payload_jaeger_service(1), &w->attribute, &w->newest);
	w->want = (struct answer_newest){&w->newest, payload_jaeger_service(1), &w->attribute};
}

static void
end_world(struct newest_world *w)
{
	ledger_free(w->ledger);
	buf_fini(&w->spans);
}

static bool
is_right(struct newest_world *w)
{
	struct buf json = {0};
	err_clear(&w->err);
	buf_printf(&json, "{\"%s\":[%.*s]}", w->search ? "traces" : "spans",
	    STR_ARG(buf_view(&w->spans)));
	bool right = (w->search ? answer_is_search : answer_is_newest)(buf_view(&json), &w->world,
	    &w->want, &w->err);
	assert_true(right == (w->err.code == ERR_OK));
	buf_fini(&json);
	return right;
}

/* Some live ones, then the ledger's from `from` to before `to`. */
static void
write_answer(struct newest_world *w, uint64_t live, size_t from, size_t to)
{
	uint64_t ring_spans = payload_ring(PAYLOAD_JAEGER, 100) * 100;
	buf_reset(&w->spans);
	for (uint64_t i = live; i-- > 0;)
		write_span(&w->spans, 5 + i % 2, 1 + i * ring_spans, NOW + 1000000 * NS_PER_S + i);
	for (size_t i = from; i < to; i++)
		write_span(&w->spans, w->newest.items[i].client, w->newest.items[i].number,
		    w->newest.items[i].time_ns);
}

TEST(bench_answer, the_newest_are_exactly_those_of_the_ledger)
{
	struct newest_world w;
	begin_world(&w, 83 * 9);
	size_t n = w.newest.count;
	assert_true(n >= 18 && n < NEWEST_MAX && w.newest.total == n);
	write_answer(&w, 0, 0, n);
	if (!is_right(&w))
		fail_msg("%s", w.err.message);
	write_answer(&w, 0, 0, n - 1);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "spans instead of"));
	write_answer(&w, 0, 1, n); /* the first one is missing */
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "another span comes before"));
	write_answer(&w, 0, 0, n);
	write_span(&w.spans, w.newest.items[n - 1].client, w.newest.items[n - 1].number,
	    w.newest.items[n - 1].time_ns);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "a span comes twice"));
	/* At another time than it was sent with. */
	buf_reset(&w.spans);
	write_span(&w.spans, w.newest.items[0].client, w.newest.items[0].number,
	    w.newest.items[0].time_ns + 1);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "another span comes before"));
	end_world(&w);
}

TEST(bench_answer, spans_that_are_sent_meanwhile_may_be_there_or_not)
{
	struct newest_world w;
	begin_world(&w, 83 * 9);
	size_t n = w.newest.count;
	for (uint64_t live = 1; live < 5; live++) {
		write_answer(&w, live, 0, n);
		if (!is_right(&w))
			fail_msg("%s", w.err.message);
	}
	write_answer(&w, 2, 0, n - 1); /* there is room for all of the ledger's */
	assert_false(is_right(&w));
	w.world.live_count = 1; /* of client 6 nothing is known */
	write_answer(&w, 2, 0, n);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "no client that is sending"));
	w.world.live_count = 0;
	write_answer(&w, 1, 0, n);
	assert_false(is_right(&w));
	end_world(&w);
	/* More than there is room for. */
	begin_world(&w, 100 * 83);
	assert_int_equal(w.newest.count, NEWEST_MAX);
	assert_true(w.newest.total > NEWEST_MAX);
	write_answer(&w, 30, 0, NEWEST_MAX - 30);
	if (!is_right(&w))
		fail_msg("%s", w.err.message);
	write_answer(&w, 30, 0, NEWEST_MAX - 31);
	assert_false(is_right(&w));
	write_answer(&w, 30, 0, NEWEST_MAX - 29);
	assert_false(is_right(&w));
	assert_string_equal(w.err.message, "101 spans instead of 100");
	end_world(&w);
}

TEST(bench_answer, a_span_that_nobody_sent_or_that_was_not_asked_for_is_wrong)
{
	struct newest_world w;
	struct payload other = {PAYLOAD_JAEGER, 0, 100, 98};
	char id[17] = {0};
	begin_world(&w, 83 * 9);
	write_answer(&w, 0, 0, w.newest.count);
	hex_u64(payload_span_id(&other, w.newest.items[0].number), id);
	char *at = strstr(w.spans.ptr, "\"span_id\":\"");
	assert_non_null(at);
	memcpy(at + strlen("\"span_id\":\""), id, 16);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "nobody has sent"));
	/* The server shows what was asked for, of a span that was sent without. */
	struct payload_attribute another = {w.attribute.key, w.attribute.value + 1};
	w.want.attribute = &another;
	char key[PAYLOAD_TEXT_BYTES], value[PAYLOAD_TEXT_BYTES], text[80], with[80];
	payload_jaeger_attribute_text(w.attribute, key, value);
	snprintf(text, sizeof(text), "\"%s\":\"%s\"", key, value);
	payload_jaeger_attribute_text(another, key, value);
	snprintf(with, sizeof(with), "\"%s\":\"%s\"", key, value);
	assert_int_equal(strlen(text), strlen(with));
	write_answer(&w, 0, 0, 1);
	buf_char(&w.spans, '\0');
	w.spans.len--;
	at = strstr(w.spans.ptr, text);
	assert_non_null(at);
	memcpy(at, with, strlen(with));
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "was not sent with span"));
	/* Nothing is right where nothing is known to be. */
	struct newest none = {0};
	w.want.newest = &none;
	buf_reset(&w.spans);
	assert_true(is_right(&w));
	end_world(&w);
}

/* ---- traces of a search */

/* Some live ones, then the ledger's from `from` to before `to`. */
static void
write_search(struct newest_world *w, uint64_t live, size_t from, size_t to)
{
	uint64_t ring_spans = payload_ring(PAYLOAD_JAEGER, 100) * 100;
	buf_reset(&w->spans);
	for (uint64_t i = live; i-- > 0;)
		write_trace_row(&w->spans, 5 + i % 2, i * ring_spans,
		    NOW + 1000000 * NS_PER_S + i * NS_PER_MS);
	for (size_t i = from; i < to; i++) {
		const struct newest_item *item = &w->newest.items[i];
		uint64_t first = item->number / 10 * 10;
		write_trace_row(&w->spans, item->client, first,
		    ledger_span_ns(w->ledger, item->client, first));
	}
}

TEST(bench_answer, traces_of_a_search_are_exactly_those_of_the_ledger)
{
	struct newest_world w;
	begin_world(&w, 83 * 9);
	w.search = true;
	size_t n = w.newest.count;
	assert_true(n >= 18 && n < NEWEST_MAX);
	write_search(&w, 0, 0, n);
	if (!is_right(&w))
		fail_msg("%s", w.err.message);
	write_search(&w, 0, 0, n - 1);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "traces instead of"));
	write_search(&w, 0, 1, n);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "another trace comes before"));
	/* The first one again, in the end. */
	write_search(&w, 0, 0, n);
	write_trace_row(&w.spans, w.newest.items[0].client, w.newest.items[0].number / 10 * 10,
	    ledger_span_ns(w.ledger, w.newest.items[0].client, w.newest.items[0].number / 10 * 10));
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "a trace comes twice"));
	/* One that has not what was asked for, of the same service. */
	write_search(&w, 0, 0, 1);
	write_trace_row(&w.spans, 0, w.newest.items[0].number / 10 * 10 - 100, NOW);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "was not sent in trace"));
	end_world(&w);
}

TEST(bench_answer, what_is_told_of_a_trace_is_what_was_sent_of_it)
{
	static const struct {
		const char *from, *to, *said;
	} cases[] = {
	    {"\"span_count\":10,\"error", "\"span_count\":11,\"error", "not its service"},
	    {"\"span_count\":10}", "\"span_count\":11}", "not its service"},
	    {"\"name\":\"tracegen-0", "\"name\":\"tracegen-1", "not its service"},
	    {"\"services\":[", "\"services\":[{\"name\":\"x\",\"span_count\":1},",
	        "not its service"},
	    {"\"matched_spans\":1", "\"matched_spans\":2", "not one span of it matches"},
	    {"\"error_count\":0", "\"error_count\":1", "no span of it failed"},
	    {"\"start_time_unix_nano\":\"1", "\"start_time_unix_nano\":\"2",
	        "not all that was sent"},
	    {"\"start_time_unix_nano\":", "\"start\":", "times or a count are missing"},
	    {"\"trace_id\":\"", "\"trace_id\":\"0", "nobody has sent"},
	    {"\"services\":[", "\"services_are\":[", "is not the JSON"},
	};
	struct newest_world w;
	begin_world(&w, 83 * 9);
	w.search = true;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		write_search(&w, 0, 0, w.newest.count);
		kit_replace(&w.spans, cases[i].from, cases[i].to);
		if (is_right(&w) || !strstr(w.err.message, cases[i].said))
			fail_msg("%s: \"%s\"", cases[i].to, w.err.message);
	}
	/* One of its spans less, everywhere. */
	write_search(&w, 0, 0, w.newest.count);
	kit_replace(&w.spans, "\"span_count\":10,\"error", "\"span_count\":9,\"error");
	kit_replace(&w.spans, "\"span_count\":10}", "\"span_count\":9}");
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "not all that was sent"));
	end_world(&w);
}

TEST(bench_answer, traces_that_are_sent_meanwhile_may_be_there_or_not)
{
	struct newest_world w;
	begin_world(&w, 83 * 9);
	w.search = true;
	size_t n = w.newest.count;
	for (uint64_t live = 1; live < 5; live++) {
		write_search(&w, live, 0, n);
		if (!is_right(&w))
			fail_msg("%s", w.err.message);
	}
	/* Requests of 100 spans have whole traces. */
	kit_replace(&w.spans, "\"span_count\":10,\"error", "\"span_count\":9,\"error");
	kit_replace(&w.spans, "\"span_count\":10}", "\"span_count\":9}");
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "not whole requests"));
	w.world.live_count = 1;
	write_search(&w, 2, 0, n);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "no client that is sending"));
	w.world.live_count = 2;
	/* The older one of two first; an older one behind the ledger's. */
	buf_reset(&w.spans);
	write_trace_row(&w.spans, 5, 0, NOW + 1000000 * NS_PER_S);
	write_trace_row(&w.spans, 6, 0, NOW + 1000000 * NS_PER_S + 1);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "not newest first"));
	write_search(&w, 0, 0, n);
	write_trace_row(&w.spans, 5, 0, NOW + 1000000 * NS_PER_S);
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "not newest first"));
	/* Or before them, when it is older. */
	buf_reset(&w.spans);
	write_trace_row(&w.spans, 5, 0, NOW - NS_PER_S);
	write_trace_row(&w.spans, w.newest.items[0].client, w.newest.items[0].number / 10 * 10,
	    ledger_span_ns(w.ledger, w.newest.items[0].client, w.newest.items[0].number / 10 * 10));
	assert_false(is_right(&w));
	assert_non_null(strstr(w.err.message, "not newest first"));
	end_world(&w);
	/* More than there is room for. */
	begin_world(&w, 100 * 83);
	w.search = true;
	write_search(&w, 30, 0, NEWEST_MAX - 30);
	if (!is_right(&w))
		fail_msg("%s", w.err.message);
	write_search(&w, 30, 0, NEWEST_MAX - 31);
	assert_false(is_right(&w));
	write_search(&w, 30, 0, NEWEST_MAX - 29);
	assert_false(is_right(&w));
	assert_string_equal(w.err.message, "101 traces instead of 100");
	end_world(&w);
}

/* ---- log records */

static void
write_records(struct buf *out, const struct payload *p, const struct newest *newest, size_t count)
{
	buf_reset(out);
	buf_str(out, STR("{\"logs\":["));
	for (size_t i = 0; i < count; i++) {
		char body[PAYLOAD_LOG_BODY_BYTES];
		size_t len = payload_log_body(p, newest->items[i].number, body);
		buf_printf(out,
		    "%s{\"attributes\":{\"body\":\"x\"},\"time_unix_nano\":\"%llu\",\"body\":\"",
		    i ? "," : "", (unsigned long long)newest->items[i].time_ns);
		for (size_t k = 0; k < len; k++)
			buf_printf(out, "\\u%04x", body[k]);
		buf_str(out, STR("\"}"));
	}
	buf_str(out, STR("]}"));
}

TEST(bench_answer, records_are_those_with_the_word_and_have_their_bodies)
{
	struct payload p = {PAYLOAD_LOGS, 4, 50, 99};
	struct ledger *l = ledger_new(PAYLOAD_LOGS, 50, 4, 1);
	struct newest newest;
	struct buf json = {0};
	struct err err = {0};
	for (uint64_t i = 0; i < 10; i++)
		ledger_ack(l, &(struct load_acked){&p, i, 0, NOW + i * NS_PER_S});
	ledger_newest_records(l, PAYLOAD_FREQUENT, 3, &newest);
	assert_int_equal(newest.count, 50);
	write_records(&json, &p, &newest, 50);
	if (!answer_is_records(buf_view(&json), &p, &newest, &err))
		fail_msg("%s", err.message);
	write_records(&json, &p, &newest, 49);
	assert_false(answer_is_records(buf_view(&json), &p, &newest, &err));
	assert_string_equal(err.message, "49 records instead of 50");
	struct newest another = newest;
	another.items[7].number += 10; /* as if it stood at another's time */
	write_records(&json, &p, &another, 50);
	assert_false(answer_is_records(buf_view(&json), &p, &newest, &err));
	assert_non_null(strstr(err.message, "not what was sent then"));
	another = newest;
	another.items[7].time_ns--;
	write_records(&json, &p, &another, 50);
	assert_false(answer_is_records(buf_view(&json), &p, &newest, &err));
	assert_non_null(strstr(err.message, "another record comes before"));
	another = newest;
	another.items[50] = another.items[49];
	write_records(&json, &p, &another, 51);
	assert_false(answer_is_records(buf_view(&json), &p, &newest, &err));
	assert_non_null(strstr(err.message, "a record too many"));
	/* Two of one time, in either order. */
	newest.items[8].time_ns = newest.items[9].time_ns;
	another = newest;
	another.items[8] = newest.items[9];
	another.items[9] = newest.items[8];
	write_records(&json, &p, &another, 50);
	assert_true(answer_is_records(buf_view(&json), &p, &newest, &err));
	assert_false(answer_is_records(STR("{\"logs\":{}}"), &p, &newest, &err));
	assert_false(answer_is_records(STR("{\"logs\":[{\"body\":1}]}"), &p, &newest, &err));
	buf_fini(&json);
	ledger_free(l);
}
