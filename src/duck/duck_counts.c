/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many rows meet the conditions, over time.
 *
 * Where a bound is open, the first and the last hit are looked for as those of a list are, which is cheap when they
 * are frequent. Then the database counts, a bucket number for each row:
 *
 *     SELECT b, count(*) FROM (SELECT (time - first) // width AS b FROM unit WHERE .. UNION ALL ..) GROUP BY b
 *
 * Traces are counted by their newest span that matches: duck_traces.c says which.
 */
#include "duck/duck_query_priv.h"

#include <stdlib.h>

struct counting {
	struct duck_question *ask;
	struct store_query q; /* what is counted, as if it were listed */
	enum table_id id;
	uint64_t first, width;
};

/* The first hit (upwards) or the last one; false in *found: there is none. */
static enum err_code
find_end(struct counting *c, bool upwards, uint64_t *time_out, bool *found, struct err *err)
{
	struct duck_question *ask = c->ask;
	const struct store_query *asked = ask->q;
	struct store_query q = c->q;
	struct buf keys = {0};
	q.oldest_first = upwards;
	q.row_max = 0;
	ask->q = &q;
	enum err_code code = duck_find_keys(ask, &keys, err);
	ask->q = asked;
	*found = code == ERR_OK && keys.len > 0;
	if (*found) {
		struct duck_key k;
		memcpy(&k, keys.ptr, sizeof(k));
		*time_out = k.time_ns;
	}
	buf_fini(&keys);
	return code;
}

/* The hits that open bounds need; *last_out is inclusive. */
static enum err_code
find_bounds(struct counting *c, uint64_t *first_out, uint64_t *last_out, bool *any, struct err *err)
{
	enum err_code code = ERR_OK;
	bool found = true;
	*first_out = c->q.from_ns;
	*last_out = c->q.to_ns - 1;
	if (c->q.to_ns == UINT64_MAX)
		code = find_end(c, false, last_out, &found, err);
	if (code == ERR_OK && found && c->q.from_ns == 0)
		code = find_end(c, true, first_out, &found, err);
	if (!found) {
		*first_out = 1;
		*last_out = 0;
	}
	*any = store_count_bounds(c->ask->q, first_out, last_out);
	return code;
}

/* ---- counting */

struct taking {
	struct table *buckets;
	bool wrong;
};

static enum err_code
take_counts(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct taking *t = ctx;
	(void)err;
	const uint64_t *places = duck_chunk_words(chunk, 0);
	const uint64_t *counts = duck_chunk_words(chunk, 1);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		size_t row = places[i] < t->buckets->row_count ? (size_t)places[i] : SIZE_MAX;
		if (row == SIZE_MAX && places[i] == t->buckets->row_count)
			row = t->buckets->row_count - 1; /* the last nanosecond there is */
		if (row == SIZE_MAX) {
			t->wrong = true;
			continue;
		}
		uint64_t count = table_u64(t->buckets, row, BUCKET_COUNT) + counts[i];
		table_set_u64(t->buckets, row, BUCKET_COUNT, count);
	}
	return ERR_OK;
}

static struct counting *
counting_of(struct duck_question *ask)
{
	return ask->callback_ctx;
}

static void
place_column(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)source;
	(void)unit;
	(void)place;
	const struct counting *c = counting_of(ask);
	const struct table_def *def = &table_defs[c->id];
	buf_printf(&ask->sql.text, "(%s - ", def->cols[def->time_col].name);
	duck_sql_u64(&ask->sql, c->first);
	buf_str(&ask->sql.text, STR(") // "));
	duck_sql_u64(&ask->sql, c->width);
	buf_str(&ask->sql.text, STR(" AS b"));
}

static enum err_code
count_chosen(struct counting *c, const struct duck_units *u, const unsigned char *chosen,
    struct err *err)
{
	struct duck_question *ask = c->ask;
	struct taking t = {.buckets = &ask->result->rows};
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT b, count(*)::UBIGINT FROM ("));
	if (!duck_units_put(ask, &c->q, u, chosen, place_column))
		return ERR_OK;
	buf_str(&ask->sql.text, STR(") GROUP BY b"));
	enum err_code code = duck_read_chunks(ask->d, ask->view.con, &ask->sql,
	    ask->q->deadline_mono_ns, take_counts, &t, err);
	if (code == ERR_OK && t.wrong)
		code = err_set(err, ERR_UNAVAILABLE, "a commit fell into the question");
	return code;
}

static enum err_code
count_rows(struct counting *c, uint64_t first, uint64_t last, struct err *err)
{
	struct duck_question *ask = c->ask;
	struct duck_units u;
	enum err_code code = ERR_OK;
	duck_units_find(ask, c->id, first, last, &u);
	unsigned char *chosen = xcalloc(u.count + 1, 1);
	for (size_t at = 0, end; at < u.count && code == ERR_OK; at = end) {
		code = duck_units_choose(ask, &u, at, u.count, chosen, &end, err);
		if (code == ERR_OK)
			code = count_chosen(c, &u, chosen, err);
	}
	free(chosen);
	duck_units_fini(&u);
	return code;
}

enum err_code
duck_counts_answer(struct duck_question *ask, struct err *err)
{
	struct counting c = {.ask = ask, .q = *ask->q};
	uint64_t first, last;
	bool any;
	c.q.kind = ask->q->counted;
	if (c.q.kind == STORE_TRACES)
		return duck_traces_count(ask, err);
	c.id = c.q.kind == STORE_SPANS ? TABLE_SPANS
	    : c.q.kind == STORE_LOGS   ? TABLE_LOGS
	                               : TABLE_POINTS;
	if (c.q.to_ns == 0)
		return ERR_OK;
	ask->id = c.id;
	ask->callback_ctx = &c;
	enum err_code code = find_bounds(&c, &first, &last, &any, err);
	if (code == ERR_OK && any) {
		if (!store_buckets_init(&ask->result->rows, first, last, ask->q->bucket_count))
			return err_set(err, ERR_TOO_LARGE,
			    "the buckets do not fit the memory of one query");
		c.first = first;
		c.width = table_u64(&ask->result->rows, 0, BUCKET_TO_NS) - first;
		c.q.from_ns = first;
		c.q.to_ns = last == UINT64_MAX ? UINT64_MAX : last + 1;
		code = count_rows(&c, first, last, err);
	}
	ask->id = TABLE_BUCKETS;
	return code;
}
