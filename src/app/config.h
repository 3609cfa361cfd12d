/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/config.h - the options of `weir serve`: flags > environment (WEIR_*) > config file > default.
 *
 * One table of options (config.c) plus base/limits.h's table of limits drive the flag parser, the
 * environment (--data-dir is WEIR_DATA_DIR), the config file (`data-dir = "x"`) and help.
 *
 * The file is TOML-like: `key = value` lines, # comments, values bare or in double quotes with
 * \" and \\. Keys are the flags without "--". Unknown keys, repeated keys and [sections] are
 * errors that name file and line.
 *
 * Numbers of bytes may end in k, m, g (powers of 1,024); booleans are true or false.
 */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/usage.h"

struct config {
	struct str data_dir;
	struct str backup_dir; /* empty: <data_dir>/backups */
	struct str grpc; /* ADDR:PORT */
	struct str http;
	struct str api;
	struct str file; /* --config */
	struct str log_level;
	struct str log_format;
	struct str tenant_limits;
	struct str retain, tenant_retain;
	struct str prices; /* a file; empty: none */
	struct str trace_to, trace_tenant;
	struct str tls_cert, tls_key, tls_client_ca; /* files; empty: none */
	uint64_t insecure; /* 0 or 1 */
	uint64_t loops; /* 0: by the number of processors */
	uint64_t readers; /* threads that answer queries */
	uint64_t load_delay_ms;
	uint64_t hot_bytes, hot_log_bytes, seal_rows;
	uint64_t identity_bytes;
	uint64_t retry_hours, retry_requests;
	uint64_t duck_memory_bytes;
	uint64_t duck_threads; /* 0: by the number of processors */
	uint64_t sql_memory_bytes, sql_temp_bytes, sql_queries;
	uint64_t drain_ms; /* how long a stop may take */
	struct limits limits;
};

/* argv behind the command's name. `environ_get` is getenv, or a test's. Strings live in arena.
 * ERR_INVALID: the message names the flag, variable, or file and line. */
MUST_CHECK enum err_code config_parse(int argc, char **argv,
    const char *(*environ_get)(const char *name), struct arena *arena, struct config *out,
    struct err *err);
/* The names of the options that are not the same in both, "log-level", in the order of the help. */
void config_changes(const struct config *before, const struct config *now,
    void (*changed)(void *ctx, const char *name), void *ctx);
/* Every option with its default: for help, completions, the manual page. */
extern const struct usage config_usage;

#endif
