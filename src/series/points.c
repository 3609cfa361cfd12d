/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points of groups of members. Groups are taken so many at a time that their points, whose number is known before, fit the
 * scratch arena; each time the store is asked once for each kind of value that is needed.
 */
#include "series/series_priv.h"

#include "base/timefmt.h"

#include <stdlib.h>

enum {
	BATCH_POINTS = 400000,
	DISTRIBUTION_WEIGHT = 16, /* one takes as much as so many samples, and now and then more */
	FLAG_NO_RECORDED_VALUE = 1,
};

/* Of what a part is read. */
enum source { FROM_NUMBERS, FROM_COUNTS, FROM_SUMS, FROM_DISTRIBUTIONS, FROM_NOWHERE };

static enum source
source_of(enum part p)
{
	switch (p) {
	case PART_VALUE: return FROM_NUMBERS;
	case PART_COUNT: return FROM_COUNTS;
	case PART_SUM: return FROM_SUMS;
	case PART_NATIVE:
	case PART_QUANTILE:
	case PART_BUCKET: return FROM_DISTRIBUTIONS;
	case PART_INFO: break;
	}
	return FROM_NOWHERE;
}

/* ---- groups */

static int
compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = promql_labels_compare(&x->labels, &y->labels);
	if (order == 0)
		order = str_cmp(series_own_label(x->part), series_own_label(y->part));
	return order ? order : (x->id > y->id) - (x->id < y->id);
}

static bool
same_group(const struct member *a, const struct member *b)
{
	return promql_labels_compare(&a->labels, &b->labels) == 0 &&
	    str_eq(series_own_label(a->part), series_own_label(b->part)) &&
	    (a->part == PART_INFO) == (b->part == PART_INFO);
}

enum err_code
series_group(struct series_reader *r, struct members *m, struct group **out, size_t *count_out,
    struct err *err)
{
	size_t count = 0;
	struct group *groups = arena_array(r->arena, m->count + 1, sizeof(*groups));
	if (!groups)
		return series_spent(r, err);
	if (m->count > 1)
		qsort(m->items, m->count, sizeof(*m->items), compare_members);
	for (size_t i = 0; i < m->count; i++) {
		struct group *g = count > 0 ? &groups[count - 1] : NULL;
		if (!g || !same_group(&g->members[0], &m->items[i])) {
			groups[count++] = (struct group){.members = &m->items[i], .count = 1};
			continue;
		}
		g->count++;
		g->mixed = g->mixed || g->members[0].delta != m->items[i].delta;
	}
	*out = groups;
	*count_out = count;
	return ERR_OK;
}

/* ---- a batch of them */

struct wanted { /* by id */
	uint64_t id;
	uint32_t group, member;
};

struct batch_of {
	struct series_reader *r;
	const struct group *groups;
	size_t first, end; /* of the groups */
	uint64_t from_ns, to_ns;
	struct entry *entries;
	size_t count;
};

static int
by_id(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static bool
is_before(const struct entry *x, const struct entry *y)
{
	if (x->t_ms != y->t_ms)
		return x->t_ms < y->t_ms;
	return x->seq != y->seq ? x->seq < y->seq : x->ord < y->ord;
}

static int
by_time(const void *a, const void *b)
{
	return is_before(a, b) ? -1 : is_before(b, a);
}

static enum err_code
scratch_spent(const struct series_reader *r, struct err *err)
{
	(void)err_set(err, ERR_TOO_LARGE,
	    "the points need more than %zu bytes of memory (--max-result-bytes): ask for a shorter "
	    "time",
	    r->scratch.bytes_max);
	return ERR_TOO_LARGE;
}

static enum err_code
want(const struct batch_of *b, enum source from, struct wanted **out, size_t *count_out,
    struct err *err)
{
	size_t count = 0;
	for (size_t g = b->first; g < b->end; g++)
		count += b->groups[g].count;
	*out = arena_array(&b->r->scratch, count + 1, sizeof(**out));
	if (!*out)
		return scratch_spent(b->r, err);
	count = 0;
	for (size_t g = b->first; g < b->end; g++)
		for (size_t i = 0; i < b->groups[g].count; i++)
			if (source_of(b->groups[g].members[i].part) == from)
				(*out)[count++] = (struct wanted){
				    b->groups[g].members[i].id, (uint32_t)g, (uint32_t)i};
	if (count > 1)
		qsort(*out, count, sizeof(**out), by_id);
	*count_out = count;
	return ERR_OK;
}

static bool
make_room(struct batch_of *b, size_t more)
{
	size_t cap = b->count + more;
	struct entry *entries = arena_array(&b->r->scratch, cap + 1, sizeof(*entries));
	if (!entries)
		return false;
	if (b->count > 0)
		memcpy(entries, b->entries, b->count * sizeof(*entries));
	b->entries = entries;
	return true;
}

static void
add_entry(struct batch_of *b, const struct table *rows, size_t row, const struct wanted *w)
{
	uint64_t ms = NS_PER_MS;
	b->entries[b->count++] = (struct entry){.group = w->group,
	    .member = w->member,
	    .t_ms = (int64_t)(table_u64(rows, row, SAMPLE_TIME_NS) / ms),
	    .start_ms = (int64_t)(table_u64(rows, row, SAMPLE_START_NS) / ms),
	    .seq = table_u64(rows, row, SAMPLE_SEQ),
	    .ord = table_u32(rows, row, SAMPLE_ORD),
	    .stale = (table_u32(rows, row, SAMPLE_FLAGS) & FLAG_NO_RECORDED_VALUE) != 0,
	    .row = row,
	    .rows = rows};
}

_Static_assert((int)SAMPLE_SERIES_ID == (int)DIST_SERIES_ID, "the first columns are the same");
_Static_assert((int)SAMPLE_FLAGS == (int)DIST_FLAGS, "the first columns are the same");

static enum err_code
ask(struct batch_of *b, enum source from, const struct wanted *wanted, size_t count,
    struct store_result *rows, struct err *err)
{
	static const enum store_sample samples[] = {
	    [FROM_NUMBERS] = STORE_NUMBER, [FROM_COUNTS] = STORE_COUNT, [FROM_SUMS] = STORE_SUM};
	struct series_reader *r = b->r;
	uint64_t *ids = arena_array(&r->scratch, count, sizeof(*ids));
	struct store_query q = {
	    .kind = from == FROM_DISTRIBUTIONS ? STORE_DISTRIBUTIONS : STORE_SAMPLES,
	    .tenant = r->tenant,
	    .from_ns = b->from_ns,
	    .to_ns = b->to_ns,
	    .row_max = r->samples_max + 1,
	    .deadline_mono_ns = r->deadline_mono_ns,
	    .series = ids,
	    .series_count = count};
	if (!ids)
		return scratch_spent(r, err);
	for (size_t i = 0; i < count; i++)
		ids[i] = wanted[i].id;
	if (from != FROM_DISTRIBUTIONS)
		q.sample = samples[from];
	enum err_code code = store_query(r->store, &q, &r->scratch, rows, err);
	return code == ERR_TOO_LARGE ? scratch_spent(r, err) : code;
}

static enum err_code
read_source(struct batch_of *b, enum source from, struct err *err)
{
	struct wanted *wanted = NULL;
	size_t count = 0;
	enum err_code code = want(b, from, &wanted, &count, err);
	if (code != ERR_OK || count == 0)
		return code;
	struct store_result *result = arena_alloc(&b->r->scratch, sizeof(*result));
	if (!result)
		return scratch_spent(b->r, err);
	code = ask(b, from, wanted, count, result, err);
	const struct table *rows = &result->rows;
	if (code == ERR_OK && !make_room(b, rows->row_count))
		code = scratch_spent(b->r, err);
	for (size_t i = 0; code == ERR_OK && i < rows->row_count; i++) {
		struct wanted key = {.id = table_u64(rows, i, SAMPLE_SERIES_ID)};
		const struct wanted *w = bsearch(&key, wanted, count, sizeof(*wanted), by_id);
		bool none = from != FROM_DISTRIBUTIONS && table_is_null(rows, i, SAMPLE_VALUE) &&
		    !(table_u32(rows, i, SAMPLE_FLAGS) & FLAG_NO_RECORDED_VALUE);
		if (w && !none)
			add_entry(b, rows, i, w);
	}
	return code;
}

/* Entries by group, each group's in the order they came; ends_out: where each ends. */
static struct entry *
by_group(struct batch_of *b, size_t **ends_out)
{
	size_t groups = b->end - b->first;
	struct entry *sorted = arena_array(&b->r->scratch, b->count + 1, sizeof(*sorted));
	size_t *at = arena_array(&b->r->scratch, groups + 1, sizeof(*at));
	if (!sorted || !at)
		return NULL;
	for (size_t i = 0; i < b->count; i++)
		at[b->entries[i].group - b->first + 1]++;
	for (size_t g = 1; g <= groups; g++)
		at[g] += at[g - 1];
	for (size_t i = 0; i < b->count; i++)
		sorted[at[b->entries[i].group - b->first]++] = b->entries[i];
	*ends_out = at;
	return sorted;
}

/* In order of time; of the same millisecond the last one stays. How many are left. */
static size_t
put_in_order(struct entry *entries, size_t count)
{
	size_t n = 0;
	bool sorted = true;
	for (size_t i = 1; i < count && sorted; i++)
		sorted = !is_before(&entries[i], &entries[i - 1]);
	if (!sorted)
		qsort(entries, count, sizeof(*entries), by_time);
	for (size_t i = 0; i < count; i++) {
		if (n > 0 && entries[n - 1].t_ms == entries[i].t_ms)
			n--;
		entries[n++] = entries[i];
	}
	return n;
}

static enum err_code
give(struct batch_of *b, series_entries_fn fn, void *ctx, struct err *err)
{
	size_t *ends = NULL, from = 0;
	struct entry *sorted = by_group(b, &ends);
	enum err_code code = sorted ? ERR_OK : scratch_spent(b->r, err);
	for (size_t g = b->first; g < b->end && code == ERR_OK; g++) {
		size_t end = ends[g - b->first];
		if (end > from)
			code = fn(ctx, &b->groups[g], &sorted[from],
			    put_in_order(&sorted[from], end - from), err);
		from = end;
	}
	return code;
}

static enum err_code
read_batch(struct batch_of *b, series_entries_fn fn, void *ctx, struct err *err)
{
	enum err_code code = ERR_OK;
	arena_reset(&b->r->scratch);
	for (int from = FROM_NUMBERS; from < FROM_NOWHERE && code == ERR_OK; from++)
		code = read_source(b, (enum source)from, err);
	return code == ERR_OK ? give(b, fn, ctx, err) : code;
}

static uint64_t
weight_of(const struct group *g)
{
	uint64_t weight = 0;
	for (size_t i = 0; i < g->count; i++)
		weight += g->members[i].points *
		    (source_of(g->members[i].part) == FROM_DISTRIBUTIONS ? DISTRIBUTION_WEIGHT : 1);
	return weight;
}

static enum err_code
check_samples(const struct series_reader *r, const struct group *groups, size_t count,
    struct err *err)
{
	uint64_t points = 0;
	for (size_t g = 0; g < count; g++)
		for (size_t i = 0; i < groups[g].count; i++)
			points += groups[g].members[i].points;
	if (points <= r->samples_max)
		return ERR_OK;
	return err_set(err, ERR_EXECUTION,
	    "a selector has %llu samples in this time, more than are left of %llu "
	    "(--max-query-samples): add matchers, or ask for a shorter time",
	    (unsigned long long)points, (unsigned long long)r->samples_max);
}

enum err_code
series_read_points(struct series_reader *r, const struct group *groups, size_t group_count,
    uint64_t from_ns, uint64_t to_ns, series_entries_fn fn, void *ctx, struct err *err)
{
	struct batch_of b = {.r = r, .groups = groups, .from_ns = from_ns, .to_ns = to_ns};
	enum err_code code = check_samples(r, groups, group_count, err);
	uint64_t weight = 0;
	for (size_t g = 0; g < group_count && code == ERR_OK; g++) {
		uint64_t own = weight_of(&groups[g]);
		if (weight > 0 && weight + own > BATCH_POINTS) {
			b.end = g;
			code = read_batch(&b, fn, ctx, err);
			b = (struct batch_of){.r = r,
			    .groups = groups,
			    .from_ns = from_ns,
			    .to_ns = to_ns,
			    .first = g};
			weight = 0;
		}
		weight += own;
	}
	b.end = group_count;
	if (code == ERR_OK && weight > 0)
		code = read_batch(&b, fn, ctx, err);
	arena_reset(&r->scratch);
	return code;
}
