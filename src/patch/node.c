/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/bits.h"
#include "base/hash.h"
#include "patch/patch_priv.h"

#include <inttypes.h>
#include <stdlib.h>

/* Up to this many names are found by looking at each. */
enum { KEYS_WITHOUT_INDEX = 12 };

/* ---- memory */

/* What malloc() adds, about. */
static size_t
charge_of(size_t n)
{
	return ((n + 15) & ~(size_t)15) + 16;
}

static bool
pool_charge(struct patch_pool *p, size_t n)
{
	size_t charge = charge_of(n);
	if (p->bytes_max && (charge > p->bytes_max || p->used > p->bytes_max - charge))
		return false;
	p->used += charge;
	return true;
}

static void
pool_refund(struct patch_pool *p, size_t n)
{
	CHECK(p->used >= charge_of(n));
	p->used -= charge_of(n);
}

static void *
pool_alloc(struct patch_pool *p, size_t n)
{
	return pool_charge(p, n) ? xrealloc(NULL, n) : NULL;
}

static void
pool_free(struct patch_pool *p, void *ptr, size_t n)
{
	if (!ptr)
		return;
	pool_refund(p, n);
	free(ptr);
}

/* Makes room for one more of `size` bytes each. */
static bool
pool_grow(struct patch_pool *p, void **list, uint32_t *cap, size_t size)
{
	if (*cap >= UINT32_MAX / 2)
		return false;
	uint32_t wanted = *cap ? *cap + *cap / 2 + 1 : 4;
	if (!pool_charge(p, wanted * size))
		return false;
	if (*list)
		pool_refund(p, *cap * size);
	*list = xrealloc(*list, wanted * size);
	*cap = wanted;
	return true;
}

enum err_code
pool_error(const struct patch_pool *p, struct err *err)
{
	if (p->steps > p->steps_max)
		return err_set(err, ERR_TOO_LARGE, "it takes more than %" PRIu64 " steps",
		    p->steps_max);
	return err_set(err, ERR_TOO_LARGE, "it takes more than %zu bytes of memory", p->bytes_max);
}

/* ---- names */

uint32_t
node_hash(struct str name)
{
	return (uint32_t)hash_u64(name);
}

static void
keys_drop(struct patch_pool *p, struct node_keys *k)
{
	if (!k || --k->refs > 0)
		return;
	for (uint32_t i = 0; i < k->len; i++)
		node_drop(p, k->list[i].name);
	pool_free(p, k->list, k->cap * sizeof(*k->list));
	pool_free(p, k->index, k->index_cap * sizeof(*k->index));
	pool_free(p, k, sizeof(*k));
}

static struct node_keys *
keys_new(struct patch_pool *p)
{
	struct node_keys *k = pool_alloc(p, sizeof(*k));
	if (k)
		*k = (struct node_keys){.refs = 1};
	return k;
}

/* Names may be chosen so that all of them begin at one place: each look is a step. */
static void
index_put(struct patch_pool *p, struct node_keys *k, uint32_t at)
{
	uint32_t mask = k->index_cap - 1, i = k->list[at].hash & mask;
	for (; k->index[i]; p->steps++)
		i = (i + 1) & mask;
	k->index[i] = at + 1;
}

/* All names, into an index that is empty. False: it is enough; the index has not got all of them. */
static bool
index_fill(struct patch_pool *p, struct node_keys *k)
{
	for (uint32_t i = 0; i < k->len; i++) {
		if (!pool_step(p, 1))
			return false;
		index_put(p, k, i);
	}
	return true;
}

/* Anew, of all names, with room for as many again. */
static bool
index_build(struct patch_pool *p, struct node_keys *k, uint32_t wanted)
{
	uint32_t *index = pool_alloc(p, wanted * sizeof(*index));
	if (!index)
		return false;
	pool_free(p, k->index, k->index_cap * sizeof(*k->index));
	memset(index, 0, wanted * sizeof(*index));
	k->index = index;
	k->index_cap = wanted;
	return index_fill(p, k);
}

static struct node_keys *
keys_clone(struct patch_pool *p, const struct node_keys *from)
{
	struct node_keys *k = keys_new(p);
	if (!k)
		return NULL;
	uint32_t cap = from->len + 1;
	k->list = pool_alloc(p, cap * sizeof(*k->list));
	if (!k->list) {
		keys_drop(p, k);
		return NULL;
	}
	k->cap = cap;
	for (uint32_t i = 0; i < from->len; i++) {
		node_hold(from->list[i].name);
		k->list[i] = from->list[i];
	}
	k->len = from->len;
	if (from->index_cap && !index_build(p, k, from->index_cap)) {
		keys_drop(p, k);
		return NULL;
	}
	return k;
}

static bool
keys_own(struct patch_pool *p, struct node_group *g)
{
	if (g->keys->refs == 1)
		return true;
	struct node_keys *mine = pool_step(p, g->len) ? keys_clone(p, g->keys) : NULL;
	if (!mine)
		return false;
	keys_drop(p, g->keys);
	g->keys = mine;
	return true;
}

static bool
keys_append(struct patch_pool *p, struct node_keys *k, struct node *name)
{
	if (k->len == k->cap && !pool_grow(p, (void **)&k->list, &k->cap, sizeof(*k->list)))
		return false;
	bool index = k->len >= KEYS_WITHOUT_INDEX;
	if (index && k->len + 1 > k->index_cap / 2) {
		uint32_t wanted = k->index_cap ? k->index_cap * 2 : 64;
		if (wanted > UINT32_MAX / 4 || !index_build(p, k, wanted))
			return false;
	}
	k->list[k->len] = (struct node_key){name, node_hash(node_str(name))};
	k->len++;
	if (index)
		index_put(p, k, k->len - 1);
	return true;
}

static bool
keys_remove(struct patch_pool *p, struct node_keys *k, uint32_t at)
{
	if (!pool_step(p, 1))
		return false;
	node_drop(p, k->list[at].name);
	memmove(k->list + at, k->list + at + 1, (k->len - at - 1) * sizeof(*k->list));
	k->len--;
	if (k->index_cap && k->len <= KEYS_WITHOUT_INDEX) {
		pool_free(p, k->index, k->index_cap * sizeof(*k->index));
		k->index = NULL;
		k->index_cap = 0;
	} else if (k->index_cap) {
		memset(k->index, 0, k->index_cap * sizeof(*k->index));
		return index_fill(p, k);
	}
	return true;
}

uint32_t
node_find(struct patch_pool *p, const struct node_group *g, struct str name)
{
	const struct node_keys *k = g->keys;
	uint32_t hash = k->len > 0 ? node_hash(name) : 0;
	if (!k->index_cap) {
		p->steps += k->len;
		for (uint32_t i = 0; i < k->len; i++)
			if (k->list[i].hash == hash && str_eq(node_str(k->list[i].name), name))
				return i;
		return NODE_NOT_FOUND;
	}
	uint32_t mask = k->index_cap - 1;
	for (uint32_t i = hash & mask; k->index[i]; i = (i + 1) & mask) {
		uint32_t at = k->index[i] - 1;
		if (k->list[at].hash == hash && str_eq(node_str(k->list[at].name), name))
			return at;
		p->steps++;
	}
	return NODE_NOT_FOUND;
}

/* ---- nodes */

static struct node constants[] = {
    {UINT32_MAX, NODE_NULL}, {UINT32_MAX, NODE_FALSE}, {UINT32_MAX, NODE_TRUE}};

struct node *
node_constant(enum node_kind kind)
{
	CHECK(kind <= NODE_TRUE);
	return &constants[kind];
}

struct node *
node_text_new(struct patch_pool *p, enum node_kind kind, struct str text)
{
	struct node_text *t = text.len < UINT32_MAX ? pool_alloc(p, sizeof(*t) + text.len) : NULL;
	if (!t)
		return NULL;
	t->node = (struct node){1, kind};
	t->len = (uint32_t)text.len;
	if (text.len)
		memcpy(t->bytes, text.ptr, text.len);
	return &t->node;
}

struct node *
node_group_new(struct patch_pool *p, enum node_kind kind)
{
	struct node_keys *keys = kind == NODE_OBJECT ? keys_new(p) : NULL;
	struct node_group *g = kind == NODE_ARRAY || keys ? pool_alloc(p, sizeof(*g)) : NULL;
	if (!g) {
		keys_drop(p, keys);
		return NULL;
	}
	*g = (struct node_group){.node = {1, kind}, .keys = keys};
	return &g->node;
}

struct node *
node_hold(struct node *n)
{
	if (n->kind > NODE_TRUE) {
		CHECK(n->refs < UINT32_MAX - 1);
		n->refs++;
	}
	return n;
}

static void
free_group(struct patch_pool *p, struct node_group *g)
{
	keys_drop(p, g->keys);
	pool_free(p, g->items, g->cap * sizeof(struct node *));
	pool_free(p, g, sizeof(*g));
}

/* True: it was the last holder of a group, whose children are to be dropped. */
static bool
let_go(struct patch_pool *p, struct node *n)
{
	if (n->kind <= NODE_TRUE || --n->refs > 0)
		return false;
	if (node_is_group(n))
		return true;
	pool_free(p, n, sizeof(struct node_text) + node_str(n).len);
	return false;
}

void
node_drop(struct patch_pool *p, struct node *n)
{
	struct node_group *open[NODE_DEPTH_MAX];
	size_t depth = 0;
	if (!n || !let_go(p, n))
		return;
	open[depth++] = node_group(n);
	while (depth > 0) {
		struct node_group *g = open[depth - 1];
		if (g->len == 0) {
			free_group(p, g);
			depth--;
			continue;
		}
		struct node *child = g->items[--g->len];
		if (let_go(p, child)) {
			CHECK(depth < NODE_DEPTH_MAX);
			open[depth++] = node_group(child);
		}
	}
}

bool
node_own(struct patch_pool *p, struct node **n)
{
	const struct node_group *from = node_group(*n);
	if ((*n)->refs == 1)
		return true;
	if (!pool_step(p, from->len))
		return false;
	struct node_group *g = pool_alloc(p, sizeof(*g));
	/* One more, for what is often a value that is added. */
	uint32_t cap = from->len + 1;
	struct node **items = g ? pool_alloc(p, cap * sizeof(*items)) : NULL;
	if (!items) {
		pool_free(p, g, sizeof(*g));
		return false;
	}
	*g = (struct node_group){{1, from->node.kind}, from->len, cap, items, from->keys};
	for (uint32_t i = 0; i < from->len; i++)
		items[i] = node_hold(from->items[i]);
	if (g->keys)
		g->keys->refs++;
	node_drop(p, *n);
	*n = &g->node;
	return true;
}

static bool
put_item(struct patch_pool *p, struct node_group *g, uint32_t at, struct node *value)
{
	CHECK(g->node.refs == 1);
	CHECK(at <= g->len);
	bool room = value && pool_step(p, 1 + (g->len - at) / 4) &&
	    (g->len < g->cap || pool_grow(p, (void **)&g->items, &g->cap, sizeof(*g->items)));
	if (!room)
		return false;
	memmove(g->items + at + 1, g->items + at, (g->len - at) * sizeof(*g->items));
	g->items[at] = value;
	g->len++;
	return true;
}

bool
node_insert(struct patch_pool *p, struct node_group *g, uint32_t at, struct node *value)
{
	CHECK(!g->keys);
	if (put_item(p, g, at, value))
		return true;
	node_drop(p, value);
	return false;
}

bool
node_append(struct patch_pool *p, struct node_group *g, struct node *name, struct node *value)
{
	CHECK(g->keys && g->keys->len == g->len);
	bool good = name && value && keys_own(p, g) && put_item(p, g, g->len, value);
	if (!good) {
		node_drop(p, name);
		node_drop(p, value);
		return false;
	}
	if (keys_append(p, g->keys, name))
		return true;
	g->len--;
	node_drop(p, name);
	node_drop(p, value);
	return false;
}

struct node *
node_take(struct patch_pool *p, struct node_group *g, uint32_t at)
{
	CHECK(g->node.refs == 1);
	CHECK(at < g->len);
	if (!pool_step(p, 1 + (g->len - at) / 4))
		return NULL;
	if (g->keys && (!keys_own(p, g) || !keys_remove(p, g->keys, at)))
		return NULL;
	struct node *value = g->items[at];
	memmove(g->items + at, g->items + at + 1, (g->len - at - 1) * sizeof(*g->items));
	g->len--;
	return value;
}

unsigned
node_height(struct patch_pool *p, const struct node *n)
{
	struct {
		const struct node_group *g;
		uint32_t next;
	} open[NODE_DEPTH_MAX];
	size_t depth = 0, most = 0;
	if (!node_is_group(n))
		return 0;
	open[depth].g = node_group_of(n);
	open[depth++].next = 0;
	while (depth > 0) {
		most = depth > most ? depth : most;
		const struct node_group *g = open[depth - 1].g;
		if (open[depth - 1].next == g->len) {
			p->steps += g->len;
			depth--;
			continue;
		}
		const struct node *child = g->items[open[depth - 1].next++];
		if (!node_is_group(child))
			continue;
		CHECK(depth < NODE_DEPTH_MAX);
		open[depth].g = node_group_of(child);
		open[depth++].next = 0;
	}
	return (unsigned)most;
}
