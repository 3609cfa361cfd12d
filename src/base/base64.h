/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/base64.h - RFC 4648 base64, standard alphabet with padding to write; to read, standard or
 * URL-safe alphabet, padding optional (as protobuf's JSON mapping asks).
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

void base64_write(struct buf *out, struct str bytes);
/* Appends the bytes; false, and nothing appended, when malformed. */
bool base64_read(struct str text, struct buf *out);

#endif
