/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void
check_failed(const char *file, int line, const char *text)
{
	fprintf(stderr, "weir: %s:%d: CHECK failed: %s\n", file, line, text);
	abort();
}
