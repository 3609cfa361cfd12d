/* SPDX-License-Identifier: Apache-2.0 */
#include "patch/replay.h"

#include "patch/patch_priv.h"

#include <inttypes.h>
#include <stdio.h>

/* Between two looks at whether it should stop: some milliseconds of work, or many small patches. */
enum { LOOK_STEPS = 1 << 18, LOOK_PATCHES = 64 };

struct replay {
	const struct patch_limits *lim;
	const struct replay_stop *stop; /* NULL: never */
	uint64_t looked; /* `work` then */
	struct replay_result *out;
	struct patch_doc *doc; /* NULL: there is no start */
	uint64_t work, work_max; /* steps until now */
	const struct replay_step *previous; /* the last one that had a sequence or revisions */
};

/* The first one decides. */
static void
decide(struct replay *r, enum replay_verdict verdict, size_t at, const char *why)
{
	if (r->out->verdict != REPLAY_VERIFIED)
		return;
	r->out->verdict = verdict;
	r->out->at = at;
	snprintf(r->out->why, sizeof(r->out->why), "%s", why);
}

static struct patch_doc *
parse_state(struct replay *r, struct str text, const char *which)
{
	struct patch_doc *doc;
	struct err err = {0};
	char why[300];
	if (patch_doc_parse(text, r->lim, &doc, &err) == ERR_OK) {
		r->work += doc->pool->steps;
		return doc;
	}
	snprintf(why, sizeof(why), "the state at the %s cannot be read: %s", which, err.message);
	decide(r, REPLAY_IMPOSSIBLE, 0, why);
	return NULL;
}

/* ---- steps. Of each the error, or ERR_OK and what the state is then. */

static enum err_code
check_order(const struct replay_step *s, const struct replay_step *p, struct err *err)
{
	int64_t expected = p && p->has_sequence ? p->sequence : 0;
	if (s->has_sequence && p && p->has_sequence && s->sequence == p->sequence)
		return err_set(err, ERR_EXISTS, "transition %" PRId64 " is there twice",
		    s->sequence);
	if (s->has_sequence && s->sequence < 1)
		return err_set(err, ERR_INVALID,
		    "transitions are counted from 1, not from %" PRId64, s->sequence);
	if (s->has_sequence && s->sequence <= expected)
		return err_set(err, ERR_EXISTS,
		    "transition %" PRId64 " comes behind transition %" PRId64, s->sequence,
		    expected);
	if (s->has_sequence && s->sequence - 1 > expected)
		return err_set(err, ERR_NOT_FOUND,
		    "transition %" PRId64 " is missing: %" PRId64 " comes next", expected + 1,
		    s->sequence);
	if (s->has_revisions && p && p->has_revisions && s->before != p->after)
		return err_set(err, ERR_NOT_FOUND,
		    "it begins at revision %" PRId64 ", but the one before it ended at %" PRId64,
		    s->before, p->after);
	if (s->has_revisions && s->after < s->before)
		return err_set(err, ERR_INVALID,
		    "it goes back from revision %" PRId64 " to %" PRId64, s->before, s->after);
	return ERR_OK;
}

static enum err_code
apply_step(struct replay *r, const struct replay_step *s, struct err *err)
{
	if (!r->doc)
		return err_set(err, ERR_NOT_FOUND, "there is no state to apply it to");
	if (s->withheld)
		return err_set(err, ERR_NOT_FOUND, "the patch was not sent: %s", s->withheld);
	if (s->patch.len == 0)
		return err_set(err, ERR_NOT_FOUND, "the patch was not sent");
	if (r->work >= r->work_max)
		return err_set(err, ERR_TOO_LARGE, "the replay takes too long");
	struct patch_limits lim = *r->lim;
	lim.steps_max = r->work_max - r->work;
	enum err_code code = patch_apply(r->doc, s->patch, &lim, NULL, err);
	r->work += r->doc->pool->steps;
	return code;
}

static void
run_step(struct replay *r, const struct replay_step *s, size_t i, replay_each each, void *ctx)
{
	struct err err = {0}, order = {0};
	char why[300] = "";
	struct patch_doc *before = r->doc && each ? patch_doc_copy(r->doc) : NULL;
	enum err_code code = check_order(s, r->previous, &order);
	bool twice = code == ERR_EXISTS;
	if (code != ERR_OK) {
		snprintf(why, sizeof(why), "patch %zu: %s", i + 1, order.message);
		decide(r, REPLAY_IMPOSSIBLE, i + 1, why);
	}
	/* One that is there twice has been applied. Behind a gap they are tried. */
	if (!twice) {
		code = apply_step(r, s, &err);
		r->previous = s->has_sequence || s->has_revisions ? s : r->previous;
	}
	if (!twice && code != ERR_OK) {
		snprintf(why, sizeof(why), "patch %zu: %s", i + 1, err.message);
		decide(r, code == ERR_CONFLICT ? REPLAY_MISMATCH : REPLAY_IMPOSSIBLE, i + 1, why);
	}
	if (each)
		each(ctx, i, before, r->doc, code, twice ? order.message : err.message);
	patch_doc_free(before);
}

/* ---- the end */

/* A pointer that does not fit ends in "...". */
static void
put_pointer(struct replay_result *out, struct str pointer)
{
	size_t n = pointer.len, room = sizeof(out->pointer) - 1;
	if (n > room) {
		n = room - 3;
		while (n > 0 && ((unsigned char)pointer.ptr[n] & 0xc0) == 0x80)
			n--;
	}
	snprintf(out->pointer, sizeof(out->pointer), "%.*s%s", (int)n,
	    pointer.len ? pointer.ptr : "", n < pointer.len ? "..." : "");
}

static void
compare_end(struct replay *r, const struct patch_doc *end)
{
	struct buf pointer = {0};
	char why[300];
	uint64_t before = r->doc->pool->steps;
	bool differ = patch_doc_differ(r->doc, end, &pointer);
	r->work += r->doc->pool->steps - before;
	if (differ) {
		if (r->out->verdict != REPLAY_IMPOSSIBLE)
			put_pointer(r->out, buf_view(&pointer));
		snprintf(why, sizeof(why),
		    "the state behind the patches is not the one that was reported: they differ at %s",
		    pointer.len ? r->out->pointer : "the root");
		decide(r, REPLAY_MISMATCH, 0, why);
	}
	buf_fini(&pointer);
}

static void
check_end(struct replay *r, struct str text)
{
	struct patch_doc *end = text.len > 0 ? parse_state(r, text, "end") : NULL;
	if (r->doc && end)
		compare_end(r, end);
	if (text.len == 0)
		decide(r, REPLAY_NOTHING, 0, "the state at the end was not sent");
	patch_doc_free(end);
}

/* Before patch i, or the end. A replay that is short does not ask: there may be many. */
static bool
should_stop(struct replay *r, size_t i)
{
	bool is_time = i % LOOK_PATCHES == LOOK_PATCHES - 1 || r->work - r->looked >= LOOK_STEPS;
	if (!r->stop || !is_time)
		return false;
	r->looked = r->work;
	return r->stop->should(r->stop->ctx);
}

enum err_code
replay_run(struct str start, struct str end, const struct replay_step *steps, size_t count,
    const struct patch_limits *lim, const struct replay_stop *stop, replay_each each, void *ctx,
    struct replay_result *out, struct err *err)
{
	struct replay r = {.lim = lim, .stop = stop, .out = out, .work_max = REPLAY_STEPS_MAX};
	bool stopped = false;
	if (lim->steps_max && lim->steps_max < REPLAY_STEPS_MAX)
		r.work_max = lim->steps_max;
	*out = (struct replay_result){.verdict = REPLAY_VERIFIED};
	if (start.len == 0 && end.len == 0 && count == 0)
		decide(&r, REPLAY_NOTHING, 0, "no state was sent");
	else if (start.len == 0)
		decide(&r, REPLAY_IMPOSSIBLE, 0, "the state at the start was not sent");
	else
		r.doc = parse_state(&r, start, "start");
	for (size_t i = 0; i < count && !(stopped = should_stop(&r, i)); i++)
		run_step(&r, &steps[i], i, each, ctx);
	stopped = stopped || should_stop(&r, 0);
	if (!stopped)
		check_end(&r, end);
	out->steps = r.work;
	out->state = r.doc;
	return stopped ? err_set(err, ERR_DEADLINE, "the replay did not end in its time") : ERR_OK;
}

void
replay_fini(struct replay_result *result)
{
	if (!result)
		return;
	patch_doc_free(result->state);
	result->state = NULL;
}

const char *
replay_verdict_name(enum replay_verdict v)
{
	switch (v) {
	case REPLAY_VERIFIED: return "verified";
	case REPLAY_MISMATCH: return "mismatch";
	case REPLAY_IMPOSSIBLE: return "impossible";
	case REPLAY_NOTHING: return "nothing";
	}
	CHECK(!"no such verdict");
}
