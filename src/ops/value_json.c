/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces that several shapes of docs/api.md share. */
#include "ops/ops_priv.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "model/typed.h"

void
ops_write_u64(struct json_writer *w, const char *key, uint64_t v)
{
	jsonw_key(w, key);
	jsonw_u64(w, v);
}

void
ops_write_text(struct json_writer *w, const char *key, struct str v)
{
	jsonw_key(w, key);
	jsonw_str(w, v);
}

void
ops_put_text_or_null(struct json_writer *w, const char *key, struct str v)
{
	jsonw_key(w, key);
	if (v.ptr)
		jsonw_str(w, v);
	else
		jsonw_null(w);
}

void
ops_write_time(struct json_writer *w, const char *key, const char *nano_key, uint64_t unix_ns)
{
	char text[TIME_RFC3339_BYTES];
	time_rfc3339(unix_ns, text);
	ops_write_text(w, key, str_of(text, sizeof text));
	jsonw_key(w, nano_key);
	jsonw_u64_string(w, unix_ns);
}

void
ops_write_duration_ms(struct json_writer *w, const char *key, double ns)
{
	jsonw_key(w, key);
	jsonw_f64(w, ns / 1e6);
}

void
ops_write_trace_id(struct json_writer *w, const char *key, uint64_t hi, uint64_t lo)
{
	char hex[32];
	hex_u64(hi, hex);
	hex_u64(lo, hex + 16);
	jsonw_key(w, key);
	if (hi == 0 && lo == 0)
		jsonw_null(w);
	else
		jsonw_str(w, str_of(hex, sizeof hex));
}

void
ops_write_span_id(struct json_writer *w, const char *key, uint64_t id)
{
	char hex[16];
	hex_u64(id, hex);
	jsonw_key(w, key);
	if (id == 0)
		jsonw_null(w);
	else
		jsonw_str(w, str_of(hex, sizeof hex));
}

void
ops_write_named(struct json_writer *w, const char *key, int32_t v, const char *const *names,
    size_t name_count)
{
	jsonw_key(w, key);
	if (v >= 0 && (size_t)v < name_count)
		jsonw_str(w, str_from(names[v]));
	else
		jsonw_i64(w, v);
}

enum err_code
ops_write_typed(struct json_writer *w, const char *key, struct str typed, struct err *err)
{
	jsonw_key(w, key);
	if (!typed.ptr) {
		jsonw_object(w);
		jsonw_object_end(w);
		return ERR_OK;
	}
	/* Straight to the buffer; the writer only has to know that a value stands there now. */
	enum err_code code = typed_write_api(typed, w->out, err);
	w->comma = true;
	return code ? err_wrap(err, "%s", key) : ERR_OK;
}

enum err_code
ops_write_resource(struct json_writer *w, const struct store_result *r, uint64_t id,
    struct err *err)
{
	const struct table *t = &r->resources;
	size_t row = store_find_id(t, id);
	if (row == SIZE_MAX)
		return err_set(err, ERR_CORRUPT, "resource %016llx is not in the store",
		    (unsigned long long)id);
	jsonw_key(w, "resource");
	jsonw_object(w);
	enum err_code code =
	    ops_write_typed(w, "attributes", table_str(t, row, RESOURCE_ATTRIBUTES), err);
	ops_write_u64(w, "dropped_attributes_count",
	    table_u32(t, row, RESOURCE_DROPPED_ATTRIBUTES));
	ops_write_text(w, "schema_url", table_str(t, row, RESOURCE_SCHEMA_URL));
	struct str refs = table_str(t, row, RESOURCE_ENTITY_REFS);
	if (!code && refs.ptr)
		code = ops_write_typed(w, "entity_refs", refs, err);
	jsonw_object_end(w);
	return code ? err_wrap(err, "resource %016llx", (unsigned long long)id) : ERR_OK;
}

enum err_code
ops_write_scope(struct json_writer *w, const struct store_result *r, uint64_t id, struct err *err)
{
	const struct table *t = &r->scopes;
	size_t row = store_find_id(t, id);
	if (row == SIZE_MAX)
		return err_set(err, ERR_CORRUPT, "scope %016llx is not in the store",
		    (unsigned long long)id);
	jsonw_key(w, "scope");
	jsonw_object(w);
	ops_write_text(w, "name", table_str(t, row, SCOPE_NAME));
	ops_write_text(w, "version", table_str(t, row, SCOPE_VERSION));
	enum err_code code =
	    ops_write_typed(w, "attributes", table_str(t, row, SCOPE_ATTRIBUTES), err);
	ops_write_u64(w, "dropped_attributes_count", table_u32(t, row, SCOPE_DROPPED_ATTRIBUTES));
	ops_write_text(w, "schema_url", table_str(t, row, SCOPE_SCHEMA_URL));
	jsonw_object_end(w);
	return code ? err_wrap(err, "scope %016llx", (unsigned long long)id) : ERR_OK;
}
