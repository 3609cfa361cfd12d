/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/kit_server_test.h - for the tests of this folder: a server of gRPC that reads what it is sent, with an API that is played;
 * and a load for it.
 */
#ifndef BENCH_KIT_SERVER_TEST_H
#define BENCH_KIT_SERVER_TEST_H

#include "base/limits.h"
#include "base/map.h"
#include "base/stats.h"
#include "bench/kit_test.h"
#include "bench/load.h"
#include "sys/thread.h"

enum kit_answer {
	KIT_ANSWER_OK,
	KIT_ANSWER_BUSY_ONCE,
	KIT_ANSWER_BUSY_OFTEN,
	KIT_ANSWER_BUSY,
	KIT_ANSWER_REJECT,
	KIT_ANSWER_FAIL
};

struct kit_server {
	struct limits limits;
	struct stats stats;
	struct grpc_server *grpc;
	struct http_server *api;
	char address[32], url[48];
	struct mutex lock;
	enum kit_answer answer;
	uint64_t hold_ns; /* before each answer */
	struct map spans; /* id -> request */
	uint64_t requests, gzip_requests;
	struct map begun; /* first span of each request, however often it came */
	uint64_t taken, refusals, hurried; /* of KIT_ANSWER_BUSY_OFTEN */
	uint64_t refused_at_ns, busy_ms; /* and what a refusal says */
	char tenant[80];
	struct kit_request request;
	struct kit_records log_request;
	uint64_t records;
	bool broken; /* a span came twice, or a request with other than `expected` spans */
	uint64_t expected;
	unsigned polls_until_visible; /* of each trace */
	struct map polls; /* trace id lo -> how often it was asked for */
	uint64_t metrics_polls;
	unsigned
	    hot_rows; /* then one less at every look, down to hot_rows_min; 0: it does not tell */
	unsigned hot_rows_min;
};

/* expected: spans or records of a request. Fails the test when it cannot start. */
struct kit_server *kit_server_start(uint64_t expected);
/* timeout_ms: after which a connection that says nothing is closed. */
struct kit_server *kit_server_start_impatient(uint64_t expected, uint64_t timeout_ms);
void kit_server_stop(struct kit_server *s);
/* Only the server of gRPC: at once, or with so much time for calls in flight. */
void kit_server_stop_grpc(struct kit_server *s, uint64_t ms);
/* And there is one again, at the same port. */
void kit_server_restart(struct kit_server *s, uint64_t ms);

/* Three clients, and 4 calls in flight of each where it is not said. */
struct load *kit_load(struct kit_server *s, enum payload_kind kind, uint32_t spans, bool gzip);
struct load *kit_load_inflight(struct kit_server *s, enum payload_kind kind, uint32_t spans,
    bool gzip, uint32_t inflight);

#endif
