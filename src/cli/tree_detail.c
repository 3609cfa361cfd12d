/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands below the line of a span. Each piece is a line of its own, cut to the width; of each
 * kind only so many are shown, and how many more there are is said.
 */
#include "cli/tree_draw.h"

#include "base/bits.h"

#include <jansson.h>
#include <stdlib.h>

enum { EXCEPTIONS_MAX = 3, ATTRIBUTES_MAX = 64, EVENTS_MAX = 16, VALUE_BYTES_MAX = 1024 };

static struct tree_line
detail_line(struct tree_drawing *d, const struct tree_span *s, size_t depth)
{
	struct tree_line l = {d, d->width};
	tree_put_passing(&l, depth < d->levels ? depth : d->levels);
	bool goes_on = s->first_child != SIZE_MAX && depth < d->levels;
	tree_put(&l, str_from(goes_on ? tree_glyph(d, "│  ", "|  ") : "   "), COLOR_DIM);
	return l;
}

/* "and 12 more exceptions" */
static void
put_more(struct tree_drawing *d, const struct tree_span *s, size_t depth, size_t count,
    const char *noun)
{
	char text[64];
	if (count == 0)
		return;
	int n = snprintf(text, sizeof text, "and %zu more %s", count, noun);
	struct tree_line l = detail_line(d, s, depth);
	tree_put(&l, str_of(text, (size_t)n), COLOR_DIM);
	tree_end_line(d->out);
}

static void
put_status_message(struct tree_drawing *d, const struct tree_span *s, size_t depth)
{
	struct str message = cli_item_str(s->item, "status_message");
	if (message.len == 0 || !cli_item_is(s->item, "status", "error"))
		return;
	struct tree_line l = detail_line(d, s, depth);
	tree_put(&l, str_from(tree_glyph(d, "✗ ", "x ")), COLOR_RED);
	tree_put_raw(&l, message, COLOR_RED);
	tree_end_line(d->out);
}

/* " (at 12.5ms)": since the span's start. */
static void
offset_text(struct buf *out, const struct tree_span *s, uint64_t at_ns)
{
	bool after = at_ns >= s->start_ns;
	buf_str(out, STR(" (at "));
	text_duration(out, after ? (double)(at_ns - s->start_ns) : -(double)(s->start_ns - at_ns));
	buf_char(out, ')');
}

/* The end of a line, kept free of what is cut off before it. */
static size_t
keep_room(struct tree_line *l, struct str end)
{
	size_t kept = l->room > end.len + 10 ? end.len : 0;
	l->room -= kept;
	return kept;
}

/* ---- events */

/* Does it fit behind the type, or would the line show little of it? */
static bool
fits_one_line(struct tree_drawing *d, size_t room, struct str type, struct str message)
{
	buf_reset(&d->scratch);
	text_clean(&d->scratch, str_of(type.ptr, text_head(type, room * 4)), d->style->utf8);
	buf_str(&d->scratch, STR(": "));
	text_clean(&d->scratch, str_of(message.ptr, text_head(message, room * 4)), d->style->utf8);
	return text_width(buf_view(&d->scratch)) <= room;
}

static void
put_exception(struct tree_drawing *d, const struct tree_span *s, size_t depth, const json_t *event)
{
	const json_t *attributes = json_object_get(event, "attributes");
	struct str type = cli_item_str(attributes, "exception.type");
	struct str message = cli_item_str(attributes, "exception.message");
	struct buf offset = {0};
	offset_text(&offset, s, cli_item_u64(event, "time_unix_nano"));
	type = type.len > 0 ? type : STR("exception");

	struct tree_line l = detail_line(d, s, depth);
	tree_put(&l, STR("! "), COLOR_YELLOW);
	size_t kept = keep_room(&l, buf_view(&offset));
	bool together = fits_one_line(d, l.room, type, message);
	tree_put_raw(&l, type, COLOR_YELLOW);
	if (together && message.len > 0) {
		tree_put(&l, STR(": "), COLOR_YELLOW);
		tree_put_raw(&l, message, COLOR_NONE);
	}
	l.room += kept;
	tree_put(&l, buf_view(&offset), COLOR_DIM);
	tree_end_line(d->out);
	if (!together && message.len > 0) {
		l = detail_line(d, s, depth);
		tree_put(&l, STR("  "), COLOR_NONE);
		tree_put_raw(&l, message, COLOR_NONE);
		tree_end_line(d->out);
	}
	buf_fini(&offset);
}

static void
put_event(struct tree_drawing *d, const struct tree_span *s, size_t depth, const json_t *event)
{
	struct buf offset = {0};
	offset_text(&offset, s, cli_item_u64(event, "time_unix_nano"));
	struct tree_line l = detail_line(d, s, depth);
	tree_put(&l, str_from(tree_glyph(d, "• ", "* ")), COLOR_DIM);
	size_t kept = keep_room(&l, buf_view(&offset));
	tree_put_raw(&l, cli_item_str(event, "name"), COLOR_NONE);
	l.room += kept;
	tree_put(&l, buf_view(&offset), COLOR_DIM);
	tree_end_line(d->out);
	buf_fini(&offset);
}

static void
put_events(struct tree_drawing *d, const struct tree_span *s, size_t depth, bool exceptions)
{
	const json_t *events = json_object_get(s->item, "events");
	size_t found = 0, max = exceptions ? EXCEPTIONS_MAX : EVENTS_MAX;
	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);
		if (cli_item_is(event, "name", "exception") != exceptions || ++found > max)
			continue;
		if (exceptions)
			put_exception(d, s, depth, event);
		else
			put_event(d, s, depth, event);
	}
	put_more(d, s, depth, found > max ? found - max : 0, exceptions ? "exceptions" : "events");
}

/* ---- attributes */

static void
put_attributes(struct tree_drawing *d, const struct tree_span *s, size_t depth)
{
	const json_t *attributes = json_object_get(s->item, "attributes");
	const char *key;
	json_t *value;
	size_t found = 0;
	json_object_foreach((json_t *)(uintptr_t)attributes, key, value)
	{
		struct buf text = {0};
		if (++found > ATTRIBUTES_MAX)
			continue;
		cli_value_text(&text, value);
		text.len = text_head(buf_view(&text), VALUE_BYTES_MAX);
		struct tree_line l = detail_line(d, s, depth);
		tree_put_raw(&l, str_from(key), COLOR_DIM);
		tree_put(&l, STR("="), COLOR_DIM);
		tree_put_raw(&l, buf_view(&text), COLOR_DIM);
		tree_end_line(d->out);
		buf_fini(&text);
	}
	put_more(d, s, depth, found > ATTRIBUTES_MAX ? found - ATTRIBUTES_MAX : 0, "attributes");
}

/* ---- log records */

static uint64_t
span_id_of(const json_t *item)
{
	uint64_t id = 0;
	struct str hex = cli_item_str(item, "span_id");
	return hex_to_u64(hex.ptr, hex.len, &id) ? id : 0;
}

void
tree_logs_init(struct tree_logs *logs, const json_t *items)
{
	*logs = (struct tree_logs){.items = items, .count = json_array_size(items)};
	logs->next = xcalloc(logs->count + 1, sizeof *logs->next);
	/* The last one put is the oldest: each goes before the newer ones. */
	for (size_t i = 0; i < logs->count; i++) {
		uint64_t id = span_id_of(json_array_get(items, i));
		const uint64_t *head = map_get(&logs->by_span, id);
		logs->next[i] = head ? (size_t)*head : SIZE_MAX;
		bool put = map_put(&logs->by_span, id, i);
		CHECK(put);
	}
}

void
tree_logs_fini(struct tree_logs *logs)
{
	map_fini(&logs->by_span);
	free(logs->next);
	*logs = (struct tree_logs){0};
}

static void
put_log(struct tree_line *l, const json_t *log, struct str offset)
{
	struct buf text = {0};
	struct str severity = cli_item_str(log, "severity");
	enum text_color color = cli_item_severity_color(log);
	cli_item_log_text(&text, log);
	tree_put_raw(l, severity.len > 0 ? severity : STR("log"), color);
	tree_put(l, STR(" "), COLOR_NONE);
	size_t kept = keep_room(l, offset);
	tree_put_raw(l, buf_view(&text), color == COLOR_RED ? COLOR_RED : COLOR_NONE);
	l->room += kept;
	tree_put(l, offset, COLOR_DIM);
	tree_end_line(l->d->out);
	buf_fini(&text);
}

static void
put_logs(struct tree_drawing *d, const struct tree_span *s, size_t depth)
{
	uint64_t *head = map_get(&d->logs.by_span, span_id_of(s->item));
	size_t i = head && span_id_of(s->item) != 0 ? (size_t)*head : SIZE_MAX;
	for (; i != SIZE_MAX; i = d->logs.next[i]) {
		const json_t *log = json_array_get(d->logs.items, i);
		struct buf offset = {0};
		offset_text(&offset, s, cli_item_u64(log, "event_time_unix_nano"));
		struct tree_line l = detail_line(d, s, depth);
		tree_put(&l, str_from(tree_glyph(d, "› ", "> ")), COLOR_DIM);
		put_log(&l, log, buf_view(&offset));
		buf_fini(&offset);
		d->logs.drawn_count++;
		*head = SIZE_MAX; /* not again below another span with this id */
	}
}

void
tree_put_other_logs(struct tree_drawing *d)
{
	if (d->logs.drawn_count == d->logs.count)
		return;
	struct tree_line l = {d, d->width};
	buf_char(d->out, '\n');
	tree_put(&l, STR("log records of no span shown here:"), COLOR_YELLOW);
	tree_end_line(d->out);
	for (size_t i = d->logs.count; i-- > 0;) {
		const json_t *log = json_array_get(d->logs.items, i);
		const uint64_t *head = map_get(&d->logs.by_span, span_id_of(log));
		if (*head == SIZE_MAX)
			continue; /* drawn */
		struct buf time = {0};
		text_time(&time, cli_item_u64(log, "event_time_unix_nano"), d->style->now_unix_ns);
		buf_char(&time, ' ');
		l.room = d->width;
		tree_put(&l, buf_view(&time), COLOR_DIM);
		put_log(&l, log, STR_EMPTY);
		buf_fini(&time);
	}
}

/* ---- comments */

void
tree_comments_init(struct tree_comments *comments, const json_t *items)
{
	*comments = (struct tree_comments){.items = items, .count = json_array_size(items)};
	comments->drawn = xcalloc(comments->count + 1, sizeof *comments->drawn);
}

void
tree_comments_fini(struct tree_comments *comments)
{
	free(comments->drawn);
	*comments = (struct tree_comments){0};
}

/* "# ada: retries hide the cause (5m ago)" */
static void
put_comment(struct tree_line *l, const json_t *comment)
{
	struct buf age = {0};
	buf_str(&age, STR(" ("));
	text_age(&age, cli_item_u64(comment, "created_unix_nano"), l->d->style->now_unix_ns);
	buf_char(&age, ')');
	tree_put(l, STR("# "), COLOR_YELLOW);
	size_t kept = keep_room(l, buf_view(&age));
	tree_put_raw(l, cli_item_str(comment, "author"), COLOR_CYAN);
	tree_put(l, STR(": "), COLOR_NONE);
	tree_put_raw(l, cli_item_str(comment, "body"), COLOR_NONE);
	l->room += kept;
	tree_put(l, buf_view(&age), COLOR_DIM);
	tree_end_line(l->d->out);
	buf_fini(&age);
}

static void
put_comments(struct tree_drawing *d, const struct tree_span *s, size_t depth)
{
	uint64_t id = span_id_of(s->item);
	for (size_t i = 0; i < d->comments.count && id != 0; i++) {
		const json_t *comment = json_array_get(d->comments.items, i);
		if (d->comments.drawn[i] || span_id_of(comment) != id)
			continue;
		struct tree_line l = detail_line(d, s, depth);
		put_comment(&l, comment);
		d->comments.drawn[i] = true;
	}
}

void
tree_put_other_comments(struct tree_drawing *d)
{
	bool any = false;
	for (size_t i = 0; i < d->comments.count; i++) {
		const json_t *comment = json_array_get(d->comments.items, i);
		struct tree_line l = {d, d->width};
		if (d->comments.drawn[i])
			continue;
		if (!any)
			buf_char(d->out, '\n');
		any = true;
		put_comment(&l, comment);
	}
}

void
tree_put_details(struct tree_drawing *d, const struct tree_span *s, size_t depth)
{
	put_status_message(d, s, depth);
	put_events(d, s, depth, true);
	if (d->verbose) {
		put_attributes(d, s, depth);
		put_events(d, s, depth, false);
	}
	put_logs(d, s, depth);
	put_comments(d, s, depth);
}
