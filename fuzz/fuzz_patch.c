/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document, a line break, a patch. A patch that fails leaves the document as it was; what is written can be read again
 * and is equal; the difference of before and after, applied to before, gives after.
 */
#include "patch/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct patch_limits limits = {.bytes_max = 1 << 22, .depth_max = 64, .ops_max = 1000};

static struct patch_doc *
parse(struct str text)
{
	struct err err = {0};
	struct patch_doc *doc;
	enum err_code code = patch_doc_parse(text, &limits, &doc, &err);
	CHECK(code == ERR_OK || code == ERR_INVALID || code == ERR_TOO_LARGE);
	CHECK((code == ERR_OK) == (doc != NULL));
	CHECK(code == ERR_OK || err.message[0]);
	return doc;
}

static void
write_and_read(const struct patch_doc *doc)
{
	struct buf text = {0}, pointer = {0};
	patch_doc_write(doc, &text);
	/* The account of this one may have less room than the text needs. */
	struct patch_doc *again = parse(buf_view(&text));
	if (again) {
		CHECK(patch_doc_equal(doc, again));
		CHECK(!patch_doc_differ(again, doc, &pointer));
	}
	patch_doc_free(again);
	buf_fini(&pointer);
	buf_fini(&text);
}

static void
difference(const struct patch_doc *before, const struct patch_doc *after)
{
	struct buf patch = {0};
	struct err err = {0};
	struct patch_limits any = {0};
	buf_init(&patch, 1 << 22);
	struct patch_doc *doc = patch_doc_copy(before);
	if (doc && patch_diff(before, after, &patch, &err) == ERR_OK) {
		CHECK(patch_apply(doc, buf_view(&patch), &any, NULL, &err) == ERR_OK);
		CHECK(patch_doc_equal(doc, after));
	}
	patch_doc_free(doc);
	buf_fini(&patch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = str_of(data, size), text = str_of(data, str_find(all, '\n'));
	struct patch_doc *doc = parse(text);
	struct err err = {0};
	bool noop;
	if (!doc)
		return 0;
	struct patch_doc *before = patch_doc_copy(doc);
	CHECK(before);
	enum err_code code = patch_apply(doc, str_skip(all, text.len + 1), &limits, &noop, &err);
	CHECK(code == ERR_OK || code == ERR_INVALID || code == ERR_CONFLICT ||
	    code == ERR_TOO_LARGE);
	CHECK(code == ERR_OK || err.message[0]);
	if (code != ERR_OK)
		CHECK(patch_doc_equal(doc, before));
	write_and_read(doc);
	difference(before, doc);
	patch_doc_free(before);
	patch_doc_free(doc);
	return 0;
}
