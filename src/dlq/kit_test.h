/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq/kit_test.h - what the tests of the dead letters share.
 */
#ifndef DLQ_KIT_TEST_H
#define DLQ_KIT_TEST_H

#include "dlq/dlq.h"

#include "base/timefmt.h"

#define KIT_T0 (UINT64_C(1795187531) * NS_PER_S) /* when tests begin */
#define KIT_S(n) ((uint64_t)(n) * NS_PER_S)

/* In the test's folder; attempts_max 3, else the defaults. */
struct dlq *kit_open(const char *dir);
/* Close and open again: what is on disk. */
void kit_reopen(struct dlq **d, const char *dir);
/* One item at `first` of record seq, of tenant "acme", with the payload "payload of <seq>/<first>". */
enum err_code kit_put(struct dlq *d, uint64_t seq, uint32_t first, uint64_t now_ns);
void kit_id(uint64_t seq, uint32_t first, char out[DLQ_ID_BYTES]);
/* Fails the test unless this letter is there, in this state, with its payload. */
void kit_expect(struct dlq *d, uint64_t seq, uint32_t first, enum dlq_state state,
    unsigned attempts);
/* Take the one that is due; false when none is. Checks its payload. */
bool kit_due(struct dlq *d, uint64_t now_ns, struct dlq_letter *out);
uint64_t kit_count(struct dlq *d, enum dlq_state state);
/* Files below dir/sub whose name ends so ("": all); 0 when there is no such folder. */
unsigned kit_files(const char *dir, const char *sub, const char *ending);
void kit_path(const char *dir, const char *sub, const char *name, char *out); /* FILE_PATH_BYTES */
void kit_write(const char *path, const void *bytes, size_t n); /* whatever was there */

#endif
