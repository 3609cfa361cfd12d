/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/item.h - the JSON of answers: written over as it came (json.c), or its items looked at (item.c).
 */
#ifndef CLI_ITEM_H
#define CLI_ITEM_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/table.h"
#include "cli/text.h"

struct cli_json_style {
	bool pretty; /* else compact */
	bool safe; /* escape what could move a terminal's cursor */
	bool color;
};

/* Write a JSON value over, its numbers and escapes as they are. ERR_CORRUPT when it is none. */
MUST_CHECK enum err_code cli_json_print(struct buf *out, struct str json,
    struct cli_json_style style, struct err *err);
/* The items of the member `list` of an object, one per line. next_cursor, when there is one, is
 * appended to cursor_out (NULL: not wanted). */
MUST_CHECK enum err_code cli_json_lines(struct buf *out, struct str json, const char *list,
    struct cli_json_style style, struct buf *cursor_out, struct err *err);

/* An answer as jansson's tree, or NULL. Changes escapes of NUL in the text. */
json_t *cli_json_load(struct buf *json);
/* Members of an item; what is missing or of another type is empty, 0 or false. */
struct str cli_item_str(const json_t *item, const char *key);
uint64_t cli_item_u64(const json_t *item, const char *key); /* see cli_value_u64() */
double cli_item_f64(const json_t *item, const char *key);
bool cli_item_is(const json_t *item, const char *key, const char *text);
/* A number or a decimal string; what is neither, or negative, is 0. */
uint64_t cli_value_u64(const json_t *value);
/* Text as it is, anything else as JSON. Not cleaned. */
void cli_value_text(struct buf *b, const json_t *value);
/* Of a span: "1.25ms", "-3s", or "not ended" when it came without an end. */
void cli_item_duration(struct buf *b, const json_t *span);
bool cli_item_has_no_end(const json_t *span);
/* Of a log record: its body or else the name of its event. Not cleaned, not whole when long. */
void cli_item_log_text(struct buf *b, const json_t *log);
enum text_color cli_item_severity_color(const json_t *log);

#endif
