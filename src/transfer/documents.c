/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is not compressed is read in pieces: at no time is more of it in memory than a document and a piece. A
 * compressed one is inflated whole, up to INFLATED_BYTES_MAX.
 */
#include "transfer/transfer_priv.h"

#include "base/bits.h"
#include "sys/file.h"
#include "wire/inflate.h"
#include "wire/json_read.h"

#include <stdlib.h>

enum { PIECE_BYTES = 1 << 20, PREFIX_BYTES = 4 };

#define INFLATED_BYTES_MAX ((size_t)4 << 30)

/* What may stand between objects; the last three are a byte order mark. */
static const char blanks[] = " \t\r\n,\xef\xbb\xbf";

enum layout { LAYOUT_JSON, LAYOUT_FRAMES, LAYOUT_ONE };

struct documents {
	struct file file; /* closed when all is in memory */
	struct buf bytes; /* of the file, from `base` on */
	uint64_t base;
	size_t at; /* in bytes */
	uint64_t size;
	enum layout layout;
};

/* ---- bytes */

/* More of the file behind what is there; false: there is no more. */
static enum err_code
read_more(struct documents *d, bool *more_out, struct err *err)
{
	size_t got = 0;
	*more_out = false;
	if (!d->file.path || d->base + d->bytes.len >= d->size)
		return ERR_OK;
	/* What was read is not needed any more. */
	if (d->at > 0) {
		memmove(d->bytes.ptr, d->bytes.ptr + d->at, d->bytes.len - d->at);
		d->bytes.len -= d->at;
		d->base += d->at;
		d->at = 0;
	}
	if (d->bytes.len > TRANSFER_BODY_BYTES_MAX)
		return err_set(err, ERR_INVALID,
		    "a request of more than %zu bytes, from byte %llu on", TRANSFER_BODY_BYTES_MAX,
		    (unsigned long long)d->base);
	char *room = buf_reserve(&d->bytes, PIECE_BYTES);
	if (!room)
		return err_set(err, ERR_BUSY, "no memory for the file");
	enum err_code code =
	    file_pread(&d->file, d->base + d->bytes.len, room, PIECE_BYTES, &got, err);
	d->bytes.len += got;
	*more_out = got > 0;
	return code;
}

static uint64_t
place(const struct documents *d, size_t at)
{
	return d->base + at;
}

/* ---- opening */

static enum err_code
inflate_all(struct documents *d, enum inflate_coding coding, struct err *err)
{
	struct buf raw = {0}, out = {0};
	struct inflate *i = inflate_new();
	enum err_code code = file_read_all(d->file.path, INFLATED_BYTES_MAX, &raw, err);
	if (code == ERR_OK)
		code = inflate_run(i, coding, buf_view(&raw), INFLATED_BYTES_MAX, &out, err);
	inflate_free(i);
	buf_fini(&raw);
	buf_fini(&d->bytes);
	d->bytes = out;
	d->size = out.len;
	file_close(&d->file);
	return code;
}

static enum err_code
recognise(struct documents *d, const char *path, struct err *err)
{
	size_t i = 0;
	enum signal_kind signal;
	while (i < d->bytes.len && memchr(blanks, d->bytes.ptr[i], sizeof(blanks) - 1))
		i++;
	char first = d->bytes.len > 0 ? d->bytes.ptr[0] : '{';
	const unsigned char *b = (const unsigned char *)d->bytes.ptr;
	uint64_t len = d->bytes.len > PREFIX_BYTES
	    ? (uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | b[3]
	    : UINT64_MAX;
	/* A length that fits, and behind it the number of a message's field. */
	bool frames = len <= TRANSFER_BODY_BYTES_MAX && PREFIX_BYTES + len <= d->size &&
	    b[PREFIX_BYTES] == '\n';
	bool object = i == d->bytes.len || d->bytes.ptr[i] == '{';
	/* A message begins with the number of its field, which is a line feed, and its length may be a brace. */
	if (object && first == '\n')
		object = transfer_document_signal(str_skip(buf_view(&d->bytes), i), &signal);
	if (object)
		d->layout = LAYOUT_JSON;
	else if (first == '\n' && !frames)
		d->layout = LAYOUT_ONE;
	else if (frames || first == '\0')
		d->layout = LAYOUT_FRAMES;
	else
		return err_set(err, ERR_INVALID,
		    "%s is neither JSON, nor protobuf of OTLP, nor Parquet, nor a DuckDB database",
		    path);
	return ERR_OK;
}

enum err_code
transfer_documents_open(const char *path, struct documents **out, struct err *err)
{
	struct documents *d = xcalloc(1, sizeof(*d));
	bool more;
	*out = NULL;
	enum err_code code = file_open(path, FILE_READ, &d->file, err);
	if (code == ERR_OK)
		code = file_size(&d->file, &d->size, err);
	if (code == ERR_OK)
		code = read_more(d, &more, err);
	const unsigned char *b = (const unsigned char *)d->bytes.ptr;
	if (code == ERR_OK && d->bytes.len > 4 && b[0] == 0x1f && b[1] == 0x8b)
		code = inflate_all(d, INFLATE_GZIP, err);
	else if (code == ERR_OK && d->bytes.len > 4 && b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f)
		code = inflate_all(d, INFLATE_ZSTD, err);
	if (code == ERR_OK)
		code = recognise(d, path, err);
	if (code != ERR_OK) {
		transfer_documents_close(d);
		return code;
	}
	*out = d;
	return ERR_OK;
}

void
transfer_documents_close(struct documents *d)
{
	if (!d)
		return;
	file_close(&d->file);
	buf_fini(&d->bytes);
	free(d);
}

uint64_t
transfer_documents_size(const struct documents *d)
{
	return d->size;
}

void
transfer_documents_skip(struct documents *d, uint64_t to)
{
	to = to < d->size ? to : d->size;
	if (d->file.path) {
		buf_reset(&d->bytes);
		d->base = to;
		d->at = 0;
	} else {
		d->at = (size_t)to;
	}
}

/* ---- one after another */

struct scan {
	size_t i;
	unsigned depth;
	bool in_string, escaped;
};

/* Step over bytes that are there; true: the object that began at d->at ends before s->i. */
static bool
scan_object(const struct documents *d, struct scan *s)
{
	for (; s->i < d->bytes.len; s->i++) {
		char c = d->bytes.ptr[s->i];
		if (s->in_string) {
			if (s->escaped)
				s->escaped = false;
			else if (c == '\\')
				s->escaped = true;
			else if (c == '"')
				s->in_string = false;
		} else if (c == '"') {
			s->in_string = true;
		} else if (c == '{' || c == '[') {
			s->depth++;
		} else if (c == '}' || c == ']') {
			s->depth -= s->depth > 0;
			if (s->depth == 0) {
				s->i++;
				return true;
			}
		}
	}
	return false;
}

static enum err_code
skip_blanks(struct documents *d, struct err *err)
{
	for (;;) {
		bool more;
		while (d->at < d->bytes.len &&
		    memchr(blanks, d->bytes.ptr[d->at], sizeof(blanks) - 1))
			d->at++;
		if (d->at < d->bytes.len)
			return ERR_OK;
		enum err_code code = read_more(d, &more, err);
		if (code != ERR_OK)
			return code;
		if (!more)
			return err_set(err, ERR_NOT_FOUND, "the end");
	}
}

static enum err_code
next_object(struct documents *d, struct document *out, struct err *err)
{
	bool more = true;
	enum err_code code = skip_blanks(d, err);
	if (code != ERR_OK)
		return code;
	if (d->bytes.ptr[d->at] != '{')
		return err_set(err, ERR_INVALID, "no JSON object begins at byte %llu",
		    (unsigned long long)place(d, d->at));
	struct scan s = {.i = d->at};
	while (!scan_object(d, &s)) {
		size_t moved = d->at;
		code = read_more(d, &more, err);
		s.i -= moved - d->at;
		if (code != ERR_OK)
			return code;
		if (!more)
			return err_set(err, ERR_INVALID,
			    "the JSON object that begins at byte %llu does not end",
			    (unsigned long long)place(d, d->at));
	}
	*out = (struct document){
	    DOCUMENT_JSON, str_of(d->bytes.ptr + d->at, s.i - d->at), place(d, s.i)};
	d->at = s.i;
	return ERR_OK;
}

/* So many bytes from d->at on, or as many as there are. */
static enum err_code
have(struct documents *d, size_t n, struct err *err)
{
	bool more = true;
	enum err_code code = ERR_OK;
	while (code == ERR_OK && more && d->bytes.len - d->at < n)
		code = read_more(d, &more, err);
	return code;
}

static enum err_code
next_frame(struct documents *d, struct document *out, struct err *err)
{
	enum err_code code = have(d, PREFIX_BYTES, err);
	if (code != ERR_OK)
		return code;
	if (d->bytes.len == d->at)
		return err_set(err, ERR_NOT_FOUND, "the end");
	size_t len = 0;
	if (d->bytes.len - d->at >= PREFIX_BYTES) {
		const unsigned char *b = (const unsigned char *)d->bytes.ptr + d->at;
		len = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
		code = len <= TRANSFER_BODY_BYTES_MAX ? have(d, PREFIX_BYTES + len, err) : ERR_OK;
	}
	if (code != ERR_OK)
		return code;
	if (d->bytes.len - d->at < PREFIX_BYTES + len)
		return err_set(err, ERR_INVALID, "the message that begins at byte %llu is cut off",
		    (unsigned long long)place(d, d->at));
	*out = (struct document){DOCUMENT_PROTOBUF,
	    str_of(d->bytes.ptr + d->at + PREFIX_BYTES, len), place(d, d->at + PREFIX_BYTES + len)};
	d->at += PREFIX_BYTES + len;
	return ERR_OK;
}

static enum err_code
next_whole(struct documents *d, struct document *out, struct err *err)
{
	enum err_code code = have(d, SIZE_MAX - d->at, err);
	if (code != ERR_OK)
		return code;
	if (d->bytes.len == d->at)
		return err_set(err, ERR_NOT_FOUND, "the end");
	*out = (struct document){DOCUMENT_PROTOBUF,
	    str_of(d->bytes.ptr + d->at, d->bytes.len - d->at), place(d, d->bytes.len)};
	d->at = d->bytes.len;
	return ERR_OK;
}

enum err_code
transfer_documents_next(struct documents *d, struct document *out, struct err *err)
{
	switch (d->layout) {
	case LAYOUT_JSON: return next_object(d, out, err);
	case LAYOUT_FRAMES: return next_frame(d, out, err);
	case LAYOUT_ONE: return next_whole(d, out, err);
	}
	return err_set(err, ERR_INTERNAL, "no such layout");
}

/* ---- of which signal */

bool
transfer_document_signal(struct str json, enum signal_kind *out)
{
	static const struct {
		const char *names[2];
		enum signal_kind signal;
	} known[] = {{{"resourceSpans", "resource_spans"}, SIGNAL_TRACES},
	    {{"resourceLogs", "resource_logs"}, SIGNAL_LOGS},
	    {{"resourceMetrics", "resource_metrics"}, SIGNAL_METRICS},
	    {{"comments", "created_unix_nano"}, SIGNAL_COMMENTS}};
	struct json_reader r;
	jsonr_begin(&r, json);
	if (jsonr_next(&r) != JSON_OBJECT)
		return false;
	while (jsonr_next(&r) == JSON_KEY) {
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			if (str_eq(r.raw, str_from(known[i].names[0])) ||
			    str_eq(r.raw, str_from(known[i].names[1]))) {
				*out = known[i].signal;
				return true;
			}
		if (!jsonr_skip(&r, jsonr_next(&r)))
			return false;
	}
	return false;
}

bool
transfer_document_signal_of_name(const char *path, enum signal_kind *out)
{
	static const struct {
		const char *word;
		enum signal_kind signal;
	} known[] = {{"trace", SIGNAL_TRACES}, {"span", SIGNAL_TRACES}, {"log", SIGNAL_LOGS},
	    {"metric", SIGNAL_METRICS}};
	const char *name = strrchr(path, '/');
	name = name ? name + 1 : path;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strstr(name, known[i].word)) {
			*out = known[i].signal;
			return true;
		}
	return false;
}
