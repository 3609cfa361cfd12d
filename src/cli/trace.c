/* SPDX-License-Identifier: Apache-2.0 */
/* `weir trace`: the tree, with log records from a second request; or one span of it. */
#include "cli/cli_priv.h"
#include "cli/tree_draw.h"

#include <jansson.h>

/* As many log records as are asked for and drawn. */
#define LOGS_MAX "1000"

static enum cli_format
format_of(const struct cli_io *io, const struct cli_request *req)
{
	/* Who asks for more in the tree wants to see the tree, in a pager too. */
	if (req->format == FORMAT_AUTO && (req->verbose || req->logs))
		return FORMAT_TABLE;
	return cli_format_of(io, req);
}

static struct str
trace_id_of(const struct cli_request *req)
{
	const struct op_param *param = cli_positional(req->op);
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, str_from(param->name)))
			return req->values[i].value;
	return STR_EMPTY;
}

/* ---- the tree */

static int
fetch_logs(const struct cli_io *io, const struct cli_request *req, struct buf *body)
{
	struct cli_request logs = {.op = ops_find_name(STR("logs")), .server = req->server};
	CHECK(logs.op != NULL);
	logs.values[logs.value_count++] = (struct op_value){STR("trace_id"), trace_id_of(req)};
	logs.values[logs.value_count++] = (struct op_value){STR("limit"), STR(LOGS_MAX)};
	return cli_fetch(io, &logs, STR_EMPTY, body);
}

/* What somebody has said of it. A server that has no comments is no reason not to show the trace. */
static void
fetch_comments(const struct cli_io *io, const struct cli_request *req, struct buf *body)
{
	struct buf path = {0};
	struct err ignored;
	int status = 0;
	buf_printf(&path, "/api/v1/traces/%.*s/comments", STR_ARG(trace_id_of(req)));
	if (io->get(io->ctx, &req->server, buf_view(&path), &status, body, &ignored) != ERR_OK ||
	    status != 200)
		buf_reset(body);
	buf_fini(&path);
}

static int
show_tree(const struct cli_io *io, const struct cli_request *req, struct buf *body,
    struct buf *logs_body, struct buf *comments_body)
{
	struct err e = {0};
	struct buf out = {0};
	json_t *answer = cli_json_load(body), *logs = cli_json_load(logs_body);
	json_t *comments = cli_json_load(comments_body);
	struct cli_style style = cli_style_of(io, req);
	int exit_code = CLI_OK;
	if (!json_is_array(json_object_get(answer, "spans"))) {
		err_set(&e, ERR_CORRUPT, "the server's answer has no list of spans");
		exit_code = cli_fail(io, CLI_ERROR, &e);
	} else {
		cli_draw_tree(&out, answer, logs, comments, req->verbose, &style);
		exit_code = cli_write_out(io, &out);
	}
	json_decref(answer);
	json_decref(logs);
	json_decref(comments);
	buf_fini(&out);
	return exit_code;
}

static int
ask_tree(const struct cli_io *io, const struct cli_request *req, struct buf *body)
{
	struct buf logs, comments;
	buf_init(&logs, body->bytes_max);
	buf_init(&comments, body->bytes_max);
	int exit_code = req->logs ? fetch_logs(io, req, &logs) : CLI_OK;
	if (exit_code == CLI_OK)
		fetch_comments(io, req, &comments);
	if (exit_code == CLI_OK)
		exit_code = show_tree(io, req, body, &logs, &comments);
	int partial = exit_code == CLI_OK ? cli_warn_if_partial(io, body) : CLI_OK;
	int logs_partial = exit_code == CLI_OK ? cli_warn_if_partial(io, &logs) : CLI_OK;
	buf_fini(&logs);
	buf_fini(&comments);
	if (exit_code != CLI_OK)
		return exit_code;
	return partial != CLI_OK ? partial : logs_partial;
}

/* ---- one span */

/* Place of the span in the list, or SIZE_MAX. */
static size_t
find_span(const json_t *answer, struct str span_id)
{
	const json_t *spans = json_object_get(answer, "spans");
	for (size_t i = 0; i < json_array_size(spans); i++)
		if (str_eq_nocase(cli_item_str(json_array_get(spans, i), "span_id"), span_id))
			return i;
	return SIZE_MAX;
}

/* As it came: line `idx` of the list. */
static enum err_code
print_span(struct buf *out, struct buf *body, size_t idx, struct cli_json_style style,
    struct err *err)
{
	struct buf lines = {0};
	enum err_code code =
	    cli_json_lines(&lines, buf_view(body), "spans", (struct cli_json_style){0}, NULL, err);
	struct str rest = buf_view(&lines);
	while (!code && idx-- > 0)
		rest = str_skip(rest, str_find(rest, '\n') + 1);
	if (!code)
		code =
		    cli_json_print(out, (struct str){rest.ptr, str_find(rest, '\n')}, style, err);
	buf_fini(&lines);
	return code;
}

static int
no_such_span(const struct cli_io *io, const struct cli_request *req, const json_t *answer)
{
	struct err e = {0};
	bool truncated = json_is_true(json_object_get(answer, "truncated"));
	struct str id = trace_id_of(req);
	err_set(&e, ERR_NOT_FOUND, "no span with id %.*s in%s trace %.*s", STR_ARG(req->span),
	    truncated ? " the part shown of" : "", STR_ARG(id));
	return cli_fail(io, CLI_NOT_FOUND, &e);
}

static int
ask_span(const struct cli_io *io, const struct cli_request *req, enum cli_format format,
    struct buf *body)
{
	struct err e = {0};
	struct buf out = {0};
	json_t *answer = cli_json_load(body);
	size_t idx = find_span(answer, req->span);
	struct cli_style style = cli_style_of(io, req);
	struct cli_json_style json = cli_json_style_of(io, &style);
	enum err_code code = ERR_OK;
	json.pretty = json.pretty && format == FORMAT_JSON;
	if (idx != SIZE_MAX && format == FORMAT_TABLE)
		cli_draw_span(&out, json_array_get(json_object_get(answer, "spans"), idx), &style);
	else if (idx != SIZE_MAX)
		code = print_span(&out, body, idx, json, &e);
	int exit_code = code  ? cli_fail(io, CLI_ERROR, &e)
	    : idx == SIZE_MAX ? no_such_span(io, req, answer)
	                      : cli_write_out(io, &out);
	json_decref(answer);
	buf_fini(&out);
	return exit_code ? exit_code : cli_warn_if_partial(io, body);
}

int
cli_ask_trace(const struct cli_io *io, const struct cli_request *req)
{
	enum cli_format format = format_of(io, req);
	struct buf body;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(io, req, STR_EMPTY, &body);
	if (exit_code == CLI_OK && req->span.len > 0)
		exit_code = ask_span(io, req, format, &body);
	else if (exit_code == CLI_OK && format == FORMAT_TABLE)
		exit_code = ask_tree(io, req, &body);
	else if (exit_code == CLI_OK)
		exit_code = cli_show(io, req, format, &body);
	buf_fini(&body);
	return exit_code;
}
