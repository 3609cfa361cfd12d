/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/hold.h - the file that a store keeps things in stands still, to be copied while everything goes on.
 *
 * store_hold() calls a function while what the file's last checkpoint has stays in it as it is, and store_position()
 * where it is: a copy of the bytes, made meanwhile in any order, is a store that holds all up to there. Rows are
 * appended and questions answered as ever. It begins with a checkpoint, so that the copy is of now.
 *
 * Threading. Any thread, which blocks; one at a time.
 * Errors. The function's, or why it was not called: ERR_BUSY, ERR_UNAVAILABLE, ERR_CANCELLED; ERR_UNIMPLEMENTED:
 * such a store has no file.
 */
#ifndef STORE_HOLD_H
#define STORE_HOLD_H

#include "store/store.h"

struct file;

struct store_files {
	struct store *store;
	const char *name; /* in the data folder */
	const struct file *file; /* open for reading; not to be closed, nor opened a second time */
	uint64_t position; /* the log behind it belongs to it */
	uint64_t schema_version;
	/* To be asked now and then: an error means that the copy must be given up soon. */
	enum err_code (*go_on)(struct store *s, struct err *err);
};

static inline enum err_code MUST_CHECK
store_hold(struct store *s, store_files_fn fn, void *ctx, struct err *err)
{
	if (!s->ops->hold)
		return err_set(err, ERR_UNIMPLEMENTED, "the store \"%s\" has no file to copy",
		    s->ops->name);
	return s->ops->hold(s, fn, ctx, err);
}

#endif
