/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/process.h"

#include "base/str.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Fields of /proc/self/stat, numbered from 1 as in proc(5); 2 is the name in parentheses. */
enum { STAT_THREADS = 20, STAT_START = 22, STAT_VIRTUAL = 23, STAT_RESIDENT = 24, STAT_END = 25 };

static size_t
read_small(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size);
	if (fd >= 0)
		(void)close(fd);
	return n < 0 ? 0 : (size_t)n;
}

/* The name may hold blanks and parentheses itself: fields are counted behind its last ')'. */
static void
read_stat(uint64_t fields[STAT_END])
{
	char text[2048];
	struct str s = {text, read_small("/proc/self/stat", text, sizeof(text))};
	size_t name_end = s.len;
	while (name_end > 0 && text[name_end - 1] != ')')
		name_end--;
	s = str_trim(str_skip(s, name_end));
	for (int i = 3; i < STAT_END && s.len > 0; i++) {
		struct str field = {s.ptr, str_find(s, ' ')};
		if (!str_to_u64(field, &fields[i]))
			fields[i] = 0;
		s = str_skip(s, field.len + 1);
	}
}

/* Clock ticks after boot to unix time, by way of what the clocks say now. */
static uint64_t
start_time(uint64_t ticks)
{
	struct timespec boot;
	long per_second = sysconf(_SC_CLK_TCK);
	if (ticks == 0 || per_second <= 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
		return 0;
	double uptime_s = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
	double age_s = uptime_s - (double)ticks / (double)per_second;
	return clock_unix_ns() - (uint64_t)(age_s > 0 ? age_s * 1e9 : 0);
}

static uint64_t
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;
	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += e->d_name[0] != '.';
	(void)closedir(dir);
	return n > 0 ? n - 1 : 0; /* not the one that reads the folder */
}

void
process_usage(struct process_usage *out)
{
	uint64_t fields[STAT_END] = {0};
	long page = sysconf(_SC_PAGESIZE);
	struct rlimit fds = {0};
	read_stat(fields);
	*out = (struct process_usage){
	    .cpu_seconds = (double)clock_cpu_ns() / 1e9,
	    .resident_bytes = fields[STAT_RESIDENT] * (uint64_t)(page > 0 ? page : 0),
	    .virtual_bytes = fields[STAT_VIRTUAL],
	    .threads = fields[STAT_THREADS],
	    .open_fds = count_fds(),
	    .start_unix_ns = start_time(fields[STAT_START]),
	};
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0 && fds.rlim_cur != RLIM_INFINITY)
		out->max_fds = fds.rlim_cur;
}

void
process_keep_private(void)
{
	umask(S_IRWXG | S_IRWXO);
}

void
process_trim_memory(void)
{
	(void)malloc_trim(0); /* whether there was any */
}

enum err_code
process_become_owner(const char *dir, struct err *err)
{
	struct stat st;
	if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid == 0)
		return ERR_OK;
	if (setgroups(0, NULL) == 0 && setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0)
		return ERR_OK;
	return err_set_errno(err, ERR_IO, errno, "cannot become the owner of %s", dir);
}
