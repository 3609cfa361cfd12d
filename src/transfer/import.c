/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/transfer_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "duck/duck_files.h"
#include "otlp/from_rows.h"
#include "otlp/otlp.h"
#include "sys/file.h"

#include <stdlib.h>

#define OTLP_DEFAULT "http://127.0.0.1:4318"
#define API_DEFAULT "http://127.0.0.1:7700"

enum { CONNECT_MS = 5000, TIMEOUT_S = 120, MAGIC_BYTES = 16 };

struct importing {
	struct transfer_args args;
	struct str server, tenant;
	bool quiet, has_signal;
	enum signal_kind signal;
	struct upload up;
	struct http_client *api; /* for comments; NULL until there are some */
	struct progress progress;
	struct import_state state;
	const char *file;
	uint64_t lost_json; /* attributes, events, links that were no JSON */
	uint64_t before; /* accepted and refused of an earlier run */
	bool partial;
};

static const struct usage_option options[] = {
    {.name = "otlp",
        .value = "URL",
        .help = "the server's OTLP/HTTP ($OTEL_EXPORTER_OTLP_ENDPOINT)",
        .fallback = OTLP_DEFAULT},
    {.name = "url",
        .value = "URL",
        .help = "its API, where comments go ($WEIR_URL)",
        .fallback = API_DEFAULT},
    {.name = "token", .value = "KEY", .help = "a key that may ingest (better: $WEIR_TOKEN)"},
    {.name = "tenant",
        .value = "NAME",
        .help = "whose telemetry it becomes, whatever the file says ($WEIR_TENANT)"},
    {.name = "signal",
        .value = "NAME",
        .help = "of protobuf, which does not say it",
        .words = "traces|logs|metrics",
        .fallback = "from the file's name"},
    {.name = "again", .help = "from the beginning, also what was imported before"},
    TRANSFER_OPTIONS_TLS,
    {.name = ""},
};
_Static_assert(ARRAY_LEN(options) <= TRANSFER_OPTIONS_MAX, "a place for the value of each");

const struct usage transfer_import_usage = {.name = "import",
    .help = "send what files hold to a server",
    .arguments = "FILE...",
    .argument = {.value = "FILE", .repeat = true},
    .about = "OTLP (JSON, one request or one a line, or protobuf; also .gz and .zst), Parquet\n"
             "(what weir export wrote, or spans with trace_id, span_id, service_name,\n"
             "start_time, attributes), DuckDB databases with a table spans of columns\n"
             "trace_id, span_id .. attributes_json; comments (JSON, one a line). What is there\n"
             "already is not added again.\n"
             "\n"
             "An import that was interrupted goes on where it was when it is started again.\n",
    .example = "weir import traces.jsonl --tenant acme",
    .options = options};

/* A part has been sent. */
static void
note(struct importing *m, uint64_t done)
{
	m->state.done = done;
	m->state.accepted = m->up.accepted;
	m->state.refused = m->up.refused;
	transfer_state_save(&m->state, true);
	transfer_progress_move(&m->progress, done, m->up.accepted + m->up.refused);
}

static enum err_code
connect_to(const struct importing *m, struct str server, struct http_client **out, struct err *err)
{
	return http_client_open(&(struct http_client_options){.base_url = server,
	                            .connect_timeout_ms = CONNECT_MS,
	                            .timeout_ms = TIMEOUT_S * UINT64_C(1000),
	                            .body_bytes_max = 1 << 20,
	                            .tls = transfer_tls(&m->args),
	                            .token = transfer_setting(&m->args, "token", "WEIR_TOKEN", NULL,
	                                "")},
	    out, err);
}

/* ---- comments */

static enum err_code
send_comments(struct importing *m, struct str json, struct err *err)
{
	struct str url = transfer_setting(&m->args, "url", "WEIR_URL", NULL, "");
	if (url.len == 0 && !str_eq(m->server, STR(OTLP_DEFAULT)))
		return err_set(err, ERR_INVALID,
		    "%s has comments, which go to the API of the server: say where with --url",
		    m->file);
	enum err_code code = ERR_OK;
	if (!m->api)
		code = connect_to(m, url.len > 0 ? url : STR(API_DEFAULT), &m->api, err);
	return code == ERR_OK ? transfer_send_comments(&m->up, m->api, json, m->tenant, err) : code;
}

/* ---- files of OTLP */

static enum err_code
send_json(struct importing *m, const struct document *doc, struct err *err)
{
	struct limits limits = limits_widest();
	struct buf body = {0};
	enum signal_kind signal;
	char why[ERR_MESSAGE_BYTES + 40];
	if (!transfer_document_signal(doc->bytes, &signal)) {
		transfer_refuse(&m->up, 0,
		    "a JSON object without resourceSpans, resourceLogs or resourceMetrics, and no comment");
		return ERR_OK;
	}
	if (signal == SIGNAL_COMMENTS)
		return send_comments(m, doc->bytes, err);
	enum err_code code = otlp_from_json(signal, doc->bytes, &limits, &body, err);
	if (code == ERR_OK) {
		code = transfer_send(&m->up, signal, buf_view(&body), m->tenant, err);
	} else {
		snprintf(why, sizeof(why), "the request before byte %llu: %s",
		    (unsigned long long)doc->end, err->message);
		transfer_refuse(&m->up, 0, why);
		code = ERR_OK;
	}
	buf_fini(&body);
	return code;
}

static enum err_code
send_document(struct importing *m, const struct document *doc, struct err *err)
{
	enum signal_kind signal = m->signal;
	if (doc->kind == DOCUMENT_JSON)
		return send_json(m, doc, err);
	if (!m->has_signal && !transfer_document_signal_of_name(m->file, &signal))
		return err_set(err, ERR_INVALID,
		    "%s is protobuf, which does not say of which signal: use --signal", m->file);
	return transfer_send(&m->up, signal, doc->bytes, m->tenant, err);
}

static enum err_code
import_documents(struct importing *m, struct err *err)
{
	struct documents *d;
	struct document doc;
	enum err_code code = transfer_documents_open(m->file, &d, err);
	if (code != ERR_OK)
		return code;
	transfer_progress_start(&m->progress, "items", transfer_documents_size(d), m->quiet);
	if (m->state.done > 0)
		transfer_documents_skip(d, m->state.done);
	while ((code = transfer_documents_next(d, &doc, err)) == ERR_OK) {
		code = send_document(m, &doc, err);
		if (code != ERR_OK)
			break;
		note(m, doc.end);
	}
	transfer_documents_close(d);
	return code == ERR_NOT_FOUND ? ERR_OK : code;
}

/* ---- rows */

static int
tenant_col(const struct table *rows)
{
	if (rows->def == &table_defs[TABLE_SPANS])
		return SPAN_TENANT;
	return rows->def == &table_defs[TABLE_LOGS] ? (int)LOG_TENANT : (int)POINT_TENANT;
}

static enum signal_kind
signal_of(const struct table *rows)
{
	return rows->def == &table_defs[TABLE_SPANS] ? SIGNAL_TRACES
	    : rows->def == &table_defs[TABLE_LOGS]   ? SIGNAL_LOGS
	                                             : SIGNAL_METRICS;
}

/* Rows first .. first + count of a table, without copying them. */
static struct table
part_of(const struct table *t, size_t first, size_t count, struct column *cols)
{
	struct table part = *t;
	for (size_t c = 0; c < t->def->col_count; c++) {
		size_t bytes = table_kind_bytes(t->def->cols[c].kind);
		cols[c].any = (char *)t->cols[c].any + first * bytes;
		cols[c].null = t->cols[c].null ? t->cols[c].null + first : NULL;
	}
	part.cols = cols;
	part.row_count = count;
	return part;
}

struct taking {
	struct importing *m;
	uint64_t done; /* rows */
};

/* What is too large for the server, or has a row that cannot be written, is sent in halves. Rows are few, so it ends soon. */
static enum err_code
send_rows(struct importing *m, const struct otlp_rows *rows, struct str tenant, struct err *err)
{
	struct buf body = {0};
	const struct table *t = rows->rows;
	enum err_code code = otlp_from_rows(rows, &body, err);
	bool halves = t->row_count > 1 &&
	    (code == ERR_CORRUPT || (code == ERR_OK && body.len > TRANSFER_REQUEST_BYTES));
	if (!halves && code == ERR_OK)
		code = transfer_send(&m->up, signal_of(t), buf_view(&body), tenant, err);
	else if (!halves && code == ERR_CORRUPT) {
		transfer_refuse(&m->up, t->row_count, err->message);
		code = ERR_OK;
	}
	buf_fini(&body);
	if (!halves)
		return code;
	struct column *cols = xcalloc(t->def->col_count, sizeof(*cols));
	size_t half = t->row_count / 2;
	code = ERR_OK;
	for (size_t i = 0; i < 2 && code == ERR_OK; i++) {
		struct table part = part_of(t, i * half, i == 0 ? half : t->row_count - half, cols);
		code = send_rows(m, &(struct otlp_rows){&part, rows->resources, rows->scopes},
		    tenant, err);
	}
	free(cols);
	return code;
}

/* Runs of rows that are one tenant's, one after another: so the first of equal ones stays the first. */
static enum err_code
take_rows(void *ctx, const struct table *rows, const struct table *resources,
    const struct table *scopes, uint64_t bad_json, struct err *err)
{
	struct taking *t = ctx;
	struct importing *m = t->m;
	int col = tenant_col(rows);
	struct column *cols = xcalloc(rows->def->col_count, sizeof(*cols));
	enum err_code code = ERR_OK;
	m->lost_json += bad_json;
	for (size_t i = 0, n; i < rows->row_count && code == ERR_OK; i += n) {
		struct str tenant = table_str(rows, i, col);
		for (n = 1; i + n < rows->row_count; n++)
			if (m->tenant.len == 0 && !str_eq(table_str(rows, i + n, col), tenant))
				break;
		struct table part = part_of(rows, i, n, cols);
		const struct otlp_rows in = {&part, resources, scopes};
		code = send_rows(m, &in, m->tenant.len > 0 ? m->tenant : tenant, err);
	}
	free(cols);
	t->done += rows->row_count;
	if (code == ERR_OK)
		note(m, t->done);
	return code;
}

static enum err_code
import_rows(struct importing *m, bool parquet, struct err *err)
{
	static const char *const nouns[] = {
	    [TABLE_SPANS] = "spans", [TABLE_LOGS] = "log records", [TABLE_POINTS] = "points"};
	struct duck_files *f;
	struct duck_files_source source;
	enum err_code code = duck_files_open(&f, err);
	if (code != ERR_OK)
		return code;
	code = duck_files_source(f, m->file, parquet, &source, err);
	if (code != ERR_OK && code != ERR_NOT_FOUND)
		code = ERR_INVALID; /* the file's fault, whatever DuckDB calls it */
	if (code == ERR_OK) {
		struct taking t = {m, m->state.done};
		transfer_progress_start(&m->progress, nouns[source.signal], source.rows, m->quiet);
		if (!m->quiet && source.unknown_columns > 0)
			fprintf(stderr, "%s: %llu columns have no place in OTLP and are left out\n",
			    m->file, (unsigned long long)source.unknown_columns);
		code = duck_files_read(f, m->state.done, take_rows, &t, err);
		if (!m->quiet && code == ERR_OK && source.repeats > 0)
			fprintf(stderr,
			    "%s: %llu of its spans have the ids of one before them: the first counts\n",
			    m->file, (unsigned long long)source.repeats);
	}
	duck_files_close(f);
	return code;
}

/* ---- one file */

static enum err_code
import_content(struct importing *m, struct err *err)
{
	struct file file = {0};
	char magic[MAGIC_BYTES] = {0};
	size_t got = 0;
	if (file_is_folder(m->file))
		return err_set(err, ERR_INVALID, "%s is a folder: name the files in it", m->file);
	enum err_code code = file_open(m->file, FILE_READ, &file, err);
	if (code == ERR_OK)
		code = file_pread(&file, 0, magic, sizeof(magic), &got, err);
	file_close(&file);
	if (code != ERR_OK)
		return code;
	if (memcmp(magic, "PAR1", 4) == 0)
		return import_rows(m, true, err);
	if (memcmp(magic + 8, "DUCK", 4) == 0)
		return import_rows(m, false, err);
	return import_documents(m, err);
}

static void
sum_up(struct importing *m)
{
	char sum[120];
	transfer_progress_end(&m->progress);
	transfer_progress_sum(&m->progress, sum, sizeof(sum));
	if (!m->quiet)
		fprintf(stderr, "%s: %s\n", m->file, sum);
	if (m->up.refused > 0 || m->up.failed_requests > 0) {
		struct buf text = {0};
		buf_printf(&text,
		    "%s: %llu of them were refused, in %llu requests the whole; the first because: %s",
		    m->file, (unsigned long long)m->up.refused,
		    (unsigned long long)m->up.failed_requests, m->up.why);
		transfer_say_text("import", buf_view(&text));
		buf_fini(&text);
		m->partial = true;
	}
	if (m->lost_json > 0) {
		fprintf(stderr,
		    "weir import: %s: attributes, events or links of %llu rows were no JSON and are left "
		    "out\n",
		    m->file, (unsigned long long)m->lost_json);
		m->partial = true;
	}
}

static enum err_code
import_file(struct importing *m, const char *file, struct err *err)
{
	m->file = file;
	m->lost_json = 0;
	transfer_state_load(&m->state, file, m->server, m->tenant);
	if (transfer_value(&m->args, "again"))
		m->state.done = m->state.accepted = m->state.refused = m->state.finished = 0;
	if (m->state.finished) {
		fprintf(stderr,
		    "%s: was imported on %s, %llu items: nothing is sent (--again sends it all the same)\n",
		    file, m->state.at, (unsigned long long)m->state.accepted);
		return ERR_OK;
	}
	if (m->state.done > 0 && !m->quiet)
		fprintf(stderr, "%s: goes on where it was interrupted\n", file);
	m->up.accepted = m->state.accepted;
	m->up.refused = m->state.refused;
	m->up.failed_requests = 0;
	m->up.why[0] = '\0';
	enum err_code code = import_content(m, err);
	if (code == ERR_OK) {
		m->state.finished = m->up.failed_requests == 0;
		m->state.done = m->state.finished ? m->state.done : 0;
		sum_up(m);
	}
	transfer_progress_end(&m->progress);
	transfer_state_save(&m->state, false);
	return code;
}

/* ---- the command */

static enum err_code
prepare(struct importing *m, struct err *err)
{
	static const enum signal_kind signals[] = {SIGNAL_TRACES, SIGNAL_LOGS, SIGNAL_METRICS};
	const char *signal = transfer_value(&m->args, "signal");
	if (m->args.word_count == 0)
		return err_set(err, ERR_INVALID, "which files?");
	for (size_t i = 0; i < ARRAY_LEN(signals) && signal; i++)
		if (strcmp(signal, signal_name(signals[i])) == 0) {
			m->signal = signals[i];
			m->has_signal = true;
		}
	if (signal && !m->has_signal)
		return err_set(err, ERR_INVALID,
		    "--signal: \"%.40s\" is not traces, logs or metrics", signal);
	m->quiet = transfer_value(&m->args, "quiet") != NULL;
	m->tenant = transfer_setting(&m->args, "tenant", "WEIR_TENANT", NULL, "");
	m->server =
	    transfer_setting(&m->args, "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", NULL, OTLP_DEFAULT);
	m->up.answer.bytes_max = 1 << 20;
	return connect_to(m, m->server, &m->up.client, err);
}

int
transfer_import(int argc, char **argv)
{
	struct importing *m = xcalloc(1, sizeof(*m));
	struct err err = {0};
	int exit_code = TRANSFER_OK;
	m->args.usage = &transfer_import_usage;
	enum err_code code = transfer_parse(argc - 1, argv + 1, false, &m->args, &err);
	if (code == ERR_OK)
		code = prepare(m, &err);
	if (code != ERR_OK)
		exit_code = TRANSFER_USAGE;
	/* What is wrong with one file is not the others' fault. */
	for (size_t i = 0; i < m->args.word_count && exit_code != TRANSFER_USAGE; i++) {
		code = import_file(m, m->args.words[i], &err);
		if (code == ERR_OK)
			continue;
		transfer_say("import", &err);
		exit_code = TRANSFER_ERROR;
		if (code != ERR_INVALID && code != ERR_NOT_FOUND)
			break;
	}
	if (exit_code == TRANSFER_USAGE) {
		transfer_say("import", &err);
		fputs("try: weir import --help\n", stderr);
	}
	http_client_close(m->up.client);
	http_client_close(m->api);
	buf_fini(&m->up.answer);
	if (exit_code == TRANSFER_OK && m->partial)
		exit_code = TRANSFER_PARTIAL;
	free(m);
	return exit_code;
}
