/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define X(name, label, http, grpc, retry, text)                                                    \
	_Static_assert((retry) ==                                                                  \
	        ((http) == 429 || (http) == 502 || (http) == 503 || (http) == 504),                \
	    #name ": retryable must agree with the HTTP status");
ERR_TABLE(X)
#undef X

static const struct {
	const char *name;
	int http_status;
	int grpc_status;
	bool retryable;
	const char *text;
} err_rows[ERR_COUNT] = {
#define X(name, label, http, grpc, retry, text) [ERR_##name] = {label, http, grpc, retry, text},
    ERR_TABLE(X)
#undef X
};

enum {
	ERR_TAIL_BYTES = 96, /* of a text that is too long: an errno's text fits, and what failed */
	ERR_FORMAT_BYTES = 2 * ERR_MESSAGE_BYTES,
};

static bool
continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* So much of the first len bytes that the last character is not a part of one. */
static size_t
whole_characters(const char *text, size_t len)
{
	while (len && continues(text[len - 1]))
		len--;
	return len && (unsigned char)text[len - 1] >= 0xc0 ? len - 1 : len;
}

void
err_copy(char *out, size_t n, const char *text)
{
	static const char gap[] = " ... ";
	size_t len = strlen(text);
	CHECK(n > sizeof(gap) + ERR_TAIL_BYTES);
	if (len < n) {
		memcpy(out, text, len + 1);
		return;
	}
	/* The cause stands at its end. */
	const char *tail = text + len - ERR_TAIL_BYTES;
	while (continues(*tail))
		tail++;
	size_t tail_len = strlen(tail);
	size_t head_len = whole_characters(text, n - sizeof(gap) - ERR_TAIL_BYTES);
	memcpy(out, text, head_len);
	memcpy(out + head_len, gap, sizeof(gap) - 1);
	memcpy(out + head_len + sizeof(gap) - 1, tail, tail_len + 1);
}

static enum err_code
err_fill(struct err *err, enum err_code code, int os_errno, const char *fmt, va_list args)
{
	CHECK(code != ERR_OK && code < ERR_COUNT);
	if (!err)
		return code;
	char text[ERR_FORMAT_BYTES + 64];
	err->code = code;
	err->os_errno = os_errno;
	err->retry_ms = 0;
	int n = vsnprintf(text, ERR_FORMAT_BYTES, fmt, args);
	CHECK(n >= 0);
	if (n >= ERR_FORMAT_BYTES)
		text[whole_characters(text, ERR_FORMAT_BYTES - 1)] = '\0';
	if (os_errno) {
		char cause[64];
		size_t len = strlen(text);
		snprintf(text + len, sizeof(text) - len, ": %s",
		    strerror_r(os_errno, cause, sizeof(cause)));
	}
	err_copy(err->message, sizeof(err->message), text);
	return code;
}

enum err_code
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	err_fill(err, code, 0, fmt, args);
	va_end(args);
	return code;
}

enum err_code
err_set_errno(struct err *err, enum err_code code, int os_errno, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	err_fill(err, code, os_errno, fmt, args);
	va_end(args);
	return code;
}

enum err_code
err_wrap(struct err *err, const char *fmt, ...)
{
	if (!err)
		return ERR_INTERNAL;
	char context[ERR_MESSAGE_BYTES];
	char whole[2 * ERR_MESSAGE_BYTES + 2];
	va_list args;
	va_start(args, fmt);
	vsnprintf(context, sizeof(context), fmt, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%s: %s", context, err->message);
	err_copy(err->message, sizeof(err->message), whole);
	return err->code;
}

void
err_clear(struct err *err)
{
	if (!err)
		return;
	err->code = ERR_OK;
	err->os_errno = 0;
	err->retry_ms = 0;
	err->message[0] = '\0';
}

void
err_set_retry(struct err *err, uint64_t retry_ms)
{
	if (!err)
		return;
	CHECK(err_retryable(err->code));
	err->retry_ms = retry_ms;
}

const char *
err_name(enum err_code code)
{
	CHECK(code < ERR_COUNT);
	return err_rows[code].name;
}

const char *
err_text(enum err_code code)
{
	CHECK(code < ERR_COUNT);
	return err_rows[code].text;
}

int
err_http_status(enum err_code code)
{
	CHECK(code < ERR_COUNT);
	return err_rows[code].http_status;
}

int
err_grpc_status(enum err_code code)
{
	CHECK(code < ERR_COUNT);
	return err_rows[code].grpc_status;
}

bool
err_retryable(enum err_code code)
{
	CHECK(code < ERR_COUNT);
	return err_rows[code].retryable;
}
