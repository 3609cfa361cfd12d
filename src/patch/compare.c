/* SPDX-License-Identifier: Apache-2.0 */
#include "patch/patch_priv.h"

/* ---- numbers */

/* A number as sign, digits and the power of ten of the first of them. */
struct decimal {
	bool negative, huge; /* huge: the exponent is beyond what is counted */
	const char *first, *last; /* digits from the first that is not 0 to the last one; NULL: 0 */
	int64_t power;
};

#define EXPONENT_MAX INT64_C(1000000000000000)

static int64_t
get_exponent(const char *p, const char *end, bool *huge)
{
	bool negative = p < end && *p == '-';
	int64_t value = 0;
	p += p < end && (*p == '-' || *p == '+');
	for (; p < end; p++)
		if (value < EXPONENT_MAX)
			value = value * 10 + (*p - '0');
	*huge = value >= EXPONENT_MAX;
	return negative ? -value : value;
}

/* The text has been checked by the reader. */
static struct decimal
get_decimal(struct str text)
{
	struct decimal d = {.negative = text.len > 0 && text.ptr[0] == '-'};
	const char *p = text.ptr + d.negative, *end = text.ptr + text.len, *point = NULL, *e;
	for (e = p; e < end && *e != 'e' && *e != 'E'; e++) {
		if (*e == '.')
			point = e;
		else if (*e != '0') {
			d.first = d.first ? d.first : e;
			d.last = e;
		}
	}
	if (!d.first)
		return (struct decimal){.negative = false};
	point = point ? point : e;
	d.power = d.first < point ? point - d.first - 1 : point - d.first;
	if (e < end)
		d.power += get_exponent(e + 1, end, &d.huge);
	return d;
}

bool
node_number_equal(struct str a, struct str b)
{
	if (str_eq(a, b))
		return true;
	struct decimal x = get_decimal(a), y = get_decimal(b);
	if (!x.first || !y.first)
		return !x.first && !y.first;
	if (x.huge || y.huge || x.negative != y.negative || x.power != y.power)
		return false;
	const char *p = x.first, *q = y.first;
	while (p <= x.last && q <= y.last) {
		p += *p == '.';
		q += *q == '.';
		if (*p++ != *q++)
			return false;
	}
	return p > x.last && q > y.last;
}

/* ---- trees */

/* Two groups of the same kind, of which the children before `next` are equal. */
struct pair {
	const struct node_group *a, *b;
	uint32_t next;
};

struct comparison {
	struct patch_pool *pool;
	struct pair open[NODE_DEPTH_MAX];
	size_t depth;
	const struct node *extra; /* name of a member that only b has */
};

/* False: they differ. Groups of the same kind are left open. */
static bool
compare_one(struct comparison *c, const struct node *a, const struct node *b)
{
	c->pool->steps++;
	if (a == b)
		return true;
	if (a->kind != b->kind)
		return false;
	if (a->kind == NODE_NUMBER)
		return node_number_equal(node_str(a), node_str(b));
	if (a->kind == NODE_STRING)
		return str_eq(node_str(a), node_str(b));
	if (a->kind <= NODE_TRUE)
		return true;
	CHECK(c->depth < NODE_DEPTH_MAX);
	c->open[c->depth++] = (struct pair){node_group_of(a), node_group_of(b), 0};
	return true;
}

/* Behind the last common child: is there one more on either side? */
static bool
compare_ends(struct comparison *c, struct pair *p)
{
	if (p->a->len == p->b->len)
		return true;
	p->next++;
	if (!p->a->keys)
		return false;
	CHECK(p->b->keys);
	for (uint32_t i = 0; i < p->b->len && !c->extra; i++) {
		const struct node *name = p->b->keys->list[i].name;
		if (node_find(c->pool, p->a, node_str(name)) == NODE_NOT_FOUND)
			c->extra = name;
	}
	CHECK(c->extra);
	return false;
}

static bool
compare(struct comparison *c, const struct node *a, const struct node *b)
{
	if (!compare_one(c, a, b))
		return false;
	while (c->depth > 0) {
		struct pair *p = &c->open[c->depth - 1];
		if (p->next == p->a->len || (!p->a->keys && p->next == p->b->len)) {
			if (!compare_ends(c, p))
				return false;
			c->depth--;
			continue;
		}
		uint32_t at = p->next++, there = at;
		if (p->a->keys != p->b->keys) {
			CHECK(p->a->keys && p->b->keys);
			there = node_find(c->pool, p->b, node_str(p->a->keys->list[at].name));
		}
		if (there == NODE_NOT_FOUND)
			return false;
		if (!compare_one(c, p->a->items[at], p->b->items[there]))
			return false;
	}
	return true;
}

bool
node_equal(struct patch_pool *p, const struct node *a, const struct node *b)
{
	struct comparison c;
	c.pool = p;
	c.depth = 0;
	c.extra = NULL;
	return compare(&c, a, b);
}

bool
patch_doc_equal(const struct patch_doc *a, const struct patch_doc *b)
{
	return node_equal(a->pool, a->root, b->root);
}

bool
patch_doc_differ(const struct patch_doc *a, const struct patch_doc *b, struct buf *pointer_out)
{
	struct comparison c;
	c.pool = a->pool;
	c.depth = 0;
	c.extra = NULL;
	if (compare(&c, a->root, b->root))
		return false;
	for (size_t i = 0; i < c.depth; i++) {
		const struct pair *p = &c.open[i];
		if (!p->a->keys) {
			buf_char(pointer_out, '/');
			buf_u64(pointer_out, p->next - 1);
		} else if (p->next <= p->a->len)
			pointer_append(pointer_out, node_str(p->a->keys->list[p->next - 1].name));
		else
			pointer_append(pointer_out, node_str(c.extra));
	}
	return true;
}
