/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch/replay.h - a state from where it began through its patches to where it is said to have ended, and whether that
 * is true.
 *
 *     VERIFIED     every patch could be applied, and the state is the one that was reported.
 *     MISMATCH     all that is needed is there, and does not fit: a patch has no place in the state (`at` is the first
 *                  such step), or the state behind all patches is not the one reported (`at` is 0). `pointer` is the
 *                  first place where the two states differ, if they do.
 *     IMPOSSIBLE   it cannot be told: the start was not sent, something was withheld, cut, is no JSON or no patch,
 *                  a transition is missing or there twice, revisions do not follow each other, or it takes more than
 *                  the limits allow. `at` is the step, or 0 for the start and the end.
 *     NOTHING      there is no end to compare with (and no patch failed), or no state at all.
 *
 * The first thing that is wrong decides. What comes behind it is tried all the same, on the last state that was good,
 * for people who look at it; a step that fails leaves the state as it was.
 *
 * Memory: lim->bytes_max for the start with all its versions, and as much for the end. Time: a replay may take
 * lim->steps_max steps, at most REPLAY_STEPS_MAX (see PATCH_STEPS_MAX); patches behind that are not tried. That is seconds: who has
 * less says so with a struct replay_stop, which is asked between patches, so that it ends within one of them. Threads: one caller, one replay.
 */
#ifndef PATCH_REPLAY_H
#define PATCH_REPLAY_H

#include "patch/patch.h"

#define REPLAY_STEPS_MAX (UINT64_C(1) << 29)

enum replay_verdict {
	REPLAY_VERIFIED,
	REPLAY_MISMATCH,
	REPLAY_IMPOSSIBLE,
	REPLAY_NOTHING, /* there is no state to verify */
};

/* In the order in which they happened. */
struct replay_step {
	struct str patch;
	bool has_sequence; /* of transitions of this store: 1, 2, 3 ... */
	int64_t sequence;
	bool has_revisions; /* of the store before and after it */
	int64_t before, after;
	const char *withheld; /* "redacted", "excluded" ...: there is no patch; NULL: it is there */
};

struct replay_result {
	enum replay_verdict verdict;
	size_t at; /* step, from 1; 0: the end or the start */
	char why[300]; /* a sentence; empty when it is verified */
	char pointer[200]; /* empty: the root, or no difference */
	uint64_t steps; /* that it took */
	struct patch_doc *state; /* after the last good step; owned; NULL: there is none */
};

/* Of step i (from 0): the state before it and after it, which live until it returns (keep a patch_doc_copy() of them);
 * both are NULL without a start. code is ERR_OK, or why it failed, and then they are the same. */
typedef void (*replay_each)(void *ctx, size_t i, const struct patch_doc *before,
    const struct patch_doc *after, enum err_code code, const char *why);

/* Should it end now, though it is not done? It may cost a system call, and is not asked for each small thing. */
struct replay_stop {
	bool (*should)(void *ctx);
	void *ctx;
};

/* start or end empty: it was not sent. `each` may be NULL, so may `stop`. Whatever comes from outside is a verdict, and no error: this
 * fails only where *out cannot be filled: ERR_DEADLINE, it was to stop. replay_fini() is the caller's in any case. */
MUST_CHECK enum err_code replay_run(struct str start, struct str end,
    const struct replay_step *steps, size_t count, const struct patch_limits *lim,
    const struct replay_stop *stop, replay_each each, void *ctx, struct replay_result *out,
    struct err *err);
void replay_fini(struct replay_result *result); /* frees the state */
const char *replay_verdict_name(enum replay_verdict v); /* "verified", "mismatch", ... */

#endif
