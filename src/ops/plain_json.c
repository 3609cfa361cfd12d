/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that came as text, and typed JSON as plain JSON, copied token by token into our own spelling (wire/json_write.h),
 * without recursion. What is no JSON is found before any of it has left: the buffer is put back.
 */
#include "ops/ops_priv.h"

#include "base/base64.h"
#include "base/bits.h"
#include "model/typed.h"
#include "wire/json_read.h"

struct copying {
	struct json_reader r;
	struct json_writer *w;
	struct arena *arena;
	bool typed;
	bool (*skip)(struct str key);
};

static bool
put_string(struct copying *c)
{
	struct arena_mark mark = arena_mark(c->arena);
	struct str text = jsonr_string(&c->r, c->arena);
	if (text.ptr)
		jsonw_str(c->w, text);
	arena_rewind(c->arena, mark);
	return text.ptr != NULL;
}

static bool
put_key(struct copying *c)
{
	struct arena_mark mark = arena_mark(c->arena);
	struct str key = jsonr_string(&c->r, c->arena);
	if (!key.ptr)
		return false;
	if (c->typed && str_starts(key, STR("$")))
		key = str_skip(key, 1);
	bool skip = c->skip && c->r.depth == 1 && c->skip(key);
	if (!skip)
		jsonw_key_str(c->w, key);
	arena_rewind(c->arena, mark);
	return !skip || jsonr_skip(&c->r, jsonr_next(&c->r));
}

static void
put_number(struct copying *c)
{
	struct str raw = c->r.raw;
	int64_t v;
	if (c->typed && str_to_i64(raw, &v))
		jsonw_i64(c->w, v);
	else
		jsonw_raw(c->w, raw);
}

static bool
put_hex(struct json_writer *w, struct str base64)
{
	struct buf bytes = {0}, hex = {0};
	bool ok = base64_read(base64, &bytes);
	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(&hex, "%02x", (unsigned char)bytes.ptr[i]);
	if (ok)
		jsonw_str(w, buf_view(&hex));
	buf_fini(&bytes);
	buf_fini(&hex);
	return ok;
}

/* An object that stands for bytes or for a double that JSON has no number for; *is_one: it was. */
static bool
put_wrapper(struct copying *c, bool *is_one)
{
	struct str rest = {c->r.at, (size_t)(c->r.end - c->r.at)};
	bool bytes = str_starts(rest, STR("\"$bytes\":"));
	*is_one = c->typed && (bytes || str_starts(rest, STR("\"$double\":")));
	if (!*is_one)
		return true;
	if (jsonr_next(&c->r) != JSON_KEY)
		return false;
	if (jsonr_next(&c->r) != JSON_STRING)
		return false;
	struct str text = c->r.raw;
	if (bytes && !put_hex(c->w, text))
		return false;
	if (!bytes)
		jsonw_null(c->w);
	return jsonr_next(&c->r) == JSON_OBJECT_END;
}

static bool
put_object(struct copying *c)
{
	bool is_wrapper;
	if (!put_wrapper(c, &is_wrapper))
		return false;
	if (!is_wrapper)
		jsonw_object(c->w);
	return true;
}

static bool
copy_all(struct copying *c)
{
	for (;;) {
		switch (jsonr_next(&c->r)) {
		case JSON_ERROR: return false;
		case JSON_END: return true;
		case JSON_OBJECT:
			if (!put_object(c))
				return false;
			break;
		case JSON_OBJECT_END: jsonw_object_end(c->w); break;
		case JSON_ARRAY: jsonw_array(c->w); break;
		case JSON_ARRAY_END: jsonw_array_end(c->w); break;
		case JSON_KEY:
			if (!put_key(c))
				return false;
			break;
		case JSON_STRING:
			if (!put_string(c))
				return false;
			break;
		case JSON_NUMBER: put_number(c); break;
		case JSON_TRUE: jsonw_bool(c->w, true); break;
		case JSON_FALSE: jsonw_bool(c->w, false); break;
		case JSON_NULL: jsonw_null(c->w); break;
		}
	}
}

bool
ops_write_json_text(struct json_writer *w, const char *key, struct str text, struct arena *arena)
{
	struct copying c = {.w = w, .arena = arena};
	jsonw_key(w, key);
	size_t len = w->out->len;
	jsonr_begin(&c.r, text);
	if (copy_all(&c))
		return true;
	w->out->len = len;
	w->comma = false;
	jsonw_str(w, text);
	return false;
}

enum err_code
ops_write_plain(struct json_writer *w, const char *key, struct str typed, bool (*skip)(struct str),
    struct arena *arena, struct err *err)
{
	struct copying c = {.w = w, .arena = arena, .typed = true, .skip = skip};
	jsonw_key(w, key);
	jsonr_begin(&c.r, typed.ptr ? typed : STR("{}"));
	if (copy_all(&c))
		return ERR_OK;
	return err_set(err, ERR_CORRUPT, "%s: stored JSON is damaged: %s", key,
	    c.r.error ? c.r.error : "no memory, or a value that is none");
}
