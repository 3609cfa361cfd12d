/* SPDX-License-Identifier: Apache-2.0 */
#include "http/sse.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

struct seen {
	struct buf text; /* name=data; of each */
	int enough_after; /* so many; 0: never */
	int count;
};

static bool
note(void *ctx, struct str event, struct buf *data)
{
	struct seen *s = ctx;
	buf_printf(&s->text, "%.*s=%.*s;", STR_ARG(event), STR_ARG(buf_view(data)));
	return ++s->count != s->enough_after;
}

/* In pieces of `step` bytes. */
static void
expect(const char *stream, size_t len, size_t step, const char *want)
{
	struct sse sse = {0};
	struct seen seen = {0};
	struct err err;
	for (size_t at = 0; at < len; at += step)
		assert_int_equal(sse_feed(&sse,
		                     str_of(stream + at, len - at < step ? len - at : step), note,
		                     &seen, &err),
		    ERR_OK);
	buf_char(&seen.text, '\0');
	assert_string_equal(seen.text.ptr, want);
	sse_fini(&sse);
	buf_fini(&seen.text);
}

TEST(http, server_sent_events_are_read_as_the_standard_says_in_any_pieces)
{
	static const struct {
		const char *stream, *want;
	} cases[] = {
	    {"data: a\n\n", "message=a;"},
	    {"event: span\ndata: {}\n\n", "span={};"},
	    {"data:a\r\n\r\ndata: b\r\rdata: c\n\n", "message=a;message=b;message=c;"},
	    {"data: a\ndata\ndata:  b\n\n", "message=a\n\n b;"},
	    {"\xef\xbb\xbf"
	     "data: a\n\n\xef\xbb\xbf"
	     "data: b\n\n",
	        "message=a;"}, /* the second is part of a field's name */
	    {": comment\n\n:\n\nid: 7\nretry: 5\ndata: x\n\n", "message=x;"},
	    {"event: lost\n\ndata: a\n\n", "message=a;"},
	    {"event: a\nevent: b\ndata: c\n\n", "b=c;"},
	    {"data\n\n", "message=;"},
	    {"data: not whole\n", ""},
	    {"data: not whole", ""},
	    {"dat: a\ndataa: b\nDATA: c\n\n", ""},
	    {"\n\n\r\n\rdata: a\n\n\n", "message=a;"},
	    {"", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t step = 1; step < 20; step++)
			expect(cases[i].stream, strlen(cases[i].stream), step, cases[i].want);
	/* A byte is a byte. */
	static const char zero[] = "data: a\0b\n\n";
	expect(zero, sizeof(zero) - 1, 3, "message=a;"); /* as %s shows it */
}

TEST(http, no_event_is_read_behind_the_one_that_is_enough)
{
	struct sse sse = {0};
	struct seen seen = {.enough_after = 2};
	struct err err;
	assert_int_equal(sse_feed(&sse, STR("data: 1\n\ndata: 2\n\ndata: 3\n\n"), note, &seen,
	                     &err),
	    ERR_OK);
	assert_int_equal(seen.count, 2);
	sse_fini(&sse);
	buf_fini(&seen.text);
}

TEST(http, an_event_has_a_maximum)
{
	struct sse sse = {0};
	struct seen seen = {0};
	struct err err = {0};
	size_t n = 1 << 20;
	char *piece = malloc(n);
	assert_non_null(piece);
	memset(piece, 'x', n);
	memcpy(piece, "data:", 5);
	piece[n - 1] = '\n';
	enum err_code code = ERR_OK;
	int count = 0;
	for (; count < 200 && !code; count++)
		code = sse_feed(&sse, str_of(piece, n), note, &seen, &err);
	assert_int_equal(code, ERR_TOO_LARGE);
	assert_true(count > 100);
	assert_int_equal(seen.count, 0);
	sse_fini(&sse);
	free(piece);
}
