/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/load_bad.c - a request that cannot be loaded: which of its items are to blame.
 *
 * Nothing of a request may be seen before what is wrong with it is safe in the dead-letter store,
 * and what is seen of it appears in one append. So the search appends nothing: it asks the store
 * what it would take (store_check()). Halves of a range that is refused are tried, each together with
 * all that was found good before, down to single items; what is refused at the end are the letters.
 * They are written, each durable, before the rest is appended with the position. A crash before a
 * letter has changed nothing; after one, its items are left out when the log is replayed
 * (dlq_covers()), and the search goes on among the others; after the last, the rest is
 * appended. The end is the same.
 *
 * A range that the store refuses only together with the rest, because its memory is too small for
 * both, is a letter as it is: alone it fits, when it is tried again.
 *
 * The search is bounded: beyond PARTS_MAX letters or CHECKS_MAX questions what is refused is not
 * halved any more. When the store refuses even the request without any item the fault is its own. A store
 * that cannot be asked gets the whole request as one letter, and so does one that refuses what it
 * said it would take.
 */
#include "ingest/load_priv.h"

#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTS_MAX = 32, CHECKS_MAX = 400, UNEXPLAINED_MAX = 3 };

/* A range of places in ords. */
struct bad {
	size_t first, end;
	struct err why;
};

struct search {
	struct loader *l;
	const struct item *item;
	uint32_t *ords; /* of its rows that are not put aside yet, ascending */
	size_t count;
	struct part *good; /* ascending; the last one is what is tried now */
	size_t good_count;
	struct bad bad[PARTS_MAX];
	size_t bad_count;
	unsigned checks;
	struct err stop; /* an error that says nothing about the request ended the search */
};

static enum err_code
ask(struct search *s, const struct selection *sel, struct err *err)
{
	s->checks++;
	enum err_code code = load_build_one(s->l, s->item, sel, err);
	if (code == ERR_OK)
		code = store_check(s->l->in->store, &s->l->batch, err);
	if (load_can_pass(code))
		s->stop = *err;
	return code;
}

/* The range, with what is good or alone. */
static enum err_code
try_range(struct search *s, size_t first, size_t end, bool alone, struct err *err)
{
	s->good[s->good_count] = (struct part){s->ords[first], s->ords[end - 1]};
	struct selection sel = {.parts = alone ? s->good + s->good_count : s->good,
	    .count = alone ? 1 : s->good_count + 1};
	return ask(s, &sel, err);
}

static void
add_good(struct search *s)
{
	CHECK(s->good_count == 0 || s->good[s->good_count - 1].last < s->good[s->good_count].first);
	s->good_count++;
}

static void
add_bad(struct search *s, size_t first, size_t end, const struct err *why)
{
	if (s->bad_count == PARTS_MAX) { /* the last one takes up what comes */
		s->bad[PARTS_MAX - 1].end = end;
		return;
	}
	s->bad[s->bad_count++] = (struct bad){.first = first, .end = end, .why = *why};
}

/* False: the search is over. */
static bool
search_range(struct search *s, size_t first, size_t end)
{
	struct err err = {0}, alone;
	enum err_code code = try_range(s, first, end, false, &err);
	if (code == ERR_OK)
		add_good(s);
	if (code == ERR_OK || s->stop.code != ERR_OK)
		return code == ERR_OK;
	bool enough = s->bad_count >= PARTS_MAX - 1 || s->checks >= CHECKS_MAX;
	if (code == ERR_TOO_LARGE && s->good_count > 0 && !enough && end - first > 1) {
		if (try_range(s, first, end, true, &alone) == ERR_OK)
			enough = true;
		if (s->stop.code != ERR_OK)
			return false;
	}
	if (end - first == 1 || enough) {
		add_bad(s, first, end, &err);
		return true;
	}
	size_t middle = first + (end - first) / 2;
	return search_range(s, first, middle) && search_range(s, middle, end);
}

/* ---- letters */

/* Items first .. last, without those that are put aside already: each run of the others is a
 * letter. */
static enum err_code
put_range(struct loader *l, const struct item *item, uint32_t first, uint32_t last, const char *why,
    struct err *err)
{
	struct dlq *d = l->in->dlq;
	enum err_code code = ERR_OK;
	bool any = dlq_covers_any(d, item->seq);
	for (uint64_t ord = first; ord <= last && code == ERR_OK;) {
		uint64_t end = any ? ord : (uint64_t)last + 1;
		while (end <= last && !dlq_covers(d, item->seq, (uint32_t)end))
			end++;
		if (end > ord)
			code = ingest_put_aside(l->in, item->seq, item->payload, (uint32_t)ord,
			    (uint32_t)(end - ord), why, err);
		ord = end > ord ? end : ord + 1;
	}
	return code;
}

/* All of it, also what no decoder can count. */
static enum err_code
put_whole(struct loader *l, struct item *item, const char *why, struct err *err)
{
	struct record rec;
	enum err_code code = ERR_OK;
	if (!dlq_covers_any(l->in->dlq, item->seq))
		code = ingest_put_aside(l->in, item->seq, item->payload, 0, RECORD_ALL, why, err);
	else if (record_read(item->payload, &rec, NULL) == ERR_OK && rec.limits.items_max > 0)
		/* No two letters may have the same item: only what is between those there are. */
		code = put_range(l, item, 0, (uint32_t)(rec.limits.items_max - 1), why, err);
	item->aside = code == ERR_OK;
	return code;
}

/* ---- */

/* The ordinals of what is left of it. */
static enum err_code
list_ords(struct search *s, struct err *err)
{
	static const int ord_cols[SIGNAL_TABLES] = {[TABLE_SPANS] = SPAN_ORD,
	    [TABLE_LOGS] = LOG_ORD,
	    [TABLE_POINTS] = POINT_ORD,
	    [TABLE_COMMENTS] = COMMENT_ORD};
	struct batch *b = &s->l->batch;
	enum err_code code = load_build_one(s->l, s->item, NULL, err);
	size_t rows = batch_row_count(b);
	if (code != ERR_OK)
		return code;
	CHECK(rows > 0);
	s->ords = xcalloc(rows, sizeof(*s->ords));
	for (int i = 0; i < SIGNAL_TABLES; i++)
		for (size_t row = 0; row < b->tables[i].row_count; row++)
			s->ords[s->count++] = table_u32(&b->tables[i], row, ord_cols[i]);
	s->good = xcalloc(s->count + 1, sizeof(*s->good));
	return ERR_OK;
}

static enum err_code
put_bad(struct search *s, struct err *err)
{
	enum err_code code = ERR_OK;
	if (s->bad_count == 1 && s->bad[0].first == 0 && s->bad[0].end == s->count &&
	    !dlq_covers_any(s->l->in->dlq, s->item->seq))
		return put_whole(s->l, &s->l->items[s->l->done], s->bad[0].why.message, err);
	for (size_t i = 0; i < s->bad_count && code == ERR_OK; i++) {
		const struct bad *b = &s->bad[i];
		code = put_range(s->l, s->item, s->ords[b->first], s->ords[b->end - 1],
		    b->why.message, err);
	}
	return code;
}

static enum load_verdict
blame_store(const struct search *s, struct err *err)
{
	if (s->stop.code != ERR_OK)
		*err = s->stop;
	return LOAD_WAIT;
}

static enum load_verdict
run_search(struct search *s, const struct err *why, struct err *err)
{
	struct loader *l = s->l;
	struct selection nothing = {0};
	if (list_ords(s, err) != ERR_OK)
		return LOAD_WAIT;
	if (ask(s, &nothing, err) != ERR_OK)
		return blame_store(s, err);
	if (!search_range(s, 0, s->count))
		return blame_store(s, err);
	if (s->bad_count > 0)
		return put_bad(s, err) == ERR_OK ? LOAD_PUT_ASIDE : LOAD_WAIT;
	/* It would be taken, and yet it was not. Once is an accident. */
	*err = *why;
	if (++l->unexplained < UNEXPLAINED_MAX)
		return LOAD_WAIT;
	return put_whole(l, &l->items[l->done], why->message, err) == ERR_OK ? LOAD_PUT_ASIDE
	                                                                     : LOAD_WAIT;
}

enum load_verdict
load_blame(struct loader *l, enum err_code code, const struct err *why, struct err *err)
{
	struct item *item = &l->items[l->done];
	CHECK(l->in->dlq != NULL);
	CHECK(!load_can_pass(code));
	if (l->built && batch_row_count(&l->batch) == 0) {
		*err = *why; /* a repeat, or all of it is put aside: there is nothing to blame */
		return LOAD_WAIT;
	}
	if (!l->built || !store_can_check(l->in->store))
		return put_whole(l, item, why->message, err) == ERR_OK ? LOAD_PUT_ASIDE : LOAD_WAIT;
	log_warn("ingest", "record %llu cannot be loaded: %s; looking for the items to blame",
	    (unsigned long long)item->seq, why->message);
	struct search s = {.l = l, .item = item};
	enum load_verdict verdict = run_search(&s, why, err);
	free(s.good);
	free(s.ords);
	return verdict;
}
