/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two processes of users' SQL read of each other and of strangers. The first byte says what the rest is: the tree
 * of a statement, a frame of rows, typed JSON, statements of a file.
 */
#include "cli/sql.h"
#include "duck/duck_user_wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_tree(struct str s)
{
	struct err err = {0};
	if (!user_check_tree(s, &err))
		CHECK(err.message[0] != '\0');
}

/* Every column of a table, of as many rows as it says: what is taken is inside. */
static void
read_rows(struct str s)
{
	char type;
	bool bad;
	struct str body;
	if (!user_next(s, &type, &body, &bad))
		return;
	struct user_reader r = {.rest = body};
	struct user_bounds bounds;
	user_get_bounds(&r, &bounds);
	CHECK(r.failed || str_of(bounds.service.ptr, bounds.service.len).len <= body.len);
	r = (struct user_reader){.rest = body};
	uint32_t rows = user_get_u32(&r);
	const struct table_def *def = &table_defs[(unsigned char)type % TABLE_COUNT];
	for (size_t c = 0; c < def->col_count && !r.failed; c++) {
		struct user_values v;
		user_get_values(&r, def->cols[c].kind, rows, &v);
		for (uint32_t row = 0; row < rows && !r.failed; row++) {
			(void)user_is_null(&v, row);
			CHECK(!v.codes || v.codes[row] < v.dict_count);
		}
	}
}

static void
read_json(struct str s, bool list)
{
	struct buf out = {0};
	worker_natural_json(&out, s, list);
	buf_fini(&out);
}

static void
read_statements(struct str s)
{
	while (s.len > 0) {
		bool whole;
		size_t end = cli_sql_end(s, &whole);
		CHECK(end > 0 && end <= s.len && (whole || end == s.len));
		(void)cli_sql_is_empty(str_of(s.ptr, end));
		s = str_skip(s, end);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	/* Of the exact size, so that the sanitizer sees a read behind it. */
	size_t n = size - 1;
	char *copy = malloc(n > 0 ? n : 1);
	CHECK(copy != NULL);
	memcpy(copy, data + 1, n);
	struct str s = str_of(copy, n);
	switch (data[0] % 5) {
	case 0: read_tree(s); break;
	case 1: read_rows(s); break;
	case 2: read_json(s, false); break;
	case 3: read_json(s, true); break;
	default: read_statements(s); break;
	}
	free(copy);
	return 0;
}
