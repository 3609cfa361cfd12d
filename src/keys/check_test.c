/* SPDX-License-Identifier: Apache-2.0 */
/* Each way a file of keys can be wrong has a name of its own, and a whole one has none. */
#include "keys/format.h"

#include "base/finding.h"
#include "sys/file.h"
#include "tests/test.h"

#include <stdio.h>

#define KEY_A                                                                                      \
	"{\"id\":\"aaaaaaaaaaaa\",\"name\":\"\",\"tenant\":\"acme\",\"rights\":[\"read\"],"        \
	"\"created_unix_nano\":\"5\",\"sha256\":"                                                  \
	"\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}\n"
#define HEAD(n) "{\"weir_keys\":1,\"count\":" n "}\n"

static void
note(void *ctx, const struct finding *f)
{
	uint64_t *count = ctx;
	count[f->kind]++;
	assert_true(f->text[0] != '\0');
}

TEST(keys, each_fault_of_the_file_is_found_and_named)
{
	static const struct {
		const char *text; /* NULL: no file */
		enum finding_kind kind; /* FINDING_KINDS: it is whole */
	} cases[] = {
	    {HEAD("1") KEY_A, FINDING_KINDS},
	    {HEAD("0"), FINDING_KINDS},
	    {NULL, FINDING_KEYS_MISSING},
	    {"", FINDING_KEYS_HEAD},
	    {KEY_A, FINDING_KEYS_HEAD},
	    {HEAD("2") KEY_A, FINDING_KEYS_COUNT},
	    {HEAD("0") KEY_A, FINDING_KEYS_COUNT},
	    {HEAD("2") KEY_A KEY_A, FINDING_KEYS_TWICE},
	    {HEAD("1") "{\"id\":\"x\"}\n", FINDING_KEYS_LINE},
	    {HEAD("1") "{\"id\":\"x\"", FINDING_KEYS_TORN},
	};
	const char *dir = test_tmp_dir();
	char path[FILE_PATH_BYTES], lock[FILE_PATH_BYTES];
	snprintf(path, sizeof(path), "%s/" KEYS_FILE, dir);
	snprintf(lock, sizeof(lock), "%s/" KEYS_LOCK, dir);
	fclose(fopen(lock, "wb"));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t found[FINDING_KINDS + 1] = {0}, count, all = 0;
		struct finding_sink sink = {note, found};
		struct err err = {0};
		remove(path);
		FILE *f = cases[i].text ? fopen(path, "wb") : NULL;
		if (f) {
			fputs(cases[i].text, f);
			fclose(f);
		}
		assert_int_equal(keys_check(str_from(dir), false, &sink, &count, &err), ERR_OK);
		for (int kind = 0; kind < FINDING_KINDS; kind++)
			all += found[kind];
		assert_int_equal(all, cases[i].kind != FINDING_KINDS);
		assert_int_equal(found[cases[i].kind], cases[i].kind != FINDING_KINDS);
	}
	/* Nobody has ever made a key here. */
	uint64_t found[FINDING_KINDS] = {0}, count;
	struct finding_sink sink = {note, found};
	struct err err = {0};
	remove(path);
	remove(lock);
	assert_int_equal(keys_check(str_from(dir), false, &sink, &count, &err), ERR_OK);
	assert_int_equal(found[FINDING_KEYS_MISSING], 0);
}
