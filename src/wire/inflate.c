/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body is a row of parts: members (gzip), frames (zstd) or one stream (deflate). Each is inflated
 * in one call into what the buffer has left. When that is too little, the buffer doubles, up to
 * the limit, and the same part is inflated again: at most twice the work, and no window beside
 * the output. How much a part says it will grow to is believed only up to a common ratio, so
 * that a small body cannot ask for much memory by a lie.
 */
#include "wire/inflate.h"

#include "base/arena.h"
#include "base/bits.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
	BELIEVED_RATIO_MAX = 64,
	USUAL_RATIO = 8, /* for a part that does not say */
	FIRST_BYTES_MIN = 1024,
	GZIP_BYTES_MIN = 18, /* header and trailer of a member */
};
#define ZSTD_SKIPPABLE_MASK 0xfffffff0u

struct inflate {
	struct libdeflate_decompressor *deflate;
	ZSTD_DCtx *zstd;
};

enum part_result { PART_OK, PART_BAD, PART_NEEDS_ROOM };

struct part {
	size_t used; /* of the input */
	size_t made;
};

struct inflate *
inflate_new(void)
{
	struct inflate *i = xcalloc(1, sizeof(*i));
	i->deflate = libdeflate_alloc_decompressor();
	i->zstd = ZSTD_createDCtx();
	CHECK(i->deflate); /* as xcalloc() */
	CHECK(i->zstd);
	return i;
}

void
inflate_free(struct inflate *i)
{
	if (!i)
		return;
	libdeflate_free_decompressor(i->deflate);
	ZSTD_freeDCtx(i->zstd);
	free(i);
}

static const struct {
	struct str name;
	enum inflate_coding coding;
} codings[] = {
    {STR_INIT(""), INFLATE_IDENTITY},
    {STR_INIT("identity"), INFLATE_IDENTITY},
    {STR_INIT("gzip"), INFLATE_GZIP},
    {STR_INIT("x-gzip"), INFLATE_GZIP}, /* RFC 9110 section 8.4.1.3 */
    {STR_INIT("deflate"), INFLATE_DEFLATE},
    {STR_INIT("zstd"), INFLATE_ZSTD},
};

enum err_code
inflate_coding_parse(struct str name, enum inflate_coding *coding_out, struct err *err)
{
	name = str_trim(name);
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		if (str_eq_nocase(name, codings[i].name)) {
			*coding_out = codings[i].coding;
			return ERR_OK;
		}
	}
	if (name.len > 64)
		name.len = 64;
	return err_set(err, ERR_MEDIA_TYPE,
	    "content encoding '%.*s' is not supported: use gzip, zstd, deflate or identity",
	    STR_ARG(name));
}

static enum part_result
deflate_result(enum libdeflate_result result)
{
	switch (result) {
	case LIBDEFLATE_SUCCESS: return PART_OK;
	case LIBDEFLATE_INSUFFICIENT_SPACE: return PART_NEEDS_ROOM;
	case LIBDEFLATE_BAD_DATA:
	case LIBDEFLATE_SHORT_OUTPUT: break;
	}
	return PART_BAD;
}

static enum part_result
zstd_part(struct inflate *i, struct str in, char *to, size_t room, struct part *part)
{
	/* Neither the formats from before 1.0 that the library may still read, nor anything else. */
	uint32_t magic = in.len >= 4 ? get_u32le(in.ptr) : 0;
	if (magic != ZSTD_MAGICNUMBER &&
	    (magic & ZSTD_SKIPPABLE_MASK) != ZSTD_MAGIC_SKIPPABLE_START)
		return PART_BAD;
	part->used = ZSTD_findFrameCompressedSize(in.ptr, in.len);
	if (ZSTD_isError(part->used))
		return PART_BAD;
	part->made = ZSTD_decompressDCtx(i->zstd, to, room, in.ptr, part->used);
	if (!ZSTD_isError(part->made))
		return PART_OK;
	bool short_of_room = ZSTD_getErrorCode(part->made) == ZSTD_error_dstSize_tooSmall;
	return short_of_room ? PART_NEEDS_ROOM : PART_BAD;
}

static enum part_result
inflate_part(struct inflate *i, enum inflate_coding coding, struct str in, char *to, size_t room,
    struct part *part)
{
	switch (coding) {
	case INFLATE_GZIP:
		return deflate_result(libdeflate_gzip_decompress_ex(i->deflate, in.ptr, in.len, to,
		    room, &part->used, &part->made));
	case INFLATE_DEFLATE:
		return deflate_result(libdeflate_zlib_decompress_ex(i->deflate, in.ptr, in.len, to,
		    room, &part->used, &part->made));
	case INFLATE_ZSTD: return zstd_part(i, in, to, room, part);
	case INFLATE_IDENTITY: break;
	}
	check_failed(__FILE__, __LINE__, "coding is one that has parts");
}

/* Room to begin with. The size that gzip gives is that of its last member, modulo 2^32. */
static size_t
first_room(enum inflate_coding coding, struct str in, size_t bytes_max)
{
	uint64_t said = ZSTD_CONTENTSIZE_UNKNOWN;
	if (coding == INFLATE_GZIP && in.len >= GZIP_BYTES_MIN)
		said = get_u32le(in.ptr + in.len - 4);
	else if (coding == INFLATE_ZSTD)
		said = ZSTD_getFrameContentSize(in.ptr, in.len);
	bool unknown = said == ZSTD_CONTENTSIZE_UNKNOWN || said == ZSTD_CONTENTSIZE_ERROR;
	uint64_t ratio = unknown ? USUAL_RATIO : BELIEVED_RATIO_MAX;
	uint64_t room = in.len > bytes_max / ratio ? bytes_max : in.len * ratio + FIRST_BYTES_MIN;
	if (!unknown && said < room)
		room = said;
	return room < bytes_max ? (size_t)room : bytes_max;
}

static enum err_code
too_large(size_t bytes_max, struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "the body is larger than %zu bytes after inflating",
	    bytes_max);
}

static const char *
coding_name(enum inflate_coding coding)
{
	static const char *const names[] = {[INFLATE_IDENTITY] = "identity",
	    [INFLATE_GZIP] = "gzip",
	    [INFLATE_DEFLATE] = "deflate",
	    [INFLATE_ZSTD] = "zstd"};
	return names[coding];
}

/* Inflates the part at the start of in, with as much room as that takes. */
static enum err_code
next_part(struct inflate *i, enum inflate_coding coding, struct str in, size_t bytes_max,
    size_t *room, struct buf *out, struct part *part, struct err *err)
{
	for (;;) {
		CHECK(out->len <= *room && *room <= bytes_max);
		char *to = buf_reserve(out, *room - out->len);
		if (!to)
			return too_large(out->bytes_max, err);
		switch (inflate_part(i, coding, in, to, *room - out->len, part)) {
		case PART_OK: return ERR_OK;
		case PART_BAD:
			return err_set(err, ERR_INVALID,
			    out->len
			        ? "the %s body is damaged, cut short or followed by something else"
			        : "the %s body is damaged or cut short",
			    coding_name(coding));
		case PART_NEEDS_ROOM: break;
		}
		if (*room == bytes_max)
			return too_large(bytes_max, err);
		*room = *room > bytes_max / 2 ? bytes_max : *room * 2 + FIRST_BYTES_MIN;
		*room = *room < bytes_max ? *room : bytes_max;
	}
}

static enum err_code
copy_identity(struct str in, size_t bytes_max, struct buf *out, struct err *err)
{
	if (in.len > bytes_max)
		return err_set(err, ERR_TOO_LARGE, "the body is larger than %zu bytes", bytes_max);
	buf_str(out, in);
	return out->failed ? too_large(out->bytes_max, err) : ERR_OK;
}

enum err_code
inflate_run(struct inflate *i, enum inflate_coding coding, struct str in, size_t bytes_max,
    struct buf *out, struct err *err)
{
	buf_reset(out);
	if (coding == INFLATE_IDENTITY)
		return copy_identity(in, bytes_max, out, err);
	if (in.len == 0)
		return err_set(err, ERR_INVALID, "the %s body is empty", coding_name(coding));
	size_t room = first_room(coding, in, bytes_max);
	while (in.len > 0) {
		struct part part = {0};
		enum err_code code = next_part(i, coding, in, bytes_max, &room, out, &part, err);
		if (code != ERR_OK)
			return code;
		CHECK(part.used > 0 && part.used <= in.len);
		CHECK(part.made <= room - out->len);
		out->len += part.made;
		in = str_skip(in, part.used);
		if (coding == INFLATE_DEFLATE && in.len > 0)
			return err_set(err, ERR_INVALID, "something follows the deflate body");
	}
	return ERR_OK;
}

enum err_code
inflate_gzip(struct str in, int level, struct buf *out, struct err *err)
{
	CHECK(level >= 1 && level <= 12);
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	CHECK(c); /* as xcalloc() */
	buf_reset(out);
	size_t room = libdeflate_gzip_compress_bound(c, in.len);
	char *to = buf_reserve(out, room);
	if (to)
		out->len = libdeflate_gzip_compress(c, in.ptr, in.len, to, room);
	libdeflate_free_compressor(c);
	return to ? ERR_OK : too_large(out->bytes_max, err);
}
