/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/inflate.h"

#include "tests/test.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define MIB ((size_t)1 << 20)

/* ---- bodies, made by zlib and libzstd, so that libdeflate is judged by another's work */

enum { GZIP_WINDOW = 15 + 16, ZLIB_WINDOW = 15 };

static void
put_deflate(struct buf *b, int window, struct str text)
{
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t room = deflateBound(&z, text.len);
	unsigned char *in = malloc(text.len + 1);
	assert_non_null(in);
	if (text.len)
		memcpy(in, text.ptr, text.len);
	z.next_in = in;
	z.avail_in = (uInt)text.len;
	z.next_out = (unsigned char *)buf_reserve(b, room);
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->len += z.total_out;
	deflateEnd(&z);
	free(in);
}

static void
put_zstd(struct buf *b, bool with_size, struct str text)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	assert_non_null(c);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, with_size);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	size_t room = ZSTD_compressBound(text.len);
	size_t n = ZSTD_compress2(c, buf_reserve(b, room), room, text.ptr, text.len);
	assert_false(ZSTD_isError(n));
	b->len += n;
	ZSTD_freeCCtx(c);
}

enum form { GZIP, ZLIB, ZSTD_SIZED, ZSTD_UNSIZED, FORMS };
static const enum inflate_coding form_coding[FORMS] = {
    INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_ZSTD, INFLATE_ZSTD};

static void
put_form(struct buf *b, enum form form, struct str text)
{
	if (form == GZIP || form == ZLIB)
		put_deflate(b, form == GZIP ? GZIP_WINDOW : ZLIB_WINDOW, text);
	else
		put_zstd(b, form == ZSTD_SIZED, text);
}

/* Text that packs neither well nor badly. */
static struct str
sample(struct buf *b, size_t len)
{
	uint32_t x = 1;
	while (b->len < len) {
		x = x * 1664525 + 1013904223;
		buf_printf(b, "span-%u ", x >> 24);
	}
	return str_of(b->ptr, len);
}

static void
assert_inflates(enum inflate_coding coding, struct str in, struct str want, size_t bytes_max)
{
	struct inflate *i = inflate_new();
	struct buf out = {0};
	struct err err = {0};
	if (inflate_run(i, coding, in, bytes_max, &out, &err) != ERR_OK)
		fail_msg("coding %d, %zu bytes: %s", (int)coding, want.len, err.message);
	assert_true(str_eq(buf_view(&out), want));
	buf_fini(&out);
	inflate_free(i);
}

static void
assert_refused(enum inflate_coding coding, struct str in, size_t bytes_max, enum err_code want)
{
	struct inflate *i = inflate_new();
	struct buf out = {0};
	struct err err = {0};
	char *copy = malloc(in.len + (in.len == 0));
	assert_non_null(copy);
	if (in.len)
		memcpy(copy, in.ptr, in.len);
	enum err_code code = inflate_run(i, coding, str_of(copy, in.len), bytes_max, &out, &err);
	if (code != want)
		fail_msg("coding %d, %zu bytes: %s instead of %s (%s)", (int)coding, in.len,
		    err_name(code), err_name(want), err.message);
	assert_true(out.cap <= 2 * bytes_max + 256);
	free(copy);
	buf_fini(&out);
	inflate_free(i);
}

/* ---- what comes out */

TEST(wire, inflate_gives_back_what_was_packed)
{
	static const size_t sizes[] = {0, 1, 2, 100, 1000, 65536, 300000};
	for (enum form form = 0; form < FORMS; form++) {
		for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
			struct buf text = {0}, body = {0};
			struct str want = sample(&text, sizes[s]);
			put_form(&body, form, want);
			assert_inflates(form_coding[form], buf_view(&body), want, MIB);
			assert_inflates(form_coding[form], buf_view(&body), want, sizes[s]);
			if (sizes[s] > 0)
				assert_refused(form_coding[form], buf_view(&body), sizes[s] - 1,
				    ERR_TOO_LARGE);
			buf_fini(&text);
			buf_fini(&body);
		}
	}
	assert_inflates(INFLATE_IDENTITY, STR("abc"), STR("abc"), 3);
	assert_inflates(INFLATE_IDENTITY, STR_EMPTY, STR_EMPTY, 3);
	assert_refused(INFLATE_IDENTITY, STR("abcd"), 3, ERR_TOO_LARGE);
}

TEST(wire, inflate_reads_bodies_of_many_members_or_frames)
{
	static const enum form forms[] = {GZIP, ZSTD_SIZED, ZSTD_UNSIZED};
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		struct buf text = {0}, body = {0}, want = {0};
		sample(&text, 50000);
		for (size_t n = 0; n < 20; n++) {
			/* Of all sizes, the last one tiny, so that its size says nothing of the whole. */
			struct str part = str_of(text.ptr, n == 19 ? 3 : n * n * 100);
			put_form(&body, forms[f], part);
			buf_str(&want, part);
		}
		if (forms[f] == ZSTD_SIZED)
			buf_str(&body, STR("\x50\x2a\x4d\x18\x03\0\0\0abc")); /* a frame to skip */
		assert_inflates(form_coding[forms[f]], buf_view(&body), buf_view(&want), MIB);
		assert_inflates(form_coding[forms[f]], buf_view(&body), buf_view(&want), want.len);
		assert_refused(form_coding[forms[f]], buf_view(&body), want.len - 1, ERR_TOO_LARGE);
		buf_fini(&text);
		buf_fini(&body);
		buf_fini(&want);
	}
}

TEST(wire, inflate_reuses_its_contexts_and_the_buffer)
{
	struct inflate *i = inflate_new();
	struct buf out = {0}, body = {0};
	struct err err;
	for (int round = 0; round < 3; round++) {
		for (enum form form = 0; form < FORMS; form++) {
			buf_reset(&body);
			put_form(&body, form, STR("again and again"));
			assert_int_equal(inflate_run(i, form_coding[form], buf_view(&body), 100,
			                     &out, &err),
			    ERR_OK);
			assert_true(str_eq(buf_view(&out), STR("again and again")));
			assert_int_equal(inflate_run(i, form_coding[form], STR("garbage"), 100,
			                     &out, &err),
			    ERR_INVALID);
		}
	}
	buf_fini(&out);
	buf_fini(&body);
	inflate_free(i);
}

/* ---- hostile bodies */

TEST(wire, inflate_refuses_every_truncation)
{
	for (enum form form = 0; form < FORMS; form++) {
		struct buf text = {0}, body = {0};
		put_form(&body, form, sample(&text, 700));
		for (size_t n = 0; n < body.len; n++)
			assert_refused(form_coding[form], str_of(body.ptr, n), MIB, ERR_INVALID);
		buf_fini(&text);
		buf_fini(&body);
	}
}

TEST(wire, inflate_refuses_a_wrong_checksum_and_what_follows_the_end)
{
	for (enum form form = 0; form < FORMS; form++) {
		struct buf text = {0}, body = {0};
		put_form(&body, form, sample(&text, 700));
		/* gzip ends with CRC and size, zlib and zstd with a checksum. */
		size_t checksum = body.len - (form == GZIP ? 8 : 4);
		body.ptr[checksum] ^= 1;
		assert_refused(form_coding[form], buf_view(&body), MIB, ERR_INVALID);
		body.ptr[checksum] ^= 1;
		assert_inflates(form_coding[form], buf_view(&body), str_of(text.ptr, 700), MIB);
		buf_str(&body, STR("\0"));
		assert_refused(form_coding[form], buf_view(&body), MIB, ERR_INVALID);
		buf_str(&body, STR("garbage that is long enough for a header"));
		assert_refused(form_coding[form], buf_view(&body), MIB, ERR_INVALID);
		buf_fini(&text);
		buf_fini(&body);
	}
}

TEST(wire, inflate_reads_one_deflate_stream_only)
{
	/* RFC 9110 section 8.4.1.2: a single stream, unlike gzip. */
	struct buf body = {0};
	put_deflate(&body, ZLIB_WINDOW, STR("abc"));
	put_deflate(&body, ZLIB_WINDOW, STR("def"));
	assert_refused(INFLATE_DEFLATE, buf_view(&body), MIB, ERR_INVALID);
	buf_fini(&body);
}

TEST(wire, inflate_never_returns_other_data_for_a_flipped_bit)
{
	for (enum form form = 0; form < FORMS; form++) {
		struct buf text = {0}, body = {0}, out = {0};
		struct inflate *i = inflate_new();
		struct str want = sample(&text, 300);
		put_form(&body, form, want);
		for (size_t bit = 0; bit < body.len * 8; bit++) {
			body.ptr[bit / 8] = (char)(body.ptr[bit / 8] ^ 1 << (bit % 8));
			enum err_code code =
			    inflate_run(i, form_coding[form], buf_view(&body), MIB, &out, NULL);
			/* Some bits of a header mean nothing, such as the time in gzip's. */
			if (code == ERR_OK)
				assert_true(str_eq(buf_view(&out), want));
			body.ptr[bit / 8] = (char)(body.ptr[bit / 8] ^ 1 << (bit % 8));
		}
		inflate_free(i);
		buf_fini(&out);
		buf_fini(&text);
		buf_fini(&body);
	}
}

TEST(wire, inflate_stops_bombs_at_the_limit)
{
	struct buf zeros = {0};
	memset(buf_reserve(&zeros, 64 * MIB), 0, 64 * MIB);
	zeros.len = 64 * MIB;
	for (enum form form = 0; form < FORMS; form++) {
		struct buf body = {0};
		put_form(&body, form, buf_view(&zeros));
		assert_true(body.len < 100000);
		assert_refused(form_coding[form], buf_view(&body), MIB, ERR_TOO_LARGE);
		buf_fini(&body);
	}
	buf_fini(&zeros);
}

TEST(wire, inflate_does_not_believe_a_size_that_is_out_of_proportion)
{
	struct inflate *i = inflate_new();
	struct buf body = {0}, out = {0};
	struct err err;
	put_deflate(&body, GZIP_WINDOW, STR("abc"));
	memcpy(body.ptr + body.len - 4, "\0\0\0\x40", 4); /* 1 GiB */
	assert_int_equal(inflate_run(i, INFLATE_GZIP, buf_view(&body), 1024 * MIB, &out, &err),
	    ERR_INVALID);
	assert_true(out.cap < 10000);
	/* A zstd frame that says 2^60 bytes: no window, eight bytes of size, one empty last block. */
	struct str frame = STR("\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x10\x01\0\0");
	assert_int_equal(inflate_run(i, INFLATE_ZSTD, frame, 1024 * MIB, &out, &err), ERR_INVALID);
	assert_true(out.cap < 10000);
	buf_fini(&body);
	buf_fini(&out);
	inflate_free(i);
}

TEST(wire, inflate_takes_linear_time_for_many_empty_members)
{
	static const enum form forms[] = {GZIP, ZSTD_SIZED};
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		struct buf body = {0}, one = {0};
		put_form(&one, forms[f], STR_EMPTY);
		for (size_t n = 0; n < 100000; n++)
			buf_str(&body, buf_view(&one));
		assert_inflates(form_coding[forms[f]], buf_view(&body), STR_EMPTY, 10);
		buf_fini(&body);
		buf_fini(&one);
	}
}

TEST(wire, inflate_respects_the_limit_of_the_buffer_too)
{
	struct inflate *i = inflate_new();
	struct buf body = {0}, text = {0}, out;
	struct err err;
	put_deflate(&body, GZIP_WINDOW, sample(&text, 5000));
	buf_init(&out, 4999);
	assert_int_equal(inflate_run(i, INFLATE_GZIP, buf_view(&body), MIB, &out, &err),
	    ERR_TOO_LARGE);
	assert_int_equal(inflate_run(i, INFLATE_IDENTITY, buf_view(&text), MIB, &out, &err),
	    ERR_TOO_LARGE);
	buf_fini(&out);
	buf_fini(&text);
	buf_fini(&body);
	inflate_free(i);
}

/* ---- names, and packing */

TEST(wire, inflate_knows_the_names_of_the_codings)
{
	static const struct {
		const char *name;
		enum err_code code;
		enum inflate_coding coding;
	} cases[] = {
	    {"", ERR_OK, INFLATE_IDENTITY},
	    {"identity", ERR_OK, INFLATE_IDENTITY},
	    {"GZip", ERR_OK, INFLATE_GZIP},
	    {" x-gzip ", ERR_OK, INFLATE_GZIP},
	    {"deflate", ERR_OK, INFLATE_DEFLATE},
	    {"zstd", ERR_OK, INFLATE_ZSTD},
	    {"br", ERR_MEDIA_TYPE, INFLATE_IDENTITY},
	    {"gzip, gzip", ERR_MEDIA_TYPE, INFLATE_IDENTITY},
	    {"gzi", ERR_MEDIA_TYPE, INFLATE_IDENTITY},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum inflate_coding coding = INFLATE_IDENTITY;
		struct err err = {0};
		assert_int_equal(inflate_coding_parse(str_from(cases[i].name), &coding, &err),
		    cases[i].code);
		assert_int_equal(coding, cases[i].coding);
	}
}

TEST(wire, inflate_gzip_is_read_by_zlib)
{
	struct buf text = {0}, body = {0};
	struct err err;
	unsigned char *back = malloc(100000);
	assert_non_null(back);
	struct str want = sample(&text, 100000);
	for (int level = 1; level <= 12; level += 5) {
		assert_int_equal(inflate_gzip(want, level, &body, &err), ERR_OK);
		assert_true(body.len < want.len);
		z_stream z = {.next_in = (unsigned char *)body.ptr,
		    .avail_in = (uInt)body.len,
		    .next_out = back,
		    .avail_out = 100000};
		assert_int_equal(inflateInit2(&z, GZIP_WINDOW), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_out, want.len);
		assert_memory_equal(back, want.ptr, want.len);
		inflateEnd(&z);
	}
	buf_fini(&body);
	buf_init(&body, 10);
	assert_int_equal(inflate_gzip(want, 1, &body, &err), ERR_TOO_LARGE);
	free(back);
	buf_fini(&body);
	buf_fini(&text);
}
