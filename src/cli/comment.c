/* SPDX-License-Identifier: Apache-2.0 */
/* `weir comment add | list`: what people and programs have to say about traces. */
#include "cli/cli_priv.h"

#include "cli/cell.h"

#include <jansson.h>
#include <stdlib.h>

static const struct cli_verb verbs[] = {
    {.name = "comment add", .row = "comment_add"},
    {.name = "comment list",
        .row = "comments",
        .row_of_word = "trace_comments",
        .arguments = "[TRACE_ID]"},
    {.name = NULL},
};

/* ---- the table */

static void
comment_age(struct table_text *t, const json_t *item)
{
	cell_age(t, item, "created_unix_nano");
}

static void
comment_author(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "author", COLOR_CYAN);
}

static void
comment_body(struct table_text *t, const json_t *item)
{
	table_cell(t, cli_item_str(item, "body"), COLOR_NONE); /* all of it */
}

static void
comment_span(struct table_text *t, const json_t *item)
{
	struct str s = cli_item_str(item, "span_id");
	table_cell(t, s, COLOR_DIM);
}

static void
comment_trace(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "trace_id", COLOR_DIM);
}

const struct table_column cli_comment_columns[] = {
    {.title = "AGE", .keep = 60, .right = true, .cell = comment_age},
    {.title = "AUTHOR",
        .keep = 70,
        .want = 16,
        .width_min = 8,
        .param = "author",
        .cell = comment_author},
    {.title = "COMMENT", .keep = 90, .want = 60, .width_min = 20, .cell = comment_body},
    {.title = "SPAN", .keep = 40, .below = BELOW_ALWAYS, .param = "span_id", .cell = comment_span},
    {.title = "TRACE",
        .keep = 50,
        .below = BELOW_ALWAYS,
        .param = "trace_id",
        .cell = comment_trace},
    {.title = NULL},
};

/* ---- adding one */

/* For people: where it is, as who. */
static enum err_code
put_added(struct buf *out, const json_t *comment, const struct cli_style *style, struct err *err)
{
	(void)err;
	static const char *const parts[][2] = {{"comment ", "id"}, {" by ", "author"},
	    {" on trace ", "trace_id"}, {", span ", "span_id"}};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct str s = cli_item_str(comment, parts[i][1]);
		if (s.len == 0)
			continue;
		buf_str(out, str_from(parts[i][0]));
		text_clean(out, s, style->utf8);
	}
	buf_char(out, '\n');
	return ERR_OK;
}

static const struct cli_thing added = {.member = "comment",
    .sign = "id",
    .name = "comment",
    .draw = put_added};

static void
add_default_author(const struct cli_io *io, struct cli_request *req)
{
	const char *author = io->env("WEIR_AUTHOR");
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, STR("author")))
			return;
	if (author && *author && req->value_count < CLI_VALUES_MAX)
		req->values[req->value_count++] =
		    (struct op_value){STR("author"), str_from(author)};
}

static int
ask_add(const struct cli_io *io, struct cli_request *req)
{
	add_default_author(io, req);
	return cli_ask_thing(io, req, &added);
}

static int
run(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req)
{
	return verb == &verbs[0] ? ask_add(io, req) : cli_ask(io, req);
}

const struct cli_group cli_comment = {.name = "comment",
    .help = "comment on a trace, list comments",
    .about = "What people and programs have to say about traces and spans. A trace's comments\n"
             "come oldest first, those of all traces newest first. They are there for good:\n"
             "--retain comments=365d of the server says for how long. Who says it is --author,\n"
             "or $WEIR_AUTHOR, or the name of the key, or anonymous.\n",
    .example = "weir comment add 4bf92f3577b34da6a3ce929d0e0e4736 'retries hide the cause'",
    .section = OP_CHANGE,
    .verbs = verbs,
    .run = run};
