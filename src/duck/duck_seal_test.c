/* SPDX-License-Identifier: Apache-2.0 */
/* What a seal leaves in the file. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "duck/duck_priv.h"
#include "store/conformance.h"
#include "tests/test.h"

#include <stdio.h>

enum { SEALS = 4, GROUP_ROWS = 16 * 2048, BATCH_ROWS = 4096, BUCKET_S = 600 };

static void
put_spans(struct store *s, struct batch *b, uint64_t seq)
{
	duck_kit_begin(b, seq);
	struct table *t = &b->tables[TABLE_SPANS];
	for (uint32_t i = 0; i < BATCH_ROWS; i++) {
		uint64_t back = duck_kit_random(3, seq, i) % (4 * BUCKET_S * NS_PER_S);
		size_t row = duck_kit_span(b, seq, i, seq << 32 | i, CONFORMANCE_NOW_NS - back);
		table_set_u64(t, row, SPAN_TRACE_HI, duck_kit_random(1, seq, i) % 500);
		table_set_u64(t, row, SPAN_TRACE_LO, duck_kit_random(2, seq, i));
	}
	store_conformance_put(s, b);
}

/* Whoever looks for a trace, and the compression, live from this. DuckDB must not be told to keep the order of
 * what it inserts, for then it would compress within its COMMIT; that it does keep it is for us to see. */
TEST(duck, rows_of_a_seal_stand_sorted_in_the_file)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.seal_rows = GROUP_ROWS;
	opt.threads = 4;
	struct store *s = duck_kit_open(&opt);
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= SEALS * GROUP_ROWS / BATCH_ROWS; seq++)
		put_spans(s, &b, seq);
	duck_kit_wait_quiet(s);
	char table[DUCK_TABLE_NAME_BYTES], sql[640];
	duck_schema_table_name(&table_defs[TABLE_SPANS], CONFORMANCE_NOW_NS / NS_PER_DAY, table);
	snprintf(sql, sizeof(sql), "SELECT count(*)::UBIGINT FROM %s", table);
	assert_int_equal(duck_kit_number(s, sql), SEALS * GROUP_ROWS);
	snprintf(sql, sizeof(sql),
	    "WITH k AS (SELECT seal, rowid AS r, row(start_ns // %llu, trace_hi, trace_lo >> 16) AS k FROM %s),"
	    " p AS (SELECT k, lag(k) OVER (PARTITION BY seal ORDER BY r) AS before FROM k)"
	    " SELECT count(*)::UBIGINT FROM p WHERE before > k",
	    (unsigned long long)(BUCKET_S * NS_PER_S), table);
	assert_int_equal(duck_kit_number(s, sql), 0);
	/* Seals do not mix either. */
	snprintf(sql, sizeof(sql),
	    "SELECT count(*)::UBIGINT FROM (SELECT seal, max(rowid) - min(rowid) + 1 AS n FROM %s"
	    " GROUP BY seal) WHERE n <> %d",
	    table, (int)GROUP_ROWS);
	assert_int_equal(duck_kit_number(s, sql), 0);
	store_close(s);
	batch_fini(&b);
}
