/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app.h"

#include "app/check.h"
#include "app/config.h"
#include "base/hash.h"
#include "bench/bench.h"
#include "cli/cli.h"
#include "demo/demo.h"
#include "duck/duck.h"
#include "keys/keys.h"
#include "rest/openapi.h"
#include "rest/rest.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/rand.h"
#include "transfer/transfer.h"

#include <stdio.h>

/* `weir openapi`: what a server with the usual limits says at /api/v1/openapi.json. */
static int
app_openapi(int argc, char **argv)
{
	struct limits limits = limits_default();
	struct buf out = {0};
	if (argc > 1) {
		fprintf(stderr, "weir openapi: there is no option %.60s\n", argv[1]);
		return CLI_USAGE;
	}
	rest_openapi_write(&limits, &out);
	bool written = fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
	buf_fini(&out);
	return written ? CLI_OK : CLI_ERROR;
}

static const struct usage openapi_usage = {.name = "openapi",
    .help = "print the OpenAPI document of the REST API",
    .about = "OpenAPI 3.1. No server is asked; a running one has it at /api/v1/openapi.json.\n",
    .example = "weir openapi > weir-openapi.json"};

static const struct cli_command commands[] = {
    {&config_usage, app_serve, OP_RUN},
    {&demo_usage, demo_run, OP_RUN},
    {&transfer_export_usage, transfer_export, OP_RUN},
    {&transfer_import_usage, transfer_import, OP_RUN},
    {&transfer_pull_usage, transfer_pull, OP_RUN},
    {&bench_usage, bench_run, OP_RUN},
    {&app_restore_usage, app_restore, OP_ADMINISTRATE},
    {&openapi_usage, app_openapi, OP_RUN},
    {.usage = NULL},
};

/* `weir check --data-dir`. */
static enum err_code
check_on_folder(struct str data_dir, struct str path, struct buf *body_out, struct err *err)
{
	if (process_become_owner(data_dir.ptr, err) != ERR_OK)
		return err->code;
	return check_folder(&(struct check_options){.data_dir = data_dir,
	                        .quick = memmem(path.ptr, path.len, "quick=true", 10) != NULL,
	                        .repair = memmem(path.ptr, path.len, "repair=true", 11) != NULL},
	    body_out, err);
}

/* `weir keys --data-dir`. Who may write there may do everything. */
static enum err_code
keys_on_folder(struct str data_dir, const char *method, struct str path, struct buf *body_out,
    struct err *err)
{
	struct keys *keys;
	/* Not for a question about a name that was mistyped. */
	if (!file_exists(data_dir.ptr) && !str_eq(str_from(method), STR("POST")))
		return err_set(err, ERR_NOT_FOUND, "there is no data folder %s", data_dir.ptr);
	if (process_become_owner(data_dir.ptr, err) != ERR_OK ||
	    file_mkdir(data_dir.ptr, NULL, err) != ERR_OK)
		return err->code;
	enum err_code code = keys_open(data_dir, &keys, err);
	if (code == ERR_OK)
		code = rest_keys_offline(keys, method, path, clock_unix_ns(), body_out, err);
	keys_close(keys);
	return code;
}

static int
answer_from_folder(struct str data_dir, const char *method, struct str path, struct buf *body_out)
{
	struct err err = {0};
	enum err_code code = str_starts(path, STR(CLI_CHECK_PATH))
	    ? check_on_folder(data_dir, path, body_out, &err)
	    : keys_on_folder(data_dir, method, path, body_out, &err);
	if (code == ERR_OK)
		return 200;
	buf_reset(body_out);
	(void)rest_error_body(NULL, NULL, &err, body_out);
	return err_http_status(code);
}

/* Before there is a table, or a second thread. */
static void
seed_hashes(void)
{
	uint64_t secret[HASH_SECRET_WORDS];
	rand_bytes(secret, sizeof(secret));
	hash_secret_set(secret);
}

int
app_main(int argc, char **argv)
{
	seed_hashes();
	/* Not for people: duck/duck_user.h. */
	if (argc == 2 && str_eq(str_from(argv[1]), STR(DUCK_SQL_WORKER)))
		return duck_user_worker();
	return cli_run(argc, argv, commands, answer_from_folder, WEIR_VERSION);
}
