/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/table.h - rows in columns: what is decoded, stored and answered.
 *
 * struct table is columns of rows in an arena; what columns there are, model/columns.h says.
 * Strings point into the arena or into the body they were decoded from and live as long as that.
 * Threading: one owner.
 */
#ifndef MODEL_TABLE_H
#define MODEL_TABLE_H

#include "base/arena.h"
#include "base/str.h"
#include "model/columns.h"

#include <stdbool.h>
#include <stdint.h>

struct column_def {
	const char *name;
	enum col_kind kind;
	bool nullable;
};

struct table_def {
	const char *name; /* "spans": day tables are <name>_<yyyymmdd> */
	const struct column_def *cols;
	size_t col_count;
	int time_col; /* what it is partitioned and ordered by; -1: not partitioned */
};

extern const struct table_def table_defs[TABLE_COUNT];

struct u64s {
	const uint64_t *ptr;
	size_t len;
};

struct f64s {
	const double *ptr;
	size_t len;
};

struct column {
	union {
		uint64_t *u64;
		int64_t *i64;
		uint32_t *u32;
		int32_t *i32;
		double *f64;
		bool *boolean;
		struct str *str;
		struct u64s *u64s;
		struct f64s *f64s;
		void *any;
	};
	/* 1 = NULL; only for nullable columns of fixed size, else NULL. New rows are NULL. */
	unsigned char *null;
};

struct table {
	const struct table_def *def;
	struct arena *arena; /* borrowed; all column memory comes from it */
	struct column *cols; /* def->col_count */
	size_t row_count;
	size_t row_cap;
};

/* Starts empty, without memory. */
void table_init(struct table *t, enum table_id id, struct arena *arena);
/* A table of at most row_cap rows in table_fixed_bytes() of the caller's memory, aligned to 16: it has
 * no arena, does not grow and its columns never move. The memory is taken as it is, so whoever counts
 * a row in must have written all of it. */
size_t table_fixed_bytes(enum table_id id, size_t row_cap);
/* `cols` is room for col_count of them. */
void table_init_fixed(struct table *t, enum table_id id, size_t row_cap, struct column *cols,
    void *memory);
/* Add a row of zeros (NULLs where nullable); its index, or SIZE_MAX when the arena is spent. */
MUST_CHECK size_t table_add_row(struct table *t);
/* Memory for so many rows, and no more: by itself a table has some for many, and twice as many when those are full. */
MUST_CHECK bool table_reserve(struct table *t, size_t rows);
/* Set a value to a copy of a text (NULL: an empty one), or of a list of 8-byte numbers (NULL: not at all). */
MUST_CHECK bool table_copy_text(struct table *to, size_t row, int col, struct str s);
MUST_CHECK bool table_copy_list(struct table *to, size_t row, int col, const void *items,
    size_t len);
/* Add a copy of a row of another table of the same kind, with all that it points to; false when the arena is spent, and
 * then a part of it may be there. */
MUST_CHECK bool table_copy_row(struct table *to, const struct table *from, size_t row);
/* Row order[i] becomes row i: order is a permutation of all rows. */
void table_reorder(struct table *t, const uint32_t *order);
/* Forget rows from `row_count` on. */
void table_truncate(struct table *t, size_t row_count);
/* Bytes of one value of a kind in its column array. */
size_t table_kind_bytes(enum col_kind kind);

/* Setters and getters check the kind. Setting a nullable value makes it not NULL. */
void table_set_u64(struct table *t, size_t row, int col, uint64_t v);
void table_set_i64(struct table *t, size_t row, int col, int64_t v);
void table_set_u32(struct table *t, size_t row, int col, uint32_t v);
void table_set_i32(struct table *t, size_t row, int col, int32_t v);
void table_set_f64(struct table *t, size_t row, int col, double v);
void table_set_bool(struct table *t, size_t row, int col, bool v);
void table_set_str(struct table *t, size_t row, int col, struct str v); /* borrowed */
void table_set_u64s(struct table *t, size_t row, int col, struct u64s v);
void table_set_f64s(struct table *t, size_t row, int col, struct f64s v);

bool table_is_null(const struct table *t, size_t row, int col);
uint64_t table_u64(const struct table *t, size_t row, int col);
int64_t table_i64(const struct table *t, size_t row, int col);
uint32_t table_u32(const struct table *t, size_t row, int col);
int32_t table_i32(const struct table *t, size_t row, int col);
double table_f64(const struct table *t, size_t row, int col);
bool table_bool(const struct table *t, size_t row, int col);
struct str table_str(const struct table *t, size_t row, int col);
struct u64s table_u64s(const struct table *t, size_t row, int col);
struct f64s table_f64s(const struct table *t, size_t row, int col);

#endif
