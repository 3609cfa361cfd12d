/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_user_run.h"

#include "sys/clock.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	BRANCHES_MAX = 32, /* of one piece's statement */
	FIRST_PIECE_ROWS = 1,
	PIECE_ROWS_MAX = 2 << 20,
	BEGUN_ANEW_MAX = 3,
	SERVICES_MAX = 100000,
};

/* ---- beginning */

struct user_scan *
user_scan_find(struct user_run *r, uint32_t id)
{
	for (size_t i = r->scan_count; i-- > 0;)
		if (r->scans[i]->id == id)
			return r->scans[i];
	return NULL;
}

/* At least one of these, of the span itself. */
static void
add_alternatives(struct store_query *q, const struct store_attr *attrs, size_t count)
{
	CHECK(count <= STORE_ATTRS_MAX);
	for (size_t i = 0; i < count; i++)
		q->attrs[i] = attrs[i];
	q->attr_count = q->any_count = count;
}

#define HAS(k) {.key = STR_INIT(k), .op = STORE_ATTR_HAS, .of = STORE_ATTR_OF_ITEM}
#define IS(k, v) {.key = STR_INIT(k), .value = STR_INIT(v), .of = STORE_ATTR_OF_ITEM}

/* Spans that a view leaves out need not be read. What is let in are the same that agent/junjo.h and llm_conditions of
 * agent/llm.h name. */
static void
add_need(struct store_query *q, enum user_need need)
{
	static const struct store_attr junjo[] = {HAS("junjo.span_type"), HAS("junjo.id"),
	    HAS("junjo.executable_runtime_id"), HAS("junjo.agent.operation_type")};
	static const struct store_attr llm[] = {IS("openinference.span.kind", "LLM"),
	    IS("openinference.span.kind", "EMBEDDING"), HAS("gen_ai.operation.name"),
	    HAS("gen_ai.provider.name"), HAS("gen_ai.system"), HAS("llm.request.type")};
	switch (need) {
	case NEED_JUNJO: add_alternatives(q, junjo, ARRAY_LEN(junjo)); return;
	case NEED_LLM: add_alternatives(q, llm, ARRAY_LEN(llm)); return;
	case NEED_STATE:
		q->words[0] = STR("set_state");
		q->word_count = 1;
		return;
	case NEED_ALL:
	case USER_NEEDS: return;
	}
}

/* What the bounds leave is looked for as any question does. */
static void
make_query(struct user_scan *s, const struct user_run *r, const struct user_bounds *b)
{
	s->q = (struct store_query){.kind = STORE_SPANS,
	    .tenant = r->q->tenant,
	    .from_ns = b->from_ns,
	    .to_ns = b->to_ns,
	    .row_max = 1,
	    .deadline_mono_ns = r->q->deadline_mono_ns,
	    .service = b->service};
	bool by_trace = b->has_trace && s->table != TABLE_POINTS;
	s->q.has_trace_id = by_trace;
	s->q.trace_hi = by_trace ? b->trace_hi : 0;
	s->q.trace_lo = by_trace ? b->trace_lo : 0;
	s->q.name = b->name;
	s->q.has_status = s->table == TABLE_SPANS && b->has_status;
	s->q.status_code = b->status;
	s->q.has_kind = s->table == TABLE_SPANS && b->has_kind;
	s->q.span_kind = b->kind;
	s->q.point_type = s->table == TABLE_POINTS && b->has_kind ? b->kind : 0;
	if (s->table == TABLE_SPANS)
		add_need(&s->q, (enum user_need)b->need);
}

static bool
get_columns(struct user_scan *s, struct user_reader *body)
{
	size_t count = user_get_u32(body);
	if (count > USER_COLUMNS_MAX)
		return false;
	const uint8_t *cols = user_get_bytes(body, count, 1);
	for (size_t i = 0; i < count && cols; i++) {
		if (cols[i] >= table_defs[s->table].col_count)
			return false;
		s->cols[i] = cols[i];
	}
	s->col_count = count;
	return !body->failed && count > 0 && body->rest.len == 0;
}

static bool
copy_text(struct user_run *r, struct str *text)
{
	if (text->len > 0)
		*text = arena_str(&r->arena, *text);
	return text->len == 0 || text->ptr != NULL;
}

void
user_scan_begin(struct user_run *r, struct user_reader *body)
{
	struct user_bounds b;
	struct user_scan *s = xcalloc(1, sizeof(*s));
	s->id = user_get_u32(body);
	unsigned table = user_get_u8(body);
	user_get_bounds(body, &b);
	s->table = table < TABLE_COUNT ? (enum table_id)table : TABLE_COUNT;
	bool good = s->table != TABLE_COUNT && b.need < USER_NEEDS && get_columns(s, body) &&
	    b.service.len <= USER_PIN_BYTES_MAX && b.name.len <= USER_PIN_BYTES_MAX &&
	    copy_text(r, &b.service) && copy_text(r, &b.name) && !user_scan_find(r, s->id) &&
	    r->scan_count < USER_SCANS_MAX;
	if (!good) {
		free(s);
		user_end(r, ERR_INTERNAL,
		    "the process that runs the query asked for what makes no sense");
		return;
	}
	make_query(s, r, &b);
	s->piece_rows = FIRST_PIECE_ROWS;
	if (!r->scans)
		r->scans = xcalloc(USER_SCANS_MAX, sizeof(struct user_scan *));
	r->scans[r->scan_count++] = s;
}

/* ---- the moment, which is one for all scans of a statement */

static enum err_code
take_moment(struct user_run *r, struct err *err)
{
	struct duck *d = r->d;
	enum err_code code = duck_pool_take(d, r->q->deadline_mono_ns, &r->con, err);
	if (code != ERR_OK)
		return code;
	if (!duck_gate_hold(&d->gate, r->q->deadline_mono_ns))
		code = err_set(err, ERR_DEADLINE, "the query did not end in its time");
	if (code == ERR_OK) {
		code = duck_view_begin(d, r->con, true, &r->view, err);
		duck_gate_release(&d->gate);
	}
	if (code != ERR_OK) {
		duck_pool_give(d, r->con, true);
		r->con = NULL;
	}
	return code;
}

void
user_scan_fini(struct user_run *r)
{
	for (size_t i = 0; i < r->scan_count; i++) {
		duck_units_fini(&r->scans[i]->units);
		duck_sql_fini(&r->scans[i]->ask.sql);
		free(r->scans[i]);
	}
	free(r->scans);
	r->scans = NULL;
	r->scan_count = 0;
	if (!r->con)
		return;
	r->view.left = true;
	bool reusable = duck_view_end(r->d, &r->view);
	duck_pool_give(r->d, r->con, !reusable);
	r->con = NULL;
}

/* ---- one piece */

struct piece {
	struct user_run *run;
	struct user_scan *scan;
	bool typed; /* the columns have the types they must have */
	bool at_once; /* send it while it is read */
	size_t start; /* in run->out */
	uint64_t bytes;
};

static bool
types_fit(const struct user_scan *s, duckdb_data_chunk chunk)
{
	bool fit = duckdb_data_chunk_get_column_count(chunk) == s->col_count;
	for (size_t i = 0; i < s->col_count && fit; i++) {
		duckdb_logical_type have =
		    duckdb_vector_get_column_type(duckdb_data_chunk_get_vector(chunk, i));
		duckdb_logical_type want =
		    duck_logical_type(table_defs[s->table].cols[s->cols[i]].kind);
		fit = duckdb_get_type_id(have) == duckdb_get_type_id(want);
		duckdb_destroy_logical_type(&have);
		duckdb_destroy_logical_type(&want);
	}
	return fit;
}

/* What has been sent is forgotten. */
static void
compact(struct user_run *r, struct piece *p)
{
	size_t gone = r->out_off;
	if (gone < USER_OUT_BYTES_MAX / 2 && gone < r->out.len)
		return;
	if (gone == 0)
		return;
	memmove(r->out.ptr, r->out.ptr + gone, r->out.len - gone);
	r->out.len -= gone;
	r->ready -= gone;
	p->start -= p->start < gone ? p->start : gone;
	r->out_off = 0;
}

static enum err_code
take_chunk(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct piece *p = ctx;
	struct user_run *r = p->run;
	if (duckdb_data_chunk_get_size(chunk) == 0)
		return ERR_OK;
	if (!p->typed && !types_fit(p->scan, chunk))
		return err_set(err, ERR_CORRUPT, "columns of %s have other types in the database",
		    table_defs[p->scan->table].name);
	p->typed = true;
	size_t before = r->out.len;
	user_put_chunk(&r->out, p->scan->id, chunk, &table_defs[p->scan->table], p->scan->cols,
	    p->scan->col_count);
	p->bytes += r->out.len - before;
	p->scan->not_taken += r->out.len - before;
	if (r->out.failed)
		return err_set(err, ERR_TOO_LARGE, "no memory for rows of the query");
	p->at_once = p->at_once || r->out.len - p->start > USER_OUT_BYTES_MAX;
	if (p->at_once)
		r->ready = r->out.len;
	while (user_io(r, false) && p->at_once && r->out.len - r->out_off > USER_OUT_BYTES_MAX &&
	    user_io(r, true))
		;
	if (p->at_once)
		compact(r, p);
	return r->done ? err_set(err, ERR_CANCELLED, "it is over") : ERR_OK;
}

/* The columns that are wanted, as they came in. */
static void
wanted_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	const struct user_scan *s = (const struct user_scan *)ask;
	const struct table_def *def = &table_defs[s->table];
	(void)unit;
	(void)place;
	for (size_t i = 0; i < s->col_count; i++) {
		if (i > 0)
			buf_str(&ask->sql.text, STR(", "));
		duck_query_column(ask, source, def, s->cols[i]);
	}
}

/* Choose the units of the next piece; the end of them. */
static size_t
choose(const struct user_scan *s, unsigned char *chosen)
{
	uint64_t rows = 0;
	size_t end = s->next, leaders[BRANCHES_MAX], branches = 0;
	while (end < s->units.count && (end == s->next || rows < s->piece_rows)) {
		bool led = duck_units_is_led(&s->units, leaders, branches, end);
		if (!led && branches == BRANCHES_MAX)
			break;
		if (!led)
			leaders[branches++] = end;
		chosen[end] = 1;
		rows += s->units.list[end++].rows;
	}
	return end;
}

static enum err_code
read_piece(struct piece *p, const unsigned char *chosen, struct err *err)
{
	struct user_scan *s = p->scan;
	duck_sql_reset(&s->ask.sql);
	if (!duck_units_put(&s->ask, &s->q, &s->units, chosen, wanted_columns))
		return ERR_OK;
	return duck_read_chunks(p->run->d, p->run->con, &s->ask.sql, s->q.deadline_mono_ns,
	    take_chunk, p, err);
}

/* A dictionary, of the file and of what is not there yet. */
static enum err_code
read_dictionary(struct piece *p, const unsigned char *chosen, struct err *err)
{
	struct user_scan *s = p->scan;
	struct duck_sql *sql = &s->ask.sql;
	const struct table_def *def = &table_defs[s->table];
	const struct hot_view *hot = p->run->view.hot;
	(void)chosen;
	duck_sql_reset(sql);
	buf_str(&sql->text, STR("SELECT "));
	wanted_columns(&s->ask, NULL, NULL, 0);
	buf_printf(&sql->text, " FROM %s WHERE tenant = ", def->name);
	duck_sql_text(sql, s->q.tenant);
	for (size_t i = 0; i < hot->part_count; i++) {
		if (hot->parts[i].table != s->table || hot->parts[i].rows == 0)
			continue;
		buf_str(&sql->text, STR(" UNION ALL SELECT "));
		wanted_columns(&s->ask, NULL, NULL, 0);
		buf_str(&sql->text, STR(" FROM "));
		duck_view_put(sql, &p->run->view, (uint32_t)i, NULL, NULL);
		buf_str(&sql->text, STR(" WHERE tenant = "));
		duck_sql_text(sql, s->q.tenant);
	}
	return duck_read_chunks(p->run->d, p->run->con, sql, s->q.deadline_mono_ns, take_chunk, p,
	    err);
}

static enum err_code
read_services(struct piece *p, const unsigned char *chosen, struct err *err)
{
	struct user_run *r = p->run;
	struct user_scan *s = p->scan;
	struct store_result result = {.arena = &r->arena};
	struct arena_mark mark = arena_mark(&r->arena);
	(void)chosen;
	s->q.kind = STORE_SERVICES;
	s->q.row_max = SERVICES_MAX;
	enum err_code code = duck_query_services(&s->ask, &result, err);
	for (size_t at = 0; at < result.rows.row_count && code == ERR_OK; at += USER_ROWS_MAX) {
		size_t left = result.rows.row_count - at;
		user_put_rows(&r->out, s->id, &result.rows, at,
		    left < USER_ROWS_MAX ? left : USER_ROWS_MAX, s->cols, s->col_count);
	}
	s->not_taken += r->out.len - p->start;
	arena_rewind(&r->arena, mark);
	return code;
}

typedef enum err_code reader(struct piece *p, const unsigned char *chosen, struct err *err);

/* The worker has been told what is not so: it begins anew, and from now on nothing like it happens. */
static void
begin_anew(struct user_run *r)
{
	r->out.len = r->ready; /* what waits was sent in part, perhaps */
	for (size_t i = 0; i < r->scan_count; i++)
		r->scans[i]->finished = true;
	size_t place = user_begin(&r->out, 'A');
	user_finish(&r->out, place);
	r->ready = r->out.len;
	r->careful = true;
	if (++r->begun_anew > BEGUN_ANEW_MAX)
		user_end(r, ERR_BUSY, "the query was disturbed again and again: try again");
}

/* Read a piece until it is true. */
static enum err_code
read_truly(struct piece *p, reader *read, const unsigned char *chosen, struct err *err)
{
	struct user_run *r = p->run;
	struct duck_gate *gate = &r->d->gate;
	uint64_t commits;
	for (bool held = r->careful;; held = true) {
		p->start = r->out.len;
		p->bytes = 0;
		p->typed = false;
		unsigned side = duck_gate_enter(gate);
		bool looked = duck_gate_look(gate, r->q->deadline_mono_ns, &commits);
		p->scan->ask.sql.gate = held ? gate : NULL;
		enum err_code code = looked ? read(p, chosen, err) : ERR_OK;
		bool same = looked && duck_gate_same(gate, commits);
		duck_gate_leave(gate, side);
		if (!looked)
			return err_set(err, ERR_DEADLINE, "the query did not end in its time");
		if (r->done || held || same) {
			r->ready = r->out.len;
			return code;
		}
		atomic_fetch_add(&r->d->asked_again, 1);
		if (p->at_once) {
			begin_anew(r);
			return ERR_OK;
		}
		r->out.len = p->start;
		p->scan->not_taken -= p->bytes;
	}
}

static void
tell_end(struct user_run *r, struct user_scan *s)
{
	size_t place = user_begin(&r->out, 'E');
	user_put_u32(&r->out, s->id);
	user_finish(&r->out, place);
	r->ready = r->out.len;
	s->finished = true;
}

static void
begin_units(struct user_run *r, struct user_scan *s)
{
	s->begun = true;
	s->ask.d = r->d;
	s->ask.q = &s->q;
	s->ask.id = s->table;
	s->ask.view = r->view;
	duck_sql_init(&s->ask.sql);
	if (s->table < SIGNAL_TABLES && s->q.to_ns > 0)
		duck_units_find(&s->ask, s->table, s->q.from_ns,
		    s->q.to_ns == UINT64_MAX ? UINT64_MAX : s->q.to_ns - 1, &s->units);
}

static enum err_code
read_next(struct user_run *r, struct user_scan *s, struct err *err)
{
	struct piece p = {.run = r, .scan = s};
	enum err_code code = ERR_OK;
	if (!r->con)
		code = take_moment(r, err);
	if (code != ERR_OK)
		return code;
	if (!s->begun)
		begin_units(r, s);
	if (r->out_off == r->out.len)
		compact(r, &p);
	if (s->table >= SIGNAL_TABLES) {
		reader *read = s->table == TABLE_SERVICES ? read_services : read_dictionary;
		code = read_truly(&p, read, NULL, err);
		if (code == ERR_OK && !r->done)
			tell_end(r, s);
		return code;
	}
	unsigned char *chosen = xcalloc(s->units.count + 1, 1);
	p.at_once = s->next == 0;
	size_t end = choose(s, chosen);
	code = read_truly(&p, read_piece, chosen, err);
	free(chosen);
	s->next = end;
	s->piece_rows =
	    s->piece_rows < PIECE_ROWS_MAX / 4 ? s->piece_rows * 4 + 122880 : PIECE_ROWS_MAX;
	if (code == ERR_OK && s->next >= s->units.count && !s->finished)
		tell_end(r, s);
	return code;
}

bool
user_scan_some(struct user_run *r)
{
	struct err err = {0};
	if (r->out.len - r->out_off > USER_OUT_BYTES_MAX)
		return false;
	for (size_t i = 0; i < r->scan_count; i++) {
		struct user_scan *s = r->scans[i];
		if (s->finished || s->not_taken >= USER_WINDOW_BYTES)
			continue;
		enum err_code code = read_next(r, s, &err);
		if (code != ERR_OK && !r->done)
			user_end(r, code, "%s", err.message);
		return true;
	}
	return false;
}
