/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/status.h - what a client makes of an answer that has no grpc-status. Source: PROTOCOL-HTTP2, "HTTP2 Transport
 * Mapping" and http-grpc-status-mapping.
 */
#ifndef GRPC_STATUS_H
#define GRPC_STATUS_H

#include <stdint.h>

enum {
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_EXHAUSTED = 8,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
};

int grpc_status_of_http(int http_status);
int grpc_status_of_reset(uint32_t http2_error);

#endif
