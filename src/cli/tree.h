/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/tree.h - the spans of a trace as a forest. Total: any list of spans, whatever it says about
 * parents, makes a forest that has each of them exactly once.
 */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include "cli/table.h"

enum tree_root { TREE_NO_ROOT, TREE_ROOT, TREE_ORPHAN, TREE_LOOP };

struct tree_span {
	const json_t *item;
	uint64_t start_ns, end_ns; /* end_ns >= start_ns */
	bool ended; /* it has an end, and not before its start */
	size_t first_child, next_sibling; /* SIZE_MAX: none; children by start */
	enum tree_root root;
	bool placed; /* while building */
};

struct tree {
	struct tree_span *spans;
	size_t count;
	size_t *roots; /* true roots, then orphans, then one of each loop of parents; by start */
	size_t root_count;
	uint64_t start_ns, end_ns;
	size_t open_count; /* spans without an end */
};

/* Keeps pointers to the items of `spans`, which must outlive the tree. */
void tree_init(struct tree *t, const json_t *spans);
void tree_fini(struct tree *t);

#endif
