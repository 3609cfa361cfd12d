/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include "base/number.h"
#include "wire/json_write.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *key;
	const char *label;
	int decimals;
} table[FIGURE_COUNT] = {
#define X(id, key, label, decimals) {key, label, decimals},
    FIGURE_TABLE(X)
#undef X
};

void
report_set(struct report *r, enum figure_id id, double value)
{
	if (!isfinite(value)) {
		report_unknown(r, id, "there is nothing to divide by");
		return;
	}
	r->figures[id].known = true;
	r->figures[id].value = value;
}

void
report_unknown(struct report *r, enum figure_id id, const char *why)
{
	CHECK(why && *why);
	r->figures[id].known = false;
	snprintf(r->figures[id].why, sizeof(r->figures[id].why), "%s", why);
}

void
report_set_quantile(struct report *r, enum figure_id id, struct latency *l, double share,
    const char *why)
{
	if (l->count == 0)
		report_unknown(r, id, why);
	else
		report_set(r, id, (double)latency_quantile(l, share) / 1e6);
}

void
report_condition(struct report *r, const char *key, const char *fmt, ...)
{
	CHECK(r->condition_count < REPORT_CONDITIONS_MAX);
	struct report_condition *c = &r->conditions[r->condition_count++];
	va_list args;
	c->key = key;
	va_start(args, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, args);
	va_end(args);
}

void
report_round(struct report *r, const struct report_round *round)
{
	CHECK(r->round_count < REPORT_ROUNDS_MAX);
	r->rounds[r->round_count++] = *round;
}

void
report_fair(struct report *r, const struct report_fair *round)
{
	CHECK(r->fair_count < REPORT_ROUNDS_MAX);
	r->fair[r->fair_count++] = *round;
}

void
report_query(struct report *r, const struct report_query *query, struct latency *times)
{
	CHECK(r->query_count < REPORT_QUERIES_MAX);
	struct report_query *q = &r->queries[r->query_count++];
	*q = *query;
	q->right = (double)times->count;
	q->p50_ms = q->p99_ms = q->max_ms = NAN;
	if (times->count == 0)
		return;
	q->p50_ms = (double)latency_quantile(times, 0.5) / 1e6;
	q->p99_ms = (double)latency_quantile(times, 0.99) / 1e6;
	q->max_ms = (double)latency_quantile(times, 1) / 1e6;
}

/* ---- threads */

/* "grpc-0" is "grpc": without a number at the end, and what it hangs on. */
static struct str
base_name(const char *name)
{
	struct str s = str_from(name);
	size_t n = s.len;
	while (n > 0 && s.ptr[n - 1] >= '0' && s.ptr[n - 1] <= '9')
		n--;
	while (n > 0 && n < s.len && (s.ptr[n - 1] == '-' || s.ptr[n - 1] == '.'))
		n--;
	return n > 0 ? str_of(s.ptr, n) : s;
}

static void
add_thread(struct report *r, struct str name, double cpu_us_per_span)
{
	size_t i = 0;
	while (i < r->thread_count && !str_eq(str_from(r->threads[i].name), name))
		i++;
	if (i == r->thread_count && i == REPORT_THREADS_MAX) {
		snprintf(r->threads[--i].name, sizeof(r->threads[i].name), "others");
	} else if (i == r->thread_count) {
		r->thread_count++;
		snprintf(r->threads[i].name, sizeof(r->threads[i].name), "%.*s", STR_ARG(name));
	}
	r->threads[i].cpu_us_per_span += cpu_us_per_span;
}

static int
most_first(const void *a, const void *b)
{
	const struct report_thread *x = a, *y = b;
	return (x->cpu_us_per_span < y->cpu_us_per_span) -
	    (x->cpu_us_per_span > y->cpu_us_per_span);
}

void
report_threads(struct report *r, const struct measure_thread *before, size_t before_count,
    const struct measure_thread *after, size_t after_count, uint64_t process_cpu_ns, double spans)
{
	double rest_ns = (double)process_cpu_ns;
	if (spans <= 0)
		return;
	for (size_t i = 0; i < after_count; i++) {
		uint64_t cpu_ns = after[i].cpu_ns;
		for (size_t k = 0; k < before_count; k++)
			if (before[k].id == after[i].id)
				cpu_ns -= before[k].cpu_ns;
		rest_ns -= (double)cpu_ns;
		if (cpu_ns > 0)
			add_thread(r, base_name(after[i].name), (double)cpu_ns / 1e3 / spans);
	}
	/* The clocks of threads and process are not read at one moment. */
	if (rest_ns > 0.01 * (double)process_cpu_ns)
		add_thread(r, STR("ended"), rest_ns / 1e3 / spans);
	qsort(r->threads, r->thread_count, sizeof(r->threads[0]), most_first);
}

/* ---- printing */

static void
print_figure(const struct figure *f, int decimals, const char *label, struct buf *out)
{
	char value[64];
	if (!f->known && !f->why[0])
		return; /* not asked for */
	snprintf(value, sizeof(value), "%.*f", decimals, f->value);
	if (f->known)
		buf_printf(out, "  %12s  %s\n", value, label);
	else
		buf_printf(out, "  %12s  %s: %s\n", "-", label, f->why);
}

/* "-" for what is not known. */
static void
print_number(double value, int width, int decimals, struct buf *out)
{
	char text[64];
	snprintf(text, sizeof(text), "%.*f", decimals, value);
	buf_printf(out, " %*s", width, isfinite(value) ? text : "-");
}

static void
print_rounds(const struct report *r, struct buf *out)
{
	if (r->round_count < 2)
		return;
	buf_str(out,
	    STR("\n  in all spans  CPU us/span    acked/s   loaded/s  ack p99 ms    RSS MiB  "
	        "unsealed rows\n"));
	for (size_t i = 0; i < r->round_count; i++) {
		const struct report_round *x = &r->rounds[i];
		print_number(x->total_spans, 13, 0, out);
		print_number(x->cpu_us_per_span, 12, 2, out);
		print_number(x->acked_rate, 10, 0, out);
		print_number(x->loaded_rate, 10, 0, out);
		print_number(x->ack_p99_ms, 11, 2, out);
		print_number(x->rss_mib, 10, 1, out);
		print_number(x->unsealed_after, 14, 0, out);
		buf_printf(out, "%s%s\n", x->why[0] ? "  " : "", x->why);
	}
}

static void
print_fair(const struct report *r, struct buf *out)
{
	if (r->fair_count > 0)
		buf_str(out,
		    STR("\n  round      acks  p50 ms  p99 ms  question p50  p99 ms  greedy spans/s  "
		        "refused/s  processors: server  generator\n"));
	for (size_t i = 0; i < r->fair_count; i++) {
		const struct report_fair *x = &r->fair[i];
		buf_printf(out, "  %-6s", x->beside ? "beside" : "alone");
		print_number(x->acks, 8, 0, out);
		print_number(x->ack_p50_ms, 7, 2, out);
		print_number(x->ack_p99_ms, 7, 2, out);
		print_number(x->ask_p50_ms, 13, 2, out);
		print_number(x->ask_p99_ms, 7, 2, out);
		print_number(x->greedy_spans_per_s, 15, 0, out);
		print_number(x->refused_per_s, 10, 0, out);
		print_number(x->server_cores, 19, 2, out);
		print_number(x->generator_cores, 10, 2, out);
		buf_char(out, '\n');
	}
}

static void
print_queries(const struct report *r, bool live, struct buf *out)
{
	bool begun = false;
	for (size_t i = 0; i < r->query_count; i++) {
		const struct report_query *q = &r->queries[i];
		if (q->live != live)
			continue;
		if (!begun)
			buf_printf(out,
			    "\n     right    wrong   p50 ms   p99 ms   max ms   CPU ms%s\n",
			    live ? "  while spans are sent" : "");
		begun = true;
		print_number(q->right, 9, 0, out);
		print_number(q->wrong, 8, 0, out);
		print_number(q->p50_ms, 8, 2, out);
		print_number(q->p99_ms, 8, 2, out);
		print_number(q->max_ms, 8, 2, out);
		print_number(q->cpu_ms, 8, 2, out);
		buf_printf(out, "  %s%s%s\n", q->label, q->why[0] ? ": " : "", q->why);
	}
}

void
report_print_text(const struct report *r, struct buf *out)
{
	for (size_t i = 0; i < r->condition_count; i++)
		buf_printf(out, "%-12s %s\n", r->conditions[i].key, r->conditions[i].text);
	buf_char(out, '\n');
	for (size_t i = 0; i < FIGURE_COUNT; i++)
		print_figure(&r->figures[i], table[i].decimals, table[i].label, out);
	if (r->thread_count > 0)
		buf_str(out, STR("\n  server CPU by thread, us/span\n"));
	for (size_t i = 0; i < r->thread_count; i++)
		buf_printf(out, "  %12.2f  %s\n", r->threads[i].cpu_us_per_span,
		    r->threads[i].name);
	print_rounds(r, out);
	print_fair(r, out);
	print_queries(r, false, out);
	print_queries(r, true, out);
}

static void
write_figures(const struct report *r, struct json_writer *w)
{
	jsonw_key(w, "figures");
	jsonw_object(w);
	for (size_t i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = &r->figures[i];
		if (!f->known && !f->why[0])
			continue;
		jsonw_key(w, table[i].key);
		if (f->known)
			jsonw_f64(w, f->value);
		else
			jsonw_null(w);
	}
	jsonw_object_end(w);
	jsonw_key(w, "unknown");
	jsonw_object(w);
	for (size_t i = 0; i < FIGURE_COUNT; i++) {
		if (r->figures[i].known || !r->figures[i].why[0])
			continue;
		jsonw_key(w, table[i].key);
		jsonw_str(w, str_from(r->figures[i].why));
	}
	jsonw_object_end(w);
}

static void
write_number(struct json_writer *w, const char *key, double value)
{
	jsonw_key(w, key);
	if (isfinite(value))
		jsonw_f64(w, value);
	else
		jsonw_null(w);
}

static void
write_text(struct json_writer *w, const char *key, const char *value)
{
	jsonw_key(w, key);
	jsonw_str(w, str_from(value));
}

static void
write_rounds(const struct report *r, struct json_writer *w)
{
	jsonw_key(w, "rounds");
	jsonw_array(w);
	for (size_t i = 0; i < r->round_count; i++) {
		const struct report_round *x = &r->rounds[i];
		jsonw_object(w);
		write_number(w, "spans", x->spans);
		write_number(w, "total_spans", x->total_spans);
		write_number(w, "acked_spans_per_s", x->acked_rate);
		write_number(w, "loaded_spans_per_s", x->loaded_rate);
		write_number(w, "cpu_us_per_span", x->cpu_us_per_span);
		write_number(w, "ack_p99_ms", x->ack_p99_ms);
		write_number(w, "rss_mib", x->rss_mib);
		write_number(w, "unsealed_rows_before", x->unsealed_before);
		write_number(w, "unsealed_rows_after", x->unsealed_after);
		write_text(w, "why", x->why);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void
write_fair(const struct report *r, struct json_writer *w)
{
	jsonw_key(w, "fair");
	jsonw_array(w);
	for (size_t i = 0; i < r->fair_count; i++) {
		const struct report_fair *x = &r->fair[i];
		jsonw_object(w);
		write_text(w, "round", x->beside ? "beside" : "alone");
		write_number(w, "acks", x->acks);
		write_number(w, "ack_p50_ms", x->ack_p50_ms);
		write_number(w, "ack_p99_ms", x->ack_p99_ms);
		write_number(w, "question_p50_ms", x->ask_p50_ms);
		write_number(w, "question_p99_ms", x->ask_p99_ms);
		write_number(w, "greedy_spans_per_s", x->greedy_spans_per_s);
		write_number(w, "greedy_refused_per_s", x->refused_per_s);
		write_number(w, "server_cores", x->server_cores);
		write_number(w, "generator_cores", x->generator_cores);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void
write_queries(const struct report *r, struct json_writer *w)
{
	jsonw_key(w, "queries");
	jsonw_array(w);
	for (size_t i = 0; i < r->query_count; i++) {
		const struct report_query *q = &r->queries[i];
		jsonw_object(w);
		write_text(w, "query", q->key);
		write_text(w, "label", q->label);
		jsonw_key(w, "live");
		jsonw_bool(w, q->live);
		write_number(w, "right", q->right);
		write_number(w, "wrong", q->wrong);
		write_number(w, "p50_ms", q->p50_ms);
		write_number(w, "p99_ms", q->p99_ms);
		write_number(w, "max_ms", q->max_ms);
		write_number(w, "cpu_ms", q->cpu_ms);
		write_text(w, "why", q->why);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

void
report_print_json(const struct report *r, struct buf *out)
{
	struct json_writer w;
	json_writer_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "conditions");
	jsonw_object(&w);
	for (size_t i = 0; i < r->condition_count; i++) {
		jsonw_key(&w, r->conditions[i].key);
		jsonw_str(&w, str_from(r->conditions[i].text));
	}
	jsonw_object_end(&w);
	write_figures(r, &w);
	jsonw_key(&w, "cpu_us_per_span_by_thread");
	jsonw_object(&w);
	for (size_t i = 0; i < r->thread_count; i++) {
		jsonw_key_str(&w, str_from(r->threads[i].name));
		jsonw_f64(&w, r->threads[i].cpu_us_per_span);
	}
	jsonw_object_end(&w);
	write_rounds(r, &w);
	write_fair(r, &w);
	write_queries(r, &w);
	jsonw_object_end(&w);
	buf_char(out, '\n');
}
