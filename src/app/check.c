/* SPDX-License-Identifier: Apache-2.0 */
#include "app/check.h"

#include "backup/backup.h"
#include "base/arena.h"
#include "base/finding.h"
#include "base/limits.h"
#include "base/timefmt.h"
#include "dlq/dlq.h"
#include "duck/duck_check.h"
#include "keys/keys.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "wal/wal.h"
#include "wire/json_write.h"

#include <stdio.h>
#include <stdlib.h>

enum { FINDINGS_MAX = 1000, DAYS_MAX = 10000 };

struct day_rows {
	uint64_t day, rows[SIGNAL_TABLES];
	char tenant[LIMIT_TENANT_BYTES + 1];
};

struct report {
	const struct check_options *opt;
	struct finding_sink sink;
	struct buf findings; /* of struct finding, FINDINGS_MAX at most */
	uint64_t found, damages, mendable;
	struct buf days; /* of struct day_rows, one for each time it was said */
	uint64_t more_days;
	struct duck_checked store;
	struct wal_checked log;
	struct dlq_checked letters;
	uint64_t keys, seconds_e3;
	struct buf mended; /* sentences, each with its NUL */
};

static void
report_init(struct report *r, const struct check_options *opt)
{
	*r = (struct report){.opt = opt};
}

static void
report_fini(struct report *r)
{
	buf_fini(&r->findings);
	buf_fini(&r->days);
	buf_fini(&r->mended);
}

static void
note_finding(void *ctx, const struct finding *f)
{
	struct report *r = ctx;
	r->damages += finding_severity(f->kind) == FINDING_DAMAGE;
	r->mendable += finding_mends(f->kind);
	if (r->found++ < FINDINGS_MAX)
		buf_append(&r->findings, f, sizeof(*f));
}

static void
note_rows(void *ctx, enum table_id id, uint64_t day, struct str tenant, uint64_t rows)
{
	struct report *r = ctx;
	struct day_rows one = {.day = day};
	if (r->days.len / sizeof(one) >= (size_t)DAYS_MAX * SIGNAL_TABLES) {
		r->more_days++;
		return;
	}
	one.rows[id] = rows;
	snprintf(one.tenant, sizeof(one.tenant), "%.*s", STR_ARG(tenant));
	buf_append(&r->days, &one, sizeof(one));
}

/* ---- checking */

static enum err_code
check_store(struct report *r, struct err *err)
{
	const struct check_options *opt = r->opt;
	struct duck_check_options duck = {
	    .quick = opt->quick, .sink = &r->sink, .count = note_rows, .count_ctx = r};
	return opt->store ? duck_check_store(opt->store, &duck, &r->store, err)
	                  : duck_check_file(opt->data_dir, &duck, &r->store, err);
}

static enum err_code
check_log(struct report *r, struct err *err)
{
	char path[FILE_PATH_BYTES];
	enum err_code code = file_join(r->opt->data_dir, STR("wal"), path, err);
	if (code != ERR_OK)
		return code;
	return wal_check(&(struct wal_check){.dir = str_from(path),
	                     .applied_seq = r->store.readable ? r->store.floor : 0,
	                     .unknown = r->store.is_there && !r->store.readable,
	                     .live = r->opt->wal,
	                     .sink = &r->sink},
	    &r->log, err);
}

/* What the log and the store say about each other. */
static void
compare(struct report *r)
{
	const struct duck_checked *s = &r->store;
	unsigned long long last = s->last_seq, end = r->log.last_seq;
	if (!s->is_there && r->log.first_seq > 1)
		finding_say(&r->sink, FINDING_STORE_MISSING, DUCK_FILE,
		    "the file of the store has gone, and the log has nothing before record %llu: restore a "
		    "backup",
		    (unsigned long long)r->log.first_seq);
	else if (!s->is_there && r->log.records > 0)
		finding_say(&r->sink, FINDING_STORE_MISSING, DUCK_FILE,
		    "the file of the store has gone; the log has everything from its first record on, so that "
		    "the next start makes it anew");
	/* A store that was ahead of the log altogether has been said to be. */
	if (s->readable && r->log.damages == 0 && r->log.segments > 0 && last > end &&
	    end >= s->floor)
		finding_say(&r->sink, FINDING_POSITION_AHEAD, DUCK_FILE,
		    "the store has rows of record %llu, but the log ends at %llu: its end was lost, and new "
		    "records would be taken for ones that are there already; restore a backup",
		    last, end);
}

static void
check_name(void *ctx, const char *name)
{
	static const char *const ours[] = {"LOCK", "keys", "keys.lock", "keys.tmp", "wal", "dlq",
	    "quarantine", "damaged", "backups", "tmp", "weir.conf", "lost+found"};
	struct report *r = ctx;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(name, ours[i]) == 0)
			return;
	if (strncmp(name, DUCK_FILE, strlen(DUCK_FILE)) != 0 && !strstr(name, ".before-repair"))
		finding_say(&r->sink, FINDING_FOLDER_FOREIGN, name,
		    "weir has not made this, and leaves it alone");
}

static enum err_code
check_all(struct report *r, struct err *err)
{
	const struct check_options *opt = r->opt;
	uint64_t start_ns = clock_mono_ns();
	bool live = opt->store != NULL;
	r->sink = (struct finding_sink){note_finding, r};
	enum err_code code = check_store(r, err);
	if (code == ERR_OK)
		code = check_log(r, err);
	if (code == ERR_OK)
		compare(r);
	if (code == ERR_OK)
		code = dlq_check(opt->data_dir, live, &r->sink, &r->letters, err);
	if (code == ERR_OK)
		code = keys_check(opt->data_dir, live, &r->sink, &r->keys, err);
	if (code == ERR_OK)
		code = file_list(opt->data_dir.ptr, check_name, r, err);
	r->seconds_e3 = (clock_mono_ns() - start_ns) / NS_PER_MS;
	return code;
}

/* ---- as JSON */

static void
put_number(struct json_writer *w, const char *key, uint64_t v)
{
	jsonw_key(w, key);
	jsonw_u64(w, v);
}

static void
put_text(struct json_writer *w, const char *key, const char *text)
{
	jsonw_key(w, key);
	jsonw_str(w, str_from(text));
}

static void
put_findings(struct json_writer *w, const struct report *r)
{
	jsonw_key(w, "findings");
	jsonw_array(w);
	for (size_t i = 0; i < r->findings.len; i += sizeof(struct finding)) {
		struct finding f;
		memcpy(&f, r->findings.ptr + i, sizeof(f));
		jsonw_object(w);
		put_text(w, "kind", finding_word(f.kind));
		put_text(w, "severity",
		    finding_severity(f.kind) == FINDING_DAMAGE ? "damage" : "note");
		put_text(w, "place", f.place);
		put_text(w, "text", f.text);
		put_text(w, "meaning", finding_help(f.kind));
		jsonw_key(w, "mendable");
		jsonw_bool(w, finding_mends(f.kind));
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static int
by_day(const void *a, const void *b)
{
	const struct day_rows *x = a, *y = b;
	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return strcmp(x->tenant, y->tenant);
}

/* In order, those of one day and tenant as one. Returns how many are left. */
static size_t
merge_days(struct day_rows *days, size_t count)
{
	size_t kept = 0;
	if (count > 0)
		qsort(days, count, sizeof(*days), by_day);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || by_day(&days[kept - 1], &days[i]) != 0) {
			days[kept++] = days[i];
			continue;
		}
		for (int id = 0; id < SIGNAL_TABLES; id++)
			days[kept - 1].rows[id] += days[i].rows[id];
	}
	return kept;
}

static void
put_rows(struct json_writer *w, const uint64_t rows[SIGNAL_TABLES])
{
	for (int id = 0; id < SIGNAL_TABLES; id++)
		put_number(w, table_defs[id].name, rows[id]);
}

static void
put_days(struct json_writer *w, const struct report *r)
{
	size_t count = r->days.len / sizeof(struct day_rows);
	struct day_rows *days = xcalloc(count + 1, sizeof(*days));
	if (count > 0)
		memcpy(days, r->days.ptr, r->days.len);
	count = merge_days(days, count);
	jsonw_key(w, "days");
	jsonw_array(w);
	for (size_t i = 0; i < count; i++) {
		char day[TIME_RFC3339_BYTES + 1] = "";
		time_rfc3339(days[i].day * NS_PER_DAY, day);
		day[10] = '\0'; /* of 2026-11-29T.. */
		jsonw_object(w);
		put_text(w, "day", day);
		put_text(w, "tenant", days[i].tenant);
		put_rows(w, days[i].rows);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	put_number(w, "more_days", r->more_days);
	free(days);
}

static void
put_counts(struct json_writer *w, const struct report *r)
{
	jsonw_key(w, "store");
	jsonw_object(w);
	put_rows(w, r->store.rows);
	put_number(w, "tables", r->store.tables);
	put_number(w, "seals", r->store.seals);
	put_number(w, "position", r->store.floor);
	jsonw_object_end(w);
	put_days(w, r);
	jsonw_key(w, "log");
	jsonw_object(w);
	put_number(w, "segments", r->log.segments);
	put_number(w, "records", r->log.records);
	put_number(w, "bytes", r->log.bytes);
	put_number(w, "first", r->log.first_seq);
	put_number(w, "last", r->log.last_seq);
	jsonw_object_end(w);
	jsonw_key(w, "letters");
	jsonw_object(w);
	put_number(w, "waiting", r->letters.waiting);
	put_number(w, "quarantined", r->letters.quarantined);
	put_number(w, "done", r->letters.done);
	jsonw_object_end(w);
	put_number(w, "keys", r->keys);
	jsonw_key(w, "seconds");
	jsonw_f64(w, (double)r->seconds_e3 / 1000);
}

static void
put_mended(struct json_writer *w, const struct buf *mended)
{
	jsonw_key(w, "mended");
	jsonw_array(w);
	for (size_t at = 0; at < mended->len; at += strlen(mended->ptr + at) + 1)
		jsonw_str(w, str_from(mended->ptr + at));
	jsonw_array_end(w);
}

static void
put_report(const struct report *r, struct buf *json)
{
	struct json_writer w;
	json_writer_init(&w, json);
	jsonw_object(&w);
	jsonw_key(&w, "healthy");
	jsonw_bool(&w, r->damages == 0);
	put_number(&w, "damages", r->damages);
	put_number(&w, "notes", r->found - r->damages);
	put_number(&w, "mendable", r->mendable);
	jsonw_key(&w, "quick");
	jsonw_bool(&w, r->opt->quick);
	put_findings(&w, r);
	put_counts(&w, r);
	if (r->opt->repair)
		put_mended(&w, &r->mended);
	jsonw_object_end(&w);
	buf_char(json, '\n');
}

/* ---- repairing */

static void
note_done(void *ctx, const char *text)
{
	struct buf *done = ctx;
	buf_append(done, text, strlen(text) + 1);
}

/* What of the store can be mended: a copy first, of all that may change. */
static enum err_code
mend_store(struct report *r, const struct finding_sink *quiet, struct err *err)
{
	static const char *const files[] = {DUCK_FILE, DUCK_FILE ".wal"};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(files) && code == ERR_OK; i++)
		code = check_copy(r->opt->data_dir, files[i], &r->mended, err);
	if (code != ERR_OK)
		return err_wrap(err, "nothing was mended, for there is no copy");
	struct duck_check_options duck = {.sink = quiet};
	return duck_mend_file(r->opt->data_dir, &duck, note_done, &r->mended, err);
}

/* Of a store that could not be read it is not known: what the log begins behind. */
static uint64_t
applied_of(const struct report *r)
{
	if (r->store.readable)
		return r->store.floor;
	return r->log.first_seq > 0 ? r->log.first_seq - 1 : 0;
}

static enum err_code
cut_log(struct report *r, struct err *err)
{
	char place[64], path[FILE_PATH_BYTES], text[160];
	struct wal *w = NULL;
	struct wal_report found = {0};
	snprintf(place, sizeof(place), "wal/%s", r->log.torn_file);
	enum err_code code = check_copy(r->opt->data_dir, place, &r->mended, err);
	if (code == ERR_OK)
		code = file_join(r->opt->data_dir, STR("wal"), path, err);
	if (code == ERR_OK)
		code = wal_open(&(struct wal_options){.dir = str_from(path),
		                    .segment_bytes_max = limits_default().segment_bytes_max,
		                    .applied_seq = applied_of(r)},
		    &w, &found, err);
	wal_close(w);
	if (code != ERR_OK)
		return code;
	snprintf(text, sizeof(text), "%s: %llu bytes at the end of the log were cut", place,
	    (unsigned long long)found.cut_bytes);
	note_done(&r->mended, text);
	return ERR_OK;
}

static bool
is_of_store(enum finding_kind kind)
{
	return kind >= FINDING_STORE_LOG && kind <= FINDING_TENANT_WRONG;
}

static void
ignore_finding(void *ctx, const struct finding *f)
{
	(void)ctx;
	(void)f;
}

/* The store first: without room for its copy nothing is done at all. */
static enum err_code
mend(struct report *r, struct err *err)
{
	static const struct finding_sink quiet = {ignore_finding, NULL};
	struct finding f;
	bool store = false, log = false;
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < r->findings.len; i += sizeof(f)) {
		memcpy(&f, r->findings.ptr + i, sizeof(f));
		store = store || (finding_mends(f.kind) && is_of_store(f.kind));
		log = log || f.kind == FINDING_LOG_TAIL;
	}
	if (store)
		code = mend_store(r, &quiet, err);
	if (code == ERR_OK && log)
		code = cut_log(r, err);
	for (size_t i = 0; i < r->findings.len && code == ERR_OK; i += sizeof(f)) {
		memcpy(&f, r->findings.ptr + i, sizeof(f));
		if (finding_mends(f.kind) && !is_of_store(f.kind) && f.kind != FINDING_LOG_TAIL)
			code = check_move_away(r->opt->data_dir, f.place, &r->mended, err);
	}
	return code;
}

/* Check, mend what was found, and check what has come of it. */
static enum err_code
repair(struct report *r, struct err *err)
{
	struct buf mended;
	const struct check_options *opt = r->opt;
	enum err_code code = check_all(r, err);
	if (code == ERR_OK && r->mendable == 0)
		return ERR_OK;
	if (code == ERR_OK)
		code = mend(r, err);
	mended = r->mended;
	r->mended = (struct buf){0};
	report_fini(r);
	report_init(r, opt);
	r->mended = mended;
	return code == ERR_OK ? check_all(r, err) : code;
}

/* ---- the folder */

static enum err_code
is_data_folder(struct str dir, struct err *err)
{
	static const char *const signs[] = {DUCK_FILE, "wal", "LOCK", "keys"};
	char path[FILE_PATH_BYTES];
	if (!file_exists(dir.ptr))
		return err_set(err, ERR_IO, "there is no data folder %s", dir.ptr);
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (file_join(dir, str_from(signs[i]), path, err) == ERR_OK && file_exists(path))
			return ERR_OK;
	return err_set(err, ERR_IO,
	    "%s is no data folder of weir: it has neither weir.duckdb nor wal/ nor keys", dir.ptr);
}

static enum err_code
is_restored(struct str dir, struct err *err)
{
	char path[FILE_PATH_BYTES];
	if (file_join(dir, STR(BACKUP_RESTORING), path, err) != ERR_OK || !file_exists(path))
		return ERR_OK;
	return err_set(err, ERR_IO,
	    "a restore into %s has not come to its end: delete the folder and restore once more",
	    dir.ptr);
}

/* What has never been started has no lock, and gets none to be looked at. */
static enum err_code
lock_folder(struct str dir, bool always, struct file *lock, struct err *err)
{
	char path[FILE_PATH_BYTES];
	enum err_code code = file_join(dir, STR("LOCK"), path, err);
	if (code != ERR_OK || (!always && !file_exists(path)))
		return code;
	code = file_lock(path, lock, err);
	if (code == ERR_BUSY)
		return err_set(err, ERR_IO,
		    "a weir runs on %.60s: ask it itself, by weir check without --data-dir",
		    dir.ptr);
	return code;
}

enum err_code
check_folder(const struct check_options *opt, struct buf *json, struct err *err)
{
	struct report r;
	struct file lock = {0};
	enum err_code code = ERR_OK;
	CHECK(!opt->repair || !opt->store);
	if (!opt->store)
		code = is_data_folder(opt->data_dir, err);
	if (code == ERR_OK && !opt->store)
		code = lock_folder(opt->data_dir, opt->repair, &lock, err);
	if (code == ERR_OK && !opt->store)
		code = is_restored(opt->data_dir, err);
	if (code != ERR_OK) {
		file_close(&lock);
		return code;
	}
	report_init(&r, opt);
	code = opt->repair ? repair(&r, err) : check_all(&r, err);
	if (code == ERR_OK)
		put_report(&r, json);
	report_fini(&r);
	file_close(&lock);
	return code;
}
