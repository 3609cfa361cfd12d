/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weir tail [spans|logs]`: what comes in, as it comes in, one line an item, until somebody has seen enough.
 *
 * A stream that ends, for the server stops or has gone, is asked for again and again; one that the server refuses, for the
 * key is no longer good, ends it. A server that cannot be reached at all ends it at once.
 */
#include "cli/cli_priv.h"

#include "base/timefmt.h"
#include "http/sse.h"

#include <jansson.h>
#include <stdlib.h>

enum {
	PAUSE_MS = 500,
	PAUSE_MS_MAX = 5000,
	SLICE_MS = 100,
	SERVICE_WIDTH = 14,
	DURATION_WIDTH = 9,
	SEVERITY_WIDTH = 5,
	ID_WIDTH = 32,
	TEXT_WIDTH_MIN = 24, /* below it the id of the trace goes */
	TEXT_BYTES_MAX = 4096,
	ERROR_BYTES_MAX = 1 << 20,
};

struct tailing {
	const struct cli_io *io;
	const struct cli_request *req;
	struct cli_style style;
	bool table, logs;

	uint64_t shown;
	struct sse sse;
	struct buf out;
	bool connected, away; /* it was connected once; and is not now, which was said */
	int failure; /* an exit code that ends it, or CLI_OK */
	char end_code[32], end_message[ERR_MESSAGE_BYTES]; /* what the server ended it with */
};

/* ---- a line */

static void
put_column(struct buf *out, const struct cli_style *style, struct str raw, size_t width,
    enum text_color color)
{
	struct buf clean = {0};
	text_clean(&clean, str_of(raw.ptr, text_head(raw, TEXT_BYTES_MAX)), style->utf8);
	text_color_on(out, style, color);
	size_t used = text_fit(out, buf_view(&clean), width, style->utf8);
	text_color_off(out, style, color);
	if (width != SIZE_MAX)
		text_spaces(out, width - used);
	buf_fini(&clean);
}

static void
put_time(struct buf *out, const struct tailing *t, uint64_t unix_ns)
{
	text_color_on(out, &t->style, COLOR_DIM);
	text_time(out, unix_ns, t->style.now_unix_ns);
	text_color_off(out, &t->style, COLOR_DIM);
	text_spaces(out, 2);
}

/* The last columns: a text in the room that is left, and the trace when there is room for it too. */
static void
put_rest(struct buf *out, const struct tailing *t, struct str text, enum text_color color,
    struct str trace_id, size_t used)
{
	size_t width = t->style.width;
	bool with_id =
	    trace_id.len > 0 && (width == 0 || width >= used + TEXT_WIDTH_MIN + 2 + ID_WIDTH);
	size_t room = width == 0 ? SIZE_MAX
	    : with_id            ? width - used - 2 - ID_WIDTH
	    : width > used       ? width - used
	                         : 1;
	put_column(out, &t->style, text, room, color);
	if (with_id) {
		text_spaces(out, 2);
		put_column(out, &t->style, trace_id, SIZE_MAX, COLOR_DIM);
	}
	while (out->len > 0 && out->ptr[out->len - 1] == ' ')
		out->len--;
	buf_char(out, '\n');
}

/* Columns before put_rest(): the time's, which has no other width while the day lasts, and the others. */
enum { TIME_WIDTH = 12 };

static void
put_span(struct buf *out, const struct tailing *t, const json_t *span)
{
	struct buf b = {0};
	bool error = cli_item_is(span, "status", "error");
	put_time(out, t, cli_item_u64(span, "start_time_unix_nano"));
	put_column(out, &t->style, cli_item_str(span, "service"), SERVICE_WIDTH, COLOR_CYAN);
	cli_item_duration(&b, span);
	size_t w = text_width(buf_view(&b));
	text_spaces(out, 2 + (w < DURATION_WIDTH ? DURATION_WIDTH - w : 0));
	buf_str(out, buf_view(&b));
	text_spaces(out, 2);
	buf_reset(&b);
	if (error)
		buf_str(&b, t->style.utf8 ? STR("✗ ") : STR("x "));
	buf_str(&b, cli_item_str(span, "operation"));
	put_rest(out, t, buf_view(&b), error ? COLOR_RED : COLOR_NONE,
	    cli_item_str(span, "trace_id"), TIME_WIDTH + SERVICE_WIDTH + DURATION_WIDTH + 6);
	buf_fini(&b);
}

static void
put_log(struct buf *out, const struct tailing *t, const json_t *log)
{
	struct buf b = {0};
	enum text_color color = cli_item_severity_color(log);
	bool unspecified = cli_item_is(log, "severity", "unspecified");
	put_time(out, t, cli_item_u64(log, "event_time_unix_nano"));
	put_column(out, &t->style, unspecified ? STR("-") : cli_item_str(log, "severity"),
	    SEVERITY_WIDTH, color);
	text_spaces(out, 2);
	put_column(out, &t->style, cli_item_str(log, "service"), SERVICE_WIDTH, COLOR_CYAN);
	text_spaces(out, 2);
	cli_item_log_text(&b, log);
	put_rest(out, t, buf_view(&b), color == COLOR_DIM ? COLOR_NONE : color,
	    cli_item_str(log, "trace_id"), TIME_WIDTH + SEVERITY_WIDTH + SERVICE_WIDTH + 6);
	buf_fini(&b);
}

/* ---- an event */

static void
say(const struct tailing *t, const char *text)
{
	struct err e = {0};
	(void)err_set(&e, ERR_UNAVAILABLE, "%s", text);
	(void)cli_fail(t->io, CLI_OK, &e);
}

static void
show_item(struct tailing *t, struct buf *data)
{
	struct err e = {0};
	if (!t->table) {
		struct cli_json_style style = cli_json_style_of(t->io, &t->style);
		style.pretty = false;
		if (cli_json_print(&t->out, buf_view(data), style, &e))
			t->failure = cli_fail(t->io, CLI_ERROR, &e);
		if (t->out.len > 0 && t->out.ptr[t->out.len - 1] != '\n')
			buf_char(&t->out, '\n');
		return;
	}
	json_t *item = cli_json_load(data);
	if (json_is_object(item))
		(t->logs ? put_log : put_span)(&t->out, t, item);
	else
		t->failure = cli_fail(t->io, CLI_ERROR,
		    (err_set(&e, ERR_CORRUPT, "the server sends what is no item"), &e));
	json_decref(item);
}

static void
flush_out(struct tailing *t)
{
	if (t->out.len > 0 && t->failure == CLI_OK)
		t->failure = cli_write_out(t->io, &t->out);
	buf_reset(&t->out);
}

static void
say_missed(struct tailing *t, struct buf *data)
{
	char text[160];
	json_t *missed = cli_json_load(data);
	unsigned long long count = cli_item_u64(missed, "count");
	bool exact = json_is_true(json_object_get(missed, "exact"));
	flush_out(t); /* it stands where they are missing */
	snprintf(text, sizeof text, "%s%llu missed: more came in than %s", exact ? "" : "up to ",
	    count, exact ? "is read here" : "the server could look at");
	say(t, text);
	json_decref(missed);
}

static void
keep_end(struct tailing *t, struct buf *data)
{
	json_t *end = cli_json_load(data);
	snprintf(t->end_code, sizeof t->end_code, "%.*s", STR_ARG(cli_item_str(end, "code")));
	snprintf(t->end_message, sizeof t->end_message, "%.*s",
	    STR_ARG(cli_item_str(end, "message")));
	json_decref(end);
}

static bool
take_event(void *ctx, struct str event, struct buf *data)
{
	struct tailing *t = ctx;
	if (str_eq(event, STR("missed"))) {
		say_missed(t, data);
	} else if (str_eq(event, STR("end"))) {
		keep_end(t, data);
		return false;
	} else if (str_eq(event, STR("span")) || str_eq(event, STR("log"))) {
		show_item(t, data);
		t->shown++;
	}
	return t->failure == CLI_OK && (t->req->count == 0 || t->shown < t->req->count);
}

static bool
is_over(const struct tailing *t)
{
	return t->failure != CLI_OK || (t->req->count > 0 && t->shown >= t->req->count);
}

static bool
take_bytes(void *ctx, struct str bytes)
{
	struct tailing *t = ctx;
	struct err e = {0};
	if (t->away)
		say(t,
		    t->logs
		        ? "connected again; what came in meanwhile is not shown: weir logs has it"
		        : "connected again; what came in meanwhile is not shown: weir traces has it");
	t->away = false;
	t->connected = true;
	t->style.now_unix_ns = t->io->wait(t->io->ctx, 0);
	if (sse_feed(&t->sse, bytes, take_event, t, &e))
		t->failure = cli_fail(t->io, CLI_ERROR, &e);
	flush_out(t);
	return !is_over(t) && t->end_code[0] == '\0';
}

/* ---- again and again */

static void
say_away(struct tailing *t, const char *why)
{
	char text[ERR_MESSAGE_BYTES + 40];
	if (!t->away) {
		snprintf(text, sizeof text, "%s; trying to connect again", why);
		say(t, text);
	}
	t->away = true;
}

static bool
can_pass(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/* It ended before it was to. True: it is worth another try. */
static bool
judge_end(struct tailing *t, enum err_code code, int status, struct buf *body, const struct err *e)
{
	struct err err = {0};
	bool refused = code == ERR_OK && status != 200;
	bool passes = t->end_code[0] == '\0' || strcmp(t->end_code, "unavailable") == 0;
	if (!t->connected || (refused && !can_pass(status)))
		t->failure =
		    refused ? cli_refused(t->io, t->req, status, body) : cli_unreachable(t->io, e);
	else if (!passes)
		t->failure = cli_fail(t->io, CLI_ERROR,
		    (err_set(&err, ERR_INVALID, "%s", t->end_message), &err));
	else
		say_away(t,
		    t->end_code[0]       ? t->end_message
		        : code != ERR_OK ? e->message
		                         : "the stream has ended");
	return t->failure == CLI_OK;
}

/* True: it is worth another try. */
static bool
follow_once(struct tailing *t)
{
	struct buf path, body;
	struct err e = {0};
	int status = 0;
	buf_init(&path, LIMIT_MIB);
	buf_init(&body, ERROR_BYTES_MAX);
	cli_build_path(&path, t->req, STR_EMPTY);
	t->end_code[0] = '\0';
	sse_fini(&t->sse);
	enum err_code code = path.failed ? err_set(&e, ERR_TOO_LARGE, "the options are too long")
	                                 : t->io->follow(t->io->ctx, &t->req->server,
	                                       buf_view(&path), take_bytes, t, &status, &body, &e);
	bool again =
	    !is_over(t) && !t->io->stopping(t->io->ctx) && judge_end(t, code, status, &body, &e);
	buf_fini(&path);
	buf_fini(&body);
	return again;
}

/* False: it is to stop. */
static bool
pause_for(const struct tailing *t, uint64_t ms)
{
	for (uint64_t waited = 0; waited < ms; waited += SLICE_MS) {
		if (t->io->stopping(t->io->ctx))
			return false;
		(void)t->io->wait(t->io->ctx, SLICE_MS * NS_PER_MS);
	}
	return true;
}

static int
follow(struct tailing *t)
{
	uint64_t pause_ms = PAUSE_MS;
	uint64_t shown = 0;
	while (follow_once(t) && pause_for(t, pause_ms)) {
		pause_ms = t->shown > shown ? PAUSE_MS : 2 * pause_ms;
		pause_ms = pause_ms > PAUSE_MS_MAX ? PAUSE_MS_MAX : pause_ms;
		shown = t->shown;
	}
	return t->failure;
}

/* ---- the command */

static const struct cli_verb verbs[] = {
    {.name = "tail spans", .row = "live_spans"},
    {.name = "tail logs", .row = "live_logs"},
    {.name = NULL},
};

static int
run(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req)
{
	struct tailing *t = xcalloc(1, sizeof(*t));
	t->io = io;
	t->req = req;
	t->logs = verb == &verbs[1];
	t->style = cli_style_of(io, req);
	t->table = cli_format_of(io, req) == FORMAT_TABLE;
	int exit_code = follow(t);
	sse_fini(&t->sse);
	buf_fini(&t->out);
	free(t);
	return exit_code;
}

const struct cli_group cli_tail = {.name = "tail",
    .help = "follow spans or log records as they come in",
    .about = "Spans, unless it says logs. Shown is what comes in from now on, once it is\n"
             "durable, and no repeats. A terminal gets a line for each item, a pipe a line of\n"
             "JSON. It goes on until Ctrl-C, or --count, and connects again when the server\n"
             "comes back. What is left out, for more comes in than is read, is counted on\n"
             "standard error.\n",
    .example = "weir tail -s checkout --status error",
    .section = OP_ASK,
    .verbs = verbs,
    .first_is_meant = true,
    .run = run};
