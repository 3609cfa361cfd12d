/* SPDX-License-Identifier: Apache-2.0 */
#include "patch/patch_priv.h"

void
pointer_begin(struct pointer *t, struct str text)
{
	*t = (struct pointer){.left = text};
}

void
pointer_fini(struct pointer *t)
{
	buf_fini(&t->decoded);
}

/* RFC 6901 section 4: ~1 is '/', ~0 is '~', in this order, and nothing else begins with '~'. */
static bool
decode(struct pointer *t, struct str token)
{
	buf_reset(&t->decoded);
	for (size_t i = 0; i < token.len; i++) {
		char c = token.ptr[i];
		if (c == '~') {
			i++;
			if (i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1')) {
				t->why = "in a pointer, ~ is written ~0 and / in a name ~1";
				return false;
			}
			c = token.ptr[i] == '0' ? '~' : '/';
		}
		buf_char(&t->decoded, c);
	}
	t->token = buf_view(&t->decoded);
	return true;
}

bool
pointer_next(struct pointer *t)
{
	if (t->left.len == 0)
		return false;
	if (t->left.ptr[0] != '/') {
		t->why = "a pointer is empty or begins with /";
		return false;
	}
	struct str rest = str_skip(t->left, 1);
	struct str token = str_of(rest.ptr, str_find(rest, '/'));
	t->left = str_skip(rest, token.len);
	if (memchr(token.ptr, '~', token.len))
		return decode(t, token);
	t->token = token;
	return true;
}

size_t
pointer_count(struct str text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '/';
	return n;
}

void
pointer_append(struct buf *out, struct str name)
{
	buf_char(out, '/');
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] == '~' || name.ptr[i] == '/')
			buf_str(out, name.ptr[i] == '~' ? STR("~0") : STR("~1"));
		else
			buf_char(out, name.ptr[i]);
}

/* Section 4: 0, or digits that do not begin with it. */
static bool
is_index(struct str token)
{
	if (token.len == 0 || (token.len > 1 && token.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < token.len; i++)
		if (token.ptr[i] < '0' || token.ptr[i] > '9')
			return false;
	return true;
}

uint32_t
pointer_place(struct patch_pool *p, const struct node_group *g, struct str token, bool end,
    const char **why)
{
	uint64_t index;
	if (g->keys) {
		*why = "there is no member of this name";
		return node_find(p, g, token);
	}
	if (end && str_eq(token, STR("-")))
		return g->len;
	*why = "an element of an array is named by its place: 0, 1, 2 ...";
	if (!is_index(token))
		return NODE_NOT_FOUND;
	*why = "the array has no such element";
	if (!str_to_u64(token, &index) || index > g->len || (index == g->len && !end))
		return NODE_NOT_FOUND;
	return (uint32_t)index;
}
