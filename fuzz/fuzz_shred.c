/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes as columns, and back. The input is a plan, one key a line (the letter of its type, for a
 * shared column a letter more, the key), an empty line, and a text that need not be JSON. Taken apart and put together it
 * must be the same text. Then the parts are put together as they do not belong, and the text is
 * counted in a window and compared as a number: whatever comes of that, nothing may break.
 */
#include "duck/duck_number.h"
#include "duck/duck_shred.h"

#include "base/number.h"
#include "base/utf8.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str
read_plan(struct str in, struct shred_plan *p)
{
	while (in.len > 0) {
		struct str line = str_of(in.ptr, str_find(in, '\n'));
		in = str_skip(in, line.len + 1);
		if (line.len == 0)
			break;
		size_t type = str_find(STR(SHRED_LETTERS), line.ptr[0]);
		if (type < SHRED_SHARED)
			(void)shred_plan_add(p, str_skip(line, 1), (enum shred_type)type);
		else if (type == SHRED_SHARED && line.len > 1) /* the second letter: which column */
			(void)shred_plan_add_shared(p, p->count - ((unsigned char)line.ptr[1] & 1u),
			    str_skip(line, 2));
	}
	return in;
}

/* Sums up what stays, and sees to it that it is inside the text. */
struct leavings {
	struct str json;
	size_t count;
};

static void
leave(void *ctx, struct str key, struct str value)
{
	struct leavings *l = ctx;
	CHECK(key.ptr > l->json.ptr && value.ptr > key.ptr);
	CHECK(value.ptr + value.len <= l->json.ptr + l->json.len);
	CHECK(value.len > 0);
	l->count++;
}

static void
check_row(const struct shred_plan *p, const struct shred_row *row)
{
	bool any = false;
	for (unsigned i = 0; i < p->count; i++) {
		const struct shred_value *v = &row->values[i];
		any = any || v->set;
		if (v->set && p->columns[i].type == SHRED_TEXT && v->text.len > 0)
			CHECK(!memchr(v->text.ptr, '\0', v->text.len));
		if (v->set && p->columns[i].type == SHRED_SHARED)
			CHECK(v->text.len > 1 &&
			    (unsigned)(v->text.ptr[0] - SHRED_CODE_FIRST) <
			        p->columns[i].key_count);
	}
	CHECK(any || !row->order.ptr);
	CHECK(!row->order.ptr || utf8_valid(row->order));
}

static void
merge_anything(const struct shred_plan *p, const struct shred_row *row, struct str json)
{
	struct buf out = {0};
	shred_merge(p->columns, row->values, p->count, json, row->order, &out);
	shred_merge(p->columns, row->values, p->count, row->rest, json, &out);
	shred_merge(p->columns, row->values, p->count, row->order, row->rest, &out);
	shred_merge(p->columns, row->values, p->count / 2, row->rest, row->order, &out);
	buf_fini(&out);
}

static void
count_keys(struct str json)
{
	struct shred_plan p = {0};
	struct shred_window *w = shred_window_new();
	shred_window_count(w, json);
	shred_window_count(w, json);
	shred_window_age(w);
	CHECK(shred_window_choose(w, &p) == p.key_count);
	shred_window_count(w, json);
	(void)shred_window_choose(w, &p);
	shred_plan_fini(&p);
	shred_window_free(w);
}

static void
compare(struct str text)
{
	struct duck_decimal d;
	int64_t i64;
	struct str first = str_of(text.ptr, str_find(text, ','));
	struct str second = str_skip(text, first.len + 1);
	/* An int is what its text says; of doubles only the text that we write for one is. */
	if (duck_decimal_parse(first, &d) && str_to_i64(first, &i64))
		CHECK(duck_number_cmp(first, &d) == DUCK_EQUAL || first.ptr[0] == '+');
	if (second.len > 0 && duck_decimal_parse(second, &d))
		(void)duck_number_cmp(first, &d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shred_plan p = {0};
	struct arena arena = {0};
	struct buf merged = {0};
	struct shred_row row;
	struct str json = read_plan(str_of(data, size), &p);
	struct leavings l = {json, 0};
	bool good = shred_split(&p, SHRED_ALL_LIVE, json, &arena, &row, leave, &l);
	CHECK(good);
	check_row(&p, &row);
	shred_merge(p.columns, row.values, p.count, row.rest, row.order, &merged);
	CHECK(str_eq(buf_view(&merged), json));
	merge_anything(&p, &row, json);
	count_keys(json);
	compare(json);
	buf_fini(&merged);
	arena_fini(&arena);
	shred_plan_fini(&p);
	return 0;
}
