/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One span with all it has, for reading and copying:
 *
 *     span 00f067aa0ba902b7
 *       operation   GET /cart
 *       duration    1.25ms
 *     attributes
 *       http.route  /cart
 *     event exception (at 1.2ms)
 *       exception.message  declined
 *
 * Nothing is cut to the width of the terminal. Text of several lines (a stack trace) stands on as
 * many, below each other; what is longer than a screen can show is cut, and says so.
 */
#include "cli/cli_priv.h"
#include "cli/tree_draw.h"

#include <jansson.h>

enum { KEY_WIDTH_MAX = 40, VALUE_BYTES_MAX = 65536, VALUE_LINES_MAX = 200, ITEMS_MAX = 256 };

struct page {
	struct buf *out;
	const struct cli_style *style;
	size_t key_width; /* of the section being written */
};

static size_t
key_width(const struct page *p, struct str key)
{
	struct buf clean = {0};
	text_clean(&clean, key, p->style->utf8);
	size_t width = text_width(buf_view(&clean));
	buf_fini(&clean);
	return width;
}

static void
put_clean(struct page *p, struct str raw, enum text_color color)
{
	text_color_on(p->out, p->style, color);
	text_clean(p->out, raw, p->style->utf8);
	text_color_off(p->out, p->style, color);
}

static void
put_key(struct page *p, struct str key)
{
	size_t width = key_width(p, key);
	text_spaces(p->out, 2);
	put_clean(p, key, COLOR_DIM);
	text_spaces(p->out, 2 + (width < p->key_width ? p->key_width - width : 0));
}

static void
put_lines(struct page *p, struct str text, enum text_color color)
{
	size_t whole = text.len, lines = 0;
	text.len = text_head(text, VALUE_BYTES_MAX);
	while (text.len > 0 && lines++ < VALUE_LINES_MAX) {
		size_t end = str_find(text, '\n');
		put_clean(p, (struct str){text.ptr, end}, color);
		whole -= end + (end < text.len);
		text = str_skip(text, end + 1);
		if (text.len > 0)
			buf_char(p->out, '\n');
		if (text.len > 0)
			text_spaces(p->out, 2 + p->key_width + 2);
	}
	if (whole > 0)
		buf_printf(p->out, "... and %zu bytes more (-o json has all)", whole);
	buf_char(p->out, '\n');
}

static void
put_text(struct page *p, const char *key, struct str text, enum text_color color)
{
	if (text.len == 0)
		return;
	put_key(p, str_from(key));
	put_lines(p, text, color);
}

static void
put_buf(struct page *p, const char *key, struct buf *text, enum text_color color)
{
	put_text(p, key, buf_view(text), color);
	buf_fini(text);
}

/* ---- sections */

static void
put_title(struct page *p, const char *title, struct str more)
{
	text_color_on(p->out, p->style, COLOR_BOLD);
	buf_str(p->out, str_from(title));
	if (more.len > 0)
		buf_char(p->out, ' ');
	text_clean(p->out, more, p->style->utf8);
	text_color_off(p->out, p->style, COLOR_BOLD);
	buf_char(p->out, '\n');
}

static void
put_attributes(struct page *p, const json_t *attributes)
{
	const char *key;
	json_t *value;
	size_t found = 0;
	json_t *object = (json_t *)(uintptr_t)attributes;
	p->key_width = 0;
	json_object_foreach(object, key, value)
	{
		size_t width = key_width(p, str_from(key));
		if (width > p->key_width)
			p->key_width = width < KEY_WIDTH_MAX ? width : KEY_WIDTH_MAX;
	}
	json_object_foreach(object, key, value)
	{
		struct buf text = {0};
		if (++found > ITEMS_MAX)
			continue;
		cli_value_text(&text, value);
		put_key(p, str_from(key));
		put_lines(p, buf_view(&text), COLOR_NONE);
		buf_fini(&text);
	}
	if (found > ITEMS_MAX)
		buf_printf(p->out, "  and %zu more\n", found - ITEMS_MAX);
}

static void
put_section(struct page *p, const char *title, const json_t *owner, struct str more)
{
	const json_t *attributes = json_object_get(owner, "attributes");
	uint64_t dropped = cli_item_u64(owner, "dropped_attributes_count");
	if (json_object_size(attributes) == 0 && dropped == 0 && more.len == 0)
		return;
	put_title(p, title, more);
	put_attributes(p, attributes);
	if (dropped > 0)
		buf_printf(p->out, "  (%llu dropped by the sender)\n", (unsigned long long)dropped);
}

static void
put_events(struct page *p, const json_t *span)
{
	const json_t *events = json_object_get(span, "events");
	uint64_t start_ns = cli_item_u64(span, "start_time_unix_nano");
	for (size_t i = 0; i < json_array_size(events) && i < ITEMS_MAX; i++) {
		const json_t *event = json_array_get(events, i);
		uint64_t at_ns = cli_item_u64(event, "time_unix_nano");
		struct buf name = {0};
		buf_str(&name, cli_item_str(event, "name"));
		buf_str(&name, STR(" (at "));
		text_duration(&name,
		    at_ns >= start_ns ? (double)(at_ns - start_ns) : -(double)(start_ns - at_ns));
		buf_char(&name, ')');
		put_section(p, "event", event, buf_view(&name));
		buf_fini(&name);
	}
	if (json_array_size(events) > ITEMS_MAX)
		buf_printf(p->out, "and %zu more events\n", json_array_size(events) - ITEMS_MAX);
	if (cli_item_u64(span, "dropped_events_count") > 0)
		buf_printf(p->out, "(%llu events dropped by the sender)\n",
		    (unsigned long long)cli_item_u64(span, "dropped_events_count"));
}

static void
put_links(struct page *p, const json_t *span)
{
	const json_t *links = json_object_get(span, "links");
	for (size_t i = 0; i < json_array_size(links) && i < ITEMS_MAX; i++) {
		const json_t *link = json_array_get(links, i);
		struct buf to = {0};
		buf_str(&to, STR("to span "));
		buf_str(&to, cli_item_str(link, "span_id"));
		buf_str(&to, STR(" of trace "));
		buf_str(&to, cli_item_str(link, "trace_id"));
		put_section(p, "link", link, buf_view(&to));
		buf_fini(&to);
	}
	if (json_array_size(links) > ITEMS_MAX)
		buf_printf(p->out, "and %zu more links\n", json_array_size(links) - ITEMS_MAX);
	if (cli_item_u64(span, "dropped_links_count") > 0)
		buf_printf(p->out, "(%llu links dropped by the sender)\n",
		    (unsigned long long)cli_item_u64(span, "dropped_links_count"));
}

/* ---- the span itself */

static void
put_times(struct page *p, const json_t *span)
{
	struct buf text = {0};
	buf_str(&text, cli_item_str(span, "start_time"));
	buf_str(&text, STR(" ("));
	text_age(&text, cli_item_u64(span, "start_time_unix_nano"), p->style->now_unix_ns);
	buf_char(&text, ')');
	put_buf(p, "start", &text, COLOR_NONE);
	if (!cli_item_has_no_end(span))
		put_text(p, "end", cli_item_str(span, "end_time"), COLOR_NONE);
	cli_item_duration(&text, span);
	put_buf(p, "duration", &text, COLOR_NONE);
}

static void
put_status(struct page *p, const json_t *span)
{
	struct buf text = {0};
	struct str message = cli_item_str(span, "status_message");
	cli_value_text(&text, json_object_get(span, "status"));
	if (message.len > 0)
		buf_str(&text, STR(": "));
	buf_str(&text, message);
	put_buf(p, "status", &text, cli_item_is(span, "status", "error") ? COLOR_RED : COLOR_NONE);
}

void
cli_draw_span(struct buf *out, const json_t *span, const struct cli_style *style)
{
	struct page p = {.out = out, .style = style, .key_width = 11}; /* "trace state" */
	const json_t *resource = json_object_get(span, "resource");
	const json_t *scope = json_object_get(span, "scope");
	struct buf text = {0};
	put_title(&p, "span", cli_item_str(span, "span_id"));
	put_text(&p, "trace", cli_item_str(span, "trace_id"), COLOR_NONE);
	put_text(&p, "parent", cli_item_str(span, "parent_span_id"), COLOR_NONE);
	put_text(&p, "service", cli_item_str(span, "service"), COLOR_CYAN);
	put_text(&p, "operation", cli_item_str(span, "operation"), COLOR_NONE);
	cli_value_text(&text, json_object_get(span, "kind"));
	put_buf(&p, "kind", &text, COLOR_NONE);
	put_times(&p, span);
	put_status(&p, span);
	put_text(&p, "trace state", cli_item_str(span, "trace_state"), COLOR_NONE);
	buf_printf(&text, "%llu", (unsigned long long)cli_item_u64(span, "flags"));
	put_buf(&p, "flags", &text, COLOR_NONE);
	put_section(&p, "attributes", span, STR_EMPTY);
	put_events(&p, span);
	put_links(&p, span);
	buf_str(&text, cli_item_str(scope, "name"));
	if (cli_item_str(scope, "version").len > 0)
		buf_char(&text, ' ');
	buf_str(&text, cli_item_str(scope, "version"));
	put_section(&p, "scope", scope, buf_view(&text));
	buf_fini(&text);
	put_section(&p, "resource", resource, STR_EMPTY);
}
