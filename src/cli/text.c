/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that came from elsewhere, on its way to a terminal. Names and bodies are whatever a client
 * sent: they must not move the cursor, colour the screen, reorder what stands beside them or hide.
 */
#include "cli/text.h"

#include "base/timefmt.h"
#include "base/utf8.h"

#include <math.h>

/* More marks than this on one character are noise that spills over other lines. */
enum { MARKS_MAX = 4 };

/* Characters that change how others look, or that nobody sees. */
static bool
is_trick(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} tricks[] = {
	    {0x80, 0x9f}, /* C1 controls: some terminals take them as escape sequences */
	    {0xad, 0xad}, /* soft hyphen */
	    {0x61c, 0x61c}, /* Arabic letter mark */
	    {0x180e, 0x180e}, {0x200b, 0x200b}, /* zero width space */
	    {0x200e, 0x200f}, /* left-to-right and right-to-left marks */
	    {0x2028, 0x202e}, /* separators, embeddings, overrides */
	    {0x2060, 0x206f}, /* invisible operators, isolates */
	    {0x3164, 0x3164}, /* Hangul filler: blank */
	    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}, /* tags */
	};
	for (size_t i = 0; i < ARRAY_LEN(tricks); i++)
		if (cp >= tricks[i].first && cp <= tricks[i].last)
			return true;
	return false;
}

static void
put_escaped(struct buf *out, uint32_t cp)
{
	switch (cp) {
	case '\n': buf_str(out, STR("\\n")); return;
	case '\r': buf_str(out, STR("\\r")); return;
	case '\t': buf_str(out, STR("\\t")); return;
	}
	if (cp < 0x100)
		buf_printf(out, "\\x%02x", (unsigned)cp);
	else
		buf_printf(out, "\\u%04x", (unsigned)cp);
}

/* One character that is whole; *marks counts those without width in a row. */
static void
clean_char(struct buf *out, struct str bytes, uint32_t cp, bool utf8, unsigned *marks)
{
	if (cp < 0x20 || cp == 0x7f || is_trick(cp)) {
		put_escaped(out, cp);
		*marks = 0;
		return;
	}
	unsigned width = cli_char_width(cp);
	*marks = width == 0 ? *marks + 1 : 0;
	if (*marks > MARKS_MAX)
		return;
	if (cp < 0x80 || utf8)
		buf_str(out, bytes);
	else if (width > 0)
		buf_char(out, '?');
}

void
text_clean(struct buf *out, struct str s, bool utf8)
{
	unsigned marks = 0;
	size_t valid = utf8_valid_len(s);
	while (s.len > 0) {
		if (valid == 0) {
			buf_printf(out, "\\x%02x", (unsigned)(unsigned char)s.ptr[0]);
			s = str_skip(s, 1);
			valid = utf8_valid_len(s);
			continue;
		}
		uint32_t cp;
		size_t n = utf8_get(s, &cp);
		clean_char(out, (struct str){s.ptr, n}, cp, utf8, &marks);
		s = str_skip(s, n);
		valid -= n;
	}
}

size_t
text_width(struct str clean)
{
	size_t width = 0;
	while (clean.len > 0) {
		uint32_t cp;
		clean = str_skip(clean, utf8_get(clean, &cp));
		width += cli_char_width(cp);
	}
	return width;
}

/* The longest head of `clean` that takes at most `width` columns, marks of its last character
 * included. */
static struct str
head_of(struct str clean, size_t width, size_t *width_out)
{
	size_t at = 0, used = 0;
	while (at < clean.len) {
		uint32_t cp;
		size_t n = utf8_get(str_skip(clean, at), &cp);
		unsigned w = cli_char_width(cp);
		if (used + w > width)
			break;
		used += w;
		at += n;
	}
	*width_out = used;
	return (struct str){clean.ptr, at};
}

size_t
text_fit(struct buf *out, struct str clean, size_t width, bool utf8)
{
	size_t used;
	struct str head = head_of(clean, width, &used);
	if (head.len == clean.len || width == 0) {
		buf_str(out, head);
		return used;
	}
	head = head_of(clean, width - 1, &used);
	buf_str(out, head);
	buf_str(out, utf8 ? STR("…") : STR("~"));
	return used + 1;
}

void
text_spaces(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_char(out, ' ');
}

void
text_color_on(struct buf *out, const struct cli_style *style, enum text_color color)
{
	static const char *const codes[] = {
	    [COLOR_BOLD] = "1",
	    [COLOR_DIM] = "2",
	    [COLOR_RED] = "31",
	    [COLOR_GREEN] = "32",
	    [COLOR_YELLOW] = "33",
	    [COLOR_CYAN] = "36",
	};
	if (style->color && color != COLOR_NONE)
		buf_printf(out, "\x1b[%sm", codes[color]);
}

void
text_color_off(struct buf *out, const struct cli_style *style, enum text_color color)
{
	if (style->color && color != COLOR_NONE)
		buf_str(out, STR("\x1b[0m"));
}

void
text_wrap(struct buf *out, struct str clean, const struct cli_style *style, size_t indent,
    size_t hang, enum text_color color)
{
	size_t width = style->width ? style->width : SIZE_MAX, column;
	bool first = true;
	if (indent > width / 2)
		indent = width / 2;
	if (indent + hang > width / 2)
		hang = 0;
	column = indent;
	text_spaces(out, indent);
	text_color_on(out, style, color);
	for (struct str rest = clean; rest.len > 0; first = false) {
		size_t blanks = 0;
		while (blanks < rest.len && rest.ptr[blanks] == ' ')
			blanks++;
		struct str word = str_skip(rest, blanks);
		word.len = str_find(word, ' ');
		rest = str_skip(rest, blanks + word.len);
		size_t wide = text_width(word);
		if (!first && wide > 0 && column + blanks + wide > width) {
			text_color_off(out, style, color);
			buf_char(out, '\n');
			text_spaces(out, indent + hang);
			text_color_on(out, style, color);
			column = indent + hang + wide;
		} else {
			text_spaces(out, blanks);
			column += blanks + wide;
		}
		buf_append(out, word.ptr, word.len);
	}
	text_color_off(out, style, color);
	buf_char(out, '\n');
}

void
text_age(struct buf *out, uint64_t unix_ns, uint64_t now_ns)
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = {{365 * 86400, "y"}, {86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
	bool future = unix_ns > now_ns;
	uint64_t s = (future ? unix_ns - now_ns : now_ns - unix_ns) / NS_PER_S;
	if (s == 0) {
		buf_str(out, STR("now"));
		return;
	}
	size_t i = 0;
	while (s < units[i].seconds)
		i++;
	buf_printf(out, future ? "in %llu%s" : "%llu%s ago",
	    (unsigned long long)(s / units[i].seconds), units[i].unit);
}

void
text_duration(struct buf *out, double ns)
{
	char text[32];
	if (ns < 0)
		buf_char(out, '-');
	double size = fabs(ns);
	uint64_t whole = size < 1.8e19 ? (uint64_t)size : UINT64_MAX;
	buf_append(out, text, time_span_text(whole, text, sizeof text));
}

size_t
text_head(struct str s, size_t len)
{
	if (s.len <= len)
		return s.len;
	while (len > 0 && ((unsigned char)s.ptr[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void
text_time(struct buf *out, uint64_t unix_ns, uint64_t now_ns)
{
	char t[TIME_RFC3339_BYTES], now[TIME_RFC3339_BYTES];
	time_rfc3339(unix_ns, t);
	time_rfc3339(now_ns, now);
	if (memcmp(t, now, 10) == 0) /* 2026-11-20T15:12:11.042... */
		buf_append(out, t + 11, 12);
	else if (memcmp(t, now, 4) == 0)
		buf_printf(out, "%.5s %.8s", t + 5, t + 11);
	else
		buf_printf(out, "%.10s %.8s", t, t + 11);
}
