/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/confine.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- files */

#define READ_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_FILES                                                                                \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                          \
	    LANDLOCK_ACCESS_FS_MAKE_DIR)
/* All that the first version of it knows: what is handled and allowed nowhere is refused. */
#define ALL_FILES (READ_FILES | WRITE_FILES | (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1))

static bool
allow(int rules, const char *dir, uint64_t access)
{
	int fd = open(dir, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT; /* what is not there needs no rule */
	struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
	long e = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(fd);
	return e == 0;
}

static bool
confine_files(const char *dir)
{
	struct landlock_ruleset_attr all = {.handled_access_fs = ALL_FILES};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (rules < 0)
		return false;
	bool good = allow(rules, dir, READ_FILES | WRITE_FILES) &&
	    allow(rules, "/proc/self", READ_FILES) &&
	    allow(rules, "/sys/devices/system/cpu", READ_FILES) &&
	    allow(rules, "/sys/fs/cgroup", READ_FILES) &&
	    syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	close(rules);
	return good;
}

/* ---- calls */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(field)                                                                                \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSAL (SECCOMP_RET_ERRNO | EPERM)
/* Calls from this number on are of another table (x32). */
#define OTHER_TABLE 0x40000000u

#ifdef ARCH
static const int refused[] = {
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_io_uring_setup,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_open_by_handle_at,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
};
#endif

static bool
confine_calls(void)
{
#ifdef ARCH
	/* One that is unknown: the C library then starts a thread with clone(), whose flags can be seen. */
	struct sock_filter head[] = {
	    LOAD(arch),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	    ANSWER(SECCOMP_RET_KILL_PROCESS),
	    LOAD(nr),
	    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_TABLE, 0, 1),
	    ANSWER(REFUSAL),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
	    ANSWER(SECCOMP_RET_ERRNO | ENOSYS),
	};
	/* clone(): a thread, or nothing. */
	struct sock_filter tail[] = {
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
	    LOAD(args[0]),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
	    ANSWER(REFUSAL),
	    ANSWER(SECCOMP_RET_ALLOW),
	};
	struct sock_filter all[ARRAY_LEN(head) + ARRAY_LEN(tail) + 2 * ARRAY_LEN(refused)];
	unsigned short n = 0;
	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		all[n++] = head[i];
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		all[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    (uint32_t)refused[i], 0, 1);
		all[n++] = (struct sock_filter)ANSWER(REFUSAL);
	}
	for (size_t i = 0; i < ARRAY_LEN(tail); i++)
		all[n++] = tail[i];
	struct sock_fprog program = {.len = n, .filter = all};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
#else
	return false;
#endif
}

struct confined
confine_process(const char *dir)
{
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	bool files = confine_files(dir);
	return (struct confined){.files = files, .calls = confine_calls()};
}
