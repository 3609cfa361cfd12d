/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question is one moment of the store (duck_view.h). What kind it is says whose answer it gets; this file gives it
 * a connection and a moment, asks again what a commit fell into (duck_gate.h), and adds to the rows of an answer the
 * resources and scopes that they name.
 */
#include "duck/duck_query_priv.h"

#include "base/fold.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdlib.h>

enum { IDS_AT_ONCE = 10000 };

/* ---- dictionaries */

static enum err_code
read_ids(struct duck_question *ask, struct str ids, struct table *out, struct err *err)
{
	enum table_id dict = (enum table_id)(out->def - table_defs);
	size_t before = out->row_count;
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT "));
	duck_read_columns(&ask->sql, out->def);
	buf_printf(&ask->sql.text, " FROM %s WHERE tenant = ", out->def->name);
	duck_sql_text(&ask->sql, ask->q->tenant);
	buf_str(&ask->sql.text, STR(" AND id IN ("));
	buf_str(&ask->sql.text, ids);
	buf_char(&ask->sql.text, ')');
	enum err_code code =
	    duck_read(ask->d, ask->view.con, &ask->sql, ask->q->deadline_mono_ns, out, err);
	for (size_t row = before; row < out->row_count && code == ERR_OK; row++)
		duck_recall_put(&ask->d->recall, dict, out, row);
	return code;
}

/* One that is not in the file yet, else its id goes to the list. */
static enum err_code
add_hot_or_list(struct duck_question *ask, uint64_t id, struct table *out, struct buf *ids,
    size_t *count, struct err *err)
{
	const struct table *rows;
	size_t row;
	enum table_id dict = (enum table_id)(out->def - table_defs);
	if (!hot_view_dict(ask->view.hot, dict, ask->q->tenant, id, &rows, &row)) {
		size_t before = out->row_count;
		if (duck_recall_get(&ask->d->recall, dict, ask->q->tenant, id, out))
			return ERR_OK;
		table_truncate(out, before);
		buf_printf(ids, "%s%" PRIu64 "::UBIGINT", *count > 0 ? ", " : "", id);
		++*count;
		return ERR_OK;
	}
	if (duck_copy_dict_row(rows, row, out))
		return ERR_OK;
	return duck_answer_too_large(out->arena, err);
}

/* The entries of a dictionary that column `col` of the answer names. */
enum err_code
duck_read_dict(struct duck_question *ask, int col, struct table *out, struct err *err)
{
	const struct table *rows = &ask->result->rows;
	struct map seen = {0};
	struct buf ids = {0};
	enum err_code code = ERR_OK;
	size_t count = 0;
	for (size_t i = 0; i < rows->row_count && code == ERR_OK; i++) {
		uint64_t id = table_u64(rows, i, col);
		if (map_get(&seen, id))
			continue;
		bool put = map_put(&seen, id, 1);
		CHECK(put);
		code = add_hot_or_list(ask, id, out, &ids, &count, err);
		if (count < IDS_AT_ONCE || code != ERR_OK)
			continue;
		code = read_ids(ask, buf_view(&ids), out, err);
		buf_reset(&ids);
		count = 0;
	}
	if (code == ERR_OK && count > 0)
		code = read_ids(ask, buf_view(&ids), out, err);
	buf_fini(&ids);
	map_fini(&seen);
	return code;
}

/* ---- answers */

static enum err_code
answer(struct duck_question *ask, struct err *err)
{
	const struct store_query *q = ask->q;
	enum err_code code = ERR_OK;
	if (ask->partial)
		return duck_analysis(ask, err);
	if (q->kind == STORE_SERVICES)
		return duck_services_answer(ask, err);
	if (q->kind >= STORE_METRICS)
		return duck_series_answer(ask, err);
	for (size_t i = 0; i < q->attr_count && code == ERR_OK; i++)
		code = duck_where_dicts(ask, i, err);
	if (code == ERR_OK && q->kind == STORE_TRACES)
		return duck_traces_answer(ask, err);
	if (code == ERR_OK && q->kind == STORE_COUNTS)
		return duck_counts_answer(ask, err);
	if (code == ERR_OK && q->kind == STORE_ARRIVALS)
		code = duck_arrivals_answer(ask, err);
	else if (code == ERR_OK)
		code = duck_search(ask, err);
	if (code == ERR_OK && !duck_has_services(ask->id))
		return code;
	if (code == ERR_OK)
		code = duck_read_dict(ask, duck_fill_resource_col(ask->id), &ask->result->resources,
		    err);
	if (code == ERR_OK)
		code = duck_read_dict(ask, duck_fill_scope_col(ask->id), &ask->result->scopes, err);
	return code;
}

static enum err_code
ask_in_view(struct duck_question *ask, duckdb_connection con, bool *reusable, struct err *err)
{
	struct duck_gate *gate = ask->sql.gate;
	if (gate && !duck_gate_hold(gate, ask->q->deadline_mono_ns))
		return err_set(err, ERR_DEADLINE, "the query did not end in its time");
	enum err_code code = duck_view_begin(ask->d, con, gate != NULL, &ask->view, err);
	if (gate)
		duck_gate_release(gate);
	*reusable = code == ERR_BUSY;
	if (code == ERR_OK) {
		code = answer(ask, err);
		ask->view.left = code != ERR_OK;
		*reusable = duck_view_end(ask->d, &ask->view);
	}
	return code;
}

static void
begin_answer(struct duck_question *ask)
{
	struct store_result *r = ask->result;
	table_init(&r->rows, ask->id, r->arena);
	table_init(&r->resources, TABLE_RESOURCES, r->arena);
	table_init(&r->scopes, TABLE_SCOPES, r->arena);
	r->more = false;
	if (ask->partial)
		partial_reset(ask->partial);
	for (size_t i = 0; i < STORE_ATTRS_MAX; i++) {
		buf_reset(&ask->ids[i].list);
		ask->ids[i].many = false;
	}
}

static void
settle_memo(struct duck_question *ask, bool is_true)
{
	/* Rows of a seal it counts may have been removed since. */
	bool current = ask->view.gen >= atomic_load(&ask->d->removed_gen);
	if (ask->memo && is_true && current)
		duck_memo_give(&ask->d->services_memo, ask->memo, clock_mono_ns());
	else
		duck_memo_free(ask->memo);
	ask->memo = NULL;
}

enum err_code
duck_query_services(struct duck_question *ask, struct store_result *result, struct err *err)
{
	bool held = ask->sql.gate != NULL;
	ask->result = result;
	ask->id = TABLE_SERVICES;
	begin_answer(ask);
	enum err_code code = duck_services_answer(ask, err);
	/* Without the gate nobody knows yet. */
	settle_memo(ask, held && code == ERR_OK);
	return code;
}

/* What a commit fell into is not true, be it an answer or an error: duck_gate.h. */
static enum err_code
ask_beside_commits(struct duck_question *ask, duckdb_connection con, bool *reusable,
    struct err *err)
{
	struct duck_gate *gate = &ask->d->gate;
	struct arena_mark mark = arena_mark(ask->result->arena);
	uint64_t commits;
	unsigned side = duck_gate_enter(gate);
	bool looked = duck_gate_look(gate, ask->q->deadline_mono_ns, &commits);
	enum err_code code = looked ? ask_in_view(ask, con, reusable, err) : ERR_OK;
	bool same = looked && duck_gate_same(gate, commits);
	duck_gate_leave(gate, side);
	if (looked) {
		settle_memo(ask, same && code == ERR_OK);
		duck_arrivals_settle(ask, same);
		if (same || (code != ERR_OK && !*reusable))
			return code;
		if (!*reusable)
			return err_set(err, ERR_UNAVAILABLE, "a read transaction cannot be ended");
	}
	atomic_fetch_add(&ask->d->asked_again, 1);
	arena_rewind(ask->result->arena, mark);
	begin_answer(ask);
	ask->sql.gate = gate;
	code = ask_in_view(ask, con, reusable, err);
	settle_memo(ask, code == ERR_OK);
	duck_arrivals_settle(ask, true);
	return code;
}

static enum table_id
table_of(enum store_query_kind kind)
{
	switch (kind) {
	case STORE_SPANS:
	case STORE_TRACE:
	case STORE_ARRIVALS: return TABLE_SPANS;
	case STORE_LOGS: return TABLE_LOGS;
	case STORE_POINTS: return TABLE_POINTS;
	case STORE_COMMENTS: return TABLE_COMMENTS;
	case STORE_SERVICES: return TABLE_SERVICES;
	case STORE_TRACES: return TABLE_TRACES;
	case STORE_COUNTS: return TABLE_BUCKETS;
	case STORE_METRICS: return TABLE_METRICS;
	case STORE_SERIES: return TABLE_SERIES;
	case STORE_SAMPLES: return TABLE_SAMPLES;
	case STORE_DISTRIBUTIONS: return TABLE_DISTRIBUTIONS;
	}
	CHECK(false);
	return TABLE_SERVICES;
}

static int
longest_first(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	return (x->len < y->len) - (x->len > y->len);
}

/* The longest word is as a rule in the fewest rows, and the others are looked for in those only. */
static bool
fold_words(struct duck_question *ask)
{
	const struct store_query *q = ask->q;
	size_t at = 0;
	for (size_t i = 0; i < q->word_count; i++)
		buf_str(&ask->folded, q->words[i]);
	for (size_t i = 0; i < q->word_count && !ask->folded.failed; i++) {
		CHECK(q->words[i].len > 0 && q->words[i].len <= STORE_WORD_BYTES_MAX);
		fold_text(q->words[i], ask->folded.ptr + at);
		ask->words[i] = str_of(ask->folded.ptr + at, q->words[i].len);
		at += q->words[i].len;
	}
	if (q->word_count > 1)
		qsort(ask->words, q->word_count, sizeof(*ask->words), longest_first);
	return !ask->folded.failed;
}

enum err_code
duck_query(struct store *s, const struct store_query *q, struct store_result *result,
    struct err *err)
{
	return duck_ask(s, q, result, NULL, err);
}

enum err_code
duck_ask(struct store *s, const struct store_query *q, struct store_result *result,
    struct partial *partial, struct err *err)
{
	struct duck *d = duck_of(s);
	duckdb_connection con;
	/* Of services, and of points as series, only what is meant for them is looked at. */
	struct store_query other = {
	    .kind = q->kind,
	    .tenant = q->tenant,
	    .from_ns = q->from_ns,
	    .to_ns = q->to_ns,
	    .row_max = q->row_max,
	    .deadline_mono_ns = q->deadline_mono_ns,
	    .service = q->service,
	};
	if (q->kind >= STORE_METRICS) {
		other.names = q->names;
		other.name_count = q->name_count;
		other.series = q->series;
		other.series_count = q->series_count;
		other.sample = q->sample;
	}
	struct duck_question ask = {
	    .d = d,
	    .q = q->kind == STORE_SERVICES || q->kind >= STORE_METRICS ? &other : q,
	    .result = result,
	    .id = table_of(q->kind),
	    .partial = partial,
	};
	struct duck_arrivals arrivals = {.list = {.len = 0}};
	ask.arrivals = q->kind == STORE_ARRIVALS ? &arrivals : NULL;
	bool reusable = true;
	begin_answer(&ask);
	if (!fold_words(&ask)) {
		buf_fini(&ask.folded);
		return err_set(err, ERR_TOO_LARGE, "no memory for the words of a question");
	}
	enum err_code code = duck_pool_take(d, q->deadline_mono_ns, &con, err);
	if (code != ERR_OK) {
		buf_fini(&ask.folded);
		return code;
	}
	duck_sql_init(&ask.sql);
	bool large = !q->has_trace_id;
	if (large)
		duck_help_begin(&d->help);
	code = ask_beside_commits(&ask, con, &reusable, err);
	if (large)
		duck_help_end(&d->help);
	duck_pool_give(d, con, !reusable);
	duck_sql_fini(&ask.sql);
	for (size_t i = 0; i < STORE_ATTRS_MAX; i++)
		buf_fini(&ask.ids[i].list);
	buf_fini(&ask.folded);
	buf_fini(&arrivals.list);
	map_fini(&arrivals.by_gen);
	return code;
}
