/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/trace.h"

#include "sys/clock.h"
#include "sys/rand.h"
#include "sys/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { PARENT_BYTES = 55, TRACE_ID_AT = 3, SPAN_ID_AT = 36, ID_DIGITS = 16 };

static struct {
	_Atomic bool on;
	struct mutex lock;
	struct trace_span ring[TRACE_RING];
	size_t first, count;
	uint64_t lost;
} all;

void
trace_turn(bool on)
{
	if (on && !atomic_load(&all.on))
		mutex_init(&all.lock);
	atomic_store(&all.on, on);
}

void
trace_begin(struct trace_span *s, const char *name, enum trace_kind kind)
{
	s->on = atomic_load_explicit(&all.on, memory_order_relaxed);
	if (!s->on)
		return;
	*s = (struct trace_span){.on = true,
	    .kind = kind,
	    .trace_hi = rand_u64(),
	    .trace_lo = rand_u64() | 1,
	    .span_id = rand_u64() | 1,
	    .start_unix_ns = clock_unix_ns(),
	    .start_mono_ns = clock_mono_ns()};
	snprintf(s->name, sizeof(s->name), "%s", name);
}

static bool
hex_u64_at(const char *digits, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < ID_DIGITS; i++) {
		char c = digits[i];
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (v < 0)
			return false;
		*out = *out << 4 | (uint64_t)v;
	}
	return true;
}

void
trace_join(struct trace_span *s, const char *traceparent, size_t len)
{
	uint64_t hi, lo, parent;
	if (!s->on || len != PARENT_BYTES || memcmp(traceparent, "00-", TRACE_ID_AT) != 0 ||
	    !hex_u64_at(traceparent + TRACE_ID_AT, &hi) ||
	    !hex_u64_at(traceparent + TRACE_ID_AT + ID_DIGITS, &lo) ||
	    !hex_u64_at(traceparent + SPAN_ID_AT, &parent) || (hi | lo) == 0 || parent == 0)
		return;
	s->trace_hi = hi;
	s->trace_lo = lo;
	s->parent_id = parent;
}

static struct trace_attr *
add_attr(struct trace_span *s, const char *key)
{
	if (!s->on || s->attr_count == TRACE_ATTRS_MAX)
		return NULL;
	struct trace_attr *a = &s->attrs[s->attr_count++];
	a->key = key;
	return a;
}

void
trace_number(struct trace_span *s, const char *key, int64_t number)
{
	struct trace_attr *a = add_attr(s, key);
	if (a)
		a->number = number;
}

void
trace_text(struct trace_span *s, const char *key, const char *text, size_t len)
{
	struct trace_attr *a = add_attr(s, key);
	if (!a)
		return;
	a->is_text = true;
	snprintf(a->text, sizeof(a->text), "%.*s",
	    (int)(len < TRACE_TEXT_BYTES ? len : TRACE_TEXT_BYTES), text);
}

void
trace_end(struct trace_span *s, enum err_code code, const char *message)
{
	if (!s->on)
		return;
	s->on = false;
	s->duration_ns = clock_mono_ns() - s->start_mono_ns;
	s->failed = code != ERR_OK;
	if (s->failed)
		snprintf(s->message, sizeof(s->message), "%s", message);
	mutex_lock(&all.lock);
	if (all.count == TRACE_RING) {
		all.lost++;
	} else {
		all.ring[(all.first + all.count) % TRACE_RING] = *s;
		all.count++;
	}
	mutex_unlock(&all.lock);
}

size_t
trace_take(struct trace_span *out, size_t max, uint64_t *lost_out)
{
	size_t n = 0;
	mutex_lock(&all.lock);
	for (; n < max && all.count > 0; n++) {
		out[n] = all.ring[all.first];
		all.first = (all.first + 1) % TRACE_RING;
		all.count--;
	}
	*lost_out = all.lost;
	mutex_unlock(&all.lock);
	return n;
}
