/* SPDX-License-Identifier: Apache-2.0 */
/* `weir check`: is a data folder whole? Of a running server over REST, or of a folder without one; then it can be mended. */
#include "cli/cli_priv.h"

#include "base/timefmt.h"

#include <jansson.h>

static const struct op_param params[] = {
    {.name = "quick", .type = OP_BOOL, .help = "leave out what has to read every column"},
    {.name = "repair",
        .type = OP_BOOL,
        .help = "of a folder: mend what can be mended, after a copy (FILE.<n>.before-repair)"},
    {.name = NULL},
};

static const struct cli_verb verbs[] = {
    {.name = "check",
        .method = "POST",
        .folder = true,
        .asks = true,
        .slow = true,
        .undone = "nothing was mended: say --yes, or y at a terminal",
        .op = {.name = "check",
            .path = CLI_CHECK_PATH,
            .help = "find out whether the data folder is whole",
            .example = "weir check --data-dir /var/lib/weir --quick",
            .list = "findings",
            .params = params}},
    {.name = NULL},
};

/* ---- for people */

static void
put_clean(struct buf *out, struct str s, const struct cli_style *style)
{
	text_clean(out, s, style->utf8);
}

/* Words of a text from column 8 on, broken where the screen ends. */
static void
put_wrapped(struct buf *out, struct str text, const struct cli_style *style)
{
	struct buf clean = {0};
	size_t width = style->width > 30 ? style->width : 100, column = 8;
	put_clean(&clean, text, style);
	struct str rest = buf_view(&clean);
	text_spaces(out, column);
	while (rest.len > 0) {
		struct str word = {rest.ptr, str_find(rest, ' ')};
		size_t wide = text_width(word);
		if (column > 8 && column + 1 + wide > width) {
			buf_char(out, '\n');
			text_spaces(out, 8);
			column = 8;
		} else if (column > 8) {
			buf_char(out, ' ');
			column++;
		}
		buf_str(out, word);
		column += wide;
		rest = str_skip(rest, word.len + 1);
	}
	buf_char(out, '\n');
	buf_fini(&clean);
}

static void
put_finding(struct buf *out, const json_t *f, const struct cli_style *style)
{
	bool damage = cli_item_is(f, "severity", "damage");
	enum text_color color = damage ? COLOR_RED : COLOR_YELLOW;
	text_color_on(out, style, color);
	buf_printf(out, "%-8s", damage ? "damage" : "note");
	text_color_off(out, style, color);
	put_clean(out, cli_item_str(f, "kind"), style);
	buf_str(out, STR("  "));
	put_clean(out, cli_item_str(f, "place"), style);
	if (json_is_true(json_object_get(f, "mendable")))
		buf_str(out, STR("  (--repair mends it)"));
	buf_char(out, '\n');
	put_wrapped(out, cli_item_str(f, "text"), style);
}

static void
put_count(struct buf *out, const json_t *of, const char *key, const char *what)
{
	buf_printf(out, "%llu %s", (unsigned long long)cli_item_u64(of, key), what);
}

static void
put_days(struct buf *out, const json_t *answer, const struct cli_style *style)
{
	const json_t *days = json_object_get(answer, "days");
	if (json_array_size(days) > 0)
		buf_printf(out, "        %-10s  %12s %12s %12s  %s\n", "DAY", "SPANS", "LOGS",
		    "POINTS", "TENANT");
	for (size_t i = 0; i < json_array_size(days); i++) {
		const json_t *d = json_array_get(days, i);
		struct str day = cli_item_str(d, "day");
		buf_str(out, STR("        "));
		put_clean(out, day, style);
		buf_printf(out, "  %12llu %12llu %12llu  ",
		    (unsigned long long)cli_item_u64(d, "spans"),
		    (unsigned long long)cli_item_u64(d, "logs"),
		    (unsigned long long)cli_item_u64(d, "points"));
		put_clean(out, cli_item_str(d, "tenant"), style);
		buf_char(out, '\n');
	}
	if (cli_item_u64(answer, "more_days") > 0) {
		buf_str(out, STR("        and "));
		put_count(out, answer, "more_days", "more\n");
	}
}

static void
put_summary(struct buf *out, const json_t *answer, const struct cli_style *style)
{
	const json_t *store = json_object_get(answer, "store"),
	             *log = json_object_get(answer, "log");
	const json_t *letters = json_object_get(answer, "letters");
	buf_str(out, STR("store   "));
	put_count(out, store, "spans", "spans, ");
	put_count(out, store, "logs", "logs, ");
	put_count(out, store, "points", "points in ");
	put_count(out, store, "tables", "tables; ");
	put_count(out, store, "seals", "seals\n");
	put_days(out, answer, style);
	buf_str(out, STR("log     "));
	put_count(out, log, "segments", "segments, ");
	put_count(out, log, "records", "records, ");
	put_count(out, log, "bytes", "bytes; ");
	put_count(out, log, "first", "to ");
	put_count(out, log, "last", "\nletters ");
	put_count(out, letters, "waiting", "waiting, ");
	put_count(out, letters, "quarantined", "quarantined\nkeys    ");
	put_count(out, answer, "keys", "\n");
}

static void
put_verdict(struct buf *out, const json_t *answer, const struct cli_style *style)
{
	unsigned long long damages = cli_item_u64(answer, "damages");
	enum text_color color = damages > 0 ? COLOR_RED : COLOR_GREEN;
	const char *quick = json_is_true(json_object_get(answer, "quick"))
	    ? " (a quick look: not every column was read)"
	    : "";
	text_color_on(out, style, color);
	if (damages > 0)
		buf_printf(out, "damaged: %llu found", damages);
	else
		buf_str(out, STR("healthy: no damage was found"));
	text_color_off(out, style, color);
	buf_printf(out, " in %.1f s%s\n", cli_item_f64(answer, "seconds"), quick);
}

static void
put_report(struct buf *out, const json_t *answer, const struct cli_style *style)
{
	const json_t *mended = json_object_get(answer, "mended");
	const json_t *findings = json_object_get(answer, "findings");
	for (size_t i = 0; i < json_array_size(mended); i++) {
		const char *text = json_string_value(json_array_get(mended, i));
		buf_str(out, STR("mended\n"));
		put_wrapped(out, str_from(text ? text : ""), style);
	}
	for (size_t i = 0; i < json_array_size(findings); i++)
		put_finding(out, json_array_get(findings, i), style);
	uint64_t more = cli_item_u64(answer, "damages") + cli_item_u64(answer, "notes") -
	    json_array_size(findings);
	if (more > 0)
		buf_printf(out, "and %llu more\n", (unsigned long long)more);
	put_summary(out, answer, style);
	put_verdict(out, answer, style);
}

/* ---- asking */

static int
show(const struct cli_io *io, const struct cli_request *req, struct buf *body, json_t *answer)
{
	struct err e = {0};
	struct buf out = {0};
	struct cli_style style = cli_style_of(io, req);
	struct cli_json_style json_style = cli_json_style_of(io, &style);
	bool table = cli_format_of(io, req) == FORMAT_TABLE;
	enum err_code code = ERR_OK;
	if (table)
		put_report(&out, answer, &style);
	else if (req->format == FORMAT_NDJSON)
		code = cli_json_lines(&out, buf_view(body), "findings", json_style, NULL, &e);
	else
		code = cli_json_print(&out, buf_view(body), json_style, &e);
	int exit_code = code ? cli_fail(io, CLI_ERROR, &e) : cli_write_out(io, &out);
	buf_fini(&out);
	if (exit_code == CLI_OK && cli_item_u64(answer, "damages") > 0)
		exit_code = CLI_DAMAGE;
	return exit_code;
}

/* NULL: it has been said what is wrong, *exit_out. */
static json_t *
ask(const struct cli_io *io, const struct cli_request *req, struct buf *body, int *exit_out)
{
	struct err e = {0};
	buf_reset(body);
	*exit_out = cli_fetch(io, req, STR_EMPTY, body);
	json_t *answer = *exit_out == CLI_OK ? cli_json_load(body) : NULL;
	if (*exit_out == CLI_OK && !json_is_array(json_object_get(answer, "findings"))) {
		json_decref(answer);
		answer = NULL;
		*exit_out = cli_fail(io, CLI_ERROR,
		    (err_set(&e, ERR_CORRUPT, "the server's answer is no report of a check"), &e));
	}
	return answer;
}

/* Take --repair out of the request; what it asks for comes after a look. */
static bool
take_repair(struct cli_request *req)
{
	bool repair = false;
	size_t kept = 0;
	for (size_t i = 0; i < req->value_count; i++) {
		struct op_value v = req->values[i];
		bool said =
		    v.value.len == 0 || str_eq(v.value, STR("true")) || str_eq(v.value, STR("1"));
		if (str_eq(v.name, STR("repair")))
			repair = said;
		else if (said)
			req->values[kept++] = (struct op_value){v.name, STR("true")};
	}
	req->value_count = kept;
	return repair;
}

static bool
is_meant(const struct cli_io *io, const struct cli_request *req, const json_t *answer)
{
	char question[120];
	struct buf out = {0};
	struct cli_style style = cli_style_of(io, req);
	if (req->yes || !io->in_is_tty)
		return req->yes;
	put_report(&out, answer, &style);
	fwrite(out.ptr, 1, out.len, io->err);
	buf_fini(&out);
	snprintf(question, sizeof(question), "copy the files, and mend %llu of this? [y/N] ",
	    (unsigned long long)cli_item_u64(answer, "mendable"));
	return cli_is_meant(io, req, question);
}

static int
run(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req)
{
	struct err e = {0};
	struct buf body;
	int exit_code;
	bool repair = take_repair(req);
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	json_t *answer = ask(io, req, &body, &exit_code);
	if (answer && repair && cli_item_u64(answer, "mendable") > 0) {
		bool meant = is_meant(io, req, answer);
		json_decref(answer);
		answer = NULL;
		req->values[req->value_count++] = (struct op_value){STR("repair"), STR("true")};
		if (meant)
			answer = ask(io, req, &body, &exit_code);
		else
			exit_code = cli_fail(io, CLI_ERROR,
			    (err_set(&e, ERR_CANCELLED, "%s", verb->undone), &e));
	}
	if (answer)
		exit_code = show(io, req, &body, answer);
	json_decref(answer);
	buf_fini(&body);
	return exit_code;
}

static enum err_code
check(const struct cli_verb *verb, const struct cli_request *req, struct err *err)
{
	(void)verb;
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, STR("repair")) && req->server.data_dir.len == 0)
			return err_set(err, ERR_INVALID,
			    "--repair needs --data-dir DIR, of a folder that no server uses");
	return ERR_OK;
}

const struct cli_group cli_check = {.name = "check",
    .help = "find out whether the data folder is whole",
    .about = "Of the server that runs, or with --data-dir of a folder that no server uses.\n"
             "Reads all of it and says what is wrong: checksums of the log and of the store's\n"
             "blocks, rows against seals, spans that are there twice, rows whose resource has\n"
             "gone, torn dead letters and keys. Nothing is changed, unless --repair says so.\n"
             "\n"
             "Exit codes: 0 no damage, 1 it could not be checked, 2 usage, 4 damage was found.\n"
             "A server is asked with a key of the right admin, for all tenants.\n",
    .section = OP_ADMINISTRATE,
    .verbs = verbs,
    .check = check,
    .run = run};
