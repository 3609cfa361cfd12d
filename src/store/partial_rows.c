/* SPDX-License-Identifier: Apache-2.0 */
#include "store/partial_rows.h"

#include "base/hash.h"

void
partial_counter_init(struct partial_counter *c, struct partial *p, struct str tenant)
{
	*c = (struct partial_counter){.partial = p, .tenant = tenant};
	for (int i = 0; i < PARTIAL_WINDOWS_MAX; i++)
		distinct_init(&c->pairs[i], SIZE_MAX);
}

void
partial_counter_fini(struct partial_counter *c)
{
	for (int i = 0; i < PARTIAL_WINDOWS_MAX; i++)
		distinct_fini(&c->pairs[i]);
}

uint64_t
partial_pair_hash(struct str service, uint64_t trace_hash)
{
	return trace_hash ^ hash_u64_seed(service, 1);
}

void
partial_count_pair(struct partial_counter *c, unsigned window, struct str service,
    uint64_t trace_hash)
{
	struct distinct *pairs = &c->pairs[window];
	uint64_t before = distinct_count(pairs);
	distinct_add(pairs, partial_pair_hash(service, trace_hash));
	if (distinct_count(pairs) > before)
		partial_service(c->partial, window, service)->traces++;
}

void
partial_count_span(struct partial_counter *c, unsigned window, const struct partial_row *row)
{
	partial_add_span(c->partial, window, row);
	if (c->partial->counted & PARTIAL_TRACES_BY_SERVICE)
		partial_count_pair(c, window, row->service, row->hash);
}

/* The columns that are counted. */
struct columns {
	int tenant, service, name, code;
};

static struct columns
columns_of(enum table_id id)
{
	static const struct columns columns[] = {
	    [TABLE_SPANS] = {SPAN_TENANT, SPAN_SERVICE, SPAN_NAME, SPAN_STATUS_CODE},
	    [TABLE_LOGS] = {LOG_TENANT, LOG_SERVICE, LOG_SERVICE, LOG_SEVERITY_NUMBER},
	    [TABLE_POINTS] = {POINT_TENANT, POINT_SERVICE, POINT_NAME, POINT_TYPE},
	};
	CHECK(id == TABLE_SPANS || id == TABLE_LOGS || id == TABLE_POINTS);
	return columns[id];
}

static void
count_row(struct partial_counter *c, const struct table *t, const struct columns *col, size_t i,
    unsigned window, uint64_t time_ns)
{
	struct partial_row row = {
	    .service = t->cols[col->service].str[i],
	    .name = t->cols[col->name].str[i],
	    .time_ns = time_ns,
	    .code = t->cols[col->code].i32[i],
	};
	switch ((enum table_id)(t->def - table_defs)) {
	case TABLE_SPANS:
		row.duration_ns = t->cols[SPAN_DURATION_NS].i64[i];
		row.hash = partial_trace_hash(t->cols[SPAN_TRACE_HI].u64[i],
		    t->cols[SPAN_TRACE_LO].u64[i]);
		partial_count_span(c, window, &row);
		break;
	case TABLE_LOGS: partial_add_log(c->partial, window, &row); break;
	case TABLE_POINTS: partial_add_point(c->partial, window, &row); break;
	case TABLE_COMMENTS:
	case TABLE_RESOURCES:
	case TABLE_SCOPES:
	case TABLE_SERVICES:
	case TABLE_TRACES:
	case TABLE_BUCKETS:
	case TABLE_METRICS:
	case TABLE_SERIES:
	case TABLE_SAMPLES:
	case TABLE_DISTRIBUTIONS:
	case TABLE_COUNT: CHECK(false);
	}
}

void
partial_count_rows(struct partial_counter *c, const struct table *t, size_t first, size_t count)
{
	if (count == 0)
		return; /* such a table may have no columns yet */
	struct columns col = columns_of((enum table_id)(t->def - table_defs));
	const uint64_t *times = t->cols[t->def->time_col].u64;
	const struct str *tenants = t->cols[col.tenant].str, *names = t->cols[col.service].str;
	struct str only = c->partial->scope.service;
	for (size_t i = first; i < first + count; i++) {
		int window = partial_window_of(c->partial, times[i]);
		if (window < 0 || !str_eq(tenants[i], c->tenant) ||
		    (only.len > 0 && !str_eq(names[i], only)))
			continue;
		count_row(c, t, &col, i, (unsigned)window, times[i]);
	}
}
