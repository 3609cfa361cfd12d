/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal gets to see of calls of models: sums by group, and a list. */
#include "cli/cli_priv.h"

#include "cli/analysis.h"
#include "cli/cell.h"

#include "base/timefmt.h"

#include <jansson.h>

static void
ms_cell(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	if (json_is_number(json_object_get(item, key)))
		text_duration(&b, cli_item_f64(item, key) * (double)NS_PER_MS);
	else
		buf_char(&b, '-');
	cell_buf(t, &b, COLOR_NONE);
}

static void
name_cell(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "name", COLOR_CYAN);
}

static void
calls_cell(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "calls");
}

static void
errors_cell(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	uint64_t errors = cli_item_u64(item, "errors");
	buf_u64(&b, errors);
	if (errors > 0)
		buf_printf(&b, " (%.2g%%)", cli_item_f64(item, "error_rate") * 100.0);
	cell_buf(t, &b, errors > 0 ? COLOR_RED : COLOR_NONE);
}

static void
count_or_dash(struct table_text *t, const json_t *item, const char *key)
{
	if (json_is_null(json_object_get(item, key)))
		table_cell(t, STR("-"), COLOR_DIM);
	else
		cell_count(t, item, key);
}

static void
input_cell(struct table_text *t, const json_t *item)
{
	count_or_dash(t, item, "input_tokens");
}

static void
output_cell(struct table_text *t, const json_t *item)
{
	count_or_dash(t, item, "output_tokens");
}

static void
p50_cell(struct table_text *t, const json_t *item)
{
	ms_cell(t, item, "p50_ms");
}

static void
p95_cell(struct table_text *t, const json_t *item)
{
	ms_cell(t, item, "p95_ms");
}

static void
first_p50_cell(struct table_text *t, const json_t *item)
{
	ms_cell(t, item, "first_token_p50_ms");
}

static void
last_cell(struct table_text *t, const json_t *item)
{
	cell_age(t, item, "last_time_unix_nano");
}

const struct table_column cli_llm_columns[] = {
    {.title = "NAME", .keep = 90, .want = 24, .width_min = 10, .cell = name_cell},
    {.title = "CALLS", .keep = 80, .right = true, .cell = calls_cell},
    {.title = "ERRORS", .keep = 65, .right = true, .cell = errors_cell},
    {.title = "INPUT", .keep = 60, .right = true, .cell = input_cell},
    {.title = "OUTPUT", .keep = 60, .right = true, .cell = output_cell},
    {.title = "COST", .keep = 85, .right = true, .cell = cell_cost},
    {.title = "P50", .keep = 40, .right = true, .cell = p50_cell},
    {.title = "P95", .keep = 50, .right = true, .cell = p95_cell},
    {.title = "FIRST TOKEN", .keep = 20, .right = true, .cell = first_p50_cell},
    {.title = "LAST", .keep = 30, .right = true, .cell = last_cell},
    {.title = NULL},
};

/* ---- the list */

static void
model_cell(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "model", COLOR_NONE);
}

static void
provider_cell(struct table_text *t, const json_t *item)
{
	cell_text_or_dash(t, item, "provider", COLOR_NONE);
}

static void
agent_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "agent", COLOR_NONE);
}

static void
status_cell(struct table_text *t, const json_t *item)
{
	bool error = cli_item_is(item, "status", "error");
	cell_text(t, item, "status", error ? COLOR_RED : COLOR_DIM);
}

const struct table_column cli_call_columns[] = {
    {.title = "AGE", .keep = 50, .right = true, .cell = cell_started},
    {.title = "SERVICE",
        .keep = 55,
        .want = 12,
        .width_min = 8,
        .param = "service",
        .cell = cell_service},
    {.title = "PROVIDER", .keep = 35, .want = 10, .param = "provider", .cell = provider_cell},
    {.title = "MODEL", .keep = 90, .want = 20, .width_min = 10, .cell = model_cell},
    {.title = "AGENT", .keep = 30, .want = 12, .param = "agent", .cell = agent_cell},
    {.title = "STATUS", .keep = 70, .param = "status", .cell = status_cell},
    {.title = "INPUT", .keep = 60, .right = true, .cell = input_cell},
    {.title = "OUTPUT", .keep = 60, .right = true, .cell = output_cell},
    {.title = "COST", .keep = 80, .right = true, .cell = cell_cost},
    {.title = "TOOK", .keep = 75, .right = true, .cell = cell_took},
    {.title = "TRACE", .keep = 45, .cell = cell_trace},
    {.title = NULL},
};

/* ---- what is not in the columns */

/* Of a call, or of a sum over calls, which of a run stands in "llm". */
static bool
lacks_price(const json_t *item)
{
	const json_t *llm = json_object_get(item, "llm");
	const json_t *sums = llm ? llm : item;
	if (json_object_get(sums, "calls"))
		return cli_item_u64(sums, "calls_without_price") > 0;
	return json_is_null(json_object_get(sums, "cost_usd"));
}

void
cli_note_prices(struct buf *out, const json_t *items, const struct cli_style *style)
{
	static const char note[] =
	    "? and +: of calls without a price or without tokens the cost is not known (weir serve --prices FILE)";
	const json_t *item;
	size_t i;
	json_array_foreach(items, i, item)
	{
		if (!lacks_price(item))
			continue;
		text_wrap(out, str_from(note), style, 0, 0, COLOR_DIM);
		return;
	}
}

static void
put_messages(struct buf *out, const json_t *messages, const struct cli_style *style)
{
	const json_t *m;
	size_t i;
	json_array_foreach(messages, i, m)
	{
		struct buf line = {0}, clean = {0};
		struct str role = cli_item_str(m, "role"), content = cli_item_str(m, "content");
		struct str tools = cli_item_str(m, "tool_calls");
		buf_printf(&line, "%.*s: ", STR_ARG(role));
		buf_append(&line, content.ptr, text_head(content, CELL_BYTES_MAX));
		if (tools.len > 0)
			buf_str(&line, content.len > 0 ? STR(" calls ") : STR("calls "));
		buf_append(&line, tools.ptr, text_head(tools, CELL_BYTES_MAX));
		if (content.len > CELL_BYTES_MAX || tools.len > CELL_BYTES_MAX)
			buf_str(&line, STR(" ... (all of it: -o json)"));
		text_clean(&clean, buf_view(&line), style->utf8);
		text_wrap(out, buf_view(&clean), style, 2, 2, COLOR_NONE);
		buf_fini(&line);
		buf_fini(&clean);
	}
}

static void
draw_messages(struct buf *out, const json_t *calls, const struct cli_style *style)
{
	const json_t *call;
	size_t i;
	json_array_foreach(calls, i, call)
	{
		const json_t *in = json_object_get(call, "input_messages");
		const json_t *said = json_object_get(call, "output_messages");
		struct buf line = {0}, clean = {0};
		struct str model = cli_item_str(call, "model");
		if (json_array_size(in) + json_array_size(said) == 0)
			continue;
		text_age(&line, cli_item_u64(call, "start_time_unix_nano"), style->now_unix_ns);
		buf_str(&line, STR("  "));
		buf_append(&line, model.ptr, text_head(model, CELL_BYTES_MAX));
		buf_printf(&line, "  %.*s", STR_ARG(cli_item_str(call, "trace_id")));
		text_clean(&clean, buf_view(&line), style->utf8);
		buf_char(out, '\n');
		text_wrap(out, buf_view(&clean), style, 0, 2, COLOR_BOLD);
		put_messages(out, in, style);
		put_messages(out, said, style);
		buf_fini(&line);
		buf_fini(&clean);
	}
}

void
cli_below_calls(struct buf *out, const json_t *calls, const struct cli_style *style)
{
	cli_note_prices(out, calls, style);
	draw_messages(out, calls, style);
}
