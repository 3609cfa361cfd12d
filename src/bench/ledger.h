/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/ledger.h - which requests were acknowledged, so that questions can be asked whose right answers
 * are known: a trace is whole when all requests that hold its spans were acknowledged.
 *
 * Threading: ledger_ack() on each client's own thread; the rest when no load is under way.
 */
#ifndef BENCH_LEDGER_H
#define BENCH_LEDGER_H

#include "bench/load.h"

struct ledger;

/* Clients are numbered below `connections`. */
struct ledger *ledger_new(enum payload_kind kind, uint32_t spans, uint32_t connections);
void ledger_free(struct ledger *l); /* NULL allowed */
/* ctx is the ledger: fits load_plan.on_ack. A request that is acknowledged twice is a bug of the load. */
void ledger_ack(void *ctx, const struct load_acked *acked);

uint64_t ledger_spans(const struct ledger *l);
/* Are all spans of this trace of the client acknowledged? */
bool ledger_has_trace(const struct ledger *l, uint32_t client, uint64_t trace);
/* A trace of which that is so, any with the same chance: its client in *p_out, its number. *random is
 * moved on. False when there is none (or they are so few that none was found). */
bool ledger_pick_trace(const struct ledger *l, uint64_t *random, struct payload *p_out,
    uint64_t *trace_out);
/* jaeger: services of which there is a span. */
uint64_t ledger_services(const struct ledger *l);
/* jaeger: how many spans of a service have this attribute. */
uint64_t ledger_count(const struct ledger *l, unsigned service, struct payload_attribute a);

#endif
