/* SPDX-License-Identifier: Apache-2.0 */
/* A damaged DuckDB log is cut, a copy is kept, and what was behind comes again from weir's own log. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tests/test.h"

#include <stdio.h>

#define WAL DUCK_FILE ".wal"

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
read_wal(const char *dir, const char *name, struct buf *out)
{
	char path[FILE_PATH_BYTES];
	struct err err = {0};
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (file_read_all(path, 1 << 30, out, &err) != ERR_OK)
		fail_msg("%s", err.message);
}

static void
write_wal(const char *dir, struct str bytes)
{
	char path[FILE_PATH_BYTES];
	snprintf(path, sizeof(path), "%s/" WAL, dir);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	if (bytes.len > 0)
		assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
	assert_int_equal(fclose(f), 0);
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

/* Whether a copy of the damaged log was kept. */
static bool
come_back(const char *dir, const struct buf *wal, uint64_t position, struct store *reference)
{
	struct duck_options opt = duck_kit_eager(dir);
	struct buf copy = {0};
	char path[FILE_PATH_BYTES];
	struct store *s = duck_kit_open(&opt);
	/* What weir's log no longer has is in the file; what is lost is not said to be there. */
	assert_in_range(store_position(s), position, REQUESTS);
	duck_kit_load(s, REQUESTS, 3);
	duck_kit_same(s, reference);
	store_close(s);
	snprintf(path, sizeof(path), "%s/" WAL ".1.damaged", dir);
	bool kept = file_exists(path);
	if (kept) {
		read_wal(dir, WAL ".1.damaged", &copy);
		assert_int_equal(copy.len, wal->len);
		assert_memory_equal(copy.ptr, wal->ptr, wal->len);
	}
	buf_fini(&copy);
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
	read_wal(files, WAL, &whole);
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
		write_wal(dir, buf_view(&wal));
		kept += come_back(dir, &wal, position, reference);
	}
	assert_true(kept > 0);
	buf_fini(&whole);
	buf_fini(&wal);
	store_close(reference);
}

TEST(duck, damaged_log_of_the_database_is_cut_and_what_it_had_comes_again)
{
	damage_in_places(14, 1);
}

TEST(duck, log_of_the_database_that_is_damaged_elsewhere_is_cut_too)
{
	damage_in_places(14, 2);
}
