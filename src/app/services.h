/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/services.h - what is served on the OTLP/gRPC port: telemetry (receive/receive.h), and reading it again
 * (reads/reads.h).
 *
 * Plug the paths, services_admit() and services_handle() into struct grpc_server_options, ctx being the struct services, which
 * outlives the server. Any thread.
 */
#ifndef APP_SERVICES_H
#define APP_SERVICES_H

#include "reads/reads.h"
#include "receive/receive.h"

enum { SERVICES_PATHS_MAX = 8 };

struct services {
	struct receive *receive; /* borrowed, as is the other */
	struct reads *reads;
	/* receive's are the first, as it expects of grpc_call_path(). */
	const char *paths[SERVICES_PATHS_MAX + 1];
};

void services_init(struct services *s, struct receive *receive, struct reads *reads);
enum err_code services_admit(void *ctx, const struct grpc_call *call, struct err *err);
void services_handle(void *ctx, struct grpc_call *call);

#endif
