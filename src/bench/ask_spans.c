/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about spans. */
#include "bench/ask_priv.h"

#include "base/bits.h"
#include "bench/payload_priv.h"

#include <stdio.h>

static enum err_code
no_trace(struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "no whole trace was acknowledged");
}

/* ---- traces */

bool
ask_trace_path(const struct ledger *l, uint64_t *random, struct buf *path, struct payload *p_out,
    uint64_t *trace_out)
{
	char hex[32];
	if (!ledger_pick_trace(l, random, p_out, trace_out))
		return false;
	struct payload_trace_id id = payload_trace_id(p_out, *trace_out);
	hex_u64(id.hi, hex);
	hex_u64(id.lo, hex + 16);
	buf_printf(path, "/api/v1/traces/%.*s", (int)sizeof(hex), hex);
	return true;
}

enum err_code
ask_trace(struct asker *a, bool *right_out, struct err *err)
{
	struct payload p;
	uint64_t trace;
	if (!ask_trace_path(a->opt->world.ledger, &a->random, &a->path, &p, &trace))
		return no_trace(err);
	enum err_code code = ask_get(a, err);
	*right_out = code == ERR_OK && ask_has_status(a, 200) &&
	    answer_is_trace(buf_view(&a->body), &p, trace, &a->wrong);
	return code;
}

/* Random 128 bits are nobody's id. */
enum err_code
ask_no_trace(struct asker *a, bool *right_out, struct err *err)
{
	char hex[32];
	hex_u64(payload_random(&a->random), hex);
	hex_u64(payload_random(&a->random), hex + 16);
	buf_printf(&a->path, "/api/v1/traces/%.*s", (int)sizeof(hex), hex);
	enum err_code code = ask_get(a, err);
	*right_out = code == ERR_OK && ask_has_status(a, 404);
	return code;
}

/* ---- the newest spans and traces */

typedef bool is_right(struct str json, const struct answer_world *world,
    const struct answer_newest *want, struct err *err);

static enum err_code
ask_newest_of(struct asker *a, const char *path, is_right *right, unsigned service,
    const struct payload_attribute *attribute, bool *right_out, struct err *err)
{
	char name[PAYLOAD_TEXT_BYTES], key[PAYLOAD_TEXT_BYTES], value[PAYLOAD_TEXT_BYTES];
	struct newest newest;
	struct answer_newest want = {&newest, service, attribute};
	ledger_newest_spans(a->opt->world.ledger, service, attribute, &newest);
	buf_printf(&a->path, "%s?limit=%d", path, NEWEST_MAX);
	if (service != LEDGER_ANY_SERVICE) {
		payload_jaeger_service_text(service, name);
		buf_printf(&a->path, "&service=%s", name);
	}
	if (attribute) {
		payload_jaeger_attribute_text(*attribute, key, value);
		buf_printf(&a->path, "&attribute=%s%%3D%s", key, value);
	}
	enum err_code code = ask_get(a, err);
	*right_out = code == ERR_OK && ask_has_status(a, 200) &&
	    right(buf_view(&a->body), &a->opt->world, &want, &a->wrong);
	return code;
}

/* A service and an attribute that some span has, both. */
static bool
draw_attribute(struct asker *a, unsigned *service_out, struct payload_attribute *out)
{
	struct payload p;
	uint64_t trace, per = payload_trace_spans(PAYLOAD_JAEGER);
	if (!ledger_pick_trace(a->opt->world.ledger, &a->random, &p, &trace))
		return false;
	uint64_t ring_spans = payload_ring(p.kind, p.spans) * p.spans;
	uint64_t span = (trace * per + 1 + payload_random(&a->random) % (per - 1)) % ring_spans;
	CHECK(payload_jaeger_attribute(span,
	    (unsigned)(payload_random(&a->random) % PAYLOAD_JAEGER_ATTRIBUTES), out));
	*service_out = payload_jaeger_service(span);
	return true;
}

/* Values that no span has begin with PAYLOAD_JAEGER_VALUES. */
static enum err_code
ask_attribute_of(struct asker *a, bool any_service, bool absent, bool *right_out, struct err *err)
{
	struct payload_attribute attribute;
	unsigned service;
	if (!draw_attribute(a, &service, &attribute))
		return no_trace(err);
	if (absent)
		attribute.value =
		    PAYLOAD_JAEGER_VALUES + (unsigned)(payload_random(&a->random) % 9000);
	return ask_newest_of(a, "/api/v1/traces", answer_is_newest,
	    any_service ? LEDGER_ANY_SERVICE : service, &attribute, right_out, err);
}

enum err_code
ask_attribute(struct asker *a, bool *right_out, struct err *err)
{
	return ask_attribute_of(a, false, false, right_out, err);
}

enum err_code
ask_no_attribute(struct asker *a, bool *right_out, struct err *err)
{
	return ask_attribute_of(a, false, true, right_out, err);
}

enum err_code
ask_anywhere(struct asker *a, bool *right_out, struct err *err)
{
	return ask_attribute_of(a, true, false, right_out, err);
}

enum err_code
ask_nowhere(struct asker *a, bool *right_out, struct err *err)
{
	return ask_attribute_of(a, true, true, right_out, err);
}

enum err_code
ask_newest(struct asker *a, bool *right_out, struct err *err)
{
	return ask_newest_of(a, "/api/v1/traces", answer_is_newest, LEDGER_ANY_SERVICE, NULL,
	    right_out, err);
}

static enum err_code
ask_search_of(struct asker *a, bool any_service, bool *right_out, struct err *err)
{
	struct payload_attribute attribute;
	unsigned service;
	if (!draw_attribute(a, &service, &attribute))
		return no_trace(err);
	return ask_newest_of(a, "/api/v1/search", answer_is_search,
	    any_service ? LEDGER_ANY_SERVICE : service, &attribute, right_out, err);
}

enum err_code
ask_search(struct asker *a, bool *right_out, struct err *err)
{
	return ask_search_of(a, false, right_out, err);
}

enum err_code
ask_search_anywhere(struct asker *a, bool *right_out, struct err *err)
{
	return ask_search_of(a, true, right_out, err);
}
