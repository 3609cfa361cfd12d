/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/transfer_priv.h"

#include <stdlib.h>

static const struct usage_option *
find(const struct transfer_args *args, struct str name)
{
	for (const struct usage_option *o = args->usage->options; o->name[0]; o++)
		if (str_eq(name, str_from(o->name)) ||
		    (o->letter && name.len == 1 && name.ptr[0] == o->letter))
			return o;
	return NULL;
}

static enum err_code
add_word(struct transfer_args *args, const char *word, struct err *err)
{
	if (args->word_count == TRANSFER_WORDS_MAX)
		return err_set(err, ERR_INVALID, "more than %d files at once", TRANSFER_WORDS_MAX);
	args->words[args->word_count++] = word;
	return ERR_OK;
}

static enum err_code
add_other(struct transfer_args *args, struct str name, struct str value, struct err *err)
{
	if (args->other_count == TRANSFER_OTHERS_MAX)
		return err_set(err, ERR_INVALID, "more than %d filters", TRANSFER_OTHERS_MAX);
	args->other_names[args->other_count] = name;
	args->other_values[args->other_count++] = value;
	return ERR_OK;
}

static const char *
shown(struct str name, char out[48])
{
	snprintf(out, 48, "%s%.*s", name.len == 1 ? "-" : "--", name.len < 40 ? (int)name.len : 40,
	    name.ptr);
	return out;
}

static enum err_code
parse_option(int argc, char **argv, int *at, bool others, struct transfer_args *args,
    struct err *err)
{
	char text[48];
	struct str arg = str_from(argv[*at]);
	struct str name = str_skip(arg, arg.ptr[1] == '-' ? 2 : 1);
	size_t eq = str_find(name, '=');
	struct str value = str_skip(name, eq + 1);
	bool has_value = eq < name.len;
	name.len = eq;
	const struct usage_option *o = find(args, name);
	if (!o && !others)
		return usage_unknown(args->usage, name, err);
	bool is_switch = o && !o->value;
	size_t place = o ? (size_t)(o - args->usage->options) : 0;
	if (is_switch && has_value)
		return err_set(err, ERR_INVALID, "%s takes no value", shown(name, text));
	if (o && args->values[place])
		return err_set(err, ERR_INVALID, "%s is given twice", shown(name, text));
	if (!has_value && !is_switch) {
		if (++*at >= argc)
			return err_set(err, ERR_INVALID, "%s needs a value", shown(name, text));
		value = str_from(argv[*at]);
	}
	if (!o)
		return add_other(args, name, value, err);
	if (!is_switch && value.len == 0)
		return err_set(err, ERR_INVALID, "%s needs a value", shown(name, text));
	args->values[place] =
	    is_switch ? "true" : value.ptr; /* the end of an argument, in any case */
	return ERR_OK;
}

enum err_code
transfer_parse(int argc, char **argv, bool others, struct transfer_args *args, struct err *err)
{
	enum err_code code = ERR_OK;
	bool ended = false;
	for (int i = 0; i < argc && code == ERR_OK; i++) {
		if (!ended && strcmp(argv[i], "--") == 0)
			ended = true;
		else if (ended || argv[i][0] != '-' || !argv[i][1])
			code = add_word(args, argv[i], err);
		else
			code = parse_option(argc, argv, &i, others, args, err);
	}
	return code;
}

const char *
transfer_value(const struct transfer_args *args, const char *name)
{
	const struct usage_option *o = args->usage->options;
	for (size_t i = 0; o[i].name[0]; i++)
		if (strcmp(o[i].name, name) == 0)
			return args->values[i];
	return NULL;
}

struct str
transfer_setting(const struct transfer_args *args, const char *name, const char *env_1,
    const char *env_2, const char *dflt)
{
	const char *value = transfer_value(args, name);
	if (!value && env_1)
		value = getenv(env_1);
	if ((!value || !*value) && env_2)
		value = getenv(env_2);
	return str_from(value && *value ? value : dflt);
}

struct tls_client_files
transfer_tls(const struct transfer_args *args)
{
	return (struct tls_client_files){
	    .ca = transfer_setting(args, "ca", "WEIR_CA", NULL, ""),
	    .cert = transfer_setting(args, "client-cert", "WEIR_CLIENT_CERT", NULL, ""),
	    .key = transfer_setting(args, "client-key", "WEIR_CLIENT_KEY", NULL, ""),
	};
}

/* What comes from a server or a file must not move a terminal's cursor. */
void
transfer_say(const char *command, const struct err *err)
{
	transfer_say_text(command, str_from(err->message));
}

void
transfer_say_text(const char *command, struct str text)
{
	fprintf(stderr, "weir %s: ", command);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		fputc(c < 0x20 || c >= 0x7f ? '?' : c, stderr);
	}
	fputc('\n', stderr);
}
