/* SPDX-License-Identifier: Apache-2.0 */
#include "series/names.h"

#include "base/check.h"

enum { UNIT_BYTES_MAX = 128 };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_metric_char(char c)
{
	return is_letter(c) || is_digit(c) || c == ':';
}

/* The next run of characters that a metric's name may have; empty: there are no more. */
static struct str
next_word(struct str *rest)
{
	while (rest->len > 0 && !is_metric_char(rest->ptr[0]))
		*rest = str_skip(*rest, 1);
	struct str word = {rest->ptr, 0};
	while (word.len < rest->len && is_metric_char(rest->ptr[word.len]))
		word.len++;
	*rest = str_skip(*rest, word.len);
	return word;
}

static void
put_word(struct buf *out, size_t start, struct str word)
{
	if (word.len == 0)
		return;
	if (out->len > start)
		buf_char(out, '_');
	buf_str(out, word);
}

/* ---- units */

struct unit {
	struct str ucum, words;
};

static const struct unit units[] = {
    {STR_INIT("d"), STR_INIT("days")},
    {STR_INIT("h"), STR_INIT("hours")},
    {STR_INIT("min"), STR_INIT("minutes")},
    {STR_INIT("s"), STR_INIT("seconds")},
    {STR_INIT("ms"), STR_INIT("milliseconds")},
    {STR_INIT("us"), STR_INIT("microseconds")},
    {STR_INIT("ns"), STR_INIT("nanoseconds")},
    {STR_INIT("By"), STR_INIT("bytes")},
    {STR_INIT("KiBy"), STR_INIT("kibibytes")},
    {STR_INIT("MiBy"), STR_INIT("mebibytes")},
    {STR_INIT("GiBy"), STR_INIT("gibibytes")},
    {STR_INIT("TiBy"), STR_INIT("tibibytes")},
    {STR_INIT("KBy"), STR_INIT("kilobytes")},
    {STR_INIT("MBy"), STR_INIT("megabytes")},
    {STR_INIT("GBy"), STR_INIT("gigabytes")},
    {STR_INIT("TBy"), STR_INIT("terabytes")},
    {STR_INIT("m"), STR_INIT("meters")},
    {STR_INIT("V"), STR_INIT("volts")},
    {STR_INIT("A"), STR_INIT("amperes")},
    {STR_INIT("J"), STR_INIT("joules")},
    {STR_INIT("W"), STR_INIT("watts")},
    {STR_INIT("g"), STR_INIT("grams")},
    {STR_INIT("Cel"), STR_INIT("celsius")},
    {STR_INIT("Hz"), STR_INIT("hertz")},
    {STR_INIT("1"), STR_INIT("")},
    {STR_INIT("%"), STR_INIT("percent")},
};

static const struct unit per_units[] = {
    {STR_INIT("s"), STR_INIT("second")},
    {STR_INIT("m"), STR_INIT("minute")},
    {STR_INIT("h"), STR_INIT("hour")},
    {STR_INIT("d"), STR_INIT("day")},
    {STR_INIT("w"), STR_INIT("week")},
    {STR_INIT("mo"), STR_INIT("month")},
    {STR_INIT("y"), STR_INIT("year")},
};

/* Empty: none, or in braces, which is what is counted and no unit. */
static struct str
words_of(struct str ucum, const struct unit *all, size_t count)
{
	ucum = str_trim(ucum);
	if (str_find(ucum, '{') < ucum.len || str_find(ucum, '}') < ucum.len)
		return STR("");
	for (size_t i = 0; i < count; i++)
		if (str_eq(all[i].ucum, ucum))
			return all[i].words;
	return ucum;
}

/* A unit as words of a name, in its own bytes. */
struct unit_text {
	char bytes[UNIT_BYTES_MAX];
	size_t len;
};

static void
add_unit_words(struct unit_text *t, struct str words)
{
	struct str word;
	while ((word = next_word(&words)).len > 0) {
		if (t->len + 1 + word.len > sizeof(t->bytes))
			return; /* no unit is that long */
		if (t->len > 0)
			t->bytes[t->len++] = '_';
		memcpy(t->bytes + t->len, word.ptr, word.len);
		t->len += word.len;
	}
}

static struct str
unit_view(const struct unit_text *t)
{
	return str_of(t->bytes, t->len);
}

/* "By/s" is bytes, per_second. */
static void
split_unit(struct str unit, struct unit_text *main_out, struct unit_text *per_out)
{
	size_t slash = str_find(unit, '/');
	struct str per = words_of(str_skip(unit, slash + 1), per_units, ARRAY_LEN(per_units));
	main_out->len = per_out->len = 0;
	add_unit_words(main_out, words_of(str_of(unit.ptr, slash), units, ARRAY_LEN(units)));
	if (slash >= unit.len || per.len == 0)
		return;
	add_unit_words(per_out, STR("per"));
	add_unit_words(per_out, per);
	if (per_out->len == strlen("per"))
		per_out->len = 0;
}

void
series_unit(struct buf *out, struct str unit)
{
	struct unit_text words, per;
	size_t start = out->len;
	split_unit(unit, &words, &per);
	put_word(out, start, unit_view(&words));
	put_word(out, start, unit_view(&per));
}

/* ---- names */

/* The name has these words, which are joined by '_', next to one another. */
static bool
has_words(struct str name, struct str wanted)
{
	struct buf joined = {0}, sought = {0};
	struct str word;
	buf_char(&joined, '_');
	while ((word = next_word(&name)).len > 0) {
		buf_str(&joined, word);
		buf_char(&joined, '_');
	}
	buf_printf(&sought, "_%.*s_", STR_ARG(wanted));
	bool has = memmem(joined.ptr, joined.len, sought.ptr, sought.len) != NULL;
	buf_fini(&joined);
	buf_fini(&sought);
	return has;
}

/* Words of the name but `last`, which stands at the end, wherever the name has it. */
static void
put_words(struct buf *out, struct str name, struct str last)
{
	struct str word;
	size_t start = out->len;
	while ((word = next_word(&name)).len > 0) {
		if (last.len > 0 && str_eq(word, last))
			continue;
		if (out->len == start && is_digit(word.ptr[0])) {
			buf_char(out, '_');
			buf_str(out, word);
		} else {
			put_word(out, start, word);
		}
	}
}

void
series_metric_name(struct buf *out, struct str name, struct str unit, bool counter, bool gauge)
{
	struct unit_text words, per;
	struct str rest = name;
	size_t start = out->len;
	struct str last = counter             ? STR("total")
	    : gauge && str_eq(unit, STR("1")) ? STR("ratio")
	                                      : STR("");
	if (next_word(&rest).len == 0) {
		buf_str(out, name);
		return;
	}
	split_unit(unit, &words, &per);
	put_words(out, name, last);
	if (!has_words(name, unit_view(&words)))
		put_word(out, start, unit_view(&words));
	if (!has_words(name, unit_view(&per)))
		put_word(out, start, unit_view(&per));
	put_word(out, start, last);
}

void
series_label_name(struct buf *out, struct str key)
{
	bool any = false;
	for (size_t i = 0; i < key.len; i++)
		any = any || is_letter(key.ptr[i]) || is_digit(key.ptr[i]);
	if (!any) {
		buf_str(out, key);
		return;
	}
	bool reserved = str_starts(key, STR("__"));
	size_t start = out->len;
	if (is_digit(key.ptr[0]))
		buf_str(out, STR("key_"));
	for (size_t i = 0; i < key.len; i++) {
		bool letter = is_letter(key.ptr[i]) || is_digit(key.ptr[i]);
		char before = out->len > start && out->ptr ? out->ptr[out->len - 1] : '\0';
		if (letter)
			buf_char(out, key.ptr[i]);
		else if (before != '_' || (reserved && key.ptr[i] == '_'))
			buf_str(out, out->len == start && !reserved ? STR("key_") : STR("_"));
	}
}
