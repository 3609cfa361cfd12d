/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { COPY_STEP_BYTES = 1 << 20, COPY_HOLE_BYTES = 64 << 10 };

static bool
is_zero(const unsigned char *bytes, size_t n)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0;
}

/* What is not zeros of a piece. */
static enum err_code
write_piece(const struct file *to, uint64_t off, const unsigned char *bytes, size_t n,
    struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t at = 0; at < n && code == ERR_OK; at += COPY_HOLE_BYTES) {
		size_t part = n - at < COPY_HOLE_BYTES ? n - at : COPY_HOLE_BYTES;
		if (!is_zero(bytes + at, part))
			code = file_pwrite(to, off + at, bytes + at, part, err);
	}
	return code;
}

static enum err_code
copy_bytes(const struct file *from, const struct file *to, struct err *err)
{
	unsigned char *bytes = xcalloc(1, COPY_STEP_BYTES);
	uint64_t off = 0;
	size_t got = COPY_STEP_BYTES;
	enum err_code code = ERR_OK;
	while (code == ERR_OK && got == COPY_STEP_BYTES) {
		code = file_pread(from, off, bytes, COPY_STEP_BYTES, &got, err);
		if (code == ERR_OK && got > 0)
			code = write_piece(to, off, bytes, got, err);
		off += code == ERR_OK ? got : 0;
	}
	free(bytes);
	if (code == ERR_OK)
		code = file_truncate(to, off, err);
	return code == ERR_OK ? file_sync(to, err) : code;
}

enum err_code
file_copy(const char *from, const char *to, struct err *err)
{
	struct file in = {0}, out = {0};
	enum err_code code = file_open(from, FILE_READ, &in, err);
	if (code == ERR_OK)
		code = file_open(to, FILE_CREATE, &out, err);
	bool made = code == ERR_OK;
	if (code == ERR_OK)
		code = copy_bytes(&in, &out, err);
	file_close(&in);
	file_close(&out);
	if (code != ERR_OK && made)
		(void)!file_unlink(to, NULL);
	return code;
}
