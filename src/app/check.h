/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/check.h - is a data folder whole: what the modules find of their files, put together as one JSON value.
 *
 *     {"healthy":true, "damages":0, "notes":0, "mendable":0, "quick":false,
 *      "findings":[{"kind":"log-record-damaged","severity":"damage","place":"wal/..","text":"..","mendable":false}],
 *      "store":{"spans":n,"logs":n,"points":n,"tables":n,"seals":n,"position":n},
 *      "days":[{"day":"2026-11-29","tenant":"acme","spans":n,"logs":n,"points":n}], "more_days":0,
 *      "log":{"segments":n,"records":n,"bytes":n,"first":n,"last":n},
 *      "letters":{"waiting":n,"quarantined":n,"done":n}, "keys":n, "seconds":1.5,
 *      "mended":["..."]}                                        after a repair only
 *
 * What the modules cannot know by themselves is compared here: the end of the log with what the store has rows
 * of, and whose files there are in the folder.
 */
#ifndef APP_CHECK_H
#define APP_CHECK_H

#include "base/buf.h"
#include "base/err.h"

struct store;
struct wal;

struct check_options {
	struct str data_dir; /* NUL behind it */
	bool quick;
	bool repair; /* first mend what can be, then check */
	struct store *store; /* NULL: nobody has the folder open */
	struct wal *wal; /* with the store */
};

/* Appends the JSON. An error: it could not be checked. Any thread. */
MUST_CHECK enum err_code check_folder(const struct check_options *opt, struct buf *json,
    struct err *err);

/* ---- for mend.c */

/* What a repair does beyond the store: the files that are in the way of the next start, moved to damaged/, and the end of
 * the log cut. `place` is a finding's. `done` gets a sentence for each. */
MUST_CHECK enum err_code check_move_away(struct str data_dir, const char *place, struct buf *done,
    struct err *err);
/* A copy beside it, <name>.<n>.before-repair, on the disk when it says ERR_OK. Nothing when there is no such file. */
MUST_CHECK enum err_code check_copy(struct str data_dir, const char *place, struct buf *done,
    struct err *err);

#endif
