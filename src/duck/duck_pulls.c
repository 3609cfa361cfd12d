/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_pulls.h"

#include "duck/duck_priv.h"

#include <stdlib.h>

enum {
	PENDING_MAX = 4096, /* a MiB */
	/* Rows of the table, beyond so many for each source, that are worth a DELETE. */
	ROWS_EACH = 4,
	ROWS_FREE = 64,
};

struct duck_pull {
	char tenant[LIMIT_TENANT_BYTES + 1];
	struct store_pull pull;
};

void
duck_pulls_init(struct duck_pulls *p)
{
	mutex_init(&p->lock);
}

void
duck_pulls_fini(struct duck_pulls *p)
{
	mutex_fini(&p->lock);
	free(p->newest);
	free(p->pending);
}

static int
compare(const struct duck_pull *p, struct str tenant, struct str source)
{
	int order = str_cmp(str_from(p->tenant), tenant);
	return order ? order : str_cmp(str_from(p->pull.source), source);
}

static bool
is_same(const struct duck_pull *p, struct str tenant, struct str source)
{
	return compare(p, tenant, source) == 0;
}

/* The first place that is not before it. */
static size_t
place_of(const struct duck_pulls *p, struct str tenant, struct str source)
{
	size_t low = 0, high = p->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(&p->newest[middle], tenant, source) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
copy_name(char *out, struct str name, size_t bytes_max)
{
	CHECK(name.len > 0 && name.len <= bytes_max);
	memcpy(out, name.ptr, name.len);
	out[name.len] = '\0';
}

static struct duck_pull
no_pull(struct str tenant, struct str source)
{
	struct duck_pull none = {.pull.seq = 0};
	copy_name(none.tenant, tenant, LIMIT_TENANT_BYTES);
	copy_name(none.pull.source, source, LIMIT_SOURCE_BYTES);
	return none;
}

/* What is known of it, also of the append under way. */
static struct duck_pull
latest(const struct duck_pulls *p, struct str tenant, struct str source)
{
	for (size_t i = p->pending_count; i-- > 0;)
		if (is_same(&p->pending[i], tenant, source))
			return p->pending[i];
	size_t at = place_of(p, tenant, source);
	if (at < p->count && is_same(&p->newest[at], tenant, source))
		return p->newest[at];
	return no_pull(tenant, source);
}

static void
put_newest(struct duck_pulls *p, const struct duck_pull *pull)
{
	struct str tenant = str_from(pull->tenant), source = str_from(pull->pull.source);
	size_t at = place_of(p, tenant, source);
	if (at < p->count && is_same(&p->newest[at], tenant, source)) {
		if (pull->pull.seq > p->newest[at].pull.seq)
			p->newest[at] = *pull;
		return;
	}
	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 16;
		p->newest = xrealloc(p->newest, p->cap * sizeof(*p->newest));
	}
	memmove(p->newest + at + 1, p->newest + at, (p->count - at) * sizeof(*p->newest));
	p->newest[at] = *pull;
	p->count++;
}

/* ---- an append */

/* Every second one of those that have a later one of their source behind them goes. */
static void
thin_out(struct duck_pulls *p)
{
	size_t n = 0;
	bool drop = false;
	for (size_t i = 0; i < p->pending_count; i++) {
		const struct duck_pull *one = &p->pending[i];
		size_t at = place_of(p, str_from(one->tenant), str_from(one->pull.source));
		bool last = at == p->count || p->newest[at].pull.seq <= one->pull.seq;
		drop = !last && !drop;
		if (!drop)
			p->pending[n++] = *one;
	}
	p->pending_count = n;
}

static void
add_pending(struct duck_pulls *p, const struct duck_pull *pull)
{
	if (p->pending_count == p->pending_cap) {
		p->pending_cap = p->pending_cap ? 2 * p->pending_cap : 16;
		p->pending = xrealloc(p->pending, p->pending_cap * sizeof(*p->pending));
	}
	p->pending[p->pending_count++] = *pull;
}

void
duck_pulls_plan(struct duck *d, const struct batch *batch)
{
	struct duck_pulls *p = &d->pulls;
	for (size_t i = 0; i < batch->request_count; i++) {
		const struct batch_request *r = &batch->requests[i];
		if (r->source.len == 0)
			continue;
		mutex_lock(&p->lock);
		if (p->pending_count >= PENDING_MAX)
			thin_out(p);
		struct duck_pull now = latest(p, r->tenant, r->source);
		uint64_t seq = now.pull.seq;
		store_pull_move(&now.pull, r);
		if (now.pull.seq > seq) /* else the file has it, or a later one */
			add_pending(p, &now);
		mutex_unlock(&p->lock);
	}
}

void
duck_pulls_keep(struct duck *d, const struct batch *batch)
{
	struct duck_pulls *p = &d->pulls;
	for (size_t i = 0; i < batch->request_count; i++) {
		const struct batch_request *r = &batch->requests[i];
		if (r->source.len == 0)
			continue;
		mutex_lock(&p->lock);
		struct duck_pull now = latest(p, r->tenant, r->source);
		put_newest(p, &now);
		mutex_unlock(&p->lock);
	}
}

void
duck_pulls_take_back(struct duck *d)
{
	struct duck_pulls *p = &d->pulls;
	uint64_t applied = hot_applied(d->hot);
	mutex_lock(&p->lock);
	while (p->pending_count > 0 && p->pending[p->pending_count - 1].pull.seq > applied)
		p->pending_count--;
	mutex_unlock(&p->lock);
}

/* ---- a seal */

struct rows {
	uint64_t gen;
	struct duck_pull *pulls;
};

static bool
append_pull(duckdb_appender app, const void *ctx, size_t i)
{
	const struct rows *rows = ctx;
	const struct duck_pull *p = &rows->pulls[i];
	return duckdb_append_uint64(app, rows->gen) == DuckDBSuccess &&
	    duckdb_append_varchar(app, p->tenant) == DuckDBSuccess &&
	    duckdb_append_varchar(app, p->pull.source) == DuckDBSuccess &&
	    duckdb_append_blob(app, p->pull.position, p->pull.position_len) == DuckDBSuccess &&
	    duckdb_append_uint64(app, p->pull.seq) == DuckDBSuccess &&
	    duckdb_append_uint64(app, p->pull.received_ns) == DuckDBSuccess &&
	    duckdb_append_uint64(app, p->pull.spans) == DuckDBSuccess &&
	    duckdb_appender_end_row(app) == DuckDBSuccess;
}

/* Of each source the last that is not above the floor, malloc'd; NULL: none. */
static struct duck_pull *
collect(struct duck_pulls *p, uint64_t floor, size_t *count_out, bool *many_out)
{
	struct duck_pulls last = {0};
	mutex_lock(&p->lock);
	for (size_t i = 0; i < p->pending_count && p->pending[i].pull.seq <= floor; i++)
		put_newest(&last, &p->pending[i]);
	*many_out = p->file_rows > ROWS_EACH * p->count + ROWS_FREE;
	mutex_unlock(&p->lock);
	*count_out = last.count;
	return last.newest;
}

static enum err_code
delete_old(struct duck *d, duckdb_connection con, uint64_t *left_out, struct err *err)
{
	enum err_code code = duck_exec(d, con,
	    "DELETE FROM pulls WHERE EXISTS (SELECT 1 FROM pulls n WHERE n.tenant = pulls.tenant AND"
	    " n.source = pulls.source AND n.seq > pulls.seq)",
	    err);
	return code == ERR_OK
	    ? duck_number(d, con, "SELECT count(*)::UBIGINT FROM pulls", left_out, err)
	    : code;
}

enum err_code
duck_pulls_write(struct duck *d, duckdb_connection con, uint64_t gen, uint64_t floor,
    struct err *err)
{
	struct duck_pulls *p = &d->pulls;
	size_t count;
	bool many;
	struct rows rows = {.gen = gen, .pulls = collect(p, floor, &count, &many)};
	uint64_t left = p->file_rows; /* this thread's to change */
	enum err_code code = ERR_OK;
	if (count > 0 && many)
		code = delete_old(d, con, &left, err);
	if (code == ERR_OK && count > 0)
		code = duck_append_each(d, con, "pulls", count, append_pull, &rows, err);
	p->sealing_rows = left + count;
	free(rows.pulls);
	return code;
}

void
duck_pulls_settle(struct duck *d, uint64_t floor)
{
	struct duck_pulls *p = &d->pulls;
	size_t n = 0;
	mutex_lock(&p->lock);
	while (n < p->pending_count && p->pending[n].pull.seq <= floor)
		n++;
	if (n > 0)
		memmove(p->pending, p->pending + n, (p->pending_count - n) * sizeof(*p->pending));
	p->pending_count -= n;
	p->file_rows = p->sealing_rows;
	mutex_unlock(&p->lock);
}

/* ---- the open */

static enum err_code
take_pulls(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct duck_pulls *p = ctx;
	idx_t rows = duckdb_data_chunk_get_size(chunk);
	for (idx_t i = 0; i < rows; i++) {
		struct str tenant = duck_chunk_text(chunk, 0, i);
		struct str source = duck_chunk_text(chunk, 1, i);
		struct str position = duck_chunk_text(chunk, 2, i);
		if (tenant.len == 0 || tenant.len > LIMIT_TENANT_BYTES || source.len == 0 ||
		    source.len > LIMIT_SOURCE_BYTES || position.len == 0 ||
		    position.len > LIMIT_POSITION_BYTES)
			return err_set(err, ERR_CORRUPT,
			    DUCK_FILE
			    " has a position of a source that cannot be: restore a backup");
		struct duck_pull one = no_pull(tenant, source);
		memcpy(one.pull.position, position.ptr, position.len);
		one.pull.position_len = position.len;
		one.pull.seq = duck_chunk_words(chunk, 3)[i];
		one.pull.received_ns = duck_chunk_words(chunk, 4)[i];
		one.pull.spans = duck_chunk_words(chunk, 5)[i];
		mutex_lock(&p->lock);
		put_newest(p, &one);
		p->file_rows++;
		mutex_unlock(&p->lock);
	}
	return ERR_OK;
}

enum err_code
duck_pulls_load(struct duck *d, duckdb_connection con, struct err *err)
{
	struct duck_sql sql;
	d->pulls.file_rows = 0;
	duck_sql_init(&sql);
	buf_str(&sql.text,
	    STR("SELECT tenant, source, position, seq, received_ns, spans FROM pulls"));
	enum err_code code = duck_read_chunks(d, con, &sql, UINT64_MAX, take_pulls, &d->pulls, err);
	duck_sql_fini(&sql);
	d->pulls.sealing_rows = d->pulls.file_rows;
	return code;
}

/* ---- readers */

size_t
duck_pulls(struct store *s, struct str tenant, struct str from, struct store_pull *out, size_t max)
{
	struct duck_pulls *p = &duck_of(s)->pulls;
	size_t n = 0;
	mutex_lock(&p->lock);
	for (size_t at = place_of(p, tenant, from);
	    at < p->count && n < max && str_eq(str_from(p->newest[at].tenant), tenant); at++)
		out[n++] = p->newest[at].pull;
	mutex_unlock(&p->lock);
	return n;
}

uint64_t
duck_pulls_count(struct duck *d)
{
	mutex_lock(&d->pulls.lock);
	uint64_t count = d->pulls.count;
	mutex_unlock(&d->pulls.lock);
	return count;
}
