/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "patch/patch_priv.h"

#include <stdlib.h>

static void
pool_drop(struct patch_pool *p)
{
	if (--p->refs > 0)
		return;
	CHECK(p->used == 0);
	free(p);
}

void
pool_begin(struct patch_pool *p, const struct patch_limits *lim)
{
	p->bytes_max = lim->bytes_max;
	p->depth_max =
	    lim->depth_max && lim->depth_max < NODE_DEPTH_MAX ? lim->depth_max : NODE_DEPTH_MAX;
	p->steps = 0;
	p->steps_max =
	    lim->steps_max && lim->steps_max < PATCH_STEPS_MAX ? lim->steps_max : PATCH_STEPS_MAX;
}

enum err_code
patch_doc_parse(struct str json, const struct patch_limits *lim, struct patch_doc **out,
    struct err *err)
{
	struct patch_pool *p = xcalloc(1, sizeof(*p));
	struct node *root;
	*out = NULL;
	p->refs = 1;
	pool_begin(p, lim);
	enum err_code code = node_parse(p, json, p->depth_max, &root, err);
	if (code != ERR_OK) {
		pool_drop(p);
		return code;
	}
	struct patch_doc *doc = xcalloc(1, sizeof(*doc));
	*doc = (struct patch_doc){p, root};
	*out = doc;
	return ERR_OK;
}

struct patch_doc *
patch_doc_copy(const struct patch_doc *doc)
{
	struct patch_doc *copy = xcalloc(1, sizeof(*copy));
	CHECK(doc->pool->refs < UINT32_MAX);
	doc->pool->refs++;
	*copy = (struct patch_doc){doc->pool, node_hold(doc->root)};
	return copy;
}

void
patch_doc_free(struct patch_doc *doc)
{
	if (!doc)
		return;
	node_drop(doc->pool, doc->root);
	pool_drop(doc->pool);
	free(doc);
}

size_t
patch_doc_bytes(const struct patch_doc *doc)
{
	return doc->pool->used;
}

uint64_t
patch_doc_steps(const struct patch_doc *doc)
{
	return doc->pool->steps;
}

void
patch_doc_write(const struct patch_doc *doc, struct buf *out)
{
	node_write(doc->root, out);
}

enum err_code
patch_doc_at(const struct patch_doc *doc, struct str pointer, struct buf *out, struct err *err)
{
	const char *why = NULL;
	const struct node *n = node_at(doc->pool, doc->root, pointer, &why);
	if (!n)
		return err_set(err, ERR_NOT_FOUND, "%s: %.*s", why,
		    (int)(pointer.len < 100 ? pointer.len : 100), pointer.len ? pointer.ptr : "");
	node_write(n, out);
	return ERR_OK;
}
