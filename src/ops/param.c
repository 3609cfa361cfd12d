/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/ops_priv.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "base/utf8.h"
#include "promql/promql.h"

#include <math.h>

/* As much of a value as an error shows; cut between characters. */
enum { SHOWN_BYTES_MAX = 48 };

/* Beyond it milliseconds would not be exact, nor of any use. */
#define UNIX_SECONDS_MAX 9e12

enum err_code
ops_refuse(struct str value, struct err *err, const char *expected)
{
	size_t shown = value.len < SHOWN_BYTES_MAX ? value.len : SHOWN_BYTES_MAX;
	struct str head = {value.ptr, shown};
	head.len = utf8_valid_len(head);
	return err_set(err, ERR_INVALID, "%s: \"%.*s\"%s", expected, STR_ARG(head),
	    head.len < value.len ? "..." : "");
}

static enum err_code
parse_trace_id(struct str value, struct ops_parsed *out, struct err *err)
{
	if (value.len != 32)
		return err_set(err, ERR_INVALID,
		    "a trace id is 32 hex digits, this has %zu characters: \"%.*s\"%s", value.len,
		    value.len > SHOWN_BYTES_MAX ? 0 : (int)value.len, value.ptr,
		    value.len > SHOWN_BYTES_MAX ? "..." : "");
	if (!hex_to_u64(value.ptr, 16, &out->hi) || !hex_to_u64(value.ptr + 16, 16, &out->lo))
		return ops_refuse(value, err, "a trace id is 32 hex digits");
	if (out->hi == 0 && out->lo == 0)
		return ops_refuse(value, err, "a trace id is not all zeros");
	return ERR_OK;
}

static enum err_code
parse_span_id(struct str value, struct ops_parsed *out, struct err *err)
{
	if (!hex_to_u64(value.ptr, value.len, &out->lo))
		return ops_refuse(value, err, "a span id is 16 hex digits");
	if (out->lo == 0)
		return ops_refuse(value, err, "a span id is not all zeros");
	return ERR_OK;
}

/* What else people write for a choice. */
static struct str
without_alias(struct str value)
{
	static const struct str aliases[][2] = {
	    {STR_INIT("err"), STR_INIT("error")}, {STR_INIT("warning"), STR_INIT("warn")}};
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (str_eq_nocase(value, aliases[i][0]))
			return aliases[i][1];
	return value;
}

static enum err_code
parse_enum(const struct op_param *p, struct str value, struct ops_parsed *out, struct err *err)
{
	struct str rest = str_from(p->choices), word = without_alias(value);
	for (int64_t i = 0; rest.len > 0; i++) {
		size_t bar = str_find(rest, '|');
		if (str_eq_nocase(word, (struct str){rest.ptr, bar})) {
			out->i64 = i;
			return ERR_OK;
		}
		rest = str_skip(rest, bar + 1);
	}
	char expected[120] = "must be one of ";
	size_t at = strlen(expected);
	for (const char *c = p->choices; *c && at < sizeof expected - 3; c++) {
		expected[at++] = *c == '|' ? ',' : *c;
		if (*c == '|')
			expected[at++] = ' ';
	}
	expected[at] = '\0';
	return ops_refuse(value, err, expected);
}

static enum err_code
parse_int(const struct op_param *p, struct str value, struct ops_parsed *out, struct err *err)
{
	if (!str_to_i64(value, &out->i64))
		return ops_refuse(value, err, "not an integer");
	if (p->max != 0 && (out->i64 < p->min || out->i64 > p->max))
		return err_set(err, ERR_INVALID, "must be %lld to %lld: \"%lld\"",
		    (long long)p->min, (long long)p->max, (long long)out->i64);
	return ERR_OK;
}

static enum err_code
parse_bool(struct str value, struct ops_parsed *out, struct err *err)
{
	if (value.len == 0 || str_eq(value, STR("true")) || str_eq(value, STR("1")))
		out->i64 = 1;
	else if (!str_eq(value, STR("false")) && !str_eq(value, STR("0")))
		return ops_refuse(value, err, "must be true or false");
	return ERR_OK;
}

static enum err_code
parse_duration_ms(struct str value, struct ops_parsed *out, struct err *err)
{
	if (str_to_f64(value, &out->f64) && isfinite(out->f64))
		return out->f64 >= 0 ? ERR_OK : ops_refuse(value, err, "must not be negative");
	if (!time_parse_length(value, &out->lo))
		return ops_refuse(value, err,
		    "neither a number of milliseconds nor a length of time (like 100ms, 1.5s)");
	out->f64 = (double)out->lo / (double)NS_PER_MS;
	return ERR_OK;
}

/* To the nearest millisecond. */
static enum err_code
parse_unix_time(struct str value, struct ops_parsed *out, struct err *err)
{
	uint64_t ns;
	double seconds;
	if (str_to_f64(value, &seconds) && fabs(seconds) < UNIX_SECONDS_MAX) {
		out->i64 = llround(seconds * 1000);
		return ERR_OK;
	}
	if (!time_parse(value, &ns) || str_find(value, '-') == value.len)
		return ops_refuse(value, err,
		    "neither unix seconds (1795190400.5) nor RFC 3339 (2026-11-20T16:00:00Z)");
	out->i64 = (int64_t)(ns / NS_PER_MS);
	return ERR_OK;
}

static enum err_code
parse_prom_span(struct str value, struct ops_parsed *out, struct err *err)
{
	if (!promql_parse_duration(value, &out->i64))
		return ops_refuse(value, err,
		    "neither seconds (15, 0.5) nor a length of time (15s, 1h30m)");
	return out->i64 > 0 ? ERR_OK : ops_refuse(value, err, "must be more than nothing");
}

enum err_code
ops_parse(const struct op_param *p, struct str value, struct ops_parsed *out, struct err *err)
{
	*out = (struct ops_parsed){.text = value};
	if (!utf8_valid(value))
		return err_set(err, ERR_INVALID, "not UTF-8");
	switch (p->type) {
	case OP_TEXT:
	case OP_CURSOR: return value.len > 0 ? ERR_OK : err_set(err, ERR_INVALID, "is empty");
	case OP_INT: return parse_int(p, value, out, err);
	case OP_DURATION_MS: return parse_duration_ms(value, out, err);
	case OP_TIME:
		return time_parse(value, &out->lo)
		    ? ERR_OK
		    : ops_refuse(value, err,
		          "not a time (2026-11-20T16:00:00Z, 2026-11-20, unix time)");
	case OP_SPAN:
		return time_parse_span(value, &out->lo)
		    ? ERR_OK
		    : ops_refuse(value, err, "not a length of time (like 90s, 15m, 1.5h)");
	case OP_TRACE_ID: return parse_trace_id(value, out, err);
	case OP_SPAN_ID: return parse_span_id(value, out, err);
	case OP_ATTR: return ops_parse_attr(value, &out->attr, err);
	case OP_WORDS: return ops_parse_words(value, NULL, NULL, NULL, err);
	case OP_ENUM: return parse_enum(p, value, out, err);
	case OP_BOOL: return parse_bool(value, out, err);
	case OP_UNIX_TIME: return parse_unix_time(value, out, err);
	case OP_PROM_SPAN: return parse_prom_span(value, out, err);
	}
	return err_set(err, ERR_INTERNAL, "parameter type %d is unknown", (int)p->type);
}

enum err_code
ops_check_value(const struct op_param *param, struct str value, struct err *err)
{
	struct ops_parsed ignored;
	return ops_parse(param, value, &ignored, err);
}

const struct op_param *
ops_find_param(const struct op *op, struct str name)
{
	for (const struct op_param *p = op->params; p->name; p++)
		if (str_eq(str_from(p->name), name))
			return p;
	return NULL;
}
