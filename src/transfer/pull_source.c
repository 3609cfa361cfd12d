/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingestion.InternalIngestionService/ReadSpans:
 *
 *     ReadSpansRequest  { bytes start_key_ulid = 1; uint32 batch_size = 2; }
 *     ReadSpansResponse { bytes key_ulid = 1; bytes span_bytes = 2; bytes resource_bytes = 3; uint64 remaining_count = 4;
 *                         bytes scope_bytes = 5; string resource_schema_url = 6; string scope_schema_url = 7; }
 *
 * One message for each span with a key behind start_key_ulid, ascending. Later versions end with a message without a span, whose
 * key is the last that was looked at, also when what it had was damaged there; and say how many are left. 5 to 7 are weir's
 * (reads/reads.h), whose spans lose nothing on the way.
 */
#include "transfer/pull_priv.h"

#include "grpc/client.h"
#include "sys/clock.h"
#include "wire/pb.h"

#include "base/timefmt.h"

#define METHOD "/ingestion.InternalIngestionService/ReadSpans"

enum { CONNECT_MS = 5000, SILENCE_S = 60, LOOK_MS = 100 };
/* Messages are taken until they fill a request of weir's, so this is about one alone: the largest span that a weir can have. */
#define REPLY_BYTES_MAX ((size_t)272 << 20)

struct reading {
	struct pull_batch *out;
	uint64_t heard_ns; /* the last message */
	bool malformed, unkeyed, enough, done;
	int status;
	char text[200];
};

static bool
take_message(void *ctx, struct str message)
{
	struct reading *r = ctx;
	struct pull_batch *b = r->out;
	struct pb_reader pb;
	struct pb_field f;
	struct str key = STR_EMPTY, span = STR_EMPTY, resource = STR_EMPTY, more[3] = {0};
	r->heard_ns = clock_mono_ns();
	pb_reader_init(&pb, message);
	while (pb_next(&pb, &f))
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_BYTES): key = f.bytes; break;
		case PB_KEY(2, PB_BYTES): span = f.bytes; break;
		case PB_KEY(3, PB_BYTES): resource = f.bytes; break;
		case PB_KEY(4, PB_VARINT): b->remaining = f.value; break;
		case PB_KEY(5, PB_BYTES): more[0] = f.bytes; break;
		case PB_KEY(6, PB_BYTES): more[1] = f.bytes; break;
		case PB_KEY(7, PB_BYTES): more[2] = f.bytes; break;
		default: break;
		}
	r->malformed = pb_failed(&pb);
	if (r->malformed)
		return false;
	if (span.len == 0 && key.len == 0)
		return true; /* nothing is left */
	r->unkeyed = key.len == 0 || key.len > LIMIT_POSITION_BYTES;
	if (r->unkeyed)
		return false;
	size_t bytes =
	    key.len + span.len + resource.len + more[0].len + more[1].len + more[2].len + 64;
	if (b->count > 0 && span.len > 0 && b->records.len + bytes > TRANSFER_REQUEST_BYTES) {
		b->cut = r->enough = true;
		return false;
	}
	if (span.len > 0) {
		size_t record = pb_open(&b->records, 3);
		pb_put_bytes(&b->records, 1, key);
		pb_put_bytes(&b->records, 2, span);
		pb_put_bytes(&b->records, 3, resource);
		for (uint32_t i = 0; i < ARRAY_LEN(more); i++)
			if (more[i].len > 0)
				pb_put_bytes(&b->records, 4 + i, more[i]);
		pb_close(&b->records, record);
		b->count++;
	}
	memcpy(b->end.bytes, key.ptr, key.len);
	b->end.len = key.len;
	return true;
}

static void
take_end(void *ctx, const struct grpc_reply *reply)
{
	struct reading *r = ctx;
	r->done = true;
	r->status = reply->status;
	size_t n = reply->text.len < sizeof(r->text) - 1 ? reply->text.len : sizeof(r->text) - 1;
	if (n > 0)
		memcpy(r->text, reply->text.ptr, n);
	r->text[n] = '\0';
}

static enum err_code
open_client(struct pull_source *s, struct err *err)
{
	return s->client ? ERR_OK
	                 : grpc_client_open(&(struct grpc_client_options){.address = s->address,
	                                        .timeout_ms = CONNECT_MS,
	                                        .tls = s->tls},
	                       &s->client, err);
}

void
pull_source_close(struct pull_source *s)
{
	grpc_client_close(s->client);
	s->client = NULL;
}

static enum err_code
start(struct pull_source *s, struct str request, struct reading *r, struct err *err)
{
	struct buf header = {0};
	const struct grpc_stream stream = {
	    .message = take_message, .done = take_end, .ctx = r, .bytes_max = REPLY_BYTES_MAX};
	buf_printf(&header, "x-junjo-api-key: %.*s", STR_ARG(s->key));
	buf_char(&header, '\0');
	const char *headers[] = {s->key.len > 0 ? header.ptr : NULL, NULL};
	enum err_code code = header.failed
	    ? err_set(err, ERR_BUSY, "no memory for a request")
	    : grpc_client_call_stream(s->client, METHOD, request, headers, &stream, err);
	buf_fini(&header);
	return code;
}

static enum err_code
run(struct pull_source *s, struct reading *r, struct err *err)
{
	enum err_code code = ERR_OK;
	while (!r->done) {
		uint64_t now_ns = clock_mono_ns();
		code = grpc_client_run(s->client, 0, now_ns + LOOK_MS * NS_PER_MS, err);
		if (r->done || (code != ERR_OK && code != ERR_DEADLINE))
			break;
		if (s->stopped(s->ctx))
			return err_set(err, ERR_CANCELLED, "stopped");
		if (now_ns > r->heard_ns + SILENCE_S * NS_PER_S)
			return err_set(err, ERR_UNAVAILABLE,
			    "it has not said anything for %d seconds", SILENCE_S);
	}
	return r->done ? ERR_OK : code;
}

/* How the call ended, in words for who runs this. */
static enum err_code
judge(const struct reading *r, struct err *err)
{
	const char *text = r->text[0] ? r->text : "it says no more";
	if (r->malformed)
		return err_set(err, ERR_CORRUPT,
		    "it answers with what is no ReadSpansResponse: is that the right service?");
	if (r->unkeyed)
		return err_set(err, ERR_CORRUPT,
		    "it sends spans without a key of 1 to %d bytes: nobody could go on behind them",
		    LIMIT_POSITION_BYTES);
	if (r->status == 0 || r->enough)
		return ERR_OK;
	switch (r->status) {
	case 16: /* UNAUTHENTICATED */
	case 7: /* PERMISSION_DENIED */
		return err_set(err, ERR_FORBIDDEN, "it does not take the key (--source-key): %s",
		    text);
	case 12: /* UNIMPLEMENTED */
		return err_set(err, ERR_UNIMPLEMENTED, "it has no %s: %s", METHOD, text);
	case 3: /* INVALID_ARGUMENT */
		return err_set(err, ERR_INVALID, "it refuses the question: %s", text);
	default: return err_set(err, ERR_UNAVAILABLE, "it answers %d: %s", r->status, text);
	}
}

enum err_code
pull_source_read(struct pull_source *s, const struct pull_position *after, uint64_t count,
    struct pull_batch *out, struct err *err)
{
	struct buf request = {0};
	struct reading r = {.out = out, .heard_ns = clock_mono_ns()};
	buf_reset(&out->records);
	out->count = out->remaining = 0;
	out->end.len = 0;
	out->cut = false;
	pb_put_bytes(&request, 1, str_of((const char *)after->bytes, after->len));
	pb_put_u64(&request, 2, count);
	enum err_code code = open_client(s, err);
	if (code == ERR_OK)
		code = start(s, buf_view(&request), &r, err);
	if (code == ERR_OK)
		code = run(s, &r, err);
	if (code == ERR_OK)
		code = judge(&r, err);
	if (code == ERR_OK && out->records.failed)
		code = err_set(err, ERR_BUSY, "no memory for a batch");
	/* Also after one that was cut short, which the connection would go on with. */
	if (code != ERR_OK && r.status != 16 && r.status != 7)
		pull_source_close(s);
	buf_fini(&request);
	return code;
}
