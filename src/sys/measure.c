/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/measure.h"

#include "base/str.h"
#include "base/timefmt.h"
#include "sys/thread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SMALL = 96, FILE_BYTES = 8192, TREE_DEPTH_MAX = 16 };

/* Up to FILE_BYTES of a small file; empty when it cannot be read. */
static struct str
read_small(const char *path, char out[FILE_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, FILE_BYTES);
	if (fd >= 0)
		(void)close(fd);
	return str_of(out, n < 0 ? 0 : (size_t)n);
}

/* The value of the first line "key<blanks>:<blanks>value"; empty when there is none. */
static struct str
line_value(struct str text, struct str key)
{
	while (text.len > 0) {
		struct str line = {text.ptr, str_find(text, '\n')};
		size_t colon = str_find(line, ':');
		if (str_eq(str_trim(str_of(line.ptr, colon)), key))
			return str_trim(str_skip(line, colon + 1));
		text = str_skip(text, line.len + 1);
	}
	return STR_EMPTY;
}

/* "1234 kB" */
static uint64_t
kilobytes(struct str value)
{
	uint64_t n = 0;
	value.len = str_find(value, ' ');
	return str_to_u64(value, &n) ? n * 1024 : 0;
}

static enum err_code
no_process(uint64_t pid, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "there is no process %llu", (unsigned long long)pid);
}

enum err_code
measure_process(uint64_t pid, struct measure_process *out, struct err *err)
{
	char path[PATH_SMALL], text[FILE_BYTES];
	struct timespec cpu;
	clockid_t clock;
	*out = (struct measure_process){0};
	if (pid == 0 || pid > INT32_MAX || clock_getcpuclockid((pid_t)pid, &clock) != 0 ||
	    clock_gettime(clock, &cpu) != 0)
		return no_process(pid, err);
	snprintf(path, sizeof(path), "/proc/%llu/status", (unsigned long long)pid);
	struct str status = read_small(path, text);
	/* One that has ended and was not waited for still has a clock, but no memory. */
	if (line_value(status, STR("VmRSS")).len == 0)
		return no_process(pid, err);
	out->cpu_ns = (uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec;
	out->resident_bytes = kilobytes(line_value(status, STR("VmRSS")));
	out->resident_peak_bytes = kilobytes(line_value(status, STR("VmHWM")));
	return ERR_OK;
}

/* ---- threads */

static bool
read_thread(uint64_t pid, const char *id, struct measure_thread *out)
{
	char path[PATH_SMALL], text[FILE_BYTES];
	*out = (struct measure_thread){0};
	if (!str_to_u64(str_from(id), &out->id))
		return false;
	snprintf(path, sizeof(path), "/proc/%llu/task/%llu/comm", (unsigned long long)pid,
	    (unsigned long long)out->id);
	struct str name = str_trim(read_small(path, text));
	snprintf(out->name, sizeof(out->name), "%.*s", STR_ARG(name));
	snprintf(path, sizeof(path), "/proc/%llu/task/%llu/schedstat", (unsigned long long)pid,
	    (unsigned long long)out->id);
	struct str stat = read_small(path, text);
	stat.len = str_find(stat, ' ');
	return str_to_u64(stat, &out->cpu_ns);
}

size_t
measure_threads(uint64_t pid, struct measure_thread *out, size_t max)
{
	char path[PATH_SMALL];
	size_t count = 0;
	snprintf(path, sizeof(path), "/proc/%llu/task", (unsigned long long)pid);
	DIR *dir = opendir(path);
	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e && count < max; e = readdir(dir))
		count += read_thread(pid, e->d_name, &out[count]);
	(void)closedir(dir);
	return count;
}

/* ---- files */

static void add_folder(int fd, unsigned depth, uint64_t *bytes);

static void
add_entry(int folder, const char *name, unsigned depth, uint64_t *bytes)
{
	struct stat st;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return; /* it has gone meanwhile */
	if (S_ISREG(st.st_mode))
		*bytes += (uint64_t)st.st_size;
	if (S_ISDIR(st.st_mode) && depth < TREE_DEPTH_MAX)
		add_folder(openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
		    depth + 1, bytes);
}

/* Closes fd. */
static void
add_folder(int fd, unsigned depth, uint64_t *bytes)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		add_entry(fd, e->d_name, depth, bytes);
	(void)closedir(dir);
}

enum err_code
measure_tree(const char *path, uint64_t *bytes_out, struct err *err)
{
	*bytes_out = 0;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
		    "cannot open the folder %s", path);
	add_folder(fd, 0, bytes_out);
	return ERR_OK;
}

void
measure_filesystem(const char *path, char out[MEASURE_NAME_BYTES])
{
	static const struct {
		uint64_t magic;
		const char *name;
	} kinds[] = {{0xef53, "ext4"}, {0x58465342, "xfs"}, {0x9123683e, "btrfs"},
	    {0x01021994, "tmpfs"}, {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"},
	    {0xf2f52010, "f2fs"}, {0x6969, "nfs"}};
	struct statfs st;
	snprintf(out, MEASURE_NAME_BYTES, "?");
	if (statfs(path, &st) != 0)
		return;
	snprintf(out, MEASURE_NAME_BYTES, "0x%llx", (unsigned long long)st.f_type);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((uint64_t)st.f_type == kinds[i].magic)
			snprintf(out, MEASURE_NAME_BYTES, "%s", kinds[i].name);
}

void
measure_machine(struct measure_machine *out)
{
	char text[FILE_BYTES];
	struct utsname u;
	*out = (struct measure_machine){.cpus = thread_cpu_count()};
	struct str cpu = line_value(read_small("/proc/cpuinfo", text), STR("model name"));
	snprintf(out->cpu, sizeof(out->cpu), "%.*s", STR_ARG(cpu));
	out->memory_bytes =
	    kilobytes(line_value(read_small("/proc/meminfo", text), STR("MemTotal")));
	if (uname(&u) == 0)
		snprintf(out->kernel, sizeof(out->kernel), "%.30s %.40s %.20s", u.sysname,
		    u.release, u.machine);
}
