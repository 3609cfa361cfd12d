/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans in the order in which they came (STORE_ARRIVALS in store/query.h).
 *
 * Rows of a seal are sorted by trace (duck_sort.c), but a seal takes the next rows of a day that came, so that its seqs are a
 * short range of all there are. Who reads on from a place is answered from the one or two seals that have what comes next,
 * found in memory as seals are by time (duck_search.c): to read ten million spans page by page is to visit each seal for its
 * own pages only.
 *
 * A new seal's range is known from writing it. Of seals of an earlier run it is read from the rows when it is first needed: two
 * columns of each table, once a start, and kept if no commit fell into the question (duck_gate.h).
 *
 * No row beyond what the view has applied is shown. While a start reads the log again the files have rows whose
 * neighbours by seq are not there yet.
 */
#include "duck/duck_query_priv.h"

#include <inttypes.h>
#include <stdlib.h>

/* Of a seal. */
struct duck_seqs {
	uint64_t gen, min, max;
};

static const struct duck_seqs *
seqs_of(const struct duck_arrivals *a, uint64_t gen)
{
	const uint64_t *place = map_get(&a->by_gen, gen);
	const void *list = a->list.ptr;
	return place ? (const struct duck_seqs *)list + *place : NULL;
}

static enum err_code
add_seqs(struct duck_arrivals *a, const struct duck_seqs *s, struct err *err)
{
	uint64_t place = a->list.len / sizeof(*s);
	if (seqs_of(a, s->gen))
		return ERR_OK;
	buf_append(&a->list, s, sizeof(*s));
	if (!a->list.failed && map_put(&a->by_gen, s->gen, place))
		return ERR_OK;
	return err_set(err, ERR_TOO_LARGE, "no memory for the seqs of seals");
}

static bool
is_unknown(const struct duck_question *ask, const struct duck_seal_info *s)
{
	return s->seq_max == 0 && s->gen <= ask->view.gen && ask->view.gen < s->until &&
	    !seqs_of(ask->arrivals, s->gen);
}

/* A table with seals whose seqs are not known, and the generations of these; false: there is none. */
static bool
next_table(struct duck_question *ask, char name[DUCK_TABLE_NAME_BYTES], struct buf *gens)
{
	struct duck_catalog *c = &ask->d->catalog;
	buf_reset(gens);
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->count && gens->len == 0; i++) {
		const struct duck_table *t = c->tables[i];
		if (t->id != ask->id || t->since > ask->view.gen || ask->view.gen >= t->until)
			continue;
		for (size_t k = 0; k < t->seal_count; k++)
			if (is_unknown(ask, &t->seals[k]))
				buf_append(gens, &t->seals[k].gen, sizeof(uint64_t));
		duck_schema_table_name(&table_defs[t->id], t->day, name);
	}
	mutex_unlock(&c->lock);
	return gens->len > 0;
}

static enum err_code
take_seqs(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct duck_question *ask = ctx;
	const uint64_t *cols[3];
	enum err_code code = ERR_OK;
	for (idx_t c = 0; c < ARRAY_LEN(cols); c++)
		cols[c] = duck_chunk_words(chunk, c);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk) && code == ERR_OK; i++) {
		const struct duck_seqs s = {cols[0][i], cols[1][i], cols[2][i]};
		code = add_seqs(ask->arrivals, &s, err);
	}
	return code;
}

static enum err_code
learn_table(struct duck_question *ask, const char *name, const struct buf *gens, struct err *err)
{
	const void *bytes = gens->ptr;
	const uint64_t *list = bytes;
	duck_sql_reset(&ask->sql);
	buf_printf(&ask->sql.text,
	    "SELECT seal, min(seq), max(seq) FROM %s WHERE seal > 0::UBIGINT GROUP BY seal", name);
	enum err_code code = duck_read_chunks(ask->d, ask->view.con, &ask->sql,
	    ask->q->deadline_mono_ns, take_seqs, ask, err);
	/* Those without a row would be asked for again and again. */
	for (size_t i = 0; i < gens->len / sizeof(*list) && code == ERR_OK; i++) {
		const struct duck_seqs none = {list[i], UINT64_MAX, UINT64_MAX};
		code = add_seqs(ask->arrivals, &none, err);
	}
	return code;
}

static enum err_code
learn(struct duck_question *ask, struct err *err)
{
	char name[DUCK_TABLE_NAME_BYTES];
	struct buf gens = {0};
	enum err_code code = ERR_OK;
	while (code == ERR_OK && next_table(ask, name, &gens))
		code = learn_table(ask, name, &gens, err);
	buf_fini(&gens);
	return code;
}

void
duck_arrivals_bounds(const struct duck_question *ask, const struct duck_seal_info *seal,
    uint64_t *min_out, uint64_t *max_out)
{
	const struct duck_seqs *learned = seqs_of(ask->arrivals, seal->gen);
	*min_out = seal->seq_max > 0 ? seal->seq_min : learned ? learned->min : 0;
	*max_out = seal->seq_max > 0 ? seal->seq_max : learned ? learned->max : UINT64_MAX;
}

void
duck_arrivals_settle(struct duck_question *ask, bool is_true)
{
	struct duck_arrivals *a = ask->arrivals;
	struct duck_catalog *c = &ask->d->catalog;
	if (!a || a->list.len == 0)
		return;
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->count && is_true; i++)
		for (size_t k = 0; k < c->tables[i]->seal_count; k++) {
			struct duck_seal_info *s = &c->tables[i]->seals[k];
			const struct duck_seqs *learned =
			    s->seq_max == 0 ? seqs_of(a, s->gen) : NULL;
			if (!learned)
				continue;
			s->seq_min = learned->min;
			s->seq_max = learned->max;
		}
	mutex_unlock(&c->lock);
	buf_reset(&a->list);
	map_fini(&a->by_gen);
}

enum err_code
duck_arrivals_answer(struct duck_question *ask, struct err *err)
{
	const struct store_query *asked = ask->q;
	struct store_query q = *asked;
	uint64_t applied = ask->view.hot->applied_seq;
	q.after.time_ns = q.after.seq;
	CHECK(applied < UINT64_MAX);
	q.to_ns = applied + 1;
	enum err_code code = learn(ask, err);
	ask->q = &q;
	if (code == ERR_OK)
		code = duck_search(ask, err);
	ask->q = asked;
	return code;
}
