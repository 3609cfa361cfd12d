/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library for LD_PRELOAD that makes the N-th file operation of a whole process fail, DuckDB's
 * included, or kills the process there. It knows nothing of weir; tests/fault/main.mjs uses it.
 *
 * Counted is what changes files below one folder: opening for writing, write, sync, size
 * (truncate, allocate), rename, unlink, mkdir, link. Each is one line of the report,
 * written before it happens: "<number> <operation> <path in the folder> <bytes>", and behind that
 * what was done to it, if it was; with WEIR_FAULT_BYTES the bytes are those by which the file grows. Operations that the plan does not ask for are not counted.
 *
 *   WEIR_FAULT_DIR      the folder, absolute and without links; unset: nothing is done
 *   WEIR_FAULT_REPORT   the file that lines are appended to; outside of the folder
 *   WEIR_FAULT_OP       open write sync size rename unlink mkdir link, or any (the default)
 *   WEIR_FAULT_PATH     patterns as of fnmatch() with commas between them, one of which the path in
 *                       the folder must match, "." for the folder itself; unset: all do
 *   WEIR_FAULT_N        which one; 0 or unset: none, they are only counted
 *   WEIR_FAULT_DO       EIO or ENOSPC: it fails;  short:K:EIO: a write of K bytes, and the next one to
 *                       that file fails;  kill-before, kill-after, torn (a write: half of it, then
 *                       death);  power-cut: death, and what no sync has covered is gone;  power-part:
 *                       some of it is;  EIO-lost: a sync fails, and what it was for is gone
 *   WEIR_FAULT_STAYS    set: so does every later one, not only the N-th
 *   WEIR_FAULT_BYTES    instead of N: writes fail with ENOSPC once files have grown by so many bytes
 *   WEIR_FAULT_UNTIL    the failing ends when this file is gone
 *
 * Everything is done by system calls, and the path of a descriptor is asked of /proc, so that there
 * is no state to keep but the counts and, for a power cut, undo.h. stdio's own calls are not seen; nobody writes data with it.
 */
#include "undo.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum op {
	OP_OPEN,
	OP_WRITE,
	OP_SYNC,
	OP_SIZE,
	OP_RENAME,
	OP_UNLINK,
	OP_MKDIR,
	OP_LINK,
	OPS,
	OP_ANY = OPS
};
static const char *const op_names[] = {
    "open", "write", "sync", "size", "rename", "unlink", "mkdir", "link", "any"};

enum act {
	ACT_PASS,
	ACT_FAIL,
	ACT_SHORT,
	ACT_KILL_BEFORE,
	ACT_KILL_AFTER,
	ACT_TORN,
	ACT_POWER_CUT,
	ACT_POWER_PART,
	ACT_LOST
};

static const struct {
	const char *name;
	enum act act;
} act_names[] = {{"kill-before", ACT_KILL_BEFORE}, {"kill-after", ACT_KILL_AFTER},
    {"torn", ACT_TORN}, {"power-cut", ACT_POWER_CUT}, {"power-part", ACT_POWER_PART},
    {"EIO-lost", ACT_LOST}};

static struct {
	const char *dir, *until;
	char patterns[1024];
	size_t dir_len;
	int report_fd;
	enum op op;
	enum act act;
	uint64_t nth;
	bool stays, has_budget, keeps_undo;
	uint64_t budget;
	size_t short_bytes;
	int error;
} plan;

static _Atomic uint64_t op_count;
static _Atomic uint64_t grown_bytes;
static _Atomic bool short_pending; /* the next write to short_path fails */
static char short_path[PATH_MAX];

struct verdict {
	enum act act;
	size_t bytes; /* of a write: what goes through */
};

/* ---- the plan */

static uint64_t
number_of(const char *name)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : 0;
}

static int
errno_of(const char *text)
{
	return strcmp(text, "ENOSPC") == 0 ? ENOSPC : EIO;
}

static void
read_act(const char *text)
{
	char *end;
	plan.act = ACT_FAIL;
	for (size_t i = 0; i < sizeof(act_names) / sizeof(act_names[0]); i++)
		if (strcmp(text, act_names[i].name) == 0)
			plan.act = act_names[i].act;
	if (strncmp(text, "short:", 6) == 0) {
		plan.act = ACT_SHORT;
		plan.short_bytes = strtoul(text + 6, &end, 10);
		text = *end == ':' ? end + 1 : "EIO";
	}
	plan.keeps_undo = plan.act >= ACT_POWER_CUT;
	plan.error = errno_of(text);
}

__attribute__((constructor)) static void
read_plan(void)
{
	const char *dir = getenv("WEIR_FAULT_DIR"), *report = getenv("WEIR_FAULT_REPORT");
	const char *op = getenv("WEIR_FAULT_OP"), *what = getenv("WEIR_FAULT_DO");
	const char *patterns = getenv("WEIR_FAULT_PATH");
	if (!dir || !report)
		return;
	plan.op = OP_ANY;
	for (int i = 0; op && i < OPS; i++)
		if (strcmp(op, op_names[i]) == 0)
			plan.op = (enum op)i;
	snprintf(plan.patterns, sizeof(plan.patterns), "%s", patterns ? patterns : "");
	plan.nth = number_of("WEIR_FAULT_N");
	plan.stays = getenv("WEIR_FAULT_STAYS") != NULL;
	plan.has_budget = getenv("WEIR_FAULT_BYTES") != NULL;
	plan.budget = number_of("WEIR_FAULT_BYTES");
	plan.until = getenv("WEIR_FAULT_UNTIL");
	read_act(plan.has_budget ? "ENOSPC" : what ? what : "EIO");
	plan.dir_len = strlen(dir);
	plan.report_fd = (int)syscall(SYS_openat, AT_FDCWD, report,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	plan.dir = dir;
}

/* ---- paths */

/* Where in the folder it is; NULL: elsewhere. */
static const char *
below_dir(const char *path)
{
	if (strncmp(path, plan.dir, plan.dir_len) != 0)
		return NULL;
	if (path[plan.dir_len] == '\0')
		return ".";
	return path[plan.dir_len] == '/' ? path + plan.dir_len + 1 : NULL;
}

static const char *
path_of_fd(int fd, char out[PATH_MAX])
{
	static const char deleted[] = " (deleted)";
	char link[64];
	snprintf(link, sizeof(link), fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
	long n = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
	if (n <= 0)
		return NULL;
	out[n] = '\0';
	size_t tail = sizeof(deleted) - 1, len = (size_t)n;
	if (len > tail && strcmp(out + len - tail, deleted) == 0)
		out[len - tail] = '\0';
	return below_dir(out);
}

static const char *
path_of(int dirfd, const char *path, char out[PATH_MAX])
{
	if (!plan.dir || path[0] == '/')
		return plan.dir ? below_dir(path) : NULL;
	path_of_fd(dirfd, out);
	size_t len = strnlen(out, PATH_MAX - 1);
	snprintf(out + len, PATH_MAX - len, "/%s", path);
	return below_dir(out);
}

static bool
asked_for(enum op op, const char *path)
{
	if (!path || (plan.op != OP_ANY && plan.op != op))
		return false;
	if (plan.patterns[0] == '\0')
		return true;
	for (const char *p = plan.patterns; *p;) {
		char one[256];
		size_t len = strcspn(p, ",");
		snprintf(one, sizeof(one), "%.*s", (int)len, p);
		if (fnmatch(one, path, 0) == 0)
			return true;
		p += p[len] ? len + 1 : len;
	}
	return false;
}

/* ---- what becomes of an operation */

static void
die(void)
{
	for (;;)
		syscall(SYS_kill, getpid(), SIGKILL);
}

static void
report(uint64_t number, enum op op, const char *path, size_t bytes, const char *what)
{
	char line[PATH_MAX + 128];
	int n = snprintf(line, sizeof(line), "%llu %s %s %zu%s%s\n", (unsigned long long)number,
	    op_names[op], path, bytes, what ? " " : "", what ? what : "");
	(void)syscall(SYS_write, plan.report_fd, line, (size_t)n);
}

static bool
is_over(void)
{
	return plan.until && syscall(SYS_faccessat, AT_FDCWD, plan.until, F_OK) != 0;
}

static bool
fails_after_short(enum op op, const char *path)
{
	bool yes = true;
	return op == OP_WRITE && atomic_load(&short_pending) && strcmp(short_path, path) == 0 &&
	    atomic_compare_exchange_strong(&short_pending, &yes, false);
}

static struct verdict
within_budget(uint64_t number, enum op op, const char *path, size_t bytes, size_t grows)
{
	uint64_t before = atomic_fetch_add(&grown_bytes, grows);
	uint64_t room = before < plan.budget ? plan.budget - before : 0;
	if (grows == 0 || grows <= room || is_over()) {
		report(number, op, path, grows, NULL);
		return (struct verdict){ACT_PASS, bytes};
	}
	report(number, op, path, grows, "full");
	if (op != OP_WRITE || room + (bytes - grows) == 0)
		return (struct verdict){ACT_FAIL, 0};
	return (struct verdict){ACT_SHORT, (size_t)room + (bytes - grows)};
}

/* `grows`: by how much the file becomes longer. */
static struct verdict
decide(enum op op, const char *path, size_t bytes, size_t grows)
{
	struct verdict v = {ACT_PASS, bytes};
	if (!plan.dir || !asked_for(op, path))
		return v;
	uint64_t number = atomic_fetch_add(&op_count, 1) + 1;
	if (plan.has_budget)
		return within_budget(number, op, path, bytes, grows);
	bool hit = plan.nth > 0 && (number == plan.nth || (plan.stays && number > plan.nth));
	if (fails_after_short(op, path))
		v.act = ACT_FAIL;
	else if (hit && !is_over())
		v.act = plan.act;
	if (v.act == ACT_SHORT) {
		bool part = op == OP_WRITE && plan.short_bytes < bytes;
		v = (struct verdict){part ? ACT_SHORT : ACT_FAIL, plan.short_bytes};
		snprintf(short_path, sizeof(short_path), "%s", path);
		atomic_store(&short_pending, part && !plan.stays);
	}
	if (v.act == ACT_TORN)
		v.bytes = op == OP_WRITE ? bytes / 2 : 0;
	report(number, op, path, bytes, v.act == ACT_PASS ? NULL : "hit");
	if (v.act == ACT_POWER_CUT || v.act == ACT_POWER_PART) {
		undo_lock();
		undo_revert(-1, v.act == ACT_POWER_PART ? number : 0);
	}
	if (v.act == ACT_KILL_BEFORE || (v.act == ACT_TORN && op != OP_WRITE) ||
	    v.act == ACT_POWER_CUT || v.act == ACT_POWER_PART)
		die();
	return v;
}

/* The end of an operation that went through. */
static long
finish(struct verdict v, long result)
{
	int error = errno;
	if (v.act == ACT_KILL_AFTER || v.act == ACT_TORN)
		die();
	errno = error;
	return result;
}

static bool
refused(struct verdict v)
{
	bool yes = v.act == ACT_FAIL || v.act == ACT_LOST;
	if (yes)
		errno = plan.error;
	return yes;
}

/* ---- writes */

static size_t
iov_bytes(const struct iovec *iov, int count)
{
	size_t bytes = 0;
	for (int i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

static long
raw_write(int fd, const struct iovec *iov, int count, off_t off, size_t bytes)
{
	struct iovec part[IOV_MAX];
	int n = 0;
	for (; n < count && n < IOV_MAX && bytes > 0; n++) {
		part[n] = iov[n];
		if (part[n].iov_len > bytes)
			part[n].iov_len = bytes;
		bytes -= part[n].iov_len;
	}
	return off < 0 ? syscall(SYS_writev, fd, part, n)
	               : syscall(SYS_pwritev, fd, part, n, off, 0L);
}

/* How many of the bytes from `off` on are beyond the end; -1: from where the descriptor stands. */
static size_t
growth(int fd, off_t off, size_t bytes)
{
	struct stat st;
	int flags = (int)syscall(SYS_fcntl, fd, F_GETFL, 0);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	if (off < 0)
		off = flags & O_APPEND ? st.st_size : syscall(SYS_lseek, fd, 0L, SEEK_CUR);
	off_t end = off + (off_t)bytes;
	size_t more = end > st.st_size ? (size_t)(end - st.st_size) : 0;
	return more < bytes ? more : bytes;
}

static ssize_t
do_write(int fd, const struct iovec *iov, int count, off_t off)
{
	char buf[PATH_MAX];
	size_t bytes = iov_bytes(iov, count);
	const char *path = plan.dir ? path_of_fd(fd, buf) : NULL;
	if (!path)
		return off < 0 ? syscall(SYS_writev, fd, iov, count)
		               : syscall(SYS_pwritev, fd, iov, count, off, 0L);
	struct verdict v =
	    decide(OP_WRITE, path, bytes, plan.has_budget ? growth(fd, off, bytes) : 0);
	if (refused(v))
		return -1;
	if (!plan.keeps_undo)
		return finish(v, raw_write(fd, iov, count, off, v.bytes));
	undo_lock();
	undo_note(fd, off, bytes);
	long written = raw_write(fd, iov, count, off, v.bytes);
	undo_unlock();
	return written;
}

static ssize_t
do_write_one(int fd, const void *data, size_t len, off_t off)
{
	struct iovec iov = {(void *)(uintptr_t)data, len};
	return do_write(fd, &iov, 1, off);
}

EXPORT ssize_t
write(int fd, const void *data, size_t len)
{
	return do_write_one(fd, data, len, -1);
}

EXPORT ssize_t
pwrite(int fd, const void *data, size_t len, off_t off)
{
	return do_write_one(fd, data, len, off);
}

EXPORT ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t off)
{
	return do_write_one(fd, data, len, off);
}

EXPORT ssize_t
writev(int fd, const struct iovec *iov, int count)
{
	return do_write(fd, iov, count, -1);
}

EXPORT ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t off)
{
	return do_write(fd, iov, count, off);
}

EXPORT ssize_t
pwritev64(int fd, const struct iovec *iov, int count, off64_t off)
{
	return do_write(fd, iov, count, off);
}

/* ---- the other operations on descriptors */

static int
sync_with_undo(int fd, long number, struct verdict v)
{
	undo_lock();
	if (v.act == ACT_LOST)
		undo_revert(fd, 0);
	int result = refused(v) ? -1 : (int)syscall(number, fd);
	if (result == 0)
		undo_forget(fd);
	undo_unlock();
	return result;
}

static int
do_sync(int fd, long number)
{
	char buf[PATH_MAX];
	struct verdict v = decide(OP_SYNC, plan.dir ? path_of_fd(fd, buf) : NULL, 0, 0);
	if (plan.keeps_undo)
		return sync_with_undo(fd, number, v);
	return refused(v) ? -1 : (int)finish(v, syscall(number, fd));
}

EXPORT int
fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}

EXPORT int
fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}

EXPORT int
sync_file_range(int fd, off64_t off, off64_t len, unsigned flags)
{
	char buf[PATH_MAX];
	struct verdict v = decide(OP_SYNC, plan.dir ? path_of_fd(fd, buf) : NULL, 0, 0);
	return refused(v) ? -1 : (int)finish(v, syscall(SYS_sync_file_range, fd, off, len, flags));
}

EXPORT int
ftruncate(int fd, off_t len)
{
	char buf[PATH_MAX];
	const char *path = plan.dir ? path_of_fd(fd, buf) : NULL;
	struct verdict v = decide(OP_SIZE, path, (size_t)len, 0);
	if (refused(v))
		return -1;
	undo_lock();
	if (plan.keeps_undo && path)
		undo_note(fd, len, 0);
	int result = (int)finish(v, syscall(SYS_ftruncate, fd, len));
	undo_unlock();
	return result;
}

EXPORT int
ftruncate64(int fd, off64_t len)
{
	return ftruncate(fd, len);
}

EXPORT int
truncate(const char *name, off_t len)
{
	char buf[PATH_MAX];
	struct verdict v = decide(OP_SIZE, path_of(AT_FDCWD, name, buf), (size_t)len, 0);
	return refused(v) ? -1 : (int)finish(v, syscall(SYS_truncate, name, len));
}

EXPORT int
truncate64(const char *name, off64_t len)
{
	return truncate(name, len);
}

EXPORT int
fallocate(int fd, int mode, off_t off, off_t len)
{
	char buf[PATH_MAX];
	const char *path = plan.dir ? path_of_fd(fd, buf) : NULL;
	size_t grows = path && mode == 0 ? growth(fd, off, (size_t)len) : 0;
	struct verdict v = decide(OP_SIZE, path, (size_t)len, grows);
	return refused(v) ? -1 : (int)finish(v, syscall(SYS_fallocate, fd, mode, off, len));
}

EXPORT int
fallocate64(int fd, int mode, off64_t off, off64_t len)
{
	return fallocate(fd, mode, off, len);
}

EXPORT int
posix_fallocate(int fd, off_t off, off_t len)
{
	return fallocate(fd, 0, off, len) == 0 ? 0 : errno;
}

EXPORT int
posix_fallocate64(int fd, off64_t off, off64_t len)
{
	return posix_fallocate(fd, off, len);
}

/* ---- names */

static int
do_open(int dirfd, const char *name, int flags, mode_t mode)
{
	char buf[PATH_MAX];
	bool changes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
	struct verdict v = decide(OP_OPEN, changes ? path_of(dirfd, name, buf) : NULL, 0, 0);
	return refused(v) ? -1 : (int)finish(v, syscall(SYS_openat, dirfd, name, flags, mode));
}

/* The mode is there only with flags that may create a file. */
#define MODE_ARGUMENT(flags)                                                                       \
	mode_t mode = 0;                                                                           \
	if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) {                           \
		va_list ap;                                                                        \
		va_start(ap, flags);                                                               \
		mode = va_arg(ap, mode_t);                                                         \
		va_end(ap);                                                                        \
	}

EXPORT int
open(const char *name, int flags, ...)
{
	MODE_ARGUMENT(flags)
	return do_open(AT_FDCWD, name, flags, mode);
}

EXPORT int
open64(const char *name, int flags, ...)
{
	MODE_ARGUMENT(flags)
	return do_open(AT_FDCWD, name, flags | O_LARGEFILE, mode);
}

EXPORT int
openat(int dirfd, const char *name, int flags, ...)
{
	MODE_ARGUMENT(flags)
	return do_open(dirfd, name, flags, mode);
}

EXPORT int
openat64(int dirfd, const char *name, int flags, ...)
{
	MODE_ARGUMENT(flags)
	return do_open(dirfd, name, flags | O_LARGEFILE, mode);
}

EXPORT int
creat(const char *name, mode_t mode)
{
	return do_open(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int
creat64(const char *name, mode_t mode)
{
	return creat(name, mode);
}

EXPORT int
renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	char buf[PATH_MAX];
	struct verdict v = decide(OP_RENAME, path_of(to_fd, to, buf), 0, 0);
	return refused(v) ? -1
	                  : (int)finish(v, syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}

EXPORT int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return renameat2(from_fd, from, to_fd, to, 0);
}

EXPORT int
rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int
unlinkat(int dirfd, const char *name, int flags)
{
	char buf[PATH_MAX];
	struct verdict v = decide(OP_UNLINK, path_of(dirfd, name, buf), 0, 0);
	return refused(v) ? -1 : (int)finish(v, syscall(SYS_unlinkat, dirfd, name, flags));
}

EXPORT int
unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

EXPORT int
rmdir(const char *name)
{
	return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

EXPORT int
remove(const char *name)
{
	int result = unlink(name);
	return result != 0 && errno == EISDIR ? rmdir(name) : result;
}

EXPORT int
mkdirat(int dirfd, const char *name, mode_t mode)
{
	char buf[PATH_MAX];
	struct verdict v = decide(OP_MKDIR, path_of(dirfd, name, buf), 0, 0);
	return refused(v) ? -1 : (int)finish(v, syscall(SYS_mkdirat, dirfd, name, mode));
}

EXPORT int
mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

EXPORT int
linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	char buf[PATH_MAX];
	struct verdict v = decide(OP_LINK, path_of(to_fd, to, buf), 0, 0);
	return refused(v) ? -1
	                  : (int)finish(v, syscall(SYS_linkat, from_fd, from, to_fd, to, flags));
}

EXPORT int
link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
