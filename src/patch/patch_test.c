/* SPDX-License-Identifier: Apache-2.0 */
#include "patch/patch.h"

#include "patch/patch_priv.h"
#include "tests/test.h"
#include "wire/json_read.h"

#include <stdio.h>
#include <stdlib.h>

static const struct patch_limits limits = {.bytes_max = 8 << 20,
    .depth_max = 128,
    .ops_max = 10000};

static struct patch_doc *
parse(struct str json)
{
	struct patch_doc *doc;
	struct err err = {0};
	enum err_code code = patch_doc_parse(json, &limits, &doc, &err);
	assert_string_equal(err.message, "");
	assert_int_equal(code, ERR_OK);
	return doc;
}

/* The document's text, until the next call. */
static const char *
text_of(const struct patch_doc *doc)
{
	static struct buf text;
	buf_reset(&text);
	patch_doc_write(doc, &text);
	buf_char(&text, '\0');
	assert_false(text.failed);
	return text.ptr;
}

static void
apply(struct patch_doc *doc, const char *patch)
{
	struct err err = {0};
	enum err_code code = patch_apply(doc, str_from(patch), &limits, NULL, &err);
	assert_string_equal(err.message, "");
	assert_int_equal(code, ERR_OK);
}

/* ---- json-patch-tests */

struct vector {
	struct str doc, patch, expected;
	bool error, disabled;
};

static struct vector
read_vector(struct json_reader *r)
{
	struct vector v = {.error = false};
	enum json_token t;
	while ((t = jsonr_next(r)) == JSON_KEY) {
		struct str key = r->raw;
		const char *from = r->at;
		assert_true(jsonr_skip(r, jsonr_next(r)));
		struct str value = str_of(from, (size_t)(r->at - from));
		if (str_eq(key, STR("doc")))
			v.doc = value;
		else if (str_eq(key, STR("patch")))
			v.patch = value;
		else if (str_eq(key, STR("expected")))
			v.expected = value;
		else if (str_eq(key, STR("error")))
			v.error = true;
		else if (str_eq(key, STR("disabled")))
			v.disabled = true;
		else
			assert_true(str_eq(key, STR("comment")));
	}
	assert_int_equal(t, JSON_OBJECT_END);
	return v;
}

static void
try_vector(const struct vector *v)
{
	struct err err = {0};
	struct patch_doc *doc = parse(v->doc), *before = patch_doc_copy(doc);
	enum err_code code = patch_apply(doc, v->patch, &limits, NULL, &err);
	if (v->error) {
		assert_true(code == ERR_INVALID || code == ERR_CONFLICT);
		assert_true(err.message[0] != '\0');
		assert_true(patch_doc_equal(doc, before));
	} else {
		assert_string_equal(err.message, "");
		assert_int_equal(code, ERR_OK);
		struct patch_doc *expected = parse(v->expected.ptr ? v->expected : v->doc);
		assert_true(patch_doc_equal(doc, expected));
		patch_doc_free(expected);
	}
	patch_doc_free(before);
	patch_doc_free(doc);
}

static void
try_file(const char *name, size_t vectors)
{
	size_t len, seen = 0;
	const char *text = test_golden_read(name, &len);
	struct json_reader r;
	jsonr_begin(&r, str_of(text, len));
	assert_int_equal(jsonr_next(&r), JSON_ARRAY);
	while (jsonr_next(&r) == JSON_OBJECT) {
		struct vector v = read_vector(&r);
		/* They are disabled because other programs fail them. */
		try_vector(&v);
		seen++;
	}
	assert_null(r.error);
	assert_int_equal(seen, vectors);
}

TEST(patch, what_rfc_6902_says_holds)
{
	try_file("json-patch/spec_tests.json", 17);
}

TEST(patch, the_public_vectors_hold_and_the_disabled_ones_too)
{
	try_file("json-patch/tests.json", 78);
}

/* ---- pointers */

TEST(patch, pointers_find_what_rfc_6901_says)
{
	static const char doc_text[] =
	    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
	    "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,\"~1\":9,\"nu\\u0000l\":10}";
	static const struct {
		struct str pointer;
		const char *value;
	} cases[] = {
	    {STR_INIT("/foo"), "[\"bar\",\"baz\"]"},
	    {STR_INIT("/foo/0"), "\"bar\""},
	    {STR_INIT("/"), "0"},
	    {STR_INIT("/a~1b"), "1"},
	    {STR_INIT("/c%d"), "2"},
	    {STR_INIT("/e^f"), "3"},
	    {STR_INIT("/g|h"), "4"},
	    {STR_INIT("/i\\j"), "5"},
	    {STR_INIT("/k\"l"), "6"},
	    {STR_INIT("/ "), "7"},
	    {STR_INIT("/m~0n"), "8"},
	    {STR_INIT("/~01"), "9"},
	    {STR_INIT("/nu\0l"), "10"},
	};
	static const char *const bad[] = {"foo", "/foo/-", "/foo/2", "/foo/00", "/foo/+1", "/foo/",
	    "/~", "/~2", "/a/b", "//", "/foo/0/x", "/foo/18446744073709551616", "/foo/4294967296",
	    "/foo/4294967295"};
	struct patch_doc *doc = parse(str_from(doc_text));
	struct buf out = {0};
	struct err err = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&out);
		assert_int_equal(patch_doc_at(doc, cases[i].pointer, &out, &err), ERR_OK);
		assert_true(str_eq(buf_view(&out), str_from(cases[i].value)));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(patch_doc_at(doc, str_from(bad[i]), &out, &err), ERR_NOT_FOUND);
	buf_reset(&out);
	assert_int_equal(patch_doc_at(doc, STR_EMPTY, &out, &err), ERR_OK);
	assert_true(out.len > 100);
	buf_fini(&out);
	patch_doc_free(doc);
}

/* ---- values */

TEST(patch, numbers_keep_their_text_and_are_compared_by_value)
{
	static const char *const equal[][2] = {
	    {"1", "1.0"},
	    {"1", "1e0"},
	    {"100", "1E+2"},
	    {"0.001", "1e-3"},
	    {"-0", "0.0e9"},
	    {"123456789012345678901234567890", "1.23456789012345678901234567890e29"},
	    {"10.20", "0.1020e2"},
	    {"0e99999999999999999999", "0"},
	    {"5e99999999999999999999", "5e99999999999999999999"},
	    {"0.10", "1e-1"},
	};
	static const char *const different[][2] = {
	    {"1", "-1"},
	    {"1", "10"},
	    {"1", "1.00000000000000000001"},
	    {"9007199254740993", "9007199254740992"},
	    {"1e99999999999999999999", "1e-99999999999999999999"},
	    {"1.01", "1.1"},
	    {"0", "1e-400"},
	    {"12", "1.25"},
	};
	for (size_t i = 0; i < ARRAY_LEN(equal); i++) {
		assert_true(node_number_equal(str_from(equal[i][0]), str_from(equal[i][1])));
		assert_true(node_number_equal(str_from(equal[i][1]), str_from(equal[i][0])));
	}
	for (size_t i = 0; i < ARRAY_LEN(different); i++) {
		assert_false(node_number_equal(str_from(different[i][0]),
		    str_from(different[i][1])));
		assert_false(node_number_equal(str_from(different[i][1]),
		    str_from(different[i][0])));
	}
	static const char text[] =
	    "[1,1.0,1e0,-0,123456789012345678901234567890,0.10,1E+400,\"\\u0000\xc3\xa4\"]";
	struct patch_doc *doc = parse(str_from(text));
	assert_string_equal(text_of(doc), text);
	patch_doc_free(doc);
}

TEST(patch, the_first_place_where_documents_differ_is_named)
{
	static const char *const cases[][3] = {
	    {"{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}", NULL},
	    {"1", "2", ""},
	    {"{\"a\":[1,2]}", "{\"a\":[1,2,3]}", "/a/2"},
	    {"{\"a\":[1,2,3]}", "{\"a\":[1,2]}", "/a/2"},
	    {"{\"a\":[]}", "{\"a\":{}}", "/a"},
	    {"{\"a\":1}", "{\"a\":1,\"x/y~\":2}", "/x~1y~0"},
	    {"{\"a\":1,\"c\":{\"d\":[]}}", "{\"a\":1}", "/c"},
	    {"{\"a\":1,\"c\":{\"d\":[0,{\"e\":true}]}}",
	        "{\"c\":{\"d\":[0,{\"e\":false}]},\"a\":1}", "/c/d/1/e"},
	    {"{\"a\":null}", "{\"a\":false}", "/a"},
	    {"{\"a\":1,\"b\":1}", "{\"a\":1,\"c\":1}", "/b"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf at = {0};
		struct patch_doc *a = parse(str_from(cases[i][0])),
		                 *b = parse(str_from(cases[i][1]));
		bool differ = patch_doc_differ(a, b, &at);
		assert_int_equal(differ, cases[i][2] != NULL);
		assert_int_equal(patch_doc_equal(a, b), !differ);
		assert_int_equal(patch_doc_equal(b, a), !differ);
		assert_true(str_eq(buf_view(&at), str_from(cases[i][2])));
		buf_fini(&at);
		patch_doc_free(a);
		patch_doc_free(b);
	}
}

TEST(patch, what_is_no_document_is_refused_with_a_reason)
{
	static const char *const cases[][2] = {
	    {"", "ends too early"},
	    {"{\"a\":", "ends too early"},
	    {"{\"a\":\"x", "no end"},
	    {"[1,2", "ends too early"},
	    {"[NaN]", "not JSON"},
	    {"{\"a\":1,\"\\u0061\":2}", "two members of the name \"a\""},
	    {"[\"\\ud800\"]", "escape is malformed"},
	    {"1 2", "behind the end"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		struct patch_doc *doc = (void *)1;
		assert_int_equal(patch_doc_parse(str_from(cases[i][0]), &limits, &doc, &err),
		    ERR_INVALID);
		assert_null(doc);
		assert_non_null(strstr(err.message, cases[i][1]));
	}
}

/* ---- patches */

TEST(patch, a_failed_operation_leaves_the_document_as_it_was_to_the_byte)
{
	static const char doc_text[] =
	    "{\"a\":{\"x\":[1,{\"y\":1.0}],\"n\":null},\"b\":[0,1,2],\"c\":\"t\",\"d\":{}}";
	static const char *const good[] = {
	    "{\"op\":\"remove\",\"path\":\"/a\"}",
	    "{\"op\":\"remove\",\"path\":\"/a/x/1/y\"}",
	    "{\"op\":\"replace\",\"path\":\"\",\"value\":[]}",
	    "{\"op\":\"move\",\"from\":\"/b/0\",\"path\":\"/d/q\"}",
	    "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/x/0\"}",
	    "{\"op\":\"add\",\"path\":\"/b/1\",\"value\":{\"z\":1}},{\"op\":\"add\",\"path\":\"/b/1/w\",\"value\":2}",
	    "{\"op\":\"replace\",\"path\":\"/a/n\",\"value\":5},{\"op\":\"add\",\"path\":\"/a/n\",\"value\":6}",
	};
	static const char *const bad[] = {
	    "{\"op\":\"test\",\"path\":\"/c\",\"value\":\"u\"}",
	    "{\"op\":\"remove\",\"path\":\"/nowhere\"}",
	    "{\"op\":\"add\",\"path\":\"/b/9/x\",\"value\":0}",
	    "{\"op\":\"move\",\"from\":\"/nowhere\",\"path\":\"/c\"}",
	    "{\"op\":\"replace\",\"path\":\"/c/t\",\"value\":0}",
	    "{\"op\":\"frobnicate\",\"path\":\"/c\"}",
	    "7",
	};
	struct patch_doc *doc = parse(str_from(doc_text));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
			char patch[400];
			struct err err = {0};
			size_t used = doc->pool->used;
			snprintf(patch, sizeof(patch), "[%s,%s]", good[i], bad[k]);
			assert_int_not_equal(patch_apply(doc, str_from(patch), &limits, NULL, &err),
			    ERR_OK);
			assert_string_equal(text_of(doc), doc_text);
			assert_int_equal(doc->pool->used, used);
		}
	patch_doc_free(doc);
}

TEST(patch, an_error_says_which_operation_where_and_why)
{
	static const char *const cases[][2] = {
	    {"[{\"op\":\"add\",\"path\":\"/x\",\"value\":1},{\"op\":\"remove\",\"path\":\"/b/c\"}]",
	        "operation 2 (remove /b/c): there is no member of this name"},
	    {"[{\"op\":\"replace\",\"path\":\"/l/3\",\"value\":1}]",
	        "operation 1 (replace /l/3): the array has no such element"},
	    {"[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]",
	        "operation 1 (test /a): the value there is 1, which is not the 2 asked for"},
	    {"[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/b/x\"}]",
	        "operation 1 (move /b /b/x): a value cannot be moved into itself"},
	    {"[{\"op\":\"move\",\"from\":\"/b\"}]",
	        "operation 1: \"path\" must be there, and be a string"},
	    {"[{\"op\":\"remove\",\"path\":\"\"}]",
	        "operation 1 (remove the root): the whole document cannot be removed"},
	    {"[{\"op\":\"spam\",\"path\":\"\"}]", "operation 1: there is no operation \"spam\""},
	    {"[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]",
	        "operation 1 (add a): a pointer is empty or begins with /"},
	    {"[{\"op\":\"add\",\"path\":\"/a\"",
	        "the patch cannot be read: it is not JSON: the text ends too early (at byte 24)"},
	    {"{\"a\":1}", "a patch is an array of operations"},
	    {"\"x\"", "a patch is an array of operations"},
	};
	struct patch_doc *doc = parse(STR("{\"a\":1,\"b\":{},\"l\":[1,2,3]}"));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		assert_int_not_equal(patch_apply(doc, str_from(cases[i][0]), &limits, NULL, &err),
		    ERR_OK);
		assert_string_equal(err.message, cases[i][1]);
	}
	patch_doc_free(doc);
}

TEST(patch, an_empty_patch_in_either_form_changes_nothing_and_says_so)
{
	struct patch_doc *doc = parse(STR("{\"a\":1}"));
	struct err err = {0};
	bool noop = false;
	assert_int_equal(patch_apply(doc, STR("{}"), &limits, &noop, &err), ERR_OK);
	assert_true(noop);
	noop = false;
	assert_int_equal(patch_apply(doc, STR(" [ ] "), &limits, &noop, &err), ERR_OK);
	assert_true(noop);
	assert_int_equal(patch_apply(doc,
	                     STR("[{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":1}}]"), &limits,
	                     &noop, &err),
	    ERR_OK);
	assert_false(noop);
	assert_string_equal(text_of(doc), "{\"a\":1}");
	patch_doc_free(doc);
}

TEST(patch, copies_are_versions_that_do_not_see_each_other)
{
	struct patch_doc *doc = parse(STR("{\"a\":{\"b\":[1,2]},\"c\":0}")), *versions[6];
	static const char *const patches[] = {
	    "[{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":3}]",
	    "[{\"op\":\"remove\",\"path\":\"/c\"}]",
	    "[{\"op\":\"add\",\"path\":\"/a/x\",\"value\":{}}]",
	    "[{\"op\":\"replace\",\"path\":\"/a/b/0\",\"value\":9}]",
	    "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/b\"}]",
	};
	static const char *const texts[] = {
	    "{\"a\":{\"b\":[1,2]},\"c\":0}",
	    "{\"a\":{\"b\":[1,2,3]},\"c\":0}",
	    "{\"a\":{\"b\":[1,2,3]}}",
	    "{\"a\":{\"b\":[1,2,3],\"x\":{}}}",
	    "{\"a\":{\"b\":[9,2,3],\"x\":{}}}",
	    "{\"a\":{\"x\":{}},\"b\":[9,2,3]}",
	};
	versions[0] = patch_doc_copy(doc);
	for (size_t i = 0; i < ARRAY_LEN(patches); i++) {
		apply(doc, patches[i]);
		versions[i + 1] = patch_doc_copy(doc);
	}
	patch_doc_free(doc);
	for (size_t i = ARRAY_LEN(versions); i-- > 0;) {
		assert_string_equal(text_of(versions[i]), texts[i]);
		patch_doc_free(versions[i]);
	}
}

/* ---- bounds */

static void
put_nested(struct buf *b, unsigned levels)
{
	for (unsigned i = 0; i < levels; i++)
		buf_char(b, '[');
	for (unsigned i = 0; i < levels; i++)
		buf_char(b, ']');
}

TEST(patch, a_document_may_be_as_deep_as_it_is_allowed_to_be_and_no_deeper)
{
	struct buf text = {0};
	struct err err = {0};
	struct patch_doc *doc;
	put_nested(&text, 128);
	doc = parse(buf_view(&text));
	buf_char(&text, '\0');
	assert_string_equal(text_of(doc), text.ptr);
	/* One level deeper, by an operation of each kind that can. */
	buf_reset(&text);
	buf_str(&text, STR("[{\"op\":\"add\",\"path\":\""));
	for (int i = 0; i < 127; i++)
		buf_str(&text, STR("/0"));
	size_t len = text.len;
	buf_str(&text, STR("/0\",\"value\":7}]"));
	assert_int_equal(patch_apply(doc, buf_view(&text), &limits, NULL, &err), ERR_OK);
	text.len = len;
	buf_str(&text, STR("/0\",\"value\":[]}]"));
	assert_int_equal(patch_apply(doc, buf_view(&text), &limits, NULL, &err), ERR_TOO_LARGE);
	assert_non_null(strstr(err.message, "128 levels"));
	static const char *const deeper[] = {
	    "[{\"op\":\"replace\",\"path\":\"\",\"value\":[0]},{\"op\":\"copy\",\"from\":\"\",\"path\":\"/0\"}]",
	    "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/-\"}]",
	    "[{\"op\":\"add\",\"path\":\"/0\",\"value\":[[]]},{\"op\":\"move\",\"from\":\"/1\",\"path\":\"/0/0/0\"}]",
	};
	assert_int_equal(patch_apply(doc, str_from(deeper[1]), &limits, NULL, &err), ERR_TOO_LARGE);
	assert_int_equal(patch_apply(doc, str_from(deeper[2]), &limits, NULL, &err), ERR_TOO_LARGE);
	assert_int_equal(patch_apply(doc, str_from(deeper[0]), &limits, NULL, &err), ERR_OK);
	assert_string_equal(text_of(doc), "[[0],0]");
	patch_doc_free(doc);
	buf_reset(&text);
	put_nested(&text, 129);
	assert_int_equal(patch_doc_parse(buf_view(&text), &limits, &doc, &err), ERR_TOO_LARGE);
	buf_fini(&text);
}

TEST(patch, copies_of_copies_run_into_the_bound_of_memory)
{
	struct buf patch = {0};
	struct err err = {0};
	struct patch_doc *doc = parse(STR("{\"a\":[\"0123456789\"]}"));
	size_t used = doc->pool->used;
	buf_char(&patch, '[');
	for (int i = 0; i < 64; i++)
		buf_printf(&patch, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}",
		    i ? "," : "");
	buf_char(&patch, ']');
	assert_int_equal(patch_apply(doc, buf_view(&patch), &limits, NULL, &err), ERR_TOO_LARGE);
	assert_non_null(strstr(err.message, "more than 8388608 bytes of memory"));
	assert_non_null(strstr(err.message, "(copy /a /a/-)"));
	assert_string_equal(text_of(doc), "{\"a\":[\"0123456789\"]}");
	assert_int_equal(doc->pool->used, used);
	buf_fini(&patch);
	patch_doc_free(doc);
}

/* At every bound of memory it either works or fails with nothing changed and nothing leaked (the pool checks). */
TEST(patch, memory_may_end_anywhere)
{
	static const char doc_text[] = "{\"a\":{\"b\":[1,2,\"three\"]},\"c\":{}}";
	static const char patch_text[] =
	    "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c/d\"},{\"op\":\"move\",\"from\":\"/a/b/0\","
	    "\"path\":\"/e\"},{\"op\":\"add\",\"path\":\"/f\",\"value\":[{\"g\":1}]},{\"op\":\"remove\","
	    "\"path\":\"/c/d/b\"},{\"op\":\"replace\",\"path\":\"/a\",\"value\":\"x\"}]";
	struct patch_limits tight = limits;
	size_t parsed = 0, applied = 0;
	for (tight.bytes_max = 1; applied == 0; tight.bytes_max += 8) {
		struct patch_doc *doc;
		struct err err = {0};
		enum err_code code = patch_doc_parse(str_from(doc_text), &tight, &doc, &err);
		if (code != ERR_OK) {
			assert_int_equal(code, ERR_TOO_LARGE);
			assert_int_equal(parsed, 0);
			continue;
		}
		parsed++;
		size_t used = doc->pool->used;
		code = patch_apply(doc, str_from(patch_text), &tight, NULL, &err);
		applied += code == ERR_OK;
		if (code != ERR_OK) {
			assert_int_equal(code, ERR_TOO_LARGE);
			assert_string_equal(text_of(doc), doc_text);
			assert_int_equal(doc->pool->used, used);
		}
		patch_doc_free(doc);
	}
	assert_true(parsed > 50);
}

TEST(patch, a_patch_has_only_so_many_operations_and_steps)
{
	struct buf text = {0};
	struct err err = {0};
	struct patch_limits few = {.bytes_max = 64 << 20, .depth_max = 128, .ops_max = 3};
	struct patch_doc *doc;
	buf_char(&text, '[');
	for (int i = 0; i < 300000; i++)
		buf_str(&text, i ? STR(",0") : STR("0"));
	buf_char(&text, ']');
	assert_int_equal(patch_doc_parse(buf_view(&text), &few, &doc, &err), ERR_OK);
	buf_reset(&text);
	buf_char(&text, '[');
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "%s{\"op\":\"remove\",\"path\":\"/0\"}", i ? "," : "");
	buf_char(&text, ']');
	assert_int_equal(patch_apply(doc, buf_view(&text), &few, NULL, &err), ERR_TOO_LARGE);
	assert_string_equal(err.message,
	    "the patch has 5000 operations, more than the 3 that are allowed");
	few.ops_max = 0;
	assert_int_equal(patch_apply(doc, buf_view(&text), &few, NULL, &err), ERR_TOO_LARGE);
	assert_non_null(strstr(err.message, "steps"));
	assert_non_null(strstr(err.message, "operation 8"));
	buf_fini(&text);
	patch_doc_free(doc);
}

/* A state of some 10 KB and a run of patches: what one takes does not grow with the state. */
TEST(patch, a_patch_of_one_member_does_not_copy_the_document)
{
	struct buf text = {0};
	buf_str(&text, STR("{\"messages\":["));
	for (int i = 0; i < 110; i++)
		buf_printf(&text,
		    "%s{\"role\":\"user\",\"content\":\"some sixty bytes of text that somebody has written, %d\"}",
		    i ? "," : "", i);
	buf_str(&text, STR("],\"counter\":0,\"flags\":{\"a\":true}}"));
	assert_true(text.len > 9000);
	struct patch_doc *doc = parse(buf_view(&text));
	uint64_t steps = 0;
	size_t used = doc->pool->used;
	for (int i = 1; i <= 10000; i++) {
		char patch[100];
		snprintf(patch, sizeof(patch),
		    "[{\"op\":\"replace\",\"path\":\"/counter\",\"value\":%d}]", 10000 + i);
		apply(doc, patch);
		steps += doc->pool->steps;
	}
	assert_true(steps < 10000 * 40);
	assert_in_range(doc->pool->used, used, used + 64);
	buf_fini(&text);
	patch_doc_free(doc);
}

TEST(patch, objects_with_many_members_keep_order_and_find_each)
{
	struct buf text = {0};
	buf_char(&text, '{');
	for (int i = 0; i < 500; i++)
		buf_printf(&text, "%s\"key%d\":%d", i ? "," : "", i, i);
	buf_char(&text, '}');
	struct patch_doc *doc = parse(buf_view(&text));
	/* All but each tenth go away, one patch each, and come back behind the others. */
	for (int i = 0; i < 500; i++) {
		char patch[100];
		snprintf(patch, sizeof(patch), "[{\"op\":\"remove\",\"path\":\"/key%d\"}]", i);
		if (i % 10)
			apply(doc, patch);
	}
	for (int i = 0; i < 500; i++) {
		char patch[100];
		snprintf(patch, sizeof(patch),
		    "[{\"op\":\"test\",\"path\":\"/key%d\",\"value\":%d}]", i, i);
		if (i % 10 == 0)
			apply(doc, patch);
	}
	for (int i = 0; i < 500; i++) {
		char patch[100];
		snprintf(patch, sizeof(patch),
		    "[{\"op\":\"add\",\"path\":\"/key%d\",\"value\":%d}]", i, i);
		if (i % 10)
			apply(doc, patch);
	}
	struct patch_doc *whole = parse(buf_view(&text));
	assert_true(patch_doc_equal(doc, whole));
	buf_reset(&text);
	buf_char(&text, '{');
	for (int i = 0; i < 1000; i++)
		if (i < 500 ? i % 10 == 0 : i % 10 != 0)
			buf_printf(&text, "%s\"key%d\":%d", i ? "," : "", i % 500, i % 500);
	buf_str(&text, STR("}"));
	buf_char(&text, '\0');
	assert_string_equal(text_of(doc), text.ptr);
	buf_fini(&text);
	patch_doc_free(whole);
	patch_doc_free(doc);
}

/* {"name":0, ...} of n names whose hashes all begin at one place of an index of up to 4096. */
static void
put_colliding(struct buf *out, struct buf *names, size_t n)
{
	buf_char(out, '{');
	for (unsigned long i = 0, found = 0; found < n; i++) {
		char name[24];
		int len = snprintf(name, sizeof(name), "%lx", i);
		if ((node_hash(str_of(name, (size_t)len)) & 4095) != 0)
			continue;
		buf_printf(out, "%s\"%s\":0", found > 0 ? "," : "", name);
		buf_printf(names, "%s{\"op\":\"remove\",\"path\":\"/%s\"}", found > 0 ? "," : "[",
		    name);
		found++;
	}
	buf_char(out, '}');
	buf_char(names, ']');
}

TEST(patch, names_that_were_chosen_to_collide_end_at_the_steps_of_a_patch)
{
	struct buf text = {0}, removes = {0};
	struct err err = {0};
	put_colliding(&text, &removes, 1500);
	struct patch_doc *doc = parse(buf_view(&text));
	assert_int_equal(patch_apply(doc, buf_view(&removes), &limits, NULL, &err), ERR_TOO_LARGE);
	assert_true(patch_doc_steps(doc) > PATCH_STEPS_MAX);
	assert_true(patch_doc_steps(doc) < PATCH_STEPS_MAX + 1500 * 1500);
	struct patch_doc *whole = parse(buf_view(&text));
	assert_true(patch_doc_equal(doc, whole));
	patch_doc_free(whole);
	patch_doc_free(doc);
	buf_fini(&text);
	buf_fini(&removes);
}

TEST(patch, a_difference_that_is_longer_than_its_buffer_says_so)
{
	struct buf text = {0}, out;
	struct err err = {0};
	buf_printf(&text, "{\"%0*d\":{", 20000, 1);
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "%s\"k%d\":0", i > 0 ? "," : "", i);
	buf_str(&text, STR("}}"));
	struct patch_doc *a = parse(buf_view(&text));
	buf_reset(&text);
	buf_printf(&text, "{\"%0*d\":{}}", 20000, 1);
	struct patch_doc *b = parse(buf_view(&text));
	buf_init(&out, 1 << 20);
	assert_int_equal(patch_diff(a, b, &out, &err), ERR_TOO_LARGE);
	assert_true(out.len <= 1 << 20);
	buf_fini(&out);
	buf_fini(&text);
	patch_doc_free(a);
	patch_doc_free(b);
}
