/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations, one after the other, on a tree that is copied where it changes: until all of them have gone well the
 * document holds the root from before too, and goes back to it when one fails.
 */
#include "patch/patch_priv.h"

#include <stdio.h>

enum op_kind { OP_ADD, OP_REMOVE, OP_REPLACE, OP_MOVE, OP_COPY, OP_TEST, OP_KINDS };

static const struct {
	const char *name;
	bool value, from; /* what it needs */
} op_kinds[OP_KINDS] = {
    [OP_ADD] = {"add", true, false},
    [OP_REMOVE] = {"remove", false, false},
    [OP_REPLACE] = {"replace", true, false},
    [OP_MOVE] = {"move", false, true},
    [OP_COPY] = {"copy", false, true},
    [OP_TEST] = {"test", true, false},
};

struct op {
	enum op_kind kind;
	struct str path, from;
	struct node *value; /* of the patch */
};

struct apply {
	struct patch_pool *pool;
	struct patch_doc *doc;
	struct err *err;
};

/* ERR_CONFLICT where the document is to blame. */
static enum err_code
refuse(struct apply *a, const char *why)
{
	return err_set(a->err, ERR_CONFLICT, "%s", why);
}

/* ---- places */

const struct node *
node_at(struct patch_pool *p, const struct node *root, struct str path, const char **why)
{
	struct pointer t;
	const struct node *n = root;
	pointer_begin(&t, path);
	while (n && pointer_next(&t)) {
		if (!node_is_group(n)) {
			*why = "what stands above is neither an object nor an array";
			n = NULL;
			break;
		}
		const struct node_group *g = node_group_of(n);
		uint32_t at = pointer_place(p, g, t.token, false, why);
		n = at == NODE_NOT_FOUND ? NULL : g->items[at];
	}
	if (t.why) {
		*why = t.why;
		n = NULL;
	}
	pointer_fini(&t);
	return n;
}

/* The group that the pointer's last token is in, ours alone from here on; the token is in t, which is the caller's to
 * end. The path is not empty. */
static enum err_code
own_parent(struct apply *a, struct str path, struct pointer *t, struct node_group **out)
{
	struct node **slot = &a->doc->root;
	const char *why = NULL;
	pointer_begin(t, path);
	while (pointer_next(t)) {
		if (!node_is_group(*slot))
			return refuse(a, "what stands above is neither an object nor an array");
		if (!node_own(a->pool, slot))
			return pool_error(a->pool, a->err);
		struct node_group *g = node_group(*slot);
		if (t->left.len == 0) {
			*out = g;
			return ERR_OK;
		}
		uint32_t at = pointer_place(a->pool, g, t->token, false, &why);
		if (at == NODE_NOT_FOUND)
			return refuse(a, why);
		slot = &g->items[at];
	}
	CHECK(t->why);
	return err_set(a->err, ERR_INVALID, "%s", t->why);
}

/* ---- operations. A value that is passed on is the callee's, also when it fails. */

static void
set_slot(struct apply *a, struct node **slot, struct node *value)
{
	node_drop(a->pool, *slot);
	*slot = value;
}

static enum err_code
put_in(struct apply *a, struct node_group *g, struct str token, struct node *value)
{
	const char *why = NULL;
	CHECK(g);
	uint32_t at = pointer_place(a->pool, g, token, true, &why);
	if (g->keys && at != NODE_NOT_FOUND) {
		set_slot(a, &g->items[at], value);
		return ERR_OK;
	}
	if (!g->keys && at == NODE_NOT_FOUND) {
		node_drop(a->pool, value);
		return refuse(a, why);
	}
	bool good = g->keys
	    ? node_append(a->pool, g, node_text_new(a->pool, NODE_STRING, token), value)
	    : node_insert(a->pool, g, at, value);
	return good ? ERR_OK : pool_error(a->pool, a->err);
}

static enum err_code
put(struct apply *a, struct str path, struct node *value)
{
	struct pointer t = {.why = NULL};
	struct node_group *g = NULL;
	enum err_code code = ERR_OK;
	if (node_height(a->pool, value) + pointer_count(path) > a->pool->depth_max)
		code = err_set(a->err, ERR_TOO_LARGE,
		    "values would be nested in more than %u levels", a->pool->depth_max);
	else if (path.len == 0) {
		set_slot(a, &a->doc->root, value);
		return ERR_OK;
	} else
		code = own_parent(a, path, &t, &g);
	if (code == ERR_OK)
		code = put_in(a, g, t.token, value);
	else
		node_drop(a->pool, value);
	pointer_fini(&t);
	return code;
}

/* Takes the value out of the document; it is the caller's. */
static enum err_code
take(struct apply *a, struct str path, struct node **value_out)
{
	struct pointer t = {.why = NULL};
	struct node_group *g = NULL;
	const char *why = NULL;
	if (path.len == 0)
		return refuse(a, "the whole document cannot be removed");
	enum err_code code = own_parent(a, path, &t, &g);
	if (code == ERR_OK) {
		CHECK(g);
		uint32_t at = pointer_place(a->pool, g, t.token, false, &why);
		*value_out = at == NODE_NOT_FOUND ? NULL : node_take(a->pool, g, at);
		code = at == NODE_NOT_FOUND ? refuse(a, why)
		    : *value_out            ? ERR_OK
		                            : pool_error(a->pool, a->err);
	}
	pointer_fini(&t);
	return code;
}

static enum err_code
find(struct apply *a, struct str path, const struct node **out)
{
	const char *why = NULL;
	*out = node_at(a->pool, a->doc->root, path, &why);
	return *out ? ERR_OK : refuse(a, why);
}

static enum err_code
op_remove(struct apply *a, const struct op *op)
{
	struct node *value = NULL;
	enum err_code code = take(a, op->path, &value);
	if (code == ERR_OK)
		node_drop(a->pool, value);
	return code;
}

static enum err_code
op_replace(struct apply *a, const struct op *op)
{
	const struct node *old;
	struct pointer t = {.why = NULL};
	struct node_group *g = NULL;
	const char *why = NULL;
	enum err_code code = find(a, op->path, &old);
	if (code != ERR_OK)
		return code;
	if (op->path.len == 0)
		return put(a, op->path, node_hold(op->value));
	if (node_height(a->pool, op->value) + pointer_count(op->path) > a->pool->depth_max)
		return err_set(a->err, ERR_TOO_LARGE,
		    "values would be nested in more than %u levels", a->pool->depth_max);
	code = own_parent(a, op->path, &t, &g);
	if (code == ERR_OK) {
		CHECK(g);
		uint32_t at = pointer_place(a->pool, g, t.token, false, &why);
		CHECK(at < g->len);
		set_slot(a, &g->items[at], node_hold(op->value));
	}
	pointer_fini(&t);
	return code;
}

static enum err_code
op_move(struct apply *a, const struct op *op)
{
	const struct node *old;
	struct node *value = NULL;
	enum err_code code = find(a, op->from, &old);
	if (code != ERR_OK || str_eq(op->path, op->from))
		return code;
	if (str_starts(op->path, op->from) && op->path.ptr[op->from.len] == '/')
		return refuse(a, "a value cannot be moved into itself");
	code = take(a, op->from, &value);
	return code == ERR_OK ? put(a, op->path, value) : code;
}

static enum err_code
op_copy(struct apply *a, const struct op *op)
{
	const struct node *from;
	enum err_code code = find(a, op->from, &from);
	if (code != ERR_OK)
		return code;
	struct node *copy = node_copy_deep(a->pool, from);
	return copy ? put(a, op->path, copy) : pool_error(a->pool, a->err);
}

/* What it is, in a few words. */
static void
describe(const struct node *n, char *out, size_t size)
{
	static const char *const words[] = {"null", "false", "true"};
	if (n->kind <= NODE_TRUE) {
		snprintf(out, size, "%s", words[n->kind]);
	} else if (node_is_group(n)) {
		snprintf(out, size, n->kind == NODE_ARRAY ? "an array of %u" : "an object of %u",
		    node_group_of(n)->len);
	} else {
		struct buf text = {0};
		node_write(n, &text);
		if (text.len < size)
			snprintf(out, size, "%.*s", STR_ARG(buf_view(&text)));
		else
			snprintf(out, size, "a %s of %zu bytes",
			    n->kind == NODE_STRING ? "string" : "number", node_str(n).len);
		buf_fini(&text);
	}
}

static enum err_code
op_test(struct apply *a, const struct op *op)
{
	const struct node *there;
	char is[40], wanted[40];
	enum err_code code = find(a, op->path, &there);
	if (code != ERR_OK || node_equal(a->pool, there, op->value))
		return code;
	describe(there, is, sizeof(is));
	describe(op->value, wanted, sizeof(wanted));
	return err_set(a->err, ERR_CONFLICT, "the value there is %s, which is not the %s asked for",
	    is, wanted);
}

static enum err_code
apply_op(struct apply *a, const struct op *op)
{
	switch (op->kind) {
	case OP_ADD: return put(a, op->path, node_hold(op->value));
	case OP_REMOVE: return op_remove(a, op);
	case OP_REPLACE: return op_replace(a, op);
	case OP_MOVE: return op_move(a, op);
	case OP_COPY: return op_copy(a, op);
	case OP_TEST: return op_test(a, op);
	case OP_KINDS: break;
	}
	CHECK(!"no such operation");
}

/* ---- the patch */

static struct node *
member(struct apply *a, const struct node_group *g, struct str name)
{
	uint32_t at = node_find(a->pool, g, name);
	return at == NODE_NOT_FOUND ? NULL : g->items[at];
}

static enum err_code
need_text(struct apply *a, const struct node_group *g, const char *name, struct str *out)
{
	const struct node *n = member(a, g, str_from(name));
	if (!n || n->kind != NODE_STRING)
		return err_set(a->err, ERR_INVALID, "\"%s\" must be there, and be a string", name);
	*out = node_str(n);
	return ERR_OK;
}

/* path is set when it is known. */
static enum err_code
read_op(struct apply *a, const struct node *n, struct op *op)
{
	struct str name = STR_EMPTY;
	if (n->kind != NODE_OBJECT)
		return err_set(a->err, ERR_INVALID, "an operation is an object");
	const struct node_group *g = node_group_of(n);
	enum err_code code = need_text(a, g, "op", &name);
	for (op->kind = 0; code == ERR_OK && op->kind < OP_KINDS; op->kind++)
		if (str_eq(name, str_from(op_kinds[op->kind].name)))
			break;
	if (code == ERR_OK && op->kind == OP_KINDS)
		return err_set(a->err, ERR_INVALID, "there is no operation \"%.*s\"",
		    (int)(name.len < 20 ? name.len : 20), name.ptr);
	if (code == ERR_OK)
		code = need_text(a, g, "path", &op->path);
	if (code == ERR_OK && op_kinds[op->kind].from)
		code = need_text(a, g, "from", &op->from);
	if (code == ERR_OK && op_kinds[op->kind].value) {
		op->value = member(a, g, STR("value"));
		if (!op->value)
			code = err_set(a->err, ERR_INVALID, "\"value\" must be there");
	}
	return code;
}

/* Up to n bytes that end with a whole character. */
static struct str
clip(struct str s, size_t n)
{
	if (s.len <= n)
		return s;
	while (n > 0 && ((unsigned char)s.ptr[n] & 0xc0) == 0x80)
		n--;
	return str_of(s.ptr, n);
}

static enum err_code
run_op(struct apply *a, const struct node *n, uint32_t number)
{
	struct op op = {.kind = OP_KINDS};
	enum err_code code = read_op(a, n, &op);
	if (code == ERR_OK)
		code = apply_op(a, &op);
	if (code == ERR_OK && !pool_step(a->pool, 1))
		code = pool_error(a->pool, a->err);
	if (code == ERR_OK)
		return ERR_OK;
	if (!a->err)
		return code;
	if (op.path.ptr) {
		struct str path = clip(op.path, 60), from = clip(op.from, 40);
		return err_wrap(a->err, "operation %u (%s%s%.*s %s%.*s%s)", number,
		    op_kinds[op.kind].name, from.len ? " " : "", STR_ARG(from),
		    path.len ? "" : "the root", STR_ARG(path), path.len < op.path.len ? "..." : "");
	}
	return err_wrap(a->err, "operation %u", number);
}

static enum err_code
apply_all(struct apply *a, const struct node *patch, size_t ops_max)
{
	const struct node_group *ops = node_group_of(patch);
	enum err_code code = ERR_OK;
	if (ops_max && ops->len > ops_max)
		return err_set(a->err, ERR_TOO_LARGE,
		    "the patch has %u operations, more than the %zu that are allowed", ops->len,
		    ops_max);
	struct node *before = node_hold(a->doc->root);
	for (uint32_t i = 0; i < ops->len && code == ERR_OK; i++)
		code = run_op(a, ops->items[i], i + 1);
	if (code == ERR_OK) {
		node_drop(a->pool, before);
		return ERR_OK;
	}
	node_drop(a->pool, a->doc->root);
	a->doc->root = before;
	return code;
}

enum err_code
patch_apply(struct patch_doc *doc, struct str patch_json, const struct patch_limits *lim,
    bool *noop_out, struct err *err)
{
	struct apply a = {doc->pool, doc, err};
	struct node *patch;
	if (noop_out)
		*noop_out = false;
	pool_begin(a.pool, lim);
	/* The array and its objects are two levels more than what an operation adds. */
	unsigned depth = a.pool->depth_max + 2;
	enum err_code code = node_parse(a.pool, patch_json,
	    depth < NODE_DEPTH_MAX ? depth : NODE_DEPTH_MAX, &patch, err);
	if (code != ERR_OK)
		return code == ERR_INVALID ? err_wrap(err, "the patch cannot be read") : code;
	bool empty = node_is_group(patch) && node_group(patch)->len == 0;
	if (patch->kind == NODE_ARRAY)
		code = apply_all(&a, patch, lim->ops_max);
	else if (!empty)
		code = err_set(err, ERR_INVALID, "a patch is an array of operations");
	if (noop_out)
		*noop_out = empty;
	node_drop(a.pool, patch);
	return code;
}
