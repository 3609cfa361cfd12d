/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/partial_rows.h - counting rows of tables into a partial.
 *
 * Different traces of a service are counted in sets that the counter keeps beside the partial: rows of all
 * tables of a store go through one counter. Threading: one owner.
 */
#ifndef STORE_PARTIAL_ROWS_H
#define STORE_PARTIAL_ROWS_H

#include "model/table.h"
#include "store/partial.h"

struct partial_counter {
	struct partial *partial; /* borrowed */
	struct str tenant; /* borrowed */
	struct distinct pairs[PARTIAL_WINDOWS_MAX]; /* of service and trace */
};

void partial_counter_init(struct partial_counter *c, struct partial *p, struct str tenant);
void partial_counter_fini(struct partial_counter *c);
/* Rows [first, first + count) of spans, logs or points: those of the tenant, of the service that is asked for, in a
 * window. */
void partial_count_rows(struct partial_counter *c, const struct table *t, size_t first,
    size_t count);
/* One span: it is known that it is to be counted. */
void partial_count_span(struct partial_counter *c, unsigned window, const struct partial_row *row);

/* A trace of a service, which is counted if it is the first time. */
void partial_count_pair(struct partial_counter *c, unsigned window, struct str service,
    uint64_t trace_hash);

/* Of a trace in a service: what is put into a set of pairs. */
uint64_t partial_pair_hash(struct str service, uint64_t trace_hash);

#endif
