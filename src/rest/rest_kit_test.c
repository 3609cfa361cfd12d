/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/rest_kit_test.h"

#include "http/client.h"
#include "tests/test.h"

#include <stdio.h>

enum { PATIENCE_MS = 30000 };

void
rest_kit_start(const struct rest_options *opt, struct rest **rest_out,
    struct http_server **server_out)
{
	struct err err;
	assert_int_equal(rest_start(opt, rest_out, &err), ERR_OK);
	struct http_server_options http = {.address = STR("127.0.0.1:0"),
	    .name = "api",
	    .limits = opt->limits,
	    .stats = opt->stats,
	    .stats_requests = STATS_REQUESTS_API,
	    .stats_connections = STATS_CONNS_API,
	    .admit = rest_admit,
	    .body_max = rest_body_max,
	    .handle = rest_handle,
	    .error_body = rest_error_body,
	    .ctx = *rest_out};
	assert_int_equal(http_server_start(&http, server_out, &err), ERR_OK);
}

int
rest_kit_ask(const struct http_server *server, const struct rest_kit_request *req, struct buf *body)
{
	char url[64];
	struct err err;
	struct http_client *c;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", http_server_port(server));
	struct http_client_options opt = {.base_url = str_from(url),
	    .connect_timeout_ms = PATIENCE_MS,
	    .timeout_ms = PATIENCE_MS,
	    .body_bytes_max = LIMIT_MIB,
	    .token = req->token ? str_from(req->token) : STR_EMPTY,
	    .tenant = req->tenant ? str_from(req->tenant) : STR_EMPTY};
	struct http_client_request sent = {.method = req->method ? req->method : "GET",
	    .path_and_query = str_from(req->path),
	    .content_type = req->json ? "application/json" : NULL,
	    .body = req->json ? str_from(req->json) : STR_EMPTY};
	struct http_client_answer answer = {.body = body};
	if (http_client_open(&opt, &c, &err) != ERR_OK)
		return -1;
	if (http_client_exchange(c, &sent, &answer, &err) != ERR_OK)
		answer.status = -1;
	buf_char(body, '\0');
	body->len--;
	http_client_close(c);
	return answer.status;
}
