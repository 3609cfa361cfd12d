/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/testing_priv.h - what the tests of the log share. Included by *_test.c only.
 *
 * The k-th request of a test has a payload that k alone decides, so that whatever is read back
 * can be held against what was appended without keeping a copy.
 */
#ifndef WAL_TESTING_PRIV_H
#define WAL_TESTING_PRIV_H

#include "wal/wal.h"

#include "base/arena.h"
#include "base/bits.h"
#include "base/buf.h"
#include "sys/file.h"

#include <stdio.h>
#include <stdlib.h>

#define WAL_TEST_PAYLOAD_MAX 512

/* Payload k: its number, then 0 to ~400 bytes; the first few are short, for tests that go through
 * them bit by bit. */
static inline struct str
wal_test_payload(uint64_t k, char out[WAL_TEST_PAYLOAD_MAX])
{
	size_t len = 8 + (k <= 5 ? (size_t)k * 3 : (size_t)(k * 7919 % 101) * (k % 5));
	put_u64le(out, k);
	for (size_t i = 8; i < len; i++)
		out[i] = (char)(k * 31 + i * 7);
	return str_of(out, len);
}

static inline struct wal *
wal_test_open(const char *dir, uint64_t segment_bytes, uint64_t applied, struct wal_report *report)
{
	struct err err = {0};
	struct wal *w;
	struct wal_options opt = {
	    .dir = str_from(dir), .segment_bytes_max = segment_bytes, .applied_seq = applied};
	if (wal_open(&opt, &w, report, &err) == ERR_OK)
		return w;
	fprintf(stderr, "wal_open: %s\n", err.message);
	abort();
}

/* Append requests first .. last; returns the seq of the last. Does not commit. */
static inline uint64_t
wal_test_append(struct wal *w, uint64_t first, uint64_t last)
{
	char bytes[WAL_TEST_PAYLOAD_MAX];
	uint64_t seq = 0;
	for (uint64_t k = first; k <= last; k++) {
		struct str p = wal_test_payload(k, bytes);
		size_t cut = p.len / 3;
		CHECK(wal_append(w, WAL_REQUEST, str_of(p.ptr, cut), str_skip(p, cut), &seq,
		          NULL) == ERR_OK);
	}
	return seq;
}

static inline void
wal_test_commit(struct wal *w)
{
	uint64_t durable;
	struct err err = {0};
	enum err_code code = wal_commit(w, &durable, &err);
	if (code != ERR_OK)
		fprintf(stderr, "wal_commit: %s\n", err.message);
	CHECK(code == ERR_OK);
	CHECK(durable == wal_durable_seq(w));
}

/* Read on with r; every payload must be the one that follows. Returns the number of the last, or
 * `k` when there was none, and the code that ended it. */
static inline uint64_t
wal_test_read(struct wal_reader *r, uint64_t k, enum err_code *code_out)
{
	char bytes[WAL_TEST_PAYLOAD_MAX];
	struct arena arena;
	struct wal_record rec;
	struct err err = {0};
	arena_init(&arena, 0, 0);
	while ((*code_out = wal_reader_next(r, &arena, &rec, &err)) == ERR_OK) {
		k++;
		CHECK(rec.kind == WAL_REQUEST);
		CHECK(str_eq(rec.payload, wal_test_payload(k, bytes)));
		arena_reset(&arena);
	}
	arena_fini(&arena);
	return k;
}

/* All requests behind after_seq, of which the first must be number first. Returns the last. */
static inline uint64_t
wal_test_read_all(struct wal *w, uint64_t after_seq, uint64_t first)
{
	struct wal_reader *r;
	enum err_code code;
	CHECK(wal_reader_open(w, after_seq, &r, NULL) == ERR_OK);
	uint64_t last = wal_test_read(r, first - 1, &code);
	CHECK(code == ERR_NOT_FOUND);
	CHECK(wal_reader_bytes(r) == wal_durable_bytes(w));
	wal_reader_close(r);
	return last;
}

static inline void
wal_test_path(const char *dir, const char *name, char out[4096])
{
	CHECK(snprintf(out, 4096, "%s/%s", dir, name) < 4096);
}

static inline struct buf
wal_test_load(const char *dir, const char *name)
{
	char path[4096];
	struct buf b = {0};
	wal_test_path(dir, name, path);
	FILE *f = fopen(path, "rb");
	CHECK(f != NULL);
	for (int c; (c = getc(f)) != EOF;)
		buf_char(&b, (char)c);
	fclose(f);
	return b;
}

static inline void
wal_test_save(const char *dir, const char *name, struct str bytes)
{
	char path[4096];
	wal_test_path(dir, name, path);
	FILE *f = fopen(path, "wb");
	CHECK(f != NULL);
	CHECK(bytes.len == 0 || fwrite(bytes.ptr, 1, bytes.len, f) == bytes.len);
	CHECK(fclose(f) == 0);
}

static inline void
wal_test_remove(void *ctx, const char *name)
{
	char path[4096];
	wal_test_path(ctx, name, path);
	CHECK(remove(path) == 0);
}

static inline void
wal_test_empty_dir(const char *dir)
{
	char copy[4096];
	snprintf(copy, sizeof(copy), "%s", dir);
	CHECK(file_list(dir, wal_test_remove, copy, NULL) == ERR_OK);
}

/* A folder in memory for tests that open a log thousands of times and do not need a disk: there an
 * fdatasync costs milliseconds. End it with wal_test_fast_dir_end(). */
static inline const char *
wal_test_fast_dir(char out[64])
{
	const char *parent = file_exists("/dev/shm") ? "/dev/shm" : "/tmp";
	snprintf(out, 64, "%s/weir-wal-test-XXXXXX", parent);
	CHECK(mkdtemp(out) != NULL);
	return out;
}

static inline void
wal_test_fast_dir_end(const char *dir)
{
	wal_test_empty_dir(dir);
	CHECK(remove(dir) == 0);
}

#endif
