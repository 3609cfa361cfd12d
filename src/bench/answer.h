/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/answer.h - are the API's answers right? Each check returns whether, and fills the error with what
 * is wrong when not. What it is compared with follows from the payload's numbers alone.
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include "base/err.h"
#include "bench/ledger.h"

/* GET /api/v1/traces/{id}: every span of that trace once, and no other. */
bool answer_is_trace(struct str json, const struct payload *p, uint64_t trace, struct err *err);

struct answer_spans {
	uint64_t count; /* spans that must be there */
	struct str service; /* that each has; empty: any */
	struct str key, value; /* an attribute that each has; key empty: none */
};
/* GET /api/v1/traces: newest first. */
bool answer_is_spans(struct str json, const struct answer_spans *want, struct err *err);

/* What is known of all spans there are. Those of the ledger's clients are exactly the ledger's; of other clients, which are sending, it
 * is known what their spans are like, and not which of them are visible yet. */
struct answer_world {
	const struct ledger *ledger;
	struct payload payload; /* kind, spans and salt of all */
	uint32_t live_first, live_count; /* the clients that are sending; live_count 0: none is */
};

/* GET /api/v1/traces?limit=NEWEST_MAX: no span twice, each one that was sent, of that service and with that attribute as it was sent and as it
 * is shown, newest first; and exactly the newest of the ledger's, as many as there is room for beside those that were sent since. */
struct answer_newest {
	const struct newest *newest; /* of the ledger's spans that match */
	unsigned service; /* LEDGER_ANY_SERVICE: any */
	const struct payload_attribute *attribute; /* NULL: any */
};
bool answer_is_newest(struct str json, const struct answer_world *world,
    const struct answer_newest *want, struct err *err);
/* GET /api/v1/search?limit=NEWEST_MAX: the same, of the traces that these spans belong to; with an attribute, which no two spans of a
 * trace have. What is shown of a trace is what was sent of it. */
bool answer_is_search(struct str json, const struct answer_world *world,
    const struct answer_newest *want, struct err *err);

/* GET /api/v1/logs?limit=NEWEST_MAX: exactly these records, newest first, with their bodies. */
bool answer_is_records(struct str json, const struct payload *p, const struct newest *newest,
    struct err *err);

/* Any answer that lists services with the spans each has: what its list is called, and the members of an item. A count is a number,
 * or the digits of one in a string. */
struct answer_counts {
	struct str list, name, spans;
	struct str errors, p95_ms; /* empty: it has none */
	bool most_first;
};
extern const struct answer_counts answer_services_counts; /* GET /api/v1/services */
extern const struct answer_counts answer_summary_counts; /* GET /api/v1/summary */
/* POST /api/v1/sql that names its columns service, n, and errors or p95_ms. */
extern const struct answer_counts answer_sql_counts, answer_sql_quantiles;

/* GET /api/v1/services: how many, and how many spans they have in all. */
bool answer_services(struct str json, uint64_t *services_out, uint64_t *spans_out, struct err *err);
/* Those of `jaeger`, each with at least these spans (none: it need not be there), and with at most `more` beyond them
 * in all. *spans_out: all of them. */
bool answer_is_counts(struct str json, const struct answer_counts *shape,
    const uint64_t spans[PAYLOAD_JAEGER_SERVICES], uint64_t more, uint64_t *spans_out,
    struct err *err);

/* GET /api/v1/summary?from=: the sums of all, and its list of services. */
struct answer_summary {
	uint64_t from_ns;
	uint64_t
	    spans[PAYLOAD_JAEGER_SERVICES]; /* at least; and at most `more` beyond them in all */
	uint64_t more;
	uint64_t traces; /* the same; 0: not known */
	uint64_t records; /* of logs, exactly */
};
bool answer_is_summary(struct str json, const struct answer_summary *want, uint64_t *spans_out,
    struct err *err);

/* GET /api/v1/anomalies?from=&baseline=: the services that are new or have vanished, and no others, as all spans are alike. */
struct answer_anomalies {
	uint64_t from_ns, baseline_from_ns;
	uint64_t spans
	    [PAYLOAD_JAEGER_SERVICES]; /* in the window; and at most `more` beyond them in all */
	uint64_t more;
	uint64_t baseline[PAYLOAD_JAEGER_SERVICES]; /* exactly */
};
bool answer_is_anomalies(struct str json, const struct answer_anomalies *want, struct err *err);

#endif
