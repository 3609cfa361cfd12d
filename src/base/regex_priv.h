/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/regex_priv.h - the tree of a pattern, between who reads patterns (regex_parse.c) and who makes programs of trees
 * (regex.c).
 */
#ifndef BASE_REGEX_PRIV_H
#define BASE_REGEX_PRIV_H

#include "base/regex.h"

enum {
	REGEX_CHAR_MAX = 0x10FFFF,
	REGEX_NODES_MAX = 4 * REGEX_BYTES_MAX,
	REGEX_RANGES_MAX = 16 * REGEX_BYTES_MAX
};
enum { REGEX_ENDLESS = -1 };

struct range {
	uint32_t first, last;
};

struct set { /* a class */
	unsigned first, count; /* of the ranges */
	bool negated, any_case;
};

enum assert_kind { AT_START, AT_END, AT_LINE_START, AT_LINE_END, AT_WORD, AT_NO_WORD };
enum node_kind { NODE_EMPTY, NODE_SET, NODE_ASSERT, NODE_CAT, NODE_ALT, NODE_REPEAT };

struct node {
	enum node_kind kind;
	enum assert_kind assert;
	struct set set;
	int left, right; /* REPEAT: left */
	int min, max;    /* max: or REGEX_ENDLESS */
};

struct parser {
	struct str all, rest;
	unsigned flags;
	struct node nodes[REGEX_NODES_MAX];
	int node_count;
	struct range ranges[REGEX_RANGES_MAX];
	unsigned range_count;
	struct err *err;
	bool failed;
};

/* All of p->rest, which is valid UTF-8: where its node is, when p->failed is not set. */
int regex_parse(struct parser *p);
/* The first failure is the one that is said; `at` points into the pattern. Always 0. */
int regex_fail(struct parser *p, const char *at, const char *what);

#endif
