/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_user_wire.h - what the two processes of duck_user.h say to each other, and what is made of strangers' text
 * without DuckDB.
 *
 * Messages are frames: u32 length of what follows, u8 type, then its fields, little-endian; a text is a u32 length and
 * its bytes.
 *
 *     to the worker
 *     'H' hello     u64 memory  u64 temp  u64 file  u32 threads  text temp_dir      once
 *     'Q' query     u64 number  u64 now_ns  u64 row_max  u64 bytes_max  u8 format  text sql
 *     'R' rows      u32 scan  u32 rows  then each column asked for, see below
 *     'E' end       u32 scan                    there are no more rows
 *     'F' failed    u32 scan  u8 code  text     there will be none
 *     'A' again     what was read is not true (a commit fell into it): begin the query anew
 *     from the worker
 *     'S' scan      u32 scan  u8 table  bounds  u32 columns  u8 column...    scans are numbered upwards, never again
 *     'K' taken     u32 scan  u32 bytes         so much of its rows has left the worker's queue
 *     'B' bytes     of the answer
 *     'Z' forget    the bytes before: it has begun anew
 *     'D' done      u64 rows  u8 truncated
 *     'X' failed    u8 code  text
 *
 * Bounds: u64 from  u64 to  u8 has_trace  u64 hi  u64 lo  text service  text name  u8 has_status  u32 status
 * u8 has_kind  u32 kind. They only say which rows cannot matter: rows outside of them may come all the same.
 *
 * A column of rows: u8 coding, whose bit 7 says that a bit a row follows, 1 = NULL; then
 *     CODE_PLAIN     the values, as they are in memory
 *     CODE_SAME      one value, of all rows
 *     CODE_TEXTS     a u32 length a row, then the bytes
 *     CODE_TEXT_DICT u8 count - 1, a u32 length each, the bytes, then a u8 a row
 *     CODE_LISTS     a u32 count a row, then items of 8 bytes
 * Of rows that are NULL the values are there too, whatever they are.
 */
#ifndef DUCK_DUCK_USER_WIRE_H
#define DUCK_DUCK_USER_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "model/columns.h"
#include "model/table.h"

enum {
	USER_FRAME_BYTES_MAX = 256 << 20,
	USER_HEAD_BYTES = 5,
	USER_WINDOW_BYTES = 4 << 20, /* of a scan's rows that the worker has not taken yet */
	USER_SCANS_MAX = 256, /* of one query */
	USER_ROWS_MAX = 2048, /* of a frame */
	USER_PIN_BYTES_MAX = 256,
	USER_OWN_BYTES = 64 << 20, /* beside DuckDB's: rows that wait, text of an answer */
};

enum user_code { CODE_PLAIN, CODE_SAME, CODE_TEXTS, CODE_TEXT_DICT, CODE_LISTS, CODE_NULLS = 0x80 };

struct user_bounds {
	uint64_t from_ns, to_ns; /* [from, to); to UINT64_MAX: no end */
	bool has_trace;
	uint64_t trace_hi, trace_lo;
	struct str service, name; /* empty: any */
	bool has_status, has_kind;
	int32_t status, kind; /* kind: of points their type */
	uint8_t need; /* enum user_need; what it leaves out no statement can ask for */
};

/* Spans that a view is about; what is read may have others among them. */
enum user_need {
	NEED_ALL,
	NEED_JUNJO, /* Junjo's, by an attribute */
	NEED_STATE, /* "set_state" is one of their texts, as the name of an event, perhaps */
	NEED_LLM, /* a model was called, perhaps */
	USER_NEEDS
};

/* The first column of each function, which no view has: the one that DuckDB takes when it needs rows and no column. */
#define USER_NO_COLUMN "weir_none"

#define USER_NO_BOUNDS ((struct user_bounds){.to_ns = UINT64_MAX})

/* What the worker may have when its DuckDB may have so much: DuckDB's own count is not exact, and what it moves to the disk
 * in time shall not be its end. */
static inline uint64_t
user_memory_max(uint64_t memory_bytes)
{
	return memory_bytes + memory_bytes / 4 + USER_OWN_BYTES;
}

/* ---- frames: duck_user_wire.c */

/* Begin a frame; finish() writes its length. The place is that of the frame in the buffer. */
size_t user_begin(struct buf *b, char type);
void user_finish(struct buf *b, size_t place);
void user_put_u8(struct buf *b, uint8_t v);
void user_put_u32(struct buf *b, uint32_t v);
void user_put_u64(struct buf *b, uint64_t v);
void user_put_text(struct buf *b, struct str s);
void user_put_bounds(struct buf *b, const struct user_bounds *bounds);

/* A sticky reader: what is read beyond the end is 0, and `failed` is set. */
struct user_reader {
	struct str rest;
	bool failed;
};
uint8_t user_get_u8(struct user_reader *r);
uint32_t user_get_u32(struct user_reader *r);
uint64_t user_get_u64(struct user_reader *r);
struct str user_get_text(struct user_reader *r); /* points into the frame */
const void *user_get_bytes(struct user_reader *r, size_t count, size_t size);
void user_get_bounds(struct user_reader *r, struct user_bounds *out);
/* The first whole frame of what came; false: it is not whole yet, or `*bad`. */
bool user_next(struct str came, char *type, struct str *body, bool *bad);
enum { USER_READ_BYTES = 256 << 10 }; /* what is read at a time */
/* Let go of the first *off bytes of what came: at once when they are all of it, else when they are many. */
void user_forget(struct buf *came, size_t *off);

/* Columns of a table's rows as an 'R' frame. */
void user_put_rows(struct buf *b, uint32_t scan, const struct table *t, size_t first, size_t count,
    const uint8_t *cols, size_t col_count);

/* A column that came. */
struct user_values {
	enum user_code code;
	const unsigned char *nulls; /* NULL: none are */
	const unsigned char
	    *values; /* PLAIN, SAME; TEXTS, TEXT_DICT: the bytes; LISTS: the items */
	const unsigned char *lengths; /* u32 each */
	const unsigned char *codes; /* TEXT_DICT: u8 a row */
	unsigned dict_count;
};
/* Takes one column of that kind apart and checks that all of it is there. */
void user_get_values(struct user_reader *r, enum col_kind kind, uint32_t rows,
    struct user_values *out);
static inline bool
user_is_null(const struct user_values *v, uint32_t row)
{
	return v->nulls && (v->nulls[row / 8] >> (row % 8) & 1) != 0;
}

/* ---- text */

/* Names of functions that a statement may call: duck_user_names.c. */
bool user_may_call(struct str name, bool as_table);
/* The i-th of them; NULL: there are no more. */
const char *user_callable(size_t i, bool as_table);

/* For its tests, and the fuzzer: the same of what json_serialize_sql() says. */
MUST_CHECK bool user_check_tree(struct str json, struct err *err);

/* Typed JSON (model/typed.h) as SQL sees it: numbers as they are, keys without the '$' rule, NaN a string. `list`: t and
 * dropped of its items get the names they have in the API. */
void worker_natural_json(struct buf *out, struct str typed, bool list);

#endif
