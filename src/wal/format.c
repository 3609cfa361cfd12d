/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/format.c - bytes of the log.
 *
 * Why a record has two checksums. After a crash recovery must decide about bytes that are not what
 * they should be: were they never acknowledged (a torn tail, to be cut) or were they, and have been
 * damaged since (to be refused)? What tells is any later record whose `durable` field covers
 * them. With a checksum of the head alone such a witness is found at every 8-byte step in
 * constant time, and it still testifies when its own payload is torn. With one checksum over the
 * whole record each candidate would cost a pass over up to 257 MiB that a client has sent.
 *
 * Why they are salted. Payloads are written by strangers, who could put into one what looks like
 * a record: a false witness would keep weir from starting after a power cut, and one behind
 * a damaged place would be read as data. The salt is drawn anew for each segment and never leaves
 * the disk.
 *
 * Records stand at multiples of 8, since the head of a segment (24 bytes) and every record are.
 */
#include "base/bits.h"
#include "base/hash.h"
#include "wal/wal_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

static const char segment_magic[8] = "WEIRWAL1";

uint64_t
wal_record_bytes(uint64_t len)
{
	CHECK(len <= WAL_PAYLOAD_BYTES_MAX);
	return WAL_RECORD_HEAD_BYTES + ((len + 7) & ~UINT64_C(7));
}

void
wal_segment_head_write(uint64_t first_seq, uint32_t salt, unsigned char out[WAL_SEGMENT_HEAD_BYTES])
{
	memcpy(out, segment_magic, sizeof(segment_magic));
	put_u64le(out + 8, first_seq);
	put_u32le(out + 16, salt);
	put_u32le(out + 20, hash_crc32c(0, out, 20));
}

bool
wal_segment_head_read(const unsigned char in[WAL_SEGMENT_HEAD_BYTES], uint64_t first_seq,
    uint32_t *salt_out)
{
	*salt_out = get_u32le(in + 16);
	return memcmp(in, segment_magic, sizeof(segment_magic)) == 0 &&
	    get_u64le(in + 8) == first_seq && get_u32le(in + 20) == hash_crc32c(0, in, 20);
}

static uint32_t
head_crc(const unsigned char head[WAL_RECORD_HEAD_BYTES], uint32_t salt)
{
	uint32_t crc = hash_crc32c(salt, head, 4);
	return hash_crc32c(crc, head + 8, WAL_RECORD_HEAD_BYTES - 8);
}

void
wal_head_write(const struct wal_head *h, uint32_t salt, unsigned char out[WAL_RECORD_HEAD_BYTES])
{
	CHECK(h->seq > 0);
	CHECK(h->durable < h->seq);
	memset(out, 0, WAL_RECORD_HEAD_BYTES);
	put_u32le(out, h->len);
	put_u64le(out + 8, h->seq);
	put_u64le(out + 16, h->durable);
	put_u32le(out + 24, h->body_crc);
	out[28] = (unsigned char)h->kind;
	put_u32le(out + 4, head_crc(out, salt));
}

bool
wal_head_read(const unsigned char in[WAL_RECORD_HEAD_BYTES], uint32_t salt, struct wal_head *out)
{
	*out = (struct wal_head){.len = get_u32le(in),
	    .seq = get_u64le(in + 8),
	    .durable = get_u64le(in + 16),
	    .body_crc = get_u32le(in + 24),
	    .kind = in[28] == WAL_MARK ? WAL_MARK : WAL_REQUEST};
	/* The cheap conditions first: recovery asks this of every 8th byte of a torn tail. */
	return out->seq > out->durable && in[28] <= WAL_REQUEST &&
	    out->len <= WAL_PAYLOAD_BYTES_MAX && (in[28] != WAL_MARK || out->len == 0) &&
	    (in[29] | in[30] | in[31]) == 0 && get_u32le(in + 4) == head_crc(in, salt);
}

void
wal_segment_name(uint64_t first_seq, char out[WAL_NAME_BYTES])
{
	hex_u64(first_seq, out);
	memcpy(out + 16, ".wal", 5);
}

bool
wal_segment_name_parse(const char *name, uint64_t *first_seq_out)
{
	char again[WAL_NAME_BYTES];
	if (strlen(name) != WAL_NAME_BYTES - 1 || !hex_to_u64(name, 16, first_seq_out))
		return false;
	wal_segment_name(*first_seq_out, again); /* lower case, and the right ending */
	return strcmp(name, again) == 0;
}

void
wal_view_init(struct wal_view *v, const struct file *file, uint64_t end)
{
	*v = (struct wal_view){.file = file, .end = end, .window = xcalloc(1, WAL_VIEW_BYTES)};
}

void
wal_view_fini(struct wal_view *v)
{
	free(v->window);
	*v = (struct wal_view){0};
}

enum err_code
wal_view_get(struct wal_view *v, uint64_t off, size_t n, const unsigned char **out, struct err *err)
{
	CHECK(n <= WAL_VIEW_BYTES);
	*out = NULL;
	if (off > v->end || n > v->end - off)
		return ERR_OK;
	if (off < v->off || off + n > v->off + v->len) {
		size_t want =
		    v->end - off < WAL_VIEW_BYTES ? (size_t)(v->end - off) : WAL_VIEW_BYTES;
		v->len = 0;
		v->off = off;
		enum err_code code = file_pread(v->file, off, v->window, want, &v->len, err);
		if (code != ERR_OK) {
			v->len = 0;
			return code;
		}
	}
	if (n <= v->len) /* else the file has become shorter than its end: as if it ended there */
		*out = v->window + (off - v->off);
	return ERR_OK;
}

enum err_code
wal_view_crc(struct wal_view *v, uint64_t off, uint64_t n, uint32_t *crc, struct err *err)
{
	while (n > 0) {
		size_t step = n < WAL_VIEW_BYTES ? (size_t)n : WAL_VIEW_BYTES;
		const unsigned char *p;
		enum err_code code = wal_view_get(v, off, step, &p, err);
		if (code != ERR_OK)
			return code;
		if (!p)
			return err_set(err, ERR_IO, "%s has become shorter", v->file->path);
		*crc = hash_crc32c(*crc, p, step);
		off += step;
		n -= step;
	}
	return ERR_OK;
}

enum err_code
wal_view_record(struct wal_view *v, uint64_t off, uint32_t salt, uint64_t seq,
    enum wal_found *found_out, struct wal_head *head_out, struct err *err)
{
	const unsigned char *p;
	*found_out = WAL_FOUND_NONE;
	enum err_code code = wal_view_get(v, off, WAL_RECORD_HEAD_BYTES, &p, err);
	if (code != ERR_OK || !p)
		return code;
	if (!wal_head_read(p, salt, head_out) || head_out->seq != seq)
		return ERR_OK;
	uint64_t bytes = wal_record_bytes(head_out->len);
	if (bytes > v->end - off)
		return ERR_OK;
	uint32_t crc = salt;
	code =
	    wal_view_crc(v, off + WAL_RECORD_HEAD_BYTES, bytes - WAL_RECORD_HEAD_BYTES, &crc, err);
	*found_out = crc == head_out->body_crc ? WAL_FOUND_RECORD : WAL_FOUND_HEAD;
	return code;
}

enum err_code
wal_view_find(struct wal_view *v, uint64_t off, uint32_t salt, uint64_t seq, uint64_t *found_out,
    struct wal_head *head_out, struct err *err)
{
	CHECK(off % 8 == 0);
	*found_out = UINT64_MAX;
	for (;; off += 8) {
		const unsigned char *p;
		enum err_code code = wal_view_get(v, off, WAL_RECORD_HEAD_BYTES, &p, err);
		if (code != ERR_OK || !p)
			return code;
		if (wal_head_read(p, salt, head_out) && head_out->seq > seq) {
			*found_out = off;
			return ERR_OK;
		}
	}
}
