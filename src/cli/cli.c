/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_priv.h"

#include "base/timefmt.h"
#include "http/client.h"
#include "sys/clock.h"
#include "sys/term.h"

#include <stdlib.h>

enum { COMMANDS_MAX = 64, CONNECT_TIMEOUT_MS = 5000 };

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
};

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
	uint64_t timeout_ms = server->timeout_ns / NS_PER_MS;
	struct http_client_options opt = {.base_url = server->url,
	    .connect_timeout_ms =
	        timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms + 1 : CONNECT_TIMEOUT_MS,
	    .timeout_ms = timeout_ms + 1, /* never 0: that would be no limit */
	    .body_bytes_max = body_out->bytes_max,
	    .tls = {.ca = server->ca, .cert = server->client_cert, .key = server->client_key},
	    .token = server->token,
	    .tenant = server->tenant};
	struct http_client *client;
	enum err_code code = http_client_open(&opt, &client, err);
	if (code)
		return code;
	code = http_client_send(client, method, path, status_out, body_out, err);
	http_client_close(client);
	return code;
}

static enum err_code
get_over_http(void *ctx, const struct cli_server *server, struct str path, int *status_out,
    struct buf *body_out, struct err *err)
{
	return send_over_http(ctx, server, "GET", path, status_out, body_out, err);
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

/* The operation that is a command by itself; NULL: there is none of this name. */
static const struct op *
find_op(struct str name)
{
	const struct op *op = ops_find_name(name);
	return op && !op->no_command ? op : NULL;
}

static int
unknown_command(const struct cli_io *io, struct str name, const struct cli_command *extra)
{
	const char *names[COMMANDS_MAX] = {"help", "version"};
	size_t n = 2;
	for (const struct cli_group *g = cli_groups; g->name && n < COMMANDS_MAX - 1; g++)
		names[n++] = g->name;
	for (const struct op *op = ops_table; op->name && n < COMMANDS_MAX - 1; op++)
		if (!op->no_command)
			names[n++] = op->name;
	for (; extra && extra->name && n < COMMANDS_MAX - 1; extra++)
		names[n++] = extra->name;
	struct err e = {0};
	const char *near = cli_nearest(name, names);
	if (near)
		err_set(&e, ERR_INVALID, "no command \"%.40s\"; did you mean %s?", name.ptr, near);
	else
		err_set(&e, ERR_INVALID, "no command \"%.40s\"; weir --help lists them", name.ptr);
	return cli_fail(io, CLI_USAGE, &e);
}

const struct cli_group cli_groups[] = {
    {"dlq", cli_dlq_help, cli_dlq, OP_ADMINISTRATE},
    {"keys", cli_keys_help, cli_keys, OP_ADMINISTRATE},
    {"backup", cli_backup_help, cli_backup, OP_ADMINISTRATE},
    {"check", cli_check_help, cli_check, OP_ADMINISTRATE},
    {.name = NULL},
};

int
cli_no_verb(const struct cli_io *io, const char *group, const char *const *verbs, const char *word)
{
	struct err e = {0};
	struct buf all = {0};
	for (size_t i = 0; verbs[i]; i++)
		buf_printf(&all, "%s%s", i == 0 ? "" : verbs[i + 1] ? ", " : " or ", verbs[i]);
	const char *near = word ? cli_nearest(str_from(word), verbs) : NULL;
	if (near)
		err_set(&e, ERR_INVALID, "%s has no \"%.40s\"; did you mean %s?", group, word,
		    near);
	else if (word)
		err_set(&e, ERR_INVALID, "%s has no \"%.40s\": %.*s", group, word,
		    STR_ARG(buf_view(&all)));
	else
		err_set(&e, ERR_INVALID, "%s what: %.*s", group, STR_ARG(buf_view(&all)));
	buf_fini(&all);
	int exit_code = cli_fail(io, CLI_USAGE, &e);
	fprintf(io->err, "try: weir %s --help\n", group);
	return exit_code;
}

static const struct cli_group *
find_group(struct str name)
{
	for (const struct cli_group *g = cli_groups; g->name; g++)
		if (str_eq(str_from(g->name), name))
			return g;
	return NULL;
}

static const struct cli_command *
find_extra(const struct cli_command *extra, struct str name)
{
	for (; extra && extra->name; extra++)
		if (str_eq(str_from(extra->name), name))
			return extra;
	return NULL;
}

static int
run_help(const struct cli_io *io, char *name, const struct cli_command *extra)
{
	if (!name) {
		cli_help_overview(io->out, extra);
		return CLI_OK;
	}
	const struct cli_command *command = find_extra(extra, str_from(name));
	if (command) {
		char flag[] = "--help";
		char *argv[] = {name, flag, NULL};
		return command->run(2, argv);
	}
	const struct cli_group *group = find_group(str_from(name));
	if (group) {
		char flag[] = "--help";
		char *argv[] = {name, flag, NULL};
		return group->run(io, 2, argv);
	}
	const struct op *op = find_op(str_from(name));
	bool is_own = is_one_of(name, "help", "version") || is_one_of(name, "--help", "-h");
	if (!op && !is_own)
		return unknown_command(io, str_from(name), extra);
	if (op)
		cli_help_command(io->out, op);
	else
		cli_help_overview(io->out, extra);
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
	if (cli_parse(io, op, count, rest, &req, &e)) {
		exit_code = cli_fail(io, CLI_USAGE, &e);
		fprintf(io->err, "try: weir %s --help\n", op->name);
	} else if (req.help) {
		cli_help_command(io->out, op);
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
	int exit_code = group->run(io, count, words);
	free(words);
	return exit_code;
}

static int
run_command(const struct cli_io *io, int at, int argc, char **argv, const struct cli_command *extra)
{
	struct str name = str_from(argv[at]);
	const struct cli_command *command = find_extra(extra, name);
	if (command && at > 1) {
		struct err e = {0};
		err_set(&e, ERR_INVALID, "options of %s stand behind it: weir %s ...",
		    command->name, command->name);
		return cli_fail(io, CLI_USAGE, &e);
	}
	if (command)
		return command->run(argc - at, argv + at);
	if (str_eq(name, STR("help")))
		return run_help(io, at + 1 < argc ? argv[at + 1] : NULL, extra);
	const struct cli_group *group = find_group(name);
	if (group)
		return run_group(io, group, at, argc, argv);
	const struct op *op = find_op(name);
	return op ? run_client(io, op, at, argc, argv) : unknown_command(io, name, extra);
}

static int
print_version(const struct cli_io *io, const char *version)
{
	fprintf(io->out, "weir %s\n", version);
	return CLI_OK;
}

int
cli_main(const struct cli_io *io, int argc, char **argv, const struct cli_command *extra,
    const char *version)
{
	int at = cli_find_command(argc, argv);
	for (int i = 1; i < at; i++) {
		if (is_one_of(argv[i], "--help", "-h"))
			return run_help(io, at < argc ? argv[at] : NULL, extra);
		if (is_one_of(argv[i], "--version", "-V"))
			return print_version(io, version);
	}
	if (at < argc && strcmp(argv[at], "version") == 0)
		return print_version(io, version);
	if (at < argc)
		return run_command(io, at, argc, argv, extra);
	if (argc > 1) {
		struct err e = {0};
		err_set(&e, ERR_INVALID, "no command behind \"%.40s\"; weir --help lists them",
		    argv[argc - 1]);
		return cli_fail(io, CLI_USAGE, &e);
	}
	cli_help_overview(io->err, extra);
	return CLI_USAGE;
}

int
cli_run(int argc, char **argv, const struct cli_command *extra, cli_offline_fn offline,
    const char *version)
{
	struct world world = {offline};
	struct cli_io io = {.out = stdout,
	    .err = stderr,
	    .in_is_tty = term_is_tty(TERM_STDIN),
	    .out_is_tty = term_is_tty(TERM_STDOUT),
	    .err_is_tty = term_is_tty(TERM_STDERR),
	    .width = term_width(TERM_STDOUT),
	    .now_unix_ns = clock_unix_ns(),
	    .env = env_of_process,
	    .get = get_over_http,
	    .send = send_over_http,
	    .read_line = read_line_of_terminal,
	    .ctx = &world};
	term_die_quietly_on_closed_pipe();
	int exit_code = cli_main(&io, argc, argv, extra, version);
	if (fflush(stdout) != 0 && exit_code == CLI_OK)
		exit_code = CLI_ERROR;
	return exit_code;
}
