/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/record.h - what a log record of kind WAL_REQUEST holds: one OTLP request.
 *
 *     u8 version (1)   u8 signal   u8 tenant_len   u8 zero   u32 item_count (accepted)
 *     u64 received_ns  u64 hash_hi u64 hash_lo
 *     u32 items_max  u32 attributes_max  u32 value_bytes_max  u32 name_bytes_max
 *     u32 list_items_max  u32 depth_max                                     (56 bytes)
 *     tenant[tenant_len]   body: protobuf, inflated
 *
 * hash is hash_request(tenant, signal, body as inflated, before JSON became protobuf). The limits
 * are those of the scan that accepted the request: it is decoded by them, whatever weir was
 * started with since, so that what was acknowledged is what becomes visible.
 */
#ifndef INGEST_RECORD_H
#define INGEST_RECORD_H

#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "model/batch.h"

#define RECORD_FIXED_BYTES 56
#define RECORD_HEAD_BYTES_MAX (RECORD_FIXED_BYTES + LIMIT_TENANT_BYTES)

struct record {
	enum signal_kind signal;
	uint32_t item_count;
	uint64_t received_ns;
	struct hash128 hash;
	struct str tenant;
	struct str body;
	struct limits limits; /* those named above; the others are 0 and of no use */
};

/* Everything but the body; returns its length. */
size_t record_write_head(const struct record *r, char out[RECORD_HEAD_BYTES_MAX]);
/* Strings point into payload. ERR_CORRUPT when it is no record of a known version. */
MUST_CHECK enum err_code record_read(struct str payload, struct record *out, struct err *err);

#endif
