/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts over time at a terminal:
 *
 *     ▁▁  ▂▅█▃▂▁
 *     15:02:11.000 to 15:12:11.000, 1m each, 1284 in all, at most 402
 *
 * When there are more buckets than the terminal is wide, as many as it takes become one bar. What is not 0 is never
 * drawn as nothing.
 */
#include "cli/cli_priv.h"

#include <jansson.h>
#include <stdlib.h>

enum { WIDTH_DEFAULT = 80, LEVELS = 8 };

static void
put_bars(struct buf *out, const uint64_t *bars, size_t count, uint64_t most,
    const struct cli_style *style)
{
	static const struct str blocks[] = {STR_INIT(" "), STR_INIT("▁"), STR_INIT("▂"),
	    STR_INIT("▃"), STR_INIT("▄"), STR_INIT("▅"), STR_INIT("▆"), STR_INIT("▇"),
	    STR_INIT("█")};
	static const char letters[] = " .:-=+*#@";
	_Static_assert(ARRAY_LEN(blocks) == LEVELS + 1, "a block for each level");
	for (size_t i = 0; i < count; i++) {
		double part = most > 0 ? (double)bars[i] / (double)most : 0.0;
		size_t level = (size_t)(part * (double)LEVELS + 0.5);
		if (level == 0 && bars[i] > 0)
			level = 1;
		if (style->utf8)
			buf_str(out, blocks[level]);
		else
			buf_char(out, letters[level]);
	}
	buf_char(out, '\n');
}

static void
put_words(struct buf *out, const json_t *h, uint64_t bar_ns, uint64_t most,
    const struct cli_style *style)
{
	struct buf line = {0};
	text_time(&line, cli_item_u64(h, "from_unix_nano"), style->now_unix_ns);
	buf_str(&line, STR(" to "));
	text_time(&line, cli_item_u64(h, "to_unix_nano"), style->now_unix_ns);
	buf_str(&line, STR(", "));
	text_duration(&line, (double)bar_ns);
	buf_printf(&line, " each, %llu in all, at most %llu",
	    (unsigned long long)cli_item_u64(h, "total"), (unsigned long long)most);
	text_color_on(out, style, COLOR_DIM);
	text_fit(out, buf_view(&line), style->width > 0 ? style->width : SIZE_MAX, style->utf8);
	text_color_off(out, style, COLOR_DIM);
	buf_str(out, STR("\n\n"));
	buf_fini(&line);
}

void
cli_draw_histogram(struct buf *out, const json_t *histogram, const struct cli_style *style)
{
	const json_t *buckets = json_object_get(histogram, "buckets");
	size_t count = json_array_size(buckets),
	       width = style->width > 0 ? style->width : WIDTH_DEFAULT;
	if (count == 0)
		return;
	size_t each = (count + width - 1) / width, bar_count = (count + each - 1) / each;
	uint64_t *bars = xcalloc(bar_count, sizeof *bars), most = 0;
	for (size_t i = 0; i < count; i++)
		bars[i / each] += cli_value_u64(json_array_get(buckets, i));
	for (size_t i = 0; i < bar_count; i++)
		most = bars[i] > most ? bars[i] : most;
	put_bars(out, bars, bar_count, most, style);
	put_words(out, histogram, each * cli_item_u64(histogram, "interval_ns"), most, style);
	free(bars);
}
