/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/ops.h - every question weir answers, in one table: name, path, parameters, help, handler.
 *
 * REST serves the table, the CLI turns its rows into commands and flags, MCP into tools; none of
 * them has query logic. Parameters arrive as text pairs in any order; unknown, repeated (unless
 * `repeat`), malformed ones are ERR_INVALID and the message names the parameter.
 *
 * A handler writes one JSON value, or, where the answer is spans, log records or points and OTLP is asked for, the
 * export request that they could have come in, in protobuf. Shapes are in docs/api.md. Threading: any reader thread; blocks
 * on the store until the deadline.
 */
#ifndef OPS_OPS_H
#define OPS_OPS_H

#include "base/buf.h"
#include "base/embedded.h"
#include "base/limits.h"
#include "base/stats.h"
#include "store/store.h"

enum op_param_type {
	OP_TEXT,
	OP_INT, /* int64 */
	OP_DURATION_MS, /* milliseconds as a decimal number, or a length of time with its units */
	OP_TIME, /* RFC 3339 or unix time, time_parse() */
	OP_SPAN, /* a length of time, time_parse_span() */
	OP_TRACE_ID, /* 32 hex */
	OP_SPAN_ID, /* 16 hex */
	OP_ATTR, /* key=value */
	OP_ENUM, /* one of `choices`, in any case; "err" and "warning" mean error and warn */
	OP_CURSOR,
	OP_BOOL, /* true false 1 0, or empty: true */
};

struct op_param {
	const char *name; /* as in the query string; CLI flag is --name with '-' for '_' */
	enum op_param_type type;
	bool repeat;
	bool in_path; /* the {name} of op.path */
	bool required;
	const char *choices; /* OP_ENUM: "ok|error|unset" */
	const char *help;
	/* What holds when it is not given, as its value would be written; NULL: nothing does. For help and the OpenAPI
	 * document: the handler knows it by itself. */
	const char *fallback;
	const char *
	    sample; /* a value that would do, for who reads the document or tests it; required TEXT has one */
	int64_t min, max; /* OP_INT: inclusive bounds, checked; max 0: the handler's business */
	bool results; /* OP_INT: 1 to limits.results_max, which the handler checks */
	unsigned
	    repeat_max; /* how often, which the handler checks; 0: as often as there are parameters */
};

struct op_value { /* one parameter as it came */
	struct str name;
	struct str value;
};

struct op_context {
	struct store *store;
	const struct limits *limits;
	struct stats *stats;
	struct str tenant;
	uint64_t now_unix_ns;
	uint64_t deadline_mono_ns;
	struct arena *arena; /* of this request, bounded */
	/* Not NULL: OTLP is asked for, if the operation has it; then `written` is set, and next_cursor to where the next
	 * page begins (empty: this was the last). */
	struct ops_otlp *otlp;
};

enum { OPS_CURSOR_BYTES = 256 };

struct ops_otlp {
	bool written;
	char next_cursor[OPS_CURSOR_BYTES];
};

/* POST: parameters may also be the members of a JSON object in the body: strings, numbers, booleans, and for what may be
 * repeated arrays of them. A page of another site may not ask for it. */
enum op_method { OP_GET, OP_POST };

/* Where it stands in `weir --help`, and its tag in the OpenAPI document. */
enum op_section {
	OP_ASK, /* what came in: spans, logs, metrics ... */
	OP_ANALYSE, /* what is computed from it: summary, anomalies ... */
	OP_CHANGE, /* notes that people and agents leave: comments */
	OP_ADMINISTRATE,
	OP_RUN, /* commands only: serve, import ... */
};

struct op {
	const char *name; /* "traces": what it is called, and the CLI's command */
	enum op_method method;
	bool writes; /* it adds telemetry: the key's right is ingest, not read */
	bool no_command; /* the CLI has another face for it */
	enum op_section section;
	const char *path; /* "/api/v1/traces", "/api/v1/traces/{trace_id}/comments" */
	const char *help; /* one line, begins with a verb in lower case */
	const char
	    *example; /* a command line that shows what it is for; NULL only with no_command */
	const char
	    *list; /* the answer's member that is the list of items: "spans"; NULL: it is no list */
	/* For the OpenAPI document. The name of what 200 answers with, one of ops_schemas; NULL: it has no JSON. */
	const char *answer;
	const char *
	    also; /* other media types of it, with blanks between: "application/x-protobuf text/csv" */
	/* Statuses of errors besides those that every operation has (and 404 where a parameter stands in the path):
	 * "404 409" */
	const char *errors;
	const struct op_param *params; /* ends with a NULL name */
	enum err_code (*handle)(const struct op_context *ctx, const struct op *op,
	    const struct op_value *values, size_t value_count, struct buf *json_out,
	    struct err *err);
};

extern const struct op ops_table[]; /* ends with a NULL name */
/* JSON schemas of answers and of the types of parameters: the files of ops/schemas/. What is not said in them is not in
 * an answer. Refer to each other as "#/components/schemas/NAME". Ends with a NULL name. */
extern const struct embedded_json ops_schemas[];

/* The row that serves this method of this path, or NULL. The parameter in the path, when there is one, is the
 * caller's to append to the values. methods_out, unless it is NULL: bits 1 << enum op_method of all that the path has. */
const struct op *ops_find_path(enum op_method method, struct str path,
    struct op_value *path_value_out, bool *has_value_out, unsigned *methods_out);
const struct op *ops_find_name(struct str name);
/* Is this a value of the parameter? ERR_INVALID says what is expected and shows the value, without
 * the parameter's name, which a face spells in its own way. Ranges that depend on the server's
 * limits are checked by ops_run() only. */
MUST_CHECK enum err_code ops_check_value(const struct op_param *param, struct str value,
    struct err *err);
/* Check the parameters and run. */
MUST_CHECK enum err_code ops_run(const struct op *op, const struct op_context *ctx,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);

#endif
