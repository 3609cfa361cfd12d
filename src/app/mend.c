/* SPDX-License-Identifier: Apache-2.0 */
/* What a repair does with files as such: copies before it changes one, and damaged ones out of the way. */
#include "app/check.h"

#include "sys/file.h"

#include <stdio.h>

enum { NAMES_MAX = 1000 };

/* The first name that nobody has, with a number in the place of %d; FORMAT is ours. */
static enum err_code
free_name(struct str dir, const char *name, const char *ending, char out[FILE_PATH_BYTES],
    struct err *err)
{
	char candidate[400];
	for (int i = 1; i < NAMES_MAX; i++) {
		snprintf(candidate, sizeof(candidate), "%.300s.%d%s", name, i, ending);
		enum err_code code = file_join(dir, str_from(candidate), out, err);
		if (code != ERR_OK || !file_exists(out))
			return code;
	}
	return err_set(err, ERR_EXISTS, "there are %d files like %s.1%s: remove some",
	    NAMES_MAX - 1, name, ending);
}

enum err_code
check_move_away(struct str data_dir, const char *place, struct buf *done, struct err *err)
{
	char from[FILE_PATH_BYTES], folder[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
	const char *slash = strrchr(place, '/'), *name = slash ? slash + 1 : place;
	enum err_code code = file_join(data_dir, str_from(place), from, err);
	if (code == ERR_OK)
		code = file_join(data_dir, STR("damaged"), folder, err);
	if (code != ERR_OK || !file_exists(from))
		return code;
	code = file_mkdir(folder, NULL, err);
	if (code == ERR_OK)
		code = file_sync_dir(data_dir.ptr, err);
	if (code == ERR_OK)
		code = free_name(str_from(folder), name, "", to, err);
	if (code == ERR_OK)
		code = file_rename(from, to, err);
	if (code == ERR_OK)
		code = file_sync_dir(folder, err);
	if (code == ERR_OK) {
		buf_printf(done, "%s was moved to damaged/%s", place, strrchr(to, '/') + 1);
		buf_char(done, '\0');
	}
	return code;
}

enum err_code
check_copy(struct str data_dir, const char *place, struct buf *done, struct err *err)
{
	char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
	enum err_code code = file_join(data_dir, str_from(place), from, err);
	if (code != ERR_OK || !file_exists(from))
		return code;
	const char *slash = strrchr(place, '/');
	/* Not into wal/: a copy of a segment is none. */
	code = free_name(data_dir, slash ? slash + 1 : place, ".before-repair", to, err);
	if (code == ERR_OK)
		code = file_copy_whole(from, to, err);
	if (code == ERR_OK)
		code = file_sync_dir(data_dir.ptr, err);
	if (code == ERR_OK) {
		buf_printf(done, "a copy of %s is %s", place, strrchr(to, '/') + 1);
		buf_char(done, '\0');
	}
	return code;
}
