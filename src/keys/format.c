/* SPDX-License-Identifier: Apache-2.0 */
/* The file of keys: JSON lines, the first of which says which version it is, and how many keys there are: fewer
 * would be keys that were revoked without a word, and none an open door. */
#include "keys/format.h"

#include "tenant/tenant.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

#include <stddef.h>
#include <stdlib.h>

enum { VERSION = 1, LINE_BYTES_MAX = 4096 };

static const struct {
	const char *name;
	size_t offset;
	bool required;
} times[] = {
    {"created_unix_nano", offsetof(struct key, created_ns), true},
    {"rotated_unix_nano", offsetof(struct key, rotated_ns), false},
    {"expires_unix_nano", offsetof(struct key, expires_ns), false},
    {"revoked_unix_nano", offsetof(struct key, revoked_ns), false},
    {"old_until_unix_nano", offsetof(struct key, old_until_ns), false},
};

static const struct {
	const char *name;
	size_t offset, bytes;
} texts[] = {
    {"id", offsetof(struct key, id), KEY_ID_BYTES},
    {"name", offsetof(struct key, name), KEY_NAME_BYTES},
    {"tenant", offsetof(struct key, tenant), LIMIT_TENANT_BYTES + 1},
};

static const struct {
	const char *name;
	size_t offset;
} hashes[] = {
    {"sha256", offsetof(struct key, hash)},
    {"old_sha256", offsetof(struct key, old_hash)},
};

static const struct {
	const char *name;
	enum key_right right;
} rights[] = {{"ingest", KEY_INGEST}, {"read", KEY_READ}, {"admin", KEY_ADMIN}};

unsigned
key_right_parse(struct str word)
{
	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		if (str_eq_nocase(word, str_from(rights[i].name)))
			return rights[i].right;
	return 0;
}

const char *
key_right_name(enum key_right right)
{
	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		if (rights[i].right == right)
			return rights[i].name;
	return "none";
}

void
key_set_fini(struct key_set *s)
{
	free(s->items);
	*s = (struct key_set){0};
}

struct key *
key_set_add(struct key_set *s)
{
	if (s->count == s->cap) {
		s->cap = s->cap > 0 ? 2 * s->cap : 16;
		s->items = xrealloc(s->items, s->cap * sizeof(*s->items));
	}
	struct key *k = &s->items[s->count++];
	*k = (struct key){0};
	return k;
}

void
key_set_remove(struct key_set *s, size_t idx)
{
	CHECK(idx < s->count);
	struct key *k = &s->items[idx];
	memmove(k, k + 1, (--s->count - idx) * sizeof(*k));
}

/* ---- reading */

static bool
read_text(struct str value, char *out, size_t bytes)
{
	if (value.len >= bytes)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '\0')
			return false;
		out[i] = value.ptr[i];
	}
	out[value.len] = '\0';
	return true;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_hash(struct str value, unsigned char out[KEY_HASH_BYTES])
{
	if (value.len != 2 * (size_t)KEY_HASH_BYTES)
		return false;
	for (size_t i = 0; i < KEY_HASH_BYTES; i++) {
		int high = hex_value(value.ptr[2 * i]), low = hex_value(value.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool
read_rights(struct json_reader *r, struct arena *arena, struct key *k)
{
	enum json_token t;
	if (jsonr_next(r) != JSON_ARRAY)
		return false;
	while ((t = jsonr_next(r)) == JSON_STRING) {
		unsigned right = key_right_parse(jsonr_string(r, arena));
		if (right == 0)
			return false;
		k->rights |= right;
	}
	return t == JSON_ARRAY_END;
}

static bool
read_time(struct str value, struct key *k, size_t offset)
{
	uint64_t ns;
	if (!str_to_u64(value, &ns))
		return false;
	memcpy((char *)k + offset, &ns, sizeof(ns));
	return true;
}

/* A bit for each member: twice the same one is no way to say who may what. */
static bool
is_first(unsigned *seen, size_t bit)
{
	unsigned mask = 1u << bit;
	bool first = !(*seen & mask);
	*seen |= mask;
	return first;
}

enum { BIT_RIGHTS = 0, BIT_TEXTS = 1, BIT_HASHES = BIT_TEXTS + 3, BIT_TIMES = BIT_HASHES + 2 };
_Static_assert(BIT_HASHES - BIT_TEXTS == ARRAY_LEN(texts), "a bit each");
_Static_assert(BIT_TIMES - BIT_HASHES == ARRAY_LEN(hashes), "a bit each");
_Static_assert(BIT_TIMES + ARRAY_LEN(times) <= 32, "a bit each");

/* A member whose name has just been read. */
static bool
read_member(struct json_reader *r, struct arena *arena, struct str name, unsigned *seen,
    struct key *k)
{
	if (str_eq(name, STR("rights")))
		return is_first(seen, BIT_RIGHTS) && read_rights(r, arena, k);
	if (jsonr_next(r) != JSON_STRING)
		return false;
	struct str value = jsonr_string(r, arena);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (str_eq(name, str_from(texts[i].name)))
			return is_first(seen, BIT_TEXTS + i) &&
			    read_text(value, (char *)k + texts[i].offset, texts[i].bytes);
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		if (str_eq(name, str_from(hashes[i].name)))
			return is_first(seen, BIT_HASHES + i) &&
			    read_hash(value, (unsigned char *)k + hashes[i].offset);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (str_eq(name, str_from(times[i].name)))
			return is_first(seen, BIT_TIMES + i) &&
			    read_time(value, k, times[i].offset);
	return false; /* of a newer weir, perhaps: to leave it out could let somebody in */
}

/* It becomes part of a path. */
static bool
is_id(const char *id)
{
	for (const char *c = id; *c; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9'))
			return false;
	return id[0] != '\0';
}

static bool
is_whole(const struct key *k)
{
	static const unsigned char zeros[KEY_HASH_BYTES];
	bool tenant =
	    strcmp(k->tenant, KEYS_ANY_TENANT) == 0 || tenant_name_valid(str_from(k->tenant));
	return is_id(k->id) && tenant && k->rights && k->created_ns &&
	    memcmp(k->hash, zeros, sizeof(zeros)) != 0;
}

static bool
read_key(struct str line, struct arena *arena, struct key *k)
{
	struct json_reader r;
	enum json_token t;
	unsigned seen = 0;
	jsonr_begin(&r, line);
	if (jsonr_next(&r) != JSON_OBJECT)
		return false;
	while ((t = jsonr_next(&r)) == JSON_KEY)
		if (!read_member(&r, arena, jsonr_string(&r, arena), &seen, k))
			return false;
	return t == JSON_OBJECT_END && jsonr_next(&r) == JSON_END && is_whole(k);
}

/* A member with a number: "name":1. */
static bool
read_number(struct json_reader *r, const char *name, uint64_t *out)
{
	return jsonr_next(r) == JSON_KEY && str_eq(r->raw, str_from(name)) &&
	    jsonr_next(r) == JSON_NUMBER && str_to_u64(r->raw, out);
}

static enum err_code
read_head(struct str line, uint64_t *count_out, struct err *err)
{
	struct json_reader r;
	uint64_t version = 0;
	jsonr_begin(&r, line);
	bool ok = jsonr_next(&r) == JSON_OBJECT && read_number(&r, "weir_keys", &version);
	if (ok && version > VERSION)
		return err_set(err, ERR_CORRUPT,
		    "the file of keys was written by a newer weir (version %llu, this one knows %d)",
		    (unsigned long long)version, (int)VERSION);
	ok = ok && version == VERSION && read_number(&r, "count", count_out);
	if (ok && jsonr_next(&r) == JSON_OBJECT_END)
		ok = jsonr_next(&r) == JSON_END;
	else
		ok = false;
	if (ok)
		return ERR_OK;
	return err_set(err, ERR_CORRUPT,
	    "the file of keys does not begin with {\"weir_keys\":1,\"count\":...}");
}

static bool
is_there(const struct key_set *s, const struct key *k)
{
	for (size_t i = 0; i + 1 < s->count; i++)
		if (strcmp(s->items[i].id, k->id) == 0)
			return true;
	return false;
}

/* The key in a line, added to the set. */
static enum err_code
read_line(struct str line, unsigned number, struct arena *arena, struct key_set *out,
    enum key_fault *fault, struct err *err)
{
	*fault = KEY_BAD_COUNT;
	if (out->count == KEYS_MAX)
		return err_set(err, ERR_CORRUPT, "the file of keys has more than %d",
		    (int)KEYS_MAX);
	struct key *k = key_set_add(out);
	arena_reset(arena);
	bool good = line.len <= LINE_BYTES_MAX && read_key(line, arena, k);
	*fault = good ? KEY_TWICE : KEY_BAD_LINE;
	if (!good || is_there(out, k))
		return err_set(err, ERR_CORRUPT,
		    "line %u of the file of keys is no key, or is there twice", number);
	return ERR_OK;
}

static enum err_code
read_lines(struct str text, struct arena *arena, struct key_set *out, enum key_fault *fault,
    struct err *err)
{
	unsigned number = 0;
	uint64_t count = 0;
	while (text.len > 0) {
		size_t end = str_find(text, '\n');
		struct str line = {text.ptr, end};
		*fault = KEY_TORN;
		if (end == text.len) /* it is replaced whole: a cut one is damaged */
			return err_set(err, ERR_CORRUPT, "the file of keys ends within line %u",
			    number + 1);
		text = str_skip(text, end + 1);
		*fault = KEY_BAD_HEAD;
		enum err_code code = number++ == 0
		    ? read_head(line, &count, err)
		    : read_line(line, number, arena, out, fault, err);
		if (code != ERR_OK)
			return code;
	}
	*fault = KEY_BAD_HEAD;
	if (number == 0)
		return read_head(STR_EMPTY, &count, err);
	*fault = out->count == count ? KEY_WHOLE : KEY_BAD_COUNT;
	if (out->count == count)
		return ERR_OK;
	return err_set(err, ERR_CORRUPT, "the file of keys has %zu of the %llu it should have",
	    out->count, (unsigned long long)count);
}

enum err_code
key_set_diagnose(struct str text, struct key_set *out, enum key_fault *fault_out, struct err *err)
{
	struct arena arena;
	*out = (struct key_set){0};
	arena_init(&arena, 0, LINE_BYTES_MAX);
	enum err_code code = read_lines(text, &arena, out, fault_out, err);
	arena_fini(&arena);
	if (code != ERR_OK)
		key_set_fini(out);
	return code;
}

enum err_code
key_set_parse(struct str text, struct key_set *out, struct err *err)
{
	enum key_fault ignored;
	return key_set_diagnose(text, out, &ignored, err);
}

/* ---- writing */

static void
print_hash(struct json_writer *w, const char *name, const unsigned char hash[KEY_HASH_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	static const unsigned char zeros[KEY_HASH_BYTES];
	char text[2 * KEY_HASH_BYTES];
	if (memcmp(hash, zeros, sizeof(zeros)) == 0)
		return;
	for (size_t i = 0; i < KEY_HASH_BYTES; i++) {
		text[2 * i] = digits[hash[i] >> 4];
		text[2 * i + 1] = digits[hash[i] & 15];
	}
	jsonw_key(w, name);
	jsonw_str(w, str_of(text, sizeof(text)));
}

static void
print_key(struct json_writer *w, const struct key *k)
{
	jsonw_object(w);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		jsonw_key(w, texts[i].name);
		jsonw_str(w, str_from((const char *)k + texts[i].offset));
	}
	jsonw_key(w, "rights");
	jsonw_array(w);
	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		if (k->rights & rights[i].right)
			jsonw_str(w, str_from(rights[i].name));
	jsonw_array_end(w);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		uint64_t ns;
		memcpy(&ns, (const char *)k + times[i].offset, sizeof(ns));
		if (ns == 0 && !times[i].required)
			continue;
		jsonw_key(w, times[i].name);
		jsonw_u64_string(w, ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		print_hash(w, hashes[i].name, (const unsigned char *)k + hashes[i].offset);
	jsonw_object_end(w);
	buf_char(w->out, '\n');
}

void
key_set_print(const struct key_set *s, struct buf *out)
{
	struct json_writer w;
	buf_printf(out, "{\"weir_keys\":%d,\"count\":%zu}\n", (int)VERSION, s->count);
	for (size_t i = 0; i < s->count; i++) {
		json_writer_init(&w, out);
		print_key(&w, &s->items[i]);
	}
}
