/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the filter of a seal's attributes holds: of each member that is not in a column, the key, and the
 * key with the text that a search compares (a string's content; of bytes and of NaN what stands in
 * their wrapper; all else as it stands).
 *
 * Content is hashed with its escapes as typed_put_string() writes them, so that nothing has to be undone. A text
 * that is escaped otherwise (the decoder makes none) is hashed as "odd": it may be anything.
 */
#include "duck/duck_query_priv.h"

#include "base/hash.h"
#include "duck/duck_json.h"
#include "model/typed.h"

#define ODD_SEED UINT64_C(0x6F6464)
#define KEY_SEED UINT64_C(0x6B6579)

static uint64_t
odd_of(uint64_t key_hash)
{
	return hash_u64_seed(STR("odd"), key_hash ^ ODD_SEED);
}

uint64_t
duck_attr_key_hash(struct str key)
{
	return duck_json_raw_is_ours(key) ? hash_u64_seed(key, KEY_SEED) : odd_of(0);
}

/* What is compared of a value; false: its escapes are odd. */
static bool
compared(struct str value, struct str *out)
{
	static const struct str wrappers[] = {
	    STR_INIT("{\"$double\":\""), STR_INIT("{\"$bytes\":\"")};
	*out = value;
	if (value.len >= 2 && value.ptr[0] == '"') {
		*out = str_of(value.ptr + 1, value.len - 2);
		return duck_json_raw_is_ours(*out);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
		if (str_starts(value, wrappers[i]) && value.len >= wrappers[i].len + 2)
			*out = str_of(value.ptr + wrappers[i].len, value.len - wrappers[i].len - 2);
	return true;
}

uint64_t
duck_attr_pair_hash(struct str key, struct str value)
{
	struct str text;
	uint64_t key_hash = duck_attr_key_hash(key);
	return compared(value, &text) ? hash_u64_seed(text, key_hash) : odd_of(key_hash);
}

/* Without its quotes. */
static void
put_escaped(struct buf *out, struct str text, bool is_key)
{
	buf_reset(out);
	typed_put_string(out, text);
	/* A key that begins with '$' is stored with one more. */
	if (is_key && str_starts(text, STR("$")))
		buf_char(out, '"');
	if (out->failed || out->len < 2)
		return;
	if (is_key && str_starts(text, STR("$"))) {
		memmove(out->ptr + 2, out->ptr + 1, out->len - 2);
		out->ptr[1] = '$';
	}
}

static struct str
inside(const struct buf *quoted)
{
	CHECK(!quoted->failed && quoted->len >= 2);
	return str_of(quoted->ptr + 1, quoted->len - 2);
}

void
duck_attr_probe_init(struct duck_attr_probe *p, const struct store_attr *a)
{
	struct buf text = {0};
	put_escaped(&text, a->key, true);
	p->by_key = a->op != STORE_ATTR_EQ;
	p->key[0] = hash_u64_seed(inside(&text), KEY_SEED);
	p->key[1] = odd_of(0);
	for (size_t i = 0; i < ARRAY_LEN(p->key); i++) {
		struct str raw = a->value.ptr ? a->value : STR("");
		put_escaped(&text, raw, false);
		p->match[3 * i] = hash_u64_seed(inside(&text), p->key[i]);
		p->match[3 * i + 1] = hash_u64_seed(raw, p->key[i]);
		p->match[3 * i + 2] = odd_of(p->key[i]);
	}
	buf_fini(&text);
}

unsigned
duck_attr_probe(const struct duck_attr_probe *p, struct str filter)
{
	unsigned bits = 0;
	for (size_t k = 0; k < ARRAY_LEN(p->key); k++) {
		if (!bloom_maybe(filter, p->key[k]))
			continue;
		bits |= p->by_key ? FORM_KEY | FORM_MATCH : FORM_KEY;
		for (size_t i = 0; i < 3; i++)
			if (bloom_maybe(filter, p->match[3 * k + i]))
				bits |= FORM_MATCH;
	}
	return bits;
}
