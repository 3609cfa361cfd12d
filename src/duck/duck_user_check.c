/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May a statement run? DuckDB's own parser says what it is (json_serialize_sql(), which takes SELECT only), and the tree
 * is walked: every function that it names must be on the list of duck_user_names.c, every table must be a view or a name
 * that a WITH of the statement gives, without schema or database. What the tree does not name cannot be run: reading
 * files, settings, catalogs and the like are all functions or tables.
 *
 * This is the second wall: behind it is a database that has nothing, in a process that may do nothing.
 */
#include "duck/duck_priv.h"
#include "duck/duck_user_worker.h"

#include "wire/json_read.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	NAME_BYTES_MAX = 256,
	WITH_NAMES_MAX = 256,
	TREE_BYTES_MAX = 64 << 20,
};

enum role {
	ROLE_NONE,
	ROLE_STATEMENTS, /* the list of them */
	ROLE_WITH, /* "cte_map" */
	ROLE_WITH_LIST, /* "map" in it */
	ROLE_WITH_ENTRY, /* an item of that: its "key" is a name */
	ROLE_PARAMETERS, /* "named_param_map" */
	ROLE_OF_TABLE, /* the "function" of a table function */
};

/* An object or array that is open. */
struct level {
	enum role role;
	bool array;
	bool table_function, base_table, show; /* its "type", which is its first member */
	struct str key; /* of the member at hand */
};

struct tree {
	struct json_reader json;
	struct level levels[LIMIT_MESSAGE_DEPTH + 1]; /* levels[0]: around the whole */
	unsigned depth;
	struct arena arena;
	struct str with[WITH_NAMES_MAX];
	size_t with_count;
	unsigned statements;
};

static struct level *
top(struct tree *t)
{
	return &t->levels[t->depth];
}

static bool
is_with_name(const struct tree *t, struct str name)
{
	for (size_t i = 0; i < t->with_count; i++)
		if (str_eq_nocase(t->with[i], name))
			return true;
	return false;
}

static bool
is_view(struct str name)
{
	for (size_t i = 0; i < USER_VIEWS; i++)
		if (str_eq_nocase(str_from(duck_user_views[i].name), name))
			return true;
	return false;
}

/* Tables that a name without a schema finds in every database of DuckDB: no WITH may be called so, for where it does not
 * reach the name would be theirs. */
static bool
is_of_system(struct str name)
{
	static const char *const begins[] = {"duckdb_", "pragma_", "sqlite_", "pg_", "weir_"};
	char lower[8];
	size_t n = name.len < sizeof(lower) ? name.len : sizeof(lower);
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)(name.ptr[i] | ((name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') << 5));
	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (str_starts(str_of(lower, n), str_from(begins[i])))
			return true;
	return false;
}

static void
put_views(char *out, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < USER_VIEWS && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? ", " : "",
		    duck_user_views[i].name);
}

static enum err_code
check_table(struct tree *t, struct str name, struct err *err)
{
	char views[160];
	if (is_view(name) || is_with_name(t, name))
		return ERR_OK;
	put_views(views, sizeof(views));
	return err_set(err, ERR_INVALID, "there is no table %.*s; there are %s",
	    (int)(name.len < 40 ? name.len : 40), name.ptr, views);
}

static enum err_code
check_function(struct str name, bool of_table, struct err *err)
{
	if (user_may_call(name, of_table))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "%s %.*s() cannot be called here",
	    of_table ? "the table function" : "the function", (int)(name.len < 60 ? name.len : 60),
	    name.ptr);
}

static enum err_code
add_with(struct tree *t, struct str name, struct err *err)
{
	if (is_of_system(name))
		return err_set(err, ERR_INVALID,
		    "WITH %.*s: choose a name that is none of the database's own",
		    (int)(name.len < 60 ? name.len : 60), name.ptr);
	if (t->with_count == WITH_NAMES_MAX)
		return err_set(err, ERR_INVALID, "more than %d names in WITH", WITH_NAMES_MAX);
	t->with[t->with_count++] = name;
	return ERR_OK;
}

static bool
key_is(const struct level *l, const char *name)
{
	return !l->array && l->key.ptr && str_eq(l->key, str_from(name));
}

static void
take_type(struct level *l, struct str type)
{
	l->table_function = l->table_function || str_eq(type, STR("TABLE_FUNCTION"));
	l->base_table = l->base_table || str_eq(type, STR("BASE_TABLE"));
	l->show = l->show || str_eq(type, STR("SHOW_REF"));
}

static enum err_code
take_string(struct tree *t, struct str value, struct err *err)
{
	struct level *l = top(t);
	if (key_is(l, "type"))
		take_type(l, value);
	else if (key_is(l, "function_name"))
		return check_function(value, l->role == ROLE_OF_TABLE, err);
	else if (key_is(l, "cte_name") || (l->role == ROLE_WITH_ENTRY && key_is(l, "key")))
		return add_with(t, value, err);
	else if (key_is(l, "table_name") && value.len > 0)
		return check_table(t, value, err);
	bool named = value.len > 0 && (l->base_table || l->show);
	if (named && (key_is(l, "schema_name") || key_is(l, "catalog_name")))
		return err_set(err, ERR_INVALID,
		    "tables are named without a schema or database here");
	return ERR_OK;
}

static enum role
role_of(const struct level *outer)
{
	if (key_is(outer, "statements"))
		return ROLE_STATEMENTS;
	if (key_is(outer, "cte_map"))
		return ROLE_WITH;
	if (outer->role == ROLE_WITH && key_is(outer, "map"))
		return ROLE_WITH_LIST;
	if (outer->role == ROLE_WITH_LIST && outer->array)
		return ROLE_WITH_ENTRY;
	if (key_is(outer, "named_param_map"))
		return ROLE_PARAMETERS;
	if (outer->table_function && key_is(outer, "function"))
		return ROLE_OF_TABLE;
	return ROLE_NONE;
}

static enum err_code
open_level(struct tree *t, bool array, struct err *err)
{
	const struct level *outer = top(t);
	if (t->depth == LIMIT_MESSAGE_DEPTH)
		return err_set(err, ERR_INVALID, "the query is nested too deeply");
	if (outer->role == ROLE_PARAMETERS)
		return err_set(err, ERR_INVALID,
		    "parameters (?, $1, $name) have no values here: write the values");
	t->statements += outer->role == ROLE_STATEMENTS;
	enum role role = role_of(outer);
	t->levels[++t->depth] = (struct level){.role = role, .array = array};
	return ERR_OK;
}

static enum err_code
take_token(struct tree *t, enum json_token token, struct err *err)
{
	struct str text;
	switch (token) {
	case JSON_OBJECT: return open_level(t, false, err);
	case JSON_ARRAY: return open_level(t, true, err);
	case JSON_OBJECT_END:
	case JSON_ARRAY_END: t->depth--; return ERR_OK;
	case JSON_KEY:
	case JSON_STRING:
		text = jsonr_string(&t->json, &t->arena);
		if (!text.ptr)
			return err_set(err, ERR_TOO_LARGE, "the query is too large");
		if (token == JSON_STRING)
			return take_string(t, text, err);
		top(t)->key = text;
		return ERR_OK;
	case JSON_NUMBER:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
	case JSON_END:
	case JSON_ERROR: break;
	}
	return ERR_OK;
}

static enum err_code
walk(struct tree *t, struct err *err)
{
	enum err_code code = ERR_OK;
	while (code == ERR_OK) {
		enum json_token token = jsonr_next(&t->json);
		if (token == JSON_END)
			break;
		if (token == JSON_ERROR)
			return err_set(err, ERR_INVALID, "the query is nested too deeply");
		code = take_token(t, token, err);
	}
	return code;
}

bool
user_check_tree(struct str json, struct err *err)
{
	struct tree *t = xcalloc(1, sizeof(*t));
	arena_init(&t->arena, TREE_BYTES_MAX, 0);
	jsonr_begin(&t->json, json);
	enum err_code code = walk(t, err);
	if (code == ERR_OK && t->statements != 1)
		code = err_set(err, ERR_INVALID, "one statement at a time");
	arena_fini(&t->arena);
	free(t);
	return code == ERR_OK;
}

/* json_serialize_sql() says so itself when it is no SELECT, or no SQL. */
static bool
refused(struct worker *w, struct str json)
{
	struct json_reader r;
	struct arena arena = {0};
	struct str key = STR_EMPTY, message = STR_EMPTY, position = STR_EMPTY;
	bool failed = false;
	jsonr_begin(&r, json);
	for (enum json_token t = jsonr_next(&r); t != JSON_END && t != JSON_ERROR;
	    t = jsonr_next(&r)) {
		if (t == JSON_KEY)
			key = jsonr_string(&r, &arena);
		else if (t == JSON_TRUE && str_eq(key, STR("error")))
			failed = true;
		else if (t == JSON_FALSE && str_eq(key, STR("error")))
			break;
		else if (t == JSON_STRING && str_eq(key, STR("error_message")))
			message = jsonr_string(&r, &arena);
		else if (t == JSON_STRING && str_eq(key, STR("position")))
			position = jsonr_string(&r, &arena);
	}
	if (failed && str_starts(message, STR("Only SELECT")))
		worker_fail(w, ERR_INVALID,
		    "only SELECT can be run (also WITH, VALUES, FROM), one statement of it");
	else if (failed)
		worker_fail_at(w, message, position, 0);
	arena_fini(&arena);
	return failed;
}

bool
user_check(struct worker *w, struct str sql)
{
	struct buf json;
	struct err err = {0};
	buf_init(&json, TREE_BYTES_MAX);
	bool good =
	    worker_text(w, "SELECT json_serialize_sql($1::VARCHAR)", &sql, SIZE_MAX, &json) &&
	    !refused(w, buf_view(&json));
	if (good && !user_check_tree(buf_view(&json), &err))
		good = worker_fail(w, err.code, "%s", err.message);
	buf_fini(&json);
	return good;
}
