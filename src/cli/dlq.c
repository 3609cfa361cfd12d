/* SPDX-License-Identifier: Apache-2.0 */
/* `weir dlq list | show | retry | drop`: dead letters, over REST. */
#include "cli/cli_priv.h"

#include "cli/cell.h"

#include "base/arena.h"

#include <jansson.h>
#include <stdlib.h>

#define DLQ_PATH "/api/v1/dlq"

#define PARAM_ID {.name = "id", .type = OP_TEXT, .in_path = true, .help = "as list shows it"}
#define PARAM_STATE                                                                                \
	{.name = "state",                                                                          \
	    .type = OP_ENUM,                                                                       \
	    .choices = "waiting|running|quarantined|unreadable",                                   \
	    .help = "is in this state"}
#define PARAM_CURSOR {.name = "cursor", .type = OP_CURSOR, .help = "the page behind"}

static const struct op_param list_params[] = {
    PARAM_STATE,
    {.name = "limit",
        .type = OP_INT,
        .results = true,
        .help = "at most so many (1 to --max-results of the server)",
        .fallback = "100"},
    PARAM_CURSOR,
    {.name = NULL},
};
static const struct op_param show_params[] = {
    PARAM_ID,
    {.name = "request",
        .type = OP_BOOL,
        .help = "with the request; =false leaves it out",
        .fallback = "true"},
    {.name = NULL},
};
static const struct op_param one_params[] = {PARAM_ID, {.name = NULL}};
static const struct op_param all_params[] = {
    {.name = "state",
        .type = OP_ENUM,
        .choices = "waiting|running|quarantined|unreadable",
        .help = "of --all: is in this state",
        .fallback = "quarantined"},
    {.name = NULL},
};

static const struct op retry_all = {.name = "dlq retry",
    .path = DLQ_PATH "/retry",
    .help = "try all again",
    .params = all_params};
static const struct op drop_all = {.name = "dlq drop",
    .path = DLQ_PATH,
    .help = "delete all",
    .params = all_params};

static const struct cli_verb verbs[] = {
    {.name = "dlq list",
        .op = {.name = "dlq list",
            .path = DLQ_PATH,
            .help = "list dead letters",
            .example = "weir dlq list --state quarantined",
            .list = "letters",
            .params = list_params}},
    {.name = "dlq show",
        .op = {.name = "dlq show",
            .path = DLQ_PATH "/{id}",
            .help = "show a dead letter, with the request in it",
            .example = "weir dlq show 000000000000002a-0 --request=false",
            .params = show_params}},
    {.name = "dlq retry",
        .method = "POST",
        .arguments = "ID | --all",
        .all = &retry_all,
        .done = "retried",
        .op = {.name = "dlq retry",
            .path = DLQ_PATH "/{id}/retry",
            .help = "try a dead letter again, or all",
            .example = "weir dlq retry --all",
            .params = one_params}},
    {.name = "dlq drop",
        .method = "DELETE",
        .arguments = "ID | --all",
        .all = &drop_all,
        .done = "dropped",
        .asks = true,
        .undone = "nothing was deleted",
        .op = {.name = "dlq drop",
            .path = DLQ_PATH "/{id}",
            .help = "delete a dead letter for good, or all",
            .example = "weir dlq drop 000000000000002a-0",
            .params = one_params}},
    {.name = NULL},
};

/* ---- the table */

static void
letter_time(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	uint64_t at = cli_item_u64(item, key);
	if (at > 0)
		text_age(&b, at, t->style->now_unix_ns);
	else
		buf_char(&b, '-');
	cell_buf(t, &b, COLOR_DIM);
}

static void
letter_id(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "id", COLOR_NONE);
}

static void
letter_state(struct table_text *t, const json_t *item)
{
	bool bad =
	    cli_item_is(item, "state", "quarantined") || cli_item_is(item, "state", "unreadable");
	cell_text_or_dash(t, item, "state", bad ? COLOR_RED : COLOR_YELLOW);
}

static void
letter_age(struct table_text *t, const json_t *item)
{
	letter_time(t, item, "created_unix_nano");
}

static void
letter_next(struct table_text *t, const json_t *item)
{
	letter_time(t, item, "next_attempt_unix_nano");
}

static void
letter_tenant(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "tenant", COLOR_CYAN);
}

static void
letter_signal(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "signal", COLOR_NONE);
}

static void
letter_number(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	if (json_is_null(json_object_get(item, key)))
		buf_char(&b, '-');
	else
		buf_u64(&b, cli_item_u64(item, key));
	cell_buf(t, &b, COLOR_NONE);
}

static void
letter_items(struct table_text *t, const json_t *item)
{
	letter_number(t, item, "item_count");
}

static void
letter_attempts(struct table_text *t, const json_t *item)
{
	letter_number(t, item, "attempts");
}

static void
letter_error(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "error", COLOR_NONE);
}

const struct table_column cli_dlq_columns[] = {
    {.title = "ID", .keep = 95, .cell = letter_id},
    {.title = "STATE", .keep = 70, .param = "state", .cell = letter_state},
    {.title = "AGE", .keep = 30, .right = true, .cell = letter_age},
    {.title = "TENANT", .keep = 35, .want = 8, .cell = letter_tenant},
    {.title = "SIGNAL", .keep = 25, .cell = letter_signal},
    {.title = "ITEMS", .keep = 20, .right = true, .cell = letter_items},
    {.title = "TRIES", .keep = 22, .right = true, .cell = letter_attempts},
    {.title = "NEXT", .keep = 15, .right = true, .cell = letter_next},
    {.title = "ERROR", .keep = 50, .want = 32, .below = BELOW_ALWAYS, .cell = letter_error},
    {.title = NULL},
};

/* ---- one letter */

static void
put_field(struct buf *out, const char *key, const json_t *value, const struct cli_style *style)
{
	struct buf raw = {0};
	cli_value_text(&raw, value);
	raw.len = text_head(buf_view(&raw), CELL_BYTES_MAX);
	text_color_on(out, style, COLOR_DIM);
	buf_printf(out, "%-14s", key);
	text_color_off(out, style, COLOR_DIM);
	text_clean(out, buf_view(&raw), style->utf8);
	buf_char(out, '\n');
	buf_fini(&raw);
}

static enum err_code
put_letter(struct buf *out, const json_t *letter, const struct cli_style *style, struct err *err)
{
	static const char *const keys[] = {"id", "state", "tenant", "signal", "seq", "item_first",
	    "item_count", "identity", "attempts", "created", "last_attempt", "next_attempt",
	    "bytes", "error", "request_base64"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *value = json_object_get(letter, keys[i]);
		if (value && !json_is_null(value))
			put_field(out, keys[i], value, style);
	}
	char *request = json_dumps(json_object_get(letter, "request"), JSON_ENCODE_ANY);
	if (!request)
		return ERR_OK;
	buf_char(out, '\n');
	struct cli_json_style json_style = {.pretty = true, .safe = true, .color = style->color};
	enum err_code code = cli_json_print(out, str_from(request), json_style, err);
	free(request);
	return code;
}

static const struct cli_thing letter = {.sign = "id", .name = "dead letter", .draw = put_letter};

/* ---- changes */

/* What has been done, for people or as JSON. */
static int
say_done(const struct cli_io *io, const struct cli_request *req, const char *done, uint64_t count,
    uint64_t skipped)
{
	struct buf out = {0};
	unsigned long long n = count, m = skipped;
	if (cli_format_of(io, req) != FORMAT_TABLE)
		buf_printf(&out, "{\"%s\":%llu,\"skipped\":%llu}\n", done, n, m);
	else if (skipped > 0)
		buf_printf(&out, "%s %llu, skipped %llu (running, unreadable or gone)\n", done, n,
		    m);
	else
		buf_printf(&out, "%s %llu\n", done, n);
	int exit_code = cli_write_out(io, &out);
	buf_fini(&out);
	return exit_code;
}

static int
ask_one(const struct cli_io *io, const struct cli_request *req, const struct cli_verb *verb)
{
	struct buf body;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(io, req, STR_EMPTY, &body);
	if (exit_code == CLI_OK)
		exit_code = cli_format_of(io, req) == FORMAT_TABLE
		    ? say_done(io, req, verb->done, 1, 0)
		    : cli_show_thing(io, req, &letter, &body);
	buf_fini(&body);
	return exit_code;
}

/* One piece of the work; the server says how to go on. */
static int
ask_piece(const struct cli_io *io, const struct cli_request *req, const char *done,
    struct buf *cursor, uint64_t *count, uint64_t *skipped)
{
	struct err e = {0};
	struct buf body;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(io, req, buf_view(cursor), &body);
	json_t *answer = exit_code == CLI_OK ? cli_json_load(&body) : NULL;
	struct str next = cli_item_str(answer, "next_cursor");
	if (exit_code == CLI_OK && !json_object_get(answer, done))
		exit_code = cli_fail(io, CLI_ERROR,
		    (err_set(&e, ERR_CORRUPT, "the server's answer does not say what it did"), &e));
	if (exit_code == CLI_OK && next.len > 0 && str_eq(next, buf_view(cursor)))
		exit_code = cli_fail(io, CLI_ERROR,
		    (err_set(&e, ERR_CORRUPT, "the server does the same again and again"), &e));
	*count += cli_item_u64(answer, done);
	*skipped += cli_item_u64(answer, "skipped");
	buf_reset(cursor);
	buf_str(cursor, next);
	json_decref(answer);
	buf_fini(&body);
	return exit_code;
}

static int
ask_all(const struct cli_io *io, const struct cli_request *req, const struct cli_verb *verb)
{
	struct buf cursor = {0};
	uint64_t count = 0, skipped = 0;
	int exit_code;
	do
		exit_code = ask_piece(io, req, verb->done, &cursor, &count, &skipped);
	while (exit_code == CLI_OK && cursor.len > 0);
	buf_fini(&cursor);
	if (exit_code != CLI_OK && count == 0)
		return exit_code;
	int said = say_done(io, req, verb->done, count, skipped);
	return exit_code != CLI_OK ? exit_code : said;
}

/* ---- the command line */

static struct str
given(const struct cli_request *req, const char *param)
{
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, str_from(param)))
			return req->values[i].value;
	return STR_EMPTY;
}

static bool
is_meant(const struct cli_io *io, const struct cli_verb *verb, const struct cli_request *req)
{
	char question[120];
	struct str state = given(req, "state"), id = given(req, "id");
	if (req->each)
		snprintf(question, sizeof(question),
		    "delete all %.*s dead letters for good? [y/N] ", STR_ARG(state));
	else
		snprintf(question, sizeof(question), "delete %.*s for good? [y/N] ", STR_ARG(id));
	return cli_verb_is_meant(io, verb, req, question);
}

static enum err_code
check(const struct cli_verb *verb, const struct cli_request *req, struct err *err)
{
	(void)verb;
	return cli_check_id(req, "a dead letter", err);
}

static int
run(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req)
{
	if (req->each && given(req, "state").len == 0)
		req->values[req->value_count++] =
		    (struct op_value){STR("state"), STR("quarantined")};
	if (!is_meant(io, verb, req))
		return CLI_ERROR;
	if (req->each)
		return ask_all(io, req, verb);
	if (verb->done)
		return ask_one(io, req, verb);
	return cli_positional(req->op) ? cli_ask_thing(io, req, &letter) : cli_ask(io, req);
}

const struct cli_group cli_dlq = {.name = "dlq",
    .help = "list, show, retry or drop what could not be stored",
    .about = "Dead letters: what was acknowledged and could not be stored. A letter is tried\n"
             "again by itself, after longer and longer pauses. After the last attempt it is\n"
             "quarantined until you retry or drop it.\n",
    .example = "weir dlq list --state quarantined",
    .section = OP_ADMINISTRATE,
    .verbs = verbs,
    .check = check,
    .run = run};
