/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cli_priv.h - what the files of cli/ share.
 *
 * The path of a client command: args.c turns the command line into a struct cli_request by the
 * flags of flags.c (which come from ops_table), client.c (of a trace: trace.c) fetches, and by the output
 * format json.c, table.c with views.c, or tree.c with tree_draw.c write the answer. All see the outer world
 * through struct cli_io only, so that tests choose it.
 */
#ifndef CLI_CLI_PRIV_H
#define CLI_CLI_PRIV_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/text.h"
#include "ops/ops.h"

#include <stdio.h>

enum cli_format { FORMAT_AUTO, FORMAT_TABLE, FORMAT_JSON, FORMAT_NDJSON };
enum cli_when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

/* ---- the world outside (cli.c has the real one, tests their own) */

struct cli_server { /* which server, as whom */
	struct str url; /* without a slash at its end */
	struct str tenant, token; /* may be empty */
	struct str ca, client_cert, client_key; /* files, for https://; may be empty */
	struct str data_dir; /* not empty: no server, but this folder */
	uint64_t timeout_ns;
};

struct cli_io {
	FILE *out, *err;
	bool in_is_tty, out_is_tty, err_is_tty;
	unsigned width; /* of out, 0: unknown */
	uint64_t now_unix_ns;
	const char *(*env)(const char *name); /* as getenv() */
	/* GET. ERR_OK for any HTTP answer, as http_client_get(). */
	enum err_code (*get)(void *ctx, const struct cli_server *server, struct str path,
	    int *status_out, struct buf *body_out, struct err *err);
	/* The same with the method "POST" or "DELETE". */
	enum err_code (*send)(void *ctx, const struct cli_server *server, const char *method,
	    struct str path, int *status_out, struct buf *body_out, struct err *err);
	/* A line from who sits at the terminal, without its end; false: the input has ended. */
	bool (*read_line)(void *ctx, char *out, size_t size);
	void *ctx;
};

/* cli_run() with a world. */
int cli_main(const struct cli_io *io, int argc, char **argv, const struct cli_command *extra,
    const char *version);
/* "weir: <message>" on io->err, made harmless, and the exit code back. */
int cli_fail(const struct cli_io *io, int exit_code, const struct err *err);

/* ---- flags (flags.c) */

enum cli_global {
	GLOBAL_NONE, /* the flag of a parameter */
	GLOBAL_SPAN, /* these three belong to the command that shows a trace */
	GLOBAL_VERBOSE,
	GLOBAL_LOGS,
	GLOBAL_YES, /* of the command that deletes */
	GLOBAL_OUTPUT,
	GLOBAL_ALL,
	GLOBAL_URL,
	GLOBAL_TENANT,
	GLOBAL_TOKEN,
	GLOBAL_CA,
	GLOBAL_CLIENT_CERT,
	GLOBAL_CLIENT_KEY,
	GLOBAL_TIMEOUT,
	GLOBAL_COLOR,
	GLOBAL_HELP,
};

struct cli_flag {
	char name[40]; /* "min-duration-ms" */
	char letter; /* 's', or 0 */
	const struct op_param *param; /* GLOBAL_NONE */
	enum cli_global global;
	char value[48]; /* what stands for the value in help; empty: a switch */
	const char *help;
};

enum { CLI_FLAGS_MAX = 48 };

/* The flags of a command, its own first; op NULL: the global ones only. Returns how many. */
size_t cli_flags(const struct op *op, struct cli_flag out[CLI_FLAGS_MAX]);
/* The parameter that stands without a flag, or NULL. */
const struct op_param *cli_positional(const struct op *op);
bool cli_has_pages(const struct op *op);

/* ---- the command line (args.c) */

enum { CLI_VALUES_MAX = 64, CLI_URL_BYTES_MAX = 300 };

struct cli_request {
	const struct op *op;
	struct op_value values[CLI_VALUES_MAX];
	size_t value_count;
	struct cli_server server;
	enum cli_format format;
	enum cli_when color;
	bool all, help, yes;
	bool timeout_given;
	const char *method; /* NULL: GET */
	/* of a trace: only this span (empty: all of them), with attributes, with log records */
	struct str span;
	bool verbose, logs;
	char url_text[CLI_URL_BYTES_MAX]; /* of server.url when its scheme was left out */
};

/* argv holds what stands around the command's name. Values stay where they are in argv, the
 * environment and *out, which must not be moved. ERR_INVALID: a usage error. */
MUST_CHECK enum err_code cli_parse(const struct cli_io *io, const struct op *op, int argc,
    char **argv, struct cli_request *out, struct err *err);
/* Place of the command's name in argv, jumping over global flags; argc when there is none. */
int cli_find_command(int argc, char **argv);

/* ---- help (help.c) */

void cli_help_overview(FILE *out, const struct cli_command *extra);
void cli_help_command(FILE *out, const struct op *op);

/* ---- asking (client.c) */

#define CLI_ANSWER_BYTES_MAX ((size_t)(1024 * LIMIT_MIB))

/* These return an exit code, and have said what went wrong when it is not CLI_OK. */

/* Run a client command. */
int cli_ask(const struct cli_io *io, const struct cli_request *req);
/* The one that shows a trace (trace.c). */
int cli_ask_trace(const struct cli_io *io, const struct cli_request *req);
/* One request; a 200's body. */
int cli_fetch(const struct cli_io *io, const struct cli_request *req, struct str cursor,
    struct buf *body);
/* Write an answer in this format, and say when it is partial. */
int cli_show(const struct cli_io *io, const struct cli_request *req, enum cli_format format,
    struct buf *body);
int cli_write_out(const struct cli_io *io, const struct buf *text);
/* CLI_PARTIAL when it is; an empty body is not. */
int cli_warn_if_partial(const struct cli_io *io, struct buf *body);

/* When the service asked for is none that the server knows: which ones there are (hint.c). */
void cli_hint_services(const struct cli_io *io, const struct cli_request *req, struct buf *out,
    const struct cli_style *style);

/* Who sits at a terminal is asked before something goes for good. */
bool cli_is_meant(const struct cli_io *io, const struct cli_request *req, const char *question);
/* The parameter `id` becomes part of a path. `of`: "a dead letter". */
MUST_CHECK enum err_code cli_check_id(const struct cli_request *req, const char *of,
    struct err *err);

/* Commands of several, argv being the words behind "weir": `weir dlq ...` (dlq.c), `weir keys ...` (keys.c),
 * `weir backup ...` (backup.c). */
struct cli_group {
	const char *name;
	const char *help; /* one line */
	int (*run)(const struct cli_io *io, int argc, char **argv);
	enum op_section section;
};
extern const struct cli_group cli_groups[]; /* ends with a NULL name */
/* The word behind the group's name (NULL: there is none) is none of its verbs, of which there are two at least: says so,
 * and returns the exit code. */
int cli_no_verb(const struct cli_io *io, const char *group, const char *const *verbs,
    const char *word);

int cli_dlq(const struct cli_io *io, int argc, char **argv);
bool cli_dlq_deletes(const struct op *op);
extern const char cli_dlq_help[];
extern const struct table_column cli_dlq_columns[];

/* --data-dir DIR or --data-dir=DIR, taken out of argv; empty: it is not there. */
MUST_CHECK enum err_code cli_take_data_dir(int *argc, char **argv, struct str *out,
    struct err *err);

int cli_check(const struct cli_io *io, int argc, char **argv);
bool cli_check_mends(const struct op *op);
extern const char cli_check_help[];

int cli_keys(const struct cli_io *io, int argc, char **argv);
bool cli_keys_asks(const struct op *op);
extern const char cli_keys_help[];
extern const struct table_column cli_keys_columns[];

int cli_backup(const struct cli_io *io, int argc, char **argv);
bool cli_backup_deletes(const struct op *op);
extern const char cli_backup_help[];
extern const struct table_column cli_backup_columns[];

/* ---- drawing: text.h, table.h, tree.h; the views (views.c) and trees (tree_draw.c) */

/* The table for the list of an operation, or NULL. */
const struct table_view *cli_view_of(const char *op);
/* The answer to "trace" as a tree; with the answer to "logs" (NULL: none) below its spans; verbose:
 * with attributes and events. */
void cli_draw_tree(struct buf *out, const json_t *answer, const json_t *logs, bool verbose,
    const struct cli_style *style);
/* One span, whole. */
void cli_draw_span(struct buf *out, const json_t *span, const struct cli_style *style);

/* ---- JSON (json.c, item.c) */

struct cli_json_style {
	bool pretty; /* else compact */
	bool safe; /* escape what could move a terminal's cursor */
	bool color;
};

/* Write a JSON value over, its numbers and escapes as they are. ERR_CORRUPT when it is none. */
MUST_CHECK enum err_code cli_json_print(struct buf *out, struct str json,
    struct cli_json_style style, struct err *err);
/* The items of the member `list` of an object, one per line. next_cursor, when there is one, is
 * appended to cursor_out (NULL: not wanted). */
MUST_CHECK enum err_code cli_json_lines(struct buf *out, struct str json, const char *list,
    struct cli_json_style style, struct buf *cursor_out, struct err *err);

struct cli_style cli_style_of(const struct cli_io *io, const struct cli_request *req);
struct cli_json_style cli_json_style_of(const struct cli_io *io, const struct cli_style *style);

/* An answer as jansson's tree, or NULL. Changes escapes of NUL in the text. */
json_t *cli_json_load(struct buf *json);
/* Members of an item; what is missing or of another type is empty, 0 or false. */
struct str cli_item_str(const json_t *item, const char *key);
uint64_t cli_item_u64(const json_t *item, const char *key); /* a number or a decimal string */
double cli_item_f64(const json_t *item, const char *key);
bool cli_item_is(const json_t *item, const char *key, const char *text);
/* Text as it is, anything else as JSON. Not cleaned. */
void cli_value_text(struct buf *b, const json_t *value);
/* Of a span: "1.25ms", "-3s", or "not ended" when it came without an end. */
void cli_item_duration(struct buf *b, const json_t *span);
bool cli_item_has_no_end(const json_t *span);
/* Of a log record: its body or else the name of its event. Not cleaned, not whole when long. */
void cli_item_log_text(struct buf *b, const json_t *log);
enum text_color cli_item_severity_color(const json_t *log);

#endif
