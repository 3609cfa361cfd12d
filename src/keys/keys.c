/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/keys.h"

#include "keys/format.h"

#include "base/map.h"
#include "base/timefmt.h"
#include "base/utf8.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/rand.h"
#include "sys/thread.h"
#include "tenant/tenant.h"

#include <openssl/sha.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SECRET_BYTES = 32, LOCK_WAIT_MS = 5000, LOCK_LOOK_MS = 20 };

_Static_assert(KEY_HASH_BYTES == SHA256_DIGEST_LENGTH, "hashes are SHA-256");

struct keys {
	char dir[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
	struct mutex edit; /* one change at a time; outside of `lock` */
	struct mutex lock; /* of all below; leaf */
	struct key_set set;
	struct map by_hash; /* first 8 bytes of a hash -> 2 * index, + 1: the old one */
	struct file_stamp stamp; /* of the file that was read */
	char trouble[KEYS_TROUBLE_BYTES];
	struct thread watcher;
	struct cond wake;
	bool stop;
};

/* ---- what is in memory */

static uint64_t
first_bytes(const unsigned char hash[KEY_HASH_BYTES])
{
	uint64_t n;
	memcpy(&n, hash, sizeof(n));
	return n;
}

/* Under the lock. Takes the set. */
static void
adopt(struct keys *k, struct key_set *set, const struct file_stamp *stamp)
{
	key_set_fini(&k->set);
	k->set = *set;
	*set = (struct key_set){0};
	k->stamp = *stamp;
	k->trouble[0] = '\0';
	map_clear(&k->by_hash);
	for (size_t i = 0; i < k->set.count; i++) {
		const struct key *key = &k->set.items[i];
		bool put = map_put(&k->by_hash, first_bytes(key->hash), 2 * i);
		put = put &&
		    (key->old_until_ns == 0 ||
		        map_put(&k->by_hash, first_bytes(key->old_hash), 2 * i + 1));
		CHECK(put);
	}
}

static bool
is_good(const struct key *k, uint64_t now_unix_ns)
{
	return k->revoked_ns == 0 && (k->expires_ns == 0 || now_unix_ns < k->expires_ns);
}

const char *
key_state(const struct key *k, uint64_t now_unix_ns)
{
	if (k->revoked_ns)
		return "revoked";
	return is_good(k, now_unix_ns) ? "active" : "expired";
}

bool
keys_required(struct keys *k)
{
	mutex_lock(&k->lock);
	bool required = k->set.count > 0;
	mutex_unlock(&k->lock);
	return required;
}

bool
keys_trouble(struct keys *k, char text[KEYS_TROUBLE_BYTES])
{
	mutex_lock(&k->lock);
	memcpy(text, k->trouble, KEYS_TROUBLE_BYTES);
	mutex_unlock(&k->lock);
	return text[0] != '\0';
}

/* Under the lock; NULL: no key has this hash, now. */
static const struct key *
find_hash(const struct keys *k, const unsigned char hash[KEY_HASH_BYTES], uint64_t now_unix_ns)
{
	const uint64_t *at = map_get(&k->by_hash, first_bytes(hash));
	if (!at)
		return NULL;
	const struct key *key = &k->set.items[*at / 2];
	bool old = *at % 2;
	if (memcmp(old ? key->old_hash : key->hash, hash, KEY_HASH_BYTES) != 0)
		return NULL;
	if (!is_good(key, now_unix_ns) || (old && now_unix_ns >= key->old_until_ns))
		return NULL;
	return key;
}

enum err_code
keys_find(struct keys *k, struct str token, uint64_t now_unix_ns, struct key *out, struct err *err)
{
	unsigned char hash[KEY_HASH_BYTES];
	SHA256((const unsigned char *)(token.ptr ? token.ptr : ""), token.len, hash);
	mutex_lock(&k->lock);
	const struct key *key = find_hash(k, hash, now_unix_ns);
	if (key)
		*out = *key;
	mutex_unlock(&k->lock);
	return key
	    ? ERR_OK
	    : err_set(err, ERR_UNAUTHENTICATED, "this key is not known, or not valid any more");
}

enum err_code
keys_list(struct keys *k, struct arena *arena, struct key **out, size_t *count_out, struct err *err)
{
	mutex_lock(&k->lock);
	*count_out = k->set.count;
	*out = arena_array(arena, k->set.count + 1, sizeof(**out));
	if (*out && k->set.count > 0)
		memcpy(*out, k->set.items, k->set.count * sizeof(**out));
	mutex_unlock(&k->lock);
	return *out ? ERR_OK : err_set(err, ERR_TOO_LARGE, "no memory for a list of keys");
}

static struct key *
find_id(const struct key_set *s, struct str id)
{
	for (size_t i = 0; i < s->count; i++)
		if (str_eq(str_from(s->items[i].id), id))
			return &s->items[i];
	return NULL;
}

static enum err_code
no_such_key(struct str id, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "there is no key with the id \"%.*s\"",
	    (int)(id.len < 40 ? id.len : 40), id.ptr ? id.ptr : "");
}

enum err_code
keys_get(struct keys *k, struct str id, struct key *out, struct err *err)
{
	mutex_lock(&k->lock);
	const struct key *key = find_id(&k->set, id);
	if (key)
		*out = *key;
	mutex_unlock(&k->lock);
	return key ? ERR_OK : no_such_key(id, err);
}

/* ---- the file */

/* A file that is not there has no keys. */
static enum err_code
read_file(const struct keys *k, struct key_set *out, struct file_stamp *stamp, struct err *err)
{
	struct buf text;
	*out = (struct key_set){0};
	*stamp = (struct file_stamp){0};
	buf_init(&text, KEYS_FILE_BYTES_MAX);
	/* First: what is written meanwhile has another one, and is read next time. */
	enum err_code code = file_stamp(k->path, stamp, err);
	if (code == ERR_NOT_FOUND)
		return ERR_OK;
	if (code == ERR_OK)
		code = file_read_all(k->path, KEYS_FILE_BYTES_MAX, &text, err);
	if (code == ERR_OK)
		code = key_set_parse(buf_view(&text), out, err);
	buf_fini(&text);
	return code;
}

static bool
has_changed(struct keys *k)
{
	struct file_stamp now = {0};
	struct err ignored;
	enum err_code code = file_stamp(k->path, &now, &ignored);
	if (code != ERR_OK && code != ERR_NOT_FOUND)
		return true; /* reading it says why */
	mutex_lock(&k->lock);
	bool changed = memcmp(&now, &k->stamp, sizeof(now)) != 0 || k->trouble[0] != '\0';
	mutex_unlock(&k->lock);
	return changed;
}

/* What was known stays known when the file cannot be read, and when it has gone: to take that for "no keys"
 * would open the door. */
static void
read_again(struct keys *k)
{
	struct key_set set;
	struct file_stamp stamp;
	struct err err = {0};
	bool news = false;
	mutex_lock(&k
	        ->edit); /* a change of ours must not be overtaken by what was read before it */
	enum err_code code = read_file(k, &set, &stamp, &err);
	mutex_lock(&k->lock);
	if (code == ERR_OK && set.count == 0 && k->set.count > 0)
		code = err_set(&err, ERR_CORRUPT,
		    "the file of keys has gone; what it had stays in force");
	if (code == ERR_OK) {
		adopt(k, &set, &stamp);
	} else {
		news = strcmp(k->trouble, err.message) != 0;
		err_copy(k->trouble, sizeof(k->trouble), err.message);
	}
	size_t count = k->set.count;
	mutex_unlock(&k->lock);
	mutex_unlock(&k->edit);
	key_set_fini(&set);
	if (code == ERR_OK)
		log_info("keys", "read again: %zu keys", count);
	else if (news)
		log_error("keys", "%s", err.message);
}

static void
watch(void *ctx)
{
	struct keys *k = ctx;
	mutex_lock(&k->lock);
	while (!k->stop) {
		mutex_unlock(&k->lock);
		if (has_changed(k))
			read_again(k);
		mutex_lock(&k->lock);
		if (!k->stop)
			(void)cond_wait_until(&k->wake, &k->lock,
			    clock_mono_ns() + KEYS_WATCH_MS * NS_PER_MS);
	}
	mutex_unlock(&k->lock);
}

enum err_code
keys_open(struct str data_dir, struct keys **out, struct err *err)
{
	struct keys *k = xcalloc(1, sizeof(*k));
	struct key_set set;
	struct file_stamp stamp;
	*out = NULL;
	mutex_init(&k->edit);
	mutex_init(&k->lock);
	cond_init(&k->wake);
	enum err_code code = file_join(data_dir, STR(KEYS_FILE), k->path, err);
	if (code == ERR_OK) {
		memcpy(k->dir, data_dir.ptr, data_dir.len);
		code = read_file(k, &set, &stamp, err);
	}
	if (code != ERR_OK) {
		keys_close(k);
		return code;
	}
	adopt(k, &set, &stamp);
	*out = k;
	return ERR_OK;
}

enum err_code
keys_watch(struct keys *k, struct err *err)
{
	return thread_start(&k->watcher, "keys", watch, k, err);
}

void
keys_close(struct keys *k)
{
	if (!k)
		return;
	mutex_lock(&k->lock);
	k->stop = true;
	mutex_unlock(&k->lock);
	cond_signal(&k->wake);
	thread_join(&k->watcher);
	key_set_fini(&k->set);
	map_fini(&k->by_hash);
	cond_fini(&k->wake);
	mutex_fini(&k->lock);
	mutex_fini(&k->edit);
	free(k);
}

/* ---- changes */

static enum err_code
wait_for_lock(const struct keys *k, struct file *lock, struct err *err)
{
	char path[FILE_PATH_BYTES];
	uint64_t deadline_ns = clock_mono_ns() + LOCK_WAIT_MS * NS_PER_MS;
	enum err_code code = file_join(str_from(k->dir), STR(KEYS_LOCK), path, err);
	while (code == ERR_OK && (code = file_lock(path, lock, err)) == ERR_BUSY &&
	    clock_mono_ns() < deadline_ns) {
		clock_sleep_ns(LOCK_LOOK_MS * NS_PER_MS);
		code = ERR_OK;
	}
	return code;
}

/* What change() does to a set; *out: the key that it is about. */
struct change {
	enum err_code (*apply)(struct key_set *set, const struct change *c, struct key *out,
	    struct err *err);
	const struct key_wish *wish;
	struct str id;
	uint64_t now_ns, grace_ns;
	unsigned char hash[KEY_HASH_BYTES];
};

static enum err_code
write_set(struct keys *k, struct key_set *set, struct err *err)
{
	struct buf text = {0};
	struct file_stamp stamp;
	key_set_print(set, &text);
	struct str part = buf_view(&text);
	enum err_code code = file_write_whole(str_from(k->dir), STR(KEYS_FILE), &part, 1, err);
	buf_fini(&text);
	if (code == ERR_OK)
		code = file_stamp(k->path, &stamp, err);
	if (code != ERR_OK)
		return code;
	mutex_lock(&k->lock);
	adopt(k, set, &stamp);
	mutex_unlock(&k->lock);
	return ERR_OK;
}

static enum err_code
change_locked(struct keys *k, const struct change *c, struct key *out, struct err *err)
{
	struct key_set set;
	struct file_stamp stamp;
	enum err_code code = read_file(k, &set, &stamp, err);
	if (code != ERR_OK)
		return code;
	mutex_lock(&k->lock);
	bool gone = set.count == 0 && k->set.count > 0;
	mutex_unlock(&k->lock);
	if (gone)
		code = err_set(err, ERR_CORRUPT, "the file of keys has gone: put it back");
	if (code == ERR_OK)
		code = c->apply(&set, c, out, err);
	if (code == ERR_OK)
		code = write_set(k, &set, err);
	key_set_fini(&set);
	return code;
}

static enum err_code
change(struct keys *k, const struct change *c, struct key *out, struct err *err)
{
	struct file lock = {0};
	mutex_lock(&k->edit);
	enum err_code code = wait_for_lock(k, &lock, err);
	if (code == ERR_OK)
		code = change_locked(k, c, out, err);
	file_close(&lock);
	mutex_unlock(&k->edit);
	return code;
}

static void
make_token(char out[KEY_TOKEN_BYTES], unsigned char hash[KEY_HASH_BYTES])
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char secret[SECRET_BYTES + 1] = {0};
	size_t n = 5;
	memcpy(out, "weir_", n);
	rand_bytes(secret, SECRET_BYTES);
	for (size_t bit = 0; bit < SECRET_BYTES * 8; bit += 6) {
		unsigned two = (unsigned)secret[bit / 8] << 8 | secret[bit / 8 + 1];
		out[n++] = digits[two >> (10 - bit % 8) & 63];
	}
	CHECK(n + 1 == KEY_TOKEN_BYTES);
	out[n] = '\0';
	SHA256((const unsigned char *)out, n, hash);
}

static void
make_id(char out[KEY_ID_BYTES])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t bits = rand_u64();
	for (size_t i = 0; i < KEY_ID_BYTES - 1; i++, bits >>= 5)
		out[i] = digits[bits & 31];
	out[KEY_ID_BYTES - 1] = '\0';
}

static enum err_code
check_wish(const struct key_wish *w, struct err *err)
{
	if (w->name.len >= KEY_NAME_BYTES || !utf8_valid(w->name))
		return err_set(err, ERR_INVALID, "a key's name is UTF-8 of at most %d bytes",
		    (int)KEY_NAME_BYTES - 1);
	for (size_t i = 0; i < w->name.len; i++)
		if ((unsigned char)w->name.ptr[i] < 0x20 || w->name.ptr[i] == 0x7f)
			return err_set(err, ERR_INVALID, "a key's name has no control characters");
	if (!str_eq(w->tenant, STR(KEYS_ANY_TENANT)) && !tenant_name_valid(w->tenant))
		return err_set(err, ERR_INVALID,
		    "a tenant name is 1 to %d of the characters A-Z a-z 0-9 . _ -, or * for all",
		    LIMIT_TENANT_BYTES);
	if (w->rights == 0)
		return err_set(err, ERR_INVALID,
		    "a key needs a right: ingest, read, admin, or several");
	return ERR_OK;
}

static enum err_code
apply_create(struct key_set *set, const struct change *c, struct key *out, struct err *err)
{
	if (set->count >= KEYS_MAX)
		return err_set(err, ERR_TOO_LARGE,
		    "there are %d keys, which is all that may be: delete some that are revoked or expired",
		    (int)KEYS_MAX);
	size_t of_tenant = 0;
	for (size_t i = 0; i < set->count; i++)
		of_tenant += str_eq(str_from(set->items[i].tenant), c->wish->tenant);
	if (of_tenant >= KEYS_TENANT_MAX)
		return err_set(err, ERR_TOO_LARGE,
		    "the tenant has %d keys, which is all that one may have: delete some that are revoked or "
		    "expired",
		    (int)KEYS_TENANT_MAX);
	char id[KEY_ID_BYTES];
	do
		make_id(id);
	while (find_id(set, str_from(id)));
	struct key *k = key_set_add(set);
	memcpy(k->id, id, sizeof(id));
	if (c->wish->name.len > 0)
		memcpy(k->name, c->wish->name.ptr, c->wish->name.len);
	memcpy(k->tenant, c->wish->tenant.ptr, c->wish->tenant.len);
	k->rights = c->wish->rights;
	k->created_ns = c->now_ns;
	k->expires_ns = c->wish->expires_ns;
	memcpy(k->hash, c->hash, sizeof(k->hash));
	*out = *k;
	return ERR_OK;
}

static enum err_code
apply_rotate(struct key_set *set, const struct change *c, struct key *out, struct err *err)
{
	struct key *k = find_id(set, c->id);
	if (!k)
		return no_such_key(c->id, err);
	if (!is_good(k, c->now_ns))
		return err_set(err, ERR_INVALID, "the key %s is %s: make a new one", k->id,
		    key_state(k, c->now_ns));
	memset(k->old_hash, 0, sizeof(k->old_hash));
	k->old_until_ns = 0;
	if (c->grace_ns > 0) {
		memcpy(k->old_hash, k->hash, sizeof(k->old_hash));
		k->old_until_ns =
		    c->now_ns > UINT64_MAX - c->grace_ns ? UINT64_MAX : c->now_ns + c->grace_ns;
	}
	memcpy(k->hash, c->hash, sizeof(k->hash));
	k->rotated_ns = c->now_ns;
	*out = *k;
	return ERR_OK;
}

static enum err_code
apply_revoke(struct key_set *set, const struct change *c, struct key *out, struct err *err)
{
	struct key *k = find_id(set, c->id);
	if (!k)
		return no_such_key(c->id, err);
	if (k->revoked_ns == 0)
		k->revoked_ns = c->now_ns;
	*out = *k;
	return ERR_OK;
}

static enum err_code
apply_delete(struct key_set *set, const struct change *c, struct key *out, struct err *err)
{
	struct key *k = find_id(set, c->id);
	if (!k)
		return no_such_key(c->id, err);
	if (is_good(k, c->now_ns))
		return err_set(err, ERR_CONFLICT, "the key %s is in force: revoke it first", k->id);
	if (set->count == 1)
		return err_set(err, ERR_CONFLICT,
		    "the key %s is the only one: without any, nobody would need one; make another first",
		    k->id);
	*out = *k;
	key_set_remove(set, (size_t)(k - set->items));
	return ERR_OK;
}

enum err_code
keys_create(struct keys *k, const struct key_wish *wish, uint64_t now_unix_ns, struct key *out,
    char token_out[KEY_TOKEN_BYTES], struct err *err)
{
	struct change c = {.apply = apply_create, .wish = wish, .now_ns = now_unix_ns};
	if (check_wish(wish, err) != ERR_OK)
		return err->code;
	make_token(token_out, c.hash);
	return change(k, &c, out, err);
}

enum err_code
keys_rotate(struct keys *k, struct str id, uint64_t grace_ns, uint64_t now_unix_ns, struct key *out,
    char token_out[KEY_TOKEN_BYTES], struct err *err)
{
	struct change c = {
	    .apply = apply_rotate, .id = id, .now_ns = now_unix_ns, .grace_ns = grace_ns};
	make_token(token_out, c.hash);
	return change(k, &c, out, err);
}

enum err_code
keys_revoke(struct keys *k, struct str id, uint64_t now_unix_ns, struct key *out, struct err *err)
{
	struct change c = {.apply = apply_revoke, .id = id, .now_ns = now_unix_ns};
	return change(k, &c, out, err);
}

enum err_code
keys_delete(struct keys *k, struct str id, uint64_t now_unix_ns, struct key *out, struct err *err)
{
	struct change c = {.apply = apply_delete, .id = id, .now_ns = now_unix_ns};
	return change(k, &c, out, err);
}
