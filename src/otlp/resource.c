/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources and scopes, and the ids that stand for them in rows.
 *
 * An id is a chain of XXH3: the hash of each part is the seed for the next, so that lengths
 * count and parts cannot run into one another. It is of the content as it is stored, tenant
 * included. A resource or scope goes to the batch with its first good item, not before.
 */
#include "otlp/walk.h"

#include "base/bits.h"
#include "base/hash.h"
#include "model/typed.h"

/* What ids begin with. They are in every file: never to be changed. */
enum { SEED_SERIES = 2, SEED_RESOURCE = 3, SEED_SCOPE = 4 };

static uint64_t
chain_u64(uint64_t seed, uint64_t v)
{
	char bytes[8];
	put_u64le(bytes, v);
	return hash_u64_seed(str_of(bytes, sizeof(bytes)), seed);
}

/* ---- resource */

void
walk_resource_begin(struct walk *w)
{
	w->where = "resource ";
	w->resource = (struct resource){
	    .attributes = walk_attributes(w, BUF_RESOURCE),
	    .entities = walk_buf(w, BUF_ENTITIES),
	};
}

static void
walk_entity_key(struct walk *w, struct buf *out, struct str key, uint64_t *count)
{
	struct str name;
	walk_name(w, "entity key", key, &name);
	walk_count(w, "entity keys", count);
	walk_weigh(w, 3); /* "", */
	walk_weigh_text(w, name);
	if (!out || w->bad)
		return;
	buf_char(out, *count == 1 ? '[' : ',');
	typed_put_string(out, name);
}

/* The keys in field `field` of an EntityRef, as a member of the object in hand. */
static void
walk_entity_keys(struct walk *w, struct str message, uint32_t field, struct str name)
{
	struct pb_reader r;
	struct pb_field f;
	uint64_t count = 0;
	struct buf *out = w->bad ? NULL : w->resource.entities;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) != PB_KEY(field, PB_BYTES))
			continue;
		if (out && count == 0)
			walk_put_member(out, name);
		walk_entity_key(w, out, f.bytes, &count);
	}
	if (out && count > 0)
		buf_char(out, ']');
}

static void
walk_entity(struct walk *w, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	struct str schema_url = STR_EMPTY, type = STR_EMPTY;
	walk_count(w, "entity references", &w->resource.entity_count);
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) == PB_KEY(1, PB_BYTES))
			walk_name(w, "entity schema URL", f.bytes, &schema_url);
		else if (pb_key(&f) == PB_KEY(2, PB_BYTES))
			walk_name(w, "entity type", f.bytes, &type);
	}
	walk_weigh(w,
	    sizeof("{\"schema_url\":\"\",\"type\":\"\",\"id_keys\":[],\"description_keys\":[]},"));
	walk_weigh_text(w, schema_url);
	walk_weigh_text(w, type);
	struct buf *out = w->bad ? NULL : w->resource.entities;
	if (out) {
		walk_put_element(out);
		walk_put_member_text(out, STR("schema_url"), schema_url);
		walk_put_member_text(out, STR("type"), type);
	}
	walk_entity_keys(w, message, 3, STR("id_keys"));
	walk_entity_keys(w, message, 4, STR("description_keys"));
	if (out)
		buf_char(out, '}');
}

/* The first service.name counts, as for whoever looks into the stored JSON. */
static void
note_service(struct walk *w, struct str key_value)
{
	struct str key, value;
	walk_key_value(w, key_value, &key, &value);
	if (w->resource.service.len == 0 && str_eq(key, STR("service.name")))
		(void)walk_value_text(w, value, &w->resource.service);
}

void
walk_resource(struct walk *w, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_BYTES):
			walk_attribute(w, &w->resource.attributes, f.bytes);
			if (w->sink)
				note_service(w, f.bytes);
			break;
		case PB_KEY(2, PB_VARINT): w->resource.dropped = (uint32_t)f.value; break;
		case PB_KEY(3, PB_BYTES): walk_entity(w, f.bytes); break;
		default: break;
		}
	}
}

void
walk_resource_end(struct walk *w)
{
	walk_attributes_end(&w->resource.attributes);
	if (w->resource.entities)
		walk_put_list_end(w->resource.entities);
}

struct str
walk_service(const struct walk *w)
{
	return w->resource.service.len > 0 ? w->resource.service : STR("unknown");
}

static uint64_t
resource_id(const struct walk *w)
{
	uint64_t h = hash_u64_seed(w->sink->tenant, SEED_RESOURCE);
	h = hash_u64_seed(buf_view(&w->sink->bufs[BUF_RESOURCE]), h);
	h = hash_u64_seed(buf_view(&w->sink->bufs[BUF_ENTITIES]), h);
	h = hash_u64_seed(w->resource.schema_url, h);
	return chain_u64(h, w->resource.dropped);
}

static void
store_resource(struct walk *w)
{
	bool added;
	struct table *t = &w->sink->batch->tables[TABLE_RESOURCES];
	size_t row = batch_resource(w->sink->batch, w->sink->tenant, w->resource.id, &added);
	if (row == SIZE_MAX)
		walk_spent(w);
	if (row == SIZE_MAX || !added)
		return;
	table_set_str(t, row, RESOURCE_SERVICE, walk_service(w));
	table_set_str(t, row, RESOURCE_ATTRIBUTES, walk_text(w, BUF_RESOURCE));
	table_set_u32(t, row, RESOURCE_DROPPED_ATTRIBUTES, w->resource.dropped);
	table_set_str(t, row, RESOURCE_SCHEMA_URL, w->resource.schema_url);
	table_set_str(t, row, RESOURCE_ENTITY_REFS, walk_text(w, BUF_ENTITIES));
}

uint64_t
walk_resource_id(struct walk *w)
{
	if (!w->resource.stored) {
		w->resource.id = resource_id(w);
		w->resource.stored = true;
		store_resource(w);
	}
	return w->resource.id;
}

/* ---- scope */

void
walk_scope_begin(struct walk *w)
{
	w->where = "scope ";
	w->scope = (struct scope){.attributes = walk_attributes(w, BUF_SCOPE)};
}

void
walk_scope(struct walk *w, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_BYTES): walk_name(w, "name", f.bytes, &w->scope.name); break;
		case PB_KEY(2, PB_BYTES):
			walk_name(w, "version", f.bytes, &w->scope.version);
			break;
		case PB_KEY(3, PB_BYTES): walk_attribute(w, &w->scope.attributes, f.bytes); break;
		case PB_KEY(4, PB_VARINT): w->scope.dropped = (uint32_t)f.value; break;
		default: break;
		}
	}
}

void
walk_scope_end(struct walk *w)
{
	walk_attributes_end(&w->scope.attributes);
}

static uint64_t
scope_id(const struct walk *w)
{
	uint64_t h = hash_u64_seed(w->sink->tenant, SEED_SCOPE);
	h = hash_u64_seed(w->scope.name, h);
	h = hash_u64_seed(w->scope.version, h);
	h = hash_u64_seed(buf_view(&w->sink->bufs[BUF_SCOPE]), h);
	h = hash_u64_seed(w->scope.schema_url, h);
	return chain_u64(h, w->scope.dropped);
}

static void
store_scope(struct walk *w)
{
	bool added;
	struct table *t = &w->sink->batch->tables[TABLE_SCOPES];
	size_t row = batch_scope(w->sink->batch, w->sink->tenant, w->scope.id, &added);
	if (row == SIZE_MAX)
		walk_spent(w);
	if (row == SIZE_MAX || !added)
		return;
	table_set_str(t, row, SCOPE_NAME, w->scope.name);
	table_set_str(t, row, SCOPE_VERSION, w->scope.version);
	table_set_str(t, row, SCOPE_ATTRIBUTES, walk_text(w, BUF_SCOPE));
	table_set_u32(t, row, SCOPE_DROPPED_ATTRIBUTES, w->scope.dropped);
	table_set_str(t, row, SCOPE_SCHEMA_URL, w->scope.schema_url);
}

uint64_t
walk_scope_id(struct walk *w)
{
	if (!w->scope.stored) {
		w->scope.id = scope_id(w);
		w->scope.stored = true;
		store_scope(w);
	}
	return w->scope.id;
}

uint64_t
walk_series_seed(const struct walk *w)
{
	uint64_t h = hash_u64_seed(w->sink->tenant, SEED_SERIES);
	h = chain_u64(h, w->resource.attributes.sum);
	h = hash_u64_seed(w->scope.name, h);
	h = hash_u64_seed(w->scope.version, h);
	h = hash_u64_seed(w->scope.schema_url, h);
	return chain_u64(h, w->scope.attributes.sum);
}
