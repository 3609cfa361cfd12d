/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/match.h - whether a row is what a query asks for, decided row by row on decoded columns.
 *
 * The conditions of struct store_query in the plainest form: the store in memory answers by it, so that what another store
 * answers is compared with it, and whoever has rows in hand (the live tail) filters them as a store would.
 * Pure: any thread.
 */
#ifndef STORE_MATCH_H
#define STORE_MATCH_H

#include "store/store.h"

/* The columns that signals have in common; -1: it has none such. */
struct store_shape {
	int tenant, seq, ord, time, service, attributes, resource_id, scope_id;
};

const struct store_shape *store_shape_of(const struct table *t);

/* Where attributes are looked for that the row itself has not. */
struct store_resources {
	/* Typed JSON of a resource's attributes; no pointer: there is none such. */
	struct str (*attributes)(void *ctx, struct str tenant, uint64_t resource_id);
	void *ctx;
	/* The same of scopes; NULL: none has any. */
	struct str (*scope_attributes)(void *ctx, struct str tenant, uint64_t scope_id);
};

/* Tenant, time and service: what every kind of question asks for. */
bool store_match_common(const struct store_query *q, const struct table *t, size_t row);
/* All of the conditions, but for the place that it is to come after, and what stands beside it. */
bool store_match(const struct store_query *q, const struct table *t, size_t row,
    const struct store_resources *resources);

#endif
