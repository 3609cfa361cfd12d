/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reads/reads.h - weir as the ingestion service of a Junjo server: what other services call on the OTLP/gRPC port.
 *
 *     /ingestion.InternalIngestionService/ReadSpans       ReadSpansRequest -> stream of ReadSpansResponse
 *     /ingestion.InternalAuthService/ValidateApiKey       ValidateApiKeyRequest -> ValidateApiKeyResponse
 *
 *     ReadSpansRequest      { bytes start_key_ulid = 1; uint32 batch_size = 2 }
 *     ReadSpansResponse     { bytes key_ulid = 1; bytes span_bytes = 2; bytes resource_bytes = 3; uint64 remaining_count = 4;
 *                             bytes scope_bytes = 5; string resource_schema_url = 6; string scope_schema_url = 7 }
 *     ValidateApiKeyRequest { string api_key = 1 }     ValidateApiKeyResponse { bool is_valid = 1 }
 *
 * ReadSpans gives the spans of the key's tenant in the order in which they came, those behind start_key_ulid (empty: from the
 * oldest), batch_size of them at most (0: READS_BATCH; more than limits.results_max are taken for that many), and as many as fit
 * into limits.read_bytes_max, but one at least. Who asks again with the last key it got sees each span once and misses none
 * (STORE_ARRIVALS in store/query.h). span_bytes, resource_bytes and scope_bytes are OTLP's Span, Resource and
 * InstrumentationScope with all that came; 5 to 7 are not Junjo's, and its clients pass over them. The last message has no span:
 * its key_ulid is the last key that was looked at, also of a row that is damaged and was left out (counted, and logged), so that a
 * client can step past that, or the start key when there was nothing; remaining_count is how many there are behind it, counted up to
 * STORE_REMAINING_MAX; 0: none now.
 *
 * After a start, until the store has what was in the log at the start, ReadSpans is UNAVAILABLE, with a time to come back.
 *
 * A key is READS_KEY_BYTES: seq and ord, big-endian, so that keys compare as bytes as the places do. One of another length is
 * INVALID_ARGUMENT, and so is one beyond all that was ever written here: it is of another server or data folder, and would
 * wait for ever without a word.
 *
 * ValidateApiKey says whether weir would take telemetry with this key now: it knows it, it may ingest, is neither expired nor
 * revoked, and it is of the asker's tenant, if that is not all of them. While no keys are needed, any is valid. It tells who asks
 * which texts are keys, so it needs a key with the right to administer; answers are counted, keys never logged.
 *
 * Who may: keys/auth.h; ReadSpans needs the right to read.
 *
 * Threads. Keys are looked at on the server's loop; what a question reads, on READS_THREADS of its own, each with an arena;
 * READS_WAITING_MAX wait, more are ERR_BUSY with a time to come back. What answers hold until they were read is charged to a budget
 * of limits.answer_bytes_max. Memory, all told: READS_THREADS * (2 * limits.result_bytes_max) + answer_bytes_max.
 *
 * Order of the end: grpc_server_stop(), while the threads still answer; reads_stop(); grpc_server_free(); reads_free().
 */
#ifndef READS_READS_H
#define READS_READS_H

#include "base/limits.h"
#include "base/stats.h"
#include "grpc/grpc.h"
#include "keys/auth.h"
#include "store/store.h"

enum { READS_THREADS = 2, READS_WAITING_MAX = 64, READS_BATCH = 100 };

struct reads;

struct reads_options {
	struct store *store; /* borrowed, as all of these */
	struct keys *keys; /* NULL: none are needed */
	const struct limits *limits;
	struct stats *stats; /* NULL allowed */
	/* The newest seq that a key may have: what the log has that is durable. Any thread. NULL: any. */
	uint64_t (*newest_seq)(void *ctx);
	/* As rest/rest.h has it: until then a client could take the last span it gets for the newest there is. */
	bool (*catches_up)(void *ctx, char text[LIMIT_CHECK_TEXT_BYTES]);
	void *ctx; /* of both */
};

MUST_CHECK enum err_code reads_start(const struct reads_options *opt, struct reads **out,
    struct err *err);
/* What waits is answered ERR_UNAVAILABLE; what runs ends by itself, or by store_cancel(). A second call does nothing. */
void reads_stop(struct reads *r);
void reads_free(struct reads *r); /* stops. NULL allowed */

/* The two paths; ends with NULL. */
extern const char *const reads_grpc_paths[];
bool reads_serves(struct str path);
/* For calls of these paths (struct grpc_server_options). */
enum err_code reads_grpc_admit(struct reads *r, const struct grpc_call *call, struct err *err);
void reads_grpc(struct reads *r, struct grpc_call *call);

#endif
