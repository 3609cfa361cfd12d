/* SPDX-License-Identifier: Apache-2.0 */
/* ops/op_params.h - parameters that several operations have, as rows of a list of struct op_param. */
#ifndef OPS_OP_PARAMS_H
#define OPS_OP_PARAMS_H

#include "ops/ops.h"

#define PARAM(n, t, h) {.name = n, .type = t, .help = h}
#define PARAM_ENUM(n, c, h) {.name = n, .type = OP_ENUM, .choices = c, .help = h}

/* In every list of rows. */
#define PARAM_ATTRIBUTE                                                                            \
	{.name = "attribute",                                                                      \
	    .type = OP_ATTR,                                                                       \
	    .repeat = true,                                                                        \
	    .repeat_max = STORE_ATTRS_MAX,                                                         \
	    .help =                                                                                \
	        "its attribute, or else its resource's: k=v k!=v k>1.5 k~regex k!~regex k !k; "    \
	        "item:k, resource:k, scope:k: only there"}
#define PARAM_TEXT(where)                                                                          \
	PARAM("text", OP_WORDS, "each of these words, or \"phrases\", occurs in " where)
#define PARAM_HISTOGRAM                                                                            \
	{.name = "histogram",                                                                      \
	    .type = OP_INT,                                                                        \
	    .min = 1,                                                                              \
	    .max = STORE_BUCKETS_MAX,                                                              \
	    .help = "also how many there are over time, in at most so many buckets"}
#define PARAM_FROM                                                                                 \
	PARAM("from", OP_TIME, "not before this time (2026-11-20T16:00, 2026-11-20, unix time)")
#define PARAM_TO PARAM("to", OP_TIME, "before this time")
#define PARAM_LAST PARAM("last", OP_SPAN, "not older than this (90s, 15m, 1.5h, 7d)")
#define PARAM_LIMIT_OR(count)                                                                      \
	{.name = "limit",                                                                          \
	    .type = OP_INT,                                                                        \
	    .results = true,                                                                       \
	    .help = "at most so many (1 to --max-results of the server)",                          \
	    .fallback = (count)}
#define PARAM_LIMIT PARAM_LIMIT_OR("100")
#define PARAM_LIMIT_MAX                                                                            \
	{.name = "limit",                                                                          \
	    .type = OP_INT,                                                                        \
	    .results = true,                                                                       \
	    .help = "at most so many (1 to --max-results of the server, which holds otherwise)"}
#define PARAM_CURSOR PARAM("cursor", OP_CURSOR, "the page behind: next_cursor of the one before")
#define PARAM_SERVICE PARAM("service", OP_TEXT, "of this service")
#define PARAM_END {.name = NULL}

#endif
