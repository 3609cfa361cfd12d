/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/load_priv.h - the loader's own: what its files share.
 *
 *     load.c        gathering, appending, waiting, moving on
 *     load_batch.c  records become the rows of a batch
 *     load_bad.c    which part of a request is to blame
 *
 * All of it belongs to the loader thread.
 */
#ifndef INGEST_LOAD_PRIV_H
#define INGEST_LOAD_PRIV_H

#include "ingest/ingest_priv.h"

#include "base/arena.h"
#include "base/map.h"

/* Decoded; a request alone may take more. Four times as much costs 100 MiB of memory and saves nothing. */
enum { LOAD_BATCH_BYTES_MAX = 16 << 20 };

/* A gathered record. */
struct item {
	uint64_t seq;
	uint64_t end_bytes;
	struct str payload; /* in loader.payloads */
	bool readable; /* it is a record of a version we know */
	bool letter; /* a dead letter that is tried again: loaded alone */
	/* All of it was put aside, or is a letter's that goes on waiting: only its seq counts. */
	bool aside;
};

/* Items by ordinal. */
struct part {
	uint32_t first, last; /* inclusive */
};

/* Which items of a lone record are tried; NULL where it says so: all that are not put aside. */
struct selection {
	const struct part *parts;
	size_t count;
};

/* Where the log was when a seq was applied, until the store keeps that seq by itself. */
struct place {
	uint64_t seq, bytes;
};

enum { PLACES_MAX = 512 };

struct loader {
	struct ingest *in;
	struct arena payloads;
	struct batch batch;
	struct map seen; /* identities in the batch: their hash -> place in batch.requests */
	struct item *items; /* gathered, by seq */
	size_t count;
	size_t cap;
	size_t done; /* so many of them are in the store */
	size_t take; /* so many of the rest are tried together */
	bool built; /* the last failure was the store's, not that of decoding */
	unsigned attempts; /* of items[done] alone */
	unsigned unexplained; /* times that no part of items[done] was found to be to blame */
	uint64_t failures; /* in a row */
	uint64_t backoff_ms;
	uint64_t last_load_ns; /* when the last gathering ended; 0: there was none */
	struct place places[PLACES_MAX];
	size_t place_count;
	uint64_t position; /* of the store, when last looked at */
	bool trim_failed; /* and said so */
};

/* An error that says nothing about the request. */
bool load_can_pass(enum err_code code);

/* Fill l->batch with up to l->take requests from items[done] on; l->take becomes how many they are.
 * What is enough ends the batch; so does a bad one, before it, or, as the first, it fails. A letter's
 * record is a batch of its own. */
MUST_CHECK enum err_code load_build(struct loader *l, struct err *err);
/* The same with only one record and of it only the selection (NULL: all). */
MUST_CHECK enum err_code load_build_one(struct loader *l, const struct item *item,
    const struct selection *sel, struct err *err);

enum load_verdict {
	LOAD_PUT_ASIDE, /* a part, durably: what is left of the request can be tried */
	LOAD_WAIT /* nothing was: *err says why, wait and try again */
};

/* items[done] alone cannot be loaded, because of `why`. Finds the parts that are to blame and puts
 * them aside. */
MUST_CHECK enum load_verdict load_blame(struct loader *l, enum err_code code, const struct err *why,
    struct err *err);

#endif
