/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/kit_test.h"

#include "tests/test.h"

#include "base/map.h"
#include "base/timefmt.h"
#include "bench/payload.h"
#include "otlp/otlp.h"

#include <stdlib.h>
#include <string.h>

#define NOW (UINT64_C(1795187531) * NS_PER_S)

enum { RECORDS = 20000, PER_REQUEST = 500 };

/* Records of many requests as they are sent; a body is copied, with a NUL behind it. */
static struct kit_record *
send_all(const struct payload *p)
{
	struct payload_body body = {0};
	struct kit_records read = {0};
	struct kit_record *all = calloc(RECORDS, sizeof(*all));
	assert_non_null(all);
	for (uint64_t serial = 0; serial < RECORDS / PER_REQUEST; serial++) {
		payload_encode(p, serial + 3, &body); /* of another one */
		payload_patch(p, &body, serial, NOW + serial * NS_PER_S);
		kit_read_records(buf_view(&body.bytes), &read);
		assert_int_equal(read.count, PER_REQUEST);
		for (size_t i = 0; i < read.count; i++) {
			struct kit_record *r = &all[serial * PER_REQUEST + i];
			*r = read.records[i];
			char *text = strndup(r->body.ptr, r->body.len);
			assert_non_null(text);
			r->body.ptr = text;
			r->service = r->severity_text = STR_EMPTY;
		}
	}
	payload_body_fini(&body);
	free(read.records);
	return all;
}

static void
free_all(struct kit_record *all)
{
	for (size_t i = 0; i < RECORDS; i++) {
		char *text;
		memcpy(&text, &all[i].body.ptr, sizeof(text)); /* as it was made */
		free(text);
	}
	free(all);
}

static uint64_t
count_with(const struct kit_record *all, size_t first, size_t count, const char *word)
{
	uint64_t n = 0;
	for (size_t i = first; i < first + count; i++)
		n += strstr(all[i].body.ptr, word) != NULL;
	return n;
}

TEST(payload_logs, words_stand_in_as_many_bodies_as_is_claimed)
{
	struct payload p = {PAYLOAD_LOGS, 4, PER_REQUEST, 42};
	struct kit_record *all = send_all(&p);
	char word[PAYLOAD_TEXT_BYTES];
	for (uint64_t i = 0; i < PAYLOAD_LOG_FREQUENT; i++) {
		payload_log_word_text(&p, PAYLOAD_FREQUENT, i, word);
		assert_int_equal(count_with(all, 0, RECORDS, word), RECORDS / 10);
		assert_int_equal(count_with(all, PER_REQUEST, PER_REQUEST, word), PER_REQUEST / 10);
	}
	for (uint64_t i = 0; i < PAYLOAD_LOG_RARE; i += 97) {
		payload_log_word_text(&p, PAYLOAD_RARE, i, word);
		assert_int_equal(count_with(all, 0, 10000, word), 1);
		assert_int_equal(count_with(all, 10000, 10000, word), 1);
		payload_log_word_text(&p, PAYLOAD_NOWHERE, i, word);
		assert_int_equal(count_with(all, 0, RECORDS, word), 0);
	}
	for (uint64_t n = 0; n < RECORDS; n += 211) {
		payload_log_word_text(&p, PAYLOAD_ONCE, n, word);
		assert_int_equal(count_with(all, 0, RECORDS, word), 1);
	}
	free_all(all);
}

TEST(payload_logs, a_record_has_the_words_and_the_body_that_are_told)
{
	struct payload p = {PAYLOAD_LOGS, 4, PER_REQUEST, 42};
	struct kit_record *all = send_all(&p);
	struct map by_body = {0};
	for (uint64_t n = 0; n < RECORDS; n++) {
		char body[PAYLOAD_LOG_BODY_BYTES], word[PAYLOAD_TEXT_BYTES];
		struct str text = str_of(body, payload_log_body(&p, n, body));
		assert_in_range(text.len, 60, 400);
		for (int kind = 0; kind < PAYLOAD_NOWHERE; kind++) {
			payload_log_word_text(&p, (enum payload_word)kind,
			    payload_log_word((enum payload_word)kind, n), word);
			assert_non_null(memmem(text.ptr, text.len, word, strlen(word)));
		}
		/* It was sent, at its time, in the request it belongs to. */
		uint64_t serial = n / PER_REQUEST, found = 0;
		for (size_t i = serial * PER_REQUEST; i < (serial + 1) * PER_REQUEST; i++)
			found += str_eq(all[i].body, text) &&
			    all[i].time_ns == NOW + serial * NS_PER_S - payload_log_age(&p, n);
		assert_int_equal(found, 1);
	}
	map_fini(&by_body);
	free_all(all);
}

TEST(payload_logs, records_are_of_spans_that_are_sent_and_of_their_services)
{
	struct payload p = {PAYLOAD_LOGS, 3, PER_REQUEST, 42}, spans = {PAYLOAD_JAEGER, 0, 100, 42};
	struct payload_body body = {0};
	struct kit_records read = {0};
	uint64_t traced = 0, severities[25] = {0}, bytes = 0, clients[3] = {0};
	payload_encode(&p, 0, &body);
	payload_patch(&p, &body, 7, NOW);
	kit_read_records(buf_view(&body.bytes), &read);
	for (size_t i = 0; i < read.count; i++) {
		const struct kit_record *r = &read.records[i];
		char service[PAYLOAD_TEXT_BYTES];
		uint64_t span;
		assert_true(r->severity < 25);
		severities[r->severity]++;
		bytes += r->body.len;
		assert_true(r->time_ns < NOW && r->time_ns > NOW - NS_PER_S);
		assert_true(r->observed_ns > r->time_ns);
		assert_true(r->severity_text.len > 0);
		assert_int_equal(r->attributes, 4);
		if (r->span_id == 0)
			continue;
		traced++;
		assert_true(payload_span_of(&spans,
		    (struct payload_trace_id){r->trace_hi, r->trace_lo}, r->span_id, &span));
		assert_true(spans.client < 3);
		clients[spans.client]++;
		payload_jaeger_service_text(payload_jaeger_service(span), service);
		assert_true(str_eq(r->service, str_from(service)));
	}
	assert_int_equal(read.count, PER_REQUEST);
	assert_int_equal(traced, PER_REQUEST * 7 / 10);
	for (size_t i = 0; i < 3; i++)
		assert_in_range(clients[i], traced / 3 - 2, traced / 3 + 2);
	assert_true(severities[5] > 0 && severities[9] > 100);
	assert_true(severities[13] > 0 && severities[17] > 0);
	assert_in_range(bytes / read.count, 100, 250);
	free(read.records);
	payload_body_fini(&body);
}

TEST(payload_logs, the_server_accepts_every_record)
{
	static const uint32_t sizes[] = {1, 64, 512};
	struct limits limits = limits_default();
	struct payload_body body = {0};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct payload p = {PAYLOAD_LOGS, 1, sizes[i], 42};
		struct otlp_counts counts;
		struct err err = {0};
		payload_patch(&p, &body, 5, NOW);
		if (otlp_scan(SIGNAL_LOGS, buf_view(&body.bytes), &limits, &counts, &err) != ERR_OK)
			fail_msg("%s", err.message);
		assert_int_equal(counts.accepted, sizes[i]);
		assert_int_equal(counts.rejected, 0);
		/* The same again, and another for another seed. */
		struct buf first = {0};
		buf_str(&first, buf_view(&body.bytes));
		payload_patch(&p, &body, 5, NOW);
		assert_true(str_eq(buf_view(&first), buf_view(&body.bytes)));
		p.salt++;
		payload_patch(&p, &body, 5, NOW);
		assert_false(str_eq(buf_view(&first), buf_view(&body.bytes)));
		buf_fini(&first);
	}
	payload_body_fini(&body);
}
