/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/server.h - what the server says about itself (GET /metrics) and what the system says about it.
 *
 * All of it is optional: without an API address there is nothing to scrape, without a process id
 * no CPU time. `known` tells; `why` is then empty, or the reason.
 * Threading: one owner.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "base/buf.h"
#include "base/err.h"
#include "http/client.h"
#include "sys/measure.h"

struct http_client;

enum { SERVER_THREADS_MAX = 256 };

struct server {
	struct http_client *http; /* NULL: no --api */
	uint64_t pid; /* 0: not known */
	const char *data_dir; /* NULL: not known */
	struct buf body; /* of the last answer */
};

/* At one moment. */
struct server_snapshot {
	uint64_t mono_ns;
	bool has_metrics;
	double lag_bytes, loaded_seq, durable_seq;
	double wal_bytes, wal_commits, load_rows;
	bool has_hot_rows; /* a server that tells of them */
	double hot_rows; /* visible, not yet sealed; all signals */
	bool has_process;
	struct measure_process process;
	struct measure_thread threads[SERVER_THREADS_MAX];
	size_t thread_count;
	bool has_disk;
	uint64_t disk_bytes, disk_log_bytes; /* data folder, and wal/ in it */
};

/* api: "http://HOST:PORT", or empty; tls: for https://, NULL allowed. */
MUST_CHECK enum err_code server_open(struct server *s, struct str api,
    const struct tls_client_files *tls, uint64_t pid, const char *data_dir, struct err *err);
void server_close(struct server *s);

/* Everything that can be had. What has a source and cannot be read is an error. */
MUST_CHECK enum err_code server_look(struct server *s, struct server_snapshot *out,
    struct err *err);

struct server_idle {
	uint64_t loaded_mono_ns; /* all that was acknowledged was loaded */
	bool settled; /* and then the server had nothing more to do */
};

/* Wait until all that was acknowledged is loaded, as /metrics tells; then until the server has taken
 * less than 5 % of a processor for 0.3 s, at most settle_max_ns (a server that is never idle is no
 * error, but out->settled tells). ERR_DEADLINE when it has not loaded all by drain_max_ns. */
MUST_CHECK enum err_code server_wait_idle(struct server *s, uint64_t drain_max_ns,
    uint64_t settle_max_ns, struct server_idle *out, struct err *err);

/* Wait until the rows that are not sealed have not become fewer for still_ns, or there are none, at most
 * wait_max_ns. *hot_rows_out: how many are left; -1 when the server does not tell. */
MUST_CHECK enum err_code server_wait_sealed(struct server *s, uint64_t still_ns,
    uint64_t wait_max_ns, double *hot_rows_out, struct err *err);

/* A sample's value in the Prometheus text format; false when there is none of that name (labels
 * and all). */
bool server_metric(struct str text, struct str name, double *value_out);
/* The sum of all samples of that name, whatever their labels. */
bool server_metric_sum(struct str text, struct str name, double *sum_out);

#endif
