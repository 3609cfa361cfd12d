/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/retain.h - how long telemetry is kept, and how much of it: the rules of --retain and
 * --tenant-retain, as text and as numbers. What is done by them is the store's.
 *
 *     traces=30d, logs=14d, metrics=90d, traces-bytes=50g
 *     acme: traces=7d, logs-bytes=2g; zeta: traces=0
 *
 * An age is a span of time as base/timefmt.h reads them, at least an hour; 0 is for ever, which is also
 * what holds where nothing is said. Bytes may end in k, m, g, t. A rule of everybody's holds for tenants that have
 * none of their own; everybody's bytes are those of all tenants together, and hold besides a tenant's own.
 *
 * Pure functions, but for the memory; rules do not change once they are parsed: any thread.
 */
#ifndef STORE_RETAIN_H
#define STORE_RETAIN_H

#include "base/arena.h"
#include "base/err.h"
#include "model/columns.h"
#include "model/batch.h"

enum { RETAIN_TENANTS_MAX = 1000 };

struct retain_rule {
	struct str tenant; /* empty: everybody */
	bool age_said[SIGNAL_TABLES];
	uint64_t age_ns[SIGNAL_TABLES]; /* 0: for ever */
	uint64_t bytes[SIGNAL_TABLES]; /* 0: any number */
};

struct retain {
	struct retain_rule all;
	struct retain_rule *tenants; /* in the arena */
	size_t tenant_count;
};

/* Strings and rules live in arena. ERR_INVALID says which part is wrong and what would be right. */
MUST_CHECK enum err_code retain_parse(struct str all, struct str tenants, struct arena *arena,
    struct retain *out, struct err *err);
/* Whether there is any rule at all for a signal. */
bool retain_is_set(const struct retain *r, enum table_id id);
/* Rows of this tenant whose time is before it are not kept; 0: all are. Of ages of two days and more it is the
 * beginning of a UTC day, so that whole days go at once. */
uint64_t retain_cutoff(const struct retain *r, enum table_id id, struct str tenant,
    uint64_t now_ns);
/* The latest of the cutoffs of all tenants. */
uint64_t retain_cutoff_max(const struct retain *r, enum table_id id, uint64_t now_ns);
/* "traces", "logs", "metrics", "comments": what a signal is called in options and on /metrics. */
const char *retain_signal_name(enum table_id id);

#endif
