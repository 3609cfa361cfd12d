/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/child.h"

#include "base/arena.h"
#include "sys/confine.h"
#include "sys/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIR_BYTES = 4 << 20, READ_BYTES = 65536 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SHADOWED = 1 }; /* much more memory is taken than is asked for */
#else
enum { SHADOWED = 0 };
#endif

/* Nothing of what the environment says of keys and tokens. */
static char **
few_variables(void)
{
	static const char *const kept[] = {
	    "LD_LIBRARY_PATH=", "LANG=", "LC_ALL=", "TZDIR=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
	    "TSAN_OPTIONS=", "LSAN_OPTIONS=", "LLVM_PROFILE_FILE="};
	size_t count = 0;
	char **out = xcalloc(ARRAY_LEN(kept) + 1, sizeof(*out));
	for (char **e = environ; e && *e && count < ARRAY_LEN(kept); e++)
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			if (strncmp(*e, kept[i], strlen(kept[i])) == 0)
				out[count++] = *e;
	return out;
}

static int
spawn(const char *const *argv, int fd, pid_t *pid_out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	char **env = few_variables();
	sigemptyset(&none);
	sigfillset(&all);
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawnattr_init(&attr) == 0);
	int e = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(&actions, 0, 1);
	/* What a library says at its end may have a stranger's text in it. */
	if (e == 0 && !SHADOWED)
		e = posix_spawn_file_actions_adddup2(&actions, 0, 2);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(&actions, fd, CHILD_FD);
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(&actions, CHILD_FD + 1);
	CHECK(posix_spawnattr_setsigmask(&attr, &none) == 0);
	CHECK(posix_spawnattr_setsigdefault(&attr, &all) == 0);
	CHECK(posix_spawnattr_setflags(&attr,
	          (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)) == 0);
	if (e == 0)
		e = posix_spawn(pid_out, "/proc/self/exe", &actions, &attr,
		    (char *const *)(uintptr_t)argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	free(env);
	return e;
}

enum err_code
child_start(const char *const *argv, struct child *out, struct err *err)
{
	int pair[2];
	pid_t pid = 0;
	*out = (struct child){.fd = -1};
	enum err_code code = tcp_pair(PAIR_BYTES, pair, err);
	if (code != ERR_OK)
		return code;
	/* dup2() of a descriptor to itself would leave it to be closed by exec. */
	int theirs = pair[1];
	if (theirs == CHILD_FD) {
		theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, CHILD_FD + 1);
		close(pair[1]);
	}
	int e = theirs < 0 ? errno : spawn(argv, theirs, &pid);
	tcp_close(theirs);
	if (e != 0) {
		tcp_close(pair[0]);
		return err_set_errno(err, ERR_BUSY, e, "cannot start a process");
	}
	out->pid = pid;
	out->fd = pair[0];
	return ERR_OK;
}

int
child_end(struct child *c)
{
	int status = 0;
	if (c->pid == 0)
		return 0;
	/* It may have ended by itself a moment ago: then how it did is told, not that it was killed. */
	pid_t gone = waitpid(c->pid, &status, WNOHANG);
	if (gone == 0) {
		(void)kill(c->pid, SIGKILL);
		while ((gone = waitpid(c->pid, &status, 0)) < 0 && errno == EINTR)
			;
	}
	tcp_close(c->fd);
	*c = (struct child){.fd = -1};
	return gone > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* A number of /proc/<pid>/statm, in bytes; 0: there is no such process. */
static uint64_t
statm(const char *path, int field)
{
	char line[256] = "";
	uint64_t pages = 0;
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	struct str rest = str_from(fgets(line, sizeof(line), f) ? line : "");
	fclose(f);
	for (int i = 0; i < field; i++)
		rest = str_skip(rest, str_find(rest, ' ') + 1);
	rest.len = str_find(rest, ' ');
	return str_to_u64(rest, &pages) ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

enum { STATM_RESIDENT = 1, STATM_SHARED = 2, STATM_DATA = 5 };

uint64_t
child_memory(const struct child *c)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/%d/statm", c->pid);
	if (c->pid == 0 || SHADOWED)
		return 0;
	uint64_t resident = statm(path, STATM_RESIDENT), shared = statm(path, STATM_SHARED);
	return resident > shared ? resident - shared : 0;
}

/* ---- in the child */

static void
limit(__rlimit_resource_t what, uint64_t max)
{
	struct rlimit now, to = {.rlim_cur = max, .rlim_max = max};
	if (getrlimit(what, &now) == 0 && now.rlim_max < max)
		to.rlim_cur = to.rlim_max = now.rlim_max;
	(void)setrlimit(what, &to);
}

/* Memory of its own that it may write to, as RLIMIT_DATA counts it: what is only reserved, as the C library does for its
 * heaps, and what is mapped of files does not count. */
static uint64_t
data_bytes(void)
{
	uint64_t bytes = statm("/proc/self/statm", STATM_DATA);
	return bytes > 0 ? bytes : UINT64_C(1) << 30;
}

static void
be_killed_first(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = write(fd, "1000", 4);
	(void)n;
	close(fd);
}

void
child_confine(const struct child_limits *l)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	CHECK(sigaction(SIGXFSZ, &ignore, NULL) == 0); /* write() fails with EFBIG */
	CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
	CHECK(sigaction(SIGINT, &ignore, NULL) == 0); /* of the terminal that the parent runs at */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct pollfd parent = {.fd = CHILD_FD};
	if (poll(&parent, 1, 0) > 0 && (parent.revents & POLLHUP) != 0)
		_exit(0); /* it died before that was said */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	be_killed_first();
	(void)setpriority(PRIO_PROCESS, 0, 5);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, l->file_bytes);
	if (l->memory_bytes > 0 && !SHADOWED)
		limit(RLIMIT_DATA, data_bytes() + l->memory_bytes);
	if (!SHADOWED) /* sanitizers look around when they report */
		(void)confine_process(l->dir);
}

int
child_memory_file(void)
{
	return memfd_create("weir", MFD_CLOEXEC);
}

bool
child_read_file(int fd, bool (*take)(void *ctx, const void *bytes, size_t n), void *ctx)
{
	char bytes[READ_BYTES];
	off_t at = 0;
	for (;;) {
		ssize_t n = pread(fd, bytes, sizeof(bytes), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		if (!take(ctx, bytes, (size_t)n))
			return false;
		at += n;
	}
}

void
child_empty_file(int fd)
{
	int e = ftruncate(fd, 0);
	(void)e;
}

_Noreturn void
child_exit(int code)
{
	_exit(code);
}
