/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jaeger's tracegen: spans of 123 us one after the other below a root, attributes attr_NN = val_NN whose
 * numbers go round and round.
 */
#include "base/timefmt.h"
#include "bench/payload_priv.h"

#include <stdio.h>

enum {
	TRACE_SPANS = 10,
	SERVICES = 10,
	ATTRIBUTES = 11,
	KEYS = 97,
	VALUES = 1000,
	SPAN_US = 123,
	KIND_SERVER = 2,
	KIND_CLIENT = 3
};

static void
text_attr(struct otlp_encoder *e, const char *key, const char *value)
{
	otlp_encode_attr(e, str_from(key), otlp_value_str(str_from(value)));
}

static void
encode_service(unsigned service, struct otlp_encoder *e)
{
	char name[32];
	snprintf(name, sizeof(name), "tracegen-%02u", service);
	otlp_encode_resource(e, STR("https://opentelemetry.io/schemas/1.37.0"));
	text_attr(e, "service.name", name);
	text_attr(e, "telemetry.sdk.language", "go");
	text_attr(e, "telemetry.sdk.name", "opentelemetry");
	text_attr(e, "telemetry.sdk.version", "1.38.0");
	otlp_encode_scope(e, str_from(name), STR_EMPTY, STR_EMPTY);
}

/* Attributes are numbered over all children. */
static void
encode_child_attributes(uint64_t g, struct otlp_encoder *e)
{
	uint64_t child = g / TRACE_SPANS * (TRACE_SPANS - 1) + g % TRACE_SPANS - 1;
	for (uint64_t a = child * ATTRIBUTES; a < (child + 1) * ATTRIBUTES; a++) {
		char key[24], value[24];
		snprintf(key, sizeof(key), "attr_%02u", (unsigned)(a % KEYS));
		snprintf(value, sizeof(value), "val_%02u", (unsigned)(a % VALUES));
		text_attr(e, key, value);
	}
}

static void
encode_span(const struct payload *p, uint64_t first, uint64_t g, struct otlp_encoder *e)
{
	uint64_t position = g % TRACE_SPANS, root = g - position;
	uint64_t later = p->spans - 1 - (g - first); /* spans of the request behind it */
	uint64_t begin = PAYLOAD_NOW - (later / TRACE_SPANS + 2) * NS_PER_MS * 2;
	struct otlp_span s = payload_span(p, first, g, position ? root : UINT64_MAX);
	char name[32];
	s.name = STR("lets-go");
	s.kind = KIND_SERVER;
	s.start_ns = begin;
	s.end_ns = begin + (TRACE_SPANS - 1) * SPAN_US * NS_PER_US;
	if (position) {
		snprintf(name, sizeof(name), "child-span-%02u", (unsigned)(position - 1));
		s.name = str_from(name);
		s.kind = KIND_CLIENT;
		s.start_ns = begin + (position - 1) * SPAN_US * NS_PER_US;
		s.end_ns = s.start_ns + SPAN_US * NS_PER_US;
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
	for (unsigned service = 0; service < SERVICES; service++) {
		bool begun = false;
		for (uint64_t g = first; g < first + p->spans; g++) {
			if (g / TRACE_SPANS % SERVICES != service)
				continue;
			if (!begun)
				encode_service(service, e);
			begun = true;
			encode_span(p, first, g, e);
		}
	}
}
