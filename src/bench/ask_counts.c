/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of which the answer is how many spans each service has, or follows from that. */
#include "bench/ask_priv.h"

#include "base/timefmt.h"
#include "bench/payload_priv.h"
#include "sys/clock.h"

/* Spans that may be in an answer that has come, besides those of the ledger. */
static uint64_t
more_spans(const struct asker *a)
{
	return a->opt->live ? load_started_spans(a->opt->live) : 0;
}

/* What was seen once stays visible, whatever is asked. */
static bool
has_not_fallen(struct asker *a, uint64_t spans)
{
	if (spans < a->spans_seen) {
		err_set(&a->wrong, ERR_INVALID, "%llu spans of all services, after %llu before",
		    (unsigned long long)spans, (unsigned long long)a->spans_seen);
		return false;
	}
	a->spans_seen = spans;
	return true;
}

/* The answer that has come. While spans are being sent their number lies between bounds. */
static bool
are_counts(struct asker *a, const struct answer_counts *shape)
{
	uint64_t spans[PAYLOAD_JAEGER_SERVICES], found = 0, more = more_spans(a);
	(void)ledger_services(a->opt->world.ledger, spans);
	return ask_has_status(a, 200) &&
	    answer_is_counts(buf_view(&a->body), shape, spans, more, &found, &a->wrong) &&
	    has_not_fallen(a, found);
}

enum err_code
ask_services(struct asker *a, bool *right_out, struct err *err)
{
	buf_str(&a->path, STR("/api/v1/services"));
	enum err_code code = ask_get(a, err);
	*right_out = code == ERR_OK && are_counts(a, &answer_services_counts);
	return code;
}

/* Of all that are there, so that nothing is passed over. */
static enum err_code
ask_sql(struct asker *a, struct str query, const struct answer_counts *shape, bool *right_out,
    struct err *err)
{
	buf_str(&a->path, STR("/api/v1/sql"));
	enum err_code code = ask_post(a, query, err);
	*right_out = code == ERR_OK && are_counts(a, shape);
	return code;
}

enum err_code
ask_sql_group(struct asker *a, bool *right_out, struct err *err)
{
	return ask_sql(a,
	    STR("{\"query\":\"SELECT service, count(*) AS n, count(*) FILTER (status = 'error') AS "
	        "errors FROM spans GROUP BY service\"}"),
	    &answer_sql_counts, right_out, err);
}

enum err_code
ask_sql_quantile(struct asker *a, bool *right_out, struct err *err)
{
	return ask_sql(a,
	    STR("{\"query\":\"SELECT service, count(*) AS n, quantile_cont(duration_ms, 0.95) AS "
	        "p95_ms FROM spans GROUP BY service\"}"),
	    &answer_sql_quantiles, right_out, err);
}

/* ---- windows of time */

/* The hour is said by its beginning, which is the same to the server as last=1h, so that it is known which of the ledger's are in it. */
enum err_code
ask_summary(struct asker *a, bool *right_out, struct err *err)
{
	const struct ledger *l = a->opt->world.ledger;
	struct answer_summary want = {.from_ns = clock_unix_ns() - 3600 * NS_PER_S};
	uint64_t spans = 0, found = 0;
	ledger_services_between(l, want.from_ns, UINT64_MAX, want.spans);
	for (unsigned i = 0; i < PAYLOAD_JAEGER_SERVICES; i++)
		spans += want.spans[i];
	bool all = spans == ledger_spans(l);
	want.traces = all ? ledger_traces(l) : 0;
	want.records = a->opt->logs ? ledger_records_since(a->opt->logs, want.from_ns) : 0;
	buf_printf(&a->path, "/api/v1/summary?from=%llu", (unsigned long long)want.from_ns);
	enum err_code code = ask_get(a, err);
	want.more = more_spans(a);
	*right_out = code == ERR_OK && ask_has_status(a, 200) &&
	    answer_is_summary(buf_view(&a->body), &want, &found, &a->wrong) &&
	    (!all || has_not_fallen(a, found));
	return code;
}

/*
 * Compares with six hours before. Half of the windows reach from a moment while spans were loaded to now: each service goes on, so there is
 * nothing to tell. The others are but a millisecond of that time: services of which no span began then seem to have vanished, and how many spans
 * they had before is told.
 */
enum err_code
ask_anomalies(struct asker *a, bool *right_out, struct err *err)
{
	const struct ledger *l = a->opt->world.ledger;
	struct answer_anomalies want = {0};
	uint64_t to_ns = UINT64_MAX;
	if (!ledger_pick_time(l, &a->random, &want.from_ns))
		return err_set(err, ERR_NOT_FOUND, "no span was acknowledged");
	want.baseline_from_ns = want.from_ns - 6 * 3600 * NS_PER_S;
	buf_printf(&a->path, "/api/v1/anomalies?baseline=6h&from=%llu",
	    (unsigned long long)want.from_ns);
	if (payload_random(&a->random) % 2) {
		to_ns = want.from_ns + NS_PER_MS;
		buf_printf(&a->path, "&to=%llu", (unsigned long long)to_ns);
	}
	ledger_services_between(l, want.from_ns, to_ns, want.spans);
	ledger_services_between(l, want.baseline_from_ns, want.from_ns, want.baseline);
	enum err_code code = ask_get(a, err);
	want.more = to_ns == UINT64_MAX ? more_spans(a) : 0;
	*right_out = code == ERR_OK && ask_has_status(a, 200) &&
	    answer_is_anomalies(buf_view(&a->body), &want, &a->wrong);
	return code;
}
