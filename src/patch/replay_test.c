/* SPDX-License-Identifier: Apache-2.0 */
#include "patch/replay.h"

#include "tests/test.h"

#include <stdio.h>

static const struct patch_limits limits = {.bytes_max = 1 << 20, .depth_max = 128, .ops_max = 100};

#define SET(path, value) STR("[{\"op\":\"replace\",\"path\":\"" path "\",\"value\":" value "}]")

/* What was said of each step: "<before>><after>", or "<before>!<code>", one a line. */
struct story {
	struct buf text;
	char why[300];
};

static void
tell(void *ctx, size_t i, const struct patch_doc *before, const struct patch_doc *after,
    enum err_code code, const char *why)
{
	struct story *s = ctx;
	buf_printf(&s->text, "%zu ", i);
	if (before)
		patch_doc_write(before, &s->text);
	if (code == ERR_OK) {
		buf_char(&s->text, '>');
		patch_doc_write(after, &s->text);
	} else {
		buf_printf(&s->text, "!%s", err_name(code));
		snprintf(s->why, sizeof(s->why), "%s", why);
		assert_true(before ? patch_doc_equal(before, after) : !after);
	}
	buf_char(&s->text, '\n');
}

static struct replay_result
run(const char *start, const char *end, const struct replay_step *steps, size_t count,
    const char *story)
{
	struct replay_result r;
	struct story s = {.why = ""};
	struct err err = {0};
	assert_int_equal(replay_run(str_from(start), str_from(end), steps, count, &limits, NULL,
	                     tell, &s, &r, &err),
	    ERR_OK);
	buf_char(&s.text, '\0');
	assert_string_equal(s.text.ptr, story);
	/* It is the same without anybody who listens. */
	struct replay_result again;
	assert_int_equal(replay_run(str_from(start), str_from(end), steps, count, &limits, NULL,
	                     NULL, NULL, &again, &err),
	    ERR_OK);
	assert_int_equal(again.verdict, r.verdict);
	assert_int_equal(again.at, r.at);
	assert_string_equal(again.why, r.why);
	assert_string_equal(again.pointer, r.pointer);
	replay_fini(&again);
	buf_fini(&s.text);
	return r;
}

TEST(replay, a_run_whose_patches_lead_to_the_reported_end_is_verified)
{
	const struct replay_step steps[] = {
	    {.patch = SET("/n", "1"), true, 1, true, 0, 1, NULL},
	    {.patch = STR("[]"), true, 2, true, 1, 1, NULL},
	    {.patch = STR("{}"), true, 3, true, 1, 2, NULL},
	    {.patch = SET("/n", "3"), true, 4, true, 2, 3, NULL},
	};
	struct replay_result r = run("{\"n\":0,\"m\":null}", "{\"m\":null,\"n\":3.0}", steps, 4,
	    "0 {\"n\":0,\"m\":null}>{\"n\":1,\"m\":null}\n"
	    "1 {\"n\":1,\"m\":null}>{\"n\":1,\"m\":null}\n"
	    "2 {\"n\":1,\"m\":null}>{\"n\":1,\"m\":null}\n"
	    "3 {\"n\":1,\"m\":null}>{\"n\":3,\"m\":null}\n");
	assert_int_equal(r.verdict, REPLAY_VERIFIED);
	assert_string_equal(r.why, "");
	replay_fini(&r);
	r = run("[1]", "[1]", NULL, 0, "");
	assert_int_equal(r.verdict, REPLAY_VERIFIED);
	replay_fini(&r);
}

TEST(replay, another_end_than_the_reported_one_is_named_by_its_place)
{
	const struct replay_step steps[] = {{.patch = SET("/a/1", "5")}};
	struct replay_result r =
	    run("{\"a\":[1,2]}", "{\"a\":[1,6]}", steps, 1, "0 {\"a\":[1,2]}>{\"a\":[1,5]}\n");
	assert_int_equal(r.verdict, REPLAY_MISMATCH);
	assert_int_equal(r.at, 0);
	assert_string_equal(r.pointer, "/a/1");
	assert_string_equal(r.why,
	    "the state behind the patches is not the one that was reported: they differ at /a/1");
	replay_fini(&r);
}

TEST(replay, the_first_patch_without_a_place_decides_and_later_ones_are_tried)
{
	const struct replay_step steps[] = {
	    {.patch = SET("/a", "1")},
	    {.patch = STR(
	         "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":9},{\"op\":\"remove\",\"path\":\"/x\"}]")},
	    {.patch = SET("/y", "1")},
	    {.patch = SET("/b", "2")},
	};
	struct replay_result r = run("{\"a\":0,\"b\":0}", "{\"a\":1,\"b\":3}", steps, 4,
	    "0 {\"a\":0,\"b\":0}>{\"a\":1,\"b\":0}\n"
	    "1 {\"a\":1,\"b\":0}!conflict\n"
	    "2 {\"a\":1,\"b\":0}!conflict\n"
	    "3 {\"a\":1,\"b\":0}>{\"a\":1,\"b\":2}\n");
	assert_int_equal(r.verdict, REPLAY_MISMATCH);
	assert_int_equal(r.at, 2);
	assert_string_equal(r.why,
	    "patch 2: operation 2 (remove /x): there is no member of this name");
	assert_string_equal(r.pointer, "/b");
	replay_fini(&r);
}

TEST(replay, what_cannot_be_told_says_why)
{
	static const struct {
		const char *start, *end;
		struct replay_step steps[3];
		size_t count, at;
		const char *why;
	} cases[] = {
	    {NULL, "{}", {{.patch = STR_INIT("[]")}}, 1, 0, "the state at the start was not sent"},
	    {"{\"a\":", "{}", {{.patch = STR_INIT("[]")}}, 1, 0,
	        "the state at the start cannot be read: it is not JSON: the text ends too early (at byte 5)"},
	    {"{}", "{\"a", {{.patch = STR_INIT("[]")}}, 1, 0,
	        "the state at the end cannot be read: it is not JSON: a string has no end (at byte 3)"},
	    {"{}", "{}", {{.patch = STR_INIT("[]")}, {.withheld = "redacted"}}, 2, 2,
	        "patch 2: the patch was not sent: redacted"},
	    {"{}", "{}", {{.patch = STR_INIT("[]")}, {.withheld = NULL}}, 2, 2,
	        "patch 2: the patch was not sent"},
	    {"{}", "{}", {{.patch = STR_INIT("[{\"op\":\"ad")}}, 1, 1,
	        "patch 1: the patch cannot be read: it is not JSON: a string has no end (at byte 10)"},
	    {"{}", "{}", {{.patch = STR_INIT("[{\"op\":\"spam\"}]")}}, 1, 1,
	        "patch 1: operation 1: there is no operation \"spam\""},
	    {"{}", "{}",
	        {{.patch = STR_INIT("[]"), .has_sequence = true, .sequence = 1},
	            {.patch = STR_INIT("[]"), .has_sequence = true, .sequence = 3}},
	        2, 2, "patch 2: transition 2 is missing: 3 comes next"},
	    {"{}", "{}", {{.patch = STR_INIT("[]"), .has_sequence = true, .sequence = 2}}, 1, 1,
	        "patch 1: transition 1 is missing: 2 comes next"},
	    {"{}", "{}", {{.patch = STR_INIT("[]"), .has_sequence = true, .sequence = 0}}, 1, 1,
	        "patch 1: transitions are counted from 1, not from 0"},
	    {"{}", "{}",
	        {{.patch = STR_INIT("[]"), .has_sequence = true, .sequence = 1},
	            {.patch = STR_INIT("[]"), .has_sequence = true, .sequence = 1}},
	        2, 2, "patch 2: transition 1 is there twice"},
	    {"{}", "{}",
	        {{.patch = STR_INIT("[]"), .has_revisions = true, .before = 4, .after = 5},
	            {.patch = STR_INIT("[]"), .has_revisions = true, .before = 6, .after = 7}},
	        2, 2, "patch 2: it begins at revision 6, but the one before it ended at 5"},
	    {"{}", "{}",
	        {{.patch = STR_INIT("[]"), .has_revisions = true, .before = 4, .after = 3}}, 1, 1,
	        "patch 1: it goes back from revision 4 to 3"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct replay_result r;
		struct err err = {0};
		assert_int_equal(replay_run(str_from(cases[i].start), str_from(cases[i].end),
		                     cases[i].steps, cases[i].count, &limits, NULL, NULL, NULL, &r,
		                     &err),
		    ERR_OK);
		assert_int_equal(r.verdict, REPLAY_IMPOSSIBLE);
		assert_int_equal(r.at, cases[i].at);
		assert_string_equal(r.why, cases[i].why);
		assert_string_equal(r.pointer, "");
		replay_fini(&r);
	}
}

TEST(replay, a_transition_that_is_there_twice_is_applied_once)
{
	const struct replay_step steps[] = {
	    {STR("[{\"op\":\"add\",\"path\":\"/-\",\"value\":1}]"), true, 1, false, 0, 0, NULL},
	    {STR("[{\"op\":\"add\",\"path\":\"/-\",\"value\":1}]"), true, 1, false, 0, 0, NULL},
	    {STR("[{\"op\":\"add\",\"path\":\"/-\",\"value\":2}]"), true, 2, false, 0, 0, NULL},
	};
	struct replay_result r =
	    run("[]", "[1,2]", steps, 3, "0 []>[1]\n1 [1]!exists\n2 [1]>[1,2]\n");
	assert_int_equal(r.verdict, REPLAY_IMPOSSIBLE);
	assert_int_equal(r.at, 2);
	replay_fini(&r);
}

TEST(replay, without_an_end_there_is_a_state_but_no_verdict)
{
	const struct replay_step good[] = {{.patch = SET("/a", "1")}};
	const struct replay_step bad[] = {{.patch = SET("/b", "1")}};
	struct replay_result r = run("{\"a\":0}", NULL, good, 1, "0 {\"a\":0}>{\"a\":1}\n");
	struct buf text = {0};
	assert_int_equal(r.verdict, REPLAY_NOTHING);
	patch_doc_write(r.state, &text);
	assert_true(str_eq(buf_view(&text), STR("{\"a\":1}")));
	buf_fini(&text);
	replay_fini(&r);
	r = run("{\"a\":0}", NULL, bad, 1, "0 {\"a\":0}!conflict\n");
	assert_int_equal(r.verdict, REPLAY_MISMATCH);
	assert_int_equal(r.at, 1);
	replay_fini(&r);
	r = run(NULL, NULL, NULL, 0, "");
	assert_int_equal(r.verdict, REPLAY_NOTHING);
	assert_null(r.state);
	replay_fini(&r);
	/* Patches alone are shown, and cannot be checked. */
	r = run(NULL, NULL, good, 1, "0 !not_found\n");
	assert_int_equal(r.verdict, REPLAY_IMPOSSIBLE);
	assert_int_equal(r.at, 0);
	replay_fini(&r);
}

TEST(replay, a_run_that_grows_beyond_the_limits_cannot_be_told)
{
	struct buf text = {0};
	struct replay_result r;
	struct err err = {0};
	buf_str(&text, STR("[{\"op\":\"add\",\"path\":\"/-\",\"value\":\""));
	for (int i = 0; i < 300000; i++)
		buf_char(&text, 'x');
	buf_str(&text, STR("\"}]"));
	const struct replay_step steps[] = {
	    {.patch = buf_view(&text)},
	    {.patch = buf_view(&text)},
	    {.patch = buf_view(&text)},
	    {.patch = buf_view(&text)},
	};
	assert_int_equal(replay_run(STR("[]"), STR("[]"), steps, 4, &limits, NULL, NULL, NULL, &r,
	                     &err),
	    ERR_OK);
	assert_int_equal(r.verdict, REPLAY_IMPOSSIBLE);
	assert_int_equal(r.at, 4);
	assert_non_null(strstr(r.why, "more than 1048576 bytes of memory"));
	replay_fini(&r);
	buf_fini(&text);
}

TEST(replay, steps_beyond_the_limit_are_not_tried_and_said)
{
	const struct replay_step steps[] = {{.patch = SET("/n", "1")}, {.patch = SET("/n", "2")}};
	struct patch_limits few = limits;
	struct replay_result r;
	struct err err = {0};
	assert_int_equal(replay_run(STR("{\"n\":0}"), STR("{\"n\":2}"), steps, 2, &limits, NULL,
	                     NULL, NULL, &r, &err),
	    ERR_OK);
	assert_int_equal(r.verdict, REPLAY_VERIFIED);
	uint64_t needed = r.steps;
	replay_fini(&r);
	for (few.steps_max = 1; few.steps_max < needed / 2; few.steps_max++) {
		assert_int_equal(replay_run(STR("{\"n\":0}"), STR("{\"n\":2}"), steps, 2, &few,
		                     NULL, NULL, NULL, &r, &err),
		    ERR_OK);
		assert_int_equal(r.verdict, REPLAY_IMPOSSIBLE);
		assert_true(strlen(r.why) > 0);
		replay_fini(&r);
	}
}

struct patience {
	int asked, most;
	size_t steps;
};

static bool
is_over(void *ctx)
{
	struct patience *p = ctx;
	return ++p->asked > p->most;
}

static void
count_step(void *ctx, size_t i, const struct patch_doc *before, const struct patch_doc *after,
    enum err_code code, const char *why)
{
	struct patience *p = ctx;
	(void)before;
	(void)after;
	(void)why;
	assert_int_equal(code, ERR_OK);
	assert_int_equal(i, p->steps);
	p->steps++;
}

/* Small patches are many, large ones long: it is asked in time with either. */
TEST(replay, replay_that_is_told_to_stop_ends_within_a_few_patches)
{
	enum { STEPS = 1000, WIDE = 20000 };
	static struct replay_step steps[STEPS];
	struct buf start = {0};
	struct err err = {0};
	for (int wide = 0; wide < 2; wide++) {
		buf_reset(&start);
		buf_str(&start, STR("{\"n\":0,\"a\":[0"));
		for (int i = 0; wide && i < WIDE; i++)
			buf_str(&start, STR(",0"));
		buf_str(&start, STR("]}"));
		for (int i = 0; i < STEPS; i++)
			steps[i].patch = wide
			    ? STR("[{\"op\":\"add\",\"path\":\"/a/0\",\"value\":1}]")
			    : STR("[{\"op\":\"replace\",\"path\":\"/n\",\"value\":1}]");
		for (int most = 0; most < 3; most++) {
			struct patience p = {.most = most};
			struct replay_result r;
			const struct replay_stop stop = {is_over, &p};
			assert_int_equal(replay_run(buf_view(&start), STR_EMPTY, steps, STEPS,
			                     &limits, &stop, count_step, &p, &r, &err),
			    ERR_DEADLINE);
			assert_int_equal(p.asked, most + 1);
			assert_true(p.steps < (wide ? 20 : 64) * ((size_t)most + 1));
			replay_fini(&r);
		}
	}
	buf_fini(&start);
}
