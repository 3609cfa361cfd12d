/* SPDX-License-Identifier: Apache-2.0 */
/* workflow/workflow_priv.h - what run.c and state.c share. */
#ifndef WORKFLOW_WORKFLOW_PRIV_H
#define WORKFLOW_WORKFLOW_PRIV_H

#include "workflow/workflow.h"

/* The run, row by row of the table. */
struct workflow_rows {
	const struct table *spans;
	struct arena *arena;
	struct patch_limits
	    limits; /* what is left of it for the stores that have not been replayed */
	const struct replay_stop *stop; /* NULL: never */
	struct junjo_span *junjo;
	int64_t *parent; /* row; -1: not in the table */
	bool *below; /* of the run, which is itself */
	int *step; /* the step that it is, or the nearest above; WORKFLOW_NONE */
};

struct map;
/* hash_keyed_str() of each id of a store that a span of the run owns -> 1 */
void workflow_find_owned(const struct workflow_rows *r, struct map *out);
/* Stores, their order and the states of steps. */
MUST_CHECK enum err_code workflow_read_states(struct workflow_rows *r, struct workflow *w,
    struct err *err);
enum err_code workflow_no_memory(struct err *err);
/* Before the i-th of many. ERR_DEADLINE: it is to stop. */
MUST_CHECK enum err_code workflow_look(const struct workflow_rows *r, size_t i, struct err *err);

#endif
