/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_priv.h"

#include "agent/junjo.h"

bool
agent_mentions(struct str text, struct str what)
{
	return text.len >= what.len && memmem(text.ptr, text.len, what.ptr, what.len) != NULL;
}

enum err_code
agent_too_large(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE,
	    "the answer does not fit the memory of one query; ask for less with limit");
}

bool
agent_grow(struct arena *arena, void **list, size_t *cap, size_t count, size_t size)
{
	CHECK(count <= *cap);
	if (count < *cap)
		return true;
	size_t more = *cap ? *cap * 2 : 8;
	void *bigger = arena_array(arena, more, size);
	if (!bigger)
		return false;
	if (count)
		memcpy(bigger, *list, count * size);
	*list = bigger;
	*cap = more;
	return true;
}

static enum err_code
corrupt(const struct json_reader *r, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "stored attributes are damaged: %s",
	    r->error ? r->error : "a member is not of its type");
}

enum err_code
agent_map_begin(struct agent_map *m, struct str typed, struct err *err)
{
	jsonr_begin(&m->reader, typed);
	m->open = jsonr_next(&m->reader) == JSON_OBJECT;
	return m->open ? ERR_OK : corrupt(&m->reader, err);
}

/* The value behind a key. The text of a list or map begins one byte before where the reader stands behind its bracket. */
static bool
read_value(struct json_reader *r, struct agent_value *out)
{
	out->token = jsonr_next(r);
	switch (out->token) {
	case JSON_STRING:
	case JSON_NUMBER:
		out->raw = r->raw;
		out->escaped = out->token == JSON_STRING && r->escaped;
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL: return true;
	case JSON_OBJECT:
	case JSON_ARRAY: {
		const char *start = r->at - 1;
		if (!jsonr_skip(r, out->token))
			return false;
		out->raw = str_of(start, (size_t)(r->at - start));
		return true;
	}
	case JSON_ERROR:
	case JSON_END:
	case JSON_OBJECT_END:
	case JSON_ARRAY_END:
	case JSON_KEY: return false;
	}
	return false;
}

bool
agent_map_next(struct agent_map *m, struct agent_value *out, enum err_code *code_out,
    struct err *err)
{
	struct json_reader *r = &m->reader;
	*out = (struct agent_value){0};
	*code_out = ERR_OK;
	if (!m->open)
		return false;
	enum json_token tok = jsonr_next(r);
	if (tok == JSON_OBJECT_END) {
		m->open = false;
		return false;
	}
	bool plain = !r->escaped;
	struct str key = r->raw;
	if (tok != JSON_KEY || !read_value(r, out)) {
		m->open = false;
		*code_out = corrupt(r, err);
		return false;
	}
	out->key = plain ? key : STR("");
	return true;
}

/* The reader has checked what is between the quotes; it is read once more as a value of its own. */
enum err_code
agent_text(const struct agent_value *v, struct arena *arena, struct str *out, struct err *err)
{
	struct json_reader r;
	CHECK(v->token == JSON_STRING);
	*out = v->raw;
	if (!v->escaped)
		return ERR_OK;
	jsonr_begin(&r, str_of(v->raw.ptr - 1, v->raw.len + 2));
	CHECK(jsonr_next(&r) == JSON_STRING);
	*out = jsonr_string(&r, arena);
	return out->ptr ? ERR_OK : agent_too_large(err);
}

/* A mode that is not known: the text is not said to be the value, so it is not taken for it. */
static enum junjo_mode
mode_of(struct str text)
{
	if (str_eq(text, STR("full")))
		return JUNJO_FULL;
	if (str_eq(text, STR("excluded")))
		return JUNJO_EXCLUDED;
	return str_eq(text, STR("reference")) ? JUNJO_REFERENCE : JUNJO_REDACTED;
}

static enum err_code
fill_one(const struct agent_field *f, const struct agent_value *v, char *out, bool *set,
    struct arena *arena, struct err *err)
{
	void *at = out + f->offset;
	struct str text = {0};
	double number = 0;
	int64_t integer = 0;
	*set = false;
	switch (f->type) {
	case AGENT_TEXT:
	case AGENT_MODE:
		if (v->token != JSON_STRING)
			return ERR_OK;
		if (agent_text(v, arena, &text, err))
			return ERR_TOO_LARGE;
		if (f->type == AGENT_TEXT)
			*(struct str *)at = text;
		else
			*(enum junjo_mode *)at = mode_of(text);
		*set = true;
		return ERR_OK;
	case AGENT_I64:
		*set = v->token == JSON_NUMBER && str_to_i64(v->raw, &integer);
		if (*set)
			*(int64_t *)at = integer;
		return ERR_OK;
	case AGENT_F64:
		*set = v->token == JSON_NUMBER && str_to_f64(v->raw, &number);
		if (*set)
			*(double *)at = number;
		return ERR_OK;
	case AGENT_BOOL:
		*set = v->token == JSON_TRUE || v->token == JSON_FALSE;
		if (*set)
			*(bool *)at = v->token == JSON_TRUE;
		return ERR_OK;
	}
	return ERR_OK;
}

enum err_code
agent_fill(const struct agent_field *fields, size_t count, const struct agent_value *v, void *out,
    struct arena *arena, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		bool set;
		if (!str_eq(fields[i].key, v->key))
			continue;
		enum err_code code = fill_one(&fields[i], v, out, &set, arena, err);
		if (!code && set && fields[i].has_offset != AGENT_NO_HAS)
			*(bool *)((char *)out + fields[i].has_offset) = true;
		return code;
	}
	return ERR_OK;
}

enum err_code
agent_fill_all(const struct agent_field *fields, size_t count, struct str typed, void *out,
    struct arena *arena, struct err *err)
{
	struct agent_map map;
	struct agent_value v;
	if (!typed.ptr)
		return ERR_OK;
	enum err_code code = agent_map_begin(&map, typed, err);
	while (!code && agent_map_next(&map, &v, &code, err))
		code = agent_fill(fields, count, &v, out, arena, err);
	return code;
}

static enum err_code
read_event(struct str object, struct arena *arena, struct agent_event *event, struct err *err)
{
	struct agent_map map;
	struct agent_value v;
	enum err_code code = agent_map_begin(&map, object, err);
	while (!code && agent_map_next(&map, &v, &code, err)) {
		if (str_eq(v.key, STR("t")) && v.token == JSON_NUMBER) {
			if (!str_to_u64(v.raw, &event->time_ns))
				code = corrupt(&map.reader, err);
		} else if (str_eq(v.key, STR("name")) && v.token == JSON_STRING) {
			code = agent_text(&v, arena, &event->name, err);
		} else if (str_eq(v.key, STR("attributes")) && v.token == JSON_OBJECT) {
			event->attributes = v.raw;
		}
	}
	return code;
}

enum err_code
agent_each_event(struct str typed, struct arena *arena, agent_event_fn *each, void *ctx,
    struct err *err)
{
	struct json_reader r;
	enum json_token tok;
	if (!typed.ptr)
		return ERR_OK;
	jsonr_begin(&r, typed);
	if (jsonr_next(&r) != JSON_ARRAY)
		return corrupt(&r, err);
	for (uint32_t i = 0; (tok = jsonr_next(&r)) != JSON_ARRAY_END; i++) {
		struct agent_event event = {.ordinal = i};
		const char *start = r.at - 1;
		if (tok != JSON_OBJECT || !jsonr_skip(&r, tok))
			return corrupt(&r, err);
		enum err_code code =
		    read_event(str_of(start, (size_t)(r.at - start)), arena, &event, err);
		if (!code)
			code = each(ctx, &event, err);
		if (code)
			return code;
	}
	return ERR_OK;
}
