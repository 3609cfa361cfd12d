/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/openapi.h - the OpenAPI 3.1 document of the REST API, made from the tables that serve it.
 *
 * Paths, parameters and statuses come from ops_table and the routes of rest/ (dead letters, keys, backups, check); what an
 * answer looks like from ops_schemas, by the name that the operation says. Written by hand are only the parts below
 * rest/openapi/: general words, responses of errors, and paths that are in no table (/, /healthz, OTLP).
 *
 * An operation has besides what OpenAPI knows: x-weir-right, the right that a key needs; x-weir-example, a command line
 * that asks for the same; and x-weir-slow, where there is one such work at a time and it takes as long as it takes.
 */
#ifndef REST_OPENAPI_H
#define REST_OPENAPI_H

#include "base/buf.h"
#include "base/embedded.h"
#include "base/limits.h"

extern const struct embedded_text rest_openapi_parts[]; /* the files of rest/openapi/ */

/* Append the document. Bounds of what depends on the server are those of `limits`. */
void rest_openapi_write(const struct limits *limits, struct buf *out);

#endif
