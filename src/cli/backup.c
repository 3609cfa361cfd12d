/* SPDX-License-Identifier: Apache-2.0 */
/* `weir backup create | list | delete`, over REST. Putting one back needs no server: app/restore.c. */
#include "cli/cli_priv.h"

#include "base/timefmt.h"

#include <jansson.h>

#define BACKUPS_PATH "/api/v1/backups"

enum { TIMEOUT_S = 24 * 60 * 60, NAME_BYTES_MAX = 200 };

const char cli_backup_help[] = "make, list or delete backups of a running weir";

static const char help_text[] =
    "weir backup: copies of everything, made while weir runs\n"
    "\n"
    "Usage: weir backup create [NAME]\n"
    "       weir backup list\n"
    "       weir backup delete NAME [--yes]\n"
    "\n"
    "A backup has all that was acknowledged before it was asked for. It is made on the\n"
    "machine of the server, in the folder that --backup-dir of weir serve names; NAME is\n"
    "the time, when it is left out. It holds the data of all tenants: the key must be\n"
    "for all of them and have the right admin. To put one back, see weir restore --help.\n"
    "\n"
    "Options:\n"
    "  -y, --yes                     do not ask whether it is meant\n"
    "  -o, --output FORMAT           json, table or ndjson (a terminal gets tables, a\n"
    "                                pipe JSON)\n"
    "      --timeout SPAN            give up waiting after this time (24h); the backup\n"
    "                                goes on\n"
    "      --url, --token, --color: as of the other commands\n";

static const struct op_param no_params[] = {{.name = NULL}};
static const struct op_param create_params[] = {
    {.name = "name", .type = OP_TEXT, .help = "what it is called"},
    {.name = NULL},
};
static const struct op_param delete_params[] = {
    {.name = "name", .type = OP_TEXT, .in_path = true, .help = "as list shows it"},
    {.name = NULL},
};

static const struct verb {
	const char *name;
	const char *method; /* NULL: GET */
	struct op op;
} verbs[] = {
    {"create", "POST",
        {.name = "backup create",
            .path = BACKUPS_PATH,
            .help = "make a backup",
            .params = create_params}},
    {"list", NULL,
        {.name = "backup list",
            .path = BACKUPS_PATH,
            .help = "list backups",
            .list = "backups",
            .params = no_params}},
    {"delete", "DELETE",
        {.name = "backup delete",
            .path = BACKUPS_PATH "/{name}",
            .help = "delete a backup",
            .params = delete_params}},
};

bool
cli_backup_deletes(const struct op *op)
{
	return strcmp(op->name, "backup delete") == 0;
}

/* ---- the table */

static bool
is_damaged(const json_t *item)
{
	return json_is_true(json_object_get(item, "damaged"));
}

static void
put_bytes(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	size_t unit = 0;
	for (; v >= 1000 && unit + 1 < ARRAY_LEN(units); unit++)
		v /= 1024;
	buf_printf(out, unit == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[unit]);
}

static void
put_seconds(struct buf *out, const json_t *item)
{
	text_duration(out, cli_item_f64(item, "seconds") * 1e9);
}

static void
backup_name(struct table_text *t, const json_t *item)
{
	table_cell(t, cli_item_str(item, "name"), is_damaged(item) ? COLOR_RED : COLOR_NONE);
}

static void
put_cell(struct table_text *t, struct buf *text, enum text_color color)
{
	table_cell(t, buf_view(text), color);
	buf_fini(text);
}

static void
backup_age(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (is_damaged(item))
		buf_char(&b, '-');
	else
		text_age(&b, cli_item_u64(item, "created_unix_nano"), t->style->now_unix_ns);
	put_cell(t, &b, COLOR_DIM);
}

static void
backup_size(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (is_damaged(item))
		buf_str(&b, STR("damaged"));
	else
		put_bytes(&b, cli_item_u64(item, "bytes"));
	put_cell(t, &b, is_damaged(item) ? COLOR_RED : COLOR_NONE);
}

static void
backup_record(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (is_damaged(item))
		buf_char(&b, '-');
	else
		buf_u64(&b, cli_item_u64(item, "position"));
	put_cell(t, &b, COLOR_NONE);
}

static void
backup_took(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (is_damaged(item))
		buf_char(&b, '-');
	else
		put_seconds(&b, item);
	put_cell(t, &b, COLOR_DIM);
}

static void
backup_version(struct table_text *t, const json_t *item)
{
	table_cell(t, is_damaged(item) ? STR("-") : cli_item_str(item, "version"), COLOR_DIM);
}

const struct table_column cli_backup_columns[] = {
    {.title = "NAME", .keep = 95, .cell = backup_name},
    {.title = "AGE", .keep = 80, .right = true, .cell = backup_age},
    {.title = "SIZE", .keep = 75, .right = true, .cell = backup_size},
    {.title = "UP TO RECORD", .keep = 40, .right = true, .cell = backup_record},
    {.title = "TOOK", .keep = 30, .right = true, .cell = backup_took},
    {.title = "WEIR", .keep = 20, .cell = backup_version},
    {.title = NULL},
};

/* ---- changes */

static void
put_change(struct buf *out, const json_t *backup, const struct cli_style *style)
{
	buf_str(out, STR("backup "));
	text_clean(out, cli_item_str(backup, "name"), style->utf8);
	if (json_is_true(json_object_get(backup, "deleted"))) {
		buf_str(out, STR(": deleted\n"));
		return;
	}
	buf_str(out, STR(": "));
	put_bytes(out, cli_item_u64(backup, "bytes"));
	buf_str(out, STR(" in "));
	put_seconds(out, backup);
	buf_str(out, STR(", at "));
	text_clean(out, cli_item_str(backup, "path"), style->utf8);
	buf_str(out, STR(" of the server\n"));
}

static int
show_change(const struct cli_io *io, const struct cli_request *req, struct buf *body)
{
	struct err e = {0};
	struct buf out = {0};
	struct cli_style style = cli_style_of(io, req);
	struct cli_json_style json_style = cli_json_style_of(io, &style);
	bool table = req->format == FORMAT_TABLE || (req->format == FORMAT_AUTO && io->out_is_tty);
	json_t *backup = table ? cli_json_load(body) : NULL;
	enum err_code code = ERR_OK;
	json_style.pretty = json_style.pretty && req->format != FORMAT_NDJSON;
	if (!table)
		code = cli_json_print(&out, buf_view(body), json_style, &e);
	else if (!json_object_get(backup, "name"))
		code = err_set(&e, ERR_CORRUPT, "the server's answer is no backup");
	else
		put_change(&out, backup, &style);
	int exit_code = code ? cli_fail(io, CLI_ERROR, &e) : cli_write_out(io, &out);
	json_decref(backup);
	buf_fini(&out);
	return exit_code;
}

static int
ask_change(const struct cli_io *io, const struct cli_request *req)
{
	struct buf body;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(io, req, STR_EMPTY, &body);
	if (exit_code == CLI_OK)
		exit_code = show_change(io, req, &body);
	buf_fini(&body);
	return exit_code;
}

/* ---- the command line */

/* The name becomes part of a path. */
static enum err_code
check_name(const struct cli_request *req, struct err *err)
{
	for (size_t i = 0; i < req->value_count; i++) {
		struct str name = req->values[i].value;
		for (size_t k = 0; k < name.len; k++) {
			char c = name.ptr[k];
			bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
			if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_')
				return err_set(err, ERR_INVALID,
				    "not the name of a backup: \"%.*s\"",
				    name.len < 48 ? (int)name.len : 48, name.ptr);
		}
	}
	return ERR_OK;
}

static bool
has_timeout(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (str_starts(str_from(argv[i]), STR("--timeout")))
			return true;
	return false;
}

static int
ask(const struct cli_io *io, struct cli_request *req, const struct verb *verb)
{
	struct err e = {0};
	req->method = verb->method;
	if (cli_backup_deletes(req->op) &&
	    !cli_is_meant(io, req, "delete this backup for good? [y/N] "))
		return cli_fail(io, CLI_ERROR,
		    (err_set(&e, ERR_CANCELLED, "nothing was deleted"), &e));
	return verb->method ? ask_change(io, req) : cli_ask(io, req);
}

static int
run_verb(const struct cli_io *io, const struct verb *verb, int argc, char **argv)
{
	struct cli_request req;
	struct err e = {0};
	char flag[NAME_BYTES_MAX + 8];
	/* The name may be left out: no parameter that stands without a flag may. */
	if (verb->op.params == create_params && argc > 0 && argv[0][0] != '-' &&
	    strlen(argv[0]) <= NAME_BYTES_MAX) {
		snprintf(flag, sizeof(flag), "--name=%s", argv[0]);
		argv[0] = flag;
	}
	enum err_code code = cli_parse(io, &verb->op, argc, argv, &req, &e);
	if (code == ERR_OK && !req.help)
		code = check_name(&req, &e);
	if (code != ERR_OK) {
		int exit_code = cli_fail(io, CLI_USAGE, &e);
		fprintf(io->err, "try: weir backup --help\n");
		return exit_code;
	}
	if (verb->method && !has_timeout(argc, argv))
		req.server.timeout_ns = TIMEOUT_S * NS_PER_S;
	if (!req.help)
		return ask(io, &req, verb);
	fputs(help_text, io->out);
	return CLI_OK;
}

static int
usage_error(const struct cli_io *io, const char *word)
{
	const char *names[ARRAY_LEN(verbs) + 1] = {NULL};
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		names[i] = verbs[i].name;
	return cli_no_verb(io, "backup", names, word);
}

int
cli_backup(const struct cli_io *io, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	for (size_t i = 0; word && i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, word) == 0)
			return run_verb(io, &verbs[i], argc - 2, argv + 2);
	if (!word || (strcmp(word, "--help") != 0 && strcmp(word, "-h") != 0))
		return usage_error(io, word);
	fputs(help_text, io->out);
	return CLI_OK;
}
