/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of a client command. Options may stand before and behind other arguments:
 * --name VALUE, --name=VALUE, -n VALUE, -nVALUE; "--" ends them. A switch takes a value only as
 * --name=VALUE. Values are checked here by the rules of ops/, so that a mistake costs no request.
 */
#include "cli/cli_priv.h"
#include "cli/sql.h"

#include "base/nearest.h"
#include "base/timefmt.h"

static const struct str default_url = {"http://127.0.0.1:7700", 21};
enum { TIMEOUT_DEFAULT_S = 30, TIMEOUT_SLOW_S = 24 * 60 * 60 };

struct parsing {
	const struct cli_io *io;
	const char *title; /* "traces", "keys create" */
	struct cli_flag flags[CLI_FLAGS_MAX];
	size_t flag_count;
	struct cli_request *req;
	bool options_ended;
};

static const struct cli_flag *
find_long(const struct parsing *p, struct str name)
{
	for (size_t i = 0; i < p->flag_count; i++)
		if (str_eq(str_from(p->flags[i].o.name), name))
			return &p->flags[i];
	return NULL;
}

static const struct cli_flag *
find_letter(const struct parsing *p, char letter)
{
	for (size_t i = 0; i < p->flag_count; i++)
		if (letter != 0 && p->flags[i].o.letter == letter)
			return &p->flags[i];
	return NULL;
}

static enum err_code
unknown_flag(const struct parsing *p, struct str name, struct err *err)
{
	const char *names[CLI_FLAGS_MAX + 1] = {NULL};
	for (size_t i = 0; i < p->flag_count; i++)
		names[i] = p->flags[i].o.name;
	const char *near = nearest_name(name, names);
	if (near)
		return err_set(err, ERR_INVALID, "%s has no option --%.*s; did you mean --%s?",
		    p->title, name.len < 40 ? (int)name.len : 40, name.ptr, near);
	return err_set(err, ERR_INVALID, "%s has no option --%.*s", p->title,
	    name.len < 40 ? (int)name.len : 40, name.ptr);
}

/* ---- global options */

static enum err_code
parse_word(struct str value, const char *const *words, int *index_out, struct err *err)
{
	for (int i = 0; words[i]; i++) {
		if (str_eq(str_from(words[i]), value)) {
			*index_out = i;
			return ERR_OK;
		}
	}
	return err_set(err, ERR_INVALID, "must be %s, %s or %s: \"%.*s\"", words[0], words[1],
	    words[2], value.len < 40 ? (int)value.len : 40, value.ptr);
}

static enum err_code
set_output(struct cli_request *req, struct str value, struct err *err)
{
	static const char *const words[] = {"json", "table", "ndjson", NULL};
	static const enum cli_format formats[] = {FORMAT_JSON, FORMAT_TABLE, FORMAT_NDJSON};
	int i = 0;
	if (req->formats)
		return cli_sql_format(value, &req->format, err);
	enum err_code code = parse_word(value, words, &i, err);
	req->format = formats[i];
	return code;
}

static enum err_code
set_color(struct cli_request *req, struct str value, struct err *err)
{
	static const char *const words[] = {"auto", "always", "never", NULL};
	static const enum cli_when whens[] = {WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER};
	int i = 0;
	enum err_code code = parse_word(value, words, &i, err);
	req->color = whens[i];
	return code;
}

static enum err_code
set_timeout(struct cli_request *req, struct str value, struct err *err)
{
	if (!time_parse_span(value, &req->server.timeout_ns))
		return err_set(err, ERR_INVALID, "not a length of time (like 10s, 2m): \"%.*s\"",
		    value.len < 40 ? (int)value.len : 40, value.ptr);
	return ERR_OK;
}

static enum err_code
set_url(struct cli_request *req, struct str value, struct err *err)
{
	while (value.len > 0 && value.ptr[value.len - 1] == '/')
		value.len--;
	bool http = str_starts(value, STR("http://")) || str_starts(value, STR("https://"));
	bool bare = memmem(value.ptr, value.len, "://", 3) == NULL && value.len > 0;
	int n =
	    bare ? snprintf(req->url_text, sizeof req->url_text, "http://%.*s", STR_ARG(value)) : 0;
	bool fits = n >= 0 && (size_t)n < sizeof req->url_text;
	if ((!http && !bare) || !fits || str_find(value, '?') < value.len ||
	    str_find(value, '#') < value.len)
		return err_set(err, ERR_INVALID,
		    "must be like HOST:PORT, http://HOST:PORT or https://HOST: \"%.*s\"",
		    value.len < 80 ? (int)value.len : 80, value.ptr);
	req->server.url = bare ? str_of(req->url_text, (size_t)n) : value;
	return ERR_OK;
}

/* What goes into an HTTP header must not end it. */
static enum err_code
set_header(struct str *out, struct str value, struct err *err)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
			return err_set(err, ERR_INVALID, "has a control character in it");
	*out = value;
	return ERR_OK;
}

static enum err_code
set_span(struct cli_request *req, struct str value, struct err *err)
{
	static const struct op_param span_id = {.name = "span", .type = OP_SPAN_ID};
	req->span = value;
	return ops_check_value(&span_id, value, err);
}

static enum err_code
set_data_dir(struct cli_request *req, struct str value, struct err *err)
{
	if (req->server.data_dir.len > 0)
		return err_set(err, ERR_INVALID, "given twice");
	if (value.len == 0)
		return err_set(err, ERR_INVALID, "must not be empty");
	req->server.data_dir = value;
	return ERR_OK;
}

static enum err_code
set_count(struct cli_request *req, struct str value, struct err *err)
{
	static const struct op_param count = {
	    .name = "count", .type = OP_INT, .min = 1, .max = CLI_COUNT_MAX};
	enum err_code code = ops_check_value(&count, value, err);
	if (!code &&
	    (!str_to_u64(value, &req->count) || req->count < 1 || req->count > CLI_COUNT_MAX))
		code = err_set(err, ERR_INVALID, "must be 1 to %d: \"%.*s\"", CLI_COUNT_MAX,
		    value.len < 40 ? (int)value.len : 40, value.ptr);
	return code;
}

static enum err_code
set_global(struct cli_request *req, enum cli_global global, struct str value, struct err *err)
{
	switch (global) {
	case GLOBAL_OUTPUT: return set_output(req, value, err);
	case GLOBAL_COLOR: return set_color(req, value, err);
	case GLOBAL_TIMEOUT: return set_timeout(req, value, err);
	case GLOBAL_URL: return set_url(req, value, err);
	case GLOBAL_TENANT: return set_header(&req->server.tenant, value, err);
	case GLOBAL_TOKEN: return set_header(&req->server.token, value, err);
	case GLOBAL_CA: return set_header(&req->server.ca, value, err);
	case GLOBAL_CLIENT_CERT: return set_header(&req->server.client_cert, value, err);
	case GLOBAL_CLIENT_KEY: return set_header(&req->server.client_key, value, err);
	case GLOBAL_SPAN: return set_span(req, value, err);
	case GLOBAL_VERBOSE: req->verbose = true; return ERR_OK;
	case GLOBAL_LOGS: req->logs = true; return ERR_OK;
	case GLOBAL_ALL: req->all = true; return ERR_OK;
	case GLOBAL_YES: req->yes = true; return ERR_OK;
	case GLOBAL_COUNT: return set_count(req, value, err);
	case GLOBAL_EACH: req->each = true; return ERR_OK;
	case GLOBAL_DATA_DIR: return set_data_dir(req, value, err);
	case GLOBAL_HELP: req->help = true; return ERR_OK;
	case GLOBAL_NONE: break;
	}
	return err_set(err, ERR_INTERNAL, "option %d is unknown", (int)global);
}

/* ---- parameters */

static bool
has_value(const struct cli_request *req, const struct op_param *param)
{
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, str_from(param->name)))
			return true;
	return false;
}

static enum err_code
add_value(struct cli_request *req, const struct op_param *param, struct str value, struct err *err)
{
	if (!param->repeat && has_value(req, param))
		return err_set(err, ERR_INVALID, "given twice");
	if (req->value_count == CLI_VALUES_MAX)
		return err_set(err, ERR_INVALID, "too many options");
	enum err_code code = ops_check_value(param, value, err);
	if (!code)
		req->values[req->value_count++] = (struct op_value){str_from(param->name), value};
	return code;
}

static enum err_code
set_flag(struct parsing *p, const struct cli_flag *flag, struct str value, struct err *err)
{
	enum err_code code = flag->param ? add_value(p->req, flag->param, value, err)
	                                 : set_global(p->req, flag->global, value, err);
	return code ? err_wrap(err, "--%s", flag->o.name) : ERR_OK;
}

/* ---- arguments; each returns how many of argv it took, 0 on an error */

static int
take_value(struct parsing *p, const struct cli_flag *flag, int argc, char **argv, struct err *err)
{
	if (argc < 2) {
		err_set(err, ERR_INVALID, "--%s needs a value: %s", flag->o.name, flag->o.value);
		return 0;
	}
	return set_flag(p, flag, str_from(argv[1]), err) ? 0 : 2;
}

static int
take_long(struct parsing *p, int argc, char **argv, struct err *err)
{
	struct str arg = str_from(argv[0] + 2);
	size_t eq = str_find(arg, '=');
	struct str name = {arg.ptr, eq};
	const struct cli_flag *flag = find_long(p, name);
	if (!flag) {
		unknown_flag(p, name, err);
		return 0;
	}
	if (eq < arg.len) {
		if (!flag->o.value && !flag->param) {
			err_set(err, ERR_INVALID, "--%s takes no value", flag->o.name);
			return 0;
		}
		return set_flag(p, flag, str_skip(arg, eq + 1), err) ? 0 : 1;
	}
	if (!flag->o.value)
		return set_flag(p, flag, STR(""), err) ? 0 : 1;
	return take_value(p, flag, argc, argv, err);
}

static int
take_letter(struct parsing *p, int argc, char **argv, struct err *err)
{
	const struct cli_flag *flag = find_letter(p, argv[0][1]);
	struct str rest = str_from(argv[0] + 2);
	if (!flag) {
		err_set(err, ERR_INVALID, "%s has no option -%.20s", p->title, argv[0] + 1);
		return 0;
	}
	if (!flag->o.value && rest.len == 0)
		return set_flag(p, flag, STR(""), err) ? 0 : 1;
	if (!flag->o.value) {
		err_set(err, ERR_INVALID, "-%c takes no value", flag->o.letter);
		return 0;
	}
	if (rest.len > 0)
		return set_flag(p, flag, rest, err) ? 0 : 1;
	return take_value(p, flag, argc, argv, err);
}

/* The first that has none yet, or the last. */
static const struct op_param *
next_argument(const struct parsing *p)
{
	const struct op_param *param = NULL, *next;
	for (size_t i = 0; (next = cli_argument(p->req->op, i)); i++) {
		param = next;
		if (!has_value(p->req, param))
			break;
	}
	return param;
}

static int
take_positional(struct parsing *p, char **argv, struct err *err)
{
	const struct op_param *param = next_argument(p);
	if (!param) {
		err_set(err, ERR_INVALID, "%s takes options only: \"%.60s\" is none", p->title,
		    argv[0]);
		return 0;
	}
	if (add_value(p->req, param, str_from(argv[0]), err)) {
		err_wrap(err, "%s", param->name);
		return 0;
	}
	return 1;
}

static int
take_argument(struct parsing *p, int argc, char **argv, struct err *err)
{
	bool is_option = !p->options_ended && argv[0][0] == '-' && argv[0][1] != '\0';
	if (!is_option)
		return take_positional(p, argv, err);
	if (strcmp(argv[0], "--") == 0) {
		p->options_ended = true;
		return 1;
	}
	if (argv[0][1] == '-')
		return take_long(p, argc, argv, err);
	return take_letter(p, argc, argv, err);
}

/* ---- all of it */

static enum err_code
from_environment(const struct cli_io *io, struct cli_request *req, struct err *err)
{
	static const struct {
		const char *name;
		enum cli_global global;
	} variables[] = {
	    {"WEIR_URL", GLOBAL_URL},
	    {"WEIR_TENANT", GLOBAL_TENANT},
	    {"WEIR_TOKEN", GLOBAL_TOKEN},
	    {"WEIR_CA", GLOBAL_CA},
	    {"WEIR_CLIENT_CERT", GLOBAL_CLIENT_CERT},
	    {"WEIR_CLIENT_KEY", GLOBAL_CLIENT_KEY},
	};
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = io->env(variables[i].name);
		if (!value || value[0] == '\0')
			continue;
		if (set_global(req, variables[i].global, str_from(value), err))
			return err_wrap(err, "$%s", variables[i].name);
	}
	return ERR_OK;
}

/* "trace needs a trace_id", "compare needs B". */
static enum err_code
missing(const struct parsing *p, const struct op_param *param, struct err *err)
{
	char first = param->name[0];
	if (param->name[1] == '\0')
		return err_set(err, ERR_INVALID, "%s needs %c: %s", p->title, first - 'a' + 'A',
		    param->help);
	return err_set(err, ERR_INVALID, "%s needs %s %s: %s", p->title,
	    strchr("aeiou", first) ? "an" : "a", param->name, param->help);
}

static enum err_code
check_whole(const struct parsing *p, const struct cli_request *req, struct err *err)
{
	const struct op_param *param;
	if (req->help)
		return ERR_OK;
	for (size_t i = 0; (param = cli_argument(req->op, i)); i++)
		if ((param->in_path || param->required) && !has_value(req, param))
			return missing(p, param, err);
	if ((req->server.client_cert.len > 0) != (req->server.client_key.len > 0))
		return err_set(err, ERR_INVALID,
		    "--client-cert and --client-key go together ($WEIR_CLIENT_CERT, $WEIR_CLIENT_KEY)");
	bool tree = req->verbose || req->logs;
	if (tree && req->span.len > 0)
		return err_set(err, ERR_INVALID,
		    "--span shows all of a span: leave out -v and --logs");
	if (tree && req->format != FORMAT_AUTO && req->format != FORMAT_TABLE)
		return err_set(err, ERR_INVALID,
		    "-v and --logs are for the tree: leave out -o (JSON has all attributes; "
		    "logs --trace-id has the log records)");
	if (req->all && req->format != FORMAT_AUTO && req->format != FORMAT_NDJSON)
		return err_set(err, ERR_INVALID, "--all writes ndjson only: leave out -o");
	return ERR_OK;
}

enum err_code
cli_parse(const struct cli_io *io, const struct op *op, const struct cli_verb *verb, int argc,
    char **argv, struct cli_request *out, struct err *err)
{
	*out = (struct cli_request){
	    .op = op, .server = {.url = default_url, .timeout_ns = TIMEOUT_DEFAULT_S * NS_PER_S}};
	out->formats = verb ? verb->formats : NULL;
	if (verb && verb->slow)
		out->server.timeout_ns = TIMEOUT_SLOW_S * NS_PER_S;
	struct parsing p = {.io = io, .req = out, .title = verb ? verb->name : op->name};
	p.flag_count = cli_flags(op, verb, p.flags);
	enum err_code code = from_environment(io, out, err);
	for (int i = 0; i < argc && !code;) {
		int taken = take_argument(&p, argc - i, argv + i, err);
		if (taken == 0)
			return ERR_INVALID;
		i += taken;
	}
	return code ? code : check_whole(&p, out, err);
}

/* The first word from `i` on that is neither an option nor the value of one, or argc. */
static int
find_word(const struct op *op, const struct cli_verb *verb, int i, int argc, char **argv)
{
	struct parsing p = {.io = NULL};
	p.flag_count = cli_flags(op, verb, p.flags);
	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		bool is_long = argv[i][1] == '-';
		struct str name = str_from(argv[i] + (is_long ? 2 : 1));
		bool attached = is_long ? str_find(name, '=') < name.len : name.len > 1;
		const struct cli_flag *flag =
		    is_long ? find_long(&p, name) : find_letter(&p, name.ptr[0]);
		i += flag && flag->o.value && !attached ? 2 : 1;
	}
	return i < argc ? i : argc;
}

int
cli_find_command(int argc, char **argv)
{
	return find_word(NULL, NULL, 1, argc, argv);
}

bool
cli_has_positional(const struct op *op, const struct cli_verb *verb, int argc, char **argv)
{
	return find_word(op, verb, 0, argc, argv) < argc;
}
