/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/rest_priv.h"

#include "ops/ops.h"
#include "sys/process.h"
#include "wire/json_write.h"

/* These paths take no parameters, except `allowed`, whose value is left in *value_out. False when
 * the request has been refused. */
static bool
check_params(struct rest *r, struct http_request *req, struct str allowed, struct str *value_out)
{
	struct str name, value;
	struct err err;
	size_t seen = 0;
	for (size_t i = 0; http_request_param(req, i, &name, &value); i++) {
		struct str shown = {name.ptr, name.len < 40 ? name.len : 40};
		if (allowed.len > 0 && str_eq(name, allowed) && seen++ == 0) {
			*value_out = value;
			continue;
		}
		(void)err_set(&err, ERR_INVALID, "parameter %.*s: %s", STR_ARG(shown),
		    seen > 1 ? "given more than once" : "unknown");
		rest_respond_error(r, req, ERR_INVALID, err.message);
		return false;
	}
	return true;
}

void
rest_index(struct rest *r, struct http_request *req, const struct auth_grant *grant)
{
	(void)grant;
	struct buf body = {0};
	if (!check_params(r, req, STR_EMPTY, NULL))
		return;
	buf_printf(&body, "weir %s, an OpenTelemetry backend\n\n", WEIR_VERSION);
	for (const struct op *op = ops_table; op->name; op++)
		buf_printf(&body, "%s %-*s %s\n", op->method == OP_POST ? "POST" : "GET",
		    op->method == OP_POST ? 31 : 32, op->path, op->help);
	rest_routes_index(r, &body);
	buf_printf(&body, "GET %-32s %s\n", "/healthz", "does the process run?");
	buf_printf(&body, "GET %-32s %s\n", "/readyz",
	    "does it take data and answer? (?format=text)");
	buf_printf(&body, "GET %-32s %s\n", "/metrics", "numbers of weir itself, for Prometheus");
	buf_str(&body, STR("\nTry /api/v1/services or /api/v1/traces?last=15m&limit=10\n"));
	rest_respond(req, 200, REST_TEXT, &body);
}

void
rest_healthz(struct rest *r, struct http_request *req, const struct auth_grant *grant)
{
	(void)grant;
	struct buf body = {0};
	if (!check_params(r, req, STR_EMPTY, NULL))
		return;
	buf_str(&body, STR("ok\n"));
	rest_respond(req, 200, REST_TEXT, &body);
}

static void
write_checks_text(const struct rest_check *checks, size_t count, bool ready, struct buf *out)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%-4s %s: %s\n", checks[i].ok ? "ok" : "FAIL", checks[i].name,
		    checks[i].text);
	buf_str(out, ready ? STR("ready\n") : STR("not ready\n"));
}

static void
write_checks_json(const struct rest_check *checks, size_t count, bool ready, struct buf *out)
{
	struct json_writer w;
	json_writer_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "ready");
	jsonw_bool(&w, ready);
	jsonw_key(&w, "checks");
	jsonw_array(&w);
	for (size_t i = 0; i < count; i++) {
		jsonw_object(&w);
		jsonw_key(&w, "name");
		jsonw_str(&w, str_from(checks[i].name));
		jsonw_key(&w, "ok");
		jsonw_bool(&w, checks[i].ok);
		jsonw_key(&w, "text");
		jsonw_str(&w, str_from(checks[i].text));
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	buf_char(out, '\n');
}

void
rest_readyz(struct rest *r, struct http_request *req, const struct auth_grant *grant)
{
	struct rest_check checks[REST_CHECKS_MAX] = {0};
	struct buf body = {0};
	struct str format = STR("json");
	bool ready = !atomic_load(&r->stopping);
	if (!check_params(r, req, STR("format"), &format))
		return;
	bool text = str_eq_nocase(format, STR("text"));
	if (!text && !str_eq_nocase(format, STR("json"))) {
		rest_respond_error(r, req, ERR_INVALID, "parameter format: must be json or text");
		return;
	}
	size_t count =
	    r->opt.checks ? r->opt.checks(r->opt.checks_ctx, checks, REST_CHECKS_MAX) : 0;
	CHECK(count <= REST_CHECKS_MAX);
	for (size_t i = 0; i < count; i++)
		ready = ready && checks[i].ok;
	/* The details tell how much there is of all tenants. Whoever balances load needs the status only. */
	if (!grant->any_tenant)
		count = 0;
	if (text)
		write_checks_text(checks, count, ready, &body);
	else
		write_checks_json(checks, count, ready, &body);
	rest_respond(req, ready ? 200 : 503, text ? REST_TEXT : REST_JSON, &body);
}

static void
print_row(struct buf *out, const char *name, const char *type, const char *help, double value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name,
	    value);
}

/* The names that Prometheus' own client libraries use. */
static void
print_process(const struct rest *r, struct buf *out)
{
	struct process_usage u;
	process_usage(&u);
	buf_printf(out,
	    "# HELP weir_build_info What runs.\n# TYPE weir_build_info gauge\n"
	    "weir_build_info{version=\"%s\"} 1\n",
	    WEIR_VERSION);
	print_row(out, "process_cpu_seconds_total", "counter",
	    "User and system CPU time of the process.", u.cpu_seconds);
	print_row(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
	    (double)u.resident_bytes);
	print_row(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.",
	    (double)u.virtual_bytes);
	print_row(out, "process_open_fds", "gauge", "Open file descriptors.", (double)u.open_fds);
	print_row(out, "process_max_fds", "gauge", "Open file descriptors allowed.",
	    (double)u.max_fds);
	print_row(out, "process_threads", "gauge", "Threads.", (double)u.threads);
	print_row(out, "process_start_time_seconds", "gauge", "Unix time of the start.",
	    (double)r->start_unix_ns / 1e9);
}

void
rest_metrics(struct rest *r, struct http_request *req, const struct auth_grant *grant)
{
	(void)grant;
	struct buf body = {0};
	if (!check_params(r, req, STR_EMPTY, NULL))
		return;
	if (r->opt.stats)
		stats_print(r->opt.stats, &body);
	if (r->opt.metrics)
		r->opt.metrics(r->opt.metrics_ctx, &body);
	print_process(r, &body);
	rest_respond(req, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}
