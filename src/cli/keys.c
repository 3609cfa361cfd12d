/* SPDX-License-Identifier: Apache-2.0 */
/* `weir keys list | create | rotate | revoke | delete`: over REST, or on a data folder without a server. */
#include "cli/cli_priv.h"

#include "cli/cell.h"

#include "base/timefmt.h"

#include <jansson.h>

#define KEYS_PATH "/api/v1/keys"

#define PARAM_ID {.name = "id", .type = OP_TEXT, .in_path = true, .help = "as list shows it"}

static const struct op_param list_params[] = {
    {.name = "tenant", .type = OP_TEXT, .help = "of this tenant"},
    {.name = NULL},
};
static const struct op_param create_params[] = {
    {.name = "right",
        .type = OP_ENUM,
        .repeat = true,
        .choices = "ingest|read|admin",
        .help = "it may do this"},
    {.name = "tenant", .type = OP_TEXT, .help = "whose telemetry; '*' for all tenants"},
    {.name = "name", .type = OP_TEXT, .help = "what the key is for"},
    {.name = "expires", .type = OP_SPAN, .help = "valid so long, like 90d", .fallback = "for ever"},
    {.name = NULL},
};
static const struct op_param rotate_params[] = {
    PARAM_ID,
    {.name = "grace",
        .type = OP_SPAN,
        .help = "the text before stays valid so long",
        .fallback = "not at all"},
    {.name = NULL},
};
static const struct op_param one_params[] = {PARAM_ID, {.name = NULL}};

static const struct cli_verb verbs[] = {
    {.name = "keys list",
        .folder = true,
        .op = {.name = "keys list",
            .path = KEYS_PATH,
            .help = "list keys",
            .example = "weir keys list --tenant acme",
            .list = "keys",
            .params = list_params}},
    {.name = "keys create",
        .method = "POST",
        .folder = true,
        .op = {.name = "keys create",
            .path = KEYS_PATH,
            .help = "make a key, and show it this once",
            .example = "weir keys create --tenant acme --right ingest --expires 90d",
            .params = create_params}},
    {.name = "keys rotate",
        .method = "POST",
        .folder = true,
        .op = {.name = "keys rotate",
            .path = KEYS_PATH "/{id}/rotate",
            .help = "give a key a new text",
            .example = "weir keys rotate k7Q2mXw9 --grace 1d",
            .params = rotate_params}},
    {.name = "keys revoke",
        .method = "DELETE",
        .folder = true,
        .asks = true,
        .question = "revoke this key for good? [y/N] ",
        .undone = "nothing was revoked",
        .op = {.name = "keys revoke",
            .path = KEYS_PATH "/{id}",
            .help = "revoke a key for good",
            .example = "weir keys revoke k7Q2mXw9",
            .params = one_params}},
    {.name = "keys delete",
        .method = "DELETE",
        .folder = true,
        .asks = true,
        .question = "delete this key from the list for good? [y/N] ",
        .undone = "nothing was deleted",
        .op = {.name = "keys delete",
            .path = KEYS_PATH "/{id}/record",
            .help = "forget a key that is revoked or has expired",
            .example = "weir keys delete k7Q2mXw9 --yes",
            .params = one_params}},
    {.name = NULL},
};

/* ---- the table */

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
	cell_buf(t, &b, COLOR_DIM);
}

static void
key_id(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "id", COLOR_NONE);
}

static void
key_name(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "name", COLOR_NONE);
}

static void
key_tenant(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "tenant", COLOR_CYAN);
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
	cell_buf(t, &b, COLOR_NONE);
}

static void
key_state(struct table_text *t, const json_t *item)
{
	bool good = cli_item_is(item, "state", "active");
	cell_text_or_dash(t, item, "state", good ? COLOR_GREEN : COLOR_RED);
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
static enum err_code
put_change(struct buf *out, const json_t *key, const struct cli_style *style, struct err *err)
{
	(void)err;
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
	return ERR_OK;
}

static const struct cli_thing change = {.sign = "id", .name = "key", .draw = put_change};

/* ---- the command line */

static enum err_code
check(const struct cli_verb *verb, const struct cli_request *req, struct err *err)
{
	(void)verb;
	return cli_check_id(req, "a key", err);
}

static int
run(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req)
{
	if (!cli_verb_is_meant(io, verb, req, verb->question))
		return CLI_ERROR;
	return verb->method ? cli_ask_thing(io, req, &change) : cli_ask(io, req);
}

const struct cli_group cli_keys = {.name = "keys",
    .help = "list, create, rotate, revoke or delete keys",
    .about = "Who may send, ask and administer. While there are no keys nobody needs one;\n"
             "from the first on everybody does, so begin with one for yourself, as in the\n"
             "example. Revoked and expired keys stay in the list until they are deleted.\n"
             "\n"
             "A key is shown once. Give it to SDKs as the header \"authorization=Bearer KEY\"\n"
             "or \"x-api-key=KEY\", and to weir as $WEIR_TOKEN. With --data-dir the files of\n"
             "that folder are changed, whether a server runs on them or not.\n",
    .example = "weir keys create --data-dir weir-data --tenant '*' --right admin --right read",
    .section = OP_ADMINISTRATE,
    .verbs = verbs,
    .check = check,
    .run = run};
