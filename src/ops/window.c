/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/ops_priv.h"

#include "base/timefmt.h"

enum { WINDOW_DEFAULT_S = 3600 };

bool
ops_find_value(const struct op *op, const struct op_value *values, size_t value_count,
    const char *name, struct ops_parsed *out)
{
	struct err ignored;
	for (size_t i = 0; i < value_count; i++) {
		if (!str_eq(values[i].name, str_from(name)))
			continue;
		const struct op_param *p = ops_find_param(op, values[i].name);
		CHECK(p != NULL);
		return ops_parse(p, values[i].value, out, &ignored) == ERR_OK;
	}
	return false;
}

enum err_code
ops_build_window(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct ops_window *out, struct err *err)
{
	struct ops_cursor_base ignored;
	struct ops_parsed v;
	struct store_query *q = &out->q;
	enum err_code code =
	    ops_build_query(ctx, op, STORE_SERVICES, values, value_count, q, &ignored, err);
	if (code)
		return code;
	bool has_to = q->to_ns != UINT64_MAX;
	out->until_ns = has_to ? q->to_ns : ctx->now_unix_ns;
	if (!ops_find_value(op, values, value_count, "from", &v) &&
	    !ops_find_value(op, values, value_count, "last", &v)) {
		uint64_t length_ns = WINDOW_DEFAULT_S * NS_PER_S;
		q->from_ns = out->until_ns > length_ns ? out->until_ns - length_ns : 0;
	}
	/* Later than now: it has no length yet, but rows of then count. */
	out->until_ns = out->until_ns > q->from_ns ? out->until_ns : q->from_ns;
	return ERR_OK;
}

void
ops_write_seconds(struct json_writer *w, const char *key, uint64_t ns)
{
	jsonw_key(w, key);
	if (ns % NS_PER_S == 0)
		jsonw_u64(w, ns / NS_PER_S);
	else
		jsonw_f64(w, (double)ns / (double)NS_PER_S);
}

void
ops_window_write(struct json_writer *w, const struct ops_window *win)
{
	ops_write_time(w, "from", "from_unix_nano", win->q.from_ns);
	ops_write_time(w, "to", "to_unix_nano", win->until_ns);
	jsonw_key(w, "service_filter");
	if (win->q.service.len > 0)
		jsonw_str(w, win->q.service);
	else
		jsonw_null(w);
}

void
ops_write_quantile(struct json_writer *w, const char *key, const struct hist *h,
    unsigned thousandths)
{
	if (h->count > 0) {
		ops_write_duration_ms(w, key, hist_quantile(h, thousandths));
		return;
	}
	jsonw_key(w, key);
	jsonw_null(w);
}

double
ops_rate(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0.0;
}
