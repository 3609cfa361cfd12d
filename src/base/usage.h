/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/usage.h - what may be said on the command line of a command, as tables.
 *
 * Help, completions, the manual page and "did you mean" are made of these, and --help is answered by who has them; parsing
 * is the command's own, by the same rows. A row's `value` says what stands for the value: FILE, DIR and PATH are completed
 * with names of files, SERVICE with names of services, and what has `words` with those.
 *
 * Owns nothing: texts are constants.
 */
#ifndef BASE_USAGE_H
#define BASE_USAGE_H

#include "base/err.h"
#include "base/str.h"

struct usage_option {
	char name[40]; /* "data-dir" is --data-dir; empty: the end of a table */
	char letter; /* 'o' is -o as well; 0: none */
	bool repeat; /* may be given more than once */
	const char *value; /* "DIR"; NULL: a switch */
	const char *help; /* begins in lower case, no full stop */
	const char *words; /* the only values there are: "text|json" */
	char fallback[64]; /* what holds when it is not given; may be empty */
	int64_t min, max; /* of a number, both included; max 0: not said */
};

enum { USAGE_OPTIONS_MAX = 96 };

struct usage_list {
	struct usage_option options[USAGE_OPTIONS_MAX];
	size_t count;
};

struct usage {
	const char *name; /* "serve"; of a verb "keys create" */
	const char *help; /* one line, begins with a verb in lower case */
	const char *arguments; /* as the usage line shows them: "FILE..."; NULL: there are none */
	struct usage_option argument; /* what one of them is: its `value` or `words` */
	const char *about; /* lines of 80 columns; NULL: none */
	const char *example; /* command lines */
	const struct usage_option *options; /* NULL: none */
	/* Further ones, of tables with rows of their own; NULL: none. */
	void (*more)(struct usage_list *list);
	bool
	    by_hand; /* the manual page's list of its options is written by hand, and a test compares */
};

enum usage_kind { USAGE_SWITCH, USAGE_TEXT, USAGE_WORDS, USAGE_FILES, USAGE_DIRS, USAGE_SERVICES };

enum usage_kind usage_kind_of(const struct usage_option *o);
void usage_add(struct usage_list *list, const struct usage_option *o);
/* All options of a command, --help the last. */
void usage_collect(const struct usage *u, struct usage_list *out);
/* ERR_INVALID: "there is no option --nmae; did you mean --name?" `name` is what was typed, without dashes and without
 * its value; one letter is one that stood behind one dash. */
enum err_code usage_unknown(const struct usage *u, struct str name, struct err *err);
/* Is help asked for: --help or -h, before a "--"? */
bool usage_asks_help(int argc, char **argv);

#endif
