/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of a document are levels of recursion here, and there are at most NODE_DEPTH_MAX of them. */
#include "patch/patch_priv.h"
#include "wire/json_write.h"

struct diff {
	struct patch_pool *pool;
	struct json_writer w;
	struct buf path;
};

static void
put_op(struct diff *d, struct str op, const struct node *value)
{
	if (d->w.out->failed)
		return;
	jsonw_object(&d->w);
	jsonw_key(&d->w, "op");
	jsonw_str(&d->w, op);
	jsonw_key(&d->w, "path");
	jsonw_str(&d->w, buf_view(&d->path));
	if (value) {
		jsonw_key(&d->w, "value");
		node_write(value, d->w.out);
		d->w.comma = true;
	}
	jsonw_object_end(&d->w);
}

/* The same of something one level down. */
static void
put_name_op(struct diff *d, struct str name, struct str op, const struct node *value)
{
	size_t len = d->path.len;
	if (d->w.out->failed)
		return;
	pointer_append(&d->path, name);
	put_op(d, op, value);
	d->path.len = len;
}

static void
put_index_op(struct diff *d, uint32_t at, struct str op, const struct node *value)
{
	size_t len = d->path.len;
	buf_char(&d->path, '/');
	buf_u64(&d->path, at);
	put_op(d, op, value);
	d->path.len = len;
}

static void diff_values(struct diff *d, const struct node *a, const struct node *b, unsigned depth);

static void
diff_objects(struct diff *d, const struct node_group *a, const struct node_group *b, unsigned depth)
{
	for (uint32_t i = 0; i < a->len; i++) {
		struct str name = node_str(a->keys->list[i].name);
		uint32_t there = node_find(d->pool, b, name);
		if (there == NODE_NOT_FOUND) {
			put_name_op(d, name, STR("remove"), NULL);
			continue;
		}
		size_t len = d->path.len;
		if (d->w.out->failed)
			return;
		pointer_append(&d->path, name);
		diff_values(d, a->items[i], b->items[there], depth + 1);
		d->path.len = len;
	}
	for (uint32_t i = 0; i < b->len; i++) {
		struct str name = node_str(b->keys->list[i].name);
		if (node_find(d->pool, a, name) == NODE_NOT_FOUND)
			put_name_op(d, name, STR("add"), b->items[i]);
	}
}

static void
diff_arrays(struct diff *d, const struct node_group *a, const struct node_group *b, unsigned depth)
{
	uint32_t first = 0, behind = 0, common = a->len < b->len ? a->len : b->len;
	/* Of arrays as long as each other each element is compared with its own. */
	bool resized = a->len != b->len;
	while (resized && first < common && node_equal(d->pool, a->items[first], b->items[first]))
		first++;
	while (resized && behind < common - first &&
	    node_equal(d->pool, a->items[a->len - 1 - behind], b->items[b->len - 1 - behind]))
		behind++;
	for (uint32_t i = first; i < common - behind; i++) {
		size_t len = d->path.len;
		buf_char(&d->path, '/');
		buf_u64(&d->path, i);
		diff_values(d, a->items[i], b->items[i], depth + 1);
		d->path.len = len;
	}
	for (uint32_t i = a->len - behind; i > common - behind; i--)
		put_index_op(d, i - 1, STR("remove"), NULL);
	for (uint32_t i = common - behind; i < b->len - behind; i++)
		put_index_op(d, i, STR("add"), b->items[i]);
}

static void
diff_values(struct diff *d, const struct node *a, const struct node *b, unsigned depth)
{
	CHECK(depth <= NODE_DEPTH_MAX);
	d->pool->steps++;
	if (a == b || d->w.out->failed)
		return;
	if (a->kind == NODE_OBJECT && b->kind == NODE_OBJECT)
		diff_objects(d, node_group_of(a), node_group_of(b), depth);
	else if (a->kind == NODE_ARRAY && b->kind == NODE_ARRAY)
		diff_arrays(d, node_group_of(a), node_group_of(b), depth);
	else if (!node_equal(d->pool, a, b))
		put_op(d, STR("replace"), b);
}

enum err_code
patch_diff(const struct patch_doc *a, const struct patch_doc *b, struct buf *out, struct err *err)
{
	struct diff d = {.pool = a->pool};
	json_writer_init(&d.w, out);
	jsonw_array(&d.w);
	diff_values(&d, a->root, b->root, 0);
	jsonw_array_end(&d.w);
	buf_fini(&d.path);
	if (out->failed)
		return err_set(err, ERR_TOO_LARGE,
		    "the patch from one to the other is longer than %zu bytes", out->bytes_max);
	return ERR_OK;
}
