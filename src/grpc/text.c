/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/text.h"

#include "base/bits.h"
#include "base/timefmt.h"

enum { TIMEOUT_DIGITS_MAX = 8 };

void
grpc_text_percent_encode(struct str s, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c >= ' ' && c <= '~' && c != '%') {
			buf_char(out, (char)c);
			continue;
		}
		buf_char(out, '%');
		buf_char(out, digits[c >> 4]);
		buf_char(out, digits[c & 15]);
	}
}

void
grpc_text_percent_decode(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		char byte;
		if (s.ptr[i] == '%' && s.len - i > 2 && hex_decode(s.ptr + i + 1, 1, &byte)) {
			buf_char(out, byte);
			i += 2;
		} else {
			buf_char(out, s.ptr[i]);
		}
	}
}

bool
grpc_text_timeout(struct str s, uint64_t *ns_out)
{
	static const struct {
		char unit;
		uint64_t ns;
	} units[] = {{'n', 1}, {'u', NS_PER_US}, {'m', NS_PER_MS}, {'S', NS_PER_S},
	    {'M', 60 * NS_PER_S}, {'H', 3600 * NS_PER_S}};
	uint64_t n;
	if (s.len < 2 || s.len > TIMEOUT_DIGITS_MAX + 1 ||
	    !str_to_u64(str_of(s.ptr, s.len - 1), &n))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (s.ptr[s.len - 1] != units[i].unit)
			continue;
		/* Eight digits of hours are more nanoseconds than 64 bits hold: as good as none. */
		if (__builtin_mul_overflow(n, units[i].ns, ns_out))
			*ns_out = UINT64_MAX;
		return true;
	}
	return false;
}

bool
grpc_text_is_grpc(struct str content_type)
{
	struct str type = str_trim(str_of(content_type.ptr, str_find(content_type, ';')));
	return str_eq_nocase(type, STR("application/grpc")) ||
	    str_eq_nocase(type, STR("application/grpc+proto"));
}
