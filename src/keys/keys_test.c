/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/auth.h"
#include "keys/format.h"

#include "base/buf.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/thread.h"
#include "tests/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW (UINT64_C(1800000000) * NS_PER_S)
enum { THREADS = 4, KEYS_EACH = 12 };

static struct keys *
open_keys(const char *dir)
{
	struct keys *k;
	struct err err;
	if (keys_open(str_from(dir), &k, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return k;
}

static struct key
create(struct keys *k, const char *tenant, unsigned rights, char token[KEY_TOKEN_BYTES])
{
	struct key key;
	struct err err;
	struct key_wish wish = {
	    .name = STR("a \"test\""), .tenant = str_from(tenant), .rights = rights};
	if (keys_create(k, &wish, NOW, &key, token, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return key;
}

static enum err_code
find_at(struct keys *k, const char *token, uint64_t now)
{
	struct key key;
	struct err err;
	return keys_find(k, str_from(token), now, &key, &err);
}

static void
read_keys_file(const char *dir, struct buf *out)
{
	char path[FILE_PATH_BYTES];
	struct err err;
	buf_reset(out);
	assert_int_equal(file_join(str_from(dir), STR(KEYS_FILE), path, &err), ERR_OK);
	assert_int_equal(file_read_all(path, 1 << 20, out, &err), ERR_OK);
}

static void
write_keys_file(const char *dir, struct str text)
{
	struct err err;
	assert_int_equal(file_write_whole(str_from(dir), STR(KEYS_FILE), &text, 1, &err), ERR_OK);
}

TEST(keys, key_is_found_by_its_text_and_by_nothing_else)
{
	const char *dir = test_tmp_dir();
	struct keys *k = open_keys(dir);
	char token[KEY_TOKEN_BYTES], other[KEY_TOKEN_BYTES];
	assert_false(keys_required(k));
	struct key key = create(k, "acme", KEY_READ | KEY_INGEST, token);
	create(k, "zeta", KEY_READ, other);
	assert_true(keys_required(k));
	assert_int_equal(strlen(token), KEY_TOKEN_BYTES - 1);
	assert_string_not_equal(token, other);
	struct key found;
	struct err err;
	assert_int_equal(keys_find(k, str_from(token), NOW, &found, &err), ERR_OK);
	assert_string_equal(found.id, key.id);
	assert_string_equal(found.tenant, "acme");
	assert_int_equal(found.rights, KEY_READ | KEY_INGEST);
	assert_int_equal(find_at(k, "", NOW), ERR_UNAUTHENTICATED);
	assert_int_equal(find_at(k, key.id, NOW), ERR_UNAUTHENTICATED);
	for (size_t i = 0; i < sizeof(token) - 1; i++) {
		char wrong[KEY_TOKEN_BYTES + 1];
		snprintf(wrong, sizeof(wrong), "%s", token);
		wrong[i] = (char)(wrong[i] == 'x' ? 'y' : 'x');
		assert_int_equal(find_at(k, wrong, NOW), ERR_UNAUTHENTICATED);
		wrong[i] = '\0';
		assert_int_equal(find_at(k, wrong, NOW), ERR_UNAUTHENTICATED);
	}
	keys_close(k);
}

TEST(keys, file_has_no_key_in_it_and_nobody_else_may_read_it)
{
	const char *dir = test_tmp_dir();
	struct keys *k = open_keys(dir);
	char token[KEY_TOKEN_BYTES], path[FILE_PATH_BYTES];
	struct buf text = {0};
	struct err err;
	struct stat st;
	create(k, "acme", KEY_ADMIN, token);
	read_keys_file(dir, &text);
	assert_null(memmem(text.ptr, text.len, token, strlen(token)));
	assert_null(memmem(text.ptr, text.len, token + 5, 20));
	assert_int_equal(file_join(str_from(dir), STR(KEYS_FILE), path, &err), ERR_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	keys_close(k);
	buf_fini(&text);
}

TEST(keys, all_of_a_key_comes_back_from_the_file)
{
	const char *dir = test_tmp_dir();
	struct keys *k = open_keys(dir), *again;
	char token[KEY_TOKEN_BYTES], renewed[KEY_TOKEN_BYTES];
	struct key a, b, key;
	struct err err;
	struct key_wish wish = {.name = STR("caf\xc3\xa9 <\\>"),
	    .tenant = STR("*"),
	    .rights = KEY_INGEST | KEY_READ | KEY_ADMIN,
	    .expires_ns = NOW + 90 * NS_PER_DAY};
	assert_int_equal(keys_create(k, &wish, NOW, &a, token, &err), ERR_OK);
	assert_int_equal(keys_rotate(k, str_from(a.id), NS_PER_DAY, NOW + 5, &key, renewed, &err),
	    ERR_OK);
	b = create(k, "zeta", KEY_READ, token);
	assert_int_equal(keys_revoke(k, str_from(b.id), NOW + 7, &key, &err), ERR_OK);
	again = open_keys(dir);
	for (int i = 0; i < 2; i++) {
		struct key here, there;
		struct str id = str_from(i ? b.id : a.id);
		assert_int_equal(keys_get(k, id, &here, &err), ERR_OK);
		assert_int_equal(keys_get(again, id, &there, &err), ERR_OK);
		assert_memory_equal(&here, &there, sizeof(here));
	}
	assert_int_equal(find_at(again, renewed, NOW + 6), ERR_OK);
	assert_int_equal(keys_get(again, STR("nobody"), &key, &err), ERR_NOT_FOUND);
	keys_close(again);
	keys_close(k);
}

TEST(keys, key_ends_when_it_is_revoked_expires_or_is_rotated)
{
	const char *dir = test_tmp_dir();
	struct keys *k = open_keys(dir);
	char token[KEY_TOKEN_BYTES], renewed[KEY_TOKEN_BYTES], third[KEY_TOKEN_BYTES];
	struct key key;
	struct err err;
	struct key_wish wish = {
	    .tenant = STR("acme"), .rights = KEY_READ, .expires_ns = NOW + 1000};
	assert_int_equal(keys_create(k, &wish, NOW, &key, token, &err), ERR_OK);
	assert_int_equal(find_at(k, token, NOW + 999), ERR_OK);
	assert_int_equal(find_at(k, token, NOW + 1000), ERR_UNAUTHENTICATED);
	assert_int_equal(keys_rotate(k, str_from(key.id), 0, NOW + 1000, &key, renewed, &err),
	    ERR_INVALID);

	key = create(k, "acme", KEY_READ, token);
	assert_int_equal(keys_rotate(k, str_from(key.id), 500, NOW, &key, renewed, &err), ERR_OK);
	assert_int_equal(find_at(k, token, NOW + 499), ERR_OK);
	assert_int_equal(find_at(k, token, NOW + 500), ERR_UNAUTHENTICATED);
	assert_int_equal(find_at(k, renewed, NOW + 500), ERR_OK);
	/* At once, and what was good before last is so no longer. */
	assert_int_equal(keys_rotate(k, str_from(key.id), 0, NOW, &key, third, &err), ERR_OK);
	assert_int_equal(find_at(k, token, NOW), ERR_UNAUTHENTICATED);
	assert_int_equal(find_at(k, renewed, NOW), ERR_UNAUTHENTICATED);
	assert_int_equal(find_at(k, third, NOW), ERR_OK);

	assert_int_equal(keys_revoke(k, str_from(key.id), NOW + 3, &key, &err), ERR_OK);
	assert_int_equal(keys_revoke(k, str_from(key.id), NOW + 9, &key, &err), ERR_OK);
	assert_int_equal(key.revoked_ns, NOW + 3);
	assert_int_equal(find_at(k, third, NOW), ERR_UNAUTHENTICATED);
	assert_string_equal(key_state(&key, NOW), "revoked");
	assert_int_equal(keys_rotate(k, str_from(key.id), 0, NOW, &key, third, &err), ERR_INVALID);
	assert_true(keys_required(k)); /* the door stays shut */
	keys_close(k);
}

TEST(keys, key_that_is_not_in_force_can_be_deleted_and_makes_room)
{
	const char *dir = test_tmp_dir();
	struct keys *k = open_keys(dir), *again;
	char token[KEY_TOKEN_BYTES], mine[KEY_TOKEN_BYTES];
	struct key a, b, c, key;
	struct err err;
	struct key_wish wish = {
	    .tenant = STR("acme"), .rights = KEY_READ, .expires_ns = NOW + 1000};
	a = create(k, "acme", KEY_READ, token);
	b = create(k, "zeta", KEY_ADMIN, mine);
	assert_int_equal(keys_create(k, &wish, NOW, &c, token, &err), ERR_OK);
	assert_int_equal(keys_delete(k, STR("nobody"), NOW, &key, &err), ERR_NOT_FOUND);
	assert_int_equal(keys_delete(k, str_from(a.id), NOW, &key, &err), ERR_CONFLICT);
	assert_non_null(strstr(err.message, "revoke it first"));
	assert_int_equal(keys_delete(k, str_from(c.id), NOW + 999, &key, &err), ERR_CONFLICT);
	assert_int_equal(keys_delete(k, str_from(c.id), NOW + 1000, &key, &err), ERR_OK);
	assert_string_equal(key.id, c.id);
	assert_int_equal(keys_revoke(k, str_from(a.id), NOW, &key, &err), ERR_OK);
	assert_int_equal(keys_delete(k, str_from(a.id), NOW, &key, &err), ERR_OK);
	assert_string_equal(key_state(&key, NOW), "revoked");
	assert_int_equal(keys_delete(k, str_from(a.id), NOW, &key, &err), ERR_NOT_FOUND);
	again = open_keys(dir);
	assert_int_equal(keys_get(again, str_from(a.id), &key, &err), ERR_NOT_FOUND);
	assert_int_equal(keys_get(again, str_from(c.id), &key, &err), ERR_NOT_FOUND);
	assert_int_equal(find_at(again, mine, NOW), ERR_OK);
	assert_int_equal(find_at(k, mine, NOW), ERR_OK);
	/* The last one keeps the door shut. */
	assert_int_equal(keys_revoke(k, str_from(b.id), NOW, &key, &err), ERR_OK);
	assert_int_equal(keys_delete(k, str_from(b.id), NOW, &key, &err), ERR_CONFLICT);
	assert_non_null(strstr(err.message, "the only one"));
	assert_true(keys_required(k));
	keys_close(again);
	keys_close(k);
}

/* A file as full for one tenant as it may be, of keys that have expired. */
TEST(keys, deleting_makes_room_for_a_tenant_that_has_all_it_may)
{
	const char *dir = test_tmp_dir();
	struct keys *k = open_keys(dir);
	char token[KEY_TOKEN_BYTES], first[KEY_ID_BYTES] = "";
	struct key_set set = {0};
	struct buf text = {0};
	struct key key;
	struct err err;
	struct key_wish wish = {.tenant = STR("acme"), .rights = KEY_READ};
	for (int i = 1; i <= KEYS_TENANT_MAX; i++) {
		struct key *one = key_set_add(&set);
		memset(one->id, 'a', sizeof(one->id) - 1);
		for (int rest = i, n = 0; rest > 0; rest /= 26)
			one->id[n++] = (char)('a' + rest % 26);
		snprintf(one->tenant, sizeof(one->tenant), "acme");
		one->rights = KEY_READ;
		one->created_ns = NOW;
		one->expires_ns = NOW + 1;
		memcpy(one->hash, &i, sizeof(i)); /* distinct is enough */
	}
	memcpy(first, set.items[0].id, sizeof(first));
	key_set_print(&set, &text);
	key_set_fini(&set);
	write_keys_file(dir, buf_view(&text));
	assert_int_equal(keys_create(k, &wish, NOW + 1, &key, token, &err), ERR_TOO_LARGE);
	assert_non_null(strstr(err.message, "delete some"));
	assert_int_equal(keys_delete(k, str_from(first), NOW + 1, &key, &err), ERR_OK);
	assert_int_equal(keys_create(k, &wish, NOW + 1, &key, token, &err), ERR_OK);
	assert_int_equal(keys_create(k, &wish, NOW + 1, &key, token, &err), ERR_TOO_LARGE);
	buf_fini(&text);
	keys_close(k);
}

TEST(keys, wishes_that_make_no_key_are_refused)
{
	struct keys *k = open_keys(test_tmp_dir());
	char token[KEY_TOKEN_BYTES], name[KEY_NAME_BYTES + 1];
	struct key key;
	struct err err;
	memset(name, 'n', sizeof(name));
	const struct key_wish wishes[] = {
	    {.tenant = STR("acme")},
	    {.tenant = STR(""), .rights = KEY_READ},
	    {.tenant = STR("a/b"), .rights = KEY_READ},
	    {.tenant = STR("**"), .rights = KEY_READ},
	    {.tenant = STR("acme"), .rights = KEY_READ, .name = {name, KEY_NAME_BYTES}},
	    {.tenant = STR("acme"), .rights = KEY_READ, .name = STR("a\nb")},
	    {.tenant = STR("acme"), .rights = KEY_READ, .name = STR("\xff")},
	};
	for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
		assert_int_equal(keys_create(k, &wishes[i], NOW, &key, token, &err), ERR_INVALID);
	assert_false(keys_required(k));
	keys_close(k);
}

TEST(keys, file_that_is_damaged_is_refused_with_its_line)
{
	const char *dir = test_tmp_dir();
	struct keys *k = open_keys(dir), *none;
	char token[KEY_TOKEN_BYTES];
	struct buf good = {0}, bad = {0};
	struct err err;
	create(k, "acme", KEY_READ, token);
	create(k, "zeta", KEY_INGEST, token);
	keys_close(k);
	read_keys_file(dir, &good);
	/* Never a key less without a word. */
	for (size_t i = 0; i < good.len; i++) {
		write_keys_file(dir, (struct str){good.ptr, i});
		assert_int_equal(keys_open(str_from(dir), &none, &err), ERR_CORRUPT);
	}
	static const char *const texts[] = {"{\"weir_keys\":2}\n",
	    "{\"weir_keys\":1,\"count\":1}\n{}\n", "{\"weir_keys\":1}\n", "[]\n",
	    "{\"weir_keys\":1,\"count\":1}\n\n", "\n"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_keys_file(dir, str_from(texts[i]));
		assert_int_equal(keys_open(str_from(dir), &none, &err), ERR_CORRUPT);
		print_message("%s\n", err.message);
	}
	/* A member that this weir does not know, and a key that is there twice. */
	buf_str(&bad, buf_view(&good));
	char *at = memmem(bad.ptr, bad.len, "\"name\"", 6);
	assert_non_null(at);
	memcpy(at, "\"nama\"", 6);
	size_t before = (size_t)(at - bad.ptr);
	write_keys_file(dir, buf_view(&bad));
	assert_int_equal(keys_open(str_from(dir), &none, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.message, "line 2"));
	/* A member twice: whose key is it? */
	buf_reset(&bad);
	buf_str(&bad, (struct str){good.ptr, before});
	buf_str(&bad, STR("\"tenant\":\"*\","));
	buf_str(&bad, str_skip(buf_view(&good), before));
	write_keys_file(dir, buf_view(&bad));
	assert_int_equal(keys_open(str_from(dir), &none, &err), ERR_CORRUPT);
	buf_reset(&bad);
	buf_str(&bad, buf_view(&good));
	struct str rest = str_skip(buf_view(&good), str_find(buf_view(&good), '\n') + 1);
	buf_str(&bad, rest);
	write_keys_file(dir, buf_view(&bad));
	assert_int_equal(keys_open(str_from(dir), &none, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.message, "line 4"));
	buf_fini(&good);
	buf_fini(&bad);
}

static void
until(struct keys *k, const char *token, enum err_code wanted)
{
	uint64_t deadline = clock_mono_ns() + 60 * NS_PER_S;
	while (find_at(k, token, NOW) != wanted) {
		assert_true(clock_mono_ns() < deadline);
		clock_sleep_ns(5 * NS_PER_MS);
	}
}

TEST(keys, change_by_another_process_is_noticed)
{
	const char *dir = test_tmp_dir();
	struct keys *server = open_keys(dir), *other = open_keys(dir);
	char token[KEY_TOKEN_BYTES], trouble[KEYS_TROUBLE_BYTES], path[FILE_PATH_BYTES];
	struct key key;
	struct err err;
	struct buf text = {0};
	assert_int_equal(keys_watch(server, &err), ERR_OK);
	key = create(other, "acme", KEY_READ, token);
	until(server, token, ERR_OK);
	/* What cannot be read changes nothing; nor does a file that has gone. */
	read_keys_file(dir, &text);
	write_keys_file(dir, STR("nonsense\n"));
	while (!keys_trouble(server, trouble))
		clock_sleep_ns(NS_PER_MS);
	assert_int_equal(find_at(server, token, NOW), ERR_OK);
	assert_int_equal(keys_revoke(server, str_from(key.id), NOW, &key, &err), ERR_CORRUPT);
	assert_int_equal(file_join(str_from(dir), STR(KEYS_FILE), path, &err), ERR_OK);
	assert_int_equal(unlink(path), 0);
	while (!keys_trouble(server, trouble) || !strstr(trouble, "has gone"))
		clock_sleep_ns(NS_PER_MS);
	assert_int_equal(find_at(server, token, NOW), ERR_OK);
	assert_int_equal(keys_revoke(server, str_from(key.id), NOW, &key, &err), ERR_CORRUPT);
	assert_true(keys_required(server));
	write_keys_file(dir, buf_view(&text));
	while (keys_trouble(server, trouble))
		clock_sleep_ns(NS_PER_MS);
	assert_int_equal(keys_revoke(other, str_from(key.id), NOW, &key, &err), ERR_OK);
	until(server, token, ERR_UNAUTHENTICATED);
	keys_close(server);
	keys_close(other);
	buf_fini(&text);
}

struct maker {
	struct thread thread;
	struct keys *keys;
	char tokens[KEYS_EACH][KEY_TOKEN_BYTES];
};

static void
make_many(void *ctx)
{
	struct maker *m = ctx;
	for (int i = 0; i < KEYS_EACH; i++) {
		struct key key;
		struct key_wish wish = {.tenant = STR("acme"), .rights = KEY_READ};
		CHECK(keys_create(m->keys, &wish, NOW, &key, m->tokens[i], NULL) == ERR_OK);
	}
}

/* Two of them share a struct, as a server's threads do; the others are as other processes. */
TEST(keys, changes_at_the_same_time_lose_none)
{
	const char *dir = test_tmp_dir();
	struct keys *shared = open_keys(dir), *again;
	struct maker makers[THREADS] = {0};
	struct err err;
	for (int i = 0; i < THREADS; i++) {
		makers[i].keys = i < 2 ? shared : open_keys(dir);
		assert_int_equal(thread_start(&makers[i].thread, "maker", make_many, &makers[i],
		                     &err),
		    ERR_OK);
	}
	for (int i = 0; i < THREADS; i++)
		thread_join(&makers[i].thread);
	again = open_keys(dir);
	for (int i = 0; i < THREADS; i++) {
		for (int n = 0; n < KEYS_EACH; n++)
			assert_int_equal(find_at(again, makers[i].tokens[n], NOW), ERR_OK);
		if (i >= 2)
			keys_close(makers[i].keys);
	}
	keys_close(shared);
	keys_close(again);
}

/* ---- auth */

static enum err_code
check(struct keys *k, struct auth_fields f, unsigned right, const char *tenant)
{
	struct auth_grant grant;
	struct err err = {0};
	enum err_code code = auth_check(k, &f, right, NOW, &grant, &err);
	if (code == ERR_OK)
		assert_string_equal(grant.tenant, tenant);
	else
		assert_null(strstr(err.message, "acme")); /* nor any other name */
	return code;
}

TEST(keys, without_keys_the_request_names_its_tenant)
{
	struct keys *k = open_keys(test_tmp_dir());
	struct auth_fields zeta = {
	    .tenant_1 = STR("zeta"), .authorization = STR("Bearer whatever")};
	assert_int_equal(check(k, (struct auth_fields){0}, KEY_ADMIN, "default"), ERR_OK);
	assert_int_equal(check(k, zeta, KEY_ADMIN, "zeta"), ERR_OK);
	assert_int_equal(check(NULL, zeta, KEY_ADMIN, "zeta"), ERR_OK);
	assert_int_equal(check(k, (struct auth_fields){.tenant_2 = STR("a b")}, KEY_READ, ""),
	    ERR_INVALID);
	keys_close(k);
}

TEST(keys, key_decides_tenant_and_rights)
{
	struct keys *k = open_keys(test_tmp_dir());
	char token[KEY_TOKEN_BYTES], any[KEY_TOKEN_BYTES], bearer[80], wrong[80];
	create(k, "acme", KEY_READ, token);
	create(k, "*", KEY_READ | KEY_INGEST, any);
	snprintf(bearer, sizeof(bearer), "bEARER  %s ", token);
	snprintf(wrong, sizeof(wrong), "Basic %s", token);
	struct str t = str_from(token), all = str_from(any);
	const struct {
		struct auth_fields fields;
		unsigned right;
		const char *tenant;
		enum err_code code;
	} cases[] = {
	    {{.api_key = STR("")}, KEY_READ, "", ERR_UNAUTHENTICATED},
	    {{.authorization = str_from(bearer)}, KEY_READ, "acme", ERR_OK},
	    {{.authorization = str_from(wrong)}, KEY_READ, "", ERR_UNAUTHENTICATED},
	    {{.authorization = t}, KEY_READ, "", ERR_UNAUTHENTICATED},
	    {{.authorization = STR("Bearer ")}, KEY_READ, "", ERR_UNAUTHENTICATED},
	    {{.api_key = t}, KEY_READ, "acme", ERR_OK},
	    {{.junjo_key = t}, 0, "acme", ERR_OK},
	    {{.junjo_key = t, .api_key = t}, KEY_READ, "acme", ERR_OK},
	    {{.junjo_key = t, .api_key = all}, KEY_READ, "", ERR_UNAUTHENTICATED},
	    {{.api_key = STR("weir_")}, KEY_READ, "", ERR_UNAUTHENTICATED},
	    {{.api_key = t}, KEY_INGEST, "", ERR_FORBIDDEN},
	    {{.api_key = t}, KEY_ADMIN, "", ERR_FORBIDDEN},
	    {{.api_key = t, .tenant_1 = STR("acme")}, KEY_READ, "acme", ERR_OK},
	    {{.api_key = t, .tenant_2 = STR("zeta")}, KEY_READ, "", ERR_FORBIDDEN},
	    {{.api_key = t, .tenant_1 = STR("acm")}, KEY_READ, "", ERR_FORBIDDEN},
	    {{.api_key = all}, KEY_INGEST, "default", ERR_OK},
	    {{.api_key = all, .tenant_1 = STR("zeta")}, KEY_INGEST, "zeta", ERR_OK},
	    {{.api_key = all, .tenant_1 = STR("*")}, KEY_INGEST, "", ERR_INVALID},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (check(k, cases[i].fields, cases[i].right, cases[i].tenant) != cases[i].code)
			fail_msg("case %zu", i);
	keys_close(k);
}
