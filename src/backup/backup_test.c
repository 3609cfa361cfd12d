/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups of a made-up data folder: a log, letters, keys, and a store that is one file with a hole in it.
 */
#include "backup/backup_priv.h"

#include "base/timefmt.h"
#include "store/hold.h"
#include "sys/file_fault.h"
#include "sys/file.h"
#include "wal/wal.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DATABASE_BYTES = 900 * 1024 + 5, SCHEMA = 7, RECORDS = 9 };

#define NOW_NS (UINT64_C(1795923991) * NS_PER_S) /* 2026-11-29T03:46:31Z */

struct world {
	struct store store; /* first */
	const char *dir; /* of everything */
	char data[FILE_PATH_BYTES], backups[FILE_PATH_BYTES];
	struct file database;
	struct wal *wal;
	int holds, asked, cancel_at; /* go_on() calls; 0: never */
	struct backup_source src;
};

static enum err_code
go_on(struct store *s, struct err *err)
{
	struct world *w = (struct world *)s;
	if (++w->asked == w->cancel_at)
		return err_set(err, ERR_CANCELLED, "the server is stopping");
	return ERR_OK;
}

static enum err_code
hold(struct store *s, store_files_fn fn, void *ctx, struct err *err)
{
	struct world *w = (struct world *)s;
	w->holds++;
	enum err_code code = fn(ctx,
	    &(struct store_files){.store = s,
	        .name = "weir.duckdb",
	        .file = &w->database,
	        .position = 3,
	        .schema_version = SCHEMA,
	        .go_on = go_on},
	    err);
	w->holds--;
	return code;
}

static const struct store_ops world_ops = {.name = "made up", .hold = hold};

static const char *
in(const char *dir, const char *name)
{
	static char paths[8][FILE_PATH_BYTES];
	static int next;
	char *path = paths[next++ % 8];
	assert_int_equal(file_join(str_from(dir), str_from(name), path, NULL), ERR_OK);
	return path;
}

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
make_database(struct world *w)
{
	char bytes[4096];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 13 + i / 255);
	assert_int_equal(file_open(in(w->data, "weir.duckdb"), FILE_CREATE, &w->database, NULL),
	    ERR_OK);
	assert_int_equal(file_truncate(&w->database, DATABASE_BYTES, NULL), ERR_OK);
	for (uint64_t at = 0; at < 200000; at += sizeof(bytes))
		assert_int_equal(file_pwrite(&w->database, at, bytes, sizeof(bytes), NULL), ERR_OK);
	assert_int_equal(file_pwrite(&w->database, DATABASE_BYTES - 5, bytes, 5, NULL), ERR_OK);
}

static void
make_log(struct world *w)
{
	uint64_t seq, durable;
	struct wal_options opt = {.dir = str_from(in(w->data, "wal")), .segment_bytes_max = 4096};
	assert_int_equal(wal_open(&opt, &w->wal, NULL, NULL), ERR_OK);
	for (int i = 0; i < RECORDS; i++)
		assert_int_equal(wal_append(w->wal, WAL_REQUEST, STR("head"), STR("and body"), &seq,
		                     NULL),
		    ERR_OK);
	assert_int_equal(wal_commit(w->wal, &durable, NULL), ERR_OK);
	assert_int_equal(durable, RECORDS);
}

static void
start(struct world *w)
{
	*w = (struct world){.store.ops = &world_ops, .dir = test_tmp_dir()};
	snprintf(w->data, sizeof(w->data), "%s", in(w->dir, "data"));
	snprintf(w->backups, sizeof(w->backups), "%s", in(w->dir, "backups"));
	assert_int_equal(file_mkdir(w->data, NULL, NULL), ERR_OK);
	make_database(w);
	make_log(w);
	assert_int_equal(file_mkdir(in(w->data, "dlq"), NULL, NULL), ERR_OK);
	assert_int_equal(file_mkdir(in(w->data, "quarantine"), NULL, NULL), ERR_OK);
	put(in(w->data, "keys"), "{\"weir_keys\":1,\"count\":0}\n");
	put(in(w->data, "LOCK"), "123\n");
	put(in(w->data, "dlq/a.letter"), "the first");
	put(in(w->data, "dlq/b.letter"), "the second");
	put(in(w->data, "dlq/b.letter.tmp"), "half wri");
	put(in(w->data, "quarantine/c.letter"), "");
	w->src = (struct backup_source){.store = &w->store,
	    .wal = w->wal,
	    .data_dir = str_from(w->data),
	    .backup_dir = str_from(w->backups),
	    .version = "9.8.7"};
}

static void
finish(struct world *w)
{
	assert_int_equal(w->holds, 0);
	wal_close(w->wal);
	file_close(&w->database);
}

static enum err_code
create(struct world *w, const char *name, struct backup_info *out, struct err *err)
{
	return backup_create(&w->src, str_from(name), NOW_NS, out, err);
}

static void
count_entry(void *ctx, const char *name)
{
	*(int *)ctx += name[0] != '.'; /* the lock */
}

static int
entries(const char *dir)
{
	int n = 0;
	if (!file_exists(dir))
		return 0;
	assert_int_equal(file_list(dir, count_entry, &n, NULL), ERR_OK);
	return n;
}

static void
same_file(const char *a_dir, const char *b_dir, const char *name)
{
	struct buf a = {0}, b = {0};
	assert_int_equal(file_read_all(in(a_dir, name), 1 << 20, &a, NULL), ERR_OK);
	assert_int_equal(file_read_all(in(b_dir, name), 1 << 20, &b, NULL), ERR_OK);
	assert_true(str_eq(buf_view(&a), buf_view(&b)));
	buf_fini(&a);
	buf_fini(&b);
}

static void
expect_whole(struct world *w, const char *restored)
{
	static const char *const files[] = {
	    "weir.duckdb", "keys", "dlq/a.letter", "dlq/b.letter", "quarantine/c.letter"};
	struct wal_report report;
	struct wal *log;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		same_file(w->data, restored, files[i]);
	assert_int_equal(entries(in(restored, "dlq")), 2);
	assert_int_equal(entries(in(restored, "quarantine")), 1);
	assert_int_equal(entries(restored), 6); /* LOCK, too */
	struct wal_options opt = {
	    .dir = str_from(in(restored, "wal")), .segment_bytes_max = 4096, .applied_seq = 3};
	assert_int_equal(wal_open(&opt, &log, &report, NULL), ERR_OK);
	/* With the mark that closing it once has left. */
	assert_in_range(report.last_seq, RECORDS, RECORDS + 1);
	assert_int_equal(report.cut_bytes, 0);
	assert_int_equal(report.missing_records, 0);
	wal_close(log);
}

/* ---- what is promised */

TEST(backup, restored_folder_has_the_same_files)
{
	struct world w;
	struct backup_info info, again;
	struct err err;
	struct stat st;
	start(&w);
	assert_int_equal(create(&w, "", &info, &err), ERR_OK);
	assert_string_equal(info.name, "20261129T034631Z");
	assert_string_equal(info.path, in(w.backups, "20261129T034631Z"));
	assert_int_equal(info.position, RECORDS);
	assert_int_equal(info.files, 6);
	assert_int_equal(entries(w.backups), 1);
	assert_false(file_exists(in(info.path, "LOCK")));
	assert_int_equal(stat(info.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(in(info.path, "keys"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(backup_verify(str_from(info.path), SCHEMA, &again, &err), ERR_OK);
	assert_int_equal(again.bytes, info.bytes);
	assert_int_equal(again.created_ns, NOW_NS);
	assert_string_equal(again.version, "9.8.7");
	const char *restored = strdup(in(w.dir, "restored"));
	assert_int_equal(backup_restore(str_from(info.path), str_from(restored), SCHEMA, &again,
	                     &err),
	    ERR_OK);
	expect_whole(&w, restored);
	/* Into a folder that is there and empty; not into one that is not. */
	const char *empty = test_tmp_dir();
	assert_int_equal(backup_restore(str_from(info.path), str_from(empty), SCHEMA, &again, &err),
	    ERR_OK);
	expect_whole(&w, empty);
	assert_int_equal(backup_restore(str_from(info.path), str_from(empty), SCHEMA, &again, &err),
	    ERR_EXISTS);
	assert_non_null(strstr(err.message, "is not empty"));
	expect_whole(&w, empty);
	free((void *)(uintptr_t)restored);
	finish(&w);
}

TEST(backup, only_a_plain_name_is_one)
{
	static const struct {
		const char *name;
		bool good;
	} cases[] = {{"a", true}, {"20261129T034631Z", true}, {"before-1.2_x", true}, {"", false},
	    {".", false}, {"..", false}, {".hidden", false}, {"-y", false}, {"_a", false},
	    {"a/b", false}, {"../a", false}, {"a b", false}, {"a\n", false}, {"ä", false},
	    {"a.partial", false}, {".partial", false}};
	char longest[BACKUP_NAME_BYTES + 1];
	struct world w;
	struct backup_info info;
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(backup_name_valid(str_from(cases[i].name)), cases[i].good);
	memset(longest, 'x', sizeof(longest));
	assert_true(backup_name_valid(str_of(longest, BACKUP_NAME_BYTES - 1)));
	assert_false(backup_name_valid(str_of(longest, BACKUP_NAME_BYTES)));
	start(&w);
	assert_int_equal(create(&w, "../data", &info, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "no name of a backup"));
	assert_int_equal(backup_delete(w.src.backup_dir, STR("../data"), &err), ERR_INVALID);
	assert_int_equal(backup_delete(w.src.backup_dir, STR("nothing"), &err), ERR_NOT_FOUND);
	finish(&w);
}

TEST(backup, those_there_are_can_be_listed_and_deleted)
{
	struct world w;
	struct backup_info info, *list;
	struct err err;
	size_t count;
	start(&w);
	assert_int_equal(backup_list(w.src.backup_dir, &list, &count, &err), ERR_OK);
	assert_int_equal(count, 0);
	free(list);
	assert_int_equal(create(&w, "two", &info, &err), ERR_OK);
	assert_int_equal(create(&w, "one", &info, &err), ERR_OK);
	uint64_t bytes = info.bytes;
	assert_int_equal(create(&w, "two", &info, &err), ERR_EXISTS);
	assert_int_equal(file_mkdir(in(w.backups, "none"), NULL, NULL), ERR_OK);
	put(in(w.backups, "file"), "no backup either");
	put(in(in(w.backups, "two"), "backup.json"), "damaged");
	assert_int_equal(backup_list(w.src.backup_dir, &list, &count, &err), ERR_OK);
	assert_int_equal(count, 2);
	assert_string_equal(list[0].name, "one");
	assert_int_equal(list[0].bytes, bytes);
	assert_string_equal(list[1].name, "two");
	assert_string_equal(list[1].version, "");
	free(list);
	assert_int_equal(backup_delete(w.src.backup_dir, STR("none"), &err), ERR_NOT_FOUND);
	assert_int_equal(backup_delete(w.src.backup_dir, STR("two"), &err), ERR_OK);
	assert_int_equal(backup_delete(w.src.backup_dir, STR("one"), &err), ERR_OK);
	assert_int_equal(entries(w.backups), 2);
	finish(&w);
}

/* ---- damage */

static void
expect_refused(struct world *w, const char *path, enum err_code wanted, const char *named)
{
	struct backup_info info;
	struct err err;
	const char *to = in(w->dir, "restored");
	enum err_code code = backup_restore(str_from(path), str_from(to), SCHEMA, &info, &err);
	if (code != wanted || !strstr(err.message, named))
		fail_msg("wanted %s and %s, got %s: %s", err_name(wanted), named, err_name(code),
		    err.message);
	assert_false(file_exists(in(w->dir, "restored")));
}

static void
flip(const char *path, uint64_t at)
{
	struct file f;
	char byte;
	size_t got;
	assert_int_equal(file_open(path, FILE_WRITE, &f, NULL), ERR_OK);
	assert_int_equal(file_pread(&f, at, &byte, 1, &got, NULL), ERR_OK);
	byte = (char)(byte ^ 4);
	assert_int_equal(file_pwrite(&f, at, &byte, 1, NULL), ERR_OK);
	file_close(&f);
}

TEST(backup, damaged_file_is_named_and_nothing_is_restored)
{
	static const char *const files[] = {
	    "weir.duckdb", "wal/0000000000000001.wal", "keys", "dlq/a.letter"};
	struct world w;
	struct backup_info info;
	struct err err;
	struct file f;
	start(&w);
	assert_int_equal(create(&w, "b", &info, &err), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *path = in(info.path, files[i]);
		flip(path, 6);
		expect_refused(&w, info.path, ERR_CORRUPT, files[i]);
		flip(path, 6);
	}
	flip(in(info.path, "weir.duckdb"), 500000); /* in the hole */
	expect_refused(&w, info.path, ERR_CORRUPT, "weir.duckdb is damaged");
	flip(in(info.path, "weir.duckdb"), 500000);
	assert_int_equal(file_open(in(info.path, "dlq/b.letter"), FILE_WRITE, &f, NULL), ERR_OK);
	assert_int_equal(file_truncate(&f, 9, NULL), ERR_OK);
	file_close(&f);
	expect_refused(&w, info.path, ERR_CORRUPT, "dlq/b.letter is damaged");
	assert_int_equal(file_unlink(in(info.path, "dlq/b.letter"), NULL), ERR_OK);
	expect_refused(&w, info.path, ERR_CORRUPT, "dlq/b.letter is missing");
	expect_refused(&w, w.data, ERR_NOT_FOUND, "is no backup");
	finish(&w);
}

TEST(backup, any_damage_to_the_manifest_is_noticed)
{
	struct world w;
	struct backup_info info;
	struct err err;
	uint64_t size;
	struct file f;
	start(&w);
	assert_int_equal(create(&w, "b", &info, &err), ERR_OK);
	char path[FILE_PATH_BYTES];
	snprintf(path, sizeof(path), "%s", in(info.path, "backup.json"));
	assert_int_equal(file_open(path, FILE_WRITE, &f, NULL), ERR_OK);
	assert_int_equal(file_size(&f, &size, NULL), ERR_OK);
	assert_in_range(size, 500, 5000);
	for (uint64_t at = 0; at + 1 < size; at++) { /* but for the line's end */
		struct backup_info again = {0};
		flip(path, at);
		enum err_code code = backup_manifest_read(info.path, &again, NULL, &err);
		if (code != ERR_CORRUPT && code != ERR_UNAVAILABLE)
			fail_msg("byte %llu: %s", (unsigned long long)at, err_name(code));
		flip(path, at);
	}
	for (uint64_t end = size - 2; end > 0; end = end * 3 / 4) {
		assert_int_equal(file_truncate(&f, end, NULL), ERR_OK);
		expect_refused(&w, info.path, ERR_CORRUPT, "backup.json is damaged");
	}
	file_close(&f);
	finish(&w);
}

/* A manifest that is whole and says something else. */
static void
forge(const char *path, const char *from, const char *to)
{
	struct buf text = {0}, made = {0};
	assert_int_equal(file_read_all(in(path, "backup.json"), 1 << 20, &text, NULL), ERR_OK);
	buf_char(&text, '\0');
	char *at = strstr(text.ptr, from);
	assert_non_null(at);
	buf_append(&made, text.ptr, (size_t)(at - text.ptr));
	buf_str(&made, str_from(to));
	buf_str(&made, str_from(at + strlen(from)));
	char *seal = NULL;
	buf_char(&made, '\0');
	for (char *p = made.ptr; (p = strstr(p, ",\"xxh3_128\":\"")) != NULL; p++)
		seal = p;
	assert_non_null(seal);
	*seal = '\0';
	struct hash128 h = hash_u128(str_from(made.ptr));
	FILE *f = fopen(in(path, "backup.json"), "w");
	assert_non_null(f);
	fprintf(f, "%s,\"xxh3_128\":\"%016llx%016llx\"}\n", made.ptr, (unsigned long long)h.hi,
	    (unsigned long long)h.lo);
	assert_int_equal(fclose(f), 0);
	buf_fini(&text);
	buf_fini(&made);
}

TEST(backup, manifest_that_leads_out_of_the_folder_is_refused)
{
	static const char *const bad[] = {"../keys", "/etc/passwd", "dlq/../keys", "dlq/../../keys",
	    "wal/", "wal/.x", "LOCK", "restoring", "backup.json", "dlq/a/b", "dlq\\\\a", "..duckdb",
	    ".duckdb", "tmp/a", "a\\u0000"};
	struct world w;
	struct backup_info info, again;
	struct err err;
	start(&w);
	assert_int_equal(create(&w, "b", &info, &err), ERR_OK);
	forge(info.path, "\"keys\"", "\"weir.duckdb\"");
	expect_refused(&w, info.path, ERR_CORRUPT,
	    "weir.duckdb is damaged"); /* so a forged one is read */
	forge(info.path, "\"weir.duckdb\"", "\"keys\"");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char to[64];
		snprintf(to, sizeof(to), "\"%s\"", bad[i]);
		forge(info.path, "\"keys\"", to);
		expect_refused(&w, info.path, ERR_CORRUPT, "backup.json is damaged");
		forge(info.path, to, "\"keys\"");
	}
	assert_int_equal(backup_verify(str_from(info.path), SCHEMA, &again, &err), ERR_OK);
	finish(&w);
}

TEST(backup, what_a_newer_weir_made_is_refused)
{
	struct world w;
	struct backup_info info, again;
	struct err err;
	start(&w);
	assert_int_equal(create(&w, "b", &info, &err), ERR_OK);
	assert_int_equal(backup_verify(str_from(info.path), SCHEMA - 1, &again, &err),
	    ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "9.8.7"));
	put(in(info.path, "backup.json"), "{\"weir_backup\":2,\"all else\":\"may be different\"}");
	expect_refused(&w, info.path, ERR_UNAVAILABLE, "newer weir");
	finish(&w);
}

/* ---- what fails leaves nothing */

TEST(backup, without_enough_space_nothing_is_written)
{
	struct world w;
	struct backup_info info;
	struct err err;
	uint64_t free_bytes;
	start(&w);
	assert_int_equal(file_free_bytes(w.dir, &free_bytes, NULL), ERR_OK);
	w.src.free_bytes_min = free_bytes * 2;
	assert_int_equal(create(&w, "b", &info, &err), ERR_BUSY);
	assert_non_null(strstr(err.message, "the backup needs"));
	assert_int_equal(entries(w.backups), 0);
	w.src.free_bytes_min = 0;
	assert_int_equal(create(&w, "b", &info, &err), ERR_OK);
	finish(&w);
}

TEST(backup, one_that_is_cancelled_at_any_moment_leaves_nothing)
{
	struct world w;
	struct backup_info info;
	struct err err;
	start(&w);
	enum err_code code = ERR_CANCELLED;
	for (w.cancel_at = 1; code != ERR_OK; w.cancel_at++) {
		w.asked = 0;
		code = create(&w, "b", &info, &err);
		assert_true(code == ERR_OK || code == ERR_CANCELLED);
		assert_int_equal(entries(w.backups), code == ERR_OK);
	}
	assert_true(w.cancel_at > 6); /* a file each, at least */
	finish(&w);
}

TEST(backup, left_overs_go_with_the_next_and_nothing_else_does)
{
	struct world w;
	struct backup_info info;
	struct err err;
	start(&w);
	assert_int_equal(create(&w, "old", &info, &err), ERR_OK);
	assert_int_equal(file_rename(info.path, in(w.backups, "old.partial"), NULL), ERR_OK);
	put(in(w.backups, "notes"), "mine");
	put(in(w.backups, "x.partial"), "a file of mine");
	assert_int_equal(create(&w, "new", &info, &err), ERR_OK);
	assert_int_equal(entries(w.backups), 3);
	assert_false(file_exists(in(w.backups, "old.partial")));
	finish(&w);
}

static const enum file_op all_ops[] = {FILE_OP_OPEN, FILE_OP_READ, FILE_OP_WRITE, FILE_OP_SYNC,
    FILE_OP_TRUNCATE, FILE_OP_RENAME, FILE_OP_MKDIR, FILE_OP_SYNC_DIR};

/* `stays`: nor can anything be cleaned up that way. */
static void
fail_everywhere(struct world *w, bool stays)
{
	struct backup_info info, again;
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(all_ops); i++) {
		bool hit = true;
		for (uint64_t nth = 1; hit; nth++) {
			file_fault_begin(&(struct file_fault_plan){.op = all_ops[i],
			    .nth = nth,
			    .os_errno = i % 2 ? EIO : ENOSPC,
			    .stays = stays});
			enum err_code code = create(w, "b", &info, &err);
			hit = file_fault_hit();
			file_fault_end();
			assert_int_equal(hit, code != ERR_OK);
			assert_int_equal(file_exists(in(w->backups, "b")), !hit);
			assert_int_equal(w->holds, 0);
		}
		assert_int_equal(backup_verify(str_from(info.path), SCHEMA, &again, &err), ERR_OK);
		assert_int_equal(entries(w->backups), 1);
		assert_int_equal(backup_delete(w->src.backup_dir, STR("b"), &err), ERR_OK);
	}
}

TEST(backup, any_file_operation_that_fails_leaves_no_backup)
{
	struct world w;
	start(&w);
	fail_everywhere(&w, false);
	finish(&w);
}

TEST(backup, a_disk_that_goes_on_failing_leaves_no_backup)
{
	struct world w;
	start(&w);
	fail_everywhere(&w, true);
	finish(&w);
}

TEST(backup, restore_that_fails_anywhere_leaves_nothing_that_weir_starts_on)
{
	struct world w;
	struct backup_info info, again;
	struct err err;
	start(&w);
	assert_int_equal(create(&w, "b", &info, &err), ERR_OK);
	char to[FILE_PATH_BYTES];
	snprintf(to, sizeof(to), "%s", in(w.dir, "restored"));
	for (size_t i = 0; i < 2 * ARRAY_LEN(all_ops); i++) {
		bool hit = true, stays = i >= ARRAY_LEN(all_ops);
		for (uint64_t nth = 1; hit; nth++) {
			file_fault_begin(&(struct file_fault_plan){
			    .op = all_ops[i % ARRAY_LEN(all_ops)],
			    .nth = nth,
			    .os_errno = EIO,
			    .stays = stays});
			enum err_code code =
			    backup_restore(str_from(info.path), str_from(to), SCHEMA, &again, &err);
			hit = file_fault_hit();
			file_fault_end();
			assert_int_equal(hit, code != ERR_OK);
			assert_int_equal(file_exists(to), !hit);
		}
		expect_whole(&w, to);
		assert_int_equal(backup_remove(to, &err), ERR_OK);
	}
	/* And when nothing can be deleted, the mark neither. */
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_UNLINK, .nth = 1, .os_errno = EIO, .stays = true});
	assert_int_equal(backup_restore(str_from(info.path), str_from(to), SCHEMA, &again, &err),
	    ERR_IO);
	file_fault_end();
	assert_true(file_exists(in(to, BACKUP_RESTORING)));
	finish(&w);
}

/* ---- letters that change while they are copied */

struct meddling {
	struct world *w;
	int opens;
};

/* Between the list and the copy one letter is done, one is new, one is put into quarantine and one is replaced. */
static int
meddle(void *ctx, enum file_op op, const char *path, size_t *len)
{
	struct meddling *m = ctx;
	(void)len;
	if (op != FILE_OP_OPEN || !strstr(path, "data/dlq/a.letter") || m->opens++ > 0)
		return 0;
	(void)!remove(in(m->w->data, "dlq/a.letter"));
	put(in(m->w->data, "dlq/a.done"), "");
	(void)!rename(in(m->w->data, "dlq/b.letter"), in(m->w->data, "quarantine/b.letter"));
	put(in(m->w->data, "other"), "the third, tried again");
	(void)!rename(in(m->w->data, "other"), in(m->w->data, "quarantine/c.letter"));
	return 0;
}

TEST(backup, letters_that_change_meanwhile_are_of_one_moment)
{
	struct world w;
	struct backup_info info, again;
	struct err err;
	start(&w);
	struct meddling m = {.w = &w};
	const struct file_hook hook = {meddle, &m};
	file_hook_set(&hook);
	assert_int_equal(create(&w, "b", &info, &err), ERR_OK);
	file_hook_set(NULL);
	assert_true(m.opens >= 1);
	same_file(w.data, info.path, "dlq/a.done");
	same_file(w.data, info.path, "quarantine/b.letter");
	same_file(w.data, info.path, "quarantine/c.letter");
	assert_int_equal(entries(in(info.path, "dlq")), 1);
	assert_int_equal(entries(in(info.path, "quarantine")), 2);
	assert_int_equal(backup_verify(str_from(info.path), SCHEMA, &again, &err), ERR_OK);
	assert_int_equal(again.files, 6);
	finish(&w);
}
