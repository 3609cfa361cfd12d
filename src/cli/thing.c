/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that is one thing, not a list: a backup, a key, a comment, a dead letter. */
#include "cli/cli_priv.h"

#include <jansson.h>

int
cli_show_thing(const struct cli_io *io, const struct cli_request *req,
    const struct cli_thing *thing, struct buf *body)
{
	struct err e = {0};
	struct buf out = {0};
	struct cli_style style = cli_style_of(io, req);
	struct cli_json_style json_style = cli_json_style_of(io, &style);
	enum cli_format format = cli_format_of(io, req);
	json_t *answer = format == FORMAT_TABLE ? cli_json_load(body) : NULL;
	const json_t *it = thing->member ? json_object_get(answer, thing->member) : answer;
	enum err_code code;
	json_style.pretty = json_style.pretty && format != FORMAT_NDJSON;
	if (format != FORMAT_TABLE)
		code = cli_json_print(&out, buf_view(body), json_style, &e);
	else if (!json_object_get(it, thing->sign))
		code = err_set(&e, ERR_CORRUPT, "the server's answer is no %s", thing->name);
	else
		code = thing->draw(&out, it, &style, &e);
	int exit_code = code ? cli_fail(io, CLI_ERROR, &e) : cli_write_out(io, &out);
	json_decref(answer);
	buf_fini(&out);
	return exit_code;
}

int
cli_ask_thing(const struct cli_io *io, const struct cli_request *req, const struct cli_thing *thing)
{
	struct buf body;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(io, req, STR_EMPTY, &body);
	if (exit_code == CLI_OK)
		exit_code = cli_show_thing(io, req, thing, &body);
	buf_fini(&body);
	return exit_code;
}
