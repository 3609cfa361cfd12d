/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was typed at the shell of `weir sql`, in a file: a line each, the oldest first, a line feed in it written \n and a
 * backslash \\. Each entry writes the whole file anew, beside what other shells have added meanwhile: it is never half
 * there, never longer than it may be, and nobody else's to read.
 */
#include "cli/sql.h"

#include "sys/file.h"

#include <stdlib.h>

enum { HISTORY_BYTES_MAX = 1 << 20, ENTRY_BYTES_MAX = 64 << 10 };

/* The file behind links, so that they stay. What is no file, a device say, keeps nothing. */
static bool
place_of(const char *path, char out[FILE_PATH_BYTES])
{
	if (file_real_path(path, out))
		return file_is_plain(out);
	return (size_t)snprintf(out, FILE_PATH_BYTES, "%s%s", strchr(path, '/') ? "" : "./", path) <
	    FILE_PATH_BYTES;
}

bool
cli_sql_history_find(const struct cli_io *io, char out[FILE_PATH_BYTES])
{
	char dir[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
	struct err err;
	const char *said = io->env("WEIR_SQL_HISTORY");
	if (said)
		return said[0] != '\0' && place_of(said, out);
	return file_state_dir(io->env("XDG_STATE_HOME"), io->env("HOME"), NULL, dir) &&
	    file_join(str_from(dir), STR("sql_history"), path, &err) == ERR_OK &&
	    place_of(path, out);
}

static void
put_escaped(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '\\' || c == '\n')
			buf_char(out, '\\');
		buf_char(out, c == '\n' ? 'n' : c);
	}
	buf_char(out, '\n');
}

static void
put_plain(struct buf *out, struct str line)
{
	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];
		if (c == '\\' && i + 1 < line.len)
			c = line.ptr[++i] == 'n' ? '\n' : line.ptr[i];
		buf_char(out, c);
	}
}

/* The newest lines of a text, as many as may be kept. */
static struct str
newest(struct str text, size_t lines_max)
{
	size_t at = text.len, lines = 0;
	for (size_t i = text.len; i > 0; i--) {
		bool begins = i == 1 || text.ptr[i - 2] == '\n';
		if (!begins)
			continue;
		if (++lines > lines_max || text.len - (i - 1) > HISTORY_BYTES_MAX)
			break;
		at = i - 1;
	}
	return str_skip(text, at);
}

static enum err_code
read_lines(const char *path, struct buf *out, struct err *err)
{
	/* What somebody else has made of it may be longer. */
	buf_init(out, 0);
	enum err_code code = file_read_all(path, 16 * HISTORY_BYTES_MAX, out, err);
	if (code == ERR_NOT_FOUND)
		return ERR_OK;
	if (code == ERR_OK && out->len > 0 && out->ptr[out->len - 1] != '\n')
		buf_char(out, '\n');
	return code;
}

enum err_code
cli_sql_history_read(const char *path, void (*each)(void *ctx, const char *entry), void *ctx,
    struct err *err)
{
	struct buf text, entry = {0};
	enum err_code code = read_lines(path, &text, err);
	struct str rest = newest(buf_view(&text), SQL_HISTORY_LINES_MAX);
	while (code == ERR_OK && rest.len > 0) {
		size_t end = str_find(rest, '\n');
		put_plain(&entry, str_of(rest.ptr, end));
		buf_char(&entry, '\0');
		each(ctx, entry.ptr);
		buf_reset(&entry);
		rest = str_skip(rest, end + 1);
	}
	buf_fini(&entry);
	buf_fini(&text);
	return code;
}

enum err_code
cli_sql_history_add(const char *path, struct str entry, struct err *err)
{
	struct buf text, line = {0};
	if (entry.len == 0 || entry.len > ENTRY_BYTES_MAX || memchr(entry.ptr, 0, entry.len))
		return ERR_OK;
	enum err_code code = read_lines(path, &text, err);
	put_escaped(&line, entry);
	struct str kept = buf_view(&text), last = newest(kept, 1);
	if (code == ERR_OK && !str_eq(last, buf_view(&line))) {
		struct str parts[2] = {newest(kept, SQL_HISTORY_LINES_MAX - 1), buf_view(&line)};
		const char *slash = strrchr(path, '/');
		CHECK(slash);
		struct str dir = slash > path ? str_of(path, (size_t)(slash - path)) : STR("/");
		code = file_write_whole(dir, str_from(slash + 1), parts, 2, err);
	}
	buf_fini(&line);
	buf_fini(&text);
	return code;
}
