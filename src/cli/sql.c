/* SPDX-License-Identifier: Apache-2.0 */
/* `weir sql`: one statement of the command line, those of a file or of standard input, or a shell. */
#include "cli/sql.h"

#include "sys/file.h"
#include "wire/json_write.h"

#define SQL_PATH "/api/v1/sql"

enum { FILE_BYTES_MAX = 16 << 20 };

static const char about[] =
    "One SELECT over views of your telemetry: spans, logs, metrics, traces, services,\n"
    "resources, scopes, comments; of agents: junjo_spans, state_patches, llm_calls.\n"
    "Without QUERY and --file it is a shell at a terminal, and elsewhere runs what\n"
    "comes on standard input. docs/sql.md has the columns, functions and limits.\n"
    "What is typed at the shell is kept in ~/.local/state/weir/sql_history\n"
    "($WEIR_SQL_HISTORY: another file; empty: none).\n";

static const struct op_param params[] = {
    {.name = "query", .type = OP_TEXT, .argument = true, .help = "the statement"},
    {.name = "file",
        .type = OP_TEXT,
        .help = "run the statements of a file, each ends with a semicolon; - is standard input"},
    {.name = "schema",
        .type = OP_BOOL,
        .help = "list the views, or the columns of the one that QUERY names"},
    {.name = "limit",
        .type = OP_INT,
        .results = true,
        .help = "at most so many rows (as many as the server gives)"},
    {.name = NULL},
};

static const struct cli_verb verbs[] = {
    {.name = "sql",
        .formats = "table|json|ndjson|csv|parquet",
        .op = {.name = "sql",
            .method = OP_POST,
            .path = SQL_PATH,
            .help = "ask in SQL: one statement, a file of them, or a shell",
            .example = "weir sql \"SELECT service, count(*) AS n FROM spans GROUP BY service\"",
            .params = params}},
    {.name = NULL},
};

static const struct op_param none[] = {{.name = NULL}};
static const struct op asking = {.name = "sql", .path = SQL_PATH, .list = "rows", .params = none};
static const struct op asking_schema = {.name = "sql", .path = SQL_PATH "/schema", .params = none};

enum err_code
cli_sql_format(struct str word, enum cli_format *out, struct err *err)
{
	static const struct {
		const char *word;
		enum cli_format format;
	} formats[] = {{"table", FORMAT_TABLE}, {"json", FORMAT_JSON}, {"ndjson", FORMAT_NDJSON},
	    {"csv", FORMAT_CSV}, {"parquet", FORMAT_PARQUET}};
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (str_eq(word, str_from(formats[i].word))) {
			*out = formats[i].format;
			return ERR_OK;
		}
	return err_set(err, ERR_INVALID, "must be table, json, ndjson, csv or parquet: \"%.*s\"",
	    word.len < 40 ? (int)word.len : 40, word.ptr);
}

/* ---- asking */

static struct str
value_of(const struct cli_request *req, const char *name)
{
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, str_from(name)))
			return req->values[i].value;
	return STR_EMPTY;
}

static const char *
media_of(enum cli_format format)
{
	switch (format) {
	case FORMAT_CSV: return "csv";
	case FORMAT_PARQUET: return "parquet";
	case FORMAT_AUTO:
	case FORMAT_TABLE:
	case FORMAT_JSON:
	case FORMAT_NDJSON: break;
	}
	return "json";
}

static void
put_request(struct buf *json, const struct cli_request *req, struct str statement,
    enum cli_format format)
{
	struct json_writer w;
	struct str limit = value_of(req, "limit");
	json_writer_init(&w, json);
	jsonw_object(&w);
	jsonw_key(&w, "query");
	jsonw_str(&w, statement);
	jsonw_key(&w, "format");
	jsonw_str(&w, str_from(media_of(format)));
	if (limit.len > 0) {
		jsonw_key(&w, "limit");
		jsonw_str(&w, limit);
	}
	jsonw_object_end(&w);
}

/* Lines of CSV on a terminal: harmless, their ends kept. */
static void
put_lines(struct buf *out, struct str text, bool utf8)
{
	while (text.len > 0) {
		size_t end = str_find(text, '\n');
		struct str line = str_of(text.ptr, end);
		while (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		text_clean(out, line, utf8);
		buf_char(out, '\n');
		text = str_skip(text, end + 1);
	}
}

static void
say_more(const struct cli_io *io, size_t rows)
{
	fflush(io->out);
	if (rows > 0)
		fprintf(io->err,
		    "weir: the first %zu rows, there are more: -n N, or ask for less\n", rows);
	else
		fprintf(io->err, "weir: not all rows, there are more: -n N, or ask for less\n");
}

static int
show_table(const struct cli_io *io, const struct cli_request *req, struct buf *body)
{
	struct err e = {0};
	struct buf out = {0};
	size_t rows = 0;
	bool more = false;
	struct cli_style style = cli_style_of(io, req);
	enum err_code code = cli_sql_draw(&out, buf_view(body), &style, &rows, &more, &e);
	if (code == ERR_OK) {
		text_color_on(&out, &style, COLOR_DIM);
		buf_printf(&out, "%zu row%s", rows, rows == 1 ? "" : "s");
		text_color_off(&out, &style, COLOR_DIM);
		buf_char(&out, '\n');
	}
	int exit_code = code ? cli_fail(io, CLI_ERROR, &e) : cli_write_out(io, &out);
	buf_fini(&out);
	if (more)
		say_more(io, rows);
	return exit_code;
}

static int
show_bytes(const struct cli_io *io, const struct cli_request *req, enum cli_format format,
    struct buf *body)
{
	struct buf out = {0};
	struct cli_style style = cli_style_of(io, req);
	if (!io->out_is_tty || format != FORMAT_CSV)
		return cli_write_out(io, body);
	put_lines(&out, buf_view(body), style.utf8);
	int exit_code = cli_write_out(io, &out);
	buf_fini(&out);
	return exit_code;
}

static bool
is_truncated(const struct buf *body)
{
	static const char mark[] = ",\"truncated\":true}";
	/* It is the last member, and in a text there would be backslashes. */
	size_t tail = sizeof(mark) + 1;
	return body->len > tail &&
	    memmem(body->ptr + body->len - tail, tail, mark, sizeof(mark) - 1) != NULL;
}

int
cli_sql_run(const struct cli_io *io, const struct cli_request *req, struct str statement)
{
	struct buf json = {0}, body;
	struct cli_request ask = *req;
	enum cli_format format = cli_format_of(io, req);
	bool truncated = false;
	put_request(&json, req, statement, format);
	ask.op = &asking;
	ask.value_count = 0;
	ask.json = buf_view(&json);
	ask.truncated_out = &truncated;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(io, &ask, STR_EMPTY, &body);
	if (exit_code == CLI_OK && format == FORMAT_TABLE)
		exit_code = show_table(io, req, &body);
	else if (exit_code == CLI_OK && (format == FORMAT_CSV || format == FORMAT_PARQUET))
		exit_code = show_bytes(io, req, format, &body);
	else if (exit_code == CLI_OK)
		exit_code = cli_show(io, &ask, format, &body);
	bool said = format == FORMAT_TABLE || format == FORMAT_JSON;
	if (exit_code == CLI_OK && !said && (truncated || is_truncated(&body)))
		say_more(io, 0);
	buf_fini(&body);
	buf_fini(&json);
	return exit_code;
}

int
cli_sql_schema(const struct cli_io *io, const struct cli_request *req, struct str view)
{
	struct err e = {0};
	struct buf body, out = {0};
	struct cli_request ask = *req;
	enum cli_format format = cli_format_of(io, req);
	struct cli_style style = cli_style_of(io, req);
	ask.op = &asking_schema;
	ask.value_count = 0;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(io, &ask, STR_EMPTY, &body);
	if (exit_code == CLI_OK && format == FORMAT_JSON) {
		exit_code = cli_show(io, &ask, format, &body);
	} else if (exit_code == CLI_OK) {
		enum err_code code = cli_sql_draw_schema(&out, buf_view(&body), view, &style, &e);
		exit_code = code ? cli_fail(io, CLI_USAGE, &e) : cli_write_out(io, &out);
	}
	buf_fini(&out);
	buf_fini(&body);
	return exit_code;
}

/* ---- a file */

/* One after the other; the first that fails is the last. */
static int
run_all(const struct cli_io *io, const struct cli_request *req, struct str text)
{
	struct err e = {0};
	bool whole, any = false;
	int exit_code = CLI_OK;
	while (text.len > 0 && exit_code == CLI_OK) {
		size_t end = cli_sql_end(text, &whole);
		struct str statement = str_of(text.ptr, end);
		text = str_skip(text, end);
		if (cli_sql_is_empty(statement))
			continue;
		exit_code = cli_sql_run(io, req, str_trim(statement));
		any = true;
	}
	if (any)
		return exit_code;
	return cli_fail(io, CLI_USAGE,
	    (err_set(&e, ERR_INVALID, "there is no statement in it"), &e));
}

static int
run_file(const struct cli_io *io, const struct cli_request *req, struct str file)
{
	struct err e = {0};
	struct buf text;
	bool standard = file.len == 0 || str_eq(file, STR("-"));
	buf_init(&text, FILE_BYTES_MAX);
	int exit_code = CLI_OK;
	enum err_code code = standard ? io->read_all(io->ctx, &text, &e)
	                              : file_read_all(file.ptr, FILE_BYTES_MAX, &text, &e);
	if (code != ERR_OK)
		exit_code = cli_fail(io, CLI_ERROR, &e);
	else
		exit_code = run_all(io, req, buf_view(&text));
	buf_fini(&text);
	return exit_code;
}

/* ---- the command */

static enum err_code
check(const struct cli_verb *verb, const struct cli_request *req, struct err *err)
{
	bool query = value_of(req, "query").ptr != NULL, file = value_of(req, "file").ptr != NULL;
	bool schema = value_of(req, "schema").ptr != NULL;
	(void)verb;
	if (file && (query || schema))
		return err_set(err, ERR_INVALID, "--file and %s: one of them",
		    schema ? "--schema" : "a query on the command line");
	return ERR_OK;
}

static int
run(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req)
{
	struct err e = {0};
	struct str query = value_of(req, "query"), file = value_of(req, "file");
	(void)verb;
	if (req->format == FORMAT_PARQUET && io->out_is_tty) {
		err_set(&e, ERR_INVALID,
		    "parquet is not for a terminal: weir sql ... -o parquet > FILE");
		return cli_fail(io, CLI_USAGE, &e);
	}
	if (value_of(req, "schema").ptr)
		return cli_sql_schema(io, req, query);
	if (file.ptr)
		return run_file(io, req, file);
	if (query.ptr)
		return cli_sql_run(io, req, query);
	return io->in_is_tty ? cli_sql_shell(io, req) : run_file(io, req, STR_EMPTY);
}

const struct cli_group cli_sql = {.name = "sql",
    .help = "ask in SQL: one statement, a file of them, or a shell",
    .about = about,
    .section = OP_ASK,
    .verbs = verbs,
    .check = check,
    .run = run};
