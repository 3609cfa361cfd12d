/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/str.h - a borrowed run of bytes.
 *
 * Passed by value; not NUL-terminated; may point into a request body and dies with what it
 * points into. Copy it (arena_str) to keep it. An empty str may have a NULL ptr.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_INIT(literal) {"" literal, sizeof(literal) - 1} /* in a static initializer */
#define STR_EMPTY ((struct str){NULL, 0})
/* For printf("%.*s"). Longer strings than INT_MAX are cut. */
#define STR_ARG(s) (int)((s).len > INT32_MAX ? INT32_MAX : (s).len), (s).ptr ? (s).ptr : ""

static inline struct str
str_from(const char *z)
{
	return z ? (struct str){z, strlen(z)} : (struct str){NULL, 0};
}

static inline struct str
str_of(const void *ptr, size_t len)
{
	return (struct str){(const char *)ptr, len};
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	    (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline struct str
str_skip(struct str s, size_t n)
{
	return n >= s.len ? (struct str){s.ptr + s.len, 0} : (struct str){s.ptr + n, s.len - n};
}

/* ASCII only, as header names and media types are. */
bool str_eq_nocase(struct str a, struct str b);
/* Without spaces, tabs, CR and LF at both ends. */
struct str str_trim(struct str s);
/* Position of the first `c`, or s.len. */
size_t str_find(struct str s, char c);
/* memcmp order; -1, 0, 1. */
int str_cmp(struct str a, struct str b);
/* Decimal, digits only, whole string; false when empty, malformed or out of range. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_i64(struct str s, int64_t *out);
/* A finite or infinite double as strtod reads it, whole string, no leading blank. */
bool str_to_f64(struct str s, double *out);

#endif
