/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/prices.h"

#include "tests/test.h"

#include <math.h>

static struct prices *
table_of(const char *text)
{
	struct prices *p;
	struct err err = {0};
	if (prices_new(str_from(text), &p, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return p;
}

static struct llm_call
call_of(const char *provider, const char *model, uint64_t in, uint64_t out)
{
	return (struct llm_call){.kind = LLM_CHAT,
	    .is_llm = true,
	    .provider = str_from(provider),
	    .request_model = str_from(model),
	    .has_input_tokens = true,
	    .input_tokens = in,
	    .has_output_tokens = true,
	    .output_tokens = out};
}

static void
assert_cost(const struct prices *p, const struct llm_call *c, double want)
{
	double have = -1;
	assert_true(prices_cost(p, c, &have));
	if (fabs(have - want) > 1e-12)
		fail_msg("have %.12f, want %.12f", have, want);
}

TEST(agent, prices_of_the_table_are_for_a_million_tokens)
{
	struct prices *p = table_of("");
	struct llm_call c = call_of("openai", "GPT-4o", 1000000, 100000);
	assert_cost(p, &c, 2.5 + 1.0);
	c.has_cached_tokens = true;
	c.cached_tokens = 400000;
	assert_cost(p, &c, 0.6 * 2.5 + 0.4 * 1.25 + 1.0);
	c = call_of("aws.bedrock", "eu.anthropic.claude-3-5-haiku-20241022-v1:0", 1000, 10);
	c.has_cache_write_tokens = true;
	c.cache_write_tokens = 1000;
	assert_cost(p, &c, (1000 * 1.0 + 10 * 4.0) / 1e6);
	prices_free(p);
}

TEST(agent, prices_that_were_sent_win)
{
	struct prices *p = table_of("");
	struct llm_call c = call_of("openai", "gpt-4o", 1000000, 0);
	c.has_cost = true;
	c.cost = 0;
	assert_cost(p, &c, 0);
	assert_cost(NULL, &c, 0);
	prices_free(p);
}

TEST(agent, prices_of_a_file_come_before_the_built_in_ones)
{
	struct prices *p =
	    table_of("{\"prices\":[{\"provider\":\"az*\",\"models\":[\"gpt-*o\"],"
	             "\"input\":1,\"output\":2.0},{\"models\":[\"e*\"],\"input\":1}]}");
	struct llm_call c = call_of("azure", "gpt-4o", 1000000, 1000000);
	assert_cost(p, &c, 3);
	c.provider = STR("openai");
	assert_cost(p, &c, 12.5);
	/* What answered counts before what was asked for, when there is a price of it. */
	c.response_model = STR("gpt-4o-mini-2024-07-18");
	assert_cost(p, &c, 0.75);
	c.response_model = STR("unheard-of");
	assert_cost(p, &c, 12.5);
	c = call_of("x", "embed", 1000000, 0);
	assert_cost(p, &c, 1);
	c.output_tokens = 1;
	double cost;
	assert_false(prices_cost(p, &c, &cost));
	prices_free(p);
}

TEST(agent, prices_nobody_knows_are_not_guessed)
{
	struct prices *p = table_of("");
	double cost;
	struct llm_call c = call_of("openai", "gpt-99", 1, 1);
	assert_false(prices_cost(p, &c, &cost));
	c = call_of("openai", "", 1, 1);
	assert_false(prices_cost(p, &c, &cost));
	c = call_of("openai", "gpt-4o", 0, 0);
	c.has_input_tokens = c.has_output_tokens = false;
	assert_false(prices_cost(p, &c, &cost));
	assert_false(prices_cost(NULL, &c, &cost));
	prices_free(p);
}

TEST(agent, prices_files_are_read_strictly_and_errors_name_the_place)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"[]", "line 1, column 2: the file is"},
	    {"{\"prices\":[]} 1", "line 1"},
	    {"{\"prices\":[],\"x\":1}", "the file is"},
	    {"{\"prices\":[\n{\"models\":[\"a\"]}]}", "line 2, column 17: this row has no price"},
	    {"{\"prices\":[{\"input\":1}]}", "no \"models\""},
	    {"{\"prices\":[{\"models\":[],\"input\":1}]}", "no \"models\""},
	    {"{\"prices\":[{\"models\":[\"\"],\"input\":1}]}", "empty"},
	    {"{\"prices\":[{\"models\":[\"a\"],\"input\":-1}]}", "from 0 to 1e9"},
	    {"{\"prices\":[{\"models\":[\"a\"],\"input\":\"1\"}]}", "from 0 to 1e9"},
	    {"{\"prices\":[{\"models\":[\"a\"],\"input\":1e300}]}", "from 0 to 1e9"},
	    {"{\"prices\":[{\"models\":[\"a\"],\"input\":1,\"input\":2}]}", "twice"},
	    {"{\"prices\":[{\"models\":[\"a\"],\"input\":1,\"cost\":2}]}", "no other member"},
	    {"{\"prices\":[{\"models\":[\"a\"],\"input\":1", "line 1, column 37"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct prices *p;
		struct err err = {0};
		assert_int_equal(prices_new(str_from(cases[i].text), &p, &err), ERR_INVALID);
		assert_null(p);
		if (!strstr(err.message, cases[i].says))
			fail_msg("%s: %s", cases[i].text, err.message);
	}
}
