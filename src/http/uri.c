/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

#include "base/bits.h"
#include "base/utf8.h"

static enum err_code
decode(struct str text, bool plus_is_blank, const char *what, struct arena *arena, struct str *out,
    struct err *err)
{
	char *p = arena_alloc(arena, text.len + 1);
	size_t n = 0;
	if (!p)
		return err_set(err, ERR_HEADERS_TOO_LARGE, "the request target is too long");
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '+' && plus_is_blank)
			c = ' ';
		if (c == '%') {
			if (text.len - i < 3 || !hex_decode(text.ptr + i + 1, 1, &c))
				return err_set(err, ERR_INVALID,
				    "%s has a %% that two hex digits do not follow", what);
			i += 2;
		}
		if (c == '\0')
			return err_set(err, ERR_INVALID, "%s holds a zero byte", what);
		p[n++] = c;
	}
	*out = (struct str){p, n};
	if (!utf8_valid(*out))
		return err_set(err, ERR_INVALID, "%s is not UTF-8", what);
	return ERR_OK;
}

/* "http://host:1/a?b" -> "/a?b"; "http://host" -> "/"; "http://host?b" has the path "/" too. */
static struct str
strip_authority(struct str text, bool *no_path_out)
{
	size_t i = 0;
	*no_path_out = false;
	if (text.len >= 8 && str_eq_nocase((struct str){text.ptr, 8}, STR("https://")))
		i = 8;
	else if (text.len >= 7 && str_eq_nocase((struct str){text.ptr, 7}, STR("http://")))
		i = 7;
	else
		return text;
	while (i < text.len && text.ptr[i] != '/' && text.ptr[i] != '?')
		i++;
	*no_path_out = i == text.len || text.ptr[i] == '?';
	return str_skip(text, i);
}

static enum err_code
parse_query(struct str query, struct arena *arena, struct http_uri *out, struct err *err)
{
	out->params = arena_array(arena, HTTP_PARAMS_MAX, sizeof(*out->params));
	if (!out->params)
		return err_set(err, ERR_HEADERS_TOO_LARGE, "the request target is too long");
	while (query.len > 0) {
		struct str pair = {query.ptr, str_find(query, '&')};
		query = str_skip(query, pair.len + 1);
		if (pair.len == 0)
			continue;
		if (out->param_count == HTTP_PARAMS_MAX)
			return err_set(err, ERR_INVALID, "more than %d query parameters",
			    (int)HTTP_PARAMS_MAX);
		struct http_param *p = &out->params[out->param_count++];
		struct str name = {pair.ptr, str_find(pair, '=')};
		enum err_code code =
		    decode(name, true, "the name of a query parameter", arena, &p->name, err);
		if (code == ERR_OK)
			code = decode(str_skip(pair, name.len + 1), true,
			    "the value of a query parameter", arena, &p->value, err);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

enum err_code
http_uri_parse(struct str text, struct arena *arena, struct http_uri *out, struct err *err)
{
	bool no_path;
	*out = (struct http_uri){0};
	text = strip_authority(text, &no_path);
	struct str path = no_path ? STR("/") : (struct str){text.ptr, str_find(text, '?')};
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
			return err_set(err, ERR_INVALID,
			    "the request target holds a blank or control character");
	if (!str_starts(path, STR("/")) && !str_eq(path, STR("*")))
		return err_set(err, ERR_INVALID, "the request target does not begin with /");
	struct str query = str_skip(text, str_find(text, '?') + 1);
	query.len = str_find(query, '#');
	enum err_code code = decode(path, false, "the path", arena, &out->path, err);
	return code != ERR_OK || query.len == 0 ? code : parse_query(query, arena, out, err);
}

void
http_uri_encode(struct str text, struct buf *out)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                            "0123456789-._~";
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (memchr(plain, c, sizeof(plain) - 1)) {
			buf_char(out, (char)c);
			continue;
		}
		buf_char(out, '%');
		buf_char(out, digits[c >> 4]);
		buf_char(out, digits[c & 15]);
	}
}
