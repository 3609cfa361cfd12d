/* SPDX-License-Identifier: Apache-2.0 */
#include "dlq/kit_test.h"

#include "sys/file.h"
#include "tests/test.h"

#include <stdio.h>

struct dlq *
kit_open(const char *dir)
{
	struct dlq_options opt = {.data_dir = str_from(dir), .attempts_max = 3};
	struct dlq *d = NULL;
	struct err err = {0};
	enum err_code code = dlq_open(&opt, &d, &err);
	if (code != ERR_OK)
		fail_msg("dlq_open: %s", err.message);
	return d;
}

void
kit_reopen(struct dlq **d, const char *dir)
{
	dlq_close(*d);
	*d = kit_open(dir);
}

static struct str
payload_of(uint64_t seq, uint32_t first, char out[64])
{
	int n = snprintf(out, 64, "payload of %llu/%u", (unsigned long long)seq, first);
	return str_of(out, (size_t)n);
}

enum err_code
kit_put(struct dlq *d, uint64_t seq, uint32_t first, uint64_t now_ns)
{
	char text[64];
	struct dlq_letter l = {.seq = seq,
	    .item_first = first,
	    .item_count = 1,
	    .tenant = "acme",
	    .signal = "traces",
	    .identity = {seq, first},
	    .error = "it does not fit"};
	return dlq_put(d, &l, payload_of(seq, first, text), now_ns, NULL);
}

void
kit_id(uint64_t seq, uint32_t first, char out[DLQ_ID_BYTES])
{
	snprintf(out, DLQ_ID_BYTES, "%016llx-%08x", (unsigned long long)seq, first);
}

static void
expect_payload(const struct dlq_letter *l, const struct buf *payload)
{
	char text[64];
	struct str want = payload_of(l->seq, l->item_first, text);
	assert_int_equal(l->bytes, want.len);
	assert_true(str_eq(buf_view(payload), want));
	assert_string_equal(l->tenant, "acme");
	assert_string_equal(l->signal, "traces");
	assert_int_equal(l->item_count, 1);
	assert_int_equal(l->identity.hi, l->seq);
	assert_int_equal(l->identity.lo, l->item_first);
}

void
kit_expect(struct dlq *d, uint64_t seq, uint32_t first, enum dlq_state state, unsigned attempts)
{
	char id[DLQ_ID_BYTES];
	struct dlq_letter l;
	struct buf payload = {0};
	struct err err = {0};
	kit_id(seq, first, id);
	if (dlq_show(d, id, &l, &payload, &err) != ERR_OK)
		fail_msg("%s: %s", id, err.message);
	expect_payload(&l, &payload);
	assert_string_equal(l.id, id);
	assert_int_equal(l.state, state);
	assert_int_equal(l.attempts, attempts);
	buf_fini(&payload);
}

bool
kit_due(struct dlq *d, uint64_t now_ns, struct dlq_letter *out)
{
	struct buf payload = {0};
	uint64_t next;
	enum err_code code = dlq_due(d, now_ns, out, &payload, &next, NULL);
	assert_true(code == ERR_OK || code == ERR_NOT_FOUND);
	if (code == ERR_OK)
		expect_payload(out, &payload);
	buf_fini(&payload);
	return code == ERR_OK;
}

uint64_t
kit_count(struct dlq *d, enum dlq_state state)
{
	uint64_t counts[DLQ_UNREADABLE + 1];
	dlq_counts(d, counts);
	return counts[state];
}

struct counting {
	const char *ending;
	unsigned count;
};

static void
count_one(void *ctx, const char *name)
{
	struct counting *c = ctx;
	size_t n = strlen(name), len = strlen(c->ending);
	c->count += n >= len && strcmp(name + n - len, c->ending) == 0;
}

unsigned
kit_files(const char *dir, const char *sub, const char *ending)
{
	char path[FILE_PATH_BYTES];
	struct counting c = {.ending = ending};
	assert_int_equal(file_join(str_from(dir), str_from(sub), path, NULL), ERR_OK);
	if (file_exists(path))
		assert_int_equal(file_list(path, count_one, &c, NULL), ERR_OK);
	return c.count;
}

void
kit_path(const char *dir, const char *sub, const char *name, char *out)
{
	int n = snprintf(out, FILE_PATH_BYTES, "%s/%s/%s", dir, sub, name);
	assert_true(n > 0 && n < FILE_PATH_BYTES);
}

void
kit_write(const char *path, const void *bytes, size_t n)
{
	struct file f;
	/* Not emptied first: some file systems flush to disk then. */
	enum file_mode mode = file_exists(path) ? FILE_WRITE : FILE_CREATE;
	assert_int_equal(file_open(path, mode, &f, NULL), ERR_OK);
	assert_int_equal(file_truncate(&f, n, NULL), ERR_OK);
	assert_int_equal(file_pwrite(&f, 0, bytes, n, NULL), ERR_OK);
	file_close(&f);
}
