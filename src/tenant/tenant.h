/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenant/tenant.h - whose data a request writes or reads.
 *
 * The tenant is named by X-Scope-OrgID or X-Tenant-ID (gRPC metadata in lower case), else it is
 * "default". A name is 1 to LIMIT_TENANT_BYTES of [A-Za-z0-9._-], but not "." or "..". Pure
 * functions; any thread.
 */
#ifndef TENANT_TENANT_H
#define TENANT_TENANT_H

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

#define TENANT_HEADER_1 "x-scope-orgid"
#define TENANT_HEADER_2 "x-tenant-id"

bool tenant_name_valid(struct str name);
/* From the values of the two headers (empty: not given). *name_out points into one of them or is
 * static. ERR_INVALID: malformed, or they differ. */
MUST_CHECK enum err_code tenant_choose(struct str header_1, struct str header_2,
    struct str *name_out, struct err *err);

#endif
