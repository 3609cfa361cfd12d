/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/latency.h - times that were measured, every one of them kept: quantiles are exact.
 *
 * A zeroed struct is empty. Threading: one owner.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct latency {
	uint64_t *ns;
	size_t count;
	size_t cap;
	bool sorted;
};

void latency_add(struct latency *l, uint64_t ns);
void latency_merge(struct latency *into, const struct latency *from);
void latency_clear(struct latency *l); /* keeps the memory */
void latency_fini(struct latency *l);
/* The smallest value that at least this share (0 to 1) of all do not exceed; of at least one
 * value. Share 1 is the largest. */
uint64_t latency_quantile(struct latency *l, double share);
/* The same of these and `missing` more that took longer than any of them, nobody knows how long; false
 * when it is one of those that is asked for (or there is none at all). */
bool latency_quantile_with(struct latency *l, uint64_t missing, double share, uint64_t *ns_out);

#endif
