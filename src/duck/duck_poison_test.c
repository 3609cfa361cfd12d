/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that cannot be sealed, whatever is tried: found, handed over once, and the others go on. */
#include "duck/duck_kit_test.h"

#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "tests/test.h"

enum { REQUESTS = 80, POISONED_MAX = 8 };

struct poisoned {
	enum table_id table;
	uint64_t seq;
	uint32_t ord;
};

struct poison {
	struct duck *d;
	_Atomic bool refuses; /* nobody takes them */
	_Atomic uint64_t refusals, taken;
	struct poisoned
	    list[POISONED_MAX]; /* what was handed over: the sealer's until it is quiet */
};

static bool
has_poison(const struct hot_view *v)
{
	for (size_t p = 0; p < v->part_count; p++)
		for (size_t i = 0; i < v->parts[p].slice_count; i++) {
			const struct hot_slice *s = &v->parts[p].slices[i];
			int col = v->parts[p].table == TABLE_SPANS ? (int)SPAN_NAME
			    : v->parts[p].table == TABLE_LOGS      ? (int)LOG_EVENT_NAME
			                                           : -1;
			for (uint32_t row = s->first; col >= 0 && row < s->first + s->count; row++)
				if (str_eq(table_str(s->rows, row, col), STR("poison")))
					return true;
		}
	return false;
}

/* How many of them a view has that goes with the generation. */
static size_t
count_poison(struct duck *d, uint64_t gen)
{
	struct hot_view *v;
	struct err err;
	size_t n = 0;
	CHECK(hot_view_take(d->hot, gen, &v, &err) == ERR_OK);
	for (size_t p = 0; p < v->part_count; p++) {
		struct hot_view one = *v;
		for (size_t i = 0; i < v->parts[p].slice_count; i++)
			for (uint32_t k = 0; k < v->parts[p].slices[i].count; k++) {
				struct hot_slice slice = v->parts[p].slices[i];
				struct hot_view_part part = v->parts[p];
				slice.first += k;
				slice.count = 1;
				part.slices = &slice;
				part.slice_count = 1;
				one.parts = &part;
				one.part_count = 1;
				n += has_poison(&one);
			}
	}
	hot_view_free(v);
	return n;
}

/* Fails a seal that takes one of them: what the next generation's view does not have. */
static enum err_code
fail_poison(void *ctx, enum duck_step step, struct err *err)
{
	struct poison *p = ctx;
	if (step != DUCK_STEP_ROWS || !p->d)
		return ERR_OK;
	uint64_t gen = atomic_load(&p->d->generation);
	if (count_poison(p->d, gen) == count_poison(p->d, gen + 1))
		return ERR_OK;
	return err_set(err, ERR_INTERNAL, "a row is poison");
}

static enum err_code
take_poison(void *ctx, enum table_id table, uint64_t seq, uint32_t ord, const struct err *why,
    struct err *err)
{
	struct poison *p = ctx;
	CHECK(strstr(why->message, "poison"));
	if (atomic_load(&p->refuses)) {
		atomic_fetch_add(&p->refusals, 1);
		return err_set(err, ERR_BUSY, "no room for it");
	}
	uint64_t n = atomic_fetch_add(&p->taken, 1);
	CHECK(n < POISONED_MAX);
	p->list[n] = (struct poisoned){table, seq, ord};
	return ERR_OK;
}

/* The first span and log of a request; to the reference they are another tenant's. */
static size_t
poison_batch(struct batch *b, bool reference, struct poisoned *out)
{
	size_t n = 0;
	if (b->tables[TABLE_SPANS].row_count > 0) {
		struct table *t = &b->tables[TABLE_SPANS];
		out[n++] = (struct poisoned){
		    TABLE_SPANS, table_u64(t, 0, SPAN_SEQ), table_u32(t, 0, SPAN_ORD)};
		table_set_str(t, 0, SPAN_NAME, STR("poison"));
		table_set_u64(t, 0, SPAN_SPAN_ID, 42 + b->last_seq); /* nobody repeats it */
		table_set_str(t, 0, SPAN_TENANT, reference ? STR("nobody") : STR("acme"));
	}
	if (b->tables[TABLE_LOGS].row_count > 0) {
		struct table *t = &b->tables[TABLE_LOGS];
		out[n++] = (struct poisoned){
		    TABLE_LOGS, table_u64(t, 0, LOG_SEQ), table_u32(t, 0, LOG_ORD)};
		table_set_str(t, 0, LOG_EVENT_NAME, STR("poison"));
		table_set_str(t, 0, LOG_TENANT, reference ? STR("nobody") : STR("acme"));
	}
	return n;
}

static size_t
load_with_poison(struct store *s, bool reference, struct poisoned *out)
{
	struct batch b;
	size_t n = 0;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= REQUESTS; seq++) {
		duck_kit_batch(&b, seq, seq);
		if (seq == 5 || seq == 40)
			n += poison_batch(&b, reference, out + n);
		store_conformance_put(s, &b);
	}
	batch_fini(&b);
	return n;
}

static void
find_all(const struct poison *p, const struct poisoned *want, size_t count)
{
	assert_int_equal(atomic_load(&p->taken), count);
	for (size_t i = 0; i < count; i++) {
		size_t found = 0;
		for (size_t k = 0; k < count; k++)
			found += p->list[k].table == want[i].table &&
			    p->list[k].seq == want[i].seq && p->list[k].ord == want[i].ord;
		assert_int_equal(found, 1);
	}
}

static void
poisoned_rows_leave(bool refused_first)
{
	static struct poison poison;
	struct poisoned want[POISONED_MAX];
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	opt.fault = fail_poison;
	opt.fault_ctx = &poison;
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	struct store_status status;
	duck_kit_wait_quiet(s);
	poison.d = duck_of(s);
	atomic_store(&poison.refuses, refused_first);
	store_on_poison(s, take_poison, &poison);
	size_t count = load_with_poison(s, false, want);
	assert_true(count >= 3);
	load_with_poison(reference, true, want);
	if (refused_first) {
		while (atomic_load(&poison.refusals) < 2)
			clock_sleep_ns(1000000);
		store_status(s, &status);
		assert_false(status.ok);
		assert_non_null(strstr(status.text, "no room for it"));
		assert_true(store_position(s) < 5);
		atomic_store(&poison.refuses, false);
	}
	duck_kit_flush(s);
	find_all(&poison, want, count);
	duck_kit_same(s, reference);
	assert_int_equal(store_position(s), REQUESTS + 1);
	duck_kit_same_reopened(s, &opt, reference);
}

TEST(duck, rows_that_cannot_be_sealed_are_handed_over_once_and_the_others_sealed)
{
	poisoned_rows_leave(false);
}

TEST(duck, row_that_nobody_takes_stays_and_so_does_the_log)
{
	poisoned_rows_leave(true);
}
