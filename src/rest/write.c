/* SPDX-License-Identifier: Apache-2.0 */
/* Members of the JSON objects that this module writes itself. */
#include "rest/rest_priv.h"

#include "base/timefmt.h"

void
rest_write_time(struct json_writer *w, const char *key, const char *nano_key, uint64_t unix_ns)
{
	char text[TIME_RFC3339_BYTES];
	jsonw_key(w, key);
	if (unix_ns == 0) {
		jsonw_null(w);
		return;
	}
	time_rfc3339(unix_ns, text);
	jsonw_str(w, str_of(text, sizeof(text)));
	jsonw_key(w, nano_key);
	jsonw_u64_string(w, unix_ns);
}

void
rest_write_text(struct json_writer *w, const char *key, const char *text)
{
	jsonw_key(w, key);
	if (text[0])
		jsonw_str(w, str_from(text));
	else
		jsonw_null(w);
}

void
rest_write_number(struct json_writer *w, const char *key, uint64_t v, bool known)
{
	jsonw_key(w, key);
	if (known)
		jsonw_u64(w, v);
	else
		jsonw_null(w);
}

void
rest_write_end(struct json_writer *w)
{
	jsonw_object_end(w);
	buf_char(w->out, '\n');
}
