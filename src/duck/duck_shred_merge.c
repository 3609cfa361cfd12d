/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reverse of duck_shred.c. What comes may not be what went (a damaged table, somebody's SQL):
 * an order that is no order of these members is not followed, a rest that is no map is left out
 * beside columns, as is a shared value without a code or a value.
 */
#include "duck/duck_shred_priv.h"

#include "base/utf8.h"
#include "duck/duck_json.h"
#include "model/typed.h"

#include <stdlib.h>

enum { MERGE_NEAR = 96, MERGE_MAX = SHRED_MEMBERS_MAX + SHRED_COLUMNS };

struct merge {
	const struct shred_value *values;
	const struct shred_column *columns;
	struct shred_member *m, near[MERGE_NEAR];
	size_t count, cap;
};

static bool
add(struct merge *g, struct str key, struct str value, int column)
{
	if (g->count == g->cap) {
		/* Once at most, and rare. */
		if (g->cap == MERGE_MAX)
			return false;
		struct shred_member *far = xcalloc(MERGE_MAX, sizeof(*far));
		memcpy(far, g->m, g->count * sizeof(*far));
		g->m = far;
		g->cap = MERGE_MAX;
	}
	struct shred_member *m = &g->m[g->count++];
	m->head = shred_key_head(key);
	m->key = key;
	m->value = value;
	m->column = column;
	m->taken = false;
	return true;
}

/* The members of the rest. Only a rest that was taken apart is put together again. */
static void
add_rest(struct merge *g, struct str rest)
{
	size_t before = g->count;
	struct duck_json j = duck_json_begin(rest);
	struct duck_json_member m;
	bool room = true;
	while (room && duck_json_member(&j, &m))
		room = add(g, m.key, m.value, SHRED_NOT_A_COLUMN);
	if (!room || !duck_json_end(&j))
		g->count = before;
}

/* The place a character of the order stands for; SIZE_MAX for none. */
static size_t
place_of(struct str *order)
{
	uint32_t cp;
	if (order->len == 0)
		return SIZE_MAX;
	*order = str_skip(*order, utf8_get(*order, &cp));
	return cp < SHRED_ORDER_FIRST ? SIZE_MAX : cp - SHRED_ORDER_FIRST;
}

/* The places of g->m in the order of the text that was; false when `order` is no order of them. */
static bool
follow(struct merge *g, struct str order, const uint32_t *sorted, uint32_t *out)
{
	if (order.len < g->count || order.len > 4 * g->count || !utf8_valid(order))
		return false;
	for (size_t i = 0; i < g->count; i++) {
		size_t place = place_of(&order);
		if (place >= g->count || g->m[sorted[place]].taken)
			return false;
		g->m[sorted[place]].taken = true;
		out[i] = sorted[place];
	}
	return order.len == 0;
}

/* False: too many members. */
static bool
add_value(struct merge *g, size_t i)
{
	const struct shred_column *c = &g->columns[i];
	if (c->type != SHRED_SHARED)
		return add(g, c->key, STR_EMPTY, (int)i);
	struct str text = g->values[i].text;
	size_t code =
	    text.len > 1 ? (unsigned char)text.ptr[0] - (size_t)SHRED_CODE_FIRST : SIZE_MAX;
	if (code >= c->key_count || !duck_json_is_value(str_skip(text, 1)))
		return true;
	return add(g, c->keys[code], str_skip(text, 1), SHRED_NOT_A_COLUMN);
}

static void
put_value(const struct shred_column *c, const struct shred_value *v, struct buf *out)
{
	switch (c->type) {
	case SHRED_TEXT: typed_put_string(out, v->text); return;
	case SHRED_INT: buf_i64(out, v->i64); return;
	case SHRED_DOUBLE: typed_put_double(out, v->f64); return;
	case SHRED_BOOL: buf_str(out, v->boolean ? STR("true") : STR("false")); return;
	case SHRED_SHARED: /* add_value() */
	case SHRED_TYPES: break;
	}
	CHECK(false);
}

static void
put_members(const struct merge *g, const uint32_t *places, struct buf *out)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct shred_member *m = &g->m[places[i]];
		char *p = buf_reserve(out, m->key.len + 4);
		if (!p)
			return;
		p[0] = i == 0 ? '{' : ',';
		p[1] = '"';
		if (m->key.len > 0)
			memcpy(p + 2, m->key.ptr, m->key.len);
		memcpy(p + 2 + m->key.len, "\":", 2);
		out->len += m->key.len + 4;
		if (m->column == SHRED_NOT_A_COLUMN)
			buf_str(out, m->value);
		else
			put_value(&g->columns[m->column], &g->values[m->column], out);
	}
	buf_char(out, '}');
}

void
shred_merge(const struct shred_column *columns, const struct shred_value *values, size_t count,
    struct str rest, struct str order, struct buf *out)
{
	struct merge g;
	uint32_t near[3 * MERGE_NEAR], *far = NULL;
	CHECK(count <= SHRED_COLUMNS);
	g.columns = columns;
	g.values = values;
	g.m = g.near;
	g.count = 0;
	g.cap = MERGE_NEAR;
	for (size_t i = 0; i < count; i++)
		if (values[i].set && !add_value(&g, i))
			break;
	if (g.count == 0) {
		buf_str(out, rest);
		return;
	}
	if (rest.ptr)
		add_rest(&g, rest);
	if (g.m != g.near)
		far = xcalloc(3 * g.cap, sizeof(*far));
	uint32_t *sorted = far ? far : near, *ordered = sorted + g.cap, *scratch = ordered + g.cap;
	shred_sort(g.m, sorted, scratch, g.count);
	bool other = order.ptr && follow(&g, order, sorted, ordered);
	put_members(&g, other ? ordered : sorted, out);
	free(far);
	if (g.m != g.near)
		free(g.m);
}
