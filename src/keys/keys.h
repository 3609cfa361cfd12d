/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/keys.h - who may do what: keys, the tenant that each belongs to, and its rights.
 *
 * A key is the text "weir_" and 43 characters of base64url: 256 random bits. It is shown once, when it is made or
 * rotated; what is kept is its SHA-256, which for so many random bits is as good as a slow hash. It belongs
 * to one tenant, or to all (KEYS_ANY_TENANT): then the request names one.
 *
 * While there are no keys, nobody needs one. From the first on everybody does, also when all have been revoked:
 * a revoked key stays in the file until it is deleted, and the last one cannot be.
 *
 * The file <data>/keys holds JSON lines: {"weir_keys":1,"count":N}, then one object for each key. It is replaced whole, by the server
 * and by `weir keys --data-dir`, each under the lock <data>/keys.lock; the server notices within KEYS_WATCH_MS.
 * A file that cannot be read, or has gone, while the server runs changes nothing and is said (keys_trouble()).
 *
 * Threading: all functions from any thread, except open and close. keys_find() takes a lock for a moment and
 * never blocks on disk; changes do.
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"

enum key_right { KEY_INGEST = 1, KEY_READ = 2, KEY_ADMIN = 4 };

#define KEYS_ANY_TENANT "*"

enum {
	KEY_ID_BYTES = 13, /* 12 of a-z 2-7, and NUL */
	KEY_NAME_BYTES = 65,
	KEY_TOKEN_BYTES = 49,
	KEY_HASH_BYTES = 32,
	KEYS_MAX = 10000, /* in a file, revoked ones too */
	KEYS_TENANT_MAX =
	    1000, /* of one tenant, so that its administrator does not use up those of all */
	KEYS_WATCH_MS = 250,
	KEYS_TROUBLE_BYTES = 160,
};

struct key {
	char id[KEY_ID_BYTES];
	char name[KEY_NAME_BYTES]; /* for people; may be empty */
	char tenant[LIMIT_TENANT_BYTES + 1];
	unsigned rights; /* enum key_right */
	uint64_t created_ns; /* unix time, as all of these; 0: never */
	uint64_t rotated_ns;
	uint64_t expires_ns;
	uint64_t revoked_ns;
	uint64_t old_until_ns; /* the text before the last rotation is good until then */
	unsigned char hash[KEY_HASH_BYTES], old_hash[KEY_HASH_BYTES];
};

struct keys;

/* Reads the file. ERR_CORRUPT names the line. */
MUST_CHECK enum err_code keys_open(struct str data_dir, struct keys **out, struct err *err);
/* Notice what others change, in a thread of its own. */
MUST_CHECK enum err_code keys_watch(struct keys *k, struct err *err);
void keys_close(struct keys *k); /* NULL allowed */

bool keys_required(struct keys *k);
/* Why the file could not be read when it changed; false: it could. */
bool keys_trouble(struct keys *k, char text[KEYS_TROUBLE_BYTES]);

/* ERR_UNAUTHENTICATED: no key that is good now has this text. */
MUST_CHECK enum err_code keys_find(struct keys *k, struct str token, uint64_t now_unix_ns,
    struct key *out, struct err *err);
/* A copy of all, oldest first. ERR_TOO_LARGE: the arena is spent. */
MUST_CHECK enum err_code keys_list(struct keys *k, struct arena *arena, struct key **out,
    size_t *count_out, struct err *err);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err_code keys_get(struct keys *k, struct str id, struct key *out, struct err *err);

struct key_wish {
	struct str name; /* printable, at most KEY_NAME_BYTES - 1 */
	struct str tenant; /* or KEYS_ANY_TENANT */
	unsigned rights; /* at least one */
	uint64_t expires_ns; /* 0: never */
};

/* Each is on the disk when it says ERR_OK. ERR_INVALID, ERR_NOT_FOUND, ERR_TOO_LARGE (KEYS_MAX), ERR_BUSY, ERR_IO. */
MUST_CHECK enum err_code keys_create(struct keys *k, const struct key_wish *wish,
    uint64_t now_unix_ns, struct key *out, char token_out[KEY_TOKEN_BYTES], struct err *err);
/* A new text for the same key; the old one stays good for grace_ns. A revoked key cannot be rotated. */
MUST_CHECK enum err_code keys_rotate(struct keys *k, struct str id, uint64_t grace_ns,
    uint64_t now_unix_ns, struct key *out, char token_out[KEY_TOKEN_BYTES], struct err *err);
/* Of one that is revoked: nothing more happens. */
MUST_CHECK enum err_code keys_revoke(struct keys *k, struct str id, uint64_t now_unix_ns,
    struct key *out, struct err *err);
/* Forget one that is revoked or has expired; *out is what it was. ERR_CONFLICT: it is in force, or the last in the file,
 * without which everybody might do everything. */
MUST_CHECK enum err_code keys_delete(struct keys *k, struct str id, uint64_t now_unix_ns,
    struct key *out, struct err *err);

/* ---- is the file whole? (check.c) */

struct finding_sink;

/* Reads the file and changes nothing; *count_out: keys in it. live: a weir works with it meanwhile. An error only when
 * the folder cannot be read. Any thread. */
MUST_CHECK enum err_code keys_check(struct str data_dir, bool live, const struct finding_sink *sink,
    uint64_t *count_out, struct err *err);

/* "ingest", "read", "admin"; 0: none of these. */
unsigned key_right_parse(struct str word);
const char *key_right_name(enum key_right right);
/* "active", "expired" or "revoked". */
const char *key_state(const struct key *k, uint64_t now_unix_ns);

#endif
