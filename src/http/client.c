/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include "base/arena.h"
#include "http/uri.h"
#include "sys/tcp.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct http_client {
	CURL *curl;
	struct curl_slist *headers;
	struct buf base; /* without a slash at its end */
	struct buf url;
	uint64_t timeout_ms;
	uint64_t body_bytes_max;
	bool body_too_large;
	bool shows_certificate;
	char curl_error[CURL_ERROR_SIZE];
};

struct sink {
	struct http_client *client;
	struct buf *body;
};

static size_t
take_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct sink *sink = ctx;
	size_t n = size * count;
	uint64_t max = sink->client->body_bytes_max;
	if (n > max || sink->body->len > max - n) {
		sink->client->body_too_large = true;
		return 0;
	}
	buf_append(sink->body, bytes, n);
	return sink->body->failed ? 0 : n;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

static enum err_code
add_header(struct http_client *c, const char *prefix, struct str value, struct err *err)
{
	struct buf line = {0};
	if (value.len == 0)
		return ERR_OK;
	if (has_control(value))
		return err_set(err, ERR_INVALID, "the value of %s holds a control character",
		    prefix);
	buf_printf(&line, "%s: %.*s", prefix, STR_ARG(value));
	buf_char(&line, '\0');
	struct curl_slist *more = curl_slist_append(c->headers, line.ptr);
	buf_fini(&line);
	CHECK(more != NULL);
	c->headers = more;
	return ERR_OK;
}

/* The base URL, with http:// in front when there is no scheme, and the host in it. */
static enum err_code
set_base(struct http_client *c, struct str url, char **host_out, struct err *err)
{
	*host_out = NULL;
	bool has_scheme = false;
	for (size_t i = 0; i + 2 < url.len; i++)
		has_scheme = has_scheme || memcmp(url.ptr + i, "://", 3) == 0;
	if (!has_scheme)
		buf_str(&c->base, STR("http://"));
	while (url.len > 1 && url.ptr[url.len - 1] == '/' && url.ptr[url.len - 2] != '/')
		url.len--;
	buf_str(&c->base, url);
	buf_char(&c->base, '\0');
	c->base.len--;
	CURLU *parsed = curl_url();
	CHECK(parsed != NULL);
	char *query = NULL;
	bool ok = url.len > 0 && !has_control(url) &&
	    curl_url_set(parsed, CURLUPART_URL, c->base.ptr, 0) == CURLUE_OK &&
	    curl_url_get(parsed, CURLUPART_HOST, host_out, 0) == CURLUE_OK &&
	    curl_url_get(parsed, CURLUPART_QUERY, &query, 0) == CURLUE_NO_QUERY;
	curl_free(query);
	curl_url_cleanup(parsed);
	return ok ? ERR_OK
	          : err_set(err, ERR_INVALID,
	                "\"%.*s\" is not the URL of a server: use http://HOST:PORT", STR_ARG(url));
}

static long
clamp_ms(uint64_t ms)
{
	return ms > INT_MAX ? INT_MAX : (long)ms;
}

#define SET(option, value) CHECK(curl_easy_setopt(c->curl, option, value) == CURLE_OK)

/* libcurl copies them. */
static void
set_file(struct http_client *c, CURLoption option, struct str name)
{
	if (name.len == 0)
		return;
	struct buf text = {0};
	buf_str(&text, name);
	buf_char(&text, '\0');
	SET(option, text.ptr);
	buf_fini(&text);
}

static void
set_files(struct http_client *c, const struct tls_client_files *files)
{
	set_file(c, CURLOPT_CAINFO, files->ca);
	set_file(c, CURLOPT_SSLCERT, files->cert);
	set_file(c, CURLOPT_SSLKEY, files->key);
	c->shows_certificate = files->cert.len > 0;
}

static void
set_options(struct http_client *c, const struct http_client_options *opt, const char *host)
{
	char address[300];
	snprintf(address, sizeof(address), "%s:1", host);
	/* A proxy of the environment is for the world outside. */
	if (tcp_is_loopback(str_from(address)))
		SET(CURLOPT_PROXY, "");
	set_files(c, &opt->tls);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_CONNECTTIMEOUT_MS, clamp_ms(opt->connect_timeout_ms));
	SET(CURLOPT_TIMEOUT_MS, clamp_ms(opt->timeout_ms));
	SET(CURLOPT_USERAGENT, "weir");
	SET(CURLOPT_ERRORBUFFER, c->curl_error);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_HTTPHEADER, c->headers);
}

static enum err_code
check_files(const struct tls_client_files *files, struct err *err)
{
	if ((files->cert.len > 0) != (files->key.len > 0))
		return err_set(err, ERR_INVALID,
		    "a client certificate and its key are needed together");
	if (has_control(files->ca) || has_control(files->cert) || has_control(files->key))
		return err_set(err, ERR_INVALID, "the name of a file holds a control character");
	return ERR_OK;
}

enum err_code
http_client_open(const struct http_client_options *opt, struct http_client **out, struct err *err)
{
	char *host = NULL;
	struct buf bearer = {0};
	struct http_client *c = xcalloc(1, sizeof(*c));
	*out = NULL;
	c->timeout_ms = opt->timeout_ms;
	c->body_bytes_max = opt->body_bytes_max;
	c->curl = curl_easy_init();
	CHECK(c->curl != NULL);
	if (opt->token.len > 0)
		buf_printf(&bearer, "Bearer %.*s", STR_ARG(opt->token));
	enum err_code code = set_base(c, opt->base_url, &host, err);
	if (code == ERR_OK)
		code = check_files(&opt->tls, err);
	if (code == ERR_OK)
		code = add_header(c, "Authorization", buf_view(&bearer), err);
	if (code == ERR_OK)
		code = add_header(c, "X-Scope-OrgID", opt->tenant, err);
	if (code == ERR_OK)
		set_options(c, opt, host);
	curl_free(host);
	buf_fini(&bearer);
	if (code != ERR_OK) {
		http_client_close(c);
		return code;
	}
	*out = c;
	return ERR_OK;
}

void
http_client_close(struct http_client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	buf_fini(&c->base);
	buf_fini(&c->url);
	free(c);
}

/* libcurl has one code for all that can be wrong with a certificate. */
static enum err_code
explain_certificate(struct http_client *c, struct err *err)
{
	struct str base = buf_view(&c->base);
	long verified = 0;
	(void)curl_easy_getinfo(c->curl, CURLINFO_SSL_VERIFYRESULT, &verified);
	if (strstr(c->curl_error, "expired"))
		return err_set(err, ERR_UNAVAILABLE, "the certificate of %.*s has expired",
		    STR_ARG(base));
	if (verified != 0 && strstr(c->curl_error, "issuer"))
		return err_set(err, ERR_UNAVAILABLE,
		    "the certificate of %.*s is of a CA that is not known here: name its file with --ca",
		    STR_ARG(base));
	if (strstr(c->curl_error, "subject name") || strstr(c->curl_error, "match"))
		return err_set(err, ERR_UNAVAILABLE, "the certificate of %.*s is not for that host",
		    STR_ARG(base));
	return err_set(err, ERR_UNAVAILABLE, "the certificate of %.*s is not good: %s",
	    STR_ARG(base), c->curl_error);
}

/* Of TLS; false: it is something else. */
static bool
explain_tls(struct http_client *c, CURLcode rc, struct err *err)
{
	struct str base = buf_view(&c->base);
	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		explain_certificate(c, err);
	else if (rc == CURLE_SSL_CACERT_BADFILE)
		err_set(err, ERR_INVALID, "the file of CAs (--ca) cannot be used: %s",
		    c->curl_error);
	else if (rc == CURLE_SSL_CERTPROBLEM)
		err_set(err, ERR_INVALID, "the client certificate or its key cannot be used: %s",
		    c->curl_error);
	else if (strstr(c->curl_error, "alert") && !c->shows_certificate &&
	    (strstr(c->curl_error, "certificate required") ||
	        strstr(c->curl_error, "handshake failure") ||
	        strstr(c->curl_error, "bad certificate")))
		err_set(err, ERR_UNAVAILABLE,
		    "%.*s wants a client certificate: name one with --client-cert and --client-key",
		    STR_ARG(base));
	else if (strstr(c->curl_error, "alert") && c->shows_certificate)
		err_set(err, ERR_UNAVAILABLE, "%.*s does not take the client certificate: %s",
		    STR_ARG(base), c->curl_error);
	else if (rc == CURLE_SSL_CONNECT_ERROR &&
	    (strstr(c->curl_error, "wrong version number") ||
	        strstr(c->curl_error, "SSL_ERROR_SYSCALL")))
		err_set(err, ERR_UNAVAILABLE,
		    "%.*s does not speak TLS, or ended the connection: try http://", STR_ARG(base));
	else
		return false;
	return true;
}

/* A list of causes that people can do something about; curl's own words for the others. */
static enum err_code
explain(struct http_client *c, CURLcode rc, struct err *err)
{
	struct str base = buf_view(&c->base);
	long os_errno = 0;
	(void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os_errno);
	if (c->body_too_large)
		return err_set(err, ERR_TOO_LARGE, "the answer of %.*s has more than %llu bytes",
		    STR_ARG(base), (unsigned long long)c->body_bytes_max);
	if (rc == CURLE_COULDNT_CONNECT && os_errno != 0)
		return err_set_errno(err, ERR_UNAVAILABLE, (int)os_errno, "cannot reach %.*s",
		    STR_ARG(base));
	if (rc == CURLE_COULDNT_RESOLVE_HOST)
		return err_set(err, ERR_UNAVAILABLE, "cannot reach %.*s: no such host",
		    STR_ARG(base));
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return err_set(err, ERR_DEADLINE, "no answer from %.*s in time (%llu ms)",
		    STR_ARG(base), (unsigned long long)c->timeout_ms);
	if (rc == CURLE_GOT_NOTHING)
		return err_set(err, ERR_UNAVAILABLE, "%.*s closed the connection without an answer",
		    STR_ARG(base));
	if (explain_tls(c, rc, err))
		return err->code;
	const char *text = c->curl_error[0] ? c->curl_error : curl_easy_strerror(rc);
	return err_set(err, ERR_UNAVAILABLE, "cannot talk to %.*s: %s", STR_ARG(base), text);
}

enum err_code
http_client_get(struct http_client *c, struct str path_and_query, int *status_out,
    struct buf *body_out, struct err *err)
{
	return http_client_send(c, "GET", path_and_query, status_out, body_out, err);
}

/* ---- a request */

struct exchange {
	const char *wanted;
	char *field;
};

/* One line of the answer's header. */
static size_t
take_field(char *bytes, size_t size, size_t count, void *ctx)
{
	struct exchange *x = ctx;
	struct str line = str_of(bytes, size * count);
	size_t colon = str_find(line, ':');
	struct str value = str_trim(str_skip(line, colon + 1));
	while (value.len > 0 &&
	    (value.ptr[value.len - 1] == '\r' || value.ptr[value.len - 1] == '\n'))
		value.len--;
	if (x->wanted && str_eq_nocase(str_of(line.ptr, colon), str_from(x->wanted)) &&
	    value.len < HTTP_CLIENT_FIELD_BYTES) {
		memcpy(x->field, value.ptr, value.len);
		x->field[value.len] = '\0';
	}
	return size * count;
}

/* The fields of every request, those of this one behind them. */
static enum err_code
set_headers(struct http_client *c, const struct http_client_request *req, struct curl_slist **own,
    struct err *err)
{
	struct http_client only = {0};
	enum err_code code = ERR_OK;
	for (const struct curl_slist *h = c->headers; h; h = h->next) {
		bool replaced =
		    req->tenant.len > 0 && str_starts(str_from(h->data), STR("X-Scope-OrgID:"));
		struct curl_slist *more =
		    replaced ? only.headers : curl_slist_append(only.headers, h->data);
		CHECK(more || replaced);
		only.headers = more;
	}
	code = add_header(&only, "X-Scope-OrgID", req->tenant, err);
	if (code == ERR_OK && req->accept)
		code = add_header(&only, "Accept", str_from(req->accept), err);
	if (code == ERR_OK && req->content_type)
		code = add_header(&only, "Content-Type", str_from(req->content_type), err);
	/* curl waits for "100 Continue" otherwise, a second of nothing where there is none. */
	if (code == ERR_OK && req->body.len > 0)
		only.headers = curl_slist_append(only.headers, "Expect:");
	*own = only.headers;
	return code;
}

static void
set_method(struct http_client *c, const struct http_client_request *req)
{
	if (strcmp(req->method, "POST") == 0) {
		SET(CURLOPT_POSTFIELDS, req->body.ptr ? req->body.ptr : "");
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
	} else {
		SET(CURLOPT_HTTPGET, 1L);
	}
	SET(CURLOPT_CUSTOMREQUEST, req->method);
}

static enum err_code
check_path(struct str path, struct err *err)
{
	if (str_starts(path, STR("/")) && !has_control(path))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "a path begins with / and has no control characters");
}

/* All but where the body goes. The headers are the caller's to free. */
static enum err_code
set_request(struct http_client *c, const struct http_client_request *req, struct exchange *x,
    struct curl_slist **headers_out, struct err *err)
{
	enum err_code code = check_path(req->path_and_query, err);
	if (code == ERR_OK)
		code = set_headers(c, req, headers_out, err);
	if (code != ERR_OK)
		return code;
	buf_reset(&c->url);
	buf_str(&c->url, buf_view(&c->base));
	buf_str(&c->url, req->path_and_query);
	buf_char(&c->url, '\0');
	c->body_too_large = false;
	c->curl_error[0] = '\0';
	SET(CURLOPT_URL, c->url.ptr);
	SET(CURLOPT_HTTPHEADER, *headers_out);
	SET(CURLOPT_HEADERFUNCTION, take_field);
	SET(CURLOPT_HEADERDATA, x);
	set_method(c, req);
	return ERR_OK;
}

enum err_code
http_client_exchange(struct http_client *c, const struct http_client_request *req,
    struct http_client_answer *answer, struct err *err)
{
	struct sink sink = {.client = c, .body = answer->body};
	struct exchange x = {req->wanted, answer->field};
	struct curl_slist *headers = NULL;
	long status = 0;
	answer->status = 0;
	answer->field[0] = '\0';
	if (set_request(c, req, &x, &headers, err) != ERR_OK) {
		curl_slist_free_all(headers);
		return err->code;
	}
	buf_reset(answer->body);
	SET(CURLOPT_WRITEDATA, &sink);
	CURLcode rc = curl_easy_perform(c->curl);
	SET(CURLOPT_HTTPHEADER, c->headers);
	curl_slist_free_all(headers);
	if (rc != CURLE_OK)
		return explain(c, rc, err);
	CHECK(curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
	answer->status = (int)status;
	return ERR_OK;
}

enum err_code
http_client_send(struct http_client *c, const char *method, struct str path_and_query,
    int *status_out, struct buf *body_out, struct err *err)
{
	struct http_client_answer answer = {.body = body_out};
	enum err_code code = http_client_exchange(c,
	    &(struct http_client_request){.method = method, .path_and_query = path_and_query},
	    &answer, err);
	*status_out = answer.status;
	return code;
}

/* ---- a stream */

enum { FOLLOW_POLL_MS = 100 };

struct stream_sink {
	struct sink body; /* of what is no 200 */
	const struct http_client_follower *follower;
	bool enough;
};

static size_t
take_stream(char *bytes, size_t size, size_t count, void *ctx)
{
	struct stream_sink *s = ctx;
	long status = 0;
	(void)curl_easy_getinfo(s->body.client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return take_body(bytes, size, count, &s->body);
	s->enough = s->enough || !s->follower->take(s->follower->ctx, str_of(bytes, size * count));
	return s->enough ? 0 : size * count;
}

/* Until it has ended, or is enough. */
static CURLcode
run_stream(CURLM *multi, struct stream_sink *s)
{
	int running = 1;
	CURLcode rc = CURLE_OK;
	while (running && !s->enough) {
		CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
		if (running && !s->enough)
			CHECK(curl_multi_poll(multi, NULL, 0, FOLLOW_POLL_MS, NULL) == CURLM_OK);
		s->enough = s->enough || !s->follower->go_on(s->follower->ctx);
	}
	const CURLMsg *m = curl_multi_info_read(multi, &running);
	if (m && m->msg == CURLMSG_DONE)
		rc = m->data.result;
	return s->enough ? CURLE_OK : rc;
}

enum err_code
http_client_follow(struct http_client *c, struct str path_and_query,
    const struct http_client_follower *f, int *status_out, struct buf *body_out, struct err *err)
{
	char field[HTTP_CLIENT_FIELD_BYTES];
	struct stream_sink sink = {.body = {c, body_out}, .follower = f};
	struct exchange x = {NULL, field};
	const struct http_client_request req = {
	    .method = "GET", .path_and_query = path_and_query, .accept = "text/event-stream"};
	struct curl_slist *headers = NULL;
	long status = 0;
	*status_out = 0;
	if (set_request(c, &req, &x, &headers, err) != ERR_OK) {
		curl_slist_free_all(headers);
		return err->code;
	}
	buf_reset(body_out);
	c->timeout_ms = f->silence_max_ms;
	SET(CURLOPT_TIMEOUT_MS, 0L);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, clamp_ms(f->silence_max_ms / 1000));
	SET(CURLOPT_WRITEFUNCTION, take_stream);
	SET(CURLOPT_WRITEDATA, &sink);
	CURLM *multi = curl_multi_init();
	CHECK(multi != NULL);
	CHECK(curl_multi_add_handle(multi, c->curl) == CURLM_OK);
	CURLcode rc = run_stream(multi, &sink);
	CHECK(curl_multi_remove_handle(multi, c->curl) == CURLM_OK);
	CHECK(curl_multi_cleanup(multi) == CURLM_OK);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	SET(CURLOPT_HTTPHEADER, c->headers);
	SET(CURLOPT_TIMEOUT_MS, clamp_ms(c->timeout_ms));
	SET(CURLOPT_LOW_SPEED_LIMIT, 0L);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	curl_slist_free_all(headers);
	*status_out = (int)status;
	return rc == CURLE_OK ? ERR_OK : explain(c, rc, err);
}

void
http_client_add_param(struct buf *path, struct str name, struct str value)
{
	struct str view = buf_view(path);
	buf_char(path, str_find(view, '?') < view.len ? '&' : '?');
	http_uri_encode(name, path);
	buf_char(path, '=');
	http_uri_encode(value, path);
}
