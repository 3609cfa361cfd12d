/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log reader. The input is the content of a segment file, and the only one there is. It is
 * opened as it is, with a store that has nothing and one that has some of it; and once more with
 * checksums put right, or a fuzzer would never come past them.
 *
 * Whatever it holds: opening works or says why not; what is read is in order; and a log that has
 * opened takes a record, and has all it had when it is opened again.
 */
#include "base/arena.h"
#include "base/bits.h"
#include "base/hash.h"
#include "wal/wal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { INPUT_BYTES_MAX = 1 << 16, SEGMENT_BYTES = 4096, SEGMENT_HEAD = 24, RECORD_HEAD = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void
remove_dir(void)
{
	rmdir(dir);
}

static void
make_dir(void)
{
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(dir, sizeof(dir), "%s/fuzz-wal-XXXXXX", parent);
	CHECK(mkdtemp(dir) != NULL);
	CHECK(atexit(remove_dir) == 0);
}

static void
empty_dir(void)
{
	char path[512];
	DIR *d = opendir(dir);
	CHECK(d != NULL);
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			CHECK(unlink(path) == 0);
	}
	closedir(d);
}

static void
write_segment(uint64_t first_seq, const uint8_t *bytes, size_t n)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%016llx.wal", dir, (unsigned long long)first_seq);
	FILE *f = fopen(path, "wb");
	CHECK(f != NULL);
	CHECK(fwrite(bytes, 1, n, f) == n);
	CHECK(fclose(f) == 0);
}

/* Requests behind applied, in order; their number. */
static uint64_t
read_all(struct wal *w, uint64_t applied)
{
	struct wal_reader *r;
	struct wal_record rec;
	struct arena arena = {0};
	uint64_t last = applied, count = 0;
	enum err_code code;
	CHECK(wal_reader_open(w, applied, &r, NULL) == ERR_OK);
	while ((code = wal_reader_next(r, &arena, &rec, NULL)) == ERR_OK) {
		CHECK(rec.seq > last);
		CHECK(rec.kind == WAL_REQUEST);
		last = rec.seq;
		count++;
	}
	CHECK(code == ERR_NOT_FOUND); /* opening has verified all of it */
	CHECK(last <= wal_durable_seq(w));
	CHECK(wal_reader_bytes(r) == wal_durable_bytes(w));
	wal_reader_close(r);
	arena_fini(&arena);
	return count;
}

static void
try_log(uint64_t applied)
{
	struct wal_options opt = {
	    .dir = str_from(dir), .segment_bytes_max = SEGMENT_BYTES, .applied_seq = applied};
	struct wal_report report;
	struct err err = {0};
	struct wal *w;
	uint64_t seq, durable;
	enum err_code code = wal_open(&opt, &w, &report, &err);
	CHECK(code == ERR_OK || code == ERR_CORRUPT);
	CHECK((code == ERR_OK) == (err.message[0] == '\0'));
	if (code != ERR_OK)
		return;
	uint64_t count = read_all(w, applied);
	CHECK(count == report.record_count);
	CHECK(report.last_seq >= applied);
	CHECK(wal_append(w, WAL_REQUEST, STR("new"), STR_EMPTY, &seq, &err) == ERR_OK);
	CHECK(seq == report.last_seq + 1);
	CHECK(wal_commit(w, &durable, &err) == ERR_OK);
	CHECK(durable == seq);
	CHECK(read_all(w, applied) == count + 1);
	wal_close(w);
	CHECK(wal_open(&opt, &w, &report, &err) == ERR_OK);
	CHECK(report.cut_bytes == 0);
	CHECK(read_all(w, applied) == count + 1);
	wal_close(w);
}

/* Make the record at p whole, as far as its reserved bytes do not ask for damage. Returns its size. */
static size_t
repair_record(uint8_t *p, size_t left, uint32_t salt, uint64_t expect)
{
	uint8_t damage = p[29], keep = p[30];
	size_t len = get_u32le(p) % 256, room = (left - RECORD_HEAD) & ~(size_t)7;
	p[28] &= 1;
	if (p[28] == WAL_MARK)
		len = 0;
	len = len < room ? len : room;
	size_t bytes = RECORD_HEAD + ((len + 7) & ~(size_t)7);
	memset(p + 29, 0, 3);
	memset(p + RECORD_HEAD + len, 0, bytes - RECORD_HEAD - len);
	put_u32le(p, (uint32_t)len);
	if (!(keep & 1))
		put_u64le(p + 8, expect);
	if (!(keep & 2) && expect > 0)
		put_u64le(p + 16, get_u64le(p + 16) % expect);
	put_u32le(p + 24, hash_crc32c(salt, p + RECORD_HEAD, bytes - RECORD_HEAD));
	put_u32le(p + 4, hash_crc32c(hash_crc32c(salt, p, 4), p + 8, RECORD_HEAD - 8));
	if (damage % 8 == 1)
		p[damage % bytes] ^= 0x40;
	return bytes;
}

static void
repair(uint8_t *p, size_t n)
{
	memcpy(p, "WEIRWAL1", 8);
	put_u64le(p + 8, get_u64le(p + 8) % 1000 + 1);
	put_u32le(p + 20, hash_crc32c(0, p, 20));
	uint64_t seq = get_u64le(p + 8);
	size_t off = SEGMENT_HEAD;
	while (off + RECORD_HEAD <= n)
		off += repair_record(p + off, n - off, get_u32le(p + 16), seq++);
}

static void
try_all(const uint8_t *bytes, size_t n)
{
	uint64_t first = n >= SEGMENT_HEAD ? get_u64le(bytes + 8) : 1;
	if (first == 0 || first > UINT64_MAX / 2) /* no log gets there */
		first = 1;
	for (uint64_t more = 0; more < 6; more += 3) {
		write_segment(first, bytes, n);
		try_log(first - 1 + more);
		empty_dir();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_BYTES_MAX)
		return 0;
	if (!dir[0])
		make_dir();
	try_all(data, size);
	if (size < SEGMENT_HEAD)
		return 0;
	uint8_t *copy = malloc(size);
	CHECK(copy != NULL);
	memcpy(copy, data, size);
	repair(copy, size);
	try_all(copy, size);
	free(copy);
	return 0;
}
