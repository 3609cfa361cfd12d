/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events of a server that may send anything: in whatever pieces they come, the same events are read. */
#include "base/hash.h"
#include "http/sse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	uint64_t events, hash;
};

static bool
add(void *ctx, struct str event, struct buf *data)
{
	struct sum *s = ctx;
	s->events++;
	s->hash = hash_u64_seed(buf_view(data), hash_u64_seed(event, s->hash));
	return true;
}

static struct sum
read_in_pieces(struct str all, size_t step)
{
	struct sse sse = {0};
	struct sum sum = {0};
	struct err err;
	while (all.len > 0) {
		size_t n = all.len < step ? all.len : step;
		enum err_code code = sse_feed(&sse, str_of(all.ptr, n), add, &sum, &err);
		CHECK(code == ERR_OK);
		all = str_skip(all, n);
	}
	sse_fini(&sse);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct str all = str_of(data + 1, size - 1);
	struct sum whole = read_in_pieces(all, SIZE_MAX);
	struct sum parts = read_in_pieces(all, (size_t)data[0] % 31 + 1);
	CHECK(whole.events == parts.events);
	CHECK(whole.hash == parts.hash);
	return 0;
}
