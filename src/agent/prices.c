/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/prices.h"

#include "agent/agent_priv.h"

#include <stdlib.h>

#define TOKENS_PER_PRICE 1e6
#define PRICE_MAX 1e9

struct row {
	struct str provider; /* pattern; ptr NULL: any */
	struct str *models; /* patterns */
	size_t model_count, model_cap;
	bool has_input, has_output, has_cached, has_cache_write;
	double input, output, cached, cache_write; /* of a million tokens */
};

struct prices {
	struct arena arena;
	struct row *rows;
	size_t row_count, row_cap, pattern_count;
};

/* ---- reading */

struct parsing {
	struct prices *p;
	struct json_reader r;
};

static enum err_code
bad(const struct parsing *s, struct err *err, const char *why)
{
	size_t at = s->r.error ? s->r.error_at : (size_t)(s->r.at - s->r.start), line = 1,
	       column = 1;
	for (size_t i = 0; i < at; i++) {
		bool end = s->r.start[i] == '\n';
		line += end;
		column = end ? 1 : column + 1;
	}
	return err_set(err, ERR_INVALID, "line %zu, column %zu: %s", line, column,
	    s->r.error ? s->r.error : why);
}

static enum err_code
too_many(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "more than %d patterns of models", PRICES_PATTERNS_MAX);
}

static enum err_code
take_text(struct parsing *s, enum json_token tok, const char *what, struct str *out,
    struct err *err)
{
	if (tok != JSON_STRING)
		return bad(s, err, what);
	struct str text = jsonr_string(&s->r, &s->p->arena);
	if (text.len == 0)
		return bad(s, err, "a pattern is empty");
	*out = arena_str(&s->p->arena, text); /* not in the caller's text */
	CHECK(out->ptr); /* the arena has no limit */
	return ERR_OK;
}

static enum err_code
take_models(struct parsing *s, struct row *row, struct err *err)
{
	enum json_token tok;
	if (jsonr_next(&s->r) != JSON_ARRAY)
		return bad(s, err, "\"models\" is a list of patterns");
	if (row->model_count > 0)
		return bad(s, err, "\"models\" is there twice");
	while ((tok = jsonr_next(&s->r)) != JSON_ARRAY_END) {
		struct str pattern;
		void *list = row->models;
		enum err_code code =
		    take_text(s, tok, "a pattern of \"models\" is a text", &pattern, err);
		if (code)
			return code;
		if (++s->p->pattern_count > PRICES_PATTERNS_MAX)
			return too_many(err);
		CHECK(agent_grow(&s->p->arena, &list, &row->model_cap, row->model_count,
		    sizeof(pattern)));
		row->models = list;
		row->models[row->model_count++] = pattern;
	}
	return ERR_OK;
}

static enum err_code
take_price(struct parsing *s, bool *has, double *out, struct err *err)
{
	if (*has)
		return bad(s, err, "a price is there twice");
	if (jsonr_next(&s->r) != JSON_NUMBER || !str_to_f64(s->r.raw, out) || !(*out >= 0) ||
	    *out > PRICE_MAX)
		return bad(s, err, "a price is a number from 0 to 1e9");
	*has = true;
	return ERR_OK;
}

static enum err_code
take_member(struct parsing *s, struct row *row, struct err *err)
{
	struct str key = s->r.raw;
	if (str_eq(key, STR("models")))
		return take_models(s, row, err);
	if (str_eq(key, STR("provider")))
		return take_text(s, jsonr_next(&s->r), "\"provider\" is a text", &row->provider,
		    err);
	if (str_eq(key, STR("input")))
		return take_price(s, &row->has_input, &row->input, err);
	if (str_eq(key, STR("output")))
		return take_price(s, &row->has_output, &row->output, err);
	if (str_eq(key, STR("cached")))
		return take_price(s, &row->has_cached, &row->cached, err);
	if (str_eq(key, STR("cache_write")))
		return take_price(s, &row->has_cache_write, &row->cache_write, err);
	return bad(s, err,
	    "a row has provider, models, input, cached, cache_write, output, and no other member");
}

static enum err_code
take_row(struct parsing *s, struct err *err)
{
	struct row row = {0};
	struct prices *p = s->p;
	void *list = p->rows;
	enum json_token tok;
	while ((tok = jsonr_next(&s->r)) == JSON_KEY) {
		enum err_code code = take_member(s, &row, err);
		if (code)
			return code;
	}
	if (tok != JSON_OBJECT_END)
		return bad(s, err, "it is no JSON");
	if (row.model_count == 0)
		return bad(s, err, "this row has no \"models\"");
	if (!row.has_input)
		return bad(s, err, "this row has no price of \"input\"");
	CHECK(agent_grow(&p->arena, &list, &p->row_cap, p->row_count, sizeof(row)));
	p->rows = list;
	p->rows[p->row_count++] = row;
	return ERR_OK;
}

static bool
comes(struct parsing *s, enum json_token token)
{
	return jsonr_next(&s->r) == token;
}

static enum err_code
take_all(struct parsing *s, struct err *err)
{
	static const char shape[] = "the file is {\"prices\": [row, ...]}";
	enum json_token tok;
	enum err_code code = ERR_OK;
	if (!comes(s, JSON_OBJECT) || !comes(s, JSON_KEY) || !str_eq(s->r.raw, STR("prices")) ||
	    !comes(s, JSON_ARRAY))
		return bad(s, err, shape);
	while (!code && (tok = jsonr_next(&s->r)) != JSON_ARRAY_END)
		code = tok == JSON_OBJECT ? take_row(s, err) : bad(s, err, "a row is an object");
	if (code)
		return code;
	if (!comes(s, JSON_OBJECT_END) || !comes(s, JSON_END))
		return bad(s, err, shape);
	return ERR_OK;
}

static enum err_code
read_text(struct prices *p, struct str text, struct err *err)
{
	struct parsing s = {.p = p};
	if (text.len > PRICES_FILE_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "it has more than %d bytes",
		    PRICES_FILE_BYTES_MAX);
	jsonr_begin(&s.r, text);
	return take_all(&s, err);
}

enum err_code
prices_new(struct str text, struct prices **out, struct err *err)
{
	struct prices *p = xcalloc(1, sizeof(*p));
	enum err_code code = text.len ? read_text(p, text, err) : ERR_OK;
	p->pattern_count = 0;
	if (!code)
		CHECK(read_text(p, str_from(agent_prices[0].text), err) == ERR_OK);
	if (code) {
		prices_free(p);
		p = NULL;
	}
	*out = p;
	return code;
}

void
prices_free(struct prices *p)
{
	if (!p)
		return;
	arena_fini(&p->arena);
	free(p);
}

size_t
prices_count(const struct prices *p)
{
	return p->row_count;
}

/* ---- looking up */

static char
small(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Back to the last * only, which is enough: at most pattern times text steps. */
static bool
matches(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;
	while (t < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			star_t = t;
		} else if (p < pattern.len && small(pattern.ptr[p]) == small(text.ptr[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_t;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

/* Names are short; what somebody sends need not be. */
enum { NAME_BYTES_MAX = 256 };

static const struct row *
find(const struct prices *p, struct str provider, struct str model)
{
	if (model.len == 0 || model.len > NAME_BYTES_MAX || provider.len > NAME_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < p->row_count; i++) {
		const struct row *row = &p->rows[i];
		if (row->provider.ptr && !matches(row->provider, provider))
			continue;
		for (size_t k = 0; k < row->model_count; k++)
			if (matches(row->models[k], model))
				return row;
	}
	return NULL;
}

static bool
compute(const struct row *row, const struct llm_call *c, double *cost)
{
	double input = (double)c->input_tokens;
	double cached = c->has_cached_tokens ? (double)c->cached_tokens : 0;
	double written = c->has_cache_write_tokens ? (double)c->cache_write_tokens : 0;
	if (c->output_tokens > 0 && !row->has_output)
		return false;
	/* Some count them beside the input, whatever the conventions say; they are never negative. */
	double plain = input - cached - written;
	plain = plain > 0 ? plain : 0;
	*cost = (plain * row->input + cached * (row->has_cached ? row->cached : row->input) +
	            written * (row->has_cache_write ? row->cache_write : row->input) +
	            (double)c->output_tokens * row->output) /
	    TOKENS_PER_PRICE;
	return true;
}

bool
prices_cost(const struct prices *p, const struct llm_call *call, double *cost_out)
{
	if (call->has_cost) {
		*cost_out = call->cost;
		return true;
	}
	if (!p || (!call->has_input_tokens && !call->has_output_tokens))
		return false;
	const struct row *row = find(p, call->provider, call->response_model);
	if (!row)
		row = find(p, call->provider, call->request_model);
	return row && compute(row, call, cost_out);
}
