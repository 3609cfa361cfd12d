/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reads/reads_priv.h - what the files of this module share.
 *
 *     reads.c     calls: who may, what is asked, who waits
 *     answer.c    rows as messages
 *     message.[ch]  requests and keys as bytes
 */
#ifndef READS_READS_PRIV_H
#define READS_READS_PRIV_H

#include "reads/message.h"
#include "reads/reads.h"

#include "sys/queue.h"
#include "sys/thread.h"

#include <stdatomic.h>

struct reads {
	struct reads_options opt;
	struct queue *jobs;
	struct thread threads[READS_THREADS];
	struct budget answers; /* what clients have not read yet */
	atomic_bool stopping;
	bool stopped; /* the owner's */
};

/* ---- answer.c */

/* The messages for what the store gave, of at most bytes_max bytes but one span at least; counts what is damaged. ERR_BUSY: no
 * memory. */
struct reads_answer {
	struct buf messages;
	uint64_t spans, damaged;
};
MUST_CHECK enum err_code reads_answer_write(const struct store_result *result,
    const struct reads_request *asked, size_t bytes_max, struct reads_answer *out, struct err *err);

#endif
