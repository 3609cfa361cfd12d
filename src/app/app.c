/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app.h"

#include "app/check.h"
#include "bench/bench.h"
#include "cli/cli.h"
#include "demo/demo.h"
#include "keys/keys.h"
#include "rest/rest.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/process.h"
#include "transfer/transfer.h"

static const struct cli_command commands[] = {
    {"serve", "run the server", app_serve},
    {"restore", "put a backup into a data folder", app_restore},
    {"demo", "play a small shop of services into a server", demo_run},
    {"export", "write telemetry of a server to files", transfer_export},
    {"import", "send what files hold to a server", transfer_import},
    {"bench", "load a server and print what it cost", bench_run},
    {0},
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

int
app_main(int argc, char **argv)
{
	return cli_run(argc, argv, commands, answer_from_folder, WEIR_VERSION);
}
