/* SPDX-License-Identifier: Apache-2.0 */
/* Trees from text, copies of trees, text of trees. None of it recurses: levels that are open stand in a list. */
#include "patch/patch_priv.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

struct parser {
	struct patch_pool *pool;
	struct json_reader r;
	struct arena scratch; /* one decoded string at a time */
	unsigned depth_max;
	struct node *root;
	struct node_group *open[NODE_DEPTH_MAX];
	size_t depth;
	struct node *name; /* of the member whose value comes next */
};

static struct node *
parse_text(struct parser *q, enum json_token t)
{
	if (t == JSON_NUMBER)
		return node_text_new(q->pool, NODE_NUMBER, q->r.raw);
	struct str text = jsonr_string(&q->r, &q->scratch);
	struct node *n = text.ptr ? node_text_new(q->pool, NODE_STRING, text) : NULL;
	if (q->r.escaped)
		arena_reset(&q->scratch);
	return n;
}

/* The value that the token begins; NULL: no room. */
static struct node *
parse_value(struct parser *q, enum json_token t)
{
	switch (t) {
	case JSON_OBJECT: return node_group_new(q->pool, NODE_OBJECT);
	case JSON_ARRAY: return node_group_new(q->pool, NODE_ARRAY);
	case JSON_TRUE: return node_constant(NODE_TRUE);
	case JSON_FALSE: return node_constant(NODE_FALSE);
	case JSON_NULL: return node_constant(NODE_NULL);
	case JSON_STRING:
	case JSON_NUMBER: return parse_text(q, t);
	case JSON_ERROR:
	case JSON_END:
	case JSON_KEY:
	case JSON_OBJECT_END:
	case JSON_ARRAY_END: break;
	}
	CHECK(!"not the beginning of a value");
}

/* Where the tree goes on. */
static bool
attach(struct parser *q, struct node *value)
{
	struct node *name = q->name;
	q->name = NULL;
	if (q->depth == 0) {
		q->root = value;
		return value != NULL;
	}
	struct node_group *g = q->open[q->depth - 1];
	return g->keys ? node_append(q->pool, g, name, value)
	               : node_insert(q->pool, g, g->len, value);
}

static enum err_code
parse_key(struct parser *q, struct err *err)
{
	struct node *name = parse_text(q, JSON_KEY);
	if (!name)
		return pool_error(q->pool, err);
	struct str text = node_str(name);
	q->name = name;
	if (node_find(q->pool, q->open[q->depth - 1], text) != NODE_NOT_FOUND)
		return err_set(err, ERR_INVALID, "an object has two members of the name \"%.*s\"",
		    (int)(text.len < 60 ? text.len : 60), text.ptr);
	return pool_step(q->pool, 1) ? ERR_OK : pool_error(q->pool, err);
}

static enum err_code
parse_token(struct parser *q, enum json_token t, struct err *err)
{
	if (t == JSON_KEY)
		return parse_key(q, err);
	if (t == JSON_OBJECT_END || t == JSON_ARRAY_END) {
		CHECK(q->depth > 0);
		q->depth--;
		return ERR_OK;
	}
	bool group = t == JSON_OBJECT || t == JSON_ARRAY;
	if (group && q->depth >= q->depth_max)
		return err_set(err, ERR_TOO_LARGE,
		    "values are nested in more than %u levels (at byte %zu)", q->depth_max,
		    (size_t)(q->r.at - q->r.start));
	struct node *value = parse_value(q, t);
	if (!attach(q, value))
		return pool_error(q->pool, err);
	if (group)
		q->open[q->depth++] = node_group(value);
	return ERR_OK;
}

enum err_code
node_parse(struct patch_pool *p, struct str json, unsigned depth_max, struct node **out,
    struct err *err)
{
	struct parser q = {.pool = p, .depth_max = depth_max};
	enum json_token t;
	enum err_code code = ERR_OK;
	CHECK(depth_max <= NODE_DEPTH_MAX);
	jsonr_begin(&q.r, json);
	while (code == ERR_OK && (t = jsonr_next(&q.r)) != JSON_END)
		code = t == JSON_ERROR
		    ? err_set(err, ERR_INVALID, "it is not JSON: %s (at byte %zu)", q.r.error,
		          q.r.error_at)
		    : parse_token(&q, t, err);
	arena_fini(&q.scratch);
	if (code != ERR_OK) {
		node_drop(p, q.name);
		node_drop(p, q.root);
		q.root = NULL;
	}
	*out = q.root;
	return code;
}

/* ---- copies */

static struct node *
copy_one(struct patch_pool *p, const struct node *n)
{
	if (node_is_group(n))
		return node_group_new(p, n->kind);
	return n->kind <= NODE_TRUE ? node_constant(n->kind)
	                            : node_text_new(p, n->kind, node_str(n));
}

/* The next child of `from` into `to`. */
static struct node *
copy_child(struct patch_pool *p, const struct node_group *from, struct node_group *to)
{
	uint32_t at = to->len;
	struct node *value = copy_one(p, from->items[at]);
	bool good = from->keys ? node_append(p, to, node_hold(from->keys->list[at].name), value)
	                       : node_insert(p, to, at, value);
	return good ? value : NULL;
}

struct node *
node_copy_deep(struct patch_pool *p, const struct node *n)
{
	struct {
		const struct node_group *from;
		struct node_group *to;
	} open[NODE_DEPTH_MAX];
	size_t depth = 0;
	struct node *root = copy_one(p, n);
	if (!root || !node_is_group(n))
		return root;
	open[0].from = node_group_of(n);
	open[0].to = node_group(root);
	for (depth = 1; depth > 0;) {
		const struct node_group *from = open[depth - 1].from;
		struct node_group *to = open[depth - 1].to;
		if (to->len == from->len) {
			depth--;
			continue;
		}
		const struct node *child = from->items[to->len];
		struct node *copy = copy_child(p, from, to);
		if (!copy) {
			node_drop(p, root);
			return NULL;
		}
		if (!node_is_group(child))
			continue;
		CHECK(depth < NODE_DEPTH_MAX);
		open[depth].from = node_group_of(child);
		open[depth++].to = node_group(copy);
	}
	return root;
}

/* ---- text */

static void
write_one(struct json_writer *w, const struct node *n)
{
	switch (n->kind) {
	case NODE_NULL: jsonw_null(w); return;
	case NODE_FALSE: jsonw_bool(w, false); return;
	case NODE_TRUE: jsonw_bool(w, true); return;
	case NODE_NUMBER: jsonw_raw(w, node_str(n)); return;
	case NODE_STRING: jsonw_str(w, node_str(n)); return;
	case NODE_ARRAY: jsonw_array(w); return;
	case NODE_OBJECT: jsonw_object(w); return;
	}
}

void
node_write(const struct node *n, struct buf *out)
{
	struct {
		const struct node_group *g;
		uint32_t next;
	} open[NODE_DEPTH_MAX];
	size_t depth = 0;
	struct json_writer w;
	json_writer_init(&w, out);
	write_one(&w, n);
	if (node_is_group(n)) {
		open[depth].g = node_group_of(n);
		open[depth++].next = 0;
	}
	while (depth > 0 && !out->failed) {
		const struct node_group *g = open[depth - 1].g;
		uint32_t at = open[depth - 1].next++;
		if (at == g->len) {
			if (g->keys)
				jsonw_object_end(&w);
			else
				jsonw_array_end(&w);
			depth--;
			continue;
		}
		if (g->keys)
			jsonw_key_str(&w, node_str(g->keys->list[at].name));
		write_one(&w, g->items[at]);
		if (!node_is_group(g->items[at]))
			continue;
		CHECK(depth < NODE_DEPTH_MAX);
		open[depth].g = node_group_of(g->items[at]);
		open[depth++].next = 0;
	}
}
