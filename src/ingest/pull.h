/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/pull.h - spans that somebody pulls out of a source and brings, exactly once.
 *
 * Who pulls asks where a source stands, reads what is behind that, and brings it as a batch:
 *
 *     message PullBatch { bytes after = 1; bytes position = 2; repeated Record records = 3; }
 *     message Record    { bytes key = 1; bytes span = 2; bytes resource = 3; bytes scope = 4;
 *                         string resource_schema_url = 5; string scope_schema_url = 6;
 *                         uint64 left_out_bytes = 7; bytes trace_id = 8; bytes span_id = 9; }
 *
 * span, resource and scope are opentelemetry.proto's Span, Resource and InstrumentationScope, positions and keys any 1 to LIMIT_POSITION_BYTES bytes (`after` is
 * empty when nothing was pulled yet). `after` must be where the source stands, else ERR_CONFLICT: so a batch that is
 * brought twice is taken once, and two who pull the same source cannot take turns in between.
 *
 * What is no valid span by itself costs only itself: it is put into quarantine (dlq/dlq.h), durable, with the reason, before
 * the others become one request that is logged with the position, in one record. A crash between the two leaves the
 * letters, which are the same ones when the batch is brought again. A letter is tried again when an operator says so; then the limits
 * of that day hold.
 *
 * So is a record that is larger than what is taken at once (wire_bytes_max, body_bytes_max), which has to come in a batch of its
 * own: it never fits, and must not hold up what is behind it. Of one that is too large to be brought even so, who brings the batch
 * sends no span, only how large it is and, if he knows them, its ids: that is what its letter says, and it is counted
 * (STATS_PULL_LEFT_OUT) and logged as an error, for its bytes are nowhere but in the source.
 *
 * One batch of a source at a time: while one is on its way to the log another is ERR_BUSY. Where a source stands is what is
 * durable, whether or not the loader has come to it; so nothing is taken, and nothing said, before all that was in the log at the
 * start is loaded (ERR_UNAVAILABLE). Any thread that may block.
 */
#ifndef INGEST_PULL_H
#define INGEST_PULL_H

#include "ingest/ingest.h"

struct ingest_pull {
	struct str tenant, source; /* `source`: a name as tenants have; borrowed */
	struct str batch; /* PullBatch; borrowed until the return */
	uint64_t received_ns;
};

struct ingest_pulled {
	uint64_t accepted, rejected; /* records */
	char reason[160]; /* why the first one was rejected; empty: none was */
	struct store_pull
	    now; /* where the source stands; only source and position after a batch was taken */
};

/* What is only in memory of it: batches that are on their way. Made and freed with the ingest. */
struct pulls;
struct pulls *ingest_pulls_new(void);
void ingest_pulls_free(struct pulls *p);

/* ERR_OK: it is durable. ERR_CONFLICT: out->now says where the source stands. ERR_INVALID: it is no such batch, or the tenant has as
 * many sources as it may. ERR_TOO_LARGE: a smaller batch may do. ERR_DEADLINE: nobody knows; ask where the source stands. */
MUST_CHECK enum err_code ingest_pull(struct ingest *in, const struct ingest_pull *p,
    uint64_t deadline_mono_ns, struct ingest_pulled *out, struct err *err);
/* Where a source stands; position_len 0: nothing was pulled from it yet. */
MUST_CHECK enum err_code ingest_pull_position(struct ingest *in, struct str tenant,
    struct str source, struct store_pull *out, struct err *err);

#endif
