/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/load_batch.c - records of the log become the rows of a batch.
 *
 * Every record that can be read stands in batch->requests, also when it brings no rows: because its
 * identity is known (the store's, or of an earlier one in the same batch), or because all of
 * it was put aside. Only a letter's record that cannot be loaded does not: to stand there would make its
 * identity known, and the letter, tried again, would be taken for a repeat.
 *
 * Known under its own seq is no repeat but a replay of the log: it is decoded, and the store
 * recognises the rows that it has. Known under a later seq happens in a replay too, when a letter that had
 * failed was loaded by a later try: that one stands in the log behind, and has the rows.
 */
#include "ingest/load_priv.h"

#include "comment/comment.h"

/* Whether an earlier record of this batch has the identity; if not it is remembered. */
static bool
seen_before(struct loader *l, struct hash128 identity, size_t place)
{
	const struct batch_request *all = l->batch.requests;
	uint64_t key = hash_keyed_u128(identity.hi, identity.lo);
	const uint64_t *at = map_get(&l->seen, key);
	if (!at) {
		bool put = map_put(&l->seen, key, place);
		CHECK(put);
		return false;
	}
	/* Of several of one key only the first is in the map. */
	for (size_t i = (size_t)*at; i < place; i++)
		if (all[i].identity.lo == identity.lo && all[i].identity.hi == identity.hi)
			return true;
	return false;
}

static bool
is_repeat(struct loader *l, const struct item *item, struct hash128 identity, size_t place)
{
	uint64_t known = store_knows(l->in->store, identity);
	if (known != 0 && known != item->seq)
		return true;
	return seen_before(l, identity, place);
}

/* ---- leaving rows out */

struct sieve {
	struct loader *l;
	const struct item *item;
	const struct record *rec;
	const struct selection *sel;
	bool covered; /* the dead-letter store has parts of it */
};

static bool
keeps(const struct sieve *s, uint32_t ord)
{
	bool selected = s->sel == NULL;
	for (size_t i = 0; !selected && i < s->sel->count; i++)
		selected = ord >= s->sel->parts[i].first && ord <= s->sel->parts[i].last;
	return selected && record_has(s->rec, ord) &&
	    !(s->covered && dlq_covers(s->l->in->dlq, s->item->seq, ord));
}

static void
move_row(struct table *t, size_t from, size_t to)
{
	CHECK(to <= from);
	for (size_t c = 0; c < t->def->col_count && to != from; c++) {
		size_t size = table_kind_bytes(t->def->cols[c].kind);
		char *base = t->cols[c].any;
		memcpy(base + to * size, base + from * size, size);
		if (t->cols[c].null)
			t->cols[c].null[to] = t->cols[c].null[from];
	}
}

/* Of the rows from `first` on, those that the sieve keeps. */
static void
sift(const struct sieve *s, struct table *t, int ord_col, size_t first)
{
	size_t to = first;
	for (size_t row = first; row < t->row_count; row++)
		if (keeps(s, table_u32(t, row, ord_col)))
			move_row(t, row, to++);
	table_truncate(t, to);
}

static void
leave_out(struct loader *l, const struct item *item, const struct record *rec,
    const struct selection *sel, const struct batch_mark *mark)
{
	static const int ord_cols[SIGNAL_TABLES] = {[TABLE_SPANS] = SPAN_ORD,
	    [TABLE_LOGS] = LOG_ORD,
	    [TABLE_POINTS] = POINT_ORD,
	    [TABLE_COMMENTS] = COMMENT_ORD};
	struct sieve s = {.l = l,
	    .item = item,
	    .rec = rec,
	    .sel = sel,
	    .covered = l->in->dlq && dlq_covers_any(l->in->dlq, item->seq)};
	if (!sel && !s.covered && rec->part_first == 0 && rec->part_count == RECORD_ALL)
		return;
	for (int i = 0; i < SIGNAL_TABLES; i++)
		sift(&s, &l->batch.tables[i], ord_cols[i], mark->row_count[i]);
}

/* ---- one record */

/* Nothing of it is to be decoded: the dead-letter store has it whole. */
static bool
is_whole_aside(struct loader *l, const struct item *item)
{
	struct dlq *d = l->in->dlq;
	if (item->aside)
		return true;
	return d && dlq_covers_any(d, item->seq) && dlq_covers(d, item->seq, UINT32_MAX - 1);
}

static enum err_code
decode(struct loader *l, const struct item *item, const struct record *rec, struct err *err)
{
	struct otlp_origin origin = {
	    .tenant = rec->tenant, .seq = item->seq, .received_ns = rec->received_ns};
	/* A request fits alone, also one that was taken under larger limits than today's. */
	uint64_t room = LOAD_BATCH_BYTES_MAX;
	if (batch_row_count(&l->batch) == 0 &&
	    OTLP_DECODE_BYTES_MAX(rec->body.len, rec->item_count) > room)
		room = OTLP_DECODE_BYTES_MAX(rec->body.len, rec->item_count);
	l->batch.arena.bytes_max = (size_t)room;
	if (rec->signal == SIGNAL_COMMENTS)
		return comment_decode(rec->body, rec->tenant, item->seq, &l->batch, err);
	return otlp_decode(rec->signal, rec->body, &rec->limits, &origin, &l->batch, err);
}

/* Of what was pulled; a repeat brings one too. */
static bool
add_position(struct batch_request *r, const struct record *rec, struct arena *arena)
{
	r->source = arena_str(arena, rec->source);
	r->position = arena_str(arena, rec->position);
	return r->source.ptr && r->position.ptr;
}

static enum err_code
add_record(struct loader *l, const struct item *item, const struct selection *sel, struct err *err)
{
	struct record rec;
	struct batch *b = &l->batch;
	if (item->aside && (item->letter || !item->readable))
		return ERR_OK;
	enum err_code code = record_read(item->payload, &rec, err);
	if (code != ERR_OK)
		return code;
	size_t place = b->request_count;
	struct batch_request *r = batch_request_add(b);
	struct str tenant = r ? arena_str(&b->arena, rec.tenant) : STR_EMPTY;
	if (!r || !tenant.ptr)
		return err_set(err, ERR_TOO_LARGE, "no room left for another request");
	*r = (struct batch_request){.seq = item->seq,
	    .identity = record_identity(&rec),
	    .received_ns = rec.received_ns,
	    .tenant = tenant,
	    .signal = rec.signal};
	if (rec.source.len > 0 && !add_position(r, &rec, &b->arena))
		return err_set(err, ERR_TOO_LARGE, "no room left for a position");
	r->repeat = is_repeat(l, item, r->identity, place);
	if (r->repeat || is_whole_aside(l, item))
		return ERR_OK;
	struct batch_mark mark = batch_mark(b);
	size_t before = batch_row_count(b);
	code = decode(l, item, &rec, err);
	if (code != ERR_OK)
		return code;
	leave_out(l, item, &rec, sel, &mark);
	size_t rows = batch_row_count(b) - before;
	CHECK(rows <= UINT32_MAX);
	if (rows == 0) /* no resource of nothing */
		batch_rewind(b, mark);
	b->requests[place].rows = (uint32_t)rows;
	return ERR_OK;
}

/* ---- a batch */

static void
begin(struct loader *l)
{
	batch_reset(&l->batch);
	map_clear(&l->seen);
	l->built = false;
	l->batch.arena.bytes_max = LOAD_BATCH_BYTES_MAX;
}

enum err_code
load_build(struct loader *l, struct err *err)
{
	enum err_code code = ERR_OK;
	size_t n = 0;
	begin(l);
	while (n < l->take) {
		const struct item *item = &l->items[l->done + n];
		if (item->letter && n > 0)
			break;
		struct batch_mark mark = batch_mark(&l->batch);
		code = add_record(l, item, NULL, err);
		if (code != ERR_OK)
			batch_rewind(&l->batch, mark);
		if (code != ERR_OK)
			break;
		n++;
		if (item->letter || l->batch.arena.used_bytes >= LOAD_BATCH_BYTES_MAX)
			break;
	}
	l->take = n > 0 ? n : 1;
	if (n == 0)
		return code;
	l->batch.last_seq = l->items[l->done + n - 1].seq;
	l->batch.last_bytes = l->items[l->done + n - 1].end_bytes;
	l->built = true;
	return ERR_OK;
}

enum err_code
load_build_one(struct loader *l, const struct item *item, const struct selection *sel,
    struct err *err)
{
	begin(l);
	enum err_code code = add_record(l, item, sel, err);
	l->batch.last_seq = item->seq;
	l->batch.last_bytes = item->end_bytes;
	return code;
}
