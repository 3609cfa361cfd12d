/* SPDX-License-Identifier: Apache-2.0 */
/* Late rows, of many days in every batch: they are not let make small row groups everywhere. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>

enum { BATCH_ROWS = 400, LATE_EVERY = 20, LATE_DAYS = 60, BATCHES = 240 };

static void
put_batch(struct store *s, struct batch *b, uint64_t seq)
{
	duck_kit_begin(b, seq);
	struct table *t = &b->tables[TABLE_SPANS];
	for (uint32_t i = 0; i < BATCH_ROWS; i++) {
		uint64_t back = i % LATE_EVERY == 0 ? 1 + (seq * 7 + i) % LATE_DAYS : 0;
		uint64_t start = CONFORMANCE_NOW_NS - back * NS_PER_DAY - seq * BATCH_ROWS - i;
		size_t row = duck_kit_span(b, seq, i, seq << 32 | i, start);
		table_set_str(t, row, SPAN_ATTRIBUTES, STR("{\"a\":1,\"b\":\"two\"}"));
	}
	store_conformance_put(s, b);
}

static uint64_t
row_groups(struct store *s, const char *table)
{
	char sql[160];
	snprintf(sql, sizeof(sql),
	    "SELECT count(DISTINCT row_group_id)::UBIGINT FROM pragma_storage_info('%s')", table);
	return duck_kit_number(s, sql);
}

TEST(duck, late_rows_of_60_days_in_every_batch_make_few_row_groups)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.seal_rows = 2048;
	opt.log_bytes_max = 30 * KIT_REQUEST_BYTES;
	struct store *s = duck_kit_open(&opt);
	struct batch b;
	struct store_status status;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= BATCHES; seq++) {
		put_batch(s, &b, seq);
		if (seq % 20 != 0)
			continue;
		duck_kit_wait_quiet(s);
		if (seq > 40)
			assert_in_range(row_groups(s, "spans_other"), 1, 8);
	}
	store_status(s, &status);
	/* Two seals for each group of today's rows, or else it is one a day and batch. */
	assert_in_range(status.seals, 1, 2 * BATCHES * BATCH_ROWS / 2048 + 40);
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "acme"), BATCHES * BATCH_ROWS);
	duck_kit_flush(s);
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "acme"), BATCHES * BATCH_ROWS);
	print_message("%" PRIu64 " seals, %" PRIu64 " rows in the catch-all, %" PRIu64 " tables\n",
	    status.seals, duck_kit_number(s, "SELECT count(*)::UBIGINT FROM spans_other"),
	    duck_kit_number(s, "SELECT count(*)::UBIGINT FROM partitions"));
	store_close(s);
	batch_fini(&b);
}

/* A group of a day that comes together in the catch-all goes to the day's table. */
TEST(duck, late_rows_that_make_a_group_move_to_their_day)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.seal_rows = 256;
	opt.log_bytes_max = 2 * KIT_REQUEST_BYTES;
	struct store *s = duck_kit_open(&opt);
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 100; seq++) {
		duck_kit_begin(&b, seq);
		for (uint32_t i = 0; i < 10; i++) { /* less than what is worth a table */
			struct table *t = &b.tables[TABLE_LOGS];
			size_t row = table_add_row(t);
			table_set_str(t, row, LOG_TENANT, STR("acme"));
			table_set_u64(t, row, LOG_SEQ, seq);
			table_set_u32(t, row, LOG_ORD, i);
			table_set_u64(t, row, LOG_EVENT_NS,
			    CONFORMANCE_NOW_NS - (i < 8 ? 9 : 30) * NS_PER_DAY);
		}
		store_conformance_put(s, &b);
		duck_kit_wait_quiet(s);
	}
	duck_kit_flush(s);
	assert_int_equal(duck_kit_count(s, STORE_LOGS, "acme"), 1000);
	uint64_t other = duck_kit_number(s, "SELECT count(*)::UBIGINT FROM logs_other");
	assert_in_range(other, 200, 200 + 255); /* of the second day, and a rest */
	assert_int_equal(duck_kit_number(s,
	                     "SELECT count(*)::UBIGINT FROM partitions WHERE day >= 0"),
	    1);
	store_close(s);
	batch_fini(&b);
}
