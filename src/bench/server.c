/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/server.h"

#include "base/timefmt.h"
#include "http/client.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <math.h>

enum {
	HTTP_TIMEOUT_MS = 30000,
	METRICS_BYTES_MAX = 4 << 20,
	DRAIN_POLL_MS = 20,
	SETTLE_POLL_MS = 300,
	SEAL_POLL_MS = 100,
	IDLE_PERCENT = 5
};

enum err_code
server_open(struct server *s, struct str api, const struct tls_client_files *tls, uint64_t pid,
    const char *data_dir, struct err *err)
{
	*s = (struct server){.pid = pid, .data_dir = data_dir};
	if (api.len == 0)
		return ERR_OK;
	struct http_client_options opt = {.base_url = api,
	    .connect_timeout_ms = HTTP_TIMEOUT_MS,
	    .timeout_ms = HTTP_TIMEOUT_MS,
	    .body_bytes_max = METRICS_BYTES_MAX};
	if (tls)
		opt.tls = *tls;
	return http_client_open(&opt, &s->http, err);
}

void
server_close(struct server *s)
{
	http_client_close(s->http);
	buf_fini(&s->body);
	*s = (struct server){0};
}

bool
server_metric(struct str text, struct str name, double *value_out)
{
	while (text.len > 0) {
		struct str line = {text.ptr, str_find(text, '\n')};
		text = str_skip(text, line.len + 1);
		if (!str_starts(line, name) || line.len == name.len || line.ptr[name.len] != ' ')
			continue;
		struct str value = str_skip(line, name.len + 1);
		value.len = str_find(value, ' '); /* a time stamp may follow */
		return str_to_f64(value, value_out);
	}
	return false;
}

bool
server_metric_sum(struct str text, struct str name, double *sum_out)
{
	bool found = false;
	*sum_out = 0;
	while (text.len > 0) {
		struct str line = {text.ptr, str_find(text, '\n')};
		text = str_skip(text, line.len + 1);
		if (!str_starts(line, name) || line.len == name.len)
			continue;
		/* Label values of our own server hold no braces. */
		size_t labels = line.ptr[name.len] == '{' ? str_find(line, '}') + 1 : name.len;
		if (labels >= line.len || line.ptr[labels] != ' ')
			continue;
		struct str value = str_skip(line, labels + 1);
		double v;
		value.len = str_find(value, ' ');
		if (!str_to_f64(value, &v))
			continue;
		*sum_out += v;
		found = true;
	}
	return found;
}

static enum err_code
scrape(struct server *s, struct server_snapshot *out, struct err *err)
{
	const struct {
		struct str name;
		double *value;
	} wanted[] = {{STR("weir_lag_bytes"), &out->lag_bytes},
	    {STR("weir_loaded_seq"), &out->loaded_seq},
	    {STR("weir_wal_durable_seq"), &out->durable_seq},
	    {STR("weir_wal_bytes_total"), &out->wal_bytes},
	    {STR("weir_wal_commits_total"), &out->wal_commits},
	    {STR("weir_load_rows_total"), &out->load_rows}};
	int status;
	enum err_code code = http_client_get(s->http, STR("/metrics"), &status, &s->body, err);
	if (code != ERR_OK)
		return code;
	if (status != 200)
		return err_set(err, ERR_UNAVAILABLE, "GET /metrics answered %d", status);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (!server_metric(buf_view(&s->body), wanted[i].name, wanted[i].value))
			return err_set(err, ERR_INVALID, "GET /metrics does not tell %.*s",
			    STR_ARG(wanted[i].name));
	out->has_metrics = true;
	out->has_hot_rows =
	    server_metric_sum(buf_view(&s->body), STR("weir_hot_rows"), &out->hot_rows);
	return ERR_OK;
}

static enum err_code
look_at_disk(const struct server *s, struct server_snapshot *out, struct err *err)
{
	char log_dir[FILE_PATH_BYTES];
	enum err_code code = file_join(str_from(s->data_dir), STR("wal"), log_dir, err);
	if (code == ERR_OK)
		code = measure_tree(s->data_dir, &out->disk_bytes, err);
	if (code == ERR_OK)
		code = measure_tree(log_dir, &out->disk_log_bytes, err);
	out->has_disk = code == ERR_OK;
	return code;
}

enum err_code
server_look(struct server *s, struct server_snapshot *out, struct err *err)
{
	enum err_code code = ERR_OK;
	*out = (struct server_snapshot){.mono_ns = clock_mono_ns()};
	if (s->http)
		code = scrape(s, out, err);
	if (code == ERR_OK && s->data_dir)
		code = look_at_disk(s, out, err);
	if (code == ERR_OK && s->pid) {
		code = measure_process(s->pid, &out->process, err);
		out->has_process = code == ERR_OK;
		out->thread_count = measure_threads(s->pid, out->threads, SERVER_THREADS_MAX);
	}
	return code;
}

static enum err_code
wait_loaded(struct server *s, uint64_t deadline, uint64_t *loaded_mono_ns_out, struct err *err)
{
	struct server_snapshot now = {0};
	for (;;) {
		enum err_code code = scrape(s, &now, err);
		*loaded_mono_ns_out = clock_mono_ns();
		if (code != ERR_OK)
			return code;
		if (now.lag_bytes <= 0 || now.loaded_seq >= now.durable_seq)
			return ERR_OK;
		if (*loaded_mono_ns_out >= deadline)
			return err_set(err, ERR_DEADLINE,
			    "the server still has %.0f bytes of its log to load", now.lag_bytes);
		clock_sleep_ns(DRAIN_POLL_MS * NS_PER_MS);
	}
}

static enum err_code
wait_settled(const struct server *s, uint64_t deadline, bool *settled_out, struct err *err)
{
	struct measure_process before, after;
	enum err_code code = measure_process(s->pid, &before, err);
	while (code == ERR_OK && !*settled_out && clock_mono_ns() < deadline) {
		uint64_t start = clock_mono_ns();
		clock_sleep_ns(SETTLE_POLL_MS * NS_PER_MS);
		uint64_t passed = clock_mono_ns() - start;
		code = measure_process(s->pid, &after, err);
		if (code != ERR_OK)
			break;
		*settled_out = (after.cpu_ns - before.cpu_ns) * 100 < passed * IDLE_PERCENT;
		before = after;
	}
	return code;
}

enum err_code
server_wait_idle(struct server *s, uint64_t drain_max_ns, uint64_t settle_max_ns,
    struct server_idle *out, struct err *err)
{
	enum err_code code = ERR_OK;
	*out = (struct server_idle){.loaded_mono_ns = clock_mono_ns()};
	if (s->http)
		code = wait_loaded(s, clock_mono_ns() + drain_max_ns, &out->loaded_mono_ns, err);
	if (code == ERR_OK && s->pid)
		code = wait_settled(s, clock_mono_ns() + settle_max_ns, &out->settled, err);
	return code;
}

enum err_code
server_wait_sealed(struct server *s, uint64_t still_ns, uint64_t wait_max_ns, double *hot_rows_out,
    struct err *err)
{
	struct server_snapshot now = {0};
	uint64_t deadline = clock_mono_ns() + wait_max_ns, since = clock_mono_ns();
	double least = INFINITY;
	*hot_rows_out = -1;
	for (;;) {
		enum err_code code = scrape(s, &now, err);
		if (code != ERR_OK || !now.has_hot_rows)
			return code;
		*hot_rows_out = now.hot_rows;
		uint64_t t = clock_mono_ns();
		if (now.hot_rows < least) {
			least = now.hot_rows;
			since = t;
		}
		if (now.hot_rows <= 0 || t - since >= still_ns || t >= deadline)
			return ERR_OK;
		clock_sleep_ns(SEAL_POLL_MS * NS_PER_MS);
	}
}
