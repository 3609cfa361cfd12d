/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cli_priv.h - what the files of cli/ share.
 *
 * What commands there are is in catalog.h. The path of a client command: args.c turns the command line
 * into a struct cli_request by the flags of flags.c (which come from ops_table), client.c (of a trace: trace.c)
 * fetches, and by the output
 * format json.c, table.c with views.c, or tree.c with tree_draw.c write the answer. All see the outer world
 * through struct cli_io only, so that tests choose it.
 */
#ifndef CLI_CLI_PRIV_H
#define CLI_CLI_PRIV_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/text.h"
#include "ops/ops.h"

#include <stdio.h>

enum cli_format {
	FORMAT_AUTO,
	FORMAT_TABLE,
	FORMAT_JSON,
	FORMAT_NDJSON,
	FORMAT_CSV, /* these two of weir sql only */
	FORMAT_PARQUET,
};
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
	FILE *screen; /* whoever types at the terminal sees this one; NULL: lines are not edited */
	unsigned width; /* of out, 0: unknown */
	uint64_t now_unix_ns;
	const char *(*env)(const char *name); /* as getenv() */
	/* GET. ERR_OK for any HTTP answer, as http_client_get(). */
	enum err_code (*get)(void *ctx, const struct cli_server *server, struct str path,
	    int *status_out, struct buf *body_out, struct err *err);
	/* The same with the method "POST" or "DELETE". */
	enum err_code (*send)(void *ctx, const struct cli_server *server, const char *method,
	    struct str path, int *status_out, struct buf *body_out, struct err *err);
	/* POST with a body of JSON. *truncated_out: a header field says that there is more; NULL: it is not wanted. */
	enum err_code (*post)(void *ctx, const struct cli_server *server, struct str path,
	    struct str json, int *status_out, bool *truncated_out, struct buf *body_out,
	    struct err *err);
	/* GET of a stream: `take` gets the bytes of a 200, until it says that it is enough, or stopping() is true. As
	 * http_client_follow(). */
	enum err_code (*follow)(void *ctx, const struct cli_server *server, struct str path,
	    bool (*take)(void *take_ctx, struct str bytes), void *take_ctx, int *status_out,
	    struct buf *body_out, struct err *err);
	/* Whether who started it wants it to stop, Ctrl-C; from the first follow() on this is how it is told. */
	bool (*stopping)(void *ctx);
	/* Sleep so long; the time after it. */
	uint64_t (*wait)(void *ctx, uint64_t ns);
	/* A line from who sits at the terminal, without its end; false: the input has ended. */
	bool (*read_line)(void *ctx, char *out, size_t size);
	/* All of standard input, appended, unless that is more than out->bytes_max. */
	MUST_CHECK enum err_code (*read_all)(void *ctx, struct buf *out, struct err *err);
	void *ctx;
};

/* cli_run() with a world. */
int cli_main(const struct cli_io *io, int argc, char **argv, const struct cli_command *extra,
    const char *version);
/* "weir: <message>" on io->err, made harmless, and the exit code back. */
int cli_fail(const struct cli_io *io, int exit_code, const struct err *err);

struct cli_request;

/* ---- flags (flags.c) */

enum cli_global {
	GLOBAL_NONE, /* the flag of a parameter */
	GLOBAL_SPAN, /* these three belong to the command that shows a trace */
	GLOBAL_VERBOSE,
	GLOBAL_LOGS,
	GLOBAL_COUNT, /* of one that follows a stream */
	GLOBAL_EACH, /* these three are those of a verb that says so */
	GLOBAL_YES,
	GLOBAL_DATA_DIR,
	GLOBAL_OUTPUT, /* from here on of all that ask a server */
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
	struct usage_option o;
	const struct op_param *param; /* GLOBAL_NONE */
	enum cli_global global;
};

enum { CLI_FLAGS_MAX = 48 };

/* The flags of a command, its own first; op NULL: the global ones only; verb NULL: it is none. Returns how many. */
size_t cli_flags(const struct op *op, const struct cli_verb *verb,
    struct cli_flag out[CLI_FLAGS_MAX]);
/* Those with --all and those without. */
size_t cli_verb_flags(const struct cli_verb *verb, struct cli_flag out[CLI_FLAGS_MAX]);
/* The parameter of the path, which has no flag, or NULL. */
const struct op_param *cli_positional(const struct op *op);
/* The i-th that may stand without a flag: that of the path, then those that are required or say so. NULL: there are no
 * more. */
const struct op_param *cli_argument(const struct op *op, size_t i);
bool cli_has_pages(const struct op *op);

/* ---- the command line (args.c) */

enum { CLI_VALUES_MAX = 64, CLI_URL_BYTES_MAX = 300, CLI_COUNT_MAX = 1000000000 };

struct cli_request {
	const struct op *op;
	struct op_value values[CLI_VALUES_MAX];
	size_t value_count;
	struct cli_server server;
	enum cli_format format;
	enum cli_when color;
	bool all, each, help, yes;
	const char *method; /* NULL: GET */
	const char *formats; /* as in struct cli_verb */
	struct str json; /* the body of a POST; empty: none */
	bool *truncated_out; /* with it */
	uint64_t count; /* of a stream: stop after so many; 0: do not */
	/* of a trace: only this span (empty: all of them), with attributes, with log records */
	struct str span;
	bool verbose, logs;
	char url_text[CLI_URL_BYTES_MAX]; /* of server.url when its scheme was left out */
};

/* argv holds what stands around the command's name. Values stay where they are in argv, the
 * environment and *out, which must not be moved. ERR_INVALID: a usage error. */
MUST_CHECK enum err_code cli_parse(const struct cli_io *io, const struct op *op,
    const struct cli_verb *verb, int argc, char **argv, struct cli_request *out, struct err *err);
/* Whether a word stands in it that is neither an option nor an option's value. */
bool cli_has_positional(const struct op *op, const struct cli_verb *verb, int argc, char **argv);
/* Place of the command's name in argv, jumping over global flags; argc when there is none. */
int cli_find_command(int argc, char **argv);

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
/* One request, whose answer is one thing (thing.c): JSON as it came, or drawn for people. */
struct cli_thing {
	const char *member; /* of the answer that it is; NULL: all of it */
	const char *sign; /* a member that it has, or it is none */
	const char *name; /* "backup" */
	enum err_code (*draw)(struct buf *out, const json_t *it, const struct cli_style *style,
	    struct err *err);
};
int cli_ask_thing(const struct cli_io *io, const struct cli_request *req,
    const struct cli_thing *thing);
int cli_show_thing(const struct cli_io *io, const struct cli_request *req,
    const struct cli_thing *thing, struct buf *body);
/* Say what the server said when it did not answer as asked; or that there is none, and how to name one. */
int cli_refused(const struct cli_io *io, const struct cli_request *req, int status,
    struct buf *body);
int cli_unreachable(const struct cli_io *io, const struct err *err);
/* The path of a request, with its parameters. `cursor`: instead of the one in them; may be empty. */
void cli_build_path(struct buf *path, const struct cli_request *req, struct str cursor);
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

extern const struct table_column cli_comment_columns[], cli_dlq_columns[], cli_keys_columns[],
    cli_backup_columns[];

/* ---- drawing: text.h, table.h, tree.h; the views (views.c); trees: tree_draw.h */

extern const struct table_column cli_query_columns[], cli_range_columns[], cli_names_columns[];
extern const struct table_column cli_llm_columns[], cli_call_columns[];
/* The table for the list of an operation, or NULL. */
const struct table_view *cli_view_of(const char *op);

/* What was asked for, else a table at a terminal and JSON elsewhere. */
enum cli_format cli_format_of(const struct cli_io *io, const struct cli_request *req);
struct cli_style cli_style_of(const struct cli_io *io, const struct cli_request *req);
struct cli_json_style cli_json_style_of(const struct cli_io *io, const struct cli_style *style);

#endif
