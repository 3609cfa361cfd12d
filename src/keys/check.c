/* SPDX-License-Identifier: Apache-2.0 */
/* Is the file of keys whole? It says nothing of what is in it: hashes and rights cannot be guessed, and a file that was
 * mended by a guess would let somebody in. */
#include "keys/keys.h"

#include "keys/format.h"

#include "base/finding.h"
#include "sys/file.h"

static const char advice[] =
    "weir does not start with it: put back a copy of the file, or remove keys and keys.lock and make "
    "new keys (the old ones are lost)";

static enum finding_kind
kind_of(enum key_fault fault)
{
	switch (fault) {
	case KEY_TORN: return FINDING_KEYS_TORN;
	case KEY_BAD_LINE: return FINDING_KEYS_LINE;
	case KEY_TWICE: return FINDING_KEYS_TWICE;
	case KEY_BAD_COUNT: return FINDING_KEYS_COUNT;
	case KEY_WHOLE:
	case KEY_BAD_HEAD: return FINDING_KEYS_HEAD;
	}
	return FINDING_KEYS_HEAD;
}

static enum err_code
check_text(const char *path, const struct finding_sink *sink, uint64_t *count_out, struct err *err)
{
	struct buf text;
	struct key_set set = {0};
	enum key_fault fault = KEY_WHOLE;
	buf_init(&text, KEYS_FILE_BYTES_MAX);
	enum err_code code = file_read_all(path, KEYS_FILE_BYTES_MAX, &text, err);
	if (code == ERR_OK && key_set_diagnose(buf_view(&text), &set, &fault, err) != ERR_OK)
		finding_say(sink, kind_of(fault), KEYS_FILE, "%s; %s", err->message, advice);
	else if (code != ERR_OK)
		finding_say(sink, FINDING_KEYS_UNREADABLE, KEYS_FILE, "it cannot be read: %s",
		    err->message);
	*count_out = set.count;
	key_set_fini(&set);
	buf_fini(&text);
	return ERR_OK;
}

enum err_code
keys_check(struct str data_dir, bool live, const struct finding_sink *sink, uint64_t *count_out,
    struct err *err)
{
	char path[FILE_PATH_BYTES], lock[FILE_PATH_BYTES], leftover[FILE_PATH_BYTES];
	*count_out = 0;
	enum err_code code = file_join(data_dir, STR(KEYS_FILE), path, err);
	if (code == ERR_OK)
		code = file_join(data_dir, STR(KEYS_LOCK), lock, err);
	if (code == ERR_OK)
		code = file_join(data_dir, STR(KEYS_FILE ".tmp"), leftover, err);
	if (code != ERR_OK)
		return code;
	if (!live && file_exists(leftover))
		finding_say(sink, FINDING_KEYS_LEFTOVER, KEYS_FILE ".tmp",
		    "what a write that was interrupted has left; it is of no use");
	if (file_exists(path))
		return check_text(path, sink, count_out, err);
	/* The first change makes both, the lock a moment earlier. */
	if (!live && file_exists(lock))
		finding_say(sink, FINDING_KEYS_MISSING, KEYS_FILE,
		    "there were keys, for keys.lock is there, but the file of keys has gone: weir would "
		    "ask nobody for one; put back a copy of the file, or remove keys.lock if there are to "
		    "be none");
	return ERR_OK;
}
