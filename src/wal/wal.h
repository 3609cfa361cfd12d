/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/wal.h - append-only log that makes an ingest request durable before it is acknowledged.
 *
 * Shape on disk. A directory of segments <first_seq:016x>.wal, little-endian, zero-filled ahead:
 *     segment = "WEIRWAL1" u64 first_seq u32 salt u32 crc(all before), then records, then zeros
 *     record  = u32 len  u32 head_crc(the 28 other bytes of this head)
 *               u64 seq  u64 durable  u32 body_crc(payload and pad)  u8 kind  u8 zero[3]
 *               payload[len]  zero pad to 8                              (32 + len + pad bytes)
 * crc is CRC32C; those of a record begin from the segment's random salt, so that nobody can send
 * a payload that holds a record. `durable` is the highest seq that was durable when the record
 * was written. Kind WAL_MARK has no payload and takes no part in reading: it is written when the
 * log closes and when it has been idle, so that even the last acknowledged record is vouched
 * for by a later one.
 *
 * A record is valid iff both crcs match and its seq is the previous one's + 1. Recovery reads on
 * to the first invalid place. If any intact head behind that place vouches for a seq at or
 * beyond the one expected there (its `durable` says so), or a later segment exists, then
 * acknowledged data is damaged: ERR_CORRUPT, naming file and offset, and nothing is changed. If
 * none does it is cut (zeroed, synced) and reported: as a rule a torn tail, never acknowledged.
 * Only the last commit before a crash, and that only until the mark that follows it when the log
 * has been idle, has no witness yet: damage to its bytes looks the same.
 * Recovery never skips a record and never returns a bad one. Records at or below `applied_seq`
 * are already in the store: damage there is reported and does not stop the log from opening, nor
 * does a log that ends before it; seqs up to applied_seq are never given out again.
 *
 * Promise. Every record with seq <= *durable_out of a wal_commit() survives a power cut. A failed
 * write or fdatasync makes the log read-only (ERR_IO from then on); it is never retried: after
 * a failed fsync the kernel may have dropped the dirty pages.
 *
 * Threading. One writer thread appends, commits, marks and closes. wal_durable_seq() and the like:
 * any thread. Readers (struct wal_reader) have one owner each, run beside the writer and never see
 * a record that is not durable. wal_trim(): any one thread. A helper thread of the log writes
 * the zeros of the next segment.
 * Ownership. Owns its descriptors and one buffer; keeps no pointer to a payload.
 * Errors. ERR_IO, ERR_TOO_LARGE, ERR_CORRUPT (open, read), ERR_BUSY (commit: no space).
 */
#ifndef WAL_WAL_H
#define WAL_WAL_H

#include "base/err.h"
#include "base/str.h"

#define WAL_PAYLOAD_BYTES_MAX (257u << 20) /* largest configurable body and its envelope */

enum wal_kind { WAL_MARK = 0, WAL_REQUEST = 1 };

struct wal;
struct wal_reader;

struct wal_options {
	struct str dir; /* borrowed; created when missing (its parent must be there) */
	uint64_t segment_bytes_max; /* a larger record gets a segment of its own size */
	uint64_t applied_seq; /* last record that the store holds already */
	/* A segment that would leave less space than this is not begun (ERR_BUSY), except by
	 * wal_open() itself. */
	uint64_t free_bytes_min;
};

struct wal_report { /* what opening found, for the log */
	uint64_t segment_count;
	uint64_t record_count; /* requests beyond applied_seq */
	uint64_t last_seq;
	uint64_t cut_bytes; /* at the end, that nothing vouches for; 0: none */
	/* The log by itself ends so many records before applied_seq: files of it were removed, or
	 * its end is damaged. 0: it does not. */
	uint64_t missing_records;
	uint64_t damaged_below_applied; /* places reported and passed over */
	char damage[ERR_MESSAGE_BYTES]; /* where the first of them is; empty: none */
};

/* Open or create; verify every segment, cut a torn tail. Blocks on disk. On success the caller
 * owns *wal_out; on failure it is NULL and nothing stays open. report may be NULL. */
MUST_CHECK enum err_code wal_open(const struct wal_options *opt, struct wal **wal_out,
    struct wal_report *report, struct err *err);
/* Writes a mark, unless the log has failed. Does not commit what was appended since the last
 * wal_commit(). NULL allowed. */
void wal_close(struct wal *w);

/* Buffer one record (payload in two parts, copied). Never touches the disk. */
MUST_CHECK enum err_code wal_append(struct wal *w, enum wal_kind kind, struct str head,
    struct str body, uint64_t *seq_out, struct err *err);
/* Bytes buffered since the last commit. */
uint64_t wal_pending_bytes(const struct wal *w);
/* Write and fdatasync everything buffered: one fdatasync per call (group commit), one more for
 * each new segment. On an error the buffer is emptied and *durable_out says, as ever, what is
 * durable, which may be a part of it. ERR_IO: the log has failed. ERR_BUSY: there was no space
 * (or no descriptor) for another segment; the log goes on, and the seqs beyond *durable_out are
 * given out again. */
MUST_CHECK enum err_code wal_commit(struct wal *w, uint64_t *durable_out, struct err *err);
/* Vouch for the last record when nobody has since: append and commit a mark. */
MUST_CHECK enum err_code wal_mark_idle(struct wal *w, struct err *err);

uint64_t wal_durable_seq(const struct wal *w);
/* Of all durable records since the oldest segment there was when the log was opened; monotonic. */
uint64_t wal_durable_bytes(const struct wal *w);
bool wal_failed(const struct wal *w);
uint64_t wal_segment_count(const struct wal *w);

/* Delete every segment whose records are all at or below seq (not the newest one). Returns how
 * many. Failing to delete is reported in *err and leaves the rest. */
MUST_CHECK enum err_code wal_trim(struct wal *w, uint64_t seq, uint64_t *deleted_out,
    struct err *err);

/* What a copy of the log needs so that wal_open() with this applied_seq finds all that is durable now, and nothing
 * behind it: of each of these files the first `bytes`. They are not written any more up to there. Any thread; whoever
 * copies them sees to it that no wal_trim() beyond after_seq comes meanwhile. */
struct wal_part {
	char name[24]; /* in the folder of the log */
	uint64_t bytes;
};
struct wal_parts {
	struct wal_part *parts; /* oldest first */
	size_t count;
	uint64_t durable_seq; /* the last record in them */
};
void wal_parts_init(struct wal_parts *p, struct wal *w, uint64_t after_seq);
void wal_parts_fini(struct wal_parts *p);

struct wal_record {
	uint64_t seq;
	enum wal_kind kind;
	struct str payload; /* in the arena given to wal_reader_next() */
	uint64_t end_bytes; /* comparable with wal_durable_bytes(): bytes up to here */
};

struct arena;

/* The reader begins behind after_seq. The log must outlive it. ERR_CORRUPT when the records from
 * there on are damaged or have been trimmed; ERR_INVALID when after_seq is beyond the log. */
MUST_CHECK enum err_code wal_reader_open(struct wal *w, uint64_t after_seq,
    struct wal_reader **reader_out, struct err *err);
void wal_reader_close(struct wal_reader *r);
/* The next durable record, payload copied into `arena`. ERR_NOT_FOUND when there is none yet;
 * ERR_TOO_LARGE when the arena is spent. After an error the same record comes again next time. */
MUST_CHECK enum err_code wal_reader_next(struct wal_reader *r, struct arena *arena,
    struct wal_record *record_out, struct err *err);
/* Where it stands, marks passed over included; comparable with wal_durable_bytes(). */
uint64_t wal_reader_bytes(const struct wal_reader *r);

/* ---- is it whole? (check.c) */

struct finding_sink;

struct wal_check {
	struct str dir; /* borrowed */
	uint64_t applied_seq; /* the store has all up to there */
	bool unknown; /* nobody knows up to where */
	/* The same log, open in this process: only what is durable is looked at. NULL: nobody writes to it. */
	struct wal *live;
	const struct finding_sink *sink;
};

struct wal_checked {
	uint64_t segments, records, bytes; /* records: requests; bytes: of whole records */
	uint64_t first_seq, last_seq; /* 0: there is none */
	uint64_t damages; /* places */
	bool torn; /* an end that the next start cuts */
	char torn_file[32]; /* the segment that it is in */
};

/* Reads every segment, as wal_open() does, and changes nothing. An error only when the folder cannot be
 * read; whatever else is wrong is a finding. Any thread, beside a writer too. */
MUST_CHECK enum err_code wal_check(const struct wal_check *what, struct wal_checked *out,
    struct err *err);

#endif
