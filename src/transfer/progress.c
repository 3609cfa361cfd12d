/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/transfer_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/term.h"

enum { DRAW_MS = 100, BAR = 24, NUMBER_BYTES = 32 };

/* 1,234,567 */
static void
put_number(uint64_t v, char out[NUMBER_BYTES])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v), k = 0;
	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			out[k++] = ',';
		out[k++] = digits[i];
	}
	out[k] = '\0';
}

void
transfer_progress_start(struct progress *p, const char *noun, uint64_t total, bool quiet)
{
	*p = (struct progress){.noun = noun,
	    .total = total,
	    .start_ns = clock_mono_ns(),
	    .on = !quiet && term_is_tty(TERM_STDERR)};
}

static double
seconds_of(const struct progress *p)
{
	uint64_t ns = clock_mono_ns() - p->start_ns;
	return ns > 0 ? (double)ns / 1e9 : 1e-9;
}

static void
draw(struct progress *p)
{
	char bar[BAR + 1], items[NUMBER_BYTES], rate[NUMBER_BYTES];
	double part = p->total > 0 ? (double)p->done / (double)p->total : 0;
	double seconds = seconds_of(p);
	part = part > 1 ? 1 : part;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < (int)(part * (double)sizeof(bar)) ? '#' : '.';
	bar[BAR] = '\0';
	put_number(p->items, items);
	put_number((uint64_t)((double)p->items / seconds), rate);
	if (p->total > 0)
		fprintf(stderr, "\r\033[K[%s] %3d %%  %s %s  %s/s", bar, (int)(part * 100), items,
		    p->noun, rate);
	else
		fprintf(stderr, "\r\033[K%s %s  %s/s", items, p->noun, rate);
	if (part > 0.02 && seconds > 2)
		fprintf(stderr, "  %d s left", (int)(seconds / part - seconds + 0.5));
	fflush(stderr);
	p->drawn = true;
	p->drawn_ns = clock_mono_ns();
}

void
transfer_progress_move(struct progress *p, uint64_t done, uint64_t items)
{
	p->done = done;
	p->items = items;
	if (p->on && clock_mono_ns() - p->drawn_ns > DRAW_MS * NS_PER_MS)
		draw(p);
}

void
transfer_progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}

void
transfer_progress_sum(const struct progress *p, char *out, size_t size)
{
	char items[NUMBER_BYTES], took[32];
	put_number(p->items, items);
	took[time_span_text(clock_mono_ns() - p->start_ns, took, sizeof(took) - 1)] = '\0';
	snprintf(out, size, "%s %s in %s", items, p->noun, took);
}
