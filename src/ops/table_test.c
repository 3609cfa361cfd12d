/* SPDX-License-Identifier: Apache-2.0 */
/* What each row of the table has to have, since help, REST, the OpenAPI document and completions are made of it. */
#include "ops/ops_priv.h"
#include "tests/test.h"

#include <jansson.h>

static bool
has_schema(const char *name)
{
	const struct embedded_text *s = ops_schemas;
	while (s->name && strcmp(s->name, name) != 0)
		s++;
	return s->name != NULL;
}

static bool
is_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return n > 0 && name[n] == '\0' && name[0] >= 'a' && name[0] <= 'z';
}

/* Prometheus' API has one of these: match[]. */
static bool
is_param_name(const char *name)
{
	char plain[64];
	size_t n = strlen(name);
	if (n < 3 || n >= sizeof(plain) || strcmp(name + n - 2, "[]") != 0)
		return is_name(name);
	memcpy(plain, name, n - 2);
	plain[n - 2] = '\0';
	return is_name(plain);
}

static void
check_param(const struct op *op, const struct op_param *p)
{
	struct err err;
	const char *values[] = {p->fallback, p->sample};
	if (!is_param_name(p->name) || !p->help || p->help[0] == '\0')
		fail_msg("%s: parameter %s has no name or no help", op->name, p->name);
	if ((p->type == OP_ENUM) != (p->choices != NULL))
		fail_msg("%s: parameter %s: choices", op->name, p->name);
	if (p->required && p->type == OP_TEXT && !p->in_path && !p->sample)
		fail_msg("%s: parameter %s is required and has no sample", op->name, p->name);
	/* What is named so has the server's bound, which ops_run() checks; in Prometheus' API it has its own. */
	if (!op->prometheus &&
	    ((strcmp(p->name, "limit") == 0) != p->results || (p->results && p->type != OP_INT)))
		fail_msg("%s: parameter %s: `results` is for what is called limit", op->name,
		    p->name);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (values[i] && ops_check_value(p, str_from(values[i]), &err) != ERR_OK)
			fail_msg("%s: parameter %s: %s", op->name, p->name, err.message);
	for (const struct op_param *other = p + 1; other->name; other++)
		assert_string_not_equal(other->name, p->name);
}

TEST(ops, every_row_says_what_faces_need)
{
	for (const struct op *op = ops_table; op->name; op++) {
		if (!is_name(op->name) || !op->help || (op->handle != NULL) == op->stream ||
		    !op->params)
			fail_msg("%s: a row without name, help, parameters or handler", op->name);
		/* One line that begins with a verb in lower case, no full stop. */
		size_t n = strlen(op->help);
		if (n < 8 || n > 66 || op->help[0] < 'a' || op->help[0] > 'z' ||
		    op->help[n - 1] == '.')
			fail_msg("%s: its help does not read well: %s", op->name, op->help);
		if (!op->no_command && (!op->example || strncmp(op->example, "weir ", 5) != 0))
			fail_msg("%s: no example that is a command line", op->name);
		if (op->answer ? !has_schema(op->answer) : !op->also)
			fail_msg("%s: no schema of its answer: %s", op->name,
			    op->answer ? op->answer : "none is named");
		assert_int_equal(strncmp(op->path, "/", 1), 0);
		for (const struct op_param *p = op->params; p->name; p++)
			check_param(op, p);
	}
}

TEST(ops, names_and_paths_are_there_once)
{
	for (const struct op *op = ops_table; op->name; op++)
		for (const struct op *other = op + 1; other->name; other++) {
			assert_string_not_equal(other->name, op->name);
			if (other->method == op->method)
				assert_string_not_equal(other->path, op->path);
		}
}

TEST(ops, what_stands_in_a_path_is_a_parameter)
{
	for (const struct op *op = ops_table; op->name; op++) {
		const char *brace = strchr(op->path, '{');
		const struct op_param *p = op->params;
		for (; p->name && p->in_path; p++) {
			assert_non_null(brace);
			assert_int_equal(strncmp(brace + 1, p->name, strlen(p->name)), 0);
			brace = strchr(brace + 1, '{');
		}
		assert_null(brace);
		assert_true(!op->with_slashes || p == op->params + 1);
		for (; p->name; p++)
			assert_false(p->in_path);
	}
}

TEST(ops, schemas_are_json_in_ascii_and_refer_to_each_other)
{
	static const char prefix[] = "\"#/components/schemas/";
	for (const struct embedded_text *s = ops_schemas; s->name; s++) {
		json_error_t e;
		json_t *parsed = json_loads(s->text, JSON_REJECT_DUPLICATES, &e);
		if (!parsed)
			fail_msg("%s.json: %s at %d", s->name, e.text, e.position);
		json_decref(parsed);
		/* An answer has none of these unescaped; this is one too. */
		if (strpbrk(s->text, "<>&\t\n"))
			fail_msg("%s.json has <, > or & in it: write \\u003c", s->name);
		for (const char *c = s->text; *c; c++)
			if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
				fail_msg("%s.json is not plain ASCII", s->name);
		for (const char *at = s->text; (at = strstr(at, prefix)) != NULL;) {
			char name[64] = "";
			at += sizeof(prefix) - 1;
			memcpy(name, at, strcspn(at, "\""));
			if (!has_schema(name))
				fail_msg("%s.json refers to %s, which is not there", s->name, name);
		}
	}
}
