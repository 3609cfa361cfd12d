/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/measure.h"
#include "sys/process.h"
#include "sys/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
burn_until_cpu(uint64_t cpu_ns)
{
	while (clock_cpu_ns() < cpu_ns)
		;
}

TEST(measure, cpu_time_of_a_process_is_what_the_process_itself_sees)
{
	struct measure_process before, after;
	struct err err;
	uint64_t own = clock_cpu_ns();
	assert_int_equal(measure_process((uint64_t)getpid(), &before, &err), ERR_OK);
	burn_until_cpu(clock_cpu_ns() + 30 * NS_PER_MS);
	assert_int_equal(measure_process((uint64_t)getpid(), &after, &err), ERR_OK);
	uint64_t own_after = clock_cpu_ns();
	assert_true(before.cpu_ns >= own);
	assert_true(after.cpu_ns <= own_after);
	assert_true(after.cpu_ns - before.cpu_ns >= 30 * NS_PER_MS);
}

TEST(measure, resident_memory_grows_by_what_is_touched_and_the_peak_stays)
{
	enum { BYTES = 64 << 20 };
	struct measure_process before, with, after;
	uint64_t pid = (uint64_t)getpid();
	assert_int_equal(measure_process(pid, &before, NULL), ERR_OK);
	char *memory = malloc(BYTES);
	assert_non_null(memory);
	memset(memory, 1, BYTES);
	assert_int_equal(measure_process(pid, &with, NULL), ERR_OK);
	free(memory);
	assert_int_equal(measure_process(pid, &after, NULL), ERR_OK);
	assert_true(with.resident_bytes >= before.resident_bytes + BYTES / 2);
	assert_true(after.resident_peak_bytes >= before.resident_bytes + BYTES / 2);
}

TEST(measure, a_process_that_has_ended_is_not_found)
{
	struct measure_process p;
	struct err err = {0};
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	/* Ended, not waited for: a zombie. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(measure_process((uint64_t)pid, &p, &err), ERR_NOT_FOUND);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(measure_process((uint64_t)pid, &p, &err), ERR_NOT_FOUND);
	assert_int_equal(measure_process(0, &p, &err), ERR_NOT_FOUND);
	assert_int_equal(measure_process(UINT64_MAX, &p, &err), ERR_NOT_FOUND);
	assert_int_equal(measure_threads((uint64_t)pid, NULL, 0), 0);
}

static void
burn(void *ctx)
{
	atomic_bool *go_on = ctx;
	while (atomic_load(go_on))
		;
}

TEST(measure, a_busy_thread_is_found_by_name_with_its_cpu_time)
{
	struct measure_thread threads[16];
	struct thread t = {0};
	struct err err;
	atomic_bool go_on = true;
	uint64_t cpu_ns = 0;
	assert_int_equal(thread_start(&t, "burner", burn, &go_on, &err), ERR_OK);
	/* However slow the machine: it gets there, or the test runner's time limit says so. */
	while (cpu_ns < 20 * NS_PER_MS) {
		size_t n = measure_threads((uint64_t)getpid(), threads, 16);
		for (size_t i = 0; i < n; i++)
			if (strcmp(threads[i].name, "burner") == 0)
				cpu_ns = threads[i].cpu_ns;
		clock_sleep_ns(NS_PER_MS);
	}
	atomic_store(&go_on, false);
	thread_join(&t);
	assert_true(cpu_ns <= clock_cpu_ns());
	assert_int_equal(measure_threads((uint64_t)getpid(), threads, 1), 1);
}

static void
put_file(const char *dir, const char *name, size_t bytes)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(fputc('x', f), 'x');
	assert_int_equal(fclose(f), 0);
}

TEST(measure, a_tree_has_the_bytes_of_all_its_files_and_of_no_link)
{
	const char *dir = test_tmp_dir();
	char path[512];
	struct err err = {0};
	uint64_t bytes = 0;
	put_file(dir, "a", 1000);
	snprintf(path, sizeof(path), "%s/sub", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put_file(path, "b", 234);
	snprintf(path, sizeof(path), "%s/sub/link", dir);
	assert_int_equal(symlink("../a", path), 0);
	assert_int_equal(measure_tree(dir, &bytes, &err), ERR_OK);
	assert_int_equal(bytes, 1234);
	snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(measure_tree(path, &bytes, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, path));
}

TEST(measure, the_machine_says_what_it_is)
{
	struct measure_machine m;
	char fs[MEASURE_NAME_BYTES];
	measure_machine(&m);
	assert_int_equal(m.cpus, thread_cpu_count());
	assert_true(strncmp(m.kernel, "Linux ", 6) == 0);
	assert_int_equal(m.memory_bytes / (uint64_t)sysconf(_SC_PAGESIZE),
	    (uint64_t)sysconf(_SC_PHYS_PAGES));
	measure_filesystem("/proc", fs);
	assert_string_equal(fs, "0x9fa0"); /* PROC_SUPER_MAGIC */
	measure_filesystem("/nowhere/at/all", fs);
	assert_string_equal(fs, "?");
}
