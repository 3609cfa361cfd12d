/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/dump_test.h"
#include "otlp/otlp.h"
#include "otlp/to_json.h"
#include "wire/pb.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

static struct buf
json_of(enum signal_kind signal, struct str body)
{
	struct buf out = {0};
	struct err err = {0};
	if (otlp_to_json(signal, body, LIMIT_MESSAGE_DEPTH, &out, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return out;
}

static void
assert_same_rows(enum signal_kind signal, struct str got, struct str want)
{
	struct limits limits = limits_default();
	struct batch batch;
	struct buf got_text = {0}, want_text = {0};
	batch_init(&batch, 0);
	assert_true(dump_decode(signal, got, &limits, &batch).accepted > 0);
	dump_batch(&batch, &got_text);
	dump_decode(signal, want, &limits, &batch);
	dump_batch(&batch, &want_text);
	assert_true(want_text.len > 100);
	if (!str_eq(buf_view(&got_text), buf_view(&want_text)))
		fail_msg("got  %.*s\nwant %.*s", STR_ARG(buf_view(&got_text)),
		    STR_ARG(buf_view(&want_text)));
	buf_fini(&got_text);
	buf_fini(&want_text);
	batch_fini(&batch);
}

/* The files hold each field there is; their protobuf is of another implementation. */
TEST(otlp, requests_become_json_that_means_the_same)
{
	static const struct {
		const char *name;
		enum signal_kind signal;
	} files[] = {{"all-traces", SIGNAL_TRACES}, {"all-logs", SIGNAL_LOGS},
	    {"all-metrics", SIGNAL_METRICS}, {"example-trace", SIGNAL_TRACES},
	    {"example-logs", SIGNAL_LOGS}, {"example-metrics", SIGNAL_METRICS}};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char name[80];
		size_t len;
		struct limits limits = limits_default();
		struct buf back = {0};
		snprintf(name, sizeof(name), "otlp-json/%s.pb", files[i].name);
		const char *pb = test_golden_read(name, &len);
		struct buf json = json_of(files[i].signal, str_of(pb, len));
		assert_true(json.len > 500);
		assert_int_equal(otlp_from_json(files[i].signal, buf_view(&json), &limits, &back,
		                     NULL),
		    ERR_OK);
		assert_same_rows(files[i].signal, buf_view(&back), str_of(pb, len));
		struct buf again = json_of(files[i].signal, buf_view(&back));
		assert_true(str_eq(buf_view(&again), buf_view(&json)));
		buf_fini(&back);
		buf_fini(&again);
		buf_fini(&json);
	}
}

TEST(otlp, what_is_no_request_or_too_deep_is_an_error_and_no_json)
{
	struct buf deep = {0}, out = {0};
	struct err err;
	size_t len;
	/* A log record's body: a list in a list in a list ... */
	size_t marks[64];
	static const uint32_t path[] = {1, 2, 2, 5};
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(path); i++)
		marks[n++] = pb_open(&deep, path[i]);
	for (int i = 0; i < 10; i++) {
		marks[n++] = pb_open(&deep, 5);
		marks[n++] = pb_open(&deep, 1);
	}
	while (n > 0)
		pb_close(&deep, marks[--n]);
	assert_int_equal(otlp_to_json(SIGNAL_LOGS, buf_view(&deep), 24, &out, &err), ERR_OK);
	buf_reset(&out);
	assert_int_equal(otlp_to_json(SIGNAL_LOGS, buf_view(&deep), 23, &out, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "nested too deeply"));
	const char *pb = test_golden_read("otlp-json/all-traces.pb", &len);
	unsigned bad = 0;
	for (size_t i = 0; i < len; i++) { /* cut or not, it ends */
		buf_reset(&out);
		bad += otlp_to_json(SIGNAL_TRACES, str_of(pb, i), 64, &out, &err) == ERR_INVALID;
	}
	assert_true(bad > len / 2);
	buf_fini(&out);
	buf_init(&out, 100);
	assert_int_equal(otlp_to_json(SIGNAL_TRACES, str_of(pb, len), 64, &out, &err),
	    ERR_TOO_LARGE);
	buf_fini(&out);
	buf_fini(&deep);
}
