/* SPDX-License-Identifier: Apache-2.0 */
/* What the API asks of a running server, besides its store: backups, comments, checks, metrics. */
#include "app/serve_priv.h"

#include "app/check.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- backups */

static enum err_code
make_backup(void *ctx, struct str name, uint64_t now_unix_ns, struct buf *json, struct err *err)
{
	struct serve *s = ctx;
	struct backup_info info;
	enum err_code code = backup_create(&(struct backup_source){.store = s->store,
	                                       .wal = s->wal,
	                                       .data_dir = s->config.data_dir,
	                                       .backup_dir = str_from(s->backup_dir),
	                                       .version = WEIR_VERSION,
	                                       .free_bytes_min = s->config.limits.free_bytes_min},
	    name, now_unix_ns, &info, err);
	if (code == ERR_OK)
		backup_write_one(&info, json);
	return code;
}

static enum err_code
list_backups(void *ctx, struct buf *json, struct err *err)
{
	struct serve *s = ctx;
	struct backup_info *list;
	size_t count;
	enum err_code code = backup_list(str_from(s->backup_dir), &list, &count, err);
	if (code == ERR_OK)
		backup_write_list(list, count, json);
	free(list);
	return code;
}

static enum err_code
delete_backup(void *ctx, struct str name, struct err *err)
{
	struct serve *s = ctx;
	return backup_delete(str_from(s->backup_dir), name, err);
}

enum err_code
serve_set_up_backups(struct serve *s, struct err *err)
{
	const struct config *c = &s->config;
	s->backups = (struct rest_backups){
	    .create = make_backup, .list = list_backups, .remove = delete_backup, .ctx = s};
	if (c->backup_dir.len == 0)
		return file_join(c->data_dir, STR("backups"), s->backup_dir, err);
	if (c->backup_dir.len >= sizeof(s->backup_dir))
		return err_set(err, ERR_TOO_LARGE, "the path of --backup-dir is too long");
	snprintf(s->backup_dir, sizeof(s->backup_dir), "%.*s", STR_ARG(c->backup_dir));
	return ERR_OK;
}

/* ---- the API */

/* Of struct ops_writer. */
enum err_code
serve_write_comments(void *ctx, struct str tenant, struct str request, uint64_t deadline_mono_ns,
    bool *visible_out, struct err *err)
{
	struct serve *s = ctx;
	struct ingest_request req = {
	    .signal = SIGNAL_COMMENTS, .tenant = tenant, .received_ns = clock_unix_ns()};
	*visible_out = false;
	buf_str(&req.body, request);
	if (req.body.failed)
		return err_set(err, ERR_BUSY, "no memory for comments, try again");
	enum err_code code =
	    ingest_submit_and_wait(s->ingest, &req, deadline_mono_ns, visible_out, err);
	buf_fini(&req.body); /* what ingest has taken it has emptied */
	return code;
}

size_t
serve_ready_checks(void *ctx, struct rest_check *out, size_t max)
{
	struct serve *s = ctx;
	struct ingest_check checks[INGEST_CHECKS];
	ingest_checks(s->ingest, checks);
	size_t n = max < INGEST_CHECKS ? max : INGEST_CHECKS;
	for (size_t i = 0; i < n; i++) {
		out[i].name = checks[i].name;
		out[i].ok = checks[i].ok;
		memcpy(out[i].text, checks[i].text, sizeof(out[i].text));
	}
	if (n == max)
		return n;
	out[n].name = "keys";
	out[n].ok = !keys_trouble(s->keys, out[n].text);
	if (out[n].ok)
		snprintf(out[n].text, sizeof(out[n].text), "%s",
		    keys_required(s->keys) ? "needed"
		                           : "none yet: whoever reaches a port may do everything");
	return n + 1;
}

_Static_assert(LIMIT_CHECK_TEXT_BYTES >= (int)KEYS_TROUBLE_BYTES, "it fits");

bool
serve_catches_up(void *ctx, char text[LIMIT_CHECK_TEXT_BYTES])
{
	struct serve *s = ctx;
	return ingest_catches_up(s->ingest, text);
}

void
serve_more_metrics(void *ctx, struct buf *out)
{
	struct serve *s = ctx;
	ingest_metrics(s->ingest, out);
	own_metrics(s->own, out);
	if (s->tls)
		tls_context_metrics(s->tls, out);
}

/* POST /api/v1/check. */
enum err_code
serve_check_running(void *ctx, bool quick, struct buf *json, struct err *err)
{
	struct serve *s = ctx;
	return check_folder(&(struct check_options){.data_dir = s->config.data_dir,
	                        .quick = quick,
	                        .store = s->store,
	                        .wal = s->wal},
	    json, err);
}
