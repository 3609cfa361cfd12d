/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every change with every file operation in it failing, and with the process killed before it: what
 * a restart finds is the state before or the state after, whole, and after it when that was said.
 */
#include "dlq/kit_test.h"

#include "base/arena.h"
#include "base/bits.h"
#include "sys/file_fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

enum { ITS_SEQ = 5, OTHER_SEQ = 9 };

struct state { /* of the letter that the change is of */
	bool there;
	enum dlq_state state;
	unsigned attempts;
	bool covered;
};

struct change {
	const char *name;
	/* Leave the letter in the state before. */
	void (*prepare)(struct dlq *d);
	enum err_code (*make)(struct dlq *d);
	struct state before, after;
	bool runs; /* it has been handed out */
	bool forgotten; /* the log has lost the record */
};

static const uint64_t later = KIT_T0 + KIT_S(7200);

static void
fail_times(struct dlq *d, unsigned n)
{
	struct dlq_letter l;
	assert_int_equal(kit_put(d, ITS_SEQ, 0, KIT_T0 - KIT_S(20)), ERR_OK);
	for (unsigned i = 0; i < n; i++) {
		assert_true(kit_due(d, KIT_T0 - KIT_S(10) + KIT_S(5 * i), &l));
		assert_int_equal(dlq_failed(d, l.id, "no", KIT_T0 - KIT_S(10) + KIT_S(5 * i), NULL),
		    ERR_OK);
	}
}

static void
nothing(struct dlq *d)
{
	(void)d;
}

static void
waiting(struct dlq *d)
{
	fail_times(d, 0);
}

static void
waiting_longer(struct dlq *d)
{
	fail_times(d, 2);
}

static void
quarantined(struct dlq *d)
{
	fail_times(d, 3);
	kit_expect(d, ITS_SEQ, 0, DLQ_QUARANTINED, 3);
}

static void
marked(struct dlq *d)
{
	char id[DLQ_ID_BYTES];
	fail_times(d, 0);
	kit_id(ITS_SEQ, 0, id);
	assert_int_equal(dlq_drop(d, id, NULL), ERR_OK);
}

static enum err_code
make_put(struct dlq *d)
{
	return kit_put(d, ITS_SEQ, 0, KIT_T0);
}

static enum err_code
make_failed(struct dlq *d)
{
	char id[DLQ_ID_BYTES];
	kit_id(ITS_SEQ, 0, id);
	return dlq_failed(d, id, "no", later, NULL);
}

static enum err_code
make_done(struct dlq *d)
{
	char id[DLQ_ID_BYTES];
	kit_id(ITS_SEQ, 0, id);
	return dlq_done(d, id, NULL);
}

static enum err_code
make_retry(struct dlq *d)
{
	char id[DLQ_ID_BYTES];
	kit_id(ITS_SEQ, 0, id);
	return dlq_retry(d, id, later, NULL);
}

static enum err_code
make_drop(struct dlq *d)
{
	char id[DLQ_ID_BYTES];
	kit_id(ITS_SEQ, 0, id);
	return dlq_drop(d, id, NULL);
}

/* Says nothing of its success: whatever it was is right. */
static enum err_code
make_trim(struct dlq *d)
{
	dlq_trim(d, ITS_SEQ);
	return ERR_IO;
}

#define WAITS(n) {true, DLQ_WAITING, n, true}
#define QUARANTINED(n) {true, DLQ_QUARANTINED, n, true}
#define MARKED {.covered = true}

static const struct change changes[] = {
    {"put", nothing, make_put, {0}, WAITS(0), false, false},
    {"failed", waiting, make_failed, WAITS(0), WAITS(1), true, false},
    {"failed at last", waiting_longer, make_failed, WAITS(2), QUARANTINED(3), true, false},
    {"done", waiting, make_done, WAITS(0), MARKED, true, false},
    {"drop", waiting, make_drop, WAITS(0), MARKED, false, false},
    {"drop from quarantine", quarantined, make_drop, QUARANTINED(3), MARKED, false, false},
    {"drop for good", quarantined, make_drop, QUARANTINED(3), {0}, false, true},
    {"retry", waiting_longer, make_retry, WAITS(2), WAITS(0), false, false},
    {"retry from quarantine", quarantined, make_retry, QUARANTINED(3), WAITS(0), false, false},
    {"trim", marked, make_trim, MARKED, {0}, false, false},
};

static struct state
state_of(struct dlq *d)
{
	char id[DLQ_ID_BYTES];
	struct dlq_letter l;
	struct buf payload = {0};
	struct state s = {.covered = dlq_covers(d, ITS_SEQ, 0)};
	kit_id(ITS_SEQ, 0, id);
	if (dlq_show(d, id, &l, &payload, NULL) == ERR_OK) {
		s = (struct state){true, l.state, l.attempts, s.covered};
		kit_expect(d, ITS_SEQ, 0, l.state, l.attempts);
	}
	buf_fini(&payload);
	return s;
}

static bool
is_state(const struct state *a, const struct state *b)
{
	return a->there == b->there && a->covered == b->covered &&
	    (!a->there || (a->state == b->state && a->attempts == b->attempts));
}

/* What holds after a restart, whatever happened. */
static void
check_after_restart(const char *dir, const struct change *c, const char *how, unsigned n, bool said)
{
	struct dlq *d = kit_open(dir);
	struct state s = state_of(d);
	if (!is_state(&s, &c->after) && (said || !is_state(&s, &c->before)))
		fail_msg("%s, %s %u, %s: there %d state %s attempts %u covered %d", c->name, how, n,
		    said ? "said" : "not said", s.there, dlq_state_name(s.state), s.attempts,
		    s.covered);
	kit_expect(d, OTHER_SEQ, 0, DLQ_WAITING, 0);
	assert_int_equal(kit_count(d, DLQ_UNREADABLE), 0);
	assert_int_equal(kit_files(dir, "dlq", ".tmp") + kit_files(dir, "quarantine", ".tmp"), 0);
	/* One file for each that is there, and the change can be made after all. */
	assert_int_equal(kit_files(dir, "dlq", ".letter") + kit_files(dir, "quarantine", ".letter"),
	    1 + s.there);
	dlq_close(d);
}

struct copying {
	const char *from, *to, *sub;
};

static void
copy_file(void *ctx, const char *name)
{
	const struct copying *c = ctx;
	char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
	struct buf bytes = {0};
	int n = snprintf(from, sizeof(from), "%s/%s/%s", c->from, c->sub, name);
	int m = snprintf(to, sizeof(to), "%s/%s/%s", c->to, c->sub, name);
	assert_true(n > 0 && n < FILE_PATH_BYTES && m > 0 && m < FILE_PATH_BYTES);
	assert_int_equal(file_read_all(from, 1 << 20, &bytes, NULL), ERR_OK);
	kit_write(to, bytes.ptr, bytes.len);
	buf_fini(&bytes);
}

/* Many are needed, and syncs take their time: the state before is made once and copied. */
static void
copy_state(const char *from, const char *to)
{
	static const char *const subs[] = {"dlq", "quarantine"};
	for (size_t i = 0; i < ARRAY_LEN(subs); i++) {
		char path[FILE_PATH_BYTES];
		struct copying c = {from, to, subs[i]};
		kit_path(from, subs[i], "", path);
		if (!file_exists(path))
			continue;
		assert_int_equal(file_list(path, copy_file, &c, NULL), ERR_OK);
	}
}

static void
make_folders(const char *dir, bool quarantine)
{
	char path[FILE_PATH_BYTES];
	assert_int_equal(file_mkdir(dir, NULL, NULL), ERR_OK);
	kit_path(dir, "dlq", "", path);
	assert_int_equal(file_mkdir(path, NULL, NULL), ERR_OK);
	kit_path(dir, "quarantine", "", path);
	if (quarantine)
		assert_int_equal(file_mkdir(path, NULL, NULL), ERR_OK);
}

static const char *
template_of(const char *root, const struct change *c)
{
	static const struct change *last;
	static char dir[512];
	if (c == last)
		return dir;
	snprintf(dir, sizeof(dir), "%s/%s", root, c->name);
	assert_int_equal(file_mkdir(dir, NULL, NULL), ERR_OK);
	struct dlq *d = kit_open(dir);
	c->prepare(d);
	assert_int_equal(kit_put(d, OTHER_SEQ, 0, KIT_T0), ERR_OK);
	dlq_close(d);
	last = c;
	return dir;
}

/* A data folder of its own with the state before. */
static const char *
fresh(const struct change *c, const char *how, unsigned n, struct dlq **out)
{
	static char dir[512];
	static const char *root;
	struct dlq_letter l = {0};
	char other[DLQ_ID_BYTES];
	if (!root)
		root = test_tmp_dir();
	const char *from = template_of(root, c);
	int len = snprintf(dir, sizeof(dir), "%s/%s, %s %u", root, c->name, how, n);
	assert_true(len > 0 && (size_t)len < sizeof(dir));
	make_folders(dir, c->before.state == DLQ_QUARANTINED);
	copy_state(from, dir);
	*out = kit_open(dir);
	if (c->forgotten)
		dlq_trim(*out, ITS_SEQ);
	kit_id(OTHER_SEQ, 0, other);
	while (c->runs && l.seq != ITS_SEQ)
		assert_true(kit_due(*out, later, &l));
	dlq_put_back(*out, other);
	return dir;
}

/* False: the operation is not reached any more. */
static bool
fail_one(const struct change *c, enum file_op op, unsigned n, bool stays)
{
	static const char *const names[FILE_OP_COUNT] = {
	    "open", "read", "write", "sync", "truncate", "rename", "unlink", "mkdir", "sync_dir"};
	char how[64];
	struct dlq *d;
	snprintf(how, sizeof(how), "%s%s", names[op], stays ? " for ever" : "");
	const char *dir = fresh(c, how, n, &d);
	/* Of bytes some go through; all else fails at once. */
	bool bytes = op == FILE_OP_WRITE || op == FILE_OP_READ;
	file_fault_begin(&(struct file_fault_plan){
	    .op = op, .nth = n, .os_errno = EIO, .short_bytes = bytes ? 7 : 0, .stays = stays});
	enum err_code code = c->make(d);
	bool hit = file_fault_hit();
	file_fault_end();
	assert_true(code == ERR_OK || code == ERR_IO);
	struct state s = state_of(d);
	/* What it says in memory is what it has said it did. A letter that waits for its next try
	 * has been given back. */
	if (code == ERR_OK)
		assert_true(is_state(&s, &c->after));
	else if (c->make != make_trim && !is_state(&s, &c->before) && !is_state(&s, &c->after))
		fail_msg("%s, %s %u: %d %s %u", c->name, how, n, s.there, dlq_state_name(s.state),
		    s.attempts);
	if (c->make == make_put && code != ERR_OK) {
		assert_false(s.there);
		assert_int_equal(kit_files(dir, "dlq", ".tmp"), 0);
		assert_int_equal(kit_files(dir, "dlq", ".letter"),
		    stays && op == FILE_OP_UNLINK ? 2 : 1);
	}
	assert_int_equal(kit_count(d, DLQ_UNREADABLE), 0);
	dlq_close(d);
	check_after_restart(dir, c, how, n, code == ERR_OK);
	return hit;
}

TEST(dlq, every_change_with_every_operation_failing_is_made_or_not_made)
{
	unsigned failed = 0;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		for (int op = 0; op < FILE_OP_COUNT; op++)
			for (int stays = 0; stays < 2; stays++)
				for (unsigned n = 1;
				    fail_one(&changes[i], (enum file_op)op, n, stays); n++)
					failed++;
	assert_true(failed > 100);
}

struct killer {
	unsigned left;
};

static int
kill_before(void *ctx, enum file_op op, const char *path, size_t *len)
{
	struct killer *k = ctx;
	(void)op;
	(void)path;
	(void)len;
	if (k->left-- == 1)
		_exit(77);
	return 0;
}

/* False: it ran to its end. */
static bool
kill_one(const struct change *c, unsigned n)
{
	struct dlq *d;
	const char *dir = fresh(c, "killed", n, &d);
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct killer k = {.left = n};
		struct file_hook hook = {.before = kill_before, .ctx = &k};
		file_hook_set(&hook);
		_exit(c->make(d) == ERR_OK || c->make == make_trim ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 1);
	dlq_close(d);
	check_after_restart(dir, c, "killed", n, WEXITSTATUS(status) == 0);
	return WEXITSTATUS(status) == 77;
}

TEST(dlq, every_change_killed_at_every_operation_is_made_or_not_made)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		unsigned n = 1;
		while (kill_one(&changes[i], n))
			n++;
		assert_true(n > 3);
	}
}

TEST(dlq, a_full_disk_is_busy_and_letters_without_a_mark_can_still_go)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	struct err err = {0};
	struct dlq_letter l = {.seq = 2, .item_count = 1};
	assert_int_equal(kit_put(d, 1, 0, KIT_T0), ERR_OK);
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_WRITE, .nth = 1, .os_errno = ENOSPC, .stays = true});
	assert_int_equal(dlq_put(d, &l, STR("x"), KIT_T0, &err), ERR_BUSY);
	assert_non_null(strstr(err.message, "No space left"));
	kit_id(1, 0, l.id);
	assert_int_equal(dlq_drop(d, l.id, &err), ERR_BUSY);
	kit_expect(d, 1, 0, DLQ_WAITING, 0);
	dlq_trim(d, 1);
	assert_int_equal(dlq_drop(d, l.id, &err), ERR_OK);
	file_fault_end();
	assert_int_equal(kit_count(d, DLQ_WAITING), 0);
	assert_int_equal(dlq_put(d, &(struct dlq_letter){.seq = 2, .item_count = 1}, STR("x"),
	                     KIT_T0, &err),
	    ERR_OK);
	dlq_close(d);
}

TEST(dlq, a_letter_that_could_not_be_deleted_does_not_outlive_its_mark)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	char id[DLQ_ID_BYTES];
	kit_id(ITS_SEQ, 0, id);
	assert_int_equal(kit_put(d, ITS_SEQ, 0, KIT_T0), ERR_OK);
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_UNLINK, .nth = 1, .os_errno = EIO, .stays = true});
	assert_int_equal(dlq_drop(d, id, NULL), ERR_OK); /* the mark says so */
	dlq_trim(d, ITS_SEQ);
	file_fault_end();
	assert_int_equal(kit_files(dir, "dlq", ""), 2);
	assert_true(dlq_covers(d, ITS_SEQ, 0));
	/* Nor does the mark go before the deletion is on disk. */
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_SYNC_DIR, .nth = 1, .os_errno = EIO});
	dlq_trim(d, ITS_SEQ);
	file_fault_end();
	assert_int_equal(kit_files(dir, "dlq", ".done"), 1);
	dlq_trim(d, ITS_SEQ);
	assert_int_equal(kit_files(dir, "dlq", ""), 0);
	kit_reopen(&d, dir);
	assert_int_equal(kit_count(d, DLQ_WAITING), 0);
	dlq_close(d);
}

TEST(dlq, a_letter_that_cannot_be_read_now_is_tried_later_and_stops_no_other)
{
	struct dlq *d = kit_open(test_tmp_dir());
	struct dlq_letter l, page[4];
	struct buf payload = {0};
	uint64_t next;
	size_t count;
	bool more;
	assert_int_equal(kit_put(d, 1, 0, KIT_T0), ERR_OK);
	assert_int_equal(kit_put(d, 2, 0, KIT_T0), ERR_OK);
	file_fault_begin(&(struct file_fault_plan){.op = FILE_OP_READ, .nth = 2, .os_errno = EIO});
	assert_int_equal(dlq_due(d, KIT_T0 + KIT_S(1), &l, &payload, &next, NULL), ERR_OK);
	assert_int_equal(l.seq, 2);
	assert_true(str_eq(buf_view(&payload), STR("payload of 2/0")));
	file_fault_plan(&(struct file_fault_plan){
	    .op = FILE_OP_OPEN, .nth = 1, .os_errno = EMFILE, .stays = true});
	struct dlq_query q = {0};
	assert_int_equal(dlq_list(d, &q, page, 4, &count, &more, NULL), ERR_OK);
	assert_int_equal(count, 2);
	assert_non_null(strstr(page[0].error, "Too many open files"));
	file_fault_end();
	dlq_put_back(d, l.id);
	assert_false(kit_due(d, KIT_T0, &l));
	kit_expect(d, 1, 0, DLQ_WAITING, 0);
	assert_true(kit_due(d, KIT_T0 + KIT_S(2), &l));
	buf_fini(&payload);
	dlq_close(d);
}

TEST(dlq, a_start_reads_what_it_can_whichever_file_fails)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(kit_put(d, i, 0, KIT_T0), ERR_OK);
	static const enum file_op ops[] = {FILE_OP_OPEN, FILE_OP_READ};
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		for (unsigned n = 1; n <= 3; n++) {
			file_fault_begin(&(struct file_fault_plan){
			    .op = ops[i], .nth = n, .os_errno = EIO});
			kit_reopen(&d, dir);
			assert_true(file_fault_hit());
			file_fault_end();
			assert_int_equal(kit_count(d, DLQ_WAITING), 2);
			assert_int_equal(kit_count(d, DLQ_UNREADABLE), 1);
		}
	}
	kit_reopen(&d, dir);
	assert_int_equal(kit_count(d, DLQ_WAITING), 3);
	dlq_close(d);
}

/* ---- damage */

enum { DAMAGED = 5, SOUND = 6 };

/* Letter 5 in this form, letter 6 as it should be. Whatever it is, nothing but it suffers. */
static enum dlq_state
open_damaged(const char *dir, const void *bytes, size_t n)
{
	char path[FILE_PATH_BYTES];
	struct dlq_letter l;
	kit_path(dir, "dlq", "0000000000000005-00000000.letter", path);
	kit_write(path, bytes, n);
	struct dlq *d = kit_open(dir);
	kit_expect(d, SOUND, 0, DLQ_WAITING, 0);
	bool first = kit_due(d, KIT_T0 + KIT_S(1), &l);
	assert_true(first);
	bool whole = l.seq == DAMAGED;
	if (whole)
		assert_true(kit_due(d, KIT_T0 + KIT_S(1), &l));
	assert_int_equal(l.seq, SOUND);
	assert_int_equal(l.attempts, 0);
	assert_int_equal(kit_count(d, DLQ_UNREADABLE), whole ? 0 : 1);
	assert_int_equal(dlq_covers(d, DAMAGED, 0), whole);
	dlq_close(d);
	/* Left alone: the bytes are as they were. */
	struct buf now = {0};
	assert_int_equal(file_read_all(path, 1 << 20, &now, NULL), ERR_OK);
	assert_true(str_eq(buf_view(&now), str_of(bytes, n)));
	buf_fini(&now);
	return whole ? DLQ_WAITING : DLQ_UNREADABLE;
}

static struct buf
make_two(const char *dir)
{
	char path[FILE_PATH_BYTES];
	struct buf whole = {0};
	struct dlq *d = kit_open(dir);
	assert_int_equal(kit_put(d, DAMAGED, 0, KIT_T0), ERR_OK);
	assert_int_equal(kit_put(d, SOUND, 0, KIT_T0), ERR_OK);
	dlq_close(d);
	kit_path(dir, "dlq", "0000000000000005-00000000.letter", path);
	assert_int_equal(file_read_all(path, 1 << 20, &whole, NULL), ERR_OK);
	return whole;
}

TEST(dlq, a_letter_cut_at_any_byte_is_unreadable_and_harms_no_other)
{
	const char *dir = test_tmp_dir();
	struct buf whole = make_two(dir);
	for (size_t n = 0; n < whole.len; n++)
		assert_int_equal(open_damaged(dir, whole.ptr, n), DLQ_UNREADABLE);
	assert_int_equal(open_damaged(dir, whole.ptr, whole.len), DLQ_WAITING);
	buf_char(&whole, 'x');
	assert_int_equal(open_damaged(dir, whole.ptr, whole.len), DLQ_UNREADABLE);
	buf_fini(&whole);
}

TEST(dlq, a_letter_with_any_bit_flipped_is_unreadable_and_harms_no_other)
{
	const char *dir = test_tmp_dir();
	struct buf whole = make_two(dir);
	for (size_t bit = 0; bit < whole.len * 8; bit++) {
		whole.ptr[bit / 8] = (char)(whole.ptr[bit / 8] ^ (1 << bit % 8));
		assert_int_equal(open_damaged(dir, whole.ptr, whole.len), DLQ_UNREADABLE);
		whole.ptr[bit / 8] = (char)(whole.ptr[bit / 8] ^ (1 << bit % 8));
	}
	buf_fini(&whole);
}

TEST(dlq, files_that_are_no_letters_are_listed_said_and_can_be_dropped)
{
	static const char *const names[] = {"dlq/README", "dlq/0000000000000005-00000001.letter",
	    "dlq/0000000000000005.letter", "dlq/x\x1b[2J.letter", "quarantine/stranger.tmp",
	    "quarantine/0000000000000006-00000000.done", "dlq/0000000000000009.rec"};
	const char *dir = test_tmp_dir();
	struct buf whole = make_two(dir);
	char path[FILE_PATH_BYTES];
	struct dlq_letter page[16];
	size_t count;
	bool more;
	kit_path(dir, "quarantine", "", path);
	assert_int_equal(file_mkdir(path, NULL, NULL), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		kit_path(dir, ".", names[i], path);
		kit_write(path, whole.ptr, whole.len); /* a letter, but not of this name */
	}
	kit_path(dir, "dlq", "0000000000000007-00000000.letter.tmp", path);
	kit_write(path, "half a", 6);
	struct dlq *d = kit_open(dir);
	assert_false(file_exists(path));
	struct dlq_query q = {.states = 1u << DLQ_UNREADABLE};
	assert_int_equal(dlq_list(d, &q, page, 16, &count, &more, NULL), ERR_OK);
	assert_int_equal(count, ARRAY_LEN(names));
	for (size_t i = 0; i < count; i++) {
		assert_null(strchr(page[i].error, '\x1b'));
		assert_int_equal(dlq_retry(d, page[i].id, KIT_T0, NULL), ERR_CORRUPT);
		assert_int_equal(dlq_show(d, page[i].id, &page[15], NULL, NULL), ERR_OK);
		assert_string_equal(page[15].error, page[i].error);
		/* In pages of one they come in the same order. */
		struct dlq_query one = {
		    .states = q.states, .after = str_from(i ? page[i - 1].id : "")};
		assert_int_equal(dlq_list(d, &one, &page[15], 1, &count, &more, NULL), ERR_OK);
		assert_string_equal(page[15].id, page[i].id);
		assert_int_equal(more, i + 1 < ARRAY_LEN(names));
		count = ARRAY_LEN(names);
	}
	for (size_t i = 0; i < count; i++)
		assert_int_equal(dlq_drop(d, page[i].id, NULL), ERR_OK);
	kit_reopen(&d, dir);
	assert_int_equal(kit_count(d, DLQ_UNREADABLE), 0);
	assert_int_equal(kit_count(d, DLQ_WAITING), 2);
	buf_fini(&whole);
	dlq_close(d);
}

TEST(dlq, a_part_whose_letter_is_torn_can_be_put_again_and_the_torn_one_stays)
{
	const char *dir = test_tmp_dir();
	struct buf whole = make_two(dir);
	char path[FILE_PATH_BYTES];
	kit_path(dir, "dlq", "0000000000000005-00000000.letter", path);
	for (unsigned i = 1; i <= 3; i++) {
		kit_write(path, whole.ptr, 100 + i);
		struct dlq *d = kit_open(dir);
		assert_int_equal(kit_count(d, DLQ_UNREADABLE), i);
		assert_int_equal(kit_put(d, DAMAGED, 0, KIT_T0), ERR_OK);
		kit_reopen(&d, dir);
		kit_expect(d, DAMAGED, 0, DLQ_WAITING, 0);
		assert_int_equal(kit_count(d, DLQ_UNREADABLE), i);
		dlq_close(d);
	}
	buf_fini(&whole);
}

TEST(dlq, a_letter_of_another_version_or_an_absurd_size_says_so)
{
	const char *dir = test_tmp_dir();
	struct buf whole = make_two(dir);
	char path[FILE_PATH_BYTES];
	struct dlq_letter l;
	size_t count;
	bool more;
	struct file f;
	put_u32le(whole.ptr + 8, 2);
	assert_int_equal(open_damaged(dir, whole.ptr, whole.len), DLQ_UNREADABLE);
	struct dlq *d = kit_open(dir);
	struct dlq_query q = {.states = 1u << DLQ_UNREADABLE};
	assert_int_equal(dlq_list(d, &q, &l, 1, &count, &more, NULL), ERR_OK);
	assert_non_null(strstr(l.error, "another version"));
	kit_path(dir, "dlq", "0000000000000005-00000000.letter", path);
	assert_int_equal(file_open(path, FILE_WRITE, &f, NULL), ERR_OK);
	assert_int_equal(file_truncate(&f, UINT64_C(1) << 40, NULL), ERR_OK); /* a hole */
	file_close(&f);
	kit_reopen(&d, dir);
	assert_int_equal(dlq_list(d, &q, &l, 1, &count, &more, NULL), ERR_OK);
	assert_non_null(strstr(l.error, "too large"));
	buf_fini(&whole);
	dlq_close(d);
}
