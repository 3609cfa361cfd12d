/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/dlq.c - dead letters for operators, below /api/v1/dlq.
 *
 * Run by the readers, like queries, for they work on files. Whose letters: those of the tenant that
 * the request or its key names, or of all when neither names one or, with a key for all, it says tenant=*. A file that cannot
 * be read, and one that an earlier weir has put aside, belong to no tenant and are shown among all only.
 */
#include "rest/rest_priv.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/timefmt.h"
#include "dlq/dlq.h"
#include "sys/clock.h"
#include "tenant/tenant.h"
#include "wire/json_write.h"

#include <stdio.h>

#define DLQ_PATH "/api/v1/dlq"

enum { LIST_DEFAULT = 100, ALL_DEFAULT = 1000, PAGE = 100 };

/* ---- whose letters */

/* Empty: all of them. */
static enum err_code
choose_tenant(const struct rest_context *ctx, const struct op_value *values, size_t count,
    struct str *out, struct err *err)
{
	struct str asked = rest_value(values, count, "tenant");
	*out = ctx->grant->named ? ctx->op.tenant : STR_EMPTY;
	return asked.len == 0 ? ERR_OK : rest_asked_tenant(ctx, asked, out, err);
}

/* ---- parameters */

/* ops_run() has seen that it is within what the server gives. */
static uint64_t
read_limit(const struct op_context *ctx, const struct op_value *values, size_t count, uint64_t dflt)
{
	struct str text = rest_value(values, count, "limit");
	uint64_t limit = dflt < ctx->limits->results_max ? dflt : ctx->limits->results_max;
	if (text.len > 0)
		CHECK(str_to_u64(text, &limit));
	return limit;
}

/* As bits, 0: not given. */
static unsigned
read_state(const struct op_value *values, size_t count)
{
	struct str text = rest_value(values, count, "state");
	for (unsigned s = 0; s <= DLQ_UNREADABLE; s++)
		if (str_eq_nocase(text, str_from(dlq_state_name((enum dlq_state)s))))
			return 1u << s;
	return 0;
}

/* The cursor is the id of the last one: it names a place in the order of ids, also when that letter
 * has gone. */
static enum err_code
read_query(const struct rest_context *ctx, const struct op_value *values, size_t count,
    struct dlq_query *out, struct err *err)
{
	*out = (struct dlq_query){
	    .states = read_state(values, count), .after = rest_value(values, count, "cursor")};
	return choose_tenant(ctx, values, count, &out->tenant, err);
}

static enum err_code
list_page(const struct rest_context *ctx, const struct dlq_query *q, struct dlq_letter *out,
    size_t max, size_t *count_out, bool *more_out, struct err *err)
{
	enum err_code code = dlq_list(ctx->rest->opt.dlq, q, out, max, count_out, more_out, err);
	return code == ERR_INVALID ? err_wrap(err, "parameter cursor") : code;
}

/* ---- writing */

/* The members of a letter, inside its object. */
static void
write_letter(struct json_writer *w, const struct dlq_letter *l)
{
	char identity[33] = "";
	bool readable = l->state != DLQ_UNREADABLE;
	if (l->identity.hi || l->identity.lo)
		snprintf(identity, sizeof(identity), "%016llx%016llx",
		    (unsigned long long)l->identity.hi, (unsigned long long)l->identity.lo);
	rest_write_text(w, "id", l->id);
	rest_write_text(w, "state", dlq_state_name(l->state));
	rest_write_text(w, "tenant", l->tenant);
	rest_write_text(w, "signal", l->signal);
	rest_write_number(w, "seq", l->seq, readable && l->seq < DLQ_SEQ_NONE);
	rest_write_number(w, "item_first", l->item_first, readable);
	rest_write_number(w, "item_count", l->item_count,
	    readable && l->item_count != DLQ_ALL_ITEMS);
	rest_write_text(w, "identity", identity);
	rest_write_number(w, "attempts", l->attempts, readable);
	rest_write_time(w, "created", "created_unix_nano", l->created_ns);
	rest_write_time(w, "last_attempt", "last_attempt_unix_nano", l->last_ns);
	rest_write_time(w, "next_attempt", "next_attempt_unix_nano",
	    l->state == DLQ_WAITING ? l->next_ns : 0);
	rest_write_number(w, "bytes", l->bytes, readable);
	rest_write_text(w, "error", l->error);
}

/* Of all tenants: who is shown one tenant's is not told of the others. */
static void
write_counts(struct json_writer *w, struct dlq *d)
{
	uint64_t counts[DLQ_UNREADABLE + 1];
	dlq_counts(d, counts);
	jsonw_key(w, "states");
	jsonw_object(w);
	for (int s = 0; s <= DLQ_UNREADABLE; s++)
		rest_write_number(w, dlq_state_name((enum dlq_state)s), counts[s], true);
	jsonw_object_end(w);
}

/* ---- handlers; op_context is the beginning of a rest_context */

static const struct rest_context *
context_of(const struct op_context *ctx)
{
	return (const struct rest_context *)ctx;
}

static void
write_list(struct json_writer *w, const struct dlq_letter *letters, size_t n)
{
	jsonw_key(w, "letters");
	jsonw_array(w);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(w);
		write_letter(w, &letters[i]);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	rest_write_number(w, "count", n, true);
}

static enum err_code
handle_list(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	struct dlq_query q;
	struct json_writer w;
	uint64_t limit = read_limit(ctx, values, count, LIST_DEFAULT);
	size_t n = 0;
	bool more;
	(void)op;
	enum err_code code = read_query(c, values, count, &q, err);
	if (code != ERR_OK)
		return code;
	struct dlq_letter *letters = arena_array(ctx->arena, (size_t)limit, sizeof(*letters));
	if (!letters)
		return err_set(err, ERR_TOO_LARGE,
		    "so many do not fit into --max-result-bytes; ask for less with limit");
	code = list_page(c, &q, letters, (size_t)limit, &n, &more, err);
	if (code != ERR_OK)
		return code;
	json_writer_init(&w, json);
	jsonw_object(&w);
	write_list(&w, letters, n);
	if (q.tenant.len == 0)
		write_counts(&w, c->rest->opt.dlq);
	if (more && n > 0)
		rest_write_text(&w, "next_cursor", letters[n - 1].id);
	rest_write_end(&w);
	return ERR_OK;
}

/* The letter with this id, if it is one that this request may see. */
static enum err_code
find_one(const struct rest_context *c, const struct op_value *values, size_t count,
    struct dlq_letter *out, struct buf *payload, struct err *err)
{
	struct str id = rest_value(values, count, "id"), tenant = STR_EMPTY;
	char text[DLQ_ID_BYTES];
	enum err_code code = choose_tenant(c, values, count, &tenant, err);
	if (code != ERR_OK)
		return code;
	/* One that is too long for an id is none. */
	snprintf(text, sizeof(text), "%.*s", STR_ARG(id));
	code = id.len < sizeof(text) ? ERR_OK : ERR_NOT_FOUND;
	/* Of another's letter nothing is said, nor of one that cannot be read: whose is it? */
	if (code == ERR_OK && tenant.len > 0 &&
	    (dlq_show(c->rest->opt.dlq, text, out, NULL, err) != ERR_OK ||
	        !str_eq(str_from(out->tenant), tenant)))
		code = ERR_NOT_FOUND;
	if (code == ERR_OK)
		code = dlq_show(c->rest->opt.dlq, text, out, payload, err);
	if (code == ERR_NOT_FOUND)
		return err_set(err, code, "there is no dead letter %.40s", text);
	return code;
}

/* "request", decoded, or else "request_base64"; neither of an unreadable one. */
static void
write_request(struct json_writer *w, const struct rest_context *c, const struct buf *payload)
{
	struct buf text;
	struct err ignored;
	buf_init(&text, w->out->bytes_max);
	bool decoded = c->rest->opt.dlq_to_json && payload->len > 0 &&
	    c->rest->opt.dlq_to_json(buf_view(payload), &text, &ignored) == ERR_OK && !text.failed;
	if (decoded) {
		jsonw_key(w, "request");
		jsonw_raw(w, buf_view(&text));
	} else if (payload->len > 0) {
		buf_reset(&text);
		base64_write(&text, buf_view(payload));
		jsonw_key(w, "request_base64");
		jsonw_str(w, buf_view(&text));
		w->out->failed = w->out->failed || text.failed;
	}
	buf_fini(&text);
}

static enum err_code
handle_show(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	struct str request = rest_value(values, count, "request");
	bool wanted = !str_eq(request, STR("false")) && !str_eq(request, STR("0"));
	struct dlq_letter letter = {0};
	struct buf payload;
	(void)op;
	buf_init(&payload, (size_t)ctx->limits->result_bytes_max);
	enum err_code code = find_one(c, values, count, &letter, wanted ? &payload : NULL, err);
	if (code == ERR_TOO_LARGE)
		code = err_wrap(err, "ask with request=false");
	if (code == ERR_OK) {
		struct json_writer w;
		json_writer_init(&w, json);
		jsonw_object(&w);
		write_letter(&w, &letter);
		write_request(&w, c, &payload);
		rest_write_end(&w);
	}
	buf_fini(&payload);
	return code;
}

static enum err_code
answer_one(struct dlq *d, const char *id, struct buf *json, struct err *err)
{
	struct dlq_letter letter = {0};
	struct json_writer w;
	enum err_code code = dlq_show(d, id, &letter, NULL, err);
	if (code != ERR_OK)
		return code;
	json_writer_init(&w, json);
	jsonw_object(&w);
	write_letter(&w, &letter);
	rest_write_end(&w);
	return ERR_OK;
}

static enum err_code
handle_retry(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	struct dlq_letter letter = {0};
	(void)op;
	enum err_code code = find_one(c, values, count, &letter, NULL, err);
	if (code == ERR_OK)
		code = dlq_retry(c->rest->opt.dlq, letter.id, ctx->now_unix_ns, err);
	if (code == ERR_OK)
		code = answer_one(c->rest->opt.dlq, letter.id, json, err);
	if (code != ERR_NOT_FOUND || json->len > 0)
		return code;
	return err_set(err, code, "there is no dead letter %s", letter.id);
}

static enum err_code
handle_drop(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	struct dlq_letter letter = {0};
	struct json_writer w;
	(void)op;
	enum err_code code = find_one(c, values, count, &letter, NULL, err);
	if (code == ERR_OK)
		code = dlq_drop(c->rest->opt.dlq, letter.id, err);
	if (code != ERR_OK)
		return code;
	json_writer_init(&w, json);
	jsonw_object(&w);
	rest_write_text(&w, "id", letter.id);
	jsonw_key(&w, "dropped");
	jsonw_bool(&w, true);
	rest_write_end(&w);
	return ERR_OK;
}

/* ---- many at once */

struct sweep {
	const struct rest_context *ctx;
	bool drops;
	uint64_t limit, done, skipped; /* skipped: gone, running or unreadable meanwhile */
	struct dlq_query q;
	char last[DLQ_ID_BYTES];
	bool more;
};

static enum err_code
sweep_one(struct sweep *s, const char *id, struct err *err)
{
	struct dlq *d = s->ctx->rest->opt.dlq;
	struct err why;
	enum err_code code =
	    s->drops ? dlq_drop(d, id, &why) : dlq_retry(d, id, s->ctx->op.now_unix_ns, &why);
	bool running = code == ERR_BUSY && why.os_errno == 0;
	if (code == ERR_NOT_FOUND || code == ERR_CORRUPT || running) {
		s->skipped++;
		return ERR_OK;
	}
	if (code != ERR_OK) {
		*err = why;
		return err_wrap(err, "%s %llu, then", s->drops ? "dropped" : "retried",
		    (unsigned long long)s->done);
	}
	s->done++;
	return ERR_OK;
}

/* Half the time of a query at most: the answer says how to go on. */
static enum err_code
sweep(struct sweep *s, struct dlq_letter *page, struct err *err)
{
	const struct op_context *ctx = &s->ctx->op;
	uint64_t end_ns = ctx->deadline_mono_ns - ctx->limits->query_timeout_ms * NS_PER_MS / 2;
	enum err_code code = ERR_OK;
	s->more = true;
	while (code == ERR_OK && s->more) {
		size_t n = 0;
		uint64_t left = s->limit - s->done - s->skipped;
		if (left == 0 || clock_mono_ns() >= end_ns)
			return ERR_OK;
		code = list_page(s->ctx, &s->q, page, left < PAGE ? (size_t)left : PAGE, &n,
		    &s->more, err);
		for (size_t i = 0; i < n && code == ERR_OK; i++)
			code = sweep_one(s, page[i].id, err);
		if (n > 0) {
			snprintf(s->last, sizeof(s->last), "%s", page[n - 1].id);
			s->q.after = str_from(s->last);
		}
	}
	return code;
}

static enum err_code
handle_all(const struct op_context *ctx, const struct op_value *values, size_t count, bool drops,
    struct buf *json, struct err *err)
{
	struct sweep s = {.ctx = context_of(ctx),
	    .drops = drops,
	    .limit = read_limit(ctx, values, count, ALL_DEFAULT)};
	struct json_writer w;
	enum err_code code = read_query(s.ctx, values, count, &s.q, err);
	CHECK(code != ERR_OK || s.q.states != 0); /* it is required */
	if (code != ERR_OK)
		return code;
	struct dlq_letter *page = arena_array(ctx->arena, PAGE, sizeof(*page));
	if (!page)
		return err_set(err, ERR_TOO_LARGE, "--max-result-bytes is too small for this");
	code = sweep(&s, page, err);
	if (code != ERR_OK)
		return code;
	json_writer_init(&w, json);
	jsonw_object(&w);
	rest_write_number(&w, drops ? "dropped" : "retried", s.done, true);
	rest_write_number(&w, "skipped", s.skipped, true);
	if (s.more && s.last[0])
		rest_write_text(&w, "next_cursor", s.last);
	rest_write_end(&w);
	return ERR_OK;
}

static enum err_code
handle_retry_all(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	(void)op;
	return handle_all(ctx, values, count, false, json, err);
}

static enum err_code
handle_drop_all(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	(void)op;
	return handle_all(ctx, values, count, true, json, err);
}

/* ---- routes. Not in ops_table, for they are not the store's and change something. */

#define STATES "waiting|running|quarantined|unreadable"

#define PARAM_STATE                                                                                \
	{.name = "state", .type = OP_ENUM, .choices = STATES, .help = "is in this state"}
#define PARAM_TENANT                                                                               \
	{.name = "tenant",                                                                         \
	    .type = OP_TEXT,                                                                       \
	    .help = "of this tenant, whatever the header says; *: of all"}
#define PARAM_ID {.name = "id", .type = OP_TEXT, .in_path = true, .help = "as list shows it"}
#define PARAM_CURSOR                                                                               \
	{.name = "cursor",                                                                         \
	    .type = OP_CURSOR,                                                                     \
	    .help = "the page behind: next_cursor of the one before"}
#define PARAM_LIMIT(text, dflt)                                                                    \
	{.name = "limit", .type = OP_INT, .results = true, .help = text, .fallback = dflt}

static const struct op_param list_params[] = {
    PARAM_STATE,
    PARAM_TENANT,
    PARAM_LIMIT("at most so many", "100"),
    PARAM_CURSOR,
    {.name = NULL},
};

static const struct op_param show_params[] = {
    PARAM_ID,
    PARAM_TENANT,
    {.name = "request", .type = OP_BOOL, .help = "with the request", .fallback = "true"},
    {.name = NULL},
};

static const struct op_param one_params[] = {
    PARAM_ID,
    PARAM_TENANT,
    {.name = NULL},
};

static const struct op_param all_params[] = {
    {.name = "state",
        .type = OP_ENUM,
        .required = true,
        .choices = STATES,
        .help = "are in this state"},
    PARAM_TENANT,
    PARAM_LIMIT("at most so many at once", "1000"),
    PARAM_CURSOR,
    {.name = NULL},
};

static const struct rest_route routes[] = {
    {HTTP_POST, "/retry", NULL,
        {.name = "dlq_retry_all",
            .method = OP_POST,
            .path = DLQ_PATH "/retry",
            .help = "retry all dead letters of a state",
            .answer = "DeadLettersRetried",
            .params = all_params,
            .handle = handle_retry_all}},
    {HTTP_GET, "", NULL,
        {.name = "dlq_list",
            .path = DLQ_PATH,
            .help = "list dead letters, oldest first",
            .list = "letters",
            .answer = "DeadLetterList",
            .params = list_params,
            .handle = handle_list}},
    {HTTP_DELETE, "", NULL,
        {.name = "dlq_drop_all",
            .path = DLQ_PATH,
            .help = "delete all dead letters of a state",
            .answer = "DeadLettersDropped",
            .params = all_params,
            .handle = handle_drop_all}},
    {HTTP_GET, "/", "",
        {.name = "dlq_show",
            .path = DLQ_PATH "/{id}",
            .help = "show one dead letter and its request",
            .answer = "DeadLetter",
            .params = show_params,
            .handle = handle_show}},
    {HTTP_DELETE, "/", "",
        {.name = "dlq_drop",
            .path = DLQ_PATH "/{id}",
            .help = "delete one dead letter for good",
            .answer = "DeadLetterDropped",
            .params = one_params,
            .handle = handle_drop}},
    {HTTP_POST, "/", "/retry",
        {.name = "dlq_retry",
            .method = OP_POST,
            .path = DLQ_PATH "/{id}/retry",
            .help = "try one dead letter again now",
            .answer = "DeadLetter",
            .params = one_params,
            .handle = handle_retry}},
    {.op = {.name = NULL}},
};

static bool
is_served(const struct rest *r)
{
	return r->opt.dlq != NULL;
}

const struct rest_routes rest_dlq_routes = {.path = STR_INIT(DLQ_PATH),
    .routes = routes,
    .right = KEY_ADMIN,
    .is_served = is_served,
    .absent = "this weir keeps no dead letters"};
