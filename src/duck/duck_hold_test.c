/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is copied while rows are appended and sealed: the copy and the log from its position on are the whole store.
 */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/hold.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { REQUESTS = 240, COPIES_MAX = 40, CHUNK_BYTES = DUCK_BLOCK_BYTES, CHUNK_WAIT_MS = 20 };

struct taken {
	const char *dir;
	uint64_t position, seals, checkpoints; /* that came while it was copied */
	bool ok;
};

struct copier {
	struct store *s;
	struct taken list[COPIES_MAX];
	const char *dirs[COPIES_MAX];
	size_t count;
	_Atomic bool loaded;
	struct thread thread;
};

struct one {
	struct copier *c;
	struct taken *out;
	bool backwards;
};

/* So that every piece is of another moment. */
static void
wait_for_seal(struct copier *c)
{
	struct duck *d = duck_of(c->s);
	uint64_t seals = atomic_load(&d->seals);
	uint64_t end = clock_mono_ns() + CHUNK_WAIT_MS * NS_PER_MS;
	while (!atomic_load(&c->loaded) && atomic_load(&d->seals) == seals && clock_mono_ns() < end)
		clock_sleep_ns(NS_PER_MS / 4);
}

static enum err_code
copy_pieces(struct one *o, const struct store_files *files, const struct file *to, struct err *err)
{
	uint64_t size = 0;
	enum err_code code = file_size(files->file, &size, err);
	uint64_t pieces = (size + CHUNK_BYTES - 1) / CHUNK_BYTES;
	for (uint64_t i = 0; i < pieces && code == ERR_OK; i++) {
		uint64_t off = (o->backwards ? pieces - 1 - i : i) * CHUNK_BYTES;
		uint64_t n = size - off < CHUNK_BYTES ? size - off : CHUNK_BYTES;
		code = file_copy(files->file, to, off, n, err);
		if (i % 8 == 0)
			wait_for_seal(o->c);
	}
	return code;
}

static enum err_code
copy_file(void *ctx, const struct store_files *files, struct err *err)
{
	struct one *o = ctx;
	struct duck *d = duck_of(o->c->s);
	char path[FILE_PATH_BYTES];
	struct file to = {0};
	uint64_t seals = atomic_load(&d->seals), checkpoints = atomic_load(&d->checkpoints);
	o->out->position = files->position;
	enum err_code code = file_join(str_from(o->out->dir), str_from(files->name), path, err);
	if (code == ERR_OK)
		code = file_open(path, FILE_CREATE, &to, err);
	if (code == ERR_OK)
		code = copy_pieces(o, files, &to, err);
	file_close(&to);
	o->out->seals = atomic_load(&d->seals) - seals;
	o->out->checkpoints = atomic_load(&d->checkpoints) - checkpoints;
	return code;
}

static void
copier_main(void *ctx)
{
	struct copier *c = ctx;
	while (!atomic_load(&c->loaded) && c->count < COPIES_MAX) {
		struct taken *t = &c->list[c->count];
		struct one o = {c, t, c->count % 2 == 1};
		struct err err;
		t->dir = c->dirs[c->count++];
		t->ok = store_hold(c->s, copy_file, &o, &err) == ERR_OK;
	}
}

static void
come_back(const struct taken *t, uint64_t seed, struct store *reference)
{
	struct duck_options opt = duck_kit_eager(t->dir);
	opt.request_age_ns = 10 * 365 * NS_PER_DAY;
	struct store *s = duck_kit_open(&opt);
	assert_int_equal(store_position(s), t->position);
	duck_kit_catch_up(s, REQUESTS, seed, reference);
	store_close(s);
}

static void
copy_while_sealing(uint64_t seed)
{
	static struct copier c;
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	struct store *reference = store_mem_new();
	uint64_t seals = 0;
	opt.request_age_ns = 10 * 365 * NS_PER_DAY;
	c = (struct copier){.s = duck_kit_open(&opt)};
	for (size_t i = 0; i < COPIES_MAX; i++)
		c.dirs[i] = test_tmp_dir();
	duck_kit_load(c.s, REQUESTS / 4, seed); /* something to be overwritten */
	duck_kit_wait_quiet(c.s);
	assert_int_equal(thread_start(&c.thread, "copier", copier_main, &c, NULL), ERR_OK);
	for (uint64_t to = REQUESTS / 4; to <= REQUESTS; to += 2) {
		duck_kit_load(c.s, to, seed + to);
		clock_sleep_ns(10 * NS_PER_MS);
	}
	atomic_store(&c.loaded, true);
	thread_join(&c.thread);
	duck_kit_load(reference, REQUESTS, seed);
	duck_kit_same(c.s, reference);
	duck_kit_wait_quiet(c.s);
	duck_kit_same(c.s, reference);
	store_close(c.s);
	for (size_t i = 0; i < c.count; i++) {
		print_message("copy %zu: position %llu, %llu seals meanwhile\n", i,
		    (unsigned long long)c.list[i].position, (unsigned long long)c.list[i].seals);
		assert_true(c.list[i].ok);
		assert_int_equal(c.list[i].checkpoints, 0);
		seals += c.list[i].seals;
		if (test_is_thorough() || i % 4 == 1)
			come_back(&c.list[i], i, reference);
	}
	assert_true(c.count >= 2);
	assert_true(seals > 0);
	store_close(reference);
}

TEST(duck, copy_of_the_file_during_seals_is_a_whole_store)
{
	copy_while_sealing(1);
}

TEST(duck, copies_of_the_file_during_other_seals_are_whole_stores)
{
	copy_while_sealing(1000);
}

/* ---- what the hold itself does */

static enum err_code
try_again(void *ctx, const struct store_files *files, struct err *err)
{
	struct err second;
	bool *refused = ctx;
	*refused = store_hold(files->store, try_again, ctx, &second) == ERR_BUSY;
	return err_set(err, ERR_IO, "as the test wants it");
}

TEST(duck, hold_is_one_at_a_time_and_ends_with_an_error_too)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	struct store *s = duck_kit_open(&opt);
	struct err err;
	for (int i = 0; i < 3; i++) {
		bool refused = false;
		assert_int_equal(store_hold(s, try_again, &refused, &err), ERR_IO);
		assert_true(refused);
		assert_string_equal(err.message, "as the test wants it");
	}
	uint64_t before = atomic_load(&duck_of(s)->checkpoints);
	duck_kit_load(s, 20, 1);
	duck_kit_flush(s);
	uint64_t end = clock_mono_ns() + 30 * NS_PER_S;
	while (atomic_load(&duck_of(s)->checkpoints) == before) {
		assert_true(clock_mono_ns() < end);
		clock_sleep_ns(NS_PER_MS);
	}
	store_close(s);
}

static enum err_code
expect_end(void *ctx, const struct store_files *files, struct err *err)
{
	(void)ctx;
	if (files->go_on(files->store, err) != ERR_OK)
		return err_set(err, ERR_INTERNAL, "nobody has stopped it yet");
	store_cancel(files->store);
	return files->go_on(files->store, err);
}

TEST(duck, hold_is_told_that_the_store_stops)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	struct store *s = duck_kit_open(&opt);
	struct err err;
	assert_int_equal(store_hold(s, expect_end, NULL, &err), ERR_CANCELLED);
	assert_int_equal(store_hold(s, expect_end, NULL, &err), ERR_CANCELLED);
	store_close(s);
}

static enum err_code
never(void *ctx, const struct store_files *files, struct err *err)
{
	(void)ctx;
	(void)files;
	return err_set(err, ERR_INTERNAL, "it was called");
}

TEST(store, store_without_a_file_says_that_there_is_none_to_copy)
{
	struct store *s = store_mem_new();
	struct err err;
	assert_int_equal(store_hold(s, never, NULL, &err), ERR_UNIMPLEMENTED);
	store_close(s);
}
