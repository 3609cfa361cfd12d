/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON reader by itself, then OTLP/JSON of each signal: what it makes must be well-formed
 * protobuf, of which a scan may refuse items but never the framing.
 */
#include "base/utf8.h"
#include "otlp/otlp.h"
#include "wire/json_read.h"

#define BODY_BYTES_MAX (UINT64_C(1) << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* True when the text is valid. */
static bool
read_all(struct str text)
{
	struct json_reader r;
	struct arena arena = {0};
	enum json_token t;
	size_t tokens = 0;
	jsonr_begin(&r, text);
	while ((t = jsonr_next(&r)) != JSON_END && t != JSON_ERROR) {
		CHECK(r.depth <= LIMIT_MESSAGE_DEPTH);
		CHECK(++tokens <= text.len);
		if (t == JSON_KEY || t == JSON_STRING) {
			struct str s = jsonr_string(&r, &arena);
			CHECK(s.ptr);
			CHECK(s.len <= r.raw.len);
			CHECK(utf8_valid(s));
			arena_reset(&arena);
		}
	}
	CHECK((t == JSON_ERROR) == (r.error != NULL));
	CHECK(r.error_at <= text.len);
	CHECK(jsonr_next(&r) == t);
	arena_fini(&arena);
	return t == JSON_END;
}

static bool
skip_all(struct str text)
{
	struct json_reader r;
	jsonr_begin(&r, text);
	return jsonr_skip(&r, jsonr_next(&r)) && jsonr_next(&r) == JSON_END;
}

static void
transcode(enum signal_kind signal, struct str json, bool valid, struct buf *out)
{
	struct err err = {0};
	struct otlp_counts counts = {0};
	struct limits limits = limits_default();
	limits.body_bytes_max = BODY_BYTES_MAX;
	enum err_code code = otlp_from_json(signal, json, &limits, out, &err);
	CHECK(code == ERR_OK || code == ERR_INVALID || code == ERR_TOO_LARGE);
	CHECK(code == ERR_OK || err.message[0]);
	if (code != ERR_OK)
		return;
	CHECK(valid);
	CHECK(out->len <= BODY_BYTES_MAX);
	code = otlp_scan(signal, buf_view(out), &limits, &counts, &err);
	CHECK(code == ERR_OK || code == ERR_TOO_LARGE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of(data, size);
	struct buf out = {0};
	bool valid = read_all(text);
	CHECK(skip_all(text) == valid);
	transcode(SIGNAL_TRACES, text, valid, &out);
	transcode(SIGNAL_METRICS, text, valid, &out);
	transcode(SIGNAL_LOGS, text, valid, &out);
	buf_fini(&out);
	return 0;
}
