/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes, which are typed JSON (model/typed.h), to labels. */
#include "series/series_priv.h"

#include "model/typed.h"
#include "series/names.h"
#include "wire/json_read.h"

#include <stdlib.h>

struct attribute {
	struct str label, key, value;
};

static enum err_code
spent(const struct arena *arena, struct err *err)
{
	(void)err_set(err, ERR_TOO_LARGE,
	    "the labels need more than %zu bytes of memory (--max-result-bytes): narrow the selectors",
	    arena->bytes_max);
	return ERR_TOO_LARGE;
}

static enum err_code
damaged(const struct json_reader *j, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "attributes in the store are damaged: %s at byte %zu",
	    j->error ? j->error : "they are no object", j->error_at);
}

/* ---- values as text */

static void
put_double(struct buf *out, struct str raw)
{
	char text[PROMQL_NUMBER_BYTES];
	double v;
	if (str_to_f64(raw, &v))
		buf_append(out, text, promql_number_text(v, text));
	else
		buf_str(out, raw);
}

/* The text of {"<name>":"<text>"} without escapes in it, or empty. */
static struct str
wrapped(struct str json, struct str name)
{
	struct str rest = str_skip(json, 2);
	if (!str_starts(json, STR("{\"")) || !str_starts(rest, name))
		return STR_EMPTY;
	rest = str_skip(rest, name.len);
	if (!str_starts(rest, STR("\":\"")) || rest.len < 5)
		return STR_EMPTY;
	return str_of(rest.ptr + 3, rest.len - 5);
}

/* An array or object. */
static enum err_code
put_compound(struct buf *out, struct str json, struct err *err)
{
	struct str bytes = wrapped(json, STR("$bytes")), special = wrapped(json, STR("$double"));
	if (bytes.len > 0)
		buf_str(out, bytes);
	else if (special.len > 0)
		buf_str(out,
		    str_eq(special, STR("Infinity"))        ? STR("+Inf")
		        : str_eq(special, STR("-Infinity")) ? STR("-Inf")
		                                            : special);
	else
		return typed_write_api(json, out, err);
	return ERR_OK;
}

static enum err_code
put_value(struct json_reader *j, enum json_token token, struct buf *out, struct err *err)
{
	const char *from = j->at - 1;
	struct arena text = {0};
	if (token == JSON_STRING) {
		buf_str(out, jsonr_string(j, &text));
		arena_fini(&text);
	} else if (token == JSON_NUMBER) {
		bool whole =
		    !memchr(j->raw.ptr, '.', j->raw.len) && !memchr(j->raw.ptr, 'e', j->raw.len);
		if (whole)
			buf_str(out, j->raw);
		else
			put_double(out, j->raw);
	} else if (token == JSON_TRUE || token == JSON_FALSE) {
		buf_str(out, token == JSON_TRUE ? STR("true") : STR("false"));
	} else if (token == JSON_OBJECT || token == JSON_ARRAY) {
		if (!jsonr_skip(j, token))
			return damaged(j, err);
		return put_compound(out, str_of(from, (size_t)(j->at - from)), err);
	} else if (token != JSON_NULL) {
		return damaged(j, err);
	}
	return ERR_OK;
}

/* ---- maps */

static bool
add(struct attributes *a, struct str label, struct str key, struct str value)
{
	if (a->count == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 8;
		struct attribute *more = arena_array(a->arena, cap, sizeof(*more));
		if (!more)
			return false;
		if (a->count > 0)
			memcpy(more, a->items, a->count * sizeof(*more));
		a->items = more;
		a->cap = cap;
	}
	a->items[a->count++] = (struct attribute){label, key, value};
	return true;
}

/* A key that begins with '$' has one more of it. */
static struct str
read_key(struct json_reader *j, struct arena *arena)
{
	struct str key = jsonr_string(j, arena);
	return key.len > 0 && key.ptr[0] == '$' ? str_skip(key, 1) : key;
}

static enum err_code
add_attribute(struct attributes *a, struct str prefix, struct str key, struct str text,
    struct err *err)
{
	struct buf name = {0}, whole = {0};
	buf_str(&whole, prefix);
	buf_str(&whole, key);
	series_label_name(&name, buf_view(&whole));
	buf_fini(&whole);
	struct str label = arena_str(a->arena, name.len > 0 ? buf_view(&name) : STR(""));
	struct str value = arena_str(a->arena, text.len > 0 ? text : STR(""));
	buf_fini(&name);
	if (!label.ptr || !value.ptr || !add(a, label, key, value))
		return spent(a->arena, err);
	return ERR_OK;
}

enum err_code
series_add_attributes(struct attributes *a, struct str typed, struct str prefix, struct err *err)
{
	struct json_reader j;
	struct buf text = {0};
	enum err_code code = ERR_OK;
	enum json_token token;
	if (typed.len == 0)
		return ERR_OK;
	jsonr_begin(&j, typed);
	if (jsonr_next(&j) != JSON_OBJECT)
		return damaged(&j, err);
	while (code == ERR_OK && (token = jsonr_next(&j)) == JSON_KEY) {
		struct str key = read_key(&j, a->arena);
		buf_reset(&text);
		code = key.ptr ? put_value(&j, jsonr_next(&j), &text, err) : spent(a->arena, err);
		if (code == ERR_OK && key.len > 0 && text.len > 0)
			code = add_attribute(a, prefix, key, buf_view(&text), err);
	}
	buf_fini(&text);
	return code == ERR_OK && token != JSON_OBJECT_END ? damaged(&j, err) : code;
}

static int
compare(const void *a, const void *b)
{
	const struct attribute *x = a, *y = b;
	int order = str_cmp(x->label, y->label);
	return order ? order : str_cmp(x->key, y->key);
}

/* Values of attributes [i, end), which have one label. */
static struct str
joined(const struct attributes *a, size_t i, size_t end)
{
	struct buf text = {0};
	if (end - i == 1)
		return a->items[i].value;
	for (size_t k = i; k < end; k++) {
		if (k > i)
			buf_char(&text, ';');
		buf_str(&text, a->items[k].value);
	}
	struct str out = arena_str(a->arena, buf_view(&text));
	buf_fini(&text);
	return out;
}

enum err_code
series_merge_attributes(struct attributes *a, size_t more, struct promql_label **out,
    size_t *count_out, struct err *err)
{
	struct promql_label *labels = arena_array(a->arena, a->count + more + 1, sizeof(*labels));
	size_t count = 0;
	if (!labels)
		return spent(a->arena, err);
	if (a->count > 1)
		qsort(a->items, a->count, sizeof(*a->items), compare);
	for (size_t i = 0, end; i < a->count; i = end) {
		for (end = i + 1; end < a->count && str_eq(a->items[end].label, a->items[i].label);
		    end++)
			;
		labels[count] = (struct promql_label){a->items[i].label, joined(a, i, end)};
		if (!labels[count++].value.ptr)
			return spent(a->arena, err);
	}
	*out = labels;
	*count_out = count;
	return ERR_OK;
}

enum err_code
series_attribute_text(struct str typed, struct str key, struct arena *arena, struct str *out,
    struct err *err)
{
	struct json_reader j;
	struct buf text = {0};
	enum err_code code = ERR_OK;
	*out = STR("");
	if (typed.len == 0)
		return ERR_OK;
	jsonr_begin(&j, typed);
	if (jsonr_next(&j) != JSON_OBJECT)
		return damaged(&j, err);
	while (code == ERR_OK && jsonr_next(&j) == JSON_KEY) {
		struct str name = read_key(&j, arena);
		bool wanted = name.ptr && str_eq(name, key);
		buf_reset(&text);
		code = put_value(&j, jsonr_next(&j), &text, err);
		if (code != ERR_OK || !wanted || text.len == 0)
			continue;
		*out = arena_str(arena, buf_view(&text));
		if (!out->ptr)
			code = spent(arena, err);
	}
	buf_fini(&text);
	return code;
}
