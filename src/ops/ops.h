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
#include "base/usage.h"
#include "store/store.h"

enum op_param_type {
	OP_TEXT,
	OP_INT, /* int64 */
	OP_DURATION_MS, /* milliseconds as a decimal number, or a length of time with its units */
	OP_TIME, /* RFC 3339 or unix time, time_parse() */
	OP_SPAN, /* a length of time, time_parse_span() */
	OP_TRACE_ID, /* 32 hex */
	OP_SPAN_ID, /* 16 hex */
	OP_ATTR, /* a condition on an attribute: attr.c */
	OP_WORDS, /* words and "phrases": words.c */
	OP_ENUM, /* one of `choices`, in any case; "err" and "warning" mean error and warn */
	OP_CURSOR,
	OP_BOOL, /* true false 1 0, or empty: true */
	OP_UNIX_TIME, /* as Prometheus has it: unix seconds with a fraction, or RFC 3339 */
	OP_PROM_SPAN, /* likewise: seconds with a fraction, or 5m, 1h30m */
};

struct op_param {
	const char *name; /* as in the query string; CLI flag is --name with '-' for '_' */
	const char *flag; /* unless this says otherwise: "span" */
	enum op_param_type type;
	bool repeat;
	bool in_path; /* a {name} of op.path: those stand first, in its order */
	bool
	    argument; /* a command takes it without its flag too, as it does all that are required */
	bool required;
	const char *choices; /* OP_ENUM: "ok|error|unset" */
	const char *help;
	/* What holds when it is not given, as its value would be written; NULL: nothing does. For help and the OpenAPI
	 * document: the handler knows it by itself. */
	const char *fallback;
	const char *
	    sample; /* a value that would do, for who reads the document or tests it; required TEXT has one */
	int64_t min, max; /* OP_INT: inclusive bounds, checked; max 0: the handler's business */
	bool results; /* OP_INT: 1 to limits.results_max, checked by ops_run() */
	unsigned
	    repeat_max; /* how often, which the handler checks; 0: as often as there are parameters */
};

struct op_value { /* one parameter as it came */
	struct str name;
	struct str value;
};

/* Where operations put what they add. */
struct ops_writer {
	/* A request of comments (comment/comment.h). ERR_OK: it is durable; *visible_out: and queries see it, which is
	 * waited for, though not for long. Blocks until the deadline; ERR_DEADLINE: nobody knows whether it was
	 * logged. */
	enum err_code (*comments)(void *ctx, struct str tenant, struct str request,
	    uint64_t deadline_mono_ns, bool *visible_out, struct err *err);
	void *ctx;
};

struct prices; /* agent/prices.h */

struct op_context {
	struct store *store;
	const struct ops_writer *writer; /* NULL: nothing is added here */
	const struct limits *limits;
	const struct prices *prices; /* NULL: no costs are known but those that are sent */
	struct stats *stats;
	struct str tenant;
	struct str key_name; /* what the asker's key is called; empty: nothing, or there is none */
	uint64_t random[2]; /* of this request */
	uint64_t now_unix_ns;
	uint64_t deadline_mono_ns;
	struct arena *arena; /* of this request, bounded */
	/* For operations that answer in several forms. The request's Accept, may be empty; what is answered then. */
	struct str accept;
	struct ops_reply *reply; /* NULL: JSON only */
	/* Should what takes long end now: this time (of the monotonic clock) has come, nobody waits for the answer any
	 * more, or the server stops? NULL: never. */
	bool (*stop)(const struct op_context *ctx, uint64_t deadline_mono_ns);
	uint64_t start_mono_ns; /* when it began to run */
	/* Not NULL: OTLP is asked for, if the operation has it; then `written` is set, and next_cursor to where the next
	 * page begins (empty: this was the last). */
	struct ops_otlp *otlp;
};

enum { OPS_CURSOR_BYTES = 256 };

struct ops_reply {
	const char *content_type; /* NULL: JSON */
	bool truncated; /* there is more, and the body has no place to say so */
	char next_cursor
	    [OPS_CURSOR_BYTES]; /* nor for where the next page begins; empty: this was the last */
};

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
	int status; /* of the answer when all is well; 0: 200 */
	bool no_command; /* the CLI has another face for it */
	bool heavy; /* it has threads of its own, and the time of SQL */
	/* It is one of Prometheus' API: errors look as there, parameters that are not known are ignored, and the body of a POST
	 * is a form that says what the query of a GET would: it changes nothing, so any page may ask for it. */
	bool prometheus;
	/* Not an answer but items as they come in, tail/tail.h: `handle` is NULL, and what they have to meet is what
	 * ops_build_filter() makes of the parameters. They are `follows`: STORE_SPANS or STORE_LOGS. */
	bool stream;
	enum store_query_kind follows;
	enum op_section section;
	const char *path; /* "/api/v1/traces", "/api/v1/traces/{trace_id}/comments" */
	bool
	    with_slashes; /* what stands in the path, which is one parameter, may have slashes in it */
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
	/* Of a POST: the media type of a body that its handler reads by itself; NULL: there are parameters in it. */
	const char *body;
	const struct op_param *params; /* ends with a NULL name */
	enum err_code (*handle)(const struct op_context *ctx, const struct op *op,
	    const struct op_value *values, size_t value_count, struct buf *json_out,
	    struct err *err);
};

extern const struct op ops_table[]; /* ends with a NULL name */
/* JSON schemas of answers and of the types of parameters: the files of ops/schemas/. What is not said in them is not in
 * an answer. Refer to each other as "#/components/schemas/NAME". Ends with a NULL name. */
extern const struct embedded_text ops_schemas[];

/* The parameter as an option of a command: --min-duration-ms of min_duration_ms. */
struct usage_option ops_option(const struct op_param *param);
enum { OPS_PATH_VALUES_MAX = 2 };

/* What stands in a path. */
struct ops_path {
	const struct op *op; /* that serves the method; NULL: none does */
	struct op_value values[OPS_PATH_VALUES_MAX]; /* the caller's to append to the others */
	size_t value_count;
	unsigned methods; /* bits 1 << enum op_method of all that the path has */
};

/* out->op. The values point into the path. */
const struct op *ops_find_path(enum op_method method, struct str path, struct ops_path *out);
const struct op *ops_find_name(struct str name);
/* Is this a value of the parameter? ERR_INVALID says what is expected and shows the value, without
 * the parameter's name, which a face spells in its own way. Ranges that depend on the server's
 * limits are checked by ops_run() only. */
MUST_CHECK enum err_code ops_check_value(const struct op_param *param, struct str value,
    struct err *err);
/* Of a row with `stream`: check the parameters and make conditions of them, which point into the values and the arena. */
MUST_CHECK enum err_code ops_build_filter(const struct op *op, const struct op_context *ctx,
    const struct op_value *values, size_t value_count, struct store_query *out, struct err *err);
/* One item as lists have it; r->arena is scratch. */
MUST_CHECK enum err_code ops_write_item(enum store_query_kind kind, const struct store_result *r,
    size_t row, struct buf *json_out, struct err *err);
/* Check the parameters and run. Not for a row with `stream`. */
MUST_CHECK enum err_code ops_run(const struct op *op, const struct op_context *ctx,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);

#endif
