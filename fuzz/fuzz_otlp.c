/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP requests in protobuf. The first byte chooses the signal and the limits; then scan and decode
 * must agree on what is accepted, decoding must stay within the memory it promises, and all JSON
 * of the rows must be typed JSON. What is written from the rows must be taken whole.
 */
#include "model/typed.h"
#include "otlp/from_rows.h"
#include "otlp/otlp.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_json(const char *name)
{
	static const char *const columns[] = {
	    "attributes", "events", "links", "exemplars", "metadata", "entity_refs"};
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (strcmp(name, columns[i]) == 0)
			return true;
	return false;
}

static void
check_json(const struct table *t, size_t row, int col)
{
	struct buf out = {0};
	if (table_is_null(t, row, col))
		return;
	enum err_code code = typed_write_api(table_str(t, row, col), &out, NULL);
	CHECK(code == ERR_OK);
	buf_fini(&out);
}

static void
check_row(const struct table *t, size_t row)
{
	for (size_t col = 0; col < t->def->col_count; col++)
		if (is_json(t->def->cols[col].name))
			check_json(t, row, (int)col);
	if (t->def == &table_defs[TABLE_LOGS] && table_i32(t, row, LOG_BODY_KIND) == LOG_BODY_TYPED)
		check_json(t, row, LOG_BODY);
}

static void
check_batch(const struct batch *b)
{
	for (size_t i = 0; i < TABLE_STORED_COUNT; i++)
		for (size_t row = 0; row < b->tables[i].row_count; row++)
			check_row(&b->tables[i], row);
}

static void
check_way_back(const struct batch *b, enum signal_kind signal)
{
	static const enum table_id tables[] = {[SIGNAL_TRACES] = TABLE_SPANS,
	    [SIGNAL_LOGS] = TABLE_LOGS,
	    [SIGNAL_METRICS] = TABLE_POINTS};
	const struct table *t = &b->tables[tables[signal]];
	const struct otlp_rows rows = {t, &b->tables[TABLE_RESOURCES], &b->tables[TABLE_SCOPES]};
	/* A JSON text of depth 64 is as deep in protobuf, and that is what is allowed. */
	const struct limits limits = limits_default();
	struct otlp_counts counts = {0};
	struct buf body = {0};
	struct err err;
	enum err_code code = otlp_from_rows(&rows, &body, &err);
	CHECK(code == ERR_OK);
	code = otlp_scan(signal, buf_view(&body), &limits, &counts, &err);
	CHECK(code == ERR_OK || code == ERR_TOO_LARGE);
	CHECK(code != ERR_OK || (counts.accepted == t->row_count && counts.rejected == 0));
	buf_fini(&body);
}

/* Small ones, so that a fuzzer reaches them. */
static struct limits
small_limits(void)
{
	struct limits limits = limits_default();
	limits.items_max = 4;
	limits.attributes_max = 3;
	limits.value_bytes_max = 24;
	limits.name_bytes_max = 16;
	limits.depth_max = 3;
	limits.list_items_max = 3;
	return limits;
}

static void
try_request(enum signal_kind signal, struct str body, const struct limits *limits)
{
	struct otlp_counts counts = {0};
	struct otlp_origin origin = {STR("tenant"), 1, 2};
	struct batch batch;
	struct err err = {0};
	batch_init(&batch, 0);
	enum err_code scanned = otlp_scan(signal, body, limits, &counts, &err);
	CHECK(scanned == ERR_OK || err.message[0] != '\0');
	enum err_code decoded = otlp_decode(signal, body, limits, &origin, &batch, NULL);
	CHECK(scanned == decoded);
	if (scanned == ERR_OK) {
		CHECK(batch_row_count(&batch) == counts.accepted);
		CHECK((counts.rejected > 0) == (counts.reason[0] != '\0'));
		CHECK(batch.arena.used_bytes <= OTLP_DECODE_BYTES_MAX(body.len, counts.accepted));
		CHECK(batch.arena.used_bytes <= counts.decoded_bytes);
		check_batch(&batch);
		check_way_back(&batch, signal);
	}
	batch_fini(&batch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct limits limits = limits_default();
	if (size == 0)
		return 0;
	if (data[0] & 4)
		limits = small_limits();
	enum signal_kind signal = (enum signal_kind)(SIGNAL_TRACES + data[0] % 4 % 3);
	try_request(signal, str_of(data + 1, size - 1), &limits);
	return 0;
}
