/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/report.h - the figures of a run, and how they are printed.
 *
 * One table says each figure's key, unit and meaning. A figure is either known, or has a reason why
 * not; there is no third.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "bench/latency.h"
#include "sys/measure.h"

/* X(id, JSON key, what it is, decimals) */
#define FIGURE_TABLE(X)                                                                            \
	X(SPANS, "spans", "spans acknowledged", 0)                                                 \
	X(REQUESTS, "requests", "requests acknowledged", 0)                                        \
	X(REFUSED, "refused_requests", "requests refused (told to come back)", 0)                  \
	X(UNSENT, "unsent_requests", "requests that were due and not sent in time", 0)             \
	X(LOST, "lost_connections", "connections that were lost, and made again", 0)               \
	X(SECONDS, "seconds", "seconds, first request to last answer", 2)                          \
	X(ACKED_RATE, "acked_spans_per_s", "spans/s acknowledged, durable", 0)                     \
	X(LOADED_RATE, "loaded_spans_per_s", "spans/s loaded, until the last is visible", 0)       \
	X(DRAIN_S, "drain_s", "seconds of loading after the last answer", 2)                       \
	X(ACK_P50, "ack_p50_ms", "ack p50, ms", 2)                                                 \
	X(ACK_P99, "ack_p99_ms", "ack p99, ms", 2)                                                 \
	X(ACK_MAX, "ack_max_ms", "ack max, ms", 2)                                                 \
	X(CPU, "cpu_us_per_span", "server CPU, all in, us/span", 2)                                \
	X(CORES, "cores_while_loaded", "processors the server used meanwhile", 2)                  \
	X(OWN_CPU, "generator_cpu_us_per_span", "CPU of this generator, us/span", 2)               \
	X(RSS_IDLE, "rss_before_mib", "server RSS before anything was sent, MiB", 1)               \
	X(RSS_LOAD, "rss_loaded_mib", "server RSS at the last answer, MiB", 1)                     \
	X(RSS_END, "rss_end_mib", "server RSS when idle again, MiB", 1)                            \
	X(RSS_PEAK, "rss_peak_mib", "server RSS at its peak, MiB", 1)                              \
	X(BODY_BYTES, "body_bytes_per_span", "protobuf bytes/span", 1)                             \
	X(WIRE_BYTES, "wire_bytes_per_span", "bytes/span on the wire", 1)                          \
	X(WAL_BYTES, "wal_bytes_per_span", "bytes/span written to the log", 1)                     \
	X(STORE_BYTES, "store_growth_bytes_per_span",                                              \
	    "bytes/span the store's files grew by (some before, some after a checkpoint)", 1)      \
	X(COMMIT_SPANS, "spans_per_commit", "spans per fdatasync of the log", 1)                   \
	X(HOT_BEFORE, "unsealed_rows_before", "rows not sealed before the first request", 0)       \
	X(HOT_AFTER, "unsealed_rows_after",                                                        \
	    "rows not sealed when idle again: what it takes to seal them is not in the CPU", 0)    \
	X(HOT_QUERIES, "unsealed_rows_at_queries", "rows not sealed when the queries began", 0)    \
	X(RSS_QUERIES, "rss_after_queries_mib", "server RSS after the queries, MiB", 1)            \
	X(LOGS, "log_records", "log records acknowledged", 0)                                      \
	X(LOG_RATE, "log_records_per_s", "log records/s acknowledged, durable", 0)                 \
	X(LOG_LOADED_RATE, "loaded_log_records_per_s", "log records/s loaded", 0)                  \
	X(LOG_REFUSED, "refused_log_requests", "requests of log records refused", 0)               \
	X(LOG_BYTES, "body_bytes_per_log_record", "protobuf bytes/record", 1)                      \
	X(LOG_CPU, "cpu_us_per_log_record", "server CPU, all in, us/record", 2)                    \
	X(LIVE_SPANS, "live_spans", "live: spans acknowledged", 0)                                 \
	X(LIVE_RATE, "live_spans_per_s", "live: spans/s acknowledged", 0)                          \
	X(LIVE_REFUSED, "live_refused_requests", "live: requests refused", 0)                      \
	X(LIVE_UNSENT, "live_unsent_requests", "live: requests that were due and not sent", 0)     \
	X(LIVE_ACK_P50, "live_ack_p50_ms", "live: ack p50, ms", 2)                                 \
	X(LIVE_ACK_P99, "live_ack_p99_ms", "live: ack p99, ms", 2)                                 \
	X(LIVE_ACK_MAX, "live_ack_max_ms", "live: ack max, ms", 2)                                 \
	X(HOT_LIVE, "unsealed_rows_at_live_queries", "live: rows not sealed when queries began",   \
	    0)                                                                                     \
	X(LIVE_CORES, "live_cores", "live: processors the server used before the queries", 2)      \
	X(ASKED_CORES, "live_cores_while_asked", "live: and during them", 2)                       \
	X(VISIBLE_P50, "visible_p50_ms", "ack to visible p50, ms", 1)                              \
	X(VISIBLE_P99, "visible_p99_ms", "ack to visible p99, ms", 1)                              \
	X(VISIBLE_MAX, "visible_max_ms", "ack to visible max, ms", 1)                              \
	X(VISIBLE_COUNT, "visible_samples", "requests followed until visible", 0)                  \
	X(POLL_P50, "poll_gap_p50_ms", "time between two looks p50, ms", 1)                        \
	X(POLL_MAX, "poll_gap_max_ms", "time between two looks max, ms", 1)                        \
	X(ALONE_ACK_P50, "alone_ack_p50_ms", "modest alone: ack p50, ms", 2)                       \
	X(ALONE_ACK_P99, "alone_ack_p99_ms", "modest alone: ack p99, ms", 2)                       \
	X(BESIDE_ACK_P50, "beside_ack_p50_ms", "modest beside greedy: ack p50, ms", 2)             \
	X(BESIDE_ACK_P99, "beside_ack_p99_ms", "modest beside greedy: ack p99, ms", 2)             \
	X(ACK_P50_RATIO, "ack_p50_ratio", "ack p50, beside over alone", 2)                         \
	X(ACK_P99_RATIO, "ack_p99_ratio", "ack p99, beside over alone", 2)                         \
	X(ACK_P99_MEDIAN, "ack_p99_ratio_median", "ack p99, the median of the pairs of rounds", 2) \
	X(ACK_P99_LEAST, "ack_p99_ratio_least", "ack p99, the least of a pair of rounds", 2)       \
	X(ACK_P99_MOST, "ack_p99_ratio_most", "ack p99, the most of a pair of rounds", 2)          \
	X(ALONE_ASK_P50, "alone_question_p50_ms", "modest alone: question p50, ms", 2)             \
	X(ALONE_ASK_P99, "alone_question_p99_ms", "modest alone: question p99, ms", 2)             \
	X(BESIDE_ASK_P50, "beside_question_p50_ms", "modest beside greedy: question p50, ms", 2)   \
	X(BESIDE_ASK_P99, "beside_question_p99_ms", "modest beside greedy: question p99, ms", 2)   \
	X(ASK_P50_RATIO, "question_p50_ratio", "question p50, beside over alone", 2)               \
	X(ASK_P99_RATIO, "question_p99_ratio", "question p99, beside over alone", 2)               \
	X(ASK_P99_MEDIAN, "question_p99_ratio_median", "question p99, the median of the pairs", 2) \
	X(ASK_P99_LEAST, "question_p99_ratio_least", "question p99, the least of a pair", 2)       \
	X(ASK_P99_MOST, "question_p99_ratio_most", "question p99, the most of a pair", 2)          \
	X(GREEDY_TIMES, "greedy_sent_times", "spans/s that greedy sent, over its limit", 2)        \
	X(GREEDY_TAKEN, "greedy_requests", "requests of greedy acknowledged", 0)                   \
	X(GREEDY_REFUSED, "greedy_refused_requests", "requests of greedy refused", 0)              \
	X(GREEDY_LIMITED, "greedy_limited_requests",                                               \
	    "of these because of its limit, as the server says", 0)                                \
	X(GREEDY_ABANDONED, "greedy_abandoned_requests",                                           \
	    "requests of greedy that were refused and not taken until the round's end", 0)         \
	X(GREEDY_SHARE, "greedy_limit_share",                                                      \
	    "spans of greedy acknowledged, over its limit and the second that it lets in at once", \
	    3)                                                                                     \
	X(TOTAL_SPANS, "total_spans", "spans acknowledged with those of the warm-up", 0)

enum figure_id {
#define X(id, key, label, decimals) FIGURE_##id,
	FIGURE_TABLE(X)
#undef X
	    FIGURE_COUNT
};

struct figure {
	bool known;
	double value;
	char why[ERR_MESSAGE_BYTES]; /* not known */
};

/* Of one round. A figure that is not known is NAN. */
struct report_round {
	double spans, total_spans; /* in it; and before and in it, the warm-up too */
	double acked_rate, loaded_rate;
	double cpu_us_per_span;
	double ack_p99_ms;
	double rss_mib; /* when idle again */
	double unsealed_before, unsealed_after; /* rows */
	char why[ERR_MESSAGE_BYTES]; /* why something is not known; empty: all is */
};

/* One round of --greedy. A figure that is not known is NAN. */
struct report_fair {
	bool beside;
	double acks; /* requests of modest */
	double ack_p50_ms, ack_p99_ms;
	double ask_p50_ms, ask_p99_ms; /* its questions */
	double greedy_spans_per_s,
	    refused_per_s; /* greedy's, acknowledged spans, refused requests */
	double server_cores, generator_cores; /* processors in use */
};

/* Questions of one kind. */
struct report_query {
	const char *key;
	char label[64];
	bool live; /* spans were being sent meanwhile */
	double right, wrong; /* answers */
	double p50_ms, p99_ms, max_ms; /* of the right ones; NAN: there is none */
	double cpu_ms; /* of the server, each; NAN: not known */
	char why[ERR_MESSAGE_BYTES]; /* what is wrong with the first wrong one */
};

enum { REPORT_ROUNDS_MAX = 200, REPORT_QUERIES_MAX = 64 };

enum { REPORT_THREADS_MAX = 32, REPORT_CONDITIONS_MAX = 24, REPORT_TEXT_BYTES = 160 };

/* CPU time by name of thread: "grpc-0" and "grpc-1" are one. */
struct report_thread {
	char name[MEASURE_NAME_BYTES];
	double cpu_us_per_span;
};

struct report_condition {
	const char *key;
	char text[REPORT_TEXT_BYTES];
};

struct report { /* zeroed: everything unknown, without a reason */
	struct figure figures[FIGURE_COUNT];
	struct report_thread threads[REPORT_THREADS_MAX];
	size_t thread_count;
	struct report_condition conditions[REPORT_CONDITIONS_MAX];
	size_t condition_count;
	struct report_round rounds[REPORT_ROUNDS_MAX];
	size_t round_count;
	struct report_fair fair[REPORT_ROUNDS_MAX];
	size_t fair_count;
	struct report_query queries[REPORT_QUERIES_MAX];
	size_t query_count;
};

void report_set(struct report *r, enum figure_id id, double value);
void report_unknown(struct report *r, enum figure_id id, const char *why);
/* A quantile in ms; unknown, because of `why`, when there are no times. */
void report_set_quantile(struct report *r, enum figure_id id, struct latency *l, double share,
    const char *why);
void report_round(struct report *r, const struct report_round *round);
void report_fair(struct report *r, const struct report_fair *round);
/* `times`: of the right answers; what is in *q of them is replaced. */
void report_query(struct report *r, const struct report_query *q, struct latency *times);
void report_condition(struct report *r, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What each thread of `after` took since `before`, by name, most first; and "ended" for what the
 * process took that no thread of the two has. Names beyond REPORT_THREADS_MAX go to "others". */
void report_threads(struct report *r, const struct measure_thread *before, size_t before_count,
    const struct measure_thread *after, size_t after_count, uint64_t process_cpu_ns, double spans);

void report_print_text(const struct report *r, struct buf *out);
/* One line. */
void report_print_json(const struct report *r, struct buf *out);

#endif
