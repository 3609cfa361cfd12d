/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/quota.h - what one tenant may take, so that it cannot starve the others.
 *
 * Bytes (inflated) and items a second: a bucket each that fills at the rate and holds a second of it. A request is
 * let in while its tenant owes nothing, and then paid, so that one larger than a second's worth gets in too, and
 * makes the next ones wait. And a share of the log that is not loaded yet (--max-lag-bytes): who fills it is
 * refused while the others go on.
 *
 * Tenants are told apart up to QUOTA_TENANTS_MAX; those that come later share one place, "other".
 *
 * Threading: any thread; a short lock, no I/O.
 */
#ifndef INGEST_QUOTA_H
#define INGEST_QUOTA_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

enum { QUOTA_TENANTS_MAX = 4096 };

struct quota;

/* Rates and share from limits (tenant_bytes_rate, tenant_items_rate, tenant_lag_percent, lag_bytes_max), which are
 * copied. */
struct quota *quota_new(const struct limits *limits);
void quota_free(struct quota *q); /* NULL allowed */
/* Other rates for some tenants: "acme:bytes=10m,items=5000; zeta:items=0" (0: no limit). ERR_INVALID says where it
 * is wrong. Before any request. */
MUST_CHECK enum err_code quota_override(struct quota *q, struct str text, struct err *err);

/* May this tenant send now? ERR_BUSY, counted, with the time (err->retry_ms) after which it owes nothing any more if it
 * sends nothing meanwhile. */
MUST_CHECK enum err_code quota_look(struct quota *q, struct str tenant, uint64_t now_mono_ns,
    struct err *err);
/* It has. */
void quota_pay(struct quota *q, struct str tenant, uint64_t bytes, uint64_t items,
    uint64_t now_mono_ns);
/* Bytes of the log: they wait to be loaded; they are. */
void quota_logged(struct quota *q, struct str tenant, uint64_t bytes);
void quota_loaded(struct quota *q, struct str tenant, uint64_t bytes);

/* weir_tenant_refused_total, for /metrics. */
void quota_print(struct quota *q, struct buf *out);

#endif
