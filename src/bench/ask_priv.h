/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/ask_priv.h - between ask.c (who asks) and the questions.
 *
 * A question appends its path to a->path (empty before), asks for it once, and says whether the answer was right; what is wrong goes to
 * a->wrong. It fails only when it could not be asked.
 */
#ifndef BENCH_ASK_PRIV_H
#define BENCH_ASK_PRIV_H

#include "bench/ask.h"

struct asker {
	const struct ask_options *opt;
	struct http_client *http;
	struct buf path, body;
	uint64_t random;
	int status;
	uint64_t ns, cpu_ns; /* of the answer */
	struct err wrong; /* with the answer */
	uint64_t spans_seen; /* that all services had, at the most */
};

/* GET a->path. */
MUST_CHECK enum err_code ask_get(struct asker *a, struct err *err);
/* POST a->path with this JSON. */
MUST_CHECK enum err_code ask_post(struct asker *a, struct str json, struct err *err);
bool ask_has_status(struct asker *a, int status);

#define X(id, key, label, fn, needs)                                                               \
	enum err_code fn(struct asker *a, bool *right_out, struct err *err);
ASK_TABLE(X)
#undef X

#endif
