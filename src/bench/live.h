/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/live.h - a load at a fixed rate that goes on beside something else until it is told to stop.
 *
 * Threading: one owner; the load has threads of its own.
 */
#ifndef BENCH_LIVE_H
#define BENCH_LIVE_H

#include "bench/load.h"

struct live;

/* Sees whether anybody is there, and begins. A request that is refused is not sent again. */
MUST_CHECK enum err_code live_start(const struct load_options *opt, double spans_per_s,
    struct live **out, struct err *err);
const struct load *live_load(const struct live *l);
/* Begin no more requests, wait for the answers, move what it came to to *out. Frees l; NULL allowed. The error is that of the load, which may have
 * ended it long ago. */
MUST_CHECK enum err_code live_stop(struct live *l, struct load_result *out, struct err *err);

#endif
