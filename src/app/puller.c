/* SPDX-License-Identifier: Apache-2.0 */
#include "app/puller.h"

#include "ingest/pull.h"
#include "sys/clock.h"

#include <string.h>

_Static_assert(sizeof(((struct rest_pulled *)0)->reason) ==
        sizeof(((struct ingest_pulled *)0)->reason),
    "the reason is passed on whole");

static enum err_code
position(void *ctx, struct str tenant, struct str source, struct store_pull *out, struct err *err)
{
	return ingest_pull_position(ctx, tenant, source, out, err);
}

static enum err_code
bring(void *ctx, struct str tenant, struct str source, struct str batch, uint64_t deadline_mono_ns,
    struct rest_pulled *out, struct err *err)
{
	struct ingest_pulled pulled;
	enum err_code code = ingest_pull(ctx,
	    &(struct ingest_pull){
	        .tenant = tenant, .source = source, .batch = batch, .received_ns = clock_unix_ns()},
	    deadline_mono_ns, &pulled, err);
	out->accepted = pulled.accepted;
	out->rejected = pulled.rejected;
	memcpy(out->reason, pulled.reason, sizeof(out->reason));
	memcpy(out->position, pulled.now.position, sizeof(out->position));
	out->position_len = pulled.now.position_len;
	return code;
}

struct rest_puller
app_puller(struct ingest *in)
{
	return (struct rest_puller){.position = position, .bring = bring, .ctx = in};
}
