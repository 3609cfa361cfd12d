/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A damaged DuckDB log is cut, a copy is kept, and what was behind comes again from weir's own log; a head of the
 * file that was half written is put right.
 */
#include "duck/duck_kit_test.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tests/test.h"

#include <stdio.h>

#define WAL DUCK_FILE ".wal"
#define MARK DUCK_FILE ".checkpoint"

enum { REQUESTS = 90, CHECKPOINTED = 30 };

struct stopping {
	_Atomic bool stopped;
};

static enum err_code
no_checkpoint(void *ctx, enum duck_step step, struct err *err)
{
	struct stopping *f = ctx;
	if (step != DUCK_STEP_CHECKPOINT || !atomic_load(&f->stopped))
		return ERR_OK;
	return err_set(err, ERR_BUSY, "not now");
}

/* A folder whose DuckDB log has the seals of most requests; *position: what weir's log lacks. */
static const char *
make_files(uint64_t *position)
{
	struct stopping stopping = {false};
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	opt.fault = no_checkpoint;
	opt.fault_ctx = &stopping;
	struct store *s = duck_kit_open(&opt);
	duck_kit_load(s, CHECKPOINTED, 1);
	duck_kit_wait_quiet(s);
	atomic_store(&stopping.stopped, true);
	duck_kit_load(s, REQUESTS, 1);
	duck_kit_wait_quiet(s);
	*position = store_position(s);
	const char *copy = duck_kit_copy(dir);
	store_close(s);
	return copy;
}

static void
read_back(const char *dir, const char *name, struct buf *out)
{
	char path[FILE_PATH_BYTES];
	struct err err = {0};
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (file_read_all(path, 1 << 30, out, &err) != ERR_OK)
		fail_msg("%s", err.message);
}

static void
write_file(const char *dir, const char *name, struct str bytes)
{
	struct err err = {0};
	if (file_write_whole(str_from(dir), str_from(name), &bytes, 1, &err) != ERR_OK)
		fail_msg("%s", err.message);
}

enum damage { DAMAGE_FLIP, DAMAGE_CUT, DAMAGE_ZEROS, DAMAGE_TAIL_OF_ZEROS, DAMAGE_KINDS };

static void
damage(struct buf *wal, enum damage kind, size_t at)
{
	size_t zeros = wal->len - at < 512 ? wal->len - at : 512;
	switch (kind) {
	case DAMAGE_FLIP: wal->ptr[at] = (char)(wal->ptr[at] ^ 0x20); break;
	case DAMAGE_CUT: wal->len = at; break;
	case DAMAGE_ZEROS: memset(wal->ptr + at, 0, zeros); break;
	case DAMAGE_TAIL_OF_ZEROS: memset(wal->ptr + at, 0, wal->len - at); break;
	case DAMAGE_KINDS: fail();
	}
}

/* What weir's log no longer has is in the file, what is lost is not said to be there, and with the log
 * read again everything is. */
static void
put_right(const char *dir, uint64_t position, struct store *reference)
{
	struct duck_options opt = duck_kit_eager(dir);
	struct store *s = duck_kit_open(&opt);
	assert_in_range(store_position(s), position, REQUESTS);
	duck_kit_load(s, REQUESTS, 3);
	duck_kit_same(s, reference);
	store_close(s);
}

static void
kept_in(const char *dir, const char *name, struct str damaged)
{
	struct buf copy = {0};
	read_back(dir, name, &copy);
	assert_int_equal(copy.len, damaged.len);
	assert_memory_equal(copy.ptr, damaged.ptr, damaged.len);
	buf_fini(&copy);
}

/* Whether a copy of the damaged log was kept. */
static bool
come_back(const char *dir, const struct buf *wal, uint64_t position, struct store *reference)
{
	char path[FILE_PATH_BYTES];
	put_right(dir, position, reference);
	snprintf(path, sizeof(path), "%s/" WAL ".1.damaged", dir);
	bool kept = file_exists(path);
	if (kept)
		kept_in(dir, WAL ".1.damaged", buf_view(wal));
	return kept;
}

static void
damage_in_places(size_t places, uint64_t seed)
{
	uint64_t position;
	const char *files = make_files(&position);
	struct store *reference = store_mem_new();
	struct buf whole = {0}, wal = {0};
	size_t kept = 0;
	duck_kit_load(reference, REQUESTS, 1);
	read_back(files, WAL, &whole);
	assert_true(whole.len > 50000);
	assert_true(position > 0);
	for (size_t i = 0; i < places; i++) {
		const char *dir = duck_kit_copy(files);
		enum damage kind = (enum damage)(i % DAMAGE_KINDS);
		size_t at = (size_t)(duck_kit_random(seed, i, 7) % whole.len);
		if (i < DAMAGE_KINDS)
			at = (size_t)duck_kit_random(seed, i, 7) % 64; /* its first entry */
		print_message("damage %d at %zu of %zu\n", (int)kind, at, whole.len);
		buf_reset(&wal);
		buf_str(&wal, buf_view(&whole));
		damage(&wal, kind, at);
		write_file(dir, WAL, buf_view(&wal));
		kept += come_back(dir, &wal, position, reference);
	}
	assert_true(kept > 0);
	buf_fini(&whole);
	buf_fini(&wal);
	store_close(reference);
}

TEST(duck, damaged_log_of_the_database_is_cut_and_what_it_had_comes_again)
{
	damage_in_places(test_is_thorough() ? 14 : 8, 1);
}

TEST(duck, log_of_the_database_that_is_damaged_elsewhere_is_cut_too)
{
	damage_in_places(test_is_thorough() ? 14 : 8, 2);
}

/* A crash between the new head and the end of a checkpoint leaves the log of before. Its last record says that it is
 * done with; the damage is that this record is gone. */
TEST(duck, log_of_before_the_last_checkpoint_is_put_aside)
{
	uint64_t position;
	const char *files = make_files(&position);
	struct store *reference = store_mem_new();
	struct duck_options opt = duck_kit_eager(files);
	struct buf wal = {0};
	duck_kit_load(reference, REQUESTS, 1);
	read_back(files, WAL, &wal);
	/* Opening and closing checkpoints all of it. */
	store_close(duck_kit_open(&opt));
	for (size_t cut = 0; cut < 3; cut++) {
		const char *dir = duck_kit_copy(files);
		struct buf part = {0};
		buf_str(&part, str_of(buf_view(&wal).ptr, wal.len - cut * wal.len / 4));
		write_file(dir, WAL, buf_view(&part));
		assert_true(come_back(dir, &part, position, reference));
		buf_fini(&part);
	}
	buf_fini(&wal);
	store_close(reference);
}

/* ---- heads */

enum { HEAD_BYTES = 4096 };

static uint64_t
iteration_of(const struct buf *file, size_t head)
{
	return get_u64le(file->ptr + (1 + head) * HEAD_BYTES + 8);
}

/* The head that does not count: it is written next. */
static size_t
idle_head(const struct buf *file)
{
	return iteration_of(file, 0) > iteration_of(file, 1) ? 1 : 0;
}

/* A head of which `n` bytes are those of the next iteration, as if it had been cut off there. */
static void
tear(struct buf *file, size_t head, size_t n)
{
	char next[HEAD_BYTES];
	char *at = file->ptr + (1 + head) * HEAD_BYTES;
	for (size_t i = 0; i < sizeof(next); i++)
		next[i] = (char)(at[i] ^ 0x5a);
	memcpy(at, next, n);
}

TEST(duck, head_that_was_half_written_is_put_right)
{
	static const size_t cuts[] = {1, 8, 16, 512, 2048, HEAD_BYTES};
	uint64_t position;
	const char *files = make_files(&position);
	struct store *reference = store_mem_new();
	struct buf whole = {0}, torn = {0};
	duck_kit_load(reference, REQUESTS, 1);
	read_back(files, DUCK_FILE, &whole);
	size_t head = idle_head(&whole);
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		const char *dir = duck_kit_copy(files);
		buf_reset(&torn);
		buf_str(&torn, buf_view(&whole));
		tear(&torn, head, cuts[i]);
		write_file(dir, DUCK_FILE, buf_view(&torn));
		write_file(dir, MARK, STR_EMPTY);
		put_right(dir, position, reference);
		kept_in(dir, DUCK_FILE ".head.1.damaged",
		    (struct str){torn.ptr + (1 + head) * HEAD_BYTES, HEAD_BYTES});
	}
	buf_fini(&whole);
	buf_fini(&torn);
	store_close(reference);
}

/* The older head knows nothing of what came after it. The file stays as it is, for whoever can do more. */
TEST(duck, head_that_counts_is_not_replaced_by_an_older_one)
{
	uint64_t position;
	const char *files = make_files(&position);
	struct buf whole = {0}, torn = {0}, now = {0}, wal = {0};
	read_back(files, DUCK_FILE, &whole);
	for (int in_checkpoint = 0; in_checkpoint < 2; in_checkpoint++) {
		const char *dir = duck_kit_copy(files);
		struct duck_options opt = duck_kit_eager(dir);
		struct store *s;
		struct err err = {0};
		buf_reset(&torn);
		buf_str(&torn, buf_view(&whole));
		tear(&torn, 1 - idle_head(&whole), 600);
		write_file(dir, DUCK_FILE, buf_view(&torn));
		if (in_checkpoint)
			write_file(dir, MARK, STR_EMPTY);
		buf_reset(&now);
		buf_reset(&wal);
		read_back(dir, WAL, &wal);
		assert_int_not_equal(duck_open(&opt, &s, &err), ERR_OK);
		print_message("%s\n", err.message);
		assert_int_equal(strstr(err.message, "does not go with its log") != NULL,
		    in_checkpoint);
		read_back(dir, DUCK_FILE, &now);
		assert_int_equal(now.len, torn.len);
		assert_memory_equal(now.ptr, torn.ptr, torn.len);
		buf_reset(&now);
		read_back(dir, WAL, &now);
		assert_int_equal(now.len, wal.len);
	}
	buf_fini(&whole);
	buf_fini(&torn);
	buf_fini(&now);
	buf_fini(&wal);
}

/* ---- blocks of metadata */

enum { BLOCK_BYTES = 256 << 10 };

/* Places in the file of its blocks of metadata, as DuckDB by itself names them. */
static size_t
metadata_blocks(const char *dir, uint64_t *places, size_t most)
{
	size_t count = duck_kit_numbers_on_file(dir, "SELECT block_id FROM pragma_metadata_info()",
	    places, most);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++)
		places[i] = 3 * HEAD_BYTES + places[i] * BLOCK_BYTES;
	return count;
}

TEST(duck, block_of_metadata_that_was_half_written_is_put_right)
{
	uint64_t position, places[64];
	const char *files = make_files(&position);
	struct store *reference = store_mem_new();
	struct buf whole = {0}, torn = {0};
	duck_kit_load(reference, REQUESTS, 1);
	size_t count = metadata_blocks(duck_kit_copy(files), places, ARRAY_LEN(places));
	read_back(files, DUCK_FILE, &whole);
	for (size_t i = 0; i < count; i++) {
		if (places[i] + BLOCK_BYTES > whole.len)
			continue; /* that copy has had its checkpoint */
		const char *dir = duck_kit_copy(files);
		buf_reset(&torn);
		buf_str(&torn, buf_view(&whole));
		for (size_t k = 0; k < 7; k++)
			torn.ptr[places[i] + k] = (char)(torn.ptr[places[i] + k] ^ 0x5a);
		write_file(dir, DUCK_FILE, buf_view(&torn));
		write_file(dir, MARK, STR_EMPTY);
		put_right(dir, position, reference);
		kept_in(dir, DUCK_FILE ".block.1.damaged",
		    (struct str){torn.ptr + places[i], BLOCK_BYTES});
		/* With no checkpoint under way it is another damage: not ours to put right. */
		struct store *refused;
		struct err err = {0};
		dir = duck_kit_copy(files);
		struct duck_options opt = duck_kit_eager(dir);
		write_file(dir, DUCK_FILE, buf_view(&torn));
		if (duck_open(&opt, &refused, &err) == ERR_OK) {
			store_close(refused); /* DuckDB has not looked at it */
			continue;
		}
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_non_null(strstr(err.message,
		    "is damaged: the checksum of the block at byte"));
	}
	buf_fini(&whole);
	buf_fini(&torn);
	store_close(reference);
}

TEST(duck, mark_of_a_checkpoint_is_there_only_while_there_is_one)
{
	uint64_t position;
	const char *dir = make_files(&position);
	char path[FILE_PATH_BYTES];
	struct duck_options opt = duck_kit_eager(dir);
	snprintf(path, sizeof(path), "%s/" MARK, dir);
	struct store *s = duck_kit_open(&opt);
	duck_kit_load(s, REQUESTS, 1);
	duck_kit_wait_quiet(s);
	assert_false(file_exists(path));
	store_close(s);
	assert_false(file_exists(path));
	/* One that failed, and one that a start finds. */
	struct stopping stopping = {true};
	opt.fault = no_checkpoint;
	opt.fault_ctx = &stopping;
	write_file(dir, MARK, STR_EMPTY);
	s = duck_kit_open(&opt);
	assert_false(file_exists(path));
	store_close(s);
	assert_false(file_exists(path));
}
