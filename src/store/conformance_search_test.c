/* SPDX-License-Identifier: Apache-2.0 */
/* What search asks for: conditions on attributes of all kinds, words. */
#include "store/conformance.h"

#include "tests/test.h"

#define NOW CONFORMANCE_NOW_NS

/* ---- conditions on attributes */

/* The same maps as a span, a log record and a point each, its ord the place in the list; three times, in batches of
 * their own, with seqs 1 to 3, so that some may be moved to a file and others not. */
static void
put_everywhere(struct store *s, const char *const *maps, size_t count)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		batch_reset(&b);
		b.last_seq = seq;
		store_conformance_dict(&b, TABLE_RESOURCES, 99, "acme",
		    "{\"host\":\"h-1\",\"code\":7,\"res\":\"only\"}");
		store_conformance_dict(&b, TABLE_SCOPES, 98, "acme",
		    "{\"lib\":\"L 2\",\"code\":8}");
		for (uint32_t i = 0; i < count; i++) {
			struct str map = str_from(maps[i]);
			struct table *t = &b.tables[TABLE_SPANS];
			size_t row = store_conformance_row(&b, TABLE_SPANS, "acme", i, NOW + seq);
			table_set_u64(t, row, SPAN_SPAN_ID, seq * 100 + i + 1);
			table_set_str(t, row, SPAN_ATTRIBUTES, map);
			table_set_u64(t, row, SPAN_RESOURCE_ID, 99);
			table_set_u64(t, row, SPAN_SCOPE_ID, 98);
			t = &b.tables[TABLE_LOGS];
			row = store_conformance_row(&b, TABLE_LOGS, "acme", i, NOW + seq);
			table_set_str(t, row, LOG_ATTRIBUTES, map);
			table_set_u64(t, row, LOG_RESOURCE_ID, 99);
			table_set_u64(t, row, LOG_SCOPE_ID, 98);
			t = &b.tables[TABLE_POINTS];
			row = store_conformance_row(&b, TABLE_POINTS, "acme", i, NOW + seq);
			table_set_str(t, row, POINT_ATTRIBUTES, map);
			table_set_u64(t, row, POINT_RESOURCE_ID, 99);
			table_set_u64(t, row, POINT_SCOPE_ID, 98);
		}
		store_conformance_put(s, &b);
	}
	batch_fini(&b);
}

/* The mask of one batch's rows must be the same for all batches and signals. */
static void
check_everywhere(struct store *s, const struct store_query *conditions, unsigned want,
    const char *what)
{
	static const enum store_query_kind kinds[] = {STORE_SPANS, STORE_LOGS, STORE_POINTS};
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (uint64_t seq = 1; seq <= 3; seq++) {
			struct store_query q = *conditions;
			q.kind = kinds[k];
			q.from_ns = NOW + seq;
			q.to_ns = NOW + seq + 1;
			unsigned mask = store_conformance_mask(s, &q);
			if (mask != want)
				fail_msg("%s of kind %d, batch %d, gives %03x, not %03x", what,
				    (int)kinds[k], (int)seq, mask, want);
		}
}

static const char *const condition_maps[] = {
    "{\"code\":200,\"k\":\"GET /a\"}",
    "{\"code\":\"200\",\"k\":\"get /b\"}",
    "{\"code\":2.0,\"k\":\"\"}",
    "{\"code\":true,\"host\":\"own\"}",
    "{\"code\":null,\"k\":[1,\"a b\"]}",
    "{\"code\":{\"$bytes\":\"AQID\"},\"k\":\"a\\nb\"}",
    "{\"code\":{\"$double\":\"NaN\"},\"k\":\"\\u00e4\"}",
    "{\"k\":\"x\",\"k\":\"y\",\"$$d\":1}",
    "{\"other\":{\"code\":1}}",
};

static const struct {
	const char *key, *value;
	enum store_attr_op op;
	enum store_attr_of of;
	unsigned mask; /* of condition_maps; of the negated condition all others */
} conditions[] = {
    {"code", "200", STORE_ATTR_EQ, STORE_ATTR_OF_ANY, 0x003},
    {"code", "7", STORE_ATTR_EQ, STORE_ATTR_OF_ANY, 0x180},
    {"code", "7", STORE_ATTR_EQ, STORE_ATTR_OF_ITEM, 0x000},
    {"code", "7", STORE_ATTR_EQ, STORE_ATTR_OF_RESOURCE, 0x1FF},
    {"code", "8", STORE_ATTR_EQ, STORE_ATTR_OF_SCOPE, 0x1FF},
    {"code", "8", STORE_ATTR_EQ, STORE_ATTR_OF_ANY, 0x000},
    {"code", "200", STORE_ATTR_EQ, STORE_ATTR_OF_RESOURCE, 0x000},
    {"code", "2", STORE_ATTR_GE, STORE_ATTR_OF_ANY, 0x185},
    {"code", "2", STORE_ATTR_GE, STORE_ATTR_OF_ITEM, 0x005},
    {"code", "8", STORE_ATTR_LT, STORE_ATTR_OF_RESOURCE, 0x1FF},
    {"code", "8", STORE_ATTR_LT, STORE_ATTR_OF_SCOPE, 0x000},
    {"code", "", STORE_ATTR_HAS, STORE_ATTR_OF_ANY, 0x1FF},
    {"code", "", STORE_ATTR_HAS, STORE_ATTR_OF_ITEM, 0x07F},
    {"k", "", STORE_ATTR_HAS, STORE_ATTR_OF_ANY, 0x0F7},
    {"$d", "", STORE_ATTR_HAS, STORE_ATTR_OF_ITEM, 0x080},
    {"d", "", STORE_ATTR_HAS, STORE_ATTR_OF_ANY, 0x000},
    {"host", "", STORE_ATTR_HAS, STORE_ATTR_OF_ITEM, 0x008},
    {"host", "", STORE_ATTR_HAS, STORE_ATTR_OF_SCOPE, 0x000},
    {"lib", "", STORE_ATTR_HAS, STORE_ATTR_OF_SCOPE, 0x1FF},
    {"lib", "", STORE_ATTR_HAS, STORE_ATTR_OF_ANY, 0x000},
    {"nowhere", "", STORE_ATTR_HAS, STORE_ATTR_OF_ANY, 0x000},
    {"k", "^GET", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x001},
    {"k", "(?i)^get /[ab]$", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x003},
    {"k", "", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x0F7},
    {"k", "^$", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x004},
    {"k", "a.b", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x010},
    {"k", "(?s)a.b", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x030},
    {"k", "^.$", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x0C0},
    {"k", "y", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x000},
    {"k", "'; DROP TABLE seals; --", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x000},
    {"code", "^\\d+$", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x183},
    {"code", "^\\d+$", STORE_ATTR_MATCH, STORE_ATTR_OF_ITEM, 0x003},
    {"code", "^2\\.0$|^true$|^null$|^AQID$|^NaN$", STORE_ATTR_MATCH, STORE_ATTR_OF_ITEM, 0x07C},
    {"host", "^(own|h-\\d)$", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x1FF},
    {"host", "^h", STORE_ATTR_MATCH, STORE_ATTR_OF_RESOURCE, 0x1FF},
    {"host", "^h", STORE_ATTR_MATCH, STORE_ATTR_OF_ANY, 0x1F7},
    {"lib", "l 2", STORE_ATTR_MATCH, STORE_ATTR_OF_SCOPE, 0x000},
    {"lib", "(?i)l 2", STORE_ATTR_MATCH, STORE_ATTR_OF_SCOPE, 0x1FF},
};

void
store_conformance_conditions_on_attributes_and_their_negations(struct store *s)
{
	put_everywhere(s, condition_maps, ARRAY_LEN(condition_maps));
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
		struct store_query q = store_conformance_question(STORE_SPANS, "acme");
		q.attr_count = 1;
		q.attrs[0] = (struct store_attr){.key = str_from(conditions[i].key),
		    .value = str_from(conditions[i].value),
		    .op = conditions[i].op,
		    .of = conditions[i].of};
		check_everywhere(s, &q, conditions[i].mask, conditions[i].key);
		q.attrs[0].negated = true;
		check_everywhere(s, &q, 0x1FF & ~conditions[i].mask, conditions[i].key);
	}
}

/* ---- words */

static const struct {
	const char *name, *status, *attributes, *events, *body;
	bool typed_body;
} texts[] = {
    {"GET /Cart", "", NULL, NULL, "Payment failed: card expired", false},
    {"x", "Stock exhausted", "{\"a\":\"payment ok\"}", NULL, "", false},
    {"x", "", "{\"gen_ai.prompt\":\"How do I\\ndeploy to \\\"Prod\\\"?\"}", NULL, NULL, false},
    {"x", "", "{\"m\":[{\"role\":\"user\",\"content\":\"Kubernetes Pods\"}]}", NULL,
        "{\"msg\":\"Payment\",\"n\":5}", true},
    {"x", "", "{\"payment\":5,\"b\":{\"$bytes\":\"payment=\"}}", NULL, "[\"Z\\u00fcrich\"]", true},
    {"x", "", NULL, "[{\"t\":1,\"name\":\"Exception\",\"attributes\":{\"e\":\"PAYMENT lost\"}}]",
        "ZÜRICH", false},
    {"zürich", "", "{\"k\":\"ÜBER straße\"}", "[{\"t\":1,\"name\":\"payment\"}]", "über STRASSE",
        false},
};

static void
put_texts(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		batch_reset(&b);
		b.last_seq = seq;
		for (uint32_t i = 0; i < ARRAY_LEN(texts); i++) {
			struct table *t = &b.tables[TABLE_SPANS];
			size_t row = store_conformance_row(&b, TABLE_SPANS, "acme", i, NOW + seq);
			table_set_u64(t, row, SPAN_SPAN_ID, seq * 100 + i + 1);
			table_set_str(t, row, SPAN_NAME, str_from(texts[i].name));
			table_set_str(t, row, SPAN_STATUS_MESSAGE, str_from(texts[i].status));
			table_set_str(t, row, SPAN_ATTRIBUTES, str_from(texts[i].attributes));
			table_set_str(t, row, SPAN_EVENTS, str_from(texts[i].events));
			t = &b.tables[TABLE_LOGS];
			row = store_conformance_row(&b, TABLE_LOGS, "acme", i, NOW + seq);
			table_set_str(t, row, LOG_BODY, str_from(texts[i].body));
			table_set_i32(t, row, LOG_BODY_KIND,
			    texts[i].typed_body ? LOG_BODY_TYPED : LOG_BODY_STRING);
			table_set_str(t, row, LOG_ATTRIBUTES, str_from(texts[i].attributes));
			table_set_str(t, row, LOG_EVENT_NAME, str_from(texts[i].name));
		}
		store_conformance_put(s, &b);
	}
	batch_fini(&b);
}

void
store_conformance_words_are_found_where_they_count(struct store *s)
{
	static const struct {
		const char *words[3];
		unsigned spans, logs;
	} cases[] = {
	    {{"payment"}, 0x62, 0x0B},
	    {{"PAYMENT"}, 0x62, 0x0B},
	    {{"payment", "failed"}, 0x00, 0x01},
	    {{"failed", "payment"}, 0x00, 0x01},
	    {{"payment failed"}, 0x00, 0x01},
	    {{"failed: payment"}, 0x00, 0x00},
	    {{"ayment l"}, 0x20, 0x00},
	    {{"/cart"}, 0x01, 0x01},
	    {{"stock", "EXHAUSTED"}, 0x02, 0x00},
	    {{"stock", "payment"}, 0x02, 0x00},
	    {{"deploy to \"prod\"?"}, 0x04, 0x04},
	    {{"i\ndeploy"}, 0x04, 0x04},
	    {{"ndeploy"}, 0x00, 0x00}, /* \n is no n */
	    {{"\\n"}, 0x00, 0x00},
	    {{"kubernetes"}, 0x08, 0x08},
	    {{"role"}, 0x00, 0x00},
	    {{"user"}, 0x08, 0x08},
	    {{"gen_ai"}, 0x00, 0x00},
	    {{"payment="}, 0x00, 0x00},
	    {{"\"msg\":"}, 0x00, 0x08},
	    {{"\"n\":5"}, 0x00, 0x08},
	    {{"$bytes"}, 0x00, 0x00},
	    {{"exception"}, 0x20, 0x00},
	    {{"zürich"}, 0x40, 0x60},
	    {{"ZÜRICH"}, 0x40, 0x60},
	    {{"Über"}, 0x40, 0x40},
	    {{"straße"}, 0x40, 0x40},
	    {{"strasse"}, 0x00, 0x40},
	    {{"%"}, 0x00, 0x00},
	    {{"_"}, 0x00, 0x00},
	    {{"'"}, 0x00, 0x00},
	    {{":"}, 0x00, 0x09},
	    {{"x", "x"}, 0x3E, 0x3F},
	};
	put_texts(s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (uint64_t seq = 1; seq <= 3; seq++) {
			struct store_query q = store_conformance_question(STORE_SPANS, "acme");
			q.from_ns = NOW + seq;
			q.to_ns = NOW + seq + 1;
			for (; q.word_count < 3 && cases[i].words[q.word_count]; q.word_count++)
				q.words[q.word_count] = str_from(cases[i].words[q.word_count]);
			unsigned spans = store_conformance_mask(s, &q);
			q.kind = STORE_LOGS;
			unsigned logs = store_conformance_mask(s, &q);
			if (spans != cases[i].spans || logs != cases[i].logs)
				fail_msg(
				    "\"%s\" (%zu words) is in spans %02x, logs %02x, not %02x, %02x",
				    cases[i].words[0], q.word_count, spans, logs, cases[i].spans,
				    cases[i].logs);
		}
}
