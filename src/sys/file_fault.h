/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/file_fault.h - for tests: make the N-th write, sync, rename ... fail, and count them.
 *
 * Between file_fault_begin() and file_fault_end() every file operation of the process is counted
 * by kind. A plan says which one fails. Any thread may do the operations; begin and end only
 * while no other thread works on files.
 */
#ifndef SYS_FILE_FAULT_H
#define SYS_FILE_FAULT_H

#include "sys/file.h"

struct file_fault_plan {
	enum file_op op;
	uint64_t nth; /* 1: the next one; 0: none fails */
	int os_errno; /* what it fails with; 0: it is only cut short */
	size_t short_bytes; /* a write or read: this many bytes go through first */
	bool stays; /* every later one fails as well */
};

void file_fault_begin(const struct file_fault_plan *plan);
/* Another plan from now on; all counts begin again. */
void file_fault_plan(const struct file_fault_plan *plan);
void file_fault_end(void);
uint64_t file_fault_count(enum file_op op); /* since the plan was set */
bool file_fault_hit(void); /* the plan's operation has been reached */

#endif
