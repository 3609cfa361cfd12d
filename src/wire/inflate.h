/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire/inflate.h - content encodings (RFC 9110 section 8.4.1): identity, gzip, deflate (zlib
 * wrapper), zstd; with libdeflate and libzstd.
 *
 * The output never grows past bytes_max: a bomb costs at most that much memory and the time to
 * produce it. gzip and zstd bodies may be several members or frames one after another (RFC 1952
 * section 2.2); trailing garbage is an error. Checksums are verified.
 *
 * An inflater is reused by one thread at a time (it keeps its contexts).
 * Errors: ERR_INVALID (malformed), ERR_TOO_LARGE, ERR_MEDIA_TYPE (unknown encoding name).
 */
#ifndef WIRE_INFLATE_H
#define WIRE_INFLATE_H

#include "base/buf.h"
#include "base/err.h"

enum inflate_coding { INFLATE_IDENTITY, INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_ZSTD };

struct inflate;

struct inflate *inflate_new(void);
void inflate_free(struct inflate *i);
/* Value of Content-Encoding or grpc-encoding, any case; empty is identity. */
MUST_CHECK enum err_code inflate_coding_parse(struct str name, enum inflate_coding *coding_out,
    struct err *err);
/* Replace the content of out (its memory is reused) by the inflated input. */
MUST_CHECK enum err_code inflate_run(struct inflate *i, enum inflate_coding coding, struct str in,
    size_t bytes_max, struct buf *out, struct err *err);
/* gzip at `level` (1-12) for clients. */
MUST_CHECK enum err_code inflate_gzip(struct str in, int level, struct buf *out, struct err *err);

#endif
