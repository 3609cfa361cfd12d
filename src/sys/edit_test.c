/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/edit.h"

#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Three processes: the test; the leader of a session that has a terminal of its own, which says who may use it; and
 * somebody who types a line there. Whoever changes the terminal without being in front is stopped (SIGTTOU), while
 * writing is allowed: so it can be seen what had been written by then.
 */
enum { LEFT = 10 }; /* the codes below are what went wrong */

struct desk {
	int master, terminal;
	int ready[2], go[2];
};

static void
must(bool good, int code)
{
	if (!good)
		_exit(code);
}

static _Noreturn void
type_a_line(const struct desk *d)
{
	struct str line = STR_EMPTY;
	char byte = 0;
	FILE *screen = fdopen(d->terminal, "w");
	must(screen && dup2(d->terminal, STDIN_FILENO) == STDIN_FILENO, 1);
	must(read(d->go[0], &byte, 1) == 1, 2); /* in front */
	struct edit *e = edit_new(screen, 10);
	must(e && write(d->ready[1], "r", 1) == 1, 3);
	must(read(d->go[0], &byte, 1) == 1, 4); /* not any more */
	enum edit_what what = edit_line(e, "prompt> ", &line);
	edit_free(e);
	_exit(what == EDIT_END ? LEFT : 5);
}

/* What the screen shows, until that comes or, without it, as far as it is there now. */
static bool
sees(const struct desk *d, const char *text)
{
	char shown[1024] = {0};
	size_t n = 0;
	(void)fcntl(d->master, F_SETFL, text ? 0 : O_NONBLOCK);
	while (n < sizeof(shown) - 1) {
		ssize_t got = read(d->master, shown + n, sizeof(shown) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		if (text && memmem(shown, n, text, strlen(text)))
			return true;
	}
	return !text && memmem(shown, n, "prompt", 6) != NULL;
}

static _Noreturn void
lead(struct desk *d, const char *name)
{
	char byte;
	int status = 0;
	must(setsid() > 0, 20);
	d->terminal = open(name, O_RDWR); /* it is the session's from now on */
	must(d->terminal >= 0, 21);
	pid_t typist = fork();
	if (typist == 0) {
		must(setpgid(0, 0) == 0, 22);
		type_a_line(d);
	}
	(void)setpgid(typist, typist);
	(void)signal(SIGTTOU, SIG_IGN);
	must(tcsetpgrp(d->terminal, typist) == 0, 23);
	must(write(d->go[1], "g", 1) == 1 && read(d->ready[0], &byte, 1) == 1, 24);
	must(tcsetpgrp(d->terminal, getpgrp()) == 0, 25);
	must(write(d->go[1], "g", 1) == 1, 26);
	must(waitpid(typist, &status, WUNTRACED) == typist && WIFSTOPPED(status), 27);
	must(!sees(d, NULL), 28);
	must(tcsetpgrp(d->terminal, typist) == 0 && kill(typist, SIGCONT) == 0, 29);
	must(sees(d, "prompt> "), 30);
	must(write(d->master, "\x04", 1) == 1, 31);
	must(waitpid(typist, &status, 0) == typist && WIFEXITED(status), 32);
	_exit(WEXITSTATUS(status));
}

/* What is typed at a prompt is read as keys: Ctrl-D would be lost in a terminal that still waits for whole lines. */
TEST(sys, a_prompt_is_shown_when_the_terminal_is_ready_for_keys)
{
	struct desk d = {.master = posix_openpt(O_RDWR | O_NOCTTY)};
	int status;
	assert_true(d.master >= 0);
	assert_int_equal(grantpt(d.master), 0);
	assert_int_equal(unlockpt(d.master), 0);
	assert_int_equal(pipe(d.ready), 0);
	assert_int_equal(pipe(d.go), 0);
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
	const char *name = ptsname(d.master);
	assert_non_null(name);
	pid_t leader = fork();
	if (leader == 0)
		lead(&d, name);
	assert_int_equal(waitpid(leader, &status, 0), leader);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), LEFT);
}
