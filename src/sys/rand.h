/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/rand.h - random numbers from the kernel: nobody outside can guess them. Any thread; never
 * fails (a kernel without them is a broken invariant).
 */
#ifndef SYS_RAND_H
#define SYS_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t n);
uint64_t rand_u64(void);

#endif
