/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch/patch.h - JSON Patch (RFC 6902) and JSON Pointer (RFC 6901) on JSON values of our own. No telemetry, no I/O.
 *
 * Why a tree of our own: jansson, which weir uses elsewhere, turns 1.0 and 1e0 into the same double, refuses integers
 * beyond 64 bits, has no bound on the memory of one document, and no way to keep the document as it was before a patch
 * but a copy of all of it.
 *
 * A document. What RFC 8259 allows, strictly (wire/json_read.h): the text of numbers is kept as sent, members keep their
 * order, strings may have NUL in them. Refused with a sentence: what is nested deeper than depth_max, a name that stands
 * twice in an object (which of the two a patch means, nobody could say), NaN, a lone surrogate.
 *
 * Versions. The tree is shared between copies and copied on write: patch_doc_copy() costs nothing, and a patch copies
 * the containers on the way to what it changes (their lists of children, not the children). So the document before a
 * patch and the one after it can both be kept for as long as they are of use. Copies share one account of memory.
 *
 * Bounds. bytes_max is for all that a document and its copies take, the patch that is being applied included; a text
 * of n bytes takes 4 n to 30 n (an array of digits). depth_max is at most LIMIT_MESSAGE_DEPTH. Beside these a patch may
 * take so many steps and no more (PATCH_STEPS_MAX), so that a short text cannot keep a processor busy for long, whatever
 * names it has. To compare takes as many as the smaller document is large; patch_doc_steps() says how many it was.
 *
 * Threads. A document and its copies belong to one thread. Errors: ERR_INVALID (not JSON, not a patch), ERR_CONFLICT (a
 * good patch that this document has no place for, or whose test fails), ERR_TOO_LARGE (depth, memory, operations, steps).
 */
#ifndef PATCH_PATCH_H
#define PATCH_PATCH_H

#include "base/buf.h"
#include "base/err.h"

/* Children moved, compared or copied by one patch: well under a second. */
#define PATCH_STEPS_MAX (UINT64_C(1) << 26)

struct patch_doc; /* a JSON value */

struct patch_limits {
	size_t bytes_max; /* memory of a document and its copies; 0: any */
	unsigned depth_max; /* arrays and objects inside one another; 0: LIMIT_MESSAGE_DEPTH */
	size_t ops_max; /* operations of one patch; 0: any */
	uint64_t
	    steps_max; /* of one patch, or one replay; 0, or more: PATCH_STEPS_MAX, REPLAY_STEPS_MAX */
};

/* The document that the text is. On an error *out is NULL. */
MUST_CHECK enum err_code patch_doc_parse(struct str json, const struct patch_limits *lim,
    struct patch_doc **out, struct err *err);
/* Another document with the same value, at once, whatever its size: what happens to one is not seen in the other.
 * NULL when the account that they share has no room for it. */
MUST_CHECK struct patch_doc *patch_doc_copy(const struct patch_doc *doc);
void patch_doc_free(struct patch_doc *doc); /* NULL allowed */
/* Memory that it and all its copies take now. */
size_t patch_doc_bytes(const struct patch_doc *doc);
/* Steps since it was read, or since the last patch began: what was copied, moved, compared. */
uint64_t patch_doc_steps(const struct patch_doc *doc);
/* Compact JSON: members in order, numbers as sent, strings escaped as wire/json_write.h does. */
void patch_doc_write(const struct patch_doc *doc, struct buf *out);
/* Members in any order; numbers by value: 1 == 1.0 == 1e0, whatever their size. */
bool patch_doc_equal(const struct patch_doc *a, const struct patch_doc *b);
/* The first place where they differ, as a JSON pointer (of b, where a has no such place); false: they are equal, and
 * nothing is written. */
bool patch_doc_differ(const struct patch_doc *a, const struct patch_doc *b,
    struct buf *pointer_out);

/* The value at a JSON pointer, written as patch_doc_write() does. ERR_INVALID: no pointer; ERR_NOT_FOUND. */
MUST_CHECK enum err_code patch_doc_at(const struct patch_doc *doc, struct str pointer,
    struct buf *out, struct err *err);

/* A patch: an array of operations (add, remove, replace, move, copy, test). All or nothing: on an error the document is
 * as it was, and the message says which operation (counted from 1), its op and path, and why. What is not an operation's
 * own member is ignored, as RFC 6902 asks. The root can be replaced, not removed. "{}" (what an older Junjo SDK sends
 * for "nothing changed") is no error; *noop_out (NULL allowed) says that a patch has no operations. */
MUST_CHECK enum err_code patch_apply(struct patch_doc *doc, struct str patch_json,
    const struct patch_limits *lim, bool *noop_out, struct err *err);

/* A patch that makes b of a (add, remove, replace only), as JSON text; "[]" when they are equal. Of an array that has
 * become longer or shorter, the elements that are the same at both ends stay; it is not the shortest patch there is. Each
 * operation has its whole path, so that it can be far longer than both: give `out` a bound. */
MUST_CHECK enum err_code patch_diff(const struct patch_doc *a, const struct patch_doc *b,
    struct buf *out, struct err *err);

#endif
