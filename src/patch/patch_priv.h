/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch/patch_priv.h - the tree of a document, shared by versions of it.
 *
 * A node has a count of those who hold it. Whoever wants to change one makes sure that it is the only holder
 * (node_own()), so nobody else sees the change. null, false and true are three nodes that nobody counts or frees.
 * The names of an object's members stand apart from their values, with a count of their own: changing a value copies
 * no names.
 *
 * All memory of nodes is charged to a pool, which all versions of a document share. What would pass its bound is NULL,
 * and so is what is made of NULL.
 */
#ifndef PATCH_PATCH_PRIV_H
#define PATCH_PATCH_PRIV_H

#include "base/limits.h"
#include "patch/patch.h"

#define NODE_DEPTH_MAX LIMIT_MESSAGE_DEPTH
#define NODE_NOT_FOUND UINT32_MAX

enum node_kind {
	NODE_NULL,
	NODE_FALSE,
	NODE_TRUE,
	NODE_NUMBER,
	NODE_STRING,
	NODE_ARRAY,
	NODE_OBJECT,
};

struct node {
	uint32_t refs;
	enum node_kind kind;
};

/* NUMBER (its text), STRING (decoded), and the name of a member (a STRING). */
struct node_text {
	struct node node;
	uint32_t len;
	char bytes[];
};

struct node_key {
	struct node *name;
	uint32_t hash;
};

/* Names of members, in order. */
struct node_keys {
	uint32_t refs;
	uint32_t len, cap;
	uint32_t index_cap; /* a power of two, or 0: too few names for an index */
	struct node_key *list;
	uint32_t *index; /* place + 1, or 0; by hash, linear probing */
};

/* ARRAY (keys is NULL) and OBJECT (as many items as keys). */
struct node_group {
	struct node node;
	uint32_t len, cap;
	struct node **items;
	struct node_keys *keys;
};

struct patch_pool {
	uint32_t refs;
	unsigned depth_max;
	size_t used, bytes_max;
	uint64_t steps, steps_max; /* of what is being done now */
};

struct patch_doc {
	struct patch_pool *pool;
	struct node *root;
};

static inline bool
node_is_group(const struct node *n)
{
	return n->kind == NODE_ARRAY || n->kind == NODE_OBJECT;
}

static inline struct str
node_str(const struct node *n)
{
	CHECK(n->kind == NODE_NUMBER || n->kind == NODE_STRING);
	const struct node_text *t = (const struct node_text *)n;
	return str_of(t->bytes, t->len);
}

static inline struct node_group *
node_group(struct node *n)
{
	CHECK(node_is_group(n));
	return (struct node_group *)n;
}

static inline const struct node_group *
node_group_of(const struct node *n)
{
	CHECK(node_is_group(n));
	return (const struct node_group *)n;
}

/* Count n steps more. False: it is enough. */
static inline bool
pool_step(struct patch_pool *p, uint64_t n)
{
	p->steps += n;
	return p->steps <= p->steps_max;
}

/* ---- node.c */

enum err_code pool_error(const struct patch_pool *p, struct err *err);
struct node *node_constant(enum node_kind kind);
struct node *node_text_new(struct patch_pool *p, enum node_kind kind, struct str text);
struct node *node_group_new(struct patch_pool *p, enum node_kind kind);
struct node *node_hold(struct node *n); /* one more holder */
void node_drop(struct patch_pool *p, struct node *n); /* one holder less; NULL allowed */
/* *n is held by nobody else from here on. False: no room. */
bool node_own(struct patch_pool *p, struct node **n);
/* The group must be owned. `value` (and `name`) go over to it, also when there is no room (false). */
bool node_insert(struct patch_pool *p, struct node_group *g, uint32_t at, struct node *value);
bool node_append(struct patch_pool *p, struct node_group *g, struct node *name, struct node *value);
/* Takes the item out of an owned group: the caller holds it. NULL: no room. */
struct node *node_take(struct patch_pool *p, struct node_group *g, uint32_t at);
/* Place of a member, or NODE_NOT_FOUND. */
uint32_t node_find(struct patch_pool *p, const struct node_group *g, struct str name);
uint32_t node_hash(struct str name);
/* Levels of arrays and objects that it has; 0: a scalar. */
unsigned node_height(struct patch_pool *p, const struct node *n);

/* ---- build.c */

enum err_code node_parse(struct patch_pool *p, struct str json, unsigned depth_max,
    struct node **out, struct err *err);
struct node *node_copy_deep(struct patch_pool *p, const struct node *n);
void node_write(const struct node *n, struct buf *out);

/* ---- doc.c */

/* Bounds, and steps from 0 on, of what is done next. */
void pool_begin(struct patch_pool *p, const struct patch_limits *lim);

/* ---- apply.c */

/* NULL, and why, when there is nothing. */
const struct node *node_at(struct patch_pool *p, const struct node *root, struct str path,
    const char **why);

/* ---- compare.c */

bool node_equal(struct patch_pool *p, const struct node *a, const struct node *b);
bool node_number_equal(struct str a, struct str b);

/* ---- pointer.c */

/* The tokens of a pointer, one after the other. */
struct pointer {
	struct str left; /* "" or "/..." */
	struct str token; /* the last one, decoded */
	struct buf decoded; /* of a token with '~' */
	const char *why; /* it is malformed */
};

void pointer_begin(struct pointer *t, struct str text);
void pointer_fini(struct pointer *t);
bool pointer_next(struct pointer *t); /* false: at the end, or malformed */
size_t pointer_count(struct str text); /* how many tokens it has */
void pointer_append(struct buf *out, struct str name); /* "/name", escaped */
/* Place in a group that a token names. `end` allowed: the place behind the last element. Otherwise NODE_NOT_FOUND, and
 * why. */
uint32_t pointer_place(struct patch_pool *p, const struct node_group *g, struct str token, bool end,
    const char **why);

#endif
