/* SPDX-License-Identifier: Apache-2.0 */
/* Members of items of an answer, read without complaint: what a newer or older server leaves out is
 * shown as nothing. */
#include "cli/cli_priv.h"

#include <jansson.h>
#include <stdlib.h>

/* Longer bodies are never seen whole; one can be a megabyte. */
enum { BODY_BYTES_MAX = 4096 };

/* jansson refuses a NUL in a key, and telemetry may have one: it becomes U+2400, the picture of it,
 * which takes as many bytes as an escape. */
static void
picture_nuls(struct buf *json)
{
	for (size_t i = 0; i + 6 <= json->len; i++) {
		if (json->ptr[i] != '\\')
			continue;
		if (memcmp(json->ptr + i, "\\u0000", 6) == 0)
			memcpy(json->ptr + i, "\\u2400", 6);
		i++; /* what stands behind a backslash begins no escape */
	}
}

json_t *
cli_json_load(struct buf *json)
{
	if (json->len == 0)
		return NULL;
	picture_nuls(json);
	return json_loadb(json->ptr, json->len, 0, NULL);
}

struct str
cli_item_str(const json_t *item, const char *key)
{
	const json_t *v = json_object_get(item, key);
	return json_is_string(v) ? str_of(json_string_value(v), json_string_length(v)) : STR_EMPTY;
}

uint64_t
cli_value_u64(const json_t *v)
{
	uint64_t n = 0;
	if (json_is_integer(v) && json_integer_value(v) > 0)
		return (uint64_t)json_integer_value(v);
	if (json_is_string(v) &&
	    !str_to_u64(str_of(json_string_value(v), json_string_length(v)), &n))
		return 0;
	return n;
}

uint64_t
cli_item_u64(const json_t *item, const char *key)
{
	return cli_value_u64(json_object_get(item, key));
}

double
cli_item_f64(const json_t *item, const char *key)
{
	const json_t *v = json_object_get(item, key);
	return json_is_number(v) ? json_number_value(v) : 0.0;
}

bool
cli_item_is(const json_t *item, const char *key, const char *text)
{
	return str_eq(cli_item_str(item, key), str_from(text));
}

void
cli_value_text(struct buf *b, const json_t *value)
{
	if (json_is_string(value)) {
		buf_append(b, json_string_value(value), json_string_length(value));
		return;
	}
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
	if (text)
		buf_str(b, str_from(text));
	free(text);
}

bool
cli_item_has_no_end(const json_t *span)
{
	return cli_item_is(span, "end_time_unix_nano", "0");
}

void
cli_item_duration(struct buf *b, const json_t *span)
{
	if (cli_item_has_no_end(span))
		buf_str(b, STR("not ended"));
	else
		text_duration(b, cli_item_f64(span, "duration_ms") * 1e6);
}

void
cli_item_log_text(struct buf *b, const json_t *log)
{
	const json_t *body = json_object_get(log, "body");
	if (!body || json_is_null(body))
		buf_str(b, cli_item_str(log, "event_name"));
	else
		cli_value_text(b, body);
	b->len = text_head(buf_view(b), BODY_BYTES_MAX);
}

enum text_color
cli_item_severity_color(const json_t *log)
{
	if (cli_item_is(log, "severity", "error") || cli_item_is(log, "severity", "fatal"))
		return COLOR_RED;
	if (cli_item_is(log, "severity", "warn"))
		return COLOR_YELLOW;
	return cli_item_is(log, "severity", "info") ? COLOR_NONE : COLOR_DIM;
}
