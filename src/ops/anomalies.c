/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `anomalies`: what is different in a window from what it was in the baseline, the time right before it.
 *
 *     error_rate        at least 5 spans in each; errors per span rose by 5 points or more (warning: 10, critical: 25)
 *     latency_p95       at least 5 ended spans in each; the 95th percentile is 1.5 times what it was or more (warning: 2,
 *                       critical: 3), and above 50 ms
 *     new_service       at least 5 spans, none in the baseline, which has spans of others: info
 *     vanished_service  none, at least 5 in the baseline. How many there would be at the baseline's rate says how
 *                       certain that is: less than 5: info; warning; 25 or more: critical
 *
 * Each is looked at once all sums are one (store/partial.h): thresholds know nothing of stores. Rates are compared in
 * integers. Order: severity, then the size relative to the threshold, then service and kind.
 *
 * All services are counted, whichever is asked for: whether one is new depends on the others.
 */
#include "ops/ops_priv.h"

#include "base/timefmt.h"

#include <stdlib.h>

enum { BASELINE_TIMES = 6, SPANS_MIN = 5, P95 = 950 };
enum { RATE_INFO = 5, RATE_WARNING = 10, RATE_CRITICAL = 25 }; /* points */
enum { BASELINE, CURRENT };

#define LATENCY_INFO 1.5
#define LATENCY_WARNING 2.0
#define LATENCY_CRITICAL 3.0
#define LATENCY_MIN_NS 50e6
#define EXPECTED_WARNING 5.0
#define EXPECTED_CRITICAL 25.0

enum severity { INFO, WARNING, CRITICAL };
enum kind { ERROR_RATE, LATENCY_P95, NEW_SERVICE, VANISHED_SERVICE };

__extension__ typedef __int128 int128;

struct anomaly {
	enum kind kind;
	enum severity severity;
	struct str service;
	double current, baseline; /* a rate, ns, or spans */
	double size; /* relative to the threshold */
	uint64_t current_spans, baseline_spans;
	double expected; /* spans of a service that is gone, at the baseline's rate */
};

struct finding_out {
	struct buf list; /* of struct anomaly */
	struct str service; /* asked for; empty: any */
	double lengths; /* of the window, in baselines */
	bool baseline_empty;
};

/* ---- the four kinds */

static void
add(struct finding_out *f, const struct anomaly *a)
{
	if (f->service.len == 0 || str_eq(f->service, a->service))
		buf_append(&f->list, a, sizeof(*a));
}

static struct anomaly
begin(enum kind kind, struct str service, const struct partial_tally *current,
    const struct partial_tally *baseline)
{
	return (struct anomaly){.kind = kind,
	    .service = service,
	    .current_spans = current ? current->spans : 0,
	    .baseline_spans = baseline ? baseline->spans : 0};
}

static void
find_errors(struct finding_out *f, struct str service, const struct partial_tally *current,
    const struct partial_tally *baseline)
{
	if (current->spans < SPANS_MIN || baseline->spans < SPANS_MIN)
		return;
	struct anomaly a = begin(ERROR_RATE, service, current, baseline);
	/* rise / whole is the difference of the rates. */
	int128 rise =
	    (int128)current->errors * baseline->spans - (int128)baseline->errors * current->spans;
	int128 whole = (int128)current->spans * baseline->spans;
	if (rise * 100 < whole * RATE_INFO)
		return;
	a.severity = rise * 100 >= whole * RATE_CRITICAL ? CRITICAL
	    : rise * 100 >= whole * RATE_WARNING         ? WARNING
	                                                 : INFO;
	a.current = ops_rate(current->errors, current->spans);
	a.baseline = ops_rate(baseline->errors, baseline->spans);
	a.size = (double)rise / (double)whole * 100 / (double)RATE_INFO;
	add(f, &a);
}

static void
find_latency(struct finding_out *f, struct str service, const struct partial_tally *current,
    const struct partial_tally *baseline)
{
	if (current->durations.count < SPANS_MIN || baseline->durations.count < SPANS_MIN)
		return;
	struct anomaly a = begin(LATENCY_P95, service, current, baseline);
	a.current = hist_quantile(&current->durations, P95);
	a.baseline = hist_quantile(&baseline->durations, P95);
	/* No time at all counts as 1 ns. */
	double ratio = a.current / (a.baseline < 1 ? 1 : a.baseline);
	if (ratio < LATENCY_INFO || a.current <= LATENCY_MIN_NS)
		return;
	a.severity = ratio >= LATENCY_CRITICAL ? CRITICAL
	    : ratio >= LATENCY_WARNING         ? WARNING
	                                       : INFO;
	a.size = ratio / LATENCY_INFO;
	add(f, &a);
}

static void
find_new(struct finding_out *f, struct str service, const struct partial_tally *current)
{
	if (current->spans < SPANS_MIN || f->baseline_empty)
		return;
	struct anomaly a = begin(NEW_SERVICE, service, current, NULL);
	a.current = (double)current->spans;
	a.size = a.current / (double)SPANS_MIN;
	add(f, &a);
}

static void
find_vanished(struct finding_out *f, struct str service, const struct partial_tally *baseline)
{
	if (baseline->spans < SPANS_MIN)
		return;
	struct anomaly a = begin(VANISHED_SERVICE, service, NULL, baseline);
	a.baseline = (double)baseline->spans;
	a.expected = a.baseline * f->lengths;
	a.severity = a.expected >= EXPECTED_CRITICAL ? CRITICAL
	    : a.expected >= EXPECTED_WARNING         ? WARNING
	                                             : INFO;
	a.size = a.expected / (double)SPANS_MIN;
	add(f, &a);
}

/* Both maps are sorted by name. What may be among the rest of the other map is not judged. */
static void
find_all(struct finding_out *f, const struct partial *p)
{
	const struct partial_map *now = &p->windows[CURRENT].services;
	const struct partial_map *then = &p->windows[BASELINE].services;
	f->baseline_empty = then->count == 0 && then->other.spans == 0;
	for (size_t i = 0, k = 0; i < now->count || k < then->count;) {
		const struct partial_entry *a = i < now->count ? &now->entries[i] : NULL;
		const struct partial_entry *b = k < then->count ? &then->entries[k] : NULL;
		int order = !a ? 1 : !b ? -1 : str_cmp(a->service, b->service);
		if (order == 0) {
			find_errors(f, a->service, &a->tally, &b->tally);
			find_latency(f, a->service, &a->tally, &b->tally);
		} else if (a && order < 0 && !partial_is_beyond(then, a->service, STR_EMPTY)) {
			find_new(f, a->service, &a->tally);
		} else if (b && order > 0 && !partial_is_beyond(now, b->service, STR_EMPTY)) {
			find_vanished(f, b->service, &b->tally);
		}
		i += order <= 0;
		k += order >= 0;
	}
}

static int
worst_first(const void *a, const void *b)
{
	const struct anomaly *x = a, *y = b;
	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	int order = str_cmp(x->service, y->service);
	return order != 0 ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

/* ---- the answer */

static void
describe(struct buf *out, const struct anomaly *a)
{
	switch (a->kind) {
	case ERROR_RATE:
		buf_printf(out, "error rate rose from %.1f%% to %.1f%%", a->baseline * 100,
		    a->current * 100);
		break;
	case LATENCY_P95:
		buf_printf(out, "p95 latency rose from %.4g ms to %.4g ms, %.3g times the baseline",
		    a->baseline / 1e6, a->current / 1e6,
		    a->current / (a->baseline < 1 ? 1 : a->baseline));
		break;
	case NEW_SERVICE:
		buf_printf(out, "new: %llu spans, none in the baseline",
		    (unsigned long long)a->current_spans);
		break;
	case VANISHED_SERVICE:
		buf_printf(out, "vanished: no spans, about %.0f would be as in the baseline",
		    a->expected);
		break;
	}
}

static void
write_anomaly(struct json_writer *w, const struct anomaly *a)
{
	static const char *const kinds[] = {
	    "error_rate", "latency_p95", "new_service", "vanished_service"};
	static const char *const severities[] = {"info", "warning", "critical"};
	struct buf text = {0};
	double unit = a->kind == LATENCY_P95 ? (double)NS_PER_MS : 1.0;
	jsonw_object(w);
	ops_write_text(w, "service", a->service);
	ops_write_text(w, "kind", str_from(kinds[a->kind]));
	ops_write_text(w, "severity", str_from(severities[a->severity]));
	jsonw_key(w, "current");
	jsonw_f64(w, a->current / unit);
	jsonw_key(w, "baseline");
	jsonw_f64(w, a->baseline / unit);
	jsonw_key(w, "delta");
	jsonw_f64(w, (a->current - a->baseline) / unit);
	jsonw_key(w, "size");
	jsonw_f64(w, a->size);
	ops_write_u64(w, "current_spans", a->current_spans);
	ops_write_u64(w, "baseline_spans", a->baseline_spans);
	describe(&text, a);
	ops_write_text(w, "description", buf_view(&text));
	jsonw_object_end(w);
	buf_fini(&text);
}

static void
write_report(struct json_writer *w, const struct ops_window *win, uint64_t baseline_ns,
    const struct partial *p, struct buf *list)
{
	size_t count = list->len / sizeof(struct anomaly), max = win->q.row_max;
	void *items = list->ptr;
	struct anomaly *anomalies = items;
	if (count > 0)
		qsort(anomalies, count, sizeof(*anomalies), worst_first);
	jsonw_object(w);
	ops_write_seconds(w, "current_seconds", win->until_ns - win->q.from_ns);
	ops_write_seconds(w, "baseline_seconds", win->q.from_ns - baseline_ns);
	ops_window_write(w, win);
	ops_write_time(w, "baseline_from", "baseline_from_unix_nano", baseline_ns);
	jsonw_key(w, "anomalies");
	jsonw_array(w);
	for (size_t i = 0; i < count && i < max; i++)
		write_anomaly(w, &anomalies[i]);
	jsonw_array_end(w);
	ops_write_u64(w, "count", count < max ? count : max);
	jsonw_key(w, "truncated");
	jsonw_bool(w,
	    count > max || p->windows[BASELINE].services.truncated ||
	        p->windows[CURRENT].services.truncated);
	jsonw_object_end(w);
}

/* Where the baseline begins. */
static uint64_t
baseline_of(const struct op *op, const struct op_value *values, size_t value_count,
    const struct ops_window *win)
{
	struct ops_parsed v;
	uint64_t length_ns = 0, from_ns = win->q.from_ns;
	if (ops_find_value(op, values, value_count, "baseline", &v))
		length_ns = v.lo;
	else if (__builtin_mul_overflow(win->until_ns - from_ns, BASELINE_TIMES, &length_ns))
		length_ns = UINT64_MAX;
	return from_ns > length_ns ? from_ns - length_ns : 0;
}

enum err_code
ops_anomalies(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct ops_window win;
	struct partial p;
	enum err_code code = ops_build_window(ctx, op, values, value_count, &win, err);
	if (code)
		return code;
	uint64_t baseline_ns = baseline_of(op, values, value_count, &win);
	struct partial_scope scope = {
	    .want = PARTIAL_SPANS,
	    .windows = {{baseline_ns, win.q.from_ns}, {win.q.from_ns, win.q.to_ns}},
	    .window_count = 2,
	};
	partial_init(&p, &scope, ctx->limits->result_bytes_max);
	code = store_analyse(ctx->store, ctx->tenant, ctx->deadline_mono_ns, &p, err);
	if (code == ERR_OK) {
		double length = (double)(win.until_ns - win.q.from_ns);
		struct finding_out f = {.service = win.q.service,
		    .lengths = win.q.from_ns > baseline_ns
		        ? length / (double)(win.q.from_ns - baseline_ns)
		        : 0};
		struct json_writer w;
		json_writer_init(&w, json_out);
		partial_settle(&p);
		find_all(&f, &p);
		CHECK(!f.list.failed);
		write_report(&w, &win, baseline_ns, &p, &f.list);
		buf_fini(&f.list);
	}
	partial_fini(&p);
	return code;
}
