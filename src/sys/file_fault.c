/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file_fault.h"

#include "sys/thread.h"

#include <stdatomic.h>

/* Of the test that runs; the hook it is reached by is the only way in. */
static struct {
	struct file_fault_plan plan;
	_Atomic uint64_t count[FILE_OP_COUNT];
	_Atomic bool hit;
	_Atomic bool cut; /* the part before the failure went through: now fail */
} fault;

static int
fault_before(void *ctx, enum file_op op, const char *path, size_t *len)
{
	(void)ctx;
	(void)path;
	uint64_t n = atomic_fetch_add(&fault.count[op], 1) + 1;
	const struct file_fault_plan *plan = &fault.plan;
	if (op != plan->op || plan->nth == 0)
		return 0;
	if (atomic_exchange(&fault.cut, false))
		return plan->os_errno;
	if (n < plan->nth || (n > plan->nth && !plan->stays))
		return 0;
	bool again = atomic_exchange(&fault.hit, true);
	if (plan->short_bytes == 0 || again)
		return plan->os_errno;
	if (plan->short_bytes < *len)
		*len = plan->short_bytes;
	atomic_store(&fault.cut, plan->os_errno != 0);
	return 0;
}

void
file_fault_plan(const struct file_fault_plan *plan)
{
	CHECK(plan->op < FILE_OP_COUNT);
	fault.plan = *plan;
	for (int i = 0; i < FILE_OP_COUNT; i++)
		atomic_store(&fault.count[i], 0);
	atomic_store(&fault.hit, false);
	atomic_store(&fault.cut, false);
}

void
file_fault_begin(const struct file_fault_plan *plan)
{
	static const struct file_hook hook = {.before = fault_before};
	file_fault_plan(plan);
	file_hook_set(&hook);
}

void
file_fault_end(void)
{
	file_hook_set(NULL);
}

uint64_t
file_fault_count(enum file_op op)
{
	return atomic_load(&fault.count[op]);
}

bool
file_fault_hit(void)
{
	return atomic_load(&fault.hit);
}
