/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/duplicates.c - what came more than once, by tenant; and the other numbers of /metrics that
 * are not in struct stats.
 *
 * One thread, the loader, adds. A tenant's name is written before `count` says that it is there
 * and never changes, so that others read without a lock. Tenants beyond the first
 * DUPLICATE_TENANTS_MAX, and one of that name, are counted as "other".
 */
#include "base/arena.h"
#include "base/map.h"
#include "ingest/ingest_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct tenant_count {
	char name[LIMIT_TENANT_BYTES + 1];
	_Atomic uint64_t requests, spans;
};

struct duplicates {
	struct tenant_count *tenants; /* the first is "other" */
	_Atomic size_t count;
	struct map by_name; /* hash of the name -> place; the loader's */
};

struct duplicates *
ingest_duplicates_new(void)
{
	struct duplicates *d = xcalloc(1, sizeof(*d));
	d->tenants = xcalloc(DUPLICATE_TENANTS_MAX + 1, sizeof(*d->tenants));
	snprintf(d->tenants[0].name, sizeof(d->tenants[0].name), "other");
	atomic_store(&d->count, 1);
	return d;
}

void
ingest_duplicates_free(struct duplicates *d)
{
	if (!d)
		return;
	map_fini(&d->by_name);
	free(d->tenants);
	free(d);
}

static struct tenant_count *
tenant_of(struct duplicates *d, struct str tenant)
{
	uint64_t key = hash_keyed_str(tenant, 0);
	size_t count = atomic_load(&d->count);
	const uint64_t *at = map_get(&d->by_name, key);
	if (at) { /* two names of one hash share the second's place with "other" */
		struct tenant_count *t = &d->tenants[*at];
		return str_eq(str_from(t->name), tenant) ? t : &d->tenants[0];
	}
	if (count > DUPLICATE_TENANTS_MAX || str_eq(tenant, STR("other")))
		return &d->tenants[0];
	struct tenant_count *t = &d->tenants[count];
	snprintf(t->name, sizeof(t->name), "%.*s", STR_ARG(tenant));
	if (!map_put(&d->by_name, key, count))
		return &d->tenants[0];
	atomic_store(&d->count, count + 1);
	return t;
}

void
ingest_duplicates_add(struct duplicates *d, struct str tenant, uint64_t requests, uint64_t spans)
{
	struct tenant_count *t = tenant_of(d, tenant);
	atomic_fetch_add(&t->requests, requests);
	atomic_fetch_add(&t->spans, spans);
}

void
ingest_duplicates_print(struct duplicates *d, struct buf *out)
{
	static const char family[] = "weir_duplicates_total";
	size_t count = atomic_load(&d->count);
	stats_print_family(out, family, STATS_COUNTER,
	    "Requests and spans that were there already and were not added again.");
	for (size_t i = 0; i < count; i++) {
		const struct tenant_count *t = &d->tenants[i];
		const uint64_t value[] = {atomic_load(&t->requests), atomic_load(&t->spans)};
		for (int k = 0; k < 2; k++) {
			char labels[LIMIT_TENANT_BYTES + 40];
			if (i == 0 && value[k] == 0)
				continue; /* nobody is "other" yet */
			snprintf(labels, sizeof(labels), "tenant=\"%s\",kind=\"%s\"", t->name,
			    k == 0 ? "request" : "span");
			stats_print_sample(out, family, STATS_COUNTER, labels, (int64_t)value[k]);
		}
	}
}

/* ---- /metrics */

/* A family with a value for each signal. */
static void
print_signals(struct buf *out, const char *family, enum stats_kind kind, const char *help,
    const uint64_t values[SIGNAL_TABLES])
{
	static const char *const labels[SIGNAL_TABLES] = {[TABLE_SPANS] = "signal=\"traces\"",
	    [TABLE_LOGS] = "signal=\"logs\"",
	    [TABLE_POINTS] = "signal=\"metrics\"",
	    [TABLE_COMMENTS] = "signal=\"comments\""};
	stats_print_family(out, family, kind, help);
	for (int i = 0; i < SIGNAL_TABLES; i++)
		stats_print_sample(out, family, kind, labels[i], (int64_t)values[i]);
}

static void
print_by_signal(const struct store_status *s, struct buf *out)
{
	print_signals(out, "weir_hot_rows", STATS_GAUGE,
	    "Rows that are visible and not in the store's files yet.", s->hot_rows);
	print_signals(out, "weir_removed_rows_total", STATS_COUNTER,
	    "Rows removed because they are kept no longer (--retain).", s->removed_rows);
	print_signals(out, "weir_removed_days_total", STATS_COUNTER,
	    "Days whose table was dropped because nothing of it is kept any longer.",
	    s->removed_days);
	print_signals(out, "weir_signal_bytes", STATS_GAUGE,
	    "Size of a signal's tables, about; 0 unless --retain has a rule for the signal.",
	    s->signal_bytes);
}

static void
print_store(const struct store_status *s, struct buf *out)
{
	const struct {
		const char *family;
		enum stats_kind kind;
		uint64_t value;
		const char *help;
	} rows[] = {
	    {"weir_hot_bytes", STATS_GAUGE, s->hot_bytes, "Memory that the hot rows take."},
	    {"weir_store_rows", STATS_GAUGE, s->row_count,
	        "Spans, log records and points, approximately."},
	    {"weir_store_disk_bytes", STATS_GAUGE, s->disk_bytes, "Size of the store's files."},
	    {"weir_identities", STATS_GAUGE, s->identities,
	        "Spans and requests whose repetition is recognised from memory."},
	    {"weir_identity_bytes", STATS_GAUGE, s->identity_bytes,
	        "Memory for recognising what came before."},
	    {"weir_identities_forgotten_total", STATS_COUNTER, s->identities_forgotten,
	        "Identities given up for lack of that memory."},
	    {"weir_seals_total", STATS_COUNTER, s->seals, "Moves of hot rows to the files."},
	    {"weir_seal_rows_total", STATS_COUNTER, s->seal_rows,
	        "Rows that were moved; once more when they move on from a catch-all to their day."},
	    {"weir_seal_seconds_total", STATS_SECONDS, s->seal_ns, "Time spent moving them."},
	    {"weir_seal_failures_total", STATS_COUNTER, s->seal_failures,
	        "Moves that failed and are tried again."},
	    {"weir_checkpoints_total", STATS_COUNTER, s->checkpoints,
	        "Checkpoints of the database."},
	    {"weir_checkpoint_seconds_total", STATS_SECONDS, s->checkpoint_ns,
	        "Time spent in checkpoints."},
	    {"weir_removal_seconds_total", STATS_SECONDS, s->retain_ns,
	        "Time spent removing what is kept no longer."},
	    {"weir_removal_longest_day_seconds", STATS_SECONDS_GAUGE, s->retain_longest_day_ns,
	        "The longest that dropping a day has taken."},
	    {"weir_store_reopened_total", STATS_COUNTER, s->reopened,
	        "Times the database was closed and opened again after an error."},
	};
	print_by_signal(s, out);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		stats_print_family(out, rows[i].family, rows[i].kind, rows[i].help);
		stats_print_sample(out, rows[i].family, rows[i].kind, "", (int64_t)rows[i].value);
	}
}

static void
print_letters(struct dlq *d, struct buf *out)
{
	uint64_t counts[DLQ_UNREADABLE + 1] = {0};
	dlq_counts(d, counts);
	stats_print_family(out, "weir_dead_letters", STATS_GAUGE, "Dead letters there are.");
	for (int i = 0; i <= DLQ_UNREADABLE; i++) {
		char labels[40];
		snprintf(labels, sizeof(labels), "state=\"%s\"", dlq_state_name((enum dlq_state)i));
		stats_print_sample(out, "weir_dead_letters", STATS_GAUGE, labels,
		    (int64_t)counts[i]);
	}
}

void
ingest_metrics(struct ingest *in, struct buf *out)
{
	struct store_status store = {0};
	store_status(in->store, &store);
	print_store(&store, out);
	if (in->dlq)
		print_letters(in->dlq, out);
	ingest_duplicates_print(in->duplicates, out);
	quota_print(in->quota, out);
}
