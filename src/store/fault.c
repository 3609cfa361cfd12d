/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fault.h"

#include "store/hold.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The fields of a plan one by one, so that each is atomic; tests do not need them to change
 * together. */
struct rule {
	_Atomic uint64_t first, count, calls;
	_Atomic int code;
	_Atomic bool after;
};

struct fault {
	struct store store;
	struct store *inside;
	struct rule rules[STORE_FAULT_OPS];
};

static struct fault *
fault_of(struct store *s)
{
	return (struct fault *)s;
}

/* Counts the call. ERR_OK: it is to succeed. */
static enum err_code
next_call(struct rule *r, const char *what, struct err *err)
{
	uint64_t call = atomic_fetch_add(&r->calls, 1) + 1;
	uint64_t first = atomic_load(&r->first), count = atomic_load(&r->count);
	if (first == 0 || call < first || (count > 0 && call - first >= count))
		return ERR_OK;
	return err_set(err, (enum err_code)atomic_load(&r->code),
	    "%s %" PRIu64 " fails because a test wants it to", what, call);
}

static enum err_code
fault_append(struct store *s, struct batch *batch, struct err *err)
{
	struct fault *f = fault_of(s);
	struct rule *r = &f->rules[STORE_FAULT_APPEND];
	enum err_code code = next_call(r, "append", err);
	if (code == ERR_OK)
		return store_append(f->inside, batch, err);
	if (!atomic_load(&r->after))
		return code;
	struct err inside;
	if (store_append(f->inside, batch, &inside) != ERR_OK && err)
		*err = inside;
	return err ? err->code : code;
}

static uint64_t
fault_position(struct store *s)
{
	return store_position(fault_of(s)->inside);
}

static uint64_t
fault_applied(struct store *s)
{
	return store_applied(fault_of(s)->inside);
}

static uint64_t
fault_knows(struct store *s, struct hash128 identity)
{
	return store_knows(fault_of(s)->inside, identity);
}

static size_t
fault_pulls(struct store *s, struct str tenant, struct str from, struct store_pull *out, size_t max)
{
	return store_pulls(fault_of(s)->inside, tenant, from, out, max);
}

static void
fault_on_poison(struct store *s, store_poison_fn fn, void *ctx)
{
	store_on_poison(fault_of(s)->inside, fn, ctx);
}

static enum err_code
fault_query(struct store *s, const struct store_query *q, struct store_result *result,
    struct err *err)
{
	struct fault *f = fault_of(s);
	enum err_code code = next_call(&f->rules[STORE_FAULT_QUERY], "query", err);
	return code == ERR_OK ? store_query(f->inside, q, result->arena, result, err) : code;
}

/* It counts as a query. */
static enum err_code
fault_analyse(struct store *s, struct str tenant, uint64_t deadline_mono_ns, struct partial *p,
    struct err *err)
{
	struct fault *f = fault_of(s);
	enum err_code code = next_call(&f->rules[STORE_FAULT_QUERY], "query", err);
	return code == ERR_OK ? store_analyse(f->inside, tenant, deadline_mono_ns, p, err) : code;
}

static void
fault_status(struct store *s, struct store_status *out)
{
	store_status(fault_of(s)->inside, out);
}

static enum err_code
fault_hold(struct store *s, store_files_fn fn, void *ctx, struct err *err)
{
	return store_hold(fault_of(s)->inside, fn, ctx, err);
}

static void
fault_cancel(struct store *s)
{
	store_cancel(fault_of(s)->inside);
}

static void
fault_close(struct store *s)
{
	store_close(fault_of(s)->inside);
	free(s);
}

static const struct store_ops ops = {
    .name = "fault",
    .append = fault_append,
    .position = fault_position,
    .applied = fault_applied,
    .knows = fault_knows,
    .pulls = fault_pulls,
    .on_poison = fault_on_poison,
    .query = fault_query,
    .analyse = fault_analyse,
    .status = fault_status,
    .hold = fault_hold,
    .cancel = fault_cancel,
    .close = fault_close,
};

struct store *
store_fault_new(struct store *inside)
{
	struct fault *f = xcalloc(1, sizeof(*f));
	f->store.ops = &ops;
	f->inside = inside;
	return &f->store;
}

void
store_fault_plan(struct store *s, enum store_fault_op op, struct store_fault_plan plan)
{
	struct rule *r = &fault_of(s)->rules[op];
	CHECK(s->ops == &ops);
	CHECK(plan.first == 0 || plan.code != ERR_OK);
	atomic_store(&r->first, 0);
	atomic_store(&r->count, plan.count);
	atomic_store(&r->code, (int)plan.code);
	atomic_store(&r->after, plan.after);
	atomic_store(&r->calls, 0);
	atomic_store(&r->first, plan.first);
}

uint64_t
store_fault_calls(struct store *s, enum store_fault_op op)
{
	CHECK(s->ops == &ops);
	return atomic_load(&fault_of(s)->rules[op].calls);
}

struct store *
store_fault_inside(struct store *s)
{
	CHECK(s->ops == &ops);
	return fault_of(s)->inside;
}
