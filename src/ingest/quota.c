/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/quota.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/stats.h"
#include "base/timefmt.h"
#include "sys/thread.h"
#include "tenant/tenant.h"

#include <stdio.h>
#include <stdlib.h>

enum kind { KIND_BYTES, KIND_ITEMS, KIND_LAG, KIND_COUNT };

static const struct {
	const char *name; /* of the label */
	const char *option;
} kinds[KIND_COUNT] = {{"bytes", "--tenant-bytes-per-s"}, {"items", "--tenant-items-per-s"},
    {"lag", "--tenant-lag-percent"}};

struct place {
	char name[LIMIT_TENANT_BYTES + 1];
	uint64_t rate[2]; /* a second; 0: no limit */
	double left[2]; /* of a second's worth; below 0: owed */
	uint64_t filled_ns; /* when */
	uint64_t lag_bytes;
	uint64_t refused[KIND_COUNT];
};

struct quota {
	struct mutex lock; /* leaf; of all below */
	uint64_t rate[2];
	uint64_t lag_bytes_max;
	struct place *places; /* the first is "other" */
	size_t count, cap;
	struct map by_name; /* hash -> place */
};

static struct place *
add_place(struct quota *q, struct str name)
{
	if (q->count == q->cap) {
		q->cap = q->cap > 0 ? 2 * q->cap : 16;
		q->places = xrealloc(q->places, q->cap * sizeof(*q->places));
	}
	struct place *p = &q->places[q->count++];
	*p = (struct place){0};
	snprintf(p->name, sizeof(p->name), "%.*s", STR_ARG(name));
	for (int k = 0; k < 2; k++) {
		p->rate[k] = q->rate[k];
		p->left[k] = (double)q->rate[k];
	}
	return p;
}

struct quota *
quota_new(const struct limits *limits)
{
	struct quota *q = xcalloc(1, sizeof(*q));
	mutex_init(&q->lock);
	q->rate[KIND_BYTES] = limits->tenant_bytes_rate;
	q->rate[KIND_ITEMS] = limits->tenant_items_rate;
	q->lag_bytes_max = limits->lag_bytes_max / 100 * limits->tenant_lag_percent;
	(void)add_place(q, STR("other"));
	return q;
}

void
quota_free(struct quota *q)
{
	if (!q)
		return;
	map_fini(&q->by_name);
	free(q->places);
	mutex_fini(&q->lock);
	free(q);
}

/* Under the lock. Two names of one hash share the second's place with "other". */
static struct place *
place_of(struct quota *q, struct str tenant)
{
	uint64_t key = hash_keyed_str(tenant, 0);
	const uint64_t *at = map_get(&q->by_name, key);
	if (at)
		return str_eq(str_from(q->places[*at].name), tenant) ? &q->places[*at]
		                                                     : &q->places[0];
	if (q->count > QUOTA_TENANTS_MAX || str_eq(tenant, STR("other")) ||
	    !map_put(&q->by_name, key, q->count))
		return &q->places[0];
	return add_place(q, tenant);
}

static void
fill(struct place *p, uint64_t now_ns)
{
	double seconds = now_ns > p->filled_ns && p->filled_ns > 0
	    ? (double)(now_ns - p->filled_ns) / (double)NS_PER_S
	    : 0;
	for (int k = 0; k < 2; k++) {
		double most = (double)p->rate[k];
		p->left[k] += seconds * most;
		if (p->left[k] > most)
			p->left[k] = most;
	}
	if (now_ns > p->filled_ns)
		p->filled_ns = now_ns;
}

/* Which kind is used up, and how long until it is not; KIND_COUNT: none. Of several the one that takes longest. */
static enum kind
used_up(const struct quota *q, const struct place *p, uint64_t *retry_ms)
{
	enum { LAG_RETRY_MS = 1000 };
	enum kind worst = KIND_COUNT;
	*retry_ms = 0;
	for (int k = 0; k < 2; k++) {
		if (p->rate[k] == 0 || p->left[k] > 0)
			continue;
		uint64_t ms = (uint64_t)(-p->left[k] / (double)p->rate[k] * 1000) + 1;
		if (ms <= *retry_ms)
			continue;
		*retry_ms = ms;
		worst = (enum kind)k;
	}
	if (worst != KIND_COUNT || p->lag_bytes <= q->lag_bytes_max)
		return worst;
	*retry_ms = LAG_RETRY_MS;
	return KIND_LAG;
}

enum err_code
quota_look(struct quota *q, struct str tenant, uint64_t now_mono_ns, struct err *err)
{
	uint64_t limit = 0, retry_ms;
	mutex_lock(&q->lock);
	struct place *p = place_of(q, tenant);
	fill(p, now_mono_ns);
	enum kind kind = used_up(q, p, &retry_ms);
	if (kind != KIND_COUNT)
		p->refused[kind]++;
	if (kind < KIND_LAG)
		limit = p->rate[kind];
	mutex_unlock(&q->lock);
	if (kind == KIND_COUNT)
		return ERR_OK;
	if (kind == KIND_LAG)
		err_set(err, ERR_BUSY,
		    "the tenant has its share of the log that is waiting to be loaded (%s): try again later",
		    kinds[kind].option);
	else
		err_set(err, ERR_BUSY,
		    "the tenant sends more than %llu %s a second (%s): try again in %llu ms",
		    (unsigned long long)limit, kinds[kind].name, kinds[kind].option,
		    (unsigned long long)retry_ms);
	err_set_retry(err, retry_ms);
	return ERR_BUSY;
}

void
quota_pay(struct quota *q, struct str tenant, uint64_t bytes, uint64_t items, uint64_t now_mono_ns)
{
	mutex_lock(&q->lock);
	struct place *p = place_of(q, tenant);
	fill(p, now_mono_ns);
	p->left[KIND_BYTES] -= (double)bytes;
	p->left[KIND_ITEMS] -= (double)items;
	mutex_unlock(&q->lock);
}

void
quota_logged(struct quota *q, struct str tenant, uint64_t bytes)
{
	mutex_lock(&q->lock);
	place_of(q, tenant)->lag_bytes += bytes;
	mutex_unlock(&q->lock);
}

void
quota_loaded(struct quota *q, struct str tenant, uint64_t bytes)
{
	mutex_lock(&q->lock);
	struct place *p = place_of(q, tenant);
	/* What was in the log at the start was never added. */
	p->lag_bytes -= bytes < p->lag_bytes ? bytes : p->lag_bytes;
	mutex_unlock(&q->lock);
}

/* ---- rates of their own */

static bool
parse_number(struct str text, uint64_t *out)
{
	static const char units[] = "kmg";
	unsigned shift = 0;
	for (unsigned i = 0; text.len > 0 && i < sizeof(units) - 1; i++)
		if (text.ptr[text.len - 1] == units[i])
			shift = 10 * (i + 1);
	if (shift > 0)
		text.len--;
	return str_to_u64(text, out) && !__builtin_mul_overflow(*out, UINT64_C(1) << shift, out);
}

/* "bytes=10m" */
static bool
set_rate(struct place *p, struct str text)
{
	size_t eq = str_find(text, '=');
	struct str name = str_trim((struct str){text.ptr, eq});
	uint64_t n;
	if (eq == text.len || !parse_number(str_trim(str_skip(text, eq + 1)), &n))
		return false;
	for (int k = 0; k < 2; k++) {
		if (!str_eq(name, str_from(kinds[k].name)))
			continue;
		p->rate[k] = n;
		p->left[k] = (double)n;
		return true;
	}
	return false;
}

/* Cut off what stands before the next `c`. */
static struct str
next_part(struct str *rest, char c)
{
	struct str part = {rest->ptr, str_find(*rest, c)};
	*rest = str_skip(*rest, part.len + 1);
	return str_trim(part);
}

enum err_code
quota_override(struct quota *q, struct str text, struct err *err)
{
	while (text.len > 0) {
		struct str part = next_part(&text, ';'), rest = part;
		if (part.len == 0)
			continue;
		struct str name = next_part(&rest, ':');
		bool good = tenant_name_valid(name) && rest.len > 0;
		struct place *p = good ? place_of(q, name) : NULL;
		good = good && (p != &q->places[0] || str_eq(name, STR("other")));
		while (good && rest.len > 0)
			good = set_rate(p, next_part(&rest, ','));
		if (!good)
			return err_set(err, ERR_INVALID,
			    "\"%.*s\" is not like acme:bytes=10m,items=5000",
			    (int)(part.len < 80 ? part.len : 80), part.ptr);
	}
	return ERR_OK;
}

/* ---- /metrics */

void
quota_print(struct quota *q, struct buf *out)
{
	static const char family[] = "weir_tenant_refused_total";
	stats_print_family(out, family, STATS_COUNTER,
	    "Requests refused because their tenant took more than it may.");
	mutex_lock(&q->lock);
	for (size_t i = 0; i < q->count; i++) {
		for (int k = 0; k < KIND_COUNT; k++) {
			const struct place *p = &q->places[i];
			char labels[LIMIT_TENANT_BYTES + 40];
			if (p->refused[k] == 0)
				continue;
			snprintf(labels, sizeof(labels), "tenant=\"%s\",limit=\"%s\"", p->name,
			    kinds[k].name);
			stats_print_sample(out, family, STATS_COUNTER, labels,
			    (int64_t)p->refused[k]);
		}
	}
	mutex_unlock(&q->lock);
}
