/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/record.h - what a log record of kind WAL_REQUEST holds: one OTLP request, or one of comments, or a part of it.
 *
 *     u8 version (1 to 3)  u8 signal  u8 tenant_len  u8 letter_len  u32 item_count (accepted)
 *     u64 received_ns  u64 hash_hi u64 hash_lo
 *     u32 items_max  u32 attributes_max  u32 value_bytes_max  u32 name_bytes_max
 *     u32 list_items_max  u32 depth_max                                     (56 bytes)
 *     version 2 only: u32 part_first  u32 part_count                        (64 bytes)
 *     version 3 only: u8 source_len  u8 position_len  u8 zero[6]            (64 bytes)
 *     tenant[tenant_len]   letter[letter_len]   source[source_len]   position[position_len]   body: protobuf, inflated; of comments: comment/comment.h
 *
 * hash is hash_request(tenant, signal, body as inflated, before JSON became protobuf), of the whole
 * request always; of comments comment_request_hash(), which goes by their ids. The limits are those of the scan that accepted the request: it is decoded by
 * them, whatever weir was started with since, so that what was acknowledged is what becomes visible.
 *
 * A part. A dead letter that is tried again is a record of its own, with the body of the original
 * one, the items of it that are to be applied (by ordinal, refused ones counted), and the letter's
 * name. It has an identity of its own (record_identity()): that of the whole request is known
 * since the rest of it was applied. In version 1, letter_len is 0 and the record stands for all of
 * its request; what clients send is still written so, for older programs to read.
 *
 * What was pulled. A record of version 3 says besides where in a source its request ends (store/pull.h): rows and position
 * are durable together, and become visible together. It is of a whole request, which may be empty: when nothing of a batch
 * is good, the position moves all the same. Its identity is that of its body, so that it may be a repeat; its position
 * counts then too.
 */
#ifndef INGEST_RECORD_H
#define INGEST_RECORD_H

#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "model/batch.h"

#define RECORD_FIXED_BYTES 56
#define RECORD_PART_BYTES 8
#define RECORD_PULL_BYTES 8 /* no record has both */
#define RECORD_LETTER_BYTES_MAX 40
#define RECORD_HEAD_BYTES_MAX                                                                      \
	(RECORD_FIXED_BYTES + RECORD_PULL_BYTES + LIMIT_TENANT_BYTES + LIMIT_SOURCE_BYTES +        \
	    LIMIT_POSITION_BYTES)
#define RECORD_ALL UINT32_MAX /* as part_count */

struct record {
	enum signal_kind signal;
	uint32_t item_count;
	uint64_t received_ns;
	struct hash128 hash;
	struct str tenant;
	struct str letter; /* the dead letter that it comes from; empty: from a client */
	uint32_t part_first, part_count; /* 0 and RECORD_ALL: the whole request */
	struct str
	    source; /* where it was pulled from, a name as tenants have; empty: it was sent */
	struct str position; /* of that source, behind this request; any bytes, 1 at least */
	struct str body;
	struct limits limits; /* those named above; the others are 0 and of no use */
};

/* Everything but the body; returns its length. Of the oldest version that can say it. */
size_t record_write_head(const struct record *r, char out[RECORD_HEAD_BYTES_MAX]);
/* Strings point into payload. ERR_CORRUPT when it is no record of a known version. */
MUST_CHECK enum err_code record_read(struct str payload, struct record *out, struct err *err);
/* What a repeat of it is known by: hash, or record_part_identity() when it comes from a letter. */
struct hash128 record_identity(const struct record *r);
struct hash128 record_part_identity(struct hash128 whole, uint32_t first, uint32_t count);
/* Whether the item with this ordinal is to be applied. */
bool record_has(const struct record *r, uint32_t ord);

#endif
