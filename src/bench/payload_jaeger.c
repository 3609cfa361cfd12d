/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jaeger's tracegen: spans of 123 us one after the other below a root, attributes attr_NN = val_NN whose
 * numbers go round and round.
 */
#include "base/timefmt.h"
#include "bench/payload_priv.h"

#include <stdio.h>

enum { TRACE_SPANS = 10, KEYS = 97, KIND_SERVER = 2, KIND_CLIENT = 3 };

static void
text_attr(struct otlp_encoder *e, const char *key, const char *value)
{
	otlp_encode_attr(e, str_from(key), otlp_value_str(str_from(value)));
}

/* ---- what is in a span, for those who ask about it */

unsigned
payload_jaeger_service(uint64_t span)
{
	return (unsigned)(span / TRACE_SPANS % PAYLOAD_JAEGER_SERVICES);
}

void
payload_jaeger_service_text(unsigned service, char out[PAYLOAD_TEXT_BYTES])
{
	snprintf(out, PAYLOAD_TEXT_BYTES, "tracegen-%02u", service);
}

/* Attributes are numbered over all children. */
bool
payload_jaeger_attribute(uint64_t span, unsigned i, struct payload_attribute *out)
{
	CHECK(i < PAYLOAD_JAEGER_ATTRIBUTES);
	uint64_t position = span % TRACE_SPANS;
	if (position == 0)
		return false;
	uint64_t child = span / TRACE_SPANS * (TRACE_SPANS - 1) + position - 1;
	uint64_t a = child * PAYLOAD_JAEGER_ATTRIBUTES + i;
	*out =
	    (struct payload_attribute){(unsigned)(a % KEYS), (unsigned)(a % PAYLOAD_JAEGER_VALUES)};
	return true;
}

void
payload_jaeger_attribute_text(struct payload_attribute a, char key[PAYLOAD_TEXT_BYTES],
    char value[PAYLOAD_TEXT_BYTES])
{
	snprintf(key, PAYLOAD_TEXT_BYTES, "attr_%02u", a.key);
	snprintf(value, PAYLOAD_TEXT_BYTES, "val_%02u", a.value);
}

bool
payload_jaeger_has(uint64_t span, struct payload_attribute a)
{
	struct payload_attribute b;
	for (unsigned i = 0; i < PAYLOAD_JAEGER_ATTRIBUTES; i++)
		if (payload_jaeger_attribute(span, i, &b) && a.key == b.key && a.value == b.value)
			return true;
	return false;
}

/* A trace takes less than 2 ms, and there are as many of these as spans of the request behind it. */
uint64_t
payload_jaeger_age(const struct payload *p, uint64_t span)
{
	uint64_t position = span % TRACE_SPANS, later = p->spans - 1 - span % p->spans;
	uint64_t age = (later / TRACE_SPANS + 2) * NS_PER_MS * 2;
	return position ? age - (position - 1) * PAYLOAD_JAEGER_CHILD_NS : age;
}

uint64_t
payload_jaeger_age_max(uint32_t spans)
{
	return payload_jaeger_age(&(struct payload){.kind = PAYLOAD_JAEGER, .spans = spans}, 0);
}

/* ---- encoding */

static void
encode_service(unsigned service, struct otlp_encoder *e)
{
	char name[PAYLOAD_TEXT_BYTES];
	payload_jaeger_service_text(service, name);
	otlp_encode_resource(e, STR("https://opentelemetry.io/schemas/1.37.0"));
	text_attr(e, "service.name", name);
	text_attr(e, "telemetry.sdk.language", "go");
	text_attr(e, "telemetry.sdk.name", "opentelemetry");
	text_attr(e, "telemetry.sdk.version", "1.38.0");
	otlp_encode_scope(e, str_from(name), STR_EMPTY, STR_EMPTY);
}

static void
encode_child_attributes(uint64_t g, struct otlp_encoder *e)
{
	struct payload_attribute a;
	for (unsigned i = 0; i < PAYLOAD_JAEGER_ATTRIBUTES && payload_jaeger_attribute(g, i, &a);
	    i++) {
		char key[PAYLOAD_TEXT_BYTES], value[PAYLOAD_TEXT_BYTES];
		payload_jaeger_attribute_text(a, key, value);
		text_attr(e, key, value);
	}
}

static void
encode_span(const struct payload *p, uint64_t first, uint64_t g, struct otlp_encoder *e)
{
	uint64_t position = g % TRACE_SPANS, root = g - position;
	struct otlp_span s = payload_span(p, first, g, position ? root : UINT64_MAX);
	char name[32];
	s.name = STR("lets-go");
	s.kind = KIND_SERVER;
	s.start_ns = PAYLOAD_NOW - payload_jaeger_age(p, g);
	s.end_ns = s.start_ns + PAYLOAD_JAEGER_ROOT_NS;
	if (position) {
		snprintf(name, sizeof(name), "child-span-%02u", (unsigned)(position - 1));
		s.name = str_from(name);
		s.kind = KIND_CLIENT;
		s.end_ns = s.start_ns + PAYLOAD_JAEGER_CHILD_NS;
	}
	otlp_encode_span(e, &s);
	if (position) {
		encode_child_attributes(g, e);
		return;
	}
	text_attr(e, "peer.service", "tracegen-server");
	text_attr(e, "peer.host.ipv4", "1.1.1.1");
}

void
payload_jaeger(const struct payload *p, uint64_t first, struct otlp_encoder *e)
{
	for (unsigned service = 0; service < PAYLOAD_JAEGER_SERVICES; service++) {
		bool begun = false;
		for (uint64_t g = first; g < first + p->spans; g++) {
			if (payload_jaeger_service(g) != service)
				continue;
			if (!begun)
				encode_service(service, e);
			begun = true;
			encode_span(p, first, g, e);
		}
	}
}
