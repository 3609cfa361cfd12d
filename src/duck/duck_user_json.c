/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed JSON (model/typed.h) as SQL sees it. The text is our own and compact; what is none is passed on as it is, and
 * DuckDB then says that it is malformed. Nothing is read beyond it.
 */
#include "duck/duck_user_wire.h"

#include <string.h>

struct walk {
	const char *at, *end;
	struct buf *out;
	int depth;
	bool list;
};

/* The string that begins here, with its quotes. */
static struct str
string_at(const struct walk *w)
{
	const char *p = w->at + 1;
	while (p < w->end && *p != '"')
		p += *p == '\\' && p + 1 < w->end ? 2 : 1;
	return str_of(w->at, (size_t)(p < w->end ? p + 1 - w->at : w->end - w->at));
}

/* {"$double":"NaN"}: the object is already open. */
static bool
unwrap_double(struct walk *w, struct str key)
{
	static const struct str name = STR_INIT("\"$double\"");
	const char *value = w->at + key.len + 1;
	if (!str_eq(key, name) || w->out->failed || w->out->len == 0 ||
	    w->out->ptr[w->out->len - 1] != '{' || value >= w->end || *value != '"')
		return false;
	w->at = value;
	struct str text = string_at(w);
	if (text.ptr + text.len >= w->end || text.ptr[text.len] != '}')
		return false;
	w->out->len--;
	buf_str(w->out, text);
	w->at = text.ptr + text.len + 1;
	w->depth--;
	return true;
}

static void
put_key(struct walk *w, struct str key)
{
	static const struct str escaped = STR_INIT("\"$$");
	bool item = w->list && w->depth == 2;
	if (item && str_eq(key, STR("\"t\"")))
		buf_str(w->out, STR("\"time_unix_nano\""));
	else if (item && str_eq(key, STR("\"dropped\"")))
		buf_str(w->out, STR("\"dropped_attributes_count\""));
	else if (str_starts(key, escaped)) {
		buf_char(w->out, '"');
		buf_str(w->out, str_skip(key, 2));
	} else {
		buf_str(w->out, key);
	}
}

static void
put_string(struct walk *w)
{
	struct str s = string_at(w);
	bool is_key = s.ptr + s.len < w->end && s.ptr[s.len] == ':';
	if (is_key && unwrap_double(w, s))
		return;
	if (is_key)
		put_key(w, s);
	else
		buf_str(w->out, s);
	w->at = s.ptr + s.len;
}

void
worker_natural_json(struct buf *out, struct str typed, bool list)
{
	/* Without a key of ours there is nothing to change. */
	if (!list && (typed.len == 0 || !memmem(typed.ptr, typed.len, "\"$", 2))) {
		buf_str(out, typed);
		return;
	}
	struct walk w = {.at = typed.ptr, .end = typed.ptr + typed.len, .out = out, .list = list};
	while (w.at < w.end) {
		if (*w.at == '"') {
			put_string(&w);
			continue;
		}
		w.depth += (*w.at == '{' || *w.at == '[') - (*w.at == '}' || *w.at == ']');
		buf_char(out, *w.at++);
	}
}
