/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/batch.h - what one step of the loader makes visible: the rows of some whole requests.
 *
 * Tables share one arena. A resource or scope that several requests of the batch share stands in
 * its table once (batch_resource, batch_scope find it by tenant and id, for ids of one tenant can be made to be
 * another's). Request bodies that strings point
 * into must outlive the batch's use. Threading: one owner (the loader).
 */
#ifndef MODEL_BATCH_H
#define MODEL_BATCH_H

#include "base/hash.h"
#include "base/map.h"
#include "model/table.h"

/* Comments are no signal of OpenTelemetry (comment/comment.h), but come, are logged, kept and asked for as those are. */
enum signal_kind { SIGNAL_TRACES = 1, SIGNAL_METRICS = 2, SIGNAL_LOGS = 3, SIGNAL_COMMENTS = 4 };

const char *signal_name(enum signal_kind s); /* "traces" "metrics" "logs" "comments" */

#define SIGNAL_TABLES TABLE_RESOURCES /* theirs come first in enum table_id */

/* One request (or part of one, see ingest/record.h) of a batch, by ascending seq. */
struct batch_request {
	uint64_t seq;
	struct hash128 identity;
	uint64_t received_ns;
	struct str tenant; /* lives as long as the batch's arena */
	enum signal_kind signal;
	/* Its identity has been applied under an earlier seq: it has no rows here. */
	bool repeat;
	uint32_t rows;
	uint32_t duplicates; /* set by store_append(): spans of it that were there already */
	/* Pulled (ingest/record.h): from which source, and where in it this request ends. Empty: it was sent. As the tenant. */
	struct str source, position;
};

struct batch {
	struct arena arena;
	/* Rows of the signals by ascending (seq, ord). */
	struct table tables[TABLE_STORED_COUNT];
	struct map resource_rows; /* batch_dict_key() -> row in tables[TABLE_RESOURCES] */
	struct map scope_rows;
	struct batch_request *requests; /* in the arena */
	size_t request_count, request_cap;
	uint64_t last_seq; /* log position this batch brings the store to */
	uint64_t last_bytes; /* the same in bytes of the log, comparable with wal_durable_bytes() */
	/* Set by store_append(), in the arena: 1 for each row that did not become visible, because its
	 * identity was there. NULL: all did. Whoever derives something from a batch looks at it. */
	unsigned char *hidden[SIGNAL_TABLES];
};

/* The tables point to the arena beside them: a batch stays where it was initialised.
 * bytes_max bounds the arena: rows, lists and typed JSON; 0 is no limit. */
void batch_init(struct batch *b, size_t bytes_max);
void batch_fini(struct batch *b);
void batch_reset(struct batch *b); /* forget all rows, keep memory */

/* Where the batch stands, to take back a request that failed half way. */
struct batch_mark {
	size_t row_count[TABLE_STORED_COUNT];
	size_t request_count;
};
struct batch_mark batch_mark(const struct batch *b);
void batch_rewind(struct batch *b, struct batch_mark mark);

size_t batch_row_count(const struct batch *b); /* of all signals */
/* Room for one more request, zeroed; NULL when the arena is spent. Valid until the next one. */
MUST_CHECK struct batch_request *batch_request_add(struct batch *b);

/* Row of the tenant's resource or scope with this id. When there is none one is added, its tenant (borrowed) and id set and
 * *added_out true: the caller fills in the rest. SIZE_MAX when the arena is spent. */
MUST_CHECK size_t batch_resource(struct batch *b, struct str tenant, uint64_t id, bool *added_out);
MUST_CHECK size_t batch_scope(struct batch *b, struct str tenant, uint64_t id, bool *added_out);
/* What names a resource or scope in maps in memory: of different ones different, but for chance. */
uint64_t batch_dict_key(struct str tenant, uint64_t id);

#endif
