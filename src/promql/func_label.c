/* SPDX-License-Identifier: Apache-2.0 */
#include "promql/eval.h"

/* A label as the series have it, and whether it is a name at all. */
static enum err_code
label_name(struct eval *e, const struct promql_node *arg, bool to_be_set, struct str *out)
{
	*out = arg->text;
	if (arg->text.len == 0)
		return promql_fail_run(e->err, e->q->text, arg->at, "a label's name is not empty");
	if (!to_be_set && !promql_is_label_name(arg->text) && e->q->label_name)
		*out = e->q->label_name(arg->text, e->arena);
	return out->ptr ? ERR_OK : promql_spent(e);
}

enum err_code
promql_fn_label_replace(struct eval *e, const struct promql_node *call, struct vec *out)
{
	struct str to, from;
	struct promql_regex *re = NULL;
	struct err why = {0};
	enum err_code code = promql_eval(e, call->args[0], out);
	if (code == ERR_OK)
		code = label_name(e, call->args[1], true, &to);
	if (code == ERR_OK)
		code = label_name(e, call->args[3], false, &from);
	if (code != ERR_OK)
		return code;
	code = promql_regex_compile(e->arena, call->args[4]->text, &re, &why);
	for (size_t i = 0; i < out->count && code == ERR_OK; i++) {
		struct promql_labels *l = &out->items[i].labels;
		struct str value = STR("");
		bool matches;
		code = promql_regex_expand(re, promql_label_get(l, from), call->args[2]->text,
		    &matches, &value, &why);
		if (code == ERR_OK && matches && !promql_labels_set(e->arena, l, to, value, l))
			return promql_spent(e);
	}
	if (code != ERR_OK)
		return promql_fail_run(e->err, e->q->text, call->args[4]->at, "%s", why.message);
	return promql_vec_settle(e, out, false, call->at);
}

enum err_code
promql_fn_label_join(struct eval *e, const struct promql_node *call, struct vec *out)
{
	struct str to, separator = call->args[2]->text;
	enum err_code code = promql_eval(e, call->args[0], out);
	if (code == ERR_OK)
		code = label_name(e, call->args[1], true, &to);
	for (size_t i = 0; i < out->count && code == ERR_OK; i++) {
		struct promql_labels *l = &out->items[i].labels;
		struct buf text = {0};
		for (size_t k = 3; k < call->arg_count && code == ERR_OK; k++) {
			struct str from;
			code = label_name(e, call->args[k], false, &from);
			if (k > 3)
				buf_str(&text, separator);
			buf_str(&text, code == ERR_OK ? promql_label_get(l, from) : STR(""));
		}
		struct str value = arena_str(e->arena, text.len > 0 ? buf_view(&text) : STR(""));
		buf_fini(&text);
		if (code == ERR_OK && (!value.ptr || !promql_labels_set(e->arena, l, to, value, l)))
			return promql_spent(e);
	}
	return code == ERR_OK ? promql_vec_settle(e, out, false, call->at) : code;
}
