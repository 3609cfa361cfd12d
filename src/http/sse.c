/* SPDX-License-Identifier: Apache-2.0 */
#include "http/sse.h"

static void
begin_event(struct sse *s)
{
	buf_reset(&s->event);
	buf_reset(&s->data);
	s->has_data = false;
}

static void
take_field(struct sse *s, struct str name, struct str value)
{
	if (str_eq(name, STR("event"))) {
		buf_reset(&s->event);
		buf_str(&s->event, value);
	} else if (str_eq(name, STR("data"))) {
		if (s->has_data)
			buf_char(&s->data, '\n');
		buf_str(&s->data, value);
		s->has_data = true;
	}
}

/* A line is whole. False: enough. */
static bool
end_line(struct sse *s, sse_event_fn *each, void *ctx)
{
	struct str line = buf_view(&s->line);
	bool go_on = true;
	if (line.len == 0) {
		struct str event = s->event.len > 0 ? buf_view(&s->event) : STR("message");
		if (s->has_data)
			go_on = each(ctx, event, &s->data);
		begin_event(s);
	} else if (line.ptr[0] != ':') {
		size_t colon = str_find(line, ':');
		struct str value = str_skip(line, colon + 1);
		take_field(s, str_of(line.ptr, colon),
		    str_starts(value, STR(" ")) ? str_skip(value, 1) : value);
	}
	buf_reset(&s->line);
	return go_on;
}

/* Up to the end of the line, or all; how much of it. */
static size_t
take_part(struct sse *s, struct str bytes)
{
	size_t n = 0;
	while (n < bytes.len && bytes.ptr[n] != '\n' && bytes.ptr[n] != '\r')
		n++;
	buf_append(&s->line, bytes.ptr, n);
	return n;
}

static void
drop_mark(struct sse *s)
{
	if (!s->begun && str_starts(buf_view(&s->line), STR("\xef\xbb\xbf"))) {
		s->line.len -= 3;
		memmove(s->line.ptr, s->line.ptr + 3, s->line.len);
	}
	s->begun = true;
}

enum err_code
sse_feed(struct sse *s, struct str bytes, sse_event_fn *each, void *ctx, struct err *err)
{
	while (bytes.len > 0) {
		if (s->after_cr && bytes.ptr[0] == '\n')
			bytes = str_skip(bytes, 1);
		s->after_cr = false;
		size_t n = take_part(s, bytes);
		if (s->line.len > SSE_EVENT_BYTES_MAX ||
		    s->data.len > SSE_EVENT_BYTES_MAX - s->line.len || s->line.failed)
			return err_set(err, ERR_TOO_LARGE,
			    "an event of the stream has more than %d bytes",
			    (int)SSE_EVENT_BYTES_MAX);
		if (n == bytes.len)
			return ERR_OK;
		drop_mark(s);
		s->after_cr = bytes.ptr[n] == '\r';
		bytes = str_skip(bytes, n + 1);
		if (!end_line(s, each, ctx))
			return ERR_OK;
	}
	return ERR_OK;
}

void
sse_fini(struct sse *s)
{
	buf_fini(&s->line);
	buf_fini(&s->event);
	buf_fini(&s->data);
	*s = (struct sse){0};
}
