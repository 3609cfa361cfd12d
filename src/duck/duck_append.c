/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction of one batch:
 *
 *     BEGIN; CREATE TABLE for days not seen before; new resources and scopes;
 *     rows of each day through an appender of its own; INSERT INTO positions; COMMIT
 *
 * Each table that a transaction writes to costs DuckDB memory of its own, a few hundred KiB, however
 * few the rows are. So no more than OWN_DAYS_MAX days of a signal, those with most rows, get to
 * their own tables in one transaction; the rows of the other days go to the catch-all, where every
 * question finds them. Hostile times thus cost no more than honest ones.
 *
 * What memory knows of the database (tables, dictionary entries, position, counts) is changed only
 * after COMMIT, from notes the transaction took in the scratch arena.
 */
#include "duck/duck_priv.h"

#include "base/timefmt.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	OWN_DAYS_MAX = 8, /* of one signal in one transaction */
	/* So many tables with new rows are worth a checkpoint: until then the memory of each cannot
	 * be had back. */
	TABLES_PER_CHECKPOINT = 256,
	POSITION_ROWS_MAX = 20000, /* then the old ones are deleted */
};

/* The rows of one table by day. */
struct spread {
	int64_t *days;
	uint32_t *starts; /* of each day's rows in `rows`; one more than days */
	size_t day_count;
	uint32_t *rows; /* by day, in order within a day; NULL: all are of one day, as they stand */
};

struct append {
	struct duck *d;
	const struct batch *batch;
	struct arena *repair;
	struct spread spreads[SIGNAL_TABLES];
};

enum err_code
duck_fault(struct duck *d, enum duck_step step, struct err *err)
{
	return d->opt.fault ? d->opt.fault(d->opt.fault_ctx, step, err) : ERR_OK;
}

static int64_t
day_of(const struct duck *d, uint64_t time_ns, int64_t today)
{
	int64_t day = (int64_t)(time_ns / NS_PER_DAY);
	bool near = day >= today - d->opt.days_back && day <= today + d->opt.days_ahead;
	return near ? day : DUCK_DAY_OTHER;
}

/* Each row's day as an index into s->days; counts go to starts[day + 1]. */
static void
find_days(struct duck *d, const struct table *t, struct spread *s, uint32_t *slots, size_t max)
{
	const uint64_t *times = t->cols[t->def->time_col].u64;
	int64_t today = (int64_t)(d->opt.now_unix_ns() / NS_PER_DAY);
	size_t slot = 0;
	for (size_t row = 0; row < t->row_count; row++) {
		int64_t day = day_of(d, times[row], today);
		if (slot >= s->day_count || s->days[slot] != day)
			for (slot = 0; slot < s->day_count && s->days[slot] != day;)
				slot++;
		if (slot == s->day_count) {
			CHECK(s->day_count < max);
			s->days[s->day_count++] = day;
		}
		slots[row] = (uint32_t)slot;
		s->starts[slot + 1]++;
	}
}

/* Whether one of s->days has a place among the OWN_DAYS_MAX with most rows, of equal ones the later. */
static bool
has_own_table(const struct spread *s, size_t slot)
{
	uint32_t rows = s->starts[slot + 1];
	size_t before = 0;
	if (s->days[slot] == DUCK_DAY_OTHER)
		return false;
	for (size_t i = 0; i < s->day_count; i++) {
		uint32_t n = s->starts[i + 1];
		bool better = n > rows || (n == rows && s->days[i] > s->days[slot]);
		before += better && s->days[i] != DUCK_DAY_OTHER;
	}
	return before < OWN_DAYS_MAX;
}

/* The rows of all but some days to the catch-all. */
static enum err_code
limit_days(struct spread *s, uint32_t *slots, size_t row_count, struct arena *scratch,
    struct err *err)
{
	size_t own = 0;
	if (s->day_count <= OWN_DAYS_MAX)
		return ERR_OK;
	uint32_t *to = arena_array(scratch, s->day_count, sizeof(*to));
	uint32_t *starts = arena_array(scratch, OWN_DAYS_MAX + 2, sizeof(*starts));
	int64_t *days = arena_array(scratch, OWN_DAYS_MAX + 1, sizeof(*days));
	if (!to || !starts || !days)
		return err_set(err, ERR_TOO_LARGE, "no memory to append a batch");
	for (size_t i = 0; i < s->day_count; i++) {
		to[i] = UINT32_MAX;
		if (!has_own_table(s, i))
			continue;
		days[own] = s->days[i];
		to[i] = (uint32_t)own++;
	}
	CHECK(own <= OWN_DAYS_MAX);
	days[own] = DUCK_DAY_OTHER;
	for (size_t row = 0; row < row_count; row++) {
		slots[row] = to[slots[row]] == UINT32_MAX ? (uint32_t)own : to[slots[row]];
		starts[slots[row] + 1]++;
	}
	s->days = days;
	s->starts = starts;
	s->day_count = own + (starts[own + 1] > 0);
	return ERR_OK;
}

static enum err_code
spread_rows(struct append *a, enum table_id id, struct err *err)
{
	const struct table *t = &a->batch->tables[id];
	struct spread *s = &a->spreads[id];
	struct arena *scratch = &a->d->writer.scratch;
	*s = (struct spread){0};
	if (t->row_count == 0)
		return ERR_OK;
	CHECK(t->row_count < UINT32_MAX);
	size_t max = (size_t)a->d->opt.days_back + a->d->opt.days_ahead + 2;
	uint32_t *slots = arena_array(scratch, t->row_count, sizeof(*slots));
	s->days = arena_array(scratch, max, sizeof(*s->days));
	s->starts = arena_array(scratch, max + 1, sizeof(*s->starts));
	uint32_t *next = arena_array(scratch, max + 1, sizeof(*next));
	if (!slots || !s->days || !s->starts || !next)
		return err_set(err, ERR_TOO_LARGE, "no memory to append a batch");
	find_days(a->d, t, s, slots, max);
	enum err_code code = limit_days(s, slots, t->row_count, scratch, err);
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < s->day_count; i++)
		s->starts[i + 1] += s->starts[i];
	if (s->day_count == 1)
		return ERR_OK;
	memcpy(next, s->starts, (s->day_count + 1) * sizeof(*next));
	s->rows = arena_array(scratch, t->row_count, sizeof(*s->rows));
	if (!s->rows)
		return err_set(err, ERR_TOO_LARGE, "no memory to append a batch");
	for (size_t row = 0; row < t->row_count; row++)
		s->rows[next[slots[row]]++] = (uint32_t)row;
	return ERR_OK;
}

static enum err_code
make_table(struct duck *d, const struct table_def *def, int64_t day, struct err *err)
{
	char name[DUCK_TABLE_NAME_BYTES];
	duck_schema_table_name(def, day, name);
	enum err_code code = duck_fault(d, DUCK_STEP_TABLE, err);
	if (code != ERR_OK)
		return code;
	struct buf sql = {0};
	duck_schema_create(&sql, name, def);
	buf_printf(&sql, "; INSERT INTO partitions VALUES ('%s', %" PRId64 ")", def->name, day);
	buf_char(&sql, '\0');
	CHECK(!sql.failed);
	code = duck_exec(d, d->writer.con, sql.ptr, err);
	buf_fini(&sql);
	return code;
}

static enum err_code
make_tables(struct append *a, enum table_id id, struct err *err)
{
	struct spread *s = &a->spreads[id];
	for (size_t i = 0; i < s->day_count; i++) {
		if (map_get(&a->d->writer.days[id], (uint64_t)s->days[i]))
			continue;
		enum err_code code = make_table(a->d, &table_defs[id], s->days[i], err);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

static enum err_code
appender_failed(struct duck *d, duckdb_appender app, struct err *err)
{
	duckdb_error_data data = duckdb_appender_error_data(app);
	enum err_code code =
	    duck_fail(d, duckdb_error_data_error_type(data), duckdb_error_data_message(data), err);
	duckdb_destroy_error_data(&data);
	return code;
}

static enum err_code
append_chunks(struct duck *d, duckdb_appender app, const struct duck_fill *fill, size_t first,
    size_t count, struct err *err)
{
	duckdb_data_chunk chunk = d->writer.chunks[fill->table->def - table_defs];
	for (size_t done = 0; done < count;) {
		size_t n = count - done < DUCK_CHUNK_ROWS ? count - done : DUCK_CHUNK_ROWS;
		enum err_code code =
		    duck_fill_chunk(fill, first + done, n, chunk, &d->writer.bytes, err);
		if (code != ERR_OK)
			return code;
		if (duckdb_append_data_chunk(app, chunk) != DuckDBSuccess)
			return appender_failed(d, app, err);
		done += n;
	}
	enum err_code code = duck_fault(d, DUCK_STEP_FLUSH, err);
	if (code == ERR_OK && duckdb_appender_close(app) != DuckDBSuccess)
		code = appender_failed(d, app, err);
	return code;
}

static enum err_code
append_rows(struct duck *d, const char *name, const struct duck_fill *fill, size_t first,
    size_t count, struct err *err)
{
	enum err_code code = duck_fault(d, DUCK_STEP_ROWS, err);
	if (code != ERR_OK || count == 0)
		return code;
	duckdb_appender app = NULL;
	if (duckdb_appender_create(d->writer.con, NULL, name, &app) != DuckDBSuccess)
		code = appender_failed(d, app, err);
	else
		code = append_chunks(d, app, fill, first, count, err);
	/* After an error this flushes what is left of it, into a transaction that is rolled back. */
	duckdb_appender_destroy(&app);
	return code;
}

static enum err_code
append_signal(struct append *a, enum table_id id, struct err *err)
{
	const struct spread *s = &a->spreads[id];
	struct duck_writer *w = &a->d->writer;
	struct duck_fill fill = {
	    .table = &a->batch->tables[id],
	    .rows = s->rows,
	    .resource_ids = &w->resources.ids,
	    .scope_ids = &w->scopes.ids,
	    .repair = a->repair,
	};
	for (size_t i = 0; i < s->day_count; i++) {
		char name[DUCK_TABLE_NAME_BYTES];
		duck_schema_table_name(&table_defs[id], s->days[i], name);
		enum err_code code = append_rows(a->d, name, &fill, s->starts[i],
		    s->starts[i + 1] - s->starts[i], err);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

static enum err_code
append_dict(struct append *a, struct duck_dict *dict, struct err *err)
{
	struct duck *d = a->d;
	const struct table *t = &a->batch->tables[dict->id];
	enum err_code code = duck_fault(d, DUCK_STEP_DICT, err);
	if (code == ERR_OK)
		code = duck_dict_plan(d, d->writer.con, dict, t, &d->writer.scratch, err);
	if (code != ERR_OK || dict->new_count == 0)
		return code;
	struct duck_fill fill = {
	    .table = t,
	    .rows = dict->new_rows,
	    .resource_ids = &dict->ids, /* each looks only at the column its table has */
	    .scope_ids = &dict->ids,
	    .repair = a->repair,
	};
	return append_rows(d, t->def->name, &fill, 0, dict->new_count, err);
}

static enum err_code
append_position(struct append *a, struct err *err)
{
	char sql[80];
	snprintf(sql, sizeof(sql), "INSERT INTO positions VALUES (%" PRIu64 "::UBIGINT)",
	    a->batch->last_seq);
	enum err_code code = duck_fault(a->d, DUCK_STEP_POSITION, err);
	if (code == ERR_OK)
		code = duck_exec(a->d, a->d->writer.con, sql, err);
	return code;
}

static enum err_code
in_transaction(struct append *a, struct err *err)
{
	enum err_code code = ERR_OK;
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		code = spread_rows(a, (enum table_id)id, err);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		code = make_tables(a, (enum table_id)id, err);
	if (code == ERR_OK)
		code = append_dict(a, &a->d->writer.resources, err);
	if (code == ERR_OK)
		code = append_dict(a, &a->d->writer.scopes, err);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		code = append_signal(a, (enum table_id)id, err);
	if (code == ERR_OK)
		code = append_position(a, err);
	return code;
}

/* A failed COMMIT has rolled back by itself: then there is nothing to roll back, which is an error
 * too. A new connection is without a transaction in any case. */
static void
roll_back(struct duck *d)
{
	struct duck_writer *w = &d->writer;
	struct err ignored;
	if (atomic_load(&d->broken) || duck_exec(d, w->con, "ROLLBACK", &ignored) == ERR_OK)
		return;
	duckdb_connection fresh = NULL;
	if (duckdb_connect(d->db, &fresh) != DuckDBSuccess)
		return; /* the next BEGIN says so */
	duckdb_disconnect(&w->con);
	w->con = fresh;
}

static enum err_code
append_once(struct append *a, struct err *err)
{
	struct duck_writer *w = &a->d->writer;
	arena_reset(&w->scratch);
	w->bytes = 0;
	enum err_code code = duck_fault(a->d, DUCK_STEP_BEGIN, err);
	if (code == ERR_OK)
		code = duck_exec(a->d, w->con, "BEGIN TRANSACTION", err);
	if (code != ERR_OK)
		return code;
	code = in_transaction(a, err);
	if (code == ERR_OK)
		code = duck_fault(a->d, DUCK_STEP_COMMIT, err);
	if (code == ERR_OK)
		code = duck_exec(a->d, w->con, "COMMIT", err);
	if (code != ERR_OK)
		roll_back(a->d);
	return code;
}

/* A failure only leaves rows behind that nobody reads. */
static void
trim_positions(struct duck *d)
{
	char sql[80];
	struct err ignored;
	if (++d->writer.position_rows < POSITION_ROWS_MAX)
		return;
	d->writer.position_rows = 0;
	snprintf(sql, sizeof(sql), "DELETE FROM positions WHERE seq < %" PRIu64 "::UBIGINT",
	    atomic_load(&d->position));
	if (duck_exec(d, d->writer.con, sql, &ignored) != ERR_OK)
		log_debug("duck", "old positions stay: %s", ignored.message);
}

/* It exists, and has rows that wait for the next checkpoint. */
static void
note_table(struct duck *d, enum table_id id, int64_t day)
{
	struct map *days = &d->writer.days[id];
	uint64_t round = atomic_load(&d->checkpoints) + 2; /* 1: known since the start */
	const uint64_t *last = map_get(days, (uint64_t)day);
	if (!last || *last != round)
		d->writer.bytes += d->opt.checkpoint_bytes / TABLES_PER_CHECKPOINT;
	bool put = map_put(days, (uint64_t)day, round);
	CHECK(put);
}

static void
publish(struct append *a)
{
	struct duck *d = a->d;
	for (int id = 0; id < SIGNAL_TABLES; id++)
		for (size_t i = 0; i < a->spreads[id].day_count; i++)
			note_table(d, (enum table_id)id, a->spreads[id].days[i]);
	duck_dict_committed(&d->writer.resources);
	duck_dict_committed(&d->writer.scopes);
	atomic_fetch_add(&d->row_count, batch_row_count(a->batch));
	atomic_store(&d->position, a->batch->last_seq);
}

enum err_code
duck_append(struct store *s, struct batch *batch, struct err *err)
{
	struct duck *d = duck_of(s);
	struct append a = {.d = d, .batch = batch};
	struct err failure;
	enum err_code code = append_once(&a, &failure);
	if (code == ERR_INTERNAL && strstr(failure.message, "nvalid unicode")) {
		log_warn("duck",
		    "a batch has text that is not valid UTF-8: its bad bytes are replaced");
		a.repair = &d->writer.scratch;
		code = append_once(&a, &failure);
	}
	if (code == ERR_OK)
		publish(&a);
	arena_reset(&d->writer.scratch);
	if (code == ERR_OK) {
		trim_positions(d);
		duck_keep_appended(d, d->writer.bytes);
		return ERR_OK;
	}
	/* What waits for a checkpoint takes of the same memory. */
	if (code == ERR_TOO_LARGE)
		duck_keep_short(d);
	if (err)
		*err = failure;
	return code;
}
