/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer/transfer_priv.h - what export and import share.
 *
 *     export.c     pages of a server to files        parquet.c   the same as Parquet
 *     import.c     files to a server                 documents.c requests out of a file of OTLP
 *     upload.c     one request, until it is taken    state.c     how far an import is
 *     options.c    the command line                  progress.c  the bar
 *     comments.c   comments of both                  pull*.c     out of another service (pull_priv.h)
 */
#ifndef TRANSFER_TRANSFER_PRIV_H
#define TRANSFER_TRANSFER_PRIV_H

#include "transfer/transfer.h"

#include "base/buf.h"
#include "base/err.h"
#include "http/client.h"
#include "model/batch.h"

#include <stdio.h>

enum { TRANSFER_OK = 0, TRANSFER_ERROR = 1, TRANSFER_USAGE = 2, TRANSFER_PARTIAL = 4 };

#define TRANSFER_BODY_BYTES_MAX ((size_t)256 << 20)
/* Of a request or a page: half of what a server takes unless it is told otherwise. */
#define TRANSFER_REQUEST_BYTES ((size_t)8 << 20)

/* ---- options.c */

enum { TRANSFER_OPTIONS_MAX = 16, TRANSFER_WORDS_MAX = 256, TRANSFER_OTHERS_MAX = 64 };

/* Options of both. */
#define TRANSFER_OPTIONS_TLS                                                                       \
	{.name = "ca",                                                                             \
	    .value = "FILE",                                                                       \
	    .help = "CAs to trust with https:// ($WEIR_CA)",                                       \
	    .fallback = "the system's"},                                                           \
	    {.name = "client-cert",                                                                \
	        .value = "FILE",                                                                   \
	        .help = "certificate to show there ($WEIR_CLIENT_CERT)"},                          \
	    {.name = "client-key", .value = "FILE", .help = "and its key ($WEIR_CLIENT_KEY)"},     \
	    {.name = "quiet", .help = "no progress bar, no sum"}

/* A command line: known options, words that are none, and options that are not known, for whoever knows them. */
struct transfer_args {
	const struct usage *usage;
	const char *values
	    [TRANSFER_OPTIONS_MAX]; /* of usage->options: NULL, or what was given; of a switch "true" */
	const char *words[TRANSFER_WORDS_MAX];
	size_t word_count;
	struct str other_names[TRANSFER_OTHERS_MAX], other_values[TRANSFER_OTHERS_MAX];
	size_t other_count;
};

/* argv behind the command's name. others: options that are not known are kept; else they are refused. */
MUST_CHECK enum err_code transfer_parse(int argc, char **argv, bool others,
    struct transfer_args *args, struct err *err);
const char *transfer_value(const struct transfer_args *args, const char *name);
/* The option, else one of two variables (NULL: none), else dflt. */
struct str transfer_setting(const struct transfer_args *args, const char *name, const char *env_1,
    const char *env_2, const char *dflt);
/* --ca, --client-cert, --client-key, or their variables. */
struct tls_client_files transfer_tls(const struct transfer_args *args);
/* "weir export: <message>", made harmless. */
void transfer_say(const char *command, const struct err *err);
/* The same of a text that may be longer than an error's. */
void transfer_say_text(const char *command, struct str text);

/* ---- progress.c: on standard error, when that is a terminal */

struct progress {
	const char *noun; /* "spans" */
	uint64_t total, done; /* of whatever measures it; total 0: not known */
	uint64_t items;
	uint64_t start_ns, drawn_ns;
	bool on, drawn;
};

void transfer_progress_start(struct progress *p, const char *noun, uint64_t total, bool quiet);
void transfer_progress_move(struct progress *p, uint64_t done, uint64_t items);
void transfer_progress_end(struct progress *p); /* the line is free again */
/* "1,234,567 spans in 3.2s" */
void transfer_progress_sum(const struct progress *p, char *out, size_t size);

/* ---- upload.c */

struct upload {
	struct http_client *client;
	struct buf answer;
	uint64_t accepted, refused; /* items */
	uint64_t failed_requests; /* refused whole, for good */
	char why[200]; /* of the first that was refused; empty: none */
};

/* Send a request, in protobuf, until it is taken, or refused for good, which is counted and no error. ERR_UNAVAILABLE and
 * the like: the server does not answer. */
MUST_CHECK enum err_code transfer_send(struct upload *u, enum signal_kind signal, struct str body,
    struct str tenant, struct err *err);
/* A server that is busy answered so, and is to be asked again after a while. */
bool transfer_comes_again(int status);
void transfer_wait(const struct http_client_answer *answer); /* as its Retry-After says */
enum { TRANSFER_TRIES_MAX = 600 };
/* Something that cannot even be sent. */
void transfer_refuse(struct upload *u, uint64_t items, const char *why);

/* ---- state.c */

struct import_state {
	char path[4096]; /* empty: it cannot be kept */
	char key[40];
	uint64_t done; /* bytes of a file, or rows */
	uint64_t accepted, refused;
	bool finished;
	char at[32]; /* when it was written */
	uint64_t saved_ns;
};

/* What is known of this file, as it is now, sent to this server for this tenant. */
void transfer_state_load(struct import_state *s, const char *file, struct str server,
    struct str tenant);
/* Now, or (soon) when the last time is a while ago. */
void transfer_state_save(struct import_state *s, bool soon);

/* ---- documents.c: one request after another out of a file */

enum document_kind { DOCUMENT_JSON, DOCUMENT_PROTOBUF };

struct documents;

struct document {
	enum document_kind kind;
	struct str bytes; /* until the next one is asked for */
	uint64_t end; /* place behind it in the file, inflated */
};

/* A file of OTLP: JSON objects one after another (lines or not), messages with their length in front, or one message
 * alone; compressed with gzip or zstd or not. ERR_INVALID: it is none of these. */
MUST_CHECK enum err_code transfer_documents_open(const char *path, struct documents **out,
    struct err *err);
void transfer_documents_close(struct documents *d); /* NULL allowed */
uint64_t transfer_documents_size(const struct documents *d);
/* Go on from a place that a document ended at. */
void transfer_documents_skip(struct documents *d, uint64_t to);
/* ERR_NOT_FOUND: there are no more. ERR_INVALID: the rest is not to be read. */
MUST_CHECK enum err_code transfer_documents_next(struct documents *d, struct document *out,
    struct err *err);
/* Of a JSON request, or of comments, by its members; false: it is neither. */
bool transfer_document_signal(struct str json, enum signal_kind *out);
/* By the name of a file: "traces", "spans", "logs", "metrics" in it. */
bool transfer_document_signal_of_name(const char *path, enum signal_kind *out);

/* ---- comments.c: no part of OTLP, each is a line of JSON as the API has it */

enum { TRANSFER_CURSOR_BYTES = 512 };

/* The lines of a page of GET /api/v1/comments, appended; how many, and where the next page begins (empty: nowhere).
 * ERR_CORRUPT: it is no such page. */
MUST_CHECK enum err_code transfer_comment_lines(struct str page, struct buf *lines,
    uint64_t *count_out, char cursor_out[TRANSFER_CURSOR_BYTES], struct err *err);
/* One such line, or a whole page, to the API that `api` is connected to: each comment until it is taken, or refused for
 * good, which is counted. What is there already under the same id and says the same counts as taken. */
MUST_CHECK enum err_code transfer_send_comments(struct upload *u, struct http_client *api,
    struct str json, struct str tenant, struct err *err);

/* ---- parquet.c */

struct parquet_writer;

/* Files <dir>/<signal>-000001.parquet and on. */
MUST_CHECK enum err_code transfer_parquet_open(const char *dir, enum signal_kind signal,
    struct str tenant, bool force, struct parquet_writer **out, struct err *err);
/* An export request; the bytes are taken. */
MUST_CHECK enum err_code transfer_parquet_add(struct parquet_writer *w, struct buf *body,
    struct err *err);
/* Writes what is left. */
MUST_CHECK enum err_code transfer_parquet_end(struct parquet_writer *w, uint64_t *files_out,
    struct err *err);
void transfer_parquet_close(struct parquet_writer *w); /* NULL allowed */

#endif
