/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of comments: what the scan takes the decoder decodes, row by row as many, and they can be written as JSON
 * and put into a request again that is known as the same.
 */
#include "comment/comment.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_rows(struct str request, uint64_t count)
{
	struct batch b;
	struct err err;
	struct buf again = {0}, json = {0};
	batch_init(&b, 0);
	enum err_code code = comment_decode(request, STR("acme"), 1, &b, &err);
	CHECK(code == ERR_OK);
	const struct table *t = &b.tables[TABLE_COMMENTS];
	CHECK(t->row_count == count);
	for (size_t row = 0; row < t->row_count; row++) {
		struct comment c = comment_of_row(t, row);
		comment_put(&c, &again);
	}
	struct hash128 x = comment_request_hash(STR("acme"), request);
	struct hash128 y = comment_request_hash(STR("acme"), buf_view(&again));
	CHECK(x.hi == y.hi && x.lo == y.lo);
	code = comment_to_json(request, &json, &err);
	CHECK(code == ERR_OK && json.len > 0);
	buf_fini(&json);
	buf_fini(&again);
	batch_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct limits limits = limits_default();
	struct str request = str_of((const char *)data, size);
	uint64_t count;
	struct err err;
	if (comment_scan(request, &limits, &count, &err) == ERR_OK)
		check_rows(request, count);
	return 0;
}
