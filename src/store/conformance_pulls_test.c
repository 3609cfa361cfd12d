/* SPDX-License-Identifier: Apache-2.0 */
/* How far sources have been pulled. */
#include "store/conformance.h"

#include "tests/test.h"

#include <stdio.h>

/* A batch of one request, appended. */
static void
pull(struct store *s, const char *tenant, const char *source, const char *position, uint32_t rows,
    bool repeat)
{
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = store_applied(s) + 1;
	struct batch_request *r = batch_request_add(&b);
	assert_non_null(r);
	r->seq = b.last_seq;
	r->received_ns = CONFORMANCE_NOW_NS + r->seq;
	r->identity = (struct hash128){repeat ? 1 : r->seq, 7};
	r->tenant = str_from(tenant);
	r->signal = SIGNAL_TRACES;
	r->repeat = repeat;
	r->rows = rows;
	r->source = str_from(source);
	r->position = str_from(position);
	for (uint32_t i = 0; i < rows; i++) {
		size_t row = store_conformance_row(&b, TABLE_SPANS, tenant, i, CONFORMANCE_NOW_NS);
		table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_TRACE_LO, r->seq);
		table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_SPAN_ID, i + 1);
	}
	store_conformance_put(s, &b);
	batch_fini(&b);
}

static void
check(struct store *s, const char *tenant, const char *source, const char *position, uint64_t spans)
{
	struct store_pull p;
	bool found = store_pulled(s, str_from(tenant), str_from(source), &p);
	assert_int_equal(found, position != NULL);
	if (!position)
		return;
	assert_string_equal(p.source, source);
	assert_true(str_eq(str_of((const char *)p.position, p.position_len), str_from(position)));
	assert_int_equal(p.spans, spans);
	assert_int_equal(p.received_ns, CONFORMANCE_NOW_NS + p.seq);
	assert_in_range(p.seq, 1, store_applied(s));
}

void
store_conformance_position_of_a_source_is_the_newest_of_its_tenant(struct store *s)
{
	check(s, "acme", "one", NULL, 0);
	pull(s, "acme", "one", "p1", 2, false);
	check(s, "acme", "one", "p1", 2);
	check(s, "globex", "one", NULL, 0);
	check(s, "acme", "on", NULL, 0);
	check(s, "acme", "one1", NULL, 0);
	pull(s, "globex", "one", "p9", 1, false);
	pull(s, "acme", "two", "q", 3, false);
	/* Newer is what came later, whatever the bytes are. */
	pull(s, "acme", "one", "p0", 4, false);
	check(s, "acme", "one", "p0", 6);
	check(s, "globex", "one", "p9", 1);
	check(s, "acme", "two", "q", 3);
	for (int i = 0; i < 50; i++) {
		char position[16];
		snprintf(position, sizeof(position), "r%d", i);
		pull(s, "acme", "one", position, 1, false);
		check(s, "acme", "one", position, 7 + (uint64_t)i);
	}
	check(s, "acme", "two", "q", 3);
}

void
store_conformance_position_moves_without_rows_and_with_repeats(struct store *s)
{
	pull(s, "acme", "one", "p1", 2, false); /* seq 1: what is repeated */
	pull(s, "acme", "one", "p2", 0, false);
	check(s, "acme", "one", "p2", 2);
	pull(s, "acme", "one", "p3", 0, true);
	check(s, "acme", "one", "p3", 2);
	pull(s, "acme", "two", "p3", 0, true);
	check(s, "acme", "two", "p3", 0);
}

void
store_conformance_sources_are_listed_by_name(struct store *s)
{
	static const char *const names[] = {"b", "a", "aa", "Z", "_", "9"};
	static const char *const sorted[] = {"9", "Z", "_", "a", "aa", "b"};
	struct store_pull p[8];
	struct store_status status;
	assert_int_equal(store_pulls(s, STR("acme"), STR_EMPTY, p, 8), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		pull(s, "acme", names[i], names[i], 1, false);
		pull(s, "globex", "g", names[i], 1, false);
	}
	assert_int_equal(store_pulls(s, STR("acme"), STR_EMPTY, p, 8), 6);
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
		assert_string_equal(p[i].source, sorted[i]);
	assert_int_equal(store_pulls(s, STR("acme"), STR_EMPTY, p, 2), 2);
	assert_string_equal(p[1].source, "Z");
	assert_int_equal(store_pulls(s, STR("acme"), STR("a"), p, 8), 3);
	assert_string_equal(p[0].source, "a");
	assert_int_equal(store_pulls(s, STR("acme"), STR("a0"), p, 8), 2);
	assert_string_equal(p[0].source, "aa");
	assert_int_equal(store_pulls(s, STR("acme"), STR("c"), p, 8), 0);
	assert_int_equal(store_pulls(s, STR("acm"), STR_EMPTY, p, 8), 0);
	assert_int_equal(store_pulls(s, STR("globex"), STR_EMPTY, p, 8), 1);
	store_status(s, &status);
	assert_int_equal(status.sources, 7);
}
