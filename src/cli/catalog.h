/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/catalog.h - what commands there are and what may be said of each, for who explains them.
 *
 * A command is an operation (a row of ops_table), a group with verbs of its own (struct cli_group: keys, dlq ...), a command
 * of another module (struct cli_command), or one of those that explain the rest. The catalog has them alike; help, the
 * manual page and completions walk it and know no command by name. A page is all that may be said of one command or verb.
 *
 * Owns nothing: what is pointed at is constant.
 */
#ifndef CLI_CATALOG_H
#define CLI_CATALOG_H

#include "base/embedded.h"
#include "base/usage.h"
#include "cli/cli.h"
#include "ops/ops.h"

#include <stdio.h>

struct cli_io;
struct cli_request;

/* ---- groups (group.c) */

/* What a group can be told to do. Parsing, help, completions and the manual page are made of its row. */
struct cli_verb {
	const char
	    *name; /* "keys create"; without a blank: the group is one command, and this its row */
	const char *method; /* NULL: GET */
	/* What it asks: a row of ops_table by its name, or else this one, which only has path, help, example, parameters. */
	const char *row;
	struct op op;
	/* In some cases another: with --all; or, of ops_table, when a word stands behind it. NULL: always the same. */
	const struct op *all;
	const char *row_of_word;
	const char *arguments; /* when the parameters do not say it: "ID | --all" */
	bool asks; /* whether it is meant, unless --yes: `question`, if it is always the same */
	bool folder; /* --data-dir */
	bool slow; /* waits for a day, unless --timeout */
	const char
	    *formats; /* the words of -o, when there are others than json, table and ndjson */
	const char *question;
	const char *undone; /* after a no: "nothing was deleted" */
	const char *done; /* the member of the answer that counts */
};

struct cli_group {
	const char *name;
	const char *help; /* one line */
	const char *about; /* lines of 80 columns; NULL: none */
	void (*print_more)(FILE *
	        out); /* further ones of a group that is one command, behind its options; NULL: none */
	const char *example;
	enum op_section section;
	const struct cli_verb *verbs; /* ends with a NULL name */
	bool first_is_meant; /* when no verb is said */
	/* Is what was parsed complete? NULL: yes. */
	enum err_code (*check)(const struct cli_verb *verb, const struct cli_request *req,
	    struct err *err);
	/* Returns an exit code. */
	int (*run)(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req);
};

extern const struct cli_group *const cli_groups[]; /* ends with NULL */
extern const struct cli_group cli_tail, cli_watch, cli_sql, cli_comment, cli_dlq, cli_keys,
    cli_backup, cli_check;

/* "create" of "keys create"; "" when the group is one command. */
const char *cli_verb_word(const struct cli_verb *verb);
const struct op *cli_verb_op(const struct cli_verb *verb);
const struct op *cli_verb_other_op(const struct cli_verb *verb); /* NULL: there is none */
const struct cli_verb *cli_find_verb(const struct cli_group *group, struct str word);
bool cli_has_verbs(const struct cli_group *group); /* else it is one command */
/* argv: the words behind "weir", the first being the group's name. */
int cli_run_group(const struct cli_io *io, const struct cli_group *group, int argc, char **argv);
/* The word behind the group's name (NULL: there is none) is none of its verbs. */
int cli_no_verb(const struct cli_io *io, const struct cli_group *group, const char *word);
/* Asks whether it is meant, when the verb asks; false: it has been said that nothing was done. */
bool cli_verb_is_meant(const struct cli_io *io, const struct cli_verb *verb,
    const struct cli_request *req, const char *question);

/* ---- what there is (catalog.c): operations, groups, extra commands and the CLI's own, alike */

enum { CLI_COMMANDS_MAX = 96 };

struct cli_entry {
	const char *name, *help;
	enum op_section section;
	/* One of these is not NULL. */
	const struct op *op;
	const struct cli_group *group;
	const struct cli_command *extra;
	const struct usage *own; /* help, completion, version */
};

struct cli_catalog {
	struct cli_entry entries[CLI_COMMANDS_MAX];
	size_t count;
};

void cli_catalog_init(struct cli_catalog *c, const struct cli_command *extra);
/* NULL: there is none of this name. */
const struct cli_entry *cli_find(const struct cli_catalog *c, struct str name);
/* "no command NAME", with what may have been meant. */
int cli_no_command(const struct cli_io *io, const struct cli_catalog *c, struct str name);

/* What may be said of one command, or of a verb of it. */
struct cli_page {
	const char *name, *help, *about, *example;
	void (*print_more)(FILE *out);
	char arguments[64]; /* "TRACE_ID"; empty: there are none */
	struct usage_option words[4]; /* what each of them is */
	size_t word_count;
	struct usage_list own, common; /* options, and those of all that ask a server */
	const struct op *op; /* NULL: it asks no single question */
	const char *method;
	bool by_hand; /* as in struct usage */
};

/* verb NULL: of the entry itself. */
void cli_page_init(struct cli_page *p, const struct cli_entry *e, const struct cli_verb *verb);
/* What stands before a command: the options of all, and those of no command. */
void cli_page_init_empty(struct cli_page *p);

/* ---- help (help.c) */

void cli_help_overview(FILE *out, const struct cli_catalog *c);
void cli_help_page(FILE *out, const struct cli_page *page);
/* Of the entry, or of one of its verbs. */
void cli_help_entry(FILE *out, const struct cli_entry *e, const struct cli_verb *verb);
/* The options of all commands as sections of the manual page, in mdoc (manual.c). */
void cli_manual(FILE *out, const struct cli_catalog *c);

/* ---- completions (complete.c) */

extern const struct embedded_text
    cli_shells[]; /* the files of cli/shells/: "bash", "fish", "zsh" */
/* `weir completion SHELL`, and what its scripts ask; argv[0] is "completion". */
int cli_completion(const struct cli_io *io, int argc, char **argv, const struct cli_catalog *c);

#endif
