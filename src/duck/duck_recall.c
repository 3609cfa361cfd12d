/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_recall.h"

#include "base/arena.h"
#include "model/batch.h"

#include <stdlib.h>

enum { ID_COL = 0, TENANT_COL = 1 };
_Static_assert((int)RESOURCE_ID == ID_COL && (int)SCOPE_ID == ID_COL, "both begin with the id");
_Static_assert((int)RESOURCE_TENANT == TENANT_COL && (int)SCOPE_TENANT == TENANT_COL,
    "then the tenant");

enum { COLS_MAX = 8 };
_Static_assert((int)RESOURCE_COL_COUNT <= COLS_MAX && (int)SCOPE_COL_COUNT <= COLS_MAX,
    "all columns fit");

struct duck_recalled {
	struct table table; /* of one row */
	struct column cols[COLS_MAX];
	_Alignas(16) char memory[]; /* the row, then its texts */
};

void
duck_recall_init(struct duck_recall *r)
{
	*r = (struct duck_recall){0};
	mutex_init(&r->lock);
}

/* NULL: it is too large to be kept. */
static struct duck_recalled *
make(enum table_id dict, const struct table *from, size_t row)
{
	size_t fixed = table_fixed_bytes(dict, 1), texts = 0;
	for (size_t c = 0; c < from->def->col_count; c++)
		if (from->def->cols[c].kind == COL_STR)
			texts += from->cols[c].str[row].len;
	if (fixed + texts > RECALL_ROW_BYTES)
		return NULL;
	struct duck_recalled *made = xcalloc(1, sizeof(*made) + fixed + texts + 1);
	char *text = made->memory + fixed;
	table_init_fixed(&made->table, dict, 1, made->cols, made->memory);
	made->table.row_count = 1;
	for (size_t c = 0; c < from->def->col_count; c++) {
		size_t bytes = table_kind_bytes(from->def->cols[c].kind);
		memcpy(made->cols[c].any, (const char *)from->cols[c].any + row * bytes, bytes);
		struct str *value = made->cols[c].str;
		if (from->def->cols[c].kind != COL_STR || !value->ptr)
			continue;
		if (value->len > 0)
			memcpy(text, value->ptr, value->len);
		value->ptr = text;
		text += value->len;
	}
	return made;
}

void
duck_recall_forget(struct duck_recall *r)
{
	mutex_lock(&r->lock);
	for (size_t d = 0; d < ARRAY_LEN(r->rows); d++)
		for (size_t i = 0; i < RECALL_ROWS; i++) {
			free(r->rows[d][i]);
			r->rows[d][i] = NULL;
		}
	mutex_unlock(&r->lock);
}

void
duck_recall_fini(struct duck_recall *r)
{
	duck_recall_forget(r);
	mutex_fini(&r->lock);
}

bool
duck_copy_dict_row(const struct table *from, size_t row, struct table *to)
{
	size_t at = table_add_row(to);
	bool fits = at != SIZE_MAX;
	for (size_t c = 0; c < to->def->col_count && fits; c++) {
		const struct column *col = &from->cols[c];
		struct str text = STR_EMPTY;
		switch (to->def->cols[c].kind) {
		case COL_U64: table_set_u64(to, at, (int)c, col->u64[row]); break;
		case COL_U32: table_set_u32(to, at, (int)c, col->u32[row]); break;
		case COL_STR:
			if (!col->str[row].ptr)
				break;
			text = arena_str(to->arena, col->str[row]);
			fits = text.ptr != NULL;
			if (fits)
				table_set_str(to, at, (int)c, text);
			break;
		case COL_I64:
		case COL_I32:
		case COL_F64:
		case COL_BOOL:
		case COL_U64S:
		case COL_F64S: CHECK(false); /* dictionaries have none */
		}
	}
	return fits;
}

static struct duck_recalled **
place_of(struct duck_recall *r, enum table_id dict, struct str tenant, uint64_t id)
{
	CHECK(dict == TABLE_RESOURCES || dict == TABLE_SCOPES);
	return &r->rows[dict == TABLE_SCOPES][batch_dict_key(tenant, id) % RECALL_ROWS];
}

bool
duck_recall_get(struct duck_recall *r, enum table_id dict, struct str tenant, uint64_t id,
    struct table *out)
{
	bool there = false;
	mutex_lock(&r->lock);
	const struct duck_recalled *row = *place_of(r, dict, tenant, id);
	if (row && table_u64(&row->table, 0, ID_COL) == id &&
	    str_eq(table_str(&row->table, 0, TENANT_COL), tenant))
		there = duck_copy_dict_row(&row->table, 0, out);
	mutex_unlock(&r->lock);
	return there;
}

void
duck_recall_put(struct duck_recall *r, enum table_id dict, const struct table *from, size_t row)
{
	struct duck_recalled *made = make(dict, from, row);
	if (!made)
		return;
	mutex_lock(&r->lock);
	struct duck_recalled **place =
	    place_of(r, dict, table_str(from, row, TENANT_COL), table_u64(from, row, ID_COL));
	struct duck_recalled *old = *place;
	*place = made;
	mutex_unlock(&r->lock);
	free(old);
}
