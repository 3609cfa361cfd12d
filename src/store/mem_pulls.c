/* SPDX-License-Identifier: Apache-2.0 */
/* How far sources have been pulled, in the store in memory. */
#include "store/mem_priv.h"

static const struct store_mem_pull *
find(const struct node *newest, struct str tenant, struct str source)
{
	for (const struct node *n = newest; n; n = n->older)
		for (size_t i = n->pull_count; i-- > 0;)
			if (str_eq(n->pulls[i].tenant, tenant) &&
			    str_eq(str_from(n->pulls[i].pull.source), source))
				return &n->pulls[i];
	return NULL;
}

bool
store_mem_add_pulls(struct node *n, const struct batch *batch)
{
	size_t count = batch->request_count;
	n->pulls = count > 0 ? arena_array(&n->arena, count, sizeof(*n->pulls)) : NULL;
	for (size_t i = 0; i < count && n->pulls; i++) {
		const struct batch_request *r = &batch->requests[i];
		if (r->source.len == 0)
			continue;
		const struct store_mem_pull *before = find(n, r->tenant, r->source);
		struct store_mem_pull now = {.tenant = arena_str(&n->arena, r->tenant)};
		if (!now.tenant.ptr)
			return false;
		if (before)
			now.pull = before->pull;
		memcpy(now.pull.source, r->source.ptr, r->source.len);
		store_pull_move(&now.pull, r);
		n->pulls[n->pull_count++] = now;
	}
	return count == 0 || n->pulls;
}

/* The tenant's next source by name, from this one on (or, unless `from_too`, behind it). */
static const struct store_mem_pull *
next(const struct node *newest, struct str tenant, struct str from, bool from_too)
{
	const struct store_mem_pull *best = NULL;
	for (const struct node *n = newest; n; n = n->older)
		for (size_t i = 0; i < n->pull_count; i++) {
			struct str source = str_from(n->pulls[i].pull.source);
			int order = str_cmp(source, from);
			if (str_eq(n->pulls[i].tenant, tenant) && order >= (from_too ? 0 : 1) &&
			    (!best || str_cmp(source, str_from(best->pull.source)) < 0))
				best = &n->pulls[i];
		}
	return best ? find(newest, tenant, str_from(best->pull.source)) : NULL;
}

size_t
store_mem_pulls(const struct node *newest, struct str tenant, struct str from,
    struct store_pull *out, size_t max)
{
	size_t count = 0;
	const struct store_mem_pull *p = next(newest, tenant, from, true);
	for (; p && count < max; p = next(newest, tenant, str_from(p->pull.source), false))
		out[count++] = p->pull;
	return count;
}

uint64_t
store_mem_sources(const struct node *newest)
{
	uint64_t count = 0;
	for (const struct node *n = newest; n; n = n->older)
		for (size_t i = 0; i < n->pull_count; i++)
			count += find(newest, n->pulls[i].tenant,
			             str_from(n->pulls[i].pull.source)) == &n->pulls[i];
	return count;
}
