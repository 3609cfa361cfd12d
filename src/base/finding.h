/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/finding.h - what a check of the data folder finds, and how it is said.
 *
 * Each module checks its own files and gives what it finds to a sink, one finding at a time, on the
 * thread that checks. A finding is of one of the kinds below, at a place (a file, a table), with a
 * sentence for people.
 *
 * Columns: name, the word that programs know it by, DAMAGE or NOTE, whether `weir check --repair`
 * mends it, what it means. A note is nothing to worry about: the next start, or the running
 * server, deals with it by itself.
 */
#ifndef BASE_FINDING_H
#define BASE_FINDING_H

#include "base/check.h"
#include "base/str.h"

#include <stdbool.h>

#define FINDING_TABLE(X)                                                                           \
	X(LOG_MISSING, "log-missing", DAMAGE, false, "the log has gone")                           \
	X(LOG_UNREADABLE, "log-unreadable", DAMAGE, false, "a file of the log cannot be read")     \
	X(LOG_HEAD, "log-head-damaged", DAMAGE, false, "a segment of the log has no valid head")   \
	X(LOG_RECORD, "log-record-damaged", DAMAGE, false, "a record of the log is damaged")       \
	X(LOG_SEGMENT_MISSING, "log-segment-missing", DAMAGE, false, "a segment has gone")         \
	X(LOG_SEGMENT_TWICE, "log-segment-twice", DAMAGE, false, "two segments have a record")     \
	X(LOG_RECORDS_LOST, "log-records-lost", DAMAGE, false,                                     \
	    "between store and log there are records that neither has")                            \
	X(LOG_ENDS_EARLY, "log-ends-early", DAMAGE, false, "the store is ahead of the log")        \
	X(LOG_TAIL, "log-tail-torn", NOTE, true, "an unfinished write at the end of the log")      \
	X(LOG_LEFTOVER, "log-leftover", NOTE, false, "a segment that was prepared, not used")      \
	X(LOG_FOREIGN, "log-foreign-file", NOTE, false, "a file in wal/ that is no segment")       \
	X(LETTER_TORN, "letter-torn", DAMAGE, true, "a dead letter is cut off or too long")        \
	X(LETTER_DAMAGED, "letter-damaged", DAMAGE, true, "a dead letter's checksum is wrong")     \
	X(LETTER_MISNAMED, "letter-misnamed", DAMAGE, true, "a letter is not what its name says")  \
	X(LETTER_FOREIGN, "letter-foreign-file", DAMAGE, true, "a file that is no dead letter")    \
	X(LETTER_LEFTOVER, "letter-leftover", NOTE, true, "an interrupted write of a letter")      \
	X(LETTER_TWICE, "letter-twice", NOTE, false, "a letter is in both folders")                \
	X(KEYS_MISSING, "keys-missing", DAMAGE, false, "the file of keys has gone")                \
	X(KEYS_TORN, "keys-torn", DAMAGE, false, "the file of keys is cut off")                    \
	X(KEYS_HEAD, "keys-head-damaged", DAMAGE, false, "the first line of keys is none")         \
	X(KEYS_LINE, "keys-line-damaged", DAMAGE, false, "a line of the file is no key")           \
	X(KEYS_TWICE, "keys-twice", DAMAGE, false, "a key is there twice")                         \
	X(KEYS_COUNT, "keys-count-wrong", DAMAGE, false, "keys are missing, or too many")          \
	X(KEYS_UNREADABLE, "keys-unreadable", DAMAGE, false, "the file of keys cannot be read")    \
	X(KEYS_LEFTOVER, "keys-leftover", NOTE, true, "an interrupted write of keys")              \
	X(STORE_MISSING, "store-missing", DAMAGE, false, "weir.duckdb has gone")                   \
	X(STORE_UNREADABLE, "store-unreadable", DAMAGE, false, "DuckDB cannot read the file")      \
	X(STORE_LOG, "store-log-damaged", DAMAGE, true, "weir.duckdb.wal is damaged")              \
	X(STORE_BLOCK, "store-block-damaged", DAMAGE, false, "a block of weir.duckdb is damaged")  \
	X(STORE_NEWER, "store-newer", DAMAGE, false, "the file is of a newer weir")                \
	X(STORE_OLDER, "store-older", NOTE, false, "the file is of an older weir")                 \
	X(STORE_INTERRUPTED, "store-interrupted", NOTE, false, "weir died in a checkpoint")        \
	X(TABLE_MISSING, "table-missing", DAMAGE, false, "a table of the catalog has gone")        \
	X(COLUMN_WRONG, "column-wrong", DAMAGE, false, "a column has gone or has another type")    \
	X(PARTITION_TWICE, "partition-twice", DAMAGE, true, "a table is in the list twice")        \
	X(PARTITION_EMPTY, "partition-without-table", DAMAGE, true, "a listed table has gone")     \
	X(TABLE_ORPHAN, "table-without-partition", DAMAGE, true, "a table is not in the list")     \
	X(TABLE_FOREIGN, "table-foreign", NOTE, false, "a table that is none of weir's")           \
	X(SHRED_EMPTY, "shred-without-column", DAMAGE, true, "an attribute column has gone")       \
	X(SHRED_ORPHAN, "column-without-shred", DAMAGE, false, "a column without a key")           \
	X(SHRED_MALFORMED, "shred-malformed", DAMAGE, false, "keys of columns make no sense")      \
	X(SEAL_TWICE, "seal-twice", DAMAGE, false, "a seal is there twice")                        \
	X(SEAL_HOMELESS, "seal-without-table", DAMAGE, true, "a seal of a table that has gone")    \
	X(SEAL_EMPTY, "seal-without-rows", DAMAGE, true, "all rows of a seal have gone")           \
	X(SEAL_COUNT, "seal-count-wrong", DAMAGE, true, "a seal has more or fewer rows")           \
	X(SEAL_TIMES, "seal-times-wrong", DAMAGE, true, "rows beyond the times of their seal")     \
	X(SEAL_SERVICES, "seal-services-wrong", DAMAGE, true, "counts of services are wrong")      \
	X(SEAL_SUMS, "seal-sums-wrong", DAMAGE, true, "sums of a seal are not those of its rows")  \
	X(SEAL_LEFTOVERS, "seal-leftovers", NOTE, true, "services of seals that have gone")        \
	X(FLOOR_WRONG, "floor-wrong", DAMAGE, false, "the store's position went back")             \
	X(POSITION_HOMELESS, "position-without-seal", DAMAGE, false, "a position of no seal")      \
	X(POSITION_AHEAD, "position-beyond-log", DAMAGE, false,                                    \
	    "the store has rows of records that the log does not have yet")                        \
	X(PULL_WRONG, "pull-wrong", DAMAGE, false, "a pulled position without its rows")           \
	X(ROWS_ORPHAN, "rows-without-seal", DAMAGE, true, "rows of a seal that is not there")      \
	X(ROWS_DAY, "rows-of-another-day", DAMAGE, false, "rows in the table of another day")      \
	X(ROWS_AHEAD, "rows-beyond-positions", DAMAGE, false, "rows that the log will give again") \
	X(ROW_TWICE, "row-twice", DAMAGE, true, "two rows have one place in the log")              \
	X(SPAN_TWICE, "span-twice", DAMAGE, true, "a span is there twice")                         \
	X(COMMENT_TWICE, "comment-twice", DAMAGE, true, "a comment is there twice")                \
	X(RESOURCE_MISSING, "resource-missing", DAMAGE, true, "rows of a resource that has gone")  \
	X(SCOPE_MISSING, "scope-missing", DAMAGE, true, "rows of a scope that has gone")           \
	X(DICTIONARY_TWICE, "dictionary-twice", DAMAGE, true, "a resource or scope is twice")      \
	X(JSON_MALFORMED, "json-malformed", DAMAGE, false, "attributes that cannot be read")       \
	X(VALUE_WRONG, "value-impossible", DAMAGE, false, "a value that weir never writes")        \
	X(TENANT_WRONG, "tenant-malformed", DAMAGE, false, "rows of a tenant that cannot be")      \
	X(FOLDER_FOREIGN, "folder-foreign-file", NOTE, false, "a file that is none of weir's")

enum finding_kind {
#define X(name, word, severity, mends, help) FINDING_##name,
	FINDING_TABLE(X)
#undef X
	    FINDING_KINDS
};

enum finding_severity { FINDING_NOTE, FINDING_DAMAGE };

enum { FINDING_PLACE_BYTES = 320, FINDING_TEXT_BYTES = 512 };

struct finding {
	enum finding_kind kind;
	char place[FINDING_PLACE_BYTES]; /* "wal/0000000000000001.wal", "spans_20261129" */
	char text[FINDING_TEXT_BYTES]; /* a sentence, without a full stop */
};

/* Whoever wants to hear of them. */
struct finding_sink {
	void (*report)(void *ctx, const struct finding *f);
	void *ctx;
};

void finding_say(const struct finding_sink *to, enum finding_kind kind, const char *place,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

const char *finding_word(enum finding_kind kind); /* "log-record-damaged" */
const char *finding_help(enum finding_kind kind);
enum finding_severity finding_severity(enum finding_kind kind);
bool finding_mends(enum finding_kind kind);

#endif
