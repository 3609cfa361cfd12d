/* SPDX-License-Identifier: Apache-2.0 */
/* Sums by service, of all spans and of windows of time. */
#include "bench/answer.h"

#include "tests/test.h"

#include "base/buf.h"
#include "bench/kit_test.h"

#include <string.h>

struct wrong_case {
	const char *from, *to, *said; /* in the right answer `from` becomes `to` */
};

/* ---- SQL */

#define SQL_ROWS                                                                                   \
	"{\"columns\":[],\"rows\":["                                                               \
	"{\"service\":\"tracegen-02\",\"n\":7000,\"errors\":0,\"p95_ms\":1.107},"                  \
	"{\"service\":\"tracegen-04\",\"n\":10,\"errors\":0,\"p95_ms\":0.56}]}"

static const uint64_t sql_want[PAYLOAD_JAEGER_SERVICES] = {[2] = 7000, [4] = 10};

static void
check_rows(const struct answer_counts *shape, const struct wrong_case *cases, size_t count)
{
	struct buf b = {0};
	struct err err = {0};
	uint64_t spans;
	if (!answer_is_counts(STR(SQL_ROWS), shape, sql_want, 0, &spans, &err))
		fail_msg("%s", err.message);
	assert_int_equal(spans, 7010);
	for (size_t i = 0; i < count; i++) {
		buf_reset(&b);
		buf_str(&b, STR(SQL_ROWS));
		kit_replace(&b, cases[i].from, cases[i].to);
		if (answer_is_counts(buf_view(&b), shape, sql_want, 0, &spans, &err) ||
		    !strstr(err.message, cases[i].said))
			fail_msg("%s: \"%s\"", cases[i].to, err.message);
	}
	buf_fini(&b);
}

TEST(bench_answer, groups_have_the_spans_that_were_sent_and_no_errors)
{
	static const struct wrong_case cases[] = {
	    {"7000", "7001", "7011 spans of all services instead of 7010"},
	    {"7000", "6999", "6999 spans of tracegen-02 instead of 7000"},
	    {"\"errors\":0", "\"errors\":1", "errors that were not sent, of \"tracegen-02\""},
	    {"\"errors\":0", "\"errors\":null", "is not the JSON"},
	    {"\"errors\":0", "\"error\":0", "is not the JSON"},
	};
	check_rows(&answer_sql_counts, cases, ARRAY_LEN(cases));
}

TEST(bench_answer, groups_have_the_quantile_of_what_was_sent)
{
	static const struct wrong_case cases[] = {
	    {"7000", "7001", "7011 spans of all services instead of 7010"},
	    {"1.107", "1.13", "another p95 than was sent, of \"tracegen-02\""},
	    {"1.107", "0.123", "another p95 than was sent, of \"tracegen-02\""},
	    {"0.56", "0.1", "another p95 than was sent, of \"tracegen-04\""},
	    {"0.56", "1.2", "another p95 than was sent, of \"tracegen-04\""},
	    {"0.56", "null", "is not the JSON"},
	    {"p95_ms", "p95", "is not the JSON"},
	};
	check_rows(&answer_sql_quantiles, cases, ARRAY_LEN(cases));
}

/* ---- summary */

#define SUMMARY                                                                                    \
	"{\"window_seconds\":3600,\"from_unix_nano\":\"1795187531000000042\","                     \
	"\"traces\":{\"span_count\":7010,\"trace_count\":701,\"error_count\":0,\"max_ms\":1.107,"  \
	"\"p95_ms\":1.11},\"service_count\":2,\"top_services\":["                                  \
	"{\"service\":\"tracegen-02\",\"span_count\":7000,\"error_count\":0,\"p95_ms\":1.1},"      \
	"{\"service\":\"tracegen-04\",\"span_count\":10,\"error_count\":0,\"p95_ms\":1.1}],"       \
	"\"logs\":{\"total\":55}}"

static const struct answer_summary summary_want = {.from_ns = UINT64_C(1795187531000000042),
    .spans = {[2] = 7000, [4] = 10},
    .traces = 701,
    .records = 55};

/* NULL: it is right. */
static void
check_summary(const struct answer_summary *want, const struct wrong_case *c, const char *said)
{
	struct buf b = {0};
	struct err err = {0};
	uint64_t spans;
	buf_str(&b, STR(SUMMARY));
	if (c)
		kit_replace(&b, c->from, c->to);
	bool right = answer_is_summary(buf_view(&b), want, &spans, &err);
	if (right != !said || (said && !strstr(err.message, said)))
		fail_msg("%s: \"%s\" instead of \"%s\"", c ? c->to : "as it is", err.message,
		    said ? said : "");
	buf_fini(&b);
}

TEST(bench_answer, a_summary_has_the_sums_of_its_window)
{
	static const struct wrong_case cases[] = {
	    {"000042", "000043", "ns as the window's beginning instead of"},
	    {"\"span_count\":7010", "\"span_count\":7011", "7011 spans in all instead of 7010"},
	    {"\"span_count\":7000", "\"span_count\":7001", "7011 spans of all services instead"},
	    {"\"span_count\":7000", "\"span_count\":6990", "6990 spans of tracegen-02 instead"},
	    {"\"trace_count\":701", "\"trace_count\":702", "702 traces instead of 701"},
	    {"\"trace_count\":701", "\"trace_count\":700", "700 traces instead of 701"},
	    {"\"trace_count\":701", "\"trace_count\":null", "no count of traces"},
	    {"\"error_count\":0", "\"error_count\":2", "2 errors in all instead of 0"},
	    {"\"max_ms\":1.107", "\"max_ms\":2", "another longest time"},
	    {"\"p95_ms\":1.11", "\"p95_ms\":0.123", "another p95"},
	    {"\"p95_ms\":1.1}", "\"p95_ms\":0.123}", "another p95 than was sent, of"},
	    {"\"total\":55", "\"total\":54", "54 log records instead of 55"},
	    {"\"logs\"", "\"blogs\"", "is not the JSON"},
	    {"\"traces\":{", "\"traces\":[{", "is not the JSON"},
	    {"tracegen-02", "tracegen-05", "0 spans of tracegen-02"},
	};
	check_summary(&summary_want, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_summary(&summary_want, &cases[i], cases[i].said);
	/* The other service has more of them. */
	struct answer_summary want = {
	    .from_ns = summary_want.from_ns, .records = 55, .more = 20000};
	check_summary(&want,
	    &(struct wrong_case){"\"span_count\":10,", "\"span_count\":8000,", NULL},
	    "not the most spans first");
}

TEST(bench_answer, a_summary_may_have_more_while_spans_are_sent)
{
	struct answer_summary want = summary_want;
	want.spans[2] = 6000;
	want.traces = 601;
	check_summary(&want, NULL, "7010 spans of all services instead of 6010");
	want.more = 999;
	check_summary(&want, NULL, "7010 spans of all services instead of 7009 at the most");
	want.more = 1000;
	check_summary(&want, NULL, NULL);
	want.traces = 702; /* no fewer than were there before */
	check_summary(&want, NULL, "701 traces instead of 702");
	want.traces = 0; /* it is not known how many */
	check_summary(&want, NULL, NULL);
	/* So many are estimated. */
	want.traces = 140000;
	want.more = 2000;
	check_summary(&want, &(struct wrong_case){"_count\":701,", "_count\":143000,", NULL}, NULL);
	check_summary(&want, &(struct wrong_case){"_count\":701,", "_count\":150000,", NULL},
	    "150000 traces instead of 140000");
	check_summary(&want, &(struct wrong_case){"_count\":701,", "_count\":130000,", NULL},
	    "130000 traces instead of 140000");
}

/* ---- anomalies */

#define ANOMALY(service, kind, current, baseline)                                                  \
	"{\"service\":\"tracegen-0" service "\",\"kind\":\"" kind "\",\"current_spans\":" current  \
	",\"baseline_spans\":" baseline "}"
#define ANOMALIES                                                                                    \
	"{\"from_unix_nano\":\"5000\",\"baseline_from_unix_nano\":\"2000\",\"anomalies\":[" ANOMALY( \
	    "1", "vanished_service", "0", "70") "," ANOMALY("2", "new_service", "5", "0") "]}"

/* Of service 3 there are too few, service 4 goes on. */
static const struct answer_anomalies anomalies_want = {.from_ns = 5000,
    .baseline_from_ns = 2000,
    .spans = {[2] = 5, [3] = 4, [4] = 40},
    .baseline = {[1] = 70, [4] = 20, [5] = 4}};

static void
check_anomalies(const struct answer_anomalies *want, const struct wrong_case *c, const char *said)
{
	struct buf b = {0};
	struct err err = {0};
	buf_str(&b, STR(ANOMALIES));
	if (c)
		kit_replace(&b, c->from, c->to);
	bool right = answer_is_anomalies(buf_view(&b), want, &err);
	if (right != !said || (said && !strstr(err.message, said)))
		fail_msg("%s: \"%s\" instead of \"%s\"", c ? c->to : "as it is", err.message,
		    said ? said : "");
	buf_fini(&b);
}

TEST(bench_answer, anomalies_are_the_services_that_are_new_or_have_vanished)
{
	static const struct wrong_case cases[] = {
	    {"\"5000\"", "\"5001\"", "5001 ns as the window's beginning instead of 5000"},
	    {"\"2000\"", "\"2001\"", "2001 ns as the baseline's beginning instead of 2000"},
	    {"\"baseline_spans\":70", "\"baseline_spans\":69", "69 spans before instead of 70"},
	    {"\"current_spans\":0", "\"current_spans\":1", "1 spans instead of 0"},
	    {"\"current_spans\":5", "\"current_spans\":6", "not its spans are told of"},
	    {"\"baseline_spans\":0", "\"baseline_spans\":1", "1 spans before instead of 0"},
	    {"vanished_service", "latency_p95", "nothing is different with \"tracegen-01\""},
	    {"new_service", "vanished_service", "nothing is different with \"tracegen-02\""},
	    {"vanished_service", "new_service", "nothing is different with \"tracegen-01\""},
	    {"tracegen-01", "tracegen-5", "nothing is different with \"tracegen-5\""},
	    {"tracegen-02", "tracegen-03", "nothing is different with \"tracegen-03\""},
	    {"]}", "," ANOMALY("4", "error_rate", "40", "20") "]}", "nothing is different"},
	    {"]}", "," ANOMALY("5", "vanished_service", "0", "4") "]}", "nothing is different"},
	    {"]}", "," ANOMALY("2", "new_service", "5", "0") "]}", "a service comes twice"},
	    {"," ANOMALY("2", "new_service", "5", "0"), "", "it does not tell of \"tracegen-02\""},
	    {ANOMALY("1", "vanished_service", "0", "70") ",", "",
	        "it does not tell of \"tracegen-01\""},
	    {"\"anomalies\"", "\"anomaly\"", "is not the JSON"},
	};
	check_anomalies(&anomalies_want, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_anomalies(&anomalies_want, &cases[i], cases[i].said);
}

TEST(bench_answer, anomalies_may_be_others_while_spans_are_sent)
{
	struct answer_anomalies want = anomalies_want;
	want.more = 3;
	check_anomalies(&want, NULL, NULL);
	/* A span of the one that vanished has come; the new one has more; one that had too few is new. */
	check_anomalies(&want,
	    &(struct wrong_case){ANOMALY("1", "vanished_service", "0", "70") ",", "", NULL}, NULL);
	check_anomalies(&want,
	    &(struct wrong_case){"\"current_spans\":5", "\"current_spans\":8", NULL}, NULL);
	check_anomalies(&want,
	    &(struct wrong_case){"]}", "," ANOMALY("3", "new_service", "5", "0") "]}", NULL}, NULL);
	check_anomalies(&want,
	    &(struct wrong_case){"\"current_spans\":5", "\"current_spans\":9", NULL},
	    "not its spans are told of");
	check_anomalies(&want,
	    &(struct wrong_case){"," ANOMALY("2", "new_service", "5", "0"), "", NULL},
	    "it does not tell of \"tracegen-02\"");
	/* Nothing is new when there was nothing before. */
	struct answer_anomalies first = {
	    .from_ns = 5000, .baseline_from_ns = 2000, .spans = {[2] = 5, [4] = 9}};
	check_anomalies(&first,
	    &(struct wrong_case){ANOMALY("1", "vanished_service", "0", "70") ",", "", NULL},
	    "nothing is different with \"tracegen-02\"");
}
