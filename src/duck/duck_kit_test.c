/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "duck/duck_check.h"
#include "store/conformance.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_NS = 200000, COPY_BYTES_MAX = 1 << 30, SIZE_BYTES = 4096 };

static _Atomic uint64_t clock_is; /* 0: CONFORMANCE_NOW_NS */

uint64_t
duck_kit_now(void)
{
	uint64_t now = atomic_load(&clock_is);
	return now ? now : CONFORMANCE_NOW_NS;
}

void
duck_kit_set_now(uint64_t unix_ns)
{
	atomic_store(&clock_is, unix_ns);
}

struct duck_options
duck_kit_options(const char *dir)
{
	return (struct duck_options){
	    .data_dir = str_from(dir),
	    .threads = 2,
	    .retry_ms = 1,
	    .now_unix_ns = duck_kit_now,
	};
}

struct duck_options
duck_kit_eager(const char *dir)
{
	struct duck_options opt = duck_kit_options(dir);
	opt.seal_rows = 64;
	opt.log_bytes_max = 20 * KIT_REQUEST_BYTES;
	return opt;
}

struct store *
duck_kit_open(const struct duck_options *opt)
{
	struct store *s;
	struct err err = {0};
	if (duck_open(opt, &s, &err) != ERR_OK)
		fail_msg("open: %s", err.message);
	return s;
}

struct store *
duck_kit_open_small(const char *dir, uint64_t seal_rows, uint64_t hot_bytes_max)
{
	struct duck_options opt = duck_kit_options(dir);
	opt.seal_rows = seal_rows;
	opt.hot_bytes_max = hot_bytes_max;
	return duck_kit_open(&opt);
}

uint64_t
duck_kit_number(struct store *s, const char *sql)
{
	uint64_t n = 0;
	struct err err = {0};
	struct duck *d = duck_of(s);
	duckdb_connection con;
	if (duck_pool_take(d, UINT64_MAX, &con, &err) != ERR_OK ||
	    duck_number(d, con, sql, &n, &err) != ERR_OK)
		fail_msg("%s: %s", sql, err.message);
	duck_pool_give(d, con, false);
	return n;
}

size_t
duck_kit_numbers_on_file(const char *dir, const char *sql, uint64_t *out, size_t most)
{
	char path[SIZE_BYTES];
	duckdb_database db;
	duckdb_connection con;
	duckdb_result result;
	snprintf(path, sizeof(path), "%s/" DUCK_FILE, dir);
	assert_int_equal(duckdb_open(path, &db), DuckDBSuccess);
	assert_int_equal(duckdb_connect(db, &con), DuckDBSuccess);
	if (duckdb_query(con, sql, &result) != DuckDBSuccess)
		fail_msg("%s: %s", sql, duckdb_result_error(&result));
	size_t count = most > 0 ? duckdb_row_count(&result) : 0;
	assert_in_range(count, 0, most);
	for (size_t i = 0; i < count; i++)
		out[i] = duckdb_value_uint64(&result, 0, i);
	duckdb_destroy_result(&result);
	duckdb_disconnect(&con);
	duckdb_close(&db);
	return count;
}

void
duck_kit_sql_on_file(const char *dir, const char *sql)
{
	(void)duck_kit_numbers_on_file(dir, sql, NULL, 0);
}

/* ---- waiting */

/* The thread takes a ring at the end of a look. */
static void
wait_for_look(struct duck_keeper *k)
{
	bool rung = true;
	mutex_lock(&k->lock);
	k->rung = true;
	mutex_unlock(&k->lock);
	cond_signal(&k->wake);
	while (rung) {
		clock_sleep_ns(POLL_NS);
		mutex_lock(&k->lock);
		rung = k->rung;
		mutex_unlock(&k->lock);
	}
}

void
duck_kit_wait_quiet(struct store *s)
{
	struct store_status before, after;
	struct duck_keeper *k = &duck_of(s)->keeper;
	assert_true(duck_keep_wait_ready(duck_of(s), UINT64_MAX));
	wait_for_look(k);
	do {
		store_status(s, &before);
		/* The first may have been taken in the middle of one. */
		wait_for_look(k);
		wait_for_look(k);
		store_status(s, &after);
	} while (!after.ok || after.seals != before.seals ||
	    after.seal_failures != before.seal_failures || after.checkpoints != before.checkpoints);
}

void
duck_kit_flush(struct store *s)
{
	struct hot_info info;
	struct duck *d = duck_of(s);
	struct batch b;
	batch_init(&b, 0);
	hot_info(d->hot, &info);
	b.last_seq = info.applied_seq + 1;
	b.last_bytes = info.applied_log_bytes + d->opt.log_bytes_max + 1;
	store_conformance_put(s, &b);
	duck_kit_wait_quiet(s);
	hot_info(d->hot, &info);
	for (int id = 0; id < SIGNAL_TABLES; id++)
		assert_int_equal(info.rows[id], 0);
	batch_fini(&b);
}

/* ---- a store in front of it */

struct churn {
	struct store store;
	struct store *duck;
	uint64_t bytes, batch_bytes, batches, quiet_every;
};

static enum err_code
churn_append(struct store *s, struct batch *b, struct err *err)
{
	struct churn *c = (struct churn *)s;
	c->bytes += c->batch_bytes;
	b->last_bytes = c->bytes;
	enum err_code code = c->duck->ops->append(c->duck, b, err);
	c->batches++;
	if (c->quiet_every > 0 && c->batches % c->quiet_every == 0)
		duck_kit_wait_quiet(c->duck);
	return code;
}

static uint64_t
churn_position(struct store *s)
{
	return store_position(((struct churn *)s)->duck);
}

static uint64_t
churn_applied(struct store *s)
{
	return store_applied(((struct churn *)s)->duck);
}

static uint64_t
churn_knows(struct store *s, struct hash128 identity)
{
	return store_knows(((struct churn *)s)->duck, identity);
}

static size_t
churn_pulls(struct store *s, struct str tenant, struct str from, struct store_pull *out, size_t max)
{
	return store_pulls(((struct churn *)s)->duck, tenant, from, out, max);
}

static enum err_code
churn_query(struct store *s, const struct store_query *q, struct store_result *result,
    struct err *err)
{
	struct store *duck = ((struct churn *)s)->duck;
	return duck->ops->query(duck, q, result, err);
}

static enum err_code
churn_analyse(struct store *s, struct str tenant, uint64_t deadline_mono_ns, struct partial *p,
    struct err *err)
{
	return store_analyse(((struct churn *)s)->duck, tenant, deadline_mono_ns, p, err);
}

static void
churn_status(struct store *s, struct store_status *out)
{
	store_status(((struct churn *)s)->duck, out);
}

static void
churn_close(struct store *s)
{
	store_close(((struct churn *)s)->duck);
	free(s);
}

static const struct store_ops churn_ops = {
    .name = "churn",
    .append = churn_append,
    .position = churn_position,
    .applied = churn_applied,
    .knows = churn_knows,
    .pulls = churn_pulls,
    .query = churn_query,
    .analyse = churn_analyse,
    .status = churn_status,
    .close = churn_close,
};

struct store *
duck_kit_churn(struct store *duck, uint64_t batch_bytes, uint64_t quiet_every)
{
	struct churn *c = xcalloc(1, sizeof(*c));
	c->store.ops = &churn_ops;
	c->duck = duck;
	c->batch_bytes = batch_bytes;
	c->quiet_every = quiet_every;
	return &c->store;
}

/* ---- batches made by hand */

void
duck_kit_begin(struct batch *b, uint64_t seq)
{
	batch_reset(b);
	b->last_seq = seq;
	b->last_bytes = seq * KIT_REQUEST_BYTES;
}

size_t
duck_kit_span(struct batch *b, uint64_t seq, uint32_t ord, uint64_t span_id, uint64_t start_ns)
{
	struct table *t = &b->tables[TABLE_SPANS];
	size_t row = table_add_row(t);
	table_set_str(t, row, SPAN_TENANT, STR("acme"));
	table_set_u64(t, row, SPAN_SEQ, seq);
	table_set_u32(t, row, SPAN_ORD, ord);
	table_set_u64(t, row, SPAN_SPAN_ID, span_id);
	table_set_u64(t, row, SPAN_START_NS, start_ns);
	return row;
}

size_t
duck_kit_comment(struct batch *b, uint64_t seq, uint32_t ord, const char *id, uint64_t created_ns)
{
	struct table *t = &b->tables[TABLE_COMMENTS];
	size_t row = table_add_row(t);
	table_set_str(t, row, COMMENT_TENANT, STR("acme"));
	table_set_u64(t, row, COMMENT_SEQ, seq);
	table_set_u32(t, row, COMMENT_ORD, ord);
	table_set_str(t, row, COMMENT_ID, arena_str(&b->arena, str_from(id)));
	table_set_u64(t, row, COMMENT_CREATED_NS, created_ns);
	return row;
}

/* ---- comparing */

static void
same_dict(const struct table *a, const struct table *b)
{
	assert_int_equal(a->row_count, b->row_count);
	for (size_t row = 0; row < a->row_count; row++) {
		size_t other = store_find_id(b, table_u64(a, row, 0));
		assert_true(other != SIZE_MAX);
		store_conformance_same_row(a, row, b, other);
	}
}

static const enum store_query_kind signals[] = {
    STORE_SPANS, STORE_LOGS, STORE_POINTS, STORE_COMMENTS};

/* The first place where the rows are not the same ones is worth more than their number. */
static void
same_places(const struct table *a, const struct table *b)
{
	int seq = duck_seq_col((enum table_id)(a->def - table_defs));
	for (size_t row = 0; row < a->row_count && row < b->row_count; row++)
		if (table_u64(a, row, seq) != table_u64(b, row, seq) ||
		    table_u32(a, row, seq + 1) != table_u32(b, row, seq + 1))
			fail_msg("%s: row %zu of %zu is (%llu, %u), should be (%llu, %u) of %zu",
			    a->def->name, row, a->row_count,
			    (unsigned long long)table_u64(a, row, seq), table_u32(a, row, seq + 1),
			    (unsigned long long)table_u64(b, row, seq), table_u32(b, row, seq + 1),
			    b->row_count);
}

static void
same_pulls(struct store *s, struct store *reference, struct str tenant)
{
	struct store_pull got[KIT_SOURCES_MAX], want[KIT_SOURCES_MAX];
	size_t n = store_pulls(s, tenant, STR_EMPTY, got, KIT_SOURCES_MAX);
	assert_int_equal(n, store_pulls(reference, tenant, STR_EMPTY, want, KIT_SOURCES_MAX));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(got[i].source, want[i].source);
		assert_int_equal(got[i].seq, want[i].seq);
		assert_int_equal(got[i].position_len, want[i].position_len);
		assert_memory_equal(got[i].position, want[i].position, want[i].position_len);
		assert_int_equal(got[i].received_ns, want[i].received_ns);
		assert_int_equal(got[i].spans, want[i].spans);
	}
}

void
duck_kit_same(struct store *s, struct store *reference)
{
	static const char *const tenants[] = {"acme", "globex"};
	for (size_t i = 0; i < ARRAY_LEN(tenants); i++)
		same_pulls(s, reference, str_from(tenants[i]));
	for (size_t i = 0; i < ARRAY_LEN(signals) * ARRAY_LEN(tenants); i++) {
		struct arena x = {0}, y = {0};
		struct store_result got, want;
		enum store_query_kind kind = signals[i % ARRAY_LEN(signals)];
		struct str tenant = str_from(tenants[i / ARRAY_LEN(signals)]);
		store_conformance_all(s, kind, tenant, &x, &got);
		store_conformance_all(reference, kind, tenant, &y, &want);
		same_places(&got.rows, &want.rows);
		store_conformance_same_table(&got.rows, &want.rows);
		same_dict(&got.resources, &want.resources);
		same_dict(&got.scopes, &want.scopes);
		arena_fini(&x);
		arena_fini(&y);
	}
}

void
duck_kit_catch_up(struct store *s, uint64_t to, uint64_t seed, struct store *reference)
{
	duck_kit_load(s, to, seed);
	duck_kit_same(s, reference);
	if (seed % 2)
		duck_kit_flush(s);
	duck_kit_same(s, reference);
}

void
duck_kit_same_reopened(struct store *s, const struct duck_options *opt, struct store *reference)
{
	struct duck_options again = *opt;
	uint64_t position = store_position(s);
	again.fault = NULL;
	store_close(s);
	s = duck_kit_open(&again);
	assert_int_equal(store_position(s), position);
	duck_kit_same(s, reference);
	store_close(s);
	store_close(reference);
}

size_t
duck_kit_count(struct store *s, enum store_query_kind kind, const char *tenant)
{
	struct arena arena = {0};
	struct store_result r;
	store_conformance_all(s, kind, str_from(tenant), &arena, &r);
	size_t n = r.rows.row_count;
	int seq = duck_seq_col((enum table_id)(r.rows.def - table_defs));
	for (size_t row = 1; row < n; row++)
		assert_false(table_u64(&r.rows, row, seq) == table_u64(&r.rows, row - 1, seq) &&
		    table_u32(&r.rows, row, seq + 1) == table_u32(&r.rows, row - 1, seq + 1));
	arena_fini(&arena);
	return n;
}

/* ---- files */

static void
fail_for(void *ctx, const struct finding *f)
{
	(void)ctx;
	if (finding_severity(f->kind) == FINDING_DAMAGE)
		fail_msg("%s: %s: %s", finding_word(f->kind), f->place, f->text);
}

void
duck_kit_whole(const char *dir)
{
	struct finding_sink sink = {fail_for, NULL};
	struct duck_check_options opt = {.sink = &sink, .threads = 2};
	struct duck_checked out;
	struct err err = {0};
	if (duck_check_file(str_from(dir), &opt, &out, &err) != ERR_OK)
		fail_msg("check: %s", err.message);
}

struct copying {
	const char *from, *to;
};

static void
copy_entry(void *ctx, const char *name)
{
	const struct copying *c = ctx;
	char path[FILE_PATH_BYTES];
	struct buf all = {0};
	struct err err = {0};
	if (strncmp(name, DUCK_FILE, strlen(DUCK_FILE)) != 0)
		return;
	snprintf(path, sizeof(path), "%s/%s", c->from, name);
	enum err_code code = file_read_all(path, COPY_BYTES_MAX, &all, &err);
	snprintf(path, sizeof(path), "%s/%s", c->to, name);
	FILE *f = code == ERR_OK ? fopen(path, "wb") : NULL;
	if (!f || (all.len > 0 && fwrite(all.ptr, 1, all.len, f) != all.len) || fclose(f) != 0)
		fail_msg("copy %s: %s", path, err.message);
	buf_fini(&all);
}

const char *
duck_kit_copy(const char *dir)
{
	struct copying c = {dir, test_tmp_dir()};
	struct err err = {0};
	if (file_list(dir, copy_entry, &c, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return c.to;
}
