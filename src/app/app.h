/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/app.h - builds every object, owns every thread, shuts down in order.
 *
 * The only module that knows all others. `weir serve` runs in serve.c (its TLS in secure.c); other commands are the
 * cli's, or demo's and bench's, put together here.
 */
#ifndef APP_APP_H
#define APP_APP_H

#include "base/usage.h"

/* The whole program: returns its exit code (0 yes, 1 error, 2 usage, 3 not found, 4 partial or damaged). */
int app_main(int argc, char **argv);

/* `weir serve` and `weir restore`; argv[0] is "serve", "restore". They return the exit code. */
int app_serve(int argc, char **argv);
int app_restore(int argc, char **argv);
extern const struct usage app_restore_usage;

#endif
