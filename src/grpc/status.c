/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/status.h"

#include <nghttp2/nghttp2.h>

int
grpc_status_of_http(int http)
{
	switch (http) {
	case 400: return GRPC_INTERNAL;
	case 401: return 16;
	case 403: return 7;
	case 404: return 12;
	case 429:
	case 502:
	case 503:
	case 504: return GRPC_UNAVAILABLE;
	default: return GRPC_UNKNOWN;
	}
}

int
grpc_status_of_reset(uint32_t http2_error)
{
	switch (http2_error) {
	case NGHTTP2_REFUSED_STREAM: return GRPC_UNAVAILABLE;
	case NGHTTP2_CANCEL: return GRPC_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM: return GRPC_EXHAUSTED;
	default: return GRPC_INTERNAL;
	}
}
