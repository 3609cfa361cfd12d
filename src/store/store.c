/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

size_t
store_find_id(const struct table *dict, uint64_t id)
{
	CHECK(dict->row_count == 0 || dict->def->cols[0].kind == COL_U64);
	for (size_t row = 0; row < dict->row_count; row++)
		if (table_u64(dict, row, 0) == id)
			return row;
	return SIZE_MAX;
}
