/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/fake_test.h - a store for the tests of ops/: gives back the rows it was built with, whatever
 * was asked, and remembers the question. What filters do is for the tests of real stores.
 */
#ifndef OPS_FAKE_TEST_H
#define OPS_FAKE_TEST_H

#include "ops/ops.h"

typedef struct json_t json_t;

struct fake {
	struct store store; /* first: it is one */
	struct arena arena;
	struct table rows, resources, scopes;
	struct store_query asked;
	int ask_count;
	/* for fake_run() */
	struct str tenant;
	struct limits limits;
	uint64_t now_ns;
	size_t answer_bytes_max, arena_bytes_max;
	int stop_at; /* asked so often whether to stop, it says yes; 0: never */
	int stop_count; /* how often it was asked */
	struct buf answer;
	struct ops_reply reply;
	struct err err;
};

/* With one resource (id 7) and one scope (id 9), and no rows of table `id`. */
void fake_init(struct fake *f, enum table_id id);
void fake_fini(struct fake *f);
/* A row with its required text columns set to "". */
size_t fake_row(struct fake *f);
/* Run the operation with a query string of plain text ("a=1&b=2"; values are not decoded; "" for
 * none). */
enum err_code fake_run(struct fake *f, const char *op, const char *params);
/* The same, and the answer parsed; fails the test on an error. The caller decrefs. */
json_t *fake_get(struct fake *f, const char *op, const char *params);

#endif
