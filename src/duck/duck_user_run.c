/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_user_run.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/tcp.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	IN_BYTES_MAX = 8 << 20, /* a frame of the worker's */
	LOOK_NS = 50 * 1000 * 1000, /* how often is asked whether anybody waits still */
	RUNS_MAX = 200, /* statements of one worker */
	IDLE_S = 60,
	LEAVE_NS = 1000 * 1000 * 1000, /* for what was on its way when the answer came */
	ARENA_BYTES_MAX = 64 << 20,
	NAME_BYTES = 48,
};

static const char temp_name[] = "tmp-sql"; /* in the data folder */

/* ---- workers */

void
duck_user_init(struct duck_user_pool *p)
{
	*p = (struct duck_user_pool){.life = clock_unix_ns()};
	mutex_init(&p->lock);
}

static void sweep(struct duck *d, int pid);

/* And the files it had. */
static void
end_idle(struct duck *d, struct duck_user_idle *idle)
{
	int pid = idle->child.pid;
	(void)child_end(&idle->child);
	if (pid > 0)
		sweep(d, pid);
	free(idle->tenant);
	*idle = (struct duck_user_idle){0};
}

void
duck_user_tidy(struct duck *d, uint64_t now_mono_ns)
{
	struct duck_user_pool *p = &d->users;
	struct duck_user_idle old[DUCK_USER_IDLE_MAX];
	size_t count = 0;
	mutex_lock(&p->lock);
	for (size_t i = 0; i < p->idle_count;)
		if (now_mono_ns == UINT64_MAX ||
		    now_mono_ns - p->idle[i].since_mono_ns > IDLE_S * (uint64_t)NS_PER_S) {
			old[count++] = p->idle[i];
			p->idle[i] = p->idle[--p->idle_count];
		} else {
			i++;
		}
	mutex_unlock(&p->lock);
	for (size_t i = 0; i < count; i++)
		end_idle(d, &old[i]);
}

void
duck_user_fini(struct duck *d)
{
	CHECK(d->users.running == 0);
	duck_user_tidy(d, UINT64_MAX);
	mutex_fini(&d->users.lock);
}

/* One that has served this tenant. */
static bool
take_idle(struct duck_user_pool *p, struct str tenant, struct duck_user_idle *out)
{
	bool found = false;
	mutex_lock(&p->lock);
	for (size_t i = 0; i < p->idle_count && !found; i++) {
		found = str_eq(str_from(p->idle[i].tenant), tenant);
		if (!found)
			continue;
		*out = p->idle[i];
		p->idle[i] = p->idle[--p->idle_count];
	}
	mutex_unlock(&p->lock);
	return found;
}

static void
keep_idle(struct duck *d, struct duck_user_idle *idle)
{
	struct duck_user_pool *p = &d->users;
	struct duck_user_idle out = {0};
	idle->since_mono_ns = clock_mono_ns();
	mutex_lock(&p->lock);
	size_t oldest = 0;
	for (size_t i = 0; i < p->idle_count; i++)
		if (p->idle[i].since_mono_ns < p->idle[oldest].since_mono_ns)
			oldest = i;
	if (p->idle_count == DUCK_USER_IDLE_MAX) {
		out = p->idle[oldest];
		p->idle[oldest] = *idle;
	} else {
		p->idle[p->idle_count++] = *idle;
	}
	mutex_unlock(&p->lock);
	end_idle(d, &out);
}

/* ---- files of workers that were killed */

struct leftovers {
	char dir[FILE_PATH_BYTES];
	struct str but; /* what begins so stays; empty: nothing */
};

static void
remove_leftover(void *ctx, const char *name)
{
	struct leftovers *l = ctx;
	struct err ignored;
	char path[FILE_PATH_BYTES];
	bool stays = l->but.len > 0 && str_starts(str_from(name), l->but);
	if (name[0] == '.' || stays ||
	    file_join(str_from(l->dir), str_from(name), path, &ignored) != ERR_OK)
		return;
	if (file_is_dir(path)) {
		struct leftovers inner = {.but = STR_EMPTY};
		snprintf(inner.dir, sizeof(inner.dir), "%s", path);
		if (file_list(path, remove_leftover, &inner, &ignored) == ERR_OK &&
		    file_remove_dir(path, &ignored) != ERR_OK)
			log_warn("sql", "%s", ignored.message);
	} else if (file_unlink(path, &ignored) != ERR_OK) {
		log_warn("sql", "%s", ignored.message);
	}
}

/* Of a worker's folder: it says of which life of this process it is, so that one of another life can be told. */
static void
name_of(const struct duck *d, int pid, char name[NAME_BYTES])
{
	int n = snprintf(name, NAME_BYTES, "%" PRIx64 "-", d->users.life);
	if (pid > 0)
		snprintf(name + n, NAME_BYTES - (size_t)n, "%d", pid);
}

/* Empty and remove the folder of a worker that has ended; 0: those of earlier lives. */
static void
sweep(struct duck *d, int pid)
{
	struct leftovers l = {.but = STR_EMPTY};
	struct err ignored;
	char name[NAME_BYTES];
	name_of(d, pid, name);
	if (pid == 0)
		l.but = str_from(name);
	int n = snprintf(l.dir, sizeof(l.dir), "%s/%s%s%s", d->dir, temp_name, pid > 0 ? "/" : "",
	    pid > 0 ? name : "");
	if (n < 0 || n >= (int)sizeof(l.dir) || !file_is_dir(l.dir))
		return;
	if (file_list(l.dir, remove_leftover, &l, &ignored) == ERR_OK && pid > 0 &&
	    file_remove_dir(l.dir, &ignored) != ERR_OK)
		log_warn("sql", "%s", ignored.message);
}

/* A worker's own folder, the only one that it can reach. */
static enum err_code
make_temp_dir(struct duck *d, int pid, char path[FILE_PATH_BYTES], struct err *err)
{
	char all[FILE_PATH_BYTES], name[NAME_BYTES];
	enum err_code code = file_join(str_from(d->dir), str_from(temp_name), all, err);
	if (code == ERR_OK)
		code = file_mkdir(all, NULL, err);
	mutex_lock(&d->users.lock);
	bool sweeps = !d->users.swept;
	d->users.swept = true;
	mutex_unlock(&d->users.lock);
	if (code == ERR_OK && sweeps)
		sweep(d, 0);
	name_of(d, pid, name);
	if (code == ERR_OK)
		code = file_join(str_from(all), str_from(name), path, err);
	return code == ERR_OK ? file_mkdir(path, NULL, err) : code;
}

/* ---- what is sent */

static void
say_hello(struct user_run *r, struct str temp_dir)
{
	const struct duck_options *o = &r->d->opt;
	size_t place = user_begin(&r->out, 'H');
	user_put_u64(&r->out, o->sql_memory_bytes_max);
	user_put_u64(&r->out, o->sql_temp_bytes_max);
	user_put_u64(&r->out,
	    o->sql_temp_bytes_max > r->q->bytes_max ? o->sql_temp_bytes_max : r->q->bytes_max);
	user_put_u32(&r->out, o->threads);
	user_put_text(&r->out, temp_dir);
	user_finish(&r->out, place);
}

static void
say_query(struct user_run *r, uint64_t number)
{
	size_t place = user_begin(&r->out, 'Q');
	user_put_u64(&r->out, number);
	user_put_u64(&r->out, r->q->now_unix_ns);
	user_put_u64(&r->out, r->q->row_max);
	user_put_u64(&r->out, r->q->bytes_max);
	user_put_u8(&r->out, (uint8_t)r->q->format);
	user_put_text(&r->out, r->q->text);
	user_finish(&r->out, place);
	r->ready = r->out.len;
}

/* ---- what comes */

void
user_end(struct user_run *r, enum err_code code, const char *fmt, ...)
{
	char text[ERR_MESSAGE_BYTES * 2];
	va_list args;
	if (r->done)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r->done = true;
	r->code = err_set(&r->err, code, "%s", text);
	/* What it is at is not known: another statement needs another worker. */
	r->worker_failed = true;
}

static void
take_failure(struct user_run *r, struct user_reader *body)
{
	unsigned code = user_get_u8(body);
	struct str text = user_get_text(body);
	bool fair = code == ERR_INVALID || code == ERR_TOO_LARGE || code == ERR_INTERNAL ||
	    code == ERR_UNIMPLEMENTED;
	if (body->failed || text.len == 0) {
		user_end(r, ERR_INTERNAL, "the process that runs the query said nothing sensible");
		return;
	}
	user_end(r, fair ? (enum err_code)code : ERR_INTERNAL, "%.*s", STR_ARG(text));
	r->worker_failed = code != ERR_INVALID;
}

static void
take_done(struct user_run *r, struct user_reader *body)
{
	r->answer->rows = user_get_u64(body);
	r->answer->truncated = user_get_u8(body) != 0;
	r->done = true;
	r->code = ERR_OK;
}

static void
take_bytes(struct user_run *r, struct str bytes)
{
	buf_str(r->answer->out, bytes);
	if (r->answer->out->failed || r->answer->out->len > r->q->bytes_max)
		user_end(r, ERR_TOO_LARGE,
		    "the answer is larger than %llu bytes: ask for less, with LIMIT or fewer columns",
		    (unsigned long long)r->q->bytes_max);
}

static void
take_frame(struct user_run *r, char type, struct str bytes)
{
	struct user_reader body = {.rest = bytes};
	struct user_scan *s;
	switch (type) {
	case 'S': user_scan_begin(r, &body); return;
	case 'K':
		s = user_scan_find(r, user_get_u32(&body));
		uint32_t taken = user_get_u32(&body);
		if (s)
			s->not_taken -= taken < s->not_taken ? taken : s->not_taken;
		return;
	case 'B': take_bytes(r, bytes); return;
	case 'Z': r->answer->out->len = r->answer_start; return;
	case 'D': take_done(r, &body); return;
	case 'X': take_failure(r, &body); return;
	default:
		user_end(r, ERR_INTERNAL, "the process that runs the query makes no sense");
		return;
	}
}

static void
take_frames(struct user_run *r)
{
	char type;
	struct str body;
	bool bad = false;
	struct str came = str_skip(buf_view(&r->in), r->in_off);
	while (!r->done && user_next(came, &type, &body, &bad)) {
		r->in_off += (size_t)(body.ptr + body.len - came.ptr);
		take_frame(r, type, body);
		came = str_skip(buf_view(&r->in), r->in_off);
	}
	if (bad)
		user_end(r, ERR_INTERNAL, "the process that runs the query makes no sense");
	user_forget(&r->in, &r->in_off);
}

/* ---- the sockets */

static void
worker_is_gone(struct user_run *r)
{
	int signal = child_end(&r->child);
	if (r->done)
		return;
	log_warn("sql", "the process of a query ended by signal %d", signal);
	if (signal != 0)
		user_end(r, ERR_TOO_LARGE,
		    "the query was stopped: it took more memory than the %llu MiB it may have, or did "
		    "what cannot be done (signal %d)",
		    (unsigned long long)(r->d->opt.sql_memory_bytes_max / LIMIT_MIB), signal);
	else
		user_end(r, ERR_INTERNAL, "the process that runs the query has ended");
}

static bool
write_some(struct user_run *r)
{
	while (r->out_off < r->ready) {
		size_t n;
		enum tcp_io io =
		    tcp_write(r->child.fd, r->out.ptr + r->out_off, r->ready - r->out_off, &n);
		r->out_off += n;
		if (io == TCP_WAIT_WRITE || io == TCP_WAIT_READ)
			return true;
		if (io != TCP_OK)
			return false;
	}
	return true;
}

static bool
read_some(struct user_run *r)
{
	for (;;) {
		size_t n;
		char *to = buf_reserve(&r->in, USER_READ_BYTES);
		if (!to)
			return false;
		enum tcp_io io = tcp_read(r->child.fd, to, USER_READ_BYTES, &n);
		r->in.len += n;
		if (n > 0)
			take_frames(r);
		if (io == TCP_WAIT_READ || io == TCP_WAIT_WRITE || r->done)
			return true;
		if (io != TCP_OK)
			return false;
	}
}

/* Its own limit (sys/child.h) may be one that the system does not keep. */
static bool
takes_too_much(struct user_run *r)
{
	uint64_t now_ns = clock_mono_ns(), base = 32 * LIMIT_MIB; /* an empty DuckDB's */
	if (now_ns < r->next_look_ns)
		return false;
	r->next_look_ns = now_ns + LOOK_NS;
	return child_memory(&r->child) > user_memory_max(r->d->opt.sql_memory_bytes_max) + base;
}

static bool
may_go_on(struct user_run *r)
{
	if (atomic_load_explicit(&r->d->cancelled, memory_order_relaxed))
		user_end(r, ERR_UNAVAILABLE, "the server is stopping");
	else if (atomic_load_explicit(&r->d->broken, memory_order_relaxed))
		user_end(r, ERR_UNAVAILABLE, "the database is being opened again");
	else if (clock_mono_ns() >= r->q->deadline_mono_ns)
		user_end(r, ERR_DEADLINE,
		    "the query took longer than it may: ask for less, with bounds on the time");
	else if (takes_too_much(r))
		user_end(r, ERR_TOO_LARGE,
		    "the query took more memory than the %llu MiB it may have",
		    (unsigned long long)(r->d->opt.sql_memory_bytes_max / LIMIT_MIB));
	else if (r->q->gone && r->q->gone(r->q->gone_ctx))
		user_end(r, ERR_CANCELLED, "nobody waits for the answer any more");
	return !r->done;
}

bool
user_io(struct user_run *r, bool wait)
{
	if (!may_go_on(r))
		return false;
	bool there = write_some(r);
	if (there && wait) {
		uint64_t until = clock_mono_ns() + LOOK_NS;
		(void)tcp_wait(r->child.fd, r->out_off < r->ready,
		    until < r->q->deadline_mono_ns ? until : r->q->deadline_mono_ns);
	}
	if (there)
		there = read_some(r);
	if (!there)
		worker_is_gone(r);
	return !r->done;
}

/* ---- a run */

static void
converse(struct user_run *r)
{
	while (user_io(r, false)) {
		if (user_scan_some(r))
			continue;
		if (r->out_off == r->out.len) {
			buf_reset(&r->out);
			r->out_off = r->ready = 0;
		}
		if (!r->done)
			(void)user_io(r, true);
	}
}

/* A frame must not be left half sent in front of the next statement. */
static bool
is_clean(struct user_run *r)
{
	return !r->worker_failed && r->child.pid != 0;
}

/* Rows that the answer did not need: what was not begun to be sent may go, but where the frames end is not known. */
static void
drain(struct user_run *r)
{
	uint64_t until = clock_mono_ns() + LEAVE_NS;
	while (!r->worker_failed && r->out_off < r->ready && clock_mono_ns() < until) {
		if (!write_some(r))
			r->worker_failed = true;
		else if (r->out_off < r->ready)
			(void)tcp_wait(r->child.fd, true, until);
	}
	r->worker_failed = r->worker_failed || r->out_off < r->ready;
}

static enum err_code
run_on(struct user_run *r, struct duck_user_idle *worker, struct err *err)
{
	struct duck *d = r->d;
	char temp_dir[FILE_PATH_BYTES];
	r->child = worker->child;
	r->answer_start = r->answer->out->len;
	arena_init(&r->arena, ARENA_BYTES_MAX, 0);
	buf_init(&r->in, IN_BYTES_MAX + USER_READ_BYTES);
	buf_init(&r->out, 0);
	enum err_code code = ERR_OK;
	if (worker->runs == 0)
		code = make_temp_dir(d, worker->child.pid, temp_dir, err);
	if (code == ERR_OK && worker->runs == 0)
		say_hello(r, str_from(temp_dir));
	if (code == ERR_OK) {
		say_query(r, worker->runs + 1);
		converse(r);
		code = r->code;
		*err = r->err;
	}
	user_scan_fini(r);
	drain(r);
	int pid = worker->child.pid;
	worker->child = r->child;
	if (code == r->code && is_clean(r) && ++worker->runs < RUNS_MAX) {
		keep_idle(d, worker);
	} else {
		end_idle(d, worker);
		sweep(d, pid); /* it may have ended before */
	}
	buf_fini(&r->in);
	buf_fini(&r->out);
	arena_fini(&r->arena);
	return code;
}

static enum err_code
get_worker(struct duck *d, struct str tenant, struct duck_user_idle *out, struct err *err)
{
	static const char *const argv[] = {"weir", DUCK_SQL_WORKER, NULL};
	duck_user_tidy(d, clock_mono_ns());
	if (take_idle(&d->users, tenant, out))
		return ERR_OK;
	*out = (struct duck_user_idle){.tenant = xcalloc(tenant.len + 1, 1)};
	memcpy(out->tenant, tenant.ptr, tenant.len);
	enum err_code code = child_start(argv, &out->child, err);
	if (code != ERR_OK) {
		free(out->tenant);
		return err_wrap(err, "the query has no process to run in");
	}
	return ERR_OK;
}

static bool
take_turn(struct duck *d)
{
	mutex_lock(&d->users.lock);
	bool may = d->users.running < d->opt.sql_runs_max;
	d->users.running += may;
	mutex_unlock(&d->users.lock);
	return may;
}

enum err_code
duck_user_run(struct store *s, const struct store_sql *q, struct store_sql_answer *out,
    struct err *err)
{
	struct duck *d = duck_of(s);
	struct user_run r = {.d = d, .q = q, .answer = out};
	struct duck_user_idle worker;
	if (!take_turn(d))
		return err_set(err, ERR_BUSY,
		    "%u SQL queries are running, which is as many as may: try again",
		    d->opt.sql_runs_max);
	out->rows = 0;
	out->truncated = false;
	enum err_code code = get_worker(d, q->tenant, &worker, err);
	if (code == ERR_OK)
		code = run_on(&r, &worker, err);
	mutex_lock(&d->users.lock);
	d->users.running--;
	mutex_unlock(&d->users.lock);
	return code;
}
