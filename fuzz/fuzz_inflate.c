/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a byte for the coding and the limit, then a body. The output never passes the limit, nor
 * the memory twice the limit, and what was inflated comes back when it is packed again.
 */
#include "wire/inflate.h"

#include "base/check.h"

#define ROOM_SLACK 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
pack_and_compare(struct inflate *i, struct str text)
{
	struct buf packed = {0}, back = {0};
	enum err_code code = inflate_gzip(text, 1, &packed, NULL);
	CHECK(code == ERR_OK);
	code = inflate_run(i, INFLATE_GZIP, buf_view(&packed), text.len, &back, NULL);
	CHECK(code == ERR_OK);
	CHECK(str_eq(buf_view(&back), text));
	buf_fini(&packed);
	buf_fini(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	struct buf out = {0};
	if (size == 0)
		return 0;
	struct inflate *i = inflate_new();
	enum inflate_coding coding = (enum inflate_coding)(data[0] & 3);
	size_t bytes_max = (size_t)1 << (data[0] >> 2 & 15) << (data[0] >> 6);
	enum err_code code =
	    inflate_run(i, coding, str_of(data + 1, size - 1), bytes_max, &out, &err);
	CHECK(code == ERR_OK || code == ERR_INVALID || code == ERR_TOO_LARGE);
	CHECK(out.len <= bytes_max);
	CHECK(out.cap <= 2 * bytes_max + ROOM_SLACK);
	if (code == ERR_OK)
		pack_and_compare(i, buf_view(&out));
	buf_fini(&out);
	inflate_free(i);
	return 0;
}
