/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/rand.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>

void
rand_bytes(void *out, size_t n)
{
	unsigned char *p = out;
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);
		CHECK(got > 0 || (got < 0 && errno == EINTR));
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

uint64_t
rand_u64(void)
{
	uint64_t v;
	rand_bytes(&v, sizeof(v));
	return v;
}
