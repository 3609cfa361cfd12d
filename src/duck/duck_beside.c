/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces in which some span meets other conditions (store_query.beside), as a set of their ids: of all there are, or of
 * some. duck_search.c says when it asks for which.
 */
#include "duck/duck_query_priv.h"

#include "base/hash.h"

#include <stdlib.h>

enum { SLOTS_FIRST = 4096, SET_BYTES_MAX = 256 << 20 };

struct trace_id {
	uint64_t hi, lo; /* both 0: an empty slot, for no trace has that id */
};

struct duck_beside {
	struct trace_id *slots;
	size_t cap, count;
	size_t cap_max;
};

static struct trace_id *
slot_of(struct trace_id *slots, size_t cap, struct trace_id id)
{
	size_t at = (size_t)hash_keyed_u128(id.hi, id.lo) & (cap - 1);
	while ((slots[at].hi | slots[at].lo) != 0 &&
	    (slots[at].hi != id.hi || slots[at].lo != id.lo))
		at = (at + 1) & (cap - 1);
	return &slots[at];
}

static bool
grow(struct duck_beside *set)
{
	size_t cap = set->cap ? 2 * set->cap : SLOTS_FIRST;
	if (cap > set->cap_max)
		return false;
	struct trace_id *slots = xcalloc(cap, sizeof(*slots));
	for (size_t i = 0; i < set->cap; i++)
		if ((set->slots[i].hi | set->slots[i].lo) != 0)
			*slot_of(slots, cap, set->slots[i]) = set->slots[i];
	free(set->slots);
	set->slots = slots;
	set->cap = cap;
	return true;
}

static bool
add(struct duck_beside *set, struct trace_id id)
{
	if (2 * (set->count + 1) > set->cap && !grow(set))
		return false;
	struct trace_id *slot = slot_of(set->slots, set->cap, id);
	set->count += (slot->hi | slot->lo) == 0;
	*slot = id;
	return true;
}

bool
duck_beside_has(const struct duck_beside *set, uint64_t hi, uint64_t lo)
{
	const struct trace_id id = {hi, lo};
	if (set->cap == 0)
		return false;
	const struct trace_id *slot = slot_of(set->slots, set->cap, id);
	return slot->hi == hi && slot->lo == lo;
}

void
duck_beside_free(struct duck_beside *set)
{
	if (set)
		free(set->slots);
	free(set);
}

/* ---- which traces */

static void
id_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)source;
	(void)unit;
	(void)place;
	buf_str(&ask->sql.text, STR("trace_hi, trace_lo"));
}

/* In a seal the spans of a trace stand together. */
static enum err_code
take_ids(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct duck_beside *set = ctx;
	const uint64_t *hi = duck_chunk_column(chunk, 0), *lo = duck_chunk_column(chunk, 1);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		if ((i > 0 && hi[i] == hi[i - 1] && lo[i] == lo[i - 1]) || (hi[i] | lo[i]) == 0)
			continue;
		if (!add(set, (struct trace_id){hi[i], lo[i]}))
			return err_set(err, ERR_TOO_LARGE,
			    "too many traces have such a span: ask about a shorter time");
	}
	return ERR_OK;
}

static enum err_code
find_traces(struct duck_question *ask, struct duck_beside *set, struct err *err)
{
	const struct store_query *q = ask->q;
	struct duck_units u;
	enum err_code code = ERR_OK;
	if (q->to_ns == 0 || q->from_ns >= q->to_ns)
		return ERR_OK;
	for (size_t i = 0; i < q->attr_count && code == ERR_OK; i++)
		code = duck_where_dicts(ask, i, err);
	duck_units_find(ask, TABLE_SPANS, q->from_ns,
	    q->to_ns == UINT64_MAX ? UINT64_MAX : q->to_ns - 1, &u);
	unsigned char *chosen = xcalloc(u.count + 1, 1);
	for (size_t at = 0, end; at < u.count && code == ERR_OK; at = end) {
		code = duck_units_choose(ask, &u, at, u.count, chosen, &end, err);
		duck_sql_reset(&ask->sql);
		if (code == ERR_OK && duck_units_put(ask, q, &u, chosen, id_columns))
			code = duck_read_chunks(ask->d, ask->view.con, &ask->sql,
			    q->deadline_mono_ns, take_ids, set, err);
	}
	free(chosen);
	duck_units_fini(&u);
	return code;
}

static struct duck_pick *
pick_traces(struct duck_question *ask, const struct duck_key *keys, size_t count)
{
	struct duck_pick *pick = duck_pick_begin(&ask->d->picks, DUCK_PICK_TRACES, count);
	for (size_t i = 0; i < count; i++)
		duck_pick_add(pick, keys[i].trace_hi, keys[i].trace_lo, keys[i].trace_lo);
	return pick;
}

enum err_code
duck_beside_find(struct duck_question *ask, const struct duck_key *keys, size_t key_count,
    struct duck_beside **out, struct err *err)
{
	const struct store_query *asked = ask->q;
	struct store_query q = *asked->beside;
	struct duck_ids kept[STORE_ATTRS_MAX]; /* what the question's own attributes need */
	struct duck_pick *pick = keys ? pick_traces(ask, keys, key_count) : NULL;
	size_t bytes_max = ask->result->arena->bytes_max;
	if (bytes_max == 0 || bytes_max > SET_BYTES_MAX)
		bytes_max = SET_BYTES_MAX;
	*out = xcalloc(1, sizeof(**out));
	(*out)->cap_max = bytes_max / sizeof(struct trace_id);
	q.kind = STORE_SPANS;
	q.tenant = asked->tenant;
	q.deadline_mono_ns = asked->deadline_mono_ns;
	q.after = (struct store_cursor){0};
	memcpy(kept, ask->ids, sizeof(kept));
	memset(ask->ids, 0, sizeof(ask->ids));
	ask->q = &q;
	ask->pick = pick;
	enum err_code code = find_traces(ask, *out, err);
	ask->pick = NULL;
	ask->q = asked;
	for (size_t i = 0; i < STORE_ATTRS_MAX; i++)
		buf_fini(&ask->ids[i].list);
	memcpy(ask->ids, kept, sizeof(kept));
	duck_pick_end(pick);
	return code;
}
