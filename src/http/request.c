/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_priv.h"

#include "base/utf8.h"
#include "sys/clock.h"

#include <stdlib.h>

/* What a body may take at once when its length is announced; more comes by doubling, so that a
 * header alone cannot make the server allocate much. */
enum { BODY_FIRST_BYTES_MAX = 256 * 1024 };

/* Header fields and their strings, target, parameters: a multiple of what may arrive. */
enum { ARENA_FACTOR = 4, ARENA_EXTRA_BYTES = 64 * 1024 };

struct http_request *
http_request_new(struct http_server *s, struct http_conn *c, const char *uri)
{
	struct http_request *r = xcalloc(1, sizeof(*r));
	struct str target = str_from(uri);
	atomic_init(&r->refs, 1);
	atomic_fetch_add(&s->refs, 1);
	r->server = s;
	r->conn = c;
	arena_init(&r->arena, s->limits.header_bytes_max * ARENA_FACTOR + ARENA_EXTRA_BYTES, 0);
	r->uri = arena_str(&r->arena, target.ptr ? target : STR(""));
	if (!r->uri.ptr) /* longer than libmicrohttpd would buffer */
		r->uri = STR("");
	return r;
}

void
http_request_ref(struct http_request *r)
{
	atomic_fetch_add(&r->refs, 1);
}

void
http_request_unref(struct http_request *r)
{
	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	if (r->response)
		MHD_destroy_response(r->response);
	buf_fini(&r->body);
	arena_fini(&r->arena);
	http_server_unref(r->server);
	free(r);
}

void
http_request_discharge(struct http_request *r)
{
	uint64_t n = atomic_exchange(&r->charged_bytes, 0);
	if (n == 0)
		return;
	budget_give(r->server->budget, n);
	stats_add(r->server->stats, STATS_INFLIGHT_BYTES, -(int64_t)n);
}

enum err_code
http_request_charge(struct http_request *r, uint64_t bytes, struct err *err)
{
	struct http_server *s = r->server;
	if (!budget_take(s->budget, bytes))
		return err_set(err, ERR_BUSY,
		    "requests under way hold %llu bytes already, retry later",
		    (unsigned long long)budget_used(s->budget));
	atomic_fetch_add(&r->charged_bytes, bytes);
	stats_add(s->stats, STATS_INFLIGHT_BYTES, (int64_t)bytes);
	return ERR_OK;
}

static enum http_method
parse_method(const char *text)
{
	static const struct {
		const char *name;
		enum http_method method;
	} known[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD}, {"POST", HTTP_POST}, {"PUT", HTTP_PUT},
	    {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].name, text) == 0)
			return known[i].method;
	return HTTP_OTHER;
}

struct gathering {
	struct http_request *request;
	enum err_code code;
	struct err *err;
};

/* RFC 9110 section 5.6.2. A blank before the colon, say, makes another field of it for whoever
 * stands between the client and us. */
static bool
is_token(struct str s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool alnum =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!alnum && !memchr(others, c, sizeof(others) - 1))
			return false;
	}
	return s.len > 0;
}

static enum MHD_Result
gather_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	struct gathering *g = ctx;
	struct http_request *r = g->request;
	(void)kind;
	if (r->header_count == HTTP_HEADERS_MAX) {
		g->code = err_set(g->err, ERR_HEADERS_TOO_LARGE, "more than %d header fields",
		    (int)HTTP_HEADERS_MAX);
		return MHD_NO;
	}
	if (!is_token((struct str){name, name_len})) {
		g->code = err_set(g->err, ERR_INVALID, "a header field has a malformed name");
		return MHD_NO;
	}
	struct http_field *f = &r->headers[r->header_count];
	f->name = arena_str(&r->arena, (struct str){name, name_len});
	f->value = str_trim(arena_str(&r->arena, (struct str){value ? value : "", value_len}));
	if (!f->name.ptr || !f->value.ptr) {
		g->code = err_set(g->err, ERR_HEADERS_TOO_LARGE, "the header is too large");
		return MHD_NO;
	}
	r->header_count++;
	return MHD_YES;
}

static enum err_code
copy_headers(struct http_request *r, struct MHD_Connection *mhd, struct err *err)
{
	struct gathering g = {.request = r, .err = err};
	const union MHD_ConnectionInfo *size =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	uint64_t max = r->server->limits.header_bytes_max;
	if (size && size->header_size > max)
		return err_set(err, ERR_HEADERS_TOO_LARGE,
		    "the header has %zu bytes, at most %llu are allowed", size->header_size,
		    (unsigned long long)max);
	r->headers = arena_array(&r->arena, HTTP_HEADERS_MAX, sizeof(*r->headers));
	if (!r->headers)
		return err_set(err, ERR_HEADERS_TOO_LARGE, "the header is too large");
	(void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, gather_header, &g);
	return g.code;
}

/* The value of the first such header and how many there are. */
static size_t
find_header(const struct http_request *r, struct str name, struct str *value_out)
{
	size_t count = 0;
	*value_out = STR_EMPTY;
	for (size_t i = 0; i < r->header_count; i++) {
		if (!str_eq_nocase(r->headers[i].name, name))
			continue;
		if (count++ == 0)
			*value_out = r->headers[i].value;
	}
	return count;
}

/* RFC 9112 section 6: how long the body is. Doubtful cases are how requests are smuggled past
 * a proxy, so each is refused. */
static enum err_code
check_framing(struct http_request *r, const char *version, uint64_t *length_out, struct err *err)
{
	struct str length, coding, host;
	uint64_t n = 0;
	bool http_1_1 = strcmp(version, "HTTP/1.1") == 0;
	size_t lengths = find_header(r, STR("Content-Length"), &length);
	size_t codings = find_header(r, STR("Transfer-Encoding"), &coding);
	if (lengths > 0 && codings > 0)
		return err_set(err, ERR_INVALID,
		    "both content-length and transfer-encoding are given");
	if (lengths > 1)
		return err_set(err, ERR_INVALID, "content-length is given more than once");
	if (http_1_1 && find_header(r, STR("Host"), &host) != 1)
		return err_set(err, ERR_INVALID, "there must be one host field");
	if (codings > 0 && !http_1_1)
		return err_set(err, ERR_INVALID, "transfer-encoding needs HTTP/1.1");
	if (codings > 1 || (codings == 1 && !str_eq_nocase(coding, STR("chunked"))))
		return err_set(err, ERR_UNIMPLEMENTED,
		    "the only transfer coding served is chunked");
	if (lengths == 1 && !str_to_u64(length, &n))
		return err_set(err, ERR_INVALID, "content-length is not a number");
	r->chunked = codings == 1;
	r->has_length = n > 0;
	*length_out = n;
	return ERR_OK;
}

/* The path is known. */
static enum err_code
check_length(struct http_request *r, uint64_t length, struct err *err)
{
	const struct http_server *s = r->server;
	r->body_bytes_max =
	    s->opt.body_max ? s->opt.body_max(s->opt.ctx, r) : s->limits.wire_bytes_max;
	if (length > r->body_bytes_max)
		return err_set(err, ERR_TOO_LARGE,
		    "the body has %llu bytes, at most %llu are allowed", (unsigned long long)length,
		    (unsigned long long)r->body_bytes_max);
	if (length > 0)
		(void)buf_reserve(&r->body,
		    length < BODY_FIRST_BYTES_MAX ? length : BODY_FIRST_BYTES_MAX);
	return ERR_OK;
}

enum err_code
http_request_begin(struct http_request *r, struct MHD_Connection *mhd, const char *method,
    const char *version, struct err *err)
{
	struct http_uri uri;
	uint64_t length = 0;
	CHECK(!r->begun);
	r->begun = true;
	r->method = parse_method(method);
	enum err_code code = copy_headers(r, mhd, err);
	if (code == ERR_OK)
		code = check_framing(r, version, &length, err);
	if (code == ERR_OK)
		code = http_uri_parse(r->uri, &r->arena, &uri, err);
	if (code != ERR_OK)
		return code;
	r->path = uri.path;
	r->params = uri.params;
	r->param_count = uri.param_count;
	return check_length(r, length, err);
}

enum err_code
http_request_add_body(struct http_request *r, const char *bytes, size_t n, struct err *err)
{
	uint64_t max = r->body_bytes_max;
	if (n > max || r->body.len > max - n)
		return err_set(err, ERR_TOO_LARGE, "the body has more than %llu bytes",
		    (unsigned long long)max);
	enum err_code code = http_request_charge(r, n, err);
	if (code == ERR_OK)
		buf_append(&r->body, bytes, n);
	return code;
}

enum http_method
http_request_method(const struct http_request *r)
{
	return r->method;
}

struct str
http_request_path(const struct http_request *r)
{
	return r->path;
}

struct str
http_request_header(const struct http_request *r, const char *name)
{
	struct str value;
	(void)find_header(r, str_from(name), &value);
	return value;
}

bool
http_request_param(const struct http_request *r, size_t idx, struct str *name_out,
    struct str *value_out)
{
	if (idx >= r->param_count)
		return false;
	*name_out = r->params[idx].name;
	*value_out = r->params[idx].value;
	return true;
}

struct buf *
http_request_body(struct http_request *r)
{
	return &r->body;
}

uint64_t
http_request_received_ns(const struct http_request *r)
{
	return r->received_ns;
}

bool
http_request_has_body(const struct http_request *r)
{
	return r->chunked || r->has_length;
}

bool
http_request_chunked(const struct http_request *r)
{
	return r->chunked;
}
