/* SPDX-License-Identifier: Apache-2.0 */
#include "base/usage.h"

#include "base/check.h"
#include "base/nearest.h"

enum { SHOWN_BYTES_MAX = 40 };

enum usage_kind
usage_kind_of(const struct usage_option *o)
{
	static const struct {
		const char *value;
		enum usage_kind kind;
	} kinds[] = {{"FILE", USAGE_FILES}, {"PATH", USAGE_FILES}, {"DIR", USAGE_DIRS},
	    {"SERVICE", USAGE_SERVICES}};
	if (o->words)
		return USAGE_WORDS;
	if (!o->value)
		return USAGE_SWITCH;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(o->value, kinds[i].value) == 0)
			return kinds[i].kind;
	return USAGE_TEXT;
}

void
usage_add(struct usage_list *list, const struct usage_option *o)
{
	CHECK(list->count < USAGE_OPTIONS_MAX);
	CHECK(o->name[0] && o->help);
	list->options[list->count++] = *o;
}

void
usage_collect(const struct usage *u, struct usage_list *out)
{
	static const struct usage_option help = {
	    .name = "help", .letter = 'h', .help = "print this and exit"};
	out->count = 0;
	for (const struct usage_option *o = u->options; o && o->name[0]; o++)
		usage_add(out, o);
	if (u->more)
		u->more(out);
	usage_add(out, &help);
}

enum err_code
usage_unknown(const struct usage *u, struct str name, struct err *err)
{
	struct usage_list list;
	const char *names[USAGE_OPTIONS_MAX + 1] = {NULL};
	usage_collect(u, &list);
	for (size_t i = 0; i < list.count; i++)
		names[i] = list.options[i].name;
	const char *near = name.len > 1 ? nearest_name(name, names) : NULL;
	int shown = name.len < SHOWN_BYTES_MAX ? (int)name.len : SHOWN_BYTES_MAX;
	const char *dashes = name.len == 1 ? "-" : "--";
	if (near)
		return err_set(err, ERR_INVALID, "there is no option %s%.*s; did you mean --%s?",
		    dashes, shown, name.ptr, near);
	return err_set(err, ERR_INVALID, "there is no option %s%.*s", dashes, shown, name.ptr);
}

bool
usage_asks_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}
