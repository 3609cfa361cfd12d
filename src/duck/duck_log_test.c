/* SPDX-License-Identifier: Apache-2.0 */
/* The made-up log of duck_kit_test.h. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	SALT_KIND,
	SALT_TIME,
	SALT_IDS,
	SALT_REPEAT,
	SALT_OTHER,
	SALT_TENANT,
	SALT_TEXT,
	SALT_ROWS,
	SALT_SOURCE
};

#define PICK(list, random) (list)[(random) % ARRAY_LEN(list)]

uint64_t
duck_kit_random(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t words[3] = {a, b, c};
	return hash_u64(str_of(words, sizeof(words)));
}

uint64_t
duck_kit_roll(struct duck_kit_dice *d, uint64_t n)
{
	d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (d->state >> 33) % n;
}

static uint64_t
random_of(uint64_t seq, uint32_t ord, uint64_t salt)
{
	return duck_kit_random(seq, ord, salt);
}

/* Of this row, or of the one that it repeats. */
static uint64_t
time_of(uint64_t seq, uint32_t ord)
{
	static const uint64_t odd[] = {0, 1, UINT64_MAX, UINT64_MAX - 1,
	    CONFORMANCE_NOW_NS + 300 * NS_PER_DAY, CONFORMANCE_NOW_NS - 500 * NS_PER_DAY};
	uint64_t r = random_of(seq, ord, SALT_TIME);
	uint64_t how = r % 100, more = r / 100;
	uint64_t day = 0;
	if (how >= 97)
		return PICK(odd, more);
	if (how >= 50)
		day = how < 75 ? 1 : how < 92 ? more % 60 : more % 400;
	return CONFORMANCE_NOW_NS - day * NS_PER_DAY - more / 400 % 20000 * NS_PER_S;
}

static uint64_t
add_resource(struct batch *b, uint64_t seq, struct str tenant)
{
	static const char *const maps[] = {
	    "{\"host\":\"h1\",\"code\":200}", "{\"host\":\"h2\"}", NULL};
	bool added;
	uint64_t k = seq / 5; /* now and then a new one */
	uint64_t id = (k + 1) * 1000003 + tenant.len;
	size_t row = batch_resource(b, tenant, id, &added);
	assert_true(row != SIZE_MAX);
	struct table *t = &b->tables[TABLE_RESOURCES];
	table_set_str(t, row, RESOURCE_SERVICE, STR("shop"));
	table_set_str(t, row, RESOURCE_ATTRIBUTES, str_from(PICK(maps, k)));
	table_set_u32(t, row, RESOURCE_DROPPED_ATTRIBUTES, (uint32_t)k);
	return id;
}

static uint64_t
add_scope(struct batch *b, uint64_t seq, struct str tenant)
{
	bool added;
	uint64_t id = (seq / 8 + 1) * 7000003 + tenant.len;
	size_t row = batch_scope(b, tenant, id, &added);
	assert_true(row != SIZE_MAX);
	table_set_str(&b->tables[TABLE_SCOPES], row, SCOPE_NAME, STR("lib"));
	return id;
}

static struct str
attributes_of(uint64_t r)
{
	static const char *const maps[] = {
	    "{\"http.method\":\"GET\",\"http.status\":200,\"ok\":true}",
	    "{\"http.status\":404,\"http.method\":\"PUT\",\"ratio\":0.5}",
	    "{\"http.method\":\"a method that is longer than twelve bytes\",\"user\":\"u1\"}",
	    "{\"http.status\":\"two hundred\",\"nested\":{\"a\":[1,2,{\"b\":\"c\"}]}}",
	    "{\"a.key\":\"v\",\"b\":-7,\"http.method\":\"GET\"}",
	    "{}",
	    NULL,
	};
	return str_from(PICK(maps, r));
}

static void
add_span(struct batch *b, uint64_t seq, uint32_t ord, struct str tenant)
{
	struct table *t = &b->tables[TABLE_SPANS];
	size_t row = table_add_row(t);
	uint64_t from = seq;
	uint32_t from_ord = ord;
	uint64_t r = random_of(seq, ord, SALT_REPEAT);
	assert_true(row != SIZE_MAX);
	if (r % 6 == 0) {
		from = 1 + r / 6 % seq;
		from_ord = (uint32_t)(random_of(seq, ord, SALT_OTHER) % KIT_ROWS_MAX);
	}
	uint64_t ids = random_of(from, from_ord, SALT_IDS), text = random_of(seq, ord, SALT_TEXT);
	table_set_str(t, row, SPAN_TENANT, tenant);
	table_set_u64(t, row, SPAN_SEQ, seq);
	table_set_u32(t, row, SPAN_ORD, ord);
	table_set_u64(t, row, SPAN_TRACE_HI, ids % 50 == 0 ? UINT64_MAX : ids % 50);
	table_set_u64(t, row, SPAN_TRACE_LO, 1 + ids % 7);
	table_set_u64(t, row, SPAN_SPAN_ID, ids);
	table_set_u64(t, row, SPAN_START_NS, time_of(from, from_ord));
	table_set_i64(t, row, SPAN_DURATION_NS, (int64_t)(text % 1000));
	table_set_str(t, row, SPAN_SERVICE, text % 3 ? STR("shop") : STR("a longer cart service"));
	table_set_str(t, row, SPAN_NAME, text % 5 ? STR("GET /") : STR("a name beyond 12 bytes"));
	table_set_str(t, row, SPAN_ATTRIBUTES, attributes_of(text));
	table_set_u64(t, row, SPAN_RESOURCE_ID, add_resource(b, seq, tenant));
	table_set_u64(t, row, SPAN_SCOPE_ID, add_scope(b, seq, tenant));
}

static void
add_log(struct batch *b, uint64_t seq, uint32_t ord, struct str tenant)
{
	struct table *t = &b->tables[TABLE_LOGS];
	size_t row = table_add_row(t);
	uint64_t text = random_of(seq, ord, SALT_TEXT);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, LOG_TENANT, tenant);
	table_set_u64(t, row, LOG_SEQ, seq);
	table_set_u32(t, row, LOG_ORD, ord);
	table_set_u64(t, row, LOG_EVENT_NS, time_of(seq, ord));
	table_set_str(t, row, LOG_SERVICE, text % 3 ? STR("shop") : STR("cart"));
	if (text % 4)
		table_set_str(t, row, LOG_BODY, STR("what happened, in some more words"));
	table_set_i32(t, row, LOG_BODY_KIND, LOG_BODY_STRING);
	table_set_str(t, row, LOG_ATTRIBUTES, attributes_of(text));
	table_set_u64(t, row, LOG_RESOURCE_ID, add_resource(b, seq, tenant));
	table_set_u64(t, row, LOG_SCOPE_ID, add_scope(b, seq, tenant));
}

static void
add_point(struct batch *b, uint64_t seq, uint32_t ord, struct str tenant)
{
	static const uint64_t counts[] = {1, UINT64_MAX, 3, 0, 5};
	static const double bounds[] = {0.1, 1, 10, 100};
	struct table *t = &b->tables[TABLE_POINTS];
	size_t row = table_add_row(t);
	uint64_t text = random_of(seq, ord, SALT_TEXT);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, POINT_TENANT, tenant);
	table_set_u64(t, row, POINT_SEQ, seq);
	table_set_u32(t, row, POINT_ORD, ord);
	table_set_u64(t, row, POINT_TIME_NS, time_of(seq, ord));
	table_set_str(t, row, POINT_SERVICE, STR("shop"));
	table_set_str(t, row, POINT_NAME, text % 2 ? STR("requests") : STR("latency"));
	table_set_i32(t, row, POINT_TYPE, 1 + (int32_t)(text % 5));
	table_set_u64(t, row, POINT_SERIES_ID, text % 11);
	table_set_str(t, row, POINT_ATTRIBUTES, attributes_of(text));
	if (text % 3)
		table_set_f64(t, row, POINT_VALUE, (double)text / 7);
	if (text % 4)
		table_set_u64s(t, row, POINT_BUCKETS, (struct u64s){counts, text % 6});
	if (text % 5)
		table_set_f64s(t, row, POINT_BOUNDS, (struct f64s){bounds, text % 5});
	table_set_u64(t, row, POINT_RESOURCE_ID, add_resource(b, seq, tenant));
	table_set_u64(t, row, POINT_SCOPE_ID, add_scope(b, seq, tenant));
}

/* One in six has the id of another one, and with it the time: then it depends on the tenant whether it is a repeat. */
static void
add_comment(struct batch *b, uint64_t seq, uint32_t ord, struct str tenant)
{
	struct table *t = &b->tables[TABLE_COMMENTS];
	size_t row = table_add_row(t);
	uint64_t text = random_of(seq, ord, SALT_TEXT), of_seq = seq, of_ord = ord;
	char id[48];
	assert_true(row != SIZE_MAX);
	if (random_of(seq, ord, SALT_REPEAT) % 6 == 0) {
		of_seq = 1 + random_of(seq, ord, SALT_OTHER) % seq;
		of_ord = random_of(seq, ord, SALT_OTHER) % 20;
	}
	int n = snprintf(id, sizeof(id), "c%" PRIu64 "-%" PRIu64, of_seq, of_ord);
	table_set_str(t, row, COMMENT_TENANT, tenant);
	table_set_u64(t, row, COMMENT_SEQ, seq);
	table_set_u32(t, row, COMMENT_ORD, ord);
	table_set_u64(t, row, COMMENT_CREATED_NS, time_of(seq, ord));
	table_set_u64(t, row, COMMENT_TRACE_HI, text % 3);
	table_set_u64(t, row, COMMENT_TRACE_LO, 1 + text % 7);
	table_set_u64(t, row, COMMENT_SPAN_ID, text % 4);
	table_set_str(t, row, COMMENT_ID, arena_str(&b->arena, str_of(id, (size_t)n)));
	table_set_str(t, row, COMMENT_AUTHOR, text % 2 ? STR("ada") : STR("o'brien"));
	table_set_str(t, row, COMMENT_BODY, STR("what somebody has to say, in some more words"));
}

static bool
is_repeat(uint64_t seq)
{
	return seq > KIT_REPEAT_OF && seq % KIT_REPEAT_EVERY == 0;
}

struct hash128
duck_kit_identity(uint64_t seq)
{
	if (is_repeat(seq))
		seq -= KIT_REPEAT_OF;
	return (struct hash128){duck_kit_random(seq, 1, 1), seq};
}

/* Two in five were pulled, repeats and what has no rows among them. */
static void
add_position(struct batch *b, struct batch_request *request)
{
	static const char *const sources[] = {"a.example_8080", "b", "Z"};
	uint64_t seq = request->seq;
	if (seq % 5 > 1)
		return;
	request->source = str_from(sources[random_of(seq, 0, SALT_SOURCE) % ARRAY_LEN(sources)]);
	request->position = arena_printf(&b->arena, "%c%c%llu", 0, 0xFF, (unsigned long long)seq);
}

static void
add_request(struct batch *b, uint64_t seq)
{
	struct batch_request *request = batch_request_add(b);
	assert_non_null(request);
	request->seq = seq;
	request->identity = duck_kit_identity(seq);
	request->tenant = STR("acme");
	request->signal = SIGNAL_TRACES;
	request->received_ns = CONFORMANCE_NOW_NS;
	request->repeat = is_repeat(seq);
	uint32_t rows = (uint32_t)(random_of(seq, 0, SALT_ROWS) % KIT_ROWS_MAX);
	if (request->repeat || seq % 11 == 0)
		rows = 0;
	for (uint32_t ord = 0; ord < rows; ord++) {
		uint64_t kind = random_of(seq, ord, SALT_KIND) % 9;
		struct str tenant =
		    random_of(seq, ord, SALT_TENANT) % 4 ? STR("acme") : STR("globex");
		if (kind < 4)
			add_span(b, seq, ord, tenant);
		else if (kind < 6)
			add_log(b, seq, ord, tenant);
		else if (kind == 8)
			add_comment(b, seq, ord, tenant);
		else
			add_point(b, seq, ord, tenant);
	}
	request->rows = rows;
	add_position(b, request);
}

void
duck_kit_batch(struct batch *b, uint64_t first, uint64_t last)
{
	batch_reset(b);
	for (uint64_t seq = first; seq <= last; seq++)
		add_request(b, seq);
	b->last_seq = last;
	b->last_bytes = last * KIT_REQUEST_BYTES;
}

void
duck_kit_load(struct store *s, uint64_t to, uint64_t seed)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t first = store_applied(s) + 1; first <= to;) {
		uint64_t last = first + duck_kit_random(seed, first, 0) % 5;
		last = last < to ? last : to;
		for (uint64_t seq = first; seq <= last; seq++) {
			uint64_t known = store_knows(s, duck_kit_identity(seq));
			/* Its own seq: it is being read again. */
			uint64_t wanted = is_repeat(seq) ? seq - KIT_REPEAT_OF : seq;
			if (is_repeat(seq) && wanted < first)
				assert_int_equal(known, wanted);
			else
				assert_true(known == 0 || known == wanted);
		}
		duck_kit_batch(&b, first, last);
		store_conformance_put(s, &b);
		first = last + 1;
	}
	batch_fini(&b);
}
