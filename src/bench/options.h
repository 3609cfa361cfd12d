/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/options.h - the command line of `weir bench`. One table of options drives parser and help.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "base/err.h"
#include "bench/payload.h"
#include "grpc/client.h"

struct bench_options { /* strings are argv's */
	struct str grpc; /* ADDR:PORT, or "https://ADDR:PORT" */
	struct str api; /* "http://HOST:PORT"; empty: none */
	struct tls_client_files tls; /* where they are https:// */
	struct str name; /* of the case, for reports */
	enum payload_kind payload;
	uint64_t spans;
	uint64_t connections;
	uint64_t inflight;
	uint64_t duration_ns; /* 0: until `requests` are sent */
	uint64_t requests; /* 0: until the time is over */
	uint64_t warmup_ns;
	double rate; /* spans a second; 0: as many as go */
	uint64_t pool_bytes; /* gzip requests that may be prepared */
	uint64_t server_pid; /* 0: not known */
	const char *data_dir; /* NULL: not known */
	uint64_t drain_ns;
	uint64_t settle_ns;
	uint64_t poll_ns;
	uint64_t looks; /* traces of a request that --visible looks for; 0: all */
	uint64_t samples; /* requests that --visible follows, about */
	uint64_t rounds; /* how often the load is run */
	uint64_t queries; /* of each kind, after it; 0: none */
	uint64_t query_ns; /* at most, for each kind */
	uint64_t seal_ns; /* at most, before the queries */
	uint64_t logs; /* records, loaded between the rounds, for the queries; 0: none */
	double live; /* spans a second during more queries; 0: no such queries */
	uint64_t lead_ns; /* of them before the first of these */
	double greedy; /* spans a second of another tenant's limit; 0: there is none */
	double times; /* its limit, so much it offers */
	uint64_t preload_spans; /* before the first round with or without it */
	uint64_t ask_ns; /* from one question to the next in these rounds */
	uint64_t seed;
	bool gzip;
	bool visible;
	bool json;
};

/* ERR_INVALID names the option. */
MUST_CHECK enum err_code bench_options_parse(int argc, char **argv, struct bench_options *out,
    struct err *err);

#endif
