/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_shred_priv.h"

#include "base/bits.h"
#include "base/number.h"
#include "duck/duck_json.h"

#include <math.h>

/* ---- order */

uint64_t
shred_key_head(struct str key)
{
	uint64_t head = 0;
	if (key.len >= 8)
		return get_u64be(key.ptr);
	for (size_t i = 0; i < key.len; i++)
		head |= (uint64_t)(unsigned char)key.ptr[i] << (56 - 8 * i);
	return head;
}

static inline bool
is_after(const struct shred_member *a, const struct shred_member *b)
{
	if (a->head != b->head)
		return a->head > b->head;
	return str_cmp(a->key, b->key) > 0;
}

/* A map is mostly a dozen keys, often sorted. */
static bool
sort_few(const struct shred_member *m, uint32_t *sorted, size_t first, size_t end)
{
	bool moved = false;
	for (size_t i = first + 1; i < end; i++) {
		uint32_t place = sorted[i];
		size_t at = i;
		for (; at > first && is_after(&m[sorted[at - 1]], &m[place]); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = place;
		moved = moved || at < i;
	}
	return moved;
}

static void
merge_runs(const struct shred_member *m, const uint32_t *from, uint32_t *to, size_t first,
    size_t middle, size_t end)
{
	size_t a = first, b = middle;
	for (size_t i = first; i < end; i++) {
		bool take_b = a == middle || (b < end && is_after(&m[from[a]], &m[from[b]]));
		to[i] = from[take_b ? b++ : a++];
	}
}

bool
shred_sort(const struct shred_member *m, uint32_t *sorted, uint32_t *scratch, size_t count)
{
	enum { RUN = 16 };
	uint32_t *from = sorted, *to = scratch;
	for (size_t i = 0; i < count; i++)
		sorted[i] = (uint32_t)i;
	for (size_t i = 0; i < count; i += RUN) {
		size_t end = count - i < RUN ? count : i + RUN;
		sort_few(m, sorted, i, end);
	}
	for (size_t run = RUN; run < count; run *= 2) {
		for (size_t i = 0; i < count; i += 2 * run) {
			size_t middle = count - i < run ? count : i + run;
			size_t end = count - i < 2 * run ? count : i + 2 * run;
			merge_runs(m, from, to, i, middle, end);
		}
		uint32_t *swap = from;
		from = to;
		to = swap;
	}
	if (from != sorted)
		memcpy(sorted, from, count * sizeof(*sorted));
	for (size_t i = 0; i < count; i++)
		if (sorted[i] != i)
			return true;
	return false;
}

/* ---- values */

enum shred_type
shred_value_type(struct str value)
{
	char c = value.len > 0 ? value.ptr[0] : '\0';
	if (c == '"')
		return SHRED_TEXT;
	if (c == 't' || c == 'f')
		return SHRED_BOOL;
	if (c != '-' && (c < '0' || c > '9'))
		return SHRED_TYPES;
	for (size_t i = 1; i < value.len; i++)
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return SHRED_DOUBLE;
	return SHRED_INT;
}

static bool
read_text(struct str value, char *unescaped, struct shred_value *out)
{
	if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"')
		return false;
	struct str raw = str_of(value.ptr + 1, value.len - 2);
	if (!duck_json_raw_is_ours(raw))
		return false;
	out->text = raw;
	if (raw.len > 0 && memchr(raw.ptr, '\\', raw.len))
		out->text = str_of(unescaped, duck_json_raw_undo(raw, unescaped));
	return true;
}

static bool
read_int(struct str value, int64_t *out)
{
	bool negative = value.len > 0 && value.ptr[0] == '-';
	struct str digits = negative ? str_skip(value, 1) : value;
	if (digits.len == 0 || (digits.ptr[0] == '0' && (digits.len > 1 || negative)))
		return false;
	return str_to_i64(value, out);
}

/* What people write is 12.5: up to 15 digits, a point among them, no exponent. Then the quotient of
 * two integers that are exact as doubles is the double that is meant. */
static bool
read_short_double(struct str value, double *out)
{
	static const double pow10_exact[] = {
	    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	bool negative = value.len > 0 && value.ptr[0] == '-';
	size_t point = 0;
	uint64_t n = 0;
	if (value.len > 16)
		return false;
	for (size_t i = negative; i < value.len; i++) {
		char c = value.ptr[i];
		if (c == '.' && point == 0) {
			point = i + 1;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		n = n * 10 + (uint64_t)(c - '0');
	}
	if (point == 0 || n >= UINT64_C(1000000000000000))
		return false;
	double v = (double)n / pow10_exact[value.len - point];
	*out = negative ? -v : v;
	return true;
}

static bool
read_double(struct str value, double *out)
{
	char text[NUMBER_DOUBLE_BYTES];
	if (value.len < 3 || value.len > sizeof(text))
		return false;
	if (!read_short_double(value, out) && !str_to_f64(value, out))
		return false;
	/* Where all values of a column are equal the database keeps one of them: 0.0 for -0.0 too. */
	if (!isfinite(*out) || (*out == 0 && signbit(*out)))
		return false;
	return str_eq(str_of(text, number_double_text(*out, text)), value);
}

bool
shred_value_read(struct str value, enum shred_type type, char *unescaped, struct shred_value *out)
{
	*out = (struct shred_value){.set = true};
	switch (type) {
	case SHRED_TEXT: return read_text(value, unescaped, out);
	case SHRED_INT: return read_int(value, &out->i64);
	case SHRED_DOUBLE: return read_double(value, &out->f64);
	case SHRED_BOOL:
		out->boolean = str_eq(value, STR("true"));
		return out->boolean || str_eq(value, STR("false"));
	case SHRED_SHARED:
	case SHRED_TYPES: break;
	}
	return false;
}
