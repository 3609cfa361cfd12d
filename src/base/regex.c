/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of a pattern (regex_parse.c) becomes a program of steps, as Thompson has it; a match follows all
 * ways through the program at once, a character at a time, so that the time is the length of the text times the
 * steps. Which of several matches it is does not matter here, so lazy repetitions are as others.
 *
 *     STEP_SET    one character that is in a class          STEP_SPLIT   go on at x and at y
 *     STEP_ASSERT go on if the place is right               STEP_MATCH   found
 */
#include "base/regex.h"

#include "base/arena.h"
#include "base/fold.h"
#include "base/regex_priv.h"
#include "base/utf8.h"

#include <stdlib.h>

enum step_kind { STEP_SET, STEP_ASSERT, STEP_SPLIT, STEP_MATCH };

struct step {
	enum step_kind kind;
	enum assert_kind assert;
	struct set set;
	int x, y; /* x: where it goes on */
};

struct regex {
	struct step *steps;
	int step_count, start;
	struct range *ranges;
};

/* ---- the program */

/* How many steps a node becomes, but for at most one too many an endless repetition. */
static uint64_t
size_of(const struct parser *p, int at)
{
	const struct node *n = &p->nodes[at];
	uint64_t left, times;
	switch (n->kind) {
	case NODE_EMPTY: return 0;
	case NODE_SET:
	case NODE_ASSERT: return 1;
	case NODE_CAT: return size_of(p, n->left) + size_of(p, n->right);
	case NODE_ALT: return size_of(p, n->left) + size_of(p, n->right) + 1;
	case NODE_REPEAT:
		left = size_of(p, n->left) + 1;
		times = (uint64_t)(n->max == REGEX_ENDLESS ? n->min + 1 : n->max);
		return left * times > REGEX_STEPS_MAX ? REGEX_STEPS_MAX + 1 : left * times;
	}
	return 0;
}

static int
add_step(struct regex *r, struct step s)
{
	CHECK(r->step_count <= REGEX_STEPS_MAX + 1);
	r->steps[r->step_count] = s;
	return r->step_count++;
}

/* The steps of a node that go on at `next`; where they begin. */
static int
emit(struct regex *r, const struct parser *p, int at, int next)
{
	const struct node *n = &p->nodes[at];
	int loop, left;
	switch (n->kind) {
	case NODE_EMPTY: return next;
	case NODE_SET:
		return add_step(r, (struct step){.kind = STEP_SET, .set = n->set, .x = next});
	case NODE_ASSERT:
		return add_step(r,
		    (struct step){.kind = STEP_ASSERT, .assert = n->assert, .x = next});
	case NODE_CAT: return emit(r, p, n->left, emit(r, p, n->right, next));
	case NODE_ALT:
		left = emit(r, p, n->left, next);
		return add_step(r,
		    (struct step){.kind = STEP_SPLIT, .x = left, .y = emit(r, p, n->right, next)});
	case NODE_REPEAT:
		if (n->max == REGEX_ENDLESS) {
			loop = add_step(r, (struct step){.kind = STEP_SPLIT, .y = next});
			r->steps[loop].x = emit(r, p, n->left, loop);
			next = loop;
		}
		for (int i = n->min; i < n->max; i++) {
			left = emit(r, p, n->left, next);
			next = add_step(r, (struct step){.kind = STEP_SPLIT, .x = left, .y = next});
		}
		for (int i = 0; i < n->min; i++)
			next = emit(r, p, n->left, next);
		return next;
	}
	return next;
}

static struct regex *
program_of(const struct parser *p, int root)
{
	struct regex *r = xcalloc(1, sizeof(*r));
	r->steps = xcalloc(REGEX_STEPS_MAX + 2, sizeof(*r->steps));
	r->ranges = xcalloc(p->range_count + 1, sizeof(*r->ranges));
	memcpy(r->ranges, p->ranges, p->range_count * sizeof(*r->ranges));
	int found = add_step(r, (struct step){.kind = STEP_MATCH});
	r->start = emit(r, p, root, found);
	return r;
}

enum err_code
regex_compile(struct str pattern, struct regex **out, struct err *err)
{
	if (out)
		*out = NULL;
	if (pattern.len > REGEX_BYTES_MAX)
		return err_set(err, ERR_INVALID,
		    "a regular expression has at most %d bytes, this has %zu", REGEX_BYTES_MAX,
		    pattern.len);
	if (!utf8_valid(pattern))
		return err_set(err, ERR_INVALID, "a regular expression is UTF-8");
	if (pattern.len > 0 && memchr(pattern.ptr, '\0', pattern.len))
		return err_set(err, ERR_INVALID,
		    "a regular expression has no NUL in it; write \\x00");
	struct err ignored;
	struct parser *p = xcalloc(1, sizeof(*p));
	*p = (struct parser){.all = pattern, .rest = pattern, .err = err ? err : &ignored};
	if (!pattern.ptr)
		p->all = p->rest = STR("");
	int root = regex_parse(p);
	if (!p->failed && size_of(p, root) > REGEX_STEPS_MAX)
		regex_fail(p, p->all.ptr + p->all.len,
		    "it is too large once repetitions are written out");
	enum err_code code = p->failed ? ERR_INVALID : ERR_OK;
	if (code == ERR_OK && out)
		*out = program_of(p, root);
	free(p);
	return code;
}

void
regex_free(struct regex *r)
{
	if (!r)
		return;
	free(r->steps);
	free(r->ranges);
	free(r);
}

/* ---- matching */

/* Steps that are reached at one place of the text, each once. */
struct places {
	int list[REGEX_STEPS_MAX + 2];
	unsigned char seen[REGEX_STEPS_MAX + 2];
	int count;
};

static bool
is_word(struct str text, size_t at, bool before)
{
	if (before ? at == 0 : at == text.len)
		return false;
	char c = text.ptr[before ? at - 1 : at], small = (char)(c | 0x20);
	return (small >= 'a' && small <= 'z' && (unsigned char)c < 0x80) ||
	    (c >= '0' && c <= '9') || c == '_';
}

static bool
holds(enum assert_kind kind, struct str text, size_t at)
{
	switch (kind) {
	case AT_START: return at == 0;
	case AT_END: return at == text.len;
	case AT_LINE_START: return at == 0 || text.ptr[at - 1] == '\n';
	case AT_LINE_END: return at == text.len || text.ptr[at] == '\n';
	case AT_WORD: return is_word(text, at, true) != is_word(text, at, false);
	case AT_NO_WORD: return is_word(text, at, true) == is_word(text, at, false);
	}
	return false;
}

static bool
has(const struct regex *r, const struct set *set, uint32_t cp)
{
	for (unsigned i = set->first; i < set->first + set->count; i++)
		if (cp >= r->ranges[i].first && cp <= r->ranges[i].last)
			return true;
	return false;
}

static bool
in_set(const struct regex *r, const struct set *set, uint32_t cp)
{
	bool in = has(r, set, cp);
	if (!in && set->any_case)
		in = has(r, set, fold_char(cp)) || has(r, set, fold_other(cp));
	return in != set->negated;
}

/* All that is reached from `start` without taking a character; true: the match. */
static bool
reach(const struct regex *r, struct places *p, int start, struct str text, size_t at)
{
	int stack[REGEX_STEPS_MAX + 2], depth = 0;
	if (p->seen[start])
		return false;
	p->seen[start] = 1;
	stack[depth++] = start;
	while (depth > 0) {
		int i = stack[--depth];
		const struct step *s = &r->steps[i];
		int next[2] = {-1, -1};
		if (s->kind == STEP_MATCH)
			return true;
		if (s->kind == STEP_SET)
			p->list[p->count++] = i;
		if (s->kind == STEP_SPLIT || (s->kind == STEP_ASSERT && holds(s->assert, text, at)))
			next[0] = s->x;
		if (s->kind == STEP_SPLIT)
			next[1] = s->y;
		for (int k = 0; k < 2; k++)
			if (next[k] >= 0 && !p->seen[next[k]]) {
				p->seen[next[k]] = 1;
				stack[depth++] = next[k];
			}
	}
	return false;
}

bool
regex_matches(const struct regex *r, struct str text)
{
	struct places a = {.count = 0}, b, *now = &a, *then = &b;
	for (size_t at = 0;;) {
		if (reach(r, now, r->start, text, at))
			return true;
		if (at == text.len)
			return false;
		uint32_t cp;
		at += utf8_get(str_skip(text, at), &cp);
		*then = (struct places){.count = 0};
		for (int i = 0; i < now->count; i++) {
			const struct step *s = &r->steps[now->list[i]];
			if (in_set(r, &s->set, cp) && reach(r, then, s->x, text, at))
				return true;
		}
		struct places *swap = now;
		now = then;
		then = swap;
	}
}
