/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/uri.h - the target of a request, taken apart: RFC 3986 path and query, the query as HTML
 * forms write it (`+` is a blank). Also percent-encoding, for clients.
 *
 * Everything decoded is checked: %00, a cut or wrong escape and text that is not UTF-8 are
 * ERR_INVALID. Pure functions; any thread.
 */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { HTTP_PARAMS_MAX = 128 };

struct http_param {
	struct str name, value; /* decoded */
};

struct http_uri {
	struct str path; /* decoded, begins with '/' */
	struct http_param *params; /* in the order given */
	size_t param_count;
};

/* Origin form ("/a?b=c"), absolute form ("http://host/a", as a proxy sends it) or "*".
 * The parts are in the arena. */
MUST_CHECK enum err_code http_uri_parse(struct str text, struct arena *arena, struct http_uri *out,
    struct err *err);
/* Percent-encode all but the unreserved characters (RFC 3986 section 2.3). */
void http_uri_encode(struct str text, struct buf *out);

#endif
