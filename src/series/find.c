/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series of the store to series of PromQL. Names are looked at first, in the list of metrics: only series of those that the
 * matchers let through are read; a matcher job="x" is asked of the store as its service.
 */
#include "series/series_priv.h"

#include <stdlib.h>

enum {
	TEMPORALITY_DELTA = 1,
	NAMES_MAX = 500, /* asked for by name; more: all are read and those wanted are kept */
	SERIES_READ_MAX = 20000000,
};

static const struct str name_label = STR_INIT("__name__");
static const struct str info_name = STR_INIT("target_info");

struct target { /* a resource */
	uint64_t id;
	struct str job, instance;
	struct promql_label *info; /* the rest of it */
	size_t info_count;
	uint64_t series, first_ns, last_ns;
};

struct scoped {
	uint64_t id;
	struct promql_label *labels;
	size_t count;
};

struct finding {
	struct series_reader *r;
	const struct series_match *lists;
	size_t list_count;
	unsigned char *wanted; /* of a family: bits of its parts' indexes */
	bool info; /* target_info is wanted */
	struct store_result rows;
	struct target *targets; /* by id */
	struct scoped *scopes; /* by id */
	struct members *out;
};

/* ---- matchers */

static bool
is_plain_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool letter =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return s.len > 0;
}

/* `name` is what PromQL calls it; OTLP's own is with the same suffix. */
static enum err_code
name_satisfies(const struct promql_matcher *m, struct str name, struct str otlp, struct str suffix,
    bool *out, struct err *err)
{
	bool equal = m->op == PROMQL_EQ || m->op == PROMQL_NE;
	if (equal && otlp.len > 0 && !is_plain_name(m->value) && str_starts(m->value, otlp) &&
	    str_eq(str_skip(m->value, otlp.len), suffix)) {
		*out = m->op == PROMQL_EQ;
		return ERR_OK;
	}
	return promql_matches(m, name, out, err);
}

static enum err_code
names_satisfy(const struct finding *f, struct str name, struct str otlp, struct str suffix,
    bool *out, struct err *err)
{
	enum err_code code = ERR_OK;
	*out = f->list_count == 0;
	for (size_t i = 0; i < f->list_count && !*out && code == ERR_OK; i++) {
		bool all = true;
		for (size_t k = 0; k < f->lists[i].count && all && code == ERR_OK; k++)
			if (str_eq(f->lists[i].items[k].name, name_label))
				code = name_satisfies(&f->lists[i].items[k], name, otlp, suffix,
				    &all, err);
		*out = all;
	}
	return code;
}

/* All matchers of one list; without `whole` the part's own label is not there yet, and its matchers are left out. */
enum err_code
series_satisfies(const struct series_match *lists, size_t list_count, const struct member *m,
    const struct promql_labels *l, bool whole, bool *out, struct err *err)
{
	struct str own = series_own_label(m->part), suffix = series_suffix(m->part);
	enum err_code code = ERR_OK;
	*out = list_count == 0;
	for (size_t i = 0; i < list_count && !*out && code == ERR_OK; i++) {
		bool all = true;
		for (size_t k = 0; k < lists[i].count && all && code == ERR_OK; k++) {
			const struct promql_matcher *by = &lists[i].items[k];
			struct str value = promql_label_get(l, by->name);
			if (str_eq(by->name, name_label))
				code = name_satisfies(by, value, m->otlp_name, suffix, &all, err);
			else if (whole || own.len == 0 || !str_eq(by->name, own))
				code = promql_matches(by, value, &all, err);
		}
		*out = all;
	}
	return code;
}

/* ---- what is read */

static enum err_code
choose_families(struct finding *f, uint64_t from_ns, uint64_t to_ns, size_t *chosen_out,
    struct err *err)
{
	const struct series_family *families;
	enum part parts[SERIES_PARTS_MAX];
	struct str names[SERIES_PARTS_MAX];
	size_t count = 0, part_count = 0;
	bool wanted;
	*chosen_out = 0;
	enum err_code code = series_families(f->r, from_ns, to_ns, &families, &count, err);
	if (code == ERR_OK)
		code = names_satisfy(f, info_name, STR_EMPTY, STR_EMPTY, &f->info, err);
	f->wanted = code == ERR_OK ? arena_alloc(f->r->arena, count + 1) : NULL;
	if (!f->wanted)
		return code == ERR_OK ? series_spent(f->r, err) : code;
	for (size_t i = 0; i < count && code == ERR_OK; i++) {
		code = series_family_names(f->r, &families[i], names, &part_count, err);
		(void)series_parts(families[i].type, parts);
		for (size_t p = 0; p < part_count && code == ERR_OK; p++) {
			code = names_satisfy(f, names[p], families[i].otlp_name,
			    series_suffix(parts[p]), &wanted, err);
			f->wanted[i] |= (unsigned char)(wanted << p);
		}
		*chosen_out += f->wanted[i] != 0;
	}
	return code;
}

/* job="x": then x is the name of the service, if it has no namespace in it. */
static struct str
wanted_service(const struct finding *f)
{
	const struct series_match *list = f->lists;
	for (size_t i = 0; f->list_count == 1 && i < list->count; i++) {
		const struct promql_matcher *m = &list->items[i];
		bool whole = str_find(m->value, '/') == m->value.len;
		if (str_eq(m->name, STR("job")) && m->op == PROMQL_EQ && m->value.len > 0 && whole)
			return m->value;
	}
	return STR_EMPTY;
}

static enum err_code
read_series(struct finding *f, size_t chosen, uint64_t from_ns, uint64_t to_ns, struct err *err)
{
	struct series_reader *r = f->r;
	struct str *names = arena_array(r->arena, NAMES_MAX, sizeof(*names));
	struct store_query q = {.kind = STORE_SERIES,
	    .tenant = r->tenant,
	    .from_ns = from_ns,
	    .to_ns = to_ns,
	    .service = wanted_service(f),
	    .row_max = SERIES_READ_MAX,
	    .deadline_mono_ns = r->deadline_mono_ns,
	    .names = names};
	if (!names)
		return series_spent(r, err);
	for (size_t i = 0; i < r->family_count && !f->info && chosen <= NAMES_MAX; i++)
		if (f->wanted[i])
			names[q.name_count++] = r->families[i].otlp_name;
	enum err_code code = store_query(r->store, &q, r->arena, &f->rows, err);
	if (code == ERR_OK && f->rows.more)
		code = err_set(err, ERR_EXECUTION,
		    "there are more than %d series in this time: ask for a shorter one",
		    SERIES_READ_MAX);
	return code;
}

/* ---- resources and scopes */

static int
by_id(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

_Static_assert(offsetof(struct target, id) == 0, "by_id() looks there");
_Static_assert(offsetof(struct scoped, id) == 0, "by_id() looks there");

/* Without its identifying attributes. */
static enum err_code
read_info(struct finding *f, struct str attributes, struct target *t, struct err *err)
{
	static const struct str identifying[] = {STR_INIT("service_name"),
	    STR_INIT("service_namespace"), STR_INIT("service_instance_id")};
	struct attributes a = {.arena = f->r->arena};
	enum err_code code = series_add_attributes(&a, attributes, STR(""), err);
	if (code == ERR_OK)
		code = series_merge_attributes(&a, 3, &t->info, &t->info_count, err);
	size_t n = 0;
	for (size_t i = 0; code == ERR_OK && i < t->info_count; i++) {
		bool drop = false;
		for (size_t k = 0; k < ARRAY_LEN(identifying); k++)
			drop = drop || str_eq(t->info[i].name, identifying[k]);
		if (!drop)
			t->info[n++] = t->info[i];
	}
	t->info_count = n;
	return code;
}

static enum err_code
read_target(struct finding *f, size_t row, struct target *t, struct err *err)
{
	const struct table *rows = &f->rows.resources;
	struct arena *arena = f->r->arena;
	struct str attributes = table_str(rows, row, RESOURCE_ATTRIBUTES), name, space;
	*t = (struct target){.id = table_u64(rows, row, RESOURCE_ID), .first_ns = UINT64_MAX};
	enum err_code code =
	    series_attribute_text(attributes, STR("service.name"), arena, &name, err);
	if (code == ERR_OK)
		code =
		    series_attribute_text(attributes, STR("service.namespace"), arena, &space, err);
	if (code == ERR_OK)
		code = series_attribute_text(attributes, STR("service.instance.id"), arena,
		    &t->instance, err);
	if (code != ERR_OK)
		return code;
	t->job = name;
	if (name.len > 0 && space.len > 0)
		t->job = arena_printf(arena, "%.*s/%.*s", STR_ARG(space), STR_ARG(name));
	if (!t->job.ptr)
		return series_spent(f->r, err);
	return f->info ? read_info(f, attributes, t, err) : ERR_OK;
}

static enum err_code
read_scope(struct finding *f, size_t row, struct scoped *s, struct err *err)
{
	const struct table *rows = &f->rows.scopes;
	struct attributes a = {.arena = f->r->arena};
	*s = (struct scoped){.id = table_u64(rows, row, SCOPE_ID)};
	enum err_code code = series_add_attributes(&a, table_str(rows, row, SCOPE_ATTRIBUTES),
	    STR("otel_scope_"), err);
	if (code == ERR_OK)
		code = series_merge_attributes(&a, 3, &s->labels, &s->count, err);
	if (code != ERR_OK)
		return code;
	s->labels[s->count++] =
	    (struct promql_label){STR("otel_scope_name"), table_str(rows, row, SCOPE_NAME)};
	s->labels[s->count++] =
	    (struct promql_label){STR("otel_scope_version"), table_str(rows, row, SCOPE_VERSION)};
	s->labels[s->count++] = (struct promql_label){
	    STR("otel_scope_schema_url"), table_str(rows, row, SCOPE_SCHEMA_URL)};
	return ERR_OK;
}

static enum err_code
read_dictionaries(struct finding *f, struct err *err)
{
	size_t targets = f->rows.resources.row_count, scopes = f->rows.scopes.row_count;
	enum err_code code = ERR_OK;
	f->targets = arena_array(f->r->arena, targets + 1, sizeof(*f->targets));
	f->scopes = arena_array(f->r->arena, scopes + 1, sizeof(*f->scopes));
	if (!f->targets || !f->scopes)
		return series_spent(f->r, err);
	for (size_t i = 0; i < targets && code == ERR_OK; i++)
		code = read_target(f, i, &f->targets[i], err);
	for (size_t i = 0; i < scopes && code == ERR_OK; i++)
		code = read_scope(f, i, &f->scopes[i], err);
	if (code == ERR_OK && targets > 1)
		qsort(f->targets, targets, sizeof(*f->targets), by_id);
	if (code == ERR_OK && scopes > 1)
		qsort(f->scopes, scopes, sizeof(*f->scopes), by_id);
	return code;
}

/* ---- members */

static enum err_code
add_member(struct finding *f, const struct member *m, struct err *err)
{
	struct members *out = f->out;
	if (out->count >= f->r->series_max)
		return err_set(err, ERR_EXECUTION,
		    "a selector matches more than %llu series (--max-query-series): add matchers",
		    (unsigned long long)f->r->series_max);
	if (out->count == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 64;
		struct member *more = arena_array(f->r->arena, cap, sizeof(*more));
		if (!more)
			return series_spent(f->r, err);
		if (out->count > 0)
			memcpy(more, out->items, out->count * sizeof(*more));
		out->items = more;
		out->cap = cap;
	}
	out->items[out->count++] = *m;
	return ERR_OK;
}

/* What all parts of a row have in common. */
struct row_labels {
	struct promql_label *items;
	size_t count;
	struct target *target;
};

static enum err_code
read_row(struct finding *f, size_t row, struct row_labels *out, struct err *err)
{
	const struct table *t = &f->rows.rows;
	uint64_t resource = table_u64(t, row, SERIES_RESOURCE_ID);
	uint64_t scope = table_u64(t, row, SERIES_SCOPE_ID);
	struct attributes a = {.arena = f->r->arena};
	struct target *target = f->rows.resources.row_count > 0
	    ? bsearch(&resource, f->targets, f->rows.resources.row_count, sizeof(*target), by_id)
	    : NULL;
	const struct scoped *s = f->rows.scopes.row_count > 0
	    ? bsearch(&scope, f->scopes, f->rows.scopes.row_count, sizeof(*s), by_id)
	    : NULL;
	size_t more = (s ? s->count : 0) + 2;
	enum err_code code =
	    series_add_attributes(&a, table_str(t, row, SERIES_ATTRIBUTES), STR(""), err);
	if (code == ERR_OK)
		code = series_merge_attributes(&a, more, &out->items, &out->count, err);
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; s && i < s->count; i++)
		out->items[out->count++] = s->labels[i];
	if (target) {
		out->items[out->count++] = (struct promql_label){STR("job"), target->job};
		out->items[out->count++] = (struct promql_label){STR("instance"), target->instance};
	}
	out->target = target;
	return ERR_OK;
}

static enum err_code
label_member(struct finding *f, const struct promql_label *items, size_t count, struct str name,
    struct member *m, struct err *err)
{
	/* Room for the part's own label too. */
	struct promql_label *labels = arena_array(f->r->arena, count + 2, sizeof(*labels));
	size_t n = 0;
	struct str own = series_own_label(m->part);
	if (!labels)
		return series_spent(f->r, err);
	for (size_t i = 0; i < count; i++)
		if (own.len == 0 || !str_eq(items[i].name, own))
			labels[n++] = items[i];
	labels[n++] = (struct promql_label){name_label, name};
	m->labels = promql_labels_make(labels, n);
	return ERR_OK;
}

static enum err_code
add_part(struct finding *f, size_t row, enum part part, struct str name, struct str otlp,
    const struct row_labels *common, struct err *err)
{
	const struct table *t = &f->rows.rows;
	int32_t type = table_i32(t, row, SERIES_TYPE);
	bool counts = type == POINT_SUM_TYPE
	    ? table_bool(t, row, SERIES_MONOTONIC)
	    : type == POINT_HISTOGRAM || type == POINT_EXP_HISTOGRAM;
	bool matches = false;
	struct arena_mark mark = arena_mark(f->r->arena);
	struct member m = {.id = table_u64(t, row, SERIES_ID),
	    .part = part,
	    .otlp_name = otlp,
	    .delta = counts && table_i32(t, row, SERIES_TEMPORALITY) == TEMPORALITY_DELTA,
	    .points = table_u64(t, row, SERIES_POINTS),
	    .first_ns = table_u64(t, row, SERIES_FIRST_NS),
	    .last_ns = table_u64(t, row, SERIES_LAST_NS)};
	enum err_code code = label_member(f, common->items, common->count, name, &m, err);
	if (code == ERR_OK)
		code =
		    series_satisfies(f->lists, f->list_count, &m, &m.labels, false, &matches, err);
	if (code == ERR_OK && matches)
		return add_member(f, &m, err);
	arena_rewind(f->r->arena, mark);
	return code;
}

static enum err_code
add_row(struct finding *f, size_t row, struct err *err)
{
	const struct series_family *family = series_family_of(f->r, &f->rows.rows, row);
	size_t place = family ? (size_t)(family - f->r->families) : 0;
	enum part parts[SERIES_PARTS_MAX];
	struct str names[SERIES_PARTS_MAX];
	struct row_labels common;
	size_t count;
	if (!family || (!f->wanted[place] && !f->info))
		return ERR_OK;
	enum err_code code = read_row(f, row, &common, err);
	if (code == ERR_OK)
		code = series_family_names(f->r, family, names, &count, err);
	if (code != ERR_OK)
		return code;
	(void)series_parts(family->type, parts);
	for (size_t p = 0; p < count && code == ERR_OK; p++)
		if (f->wanted[place] & 1u << p)
			code =
			    add_part(f, row, parts[p], names[p], family->otlp_name, &common, err);
	struct target *t = common.target;
	uint64_t first_ns = table_u64(&f->rows.rows, row, SERIES_FIRST_NS);
	uint64_t last_ns = table_u64(&f->rows.rows, row, SERIES_LAST_NS);
	if (t) {
		t->series++;
		t->first_ns = first_ns < t->first_ns ? first_ns : t->first_ns;
		t->last_ns = last_ns > t->last_ns ? last_ns : t->last_ns;
	}
	return code;
}

/* A resource is told apart by job and instance; what has neither, or nothing else to say, has no target_info. */
static enum err_code
add_targets(struct finding *f, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < f->rows.resources.row_count && code == ERR_OK; i++) {
		struct target *t = &f->targets[i];
		bool matches = false;
		if (t->series == 0 || t->info_count == 0 || t->job.len + t->instance.len == 0)
			continue;
		t->info[t->info_count++] = (struct promql_label){STR("job"), t->job};
		t->info[t->info_count++] = (struct promql_label){STR("instance"), t->instance};
		struct member m = {
		    .id = t->id, .part = PART_INFO, .first_ns = t->first_ns, .last_ns = t->last_ns};
		code = label_member(f, t->info, t->info_count, info_name, &m, err);
		if (code == ERR_OK)
			code = series_satisfies(f->lists, f->list_count, &m, &m.labels, false,
			    &matches, err);
		if (code == ERR_OK && matches)
			code = add_member(f, &m, err);
	}
	return code;
}

enum err_code
series_find(struct series_reader *r, const struct series_match *lists, size_t list_count,
    uint64_t from_ns, uint64_t to_ns, struct members *out, struct err *err)
{
	struct finding f = {.r = r, .lists = lists, .list_count = list_count, .out = out};
	size_t chosen;
	*out = (struct members){0};
	enum err_code code = choose_families(&f, from_ns, to_ns, &chosen, err);
	if (code != ERR_OK || (chosen == 0 && !f.info))
		return code;
	code = read_series(&f, chosen, from_ns, to_ns, err);
	if (code == ERR_OK)
		code = read_dictionaries(&f, err);
	for (size_t i = 0; i < f.rows.rows.row_count && code == ERR_OK; i++)
		code = add_row(&f, i, err);
	return code == ERR_OK && f.info ? add_targets(&f, err) : code;
}
