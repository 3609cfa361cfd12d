/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row is taken apart in one pass over its text: members are listed, each key is looked up in the
 * plan, and its value read if it has its typed column's type, or copied behind its code if its shared
 * column is free. Only the first of equal keys may go
 * to a column, for it is the one that counts in a search. When none did, the whole text is the
 * rest; otherwise the members are sorted, those that are left are the rest, in sorted order, and
 * when sorting moved any the order says where each member of the text stands in the sorted list.
 *
 * The order is text: place p is the character U+0021 + p, one byte for the first 95.
 */
#include "duck/duck_shred.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "duck/duck_json.h"
#include "duck/duck_shred_priv.h"

_Static_assert(SHRED_COLUMNS <= 32, "a mask of columns is 32 bits");
_Static_assert((int)SHRED_ORDER_FIRST + (int)SHRED_MEMBERS_MAX < 0xD800,
    "an order has no surrogates");

/* ---- plan */

_Static_assert((int)SHRED_CODE_FIRST + (int)SHRED_CODES <= 0x7F, "a code is one byte");

static inline size_t
slot_of(const struct shred_plan *p, struct str key)
{
	return (size_t)hash_keyed_str(key, 0) & (ARRAY_LEN(p->slots) - 1);
}

static size_t
find_slot(const struct shred_plan *p, struct str key)
{
	size_t at = slot_of(p, key);
	while (p->slots[at] && !str_eq(p->keys[p->slots[at] - 1].key, key))
		at = (at + 1) & (ARRAY_LEN(p->slots) - 1);
	return at;
}

void
shred_plan_fini(struct shred_plan *p)
{
	if (!p)
		return;
	arena_fini(&p->arena);
	*p = (struct shred_plan){0};
}

/* NULL ptr: it may not, or there is no memory. */
static struct str
add_key(struct shred_plan *p, struct str key, unsigned column, unsigned code)
{
	_Static_assert(SHRED_KEYS < ARRAY_LEN(p->slots), "there is always a free slot");
	if (p->key_count == SHRED_KEYS || key.len > SHRED_KEY_BYTES_MAX ||
	    !duck_json_raw_is_ours(key) || !utf8_valid(key))
		return STR_EMPTY;
	size_t slot = find_slot(p, key);
	if (p->slots[slot])
		return STR_EMPTY;
	struct str copy = arena_str(&p->arena, key);
	if (!copy.ptr)
		return STR_EMPTY;
	p->keys[p->key_count] =
	    (struct shred_key){copy, (unsigned char)column, (unsigned char)code};
	p->slots[slot] = (uint16_t)++p->key_count;
	return copy;
}

bool
shred_plan_add(struct shred_plan *p, struct str key, enum shred_type type)
{
	CHECK(type < SHRED_SHARED);
	if (p->count == SHRED_COLUMNS)
		return false;
	struct str copy = add_key(p, key, p->count, 0);
	if (!copy.ptr)
		return false;
	p->columns[p->count] = (struct shred_column){.number = p->count, .type = type, .key = copy};
	p->count++;
	return true;
}

bool
shred_plan_add_shared(struct shred_plan *p, unsigned number, struct str key)
{
	bool is_new = number == p->count;
	if (number > p->count || number >= SHRED_COLUMNS)
		return false;
	struct shred_column *c = &p->columns[number];
	if (is_new)
		*c = (struct shred_column){.number = number,
		    .type = SHRED_SHARED,
		    .keys = arena_array(&p->arena, SHRED_CODES, sizeof(*c->keys))};
	if (c->type != SHRED_SHARED || !c->keys || c->key_count == SHRED_CODES ||
	    p->key_count - (p->count - p->shared_count) >= SHRED_SHARED_KEYS)
		return false;
	struct str copy = add_key(p, key, number, c->key_count);
	if (!copy.ptr)
		return false;
	c->keys[c->key_count++] = copy;
	p->count += is_new;
	p->shared_count += is_new;
	return true;
}

bool
shred_plan_copy(struct shred_plan *p, const struct shred_plan *from)
{
	bool good = p->count == 0;
	for (unsigned i = 0; i < from->key_count && good; i++) {
		const struct shred_key *k = &from->keys[i];
		enum shred_type type = from->columns[k->column].type;
		good = type == SHRED_SHARED ? shred_plan_add_shared(p, k->column, k->key)
		                            : shred_plan_add(p, k->key, type);
	}
	return good;
}

const struct shred_key *
shred_plan_find(const struct shred_plan *p, struct str key)
{
	if (key.len > SHRED_KEY_BYTES_MAX)
		return NULL;
	unsigned place = p->slots[find_slot(p, key)];
	return place ? &p->keys[place - 1] : NULL;
}

uint32_t
shred_plan_columns_of(const struct shred_plan *p, struct str json)
{
	struct duck_json j = duck_json_begin(json);
	struct duck_json_member m;
	uint32_t columns = 0;
	while (duck_json_member(&j, &m)) {
		const struct shred_key *k = shred_plan_find(p, m.key);
		if (k)
			columns |= UINT32_C(1) << k->column;
	}
	return columns;
}

/* ---- taking apart */

struct list {
	struct shred_member *m, near[SHRED_MEMBERS_NEAR];
	size_t count, cap;
	struct arena *arena;
};

static bool
list_grow(struct list *l)
{
	struct shred_member *m = arena_array(l->arena, l->cap * 2, sizeof(*m));
	if (!m)
		return false;
	memcpy(m, l->m, l->count * sizeof(*m));
	l->m = m;
	l->cap *= 2;
	return true;
}

enum listing { LIST_MAP, LIST_NO_MAP, LIST_SPENT };

static enum listing
list_members(struct list *l, struct str json)
{
	struct duck_json j = duck_json_begin(json);
	struct duck_json_member m;
	while (duck_json_member(&j, &m)) {
		if (l->count == SHRED_MEMBERS_MAX)
			return LIST_NO_MAP;
		if (l->count == l->cap && !list_grow(l))
			return LIST_SPENT;
		struct shred_member *new = &l->m[l->count++];
		new->key = m.key;
		new->value = m.value;
		new->plain = m.plain;
		new->column = SHRED_NOT_A_COLUMN;
	}
	return duck_json_end(&j) ? LIST_MAP : LIST_NO_MAP;
}

/* Read the value into its column, if it can be; false when the arena is spent. */
static bool
take_column(struct shred_member *m, const struct shred_column *c, struct arena *arena,
    struct shred_row *out)
{
	char *unescaped = NULL;
	struct shred_value v = {.set = true};
	if (m->plain && c->type == SHRED_TEXT) {
		v.text = str_of(m->value.ptr + 1, m->value.len - 2);
		out->values[c->number] = v;
		m->column = (int)c->number;
		return true;
	}
	if (shred_value_type(m->value) != c->type)
		return true;
	if (c->type == SHRED_TEXT && memchr(m->value.ptr, '\\', m->value.len)) {
		unescaped = arena_alloc(arena, m->value.len);
		if (!unescaped)
			return false;
	}
	if (!shred_value_read(m->value, c->type, unescaped, &v))
		return true;
	out->values[c->number] = v;
	m->column = (int)c->number;
	return true;
}

/* The value with the key's code before it, unless it is too long or the column is taken. */
static bool
take_shared(struct shred_member *m, const struct shred_column *c, unsigned code,
    struct arena *arena, struct shred_row *out)
{
	struct shred_value *v = &out->values[c->number];
	if (v->set || m->value.len > SHRED_SHARED_BYTES_MAX)
		return true;
	/* A search compares strings as they are written: only such as there is one way to write. */
	if (!m->plain && m->value.ptr[0] == '"' &&
	    !duck_json_raw_is_ours(str_of(m->value.ptr + 1, m->value.len - 2)))
		return true;
	char *text = arena_alloc(arena, m->value.len + 1);
	if (!text)
		return false;
	text[0] = (char)(SHRED_CODE_FIRST + code);
	memcpy(text + 1, m->value.ptr, m->value.len);
	v->set = true;
	v->text = str_of(text, m->value.len + 1);
	m->column = (int)c->number;
	return true;
}

static bool
take_columns(const struct shred_plan *p, uint32_t live, struct list *l, struct shred_row *out,
    size_t *left_out)
{
	uint64_t seen[(SHRED_KEYS + 63) / 64] = {0};
	*left_out = l->count;
	for (size_t i = 0; i < l->count; i++) {
		const struct shred_key *k = shred_plan_find(p, l->m[i].key);
		if (!k || !(live & UINT32_C(1) << k->column))
			continue;
		size_t place = (size_t)(k - p->keys);
		if (seen[place / 64] & UINT64_C(1) << place % 64)
			continue;
		seen[place / 64] |= UINT64_C(1) << place % 64;
		const struct shred_column *c = &p->columns[k->column];
		bool room = c->type == SHRED_SHARED
		    ? take_shared(&l->m[i], c, k->code, l->arena, out)
		    : take_column(&l->m[i], c, l->arena, out);
		if (!room)
			return false;
		*left_out -= l->m[i].column != SHRED_NOT_A_COLUMN;
	}
	return true;
}

static bool
put_rest(const struct list *l, const uint32_t *sorted, struct str *out)
{
	size_t bytes = 1, len = 0;
	for (size_t i = 0; i < l->count; i++)
		if (l->m[i].column == SHRED_NOT_A_COLUMN)
			bytes += l->m[i].key.len + l->m[i].value.len + 4;
	char *text = arena_alloc(l->arena, bytes);
	if (!text)
		return false;
	for (size_t i = 0; i < l->count; i++) {
		const struct shred_member *m = &l->m[sorted[i]];
		if (m->column != SHRED_NOT_A_COLUMN)
			continue;
		text[len] = len == 0 ? '{' : ',';
		text[len + 1] = '"';
		memcpy(text + len + 2, m->key.ptr, m->key.len);
		len += 2 + m->key.len;
		text[len] = '"';
		text[len + 1] = ':';
		memcpy(text + len + 2, m->value.ptr, m->value.len);
		len += 2 + m->value.len;
	}
	text[len++] = '}';
	CHECK(len == bytes);
	*out = str_of(text, len);
	return true;
}

/* `place` has a free place for each member. */
static bool
put_order(const struct list *l, const uint32_t *sorted, uint32_t *place, struct str *out)
{
	size_t len = 0;
	char *text = arena_alloc(l->arena, l->count * 4);
	if (!text)
		return false;
	for (size_t i = 0; i < l->count; i++)
		place[sorted[i]] = (uint32_t)i;
	for (size_t i = 0; i < l->count; i++)
		len += utf8_put(SHRED_ORDER_FIRST + place[i], text + len);
	*out = str_of(text, len);
	return true;
}

/* Some went to columns: what is left, and in which order they came. */
static bool
put_others(struct list *l, size_t left, struct shred_row *out)
{
	uint32_t near[2 * SHRED_MEMBERS_NEAR], *places = near;
	if (l->count > SHRED_MEMBERS_NEAR)
		places = arena_array(l->arena, l->count * 2, sizeof(*places));
	if (!places)
		return false;
	for (size_t i = 0; i < l->count; i++)
		l->m[i].head = shred_key_head(l->m[i].key);
	out->rest = STR_EMPTY;
	if (shred_sort(l->m, places, places + l->count, l->count) &&
	    !put_order(l, places, places + l->count, &out->order))
		return false;
	return left == 0 || put_rest(l, places, &out->rest);
}

/* All of the text stays: those of its members that a search would find. */
static void
leave_all(struct str json, void (*left)(void *ctx, struct str key, struct str value), void *ctx)
{
	struct duck_json j = duck_json_begin(json);
	struct duck_json_member m;
	while (left && duck_json_member(&j, &m))
		left(ctx, m.key, m.value);
}

bool
shred_split(const struct shred_plan *p, uint32_t live, struct str json, struct arena *arena,
    struct shred_row *out, void (*left)(void *ctx, struct str key, struct str value), void *ctx)
{
	struct list l;
	size_t left_count;
	l.m = l.near;
	l.count = 0;
	l.cap = ARRAY_LEN(l.near);
	l.arena = arena;
	for (unsigned i = 0; i < p->count; i++)
		out->values[i].set = false;
	out->rest = json;
	out->order = STR_EMPTY;
	enum listing listing = p->count > 0 && live ? list_members(&l, json) : LIST_NO_MAP;
	if (listing == LIST_NO_MAP)
		leave_all(json, left, ctx);
	if (listing != LIST_MAP)
		return listing == LIST_NO_MAP;
	if (!take_columns(p, live, &l, out, &left_count))
		return false;
	for (size_t i = 0; left && left_count > 0 && i < l.count; i++)
		if (l.m[i].column == SHRED_NOT_A_COLUMN)
			left(ctx, l.m[i].key, l.m[i].value);
	return left_count == l.count || put_others(&l, left_count, out);
}
