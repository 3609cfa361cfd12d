/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reads/message.h - the requests of reads.h and its keys, as bytes. Pure functions; any thread.
 */
#ifndef READS_MESSAGE_H
#define READS_MESSAGE_H

#include "base/err.h"
#include "base/str.h"
#include "store/query.h"

enum { READS_KEY_BYTES = 16 };

struct reads_request {
	struct store_cursor after; /* set: a key was given */
	uint32_t batch_size; /* 0: not given */
};

/* ERR_INVALID. newest_seq: keys beyond it are not of this server. */
MUST_CHECK enum err_code reads_request_read(struct str message, uint64_t newest_seq,
    struct reads_request *out, struct err *err);
/* ValidateApiKeyRequest: its api_key, which points into the message. ERR_INVALID. */
MUST_CHECK enum err_code reads_key_request_read(struct str message, struct str *out,
    struct err *err);
void reads_key_write(uint64_t seq, uint32_t ord, char out[READS_KEY_BYTES]);

#endif
