/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/ledger.h - which requests were acknowledged and when they were made, so that questions can be asked whose
 * right answers are known: a trace is whole when all requests that hold its spans were acknowledged; which spans or records are
 * the newest follows from their requests' times.
 *
 * A ledger is of spans, or of log records.
 *
 * Threading: ledger_ack() on each client's own thread; the rest when none of its clients sends.
 */
#ifndef BENCH_LEDGER_H
#define BENCH_LEDGER_H

#include "bench/load.h"
#include "bench/newest.h"

struct ledger;

/* Clients have the numbers first_client to first_client + connections - 1. */
struct ledger *ledger_new(enum payload_kind kind, uint32_t spans, uint32_t first_client,
    uint32_t connections);
void ledger_free(struct ledger *l); /* NULL allowed */
/* ctx is the ledger: fits load_plan.on_ack. A request that is acknowledged twice is a bug of the load. */
void ledger_ack(void *ctx, const struct load_acked *acked);

uint64_t ledger_spans(const struct ledger *l); /* or records */
/* Is this one of its clients? */
bool ledger_has_client(const struct ledger *l, uint32_t client);
/* Are all spans of this trace of the client acknowledged? */
bool ledger_has_trace(const struct ledger *l, uint32_t client, uint64_t trace);
/* A trace of which that is so, any with the same chance: its client in *p_out, its number. *random is
 * moved on. False when there is none (or they are so few that none was found). */
bool ledger_pick_trace(const struct ledger *l, uint64_t *random, struct payload *p_out,
    uint64_t *trace_out);

/* jaeger: how many spans each service has; how many services have any. */
uint64_t ledger_services(const struct ledger *l, uint64_t spans_out[PAYLOAD_JAEGER_SERVICES]);
/* jaeger: how many of these begin in from_ns <= t < to_ns. */
void ledger_services_between(const struct ledger *l, uint64_t from_ns, uint64_t to_ns,
    uint64_t spans_out[PAYLOAD_JAEGER_SERVICES]);
/* jaeger: when a span of the client begins; 0: it was not acknowledged. */
uint64_t ledger_span_ns(const struct ledger *l, uint32_t client, uint64_t span);
/* jaeger: before any span of a request began, any request with the same chance; false when there is none. */
bool ledger_pick_time(const struct ledger *l, uint64_t *random, uint64_t *ns_out);
uint64_t ledger_traces(const struct ledger *l); /* of which any span was acknowledged */
enum { LEDGER_ANY_SERVICE = PAYLOAD_JAEGER_SERVICES };
/* jaeger: the spans of a service that have this attribute (NULL: whatever they have). Replaces *out. */
void ledger_newest_spans(const struct ledger *l, unsigned service,
    const struct payload_attribute *a, struct newest *out);

/* logs: how many are of from_ns or later. */
uint64_t ledger_records_since(const struct ledger *l, uint64_t from_ns);
/* logs: a record, any with the same chance. */
bool ledger_pick_record(const struct ledger *l, uint64_t *random, struct payload *p_out,
    uint64_t *n_out);
/* logs: the records with this word, which is one of frequent, rare or once. Replaces *out. */
void ledger_newest_records(const struct ledger *l, enum payload_word kind, uint64_t word,
    struct newest *out);

#endif
