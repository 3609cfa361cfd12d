/* SPDX-License-Identifier: Apache-2.0 */
/* `weir keys list | create | rotate | revoke | delete`: over REST, or on a data folder without a server. */
#include "cli/cli_priv.h"

#include "base/timefmt.h"

#include <jansson.h>

#define KEYS_PATH "/api/v1/keys"

const char cli_keys_help[] = "list, create, rotate, revoke or delete keys";

static const char help_text[] =
    "weir keys: who may send, ask and administer\n"
    "\n"
    "Usage: weir keys list [--tenant NAME]\n"
    "       weir keys create --right RIGHT... [--tenant NAME] [--name TEXT]\n"
    "                        [--expires SPAN]\n"
    "       weir keys rotate ID [--grace SPAN]\n"
    "       weir keys revoke ID [--yes]\n"
    "       weir keys delete ID [--yes]\n"
    "\n"
    "While there are no keys nobody needs one; from the first on everybody does, so\n"
    "begin with one for yourself:\n"
    "\n"
    "       weir keys create --data-dir weir-data --tenant '*' --right admin \\\n"
    "                        --right read\n"
    "\n"
    "Revoked and expired keys stay in the list until they are deleted.\n"
    "\n"
    "A key is shown once. Give it to SDKs as the header \"authorization=Bearer KEY\" or\n"
    "\"x-api-key=KEY\", and to weir as $WEIR_TOKEN.\n"
    "\n"
    "Options:\n"
    "      --right RIGHT             ingest, read or admin (repeat for more)\n"
    "      --tenant NAME             whose telemetry; '*' for all tenants\n"
    "      --name TEXT               what the key is for\n"
    "      --expires SPAN            valid so long, like 90d (for ever)\n"
    "      --grace SPAN              the text before stays valid so long (not at all)\n"
    "      --data-dir DIR            change the files of this data folder, whether a\n"
    "                                server runs on them or not, and ask no server\n"
    "  -y, --yes                     do not ask whether it is meant\n"
    "  -o, --output FORMAT           json, table or ndjson (a terminal gets tables, a\n"
    "                                pipe JSON)\n"
    "      --url, --token, --ca, --client-cert, --client-key, --timeout, --color:\n"
    "                                as of the other commands\n";

#define PARAM_ID {.name = "id", .type = OP_TEXT, .in_path = true, .help = "as list shows it"}

static const struct op_param list_params[] = {
    {.name = "tenant", .type = OP_TEXT, .help = "of this tenant"},
    {.name = NULL},
};
static const struct op_param create_params[] = {
    {.name = "name", .type = OP_TEXT, .help = "what it is for"},
    {.name = "tenant", .type = OP_TEXT, .help = "whose telemetry"},
    {.name = "right",
        .type = OP_ENUM,
        .repeat = true,
        .choices = "ingest|read|admin",
        .help = "it may do this"},
    {.name = "expires", .type = OP_SPAN, .help = "valid so long"},
    {.name = NULL},
};
static const struct op_param rotate_params[] = {
    PARAM_ID,
    {.name = "grace", .type = OP_SPAN, .help = "the text before stays valid so long"},
    {.name = NULL},
};
static const struct op_param one_params[] = {PARAM_ID, {.name = NULL}};

static const struct verb {
	const char *name;
	const char *method; /* NULL: GET */
	struct op op;
	const char *question; /* before it is done; NULL: none */
	const char *undone; /* after a no */
} verbs[] = {
    {"list", NULL,
        {.name = "keys list",
            .path = KEYS_PATH,
            .help = "list keys",
            .list = "keys",
            .params = list_params},
        NULL, NULL},
    {"create", "POST",
        {.name = "keys create", .path = KEYS_PATH, .help = "make a key", .params = create_params},
        NULL, NULL},
    {"rotate", "POST",
        {.name = "keys rotate",
            .path = KEYS_PATH "/{id}/rotate",
            .help = "give a key a new text",
            .params = rotate_params},
        NULL, NULL},
    {"revoke", "DELETE",
        {.name = "keys revoke",
            .path = KEYS_PATH "/{id}",
            .help = "revoke a key",
            .params = one_params},
        "revoke this key for good? [y/N] ", "nothing was revoked"},
    {"delete", "DELETE",
        {.name = "keys delete",
            .path = KEYS_PATH "/{id}/record",
            .help = "forget a key that is revoked or expired",
            .params = one_params},
        "delete this key from the list for good? [y/N] ", "nothing was deleted"},
};

bool
cli_keys_asks(const struct op *op)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (verbs[i].question && strcmp(op->name, verbs[i].op.name) == 0)
			return true;
	return false;
}

/* ---- the table */

static void
key_text(struct table_text *t, const json_t *item, const char *name, enum text_color color)
{
	struct str s = cli_item_str(item, name);
	table_cell(t, s.len > 0 ? s : STR("-"), color);
}

static void
key_time(struct table_text *t, const json_t *item, const char *name)
{
	uint64_t at = cli_item_u64(item, name);
	struct buf b = {0};
	if (at > t->style->now_unix_ns) {
		buf_str(&b, STR("in "));
		char text[32];
		size_t n = time_span_text(at - t->style->now_unix_ns, text, sizeof(text));
		buf_str(&b, str_of(text, n));
	} else if (at > 0) {
		text_age(&b, at, t->style->now_unix_ns);
	} else {
		buf_char(&b, '-');
	}
	table_cell(t, buf_view(&b), COLOR_DIM);
	buf_fini(&b);
}

static void
key_id(struct table_text *t, const json_t *item)
{
	key_text(t, item, "id", COLOR_NONE);
}

static void
key_name(struct table_text *t, const json_t *item)
{
	key_text(t, item, "name", COLOR_NONE);
}

static void
key_tenant(struct table_text *t, const json_t *item)
{
	key_text(t, item, "tenant", COLOR_CYAN);
}

static void
put_rights(struct buf *out, const json_t *item)
{
	const json_t *rights = json_object_get(item, "rights");
	for (size_t i = 0; i < json_array_size(rights); i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "",
		    json_string_value(json_array_get(rights, i)));
}

static void
key_rights(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	put_rights(&b, item);
	table_cell(t, buf_view(&b), COLOR_NONE);
	buf_fini(&b);
}

static void
key_state(struct table_text *t, const json_t *item)
{
	bool good = cli_item_is(item, "state", "active");
	key_text(t, item, "state", good ? COLOR_GREEN : COLOR_RED);
}

static void
key_created(struct table_text *t, const json_t *item)
{
	key_time(t, item, "created_unix_nano");
}

static void
key_expires(struct table_text *t, const json_t *item)
{
	key_time(t, item, "expires_unix_nano");
}

const struct table_column cli_keys_columns[] = {
    {.title = "ID", .keep = 95, .cell = key_id},
    {.title = "NAME", .keep = 50, .want = 12, .cell = key_name},
    {.title = "TENANT", .keep = 80, .want = 8, .param = "tenant", .cell = key_tenant},
    {.title = "RIGHTS", .keep = 70, .cell = key_rights},
    {.title = "STATE", .keep = 75, .cell = key_state},
    {.title = "CREATED", .keep = 20, .right = true, .cell = key_created},
    {.title = "EXPIRES", .keep = 30, .right = true, .cell = key_expires},
    {.title = NULL},
};

/* ---- changes */

static void
put_clean(struct buf *out, struct str raw, const struct cli_style *style)
{
	text_clean(out, raw, style->utf8);
}

/* For people: the key on a line of its own, and what it is. */
static void
put_change(struct buf *out, const json_t *key, const struct cli_style *style)
{
	struct str text = cli_item_str(key, "key"), name = cli_item_str(key, "name");
	struct buf rights = {0};
	put_rights(&rights, key);
	if (text.len > 0) {
		put_clean(out, text, style);
		buf_str(out, STR("\n\nThis is the only time that it is shown.\n"));
	}
	buf_str(out, STR("key "));
	put_clean(out, cli_item_str(key, "id"), style);
	if (name.len > 0) {
		buf_str(out, STR(" ("));
		put_clean(out, name, style);
		buf_char(out, ')');
	}
	buf_str(out, STR(" of tenant "));
	put_clean(out, cli_item_str(key, "tenant"), style);
	buf_str(out, STR(": "));
	put_clean(out, buf_view(&rights), style);
	buf_str(out, STR("; "));
	put_clean(out, cli_item_str(key, "state"), style);
	if (json_is_true(json_object_get(key, "deleted")))
		buf_str(out, STR(", and deleted"));
	buf_char(out, '\n');
	buf_fini(&rights);
}

static int
show_change(const struct cli_io *io, const struct cli_request *req, struct buf *body)
{
	struct err e = {0};
	struct buf out = {0};
	struct cli_style style = cli_style_of(io, req);
	struct cli_json_style json_style = cli_json_style_of(io, &style);
	bool table = req->format == FORMAT_TABLE || (req->format == FORMAT_AUTO && io->out_is_tty);
	json_t *key = table ? cli_json_load(body) : NULL;
	enum err_code code = ERR_OK;
	json_style.pretty = json_style.pretty && req->format != FORMAT_NDJSON;
	if (!table)
		code = cli_json_print(&out, buf_view(body), json_style, &e);
	else if (!json_object_get(key, "id"))
		code = err_set(&e, ERR_CORRUPT, "the server's answer is no key");
	else
		put_change(&out, key, &style);
	int exit_code = code ? cli_fail(io, CLI_ERROR, &e) : cli_write_out(io, &out);
	json_decref(key);
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

enum err_code
cli_take_data_dir(int *argc, char **argv, struct str *out, struct err *err)
{
	static const struct str flag = STR_INIT("--data-dir");
	int count = 0;
	*out = STR_EMPTY;
	for (int i = 0; i < *argc; i++) {
		struct str arg = str_from(argv[i]);
		bool attached =
		    str_starts(arg, flag) && arg.len > flag.len && arg.ptr[flag.len] == '=';
		if (!attached && !str_eq(arg, flag)) {
			argv[count++] = argv[i];
			continue;
		}
		if (!attached && i + 1 == *argc)
			return err_set(err, ERR_INVALID, "--data-dir needs a value: DIR");
		*out = attached ? str_skip(arg, flag.len + 1) : str_from(argv[++i]);
		if (out->len == 0)
			return err_set(err, ERR_INVALID, "--data-dir: must not be empty");
	}
	*argc = count;
	return ERR_OK;
}

static int
ask(const struct cli_io *io, struct cli_request *req, const struct verb *verb)
{
	struct err e = {0};
	req->method = verb->method;
	if (verb->question && !cli_is_meant(io, req, verb->question))
		return cli_fail(io, CLI_ERROR,
		    (err_set(&e, ERR_CANCELLED, "%s", verb->undone), &e));
	return verb->method ? ask_change(io, req) : cli_ask(io, req);
}

static int
run_verb(const struct cli_io *io, const struct verb *verb, int argc, char **argv)
{
	struct cli_request req;
	struct err e = {0};
	struct str data_dir;
	enum err_code code = cli_take_data_dir(&argc, argv, &data_dir, &e);
	if (code == ERR_OK)
		code = cli_parse(io, &verb->op, argc, argv, &req, &e);
	if (code == ERR_OK && !req.help)
		code = cli_check_id(&req, "a key", &e);
	if (code != ERR_OK) {
		int exit_code = cli_fail(io, CLI_USAGE, &e);
		fprintf(io->err, "try: weir keys --help\n");
		return exit_code;
	}
	req.server.data_dir = data_dir;
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
	return cli_no_verb(io, "keys", names, word);
}

int
cli_keys(const struct cli_io *io, int argc, char **argv)
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
