/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comment/comment.h - what somebody has said of a trace or a span: what is good, as bytes of the log, as rows.
 *
 * A request of comments, which is what a log record of SIGNAL_COMMENTS holds, is protobuf:
 *
 *     message Comments { repeated Comment comments = 1; }
 *     message Comment {
 *         string  id = 1;                 1 to LIMIT_COMMENT_ID_BYTES of A-Z a-z 0-9 . _ : -
 *         bytes   trace_id = 2;           16 bytes, not all zero
 *         bytes   span_id = 3;            8 bytes, not all zero; absent: of the trace
 *         fixed64 created_unix_nano = 4;
 *         string  author = 5;             1 to LIMIT_COMMENT_AUTHOR_BYTES
 *         string  body = 6;               1 to max-comment-bytes
 *     }
 *
 * Fields that are not known are skipped. (tenant, id) names a comment; the first one that is loaded wins, at any
 * distance in time. A request's identity goes by its ids alone, so that a repeat with another body is a repeat.
 *
 * The trace need not be there: it may come later, and go earlier (comments have an age of their own, --retain).
 *
 * Threading: no shared state.
 */
#ifndef COMMENT_COMMENT_H
#define COMMENT_COMMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "model/batch.h"
#include "wire/json_write.h"

struct comment {
	struct str id;
	uint64_t trace_hi, trace_lo;
	uint64_t span_id; /* 0: of the trace */
	uint64_t created_ns;
	struct str author, body;
};

/* ERR_INVALID says which of it is not good, ERR_TOO_LARGE what is longer than it may be. */
MUST_CHECK enum err_code comment_check(const struct comment *c, const struct limits *limits,
    struct err *err);
/* One more of a request. */
void comment_put(const struct comment *c, struct buf *request);
/* All of them are good, and how many there are: at least one, at most limits.items_max. */
MUST_CHECK enum err_code comment_scan(struct str request, const struct limits *limits,
    uint64_t *count_out, struct err *err);
/* What a repeat of a request that was scanned is known by. */
struct hash128 comment_request_hash(struct str tenant, struct str request);

/* {"id","trace_id","span_id"|null,"author","body","created_at","created_unix_nano"} */
void comment_write_json(struct json_writer *w, const struct comment *c);
/* {"comments":[...]}, appended. */
MUST_CHECK enum err_code comment_to_json(struct str request, struct buf *json, struct err *err);

/* Rows of TABLE_COMMENTS, in order; their strings point into the request. ERR_INVALID: it is none that was scanned;
 * ERR_TOO_LARGE: the batch's arena is spent. On an error the caller rewinds the batch. */
MUST_CHECK enum err_code comment_decode(struct str request, struct str tenant, uint64_t seq,
    struct batch *batch, struct err *err);
/* A row of it; strings point to where the row's do. */
struct comment comment_of_row(const struct table *t, size_t row);

#endif
