/* SPDX-License-Identifier: Apache-2.0 */
/* backup/manifest.c - backup.json. */
#include "backup/backup_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { FORMAT = 1, MANIFEST_BYTES_MAX = 1 << 30, HASH_TEXT_BYTES = 33 };

/* Its value is the hash of all before it. */
#define SEAL ",\"xxh3_128\":\""

const char *const backup_folders[BACKUP_FOLDERS] = {"wal", "dlq", "quarantine"};

struct backup_file *
backup_files_add(struct backup_files *f, const char *path)
{
	if (f->count == f->cap) {
		f->cap = f->cap > 0 ? 2 * f->cap : 64;
		f->items = xrealloc(f->items, f->cap * sizeof(*f->items));
	}
	struct backup_file *file = &f->items[f->count++];
	*file = (struct backup_file){0};
	snprintf(file->path, sizeof(file->path), "%s", path);
	return file;
}

void
backup_files_fini(struct backup_files *f)
{
	free(f->items);
	*f = (struct backup_files){0};
}

bool
backup_is_plain(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '-' && c != '_')
			return false;
	}
	return name.len > 0 && name.ptr[0] != '.';
}

static void
hash_text(struct hash128 h, char out[HASH_TEXT_BYTES])
{
	snprintf(out, HASH_TEXT_BYTES, "%016" PRIx64 "%016" PRIx64, h.hi, h.lo);
}

/* ---- writing */

static void
write_text(struct json_writer *w, const char *key, const char *text)
{
	jsonw_key(w, key);
	if (text[0])
		jsonw_str(w, str_from(text));
	else
		jsonw_null(w);
}

static void
write_number(struct json_writer *w, const char *key, uint64_t v)
{
	jsonw_key(w, key);
	jsonw_u64(w, v);
}

static void
write_time(struct json_writer *w, uint64_t unix_ns)
{
	char text[TIME_RFC3339_BYTES];
	time_rfc3339(unix_ns, text);
	jsonw_key(w, "created");
	jsonw_str(w, str_of(text, sizeof(text)));
	jsonw_key(w, "created_unix_nano");
	jsonw_u64_string(w, unix_ns);
}

static void
write_info(struct json_writer *w, const struct backup_info *info)
{
	write_time(w, info->created_ns);
	write_number(w, "position", info->position);
	write_number(w, "schema_version", info->schema_version);
	write_number(w, "bytes", info->bytes);
	write_number(w, "files", info->files);
	jsonw_key(w, "seconds");
	uint64_t took_ms = info->took_ns / NS_PER_MS;
	jsonw_f64(w, (double)took_ms / 1e3);
}

static void
write_members(struct json_writer *w, const struct backup_info *info)
{
	jsonw_object(w);
	write_text(w, "name", info->name);
	write_text(w, "path", info->path);
	write_text(w, "version", info->version);
	if (info->version[0]) {
		write_info(w, info);
	} else {
		jsonw_key(w, "damaged");
		jsonw_bool(w, true);
	}
	jsonw_object_end(w);
}

void
backup_write_one(const struct backup_info *info, struct buf *json)
{
	struct json_writer w;
	json_writer_init(&w, json);
	write_members(&w, info);
	buf_char(json, '\n');
}

void
backup_write_list(const struct backup_info *list, size_t count, struct buf *json)
{
	struct json_writer w;
	json_writer_init(&w, json);
	jsonw_object(&w);
	jsonw_key(&w, "backups");
	jsonw_array(&w);
	for (size_t i = 0; i < count; i++)
		write_members(&w, &list[i]);
	jsonw_array_end(&w);
	write_number(&w, "count", count);
	jsonw_object_end(&w);
	buf_char(json, '\n');
}

static void
write_files(struct json_writer *w, const struct backup_files *files)
{
	jsonw_key(w, "contents");
	jsonw_array(w);
	for (size_t i = 0; i < files->count; i++) {
		const struct backup_file *f = &files->items[i];
		char hash[HASH_TEXT_BYTES];
		hash_text(f->hash, hash);
		buf_char(w->out, '\n');
		jsonw_object(w);
		write_text(w, "path", f->path);
		write_number(w, "bytes", f->bytes);
		write_text(w, "xxh3_128", hash);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

enum err_code
backup_manifest_write(const char *dir, const struct backup_info *info,
    const struct backup_files *files, struct err *err)
{
	struct buf text;
	struct json_writer w;
	char hash[HASH_TEXT_BYTES];
	buf_init(&text, MANIFEST_BYTES_MAX);
	json_writer_init(&w, &text);
	jsonw_object(&w);
	write_number(&w, "weir_backup", FORMAT);
	write_text(&w, "version", info->version);
	write_info(&w, info);
	write_files(&w, files);
	hash_text(hash_u128(buf_view(&text)), hash);
	buf_printf(&text, SEAL "%s\"}\n", hash);
	struct str whole = buf_view(&text);
	enum err_code code = text.failed
	    ? err_set(err, ERR_TOO_LARGE, "there are too many files for one backup")
	    : file_write_whole(str_from(dir), STR(BACKUP_MANIFEST), &whole, 1, err);
	buf_fini(&text);
	return code;
}

/* ---- reading */

struct reading {
	struct json_reader r;
	struct arena arena;
	struct backup_info *info;
	struct backup_files *files;
	uint64_t format;
};

static bool
read_number(struct reading *in, uint64_t *out)
{
	enum json_token t = jsonr_next(&in->r);
	return (t == JSON_NUMBER || t == JSON_STRING) && str_to_u64(in->r.raw, out);
}

static bool
read_text(struct reading *in, char *out, size_t bytes)
{
	if (jsonr_next(&in->r) != JSON_STRING)
		return false;
	struct str s = jsonr_string(&in->r, &in->arena);
	if (s.len >= bytes || memchr(s.ptr ? s.ptr : "", 0, s.len))
		return false;
	snprintf(out, bytes, "%.*s", STR_ARG(s));
	return true;
}

static bool
read_hash(struct reading *in, struct hash128 *out)
{
	char text[HASH_TEXT_BYTES], again[HASH_TEXT_BYTES];
	if (!read_text(in, text, sizeof(text)) || strlen(text) != HASH_TEXT_BYTES - 1)
		return false;
	out->lo = strtoull(text + 16, NULL, 16);
	text[16] = '\0';
	out->hi = strtoull(text, NULL, 16);
	hash_text(*out, again);
	again[16] = '\0';
	return strcmp(again, text) == 0;
}

/* It becomes a path below the data folder. */
static bool
path_is_ours(const char *path)
{
	static const struct str database = STR_INIT(".duckdb");
	struct str s = str_from(path);
	size_t slash = str_find(s, '/');
	if (slash == s.len)
		return str_eq(s, STR(BACKUP_KEYS)) ||
		    (backup_is_plain(s) && s.len > database.len &&
		        str_eq(str_skip(s, s.len - database.len), database));
	for (size_t i = 0; i < BACKUP_FOLDERS; i++) {
		struct str folder = str_from(backup_folders[i]);
		if (slash == folder.len && str_starts(s, folder))
			return backup_is_plain(str_skip(s, slash + 1));
	}
	return false;
}

static bool
read_file(struct reading *in)
{
	struct backup_file f = {.bytes = UINT64_MAX};
	bool has_hash = false;
	enum json_token t;
	while ((t = jsonr_next(&in->r)) == JSON_KEY) {
		struct str key = in->r.raw;
		bool good;
		if (str_eq(key, STR("path")))
			good = read_text(in, f.path, sizeof(f.path));
		else if (str_eq(key, STR("bytes")))
			good = read_number(in, &f.bytes);
		else if (str_eq(key, STR("xxh3_128")))
			good = has_hash = read_hash(in, &f.hash);
		else
			good = jsonr_skip(&in->r, jsonr_next(&in->r));
		if (!good)
			return false;
	}
	if (t != JSON_OBJECT_END || !has_hash || f.bytes == UINT64_MAX || !path_is_ours(f.path))
		return false;
	if (in->files)
		*backup_files_add(in->files, f.path) = f;
	return true;
}

static bool
read_files(struct reading *in)
{
	enum json_token t;
	if (jsonr_next(&in->r) != JSON_ARRAY)
		return false;
	while ((t = jsonr_next(&in->r)) == JSON_OBJECT)
		if (!read_file(in))
			return false;
	return t == JSON_ARRAY_END;
}

static bool
read_seconds(struct reading *in)
{
	if (jsonr_next(&in->r) != JSON_NUMBER)
		return false;
	double seconds = strtod(in->r.raw.ptr, NULL);
	in->info->took_ns = seconds > 0 && seconds < 1e9 ? (uint64_t)(seconds * 1e9) : 0;
	return true;
}

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
    {"created_unix_nano", offsetof(struct backup_info, created_ns)},
    {"position", offsetof(struct backup_info, position)},
    {"schema_version", offsetof(struct backup_info, schema_version)},
    {"bytes", offsetof(struct backup_info, bytes)},
    {"files", offsetof(struct backup_info, files)},
};

static bool
read_member(struct reading *in, unsigned *seen)
{
	struct str key = in->r.raw;
	if (str_eq(key, STR("weir_backup")))
		return read_number(in, &in->format);
	if (str_eq(key, STR("version")))
		return read_text(in, in->info->version, sizeof(in->info->version));
	if (str_eq(key, STR("seconds")))
		return read_seconds(in);
	if (str_eq(key, STR("contents")))
		return read_files(in);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint64_t v = 0;
		if (!str_eq(key, str_from(numbers[i].name)))
			continue;
		bool good = read_number(in, &v);
		memcpy((char *)in->info + numbers[i].offset, &v, sizeof(v));
		*seen |= 1u << i;
		return good;
	}
	return jsonr_skip(&in->r, jsonr_next(&in->r));
}

static bool
read_members(struct reading *in)
{
	unsigned seen = 0;
	enum json_token t;
	if (jsonr_next(&in->r) != JSON_OBJECT)
		return false;
	while ((t = jsonr_next(&in->r)) == JSON_KEY)
		if (!read_member(in, &seen))
			return false;
	return t == JSON_OBJECT_END && seen == (1u << ARRAY_LEN(numbers)) - 1 &&
	    in->info->version[0] && (!in->files || in->files->count == in->info->files);
}

static bool
seal_is_right(struct str text)
{
	char hash[HASH_TEXT_BYTES];
	const size_t mark = sizeof(SEAL) - 1;
	size_t at = text.len;
	while (at > 0 && !str_starts(str_skip(text, at), STR(SEAL)))
		at--;
	if (at == 0)
		return false;
	hash_text(hash_u128(str_of(text.ptr, at)), hash);
	return str_starts(str_skip(text, at + mark), str_from(hash));
}

/* A newer format may be anything but for its first member. */
static bool
is_newer(struct str text)
{
	static const struct str first = STR_INIT("{\"weir_backup\":");
	uint64_t format = 0;
	struct str rest = str_skip(text, first.len);
	rest.len = str_find(rest, ',');
	return str_starts(text, first) && str_to_u64(rest, &format) && format > FORMAT;
}

enum err_code
backup_manifest_read(const char *dir, struct backup_info *info, struct backup_files *files,
    struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct buf text = {0};
	struct reading in = {.info = info, .files = files};
	enum err_code code = file_join(str_from(dir), STR(BACKUP_MANIFEST), path, err);
	if (code == ERR_OK)
		code = file_read_all(path, MANIFEST_BYTES_MAX, &text, err);
	if (code == ERR_NOT_FOUND)
		code = err_set(err, code, "%s is no backup: it has no " BACKUP_MANIFEST, dir);
	if (code == ERR_OK && is_newer(buf_view(&text)))
		code =
		    err_set(err, ERR_UNAVAILABLE, "%s was made by a newer weir: use that one", dir);
	if (code == ERR_OK) {
		jsonr_begin(&in.r, buf_view(&text));
		if (!read_members(&in) || in.format != FORMAT || !seal_is_right(buf_view(&text)))
			code = err_set(err, ERR_CORRUPT, "%s is damaged", path);
	}
	arena_fini(&in.arena);
	buf_fini(&text);
	return code;
}
