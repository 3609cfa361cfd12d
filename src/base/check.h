/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/check.h - assertions that are always on, and compiler attributes.
 *
 * CHECK() states an invariant of our own code. When it does not hold the program is wrong and
 * goes on at its own peril, so it prints where and aborts. It is never used for bad input: that
 * is an error (base/err.h). Thread-safe; never returns when it fails.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define UNUSED __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			check_failed(__FILE__, __LINE__, #cond);                                   \
	} while (0)

/* Print "file:line: CHECK failed: text" to standard error and abort. */
_Noreturn void check_failed(const char *file, int line, const char *text);

#endif
