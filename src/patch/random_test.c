/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random documents and patches, against a second implementation that is as simple as it can be: on jansson, in place, on a
 * copy of the whole document, by recursion.
 */
#include "patch/patch.h"
#include "patch/patch_priv.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const struct patch_limits limits = {.bytes_max = 16 << 20, .depth_max = 128};

/* ---- chance: xorshift, the same every time */

static uint64_t chance = 1;

static uint32_t
roll(uint32_t below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (uint32_t)(chance >> 33) % below;
}

static const char *const names[] = {"a", "b", "c", "", "a/b", "m~n", "0", "-", "\xc3\xa4", "e"};

static json_t *
random_value(unsigned depth)
{
	uint32_t kind = roll(depth > 0 ? 9 : 6);
	json_t *v;
	switch (kind) {
	case 0: return json_null();
	case 1: return json_boolean(roll(2));
	case 2: return json_string(names[roll(ARRAY_LEN(names))]);
	case 3:
	case 4: return json_integer((json_int_t)roll(5) - 2);
	case 5: return roll(2) ? json_object() : json_array();
	case 6:
		v = json_array();
		for (uint32_t n = roll(6); n > 0; n--)
			json_array_append_new(v, random_value(depth - 1));
		return v;
	default:
		v = json_object();
		for (uint32_t n = roll(7); n > 0; n--)
			json_object_set_new(v, names[roll(ARRAY_LEN(names))],
			    random_value(depth - 1));
		return v;
	}
}

/* A few steps down the document, then perhaps to nowhere. */
static void
random_path(const json_t *v, char *out)
{
	*out = '\0';
	while (roll(4)) {
		const char *name = NULL, *key;
		size_t place = 0;
		json_t *child = NULL;
		char index[24];
		if (json_is_object(v) && json_object_size(v) && roll(6)) {
			place = roll((uint32_t)json_object_size(v));
			json_object_foreach((json_t *)v, key, child) if (place-- == 0)
			{
				name = key;
				break;
			}
			v = child;
		} else if (json_is_array(v) && roll(8)) {
			place = roll((uint32_t)json_array_size(v) + 1);
			snprintf(index, sizeof(index), "%zu", place);
			name = index;
			v = json_array_get(v, place);
		} else {
			name = names[roll(ARRAY_LEN(names))];
			v = NULL;
		}
		*out++ = '/';
		for (; *name; name++) {
			bool escape = *name == '~' || *name == '/';
			if (escape)
				*out++ = '~';
			*out++ = !escape ? *name : *name == '~' ? '0' : '1';
		}
		*out = '\0';
		if (!v)
			return;
	}
}

/* ---- the second implementation */

/* Splits "/a/b~1c" into "/a" and "b/c". */
static void
split(const char *path, char *parent, char *last)
{
	const char *slash = strrchr(path, '/');
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	for (slash++; *slash; slash++) {
		if (*slash == '~')
			*last++ = *++slash == '0' ? '~' : '/';
		else
			*last++ = *slash;
	}
	*last = '\0';
}

static bool
model_index(const char *token, size_t count, size_t *out)
{
	char text[24];
	for (*out = 0; *out < count; ++*out) {
		snprintf(text, sizeof(text), "%zu", *out);
		if (strcmp(text, token) == 0)
			return true;
	}
	return false;
}

static json_t *
model_get(json_t *root, const char *path)
{
	char parent[400], last[100];
	size_t at;
	if (!*path)
		return root;
	split(path, parent, last);
	json_t *v = model_get(root, parent);
	if (json_is_object(v))
		return json_object_get(v, last);
	return json_is_array(v) && model_index(last, json_array_size(v), &at)
	    ? json_array_get(v, at)
	    : NULL;
}

static bool
model_remove(json_t *root, const char *path)
{
	char parent[400], last[100];
	size_t at;
	if (!*path || !model_get(root, path))
		return false;
	split(path, parent, last);
	json_t *v = model_get(root, parent);
	if (json_is_object(v))
		return json_object_del(v, last) == 0;
	return model_index(last, json_array_size(v), &at) && json_array_remove(v, at) == 0;
}

/* The value is borrowed. */
static bool
model_add(json_t **root, const char *path, json_t *value)
{
	char parent[400], last[100];
	size_t at;
	if (!*path) {
		json_incref(value);
		json_decref(*root);
		*root = value;
		return true;
	}
	split(path, parent, last);
	json_t *v = model_get(*root, parent);
	if (json_is_object(v))
		return json_object_set(v, last, value) == 0;
	if (!json_is_array(v))
		return false;
	if (strcmp(last, "-") == 0)
		at = json_array_size(v);
	else if (!model_index(last, json_array_size(v) + 1, &at))
		return false;
	return json_array_insert(v, at, value) == 0;
}

static bool
model_replace(json_t **root, const char *path, json_t *value)
{
	char parent[400], last[100];
	size_t at;
	if (!model_get(*root, path))
		return false;
	if (!*path)
		return model_add(root, path, value);
	split(path, parent, last);
	json_t *v = model_get(*root, parent);
	if (json_is_object(v))
		return json_object_set(v, last, value) == 0;
	return model_index(last, json_array_size(v), &at) && json_array_set(v, at, value) == 0;
}

static bool
model_move(json_t **root, const char *from, const char *path)
{
	json_t *v = model_get(*root, from);
	size_t n = strlen(from);
	if (!v)
		return false;
	if (strcmp(from, path) == 0)
		return true;
	if (strncmp(from, path, n) == 0 && path[n] == '/')
		return false;
	json_incref(v);
	bool good = model_remove(*root, from) && model_add(root, path, v);
	json_decref(v);
	return good;
}

static bool
model_op(json_t **root, json_t *op)
{
	const char *kind = json_string_value(json_object_get(op, "op"));
	const char *path = json_string_value(json_object_get(op, "path"));
	const char *from = json_string_value(json_object_get(op, "from"));
	json_t *value = json_object_get(op, "value");
	if (strcmp(kind, "add") == 0) {
		json_t *own = json_deep_copy(value);
		bool good = model_add(root, path, own);
		json_decref(own);
		return good;
	}
	if (strcmp(kind, "remove") == 0)
		return model_remove(*root, path);
	if (strcmp(kind, "replace") == 0) {
		json_t *own = json_deep_copy(value);
		bool good = model_replace(root, path, own);
		json_decref(own);
		return good;
	}
	if (strcmp(kind, "move") == 0)
		return model_move(root, from, path);
	if (strcmp(kind, "copy") == 0) {
		json_t *own = json_deep_copy(model_get(*root, from));
		bool good = own && model_add(root, path, own);
		json_decref(own);
		return good;
	}
	json_t *there = model_get(*root, path);
	return there && json_equal(there, value);
}

/* ---- comparisons */

static struct patch_doc *
to_doc(const json_t *v)
{
	struct patch_doc *doc;
	struct err err = {0};
	char *text = json_dumps(v, JSON_ENCODE_ANY);
	assert_int_equal(patch_doc_parse(str_from(text), &limits, &doc, &err), ERR_OK);
	free(text);
	return doc;
}

static json_t *
to_json(const struct patch_doc *doc)
{
	struct buf text = {0};
	patch_doc_write(doc, &text);
	json_t *v = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, NULL);
	assert_non_null(v);
	buf_fini(&text);
	return v;
}

static json_t *
random_op(const json_t *doc)
{
	static const char *const kinds[] = {
	    "add", "add", "replace", "replace", "remove", "move", "copy", "test"};
	char path[400], from[400];
	const char *kind = kinds[roll(ARRAY_LEN(kinds))];
	random_path(doc, path);
	random_path(doc, from);
	json_t *op = json_pack("{ssssss}", "op", kind, "path", path, "from", from);
	json_t *there =
	    strcmp(kind, "test") == 0 && roll(8) ? model_get((json_t *)doc, path) : NULL;
	json_object_set_new(op, "value", there ? json_deep_copy(there) : random_value(2));
	return op;
}

TEST(patch, random_patches_do_what_a_second_implementation_does)
{
	size_t good = 0, bad = 0;
	for (int round = 0; round < 20000; round++) {
		struct err err = {0};
		json_t *before = random_value(4), *after = json_deep_copy(before);
		json_t *patch = json_array();
		bool works = true;
		struct patch_doc *doc = to_doc(before);
		for (uint32_t n = roll(4) + 1; n > 0; n--) {
			json_array_append_new(patch, random_op(after));
			works = works &&
			    model_op(&after, json_array_get(patch, json_array_size(patch) - 1));
		}
		char *text = json_dumps(patch, 0);
		enum err_code code = patch_apply(doc, str_from(text), &limits, NULL, &err);
		if ((code == ERR_OK) != works)
			fail_msg("%s: %s", text, err.message);
		json_t *is = to_json(doc);
		if (!json_equal(is, works ? after : before))
			fail_msg("%s", text);
		good += works;
		bad += !works;
		free(text);
		json_decref(is);
		json_decref(before);
		json_decref(after);
		json_decref(patch);
		patch_doc_free(doc);
	}
	assert_true(good > 1500);
	assert_true(bad > 4000);
}

TEST(patch, a_difference_that_is_applied_gives_the_other_document)
{
	size_t same = 0;
	for (int round = 0; round < 20000; round++) {
		struct err err = {0};
		struct buf patch = {0}, pointer = {0};
		json_t *x = random_value(4), *y = json_deep_copy(x);
		/* Half of them have much in common. */
		for (uint32_t n = roll(2) ? 0 : 6; n > 0; n--) {
			json_t *op = random_op(y), *changed = json_deep_copy(y);
			if (model_op(&changed, op)) {
				json_t *swap = y;
				y = changed;
				changed = swap;
			}
			json_decref(changed);
			json_decref(op);
		}
		if (roll(4) == 0) {
			json_decref(y);
			y = random_value(4);
		}
		struct patch_doc *a = to_doc(x), *b = to_doc(y);
		bool differ = patch_doc_differ(a, b, &pointer);
		assert_int_equal(differ, !json_equal(x, y));
		assert_int_equal(patch_diff(a, b, &patch, &err), ERR_OK);
		assert_int_equal(str_eq(buf_view(&patch), STR("[]")), !differ);
		assert_int_equal(patch_apply(a, buf_view(&patch), &limits, NULL, &err), ERR_OK);
		assert_true(patch_doc_equal(a, b));
		json_t *is = to_json(a);
		assert_true(json_equal(is, y));
		same += !differ;
		json_decref(is);
		json_decref(x);
		json_decref(y);
		patch_doc_free(a);
		patch_doc_free(b);
		buf_fini(&patch);
		buf_fini(&pointer);
	}
	assert_in_range(same, 500, 15000);
}

/* Versions that are kept stay what they were, whatever is done to others, and memory comes back. */
TEST(patch, random_versions_stay_what_they_were)
{
	struct patch_doc *versions[64] = {NULL};
	char *texts[64] = {NULL};
	json_t *start = random_value(4);
	versions[0] = to_doc(start);
	texts[0] = json_dumps(start, JSON_ENCODE_ANY | JSON_COMPACT);
	for (int round = 0; round < 20000; round++) {
		uint32_t from = roll(64), to = roll(64);
		if (!versions[from] || from == to)
			continue;
		struct patch_doc *doc = patch_doc_copy(versions[from]);
		json_t *v = to_json(doc);
		json_t *op = random_op(v), *patch = json_pack("[o]", op);
		char *text = json_dumps(patch, 0);
		struct err err = {0};
		bool works = model_op(&v, op);
		assert_int_equal(patch_apply(doc, str_from(text), &limits, NULL, &err) == ERR_OK,
		    works);
		free(text);
		json_decref(patch);
		if (works) {
			patch_doc_free(versions[to]);
			free(texts[to]);
			versions[to] = doc;
			texts[to] = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		} else
			patch_doc_free(doc);
		json_decref(v);
	}
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		if (!versions[i])
			continue;
		json_t *is = to_json(versions[i]);
		json_t *was = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		assert_true(json_equal(is, was));
		json_decref(is);
		json_decref(was);
		free(texts[i]);
		patch_doc_free(versions[i]);
	}
	json_decref(start);
}
