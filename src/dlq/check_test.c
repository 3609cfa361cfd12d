/* SPDX-License-Identifier: Apache-2.0 */
/* Of a dead letter each flipped bit and each cut is found; whole ones are counted; files that are none are named. */
#include "dlq/kit_test.h"

#include "base/finding.h"
#include "dlq/dlq_priv.h"
#include "tests/test.h"

#include <stdio.h>

struct found {
	uint64_t count[FINDING_KINDS], all;
};

static void
note(void *ctx, const struct finding *f)
{
	struct found *found = ctx;
	found->count[f->kind]++;
	found->all++;
}

static struct found
check(const char *dir, bool live, struct dlq_checked *out)
{
	struct found found = {0};
	struct finding_sink sink = {note, &found};
	struct err err = {0};
	assert_int_equal(dlq_check(str_from(dir), live, &sink, out, &err), ERR_OK);
	return found;
}

static void
write_file(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

TEST(dlq, a_check_finds_every_flipped_bit_and_every_cut_of_a_letter)
{
	const char *dir = test_tmp_dir();
	char id[DLQ_ID_BYTES], path[FILE_PATH_BYTES];
	struct dlq *d = kit_open(dir);
	struct dlq_checked out;
	struct buf whole = {0};
	struct err err = {0};
	assert_int_equal(kit_put(d, 7, 2, 1000), ERR_OK);
	assert_int_equal(kit_put(d, 9, 0, 1000), ERR_OK);
	dlq_close(d);
	assert_int_equal(check(dir, false, &out).all, 0);
	assert_int_equal(out.waiting, 2);
	kit_id(7, 2, id);
	snprintf(path, sizeof(path), "%s/dlq/%s.letter", dir, id);
	assert_int_equal(file_read_all(path, 1 << 20, &whole, &err), ERR_OK);
	for (size_t at = 0; at < 2 * whole.len; at++) {
		bool flip = at < whole.len;
		if (flip)
			whole.ptr[at] = (char)(whole.ptr[at] ^ (1 << at % 8));
		write_file(path, whole.ptr, flip ? whole.len : at - whole.len);
		struct found found = check(dir, false, &out);
		assert_int_equal(found.all, 1);
		assert_int_equal(found.count[FINDING_LETTER_DAMAGED] +
		        found.count[FINDING_LETTER_TORN],
		    1);
		assert_int_equal(out.waiting, 1);
		if (flip)
			whole.ptr[at] = (char)(whole.ptr[at] ^ (1 << at % 8));
	}
	write_file(path, whole.ptr, whole.len);
	assert_int_equal(check(dir, false, &out).all, 0);
	buf_fini(&whole);
}

TEST(dlq, a_check_names_files_that_are_no_letters_and_letters_of_other_names)
{
	const char *dir = test_tmp_dir();
	char id[DLQ_ID_BYTES], other[DLQ_ID_BYTES], path[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
	struct dlq *d = kit_open(dir);
	struct dlq_checked out;
	assert_int_equal(kit_put(d, 7, 2, 1000), ERR_OK);
	dlq_close(d);
	kit_id(7, 2, id);
	kit_id(7, 3, other);
	snprintf(path, sizeof(path), "%s/dlq/%s.letter", dir, id);
	snprintf(to, sizeof(to), "%s/dlq/%s.letter", dir, other);
	assert_int_equal(rename(path, to), 0);
	assert_int_equal(check(dir, false, &out).count[FINDING_LETTER_MISNAMED], 1);
	assert_int_equal(rename(to, path), 0);
	snprintf(to, sizeof(to), "%s/dlq/notes", dir);
	write_file(to, "x", 1);
	assert_int_equal(check(dir, false, &out).count[FINDING_LETTER_FOREIGN], 1);
	assert_int_equal(remove(to), 0);
	snprintf(to, sizeof(to), "%s/dlq/%s.letter.tmp", dir, id);
	write_file(to, "x", 1);
	assert_int_equal(check(dir, false, &out).count[FINDING_LETTER_LEFTOVER], 1);
	/* A weir that runs is perhaps writing it. */
	assert_int_equal(check(dir, true, &out).all, 0);
}
