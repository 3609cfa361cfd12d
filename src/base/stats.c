/* SPDX-License-Identifier: Apache-2.0 */
#include "base/stats.h"

#include <stdio.h>

static const struct {
	enum stats_kind kind;
	const char *family;
	const char *labels;
	const char *help;
} stats_rows[STATS_COUNT] = {
#define X(name, kind, family, labels, help) {STATS_##kind, family, labels, help},
    STATS_TABLE(X)
#undef X
};

void
stats_refused(struct stats *s, enum err_code code)
{
	CHECK(code < ERR_COUNT);
	if (s)
		atomic_fetch_add_explicit(&s->refused[code], 1, memory_order_relaxed);
}

void
stats_print_family(struct buf *out, const char *family, enum stats_kind kind, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family, help, family,
	    kind == STATS_GAUGE || kind == STATS_SECONDS_GAUGE ? "gauge" : "counter");
}

void
stats_print_sample(struct buf *out, const char *family, enum stats_kind kind, const char *labels,
    int64_t value)
{
	buf_printf(out, labels[0] ? "%s{%s} " : "%s%s ", family, labels);
	if (kind == STATS_SECONDS || kind == STATS_SECONDS_GAUGE)
		buf_printf(out, "%.9f", (double)value / 1e9);
	else
		buf_i64(out, value);
	buf_char(out, '\n');
}

void
stats_print(const struct stats *s, struct buf *out)
{
	const char *family = "";
	for (int i = 0; i < STATS_COUNT; i++) {
		if (strcmp(family, stats_rows[i].family) != 0)
			stats_print_family(out, stats_rows[i].family, stats_rows[i].kind,
			    stats_rows[i].help);
		family = stats_rows[i].family;
		stats_print_sample(out, family, stats_rows[i].kind, stats_rows[i].labels,
		    stats_get(s, (enum stats_id)i));
	}
	stats_print_family(out, "weir_requests_refused_total", STATS_COUNTER,
	    "Requests answered with an error, by its code.");
	for (int i = ERR_OK + 1; i < ERR_COUNT; i++) {
		char labels[64];
		snprintf(labels, sizeof(labels), "code=\"%s\"", err_name((enum err_code)i));
		stats_print_sample(out, "weir_requests_refused_total", STATS_COUNTER, labels,
		    atomic_load_explicit(&s->refused[i], memory_order_relaxed));
	}
}
