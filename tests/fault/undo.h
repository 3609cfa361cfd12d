/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undo.h - what a power cut takes away: the writes of this process that no sync has covered yet.
 *
 * Before each write undo_note() keeps the bytes that are about to be overwritten, and the size of
 * the file; undo_forget() drops what a sync of that file has made durable; undo_revert() puts
 * the kept bytes back, the newest first. What is done to names (create, rename, unlink) is left as it is.
 *
 * Threading. undo_lock() is held from the note to the end of the write, from before a sync to its
 * undo_forget(), and around undo_revert(). Descriptors that it opens are never closed: closing one
 * would end the process's locks of the file.
 */
#ifndef FAULT_UNDO_H
#define FAULT_UNDO_H

#include <stdint.h>
#include <sys/types.h>

void undo_lock(void);
void undo_unlock(void);
/* fd will be written at off (-1: where it stands, or its end if it appends), or cut to off bytes when len is 0. */
void undo_note(int fd, off_t off, size_t len);
void undo_forget(int fd);
/* Of the file of fd, or of all (-1). With a seed other than 0 each write is taken back or stays by a coin. */
void undo_revert(int fd, uint64_t seed);

#endif
