/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/format.h - the file of keys as text. Pure functions; any thread.
 */
#ifndef KEYS_FORMAT_H
#define KEYS_FORMAT_H

#include "keys/keys.h"

#include "base/buf.h"

#define KEYS_FILE "keys"
#define KEYS_LOCK "keys.lock"

enum { KEYS_FILE_BYTES_MAX = 16 << 20 };

struct key_set {
	struct key *items; /* in the order of the file: oldest first */
	size_t count, cap;
};

void key_set_fini(struct key_set *s);
struct key *key_set_add(struct key_set *s); /* zeroed */
void key_set_remove(struct key_set *s, size_t idx); /* the others keep their order */
/* What is wrong with a text, if anything is. */
enum key_fault { KEY_WHOLE, KEY_BAD_HEAD, KEY_TORN, KEY_BAD_LINE, KEY_TWICE, KEY_BAD_COUNT };
/* All of the text or nothing: ERR_CORRUPT names the line. */
MUST_CHECK enum err_code key_set_parse(struct str text, struct key_set *out, struct err *err);
/* The same; *fault_out is why not. */
MUST_CHECK enum err_code key_set_diagnose(struct str text, struct key_set *out,
    enum key_fault *fault_out, struct err *err);
void key_set_print(const struct key_set *s, struct buf *out);

#endif
