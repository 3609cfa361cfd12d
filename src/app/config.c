/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config.h"

#include "sys/file.h"

#include <stddef.h>
#include <stdio.h>

enum option_type { OPTION_TEXT, OPTION_COUNT, OPTION_BYTES, OPTION_BOOL };

struct option {
	const char *name;
	enum option_type type;
	size_t offset; /* of a struct str or uint64_t in struct config */
	const char *dflt_text;
	uint64_t dflt, min, max;
	const char *operand;
	const char *help;
	const char *words; /* "text|json": the only values there are; NULL: others too */
};

#define TEXT(name, field, dflt, operand, help)                                                     \
	{name, OPTION_TEXT, offsetof(struct config, field), dflt, 0, 0, 0, operand, help, NULL}
#define WORD(name, field, dflt, operand, words, help)                                              \
	{name, OPTION_TEXT, offsetof(struct config, field), dflt, 0, 0, 0, operand, help, words}
#define COUNT(name, field, dflt, min, max, help)                                                   \
	{name, OPTION_COUNT, offsetof(struct config, field), NULL, dflt, min, max, "N", help, NULL}
#define BYTES(name, field, dflt, min, max, help)                                                   \
	{name, OPTION_BYTES, offsetof(struct config, field), NULL, dflt, min, max, "BYTES", help,  \
	    NULL}
#define BOOL(name, field, help)                                                                    \
	{name, OPTION_BOOL, offsetof(struct config, field), NULL, 0, 0, 1, NULL, help, NULL}

enum { OPTIONS_MAX = 128, CONFIG_FILE_BYTES_MAX = 1 << 20 };

static const struct option options[] = {
    TEXT("data-dir", data_dir, "weir-data", "DIR", "where everything is kept"),
    TEXT("backup-dir", backup_dir, "", "DIR",
        "where backups go; nothing said: backups/ in the data folder"),
    TEXT("grpc", grpc, "127.0.0.1:4317", "ADDR:PORT", "OTLP/gRPC"),
    TEXT("http", http, "127.0.0.1:4318", "ADDR:PORT",
        "OTLP/HTTP: /v1/traces, /v1/logs, /v1/metrics"),
    TEXT("api", api, "127.0.0.1:7700", "ADDR:PORT", "REST API, /healthz, /readyz, /metrics"),
    TEXT("tls-cert", tls_cert, "", "FILE",
        "TLS on all three: the server's certificate and its chain (PEM)"),
    TEXT("tls-key", tls_key, "", "FILE", "and its key (PEM, without a passphrase)"),
    TEXT("tls-client-ca", tls_client_ca, "", "FILE",
        "clients must show a certificate of one of these CAs (mutual TLS)"),
    TEXT("config", file, "", "FILE", "read options from FILE (key = value)"),
    WORD("log-level", log_level, "info", "LEVEL", "debug|info|warn|error|off", "what is logged"),
    WORD("log-format", log_format, "text", "FORMAT", "text|json|logfmt", "and how"),
    TEXT("tenant-limits", tenant_limits, "", "LIST",
        "other rates for some tenants: acme:bytes=10m,items=5000; zeta:items=0"),
    TEXT("retain", retain, "", "LIST",
        "what is kept how long, and how much of it: traces=30d,logs=12h,metrics-bytes=20g; "
        "nothing said: all of it, for ever"),
    TEXT("tenant-retain", tenant_retain, "", "LIST",
        "otherwise for some tenants: acme:traces=7d,logs-bytes=2g; zeta:traces=0"),
    TEXT("prices", prices, "", "FILE",
        "prices of models' tokens, before the built-in ones (docs/api.md)"),
    TEXT("trace-to", trace_to, "", "PLACE",
        "send spans of weir's own work to `self`, or to http://HOST:4318 (a key for it: "
        "$WEIR_TRACE_TOKEN)"),
    TEXT("trace-tenant", trace_tenant, "weir", "NAME", "whose telemetry they are"),
    BOOL("insecure", insecure, "allow listening on other than loopback addresses without keys"),
    COUNT("loops", loops, 0, 0, 64, "gRPC and HTTP threads each; 0: by the number of processors"),
    COUNT("readers", readers, 4, 1, 64, "queries that run at once"),
    COUNT("load-delay-ms", load_delay_ms, 5, 1, 10000,
        "under load, gather requests this long before they become visible together"),
    BYTES("hot-bytes", hot_bytes, 144 * LIMIT_MIB, LIMIT_MIB, 1024 * LIMIT_GIB,
        "memory for rows that are visible and not in the database's file yet"),
    BYTES("hot-log-bytes", hot_log_bytes, 512 * LIMIT_MIB, LIMIT_MIB, 1024 * LIMIT_GIB,
        "log kept for such rows, before they are moved to the file in small parts; a start reads it"),
    COUNT("seal-rows", seal_rows, 122880, 4, 122880 * 16,
        "rows moved to the file at once; what is no multiple of 122880 costs several times more"),
    BYTES("identity-bytes", identity_bytes, 128 * LIMIT_MIB, LIMIT_MIB, 1024 * LIMIT_GIB,
        "memory for recognising spans that come again: about 3 bytes each"),
    COUNT("retry-hours", retry_hours, 24, 1, 8760,
        "how long a request is recognised when it comes again"),
    COUNT("retry-requests", retry_requests, 1000000, 1000, 1000000000, "and how many: the newest"),
    BYTES("duckdb-memory", duck_memory_bytes, 256 * LIMIT_MIB, 64 * LIMIT_MIB, 1024 * LIMIT_GIB,
        "DuckDB's memory limit"),
    COUNT("duckdb-threads", duck_threads, 0, 0, 256,
        "DuckDB's threads; 0: by the number of processors"),
    BYTES("sql-memory", sql_memory_bytes, 512 * LIMIT_MIB, 64 * LIMIT_MIB, 1024 * LIMIT_GIB,
        "memory that one SQL query may take, in a process of its own"),
    BYTES("sql-temp-bytes", sql_temp_bytes, LIMIT_GIB, 0, 1024 * LIMIT_GIB,
        "disk for what of an SQL query does not fit there; 0: none"),
    COUNT("sql-queries", sql_queries, 2, 1, 16, "SQL queries that run at once"),
    COUNT("drain-ms", drain_ms, 30000, 0, 3600000, "how long a stop may wait for work in progress"),
#define X(option, field, dflt, min, max, help)                                                     \
	{option, OPTION_COUNT, offsetof(struct config, limits.field), NULL, dflt, min, max, "N",   \
	    help, NULL},
    LIMIT_TABLE(X)
#undef X
};

_Static_assert(ARRAY_LEN(options) <= OPTIONS_MAX, "struct given has room for all");

static const struct option *
find_option(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (str_eq(name, str_from(options[i].name)))
			return &options[i];
	return NULL;
}

/* Which options a source has given. */
struct given {
	bool option[OPTIONS_MAX];
};

static bool *
in_given(struct given *g, const struct option *o)
{
	return &g->option[o - options];
}

/* Digits, and for bytes and other counts alike an optional k, m or g. */
static bool
parse_count(struct str text, uint64_t *out)
{
	unsigned shift = 0;
	char last = text.len ? text.ptr[text.len - 1] : '\0';
	if (last == 'k' || last == 'K')
		shift = 10;
	else if (last == 'm' || last == 'M')
		shift = 20;
	else if (last == 'g' || last == 'G')
		shift = 30;
	if (shift)
		text.len--;
	return str_to_u64(text, out) && !__builtin_mul_overflow(*out, UINT64_C(1) << shift, out);
}

static enum err_code
set_option(struct config *c, const struct option *o, struct str value, struct arena *arena,
    struct err *err)
{
	char *field = (char *)c + o->offset;
	uint64_t number = 0;
	switch (o->type) {
	case OPTION_TEXT: {
		struct str copy = arena_str(arena, value);
		if (value.len == 0 || memchr(value.ptr, '\0', value.len))
			return err_set(err, ERR_INVALID, "must not be empty");
		memcpy(field, &copy, sizeof(copy));
		return ERR_OK;
	}
	case OPTION_BOOL:
		number = str_eq(value, STR("true"));
		if (!number && !str_eq(value, STR("false")))
			return err_set(err, ERR_INVALID, "expected true or false, not \"%.*s\"",
			    STR_ARG(value));
		break;
	case OPTION_COUNT:
	case OPTION_BYTES:
		if (!parse_count(value, &number))
			return err_set(err, ERR_INVALID, "expected a number, not \"%.*s\"",
			    STR_ARG(value));
		if (number < o->min || number > o->max)
			return err_set(err, ERR_INVALID, "must be from %llu to %llu, not %.*s",
			    (unsigned long long)o->min, (unsigned long long)o->max, STR_ARG(value));
		break;
	}
	memcpy(field, &number, sizeof(number));
	return ERR_OK;
}

static void
set_defaults(struct config *c)
{
	*c = (struct config){0};
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char *field = (char *)c + options[i].offset;
		struct str text = str_from(options[i].dflt_text);
		if (options[i].type == OPTION_TEXT)
			memcpy(field, &text, sizeof(text));
		else
			memcpy(field, &options[i].dflt, sizeof(options[i].dflt));
	}
}

/* Flags. `seen` gets every option given, so that the weaker sources leave it alone. */
static enum err_code
parse_flags(int argc, char **argv, struct config *c, struct arena *arena, struct given *seen,
    struct err *err)
{
	for (int i = 0; i < argc; i++) {
		struct str arg = str_from(argv[i]);
		if (!str_starts(arg, STR("--")) || arg.len == 2)
			return err_set(err, ERR_INVALID, "unexpected argument \"%s\"", argv[i]);
		struct str name = str_skip(arg, 2);
		size_t eq = str_find(name, '=');
		struct str value = str_skip(name, eq + 1);
		bool has_value = eq < name.len;
		name.len = eq;
		const struct option *o = find_option(name);
		if (!o)
			return usage_unknown(&config_usage, name, err);
		if (*in_given(seen, o))
			return err_set(err, ERR_INVALID, "--%s is given twice", o->name);
		if (!has_value && o->type == OPTION_BOOL)
			value = STR("true");
		else if (!has_value && ++i < argc)
			value = str_from(argv[i]);
		else if (!has_value)
			return err_set(err, ERR_INVALID, "--%s needs a value", o->name);
		if (set_option(c, o, value, arena, err) != ERR_OK)
			return err_wrap(err, "--%s", o->name);
		*in_given(seen, o) = true;
	}
	return ERR_OK;
}

/* --data-dir is WEIR_DATA_DIR. */
static void
env_name(const struct option *o, char out[64])
{
	int n = snprintf(out, 64, "WEIR_%s", o->name);
	CHECK(n > 0 && n < 64);
	for (char *p = out; *p; p++) {
		if (*p == '-')
			*p = '_';
		else if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	}
}

static enum err_code
parse_environ(const char *(*environ_get)(const char *name), struct config *c, struct arena *arena,
    struct given *seen, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char name[64];
		env_name(&options[i], name);
		const char *value = environ_get(name);
		if (!value || *in_given(seen, &options[i]) || str_eq(str_from(value), STR("")))
			continue;
		if (set_option(c, &options[i], str_from(value), arena, err) != ERR_OK)
			return err_wrap(err, "%s", name);
		*in_given(seen, &options[i]) = true;
	}
	return ERR_OK;
}

/* A bare value up to a comment, or a quoted one with nothing but a comment behind it. */
static bool
file_value(struct str text, struct arena *arena, struct str *out)
{
	if (text.len == 0 || text.ptr[0] != '"') {
		text.len = str_find(text, '#');
		*out = str_trim(text);
		return out->len > 0;
	}
	char *copy = arena_alloc(arena, text.len);
	size_t n = 0, i = 1;
	for (; copy && i < text.len && text.ptr[i] != '"'; i++) {
		if (text.ptr[i] == '\\' && i + 1 < text.len)
			i++;
		copy[n++] = text.ptr[i];
	}
	struct str rest = str_trim(str_skip(text, i + 1));
	*out = str_of(copy, n);
	return copy && i < text.len && (rest.len == 0 || rest.ptr[0] == '#');
}

static enum err_code
parse_line(struct str line, struct config *c, struct arena *arena, struct given *seen,
    struct given *in_file, struct err *err)
{
	struct str value;
	size_t eq = str_find(line, '=');
	struct str key = str_trim(str_of(line.ptr, eq));
	if (eq == line.len || !file_value(str_trim(str_skip(line, eq + 1)), arena, &value))
		return err_set(err, ERR_INVALID, "expected key = value");
	const struct option *o = find_option(key);
	if (!o || o->offset == offsetof(struct config, file))
		return err_set(err, ERR_INVALID, "unknown key \"%.*s\"", STR_ARG(key));
	if (*in_given(in_file, o))
		return err_set(err, ERR_INVALID, "\"%s\" is given twice", o->name);
	*in_given(in_file, o) = true;
	struct config ignored = *c;
	struct config *to = *in_given(seen, o) ? &ignored : c;
	if (set_option(to, o, value, arena, err) != ERR_OK)
		return err_wrap(err, "%s", o->name);
	return ERR_OK;
}

static enum err_code
parse_file(struct config *c, struct arena *arena, struct given *seen, struct err *err)
{
	struct buf text = {.bytes_max = CONFIG_FILE_BYTES_MAX};
	struct given in_file = {{false}};
	unsigned number = 0;
	enum err_code code = file_read_all(c->file.ptr, CONFIG_FILE_BYTES_MAX, &text, err);
	for (struct str rest = buf_view(&text); code == ERR_OK && rest.len; number++) {
		size_t end = str_find(rest, '\n');
		struct str line = str_trim(str_of(rest.ptr, end));
		rest = str_skip(rest, end + 1);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		code = parse_line(line, c, arena, seen, &in_file, err);
		if (code != ERR_OK)
			code = err_wrap(err, "%.*s:%u", STR_ARG(c->file), number + 1);
	}
	buf_fini(&text);
	return code;
}

enum err_code
config_parse(int argc, char **argv, const char *(*environ_get)(const char *name),
    struct arena *arena, struct config *out, struct err *err)
{
	struct given seen = {{false}};
	set_defaults(out);
	enum err_code code = parse_flags(argc, argv, out, arena, &seen, err);
	if (code != ERR_OK)
		return code;
	code = parse_environ(environ_get, out, arena, &seen, err);
	if (code != ERR_OK || out->file.len == 0)
		return code;
	return parse_file(out, arena, &seen, err);
}

static bool
same_value(const struct option *o, const struct config *a, const struct config *b)
{
	const char *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;
	if (o->type != OPTION_TEXT)
		return memcmp(x, y, sizeof(uint64_t)) == 0;
	struct str s, t;
	memcpy(&s, x, sizeof(s));
	memcpy(&t, y, sizeof(t));
	return str_eq(s, t);
}

void
config_changes(const struct config *before, const struct config *now,
    void (*changed)(void *ctx, const char *name), void *ctx)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (!same_value(&options[i], before, now))
			changed(ctx, options[i].name);
}

static void
add_options(struct usage_list *list)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];
		struct usage_option u = {.value = o->operand, .help = o->help, .words = o->words};
		snprintf(u.name, sizeof(u.name), "%s", o->name);
		if (o->type == OPTION_TEXT)
			snprintf(u.fallback, sizeof(u.fallback), "%s", o->dflt_text);
		else if (o->type != OPTION_BOOL)
			snprintf(u.fallback, sizeof(u.fallback), "%llu",
			    (unsigned long long)o->dflt);
		usage_add(list, &u);
	}
}

const struct usage config_usage = {.name = "serve",
    .help = "run the server",
    .about = "Until SIGINT or SIGTERM. SIGHUP, unless its standard error is a terminal: read\n"
             "how to log again, the prices, and the files of TLS.\n"
             "\n"
             "Each option is also a variable (--data-dir is WEIR_DATA_DIR) and a line of the\n"
             "--config file (data-dir = x). Flags win over variables, variables over the file.\n"
             "Numbers may end in k, m or g.\n",
    .example = "weir serve --data-dir /var/lib/weir --retain traces=30d,logs=12h",
    .more = add_options,
    .by_hand = true};
