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

static enum err_code
err_fill(struct err *err, enum err_code code, int os_errno, const char *fmt, va_list args)
{
	CHECK(code != ERR_OK && code < ERR_COUNT);
	if (!err)
		return code;
	err->code = code;
	err->os_errno = os_errno;
	int n = vsnprintf(err->message, sizeof(err->message), fmt, args);
	if (os_errno && n >= 0 && (size_t)n < sizeof(err->message)) {
		char text[64];
		snprintf(err->message + n, sizeof(err->message) - (size_t)n, ": %s",
		    strerror_r(os_errno, text, sizeof(text)));
	}
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
	memcpy(err->message, whole, sizeof(err->message) - 1);
	err->message[sizeof(err->message) - 1] = '\0';
	return err->code;
}

void
err_clear(struct err *err)
{
	if (!err)
		return;
	err->code = ERR_OK;
	err->os_errno = 0;
	err->message[0] = '\0';
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
