/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"

struct limits
limits_default(void)
{
	return (struct limits){
#define X(option, field, dflt, min, max, help) .field = (dflt),
	    LIMIT_TABLE(X)
#undef X
	};
}

struct limits
limits_widest(void)
{
	return (struct limits){
#define X(option, field, dflt, min, max, help) .field = (max),
	    LIMIT_TABLE(X)
#undef X
	};
}
