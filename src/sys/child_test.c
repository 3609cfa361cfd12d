/* SPDX-License-Identifier: Apache-2.0 */
/* Each test is a process of its own: what it gives up is gone for it alone. */
#include "sys/child.h"

#include "sys/confine.h"
#include "sys/thread.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int
open_error(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	int e = fd < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return e;
}

static void
note(void *ctx)
{
	*(bool *)ctx = true;
}

static struct confined
confine_here(const char *dir)
{
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	return confine_process(dir);
}

TEST(sys, confined_process_reaches_no_files_but_its_own)
{
	char own[512], other[512], here[64];
	const char *dir = test_tmp_dir();
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(own, sizeof(own), "%s/own", dir);
	assert_int_equal(open_error(other, O_CREAT | O_WRONLY), 0);
	assert_int_equal(mkdir(own, 0700), 0);
	int memory = child_memory_file();
	if (!confine_here(own).files)
		skip(); /* this kernel has no Landlock */
	assert_int_equal(open_error("/etc/passwd", O_RDONLY), EACCES);
	assert_int_equal(open_error("/proc/1/environ", O_RDONLY), EACCES);
	assert_int_equal(open_error(other, O_RDONLY), EACCES);
	assert_int_equal(open_error(other, O_WRONLY), EACCES);
	snprintf(own, sizeof(own), "%s/own/x", dir);
	assert_int_equal(open_error(own, O_CREAT | O_WRONLY), 0);
	assert_int_equal(open_error(own, O_RDONLY), 0);
	assert_int_equal(unlink(own), 0);
	assert_int_equal(unlink(other), -1);
	snprintf(here, sizeof(here), "/proc/self/fd/%d", memory);
	assert_int_equal(open_error(here, O_RDWR), 0);
}

TEST(sys, confined_process_starts_threads_and_nothing_else)
{
	char *argv[] = {NULL};
	bool ran = false;
	struct thread t;
	struct err err;
	if (!confine_here(test_tmp_dir()).calls)
		skip(); /* this machine has no filter of calls */
	assert_int_equal(socket(AF_INET, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(socket(AF_UNIX, SOCK_STREAM, 0), -1);
	assert_int_equal(execve("/bin/true", argv, argv), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fork(), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(kill(getppid(), 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(thread_start(&t, "t", note, &ran, &err), ERR_OK);
	thread_join(&t);
	assert_true(ran);
}

TEST(sys, child_that_was_ended_is_gone_and_how_it_ended_is_told)
{
	static const char *const argv[] = {"weir-test", "sql-worker", NULL};
	struct child c, again;
	struct err err;
	assert_int_equal(child_start(argv, &c, &err), ERR_OK);
	int pid = c.pid;
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(child_end(&c), SIGKILL);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(child_end(&c), 0);
	/* One that ends by itself, since nobody talks to it any more. */
	assert_int_equal(child_start(argv, &again, &err), ERR_OK);
	shutdown(again.fd, SHUT_RDWR);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)again.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(child_end(&again), 0);
}
