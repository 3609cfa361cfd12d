/* SPDX-License-Identifier: Apache-2.0 */
/* PromQL: what is taken for a query is printed as one that is taken for the same, and is answered or refused, over a few
 * series of every kind, within its limits. */
#include "base/arena.h"
#include "promql/promql.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAMPLES = 8, ARENA_BYTES = 32 << 20 };

struct world {
	int64_t t_ms[SAMPLES], start_ms[SAMPLES];
	double value[SAMPLES];
	const struct promql_hist *hist[SAMPLES];
	struct promql_hist hists[SAMPLES];
	double buckets[SAMPLES][4];
	unsigned stops;
};

static void
fill(struct world *w)
{
	for (int i = 0; i < SAMPLES; i++) {
		w->t_ms[i] = 1000000 + i * 15000;
		w->start_ms[i] = w->t_ms[i] - 15000;
		w->value[i] = i == 3 ? promql_stale() : i == 5 ? (double)NAN : i * 1.5;
		for (int k = 0; k < 4; k++)
			w->buckets[i][k] = i + k;
		w->hists[i] = (struct promql_hist){.scale = i % 3 - 1,
		    .count = 4 * i + 6,
		    .sum = i,
		    .zero_threshold = i % 2 ? 0.001 : 0,
		    .zero_count = i,
		    .pos = {i - 4, 4, w->buckets[i]},
		    .neg = {i, 2, w->buckets[i]}};
		w->hist[i] = i == 3 ? NULL : &w->hists[i];
	}
}

static enum err_code
give(void *ctx, const struct promql_select *want, promql_take_fn take, void *take_ctx,
    struct err *err)
{
	static const char *const names[] = {"a", "b", "h", "d", "x_bucket"};
	struct world *w = ctx;
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(names) * 2 && code == ERR_OK; i++) {
		const char *name = names[i / 2];
		struct promql_label labels[] = {{STR("__name__"), str_from(name)},
		    {STR("job"), i % 2 ? STR("p") : STR("q")},
		    {STR("le"),
		        name[0] != 'x' ? STR("")
		            : i % 2    ? STR("+Inf")
		                       : STR("1")}};
		struct promql_labels l = promql_labels_make(labels, ARRAY_LEN(labels));
		struct promql_samples s = {SAMPLES, w->t_ms, w->value,
		    name[0] == 'h' ? w->hist : NULL, name[0] == 'd' ? w->start_ms : NULL,
		    name[0] == 'd'};
		bool matches = true;
		for (size_t k = 0; k < want->matcher_count && matches && code == ERR_OK; k++)
			code = promql_matches(&want->matchers[k],
			    promql_label_get(&l, want->matchers[k].name), &matches, err);
		/* The labels live as long as the run: these texts do, the array does not. */
		struct promql_label *kept = NULL;
		if (code == ERR_OK && matches) {
			static struct promql_label room[ARRAY_LEN(names) * 2][3];
			kept = room[i];
			memcpy(kept, l.items, l.count * sizeof(*kept));
			l.items = kept;
			code = take(take_ctx, &l, &s, err);
		}
	}
	return code;
}

static bool
stop(void *ctx)
{
	struct world *w = ctx;
	return ++w->stops > 200;
}

static void
check_printed(const struct promql_query *q)
{
	struct buf text = {0}, twice = {0};
	struct arena arena;
	struct promql_query again;
	struct err err = {0};
	arena_init(&arena, ARENA_BYTES, 0);
	promql_print(&text, q);
	enum err_code code = promql_parse(buf_view(&text), NULL, &arena, &again, &err);
	/* Brackets and escapes make it longer and deeper. */
	if (code == ERR_OK) {
		promql_print(&twice, &again);
		CHECK(again.type == q->type);
		CHECK(str_eq(buf_view(&text), buf_view(&twice)));
	} else {
		CHECK(code == ERR_TOO_LARGE || strstr(err.message, "deep") ||
		    strstr(err.message, "longer"));
	}
	arena_fini(&arena);
	buf_fini(&text);
	buf_fini(&twice);
}

static void
run(const struct promql_query *q, struct arena *arena, bool range)
{
	struct world w = {.stops = 0};
	struct err err = {0};
	struct promql_answer answer;
	struct promql_source source = {give, &w};
	struct promql_params params = {.start_ms = 1100000,
	    .end_ms = range ? 1300000 : 1100000,
	    .step_ms = range ? 50000 : 0,
	    .series_max = 100,
	    .samples_max = 20000,
	    .steps_max = 100,
	    .stop = stop,
	    .stop_ctx = &w};
	fill(&w);
	enum err_code code = promql_run(q, &params, &source, arena, &answer, &err);
	CHECK(code == ERR_OK || err.message[0] != '\0');
	for (size_t i = 0; code == ERR_OK && i < answer.series_count; i++)
		for (size_t k = 1; k < answer.series[i].labels.count; k++)
			CHECK(str_cmp(answer.series[i].labels.items[k - 1].name,
			          answer.series[i].labels.items[k].name) < 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct promql_query q;
	struct arena arena;
	struct err err = {0};
	/* Of the exact size, so that the sanitizer sees a read behind it. */
	char *copy = malloc(size > 0 ? size : 1);
	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	arena_init(&arena, ARENA_BYTES, 0);
	if (promql_parse(str_of(copy, size), NULL, &arena, &q, &err) == ERR_OK) {
		check_printed(&q);
		run(&q, &arena, false);
		arena_reset(&arena);
		CHECK(promql_parse(str_of(copy, size), NULL, &arena, &q, &err) == ERR_OK);
		run(&q, &arena, true);
	} else {
		CHECK(err.message[0] != '\0');
	}
	arena_fini(&arena);
	free(copy);
	return 0;
}
