/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events, links and exemplars: lists stored as typed JSON (model/typed.h), written in the API's
 * form. One reader fills a struct item with whatever members stand there, in any order; each
 * list has a writer that knows which members it shows. Unknown members are skipped, so that a
 * newer store can be read. Text of another shape is ERR_CORRUPT: the store is damaged.
 */
#include "ops/ops_priv.h"

#include "model/typed.h"
#include "wire/json_read.h"

struct item {
	uint64_t time_ns, dropped, flags;
	struct str name, trace_id, span_id, trace_state;
	struct str attributes, value; /* raw typed JSON; ptr NULL when absent */
	bool arena_spent; /* why reading it failed */
};

typedef enum err_code item_writer(struct json_writer *w, const struct item *item,
    struct arena *arena, struct err *err);

static enum err_code
corrupt(const struct json_reader *r, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "stored list is damaged: %s",
	    r->error ? r->error : "a member is not of its type");
}

static enum err_code
too_large(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE,
	    "the answer does not fit the memory of one query; ask for less with limit");
}

static bool
read_number(struct json_reader *r, uint64_t *out)
{
	return jsonr_next(r) == JSON_NUMBER && str_to_u64(r->raw, out);
}

static bool
read_text(struct json_reader *r, struct arena *arena, struct item *item, struct str *out)
{
	if (jsonr_next(r) != JSON_STRING)
		return false;
	*out = jsonr_string(r, arena);
	item->arena_spent = out->ptr == NULL;
	return !item->arena_spent;
}

/* The raw text of an object or number. The stored text is compact, so an object begins one byte
 * before where the reader stands behind its brace. */
static bool
read_raw(struct json_reader *r, struct str *out)
{
	enum json_token tok = jsonr_next(r);
	if (tok == JSON_NUMBER) {
		*out = r->raw;
		return true;
	}
	if (tok != JSON_OBJECT)
		return false;
	const char *start = r->at - 1;
	if (!jsonr_skip(r, tok))
		return false;
	*out = str_of(start, (size_t)(r->at - start));
	return out->ptr[0] == '{' && out->ptr[out->len - 1] == '}';
}

static bool
read_member(struct json_reader *r, struct arena *arena, struct item *item)
{
	struct str key = r->raw;
	if (str_eq(key, STR("t")))
		return read_number(r, &item->time_ns);
	if (str_eq(key, STR("dropped")))
		return read_number(r, &item->dropped);
	if (str_eq(key, STR("flags")))
		return read_number(r, &item->flags);
	if (str_eq(key, STR("name")))
		return read_text(r, arena, item, &item->name);
	if (str_eq(key, STR("trace_id")))
		return read_text(r, arena, item, &item->trace_id);
	if (str_eq(key, STR("span_id")))
		return read_text(r, arena, item, &item->span_id);
	if (str_eq(key, STR("trace_state")))
		return read_text(r, arena, item, &item->trace_state);
	if (str_eq(key, STR("attributes")))
		return read_raw(r, &item->attributes);
	if (str_eq(key, STR("value")))
		return read_raw(r, &item->value);
	return jsonr_skip(r, jsonr_next(r));
}

static bool
read_item(struct json_reader *r, struct arena *arena, struct item *item)
{
	enum json_token tok = jsonr_next(r);
	while (tok == JSON_KEY) {
		if (!read_member(r, arena, item))
			return false;
		tok = jsonr_next(r);
	}
	return tok == JSON_OBJECT_END;
}

typedef enum err_code item_user(void *ctx, const struct item *item, struct err *err);

static enum err_code
each_item(struct str typed, struct arena *arena, item_user *use, void *ctx, struct err *err)
{
	struct json_reader r;
	enum err_code code = ERR_OK;
	enum json_token tok;
	jsonr_begin(&r, typed);
	if (jsonr_next(&r) != JSON_ARRAY)
		return corrupt(&r, err);
	while (!code && (tok = jsonr_next(&r)) != JSON_ARRAY_END) {
		struct item item = {0};
		if (tok != JSON_OBJECT || !read_item(&r, arena, &item))
			code = item.arena_spent ? too_large(err) : corrupt(&r, err);
		else
			code = use(ctx, &item, err);
	}
	return code;
}

struct writing {
	struct json_writer *w;
	struct arena *arena;
	item_writer *write;
};

static enum err_code
write_item(void *ctx, const struct item *item, struct err *err)
{
	const struct writing *s = ctx;
	return s->write(s->w, item, s->arena, err);
}

static enum err_code
write_list(struct json_writer *w, const char *key, struct str typed, struct arena *arena,
    item_writer *write, struct err *err)
{
	struct writing s = {w, arena, write};
	jsonw_key(w, key);
	jsonw_array(w);
	enum err_code code = typed.ptr ? each_item(typed, arena, write_item, &s, err) : ERR_OK;
	jsonw_array_end(w);
	return code ? err_wrap(err, "%s", key) : ERR_OK;
}

struct visiting {
	bool (*each)(void *ctx, struct str trace_id, struct str span_id);
	void *ctx;
	bool enough;
};

static enum err_code
visit_link(void *ctx, const struct item *item, struct err *err)
{
	struct visiting *v = ctx;
	(void)err;
	v->enough = v->enough || !v->each(v->ctx, item->trace_id, item->span_id);
	return ERR_OK;
}

enum err_code
ops_each_link(struct str typed, struct arena *arena,
    bool (*each)(void *ctx, struct str trace_id, struct str span_id), void *ctx, struct err *err)
{
	struct visiting v = {each, ctx, false};
	return typed.ptr ? each_item(typed, arena, visit_link, &v, err) : ERR_OK;
}

static enum err_code
write_event(struct json_writer *w, const struct item *item, struct arena *arena, struct err *err)
{
	(void)arena;
	jsonw_object(w);
	ops_write_text(w, "name", item->name);
	ops_write_time(w, "timestamp", "time_unix_nano", item->time_ns);
	enum err_code code = ops_write_typed(w, "attributes", item->attributes, err);
	ops_write_u64(w, "dropped_attributes_count", item->dropped);
	jsonw_object_end(w);
	return code;
}

static enum err_code
write_link(struct json_writer *w, const struct item *item, struct arena *arena, struct err *err)
{
	(void)arena;
	jsonw_object(w);
	ops_write_text(w, "trace_id", item->trace_id);
	ops_write_text(w, "span_id", item->span_id);
	ops_write_text(w, "trace_state", item->trace_state);
	enum err_code code = ops_write_typed(w, "attributes", item->attributes, err);
	ops_write_u64(w, "dropped_attributes_count", item->dropped);
	ops_write_u64(w, "flags", item->flags);
	jsonw_object_end(w);
	return code;
}

static void
write_id_or_null(struct json_writer *w, const char *key, struct str id)
{
	jsonw_key(w, key);
	if (id.len > 0)
		jsonw_str(w, id);
	else
		jsonw_null(w);
}

static enum err_code
write_exemplar(struct json_writer *w, const struct item *item, struct arena *arena, struct err *err)
{
	enum err_code code = ERR_OK;
	(void)arena;
	jsonw_object(w);
	ops_write_time(w, "timestamp", "time_unix_nano", item->time_ns);
	if (item->value.ptr) {
		code = ops_write_typed(w, "value", item->value, err);
	} else {
		jsonw_key(w, "value");
		jsonw_null(w);
	}
	write_id_or_null(w, "trace_id", item->trace_id);
	write_id_or_null(w, "span_id", item->span_id);
	if (!code)
		code = ops_write_typed(w, "attributes", item->attributes, err);
	jsonw_object_end(w);
	return code;
}

enum err_code
ops_write_events(struct json_writer *w, struct str typed, struct arena *arena, struct err *err)
{
	return write_list(w, "events", typed, arena, write_event, err);
}

enum err_code
ops_write_links(struct json_writer *w, struct str typed, struct arena *arena, struct err *err)
{
	return write_list(w, "links", typed, arena, write_link, err);
}

enum err_code
ops_write_exemplars(struct json_writer *w, struct str typed, struct arena *arena, struct err *err)
{
	return write_list(w, "exemplars", typed, arena, write_exemplar, err);
}

/* ---- as Junjo's server had them */

static enum err_code
write_otel_event(struct json_writer *w, const struct item *item, struct arena *arena,
    struct err *err)
{
	jsonw_object(w);
	ops_write_text(w, "name", item->name);
	jsonw_key(w, "timeUnixNano");
	jsonw_u64_string(w, item->time_ns);
	ops_write_u64(w, "droppedAttributesCount", item->dropped);
	enum err_code code = ops_write_plain(w, "attributes", item->attributes, NULL, arena, err);
	jsonw_object_end(w);
	return code;
}

static enum err_code
write_otel_link(struct json_writer *w, const struct item *item, struct arena *arena,
    struct err *err)
{
	jsonw_object(w);
	ops_write_text(w, "traceId", item->trace_id);
	ops_write_text(w, "spanId", item->span_id);
	ops_write_text(w, "traceState", item->trace_state);
	enum err_code code = ops_write_plain(w, "attributes", item->attributes, NULL, arena, err);
	ops_write_u64(w, "droppedAttributesCount", item->dropped);
	ops_write_u64(w, "flags", item->flags);
	jsonw_object_end(w);
	return code;
}

enum err_code
ops_write_otel_events(struct json_writer *w, struct str typed, struct arena *arena, struct err *err)
{
	return write_list(w, "events_json", typed, arena, write_otel_event, err);
}

enum err_code
ops_write_otel_links(struct json_writer *w, struct str typed, struct arena *arena, struct err *err)
{
	return write_list(w, "links_json", typed, arena, write_otel_link, err);
}
