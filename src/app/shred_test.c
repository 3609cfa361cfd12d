/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoder makes of attributes goes through the columns of a day's table and back. */
#include "duck/duck_shred.h"
#include "model/typed.h"
#include "otlp/dump_test.h"
#include "otlp/encode.h"

#include "tests/test.h"

#include <float.h>
#include <math.h>

struct dice {
	uint64_t state;
};

static uint64_t
roll(struct dice *d, uint64_t n)
{
	d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (d->state >> 33) % n;
}

static struct str
random_text(struct dice *d, struct arena *arena)
{
	static const char *const pieces[] = {"a", "b", "http.", "$", "\"", "\\", "\n", "\x01",
	    "\x1f", "\x7f", "/", "\xc3\xbc", "\xe2\x80\xa8", "\xf0\x9f\x98\x80", "{", "}", "[", ",",
	    ":", "some words that are longer", " ", "\xed\x9f\xbf", "\b\f\r\t"};
	char text[400];
	size_t len = 0;
	for (uint64_t n = roll(d, 8); n > 0; n--) {
		const char *piece = pieces[roll(d, ARRAY_LEN(pieces))];
		memcpy(text + len, piece, strlen(piece));
		len += strlen(piece);
		if (roll(d, 50) == 0)
			text[len++] = '\0';
	}
	struct str s = arena_str(arena, str_of(text, len));
	assert_non_null(s.ptr);
	return s;
}

static double
random_double(struct dice *d)
{
	static const double some[] = {0.0, -0.0, 1.0, 0.1, 1e15, 1e300, DBL_MIN, DBL_MAX, NAN,
	    INFINITY, -INFINITY, 5e-324, 12.5};
	uint64_t bits = roll(d, UINT64_C(1) << 31) << 33 | roll(d, UINT64_C(1) << 31) << 2;
	double v;
	memcpy(&v, &bits, sizeof(v));
	return roll(d, 2) ? some[roll(d, ARRAY_LEN(some))] : v;
}

static struct otlp_value
random_value(struct dice *d, struct arena *arena, unsigned depth)
{
	size_t count = roll(d, 4);
	switch (roll(d, depth < 4 ? 9 : 6)) {
	case 0:
	case 1: return otlp_value_str(random_text(d, arena));
	case 2:
		return otlp_value_int((int64_t)(roll(d, 3) ? roll(d, 100)
		                                           : UINT64_MAX / 2 + roll(d, 3)));
	case 3: return otlp_value_double(random_double(d));
	case 4: return otlp_value_bool(roll(d, 2));
	case 5: return (struct otlp_value){.kind = OTLP_UNSET};
	case 6: return otlp_value_bytes(random_text(d, arena));
	case 7: {
		struct otlp_value *items = arena_array(arena, count + 1, sizeof(*items));
		assert_non_null(items);
		for (size_t i = 0; i < count; i++)
			items[i] = random_value(d, arena, depth + 1);
		return otlp_value_array(items, count);
	}
	default: break;
	}
	struct otlp_attr *members = arena_array(arena, count + 1, sizeof(*members));
	assert_non_null(members);
	for (size_t i = 0; i < count; i++)
		members[i] =
		    (struct otlp_attr){random_text(d, arena), random_value(d, arena, depth + 1)};
	return otlp_value_kvlist(members, count);
}

static struct str
random_key(struct dice *d, struct arena *arena)
{
	struct str s = STR_EMPTY;
	if (roll(d, 4) == 0)
		return random_text(d, arena);
	if (roll(d, 40) == 0) {
		char *p = arena_alloc(arena, 300);
		assert_non_null(p);
		memset(p, 'k', 300);
		return str_of(p, 254 + roll(d, 5));
	}
	s = arena_printf(arena, "%skey.%d", roll(d, 2) ? "attribute." : "", (int)roll(d, 12));
	assert_non_null(s.ptr);
	return s;
}

/* A request of one span with `count` attributes; its attributes text. */
static struct str
decoded(struct dice *d, size_t count, struct arena *arena, struct buf *body, struct batch *batch)
{
	struct otlp_encoder e;
	struct limits limits = limits_default();
	otlp_encode_begin(&e, SIGNAL_TRACES, body);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR("s"), STR_EMPTY, STR_EMPTY);
	otlp_encode_span(&e, &(struct otlp_span){.trace_hi = 1, .span_id = 2, .name = STR("n")});
	for (size_t i = 0; i < count; i++)
		otlp_encode_attr(&e, random_key(d, arena), random_value(d, arena, 0));
	otlp_encode_end(&e);
	struct otlp_counts counts = dump_decode(SIGNAL_TRACES, buf_view(body), &limits, batch);
	assert_string_equal(counts.reason, "");
	const struct table *t = &batch->tables[TABLE_SPANS];
	assert_int_equal(t->row_count, 1);
	return table_is_null(t, 0, SPAN_ATTRIBUTES) ? STR_EMPTY : table_str(t, 0, SPAN_ATTRIBUTES);
}

/* Columns for some of the keys that can come, written as the decoder writes them. */
static void
random_plan(struct dice *d, struct arena *arena, struct shred_plan *p)
{
	*p = (struct shred_plan){0};
	for (uint64_t n = roll(d, 2 * SHRED_COLUMNS); n > 0; n--) {
		struct buf key = {0};
		typed_put_key(&key, random_key(d, arena));
		struct str raw = str_of(key.ptr + 1, key.len - 3);
		enum shred_type type = (enum shred_type)roll(d, SHRED_TYPES + 3);
		if (type < SHRED_SHARED)
			(void)shred_plan_add(p, raw, type);
		else
			(void)shred_plan_add_shared(p, (unsigned)roll(d, p->count + 1), raw);
		buf_fini(&key);
	}
}

/* Split and merge; the text must come back. */
static void
round_trip(const struct shred_plan *p, struct str json, bool *taken, bool *ordered)
{
	struct arena arena = {0};
	struct buf merged = {0};
	struct shred_row row;
	*taken = false;
	assert_true(shred_split(p, SHRED_ALL_LIVE, json, &arena, &row, NULL, NULL));
	for (unsigned i = 0; i < p->count; i++)
		*taken = *taken || row.values[i].set;
	*ordered = row.order.ptr != NULL;
	shred_merge(p->columns, row.values, p->count, row.rest, row.order, &merged);
	if (!str_eq(buf_view(&merged), json))
		fail_msg("'%.*s' came back as '%.*s'", STR_ARG(json), STR_ARG(buf_view(&merged)));
	buf_fini(&merged);
	arena_fini(&arena);
}

TEST(app, shredded_attributes_come_back_as_the_decoder_wrote_them)
{
	struct dice d = {7};
	struct batch batch;
	size_t taken_count = 0, ordered_count = 0;
	batch_init(&batch, 0);
	for (int i = 0; i < 3000; i++) {
		struct arena arena = {0};
		struct buf body = {0};
		bool taken, ordered;
		struct shred_plan p;
		size_t count = i % 300 == 0 ? 1024 : i % 20 == 0 ? roll(&d, 130) : roll(&d, 16);
		struct str json = decoded(&d, count, &arena, &body, &batch);
		random_plan(&d, &arena, &p);
		round_trip(&p, json, &taken, &ordered);
		taken_count += taken;
		ordered_count += ordered;
		shred_plan_fini(&p);
		buf_fini(&body);
		arena_fini(&arena);
	}
	batch_fini(&batch);
	assert_in_range(taken_count, 800, 3000); /* else this proves nothing */
	assert_in_range(ordered_count, 800, 3000);
}
