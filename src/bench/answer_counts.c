/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that list services, with sums of each. */
#include "bench/answer.h"

#include "bench/answer_priv.h"

/* What estimates of quantiles may be off; and of so many spans more than one in twenty is a root. */
#define QUANTILE_ERROR 0.011
enum { MANY_SPANS = 1000 };

struct seen_service {
	struct str name;
	uint64_t spans, errors;
	double p95_ms;
	bool has_errors, has_p95;
};

const struct answer_counts answer_services_counts = {.list = STR_INIT("services"),
    .name = STR_INIT("name"),
    .spans = STR_INIT("span_count")};
const struct answer_counts answer_summary_counts = {.list = STR_INIT("top_services"),
    .name = STR_INIT("service"),
    .spans = STR_INIT("span_count"),
    .errors = STR_INIT("error_count"),
    .p95_ms = STR_INIT("p95_ms"),
    .most_first = true};
const struct answer_counts answer_sql_counts = {.list = STR_INIT("rows"),
    .name = STR_INIT("service"),
    .spans = STR_INIT("n"),
    .errors = STR_INIT("errors")};
const struct answer_counts answer_sql_quantiles = {.list = STR_INIT("rows"),
    .name = STR_INIT("service"),
    .spans = STR_INIT("n"),
    .p95_ms = STR_INIT("p95_ms")};

/* A member's value, which r has just read. False: it is no number where there has to be one. */
static bool
take_member(const struct json_reader *r, enum json_token token, const struct answer_counts *shape,
    struct str key, struct seen_service *out)
{
	bool is_count = token == JSON_NUMBER || token == JSON_STRING;
	if (str_eq(key, shape->name) && token == JSON_STRING)
		out->name = r->raw;
	if (str_eq(key, shape->spans))
		return is_count && str_to_u64(r->raw, &out->spans);
	if (str_eq(key, shape->errors))
		return out->has_errors = is_count && str_to_u64(r->raw, &out->errors);
	if (str_eq(key, shape->p95_ms))
		return out->has_p95 = token == JSON_NUMBER && str_to_f64(r->raw, &out->p95_ms);
	return true;
}

static bool
read_service(struct json_reader *r, const struct answer_counts *shape, struct seen_service *out)
{
	enum json_token token;
	*out = (struct seen_service){0};
	while ((token = jsonr_next(r)) == JSON_KEY) {
		struct str key = r->raw;
		token = jsonr_next(r);
		if (!take_member(r, token, shape, key, out) || !jsonr_skip(r, token))
			return false;
	}
	return token == JSON_OBJECT_END && (shape->errors.len == 0 || out->has_errors) &&
	    (shape->p95_ms.len == 0 || out->has_p95);
}

bool
answer_is_long(double ms, uint64_t spans)
{
	double child = (double)PAYLOAD_JAEGER_CHILD_NS / 1e6;
	double root = (double)PAYLOAD_JAEGER_ROOT_NS / 1e6;
	return ms >= (spans < MANY_SPANS ? child : root) * (1 - QUANTILE_ERROR) &&
	    ms <= root * (1 + QUANTILE_ERROR);
}

/* Nothing of the bench fails, and a tenth of its spans take as long as all others of their trace. */
static bool
has_true_sums(const struct answer_counts *shape, const struct seen_service *s, struct err *err)
{
	if (shape->errors.len > 0 && s->errors != 0)
		return answer_wrong(err, "errors that were not sent, of", s->name);
	return shape->p95_ms.len == 0 || answer_is_long(s->p95_ms, s->spans) ||
	    answer_wrong(err, "another p95 than was sent, of", s->name);
}

struct services_count {
	uint64_t services, spans;
};

static bool
count_service(void *ctx, struct json_reader *r, struct err *err)
{
	struct services_count *c = ctx;
	struct seen_service s;
	if (!read_service(r, &answer_services_counts, &s))
		return answer_not_json(r, err);
	c->services++;
	c->spans += s.spans;
	return true;
}

bool
answer_services(struct str json, uint64_t *services_out, uint64_t *spans_out, struct err *err)
{
	struct services_count c = {0};
	bool right = answer_each(json, answer_services_counts.list, count_service, &c, err);
	*services_out = c.services;
	*spans_out = c.spans;
	return right;
}

unsigned
answer_service_number(struct str name)
{
	char text[PAYLOAD_TEXT_BYTES];
	unsigned i = 0;
	for (; i < PAYLOAD_JAEGER_SERVICES; i++) {
		payload_jaeger_service_text(i, text);
		if (str_eq(name, str_from(text)))
			break;
	}
	return i;
}

/* Each with no less than it has to have, none twice, and all together with no more than `more` beyond. */
static bool
are_services(const uint64_t found[PAYLOAD_JAEGER_SERVICES],
    const uint64_t spans[PAYLOAD_JAEGER_SERVICES], uint64_t more, struct err *err)
{
	char text[PAYLOAD_TEXT_BYTES];
	uint64_t wanted = 0, sum = 0;
	for (unsigned i = 0; i < PAYLOAD_JAEGER_SERVICES; i++) {
		wanted += spans[i];
		sum += found[i];
		if (found[i] >= spans[i])
			continue;
		payload_jaeger_service_text(i, text);
		err_set(err, ERR_INVALID, "%llu spans of %s instead of %llu",
		    (unsigned long long)found[i], text, (unsigned long long)spans[i]);
		return false;
	}
	uint64_t most = wanted + more;
	if (sum <= most)
		return true;
	err_set(err, ERR_INVALID, "%llu spans of all services instead of %llu%s",
	    (unsigned long long)sum, (unsigned long long)most, more ? " at the most" : "");
	return false;
}

struct counts_check {
	const struct answer_counts *shape;
	uint64_t found[PAYLOAD_JAEGER_SERVICES];
	uint64_t sum, before; /* spans of all so far, of the one before */
};

static bool
is_service(void *ctx, struct json_reader *r, struct err *err)
{
	struct counts_check *c = ctx;
	struct seen_service s;
	if (!read_service(r, c->shape, &s))
		return answer_not_json(r, err);
	unsigned i = answer_service_number(s.name);
	if (i == PAYLOAD_JAEGER_SERVICES || c->found[i] > 0 || s.spans == 0)
		return answer_wrong(err, "a service that has no spans or comes twice:", s.name);
	if (!has_true_sums(c->shape, &s, err))
		return false;
	if (c->shape->most_first && s.spans > c->before)
		return answer_wrong(err, "not the most spans first:", s.name);
	c->found[i] = c->before = s.spans;
	c->sum += s.spans;
	return true;
}

bool
answer_is_counts(struct str json, const struct answer_counts *shape,
    const uint64_t spans[PAYLOAD_JAEGER_SERVICES], uint64_t more, uint64_t *spans_out,
    struct err *err)
{
	struct counts_check c = {.shape = shape, .before = UINT64_MAX};
	bool right = answer_each(json, shape->list, is_service, &c, err);
	*spans_out = c.sum;
	return right && are_services(c.found, spans, more, err);
}
