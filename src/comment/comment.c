/* SPDX-License-Identifier: Apache-2.0 */
#include "comment/comment.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "base/utf8.h"
#include "wire/pb.h"

enum {
	FIELD_COMMENT = 1,
	FIELD_ID = 1,
	FIELD_TRACE_ID = 2,
	FIELD_SPAN_ID = 3,
	FIELD_CREATED = 4,
	FIELD_AUTHOR = 5,
	FIELD_BODY = 6,
	TRACE_ID_BYTES = 16,
	SPAN_ID_BYTES = 8,
};

/* ---- what is good */

static bool
is_id(struct str s)
{
	bool good = s.len > 0;
	for (size_t i = 0; i < s.len && good; i++) {
		char c = s.ptr[i];
		good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '.' || c == '_' || c == ':' || c == '-';
	}
	return good;
}

static enum err_code
check_text(const char *name, struct str s, uint64_t bytes_max, struct err *err)
{
	if (s.len == 0)
		return err_set(err, ERR_INVALID, "the %s of a comment is empty", name);
	if (s.len > bytes_max)
		return err_set(err, ERR_TOO_LARGE,
		    "the %s of a comment has %zu bytes, at most %llu are allowed", name, s.len,
		    (unsigned long long)bytes_max);
	if (!utf8_valid(s))
		return err_set(err, ERR_INVALID, "the %s of a comment is not UTF-8", name);
	return ERR_OK;
}

enum err_code
comment_check(const struct comment *c, const struct limits *limits, struct err *err)
{
	enum err_code code = check_text("id", c->id, LIMIT_COMMENT_ID_BYTES, err);
	if (code == ERR_OK && !is_id(c->id))
		code = err_set(err, ERR_INVALID,
		    "the id of a comment is made of A-Z a-z 0-9 . _ : and -");
	if (code == ERR_OK && c->trace_hi == 0 && c->trace_lo == 0)
		code = err_set(err, ERR_INVALID, "a comment is of a trace, and its id is missing");
	if (code == ERR_OK)
		code = check_text("author", c->author, LIMIT_COMMENT_AUTHOR_BYTES, err);
	return code == ERR_OK ? check_text("body", c->body, limits->comment_bytes_max, err) : code;
}

/* ---- as bytes */

void
comment_put(const struct comment *c, struct buf *request)
{
	char id[TRACE_ID_BYTES];
	size_t mark = pb_open(request, FIELD_COMMENT);
	pb_put_bytes(request, FIELD_ID, c->id);
	put_u64be(id, c->trace_hi);
	put_u64be(id + 8, c->trace_lo);
	pb_put_bytes(request, FIELD_TRACE_ID, str_of(id, TRACE_ID_BYTES));
	put_u64be(id, c->span_id);
	if (c->span_id != 0)
		pb_put_bytes(request, FIELD_SPAN_ID, str_of(id, SPAN_ID_BYTES));
	pb_put_fixed64(request, FIELD_CREATED, c->created_ns);
	pb_put_bytes(request, FIELD_AUTHOR, c->author);
	pb_put_bytes(request, FIELD_BODY, c->body);
	pb_close(request, mark);
}

static enum err_code
malformed(struct err *err)
{
	return err_set(err, ERR_INVALID, "a request of comments is malformed");
}

/* False: it is malformed. */
static bool
read_one(struct str message, struct comment *c)
{
	struct pb_reader r;
	struct pb_field f;
	bool good = true;
	*c = (struct comment){0};
	pb_reader_init(&r, message);
	while (good && pb_next(&r, &f)) {
		switch (pb_key(&f)) {
		case PB_KEY(FIELD_ID, PB_BYTES): c->id = f.bytes; break;
		case PB_KEY(FIELD_TRACE_ID, PB_BYTES):
			good = f.bytes.len == TRACE_ID_BYTES;
			c->trace_hi = good ? get_u64be(f.bytes.ptr) : 0;
			c->trace_lo = good ? get_u64be(f.bytes.ptr + 8) : 0;
			break;
		case PB_KEY(FIELD_SPAN_ID, PB_BYTES):
			good = f.bytes.len == SPAN_ID_BYTES;
			c->span_id = good ? get_u64be(f.bytes.ptr) : 0;
			break;
		case PB_KEY(FIELD_CREATED, PB_FIXED64): c->created_ns = f.value; break;
		case PB_KEY(FIELD_AUTHOR, PB_BYTES): c->author = f.bytes; break;
		case PB_KEY(FIELD_BODY, PB_BYTES): c->body = f.bytes; break;
		default: break;
		}
	}
	return good && !pb_failed(&r);
}

/* For each comment of a request, until one is refused. */
static enum err_code
for_each(struct str request, const struct limits *limits,
    enum err_code (*each)(void *ctx, const struct comment *c, struct err *err), void *ctx,
    struct err *err)
{
	struct pb_reader r;
	struct pb_field f;
	struct comment c;
	enum err_code code = ERR_OK;
	pb_reader_init(&r, request);
	while (code == ERR_OK && pb_next(&r, &f)) {
		if (pb_key(&f) != PB_KEY(FIELD_COMMENT, PB_BYTES))
			continue;
		code = read_one(f.bytes, &c) ? comment_check(&c, limits, err) : malformed(err);
		if (code == ERR_OK)
			code = each(ctx, &c, err);
	}
	return code == ERR_OK && pb_failed(&r) ? malformed(err) : code;
}

static enum err_code
count_one(void *ctx, const struct comment *c, struct err *err)
{
	(void)c;
	(void)err;
	++*(uint64_t *)ctx;
	return ERR_OK;
}

enum err_code
comment_scan(struct str request, const struct limits *limits, uint64_t *count_out, struct err *err)
{
	*count_out = 0;
	enum err_code code = for_each(request, limits, count_one, count_out, err);
	if (code == ERR_OK && *count_out == 0)
		return err_set(err, ERR_INVALID, "a request of comments has none");
	if (code == ERR_OK && *count_out > limits->items_max)
		return err_set(err, ERR_TOO_LARGE, "more than %llu comments in one request",
		    (unsigned long long)limits->items_max);
	return code;
}

static enum err_code
hash_one(void *ctx, const struct comment *c, struct err *err)
{
	struct buf *ids = ctx;
	(void)err;
	buf_str(ids, c->id);
	buf_char(ids, '\n');
	return ERR_OK;
}

struct hash128
comment_request_hash(struct str tenant, struct str request)
{
	struct buf ids = {0};
	struct err ignored;
	struct limits widest = limits_widest();
	enum err_code code = for_each(request, &widest, hash_one, &ids, &ignored);
	CHECK(code == ERR_OK);
	struct hash128 hash = hash_request(tenant, SIGNAL_COMMENTS, buf_view(&ids));
	buf_fini(&ids);
	return hash;
}

/* ---- as JSON */

static void
put_hex(struct json_writer *w, const char *key, uint64_t a, const uint64_t *b)
{
	char text[32];
	hex_u64(a, text);
	if (b)
		hex_u64(*b, text + 16);
	jsonw_key(w, key);
	jsonw_str(w, str_of(text, b ? 32 : 16));
}

void
comment_write_json(struct json_writer *w, const struct comment *c)
{
	char text[TIME_RFC3339_BYTES];
	jsonw_object(w);
	jsonw_key(w, "id");
	jsonw_str(w, c->id);
	put_hex(w, "trace_id", c->trace_hi, &c->trace_lo);
	if (c->span_id != 0) {
		put_hex(w, "span_id", c->span_id, NULL);
	} else {
		jsonw_key(w, "span_id");
		jsonw_null(w);
	}
	jsonw_key(w, "author");
	jsonw_str(w, c->author);
	jsonw_key(w, "body");
	jsonw_str(w, c->body);
	jsonw_key(w, "created_at");
	time_rfc3339(c->created_ns, text);
	jsonw_str(w, str_of(text, sizeof(text)));
	jsonw_key(w, "created_unix_nano");
	jsonw_u64_string(w, c->created_ns);
	jsonw_object_end(w);
}

static enum err_code
write_one(void *ctx, const struct comment *c, struct err *err)
{
	(void)err;
	comment_write_json(ctx, c);
	return ERR_OK;
}

enum err_code
comment_to_json(struct str request, struct buf *json, struct err *err)
{
	struct json_writer w;
	struct limits widest = limits_widest();
	json_writer_init(&w, json);
	jsonw_object(&w);
	jsonw_key(&w, "comments");
	jsonw_array(&w);
	enum err_code code = for_each(request, &widest, write_one, &w, err);
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	return code;
}

/* ---- as rows */

struct decoding {
	struct table *rows;
	struct str tenant;
	uint64_t seq;
	uint32_t ord;
};

static enum err_code
decode_one(void *ctx, const struct comment *c, struct err *err)
{
	struct decoding *d = ctx;
	size_t row = table_add_row(d->rows);
	if (row == SIZE_MAX)
		return err_set(err, ERR_TOO_LARGE, "no room for comments in a batch");
	table_set_str(d->rows, row, COMMENT_TENANT, d->tenant);
	table_set_u64(d->rows, row, COMMENT_SEQ, d->seq);
	table_set_u32(d->rows, row, COMMENT_ORD, d->ord++);
	table_set_u64(d->rows, row, COMMENT_CREATED_NS, c->created_ns);
	table_set_u64(d->rows, row, COMMENT_TRACE_HI, c->trace_hi);
	table_set_u64(d->rows, row, COMMENT_TRACE_LO, c->trace_lo);
	table_set_u64(d->rows, row, COMMENT_SPAN_ID, c->span_id);
	table_set_str(d->rows, row, COMMENT_ID, c->id);
	table_set_str(d->rows, row, COMMENT_AUTHOR, c->author);
	table_set_str(d->rows, row, COMMENT_BODY, c->body);
	return ERR_OK;
}

enum err_code
comment_decode(struct str request, struct str tenant, uint64_t seq, struct batch *batch,
    struct err *err)
{
	struct limits widest = limits_widest();
	struct decoding d = {.rows = &batch->tables[TABLE_COMMENTS],
	    .tenant = arena_str(&batch->arena, tenant),
	    .seq = seq};
	if (!d.tenant.ptr)
		return err_set(err, ERR_TOO_LARGE, "no room for comments in a batch");
	return for_each(request, &widest, decode_one, &d, err);
}

struct comment
comment_of_row(const struct table *t, size_t row)
{
	return (struct comment){.id = table_str(t, row, COMMENT_ID),
	    .trace_hi = table_u64(t, row, COMMENT_TRACE_HI),
	    .trace_lo = table_u64(t, row, COMMENT_TRACE_LO),
	    .span_id = table_u64(t, row, COMMENT_SPAN_ID),
	    .created_ns = table_u64(t, row, COMMENT_CREATED_NS),
	    .author = table_str(t, row, COMMENT_AUTHOR),
	    .body = table_str(t, row, COMMENT_BODY)};
}
