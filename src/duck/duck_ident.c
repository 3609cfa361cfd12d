/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a batch is there already.
 *
 * By place: after a start the log is read from where the file's oldest gap is, and rows beyond it may be
 * in the file. Of each event day all rows up to one (seq, ord) are, and none behind it.
 *
 * By identity, spans (and comments: duck_ident_comments.c). In this order, each step for those that the one before let through:
 *     the exact set     spans of the hot tail and of this batch
 *     the filter        "no" is certain; it has all spans of the catch-all and of days from covered_from on
 *     the file          what the filter may have, and spans of days it does not cover: first the
 *                       filters of the seals, in memory, then one statement per table for all
 */
#include "duck/duck_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdlib.h>

enum { IN_LIST_MAX = 1000, REBUILD_AT_ONCE = 1024 };

/* The spans of a batch. */
struct marking {
	struct duck *d;
	struct batch *batch;
	struct table *spans;
	struct hash128 *keys; /* by row */
	bool *perhaps; /* the file may have it */
	bool *in_filter; /* not only because its day is not covered */
	size_t suspects; /* rows with perhaps still set */
	uint64_t gen; /* of the snapshot of the file that is asked */
	struct ident_set *in_file; /* what was found there */
};

uint64_t
duck_trace_hash(uint64_t hi, uint64_t lo)
{
	uint64_t ids[2] = {hi, lo};
	return hash_u64(str_of(ids, sizeof(ids)));
}

/* ---- by place */

static bool
in_file_by_place(struct duck *d, enum table_id id, const struct table *t, size_t row)
{
	const struct duck_writer *w = &d->writer;
	uint64_t seq = table_u64(t, row, duck_seq_col(id));
	uint32_t ord = table_u32(t, row, duck_seq_col(id) + 1);
	if (seq > w->places_until)
		return false;
	const uint64_t *i = map_get(&w->place_of[id], duck_row_day(t, row));
	if (!i)
		return false;
	struct duck_place p;
	memcpy(&p, w->places.ptr + *i * sizeof(p), sizeof(p));
	return seq < p.seq || (seq == p.seq && ord <= p.ord);
}

static bool
hide(struct batch *batch, enum table_id id, size_t row)
{
	if (!batch->hidden[id])
		batch->hidden[id] = arena_alloc(&batch->arena, batch->tables[id].row_count);
	if (!batch->hidden[id])
		return false;
	batch->hidden[id][row] = 1;
	return true;
}

bool
duck_ident_drop(struct batch *batch, enum table_id id, size_t row)
{
	uint64_t seq = table_u64(&batch->tables[id], row, duck_seq_col(id));
	size_t low = 0, high = batch->request_count;
	if (!hide(batch, id, row))
		return false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (batch->requests[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < batch->request_count && batch->requests[low].seq == seq)
		batch->requests[low].duplicates++;
	return true;
}

static enum err_code
no_memory(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "no memory to recognise repeats in a batch");
}

static enum err_code
mark_places(struct duck *d, struct batch *batch, struct err *err)
{
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		const struct table *t = &batch->tables[id];
		if (t->row_count == 0 ||
		    table_u64(t, 0, duck_seq_col((enum table_id)id)) > d->writer.places_until)
			continue;
		for (size_t row = 0; row < t->row_count; row++)
			if (in_file_by_place(d, (enum table_id)id, t, row) &&
			    !hide(batch, (enum table_id)id, row))
				return no_memory(err);
	}
	return ERR_OK;
}

/* ---- by identity */

static bool
is_hidden(const struct marking *m, size_t row)
{
	return m->batch->hidden[TABLE_SPANS] && m->batch->hidden[TABLE_SPANS][row];
}

static enum err_code
drop(struct marking *m, size_t row, struct err *err)
{
	return duck_ident_drop(m->batch, TABLE_SPANS, row) ? ERR_OK : no_memory(err);
}

static enum err_code
make_keys(struct marking *m, struct err *err)
{
	const struct table *t = m->spans;
	struct arena *scratch = &m->d->writer.scratch;
	m->keys = arena_array(scratch, t->row_count, sizeof(*m->keys));
	m->perhaps = arena_array(scratch, t->row_count, sizeof(*m->perhaps));
	m->in_filter = arena_array(scratch, t->row_count, sizeof(*m->in_filter));
	if (!m->keys || !m->perhaps || !m->in_filter)
		return no_memory(err);
	for (size_t row = 0; row < t->row_count; row++)
		m->keys[row] =
		    ident_span(table_str(t, row, SPAN_TENANT), table_u64(t, row, SPAN_TRACE_HI),
		        table_u64(t, row, SPAN_TRACE_LO), table_u64(t, row, SPAN_SPAN_ID));
	return ERR_OK;
}

/* Whether the file may have the span; what the filter does not cover, or has had to forget, it may. All of
 * the catch-all is covered: without filters of its own, it would be read for every batch with a late span. */
static void
find_suspects(struct marking *m)
{
	const struct duck_writer *w = &m->d->writer;
	bool forgets = ident_filter_forgotten(w->filter) > 0;
	ident_filter_test(w->filter, m->keys, m->spans->row_count, m->perhaps);
	for (size_t row = 0; row < m->spans->row_count; row++) {
		m->in_filter[row] = m->perhaps[row] || forgets;
		if (forgets || (int64_t)duck_row_day(m->spans, row) < w->covered_from)
			m->perhaps[row] = true;
		if (is_hidden(m, row) || ident_set_has(w->hot_spans, m->keys[row]))
			m->perhaps[row] = false;
		m->suspects += m->perhaps[row];
	}
}

/* " AND seal IN (..)" for the suspects from `first` on, and their list of ids; stops at IN_LIST_MAX.
 * Returns the row to go on with; *ids: how many may be in this table. */
static size_t
put_suspects(struct marking *m, const struct duck_table *t, size_t first, struct buf *list,
    struct map *gens, bool *everywhere, size_t *ids)
{
	size_t row = first;
	bool covered = t->day == DUCK_DAY_OTHER || t->day >= m->d->writer.covered_from;
	*ids = 0;
	*everywhere = false;
	map_clear(gens);
	for (; row < m->spans->row_count && *ids < IN_LIST_MAX; row++) {
		uint64_t *in = NULL;
		size_t count = 0;
		uint64_t hi, lo;
		if (!m->perhaps[row] || (covered && !m->in_filter[row]))
			continue;
		hi = table_u64(m->spans, row, SPAN_TRACE_HI);
		lo = table_u64(m->spans, row, SPAN_TRACE_LO);
		bool known =
		    duck_catalog_seals_of_trace(&m->d->catalog, t, m->gen, hi, lo, &in, &count);
		for (size_t i = 0; i < count; i++) {
			bool put = map_put(gens, in[i], 1);
			CHECK(put);
		}
		free(in);
		*everywhere = *everywhere || !known;
		if (!known || count > 0)
			buf_printf(list, "%s%" PRIu64 "::UBIGINT", (*ids)++ > 0 ? ", " : "", hi);
	}
	return row;
}

static enum err_code
read_suspects(struct marking *m, const struct duck_table *t, struct str list,
    const struct map *gens, bool everywhere, struct err *err)
{
	struct duck_sql sql;
	char name[DUCK_TABLE_NAME_BYTES];
	duck_sql_init(&sql);
	duck_schema_table_name(&table_defs[TABLE_SPANS], t->day, name);
	buf_printf(&sql.text,
	    "SELECT tenant, trace_hi, trace_lo, span_id FROM %s WHERE trace_hi IN (", name);
	buf_str(&sql.text, list);
	buf_char(&sql.text, ')');
	if (!everywhere) {
		size_t n = 0;
		buf_str(&sql.text, STR(" AND seal IN ("));
		for (size_t i = 0; i < gens->cap; i++)
			if (gens->used[i])
				buf_printf(&sql.text, "%s%" PRIu64, n++ > 0 ? ", " : "",
				    gens->entries[i].key);
		buf_char(&sql.text, ')');
	}
	duck_gate_pass(&m->d->gate);
	enum err_code code = duck_ident_read(m->d, m->d->writer.con, &sql, m->in_file, NULL, err);
	duck_gate_passed(&m->d->gate);
	duck_sql_fini(&sql);
	return code;
}

static enum err_code
ask_table(struct marking *m, const struct duck_table *t, struct err *err)
{
	struct map gens = {0};
	struct buf list = {0};
	enum err_code code = ERR_OK;
	for (size_t row = 0; row < m->spans->row_count && code == ERR_OK;) {
		bool everywhere;
		size_t ids;
		buf_reset(&list);
		row = put_suspects(m, t, row, &list, &gens, &everywhere, &ids);
		if (ids > 0)
			code = read_suspects(m, t, buf_view(&list), &gens, everywhere, err);
	}
	buf_fini(&list);
	map_fini(&gens);
	return code;
}

static enum err_code
ask_tables(struct marking *m, struct err *err)
{
	struct duck_catalog *c = &m->d->catalog;
	duck_gate_pass(&m->d->gate);
	enum err_code code =
	    duck_number(m->d, m->d->writer.con, "SELECT max(gen) FROM seals", &m->gen, err);
	duck_gate_passed(&m->d->gate);
	for (size_t i = 0; code == ERR_OK; i++) {
		const struct duck_table *t = NULL;
		mutex_lock(&c->lock);
		if (i < c->count)
			t = c->tables[i];
		bool wanted = t && t->id == TABLE_SPANS && t->since <= m->gen && m->gen < t->until;
		mutex_unlock(&c->lock);
		if (!t)
			break;
		if (wanted)
			code = ask_table(m, t, err);
	}
	return code;
}

/* In one transaction, or a span that is moved from the catch-all to its day meanwhile would be in neither.
 * What is sealed after it began is in the exact set. */
static enum err_code
ask_file(struct marking *m, struct err *err)
{
	struct duck_writer *w = &m->d->writer;
	enum err_code code = duck_fault(m->d, DUCK_STEP_IDENTITY, err);
	if (code == ERR_OK)
		code = duck_exec(m->d, w->con, "BEGIN TRANSACTION READ ONLY", err);
	if (code != ERR_OK)
		return code;
	code = ask_tables(m, err);
	duck_roll_back(m->d, &w->con);
	return code;
}

static enum err_code
mark_spans(struct marking *m, struct err *err)
{
	struct duck_writer *w = &m->d->writer;
	find_suspects(m);
	enum err_code code = ERR_OK;
	if (m->suspects > 0)
		code = ask_file(m, err);
	size_t row = 0;
	for (; row < m->spans->row_count && code == ERR_OK; row++) {
		if (is_hidden(m, row))
			continue;
		bool there = m->perhaps[row] && ident_set_has(m->in_file, m->keys[row]);
		there = there ||
		    !ident_set_add(w->hot_spans, m->keys[row], table_u64(m->spans, row, SPAN_SEQ),
		        table_u32(m->spans, row, SPAN_ORD));
		if (there)
			code = drop(m, row, err);
	}
	/* Those added are of this batch: nothing else is in the set under these places. */
	for (size_t i = 0; i < row && code != ERR_OK; i++)
		if (!is_hidden(m, i))
			ident_set_remove(w->hot_spans, m->keys[i]);
	return code;
}

static void
take_back_spans(struct duck *d, const struct batch *batch)
{
	const unsigned char *hidden = batch->hidden[TABLE_SPANS];
	for (size_t row = 0; row < batch->tables[TABLE_SPANS].row_count; row++)
		if (!hidden || !hidden[row])
			ident_set_remove(d->writer.hot_spans, d->writer.keys[row]);
}

enum err_code
duck_ident_mark(struct duck *d, struct batch *batch, struct err *err)
{
	struct marking m = {.d = d, .batch = batch, .spans = &batch->tables[TABLE_SPANS]};
	memset(batch->hidden, 0, sizeof(batch->hidden));
	for (size_t i = 0; i < batch->request_count; i++)
		batch->requests[i].duplicates = 0;
	enum err_code code = mark_places(d, batch, err);
	if (code == ERR_OK && m.spans->row_count > 0) {
		m.in_file = ident_set_new();
		code = make_keys(&m, err);
		if (code == ERR_OK)
			code = mark_spans(&m, err);
		ident_set_free(m.in_file);
		d->writer.keys = m.keys;
	}
	if (code != ERR_OK)
		return code;
	code = duck_ident_mark_comments(d, batch, err);
	if (code != ERR_OK)
		take_back_spans(d, batch);
	return code;
}

void
duck_ident_take_back(struct duck *d, const struct batch *batch)
{
	take_back_spans(d, batch);
	duck_ident_take_back_comments(d, batch);
}

/* ---- after an append */

struct horizon {
	uint64_t floor;
};

static bool
is_in_file(void *ctx, uint64_t seq, uint32_t ord)
{
	(void)ord;
	return seq <= ((const struct horizon *)ctx)->floor;
}

/* The set is allowed twice what the hot tail has. */
static void
sweep(struct duck *d)
{
	struct hot_info info;
	enum { SLACK = 65536 };
	if (ident_set_count(d->writer.hot_spans) < d->writer.sweep_at)
		return;
	hot_info(d->hot, &info);
	struct horizon h = {info.floor_seq};
	ident_set_sweep(d->writer.hot_spans, is_in_file, &h);
	d->writer.sweep_at = 2 * ident_set_count(d->writer.hot_spans) + SLACK;
}

void
duck_ident_keep(struct duck *d, const struct batch *batch)
{
	struct duck_writer *w = &d->writer;
	const struct table *t = &batch->tables[TABLE_SPANS];
	const unsigned char *hidden = batch->hidden[TABLE_SPANS];
	size_t n = 0;
	for (size_t row = 0; row < t->row_count; row++)
		if (!hidden || !hidden[row])
			w->keys[n++] = w->keys[row];
	if (n > 0)
		ident_filter_add(w->filter, w->keys, n);
	duck_ident_keep_comments(d, batch);
	mutex_lock(&d->outbox.lock);
	for (size_t i = 0; i < batch->request_count; i++) {
		const struct batch_request *r = &batch->requests[i];
		struct ident_request id = {r->identity, r->seq, r->received_ns};
		if (r->repeat || r->seq <= d->outbox.persisted_seq)
			continue;
		buf_str(&d->outbox.requests, str_of(&id, sizeof(id)));
	}
	mutex_unlock(&d->outbox.lock);
	/* Of those at or below persisted_seq the ones that are young enough are known already. */
	for (size_t i = 0; i < batch->request_count; i++) {
		const struct batch_request *r = &batch->requests[i];
		if (!r->repeat && r->seq > d->outbox.persisted_seq)
			ident_requests_add(w->requests,
			    &(struct ident_request){r->identity, r->seq, r->received_ns});
	}
	ident_requests_expire(w->requests, d->opt.now_unix_ns());
	sweep(d);
}
