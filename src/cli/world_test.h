/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/world_test.h - a world for the command line in tests: its output is kept, its environment is
 * a table, its server answers what the test says.
 */
#ifndef CLI_WORLD_TEST_H
#define CLI_WORLD_TEST_H

#include "cli/cli_priv.h"

enum { WORLD_NOTES_MAX = 8 };

struct world {
	struct cli_io io;
	char *out, *err; /* what was written; valid after world_run() */
	size_t out_len, err_len;
	const char *env[WORLD_NOTES_MAX][2];
	/* what the server answers, in turn; the last one for ever */
	const char *answers[WORLD_NOTES_MAX];
	size_t answer_lens[WORLD_NOTES_MAX];
	int status; /* of all answers: 200 */
	enum err_code failure; /* instead of an answer */
	int streams; /* who is at the keyboard stops after so many; 0: after each */
	/* what it was asked */
	int asked;
	char method[16];
	/* what somebody at the terminal answers, NULL: nothing; several lines: one by one */
	const char *typed;
	char path[4096], first_path[4096], previous_path[4096];
	char body[4096], first_body[4096]; /* that was sent last; first */
	bool truncated; /* says the header field of its answer */
	char url[128], tenant[64], token[64];
	uint64_t timeout_ns;
	uint64_t waited_ns; /* in all; the clock goes on only then */
};

/* Not a terminal, UTF-8, at the time of the golden files. */
void world_init(struct world *w);
void world_fini(struct world *w);
void world_env(struct world *w, const char *name, const char *value);
/* Run "weir" with the words of `line` (no quoting), or with words behind it up to NULL. */
int world_run(struct world *w, const char *line);
int world_run_words(struct world *w, char **argv);
/* Fail unless the exit code is this and standard error contains the text. */
void world_expect(struct world *w, const char *line, int exit_code, const char *err_text);

#endif
