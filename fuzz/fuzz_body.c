/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters in the body of a POST: names and values are text, and no more of them than the body can have. */
#include "ops/ops.h"
#include "rest/body.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct op_value *values;
	size_t count, bytes = 0;
	struct err err;
	if (rest_parse_body(str_of((const char *)data, size), &arena, &values, &count, &err) ==
	    ERR_OK)
		for (size_t i = 0; i < count; i++) {
			for (size_t k = 0; k < values[i].value.len; k++)
				bytes += (unsigned char)values[i].value.ptr[k] != 0;
			bytes += values[i].name.len;
		}
	CHECK(bytes <= size * REST_BODY_VALUES_MAX);
	arena_fini(&arena);
	return 0;
}
