/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/random.h - random numbers for tests: the same ones from the same seed, on every machine (splitmix64).
 */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state; /* any seed will do */
};

static inline uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static inline size_t
rng_below(struct rng *r, size_t n)
{
	return (size_t)(rng_next(r) % n);
}

static inline bool
rng_one_in(struct rng *r, size_t n)
{
	return rng_below(r, n) == 0;
}

#define RNG_PICK(r, list) (list)[rng_below(r, ARRAY_LEN(list))]

#endif
