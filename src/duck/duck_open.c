/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_priv.h"

#include "base/limits.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MAX = 16, PATH_BYTES = 4096, SCRATCH_KEEP_BYTES = 1 << 20, DAYS_MAX = 20000 };

static enum err_code
refuse(struct duck *d, struct err *err)
{
	mutex_lock(&d->text_lock);
	enum err_code code = err_set(err, ERR_UNAVAILABLE, "%s", d->text);
	mutex_unlock(&d->text_lock);
	return code;
}

static enum err_code
append(struct store *s, struct batch *batch, struct err *err)
{
	if (atomic_load(&duck_of(s)->broken))
		return refuse(duck_of(s), err);
	return duck_append(s, batch, err);
}

static enum err_code
query(struct store *s, const struct store_query *q, struct store_result *result, struct err *err)
{
	if (atomic_load(&duck_of(s)->broken))
		return refuse(duck_of(s), err);
	return duck_query(s, q, result, err);
}

static uint64_t
position(struct store *s)
{
	return atomic_load(&duck_of(s)->position);
}

static void
status(struct store *s, struct store_status *out)
{
	struct duck *d = duck_of(s);
	*out = (struct store_status){
	    .ok = !atomic_load(&d->broken),
	    .row_count = atomic_load(&d->row_count),
	    .disk_bytes = atomic_load(&d->disk_bytes),
	};
	mutex_lock(&d->text_lock);
	memcpy(out->text, d->text, sizeof(out->text));
	mutex_unlock(&d->text_lock);
}

static void
close_store(struct store *s)
{
	struct duck *d = duck_of(s);
	struct duck_writer *w = &d->writer;
	duck_keep_stop(d);
	duck_pool_fini(&d->pool);
	for (int i = 0; i < TABLE_STORED_COUNT; i++)
		if (w->chunks[i])
			duckdb_destroy_data_chunk(&w->chunks[i]);
	for (int i = 0; i < TABLE_RESOURCES; i++)
		map_fini(&w->days[i]);
	duck_dict_fini(&w->resources);
	duck_dict_fini(&w->scopes);
	arena_fini(&w->scratch);
	if (w->con)
		duckdb_disconnect(&w->con);
	if (d->db)
		duckdb_close(&d->db); /* checkpoints */
	mutex_fini(&d->text_lock);
	free(d->dir);
	free(d);
}

static void
cancel(struct store *s)
{
	atomic_store(&duck_of(s)->cancelled, true);
}

static const struct store_ops ops = {
    .name = "duckdb",
    .append = append,
    .position = position,
    .query = query,
    .status = status,
    .cancel = cancel,
    .close = close_store,
};

static void
fill_defaults(struct duck_options *o)
{
	unsigned cpus = thread_cpu_count();
#define DEFAULT(field, value) o->field = o->field != 0 ? o->field : (value)
	DEFAULT(memory_bytes_max, LIMIT_GIB);
	DEFAULT(temp_bytes_max, 4 * LIMIT_GIB);
	DEFAULT(threads, cpus < THREADS_MAX ? cpus : THREADS_MAX);
	DEFAULT(readers_max, 8);
	DEFAULT(checkpoint_bytes, 256 * LIMIT_MIB);
	DEFAULT(checkpoint_age_ms, 300000);
	DEFAULT(checkpoint_idle_ms, 10000);
	DEFAULT(days_back, 400);
	DEFAULT(days_ahead, 1);
#undef DEFAULT
	if (!o->now_unix_ns)
		o->now_unix_ns = clock_unix_ns;
	CHECK(o->readers_max <= DUCK_READERS_MAX);
	CHECK(o->days_back <= DAYS_MAX && o->days_ahead <= DAYS_MAX);
	o->data_dir = STR_EMPTY;
}

static enum err_code
set(duckdb_config config, const char *name, const char *value, struct err *err)
{
	if (duckdb_set_config(config, name, value) == DuckDBSuccess)
		return ERR_OK;
	return err_set(err, ERR_UNAVAILABLE, "libduckdb does not take %s = %s: is it version 1.5?",
	    name, value);
}

/* Nothing is ever fetched from or sent to a network, and SQL reaches no other file. */
static enum err_code
configure(duckdb_config config, const struct duck_options *o, const char *temp_dir, struct err *err)
{
	static const char *const fixed[][2] = {
	    {"autoinstall_known_extensions", "false"},
	    {"autoload_known_extensions", "false"},
	    {"allow_community_extensions", "false"},
	    {"allow_unsigned_extensions", "false"},
	    {"allow_persistent_secrets", "false"},
	    {"enable_external_access", "false"},
	    {"storage_compatibility_version", "v1.5.0"},
	    {"checkpoint_threshold", "1TiB"}, /* never by itself: duck_keep.c */
	    {"write_buffer_row_group_count", "1"}, /* compress outside of COMMIT's lock */
	    /* Order is asked for where it is wanted; without it less is kept in memory. */
	    {"preserve_insertion_order", "false"},
	    {"allocator_background_threads", "true"},
	};
	char threads[16], memory[32], temp[32];
	snprintf(threads, sizeof(threads), "%u", o->threads);
	snprintf(memory, sizeof(memory), "%" PRIu64 "MiB", o->memory_bytes_max / LIMIT_MIB);
	snprintf(temp, sizeof(temp), "%" PRIu64 "MiB", o->temp_bytes_max / LIMIT_MIB);
	/* The folder first: without external access it can no longer be named. */
	enum err_code code = set(config, "temp_directory", temp_dir, err);
	if (code == ERR_OK)
		code = set(config, "max_temp_directory_size", temp, err);
	if (code == ERR_OK)
		code = set(config, "threads", threads, err);
	if (code == ERR_OK)
		code = set(config, "memory_limit", memory, err);
	for (size_t i = 0; i < ARRAY_LEN(fixed) && code == ERR_OK; i++)
		code = set(config, fixed[i][0], fixed[i][1], err);
	return code;
}

/* The three ways a good set-up finds its file unusable each get a sentence of their own. */
static enum err_code
open_failed(const char *path, char *text, struct err *err)
{
	const char *why = text ? text : "no reason given";
	const char *at = strstr(why, "byte position ");
	const char *pid = strstr(why, "PID ");
	enum err_code code;
	if (strstr(why, "orrupt WAL") || strstr(why, "replaying WAL"))
		code = err_set(err, ERR_CORRUPT,
		    DUCK_FILE
		    ".wal is damaged at byte %" PRIu64
		    ": what was committed before it can be had by cutting a copy of it there",
		    at ? (uint64_t)strtoull(at + strlen("byte position "), NULL, 10) : 0);
	else if (strstr(why, "lock on file"))
		code = err_set(err, ERR_UNAVAILABLE, "%s is open in another process (%.24s)", path,
		    pid ? pid : "unknown");
	else if (strstr(why, "No space left on device"))
		code = err_set(err, ERR_BUSY, "disk full while opening %s", path);
	else
		code = err_set(err, ERR_UNAVAILABLE, "cannot open %s: %.120s", path, why);
	duckdb_free(text);
	return code;
}

static enum err_code
open_database(struct duck *d, struct str dir, struct err *err)
{
	char path[PATH_BYTES], temp_dir[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%.*s/" DUCK_FILE, STR_ARG(dir));
	int m = snprintf(temp_dir, sizeof(temp_dir), "%.*s/tmp", STR_ARG(dir));
	if (n < 0 || m < 0 || n >= PATH_BYTES || m >= PATH_BYTES)
		return err_set(err, ERR_INVALID, "the path of the data directory is too long");
	duckdb_config config = NULL;
	char *text = NULL;
	if (duckdb_create_config(&config) != DuckDBSuccess)
		return err_set(err, ERR_UNAVAILABLE, "libduckdb gives no configuration");
	enum err_code code = configure(config, &d->opt, temp_dir, err);
	if (code == ERR_OK && duckdb_open_ext(path, &d->db, config, &text) != DuckDBSuccess)
		code = open_failed(path, text, err);
	duckdb_destroy_config(&config);
	return code;
}

/* What memory has to know of the file. */
static enum err_code
load_state(struct duck *d, struct err *err)
{
	struct duck_writer *w = &d->writer;
	uint64_t pos = 0, rows = 0;
	enum err_code code = duck_number(d, w->con, "SELECT max(seq) FROM positions", &pos, err);
	if (code == ERR_OK)
		code = duck_number(d, w->con, "SELECT count(*)::UBIGINT FROM positions",
		    &w->position_rows, err);
	if (code == ERR_OK)
		code = duck_number(d, w->con,
		    "SELECT sum(estimated_size)::UBIGINT FROM duckdb_tables() WHERE table_name NOT IN"
		    " ('meta', 'positions', 'partitions', 'resources', 'scopes')",
		    &rows, err);
	for (int id = 0; id < TABLE_RESOURCES && code == ERR_OK; id++) {
		struct duck_sql sql;
		struct buf words = {0};
		duck_sql_init(&sql);
		buf_printf(&sql.text, "SELECT day FROM partitions WHERE base = '%s'",
		    table_defs[id].name);
		code = duck_read_words(d, w->con, &sql, UINT64_MAX, &words, err);
		for (size_t i = 0; i < words.len / sizeof(uint64_t) && code == ERR_OK; i++) {
			uint64_t day;
			memcpy(&day, words.ptr + i * sizeof(day), sizeof(day));
			bool put = map_put(&w->days[id], day, 1);
			CHECK(put);
		}
		buf_fini(&words);
		duck_sql_fini(&sql);
	}
	atomic_store(&d->position, pos);
	atomic_store(&d->row_count, rows);
	return code;
}

static enum err_code
prepare(struct duck *d, struct err *err)
{
	struct duck_writer *w = &d->writer;
	if (duckdb_connect(d->db, &w->con) != DuckDBSuccess)
		return err_set(err, ERR_UNAVAILABLE, "the database gives no connection");
	enum err_code code = duck_exec(d, w->con, "SET lock_configuration = true", err);
	if (code == ERR_OK)
		code = duck_attr_register(d, w->con, err);
	if (code == ERR_OK)
		code = duck_merge_register(d, w->con, err);
	if (code == ERR_OK)
		code = duck_schema_migrate(d, w->con, err);
	if (code == ERR_OK)
		code = load_state(d, err);
	if (code != ERR_OK)
		return code;
	for (int i = 0; i < TABLE_STORED_COUNT; i++)
		w->chunks[i] = duck_fill_chunk_new(&table_defs[i]);
	return duck_keep_start(d, err);
}

enum err_code
duck_open(const struct duck_options *opt, struct store **out, struct err *err)
{
	struct duck *d = xcalloc(1, sizeof(*d));
	*out = NULL;
	d->store.ops = &ops;
	d->opt = *opt;
	fill_defaults(&d->opt);
	mutex_init(&d->text_lock);
	d->dir = xcalloc(opt->data_dir.len + 1, 1);
	if (opt->data_dir.len > 0)
		memcpy(d->dir, opt->data_dir.ptr, opt->data_dir.len);
	duck_pool_init(&d->pool, d->opt.readers_max);
	arena_init(&d->writer.scratch, 0, SCRATCH_KEEP_BYTES);
	d->writer.resources.id = TABLE_RESOURCES;
	d->writer.scopes.id = TABLE_SCOPES;
	uint64_t start_ns = clock_mono_ns();
	enum err_code code = open_database(d, opt->data_dir, err);
	if (code == ERR_OK)
		code = prepare(d, err);
	if (code != ERR_OK) {
		close_store(&d->store);
		return code;
	}
	log_info("duck",
	    "opened at position %" PRIu64 " with about %" PRIu64 " rows in %" PRIu64 " ms",
	    atomic_load(&d->position), atomic_load(&d->row_count),
	    (clock_mono_ns() - start_ns) / 1000000);
	*out = &d->store;
	return ERR_OK;
}
