/* SPDX-License-Identifier: Apache-2.0 */
/* The file of keys: what is taken is written back as it was read, and nothing else is taken. */
#include "base/arena.h"
#include "keys/format.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct key_set set, again;
	struct buf text = {0}, twice = {0};
	struct err err = {0};
	/* Of the exact size, so that the sanitizer sees a read behind it. */
	char *copy = malloc(size > 0 ? size : 1);
	CHECK(copy != NULL);
	memcpy(copy, data, size);
	if (key_set_parse(str_of(copy, size), &set, &err) != ERR_OK) {
		CHECK(err.message[0] && set.count == 0);
		free(copy);
		return 0;
	}
	key_set_print(&set, &text);
	CHECK(key_set_parse(buf_view(&text), &again, &err) == ERR_OK);
	key_set_print(&again, &twice);
	CHECK(again.count == set.count && str_eq(buf_view(&text), buf_view(&twice)));
	for (size_t i = 0; i < set.count; i++)
		CHECK(set.items[i].rights != 0 && set.items[i].tenant[0] != '\0');
	key_set_fini(&set);
	key_set_fini(&again);
	buf_fini(&text);
	buf_fini(&twice);
	free(copy);
	return 0;
}
