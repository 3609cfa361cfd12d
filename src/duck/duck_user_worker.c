/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's main loop, its socket, its DuckDB. */
#include "duck/duck_priv.h"
#include "duck/duck_user_worker.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "sys/file.h"
#include "sys/tcp.h"
#include "wire/json_read.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	ACK_BYTES = 1 << 20,
	OUT_BYTES_MAX = 16 << 20,
};

/* ---- what went wrong */

bool
worker_fail(struct worker *w, enum err_code code, const char *fmt, ...)
{
	va_list args;
	mutex_lock(&w->lock);
	if (w->code == ERR_OK) {
		va_start(args, fmt);
		w->code = code;
		vsnprintf(w->why, sizeof(w->why), fmt, args);
		va_end(args);
	}
	mutex_unlock(&w->lock);
	return false;
}

/* ---- writing */

static void
write_all(struct worker *w, const struct buf *frame)
{
	size_t at = 0, n;
	if (frame->failed)
		child_exit(3);
	mutex_lock(&w->out_lock);
	while (at < frame->len) {
		enum tcp_io io = tcp_write(CHILD_FD, frame->ptr + at, frame->len - at, &n);
		at += n;
		if (io == TCP_WAIT_WRITE || io == TCP_WAIT_READ)
			(void)tcp_wait(CHILD_FD, true, UINT64_MAX);
		else if (io != TCP_OK)
			child_exit(0);
	}
	mutex_unlock(&w->out_lock);
}

void
worker_send(struct worker *w, const struct buf *frame)
{
	write_all(w, frame);
}

static void
tell_taken(struct worker *w, struct worker_scan *s)
{
	struct buf frame = {0};
	size_t place = user_begin(&frame, 'K');
	user_put_u32(&frame, s->id);
	user_put_u32(&frame, s->taken_bytes);
	user_finish(&frame, place);
	s->taken_bytes = 0;
	mutex_unlock(&w->lock);
	write_all(w, &frame);
	mutex_lock(&w->lock);
	buf_fini(&frame);
}

/* ---- reading */

static struct worker_scan *
find_scan(struct worker *w, uint32_t id)
{
	struct worker_scan *s = w->scans;
	while (s && s->id != id)
		s = s->next;
	return s;
}

static void
take_failure(struct worker *w, struct user_reader *body)
{
	unsigned code = user_get_u8(body);
	struct str text = user_get_text(body);
	if (w->code == ERR_OK) {
		w->code = code < ERR_COUNT ? (enum err_code)code : ERR_INTERNAL;
		snprintf(w->why, sizeof(w->why), "%.*s", STR_ARG(text));
	}
	w->scan_failed = true;
}

/* Under the lock. Frames of scans that have been forgotten are thrown away. */
static void
take_frame(struct worker *w, char type, struct str bytes)
{
	struct user_reader body = {.rest = bytes};
	if (type == 'A') {
		w->again = true;
		return;
	}
	struct worker_scan *s = find_scan(w, user_get_u32(&body));
	if (!s)
		return;
	if (type == 'E')
		s->ended = true;
	if (type == 'F')
		take_failure(w, &body);
	if (type != 'R')
		return;
	struct user_frame *f = malloc(sizeof(*f) + body.rest.len);
	if (!f)
		child_exit(3);
	f->next = NULL;
	f->len = body.rest.len;
	memcpy(f->bytes, body.rest.ptr, body.rest.len);
	*s->last = f;
	s->last = &f->next;
}

/* Wait for bytes. The caller is the only one at the socket. */
static void
fill(struct worker *w)
{
	for (;;) {
		size_t n;
		char *to = buf_reserve(&w->in, USER_READ_BYTES);
		if (!to)
			child_exit(3);
		enum tcp_io io = tcp_read(CHILD_FD, to, USER_READ_BYTES, &n);
		w->in.len += n;
		if (n > 0)
			return;
		if (io == TCP_WAIT_READ || io == TCP_WAIT_WRITE)
			(void)tcp_wait(CHILD_FD, false, UINT64_MAX);
		else
			child_exit(0); /* the other side has gone */
	}
}

static bool
next_frame(struct worker *w, char *type, struct str *body)
{
	bool bad;
	struct str came = str_skip(buf_view(&w->in), w->in_off);
	bool there = user_next(came, type, body, &bad);
	if (bad)
		child_exit(3);
	if (there)
		w->in_off += (size_t)(body->ptr + body->len - came.ptr);
	return there;
}

/* Under the lock, which is let go of meanwhile: until something has come. */
static void
read_frames(struct worker *w)
{
	char type;
	struct str body;
	w->reading = true;
	mutex_unlock(&w->lock);
	fill(w);
	mutex_lock(&w->lock);
	while (next_frame(w, &type, &body))
		take_frame(w, type, body);
	user_forget(&w->in, &w->in_off);
	w->reading = false;
	cond_broadcast(&w->changed);
}

struct user_frame *
worker_next(struct worker *w, struct worker_scan *s, bool *failed)
{
	struct user_frame *f = NULL;
	mutex_lock(&w->lock);
	while (!s->first && !s->ended && !w->again && !w->scan_failed) {
		if (s->taken_bytes > 0)
			tell_taken(w, s);
		else if (w->reading)
			cond_wait(&w->changed, &w->lock);
		else
			read_frames(w);
	}
	*failed = w->again || w->scan_failed;
	if (!*failed && s->first) {
		f = s->first;
		s->first = f->next;
		if (!s->first)
			s->last = &s->first;
		f->next = NULL;
		s->taken_bytes += (uint32_t)(f->len + USER_HEAD_BYTES + sizeof(uint32_t));
		if (s->taken_bytes > ACK_BYTES)
			tell_taken(w, s);
	}
	mutex_unlock(&w->lock);
	return f;
}

struct worker_scan *
worker_open_scan(struct worker *w, enum table_id table, const uint8_t *cols, size_t col_count,
    const struct user_bounds *bounds)
{
	struct buf frame = {0};
	struct worker_scan *s = xcalloc(1, sizeof(*s));
	s->last = &s->first;
	mutex_lock(&w->lock);
	s->id = ++w->last_scan;
	s->next = w->scans;
	w->scans = s;
	mutex_unlock(&w->lock);
	size_t place = user_begin(&frame, 'S');
	user_put_u32(&frame, s->id);
	user_put_u8(&frame, (uint8_t)table);
	user_put_bounds(&frame, bounds);
	user_put_u32(&frame, (uint32_t)col_count);
	buf_append(&frame, cols, col_count);
	user_finish(&frame, place);
	write_all(w, &frame);
	buf_fini(&frame);
	return s;
}

void
worker_forget_scans(struct worker *w)
{
	mutex_lock(&w->lock);
	while (w->scans) {
		struct worker_scan *s = w->scans;
		w->scans = s->next;
		while (s->first) {
			struct user_frame *f = s->first;
			s->first = f->next;
			free(f);
		}
		free(s);
	}
	mutex_unlock(&w->lock);
}

/* ---- DuckDB */

bool
worker_exec(struct worker *w, const char *sql)
{
	duckdb_result result = {0};
	bool good = duckdb_query(w->con, sql, &result) == DuckDBSuccess;
	if (!good)
		worker_fail_duck(w, duckdb_result_error(&result), SIZE_MAX);
	duckdb_destroy_result(&result);
	return good;
}

static bool
take_text(struct worker *w, duckdb_result *result, struct buf *out)
{
	duckdb_data_chunk chunk;
	while ((chunk = duckdb_fetch_chunk(*result)) != NULL) {
		idx_t last = duckdb_data_chunk_get_column_count(chunk) - 1;
		for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
			if (!duck_chunk_is_null(chunk, last, i))
				buf_str(out, duck_chunk_text(chunk, last, i));
		duckdb_destroy_data_chunk(&chunk);
	}
	return !out->failed || worker_fail(w, ERR_TOO_LARGE, "the plan of the query is too large");
}

bool
worker_text(struct worker *w, const char *sql, const struct str *parameter, size_t skip,
    struct buf *out)
{
	duckdb_prepared_statement st = NULL;
	duckdb_result result = {0};
	bool good = duckdb_prepare(w->con, sql, &st) == DuckDBSuccess;
	if (!good)
		worker_fail_duck(w, duckdb_prepare_error(st), skip);
	if (good && parameter &&
	    duckdb_bind_varchar_length(st, 1, parameter->ptr, parameter->len) != DuckDBSuccess)
		good = worker_fail(w, ERR_INVALID, "the query is no text in UTF-8");
	if (good && duckdb_execute_prepared(st, &result) != DuckDBSuccess)
		good = worker_fail_duck(w, duckdb_result_error(&result), skip);
	if (good)
		good = take_text(w, &result, out);
	duckdb_destroy_result(&result);
	duckdb_destroy_prepare(&st);
	return good;
}

static void
set(duckdb_config config, const char *name, const char *value)
{
	if (duckdb_set_config(config, name, value) != DuckDBSuccess)
		child_exit(4);
}

/* What can be set by text before there is a database. */
static duckdb_config
configure(const struct worker *w, const char *temp_dir)
{
	static const char *const fixed[][2] = {
	    {"autoinstall_known_extensions", "false"},
	    {"autoload_known_extensions", "false"},
	    {"allow_community_extensions", "false"},
	    {"allow_unsigned_extensions", "false"},
	    {"allow_persistent_secrets", "false"},
	    {"preserve_insertion_order", "false"},
	};
	char memory[32], temp[32], threads[16];
	duckdb_config config = NULL;
	if (duckdb_create_config(&config) != DuckDBSuccess)
		child_exit(4);
	snprintf(memory, sizeof(memory), "%" PRIu64 "MiB", w->memory_bytes / LIMIT_MIB);
	snprintf(temp, sizeof(temp), "%" PRIu64 "MiB", w->temp_bytes / LIMIT_MIB);
	snprintf(threads, sizeof(threads), "%" PRIu32, w->threads);
	set(config, "memory_limit", memory);
	set(config, "threads", threads);
	set(config, "temp_directory", w->temp_bytes > 0 ? temp_dir : "");
	set(config, "max_temp_directory_size", temp);
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		set(config, fixed[i][0], fixed[i][1]);
	return config;
}

static bool
close_doors(struct worker *w)
{
	char allow[128];
	snprintf(allow, sizeof(allow), "SET allowed_paths = ['/proc/self/fd/%d']", w->result_fd);
	return worker_exec(w, allow) && worker_exec(w, "SET enable_external_access = false") &&
	    worker_exec(w, "SET TimeZone = 'UTC'") && worker_exec(w, "SET errors_as_json = true") &&
	    user_register(w) && user_register_result(w) &&
	    worker_exec(w, "SET lock_configuration = true");
}

static bool
open_database(struct worker *w, const char *dir)
{
	duckdb_config config = configure(w, dir);
	char *text = NULL;
	bool good = duckdb_open_ext(NULL, &w->db, config, &text) == DuckDBSuccess &&
	    duckdb_connect(w->db, &w->con) == DuckDBSuccess;
	duckdb_destroy_config(&config);
	if (!good)
		return worker_fail(w, ERR_INTERNAL, "cannot open a database for the query");
	return close_doors(w);
}

static void
hello(struct worker *w, struct str bytes)
{
	struct user_reader body = {.rest = bytes};
	char dir[FILE_PATH_BYTES];
	w->memory_bytes = user_get_u64(&body);
	w->temp_bytes = user_get_u64(&body);
	w->file_bytes = user_get_u64(&body);
	w->threads = user_get_u32(&body);
	struct str temp_dir = user_get_text(&body);
	if (body.failed || w->db)
		child_exit(3);
	snprintf(dir, sizeof(dir), "%.*s", STR_ARG(temp_dir));
	w->result_fd = child_memory_file();
	child_confine(&(struct child_limits){.memory_bytes = user_memory_max(w->memory_bytes),
	    .file_bytes = w->file_bytes,
	    .dir = dir});
	if (!open_database(w, dir))
		child_exit(4);
}

/* ---- a query */

static void
say_failed(struct worker *w)
{
	struct buf frame = {0};
	size_t place = user_begin(&frame, 'X');
	user_put_u8(&frame, (uint8_t)w->code);
	user_put_text(&frame, str_from(w->why[0] ? w->why : "no reason given"));
	user_finish(&frame, place);
	write_all(w, &frame);
	buf_fini(&frame);
}

/* What was sent of the answer is not true either. */
static void
say_again(struct worker *w)
{
	struct buf frame = {0};
	user_finish(&frame, user_begin(&frame, 'Z'));
	write_all(w, &frame);
	buf_fini(&frame);
}

static void
forget_query(struct worker *w)
{
	worker_forget_scans(w);
	for (size_t i = 0; i < ARRAY_LEN(w->dicts); i++) {
		struct worker_dict *d = &w->dicts[i];
		map_fini(&d->place);
		free(d->texts[0]);
		free(d->texts[1]);
		*d = (struct worker_dict){0};
	}
	arena_fini(&w->arena);
	arena_init(&w->arena, w->memory_bytes, 0);
	w->again = w->scan_failed = false;
	w->sent_bytes = 0;
}

static bool
run_query(struct worker *w)
{
	struct str sql = str_from(w->query.sql);
	for (;;) {
		forget_query(w);
		w->code = ERR_OK;
		w->why[0] = '\0';
		bool good = user_plan(w, sql) && user_answer(w, sql);
		if (good || !w->again)
			return good;
		say_again(w);
	}
}

static void
query(struct worker *w, struct str bytes)
{
	struct user_reader body = {.rest = bytes};
	struct worker_query *q = &w->query;
	q->number = user_get_u64(&body);
	q->now_ns = user_get_u64(&body);
	q->row_max = user_get_u64(&body);
	q->bytes_max = user_get_u64(&body);
	q->format = (enum store_sql_format)user_get_u8(&body);
	struct str sql = user_get_text(&body);
	if (body.failed || !w->db)
		child_exit(3);
	free(q->sql);
	q->sql = xcalloc(sql.len + 1, 1);
	if (sql.len > 0)
		memcpy(q->sql, sql.ptr, sql.len);
	w->code = ERR_OK;
	w->why[0] = '\0';
	bool good = true;
	if (sql.len == 0 || memchr(sql.ptr, 0, sql.len) || !utf8_valid(sql))
		good = worker_fail(w, ERR_INVALID, "the query is no text in UTF-8");
	if (!good || !user_check(w, sql) || !run_query(w))
		say_failed(w);
	worker_forget_scans(w);
}

int
duck_user_worker(void)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	char type;
	struct str body;
	w->result_fd = -1;
	mutex_init(&w->lock);
	cond_init(&w->changed);
	mutex_init(&w->out_lock);
	mutex_init(&w->dict_lock);
	buf_init(&w->in, (size_t)USER_FRAME_BYTES_MAX + USER_READ_BYTES);
	for (;;) {
		while (!next_frame(w, &type, &body))
			fill(w);
		/* What else comes is of a query that has ended. */
		struct buf copy = {0};
		if (type == 'H' || type == 'Q')
			buf_str(&copy, body); /* a frame must not move while it is at work */
		user_forget(&w->in, &w->in_off);
		if (type == 'H')
			hello(w, buf_view(&copy));
		else if (type == 'Q')
			query(w, buf_view(&copy));
		buf_fini(&copy);
	}
}
