/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/world_test.h"

#include "tests/test.h"

#include <stdlib.h>

enum { WORDS_MAX = 64 };

/* getenv() has no context: the tests run in processes of their own, one world each. */
static struct world *current;

static const char *
get_env(const char *name)
{
	for (size_t i = 0; i < WORLD_NOTES_MAX && current->env[i][0]; i++)
		if (strcmp(current->env[i][0], name) == 0)
			return current->env[i][1];
	return NULL;
}

static void
note(char *to, size_t size, struct str s)
{
	snprintf(to, size, "%.*s", STR_ARG(s));
}

static enum err_code
answer(void *ctx, const struct cli_server *server, struct str path, int *status_out,
    struct buf *body_out, struct err *err)
{
	struct world *w = ctx;
	note(w->path, sizeof w->path, path);
	if (w->asked == 0)
		note(w->first_path, sizeof w->first_path, path);
	note(w->url, sizeof w->url, server->url);
	note(w->tenant, sizeof w->tenant, server->tenant);
	note(w->token, sizeof w->token, server->token);
	w->timeout_ns = server->timeout_ns;
	note(w->method, sizeof w->method, STR("GET"));
	size_t i = (size_t)w->asked++;
	while (i > 0 && (i >= WORLD_NOTES_MAX || !w->answers[i]))
		i--;
	if (w->failure)
		return err_set(err, w->failure, "cannot reach it");
	*status_out = w->status;
	const char *body = w->answers[i] ? w->answers[i] : "";
	buf_append(body_out, body, w->answer_lens[i] ? w->answer_lens[i] : strlen(body));
	return ERR_OK;
}

static enum err_code
answer_send(void *ctx, const struct cli_server *server, const char *method, struct str path,
    int *status_out, struct buf *body_out, struct err *err)
{
	struct world *w = ctx;
	enum err_code code = answer(ctx, server, path, status_out, body_out, err);
	note(w->method, sizeof w->method, str_from(method));
	return code;
}

static bool
type_line(void *ctx, char *out, size_t size)
{
	const struct world *w = ctx;
	snprintf(out, size, "%s", w->typed ? w->typed : "");
	return w->typed != NULL;
}

void
world_init(struct world *w)
{
	*w = (struct world){.status = 200};
	w->io = (struct cli_io){.now_unix_ns = UINT64_C(1795187531000000042),
	    .env = get_env,
	    .get = answer,
	    .send = answer_send,
	    .read_line = type_line,
	    .ctx = w};
	world_env(w, "LANG", "C.UTF-8");
	current = w;
}

void
world_fini(struct world *w)
{
	free(w->out);
	free(w->err);
}

void
world_env(struct world *w, const char *name, const char *value)
{
	for (size_t i = 0; i < WORLD_NOTES_MAX; i++) {
		if (w->env[i][0] && strcmp(w->env[i][0], name) != 0)
			continue;
		w->env[i][0] = name;
		w->env[i][1] = value;
		return;
	}
	fail_msg("too many variables");
}

static int
extra_run(int argc, char **argv)
{
	printf("extra %s with %d\n", argv[0], argc);
	return argc == 2 && strcmp(argv[1], "--help") == 0 ? 42 : 7;
}

int
world_run_words(struct world *w, char **argv)
{
	static const struct cli_command extra[] = {{"serve", "run the server", extra_run, OP_RUN},
	    {"demo", "play a small shop", extra_run, OP_RUN}, {.name = NULL}};
	int argc = 0;
	while (argv[argc])
		argc++;
	free(w->out);
	free(w->err);
	w->io.out = open_memstream(&w->out, &w->out_len);
	w->io.err = open_memstream(&w->err, &w->err_len);
	int exit_code = cli_main(&w->io, argc, argv, extra, "1.2.3");
	fclose(w->io.out);
	fclose(w->io.err);
	return exit_code;
}

int
world_run(struct world *w, const char *line)
{
	char *words[WORDS_MAX] = {NULL};
	char weir[] = "weir";
	char *copy = strdup(line), *save = NULL;
	size_t n = 1;
	words[0] = weir;
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(n < WORDS_MAX - 1);
		words[n++] = word;
	}
	int exit_code = world_run_words(w, words);
	free(copy);
	return exit_code;
}

void
world_expect(struct world *w, const char *line, int exit_code, const char *err_text)
{
	int got = world_run(w, line);
	if (got != exit_code)
		fail_msg("weir %s: exit code %d, not %d: %s", line, got, exit_code, w->err);
	if (!strstr(w->err, err_text))
		fail_msg("weir %s: \"%s\" does not say \"%s\"", line, w->err, err_text);
}
