/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_shred.h - attributes as columns, and back.
 *
 * In the hot tail and in the catch-all tables the attributes of a row are one text of typed JSON
 * (model/typed.h). At a seal the frequent ones go to columns "a<n>" of the day's table, n counted per
 * table. There are two kinds.
 *
 * A typed column is for one key and one type. A key has one when it is in SHRED_TYPED_PERCENT of the rows,
 * for a column costs nearly the same however few of its values are there.
 *
 * A shared column is for many keys of which hardly ever two come in one row. Its value is
 * the code of the key, one character (SHRED_CODE_FIRST + its place among the column's keys), then the value
 * as it stands in the JSON, whatever its type:
 *
 *     {"b":1,"a":"x","c":[2]}   a0 (typed, key "a", text) = x, a1 (shared, keys "z" and "b") = "1,
 *                               attributes = {"c":[2]}, attribute_order = what sorts "b" first
 *
 * Rows of a column repeat few values, so it is compressed with a dictionary and searched fast.
 *
 * What is left of the JSON (other keys; a value of another type than its typed column, NaN; a value that
 * is longer than SHRED_SHARED_BYTES_MAX, or whose shared column another key has taken in this row; the
 * second of two equal keys) stays in "attributes"; NULL when nothing is left. "attribute_order" says
 * in which order all of them came, NULL when they came sorted by key. Merged, they are the text that came in,
 * byte for byte.
 *
 * Which keys. A window counts, over the last seals of a signal, in how many rows a key occurs and
 * with which type; of the seal under way it also keeps which keys come together and about how many
 * different values each has. Keys in SHRED_SHARED_PERCENT of the rows that have no typed column are shared out
 * to as few columns as they fit in. Not keys nearly all of whose values are different: a
 * dictionary is the dearest way to store those, the compressed rest the cheapest, and its filter finds them.
 * What has a column keeps it in this table. The window holds SHRED_WINDOW_KEYS keys: clients with random
 * keys push out one another, not what is frequent.
 *
 * The rest is searched with a filter per seal (base/bloom.h).
 */
#ifndef DUCK_DUCK_SHRED_H
#define DUCK_DUCK_SHRED_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum shred_type { SHRED_TEXT, SHRED_INT, SHRED_DOUBLE, SHRED_BOOL, SHRED_SHARED, SHRED_TYPES };
#define SHRED_LETTERS "tidbs" /* of the types, by number: in the text of weir_attributes() */

enum {
	SHRED_COLUMNS = 32, /* of one table */
	SHRED_TYPED_COLUMNS = 24, /* of them at most; and so many are shared: */
	SHRED_SHARED_COLUMNS = 16,
	SHRED_TYPED_PERCENT = 50,
	SHRED_SHARED_PERCENT = 2,
	SHRED_SHARED_BYTES_MAX = 256,
	SHRED_CODES = 90, /* keys of one shared column */
	SHRED_CODE_FIRST = 0x21,
	SHRED_SHARED_KEYS = 256, /* of one table */
	SHRED_KEYS = SHRED_COLUMNS + SHRED_SHARED_KEYS,
	SHRED_WINDOW_KEYS = 4096,
	SHRED_KEY_BYTES_MAX = 256, /* longer keys never go to columns */
};

/* Keys are as they stand in the JSON, escapes and all; the plan owns them. */
struct shred_column {
	unsigned number; /* of "a<number>" */
	enum shred_type type;
	struct str key; /* of a typed column */
	struct str
	    *keys; /* of a shared one, by code; they stay where they are while more are added */
	unsigned key_count;
};

struct shred_key {
	struct str key;
	unsigned char column, code; /* code: 0 in a typed column */
};

/* The columns of one table. A zeroed one has none. */
struct shred_plan {
	struct shred_column columns[SHRED_COLUMNS]; /* by number */
	unsigned count;
	struct shred_key keys[SHRED_KEYS]; /* in the order they were added */
	unsigned key_count;
	unsigned shared_count; /* columns that are shared */
	struct arena arena; /* the keys */
	uint16_t slots[1024]; /* hash of key -> 1 + place in keys; open addressing */
};

void shred_plan_fini(struct shred_plan *p);
/* Append a typed column; its number is the count before. False: it has no room, or that key already, or
 * this is no key for a column (too long, not as typed_put_key() escapes). */
bool shred_plan_add(struct shred_plan *p, struct str key, enum shred_type type);
/* Append a key to the shared column of this number, which is made when it is the count of columns; its
 * code is the count of the column's keys before. False as above, or that column is not shared. */
bool shred_plan_add_shared(struct shred_plan *p, unsigned number, struct str key);
/* The same columns and keys in a plan that has none yet; false: no memory. */
bool shred_plan_copy(struct shred_plan *p, const struct shred_plan *from);
/* Where a key goes, or NULL. */
const struct shred_key *shred_plan_find(const struct shred_plan *p, struct str key);
/* The columns, as bits by number, that a text has keys for. */
uint32_t shred_plan_columns_of(const struct shred_plan *p, struct str json);

struct shred_value {
	bool set;
	union {
		struct str text; /* SHRED_TEXT: unescaped; SHRED_SHARED: with its code */
		int64_t i64;
		double f64;
		bool boolean;
	};
};

/* A row's attributes taken apart. Strings point into the JSON or the arena given. */
struct shred_row {
	struct shred_value
	    values[SHRED_COLUMNS]; /* by column number; the first plan->count are written */
	struct str rest; /* NULL ptr: nothing is left */
	struct str order; /* NULL ptr: they came sorted by key */
};

/* Into the columns whose bits are in `live`; the others do not exist for this row. False when the arena
 * is spent. Text of which nothing goes to a column becomes the rest as it is,
 * without an order: such as has none of the keys, has more than 4,096 members, or is no attribute
 * map. What goes to a column is the first of equal keys, so a search looks at the column, then at the rest.
 * `left`, when given, is called with each key and value text (as in the JSON) that stays in the rest. */
MUST_CHECK bool shred_split(const struct shred_plan *p, uint32_t live, struct str json,
    struct arena *arena, struct shred_row *out,
    void (*left)(void *ctx, struct str key, struct str value), void *ctx);
#define SHRED_ALL_LIVE UINT32_MAX

/* The reverse: append the text that was taken apart to *out; nothing when all is NULL (a row whose
 * attributes were NULL). `columns` are those of `values`, in any order, SHRED_COLUMNS at most. Parts
 * that do not belong together give a map all the same: an order that is none is not followed, a
 * rest that is no map is left out where a column has a value, and so is a value of a shared column that
 * has no code of its keys, or no value behind it. */
void shred_merge(const struct shred_column *columns, const struct shred_value *values, size_t count,
    struct str rest, struct str order, struct buf *out);

/* ---- which keys */

struct shred_window;

struct shred_window *shred_window_new(void);
void shred_window_free(struct shred_window *w);
/* Count one row. For a sample of the rows of a seal: one in SHRED_SAMPLE_EVERY. */
enum { SHRED_SAMPLE_EVERY = 8 };
void shred_window_count(struct shred_window *w, struct str json);
/* The end of a seal's sample: older ones count half from now on, and what comes together and how many
 * values there are is forgotten. */
void shred_window_age(struct shred_window *w);
/* Add the columns and keys that should be to the plan; returns how many keys. The same rows, in the same
 * order, and the same plan give the same columns. */
unsigned shred_window_choose(const struct shred_window *w, struct shred_plan *p);

#endif
