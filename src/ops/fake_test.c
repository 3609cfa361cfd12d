/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/fake_test.h"

#include "tests/test.h"

#include <jansson.h>
#include <stdlib.h>

enum { VALUES_MAX = 80 };

static enum err_code
fake_query(struct store *s, const struct store_query *q, struct store_result *r, struct err *err)
{
	struct fake *f = (struct fake *)s;
	(void)err;
	f->asked = *q;
	f->ask_count++;
	r->rows = f->rows;
	r->resources = f->resources;
	r->scopes = f->scopes;
	if (r->rows.row_count > q->row_max) {
		r->rows.row_count = q->row_max;
		r->more = true;
		r->next =
		    (struct store_cursor){.time_ns = 111, .seq = 222, .ord = 333, .set = true};
	}
	return ERR_OK;
}

static const struct store_ops fake_ops = {.name = "fake", .query = fake_query};

static void
add_dictionaries(struct fake *f)
{
	size_t row = table_add_row(&f->resources);
	table_set_u64(&f->resources, row, RESOURCE_ID, 7);
	table_set_str(&f->resources, row, RESOURCE_ATTRIBUTES, STR("{\"service.name\":\"shop\"}"));
	table_set_u32(&f->resources, row, RESOURCE_DROPPED_ATTRIBUTES, 4);
	table_set_str(&f->resources, row, RESOURCE_SCHEMA_URL, STR("http://schema/r"));
	row = table_add_row(&f->scopes);
	table_set_u64(&f->scopes, row, SCOPE_ID, 9);
	table_set_str(&f->scopes, row, SCOPE_NAME, STR("lib"));
	table_set_str(&f->scopes, row, SCOPE_VERSION, STR("1.2"));
	table_set_str(&f->scopes, row, SCOPE_ATTRIBUTES, STR("{\"a\":[1,true]}"));
	table_set_u32(&f->scopes, row, SCOPE_DROPPED_ATTRIBUTES, 5);
	table_set_str(&f->scopes, row, SCOPE_SCHEMA_URL, STR("http://schema/s"));
}

void
fake_init(struct fake *f, enum table_id id)
{
	*f = (struct fake){.store = {&fake_ops},
	    .tenant = STR("default"),
	    .limits = limits_default(),
	    .now_ns = UINT64_C(1795187531000000042)};
	table_init(&f->rows, id, &f->arena);
	table_init(&f->resources, TABLE_RESOURCES, &f->arena);
	table_init(&f->scopes, TABLE_SCOPES, &f->arena);
	add_dictionaries(f);
}

void
fake_fini(struct fake *f)
{
	buf_fini(&f->answer);
	arena_fini(&f->arena);
}

size_t
fake_row(struct fake *f)
{
	size_t row = table_add_row(&f->rows);
	assert_true(row != SIZE_MAX);
	return row;
}

static size_t
split_params(char *text, struct op_value *values)
{
	size_t count = 0;
	char *save = NULL;
	for (char *p = strtok_r(text, "&", &save); p; p = strtok_r(NULL, "&", &save)) {
		char *eq = strchr(p, '=');
		assert_non_null(eq);
		assert_true(count < VALUES_MAX);
		values[count].name = str_of(p, (size_t)(eq - p));
		values[count++].value = str_from(eq + 1);
	}
	return count;
}

static bool
should_stop(const struct op_context *ctx, uint64_t deadline_mono_ns)
{
	struct fake *f = (struct fake *)ctx->store;
	assert_int_equal(deadline_mono_ns, 99);
	return ++f->stop_count >= f->stop_at && f->stop_at > 0;
}

enum err_code
fake_run(struct fake *f, const char *op, const char *params)
{
	struct op_value values[VALUES_MAX];
	struct arena arena = {.bytes_max = f->arena_bytes_max};
	struct op_context ctx = {.store = &f->store,
	    .limits = &f->limits,
	    .tenant = f->tenant,
	    .now_unix_ns = f->now_ns,
	    .deadline_mono_ns = 99,
	    .stop = f->stop_at > 0 ? should_stop : NULL,
	    .arena = &arena,
	    .reply = &f->reply};
	char *text = strdup(params);
	size_t count = split_params(text, values);
	buf_fini(&f->answer);
	buf_init(&f->answer, f->answer_bytes_max);
	f->err = (struct err){0};
	f->stop_count = 0;
	f->reply = (struct ops_reply){0};
	enum err_code code =
	    ops_run(ops_find_name(str_from(op)), &ctx, values, count, &f->answer, &f->err);
	assert_int_equal(code, f->err.code);
	arena_fini(&arena);
	free(text);
	return code;
}

json_t *
fake_get(struct fake *f, const char *op, const char *params)
{
	json_error_t error;
	if (fake_run(f, op, params))
		fail_msg("%s", f->err.message);
	json_t *answer = json_loadb(f->answer.ptr, f->answer.len, JSON_REJECT_DUPLICATES, &error);
	if (!answer)
		fail_msg("%s: %.*s", error.text, (int)f->answer.len, f->answer.ptr);
	return answer;
}
