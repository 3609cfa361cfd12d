/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_user_wire.h"

#include "duck/duck_user_priv.h"

#include "base/bits.h"

#include <string.h>

_Static_assert((int)USER_ROWS_MAX == (int)DUCK_CHUNK_ROWS, "a frame is a chunk");

/* ---- frames */

size_t
user_begin(struct buf *b, char type)
{
	size_t place = b->len;
	user_put_u32(b, 0);
	buf_char(b, type);
	return place;
}

void
user_finish(struct buf *b, size_t place)
{
	if (!b->failed)
		put_u32le(b->ptr + place, (uint32_t)(b->len - place - sizeof(uint32_t)));
}

void
user_put_u8(struct buf *b, uint8_t v)
{
	buf_char(b, (char)v);
}

void
user_put_u32(struct buf *b, uint32_t v)
{
	char bytes[4];
	put_u32le(bytes, v);
	buf_append(b, bytes, sizeof(bytes));
}

void
user_put_u64(struct buf *b, uint64_t v)
{
	char bytes[8];
	put_u64le(bytes, v);
	buf_append(b, bytes, sizeof(bytes));
}

void
user_put_text(struct buf *b, struct str s)
{
	user_put_u32(b, (uint32_t)s.len);
	buf_str(b, s);
}

void
user_put_bounds(struct buf *b, const struct user_bounds *bounds)
{
	user_put_u64(b, bounds->from_ns);
	user_put_u64(b, bounds->to_ns);
	user_put_u8(b, bounds->has_trace);
	user_put_u64(b, bounds->trace_hi);
	user_put_u64(b, bounds->trace_lo);
	user_put_text(b, bounds->service);
	user_put_text(b, bounds->name);
	user_put_u8(b, bounds->has_status);
	user_put_u32(b, (uint32_t)bounds->status);
	user_put_u8(b, bounds->has_kind);
	user_put_u32(b, (uint32_t)bounds->kind);
	user_put_u8(b, bounds->need);
}

const void *
user_get_bytes(struct user_reader *r, size_t count, size_t size)
{
	size_t n;
	if (r->failed || !size_mul(count, size, &n) || n > r->rest.len) {
		r->failed = true;
		return NULL;
	}
	const void *at = r->rest.ptr;
	r->rest = str_skip(r->rest, n);
	return at;
}

uint8_t
user_get_u8(struct user_reader *r)
{
	const unsigned char *at = user_get_bytes(r, 1, 1);
	return at ? *at : 0;
}

uint32_t
user_get_u32(struct user_reader *r)
{
	const void *at = user_get_bytes(r, 1, 4);
	return at ? get_u32le(at) : 0;
}

uint64_t
user_get_u64(struct user_reader *r)
{
	const void *at = user_get_bytes(r, 1, 8);
	return at ? get_u64le(at) : 0;
}

struct str
user_get_text(struct user_reader *r)
{
	uint32_t len = user_get_u32(r);
	const char *at = user_get_bytes(r, len, 1);
	return at ? str_of(at, len) : STR_EMPTY;
}

void
user_get_bounds(struct user_reader *r, struct user_bounds *out)
{
	out->from_ns = user_get_u64(r);
	out->to_ns = user_get_u64(r);
	out->has_trace = user_get_u8(r) != 0;
	out->trace_hi = user_get_u64(r);
	out->trace_lo = user_get_u64(r);
	out->service = user_get_text(r);
	out->name = user_get_text(r);
	out->has_status = user_get_u8(r) != 0;
	out->status = (int32_t)user_get_u32(r);
	out->has_kind = user_get_u8(r) != 0;
	out->kind = (int32_t)user_get_u32(r);
	out->need = user_get_u8(r);
}

bool
user_next(struct str came, char *type, struct str *body, bool *bad)
{
	*bad = false;
	if (came.len < USER_HEAD_BYTES)
		return false;
	uint32_t len = get_u32le(came.ptr);
	if (len < 1 || len > USER_FRAME_BYTES_MAX) {
		*bad = true;
		return false;
	}
	if (came.len - sizeof(uint32_t) < len)
		return false;
	*type = came.ptr[4];
	*body = str_of(came.ptr + USER_HEAD_BYTES, len - 1);
	return true;
}

void
user_forget(struct buf *came, size_t *off)
{
	if (*off == came->len) {
		buf_reset(came);
		*off = 0;
	} else if (*off > USER_READ_BYTES) {
		memmove(came->ptr, came->ptr + *off, came->len - *off);
		came->len -= *off;
		*off = 0;
	}
}

/* ---- columns, to be sent */

/* A column of some rows, wherever it stands. */
struct source {
	enum col_kind kind;
	size_t rows;
	const void *values; /* of fixed size */
	bool (*is_null)(const struct source *s, size_t row); /* NULL: none is */
	struct str (*text)(const struct source *s, size_t row); /* texts, and lists: their items */
	const duckdb_string_t *strings; /* of a vector of texts, else NULL */
	const void *ctx;
	const void *items;
	size_t first;
};

static bool
has_nulls(const struct source *s)
{
	size_t any = 0;
	for (size_t i = 0; s->is_null && i < s->rows && any == 0; i++)
		any += s->is_null(s, i);
	return any > 0;
}

static void
put_null_bits(struct buf *b, const struct source *s)
{
	for (size_t at = 0; at < s->rows; at += 8) {
		unsigned bits = 0;
		for (size_t i = at; i < at + 8 && i < s->rows; i++)
			bits |= (unsigned)s->is_null(s, i) << (i - at);
		user_put_u8(b, (uint8_t)bits);
	}
}

static void
put_code(struct buf *b, const struct source *s, enum user_code code)
{
	bool nulls = has_nulls(s);
	user_put_u8(b, (uint8_t)(code | (nulls ? CODE_NULLS : 0)));
	if (nulls)
		put_null_bits(b, s);
}

static void
put_fixed(struct buf *b, const struct source *s)
{
	size_t width = table_kind_bytes(s->kind);
	const char *values = (const char *)s->values + s->first * width;
	bool same = memcmp(values, values + width, (s->rows - 1) * width) == 0;
	put_code(b, s, same ? CODE_SAME : CODE_PLAIN);
	buf_append(b, values, same ? width : s->rows * width);
}

/* Texts of a column are mostly few: each row says which. Two are compared by their marks first: a short one is all of it, as DuckDB has it in a
 * vector (duckdb_string_t). The slot of one is found by its mark; two that share a slot push one another out, and count as new ones. */
enum { DICT_MAX = 256, SLOT_BITS = 10, DICT_TEXT_BYTES_MAX = 4096, SHORT_BYTES_MAX = 12 };

struct mark {
	uint32_t length;
	char first[4];
	char next[8]; /* of a long one the last */
};

_Static_assert(sizeof(struct mark) == sizeof(duckdb_string_t), "a short text is its own mark");

struct dict {
	struct str texts[DICT_MAX];
	struct mark marks[DICT_MAX];
	uint16_t slots[1 << SLOT_BITS]; /* 1 + place in texts */
	unsigned count;
	unsigned char codes[USER_ROWS_MAX];
};

static struct mark
mark_of_text(struct str t)
{
	struct mark m = {.length = (uint32_t)t.len};
	if (t.len == 0)
		return m;
	if (t.len <= SHORT_BYTES_MAX) {
		memcpy((char *)&m + offsetof(struct mark, first), t.ptr, t.len);
		return m;
	}
	memcpy(m.first, t.ptr, sizeof(m.first));
	memcpy(m.next, t.ptr + t.len - sizeof(m.next), sizeof(m.next));
	return m;
}

static struct mark
mark_of(const struct source *s, size_t row)
{
	struct mark m = {0};
	if (!s->strings || s->strings[row].value.inlined.length > SHORT_BYTES_MAX)
		return mark_of_text(s->text(s, row));
	if (!s->is_null || !s->is_null(s, row))
		memcpy(&m, &s->strings[row], sizeof(m));
	return m;
}

static bool
same_mark(const struct mark *a, const struct mark *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool
is_same(const struct dict *d, unsigned place, const struct source *s, size_t row,
    const struct mark *m)
{
	return same_mark(&d->marks[place], m) &&
	    (m->length <= SHORT_BYTES_MAX || str_eq(d->texts[place], s->text(s, row)));
}

static unsigned
slot_of(const struct mark *m)
{
	uint64_t words[2];
	memcpy(words, m, sizeof(words));
	return (unsigned)((((words[0] << 1) * 31 + words[1]) * UINT64_C(0x9e3779b97f4a7c15)) >>
	    (64 - SLOT_BITS));
}

static bool
collect(struct dict *d, const struct source *s)
{
	memset(d->slots, 0, sizeof(d->slots));
	d->count = 0;
	unsigned code = 0;
	for (size_t i = 0; i < s->rows; i++) {
		struct mark m = mark_of(s, i);
		if (i == 0 || !is_same(d, code, s, i, &m)) {
			uint16_t *slot = &d->slots[slot_of(&m)];
			if (*slot == 0 || !is_same(d, *slot - 1u, s, i, &m)) {
				if (d->count == DICT_MAX || m.length > DICT_TEXT_BYTES_MAX)
					return false;
				d->marks[d->count] = m;
				d->texts[d->count++] = s->text(s, i);
				*slot = (uint16_t)d->count;
			}
			code = *slot - 1u;
		}
		d->codes[i] = (unsigned char)code;
		if (i == 256 && d->count > 128)
			return false; /* nearly all are different */
	}
	return true;
}

static void
put_texts(struct buf *b, const struct source *s)
{
	struct dict d;
	if (collect(&d, s)) {
		put_code(b, s, CODE_TEXT_DICT);
		user_put_u8(b, (uint8_t)(d.count - 1));
		for (unsigned i = 0; i < d.count; i++)
			user_put_u32(b, (uint32_t)d.texts[i].len);
		for (unsigned i = 0; i < d.count; i++)
			buf_str(b, d.texts[i]);
		buf_append(b, d.codes, s->rows);
		return;
	}
	put_code(b, s, CODE_TEXTS);
	for (size_t i = 0; i < s->rows; i++)
		user_put_u32(b, (uint32_t)s->text(s, i).len);
	for (size_t i = 0; i < s->rows; i++)
		buf_str(b, s->text(s, i));
}

static void
put_lists(struct buf *b, const struct source *s)
{
	put_code(b, s, CODE_LISTS);
	for (size_t i = 0; i < s->rows; i++)
		user_put_u32(b, (uint32_t)(s->text(s, i).len / 8));
	for (size_t i = 0; i < s->rows; i++)
		buf_str(b, s->text(s, i));
}

static void
put_column(struct buf *b, const struct source *s)
{
	if (s->kind == COL_STR)
		put_texts(b, s);
	else if (s->kind == COL_U64S || s->kind == COL_F64S)
		put_lists(b, s);
	else
		put_fixed(b, s);
}

/* ---- of a chunk */

static bool
chunk_null(const struct source *s, size_t row)
{
	return !duckdb_validity_row_is_valid((uint64_t *)(uintptr_t)s->ctx, s->first + row);
}

static struct str
chunk_text(const struct source *s, size_t row)
{
	if (s->is_null && chunk_null(s, row))
		return STR_EMPTY;
	return duck_text_at(s->values, row);
}

static struct str
chunk_list(const struct source *s, size_t row)
{
	if (s->is_null && chunk_null(s, row))
		return STR_EMPTY;
	duckdb_list_entry e = ((const duckdb_list_entry *)s->values)[row];
	return str_of((const char *)s->items + e.offset * 8, e.length * 8);
}

void
user_put_chunk(struct buf *b, uint32_t scan, duckdb_data_chunk chunk, const struct table_def *def,
    const uint8_t *cols, size_t col_count)
{
	size_t rows = duckdb_data_chunk_get_size(chunk);
	size_t place = user_begin(b, 'R');
	CHECK(rows > 0 && rows <= USER_ROWS_MAX);
	user_put_u32(b, scan);
	user_put_u32(b, (uint32_t)rows);
	for (size_t c = 0; c < col_count; c++) {
		duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);
		struct source s = {.kind = def->cols[cols[c]].kind,
		    .rows = rows,
		    .values = duckdb_vector_get_data(v),
		    .ctx = duckdb_vector_get_validity(v)};
		s.is_null = s.ctx ? chunk_null : NULL;
		s.text = chunk_text;
		s.strings = s.kind == COL_STR ? s.values : NULL;
		if (s.kind == COL_U64S || s.kind == COL_F64S) {
			s.text = chunk_list;
			s.items = duckdb_vector_get_data(duckdb_list_vector_get_child(v));
		}
		put_column(b, &s);
	}
	user_finish(b, place);
}

/* ---- of a table */

static bool
table_null(const struct source *s, size_t row)
{
	const struct column *col = s->ctx;
	switch (s->kind) {
	case COL_STR: return !col->str[s->first + row].ptr;
	case COL_U64S: return !col->u64s[s->first + row].ptr;
	case COL_F64S: return !col->f64s[s->first + row].ptr;
	case COL_U64:
	case COL_I64:
	case COL_U32:
	case COL_I32:
	case COL_F64:
	case COL_BOOL: break;
	}
	return col->null && col->null[s->first + row];
}

static struct str
table_text(const struct source *s, size_t row)
{
	const struct column *col = s->ctx;
	size_t at = s->first + row;
	if (s->kind == COL_STR)
		return col->str[at];
	if (s->kind == COL_U64S)
		return str_of((const char *)col->u64s[at].ptr, col->u64s[at].len * 8);
	return str_of((const char *)col->f64s[at].ptr, col->f64s[at].len * 8);
}

void
user_put_rows(struct buf *b, uint32_t scan, const struct table *t, size_t first, size_t count,
    const uint8_t *cols, size_t col_count)
{
	size_t place = user_begin(b, 'R');
	CHECK(count > 0 && count <= USER_ROWS_MAX);
	user_put_u32(b, scan);
	user_put_u32(b, (uint32_t)count);
	for (size_t c = 0; c < col_count; c++) {
		const struct column_def *def = &t->def->cols[cols[c]];
		put_column(b,
		    &(struct source){.kind = def->kind,
		        .rows = count,
		        .values = t->cols[cols[c]].any,
		        .is_null = def->nullable ? table_null : NULL,
		        .text = table_text,
		        .ctx = &t->cols[cols[c]],
		        .first = first});
	}
	user_finish(b, place);
}

/* ---- columns that came */

/* Their sum, unless the frame has not so many bytes. */
static size_t
sum_lengths(struct user_reader *r, const unsigned char *lengths, size_t count)
{
	size_t sum = 0;
	for (size_t i = 0; i < count && lengths; i++)
		sum += get_u32le(lengths + i * 4);
	if (sum > r->rest.len)
		r->failed = true;
	return sum;
}

static void
get_dict(struct user_reader *r, uint32_t rows, struct user_values *out)
{
	out->dict_count = user_get_u8(r) + 1u;
	out->lengths = user_get_bytes(r, out->dict_count, 4);
	size_t bytes = sum_lengths(r, out->lengths, out->dict_count);
	out->values = user_get_bytes(r, bytes, 1);
	out->codes = user_get_bytes(r, rows, 1);
	for (uint32_t i = 0; i < rows && out->codes; i++)
		if (out->codes[i] >= out->dict_count)
			r->failed = true;
}

static bool
fits_kind(enum user_code code, enum col_kind kind)
{
	switch (kind) {
	case COL_STR: return code == CODE_TEXTS || code == CODE_TEXT_DICT;
	case COL_U64S:
	case COL_F64S: return code == CODE_LISTS;
	case COL_U64:
	case COL_I64:
	case COL_U32:
	case COL_I32:
	case COL_F64:
	case COL_BOOL: break;
	}
	return code == CODE_PLAIN || code == CODE_SAME;
}

void
user_get_values(struct user_reader *r, enum col_kind kind, uint32_t rows, struct user_values *out)
{
	unsigned code = user_get_u8(r);
	*out = (struct user_values){.code = (enum user_code)(code & ~(unsigned)CODE_NULLS)};
	if (!fits_kind(out->code, kind) || rows == 0 || rows > USER_ROWS_MAX) {
		r->failed = true;
		return;
	}
	if (code & CODE_NULLS)
		out->nulls = user_get_bytes(r, (rows + 7) / 8, 1);
	if (out->code == CODE_TEXT_DICT) {
		get_dict(r, rows, out);
		return;
	}
	if (out->code == CODE_TEXTS || out->code == CODE_LISTS) {
		size_t size = out->code == CODE_TEXTS ? 1 : 8;
		out->lengths = user_get_bytes(r, rows, 4);
		out->values = user_get_bytes(r, sum_lengths(r, out->lengths, rows), size);
		return;
	}
	out->values = user_get_bytes(r, out->code == CODE_SAME ? 1 : rows, table_kind_bytes(kind));
}
