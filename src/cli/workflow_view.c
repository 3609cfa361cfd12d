/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal gets to see of runs of agents: the list, one step by step with its graph, two beside each other. */
#include "cli/analysis.h"

#include "cli/cell.h"

#include "base/timefmt.h"

#include <jansson.h>

enum {
	OPS_SHOWN = 4,
	PATCHES_SHOWN = 8,
	VALUE_BYTES_MAX = 160,
	STATE_BYTES_MAX = 1000,
	INDENT = 2,
	HANG = 8
};

/* ---- lines */

struct drawing {
	struct buf *out;
	const struct cli_style *style;
	struct buf line; /* raw */
};

static const char *
sign(const struct drawing *d, const char *utf8, const char *ascii)
{
	return d->style->utf8 ? utf8 : ascii;
}

/* The line that was gathered, harmless and no wider than the terminal. */
static void
end_line(struct drawing *d, size_t indent, enum text_color color)
{
	struct buf clean = {0};
	size_t width = d->style->width ? d->style->width : SIZE_MAX;
	if (width != SIZE_MAX && indent > width / 2)
		indent = width / 2;
	text_clean(&clean, buf_view(&d->line), d->style->utf8);
	text_spaces(d->out, indent);
	text_color_on(d->out, d->style, color);
	text_fit(d->out, buf_view(&clean), width == SIZE_MAX ? width : width - indent,
	    d->style->utf8);
	text_color_off(d->out, d->style, color);
	buf_char(d->out, '\n');
	buf_fini(&clean);
	buf_reset(&d->line);
}

/* The line that was gathered, in as many as it takes: nothing of it is cut. */
static void
end_wrapped(struct drawing *d, size_t indent, size_t hang, enum text_color color)
{
	struct buf clean = {0};
	text_clean(&clean, buf_view(&d->line), d->style->utf8);
	text_wrap(d->out, buf_view(&clean), d->style, indent, hang, color);
	buf_fini(&clean);
	buf_reset(&d->line);
}

static void
put_text(struct drawing *d, const json_t *item, const char *key)
{
	struct str s = cli_item_str(item, key);
	buf_append(&d->line, s.ptr, text_head(s, CELL_BYTES_MAX));
}

static void
put_took(struct drawing *d, const json_t *item)
{
	double ms = cli_item_f64(item, "duration_ms");
	if (ms < 0)
		buf_str(&d->line, STR("not ended"));
	else
		text_duration(&d->line, ms * (double)NS_PER_MS);
}

static bool
has_failed(const json_t *item)
{
	return cli_item_is(item, "outcome", "failed") || cli_item_is(item, "outcome", "cancelled");
}

/* "completed in 1.2s"; of one without an end there is no "in". */
static void
put_outcome(struct drawing *d, const json_t *run)
{
	put_text(d, run, "outcome");
	if (cli_item_f64(run, "duration_ms") < 0)
		return;
	buf_str(&d->line, STR(" in "));
	put_took(d, run);
}

/* ---- the head */

static void
put_tokens(struct drawing *d, const json_t *llm)
{
	uint64_t calls = cli_item_u64(llm, "calls");
	buf_printf(&d->line, "models  %llu call%s", (unsigned long long)calls,
	    calls == 1 ? "" : "s");
	if (json_is_integer(json_object_get(llm, "input_tokens")))
		buf_printf(&d->line, ", %llu tokens in",
		    (unsigned long long)cli_item_u64(llm, "input_tokens"));
	if (json_is_integer(json_object_get(llm, "output_tokens")))
		buf_printf(&d->line, ", %llu out",
		    (unsigned long long)cli_item_u64(llm, "output_tokens"));
	if (json_is_number(json_object_get(llm, "cost_usd")))
		buf_printf(&d->line, ", $%.4f", cli_item_f64(llm, "cost_usd"));
	if (cli_item_u64(llm, "calls_without_price") > 0)
		buf_printf(&d->line, " (%llu without a price)",
		    (unsigned long long)cli_item_u64(llm, "calls_without_price"));
}

static bool
has_no_state(const json_t *run)
{
	return cli_item_is(run, "verdict", "nothing_to_verify");
}

static struct str
verdict_word(const json_t *run)
{
	if (cli_item_is(run, "verdict", "not_reconstructable"))
		return STR("not reconstructable");
	return has_no_state(run) ? STR("nothing to verify") : cli_item_str(run, "verdict");
}

/* Nothing of a run that has no state. */
static void
draw_verdict(struct drawing *d, const json_t *run)
{
	struct str reason = cli_item_str(run, "verdict_reason");
	struct str pointer = cli_item_str(run, "verdict_pointer");
	bool good = cli_item_is(run, "verdict", "verified");
	uint64_t step = cli_item_u64(run, "verdict_step");
	if (has_no_state(run) && json_array_size(json_object_get(run, "stores")) == 0)
		return;
	buf_str(&d->line, STR("state   "));
	buf_str(&d->line, verdict_word(run));
	if (step > 0)
		buf_printf(&d->line, " at step %llu", (unsigned long long)step);
	if (reason.len > 0 && !good)
		buf_printf(&d->line, ": %.*s", STR_ARG(reason));
	/* Of a state that differs at the end the reason says where. */
	if (pointer.len > 0 && step > 0)
		buf_printf(&d->line, "; the end differs at %.*s", STR_ARG(pointer));
	end_wrapped(d, 0, HANG, good ? COLOR_GREEN : has_no_state(run) ? COLOR_DIM : COLOR_RED);
}

static void
draw_head(struct drawing *d, const json_t *run)
{
	bool failed = has_failed(run);
	if (failed)
		buf_printf(&d->line, "%s ", sign(d, "✗", "x"));
	put_text(d, run, "name");
	end_line(d, 0, failed ? COLOR_RED : COLOR_BOLD);
	put_text(d, run, "type");
	buf_str(&d->line, STR(" of "));
	put_text(d, run, "service");
	buf_str(&d->line, STR(", "));
	put_outcome(d, run);
	buf_str(&d->line, STR(", began "));
	text_age(&d->line, cli_item_u64(run, "start_time_unix_nano"), d->style->now_unix_ns);
	end_wrapped(d, 0, HANG, COLOR_NONE);
	if (cli_item_str(run, "status_message").len > 0) {
		put_text(d, run, "status_message");
		end_wrapped(d, 0, HANG, COLOR_RED);
	}
	buf_str(&d->line, STR("trace   "));
	put_text(d, run, "trace_id");
	buf_str(&d->line, STR("  span "));
	put_text(d, run, "span_id");
	end_wrapped(d, 0, HANG, COLOR_DIM);
	draw_verdict(d, run);
	put_tokens(d, json_object_get(run, "llm"));
	end_wrapped(d, 0, HANG, COLOR_NONE);
}

/* ---- the graph */

static struct str
label_of(const json_t *nodes, struct str id)
{
	size_t i;
	const json_t *node;
	json_array_foreach(nodes, i, node)
	{
		if (!str_eq(cli_item_str(node, "id"), id))
			continue;
		struct str label = cli_item_str(node, "label");
		return label.len > 0 ? label : cli_item_str(node, "type");
	}
	return id;
}

static void
draw_edges(struct drawing *d, const json_t *graph, struct str source)
{
	const json_t *edge, *nodes = json_object_get(graph, "nodes");
	size_t i;
	json_array_foreach(json_object_get(graph, "edges"), i, edge)
	{
		struct str condition = cli_item_str(edge, "condition");
		if (!str_eq(cli_item_str(edge, "source"), source))
			continue;
		buf_printf(&d->line, "%s ", sign(d, "→", "->"));
		struct str label = label_of(nodes, cli_item_str(edge, "target"));
		buf_append(&d->line, label.ptr, text_head(label, CELL_BYTES_MAX));
		if (condition.len > 0)
			buf_printf(&d->line, "  if %.*s", STR_ARG(condition));
		end_line(d, 3 * INDENT, COLOR_DIM);
	}
}

static void
draw_children(struct drawing *d, const json_t *node, const json_t *nodes)
{
	const json_t *child, *children = json_object_get(node, "children");
	size_t i;
	if (json_array_size(children) == 0)
		return;
	buf_printf(&d->line, "%s ", sign(d, "∥", "||"));
	json_array_foreach(children, i, child)
	{
		struct str id = {json_string_value(child), json_string_length(child)};
		struct str label = label_of(nodes, id);
		buf_str(&d->line, i > 0 ? STR(", ") : STR_EMPTY);
		buf_append(&d->line, label.ptr, text_head(label, CELL_BYTES_MAX));
	}
	end_line(d, 3 * INDENT, COLOR_DIM);
}

static void
draw_graph(struct drawing *d, const json_t *run)
{
	const json_t *graph = json_object_get(run, "graph"), *node;
	const json_t *nodes = json_object_get(graph, "nodes");
	size_t i;
	if (cli_item_str(run, "graph_error").len > 0) {
		buf_str(&d->line, STR("graph   "));
		put_text(d, run, "graph_error");
		end_line(d, 0, COLOR_YELLOW);
	}
	if (json_array_size(nodes) == 0)
		return;
	buf_str(&d->line, STR("graph"));
	end_line(d, 0, COLOR_BOLD);
	json_array_foreach(nodes, i, node)
	{
		bool failed = cli_item_is(node, "status", "failed");
		uint64_t runs = cli_item_u64(node, "runs");
		struct str label = label_of(nodes, cli_item_str(node, "id"));
		buf_printf(&d->line, "%s ",
		    failed         ? sign(d, "✗", "x")
		        : runs > 0 ? sign(d, "✓", "+")
		                   : sign(d, "·", "-"));
		buf_append(&d->line, label.ptr, text_head(label, CELL_BYTES_MAX));
		if (!cli_item_is(node, "kind", "node")) {
			buf_str(&d->line, STR("  "));
			put_text(d, node, "kind");
		}
		if (runs > 1)
			buf_printf(&d->line, "  ran %llu times", (unsigned long long)runs);
		end_line(d, INDENT, failed ? COLOR_RED : runs > 0 ? COLOR_NONE : COLOR_DIM);
		draw_children(d, node, nodes);
		draw_edges(d, graph, cli_item_str(node, "id"));
	}
}

/* ---- steps */

/* "replace /n 5" */
static void
put_operation(struct drawing *d, const json_t *operation)
{
	const json_t *value = json_object_get(operation, "value");
	put_text(d, operation, "op");
	buf_char(&d->line, ' ');
	put_text(d, operation, "path");
	if (!value)
		return;
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	struct str s = str_from(text ? text : "");
	buf_char(&d->line, ' ');
	buf_append(&d->line, s.ptr, text_head(s, VALUE_BYTES_MAX));
	if (s.len > VALUE_BYTES_MAX)
		buf_str(&d->line, STR("..."));
	free(text);
}

static void
draw_patch(struct drawing *d, const json_t *patch, size_t indent)
{
	const json_t *operation, *operations = json_object_get(patch, "patch");
	struct str error = cli_item_str(patch, "error");
	size_t i;
	put_text(d, patch, "action");
	buf_str(&d->line, cli_item_str(patch, "action").len > 0 ? STR(": ") : STR_EMPTY);
	if (error.len > 0)
		buf_printf(&d->line, "%s %.*s", sign(d, "✗", "x"), STR_ARG(error));
	else if (json_is_true(json_object_get(patch, "no_change")))
		buf_str(&d->line, STR("nothing changed"));
	json_array_foreach(operations, i, operation)
	{
		if (error.len > 0 || i == OPS_SHOWN)
			break;
		buf_str(&d->line, i > 0 ? STR(", ") : STR_EMPTY);
		put_operation(d, operation);
	}
	if (error.len == 0 && json_array_size(operations) > OPS_SHOWN)
		buf_printf(&d->line, " and %zu more", json_array_size(operations) - OPS_SHOWN);
	end_line(d, indent, error.len > 0 ? COLOR_RED : COLOR_DIM);
}

static void
draw_patches(struct drawing *d, const json_t *patches, size_t indent)
{
	const json_t *patch;
	size_t i;
	json_array_foreach(patches, i, patch)
	{
		if (i == PATCHES_SHOWN)
			break;
		draw_patch(d, patch, indent);
	}
	if (json_array_size(patches) > PATCHES_SHOWN) {
		buf_printf(&d->line, "and %zu changes more",
		    json_array_size(patches) - PATCHES_SHOWN);
		end_line(d, indent, COLOR_DIM);
	}
}

static void
draw_calls(struct drawing *d, const json_t *calls, size_t indent)
{
	const json_t *call;
	size_t i;
	json_array_foreach(calls, i, call)
	{
		struct str model = cli_item_str(call, "model");
		buf_printf(&d->line, "%s ", sign(d, "◆", "*"));
		put_text(d, call, "provider");
		buf_str(&d->line, cli_item_str(call, "provider").len > 0 ? STR(" ") : STR_EMPTY);
		buf_append(&d->line, model.ptr, text_head(model, CELL_BYTES_MAX));
		buf_str(&d->line, STR("  "));
		put_took(d, call);
		if (json_is_integer(json_object_get(call, "total_tokens")))
			buf_printf(&d->line, "  %llu tokens",
			    (unsigned long long)cli_item_u64(call, "total_tokens"));
		if (json_is_number(json_object_get(call, "cost_usd")))
			buf_printf(&d->line, "  $%.4f", cli_item_f64(call, "cost_usd"));
		end_wrapped(d, indent, INDENT,
		    cli_item_is(call, "status", "error") ? COLOR_RED : COLOR_CYAN);
	}
}

static void
draw_exceptions(struct drawing *d, const json_t *exceptions, size_t indent)
{
	const json_t *e;
	size_t i;
	json_array_foreach(exceptions, i, e)
	{
		put_text(d, e, "type");
		buf_str(&d->line, STR(": "));
		put_text(d, e, "message");
		end_line(d, indent, COLOR_RED);
	}
}

static void
draw_step(struct drawing *d, const json_t *step)
{
	const json_t *node = json_object_get(step, "node");
	size_t indent = INDENT * (1 + (size_t)cli_item_u64(step, "depth"));
	bool failed = has_failed(step);
	buf_printf(&d->line, "%llu %s ", (unsigned long long)cli_item_u64(step, "step"),
	    failed ? sign(d, "✗", "x") : sign(d, "✓", "+"));
	put_text(d, node, "name");
	if (!cli_item_is(node, "type", "node") && !cli_item_is(node, "type", "other")) {
		buf_str(&d->line, STR("  "));
		put_text(d, node, "type");
	}
	buf_str(&d->line, STR("  "));
	put_took(d, step);
	end_line(d, indent, failed ? COLOR_RED : COLOR_NONE);
	indent += 2 * INDENT;
	draw_calls(d, json_object_get(step, "llm_calls"), indent);
	draw_patches(d, json_object_get(step, "patches"), indent);
	draw_exceptions(d, json_object_get(step, "exceptions"), indent);
}

/* The head of a state, as JSON with blanks to break it at; nothing of one that is not known. */
static void
draw_state(struct drawing *d, const char *what, const json_t *state, size_t indent)
{
	if (!state || json_is_null(state))
		return;
	char *text = json_dumps(state, JSON_ENCODE_ANY);
	struct str s = str_from(text ? text : "");
	buf_printf(&d->line, "%s ", what);
	buf_append(&d->line, s.ptr, text_head(s, STATE_BYTES_MAX));
	if (s.len > STATE_BYTES_MAX)
		buf_str(&d->line, STR("... (all of it: -o json)"));
	end_wrapped(d, indent, INDENT, COLOR_NONE);
	free(text);
}

/* Where the run began and where it ended: as it was sent, else as the patches make it. */
static void
draw_own_state(struct drawing *d, const json_t *run)
{
	const json_t *store = json_array_get(json_object_get(run, "stores"), 0);
	if (!store || !str_eq(cli_item_str(store, "owner_span_id"), cli_item_str(run, "span_id")))
		return;
	const json_t *end = json_object_get(store, "state_end");
	draw_state(d, "began with", json_object_get(store, "state_start"), 0);
	if (json_is_null(end))
		draw_state(d, "as replayed", json_object_get(store, "state_replayed"), 0);
	else
		draw_state(d, "ended with", end, 0);
}

/* The states of one step when it stands alone (--step N -n 1); of all of them they would be a book. */
static void
draw_step_states(struct drawing *d, const json_t *step)
{
	size_t indent = INDENT * (3 + (size_t)cli_item_u64(step, "depth"));
	draw_state(d, "before", json_object_get(step, "state_before"), indent);
	draw_state(d, "after ", json_object_get(step, "state_after"), indent);
}

static void
draw_steps(struct drawing *d, const json_t *run)
{
	const json_t *step, *steps = json_object_get(run, "steps");
	uint64_t count = cli_item_u64(run, "step_count");
	size_t i;
	if (json_array_size(steps) > 0)
		buf_str(&d->line, STR("steps"));
	else if (count > 0)
		buf_printf(&d->line, "no such step, there %s %llu", count == 1 ? "is" : "are",
		    (unsigned long long)count);
	else
		buf_str(&d->line, STR("no steps"));
	end_line(d, 0, COLOR_BOLD);
	json_array_foreach(steps, i, step) draw_step(d, step);
	if (json_array_size(steps) == 1)
		draw_step_states(d, json_array_get(steps, 0));
}

void
cli_draw_workflow(struct buf *out, json_t *answer, const struct cli_style *style)
{
	struct drawing d = {.out = out, .style = style};
	draw_head(&d, answer);
	draw_graph(&d, answer);
	draw_steps(&d, answer);
	if (json_array_size(json_object_get(answer, "steps")) == cli_item_u64(answer, "step_count"))
		draw_own_state(&d, answer);
	if (json_array_size(json_object_get(answer, "patches")) > 0) {
		buf_str(&d.line, STR("changes outside of the steps"));
		end_line(&d, 0, COLOR_BOLD);
		draw_patches(&d, json_object_get(answer, "patches"), INDENT);
	}
	draw_exceptions(&d, json_object_get(answer, "exceptions"), 0);
	if (cli_item_u64(answer, "next_step") > 0) {
		buf_printf(&d.line, "more: --step %llu",
		    (unsigned long long)cli_item_u64(answer, "next_step"));
		end_line(&d, 0, COLOR_YELLOW);
	}
	buf_fini(&d.line);
}

/* ---- two runs */

static void
draw_side(struct drawing *d, const char *name, const json_t *run)
{
	buf_printf(&d->line, "%s  ", name);
	put_text(d, run, "trace_id");
	buf_str(&d->line, STR("  "));
	put_outcome(d, run);
	buf_str(&d->line, has_no_state(run) ? STR_EMPTY : STR(", state "));
	buf_str(&d->line, has_no_state(run) ? STR_EMPTY : verdict_word(run));
	end_wrapped(d, 0, 3, has_failed(run) ? COLOR_RED : COLOR_NONE);
	put_tokens(d, json_object_get(run, "llm"));
	end_wrapped(d, 3, HANG, COLOR_DIM);
}

static void
draw_difference(struct drawing *d, const json_t *difference, size_t indent)
{
	const json_t *operation;
	size_t i;
	json_array_foreach(difference, i, operation)
	{
		if (i == PATCHES_SHOWN) {
			buf_printf(&d->line, "and %zu more", json_array_size(difference) - i);
			end_line(d, indent, COLOR_DIM);
			break;
		}
		put_operation(d, operation);
		end_line(d, indent, COLOR_DIM);
	}
}

static void
draw_pair(struct drawing *d, const json_t *step)
{
	bool only_a = cli_item_is(step, "difference", "only_a");
	bool only_b = cli_item_is(step, "difference", "only_b");
	bool same = cli_item_is(step, "difference", "same");
	size_t indent = INDENT * (1 + (size_t)cli_item_u64(step, "depth"));
	buf_printf(&d->line, "%s ", only_a ? "-" : only_b ? "+" : same ? "=" : "~");
	put_text(d, step, "name");
	for (int side = 0; side < 2; side++) {
		const json_t *s = json_object_get(step, side == 0 ? "a" : "b");
		if (!json_is_object(s))
			continue;
		buf_printf(&d->line, "  %s ", side == 0 ? "a" : "b");
		put_took(d, s);
		if (has_failed(s))
			buf_str(&d->line, STR(" failed"));
	}
	end_line(d, indent,
	    only_a       ? COLOR_RED
	        : only_b ? COLOR_GREEN
	        : same   ? COLOR_NONE
	                 : COLOR_YELLOW);
	draw_difference(d, json_object_get(step, "state_difference"), indent + 2 * INDENT);
}

void
cli_draw_comparison(struct buf *out, json_t *answer, const struct cli_style *style)
{
	struct drawing d = {.out = out, .style = style};
	const json_t *step, *end = json_object_get(answer, "end_state_difference");
	size_t i;
	draw_side(&d, "a", json_object_get(answer, "a"));
	draw_side(&d, "b", json_object_get(answer, "b"));
	json_array_foreach(json_object_get(answer, "steps"), i, step) draw_pair(&d, step);
	const json_t *same = json_object_get(answer, "end_state_same");
	if (!json_is_null(same)) {
		buf_str(&d.line,
		    json_is_true(same) ? STR("they end with the same state")
		        : json_is_array(end)
		        ? STR("they end with different states: a becomes b with")
		        : STR("they end with different states"));
		end_wrapped(&d, 0, HANG, COLOR_BOLD);
	}
	draw_difference(&d, end, INDENT);
	buf_fini(&d.line);
}

/* ---- the list */

static void
name_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "name", has_failed(item) ? COLOR_RED : COLOR_NONE);
}

static void
type_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "type", COLOR_DIM);
}

static void
outcome_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "outcome", has_failed(item) ? COLOR_RED : COLOR_GREEN);
}

static void
steps_cell(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "step_count");
}

static void
tokens_cell(struct table_text *t, const json_t *item)
{
	const json_t *llm = json_object_get(item, "llm");
	if (json_is_null(json_object_get(llm, "total_tokens")))
		table_cell(t, STR("-"), COLOR_DIM);
	else
		cell_count(t, llm, "total_tokens");
}

static void
cost_cell(struct table_text *t, const json_t *item)
{
	const json_t *llm = json_object_get(item, "llm");
	if (cli_item_u64(llm, "calls") == 0)
		table_cell(t, STR("-"), COLOR_DIM);
	else
		cell_cost(t, llm);
}

const struct table_column cli_workflow_columns[] = {
    {.title = "AGE", .keep = 30, .right = true, .cell = cell_started},
    {.title = "SERVICE", .keep = 60, .want = 8, .param = "service", .cell = cell_service},
    {.title = "NAME", .keep = 80, .want = 16, .width_min = 12, .cell = name_cell},
    {.title = "TYPE", .keep = 15, .param = "type", .cell = type_cell},
    {.title = "OUTCOME", .keep = 75, .cell = outcome_cell},
    {.title = "DURATION", .keep = 70, .right = true, .cell = cell_took},
    {.title = "STEPS", .keep = 25, .right = true, .cell = steps_cell},
    {.title = "TOKENS", .keep = 35, .right = true, .cell = tokens_cell},
    {.title = "COST", .keep = 40, .right = true, .cell = cost_cell},
    {.title = "TRACE", .keep = 45, .below = BELOW_ALWAYS, .param = "trace_id", .cell = cell_trace},
    {.title = NULL},
};
