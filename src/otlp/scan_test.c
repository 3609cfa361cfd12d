/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused, why, and that decode leaves out the same. */
#include "otlp/dump_test.h"
#include "otlp/encode.h"

#include "tests/test.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>

static struct otlp_encoder
begin(enum signal_kind signal, struct buf *body)
{
	struct otlp_encoder e;
	buf_reset(body);
	otlp_encode_begin(&e, signal, body);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	return e;
}

static void
good_span(struct otlp_encoder *e, uint64_t id)
{
	otlp_encode_span(e, &(struct otlp_span){.trace_hi = 1, .trace_lo = 2, .span_id = id});
}

/* Scan and decode; `rejected` items are refused, the first for this reason. */
static void
assert_counts(enum signal_kind signal, const struct buf *body, const struct limits *limits,
    uint64_t accepted, uint64_t rejected, const char *reason)
{
	struct batch b;
	batch_init(&b, 0);
	struct otlp_counts counts = dump_decode(signal, buf_view(body), limits, &b);
	assert_string_equal(counts.reason, reason);
	assert_int_equal(counts.accepted, accepted);
	assert_int_equal(counts.rejected, rejected);
	batch_fini(&b);
}

static void
assert_fails(enum signal_kind signal, struct str body, const struct limits *limits,
    enum err_code want, const char *message)
{
	struct err err = {0};
	struct otlp_counts counts;
	struct batch b;
	struct otlp_origin origin = {STR("t"), 1, 1};
	batch_init(&b, 0);
	assert_int_equal(otlp_scan(signal, body, limits, &counts, &err), want);
	if (!strstr(err.message, message))
		fail_msg("'%s' does not say '%s'", err.message, message);
	assert_int_equal(otlp_decode(signal, body, limits, &origin, &b, NULL), want);
	batch_fini(&b);
}

TEST(otlp, an_empty_request_has_no_items)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++)
		assert_counts((enum signal_kind)s, &body, &limits, 0, 0, "");
}

/* One span with raw bytes for its ids, between two good ones. */
static void
span_with_ids(struct buf *body, struct str trace, struct str span, struct str parent)
{
	struct otlp_encoder e = begin(SIGNAL_TRACES, body);
	good_span(&e, 1);
	otlp_encode_span(&e, &(struct otlp_span){.start_ns = 5});
	pb_put_bytes(body, 1, trace);
	pb_put_bytes(body, 2, span);
	pb_put_bytes(body, 4, parent);
	good_span(&e, 3);
	otlp_encode_end(&e);
}

#define ID16 STR("0123456789abcdef")
#define ID8 STR("01234567")
#define ZERO16 STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
#define ZERO8 STR("\0\0\0\0\0\0\0\0")

TEST(otlp, span_ids_must_have_their_length_and_not_be_zero)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	const struct {
		struct str trace, span, parent;
		const char *reason;
	} cases[] = {
	    {ID16, ID8, ID8, ""},
	    {ID16, ID8, STR_EMPTY, ""},
	    {ID16, ID8, ZERO8, ""},
	    {STR_EMPTY, ID8, ID8, "span 1: trace id is missing"},
	    {ZERO16, ID8, ID8, "span 1: trace id is all zero"},
	    {STR("0123456789abcde"), ID8, ID8, "span 1: trace id has 15 bytes, not 16"},
	    {STR("0123456789abcdefg"), ID8, ID8, "span 1: trace id has 17 bytes, not 16"},
	    {STR("x"), ID8, ID8, "span 1: trace id has 1 bytes, not 16"},
	    {ID16, STR_EMPTY, ID8, "span 1: span id is missing"},
	    {ID16, ZERO8, ID8, "span 1: span id is all zero"},
	    {ID16, STR("0123456"), ID8, "span 1: span id has 7 bytes, not 8"},
	    {ID16, ID16, ID8, "span 1: span id has 16 bytes, not 8"},
	    {ID16, ID8, STR("x"), "span 1: parent span id has 1 bytes, not 8"},
	    {ID16, ID8, ID16, "span 1: parent span id has 16 bytes, not 8"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool bad = cases[i].reason[0] != '\0';
		span_with_ids(&body, cases[i].trace, cases[i].span, cases[i].parent);
		assert_counts(SIGNAL_TRACES, &body, &limits, bad ? 2 : 3, bad, cases[i].reason);
	}
	buf_fini(&body);
}

TEST(otlp, ids_of_logs_links_and_exemplars_are_optional_but_not_of_any_length)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	const struct {
		struct str trace, span;
		const char *problem;
	} cases[] = {
	    {ID16, ID8, ""},
	    {STR_EMPTY, STR_EMPTY, ""},
	    {ZERO16, ZERO8, ""},
	    {ID8, ID8, "trace id has 8 bytes, not 16"},
	    {ID16, ID16, "span id has 16 bytes, not 8"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool bad = cases[i].problem[0] != '\0';
		char reason[80] = "";
		struct otlp_encoder e = begin(SIGNAL_LOGS, &body);
		otlp_encode_log(&e, &(struct otlp_log){.time_ns = 1});
		pb_put_bytes(&body, 9, cases[i].trace);
		pb_put_bytes(&body, 10, cases[i].span);
		otlp_encode_end(&e);
		if (bad)
			snprintf(reason, sizeof(reason), "log record 0: %s", cases[i].problem);
		assert_counts(SIGNAL_LOGS, &body, &limits, !bad, bad, reason);

		e = begin(SIGNAL_TRACES, &body);
		good_span(&e, 1);
		otlp_encode_link(&e, &(struct otlp_link){0});
		pb_put_bytes(&body, 1, cases[i].trace);
		pb_put_bytes(&body, 2, cases[i].span);
		otlp_encode_end(&e);
		if (bad)
			snprintf(reason, sizeof(reason), "span 0: link %s", cases[i].problem);
		assert_counts(SIGNAL_TRACES, &body, &limits, !bad, bad, reason);

		e = begin(SIGNAL_METRICS, &body);
		otlp_encode_metric(&e, &(struct otlp_metric){.type = POINT_GAUGE});
		otlp_encode_point(&e, &(struct otlp_point){.has_int = true});
		otlp_encode_exemplar(&e, &(struct otlp_exemplar){.is_int = true});
		pb_put_bytes(&body, 5, cases[i].trace);
		pb_put_bytes(&body, 4, cases[i].span);
		otlp_encode_end(&e);
		if (bad)
			snprintf(reason, sizeof(reason), "data point 0: exemplar %s",
			    cases[i].problem);
		assert_counts(SIGNAL_METRICS, &body, &limits, !bad, bad, reason);
	}
	buf_fini(&body);
}

TEST(otlp, more_items_than_the_limit_refuse_the_request)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	limits.items_max = 3;
	for (uint64_t n = 3; n <= 4; n++) {
		struct otlp_encoder e = begin(SIGNAL_TRACES, &body);
		for (uint64_t i = 1; i <= n; i++)
			good_span(&e, i % 2 ? i : 0); /* refused ones count */
		otlp_encode_end(&e);
		if (n == 3)
			assert_counts(SIGNAL_TRACES, &body, &limits, 2, 1,
			    "span 1: span id is missing");
		else
			assert_fails(SIGNAL_TRACES, buf_view(&body), &limits, ERR_TOO_LARGE, "");
	}
	struct otlp_counts counts;
	struct err err;
	assert_int_equal(otlp_scan(SIGNAL_TRACES, buf_view(&body), &limits, &counts, &err),
	    ERR_TOO_LARGE);
	assert_string_equal(err.message, "more than 3 spans in one request");
	buf_fini(&body);
}

/* ---- limits of text, lists and depth: each at its limit, and one beyond */

enum place {
	P_SPAN_NAME,
	P_EVENT_NAME,
	P_ATTRIBUTE_KEY,
	P_ATTRIBUTE_VALUE,
	P_ATTRIBUTE_BYTES,
	P_NESTED_KEY,
	P_EVENT_VALUE,
	P_LINK_VALUE,
	P_STATUS_MESSAGE,
	P_TRACE_STATE,
	P_LINK_TRACE_STATE,
	P_RESOURCE_KEY,
	P_RESOURCE_VALUE,
	P_RESOURCE_URL,
	P_SCOPE_NAME,
	P_SCOPE_VERSION,
	P_SCOPE_URL,
	P_SCOPE_VALUE,
	P_TRACES_END,
	P_LOG_BODY,
	P_LOG_SEVERITY_TEXT,
	P_LOG_EVENT_NAME,
	P_LOGS_END,
	P_METRIC_NAME,
	P_METRIC_UNIT,
	P_METRIC_DESCRIPTION,
	P_METRIC_METADATA_KEY,
	P_EXEMPLAR_VALUE,
	P_END,
};

enum { NAMES = 20, VALUES = 30 }; /* the limits set below */

static const struct {
	const char *what;
	uint64_t max;
} places[P_END] = {
    [P_SPAN_NAME] = {"span name", NAMES},
    [P_EVENT_NAME] = {"event name", NAMES},
    [P_ATTRIBUTE_KEY] = {"attribute key", NAMES},
    [P_ATTRIBUTE_VALUE] = {"attribute value", VALUES},
    [P_ATTRIBUTE_BYTES] = {"attribute value", VALUES},
    [P_NESTED_KEY] = {"attribute key", NAMES},
    [P_EVENT_VALUE] = {"attribute value", VALUES},
    [P_LINK_VALUE] = {"attribute value", VALUES},
    [P_STATUS_MESSAGE] = {"status message", VALUES},
    [P_TRACE_STATE] = {"trace state", VALUES},
    [P_LINK_TRACE_STATE] = {"link trace state", VALUES},
    [P_RESOURCE_KEY] = {"resource attribute key", NAMES},
    [P_RESOURCE_VALUE] = {"resource attribute value", VALUES},
    [P_RESOURCE_URL] = {"resource schema URL", NAMES},
    [P_SCOPE_NAME] = {"scope name", NAMES},
    [P_SCOPE_VERSION] = {"scope version", NAMES},
    [P_SCOPE_URL] = {"scope schema URL", NAMES},
    [P_SCOPE_VALUE] = {"scope attribute value", VALUES},
    [P_LOG_BODY] = {"body", VALUES},
    [P_LOG_SEVERITY_TEXT] = {"severity text", VALUES},
    [P_LOG_EVENT_NAME] = {"event name", NAMES},
    [P_METRIC_NAME] = {"metric name", NAMES},
    [P_METRIC_UNIT] = {"metric unit", NAMES},
    [P_METRIC_DESCRIPTION] = {"metric description", VALUES},
    [P_METRIC_METADATA_KEY] = {"attribute key", NAMES},
    [P_EXEMPLAR_VALUE] = {"attribute value", VALUES},
};

static enum signal_kind
place_signal(enum place p)
{
	return p < P_TRACES_END ? SIGNAL_TRACES : p < P_LOGS_END ? SIGNAL_LOGS : SIGNAL_METRICS;
}

#define AT(place) (p == (place) ? text : STR_EMPTY)

static void
put_span_with(struct otlp_encoder *e, enum place p, struct str text)
{
	struct otlp_attr member = {AT(P_NESTED_KEY), otlp_value_int(1)};
	otlp_encode_span(e,
	    &(struct otlp_span){.trace_hi = 1,
	        .span_id = 1,
	        .name = AT(P_SPAN_NAME),
	        .status_message = AT(P_STATUS_MESSAGE),
	        .trace_state = AT(P_TRACE_STATE)});
	otlp_encode_attr(e, AT(P_ATTRIBUTE_KEY), otlp_value_str(AT(P_ATTRIBUTE_VALUE)));
	otlp_encode_attr(e, STR("b"), otlp_value_bytes(AT(P_ATTRIBUTE_BYTES)));
	otlp_encode_attr(e, STR("n"), otlp_value_kvlist(&member, 1));
	otlp_encode_event(e, 1, AT(P_EVENT_NAME), 0);
	otlp_encode_attr(e, STR("v"), otlp_value_str(AT(P_EVENT_VALUE)));
	otlp_encode_link(e, &(struct otlp_link){.trace_state = AT(P_LINK_TRACE_STATE)});
	otlp_encode_attr(e, STR("v"), otlp_value_str(AT(P_LINK_VALUE)));
}

static void
put_item_with(struct otlp_encoder *e, enum place p, struct str text)
{
	struct otlp_value body = otlp_value_str(AT(P_LOG_BODY));
	if (place_signal(p) == SIGNAL_TRACES) {
		put_span_with(e, p, text);
	} else if (place_signal(p) == SIGNAL_LOGS) {
		otlp_encode_log(e,
		    &(struct otlp_log){.body = &body,
		        .severity_text = AT(P_LOG_SEVERITY_TEXT),
		        .event_name = AT(P_LOG_EVENT_NAME)});
	} else {
		otlp_encode_metric(e,
		    &(struct otlp_metric){.type = POINT_HISTOGRAM,
		        .name = AT(P_METRIC_NAME),
		        .unit = AT(P_METRIC_UNIT),
		        .description = AT(P_METRIC_DESCRIPTION)});
		otlp_encode_attr(e, AT(P_METRIC_METADATA_KEY), otlp_value_int(1));
		otlp_encode_point(e, &(struct otlp_point){.count = 1});
		otlp_encode_exemplar(e, &(struct otlp_exemplar){.f64 = 1});
		otlp_encode_attr(e, STR("v"), otlp_value_str(AT(P_EXEMPLAR_VALUE)));
	}
}

/* One item with `text` in one place, and in another resource one that is fine. */
static void
build_with(struct buf *body, enum place p, struct str text)
{
	struct otlp_encoder e;
	buf_reset(body);
	otlp_encode_begin(&e, place_signal(p), body);
	otlp_encode_resource(&e, AT(P_RESOURCE_URL));
	otlp_encode_attr(&e, AT(P_RESOURCE_KEY), otlp_value_str(AT(P_RESOURCE_VALUE)));
	otlp_encode_scope(&e, AT(P_SCOPE_NAME), AT(P_SCOPE_VERSION), AT(P_SCOPE_URL));
	otlp_encode_attr(&e, STR("v"), otlp_value_str(AT(P_SCOPE_VALUE)));
	put_item_with(&e, p, text);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	put_item_with(&e, p, STR_EMPTY);
	otlp_encode_end(&e);
}

static void
assert_place(enum place p, struct str text, const struct limits *limits, const char *problem)
{
	static const char *const items[] = {[SIGNAL_TRACES] = "span",
	    [SIGNAL_LOGS] = "log record",
	    [SIGNAL_METRICS] = "data point"};
	struct buf body = {0};
	char reason[120] = "";
	bool bad = problem[0] != '\0';
	if (bad)
		snprintf(reason, sizeof(reason), "%s 0: %s %s", items[place_signal(p)],
		    places[p].what, problem);
	build_with(&body, p, text);
	assert_counts(place_signal(p), &body, limits, bad ? 1 : 2, bad, reason);
	buf_fini(&body);
}

TEST(otlp, every_name_and_value_is_taken_at_its_limit_and_refused_beyond)
{
	struct limits limits = limits_default();
	char text[64], problem[64];
	limits.name_bytes_max = NAMES;
	limits.value_bytes_max = VALUES;
	memset(text, 'x', sizeof(text));
	for (int p = 0; p < P_END; p++) {
		if (!places[p].what)
			continue;
		size_t max = (size_t)places[p].max;
		assert_place((enum place)p, str_of(text, max), &limits, "");
		snprintf(problem, sizeof(problem), "is longer than %zu bytes", max);
		assert_place((enum place)p, str_of(text, max + 1), &limits, problem);
	}
}

TEST(otlp, text_that_is_not_utf8_refuses_its_item_wherever_it_stands)
{
	struct limits limits = limits_default();
	for (int p = 0; p < P_END; p++) {
		if (!places[p].what)
			continue;
		assert_place((enum place)p, STR("\xc3\xbc\xf0\x9f\x98\x80"), &limits, "");
		bool text = p != P_ATTRIBUTE_BYTES;
		assert_place((enum place)p, STR("a\xff"), &limits,
		    text ? "is not valid UTF-8" : "");
		assert_place((enum place)p, STR("abcdefgh\xed\xa0\x80"), &limits,
		    text ? "is not valid UTF-8" : "");
	}
}

TEST(otlp, a_nested_value_counts_with_all_its_bytes)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	struct otlp_value items[3];
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = otlp_value_str(STR("0123456789"));
	/* An element is 2 bytes of head, 2 more of the string's, and 10: 42 for the array. */
	for (uint64_t max = 41; max <= 42; max++) {
		limits.value_bytes_max = max;
		struct otlp_encoder e = begin(SIGNAL_TRACES, &body);
		good_span(&e, 1);
		otlp_encode_attr(&e, STR("list"), otlp_value_array(items, ARRAY_LEN(items)));
		otlp_encode_end(&e);
		bool bad = max < 42;
		assert_counts(SIGNAL_TRACES, &body, &limits, !bad, bad,
		    bad ? "span 0: attribute value is longer than 41 bytes" : "");
	}
	buf_fini(&body);
}

static void
put_attrs(struct otlp_encoder *e, int count)
{
	for (int i = 0; i < count; i++)
		otlp_encode_attr(e, STR("k"), otlp_value_int(i)); /* repeats are kept */
}

TEST(otlp, attribute_lists_have_a_limit_each)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	limits.attributes_max = 5;
	for (int place = 0; place < 5; place++) {
		for (int n = 5; n <= 6; n++) {
			struct otlp_encoder e;
			buf_reset(&body);
			otlp_encode_begin(&e, SIGNAL_TRACES, &body);
			otlp_encode_resource(&e, STR_EMPTY);
			put_attrs(&e, place == 0 ? n : 5);
			otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
			put_attrs(&e, place == 1 ? n : 5);
			good_span(&e, 1);
			put_attrs(&e, place == 2 ? n : 5);
			otlp_encode_event(&e, 1, STR_EMPTY, 0);
			put_attrs(&e, place == 3 ? n : 5);
			otlp_encode_link(&e, &(struct otlp_link){0});
			put_attrs(&e, place == 4 ? n : 5);
			otlp_encode_end(&e);
			static const char *const where[] = {"resource ", "scope ", "", "", ""};
			char reason[80] = "";
			if (n == 6)
				snprintf(reason, sizeof(reason), "span 0: %smore than 5 attributes",
				    where[place]);
			assert_counts(SIGNAL_TRACES, &body, &limits, n == 5, n == 6, reason);
		}
	}
	buf_fini(&body);
}

/* 4 are allowed. */
static void
put_list_point(struct otlp_encoder *e, enum point_type type, int which, size_t n)
{
	static const uint64_t counts[5];
	static const double numbers[5];
	size_t a = which == 0 ? n : 4, b = which == 1 ? n : 4, quantiles = which == 2 ? n : 4;
	otlp_encode_metric(e, &(struct otlp_metric){.type = type});
	otlp_encode_point(e,
	    &(struct otlp_point){.bounds = {numbers, a},
	        .counts = {counts, b},
	        .positive = {0, {counts, a}},
	        .negative = {0, {counts, b}},
	        .quantiles = {numbers, quantiles},
	        .values = {numbers, quantiles}});
	for (size_t i = 0; type != POINT_SUMMARY && i < (which == 3 ? n : 4); i++)
		otlp_encode_exemplar(e, &(struct otlp_exemplar){.f64 = 1});
}

TEST(otlp, lists_of_an_item_have_a_limit)
{
	static const struct {
		enum point_type type;
		int which;
		const char *what;
	} cases[] = {
	    {POINT_HISTOGRAM, 0, "bounds"},
	    {POINT_HISTOGRAM, 1, "buckets"},
	    {POINT_HISTOGRAM, 3, "exemplars"},
	    {POINT_EXP_HISTOGRAM, 0, "buckets"},
	    {POINT_EXP_HISTOGRAM, 1, "buckets"},
	    {POINT_SUMMARY, 2, "quantiles"},
	    {POINT_GAUGE, 3, "exemplars"},
	};
	struct limits limits = limits_default();
	struct buf body = {0};
	limits.list_items_max = 4;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t n = 4; n <= 5; n++) {
			char reason[80] = "";
			struct otlp_encoder e = begin(SIGNAL_METRICS, &body);
			put_list_point(&e, cases[i].type, cases[i].which, n);
			otlp_encode_end(&e);
			if (n == 5)
				snprintf(reason, sizeof(reason), "data point 0: more than 4 %s",
				    cases[i].what);
			assert_counts(SIGNAL_METRICS, &body, &limits, n == 4, n == 5, reason);
		}
	}
	for (int n = 4; n <= 5; n++) {
		for (int links = 0; links <= 1; links++) {
			struct otlp_encoder e = begin(SIGNAL_TRACES, &body);
			good_span(&e, 1);
			for (int i = 0; i < n; i++) {
				if (links)
					otlp_encode_link(&e, &(struct otlp_link){0});
				else
					otlp_encode_event(&e, 1, STR_EMPTY, 0);
			}
			otlp_encode_end(&e);
			const char *reason =
			    links ? "span 0: more than 4 links" : "span 0: more than 4 events";
			assert_counts(SIGNAL_TRACES, &body, &limits, n == 4, n == 5,
			    n == 5 ? reason : "");
		}
	}
	buf_fini(&body);
}

TEST(otlp, values_may_nest_to_the_limit_and_no_deeper)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	struct otlp_value levels[6];
	struct otlp_attr members[6];
	limits.depth_max = 5;
	levels[0] = otlp_value_int(1);
	for (size_t i = 1; i < ARRAY_LEN(levels); i++) {
		members[i] = (struct otlp_attr){STR("k"), levels[i - 1]};
		levels[i] =
		    i % 2 ? otlp_value_array(&levels[i - 1], 1) : otlp_value_kvlist(&members[i], 1);
	}
	for (size_t depth = 5; depth <= 6; depth++) {
		struct otlp_encoder e = begin(SIGNAL_LOGS, &body);
		otlp_encode_log(&e, &(struct otlp_log){.body = &levels[depth - 1]});
		otlp_encode_log(&e, &(struct otlp_log){0});
		otlp_encode_attr(&e, STR("a"), levels[depth - 1]);
		otlp_encode_end(&e);
		bool bad = depth == 6;
		assert_counts(SIGNAL_LOGS, &body, &limits, bad ? 0 : 2, bad ? 2 : 0,
		    bad ? "log record 0: body is nested deeper than 5 levels" : "");
	}
	buf_fini(&body);
}

TEST(otlp, a_bad_resource_or_scope_or_metric_refuses_what_is_below_it_and_no_more)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_METRICS, &body);
	for (int bad = 0; bad < 4; bad++) {
		/* 0: none, 1: the resource, 2: the first scope, 3: the first metric */
		otlp_encode_resource(&e, STR_EMPTY);
		if (bad == 1)
			otlp_encode_attr(&e, STR("\xff"), otlp_value_int(1));
		for (int scope = 0; scope < 2; scope++) {
			bool bad_scope = bad == 2 && scope == 0;
			otlp_encode_scope(&e, bad_scope ? STR("\xff") : STR_EMPTY, STR_EMPTY,
			    STR_EMPTY);
			for (int metric = 0; metric < 2; metric++) {
				bool bad_metric = bad == 3 && scope == 0 && metric == 0;
				otlp_encode_metric(&e,
				    &(struct otlp_metric){.type = POINT_GAUGE,
				        .name = bad_metric ? STR("\xff") : STR("m")});
				otlp_encode_point(&e, &(struct otlp_point){.has_int = true});
				otlp_encode_point(&e, &(struct otlp_point){.has_int = true});
			}
		}
	}
	otlp_encode_end(&e);
	assert_counts(SIGNAL_METRICS, &body, &limits, 8 + 0 + 4 + 6, 0 + 8 + 4 + 2,
	    "data point 8: resource attribute key is not valid UTF-8");
	buf_fini(&body);
}

TEST(otlp, a_bad_resource_without_items_refuses_nothing)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_LOGS, &body);
	otlp_encode_resource(&e, STR("\xff"));
	otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR_EMPTY, STR("\xfe"), STR_EMPTY);
	otlp_encode_log(&e, &(struct otlp_log){0});
	otlp_encode_end(&e);
	assert_counts(SIGNAL_LOGS, &body, &limits, 0, 1,
	    "log record 0: scope version is not valid UTF-8");
	buf_fini(&body);
}

TEST(otlp, broken_framing_refuses_the_request_even_inside_a_refused_item)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	for (int good_id = 0; good_id <= 1; good_id++) {
		struct otlp_encoder e = begin(SIGNAL_TRACES, &body);
		good_span(&e, 1);
		good_span(&e, (uint64_t)good_id);
		size_t mark = pb_open(&body, 9);
		buf_str(&body,
		    STR("\x0a\x05key")); /* a key of five bytes, of which three are there */
		pb_close(&body, mark);
		otlp_encode_end(&e);
		assert_fails(SIGNAL_TRACES, buf_view(&body), &limits, ERR_INVALID,
		    "malformed protobuf of a traces request: a field is longer than");
	}
	static const struct str broken[] = {STR_INIT("\xff"), STR_INIT("\x0a"),
	    STR_INIT("\x0a\x02\x0a"), STR_INIT("\x0e"), STR_INIT("\x07"), STR_INIT("\x0c"),
	    STR_INIT("\x0b"), STR_INIT("\x00"), STR_INIT("garbage"), STR_INIT("<html>"),
	    STR_INIT("{\"resourceSpans\":[]}")};
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++)
		for (size_t i = 0; i < ARRAY_LEN(broken); i++)
			assert_fails((enum signal_kind)s, broken[i], &limits, ERR_INVALID,
			    "malformed");
	buf_fini(&body);
}
