/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cell.h"

#include "cli/item.h"

#include <jansson.h>

void
cell_buf(struct table_text *t, struct buf *b, enum text_color color)
{
	struct str text = buf_view(b);
	text.len = text_head(text, CELL_BYTES_MAX);
	table_cell(t, text, color);
	buf_fini(b);
}

void
cell_text(struct table_text *t, const json_t *item, const char *key, enum text_color color)
{
	struct str s = cli_item_str(item, key);
	s.len = text_head(s, CELL_BYTES_MAX);
	table_cell(t, s, color);
}

void
cell_text_or_dash(struct table_text *t, const json_t *item, const char *key, enum text_color color)
{
	if (cli_item_str(item, key).len > 0)
		cell_text(t, item, key, color);
	else
		table_cell(t, STR("-"), color);
}

void
cell_count(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	buf_u64(&b, cli_item_u64(item, key));
	cell_buf(t, &b, COLOR_NONE);
}

void
cell_age(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	text_age(&b, cli_item_u64(item, key), t->style->now_unix_ns);
	cell_buf(t, &b, COLOR_DIM);
}

void
cell_cost(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	double cost = cli_item_f64(item, "cost_usd");
	if (json_is_number(json_object_get(item, "cost_usd"))) {
		buf_printf(&b, cost < 0.01 && cost > 0 ? "$%.6f" : "$%.4f", cost);
		if (cli_item_u64(item, "calls_without_price") > 0)
			buf_char(&b, '+');
	} else {
		buf_char(&b, '?');
	}
	cell_buf(t, &b, COLOR_NONE);
}

void
cell_started(struct table_text *t, const json_t *item)
{
	cell_age(t, item, "start_time_unix_nano");
}

void
cell_took(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	cli_item_duration(&b, item);
	cell_buf(t, &b, COLOR_NONE);
}

void
cell_service(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "service", COLOR_CYAN);
}

void
cell_trace(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "trace_id", COLOR_DIM);
}
