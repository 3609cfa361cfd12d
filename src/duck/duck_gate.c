/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_gate.h"

#include "base/check.h"
#include "sys/clock.h"

void
duck_gate_init(struct duck_gate *g)
{
	*g = (struct duck_gate){0};
	mutex_init(&g->lock);
	cond_init(&g->changed);
}

void
duck_gate_fini(struct duck_gate *g)
{
	CHECK(g->questions == 0 && g->appends == 0 && !g->wanted);
	CHECK(g->under_way[0] == 0 && g->under_way[1] == 0);
	cond_fini(&g->changed);
	mutex_fini(&g->lock);
}

void
duck_gate_close(struct duck_gate *g, uint64_t patience_ns)
{
	uint64_t until = clock_mono_ns() + patience_ns;
	bool in_time = patience_ns > 0;
	mutex_lock(&g->lock);
	CHECK(!g->wanted);
	unsigned before = g->side;
	g->side = 1 - before;
	while (g->under_way[before] > 0 && in_time)
		in_time = cond_wait_until(&g->changed, &g->lock, until);
	g->wanted = true;
	while (g->questions > 0 || g->appends > 0)
		cond_wait(&g->changed, &g->lock);
	g->closed = true;
	g->commits++;
	mutex_unlock(&g->lock);
}

void
duck_gate_open(struct duck_gate *g)
{
	mutex_lock(&g->lock);
	CHECK(g->closed);
	g->wanted = g->closed = false;
	mutex_unlock(&g->lock);
	cond_broadcast(&g->changed);
}

bool
duck_gate_look(struct duck_gate *g, uint64_t deadline_mono_ns, uint64_t *commits_out)
{
	bool in_time = true;
	mutex_lock(&g->lock);
	while (g->closed && in_time)
		in_time = cond_wait_until(&g->changed, &g->lock, deadline_mono_ns);
	*commits_out = g->commits;
	mutex_unlock(&g->lock);
	return in_time;
}

bool
duck_gate_same(struct duck_gate *g, uint64_t commits)
{
	mutex_lock(&g->lock);
	bool same = g->commits == commits;
	mutex_unlock(&g->lock);
	return same;
}

unsigned
duck_gate_enter(struct duck_gate *g)
{
	mutex_lock(&g->lock);
	unsigned side = g->side;
	g->under_way[side]++;
	mutex_unlock(&g->lock);
	return side;
}

void
duck_gate_leave(struct duck_gate *g, unsigned side)
{
	mutex_lock(&g->lock);
	CHECK(g->under_way[side] > 0);
	bool last = --g->under_way[side] == 0;
	mutex_unlock(&g->lock);
	if (last)
		cond_broadcast(&g->changed);
}

bool
duck_gate_hold(struct duck_gate *g, uint64_t deadline_mono_ns)
{
	bool in_time = true;
	mutex_lock(&g->lock);
	/* Those who come while a commit waits let it go first, or it would wait for ever. */
	while (g->wanted && in_time)
		in_time = cond_wait_until(&g->changed, &g->lock, deadline_mono_ns);
	if (in_time)
		g->questions++;
	mutex_unlock(&g->lock);
	return in_time;
}

void
duck_gate_release(struct duck_gate *g)
{
	mutex_lock(&g->lock);
	CHECK(g->questions > 0);
	g->questions--;
	mutex_unlock(&g->lock);
	cond_broadcast(&g->changed);
}

void
duck_gate_pass(struct duck_gate *g)
{
	mutex_lock(&g->lock);
	while (g->closed || (g->wanted && g->questions == 0))
		cond_wait(&g->changed, &g->lock);
	g->appends++;
	mutex_unlock(&g->lock);
}

void
duck_gate_passed(struct duck_gate *g)
{
	mutex_lock(&g->lock);
	CHECK(g->appends > 0);
	g->appends--;
	mutex_unlock(&g->lock);
	cond_broadcast(&g->changed);
}
