/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/test_main.c - runs the tests that TEST() registered, each in a forked child.
 *
 * The child's output goes to an unlinked file, which is printed when the test fails. A child
 * ends with 0 (passed), CHILD_SKIPPED, another code (a failed assertion, a sanitizer's report) or
 * by a signal (a crash, a failed CHECK, the time limit).
 */
#include "tests/test.h"

#include "duck/duck.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_SKIPPED 77
#define SECONDS_DEFAULT 300
#define PATH_BYTES_MAX 512
#define KEPT_MAX 256
#define JOBS_MAX 16

struct totals {
	int passed, failed, skipped;
};

/* The tests of a module stand together in the list. */
struct module {
	const char *name; /* of the first of them */
	size_t name_len, count, begun, ended;
	double start_s;
	struct totals sum;
};

/* A test that is running, as many at once as there are processors. The signal handler reads name and pid. */
struct running {
	const char *volatile name; /* NULL: none */
	volatile pid_t pid;
	FILE *out;
	double start_s;
	struct module *module;
	char tmp_dir[PATH_BYTES_MAX];
};

static struct running running[JOBS_MAX];
static size_t jobs = 1;

static struct test_case *cases;
static char tmp_root[PATH_BYTES_MAX]; /* holds the folders of this run */
static char tmp_dir[PATH_BYTES_MAX]; /* of the test begun last; in its child: of it */
static bool verbose;
static bool in_process;

void
test_register(struct test_case *t)
{
	t->next = cases;
	cases = t;
}

static _Noreturn void
give_up(const char *what)
{
	fprintf(stderr, "weir-test: %s: %s\n", what, strerror(errno));
	exit(2);
}

bool
test_is_thorough(void)
{
	return getenv("TEST_THOROUGH") != NULL;
}

/* Memory that lives as long as the test: reachable, so no leak. */
static void *
keep(void *memory)
{
	static void *volatile kept[KEPT_MAX];
	static size_t count;
	assert_non_null(memory);
	assert_true(count < KEPT_MAX);
	kept[count] = memory;
	return kept[count++];
}

const char *
test_tmp_dir(void)
{
	static unsigned count;
	char path[PATH_BYTES_MAX + 16];
	const char *parents[] = {tmp_root, tmp_dir};
	for (size_t i = 0; i < 2; i++)
		if (mkdir(parents[i], 0700) != 0 && errno != EEXIST)
			give_up(parents[i]);
	snprintf(path, sizeof(path), "%s/%u", tmp_dir, count++);
	if (mkdir(path, 0700) != 0)
		give_up(path);
	return keep(strdup(path));
}

static void
golden_path(const char *name, char *path, size_t size)
{
	int n = snprintf(path, size, "tests/golden/%s", name);
	assert_true(n > 0 && (size_t)n < size);
}

const char *
test_golden_read(const char *name, size_t *len_out)
{
	char path[PATH_BYTES_MAX];
	golden_path(name, path, sizeof(path));
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("%s: %s (UPDATE=1 makes it)", path, strerror(errno));
	struct stat st;
	assert_int_equal(fstat(fileno(f), &st), 0);
	char *data = keep(malloc((size_t)st.st_size + 1));
	*len_out = fread(data, 1, (size_t)st.st_size, f);
	data[*len_out] = '\0';
	fclose(f);
	return data;
}

void
test_golden(const char *name, const void *data, size_t len)
{
	char path[PATH_BYTES_MAX];
	golden_path(name, path, sizeof(path));
	const char *update = getenv("UPDATE");
	if (update && strcmp(update, "1") == 0) {
		FILE *f = fopen(path, "wb");
		if (!f)
			fail_msg("%s: %s", path, strerror(errno));
		assert_int_equal(fwrite(data, 1, len, f), len);
		assert_int_equal(fclose(f), 0);
		return;
	}
	size_t want_len;
	const char *want = test_golden_read(name, &want_len);
	if (want_len == len && memcmp(want, data, len) == 0)
		return;
	fail_msg("differs from %s (UPDATE=1 rewrites it)\n--- expected\n%s\n--- got\n%.*s", path,
	    want, (int)len, (const char *)data);
}

void
test_skip(const char *why)
{
	fflush(NULL);
	if (ftruncate(STDOUT_FILENO, 0) == 0) /* nothing but the reason */
		lseek(STDOUT_FILENO, 0, SEEK_SET);
	printf("%s\n", why);
	fflush(NULL);
	_exit(CHILD_SKIPPED);
}

void
test_dies(void (*f)(void *ctx), void *ctx)
{
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		f(ctx);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
		fail_msg("expected an abort, got wait status 0x%x", (unsigned)status);
}

/* cmocka catches SIGSEGV and the like to go on with the next test. Here the process may die of it,
 * which keeps a sanitizer's report and a core file, so the handlers are put back before the run. */
static const int crash_signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))
static struct sigaction crash_actions[CRASH_SIGNALS];

static void
run_under_cmocka(void **state)
{
	const struct test_case *t = *state;
	for (size_t i = 0; i < CRASH_SIGNALS; i++)
		sigaction(crash_signals[i], &crash_actions[i], NULL);
	t->run();
}

static int
run_here(struct test_case *t)
{
	for (size_t i = 0; i < CRASH_SIGNALS; i++)
		sigaction(crash_signals[i], NULL, &crash_actions[i]);
	const struct CMUnitTest one = {t->name, run_under_cmocka, NULL, NULL, t};
	return _cmocka_run_group_tests(t->name, &one, 1, NULL, NULL) == 0 ? 0 : 1;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* test-tmp/<pid>.<module>.<claim>: unlike any other test's, also of another run at the same time. */
static void
name_tmp_dir(const char *test_name)
{
	snprintf(tmp_root, sizeof(tmp_root), "%s/test-tmp", TEST_BUILD_DIR);
	int n = snprintf(tmp_dir, sizeof(tmp_dir), "%s/test-tmp/%d.%s", TEST_BUILD_DIR,
	    (int)getpid(), test_name);
	if (n < 0 || (size_t)n >= sizeof(tmp_dir))
		give_up("the path of the temporary folder is too long");
	*strrchr(tmp_dir, '/') = '.';
}

static void
copy_output(int fd, bool first_line_only)
{
	char block[4096];
	ssize_t n;
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, block, sizeof(block))) > 0) {
		char *end = first_line_only ? memchr(block, '\n', (size_t)n) : NULL;
		if (end) {
			fwrite(block, 1, (size_t)(end - block), stdout);
			return;
		}
		fwrite(block, 1, (size_t)n, stdout);
	}
}

static double
now_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double
seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static _Noreturn void
child(struct test_case *t, int out)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close(out);
	int code = run_here(t);
	fflush(NULL);
	if (code != 0)
		_exit(code); /* an assertion that fails leaks; that is no news */
	exit(0);
}

static void
report(const char *name, int out, int status, bool in_time, double took_s,
    const struct rusage *used, struct totals *sum)
{
	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		sum->passed++;
		if (verbose)
			printf("ok    %s (%.0f ms, %.0f ms of processor)\n", name, took_s * 1e3,
			    (seconds_of(used->ru_utime) + seconds_of(used->ru_stime)) * 1e3);
		return;
	}
	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPPED) {
		sum->skipped++;
		printf("skip  %s: ", name);
		copy_output(out, true);
		printf("\n");
		return;
	}
	sum->failed++;
	printf("FAIL  %s (%.0f ms): ", name, took_s * 1e3);
	if (!in_time)
		printf("not done in time, killed\n");
	else if (WIFSIGNALED(status))
		printf("died of signal %d, %s\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		printf("exit code %d\n", WEXITSTATUS(status));
	copy_output(out, false);
	printf("\n");
}

static void
begin(struct running *r, struct test_case *t, struct module *m)
{
	r->module = m;
	name_tmp_dir(t->name);
	memcpy(r->tmp_dir, tmp_dir, sizeof(tmp_dir));
	r->out = tmpfile();
	if (!r->out)
		give_up("tmpfile");
	fflush(NULL);
	r->start_s = now_s();
	pid_t pid = fork();
	if (pid < 0)
		give_up("fork");
	if (pid == 0)
		child(t, fileno(r->out));
	setpgid(pid, pid);
	r->pid = pid;
	r->name = t->name;
}

/* False: it goes on. Its process group dies with it, or when its time is over. */
static bool
has_ended(struct running *r, double limit_s)
{
	struct totals *sum = &r->module->sum;
	int status = 0, failed_before = sum->failed;
	double took_s = now_s() - r->start_s;
	struct rusage used = {0};
	bool in_time = wait4(r->pid, &status, WNOHANG, &used) != 0;
	if (!in_time && took_s <= limit_s)
		return false;
	kill(-r->pid, SIGKILL); /* also whatever the test started and left behind */
	if (!in_time)
		waitpid(r->pid, &status, 0);
	report(r->name, fileno(r->out), status, in_time, took_s, &used, sum);
	if (sum->failed == failed_before)
		remove_tree(r->tmp_dir);
	else if (access(r->tmp_dir, F_OK) == 0)
		printf("      its files are in %s\n", r->tmp_dir);
	fclose(r->out);
	r->name = NULL;
	return true;
}

/* Only calls that are safe in a signal handler. */
static void
interrupted(int sig)
{
	static const char text[] = "\nweir-test: interrupted while running";
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	for (size_t i = 0; i < jobs; i++) {
		const char *name = running[i].name;
		if (!name)
			continue;
		kill(-running[i].pid, SIGKILL);
		(void)!write(STDERR_FILENO, " ", 1);
		(void)!write(STDERR_FILENO, name, strlen(name));
	}
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(128 + sig);
}

static int
by_name(const void *a, const void *b)
{
	const struct test_case *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static bool
wanted(const struct test_case *t, char **prefixes)
{
	if (!*prefixes)
		return true;
	for (; *prefixes; prefixes++)
		if (strncmp(t->name, *prefixes, strlen(*prefixes)) == 0)
			return true;
	return false;
}

/* The wanted tests, ordered by name, as an array that ends with NULL. */
static struct test_case **
select_cases(char **prefixes, size_t *count_out)
{
	size_t count = 0;
	for (struct test_case *t = cases; t; t = t->next)
		count++;
	struct test_case **list = calloc(count + 1, sizeof(struct test_case *));
	if (!list)
		give_up("calloc");
	size_t n = 0;
	for (struct test_case *t = cases; t; t = t->next)
		if (wanted(t, prefixes))
			list[n++] = t;
	qsort(list, n, sizeof(struct test_case *), by_name);
	*count_out = n;
	return list;
}

static size_t
module_len(const char *name)
{
	return (size_t)(strchrnul(name, '/') - name);
}

static bool
same_module(const char *a, const char *b)
{
	return module_len(a) == module_len(b) && strncmp(a, b, module_len(a)) == 0;
}

/* Modules in the order of the list, as an array. */
static struct module *
find_modules(struct test_case **list, size_t *count_out)
{
	size_t count = 0, tests = 0;
	while (list[tests])
		tests++;
	struct module *modules = calloc(tests + 1, sizeof(*modules));
	if (!modules)
		give_up("calloc");
	for (; *list; list++) {
		if (count == 0 || !same_module(modules[count - 1].name, (*list)->name))
			modules[count++] = (struct module){
			    .name = (*list)->name, .name_len = module_len((*list)->name)};
		modules[count - 1].count++;
	}
	*count_out = count;
	return modules;
}

static void
sum_up(const struct module *m, struct totals *sum)
{
	printf("unit  %-10.*s %4d passed", (int)m->name_len, m->name, m->sum.passed);
	if (m->sum.failed)
		printf(", %d failed", m->sum.failed);
	if (m->sum.skipped)
		printf(", %d skipped", m->sum.skipped);
	printf("  %.1f s\n", now_s() - m->start_s);
	sum->passed += m->sum.passed;
	sum->failed += m->sum.failed;
	sum->skipped += m->sum.skipped;
}

/* Run all of them, in their order, and sum each module up in a line when its last test has ended: the next one's have
 * begun then, so that no processor waits. */
static void
run_all(struct test_case **list, double limit_s, struct totals *sum)
{
	const struct timespec pause = {0, 2000000};
	size_t count, ended = 0, next = 0;
	struct module *modules = find_modules(list, &count);
	while (ended < count) {
		for (size_t i = 0; i < jobs; i++) {
			struct running *r = &running[i];
			if (r->name && has_ended(r, limit_s) &&
			    ++r->module->ended == r->module->count) {
				sum_up(r->module, sum);
				ended++;
			}
			if (r->name || !*list)
				continue;
			struct module *m = &modules[next];
			if (m->begun++ == 0)
				m->start_s = now_s();
			begin(r, *list++, m);
			next += m->begun == m->count;
		}
		nanosleep(&pause, NULL);
	}
	free(modules);
}

static void
usage(FILE *to)
{
	fputs(
	    "usage: weir-test [-v] [-l] [-n] [-j JOBS] [PREFIX...]\n"
	    "Runs the unit tests whose names (module/claim) begin with a PREFIX; all without one.\n"
	    "  -v  a line for each test: how long it took, and how long it used a processor\n"
	    "  -l  list the names, run nothing\n"
	    "  -n  run in this process, without fork or time limit (for a debugger)\n"
	    "  -j  run so many at once (as there are processors)\n"
	    "TEST_SECONDS=N gives each test N seconds (300), UPDATE=1 rewrites tests/golden, TEST_THOROUGH=1 tries more\n"
	    "of what is tried at random.\n",
	    to);
}

static void
catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = interrupted};
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

/* To standard output, or to the file that whoever adds up several kinds of tests has named. */
static void
print_totals(const struct totals *sum)
{
	const char *path = getenv("TEST_TOTALS");
	FILE *f = path ? fopen(path, "a") : stdout;
	if (!f)
		give_up(path);
	fprintf(f, "%d passed, %d failed\n", sum->passed, sum->failed);
	if (f != stdout)
		fclose(f);
}

static int
run_in_process(struct test_case **list)
{
	int failed = 0;
	for (; *list; list++) {
		name_tmp_dir((*list)->name);
		failed |= run_here(*list);
	}
	return failed;
}

static void
set_jobs(long n)
{
	jobs = n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (size_t)n;
}

static bool
parse_flags(int argc, char **argv, bool *list_only_out)
{
	int flag;
	while ((flag = getopt(argc, argv, "vlnj:h")) != -1) {
		switch (flag) {
		case 'v': verbose = true; break;
		case 'l': *list_only_out = true; break;
		case 'n': in_process = true; break;
		case 'j': set_jobs(strtol(optarg, NULL, 10)); break;
		default: return false;
		}
	}
	return true;
}

int
main(int argc, char **argv)
{
	bool list_only = false;
	/* A store that a test has opened starts this program for SQL. */
	if (argc == 2 && strcmp(argv[1], DUCK_SQL_WORKER) == 0)
		return duck_user_worker();
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	set_jobs(sysconf(_SC_NPROCESSORS_ONLN));
	if (!parse_flags(argc, argv, &list_only)) {
		usage(stderr);
		return 2;
	}
	size_t count;
	struct test_case **list = select_cases(argv + optind, &count);
	for (size_t i = 0; list_only && i < count; i++)
		printf("%s\n", list[i]->name);
	if (list_only)
		return 0;
	if (count == 0) {
		fputs("weir-test: no test has a name that begins so; -l lists them\n", stderr);
		return 2;
	}
	if (chdir(TEST_SOURCE_DIR) != 0)
		give_up(TEST_SOURCE_DIR);
	if (in_process)
		return run_in_process(list);
	catch_signals();
	const char *seconds = getenv("TEST_SECONDS");
	double limit_s = seconds ? strtod(seconds, NULL) : SECONDS_DEFAULT;
	struct totals sum = {0};
	run_all(list, limit_s, &sum);
	free(list);
	if (sum.skipped)
		printf("%d skipped\n", sum.skipped);
	print_totals(&sum);
	return sum.failed ? 1 : 0;
}
