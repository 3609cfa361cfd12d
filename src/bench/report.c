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
	jsonw_object_end(&w);
	buf_char(out, '\n');
}
