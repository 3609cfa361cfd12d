/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/file_priv.h - what file.c and file_dir.c share.
 */
#ifndef SYS_FILE_PRIV_H
#define SYS_FILE_PRIV_H

#include "sys/file.h"

/* 0, or the errno that a test wants the next system call to fail with. len may be NULL. */
int file_before(enum file_op op, const char *path, size_t *len);
/* "cannot <doing> <path>: <errno>", with the code that fits. */
enum err_code file_fail(struct err *err, int os_errno, const char *doing, const char *path);
/* open(2) with O_CLOEXEC, again after EINTR; -1 and errno. */
int file_open_retrying(const char *path, int flags);

#endif
