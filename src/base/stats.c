/* SPDX-License-Identifier: Apache-2.0 */
#include "base/stats.h"

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

static void
print_head(struct buf *out, const char *family, const char *help, enum stats_kind kind)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family, help, family,
	    kind == STATS_GAUGE ? "gauge" : "counter");
}

void
stats_print(const struct stats *s, struct buf *out)
{
	const char *family = "";
	for (int i = 0; i < STATS_COUNT; i++) {
		if (strcmp(family, stats_rows[i].family) != 0)
			print_head(out, stats_rows[i].family, stats_rows[i].help,
			    stats_rows[i].kind);
		family = stats_rows[i].family;
		buf_printf(out, stats_rows[i].labels[0] ? "%s{%s} " : "%s%s ", family,
		    stats_rows[i].labels);
		int64_t value = stats_get(s, (enum stats_id)i);
		if (stats_rows[i].kind == STATS_SECONDS)
			buf_printf(out, "%.9f", (double)value / 1e9);
		else
			buf_i64(out, value);
		buf_char(out, '\n');
	}
	print_head(out, "weir_requests_refused_total",
	    "Requests answered with an error, by its code.", STATS_COUNTER);
	for (int i = ERR_OK + 1; i < ERR_COUNT; i++) {
		buf_printf(out, "weir_requests_refused_total{code=\"%s\"} ",
		    err_name((enum err_code)i));
		buf_i64(out, atomic_load_explicit(&s->refused[i], memory_order_relaxed));
		buf_char(out, '\n');
	}
}
