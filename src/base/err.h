/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/err.h - one table of errors for the whole program.
 *
 * A fallible function returns `enum err_code` (ERR_OK is 0), is marked MUST_CHECK and fills the
 * caller's `struct err`. The message is written once, where the failure happened, with its
 * operands: lower case, one line, no full stop. A caller may put context in front of it with
 * err_wrap(). Of a message that does not fit, the middle is left out (" ... "): the end says why.
 * A `struct err *` may be NULL where nobody wants the text.
 *
 * Columns: name, label (the `code` of an API error), HTTP status, gRPC status (google.rpc.Code), whether a client should retry,
 * short text. retryable is exactly "status is 429, 502, 503 or 504", which is what OTLP/HTTP
 * clients go by; the assertion in err.c keeps it so.
 *
 * ERR_TOO_LARGE is RESOURCE_EXHAUSTED without RetryInfo: the same request can never succeed.
 * ERR_BUSY is RESOURCE_EXHAUSTED with RetryInfo: it may, later.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ERR_TABLE(X)                                                                               \
	X(OK, "ok", 200, 0, false, "ok")                                                           \
	X(INVALID, "invalid", 400, 3, false, "invalid request")                                    \
	X(UNAUTHENTICATED, "unauthenticated", 401, 16, false, "not authenticated")                 \
	X(FORBIDDEN, "forbidden", 403, 7, false, "not allowed")                                    \
	X(NOT_FOUND, "not_found", 404, 5, false, "not found")                                      \
	X(METHOD, "method_not_allowed", 405, 12, false, "method not allowed")                      \
	X(TIMEOUT, "timeout", 408, 4, false, "took too long")                                      \
	X(EXISTS, "exists", 409, 6, false, "already there")                                        \
	X(CONFLICT, "conflict", 409, 9, false, "not as things stand")                              \
	X(TOO_LARGE, "too_large", 413, 8, false, "too large")                                      \
	X(MEDIA_TYPE, "media_type", 415, 3, false, "unsupported content type")                     \
	X(EXECUTION, "execution", 422, 9, false, "cannot be answered with this data")              \
	X(HEADERS_TOO_LARGE, "headers_too_large", 431, 8, false, "header fields too large")        \
	X(BUSY, "busy", 429, 8, true, "busy, try again later")                                     \
	X(CANCELLED, "cancelled", 499, 1, false, "cancelled")                                      \
	X(INTERNAL, "internal", 500, 13, false, "internal error")                                  \
	X(IO, "io", 500, 13, false, "input/output error")                                          \
	X(CORRUPT, "corrupt", 500, 15, false, "data is damaged")                                   \
	X(UNIMPLEMENTED, "unimplemented", 501, 12, false, "not implemented")                       \
	X(UNAVAILABLE, "unavailable", 503, 14, true, "unavailable")                                \
	X(DEADLINE, "deadline", 504, 4, true, "deadline exceeded")

enum err_code {
#define X(name, label, http, grpc, retry, text) ERR_##name,
	ERR_TABLE(X)
#undef X
	    ERR_COUNT
};

#define ERR_MESSAGE_BYTES 192

struct err {
	enum err_code code;
	int os_errno; /* 0 when no system call was to blame */
	uint64_t retry_ms; /* when it may go well; 0: not known here, see who answers */
	char message[ERR_MESSAGE_BYTES];
};

/* Fill *err (NULL allowed) and return the code, so that a failing line reads
 * `return err_set(err, ERR_INVALID, "...")`. */
enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same for a failed system call: appends ": <strerror>" and keeps errno. */
enum err_code err_set_errno(struct err *err, enum err_code code, int os_errno, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Put "context: " in front of the message; the code stays. Returns err->code (ERR_INTERNAL for
 * NULL). */
enum err_code err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *err);
/* Of one that was set: when a client may come back. */
void err_set_retry(struct err *err, uint64_t retry_ms);
/* Copy a message to a place of n bytes, at least 160; of one that does not fit the middle is left out. */
void err_copy(char *out, size_t n, const char *text);

const char *err_name(enum err_code code); /* "too_large": the `code` of an API error */
const char *err_text(enum err_code code);
int err_http_status(enum err_code code);
int err_grpc_status(enum err_code code);
bool err_retryable(enum err_code code);

#endif
