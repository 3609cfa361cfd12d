/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/transfer_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "duck/duck_files.h"
#include "otlp/otlp.h"
#include "sys/file.h"

#include <stdlib.h>

enum { ROWS_MAX = 122880, BODIES_MAX = 4096 };
#define BODY_BYTES_MAX ((size_t)96 << 20)

struct parquet_writer {
	struct duck_files *files;
	char dir[FILE_PATH_BYTES];
	enum signal_kind signal;
	char tenant[LIMIT_TENANT_BYTES + 1];
	struct batch batch; /* what goes to the next file; points into the bodies */
	struct buf bodies[BODIES_MAX];
	size_t body_count, body_bytes;
	uint64_t pages, file_count;
	bool force; /* write over files that are there */
};

static const enum table_id tables[] =
    {[SIGNAL_TRACES] = TABLE_SPANS, [SIGNAL_LOGS] = TABLE_LOGS, [SIGNAL_METRICS] = TABLE_POINTS};

enum err_code
transfer_parquet_open(const char *dir, enum signal_kind signal, struct str tenant, bool force,
    struct parquet_writer **out, struct err *err)
{
	struct parquet_writer *w = xcalloc(1, sizeof(*w));
	*out = NULL;
	batch_init(&w->batch, 0);
	w->signal = signal;
	w->force = force;
	snprintf(w->dir, sizeof(w->dir), "%s", dir);
	snprintf(w->tenant, sizeof(w->tenant), "%.*s", STR_ARG(tenant));
	enum err_code code = duck_files_open(&w->files, err);
	if (code != ERR_OK) {
		transfer_parquet_close(w);
		return code;
	}
	*out = w;
	return ERR_OK;
}

static void
forget_rows(struct parquet_writer *w)
{
	batch_reset(&w->batch);
	for (size_t i = 0; i < w->body_count; i++)
		buf_fini(&w->bodies[i]);
	w->body_count = w->body_bytes = 0;
}

/* Whose they are is known when a tenant was named; else the server has chosen, by the key. */
static void
set_tenant(struct parquet_writer *w)
{
	static const int cols[] = {[SIGNAL_TRACES] = SPAN_TENANT,
	    [SIGNAL_LOGS] = LOG_TENANT,
	    [SIGNAL_METRICS] = POINT_TENANT};
	struct table *rows = &w->batch.tables[tables[w->signal]];
	for (size_t i = 0; i < rows->row_count; i++)
		table_set_str(rows, i, cols[w->signal], str_from(w->tenant));
}

/* It gets its name when it is whole. */
static enum err_code
write_file(struct parquet_writer *w, struct err *err)
{
	char name[64], part[80], path[FILE_PATH_BYTES], tmp[FILE_PATH_BYTES];
	const struct table *rows = &w->batch.tables[tables[w->signal]];
	if (rows->row_count == 0)
		return ERR_OK;
	set_tenant(w);
	snprintf(name, sizeof(name), "%s-%06llu.parquet", signal_name(w->signal),
	    (unsigned long long)++w->file_count);
	snprintf(part, sizeof(part), "%s.partial", name);
	enum err_code code = file_join(str_from(w->dir), str_from(name), path, err);
	if (code == ERR_OK)
		code = file_join(str_from(w->dir), str_from(part), tmp, err);
	if (code == ERR_OK && file_exists(path) && !w->force)
		return err_set(err, ERR_EXISTS, "%s is there already: --force writes over it",
		    path);
	if (code == ERR_OK && file_exists(tmp))
		code = file_unlink(tmp, err);
	if (code == ERR_OK)
		code = duck_files_write(w->files, rows, &w->batch.tables[TABLE_RESOURCES],
		    &w->batch.tables[TABLE_SCOPES], tmp, err);
	if (code == ERR_OK)
		code = file_rename(tmp, path, err);
	forget_rows(w);
	return code;
}

enum err_code
transfer_parquet_add(struct parquet_writer *w, struct buf *body, struct err *err)
{
	struct limits limits = limits_widest();
	/* Pages come newest first: a later one gets an earlier place. */
	struct otlp_origin origin = {STR("default"), ++w->pages, 0};
	struct buf *kept = &w->bodies[w->body_count++];
	*kept = *body;
	*body = (struct buf){0};
	w->body_bytes += kept->len;
	enum err_code code =
	    otlp_decode(w->signal, buf_view(kept), &limits, &origin, &w->batch, err);
	bool full = batch_row_count(&w->batch) >= ROWS_MAX || w->body_count == BODIES_MAX ||
	    w->body_bytes >= BODY_BYTES_MAX;
	return code == ERR_OK && full ? write_file(w, err) : code;
}

enum err_code
transfer_parquet_end(struct parquet_writer *w, uint64_t *files_out, struct err *err)
{
	enum err_code code = write_file(w, err);
	*files_out = w->file_count;
	return code;
}

void
transfer_parquet_close(struct parquet_writer *w)
{
	if (!w)
		return;
	forget_rows(w);
	batch_fini(&w->batch);
	duck_files_close(w->files);
	free(w);
}
