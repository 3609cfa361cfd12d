/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/newest.h - the newest of many: what an answer with a limit has to be.
 *
 * A zeroed struct is empty. Threading: one owner.
 */
#ifndef BENCH_NEWEST_H
#define BENCH_NEWEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NEWEST_MAX = 100 };

struct newest_item {
	uint64_t time_ns;
	uint32_t client;
	uint64_t number; /* of the span or record */
};

struct newest {
	struct newest_item items[NEWEST_MAX]; /* newest first */
	size_t count;
	uint64_t total; /* of all there were */
};

/* Would one of this time be among them? */
bool newest_wants(const struct newest *n, uint64_t time_ns);
/* One that is to be counted, and kept when it is among them. */
void newest_offer(struct newest *n, struct newest_item item);

#endif
