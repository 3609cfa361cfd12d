/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/bench.h - `weir bench`: drives a running server over OTLP/gRPC and says what it took.
 *
 * One run is: connect, warm up, wait until the server is idle, load, wait until it has loaded
 * everything and is idle again, print. CPU time of the server is counted over all of that from the
 * first request of the load, so work that is put off is in it. A figure that could not be measured
 * is shown as "-" with the reason, never as 0.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/usage.h"

extern const struct usage bench_usage; /* options.c */
/* argv[0] is "bench". Exit code 0, 1 (the server refused, failed or is not there) or 2 (usage). */
int bench_run(int argc, char **argv);

#endif
