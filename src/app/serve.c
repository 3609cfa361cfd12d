/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/serve.c - `weir serve`: build everything in order, wait for a signal, take it down in order.
 *
 * Up: options, data folder and its lock, keys, dead letters, store, log, ingest, API, then the ports that take
 * data. Down: the ports that take data (what is in flight is answered), ingest (what is durable is
 * loaded), API, store, log, dead letters, keys, lock. Each step knows whether it was reached, so that a failure
 * half way up goes the same way down.
 */
#include "app/app.h"
#include "app/config.h"
#include "app/own.h"
#include "app/price_list.h"
#include "app/puller.h"
#include "app/secure.h"
#include "app/serve_priv.h"
#include "app/services.h"

#include "base/timefmt.h"
#include "dlq/dlq.h"
#include "duck/duck.h"
#include "ingest/ingest.h"
#include "ingest/quota.h"
#include "ingest/record_json.h"
#include "keys/auth.h"
#include "tail/tail.h"
#include "ops/ops.h"
#include "receive/receive.h"
#include "rest/rest.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/process.h"
#include "sys/service.h"
#include "sys/signal.h"
#include "sys/term.h"
#include "sys/tcp.h"
#include "sys/thread.h"
#include "tenant/tenant.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_YES = 0, EXIT_ERROR = 1, EXIT_WRONG_USAGE = 2, LOOPS_MAX_DEFAULT = 4 };
#define LOOK_EVERY_NS NS_PER_DAY /* at the certificate's time */

/* Before anything is made or opened. */
static enum err_code
check_keys(const struct serve *s, const char *flag, struct err *err)
{
	struct keys *keys;
	enum err_code code = keys_open(s->config.data_dir, &keys, err);
	if (code != ERR_OK)
		return code;
	bool required = keys_required(keys);
	keys_close(keys);
	if (required)
		return ERR_OK;
	return err_set(err, ERR_FORBIDDEN,
	    "--%s can be reached by other machines, and there are no keys: make one (weir keys --help), "
	    "use a loopback address, or say --insecure",
	    flag);
}

static enum err_code
check_address(const struct serve *s, const char *flag, struct str address, struct err *err)
{
	if (tcp_address_check(address, err) != ERR_OK)
		return err_wrap(err, "--%s", flag);
	if (s->config.insecure || tcp_is_loopback(address))
		return ERR_OK;
	return check_keys(s, flag, err);
}

static enum err_code
check_tenant_limits(const struct serve *s, struct err *err)
{
	struct quota *q = quota_new(&s->config.limits);
	enum err_code code = quota_override(q, s->config.tenant_limits, err);
	quota_free(q);
	return code == ERR_OK ? code : err_wrap(err, "--tenant-limits");
}

static enum err_code
check_retain(struct serve *s, struct err *err)
{
	const struct config *c = &s->config;
	struct retain *r = &s->retain;
	enum err_code code = retain_parse(c->retain, STR_EMPTY, &s->arena, r, err);
	if (code != ERR_OK)
		return err_wrap(err, "--retain");
	code = retain_parse(c->retain, c->tenant_retain, &s->arena, r, err);
	for (size_t i = 0; i < r->tenant_count && code == ERR_OK; i++)
		if (!tenant_name_valid(r->tenants[i].tenant))
			code = err_set(err, ERR_INVALID, "\"%.*s\" is no name of a tenant",
			    STR_ARG(r->tenants[i].tenant));
	return code == ERR_OK ? code : err_wrap(err, "--tenant-retain");
}

/* Sockets that were handed over stand for the addresses of the same names. */
static enum err_code
take_sockets(struct serve *s, struct err *err)
{
	struct service_socket sockets[SERVICE_SOCKETS_MAX];
	unsigned count = service_sockets(sockets);
	struct {
		const char *name;
		struct str *address;
	} places[] = {
	    {"grpc", &s->config.grpc}, {"http", &s->config.http}, {"api", &s->config.api}};
	for (unsigned i = 0; i < count; i++) {
		char address[24];
		size_t k = 0;
		while (k < ARRAY_LEN(places) && strcmp(places[k].name, sockets[i].name) != 0)
			k++;
		if (k == ARRAY_LEN(places))
			return err_set(err, ERR_INVALID,
			    "a socket named \"%s\" was handed over: the names are grpc, http and api "
			    "(FileDescriptorName=)",
			    sockets[i].name);
		snprintf(address, sizeof(address), "fd:%d", sockets[i].fd);
		*places[k].address = arena_str(&s->arena, str_from(address));
	}
	return ERR_OK;
}

static enum err_code
set_up_log(const struct config *c, struct err *err)
{
	enum log_level level = LOG_INFO;
	enum log_format format = LOG_TEXT;
	if (!log_level_parse(c->log_level, &level))
		return err_set(err, ERR_INVALID,
		    "--log-level: \"%.*s\" is not debug, info, warn, error or off",
		    STR_ARG(c->log_level));
	if (!log_format_parse(c->log_format, &format))
		return err_set(err, ERR_INVALID,
		    "--log-format: \"%.*s\" is not text, json or logfmt", STR_ARG(c->log_format));
	log_setup(level, format);
	return ERR_OK;
}

static enum err_code
check_config(struct serve *s, struct err *err)
{
	const struct config *c = &s->config;
	if (set_up_log(c, err) != ERR_OK)
		return err->code;
	if (check_tenant_limits(s, err) != ERR_OK)
		return err->code;
	if (!tenant_name_valid(c->trace_tenant))
		return err_set(err, ERR_INVALID, "--trace-tenant: \"%.*s\" is no name of a tenant",
		    STR_ARG(c->trace_tenant));
	if (check_retain(s, err) != ERR_OK || secure_check(c, err) != ERR_OK ||
	    take_sockets(s, err) != ERR_OK)
		return err->code;
	if (check_address(s, "grpc", c->grpc, err) != ERR_OK ||
	    check_address(s, "http", c->http, err) != ERR_OK)
		return err->code;
	return check_address(s, "api", c->api, err);
}

static enum err_code
open_data_dir(struct serve *s, struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct str dir = s->config.data_dir;
	enum err_code code = file_mkdir(dir.ptr, NULL, err);
	if (code == ERR_OK)
		code = file_join(dir, STR("LOCK"), path, err);
	if (code == ERR_OK)
		code = file_lock(path, &s->lock, err);
	if (code == ERR_OK)
		code = file_join(dir, STR(BACKUP_RESTORING), path, err);
	if (code == ERR_OK && file_exists(path))
		code = err_set(err, ERR_CORRUPT,
		    "a restore into %s has not ended: delete the folder and restore once more",
		    dir.ptr);
	return code;
}

static enum err_code
open_tls(struct serve *s, struct err *err)
{
	return secure_open(&s->config, &s->tls, err);
}

static enum err_code
open_keys(struct serve *s, struct err *err)
{
	enum err_code code = keys_open(s->config.data_dir, &s->keys, err);
	return code == ERR_OK ? keys_watch(s->keys, err) : code;
}

static enum err_code
open_letters(struct serve *s, struct err *err)
{
	return dlq_open(&(struct dlq_options){.data_dir = s->config.data_dir}, &s->dlq, err);
}

static enum err_code
open_store(struct serve *s, struct err *err)
{
	const struct config *c = &s->config;
	return duck_open(&(struct duck_options){.data_dir = c->data_dir,
	                     .memory_bytes_max = c->duck_memory_bytes,
	                     .hot_bytes_max = c->hot_bytes,
	                     .log_bytes_max = c->hot_log_bytes,
	                     .seal_rows = c->seal_rows,
	                     .identity_bytes_max = c->identity_bytes,
	                     .request_age_ns = c->retry_hours * 3600 * NS_PER_S,
	                     .request_count_max = c->retry_requests,
	                     .retain = &s->retain,
	                     .threads = (unsigned)c->duck_threads,
	                     .sql_memory_bytes_max = c->sql_memory_bytes,
	                     .sql_temp_bytes_max = c->sql_temp_bytes,
	                     .sql_runs_max = (unsigned)c->sql_queries,
	                     .readers_max = (unsigned)c->readers + READS_THREADS},
	    &s->store, err);
}

static enum err_code
open_wal(struct serve *s, struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct wal_report report = {0};
	enum err_code code = file_join(s->config.data_dir, STR("wal"), path, err);
	if (code != ERR_OK)
		return code;
	code = wal_open(&(struct wal_options){.dir = str_from(path),
	                    .segment_bytes_max = s->config.limits.segment_bytes_max,
	                    .applied_seq = store_position(s->store),
	                    .free_bytes_min = s->config.limits.free_bytes_min},
	    &s->wal, &report, err);
	if (code != ERR_OK)
		return code;
	log_info("wal", "%llu segments, last record %llu, %llu to load",
	    (unsigned long long)report.segment_count, (unsigned long long)report.last_seq,
	    (unsigned long long)report.record_count);
	if (report.cut_bytes)
		log_warn("wal",
		    "cut %llu bytes at the end of the log that nothing vouches for: a write that was "
		    "under way when weir stopped, or damage to its last second",
		    (unsigned long long)report.cut_bytes);
	if (report.missing_records)
		log_warn("wal",
		    "the log ends %llu records before the store, which holds all up to %llu: files "
		    "of it were removed or its end is damaged, and what was not loaded yet is gone",
		    (unsigned long long)report.missing_records,
		    (unsigned long long)report.last_seq);
	else if (report.damaged_below_applied)
		log_warn("wal",
		    "%llu damaged places in records that are loaded already: nothing is lost; the "
		    "first is in %s",
		    (unsigned long long)report.damaged_below_applied, report.damage);
	return ERR_OK;
}

static enum err_code
start_tail(struct serve *s, struct err *err)
{
	return tail_start(&(struct tail_options){.limits = &s->config.limits,
	                      .stats = &s->stats,
	                      .seen_seq = wal_durable_seq(s->wal)},
	    &s->tail, err);
}

static void
publish(void *ctx, const struct batch *batch)
{
	struct serve *s = ctx;
	tail_publish(s->tail, batch);
}

static enum err_code
start_ingest(struct serve *s, struct err *err)
{
	return ingest_start(&(struct ingest_options){.wal = s->wal,
	                        .store = s->store,
	                        .dlq = s->dlq,
	                        .limits = &s->config.limits,
	                        .stats = &s->stats,
	                        .data_dir = s->config.data_dir,
	                        .own_tenant = s->config.trace_tenant,
	                        .load_delay_ms = s->config.load_delay_ms,
	                        .on_visible = publish,
	                        .visible_ctx = s,
	                        .tenant_limits = s->config.tenant_limits},
	    &s->ingest, err);
}

/* ---- the API */

static unsigned
loop_count(const struct serve *s)
{
	unsigned cpus = thread_cpu_count();
	if (s->config.loops)
		return (unsigned)s->config.loops;
	return cpus < LOOPS_MAX_DEFAULT ? cpus : LOOPS_MAX_DEFAULT;
}

static enum err_code
load_prices(struct serve *s, struct err *err)
{
	return price_list_load(&s->prices, s->config.prices, err);
}

static enum err_code
start_api(struct serve *s, struct err *err)
{
	enum err_code code = serve_set_up_backups(s, err);
	if (code != ERR_OK)
		return code;
	s->writer = (struct ops_writer){.comments = serve_write_comments, .ctx = s};
	s->puller = app_puller(s->ingest);
	code = rest_start(&(struct rest_options){.store = s->store,
	                      .writer = &s->writer,
	                      .backups = &s->backups,
	                      .puller = &s->puller,
	                      .limits = &s->config.limits,
	                      .stats = &s->stats,
	                      .prices = &s->prices.now,
	                      .thread_count = (unsigned)s->config.readers,
	                      .heavy_count = (unsigned)s->config.sql_queries,
	                      .checks = serve_ready_checks,
	                      .catches_up = serve_catches_up,
	                      .checks_ctx = s,
	                      .keys = s->keys,
	                      .tail = s->tail,
	                      .dlq = s->dlq,
	                      .dlq_to_json = record_json,
	                      .metrics = serve_more_metrics,
	                      .metrics_ctx = s,
	                      .check = serve_check_running,
	                      .check_ctx = s},
	    &s->rest, err);
	if (code != ERR_OK)
		return code;
	return http_server_start(&(struct http_server_options){.address = s->config.api,
	                             .name = "api",
	                             .tls = s->tls,
	                             .tls_port = TLS_API,
	                             .limits = &s->config.limits,
	                             .stats = &s->stats,
	                             .stats_requests = STATS_REQUESTS_API,
	                             .stats_connections = STATS_CONNS_API,
	                             .admit = rest_admit,
	                             .body_max = rest_body_max,
	                             .challenge = AUTH_CHALLENGE,
	                             .handle = rest_handle,
	                             .error_body = rest_error_body,
	                             .ctx = s->rest},
	    &s->api, err);
}

static uint64_t
newest_seq(void *ctx)
{
	const struct serve *s = ctx;
	return wal_durable_seq(s->wal);
}

static enum err_code
start_grpc(struct serve *s, struct err *err)
{
	const struct reads_options reads = {.store = s->store,
	    .keys = s->keys,
	    .limits = &s->config.limits,
	    .stats = &s->stats,
	    .newest_seq = newest_seq,
	    .catches_up = serve_catches_up,
	    .ctx = s};
	enum err_code code = reads_start(&reads, &s->reads, err);
	if (code != ERR_OK)
		return code;
	budget_init(&s->inflight, s->config.limits.inflight_bytes_max);
	s->receive = receive_new(&(struct receive_options){
	    .ingest = s->ingest, .keys = s->keys, .limits = &s->config.limits, .stats = &s->stats});
	services_init(&s->services, s->receive, s->reads);
	return grpc_server_start(&(struct grpc_server_options){.budget = &s->inflight,
	                             .address = s->config.grpc,
	                             .tls = s->tls,
	                             .loop_count = loop_count(s),
	                             .limits = &s->config.limits,
	                             .stats = &s->stats,
	                             .paths = s->services.paths,
	                             .admit = services_admit,
	                             .handle = services_handle,
	                             .ctx = &s->services,
	                             .busy_retry_ms = ingest_retry_after_ms(s->ingest, ERR_BUSY)},
	    &s->grpc, err);
}

static enum err_code
start_http(struct serve *s, struct err *err)
{
	return http_server_start(&(struct http_server_options){.address = s->config.http,
	                             .budget = &s->inflight,
	                             .name = "http",
	                             .tls = s->tls,
	                             .tls_port = TLS_HTTP,
	                             .thread_count = loop_count(s),
	                             .limits = &s->config.limits,
	                             .stats = &s->stats,
	                             .stats_requests = STATS_REQUESTS_HTTP,
	                             .stats_connections = STATS_CONNS_HTTP,
	                             .admit = receive_http_admit,
	                             .challenge = AUTH_CHALLENGE,
	                             .handle = receive_http,
	                             .error_body = receive_http_error,
	                             .ctx = s->receive},
	    &s->http, err);
}

static enum err_code
start_own(struct serve *s, struct err *err)
{
	return own_start(&(struct own_options){.to = s->config.trace_to,
	                     .tenant = s->config.trace_tenant,
	                     .token = getenv("WEIR_TRACE_TOKEN"),
	                     .ingest = s->ingest,
	                     .version = WEIR_VERSION},
	    &s->own, err);
}

static enum err_code
bring_up(struct serve *s, struct err *err)
{
	static const struct {
		const char *what;
		enum err_code (*start)(struct serve *s, struct err *err);
	} steps[] = {
	    {"TLS", open_tls},
	    {"prices (--prices)", load_prices},
	    {"data folder", open_data_dir},
	    {"keys", open_keys},
	    {"dead letters", open_letters},
	    {"store", open_store},
	    {"log", open_wal},
	    {"live tail", start_tail},
	    {"ingest", start_ingest},
	    {"weir's own spans (--trace-to)", start_own},
	    {"API (--api)", start_api},
	    {"OTLP/gRPC (--grpc)", start_grpc},
	    {"OTLP/HTTP (--http)", start_http},
	};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (steps[i].start(s, err) != ERR_OK)
			return err_wrap(err, "%s", steps[i].what);
	return ERR_OK;
}

/* "127.0.0.1:0" with the port that was bound. */
static void
log_listener(const struct serve *s, const char *what, struct str address, uint16_t port)
{
	size_t host = address.len;
	const char *how = s->tls ? " (TLS)" : "";
	if (str_starts(address, STR("fd:"))) {
		log_info("serve", "listening for %s on a socket that was handed over, port %u%s",
		    what, port, how);
		return;
	}
	while (host > 0 && address.ptr[host - 1] != ':')
		host--;
	log_info("serve", "listening for %s on %.*s%u%s", what, (int)host, address.ptr, port, how);
}

/* Once, and not for each port. */
static void
warn_of_clear_text(const struct serve *s)
{
	const struct config *c = &s->config;
	bool far =
	    !tcp_is_loopback(c->grpc) || !tcp_is_loopback(c->http) || !tcp_is_loopback(c->api);
	if (!s->tls && far && keys_required(s->keys))
		log_warn("serve",
		    "other machines can reach these ports and there is no TLS: keys and telemetry travel "
		    "in the clear (--tls-cert and --tls-key, or a proxy that has it)");
}

static void
take_down(struct serve *s)
{
	uint64_t deadline = clock_mono_ns() + s->config.drain_ms * NS_PER_MS;
	if (s->grpc)
		grpc_server_stop(s->grpc, deadline);
	if (s->http)
		http_server_stop(s->http, deadline);
	own_stop(s->own);
	if (s->ingest)
		ingest_stop(s->ingest, deadline);
	tail_stop(s->tail);
	if (s->api)
		http_server_stop(s->api, deadline);
	if (s->rest)
		rest_stop(s->rest); /* ends what runs in the store */
	reads_stop(s->reads);
	grpc_server_free(s->grpc);
	http_server_free(s->http);
	http_server_free(s->api);
	rest_free(s->rest);
	price_list_fini(&s->prices);
	receive_free(s->receive);
	reads_free(s->reads);
	store_close(s->store); /* it may still give rows it cannot keep to ingest */
	ingest_free(s->ingest);
	tail_free(s->tail);
	wal_close(s->wal);
	own_free(s->own);
	dlq_close(s->dlq);
	keys_close(s->keys);
	tls_context_close(s->tls);
	file_close(&s->lock);
}

static const char *
get_environ(const char *name)
{
	return getenv(name);
}

static void
note_change(void *ctx, const char *name)
{
	(void)ctx;
	if (strcmp(name, "log-level") != 0 && strcmp(name, "log-format") != 0 &&
	    strcmp(name, "prices") != 0)
		log_warn("serve", "%s is another now: that counts after a restart", name);
}

/* What can change while weir runs: how it logs, prices, and what is in the files of TLS, whatever the options say now. Keys are looked
 * at all the time. */
static void
reload(struct serve *s)
{
	struct arena arena = {0};
	struct config c;
	struct err err = {0};
	(void)service_notify("RELOADING=1");
	enum err_code code = config_parse(s->argc, s->argv, get_environ, &arena, &c, &err);
	if (code == ERR_OK)
		code = set_up_log(&c, &err);
	if (code == ERR_OK) {
		log_info("serve", "SIGHUP: the options were read again");
		/* Sockets that were handed over stand in the place of addresses. */
		config_changes(&s->as_given, &c, note_change, NULL);
	} else {
		log_error("serve", "SIGHUP: no option is changed: %s", err.message);
	}
	price_list_reload(&s->prices, code == ERR_OK ? c.prices : s->config.prices);
	arena_fini(&arena);
	secure_reload(s->tls);
	(void)service_notify("READY=1");
}

/* A terminal that is closed sends it to what runs there; to a service it says to read its options again. */
static bool
is_reload(int number)
{
	return number == SIGNAL_HANG_UP && !term_is_tty(TERM_STDERR);
}

/* Signs of life while the threads that everything goes through give theirs. Returns the signal that ends it. */
static int
watch_until_signal(struct serve *s)
{
	uint64_t wanted_ns = service_watchdog_ns();
	const char *hung = NULL;
	uint64_t look_ns = s->tls ? clock_mono_ns() + LOOK_EVERY_NS : UINT64_MAX;
	for (;;) {
		uint64_t now_ns = clock_mono_ns(), until_ns = UINT64_MAX;
		if (wanted_ns > 0) {
			const char *hangs = ingest_hangs(s->ingest, now_ns, wanted_ns / 2);
			if (!hangs)
				(void)service_notify("WATCHDOG=1");
			else if (!hung)
				log_error("serve", "the %s does not move: no sign of life is given",
				    hangs);
			hung = hangs;
			until_ns = now_ns + wanted_ns / 4;
		}
		if (now_ns >= look_ns) {
			secure_look(s->tls);
			look_ns = now_ns + LOOK_EVERY_NS;
		}
		int number = signal_wait_stop(until_ns < look_ns ? until_ns : look_ns);
		if (is_reload(number))
			reload(s);
		else if (number != 0)
			return number;
	}
}

static void
say_ready(const struct serve *s)
{
	char state[200];
	log_info("serve", "weir %s is ready; its data is in %.*s", WEIR_VERSION,
	    STR_ARG(s->config.data_dir));
	snprintf(state, sizeof(state), "READY=1\nSTATUS=OTLP/gRPC %u, OTLP/HTTP %u, API %u",
	    grpc_server_port(s->grpc), http_server_port(s->http), http_server_port(s->api));
	(void)service_notify(state);
}

static int
serve_until_signal(struct serve *s)
{
	struct err err = {0};
	int exit_code = EXIT_YES;
	if (bring_up(s, &err) == ERR_OK) {
		log_listener(s, "OTLP/gRPC", s->config.grpc, grpc_server_port(s->grpc));
		log_listener(s, "OTLP/HTTP", s->config.http, http_server_port(s->http));
		log_listener(s, "the API", s->config.api, http_server_port(s->api));
		warn_of_clear_text(s);
		say_ready(s);
		int number = watch_until_signal(s);
		(void)service_notify("STOPPING=1");
		log_info("serve", "SIG%s: finishing what is in progress", signal_text(number));
		signal_stop_now();
		if (!term_is_tty(TERM_STDERR))
			signal_ignore_hang_up();
	} else {
		log_error("serve", "cannot start: %s", err.message);
		exit_code = EXIT_ERROR;
	}
	take_down(s);
	if (exit_code == EXIT_YES)
		log_info("serve", "stopped");
	return exit_code;
}

int
app_serve(int argc, char **argv)
{
	struct err err = {0};
	struct serve *s = xcalloc(1, sizeof(*s));
	int exit_code = EXIT_WRONG_USAGE;
	enum err_code code =
	    config_parse(argc - 1, argv + 1, get_environ, &s->arena, &s->config, &err);
	s->argc = argc - 1;
	s->argv = argv + 1;
	s->as_given = s->config;
	if (code == ERR_OK && (code = check_config(s, &err)) == ERR_OK) {
		signal_block_stop();
		process_keep_private();
		exit_code = serve_until_signal(s);
	}
	if (code != ERR_OK)
		fprintf(stderr, "weir serve: %s; see `weir serve --help`\n", err.message);
	arena_fini(&s->arena);
	free(s);
	return exit_code;
}
