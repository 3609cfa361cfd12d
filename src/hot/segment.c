/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot/segment.c - memory for rows, and the copying into it.
 *
 * A segment is one allocation with its columns, and blocks of text. Rows are copied column by column,
 * so that each loop is over one array; the text of a run goes to one place, whose size is summed up
 * first. Values that point to the same text as the row before (tenant, service, a metric's name) share
 * it here too: that saves room, and keeps one long text that many rows of a request point to from
 * becoming many.
 */
#include "base/bits.h"
#include "hot/hot_priv.h"

#include <stdlib.h>

#ifndef ARENA_DEBUG
#define ARENA_DEBUG 0
#endif

enum { TEXT_BLOCK_BYTES = 64 * 1024, TEXT_ALIGN = 16 };

struct hot_text {
	struct hot_text *next; /* older */
	size_t cap, used;
	_Alignas(TEXT_ALIGN) char data[];
};

/* ---- memory */

void *
hot_alloc(struct hot_memory *m, size_t n)
{
	void *p = xrealloc(NULL, n);
	atomic_fetch_add_explicit(&m->bytes, n, memory_order_relaxed);
	return p;
}

void *
hot_try_alloc(struct hot_memory *m, size_t n)
{
	if (m->fail_in == 1)
		return NULL;
	if (m->fail_in > 0)
		m->fail_in--;
	void *p = malloc(n);
	if (p)
		atomic_fetch_add_explicit(&m->bytes, n, memory_order_relaxed);
	return p;
}

void
hot_release(struct hot_memory *m, void *p, size_t n)
{
	if (!p)
		return;
	uint64_t before = atomic_fetch_sub_explicit(&m->bytes, n, memory_order_relaxed);
	CHECK(before >= n);
	free(p);
}

/* ---- segments */

static size_t
aligned(size_t n)
{
	return (n + TEXT_ALIGN - 1) & ~(size_t)(TEXT_ALIGN - 1);
}

static int
seq_column(enum table_id table)
{
	switch (table) {
	case TABLE_SPANS: return SPAN_SEQ;
	case TABLE_LOGS: return LOG_SEQ;
	case TABLE_POINTS: return POINT_SEQ;
	case TABLE_COMMENTS: return COMMENT_SEQ;
	case TABLE_RESOURCES:
	case TABLE_SCOPES:
	case TABLE_SERVICES:
	case TABLE_TRACES:
	case TABLE_BUCKETS:
	case TABLE_METRICS:
	case TABLE_SERIES:
	case TABLE_SAMPLES:
	case TABLE_DISTRIBUTIONS:
	case TABLE_COUNT: break;
	}
	return -1;
}

struct hot_segment *
hot_segment_new(struct hot_memory *m, enum table_id table, uint32_t cap)
{
	CHECK(cap > 0);
	CHECK(cap <= HOT_SEGMENT_ROWS);
	size_t head = aligned(sizeof(struct hot_segment));
	size_t cols = aligned(table_defs[table].col_count * sizeof(struct column));
	size_t arrays = table_fixed_bytes(table, cap);
	size_t u64s = aligned(cap * sizeof(uint64_t));
	int seq_col = seq_column(table);
	size_t size = head + cols + arrays + u64s + (seq_col < 0 ? u64s : 0);
	struct hot_segment *s = hot_try_alloc(m, size);
	if (!s)
		return NULL;
	*s = (struct hot_segment){.memory = m, .size = size};
	atomic_init(&s->refs, 1);
	size_t at = head + cols;
	table_init_fixed(&s->rows, table, cap, hot_at(s, head), hot_at(s, at));
	s->log_bytes = hot_at(s, at + arrays);
	s->seqs = seq_col < 0 ? hot_at(s, at + arrays + u64s) : s->rows.cols[seq_col].u64;
	return s;
}

void
hot_segment_ref(struct hot_segment *s)
{
	unsigned before = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	CHECK(before > 0);
}

static void
free_text(struct hot_segment *s, const struct hot_text *until)
{
	while (s->text != until) {
		struct hot_text *text = s->text;
		CHECK(text != NULL);
		s->text = text->next;
		hot_release(s->memory, text, sizeof(*text) + text->cap);
	}
}

void
hot_segment_unref(struct hot_segment *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	free_text(s, NULL);
	hot_release(s->memory, s, s->size);
}

uint64_t
hot_segment_bytes(const struct hot_segment *s)
{
	return s->size + s->text_bytes;
}

struct hot_text_mark
hot_segment_mark(const struct hot_segment *s)
{
	return (struct hot_text_mark){s->text, s->text ? s->text->used : 0, s->text_bytes};
}

void
hot_segment_rewind(struct hot_segment *s, struct hot_text_mark mark)
{
	free_text(s, mark.text);
	if (s->text)
		s->text->used = mark.used;
	s->text_bytes = mark.text_bytes;
}

void
hot_segment_times(const struct hot_segment *s, uint32_t first, uint32_t count, uint64_t *min_out,
    uint64_t *max_out)
{
	CHECK(count > 0);
	*min_out = 0;
	*max_out = UINT64_MAX;
	if (s->rows.def->time_col < 0)
		return;
	const uint64_t *times = s->rows.cols[s->rows.def->time_col].u64 + first;
	uint64_t min = times[0], max = times[0];
	for (uint32_t i = 1; i < count; i++) {
		min = times[i] < min ? times[i] : min;
		max = times[i] > max ? times[i] : max;
	}
	*min_out = min;
	*max_out = max;
}

/* ---- text */

/* Room for n bytes, a multiple of TEXT_ALIGN. What is large has a block of its own, of its size;
 * what is small shares one, which grows with what the segment has. */
static char *
text_room(struct hot_segment *s, size_t n)
{
	struct hot_text *text = s->text;
	if (text && text->cap - text->used >= n) {
		text->used += n;
		return text->data + text->used - n;
	}
	size_t cap = s->text_bytes < TEXT_BLOCK_BYTES ? s->text_bytes : TEXT_BLOCK_BYTES;
	cap = ARENA_DEBUG || n > TEXT_BLOCK_BYTES / 4 || cap < n ? n : aligned(cap);
	size_t size;
	if (!size_add(cap, sizeof(*text), &size))
		return NULL;
	text = hot_try_alloc(s->memory, size);
	if (!text)
		return NULL;
	*text = (struct hot_text){.next = s->text, .cap = cap, .used = n};
	s->text = text;
	s->text_bytes += size;
	return text->data;
}

static inline uint32_t
row_at(const struct hot_run *run, uint32_t i)
{
	return run->idx ? run->idx[i] : run->first + i;
}

/* What a value of the three kinds of text points to; of `size` bytes an element. */
struct text_value {
	const void *ptr;
	size_t len;
};

_Static_assert(sizeof(struct text_value) == sizeof(struct str), "one shape");
_Static_assert(offsetof(struct text_value, len) == offsetof(struct str, len), "one shape");
_Static_assert(sizeof(struct u64s) == sizeof(struct str), "one shape");
_Static_assert(sizeof(struct f64s) == sizeof(struct str), "one shape");
_Static_assert(sizeof(double) == sizeof(uint64_t), "one size of elements");

static inline struct text_value
text_value(const struct column *c, enum col_kind kind, uint32_t row)
{
	if (kind == COL_STR)
		return (struct text_value){c->str[row].ptr, c->str[row].len};
	if (kind == COL_U64S)
		return (struct text_value){c->u64s[row].ptr, c->u64s[row].len * sizeof(uint64_t)};
	return (struct text_value){c->f64s[row].ptr, c->f64s[row].len * sizeof(double)};
}

static bool
is_text(enum col_kind kind)
{
	return kind == COL_STR || kind == COL_U64S || kind == COL_F64S;
}

/* Bytes of a column's text, lists and strings alike; false when they are too many to count. */
static bool
sum_text(const struct column *from, enum col_kind kind, const struct hot_run *run, size_t *sum)
{
	const void *last = NULL;
	size_t last_len = 0;
	size_t total = *sum;
	for (uint32_t i = 0; i < run->count; i++) {
		struct text_value v = text_value(from, kind, row_at(run, i));
		if (v.ptr == last && v.len == last_len)
			continue;
		last = v.ptr;
		last_len = v.len;
		if (!size_add(total, v.len, &total))
			return false;
	}
	return size_add(total, TEXT_ALIGN, &total) && (*sum = aligned(total - TEXT_ALIGN), true);
}

static inline void
put_text(struct column *to, enum col_kind kind, uint32_t row, const void *ptr, size_t bytes)
{
	if (kind == COL_STR)
		to->str[row] = (struct str){ptr, bytes};
	else if (kind == COL_U64S)
		to->u64s[row] = (struct u64s){ptr, bytes / sizeof(uint64_t)};
	else
		to->f64s[row] = (struct f64s){ptr, bytes / sizeof(double)};
}

/* Walks as sum_text() does. Gives where the text ends, aligned for the next column's. */
static char *
copy_text(struct column *to, uint32_t at, const struct column *from, enum col_kind kind,
    const struct hot_run *run, char *room)
{
	const void *last = NULL;
	size_t last_len = 0;
	const void *copy = NULL;
	char *start = room;
	for (uint32_t i = 0; i < run->count; i++) {
		struct text_value v = text_value(from, kind, row_at(run, i));
		if (v.ptr != last || v.len != last_len) {
			last = v.ptr;
			last_len = v.len;
			/* An empty value is not NULL: it keeps a pointer. */
			copy = v.ptr ? room : NULL;
			if (v.ptr && v.len > 0)
				memcpy(room, v.ptr, v.len);
			room += v.len;
		}
		put_text(to, kind, at + i, copy, v.len);
	}
	return start + aligned((size_t)(room - start));
}

/* ---- values of fixed size */

#define GATHER(type, member)                                                                       \
	for (uint32_t i = 0; i < n; i++)                                                           \
	to->member[at + i] = from->member[run->idx[i]]

static void
copy_fixed(struct column *to, uint32_t at, const struct column *from, enum col_kind kind,
    const struct hot_run *run)
{
	uint32_t n = run->count;
	size_t size = table_kind_bytes(kind);
	if (!run->idx) {
		memcpy((char *)to->any + at * size, (const char *)from->any + run->first * size,
		    n * size);
		return;
	}
	switch (kind) {
	case COL_U64:
	case COL_I64: GATHER(uint64_t, u64); break;
	case COL_U32:
	case COL_I32: GATHER(uint32_t, u32); break;
	case COL_F64: GATHER(double, f64); break;
	case COL_BOOL: GATHER(bool, boolean); break;
	case COL_STR:
	case COL_U64S:
	case COL_F64S: CHECK(!"of fixed size"); break;
	}
}

static void
copy_nulls(struct column *to, uint32_t at, const struct column *from, const struct hot_run *run)
{
	if (!to->null)
		return;
	for (uint32_t i = 0; i < run->count; i++)
		to->null[at + i] = from->null[row_at(run, i)];
}

static void
replace_ids(uint64_t *ids, const struct str *tenants, uint32_t count, const struct map *others)
{
	if (!others || others->count == 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t *other = map_get(others, batch_dict_key(tenants[i], ids[i]));
		if (other)
			ids[i] = *other;
	}
}

_Static_assert((int)SPAN_TENANT == (int)LOG_TENANT && (int)SPAN_TENANT == (int)POINT_TENANT,
    "tenants of signals are one column");
_Static_assert((int)RESOURCE_TENANT == (int)SCOPE_TENANT, "and those of dictionaries");

static void
replace_all_ids(struct hot_segment *s, const struct hot_run *run)
{
	static const int cols[TABLE_STORED_COUNT][2] = {
	    [TABLE_SPANS] = {SPAN_RESOURCE_ID, SPAN_SCOPE_ID},
	    [TABLE_LOGS] = {LOG_RESOURCE_ID, LOG_SCOPE_ID},
	    [TABLE_POINTS] = {POINT_RESOURCE_ID, POINT_SCOPE_ID},
	    [TABLE_COMMENTS] = {-1, -1},
	    [TABLE_RESOURCES] = {RESOURCE_ID, -1},
	    [TABLE_SCOPES] = {-1, SCOPE_ID},
	};
	const int *ids = cols[s->rows.def - table_defs];
	bool dict = hot_is_dict((enum table_id)(s->rows.def - table_defs));
	const struct str *tenants =
	    s->rows.cols[dict ? (int)RESOURCE_TENANT : (int)SPAN_TENANT].str;
	for (int i = 0; i < 2; i++)
		if (ids[i] >= 0)
			replace_ids(s->rows.cols[ids[i]].u64 + s->used, tenants + s->used,
			    run->count, run->ids[i]);
}

bool
hot_segment_write(struct hot_segment *s, const struct hot_run *run)
{
	const struct table_def *def = s->rows.def;
	CHECK(run->from->def == def);
	CHECK(run->count > 0);
	CHECK(s->used <= s->rows.row_cap);
	CHECK(run->count <= s->rows.row_cap - s->used);
	size_t bytes = 0;
	for (size_t c = 0; c < def->col_count; c++)
		if (is_text(def->cols[c].kind) &&
		    !sum_text(&run->from->cols[c], def->cols[c].kind, run, &bytes))
			return false;
	/* At least something, for the pointers of empty values. */
	char *room = text_room(s, bytes ? bytes : TEXT_ALIGN);
	if (!room)
		return false;
	const char *end = room + bytes;
	for (size_t c = 0; c < def->col_count; c++) {
		const struct column *from = &run->from->cols[c];
		struct column *to = &s->rows.cols[c];
		enum col_kind kind = def->cols[c].kind;
		if (is_text(kind)) {
			room = copy_text(to, s->used, from, kind, run, room);
			continue;
		}
		copy_fixed(to, s->used, from, kind, run);
		copy_nulls(to, s->used, from, run);
	}
	CHECK(room == end);
	replace_all_ids(s, run);
	for (uint32_t i = 0; i < run->count; i++)
		s->log_bytes[s->used + i] = run->log_bytes;
	if (hot_is_dict((enum table_id)(def - table_defs)))
		for (uint32_t i = 0; i < run->count; i++)
			s->seqs[s->used + i] = run->dict_seq;
	return true;
}
