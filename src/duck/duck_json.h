/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_json.h - the members of an attribute map (model/typed.h), one after the other.
 *
 *     struct duck_json j = duck_json_begin(text);
 *     while (duck_json_member(&j, &m))
 *             m.key, m.value ...
 *     if (!duck_json_end(&j))
 *             the text is no map, or not only one
 *
 * Only the outermost object is looked at; a value is a run of text in which strings and brackets end.
 * That is less than a JSON parser checks: {"a":x} has a member a. But it is exact about places:
 * '{', the members joined by ',', and '}' are all of the text, byte for byte, when
 * duck_json_end() says so. Nothing is allocated, every step moves forward, nothing is read beyond
 * the text.
 */
#ifndef DUCK_DUCK_JSON_H
#define DUCK_DUCK_JSON_H

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"

struct duck_json {
	const char *ptr, *end;
	bool more; /* a member must come */
};

struct duck_json_member {
	struct str key; /* between its quotes, as it stands */
	struct str value; /* as it stands; never empty */
	bool plain; /* the value is a string, and what is between its quotes is what it says */
};

struct duck_json duck_json_begin(struct str text);
/* False at the end, and where the text goes wrong. */
bool duck_json_member(struct duck_json *j, struct duck_json_member *out);
/* After the last member: was this a map, and nothing but a map? */
bool duck_json_end(const struct duck_json *j);

/* Is all of it one value, as duck_json_member() would find it in a map? */
bool duck_json_is_value(struct str text);

/* What stands between the quotes of a string: is it this text, once its escapes are undone? */
bool duck_json_raw_is(struct str raw, struct str want);
/* Is it written as typed_put_string() would? Then it has no NUL and can be undone and written again. */
bool duck_json_raw_is_ours(struct str raw);
/* Undo the escapes of one that is: to `out`, which has raw.len bytes; returns how many it took. */
size_t duck_json_raw_undo(struct str raw, char *out);
/* Append what any raw string says; what is no escape is left out. */
void duck_json_raw_put(struct buf *out, struct str raw);
/* Append the text of a value, which is what a search compares: a string is its content, {"$double":"NaN"} is NaN,
 * {"$bytes":"AQID"} is AQID; all else is its typed JSON. */
void duck_json_text_put(struct buf *out, struct str value);
/* Is the folded text (base/fold.h) in a string anywhere in typed JSON that is a value, not a key? (duck_text.c) */
bool duck_json_has(struct str json, struct str folded, struct buf *scratch);

#endif
