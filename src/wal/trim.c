/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/wal_priv.h"

/* The oldest segment, if all its records are at or below seq and it is not the newest. */
static bool
find_spent(struct wal *w, uint64_t seq, uint64_t *first_seq_out)
{
	mutex_lock(&w->lock);
	bool spent = w->segment_count > 1 && w->segments[1].first_seq - 1 <= seq;
	*first_seq_out = w->segments[0].first_seq;
	mutex_unlock(&w->lock);
	return spent;
}

/* Oldest first, so that what a power cut leaves behind has no gap in it. */
enum err_code
wal_trim(struct wal *w, uint64_t seq, uint64_t *deleted_out, struct err *err)
{
	char path[FILE_PATH_BYTES];
	uint64_t first_seq;
	*deleted_out = 0;
	while (find_spent(w, seq, &first_seq)) {
		wal_segment_path(w, first_seq, path);
		enum err_code code = file_unlink(path, err);
		if (code != ERR_OK && code != ERR_NOT_FOUND)
			return code;
		mutex_lock(&w->lock);
		CHECK(w->segments[0].first_seq == first_seq);
		w->segment_count--;
		memmove(w->segments, w->segments + 1, w->segment_count * sizeof(*w->segments));
		atomic_store(&w->segment_count_now, w->segment_count);
		mutex_unlock(&w->lock);
		(*deleted_out)++;
	}
	return *deleted_out > 0 ? file_sync_entries(&w->folder, err) : ERR_OK;
}
