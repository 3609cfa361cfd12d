/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/wal_priv.h"

#include "base/arena.h"

#include <stdlib.h>

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

/* Under the lock. False: there is no room for all in p, which has `room`. */
static bool
list_parts(struct wal *w, uint64_t after_seq, struct wal_parts *p, size_t room)
{
	size_t first = 0;
	if (w->segment_count > room)
		return false;
	while (first + 1 < w->segment_count && w->segments[first + 1].first_seq - 1 <= after_seq)
		first++;
	for (size_t i = first; i < w->segment_count; i++) {
		struct wal_part *part = &p->parts[p->count++];
		wal_segment_name(w->segments[i].first_seq, part->name);
		part->bytes = w->segments[i].end_off;
	}
	p->durable_seq = atomic_load(&w->durable_seq);
	return true;
}

void
wal_parts_init(struct wal_parts *p, struct wal *w, uint64_t after_seq)
{
	bool all = false;
	_Static_assert(sizeof(p->parts->name) >= WAL_NAME_BYTES, "a name fits");
	for (size_t room = 16; !all; room *= 2) {
		*p = (struct wal_parts){.parts = xcalloc(room, sizeof(*p->parts))};
		mutex_lock(&w->lock);
		all = list_parts(w, after_seq, p, room);
		mutex_unlock(&w->lock);
		if (!all)
			free(p->parts);
	}
}

void
wal_parts_fini(struct wal_parts *p)
{
	free(p->parts);
	*p = (struct wal_parts){0};
}
