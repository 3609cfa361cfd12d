/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/rest_kit_test.h - what the tests of the REST face share: it behind a server of its own, as in weir serve, and asking it.
 */
#ifndef REST_REST_KIT_TEST_H
#define REST_REST_KIT_TEST_H

#include "rest/rest.h"

/* opt->limits and opt->stats are the server's too. End: http_server_free(), then rest_free(). */
void rest_kit_start(const struct rest_options *opt, struct rest **rest_out,
    struct http_server **server_out);

struct rest_kit_request {
	const char *method; /* NULL: GET */
	const char *path;
	const char *tenant, *token, *json; /* NULL: none */
};

/* The status, or -1 when there was no answer. Its body is put into *body, with a NUL behind it that does not count. */
int rest_kit_ask(const struct http_server *server, const struct rest_kit_request *req,
    struct buf *body);

#endif
