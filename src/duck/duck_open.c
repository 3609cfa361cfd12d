/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
	THREADS_MAX = 16,
	PATH_BYTES = 4096,
	SCRATCH_KEEP_BYTES = 1 << 20,
	DAYS_MAX = 20000,
	REPAIRS_MAX = 100,
	SWEEP_FIRST = 65536,
};

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

static enum err_code
analyse(struct store *s, struct str tenant, uint64_t deadline_mono_ns, struct partial *p,
    struct err *err)
{
	if (atomic_load(&duck_of(s)->broken))
		return refuse(duck_of(s), err);
	return duck_analyse(s, tenant, deadline_mono_ns, p, err);
}

static enum err_code
sql(struct store *s, const struct store_sql *q, struct store_sql_answer *out, struct err *err)
{
	if (atomic_load(&duck_of(s)->broken))
		return refuse(duck_of(s), err);
	return duck_user_run(s, q, out, err);
}

static uint64_t
position(struct store *s)
{
	return atomic_load(&duck_of(s)->position);
}

static uint64_t
applied(struct store *s)
{
	return hot_applied(duck_of(s)->hot);
}

static void
on_poison(struct store *s, store_poison_fn fn, void *ctx)
{
	struct duck_keeper *k = &duck_of(s)->keeper;
	mutex_lock(&k->lock);
	k->poison = fn;
	k->poison_ctx = ctx;
	mutex_unlock(&k->lock);
}

void
duck_say(struct duck *d, const char *fmt, ...)
{
	va_list args;
	mutex_lock(&d->text_lock);
	d->text[0] = '\0';
	va_start(args, fmt);
	if (fmt)
		vsnprintf(d->text, sizeof(d->text), fmt, args);
	va_end(args);
	mutex_unlock(&d->text_lock);
}

static void
status(struct store *s, struct store_status *out)
{
	struct duck *d = duck_of(s);
	struct hot_info info;
	hot_info(d->hot, &info);
	*out = (struct store_status){
	    .row_count = atomic_load(&d->row_count),
	    .disk_bytes = atomic_load(&d->disk_bytes),
	    .hot_bytes = info.bytes,
	    .identity_bytes = ident_filter_bytes(d->writer.filter) +
	        ident_set_bytes(d->writer.hot_spans) + ident_requests_bytes(d->writer.requests),
	    .identities =
	        ident_filter_count(d->writer.filter) + ident_requests_count(d->writer.requests),
	    .identities_forgotten = ident_filter_forgotten(d->writer.filter) +
	        ident_requests_forgotten(d->writer.requests),
	    .seals = atomic_load(&d->seals),
	    .seal_rows = atomic_load(&d->seal_rows),
	    .seal_failures = atomic_load(&d->seal_failures),
	    .seal_ns = atomic_load(&d->seal_ns),
	    .checkpoints = atomic_load(&d->checkpoints),
	    .checkpoint_ns = atomic_load(&d->checkpoint_ns),
	    .reopened = atomic_load(&d->reopened),
	};
	memcpy(out->hot_rows, info.rows, sizeof(out->hot_rows));
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		out->removed_days[id] = atomic_load(&d->removed.days[id]);
		out->removed_rows[id] = atomic_load(&d->removed.rows[id]);
		out->signal_bytes[id] = atomic_load(&d->removed.bytes[id]);
	}
	out->sources = duck_pulls_count(d);
	out->retain_ns = atomic_load(&d->removed.ns);
	out->retain_longest_day_ns = atomic_load(&d->removed.longest_day_ns);
	mutex_lock(&d->text_lock);
	memcpy(out->text, d->text, sizeof(out->text));
	mutex_unlock(&d->text_lock);
	out->ok = !atomic_load(&d->broken) && !out->text[0];
	out->keeps_waiting = atomic_load(&d->broken) || !duck_keep_wait_ready(d, 0);
}

/* All that memory has of the file, so that it can be read anew. */
static void
forget_file(struct duck *d)
{
	struct duck_writer *w = &d->writer;
	for (int i = 0; i < SIGNAL_TABLES; i++)
		map_fini(&w->place_of[i]);
	buf_fini(&w->places);
	duck_recall_forget(&d->recall);
	duck_memo_tidy(&d->services_memo, UINT64_MAX);
	duck_catalog_fini(&d->catalog);
}

void
duck_close_database(struct duck *d)
{
	duck_help_stop(&d->help);
	if (d->writer.con)
		duckdb_disconnect(&d->writer.con);
	if (d->keeper.con)
		duckdb_disconnect(&d->keeper.con);
	struct err ignored; /* then a power cut in the next moment is not recognised as such */
	if (d->db && duck_mark_checkpoint(d, &ignored) != ERR_OK)
		log_warn("duck", "%s", ignored.message);
	if (d->db) {
		duckdb_close(&d->db); /* checkpoints */
		duck_unmark_closed(d);
	}
	file_close(&d->beside);
	forget_file(d);
}

static void
close_store(struct store *s)
{
	struct duck *d = duck_of(s);
	struct duck_writer *w = &d->writer;
	duck_keep_stop(d);
	duck_user_fini(d);
	duck_pool_fini(&d->pool);
	duck_gate_fini(&d->gate);
	duck_close_database(d);
	duck_help_fini(&d->help);
	duck_recall_fini(&d->recall);
	duck_memo_fini(&d->services_memo);
	for (int i = 0; i < SIGNAL_TABLES; i++)
		shred_window_free(d->keeper.windows[i]);
	duck_dict_fini(&w->resources);
	duck_dict_fini(&w->scopes);
	ident_filter_free(w->filter);
	ident_set_free(w->hot_spans);
	ident_requests_free(w->requests);
	arena_fini(&w->scratch);
	buf_fini(&d->outbox.requests);
	duck_pulls_fini(&d->pulls);
	duck_handles_fini(&d->views);
	duck_handles_fini(&d->picks);
	hot_free(d->hot);
	mutex_fini(&d->outbox.lock);
	mutex_fini(&w->lock);
	cond_fini(&d->keeper.wake);
	cond_fini(&d->keeper.room);
	mutex_fini(&d->keeper.lock);
	mutex_fini(&d->text_lock);
	free(d->dir);
	free(d);
}

static void
cancel(struct store *s)
{
	atomic_store(&duck_of(s)->cancelled, true);
	cond_broadcast(&duck_of(s)->keeper.room);
}

static const struct store_ops ops = {
    .name = "duckdb",
    .append = append,
    .position = position,
    .applied = applied,
    .knows = duck_knows,
    .pulls = duck_pulls,
    .on_poison = on_poison,
    .query = query,
    .analyse = analyse,
    .sql = sql,
    .sql_views = duck_user_views,
    .status = status,
    .hold = duck_hold,
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
	DEFAULT(hot_bytes_max, 256 * LIMIT_MIB);
	DEFAULT(log_bytes_max, 512 * LIMIT_MIB);
	DEFAULT(seal_rows, SEAL_ROWS);
	DEFAULT(identity_bytes_max, 128 * LIMIT_MIB);
	DEFAULT(filter_bytes_max, 64 * LIMIT_MIB);
	DEFAULT(request_age_ns, 24 * 60 * 60 * (uint64_t)NS_PER_S);
	DEFAULT(request_count_max, 1000000);
	DEFAULT(retry_ms, 250);
	DEFAULT(idle_ms, 10000);
	DEFAULT(retain_look_ms, 60000);
	DEFAULT(sql_memory_bytes_max, 512 * LIMIT_MIB);
	DEFAULT(sql_runs_max, 2);
	DEFAULT(days_back, 400);
	DEFAULT(days_ahead, 1);
#undef DEFAULT
	if (!o->now_unix_ns)
		o->now_unix_ns = clock_unix_ns;
	CHECK(o->readers_max + 1 + o->sql_runs_max <= DUCK_READERS_MAX);
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
enum err_code
duck_configure(duckdb_config config, const struct duck_options *o, const char *temp_dir,
    struct err *err)
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
		code = set(config, "external_threads", threads, err); /* duck_help.h */
	if (code == ERR_OK)
		code = set(config, "memory_limit", memory, err);
	for (size_t i = 0; i < ARRAY_LEN(fixed) && code == ERR_OK; i++)
		code = set(config, fixed[i][0], fixed[i][1], err);
	return code;
}

/* Where DuckDB says it is, UINT64_MAX: it does not. */
struct damage {
	uint64_t log_at; /* byte of its log */
	uint64_t block_at; /* byte of the file, where a block begins */
};

static uint64_t
number_behind(const char *text, const char *words)
{
	const char *at = strstr(text, words);
	return at ? (uint64_t)strtoull(at + strlen(words), NULL, 10) : UINT64_MAX;
}

/* A crash between the file's head and the end of the checkpoint leaves the log of before, whose last record says
 * that the file has all of it. Without that record it is of no use, and not needed. */
bool
duck_log_is_of_before(const char *why)
{
	uint64_t file_iteration = number_behind(why, "File checkpoint iteration: ");
	uint64_t log_iteration = number_behind(why, "WAL checkpoint iteration: ");
	return log_iteration < file_iteration && file_iteration != UINT64_MAX;
}

/* The ways a good set-up finds its file unusable each get a sentence of their own. */
static enum err_code
open_failed(const char *path, char *text, struct damage *damage, struct err *err)
{
	const char *why = text ? text : "no reason given";
	const char *pid = strstr(why, "PID ");
	enum err_code code;
	damage->log_at = number_behind(why, "byte position ");
	damage->block_at = number_behind(why, "in block at location ");
	if (duck_log_is_of_before(why)) {
		damage->log_at = 0;
		code = err_set(err, ERR_CORRUPT,
		    DUCK_FILE ".wal is of before the last checkpoint, and its end is missing");
	} else if (strstr(why, "orrupt WAL") || strstr(why, "replaying WAL")) {
		code = err_set(err, ERR_CORRUPT, DUCK_FILE ".wal is damaged: %.120s", why);
	} else if (strstr(why, "lock on file")) {
		code = err_set(err, ERR_UNAVAILABLE, "%s is open in another process (%.24s)", path,
		    pid ? pid : "unknown");
	} else if (strstr(why, "No space left on device")) {
		code = err_set(err, ERR_BUSY, "disk full while opening %s", path);
	} else if (damage->block_at != UINT64_MAX) {
		code = err_set(err, ERR_CORRUPT,
		    DUCK_FILE " is damaged: the checksum of the block at byte %" PRIu64 " is wrong",
		    damage->block_at);
	} else {
		code = err_set(err, ERR_UNAVAILABLE, "cannot open %s: %.120s", path, why);
	}
	duckdb_free(text);
	return code;
}

static enum err_code
open_file(struct duck *d, const char *name, struct damage *damage, struct err *err)
{
	char path[PATH_BYTES], temp_dir[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/%s", d->dir, name);
	int m = snprintf(temp_dir, sizeof(temp_dir), "%s/tmp", d->dir);
	*damage = (struct damage){UINT64_MAX, UINT64_MAX};
	if (n < 0 || m < 0 || n >= PATH_BYTES || m >= PATH_BYTES)
		return err_set(err, ERR_INVALID, "the path of the data directory is too long");
	duckdb_config config = NULL;
	char *text = NULL;
	if (duckdb_create_config(&config) != DuckDBSuccess)
		return err_set(err, ERR_UNAVAILABLE, "libduckdb gives no configuration");
	enum err_code code = duck_configure(config, &d->opt, temp_dir, err);
	if (code == ERR_OK && duckdb_open_ext(path, &d->db, config, &text) != DuckDBSuccess)
		code = open_failed(path, text, damage, err);
	duckdb_destroy_config(&config);
	return code;
}

/* A database that is half made cannot be opened: it gets its name when it is whole. */
static enum err_code
make_database(struct duck *d, struct err *err)
{
	static const char *const leftovers[] = {DUCK_FILE ".new", DUCK_FILE ".new.wal"};
	char made[FILE_PATH_BYTES], path[FILE_PATH_BYTES], old[FILE_PATH_BYTES];
	struct damage damage;
	enum err_code code = file_join(str_from(d->dir), STR(DUCK_FILE), path, err);
	if (code != ERR_OK || file_exists(path))
		return code;
	code = file_join(str_from(d->dir), str_from(leftovers[0]), made, err);
	for (size_t i = 0; i < ARRAY_LEN(leftovers) && code == ERR_OK; i++) {
		code = file_join(str_from(d->dir), str_from(leftovers[i]), old, err);
		if (code == ERR_OK && file_exists(old))
			code = file_unlink(old, err);
	}
	if (code == ERR_OK)
		code = open_file(d, leftovers[0], &damage, err);
	if (code != ERR_OK)
		return code;
	if (duckdb_connect(d->db, &d->writer.con) != DuckDBSuccess)
		code = err_set(err, ERR_UNAVAILABLE, "the database gives no connection");
	if (code == ERR_OK)
		code = duck_schema_migrate(d, d->writer.con, err);
	if (code == ERR_OK)
		code = duck_exec(d, d->writer.con, "CHECKPOINT", err);
	duckdb_disconnect(&d->writer.con);
	duckdb_close(&d->db);
	if (code == ERR_OK)
		code = file_rename(made, path, err);
	return code == ERR_OK ? file_sync_dir(d->dir, err) : code;
}

enum err_code
duck_open_database(struct duck *d, struct err *err)
{
	struct damage damage = {UINT64_MAX, UINT64_MAX};
	struct duck_torn_head torn = {0};
	enum err_code code = make_database(d, err);
	bool interrupted = duck_died_in_checkpoint(d);
	if (code == ERR_OK)
		code = duck_repair_head(d, &torn, err);
	if (code == ERR_OK)
		code = open_file(d, DUCK_FILE, &damage, err);
	/* Each cut leaves less of the log, and each block is mended once: it comes to an end. */
	for (int i = 0; i < REPAIRS_MAX && code == ERR_CORRUPT; i++) {
		bool block = damage.block_at != UINT64_MAX;
		if (!block && (torn.mended || torn.equal))
			return duck_unrepair_head(d, &torn, err);
		if (block && !interrupted)
			return code;
		code = block ? duck_repair_block(d, damage.block_at, err)
		             : duck_repair_log(d, damage.log_at, err);
		if (code == ERR_OK)
			code = open_file(d, DUCK_FILE, &damage, err);
	}
	if (code == ERR_OK &&
	    (duckdb_connect(d->db, &d->writer.con) != DuckDBSuccess ||
	        duckdb_connect(d->db, &d->keeper.con) != DuckDBSuccess))
		code = err_set(err, ERR_UNAVAILABLE, "the database gives no connection");
	if (code == ERR_OK && interrupted)
		code = duck_repair_metadata(d, d->writer.con, err);
	if (code == ERR_OK)
		duck_unmark_checkpoint(d);
	if (code == ERR_OK)
		code = duck_help_start(&d->help, d->db, d->opt.threads - 1, err);
	return code;
}

/* ---- what memory has to know of the file */

static enum err_code
load_places(struct duck *d, enum table_id id, struct err *err)
{
	struct duck_writer *w = &d->writer;
	struct duck_sql sql;
	struct buf words = {0};
	duck_sql_init(&sql);
	/* The largest (seq, ord) of each day. */
	buf_printf(&sql.text,
	    "SELECT day, seq, max(ord)::UBIGINT FROM positions JOIN"
	    " (SELECT day, max(seq) AS seq FROM positions WHERE base = '%s' GROUP BY day) USING (day, seq) WHERE base = '%s' GROUP BY day, seq",
	    table_defs[id].name, table_defs[id].name);
	enum err_code code = duck_read_words(d, w->con, &sql, UINT64_MAX, &words, err);
	duck_sql_fini(&sql);
	for (size_t i = 0; i + 3 <= words.len / sizeof(uint64_t) && code == ERR_OK; i += 3) {
		uint64_t v[3];
		memcpy(v, words.ptr + i * sizeof(*v), sizeof(v));
		struct duck_place place = {v[1], (uint32_t)v[2]};
		bool put = map_put(&w->place_of[id], v[0], w->places.len / sizeof(place));
		CHECK(put);
		buf_append(&w->places, &place, sizeof(place));
		if (place.seq > w->places_until)
			w->places_until = place.seq;
	}
	buf_fini(&words);
	return code;
}

static uint64_t
rows_in_file(const struct duck_catalog *c)
{
	uint64_t rows = 0;
	for (size_t i = 0; i < c->count; i++)
		rows += duck_catalog_rows(c->tables[i]);
	return rows;
}

static enum err_code
load_numbers(struct duck *d, struct err *err)
{
	uint64_t gen = 0;
	duckdb_connection con = d->writer.con;
	enum err_code code = duck_number(d, con, "SELECT max(gen) FROM seals", &gen, err);
	if (code == ERR_OK)
		code = duck_number(d, con,
		    "SELECT floor FROM seals WHERE gen = (SELECT max(gen) FROM seals)",
		    &d->keeper.floor, err);
	if (code == ERR_OK)
		code = duck_number(d, con, "SELECT max(seq) FROM requests",
		    &d->outbox.persisted_seq, err);
	atomic_store(&d->generation, gen);
	atomic_store(&d->row_count, rows_in_file(&d->catalog));
	return code;
}

enum err_code
duck_open_state(struct duck *d, struct err *err)
{
	duckdb_connection con = d->writer.con;
	d->writer.resources.id = TABLE_RESOURCES;
	d->writer.scopes.id = TABLE_SCOPES;
	d->writer.places_until = 0;
	duck_catalog_init(&d->catalog, d->opt.filter_bytes_max);
	enum err_code code = duck_attr_register(d, con, err);
	if (code == ERR_OK)
		code = duck_text_register(d, con, err);
	if (code == ERR_OK)
		code = duck_merge_register(d, con, err);
	if (code == ERR_OK)
		code = duck_view_register(d, con, err);
	if (code == ERR_OK)
		code = duck_pick_register(d, con, err);
	if (code == ERR_OK)
		code = duck_write_register(d, con, err);
	if (code == ERR_OK)
		code = duck_check_register(d, con, err);
	if (code == ERR_OK)
		code = duck_schema_migrate(d, con, err);
	if (code == ERR_OK)
		code = duck_catalog_load(d, con, err);
	if (code == ERR_OK)
		code = load_numbers(d, err);
	if (code == ERR_OK)
		code = duck_pulls_load(d, con, err);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		code = load_places(d, (enum table_id)id, err);
	return code;
}

static void
init(struct duck *d, const struct duck_options *opt)
{
	d->store.ops = &ops;
	d->opt = *opt;
	if (opt->retain)
		d->retain = *opt->retain;
	d->opt.retain = NULL;
	d->keeper.retainer.leftovers = true;
	atomic_init(&d->check_gen, UINT64_MAX);
	fill_defaults(&d->opt);
	mutex_init(&d->text_lock);
	mutex_init(&d->writer.lock);
	mutex_init(&d->outbox.lock);
	duck_pulls_init(&d->pulls);
	mutex_init(&d->keeper.lock);
	cond_init(&d->keeper.wake);
	cond_init(&d->keeper.room);
	d->dir = xcalloc(opt->data_dir.len + 1, 1);
	if (opt->data_dir.len > 0)
		memcpy(d->dir, opt->data_dir.ptr, opt->data_dir.len);
	duck_user_init(&d->users);
	/* A check takes one for long, and so may SQL. */
	duck_pool_init(&d->pool, d->opt.readers_max + 1 + d->opt.sql_runs_max);
	duck_gate_init(&d->gate);
	duck_help_init(&d->help);
	duck_recall_init(&d->recall);
	duck_memo_init(&d->services_memo);
	arena_init(&d->writer.scratch, 0, SCRATCH_KEEP_BYTES);
	d->hot = hot_new();
	duck_handles_init(&d->views);
	duck_handles_init(&d->picks);
	d->writer.filter = ident_filter_new(d->opt.identity_bytes_max);
	d->writer.hot_spans = ident_set_new();
	d->writer.requests = ident_requests_new(d->opt.request_count_max, d->opt.request_age_ns);
	d->writer.sweep_at = SWEEP_FIRST;
	for (int i = 0; i < SIGNAL_TABLES; i++)
		d->keeper.windows[i] = shred_window_new();
	duck_catalog_init(&d->catalog, d->opt.filter_bytes_max);
}

enum err_code
duck_open(const struct duck_options *opt, struct store **out, struct err *err)
{
	struct duck *d = xcalloc(1, sizeof(*d));
	*out = NULL;
	init(d, opt);
	uint64_t start_ns = clock_mono_ns();
	enum err_code code = duck_open_database(d, err);
	if (code == ERR_OK) {
		duck_catalog_fini(&d->catalog);
		code = duck_open_state(d, err);
	}
	if (code == ERR_OK) {
		atomic_store(&d->position, d->keeper.floor);
		hot_start(d->hot, d->keeper.floor, atomic_load(&d->generation));
		code = duck_keep_start(d, err);
	}
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
