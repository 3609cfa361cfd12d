/* SPDX-License-Identifier: Apache-2.0 */
/* `weir backup create | list | delete`, over REST. Putting one back needs no server: app/restore.c. */
#include "cli/cli_priv.h"

#include "cli/cell.h"

#include "base/timefmt.h"

#include <jansson.h>

#define BACKUPS_PATH "/api/v1/backups"

static const struct op_param no_params[] = {{.name = NULL}};
static const struct op_param create_params[] = {
    {.name = "name",
        .type = OP_TEXT,
        .argument = true,
        .help = "what it is called",
        .fallback = "the time"},
    {.name = NULL},
};
static const struct op_param delete_params[] = {
    {.name = "name", .type = OP_TEXT, .in_path = true, .help = "as list shows it"},
    {.name = NULL},
};

static const struct cli_verb verbs[] = {
    {.name = "backup create",
        .method = "POST",
        .slow = true,
        .op = {.name = "backup create",
            .path = BACKUPS_PATH,
            .help = "make a backup",
            .example = "weir backup create before-upgrade",
            .params = create_params}},
    {.name = "backup list",
        .op = {.name = "backup list",
            .path = BACKUPS_PATH,
            .help = "list backups",
            .example = "weir backup list",
            .list = "backups",
            .params = no_params}},
    {.name = "backup delete",
        .method = "DELETE",
        .slow = true,
        .asks = true,
        .question = "delete this backup for good? [y/N] ",
        .undone = "nothing was deleted",
        .op = {.name = "backup delete",
            .path = BACKUPS_PATH "/{name}",
            .help = "delete a backup",
            .example = "weir backup delete before-upgrade",
            .params = delete_params}},
    {.name = NULL},
};

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
backup_age(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (is_damaged(item))
		buf_char(&b, '-');
	else
		text_age(&b, cli_item_u64(item, "created_unix_nano"), t->style->now_unix_ns);
	cell_buf(t, &b, COLOR_DIM);
}

static void
backup_size(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (is_damaged(item))
		buf_str(&b, STR("damaged"));
	else
		put_bytes(&b, cli_item_u64(item, "bytes"));
	cell_buf(t, &b, is_damaged(item) ? COLOR_RED : COLOR_NONE);
}

static void
backup_record(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (is_damaged(item))
		buf_char(&b, '-');
	else
		buf_u64(&b, cli_item_u64(item, "position"));
	cell_buf(t, &b, COLOR_NONE);
}

static void
backup_took(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (is_damaged(item))
		buf_char(&b, '-');
	else
		put_seconds(&b, item);
	cell_buf(t, &b, COLOR_DIM);
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

static enum err_code
put_change(struct buf *out, const json_t *backup, const struct cli_style *style, struct err *err)
{
	(void)err;
	buf_str(out, STR("backup "));
	text_clean(out, cli_item_str(backup, "name"), style->utf8);
	if (json_is_true(json_object_get(backup, "deleted"))) {
		buf_str(out, STR(": deleted\n"));
		return ERR_OK;
	}
	buf_str(out, STR(": "));
	put_bytes(out, cli_item_u64(backup, "bytes"));
	buf_str(out, STR(" in "));
	put_seconds(out, backup);
	buf_str(out, STR(", at "));
	text_clean(out, cli_item_str(backup, "path"), style->utf8);
	buf_str(out, STR(" of the server\n"));
	return ERR_OK;
}

static const struct cli_thing change = {.sign = "name", .name = "backup", .draw = put_change};

/* ---- the command line */

/* The name becomes part of a path. */
static enum err_code
check(const struct cli_verb *verb, const struct cli_request *req, struct err *err)
{
	(void)verb;
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

static int
run(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req)
{
	if (!cli_verb_is_meant(io, verb, req, verb->question))
		return CLI_ERROR;
	return verb->method ? cli_ask_thing(io, req, &change) : cli_ask(io, req);
}

const struct cli_group cli_backup = {.name = "backup",
    .help = "make, list or delete backups of a running weir",
    .about = "Copies of everything, made while weir runs. A backup has all that was\n"
             "acknowledged before it was asked for. It is made on the machine of the server,\n"
             "in the folder that --backup-dir of weir serve names; NAME is the time, when it\n"
             "is left out. It holds the data of all tenants: the key must be for all of them\n"
             "and have the right admin. To put one back, see weir help restore.\n",
    .example = "weir backup create before-upgrade",
    .section = OP_ADMINISTRATE,
    .verbs = verbs,
    .check = check,
    .run = run};
