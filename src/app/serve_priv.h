/* SPDX-License-Identifier: Apache-2.0 */
/* app/serve_priv.h - a running `weir serve`, for the files that are it: serve.c brings it up and down, serve_api.c is what its API
 * asks of it. */
#ifndef APP_SERVE_PRIV_H
#define APP_SERVE_PRIV_H

#include "app/config.h"
#include "app/own.h"
#include "app/price_list.h"
#include "app/puller.h"
#include "app/services.h"

#include "backup/backup.h"
#include "ingest/ingest.h"
#include "keys/auth.h"
#include "ops/ops.h"
#include "receive/receive.h"
#include "rest/rest.h"
#include "store/retain.h"
#include "sys/file.h"
#include "tail/tail.h"

struct serve {
	struct arena arena;
	struct config config, as_given;
	int argc; /* behind "serve" */
	char **argv;
	struct retain retain;
	struct stats stats;
	struct price_list prices;
	struct budget inflight; /* of bodies, all receivers together */
	struct file lock;
	struct tls_context *tls; /* NULL: clear text */
	struct keys *keys;
	struct dlq *dlq;
	struct store *store;
	struct wal *wal;
	struct tail *tail;
	struct ingest *ingest;
	struct receive *receive;
	struct reads *reads;
	struct services services;
	char backup_dir[BACKUP_PATH_BYTES];
	struct rest_backups backups;
	struct ops_writer writer;
	struct rest_puller puller;
	struct rest *rest;
	struct http_server *api;
	struct http_server *http;
	struct grpc_server *grpc;
	struct own *own;
};

/* ---- serve_api.c: callbacks of the API; ctx is the struct serve, the threads are the API's */

MUST_CHECK enum err_code serve_set_up_backups(struct serve *s, struct err *err);
/* Of struct ops_writer. */
enum err_code serve_write_comments(void *ctx, struct str tenant, struct str request,
    uint64_t deadline_mono_ns, bool *visible_out, struct err *err);
size_t serve_ready_checks(void *ctx, struct rest_check *out, size_t max);
bool serve_catches_up(void *ctx, char text[LIMIT_CHECK_TEXT_BYTES]);
void serve_more_metrics(void *ctx, struct buf *out);
/* POST /api/v1/check. */
enum err_code serve_check_running(void *ctx, bool quick, struct buf *json, struct err *err);

#endif
