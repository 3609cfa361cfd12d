/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/agent_priv.h - what the readers of agent/ share: walking an attribute map or a list of events that is stored as
 * typed JSON (model/typed.h), and tables that say which key fills which member of a struct.
 *
 * A key that is escaped in the text is none of those that a table names: they are plain ASCII, which typed JSON does not
 * escape. Of a key that is there several times the last one counts.
 */
#ifndef AGENT_AGENT_PRIV_H
#define AGENT_AGENT_PRIV_H

#include "base/arena.h"
#include "base/err.h"
#include "wire/json_read.h"

enum agent_type {
	AGENT_TEXT, /* struct str; ptr NULL: not there */
	AGENT_I64, /* int64_t, an int */
	AGENT_F64, /* double, an int or a double */
	AGENT_BOOL,
	AGENT_MODE /* enum junjo_mode */
};

struct agent_field {
	struct str key;
	enum agent_type type;
	size_t offset;
	size_t has_offset; /* of the bool that says it is there; AGENT_NO_HAS: there is none */
};

#define AGENT_NO_HAS SIZE_MAX

/* One member of a map. A text that is escaped is decoded by agent_text(). */
struct agent_value {
	struct str key;
	enum json_token token; /* OBJECT, ARRAY: `raw` is all of it */
	struct str raw; /* of a string: what is between the quotes */
	bool escaped;
};

struct agent_map {
	struct json_reader reader;
	bool open;
};

/* ERR_CORRUPT: it is no object. */
MUST_CHECK enum err_code agent_map_begin(struct agent_map *m, struct str typed, struct err *err);
/* False: the end, or *code_out is ERR_CORRUPT. */
MUST_CHECK bool agent_map_next(struct agent_map *m, struct agent_value *out,
    enum err_code *code_out, struct err *err);
/* Of a value that is a STRING. ERR_TOO_LARGE: the arena is spent. */
MUST_CHECK enum err_code agent_text(const struct agent_value *v, struct arena *arena,
    struct str *out, struct err *err);
/* Sets the member whose key it is, when there is one and the value is of its type. */
MUST_CHECK enum err_code agent_fill(const struct agent_field *fields, size_t count,
    const struct agent_value *v, void *out, struct arena *arena, struct err *err);
/* agent_fill() of every attribute of a map; a NULL ptr has none. */
MUST_CHECK enum err_code agent_fill_all(const struct agent_field *fields, size_t count,
    struct str typed, void *out, struct arena *arena, struct err *err);

struct agent_event {
	uint32_t ordinal; /* among the span's events, from 0 */
	uint64_t time_ns;
	struct str name;
	struct str attributes; /* typed; ptr NULL: none */
};

typedef enum err_code agent_event_fn(void *ctx, const struct agent_event *event, struct err *err);
/* Calls `each` for every event until it fails. Names are decoded into the arena when they are escaped. */
MUST_CHECK enum err_code agent_each_event(struct str typed, struct arena *arena,
    agent_event_fn *each, void *ctx, struct err *err);

/* Does the text have it anywhere? The cheap look before a map is walked. */
bool agent_mentions(struct str text, struct str what);
enum err_code agent_too_large(struct err *err);
/* Room for one more item behind `count`; *list and *cap change. False: the arena is spent. */
MUST_CHECK bool agent_grow(struct arena *arena, void **list, size_t *cap, size_t count,
    size_t size);

#endif
