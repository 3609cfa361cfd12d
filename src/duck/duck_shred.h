/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_shred.h - attributes as columns, and back.
 *
 * In the hot tail and in the catch-all tables the attributes of a row are one text of typed JSON
 * (model/typed.h). At a seal the frequent ones get columns of their own in the day's table: "a<n>", n
 * counted per table, each for one key and one type. What is left of the JSON (other keys, a value
 * of another type than its column, arrays, maps, bytes, NaN, the second of two equal keys) stays
 * in "attributes"; NULL when nothing is left, and "attribute_order" says in which order all of
 * them came, NULL when they came sorted by key. Merged, they are the text that came in, byte for byte:
 *
 *     {"b":1,"a":"x","c":[2]}   a0 (key "a", text) = x, a1 ("b", int) = 1,
 *                               attributes = {"c":[2]}, attribute_order = what sorts "b" first
 *
 * Which keys. A window counts, over the last seals of a signal, in how many rows a key occurs and
 * with which type. The most frequent ones become columns of the next seal's table, at most
 * SHRED_COLUMNS of one table, and only those that occur in at least SHRED_PERCENT of the rows, for a column that
 * is mostly NULL costs more than it saves. A key that no longer occurs keeps its column in tables that
 * have it. The window holds SHRED_WINDOW_KEYS keys: clients with random keys push out one another,
 * not what is frequent.
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

enum shred_type { SHRED_TEXT, SHRED_INT, SHRED_DOUBLE, SHRED_BOOL, SHRED_TYPES };
#define SHRED_LETTERS "tidb" /* of the types, by number: in the text of weir_attributes() */

enum {
	SHRED_COLUMNS = 32, /* of one table */
	SHRED_PERCENT = 2,
	SHRED_WINDOW_KEYS = 4096,
	SHRED_KEY_BYTES_MAX = 256, /* longer keys never become columns */
};

struct shred_column {
	unsigned number; /* of "a<number>" */
	enum shred_type type;
	struct str key; /* as it stands in the JSON, escapes and all; owned by the plan */
};

/* The columns of one table. A zeroed one has none. */
struct shred_plan {
	struct shred_column columns[SHRED_COLUMNS]; /* by number */
	unsigned count;
	struct arena arena; /* the keys */
	unsigned char slots[128]; /* hash of key -> 1 + place in columns; open addressing */
};

void shred_plan_fini(struct shred_plan *p);
/* Append a column; its number is the count before. False: it has no room, or that key already, or
 * this is no key for a column (too long, not as typed_put_key() escapes). */
bool shred_plan_add(struct shred_plan *p, struct str key, enum shred_type type);
/* The column of a key, or NULL. */
const struct shred_column *shred_plan_find(const struct shred_plan *p, struct str key);

struct shred_value {
	bool set;
	union {
		struct str text; /* SHRED_TEXT: unescaped */
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

/* False when the arena is spent. Text of which nothing goes to a column becomes the rest as it is,
 * without an order: such as has none of the keys, has more than 4,096 members, or is no attribute
 * map. What goes to a column is the first of equal keys, so a search looks at the column, then at the rest.
 * `left`, when given, is called with each key and value text (as in the JSON) that stays in the rest. */
MUST_CHECK bool shred_split(const struct shred_plan *p, struct str json, struct arena *arena,
    struct shred_row *out, void (*left)(void *ctx, struct str key, struct str value), void *ctx);

/* The reverse: append the text that was taken apart to *out; nothing when all is NULL (a row whose
 * attributes were NULL). `columns` are those of `values`, in any order, SHRED_COLUMNS at most. Parts
 * that do not belong together give a map all the same: an order that is none is not followed, and
 * a rest that is no map is left out where a column has a value. */
void shred_merge(const struct shred_column *columns, const struct shred_value *values, size_t count,
    struct str rest, struct str order, struct buf *out);

/* ---- which keys */

struct shred_window;

struct shred_window *shred_window_new(void);
void shred_window_free(struct shred_window *w);
/* Count one row. For a sample of the rows of a seal: every 8th is plenty. */
void shred_window_count(struct shred_window *w, struct str json);
/* The end of a seal's sample: older ones count half from now on. */
void shred_window_age(struct shred_window *w);
/* Add the columns that should be, most frequent first, to the plan; returns how many. */
unsigned shred_window_choose(const struct shred_window *w, struct shred_plan *p);

#endif
