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
	note(w->previous_path, sizeof w->previous_path, str_from(w->path));
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

static enum err_code
answer_post(void *ctx, const struct cli_server *server, struct str path, struct str json,
    int *status_out, bool *truncated_out, struct buf *body_out, struct err *err)
{
	struct world *w = ctx;
	note(w->body, sizeof w->body, json);
	if (w->asked == 0)
		note(w->first_body, sizeof w->first_body, json);
	if (truncated_out)
		*truncated_out = w->truncated;
	return answer_send(ctx, server, "POST", path, status_out, body_out, err);
}

/* The next answer as a stream, in two pieces. */
static enum err_code
answer_follow(void *ctx, const struct cli_server *server, struct str path,
    bool (*take)(void *take_ctx, struct str bytes), void *take_ctx, int *status_out,
    struct buf *body_out, struct err *err)
{
	struct buf body = {0};
	enum err_code code = answer(ctx, server, path, status_out, &body, err);
	struct str text = buf_view(&body);
	if (code == ERR_OK && *status_out != 200)
		buf_str(body_out, text);
	else if (code == ERR_OK && text.len > 0 && take(take_ctx, str_of(text.ptr, text.len / 2)))
		(void)take(take_ctx, str_skip(text, text.len / 2));
	buf_fini(&body);
	return code;
}

static bool
is_stopping(void *ctx)
{
	const struct world *w = ctx;
	return w->asked >= (w->streams > 0 ? w->streams : 1);
}

static uint64_t
wait_not(void *ctx, uint64_t ns)
{
	struct world *w = ctx;
	w->waited_ns += ns;
	return w->io.now_unix_ns + w->waited_ns;
}

/* A line of what there is; the last one is typed again and again, unless it ends with a line's end. */
static bool
type_line(void *ctx, char *out, size_t size)
{
	struct world *w = ctx;
	bool there = w->typed != NULL;
	size_t n = there ? strcspn(w->typed, "\n") : 0;
	snprintf(out, size, "%.*s", (int)n, there ? w->typed : "");
	if (there && w->typed[n] == '\n')
		w->typed = w->typed[n + 1] ? w->typed + n + 1 : NULL;
	return there;
}

static enum err_code
type_all(void *ctx, struct buf *out, struct err *err)
{
	const struct world *w = ctx;
	(void)err;
	buf_str(out, str_from(w->typed ? w->typed : ""));
	return ERR_OK;
}

void
world_init(struct world *w)
{
	*w = (struct world){.status = 200};
	w->io = (struct cli_io){.now_unix_ns = UINT64_C(1795187531000000042),
	    .env = get_env,
	    .get = answer,
	    .send = answer_send,
	    .post = answer_post,
	    .follow = answer_follow,
	    .stopping = is_stopping,
	    .wait = wait_not,
	    .read_line = type_line,
	    .read_all = type_all,
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
	return 7;
}

int
world_run_words(struct world *w, char **argv)
{
	static const struct usage_option options[] = {
	    {.name = "data-dir", .value = "DIR", .help = "where everything is kept"},
	    {.name = "config", .value = "FILE", .help = "read options from it"},
	    {.name = "format", .value = "FORMAT", .help = "how", .words = "text|json"},
	    {.name = ""},
	};
	static const struct usage serve = {
	    .name = "serve", .help = "run the server", .example = "weir serve", .options = options};
	static const struct usage load = {.name = "load",
	    .help = "send what files hold",
	    .example = "weir load x",
	    .arguments = "FILE...",
	    .argument = {.value = "FILE", .repeat = true}};
	static const struct cli_command extra[] = {
	    {&serve, extra_run, OP_RUN}, {&load, extra_run, OP_RUN}, {.usage = NULL}};
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
