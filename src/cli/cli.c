/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_priv.h"

#include "base/timefmt.h"
#include "http/client.h"
#include "sys/clock.h"
#include "sys/signal.h"
#include "sys/term.h"

#include <stdlib.h>

/* A stream has signs of life: a server that gives none for so long has gone without a word. */
enum { CONNECT_TIMEOUT_MS = 5000, SILENCE_MAX_MS = 90000 };

int
cli_fail(const struct cli_io *io, int exit_code, const struct err *err)
{
	struct buf line;
	buf_init(&line, 0);
	/* Plain ASCII: an error must be readable in every locale. */
	text_clean(&line, str_from(err->message), false);
	fflush(io->out);
	fprintf(io->err, "weir: %.*s\n", STR_ARG(buf_view(&line)));
	buf_fini(&line);
	return exit_code;
}

/* ---- the real world */

struct world {
	cli_offline_fn offline;
	bool waits_for_signals, stopping;
};

static enum err_code
open_client(const struct cli_server *server, size_t body_bytes_max, struct http_client **out,
    struct err *err)
{
	uint64_t timeout_ms = server->timeout_ns / NS_PER_MS;
	struct http_client_options opt = {.base_url = server->url,
	    .connect_timeout_ms =
	        timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms + 1 : CONNECT_TIMEOUT_MS,
	    .timeout_ms = timeout_ms + 1, /* never 0: that would be no limit */
	    .body_bytes_max = body_bytes_max,
	    .tls = {.ca = server->ca, .cert = server->client_cert, .key = server->client_key},
	    .token = server->token,
	    .tenant = server->tenant};
	return http_client_open(&opt, out, err);
}

static enum err_code
exchange(const struct cli_server *server, const struct http_client_request *req,
    struct http_client_answer *answer, struct err *err)
{
	struct http_client *client;
	enum err_code code = open_client(server, answer->body->bytes_max, &client, err);
	if (code)
		return code;
	code = http_client_exchange(client, req, answer, err);
	http_client_close(client);
	return code;
}

static enum err_code
send_over_http(void *ctx, const struct cli_server *server, const char *method, struct str path,
    int *status_out, struct buf *body_out, struct err *err)
{
	const struct world *world = ctx;
	if (server->data_dir.len > 0) {
		if (!world->offline)
			return err_set(err, ERR_UNIMPLEMENTED,
			    "this needs a server: leave out --data-dir");
		*status_out = world->offline(server->data_dir, method, path, body_out);
		return ERR_OK;
	}
	struct http_client_answer answer = {.body = body_out};
	enum err_code code = exchange(server,
	    &(struct http_client_request){.method = method, .path_and_query = path}, &answer, err);
	*status_out = answer.status;
	return code;
}

static enum err_code
get_over_http(void *ctx, const struct cli_server *server, struct str path, int *status_out,
    struct buf *body_out, struct err *err)
{
	return send_over_http(ctx, server, "GET", path, status_out, body_out, err);
}

static enum err_code
post_over_http(void *ctx, const struct cli_server *server, struct str path, struct str json,
    int *status_out, bool *truncated_out, struct buf *body_out, struct err *err)
{
	struct http_client_answer answer = {.body = body_out};
	const struct http_client_request req = {.method = "POST",
	    .path_and_query = path,
	    .content_type = "application/json",
	    .body = json,
	    .wanted = "X-Weir-Truncated"};
	(void)ctx;
	enum err_code code = exchange(server, &req, &answer, err);
	*status_out = answer.status;
	if (truncated_out)
		*truncated_out = strcmp(answer.field, "true") == 0;
	return code;
}

static bool
is_stopping(void *ctx)
{
	struct world *world = ctx;
	if (world->waits_for_signals && signal_wait_stop(0) != 0)
		world->stopping = true;
	return world->stopping;
}

struct following {
	struct world *world;
	bool (*take)(void *take_ctx, struct str bytes);
	void *take_ctx;
};

static bool
take_of_stream(void *ctx, struct str bytes)
{
	struct following *f = ctx;
	return f->take(f->take_ctx, bytes);
}

static bool
go_on_with_stream(void *ctx)
{
	struct following *f = ctx;
	return !is_stopping(f->world);
}

static enum err_code
follow_over_http(void *ctx, const struct cli_server *server, struct str path,
    bool (*take)(void *take_ctx, struct str bytes), void *take_ctx, int *status_out,
    struct buf *body_out, struct err *err)
{
	struct following f = {ctx, take, take_ctx};
	const struct http_client_follower follower = {.take = take_of_stream,
	    .go_on = go_on_with_stream,
	    .ctx = &f,
	    .silence_max_ms = SILENCE_MAX_MS};
	struct http_client *client;
	enum err_code code = open_client(server, body_out->bytes_max, &client, err);
	if (code)
		return code;
	if (!f.world->waits_for_signals) {
		signal_block_stop();
		term_die_quietly_on_closed_pipe(); /* the line before has it ignored */
	}
	f.world->waits_for_signals = true;
	code = http_client_follow(client, path, &follower, status_out, body_out, err);
	http_client_close(client);
	return code;
}

static uint64_t
wait_for_real(void *ctx, uint64_t ns)
{
	(void)ctx;
	clock_sleep_ns(ns);
	return clock_unix_ns();
}

/* An answer may go to a file while its question is typed. */
static FILE *
screen_of_terminal(void)
{
	if (!term_is_tty(TERM_STDIN))
		return NULL;
	if (term_is_tty(TERM_STDOUT))
		return stdout;
	return term_is_tty(TERM_STDERR) ? stderr : NULL;
}

static bool
read_line_of_terminal(void *ctx, char *out, size_t size)
{
	(void)ctx;
	if (!fgets(out, (int)size, stdin))
		return false;
	out[strcspn(out, "\n")] = '\0';
	return true;
}

static enum err_code
read_all_of_input(void *ctx, struct buf *out, struct err *err)
{
	char bytes[65536];
	size_t n;
	(void)ctx;
	while ((n = fread(bytes, 1, sizeof bytes, stdin)) > 0)
		buf_append(out, bytes, n);
	if (ferror(stdin))
		return err_set(err, ERR_IO, "cannot read standard input");
	return out->failed
	    ? err_set(err, ERR_TOO_LARGE, "standard input has more than %zu bytes", out->bytes_max)
	    : ERR_OK;
}

static const char *
env_of_process(const char *name)
{
	return getenv(name);
}

/* ---- commands */

static bool
is_one_of(const char *arg, const char *a, const char *b)
{
	return strcmp(arg, a) == 0 || strcmp(arg, b) == 0;
}

/* `weir help [COMMAND [VERB]]`; names ends with NULL. */
static int
run_help(const struct cli_io *io, char *const *names, const struct cli_catalog *c)
{
	const struct cli_verb *verb = NULL;
	if (!names[0] || is_one_of(names[0], "--help", "-h")) {
		cli_help_overview(io->out, c);
		return CLI_OK;
	}
	if (strcmp(names[0], "--mdoc") == 0) {
		cli_manual(io->out, c);
		return CLI_OK;
	}
	const struct cli_entry *e = cli_find(c, str_from(names[0]));
	if (!e)
		return cli_no_command(io, c, str_from(names[0]));
	if (e->group && names[1] && cli_has_verbs(e->group) &&
	    !is_one_of(names[1], "--help", "-h")) {
		verb = cli_find_verb(e->group, str_from(names[1]));
		if (!verb || !*names[1])
			return cli_no_verb(io, e->group, names[1]);
	}
	cli_help_entry(io->out, e, verb);
	return CLI_OK;
}

/* What stands around the command's name, in one array. */
static int
run_client(const struct cli_io *io, const struct op *op, int at, int argc, char **argv)
{
	char **rest = xcalloc((size_t)argc, sizeof *rest);
	int count = 0;
	for (int i = 1; i < argc; i++)
		if (i != at)
			rest[count++] = argv[i];
	struct cli_request req;
	struct err e = {0};
	int exit_code;
	if (cli_parse(io, op, NULL, count, rest, &req, &e)) {
		exit_code = cli_fail(io, CLI_USAGE, &e);
		fprintf(io->err, "try: weir %s --help\n", op->name);
	} else if (req.help) {
		cli_help_entry(io->out, &(struct cli_entry){.op = op}, NULL);
		exit_code = CLI_OK;
	} else {
		exit_code = cli_ask(io, &req);
	}
	free(rest);
	return exit_code;
}

/* Its words stand behind its name, global options around it too. */
static int
run_group(const struct cli_io *io, const struct cli_group *group, int at, int argc, char **argv)
{
	char **words = xcalloc((size_t)argc + 1, sizeof *words);
	int count = 0;
	words[count++] = argv[at];
	for (int i = at + 1; i < argc; i++)
		words[count++] = argv[i];
	for (int i = 1; i < at; i++)
		words[count++] = argv[i];
	int exit_code = cli_run_group(io, group, count, words);
	free(words);
	return exit_code;
}

static int
print_version(const struct cli_io *io, const char *version)
{
	fprintf(io->out, "weir %s\n", version);
	return CLI_OK;
}

/* Commands that parse their own options; --help of them all is answered here. */
static int
run_extra(const struct cli_io *io, const struct cli_entry *e, int at, int argc, char **argv)
{
	if (at > 1) {
		struct err err = {0};
		err_set(&err, ERR_INVALID, "options of %s stand behind it: weir %s ...", e->name,
		    e->name);
		return cli_fail(io, CLI_USAGE, &err);
	}
	if (!usage_asks_help(argc - at, argv + at))
		return e->extra->run(argc - at, argv + at);
	cli_help_entry(io->out, e, NULL);
	return CLI_OK;
}

static int
run_own(const struct cli_io *io, const struct cli_catalog *c, const struct cli_entry *e, int argc,
    char **argv, const char *version)
{
	if (strcmp(e->name, "help") == 0)
		return run_help(io, argv + 1, c);
	if (usage_asks_help(argc, argv)) {
		cli_help_entry(io->out, e, NULL);
		return CLI_OK;
	}
	if (strcmp(e->name, "completion") == 0)
		return cli_completion(io, argc, argv, c);
	return print_version(io, version);
}

static int
run_command(const struct cli_io *io, int at, int argc, char **argv, const struct cli_catalog *c,
    const char *version)
{
	const struct cli_entry *e = cli_find(c, str_from(argv[at]));
	if (!e)
		return cli_no_command(io, c, str_from(argv[at]));
	if (e->extra)
		return run_extra(io, e, at, argc, argv);
	if (e->own)
		return run_own(io, c, e, argc - at, argv + at, version);
	return e->group ? run_group(io, e->group, at, argc, argv)
	                : run_client(io, e->op, at, argc, argv);
}

int
cli_main(const struct cli_io *io, int argc, char **argv, const struct cli_command *extra,
    const char *version)
{
	struct cli_catalog c;
	int at = cli_find_command(argc, argv);
	cli_catalog_init(&c, extra);
	for (int i = 1; i < at; i++) {
		if (is_one_of(argv[i], "--help", "-h"))
			return run_help(io, argv + at, &c);
		if (is_one_of(argv[i], "--version", "-V"))
			return print_version(io, version);
	}
	if (at < argc)
		return run_command(io, at, argc, argv, &c, version);
	if (argc > 1) {
		struct err e = {0};
		err_set(&e, ERR_INVALID, "no command behind \"%.40s\"; weir --help lists them",
		    argv[argc - 1]);
		return cli_fail(io, CLI_USAGE, &e);
	}
	cli_help_overview(io->err, &c);
	return CLI_USAGE;
}

int
cli_run(int argc, char **argv, const struct cli_command *extra, cli_offline_fn offline,
    const char *version)
{
	struct world world = {.offline = offline};
	struct cli_io io = {.out = stdout,
	    .err = stderr,
	    .in_is_tty = term_is_tty(TERM_STDIN),
	    .out_is_tty = term_is_tty(TERM_STDOUT),
	    .err_is_tty = term_is_tty(TERM_STDERR),
	    .width = term_width(TERM_STDOUT),
	    .screen = screen_of_terminal(),
	    .now_unix_ns = clock_unix_ns(),
	    .env = env_of_process,
	    .get = get_over_http,
	    .send = send_over_http,
	    .post = post_over_http,
	    .follow = follow_over_http,
	    .stopping = is_stopping,
	    .wait = wait_for_real,
	    .read_line = read_line_of_terminal,
	    .read_all = read_all_of_input,
	    .ctx = &world};
	term_die_quietly_on_closed_pipe();
	int exit_code = cli_main(&io, argc, argv, extra, version);
	if (fflush(stdout) != 0 && exit_code == CLI_OK)
		exit_code = CLI_ERROR;
	return exit_code;
}
