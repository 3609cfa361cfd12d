/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo/demo.h - `weir demo`: plays the shop (demo/shop.h) into a server over OTLP/gRPC.
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include "base/usage.h"

extern const struct usage demo_usage;
/* argv[0] is "demo". Runs until a signal or --duration; exit code 0, 1 (server gone) or 2 (usage).
 * Main thread: it blocks the stop signals. */
int demo_run(int argc, char **argv);

#endif
