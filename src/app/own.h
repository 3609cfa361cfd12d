/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/own.h - sends the spans of weir's own work (sys/trace.h), once a second: into its own store, as the telemetry of a
 * tenant of its own, or to another place that speaks OTLP/HTTP.
 *
 * It does not feed itself: what it sends is loaded without a span, for the loader makes none for that tenant, and no
 * request of its is a question. What cannot be sent is counted, and lost.
 *
 * One thread. Start it when ingest runs, stop it before ingest does.
 */
#ifndef APP_OWN_H
#define APP_OWN_H

#include "base/buf.h"
#include "base/err.h"

struct ingest;
struct own;

struct own_options {
	struct str
	    to; /* "self", or http://host:4318; empty: nothing is sent, and there is no thread */
	struct str tenant;
	const char *token; /* for another place; NULL: none */
	struct ingest *ingest;
	const char *version;
};

/* ERR_INVALID: `to` is no place. *out is NULL when nothing is to be sent. */
MUST_CHECK enum err_code own_start(const struct own_options *opt, struct own **out,
    struct err *err);
/* Sends what there is and ends the thread. NULL allowed, in all of these. */
void own_stop(struct own *o);
void own_free(struct own *o); /* stops it when that is not done */
void own_metrics(struct own *o, struct buf *out);

#endif
