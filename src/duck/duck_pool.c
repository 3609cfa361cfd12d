/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_priv.h"

void
duck_pool_init(struct duck_pool *p, unsigned max)
{
	CHECK(max >= 1 && max <= DUCK_READERS_MAX);
	mutex_init(&p->lock);
	cond_init(&p->given);
	p->max = max;
}

bool
duck_pool_empty(struct duck_pool *p)
{
	mutex_lock(&p->lock);
	bool idle = p->free_count == p->made;
	for (unsigned i = 0; i < p->free_count && idle; i++)
		duckdb_disconnect(&p->free[i]);
	if (idle)
		p->free_count = p->made = 0;
	mutex_unlock(&p->lock);
	return idle;
}

/* All connections have been given back. */
void
duck_pool_fini(struct duck_pool *p)
{
	bool idle = duck_pool_empty(p);
	CHECK(idle);
	cond_fini(&p->given);
	mutex_fini(&p->lock);
}

enum err_code
duck_pool_take(struct duck *d, uint64_t deadline_mono_ns, duckdb_connection *con_out,
    struct err *err)
{
	struct duck_pool *p = &d->pool;
	*con_out = NULL;
	mutex_lock(&p->lock);
	bool in_time = true;
	while (p->free_count == 0 && p->made == p->max && in_time)
		in_time = cond_wait_until(&p->given, &p->lock, deadline_mono_ns);
	bool broken = atomic_load(&d->broken);
	bool make = p->free_count == 0 && p->made < p->max && !broken;
	if (p->free_count > 0 && !broken)
		*con_out = p->free[--p->free_count];
	p->made += make;
	mutex_unlock(&p->lock);
	if (*con_out)
		return ERR_OK;
	if (broken)
		return err_set(err, ERR_UNAVAILABLE, "the database is being opened again");
	if (!make)
		return err_set(err, ERR_DEADLINE, "all %u readers of the database were busy",
		    p->max);
	if (duckdb_connect(d->db, con_out) == DuckDBSuccess)
		return ERR_OK;
	duck_pool_give(d, NULL, true);
	return err_set(err, ERR_UNAVAILABLE, "the database gives no connection");
}

void
duck_pool_give(struct duck *d, duckdb_connection con, bool broken)
{
	struct duck_pool *p = &d->pool;
	if (broken && con)
		duckdb_disconnect(&con);
	mutex_lock(&p->lock);
	CHECK(p->made > p->free_count);
	if (broken)
		p->made--;
	else
		p->free[p->free_count++] = con;
	cond_signal(&p->given);
	mutex_unlock(&p->lock);
}
