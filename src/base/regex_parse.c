/* SPDX-License-Identifier: Apache-2.0 */
/* A recursive-descent parser: from a pattern to a tree of nodes. Lazy repetitions are as others. */
#include "base/regex_priv.h"

#include "base/utf8.h"

enum { FLAG_CASE = 1, FLAG_LINES = 2, FLAG_DOT_ALL = 4, FLAG_LAZY = 8 };

/* ---- errors */

static size_t
characters(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
	return n;
}

int
regex_fail(struct parser *p, const char *at, const char *what)
{
	size_t before = (size_t)(at - p->all.ptr);
	if (!p->failed)
		(void)err_set(p->err, ERR_INVALID, "bad regular expression: %s, at character %zu",
		    what, characters(str_of(p->all.ptr, before)) + 1);
	p->failed = true;
	p->rest.len = 0;
	return 0;
}

/* ---- nodes */

static int
add_node(struct parser *p, struct node n)
{
	if (p->node_count == REGEX_NODES_MAX)
		return regex_fail(p, p->rest.ptr, "it is too large");
	p->nodes[p->node_count] = n;
	return p->node_count++;
}

static void
add_range(struct parser *p, struct set *set, uint32_t first, uint32_t last)
{
	if (p->range_count == REGEX_RANGES_MAX) {
		regex_fail(p, p->rest.ptr, "it is too large");
		return;
	}
	p->ranges[p->range_count++] = (struct range){first, last};
	set->count++;
}

static struct set
new_set(const struct parser *p)
{
	return (struct set){.first = p->range_count, .any_case = (p->flags & FLAG_CASE) != 0};
}

static int
one_character(struct parser *p, uint32_t cp)
{
	struct set set = new_set(p);
	add_range(p, &set, cp, cp);
	return add_node(p, (struct node){.kind = NODE_SET, .set = set});
}

/* ---- pieces of text */

static bool
take(struct parser *p, char c)
{
	if (p->rest.len == 0 || p->rest.ptr[0] != c)
		return false;
	p->rest = str_skip(p->rest, 1);
	return true;
}

static bool
take_text(struct parser *p, struct str text)
{
	if (!str_starts(p->rest, text))
		return false;
	p->rest = str_skip(p->rest, text.len);
	return true;
}

static bool
next_is(const struct parser *p, char c)
{
	return p->rest.len > 0 && p->rest.ptr[0] == c;
}

static uint32_t
take_character(struct parser *p)
{
	uint32_t cp;
	p->rest = str_skip(p->rest, utf8_get(p->rest, &cp));
	return cp;
}

/* ---- classes */

struct named {
	struct str name; /* NULL ptr: the last */
	struct range ranges[4];
	unsigned count;
};

static const struct named perl[] = {
    {STR_INIT("d"), {{'0', '9'}}, 1},
    {STR_INIT("s"), {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, 3},
    {STR_INIT("w"), {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {{NULL, 0}, {{0, 0}}, 0},
};

static const struct named posix[] = {
    {STR_INIT("alnum"), {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {STR_INIT("alpha"), {{'A', 'Z'}, {'a', 'z'}}, 2},
    {STR_INIT("ascii"), {{0, 0x7F}}, 1},
    {STR_INIT("blank"), {{'\t', '\t'}, {' ', ' '}}, 2},
    {STR_INIT("cntrl"), {{0, 0x1F}, {0x7F, 0x7F}}, 2},
    {STR_INIT("digit"), {{'0', '9'}}, 1},
    {STR_INIT("graph"), {{'!', '~'}}, 1},
    {STR_INIT("lower"), {{'a', 'z'}}, 1},
    {STR_INIT("print"), {{' ', '~'}}, 1},
    {STR_INIT("punct"), {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
    {STR_INIT("space"), {{'\t', '\r'}, {' ', ' '}}, 2},
    {STR_INIT("upper"), {{'A', 'Z'}}, 1},
    {STR_INIT("word"), {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {STR_INIT("xdigit"), {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
    {{NULL, 0}, {{0, 0}}, 0},
};

/* The ranges of a class are in order. */
static void
add_named(struct parser *p, struct set *set, const struct named *n, bool negated)
{
	uint32_t from = 0;
	for (unsigned i = 0; i < n->count; i++) {
		if (!negated)
			add_range(p, set, n->ranges[i].first, n->ranges[i].last);
		else if (n->ranges[i].first > from)
			add_range(p, set, from, n->ranges[i].first - 1);
		from = n->ranges[i].last + 1;
	}
	if (negated)
		add_range(p, set, from, REGEX_CHAR_MAX);
}

static const struct named *
find_named(const struct named *list, struct str name)
{
	while (list->name.ptr && !str_eq(list->name, name))
		list++;
	return list->name.ptr ? list : NULL;
}

/* \d and its like, behind the backslash; false: it is none, and nothing was taken. */
static bool
take_perl_class(struct parser *p, struct set *set)
{
	if (p->rest.len == 0)
		return false;
	char c = p->rest.ptr[0], small = (char)(c | 0x20);
	const struct named *n = find_named(perl, str_of(&small, 1));
	if (!n || (c != small && c != small - 0x20))
		return false;
	p->rest = str_skip(p->rest, 1);
	add_named(p, set, n, c != small);
	return true;
}

/* [:alpha:] inside of a class; false: it is none. */
static bool
take_posix_class(struct parser *p, struct set *set)
{
	struct str rest = p->rest;
	if (!str_starts(rest, STR("[:")))
		return false;
	bool negated = rest.len > 2 && rest.ptr[2] == '^';
	rest = str_skip(rest, negated ? 3 : 2);
	size_t end = 0;
	while (end + 1 < rest.len && (rest.ptr[end] != ':' || rest.ptr[end + 1] != ']'))
		end++;
	if (end + 1 >= rest.len)
		return false;
	const struct named *n = find_named(posix, str_of(rest.ptr, end));
	if (!n) {
		regex_fail(p, p->rest.ptr, "there is no class of this name");
		return true;
	}
	add_named(p, set, n, negated);
	p->rest = str_skip(rest, end + 2);
	return true;
}

/* ---- escapes */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind \x: two digits, or any number in braces. */
static uint32_t
take_hex(struct parser *p, const char *at)
{
	bool braces = take(p, '{');
	uint32_t cp = 0;
	unsigned count = 0;
	while (p->rest.len > 0 && hex_digit(p->rest.ptr[0]) >= 0 && (braces || count < 2) &&
	    cp <= REGEX_CHAR_MAX) {
		cp = cp * 16 + (uint32_t)hex_digit(p->rest.ptr[0]);
		p->rest = str_skip(p->rest, 1);
		count++;
	}
	bool closed = braces ? count > 0 && take(p, '}') : count == 2;
	if (!closed || cp > REGEX_CHAR_MAX)
		regex_fail(p, at, "\\x takes two hex digits, or up to 10FFFF in braces");
	return cp;
}

/* Behind a backslash, which stands at `at`: the one character that it means. */
static uint32_t
take_escape(struct parser *p, const char *at)
{
	static const char from[] = "nrtfva", to[] = "\n\r\t\f\v\a";
	if (p->rest.len == 0) {
		regex_fail(p, at, "a backslash stands at the end");
		return 0;
	}
	uint32_t c = take_character(p);
	const char *known = c > 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
	if (known)
		return (unsigned char)to[known - from];
	if (c == 'x')
		return take_hex(p, at);
	bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
	if (c >= '1' && c <= '9')
		regex_fail(p, at, "there are no references back");
	else if (c == 'p' || c == 'P')
		regex_fail(p, at,
		    "classes of Unicode (\\p) are not known here; name the characters");
	else if (letter || digit || c >= 0x80 || c == '_')
		regex_fail(p, at, "this escape is not known");
	return c;
}

/* One character in brackets. */
static uint32_t
take_member(struct parser *p)
{
	const char *at = p->rest.ptr;
	return take(p, '\\') ? take_escape(p, at) : take_character(p);
}

static void
take_members(struct parser *p, struct set *set)
{
	const char *at = p->rest.ptr;
	if (take_posix_class(p, set))
		return;
	if (next_is(p, '\\')) {
		struct str before = p->rest;
		p->rest = str_skip(p->rest, 1);
		if (take_perl_class(p, set))
			return;
		p->rest = before;
	}
	uint32_t first = take_member(p), last = first;
	if (p->rest.len > 1 && p->rest.ptr[0] == '-' && p->rest.ptr[1] != ']') {
		p->rest = str_skip(p->rest, 1);
		last = take_member(p);
	}
	if (last < first)
		regex_fail(p, at, "a range ends before it begins");
	add_range(p, set, first, last);
}

static int
take_class(struct parser *p)
{
	const char *at = p->rest.ptr - 1;
	struct set set = new_set(p);
	set.negated = take(p, '^');
	for (bool first = true; first || !next_is(p, ']'); first = false) {
		if (p->rest.len == 0)
			return regex_fail(p, at, "a [ is not closed");
		take_members(p, &set);
		if (p->failed)
			return 0;
	}
	p->rest = str_skip(p->rest, 1);
	return add_node(p, (struct node){.kind = NODE_SET, .set = set});
}

/* ---- atoms */

static int parse_alternatives(struct parser *p);

static int
add_assert(struct parser *p, enum assert_kind kind)
{
	return add_node(p, (struct node){.kind = NODE_ASSERT, .assert = kind});
}

/* Behind "(?": flags, up to ':' or ')'. True: they stand alone. */
static bool
take_flags(struct parser *p, const char *at)
{
	static const char letters[] = "imsU";
	unsigned flags = p->flags;
	bool negative = false, some = false;
	while (p->rest.len > 0 && p->rest.ptr[0] != ':' && p->rest.ptr[0] != ')') {
		char c = p->rest.ptr[0];
		const char *known = c != '\0' ? strchr(letters, c) : NULL;
		if (c == '-' && !negative) {
			negative = true;
			some = false;
		} else if (known) {
			unsigned bit = 1u << (known - letters);
			flags = negative ? flags & ~bit : flags | bit;
			some = true;
		} else {
			regex_fail(p, at, "what stands behind (? is not known");
			return false;
		}
		p->rest = str_skip(p->rest, 1);
	}
	if (p->rest.len == 0)
		regex_fail(p, at, "a ( is not closed");
	else if (negative && !some)
		regex_fail(p, at, "what stands behind (? is not known");
	p->flags = flags;
	bool alone = take(p, ')');
	if (!alone)
		(void)take(p, ':');
	return alone;
}

static void
take_group_name(struct parser *p, const char *at)
{
	size_t n = 0;
	while (n < p->rest.len && p->rest.ptr[n] != '>') {
		char c = p->rest.ptr[n], small = (char)(c | 0x20);
		if (!(small >= 'a' && small <= 'z') && !(c >= '0' && c <= '9') && c != '_')
			break;
		n++;
	}
	if (n == 0 || n == p->rest.len || p->rest.ptr[n] != '>')
		regex_fail(p, at, "a group's name is letters, digits and _, in < and >");
	p->rest = str_skip(p->rest, n + 1);
}

/* Behind "(". *alone: it was flags only, which is nothing to repeat. */
static int
take_group(struct parser *p, bool *alone)
{
	const char *at = p->rest.ptr - 1;
	unsigned flags = p->flags;
	if (take_text(p, STR("?P<")) || take_text(p, STR("?<"))) {
		take_group_name(p, at);
	} else if (take(p, '?')) {
		*alone = take_flags(p, at);
		if (*alone || p->failed)
			return add_node(p, (struct node){.kind = NODE_EMPTY});
	}
	int inside = parse_alternatives(p);
	if (!take(p, ')'))
		return regex_fail(p, at, "a ( is not closed");
	p->flags = flags;
	return inside;
}

/* \Q...\E: as it stands. */
static int
take_quoted(struct parser *p)
{
	int all = add_node(p, (struct node){.kind = NODE_EMPTY});
	while (p->rest.len > 0 && !take_text(p, STR("\\E"))) {
		int one = one_character(p, take_character(p));
		all = add_node(p, (struct node){.kind = NODE_CAT, .left = all, .right = one});
	}
	return all;
}

static int
take_backslash(struct parser *p)
{
	const char *at = p->rest.ptr - 1;
	struct set set = new_set(p);
	if (take_perl_class(p, &set))
		return add_node(p, (struct node){.kind = NODE_SET, .set = set});
	if (take(p, 'A'))
		return add_assert(p, AT_START);
	if (take(p, 'z'))
		return add_assert(p, AT_END);
	if (take(p, 'b'))
		return add_assert(p, AT_WORD);
	if (take(p, 'B'))
		return add_assert(p, AT_NO_WORD);
	if (take(p, 'Q'))
		return take_quoted(p);
	return one_character(p, take_escape(p, at));
}

static int
take_dot(struct parser *p)
{
	struct set set = new_set(p);
	add_range(p, &set, 0, p->flags & FLAG_DOT_ALL ? REGEX_CHAR_MAX : '\n' - 1);
	if (!(p->flags & FLAG_DOT_ALL))
		add_range(p, &set, '\n' + 1, REGEX_CHAR_MAX);
	return add_node(p, (struct node){.kind = NODE_SET, .set = set});
}

static int
parse_atom(struct parser *p, bool *alone)
{
	bool lines = (p->flags & FLAG_LINES) != 0;
	if (take(p, '('))
		return take_group(p, alone);
	if (take(p, '['))
		return take_class(p);
	if (take(p, '\\'))
		return take_backslash(p);
	if (take(p, '.'))
		return take_dot(p);
	if (take(p, '^'))
		return add_assert(p, lines ? AT_LINE_START : AT_START);
	if (take(p, '$'))
		return add_assert(p, lines ? AT_LINE_END : AT_END);
	return one_character(p, take_character(p));
}

/* ---- repetitions */

/* "{n", "{n," or "{n,m" and "}"; false: it is none, and the brace a character. */
static bool
take_braces(struct parser *p, int *min, int *max)
{
	struct str rest = p->rest;
	int numbers[2] = {-1, -1}, n = 0;
	bool comma = false;
	if (rest.len == 0 || rest.ptr[0] != '{')
		return false;
	for (rest = str_skip(rest, 1); rest.len > 0 && rest.ptr[0] != '}';
	    rest = str_skip(rest, 1)) {
		char c = rest.ptr[0];
		if (c == ',' && !comma && numbers[0] >= 0) {
			comma = true;
			n = 1;
		} else if (c >= '0' && c <= '9') {
			int v = numbers[n] < 0 ? 0 : numbers[n];
			numbers[n] = v > REGEX_REPEAT_MAX ? v : v * 10 + (c - '0');
		} else {
			return false;
		}
	}
	if (rest.len == 0 || numbers[0] < 0)
		return false;
	p->rest = str_skip(rest, 1);
	*min = numbers[0];
	*max = !comma ? *min : numbers[1] < 0 ? REGEX_ENDLESS : numbers[1];
	return true;
}

static bool
take_repeat(struct parser *p, int *min, int *max)
{
	*min = next_is(p, '+');
	*max = next_is(p, '?') ? 1 : REGEX_ENDLESS;
	if (take(p, '*') || take(p, '+') || take(p, '?'))
		return true;
	return take_braces(p, min, max);
}

static int
parse_repeated(struct parser *p)
{
	int min, max;
	const char *at = p->rest.ptr;
	if (take_repeat(p, &min, &max))
		return regex_fail(p, at, "there is nothing to repeat");
	bool alone = false;
	int atom = parse_atom(p, &alone);
	at = p->rest.ptr;
	if (p->failed || !take_repeat(p, &min, &max))
		return atom;
	if (alone)
		return regex_fail(p, at, "there is nothing to repeat");
	if (min > REGEX_REPEAT_MAX || max > REGEX_REPEAT_MAX)
		return regex_fail(p, at, "a repetition is of more than 500");
	if (max != REGEX_ENDLESS && max < min)
		return regex_fail(p, at, "a repetition's most is less than its least");
	(void)take(p, '?');
	at = p->rest.ptr;
	int again_min, again_max;
	if (take_repeat(p, &again_min, &again_max))
		return regex_fail(p, at, "a repetition is repeated; put it in ( and )");
	return add_node(p,
	    (struct node){.kind = NODE_REPEAT, .left = atom, .min = min, .max = max});
}

static int
parse_sequence(struct parser *p)
{
	int all = add_node(p, (struct node){.kind = NODE_EMPTY});
	while (p->rest.len > 0 && !next_is(p, '|') && !next_is(p, ')')) {
		int one = parse_repeated(p);
		if (!p->failed)
			all =
			    add_node(p, (struct node){.kind = NODE_CAT, .left = all, .right = one});
	}
	return all;
}

static int
parse_alternatives(struct parser *p)
{
	int all = parse_sequence(p);
	while (take(p, '|')) {
		int one = parse_sequence(p);
		all = add_node(p, (struct node){.kind = NODE_ALT, .left = all, .right = one});
	}
	return all;
}

int
regex_parse(struct parser *p)
{
	int root = parse_alternatives(p);
	if (!p->failed && p->rest.len > 0)
		regex_fail(p, p->rest.ptr, "a ) has no (");
	return root;
}
