/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cli.h - the command line: `weir COMMAND [options]`.
 *
 * Three kinds of commands. Client commands (traces, trace, logs, metrics, services) are rows of ops_table: their
 * parameters become flags, their answer comes from a server over HTTP and is shown as a table or tree (terminal) or as
 * JSON (pipe). Groups (keys, backup, dlq) have verbs, which are the same with a table of their own. Extra commands (serve,
 * demo, bench) belong to modules that cli/ does not know; the caller hands them in with a struct usage, and they parse
 * their own options.
 *
 * `weir --help`, `weir help COMMAND [VERB]`, `weir COMMAND --help`, `weir --version` and `weir completion SHELL` are
 * answered here, out of the tables.
 *
 * Exit codes, for extra commands too: see enum cli_exit. Errors go to standard error as one line
 * "weir: ...". Everything that comes from telemetry or from a server is made harmless before it
 * reaches a terminal: no control character, escape sequence or bidirectional override gets through.
 *
 * Threading: the main thread. Owns nothing after it returns.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/buf.h"
#include "base/err.h"
#include "base/usage.h"
#include "ops/ops.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_ERROR = 1, /* the server cannot be reached, or said no */
	CLI_USAGE = 2, /* the command line is wrong */
	CLI_NOT_FOUND = 3, /* there is no such trace */
	CLI_PARTIAL = 4, /* an answer, but parts of the system could not be asked */
	CLI_DAMAGE = 4, /* weir check: there is damage */
};

/* The request that `weir check --data-dir` makes of a cli_offline_fn. */
#define CLI_CHECK_PATH "/api/v1/check"

struct cli_command {
	const struct usage *usage; /* its name, help, options; NULL: the end of the table */
	/* argv[0] is the command's name; returns an enum cli_exit. */
	int (*run)(int argc, char **argv);
	enum op_section section;
};

/* What a server would answer to this request, from a data folder: commands with --data-dir. Returns the HTTP status. */
typedef int (*cli_offline_fn)(struct str data_dir, const char *method, struct str path,
    struct buf *body_out);

/* Run the command line and return the exit code of the program. `extra` ends with a NULL usage (NULL:
 * none). `offline` may be NULL. `version` is what `weir --version` prints behind "weir ". */
int cli_run(int argc, char **argv, const struct cli_command *extra, cli_offline_fn offline,
    const char *version);

#endif
