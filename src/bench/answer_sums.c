/* SPDX-License-Identifier: Apache-2.0 */
/* Answers about a window of time. */
#include "bench/answer.h"

#include "bench/answer_priv.h"

/* What estimates of distinct values may be off: six times the standard error. */
#define DISTINCT_ERROR 0.024
enum { ANOMALY_SPANS_MIN = 5 };

static bool
is_number(struct str shown, uint64_t wanted, const char *what, struct err *err)
{
	uint64_t n;
	if (!str_to_u64(shown, &n))
		return answer_wrong(err, what, shown);
	return n == wanted || answer_wrong_count(n, wanted, what, err);
}

static uint64_t
sum_of(const uint64_t spans[PAYLOAD_JAEGER_SERVICES])
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < PAYLOAD_JAEGER_SERVICES; i++)
		sum += spans[i];
	return sum;
}

/* ---- summary */

struct seen_sums {
	struct str spans, traces, errors, p95_ms, max_ms;
};

/* Beyond 131,072 it is an estimate. */
static bool
are_traces(struct str shown, const struct answer_summary *want, struct err *err)
{
	double n, error = want->traces + want->more > 131072 ? DISTINCT_ERROR : 0;
	if (!str_to_f64(shown, &n))
		return answer_wrong(err, "no count of traces:", shown);
	if (want->traces == 0 ||
	    (n >= (double)want->traces * (1 - error) &&
	        n <= (double)(want->traces + want->more) * (1 + error)))
		return true;
	return answer_wrong_count((uint64_t)n, want->traces, "traces", err);
}

/* The sums of all, which are those of the services together. */
static bool
are_sums(const struct seen_sums *s, const struct answer_summary *want, uint64_t spans,
    struct err *err)
{
	double p95_ms = 0, max_ms = 0;
	if (!is_number(s->spans, spans, "spans in all", err) ||
	    !is_number(s->errors, 0, "errors in all", err) || !are_traces(s->traces, want, err))
		return false;
	if (spans == 0)
		return true;
	if (!str_to_f64(s->p95_ms, &p95_ms) || !answer_is_long(p95_ms, spans))
		return answer_wrong(err, "another p95 than was sent:", s->p95_ms);
	return (str_to_f64(s->max_ms, &max_ms) && answer_is_long(max_ms, spans)) ||
	    answer_wrong(err, "another longest time than was sent:", s->max_ms);
}

bool
answer_is_summary(struct str json, const struct answer_summary *want, uint64_t *spans_out,
    struct err *err)
{
	struct seen_sums s = {0};
	struct str from = {0}, records = {0};
	const struct answer_member of_all[] = {{STR("from_unix_nano"), JSON_STRING, &from}};
	const struct answer_member of_traces[] = {{STR("span_count"), JSON_NUMBER, &s.spans},
	    {STR("trace_count"), JSON_NUMBER, &s.traces},
	    {STR("error_count"), JSON_NUMBER, &s.errors}, {STR("p95_ms"), JSON_NUMBER, &s.p95_ms},
	    {STR("max_ms"), JSON_NUMBER, &s.max_ms}};
	const struct answer_member of_logs[] = {{STR("total"), JSON_NUMBER, &records}};
	return answer_is_counts(json, &answer_summary_counts, want->spans, want->more, spans_out,
	           err) &&
	    answer_read_part(json, STR_EMPTY, of_all, ARRAY_LEN(of_all), err) &&
	    answer_read_part(json, STR("traces"), of_traces, ARRAY_LEN(of_traces), err) &&
	    answer_read_part(json, STR("logs"), of_logs, ARRAY_LEN(of_logs), err) &&
	    is_number(from, want->from_ns, "ns as the window's beginning", err) &&
	    is_number(records, want->records, "log records", err) &&
	    are_sums(&s, want, *spans_out, err);
}

/* ---- anomalies */

struct seen_anomaly {
	struct str service, kind, spans, baseline;
};

/* 5 spans or more, and none in the baseline, in which others have some. May more have come, it may be one or not. */
static bool
may_be_new(const struct answer_anomalies *want, unsigned i, bool already)
{
	return want->spans[i] + (already ? 0 : want->more) >= ANOMALY_SPANS_MIN &&
	    want->baseline[i] == 0 && sum_of(want->baseline) > 0;
}

static bool
may_have_vanished(const struct answer_anomalies *want, unsigned i, bool already)
{
	return want->spans[i] == 0 && (!already || want->more == 0) &&
	    want->baseline[i] >= ANOMALY_SPANS_MIN;
}

static bool
is_anomaly(const struct answer_anomalies *want, const struct seen_anomaly *s, unsigned i,
    struct err *err)
{
	uint64_t spans;
	bool is_new = str_eq(s->kind, STR("new_service"));
	if (i == PAYLOAD_JAEGER_SERVICES ||
	    !(is_new ? may_be_new(want, i, false)
	             : str_eq(s->kind, STR("vanished_service")) &&
	                may_have_vanished(want, i, false)))
		return answer_wrong(err, "nothing is different with", s->service);
	if (!is_number(s->baseline, want->baseline[i], "spans before", err))
		return false;
	if (!is_new)
		return is_number(s->spans, 0, "spans", err);
	return (str_to_u64(s->spans, &spans) && spans >= want->spans[i] &&
	           spans <= want->spans[i] + want->more) ||
	    answer_wrong(err, "not its spans are told of", s->service);
}

static bool
none_is_missing(const struct answer_anomalies *want, const bool seen[PAYLOAD_JAEGER_SERVICES],
    struct err *err)
{
	char text[PAYLOAD_TEXT_BYTES];
	for (unsigned i = 0; i < PAYLOAD_JAEGER_SERVICES; i++) {
		if (seen[i] || (!may_be_new(want, i, true) && !may_have_vanished(want, i, true)))
			continue;
		payload_jaeger_service_text(i, text);
		return answer_wrong(err, "it does not tell of", str_from(text));
	}
	return true;
}

struct anomalies_check {
	const struct answer_anomalies *want;
	bool seen[PAYLOAD_JAEGER_SERVICES];
};

static bool
is_right_anomaly(void *ctx, struct json_reader *r, struct err *err)
{
	struct anomalies_check *c = ctx;
	struct seen_anomaly s = {0};
	const struct answer_member members[] = {{STR("service"), JSON_STRING, &s.service},
	    {STR("kind"), JSON_STRING, &s.kind}, {STR("current_spans"), JSON_NUMBER, &s.spans},
	    {STR("baseline_spans"), JSON_NUMBER, &s.baseline}};
	if (!answer_read_members(r, members, ARRAY_LEN(members)))
		return answer_not_json(r, err);
	unsigned i = answer_service_number(s.service);
	if (!is_anomaly(c->want, &s, i, err))
		return false;
	if (c->seen[i])
		return answer_wrong(err, "a service comes twice:", s.service);
	c->seen[i] = true;
	return true;
}

bool
answer_is_anomalies(struct str json, const struct answer_anomalies *want, struct err *err)
{
	struct str from = {0}, baseline = {0};
	const struct answer_member members[] = {{STR("from_unix_nano"), JSON_STRING, &from},
	    {STR("baseline_from_unix_nano"), JSON_STRING, &baseline}};
	struct anomalies_check c = {.want = want};
	return answer_read_part(json, STR_EMPTY, members, ARRAY_LEN(members), err) &&
	    is_number(from, want->from_ns, "ns as the window's beginning", err) &&
	    is_number(baseline, want->baseline_from_ns, "ns as the baseline's beginning", err) &&
	    answer_each(json, STR("anomalies"), is_right_anomaly, &c, err) &&
	    none_is_missing(want, c.seen, err);
}
