/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include "base/check.h"

enum { NAME_BYTES_MAX = 40 };

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;
	return ab < c ? ab : c;
}

/* Where a swap of neighbours is one edit. Both at most NAME_BYTES_MAX bytes. Three rows of the table of distances of prefixes are kept. */
static size_t
edits(struct str a, struct str b)
{
	size_t rows[3][NAME_BYTES_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.len; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = lower(a.ptr[i - 1]) == lower(b.ptr[j - 1]);
			row[j] = least(row[j - 1] + 1, last[j] + 1, last[j - 1] + !same);
			bool swapped = i > 1 && j > 1 &&
			    lower(a.ptr[i - 1]) == lower(b.ptr[j - 2]) &&
			    lower(a.ptr[i - 2]) == lower(b.ptr[j - 1]);
			if (swapped && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		size_t *spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b.len];
}

const char *
nearest_name(struct str typed, const char *const *names)
{
	if (typed.len == 0 || typed.len > NAME_BYTES_MAX)
		return NULL;
	const char *best = NULL;
	size_t best_edits = typed.len / 3 + 1; /* more is another word */
	for (; *names; names++) {
		struct str name = str_from(*names);
		CHECK(name.len <= NAME_BYTES_MAX);
		size_t n = edits(typed, name);
		/* A beginning of a name is as good as a typing error. */
		if (typed.len >= 3 && str_starts(name, typed))
			n = 1;
		if (n <= best_edits && (!best || n < best_edits)) {
			best = *names;
			best_edits = n;
		}
	}
	return best;
}
