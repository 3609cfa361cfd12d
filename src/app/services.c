/* SPDX-License-Identifier: Apache-2.0 */
#include "app/services.h"

static size_t
add_paths(struct services *s, size_t count, const char *const *paths)
{
	for (; *paths; paths++) {
		CHECK(count < SERVICES_PATHS_MAX);
		s->paths[count++] = *paths;
	}
	return count;
}

void
services_init(struct services *s, struct receive *receive, struct reads *reads)
{
	*s = (struct services){.receive = receive, .reads = reads};
	size_t count = add_paths(s, 0, receive_grpc_paths);
	add_paths(s, count, reads_grpc_paths);
}

static bool
is_read(const struct grpc_call *call)
{
	return reads_serves(grpc_call_header(call, STR(":path")));
}

enum err_code
services_admit(void *ctx, const struct grpc_call *call, struct err *err)
{
	struct services *s = ctx;
	return is_read(call) ? reads_grpc_admit(s->reads, call, err)
	                     : receive_grpc_admit(s->receive, call, err);
}

void
services_handle(void *ctx, struct grpc_call *call)
{
	struct services *s = ctx;
	if (is_read(call))
		reads_grpc(s->reads, call);
	else
		receive_grpc(s->receive, call);
}
