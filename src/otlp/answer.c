/* SPDX-License-Identifier: Apache-2.0 */
/* What OTLP clients are answered: Export*ServiceResponse and google.rpc.Status. */
#include "otlp/otlp.h"

#include "base/utf8.h"
#include "wire/json_write.h"
#include "wire/pb.h"

#define RETRY_INFO_TYPE "type.googleapis.com/google.rpc.RetryInfo"

static const char *
rejected_name(enum signal_kind signal)
{
	switch (signal) {
	case SIGNAL_TRACES: return "rejectedSpans";
	case SIGNAL_METRICS: return "rejectedDataPoints";
	case SIGNAL_LOGS: return "rejectedLogRecords";
	case SIGNAL_COMMENTS: break;
	}
	CHECK(false);
	return NULL;
}

/* Field 1 of the response is partial_success: 1 the count, 2 the message. */
void
otlp_write_response(enum signal_kind signal, const struct otlp_counts *counts, bool json,
    struct buf *out)
{
	struct json_writer w;
	struct str reason = str_from(counts->reason);
	if (!json) {
		if (counts->rejected == 0)
			return;
		reason.len = utf8_valid_len(reason);
		size_t mark = pb_open(out, 1);
		pb_put_u64(out, 1, counts->rejected);
		pb_put_bytes(out, 2, reason);
		pb_close(out, mark);
		return;
	}
	json_writer_init(&w, out);
	jsonw_object(&w);
	if (counts->rejected > 0) {
		jsonw_key(&w, "partialSuccess");
		jsonw_object(&w);
		jsonw_key(&w, rejected_name(signal));
		jsonw_u64_string(&w, counts->rejected);
		jsonw_key(&w, "errorMessage");
		jsonw_str(&w, reason);
		jsonw_object_end(&w);
	}
	jsonw_object_end(&w);
}

/* protobuf's JSON form of a Duration: 2s, 1.500s. */
static void
put_json_retry(struct json_writer *w, uint64_t ms)
{
	struct buf text = {0};
	buf_u64(&text, ms / 1000);
	if (ms % 1000)
		buf_printf(&text, ".%03u", (unsigned)(ms % 1000));
	buf_char(&text, 's');
	jsonw_key(w, "details");
	jsonw_array(w);
	jsonw_object(w);
	jsonw_key(w, "@type");
	jsonw_str(w, STR(RETRY_INFO_TYPE));
	jsonw_key(w, "retryDelay");
	jsonw_str(w, buf_view(&text));
	jsonw_object_end(w);
	jsonw_array_end(w);
	buf_fini(&text);
}

/* Status.details = 3: an Any (type_url = 1, value = 2) of a RetryInfo (retry_delay = 1) of a
 * Duration (seconds = 1, nanos = 2). */
static void
put_pb_retry(struct buf *out, uint64_t ms)
{
	size_t any = pb_open(out, 3);
	pb_put_bytes(out, 1, STR(RETRY_INFO_TYPE));
	size_t value = pb_open(out, 2);
	size_t delay = pb_open(out, 1);
	if (ms / 1000)
		pb_put_u64(out, 1, ms / 1000);
	if (ms % 1000)
		pb_put_u64(out, 2, ms % 1000 * 1000000);
	pb_close(out, delay);
	pb_close(out, value);
	pb_close(out, any);
}

void
otlp_write_status(enum err_code code, struct str message, uint64_t retry_after_ms, bool json,
    struct buf *out)
{
	struct json_writer w;
	uint64_t grpc_code = (uint64_t)err_grpc_status(code);
	if (!json) {
		if (grpc_code)
			pb_put_u64(out, 1, grpc_code);
		/* A protobuf string is UTF-8: what is not (an error may quote input) is cut off. */
		message.len = utf8_valid_len(message);
		pb_put_bytes(out, 2, message);
		if (retry_after_ms > 0)
			put_pb_retry(out, retry_after_ms);
		return;
	}
	json_writer_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "code");
	jsonw_u64(&w, grpc_code);
	jsonw_key(&w, "message");
	jsonw_str(&w, message);
	if (retry_after_ms > 0)
		put_json_retry(&w, retry_after_ms);
	jsonw_object_end(&w);
}
