/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/transfer_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "otlp/otlp.h"
#include "sys/clock.h"
#include "wire/pb.h"

static uint64_t
count_items(enum signal_kind signal, struct str body)
{
	struct limits limits = limits_widest();
	struct otlp_counts counts;
	struct err err;
	return otlp_scan(signal, body, &limits, &counts, &err) == ERR_OK
	    ? counts.accepted + counts.rejected
	    : 0;
}

enum { WAIT_S_MAX = 30 };

void
transfer_refuse(struct upload *u, uint64_t items, const char *why)
{
	u->refused += items;
	u->failed_requests++;
	if (!u->why[0])
		snprintf(u->why, sizeof(u->why), "%s", why);
}

/* partial_success of an answer: how many were refused, and why. */
static void
read_partial(struct upload *u, uint64_t items)
{
	struct pb_reader r, inner;
	struct pb_field f, g;
	uint64_t refused = 0;
	pb_reader_init(&r, buf_view(&u->answer));
	while (pb_next(&r, &f)) {
		if (pb_key(&f) != PB_KEY(1, PB_BYTES))
			continue;
		pb_reader_init(&inner, f.bytes);
		while (pb_next(&inner, &g)) {
			if (pb_key(&g) == PB_KEY(1, PB_VARINT))
				refused = g.value < items ? g.value : items;
			else if (pb_key(&g) == PB_KEY(2, PB_BYTES) && !u->why[0] && refused > 0)
				snprintf(u->why, sizeof(u->why), "%.*s", STR_ARG(g.bytes));
		}
	}
	u->refused += refused;
	u->accepted += items - refused;
}

/* google.rpc.Status, which OTLP/HTTP answers errors with: its message. */
static void
refuse_by(struct upload *u, int status, uint64_t items)
{
	struct pb_reader r;
	struct pb_field f;
	char why[200] = "";
	pb_reader_init(&r, buf_view(&u->answer));
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(2, PB_BYTES))
			snprintf(why, sizeof(why), "%.*s", STR_ARG(f.bytes));
	if (!why[0])
		snprintf(why, sizeof(why), "the server answered %d", status);
	transfer_refuse(u, items, why);
}

void
transfer_wait(const struct http_client_answer *answer)
{
	uint64_t seconds = 1;
	if (!str_to_u64(str_from(answer->field), &seconds) || seconds < 1)
		seconds = 1;
	clock_sleep_ns((seconds < WAIT_S_MAX ? seconds : WAIT_S_MAX) * NS_PER_S);
}

bool
transfer_comes_again(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

enum err_code
transfer_send(struct upload *u, enum signal_kind signal, struct str body, struct str tenant,
    struct err *err)
{
	char path[24];
	struct http_client_answer answer = {.body = &u->answer};
	snprintf(path, sizeof(path), "/v1/%s", signal_name(signal));
	const struct http_client_request req = {.method = "POST",
	    .path_and_query = str_from(path),
	    .accept = "application/x-protobuf",
	    .content_type = "application/x-protobuf",
	    .body = body,
	    .tenant = tenant,
	    .wanted = "Retry-After"};
	uint64_t items = count_items(signal, body);
	for (int i = 0; i < TRANSFER_TRIES_MAX; i++) {
		enum err_code code = http_client_exchange(u->client, &req, &answer, err);
		if (code != ERR_OK)
			return code;
		if (answer.status == 200) {
			read_partial(u, items);
			return ERR_OK;
		}
		if (answer.status == 401 || answer.status == 403 || answer.status == 404)
			return err_set(err, ERR_FORBIDDEN, "the server answered %d: %.*s",
			    answer.status, (int)(u->answer.len < 300 ? u->answer.len : 300),
			    u->answer.ptr);
		if (!transfer_comes_again(answer.status)) {
			refuse_by(u, answer.status, items);
			return ERR_OK;
		}
		transfer_wait(&answer);
	}
	return err_set(err, ERR_BUSY, "the server has been too busy for too long");
}
