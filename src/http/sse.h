/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/sse.h - server-sent events, taken apart as their bytes arrive; for clients.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6.
 *
 * Comments, ids, retry times and fields that nobody knows are passed over, and so are events without data. What an event
 * takes is bounded: ERR_TOO_LARGE. Pure; one owner. A zeroed struct is at the beginning of a stream.
 */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include "base/buf.h"
#include "base/err.h"

enum { SSE_EVENT_BYTES_MAX = 128 << 20 };

struct sse {
	struct buf line, event, data;
	bool begun; /* a byte order mark may not come any more */
	bool after_cr; /* a line feed here belongs to the line before */
	bool has_data;
};

/* `each` gets every event that is whole now: its name ("message" when it has none), its data, which it may change. False:
 * enough, what stands behind it is lost. */
typedef bool sse_event_fn(void *ctx, struct str event, struct buf *data);
MUST_CHECK enum err_code sse_feed(struct sse *s, struct str bytes, sse_event_fn *each, void *ctx,
    struct err *err);
void sse_fini(struct sse *s);

#endif
