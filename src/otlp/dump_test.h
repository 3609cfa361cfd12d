/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/dump_test.h - the rows of a batch as text, for tests; and a request decoded in one call.
 */
#ifndef OTLP_DUMP_TEST_H
#define OTLP_DUMP_TEST_H

#include "otlp/otlp.h"

/* One line with the table's name a row, one "\tcolumn=value" for each column but the ids that are
 * hashes (resource_id, scope_id, series_id and the id of resources and scopes). */
void dump_batch(const struct batch *b, struct buf *out);

/* One value as dump_batch() writes it. */
void dump_value(const struct table *t, size_t row, int col, struct buf *out);

/* Scan, decode into *b (which it resets) and require that both agree. */
struct otlp_counts dump_decode(enum signal_kind signal, struct str body,
    const struct limits *limits, struct batch *b);

/* The same, for a body that may be anything: both fail alike, or both agree and all JSON of the
 * rows is typed JSON. */
void dump_agree(enum signal_kind signal, struct str body, const struct limits *limits,
    struct batch *b);

#endif
