/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comments of a batch that are there already, by (tenant, id). They share the exact set and the filter with spans
 * (duck_ident.c); all comments of the file are in the filter, whatever their day, for they are few. What the filter
 * may have is looked for in all tables of comments.
 */
#include "duck/duck_priv.h"

#include <inttypes.h>
#include <stdlib.h>

enum { IN_LIST_MAX = 1000 };

struct marking {
	struct duck *d;
	struct batch *batch;
	struct table *t;
	struct hash128 *keys; /* by row */
	bool *perhaps; /* the file may have it */
	struct ident_set *in_file;
};

static bool
is_hidden(const struct batch *batch, size_t row)
{
	return batch->hidden[TABLE_COMMENTS] && batch->hidden[TABLE_COMMENTS][row];
}

static enum err_code
no_memory(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "no memory to recognise repeats of comments");
}

/* ---- the file */

struct adding {
	struct ident_set *set;
	struct ident_filter *filter;
};

static enum err_code
take_ids(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct adding *a = ctx;
	(void)err;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		struct hash128 key =
		    ident_comment(duck_chunk_text(chunk, 0, i), duck_chunk_text(chunk, 1, i));
		if (a->set)
			(void)ident_set_add(a->set, key, 0, 0);
		if (a->filter)
			ident_filter_add(a->filter, &key, 1);
	}
	return ERR_OK;
}

/* in: a list of ids; empty: all. */
static enum err_code
read_table(struct duck *d, duckdb_connection con, const struct duck_table *t, struct str in,
    struct adding *to, struct err *err)
{
	struct duck_sql sql;
	char name[DUCK_TABLE_NAME_BYTES];
	duck_sql_init(&sql);
	duck_schema_table_name(&table_defs[TABLE_COMMENTS], t->day, name);
	buf_printf(&sql.text, "SELECT tenant, id FROM %s", name);
	if (in.len > 0) {
		buf_str(&sql.text, STR(" WHERE id IN ("));
		buf_str(&sql.text, in);
		buf_char(&sql.text, ')');
	}
	enum err_code code = duck_read_chunks(d, con, &sql, UINT64_MAX, take_ids, to, err);
	duck_sql_fini(&sql);
	return code;
}

/* Of all tables that a snapshot of generation gen has. */
static enum err_code
read_tables(struct duck *d, duckdb_connection con, uint64_t gen, struct str in, struct adding *to,
    struct err *err)
{
	struct duck_catalog *c = &d->catalog;
	enum err_code code = ERR_OK;
	for (size_t i = 0; code == ERR_OK; i++) {
		const struct duck_table *t = NULL;
		mutex_lock(&c->lock);
		if (i < c->count)
			t = c->tables[i];
		bool wanted = t && t->id == TABLE_COMMENTS && t->since <= gen && gen < t->until;
		mutex_unlock(&c->lock);
		if (!t)
			break;
		if (wanted)
			code = read_table(d, con, t, in, to, err);
	}
	return code;
}

enum err_code
duck_ident_read_comments(struct duck *d, duckdb_connection con, struct err *err)
{
	struct adding to = {.filter = d->writer.filter};
	return read_tables(d, con, atomic_load(&d->generation), STR_EMPTY, &to, err);
}

/* "'id', 'id'" of those that the file may have, from row `first` on; where to go on. Ids have been checked
 * (comment/comment.h), and are quoted all the same. */
static size_t
put_suspects(const struct marking *m, size_t first, struct buf *list)
{
	size_t row = first, count = 0;
	for (; row < m->t->row_count && count < IN_LIST_MAX; row++) {
		if (!m->perhaps[row])
			continue;
		buf_str(list, count++ > 0 ? STR(", '") : STR("'"));
		duck_sql_quoted(list, table_str(m->t, row, COMMENT_ID));
		buf_char(list, '\'');
	}
	return row;
}

static enum err_code
ask_in_transaction(struct marking *m, struct err *err)
{
	duckdb_connection con = m->d->writer.con;
	struct adding to = {.set = m->in_file};
	struct buf list = {0};
	uint64_t gen = 0;
	enum err_code code = duck_number(m->d, con, "SELECT max(gen) FROM seals", &gen, err);
	for (size_t row = 0; row < m->t->row_count && code == ERR_OK;) {
		buf_reset(&list);
		row = put_suspects(m, row, &list);
		if (list.len > 0)
			code = read_tables(m->d, con, gen, buf_view(&list), &to, err);
	}
	buf_fini(&list);
	return code;
}

/* In one transaction: see duck_ident.c. */
static enum err_code
ask_file(struct marking *m, struct err *err)
{
	struct duck_writer *w = &m->d->writer;
	enum err_code code = duck_fault(m->d, DUCK_STEP_IDENTITY, err);
	duck_gate_pass(&m->d->gate);
	if (code == ERR_OK)
		code = duck_exec(m->d, w->con, "BEGIN TRANSACTION READ ONLY", err);
	if (code == ERR_OK) {
		code = ask_in_transaction(m, err);
		duck_roll_back(m->d, &w->con);
	}
	duck_gate_passed(&m->d->gate);
	return code;
}

/* ---- the batch */

static bool
find_suspects(struct marking *m)
{
	const struct duck_writer *w = &m->d->writer;
	bool forgets = ident_filter_forgotten(w->filter) > 0, any = false;
	for (size_t row = 0; row < m->t->row_count; row++)
		m->keys[row] = ident_comment(table_str(m->t, row, COMMENT_TENANT),
		    table_str(m->t, row, COMMENT_ID));
	ident_filter_test(w->filter, m->keys, m->t->row_count, m->perhaps);
	for (size_t row = 0; row < m->t->row_count; row++) {
		m->perhaps[row] = (m->perhaps[row] || forgets) && !is_hidden(m->batch, row) &&
		    !ident_set_has(w->hot_spans, m->keys[row]);
		any = any || m->perhaps[row];
	}
	return any;
}

static enum err_code
mark(struct marking *m, struct err *err)
{
	struct duck_writer *w = &m->d->writer;
	enum err_code code = find_suspects(m) ? ask_file(m, err) : ERR_OK;
	size_t row = 0;
	for (; row < m->t->row_count && code == ERR_OK; row++) {
		if (is_hidden(m->batch, row))
			continue;
		bool there = m->perhaps[row] && ident_set_has(m->in_file, m->keys[row]);
		there = there ||
		    !ident_set_add(w->hot_spans, m->keys[row], table_u64(m->t, row, COMMENT_SEQ),
		        table_u32(m->t, row, COMMENT_ORD));
		if (there && !duck_ident_drop(m->batch, TABLE_COMMENTS, row)) {
			code = no_memory(err); /* its key is another row's */
			break;
		}
	}
	for (size_t i = 0; i < row && code != ERR_OK; i++)
		if (!is_hidden(m->batch, i))
			ident_set_remove(w->hot_spans, m->keys[i]);
	return code;
}

enum err_code
duck_ident_mark_comments(struct duck *d, struct batch *batch, struct err *err)
{
	struct marking m = {.d = d, .batch = batch, .t = &batch->tables[TABLE_COMMENTS]};
	struct arena *scratch = &d->writer.scratch;
	d->writer.comment_keys = NULL;
	if (m.t->row_count == 0)
		return ERR_OK;
	m.keys = arena_array(scratch, m.t->row_count, sizeof(*m.keys));
	m.perhaps = arena_array(scratch, m.t->row_count, sizeof(*m.perhaps));
	if (!m.keys || !m.perhaps)
		return no_memory(err);
	m.in_file = ident_set_new();
	enum err_code code = mark(&m, err);
	ident_set_free(m.in_file);
	d->writer.comment_keys = m.keys;
	return code;
}

void
duck_ident_take_back_comments(struct duck *d, const struct batch *batch)
{
	for (size_t row = 0; row < batch->tables[TABLE_COMMENTS].row_count; row++)
		if (!is_hidden(batch, row))
			ident_set_remove(d->writer.hot_spans, d->writer.comment_keys[row]);
}

void
duck_ident_keep_comments(struct duck *d, const struct batch *batch)
{
	for (size_t row = 0; row < batch->tables[TABLE_COMMENTS].row_count; row++)
		if (!is_hidden(batch, row))
			ident_filter_add(d->writer.filter, &d->writer.comment_keys[row], 1);
}
