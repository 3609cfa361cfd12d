/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/transfer_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "ops/ops.h"
#include "otlp/otlp.h"
#include "otlp/to_json.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "wire/json_read.h"

#include <stdlib.h>

enum {
	PAGE_ROWS = 4000,
	CONNECT_MS = 5000,
	TIMEOUT_S = 60,
	TRIES_MAX = 60,
	SIGNALS = 4,
	CURSOR_BYTES = HTTP_CLIENT_FIELD_BYTES,
};

enum format { FORMAT_JSON_LINES, FORMAT_PROTOBUF, FORMAT_PARQUET };

static const struct {
	const char *name, *end; /* of --format, of a file's name */
} formats[] = {{"jsonl", "jsonl"}, {"proto", "otlp"}, {"parquet", "parquet"}};

struct exporting {
	struct transfer_args args;
	enum format format;
	struct str tenant;
	struct http_client *client;
	struct progress progress;
	const struct op *op;
	enum signal_kind signal;
	const char *out; /* "-": standard output */
	FILE *file;
	struct parquet_writer *parquet;
	char path[FILE_PATH_BYTES], partial[FILE_PATH_BYTES];
	uint64_t bytes;
};

static const struct usage_option options[] = {
    {.name = "out",
        .letter = 'o',
        .value = "PATH",
        .help = "a file (- or nothing: standard output), or with `all` and with parquet a folder "
                "(weir-export)"},
    {.name = "format",
        .value = "FORMAT",
        .help = "OTLP/JSON, a request a line; protobuf, each request behind its length in 4 bytes; "
                "Parquet; of comments always the first, one a line",
        .words = "jsonl|proto|parquet",
        .fallback = "jsonl"},
    {.name = "force", .help = "write over files that are there"},
    {.name = "url",
        .value = "URL",
        .help = "the server's API ($WEIR_URL)",
        .fallback = "http://127.0.0.1:7700"},
    {.name = "token", .value = "KEY", .help = "a key that may read (better: $WEIR_TOKEN)"},
    {.name = "tenant", .value = "NAME", .help = "whose telemetry ($WEIR_TENANT)"},
    TRANSFER_OPTIONS_TLS,
    {.name = ""},
};
_Static_assert(ARRAY_LEN(options) <= TRANSFER_OPTIONS_MAX, "a place for the value of each");

static const enum signal_kind signals[SIGNALS] = {
    SIGNAL_TRACES, SIGNAL_LOGS, SIGNAL_METRICS, SIGNAL_COMMENTS};

_Static_assert((int)CURSOR_BYTES == TRANSFER_CURSOR_BYTES, "cursors of comments fit");

/* Comments are no part of OTLP. */
static enum format
format_of(const struct exporting *x)
{
	return x->signal == SIGNAL_COMMENTS ? FORMAT_JSON_LINES : x->format;
}

/* ---- filters */

/* "min-duration-ms" is min_duration_ms. What is about pages and counts is not for an export. */
static const struct op_param *
find_param(const struct op *op, struct str flag)
{
	for (const struct op_param *p = op->params; p->name; p++) {
		bool same = strlen(p->name) == flag.len && p->type != OP_CURSOR &&
		    strcmp(p->name, "limit") != 0 && strcmp(p->name, "histogram") != 0;
		for (size_t i = 0; i < flag.len && same; i++)
			same =
			    p->name[i] == flag.ptr[i] || (p->name[i] == '_' && flag.ptr[i] == '-');
		if (same)
			return p;
	}
	return NULL;
}

/* A filter may be of several of them. */
static void
add_filters(struct usage_list *list)
{
	for (size_t k = 0; k < SIGNALS; k++) {
		const struct op *op = ops_find_name(str_from(signal_name(signals[k])));
		for (const struct op_param *p = op->params; p->name; p++) {
			struct usage_option o = ops_option(p);
			bool offered = find_param(op, str_from(o.name)) != NULL;
			for (size_t i = 0; i < list->count; i++)
				offered = offered && strcmp(list->options[i].name, o.name) != 0;
			o.letter = 0;
			if (offered)
				usage_add(list, &o);
		}
	}
}

const struct usage transfer_export_usage = {.name = "export",
    .help = "write telemetry of a server to files",
    .arguments = "[traces|logs|metrics|comments|all]",
    .argument = {.words = "traces|logs|metrics|comments|all"},
    .about = "Every field of it, newest first. Filters are those of weir traces, weir logs and\n"
             "weir metrics. Read it back with weir import.\n",
    .example = "weir export traces --last 1h -o traces.jsonl",
    .options = options,
    .more = add_filters};

/* No filter of op: one of another, or none at all. */
static enum err_code
no_filter(const struct op *op, struct str name, struct err *err)
{
	bool other = false;
	for (size_t k = 0; k < SIGNALS; k++)
		other = other || find_param(ops_find_name(str_from(signal_name(signals[k]))), name);
	if (!other)
		return usage_unknown(&transfer_export_usage, name, err);
	return err_set(err, ERR_INVALID, "there is no option --%.*s for %s", STR_ARG(name),
	    op->name);
}

static enum err_code
check_filters(const struct exporting *x, const struct op *op, struct err *err)
{
	for (size_t i = 0; i < x->args.other_count; i++) {
		struct str name = x->args.other_names[i];
		const struct op_param *p = find_param(op, name);
		if (!p)
			return no_filter(op, name, err);
		if (ops_check_value(p, x->args.other_values[i], err) != ERR_OK)
			return err_wrap(err, "--%.*s", STR_ARG(name));
	}
	return ERR_OK;
}

static void
put_path(const struct exporting *x, const struct op *op, uint64_t limit, const char *cursor,
    struct buf *path)
{
	char text[24];
	buf_reset(path);
	buf_str(path, str_from(op->path));
	for (size_t i = 0; i < x->args.other_count; i++) {
		const struct op_param *p = find_param(op, x->args.other_names[i]);
		if (p)
			http_client_add_param(path, str_from(p->name), x->args.other_values[i]);
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
	if (limit > 0)
		http_client_add_param(path, STR("limit"), str_from(text));
	if (*cursor)
		http_client_add_param(path, STR("cursor"), str_from(cursor));
}

/* ---- how many there are, for the bar */

/* Sum of a member of all services. */
static uint64_t
sum_member(struct str json, const char *member)
{
	struct json_reader r;
	struct str key = STR_EMPTY;
	uint64_t sum = 0, n;
	enum json_token tok;
	jsonr_begin(&r, json);
	while ((tok = jsonr_next(&r)) != JSON_END && tok != JSON_ERROR) {
		if (tok == JSON_KEY)
			key = r.raw;
		else if (tok == JSON_NUMBER && str_eq(key, str_from(member)) &&
		    str_to_u64(r.raw, &n))
			sum += n;
	}
	return sum;
}

/* 0: not known, for there are filters that services do not have. */
static uint64_t
total_of(struct exporting *x)
{
	static const char *const members[] = {[SIGNAL_TRACES] = "span_count",
	    [SIGNAL_LOGS] = "log_count",
	    [SIGNAL_METRICS] = "point_count",
	    [SIGNAL_COMMENTS] = ""};
	const struct op *services = ops_find_name(STR("services"));
	struct buf path = {0}, body = {.bytes_max = TRANSFER_BODY_BYTES_MAX};
	struct http_client_answer answer = {.body = &body};
	struct err err;
	uint64_t total = 0;
	for (size_t i = 0; i < x->args.other_count; i++)
		if (!find_param(services, x->args.other_names[i]))
			return 0;
	if (x->signal == SIGNAL_COMMENTS)
		return 0;
	put_path(x, services, 0, "", &path);
	const struct http_client_request req = {.method = "GET", .path_and_query = buf_view(&path)};
	if (x->progress.on && http_client_exchange(x->client, &req, &answer, &err) == ERR_OK &&
	    answer.status == 200)
		total = sum_member(buf_view(&body), members[x->signal]);
	buf_fini(&path);
	buf_fini(&body);
	return total;
}

/* ---- writing */

static enum err_code
write_bytes(struct exporting *x, struct str bytes, struct err *err)
{
	if (bytes.len > 0 && fwrite(bytes.ptr, 1, bytes.len, x->file) != bytes.len)
		return err_set(err, ERR_IO, "cannot write %s: is the disk full?",
		    x->path[0] ? x->path : "the output");
	x->bytes += bytes.len;
	return ERR_OK;
}

static enum err_code
write_json_line(struct exporting *x, struct str body, struct err *err)
{
	struct buf json = {0};
	enum err_code code = otlp_to_json(x->signal, body, LIMIT_MESSAGE_DEPTH, &json, err);
	buf_char(&json, '\n');
	if (code == ERR_OK)
		code = write_bytes(x, buf_view(&json), err);
	buf_fini(&json);
	return code;
}

static enum err_code
write_frame(struct exporting *x, struct str body, struct err *err)
{
	const char prefix[4] = {
	    (char)(body.len >> 24), (char)(body.len >> 16), (char)(body.len >> 8), (char)body.len};
	enum err_code code = write_bytes(x, str_of(prefix, sizeof(prefix)), err);
	return code == ERR_OK ? write_bytes(x, body, err) : code;
}

static enum err_code
write_page(struct exporting *x, struct buf *body, struct err *err)
{
	if (x->signal == SIGNAL_COMMENTS)
		return write_bytes(x, buf_view(body), err);
	switch (x->format) {
	case FORMAT_JSON_LINES: return write_json_line(x, buf_view(body), err);
	case FORMAT_PROTOBUF: return write_frame(x, buf_view(body), err);
	case FORMAT_PARQUET: return transfer_parquet_add(x->parquet, body, err);
	}
	return err_set(err, ERR_INTERNAL, "no such format");
}

/* ---- pages */

static enum err_code
refused(const struct http_client_answer *answer, struct err *err)
{
	struct str text = buf_view(answer->body);
	struct json_reader r;
	struct arena arena = {0};
	struct str key = STR_EMPTY;
	enum json_token tok;
	enum err_code code = err_set(err, ERR_FORBIDDEN, "the server answered %d", answer->status);
	jsonr_begin(&r, text);
	while ((tok = jsonr_next(&r)) != JSON_END && tok != JSON_ERROR) {
		if (tok == JSON_KEY)
			key = r.raw;
		else if (tok == JSON_STRING && str_eq(key, STR("message")))
			code =
			    err_set(err, ERR_FORBIDDEN, "%.*s", STR_ARG(jsonr_string(&r, &arena)));
	}
	arena_fini(&arena);
	return code;
}

/* One page; a server that is busy is asked again, and one whose answer would be too large for less. */
static enum err_code
fetch(struct exporting *x, uint64_t *rows, const char *cursor, struct http_client_answer *answer,
    struct err *err)
{
	struct buf path = {0};
	enum err_code code = ERR_OK;
	for (int i = 0; i < TRIES_MAX; i++) {
		put_path(x, x->op, *rows, cursor, &path);
		code = http_client_exchange(x->client,
		    &(struct http_client_request){.method = "GET",
		        .path_and_query = buf_view(&path),
		        .accept = x->signal == SIGNAL_COMMENTS ? "application/json"
		                                               : "application/x-protobuf",
		        .wanted = "X-Weir-Next-Cursor"},
		    answer, err);
		if (code != ERR_OK || answer->status == 200)
			break;
		bool large = answer->status == 413 && *rows > 1;
		bool busy = answer->status == 429 || answer->status == 503;
		if (large)
			*rows /= 2;
		else if (busy)
			clock_sleep_ns(NS_PER_S);
		else
			break;
	}
	buf_fini(&path);
	if (code == ERR_OK && answer->status != 200)
		code = refused(answer, err);
	return code;
}

static enum err_code
count_items(const struct exporting *x, struct str body, uint64_t *out, struct err *err)
{
	struct limits limits = limits_widest();
	struct otlp_counts counts = {0};
	bool good = otlp_scan(x->signal, body, &limits, &counts, err) == ERR_OK &&
	    counts.rejected == 0 && (counts.accepted > 0 || body.len == 0);
	*out = counts.accepted;
	return good
	    ? ERR_OK
	    : err_set(err, ERR_CORRUPT,
	          "the answer is no OTLP in protobuf: is this the API of a weir that can export?");
}

/* What is written of a page, and where the next one begins. */
static enum err_code
take_page(const struct exporting *x, struct buf *body, struct http_client_answer *answer,
    uint64_t *items_out, struct err *err)
{
	struct buf lines = {0};
	if (x->signal != SIGNAL_COMMENTS)
		return count_items(x, buf_view(body), items_out, err);
	enum err_code code =
	    transfer_comment_lines(buf_view(body), &lines, items_out, answer->field, err);
	buf_fini(body);
	*body = lines;
	return code;
}

static enum err_code
export_pages(struct exporting *x, struct err *err)
{
	char cursor[CURSOR_BYTES] = "";
	struct buf body = {.bytes_max = TRANSFER_BODY_BYTES_MAX};
	struct http_client_answer answer = {.body = &body};
	uint64_t rows = PAGE_ROWS, items = 0, here = 0;
	enum err_code code = ERR_OK;
	do {
		code = fetch(x, &rows, cursor, &answer, err);
		/* What goes back to a server must not be too large for it. */
		while (code == ERR_OK && body.len > TRANSFER_REQUEST_BYTES && rows > 1) {
			rows /= 2;
			code = fetch(x, &rows, cursor, &answer, err);
		}
		if (code == ERR_OK)
			code = take_page(x, &body, &answer, &here, err);
		if (code == ERR_OK && answer.field[0] && strcmp(cursor, answer.field) == 0)
			code = err_set(err, ERR_CORRUPT,
			    "the server gives the same page again and again");
		if (code != ERR_OK)
			break;
		memcpy(cursor, answer.field, sizeof(cursor));
		if (here > 0)
			code = write_page(x, &body, err);
		body.bytes_max = TRANSFER_BODY_BYTES_MAX;
		items += here;
		transfer_progress_move(&x->progress, items, items);
	} while (code == ERR_OK && cursor[0]);
	buf_fini(&body);
	return code;
}

/* ---- files */

static bool
into_folder(const struct exporting *x, bool all)
{
	return all || x->format == FORMAT_PARQUET;
}

static enum err_code
open_file(struct exporting *x, bool all, struct err *err)
{
	x->path[0] = '\0';
	if (format_of(x) == FORMAT_PARQUET)
		return transfer_parquet_open(x->out, x->signal, x->tenant,
		    transfer_value(&x->args, "force") != NULL, &x->parquet, err);
	if (strcmp(x->out, "-") == 0) {
		x->file = stdout;
		return ERR_OK;
	}
	snprintf(x->path, sizeof(x->path), "%s", x->out);
	if (all)
		snprintf(x->path, sizeof(x->path), "%.4000s/%s.%s", x->out, signal_name(x->signal),
		    formats[format_of(x)].end);
	if (file_exists(x->path) && !transfer_value(&x->args, "force"))
		return err_set(err, ERR_EXISTS, "%s is there already: --force writes over it",
		    x->path);
	snprintf(x->partial, sizeof(x->partial), "%.4080s.partial", x->path);
	x->file = fopen(x->partial, "wb");
	return x->file ? ERR_OK : err_set(err, ERR_IO, "cannot write %s", x->partial);
}

static enum err_code
close_file(struct exporting *x, enum err_code code, struct err *err)
{
	uint64_t files;
	struct err ignored;
	if (x->parquet && code == ERR_OK)
		code = transfer_parquet_end(x->parquet, &files, err);
	transfer_parquet_close(x->parquet);
	x->parquet = NULL;
	if (!x->file)
		return code;
	bool flushed = fflush(x->file) == 0;
	if (x->file != stdout)
		flushed = fclose(x->file) == 0 && flushed;
	x->file = NULL;
	if (code == ERR_OK && !flushed)
		code = err_set(err, ERR_IO, "cannot write %s: is the disk full?",
		    x->path[0] ? x->path : "the output");
	if (x->path[0] && code == ERR_OK)
		code = file_rename(x->partial, x->path, err);
	else if (x->path[0] && file_exists(x->partial) &&
	    file_unlink(x->partial, &ignored) != ERR_OK)
		fprintf(stderr, "weir export: %s\n", ignored.message);
	return code;
}

static enum err_code
export_signal(struct exporting *x, enum signal_kind signal, bool all, struct err *err)
{
	static const char *const nouns[] = {[SIGNAL_TRACES] = "spans",
	    [SIGNAL_LOGS] = "log records",
	    [SIGNAL_METRICS] = "points",
	    [SIGNAL_COMMENTS] = "comments"};
	bool quiet = transfer_value(&x->args, "quiet") != NULL;
	x->signal = signal;
	x->op = ops_find_name(str_from(signal_name(signal)));
	x->bytes = 0;
	transfer_progress_start(&x->progress, nouns[signal], 0, quiet);
	x->progress.total = total_of(x);
	enum err_code code = open_file(x, all, err);
	if (code == ERR_OK)
		code = export_pages(x, err);
	code = close_file(x, code, err);
	transfer_progress_end(&x->progress);
	if (code == ERR_OK && !quiet) {
		char sum[120];
		transfer_progress_sum(&x->progress, sum, sizeof(sum));
		fprintf(stderr, "%s%s%s\n", sum, x->path[0] ? " -> " : "", x->path);
	}
	return code;
}

/* ---- the command */

/* Of `all`, when a filter is one of telemetry. */
static void
leave_comments_out(const struct exporting *x, bool *chosen)
{
	const struct op *op = ops_find_name(STR("comments"));
	for (size_t i = 0; i < x->args.other_count && *chosen; i++) {
		struct str name = x->args.other_names[i];
		if (find_param(op, name) || !find_param(ops_find_name(STR("traces")), name))
			continue;
		*chosen = false;
		fprintf(stderr, "comments have no --%.*s: they are left out\n", STR_ARG(name));
	}
}

static enum err_code
choose(struct exporting *x, bool chosen[SIGNALS], bool *all_out, struct err *err)
{
	const char *word = x->args.word_count > 0 ? x->args.words[0] : "all";
	const char *format = transfer_value(&x->args, "format");
	bool found = false;
	*all_out = strcmp(word, "all") == 0;
	for (size_t i = 0; i < SIGNALS; i++) {
		chosen[i] = *all_out || strcmp(word, signal_name(signals[i])) == 0;
		found = found || chosen[i];
	}
	if (!found || x->args.word_count > 1)
		return err_set(err, ERR_INVALID,
		    "what: traces, logs, metrics, comments or all (not \"%.40s\")",
		    x->args.word_count > 1 ? x->args.words[1] : word);
	for (size_t i = 0; i < ARRAY_LEN(formats) && format; i++)
		if (strcmp(format, formats[i].name) == 0) {
			x->format = (enum format)i;
			format = NULL;
		}
	if (format)
		return err_set(err, ERR_INVALID,
		    "--format: \"%.40s\" is not jsonl, proto or parquet", format);
	if (!*all_out && chosen[SIGNALS - 1] && x->format != FORMAT_JSON_LINES)
		return err_set(err, ERR_INVALID, "--format: comments are written as jsonl only");
	if (*all_out)
		leave_comments_out(x, &chosen[SIGNALS - 1]);
	for (size_t i = 0; i < SIGNALS; i++)
		if (chosen[i] &&
		    check_filters(x, ops_find_name(str_from(signal_name(signals[i]))), err) !=
		        ERR_OK)
			return err->code;
	return ERR_OK;
}

static enum err_code
prepare(struct exporting *x, bool all, struct err *err)
{
	struct str url =
	    transfer_setting(&x->args, "url", "WEIR_URL", NULL, "http://127.0.0.1:7700");
	bool folder = into_folder(x, all);
	x->out = transfer_value(&x->args, "out");
	if (!x->out)
		x->out = folder ? "weir-export" : "-";
	if (folder && strcmp(x->out, "-") == 0)
		return err_set(err, ERR_INVALID, "-o - is for one signal, and not for parquet");
	x->tenant = transfer_setting(&x->args, "tenant", "WEIR_TENANT", NULL, "");
	enum err_code code = http_client_open(&(struct http_client_options){.base_url = url,
	                                          .connect_timeout_ms = CONNECT_MS,
	                                          .timeout_ms = TIMEOUT_S * UINT64_C(1000),
	                                          .body_bytes_max = TRANSFER_BODY_BYTES_MAX,
	                                          .token = transfer_setting(&x->args, "token",
	                                              "WEIR_TOKEN", NULL, ""),
	                                          .tls = transfer_tls(&x->args),
	                                          .tenant = x->tenant},
	    &x->client, err);
	return code == ERR_OK && folder ? file_mkdir(x->out, NULL, err) : code;
}

int
transfer_export(int argc, char **argv)
{
	struct exporting *x = xcalloc(1, sizeof(*x));
	struct err err = {0};
	bool chosen[SIGNALS], all = false;
	int exit_code = TRANSFER_OK;
	x->args.usage = &transfer_export_usage;
	enum err_code code = transfer_parse(argc - 1, argv + 1, true, &x->args, &err);
	if (code == ERR_OK)
		code = choose(x, chosen, &all, &err);
	if (code != ERR_OK)
		exit_code = TRANSFER_USAGE;
	if (code == ERR_OK)
		code = prepare(x, all, &err);
	for (size_t i = 0; i < SIGNALS && code == ERR_OK; i++)
		if (chosen[i])
			code = export_signal(x, signals[i], all, &err);
	if (code != ERR_OK) {
		transfer_say("export", &err);
		exit_code = exit_code ? exit_code : TRANSFER_ERROR;
	}
	if (exit_code == TRANSFER_USAGE)
		fputs("try: weir export --help\n", stderr);
	http_client_close(x->client);
	free(x);
	return exit_code;
}
