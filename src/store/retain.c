/* SPDX-License-Identifier: Apache-2.0 */
#include "store/retain.h"

#include "base/limits.h"
#include "base/timefmt.h"

#define AGE_MIN_NS (3600 * (uint64_t)NS_PER_S)
#define WHOLE_DAYS_FROM_NS (2 * (uint64_t)NS_PER_DAY)

static const char *const names[SIGNAL_TABLES] = {[TABLE_SPANS] = "traces",
    [TABLE_LOGS] = "logs",
    [TABLE_POINTS] = "metrics",
    [TABLE_COMMENTS] = "comments"};

const char *
retain_signal_name(enum table_id id)
{
	CHECK(id < SIGNAL_TABLES);
	return names[id];
}

/* ---- text */

/* What stands before the next `end`, without blanks; *rest is what stands behind it. */
static struct str
next_part(struct str *rest, char end)
{
	size_t n = str_find(*rest, end);
	struct str part = str_trim(str_of(rest->ptr, n));
	*rest = str_skip(*rest, n + 1);
	return part;
}

static bool
parse_bytes(struct str text, uint64_t *out)
{
	static const char units[] = "kmgt";
	unsigned shift = 0;
	for (unsigned i = 0; text.len > 1 && units[i]; i++)
		if ((text.ptr[text.len - 1] | 0x20) == units[i])
			shift = 10 * (i + 1);
	if (shift > 0)
		text.len--;
	return str_to_u64(text, out) && !__builtin_mul_overflow(*out, UINT64_C(1) << shift, out);
}

/* "traces=30d" or "traces-bytes=50g" */
static bool
parse_rule(struct str text, struct retain_rule *rule)
{
	struct str value = text, name = next_part(&value, '=');
	value = str_trim(value);
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		struct str signal = str_from(names[id]);
		if (!str_starts(name, signal))
			continue;
		if (str_eq(str_skip(name, signal.len), STR("-bytes")))
			return parse_bytes(value, &rule->bytes[id]);
		if (name.len != signal.len)
			continue;
		rule->age_said[id] = true;
		rule->age_ns[id] = 0;
		return str_eq(value, STR("0")) ||
		    (time_parse_span(value, &rule->age_ns[id]) && rule->age_ns[id] >= AGE_MIN_NS);
	}
	return false;
}

static enum err_code
parse_rules(struct str text, struct retain_rule *rule, struct err *err)
{
	while (text.len > 0) {
		struct str part = next_part(&text, ',');
		if (part.len > 0 && !parse_rule(part, rule))
			return err_set(err, ERR_INVALID,
			    "\"%.*s\" is not like traces=30d, logs=12h or metrics-bytes=20g (an age is "
			    "at least 1h; 0: for ever)",
			    (int)(part.len < 80 ? part.len : 80), part.ptr);
	}
	return ERR_OK;
}

/* The rule of a tenant, added when it is new. NULL: there are too many. */
static struct retain_rule *
rule_of(struct retain *r, struct str tenant, struct arena *arena)
{
	for (size_t i = 0; i < r->tenant_count; i++)
		if (str_eq(r->tenants[i].tenant, tenant))
			return &r->tenants[i];
	if (r->tenant_count == RETAIN_TENANTS_MAX)
		return NULL;
	if (!r->tenants)
		r->tenants = arena_alloc(arena, RETAIN_TENANTS_MAX * sizeof(*r->tenants));
	struct str copy = arena_str(arena, tenant);
	if (!r->tenants || !copy.ptr)
		return NULL;
	r->tenants[r->tenant_count] = (struct retain_rule){.tenant = copy};
	return &r->tenants[r->tenant_count++];
}

/* What a name of a tenant may be made of is the caller's to check: here it is never more than compared. */
static enum err_code
parse_tenants(struct str text, struct arena *arena, struct retain *out, struct err *err)
{
	while (text.len > 0) {
		struct str part = next_part(&text, ';'), rules = part;
		if (part.len == 0)
			continue;
		struct str tenant = next_part(&rules, ':');
		if (tenant.len == 0 || tenant.len > LIMIT_TENANT_BYTES || rules.len == 0)
			return err_set(err, ERR_INVALID,
			    "\"%.*s\" is not like acme:traces=7d,logs=12h",
			    (int)(part.len < 80 ? part.len : 80), part.ptr);
		struct retain_rule *rule = rule_of(out, tenant, arena);
		if (!rule)
			return err_set(err, ERR_INVALID, "there are more than %d tenants",
			    RETAIN_TENANTS_MAX);
		if (parse_rules(rules, rule, err) != ERR_OK)
			return err_wrap(err, "%.*s", STR_ARG(tenant));
	}
	return ERR_OK;
}

enum err_code
retain_parse(struct str all, struct str tenants, struct arena *arena, struct retain *out,
    struct err *err)
{
	*out = (struct retain){0};
	if (parse_rules(all, &out->all, err) != ERR_OK)
		return err->code;
	return parse_tenants(tenants, arena, out, err);
}

/* ---- numbers */

bool
retain_is_set(const struct retain *r, enum table_id id)
{
	bool set = r->all.age_ns[id] > 0 || r->all.bytes[id] > 0;
	for (size_t i = 0; i < r->tenant_count && !set; i++)
		set = r->tenants[i].age_ns[id] > 0 || r->tenants[i].bytes[id] > 0;
	return set;
}

static uint64_t
cutoff_of(uint64_t age_ns, uint64_t now_ns)
{
	if (age_ns == 0 || age_ns >= now_ns)
		return 0;
	uint64_t cutoff = now_ns - age_ns;
	return age_ns >= WHOLE_DAYS_FROM_NS ? cutoff / NS_PER_DAY * NS_PER_DAY : cutoff;
}

uint64_t
retain_cutoff(const struct retain *r, enum table_id id, struct str tenant, uint64_t now_ns)
{
	for (size_t i = 0; i < r->tenant_count; i++)
		if (r->tenants[i].age_said[id] && str_eq(r->tenants[i].tenant, tenant))
			return cutoff_of(r->tenants[i].age_ns[id], now_ns);
	return cutoff_of(r->all.age_ns[id], now_ns);
}

uint64_t
retain_cutoff_max(const struct retain *r, enum table_id id, uint64_t now_ns)
{
	uint64_t max = cutoff_of(r->all.age_ns[id], now_ns);
	for (size_t i = 0; i < r->tenant_count; i++) {
		uint64_t cutoff = cutoff_of(r->tenants[i].age_ns[id], now_ns);
		max = cutoff > max ? cutoff : max;
	}
	return max;
}
