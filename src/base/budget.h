/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/budget.h - bytes that several parts of the program may hold together, and no more.
 *
 * Taken before memory is allocated, given back when it is free. Any thread; never blocks.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
	_Atomic uint64_t used_bytes;
	uint64_t bytes_max;
};

static inline void
budget_init(struct budget *b, uint64_t bytes_max)
{
	atomic_init(&b->used_bytes, 0);
	b->bytes_max = bytes_max;
}

/* All n bytes, or none: false. */
static inline bool
budget_take(struct budget *b, uint64_t n)
{
	uint64_t before = atomic_fetch_add_explicit(&b->used_bytes, n, memory_order_relaxed);
	if (before <= b->bytes_max && n <= b->bytes_max - before)
		return true;
	atomic_fetch_sub_explicit(&b->used_bytes, n, memory_order_relaxed);
	return false;
}

static inline void
budget_give(struct budget *b, uint64_t n)
{
	uint64_t before = atomic_fetch_sub_explicit(&b->used_bytes, n, memory_order_relaxed);
	CHECK(before >= n);
}

static inline uint64_t
budget_used(const struct budget *b)
{
	return atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
}

#endif
