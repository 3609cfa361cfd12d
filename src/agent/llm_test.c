/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/llm.h"

#include "base/buf.h"

#include "tests/test.h"

#include <stdio.h>

static struct llm_call
read_ok(const char *typed, const char *events, struct arena *arena)
{
	struct llm_call c;
	struct err err = {0};
	assert_int_equal(llm_read(str_from(typed), str_from(events), arena, &c, &err), ERR_OK);
	return c;
}

static void
assert_str(struct str have, const char *want)
{
	if (have.len != strlen(want) || (have.len && memcmp(have.ptr, want, have.len) != 0))
		fail_msg("have \"%.*s\", want \"%s\"", STR_ARG(have), want);
}

TEST(agent, llm_opentelemetry_of_today_is_read)
{
	struct arena arena = {0};
	struct llm_call c = read_ok(
	    "{\"gen_ai.operation.name\":\"chat\",\"gen_ai.provider.name\":\"AWS.Bedrock\","
	    "\"gen_ai.request.model\":\"m\",\"gen_ai.response.model\":\"m-1\","
	    "\"gen_ai.usage.input_tokens\":100,\"gen_ai.usage.output_tokens\":20,"
	    "\"gen_ai.usage.cache_read.input_tokens\":64,"
	    "\"gen_ai.usage.cache_creation.input_tokens\":8,"
	    "\"gen_ai.usage.reasoning.output_tokens\":5,"
	    "\"gen_ai.response.finish_reasons\":[\"stop\",\"length\"],"
	    "\"gen_ai.request.temperature\":0.5,\"gen_ai.response.time_to_first_chunk\":0.25,"
	    "\"gen_ai.agent.name\":\"A\",\"gen_ai.conversation.id\":\"c\",\"error.type\":\"timeout\"}",
	    NULL, &arena);
	assert_int_equal(c.kind, LLM_CHAT);
	assert_true(c.is_llm);
	assert_str(c.provider, "aws.bedrock");
	assert_str(c.operation, "chat");
	assert_str(c.request_model, "m");
	assert_str(llm_model(&c), "m-1");
	assert_true(c.has_input_tokens && c.has_output_tokens && c.has_total_tokens);
	assert_int_equal(c.input_tokens, 100);
	assert_int_equal(c.output_tokens, 20);
	assert_int_equal(c.total_tokens, 120);
	assert_int_equal(c.cached_tokens, 64);
	assert_int_equal(c.cache_write_tokens, 8);
	assert_int_equal(c.reasoning_tokens, 5);
	assert_str(c.finish_reason, "stop");
	assert_true(c.has_temperature && c.temperature == 0.5);
	assert_true(c.has_first_token);
	assert_int_equal(c.first_token_ns, 250000000);
	assert_str(c.agent, "A");
	assert_str(c.conversation, "c");
	assert_str(c.error_type, "timeout");
	assert_false(c.has_cost);
	arena_fini(&arena);
}

TEST(agent, llm_opentelemetry_of_before_and_its_events_are_read)
{
	struct arena arena = {0};
	struct llm_call c = read_ok(
	    "{\"gen_ai.system\":\"openai\",\"gen_ai.request.model\":\"m\","
	    "\"gen_ai.usage.prompt_tokens\":7.0,\"gen_ai.usage.completion_tokens\":3,"
	    "\"gen_ai.usage.cost\":0.25}",
	    "[{\"t\":9,\"name\":\"gen_ai.choice\",\"attributes\":{\"finish_reason\":\"length\"}},"
	    "{\"t\":10,\"name\":\"exception\",\"attributes\":{\"exception.type\":\"E\"}},"
	    "{\"t\":11,\"name\":\"llm.content.completion.chunk\"}]",
	    &arena);
	assert_int_equal(c.kind, LLM_CHAT);
	assert_true(c.is_llm);
	assert_int_equal(c.input_tokens, 7);
	assert_int_equal(c.total_tokens, 10);
	assert_true(c.has_cost && c.cost == 0.25);
	assert_str(c.finish_reason, "length");
	assert_str(c.error_type, "E");
	assert_int_equal(c.first_token_unix_ns, 11);
	arena_fini(&arena);
}

TEST(agent, llm_openinference_is_read)
{
	struct arena arena = {0};
	struct llm_call c = read_ok(
	    "{\"openinference.span.kind\":\"LLM\",\"llm.system\":\"openai\",\"llm.provider\":\"azure\","
	    "\"llm.model_name\":\"gpt\",\"llm.token_count.prompt\":10,"
	    "\"llm.token_count.completion\":4,\"llm.token_count.total\":15,"
	    "\"llm.token_count.prompt_details.cache_read\":6,\"llm.cost.prompt\":0.5,"
	    "\"llm.cost.completion\":0.25,\"session.id\":\"s\",\"agent.name\":\"a\","
	    "\"llm.invocation_parameters\":\"{\\\"temperature\\\": 0.75, \\\"x\\\":[1]}\"}",
	    NULL, &arena);
	assert_int_equal(c.kind, LLM_CHAT);
	assert_true(c.is_llm);
	assert_str(c.provider, "azure");
	assert_str(c.operation, "LLM");
	assert_str(llm_model(&c), "gpt");
	assert_int_equal(c.total_tokens, 15);
	assert_int_equal(c.cached_tokens, 6);
	assert_true(c.has_cost && c.cost == 0.75);
	assert_str(c.conversation, "s");
	assert_str(c.agent, "a");
	assert_true(c.has_temperature && c.temperature == 0.75);
	arena_fini(&arena);
}

TEST(agent, llm_openllmetry_is_read)
{
	struct arena arena = {0};
	struct llm_call c = read_ok(
	    "{\"llm.request.type\":\"embedding\",\"gen_ai.system\":\"OpenAI\","
	    "\"gen_ai.request.model\":\"e\",\"gen_ai.usage.input_tokens\":9,"
	    "\"llm.usage.total_tokens\":9,\"traceloop.association.properties.session_id\":\"s\"}",
	    NULL, &arena);
	assert_int_equal(c.kind, LLM_EMBEDDINGS);
	assert_true(c.is_llm);
	assert_str(c.operation, "embedding");
	assert_str(c.provider, "openai");
	assert_str(c.conversation, "s");
	assert_true(c.has_total_tokens && !c.has_output_tokens);
	c = read_ok("{\"traceloop.span.kind\":\"tool\",\"traceloop.entity.name\":\"search\"}", NULL,
	    &arena);
	assert_int_equal(c.kind, LLM_TOOL);
	assert_false(c.is_llm);
	assert_str(c.tool_name, "search");
	arena_fini(&arena);
}

TEST(agent, llm_kinds_say_whether_a_model_was_called)
{
	static const struct {
		const char *typed;
		enum llm_kind kind;
		bool is_llm;
	} cases[] = {
	    {"{}", LLM_NONE, false},
	    {"{\"llm.model_name\":\"m\"}", LLM_CHAT, true},
	    {"{\"llm.model_name\":\"m\",\"openinference.span.kind\":\"RERANKER\"}", LLM_OTHER,
	        false},
	    {"{\"a\":\"gen_ai.system\"}", LLM_NONE, false},
	    {"{\"gen_ai.operation.name\":\"execute_tool\",\"gen_ai.provider.name\":\"x\"}",
	        LLM_TOOL, false},
	    {"{\"gen_ai.operation.name\":\"invoke_agent\",\"gen_ai.request.model\":\"m\"}",
	        LLM_AGENT, false},
	    {"{\"gen_ai.operation.name\":\"own\"}", LLM_OTHER, false},
	    {"{\"gen_ai.operation.name\":\"own\",\"gen_ai.usage.input_tokens\":1}", LLM_CHAT, true},
	    {"{\"gen_ai.operation.name\":\"embeddings\"}", LLM_EMBEDDINGS, true},
	    {"{\"gen_ai.provider.name\":\"x\"}", LLM_CHAT, true},
	    {"{\"gen_ai.provider.name\":\"\"}", LLM_NONE, false},
	    {"{\"gen_ai.provider.name\":\"x\",\"gen_ai.tool.name\":\"t\"}", LLM_TOOL, false},
	    {"{\"gen_ai.system\":\"x\",\"gen_ai.agent.name\":\"t\"}", LLM_AGENT, false},
	    {"{\"openinference.span.kind\":\"EMBEDDING\"}", LLM_EMBEDDINGS, true},
	    {"{\"openinference.span.kind\":\"AGENT\"}", LLM_AGENT, false},
	    {"{\"openinference.span.kind\":\"TOOL\"}", LLM_TOOL, false},
	    {"{\"openinference.span.kind\":\"CHAIN\"}", LLM_OTHER, false},
	    {"{\"llm.request.type\":\"rerank\"}", LLM_OTHER, true},
	    {"{\"llm.request.type\":\"chat\"}", LLM_CHAT, true},
	    {"{\"traceloop.span.kind\":\"workflow\"}", LLM_OTHER, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = {0};
		struct llm_call c = read_ok(cases[i].typed, NULL, &arena);
		if (c.kind != cases[i].kind || c.is_llm != cases[i].is_llm)
			fail_msg("%s is %s", cases[i].typed, llm_kind_name(c.kind));
		bool met = false;
		for (size_t k = 0; k < LLM_CONDITIONS; k++) {
			char want[128];
			(void)snprintf(want, sizeof(want), "\"%s\":%s%s%s", llm_conditions[k].key,
			    llm_conditions[k].value ? "\"" : "",
			    llm_conditions[k].value ? llm_conditions[k].value : "",
			    llm_conditions[k].value ? "\"" : "");
			met = met || strstr(cases[i].typed, want);
		}
		if (c.is_llm)
			assert_true(met);
		arena_fini(&arena);
	}
}

TEST(agent, llm_numbers_that_are_none_are_not_there)
{
	struct arena arena = {0};
	struct llm_call c = read_ok(
	    "{\"gen_ai.system\":\"x\",\"gen_ai.usage.input_tokens\":-1,"
	    "\"gen_ai.usage.output_tokens\":1.5,\"llm.token_count.total\":1e300,"
	    "\"gen_ai.usage.cost\":-2.0,\"gen_ai.response.time_to_first_chunk\":\"0.5\","
	    "\"llm.invocation_parameters\":\"{\\\"temperature\\\":\",\"gen_ai.response.finish_reasons\":"
	    "\"[\\\"stop\\\"]\",\"gen_ai.usage.cache_read.input_tokens\":18446744073709551615}",
	    NULL, &arena);
	assert_false(c.has_input_tokens || c.has_output_tokens || c.has_total_tokens);
	assert_false(c.has_cost || c.has_first_token || c.has_temperature || c.has_cached_tokens);
	assert_str(c.finish_reason, "stop");
	/* No sum of a million may be beyond what JSON can say. */
	c = read_ok("{\"openinference.span.kind\":\"LLM\",\"llm.cost.total\":1.5e308,"
	            "\"llm.invocation_parameters\":\"{\\\"temperature\\\":1e999}\"}",
	    NULL, &arena);
	assert_false(c.has_cost || c.has_temperature);
	c = read_ok("{\"openinference.span.kind\":\"LLM\",\"llm.cost.prompt\":1e308,"
	            "\"llm.cost.completion\":1e308}",
	    NULL, &arena);
	assert_false(c.has_cost);
	arena_fini(&arena);
}

/* ---- messages */

static struct llm_messages
messages_of(const char *typed, const char *events, struct arena *arena)
{
	struct llm_messages m;
	struct err err = {0};
	assert_int_equal(llm_read_messages(str_from(typed), str_from(events), arena, &m, &err),
	    ERR_OK);
	return m;
}

/* Whatever the dialect: a system text, a question, an answer with a call. */
static void
assert_conversation(const struct llm_messages *m, const char *calls)
{
	assert_int_equal(m->in_count, 2);
	assert_str(m->in[0].role, "system");
	assert_str(m->in[0].content, "Be \"kind\"");
	assert_str(m->in[1].role, "user");
	assert_str(m->in[1].content, "Weather?");
	assert_int_equal(m->out_count, 1);
	assert_str(m->out[0].role, "assistant");
	assert_str(m->out[0].content, "Let me see");
	assert_str(m->out[0].tool_calls, calls);
	assert_int_equal(m->left_out, 0);
}

TEST(agent, llm_messages_of_every_dialect_become_the_same)
{
	static const char numbered_calls[] =
	    "[{\"id\":\"c1\",\"name\":\"w\",\"arguments\":\"{}\"}]";
	struct arena arena = {0};
	struct llm_messages m = messages_of(
	    "{\"gen_ai.prompt.0.role\":\"system\",\"gen_ai.prompt.0.content\":\"Be \\\"kind\\\"\","
	    "\"gen_ai.prompt.1.content\":\"Weather?\",\"gen_ai.prompt.1.role\":\"user\","
	    "\"gen_ai.completion.0.role\":\"assistant\",\"gen_ai.completion.0.content\":"
	    "\"Let me see\",\"gen_ai.completion.0.tool_calls.0.id\":\"c1\","
	    "\"gen_ai.completion.0.tool_calls.0.name\":\"w\","
	    "\"gen_ai.completion.0.tool_calls.0.arguments\":\"{}\"}",
	    NULL, &arena);
	assert_conversation(&m, numbered_calls);
	m = messages_of(
	    "{\"llm.input_messages.0.message.role\":\"system\","
	    "\"llm.input_messages.0.message.content\":\"Be \\\"kind\\\"\","
	    "\"llm.input_messages.1.message.role\":\"user\","
	    "\"llm.input_messages.1.message.contents.0.message_content.type\":\"text\","
	    "\"llm.input_messages.1.message.contents.0.message_content.text\":\"Weather?\","
	    "\"llm.output_messages.0.message.role\":\"assistant\","
	    "\"llm.output_messages.0.message.content\":\"Let me see\","
	    "\"llm.output_messages.0.message.tool_calls.0.tool_call.id\":\"c1\","
	    "\"llm.output_messages.0.message.tool_calls.0.tool_call.function.name\":\"w\","
	    "\"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments\":\"{}\","
	    "\"input.value\":\"other\"}",
	    NULL, &arena);
	assert_conversation(&m, numbered_calls);
	m = messages_of(
	    "{\"gen_ai.system_instructions\":[{\"type\":\"text\",\"content\":\"Be \\\"kind\\\"\"}],"
	    "\"gen_ai.input.messages\":[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":"
	    "\"Weather?\"}]}],\"gen_ai.output.messages\":\"[{\\\"role\\\":\\\"assistant\\\","
	    "\\\"parts\\\":[{\\\"type\\\":\\\"text\\\",\\\"content\\\":\\\"Let me see\\\"},"
	    "{\\\"type\\\":\\\"tool_call\\\",\\\"id\\\":\\\"c1\\\"}]}]\"}",
	    NULL, &arena);
	assert_conversation(&m, "[{\"type\":\"tool_call\",\"id\":\"c1\"}]");
	m = messages_of("{\"gen_ai.system\":\"x\"}",
	    "[{\"t\":1,\"name\":\"gen_ai.system.message\",\"attributes\":{\"content\":\"Be "
	    "\\\"kind\\\"\"}},{\"t\":2,\"name\":\"gen_ai.user.message\",\"attributes\":{\"content\":"
	    "\"Weather?\",\"role\":\"user\"}},{\"t\":3,\"name\":\"gen_ai.choice\",\"attributes\":{"
	    "\"index\":0,\"message\":\"{\\\"role\\\":\\\"assistant\\\",\\\"content\\\":\\\"Let me "
	    "see\\\",\\\"tool_calls\\\":[{\\\"id\\\":\\\"c1\\\"}]}\"}}]",
	    &arena);
	assert_conversation(&m, "[{\"id\":\"c1\"}]");
	arena_fini(&arena);
}

TEST(agent, llm_messages_that_are_no_list_are_one_text)
{
	struct arena arena = {0};
	struct llm_messages m =
	    messages_of("{\"gen_ai.prompt\":\"[{\\\"role\\\":\",\"output.value\":\"yes\"}", NULL,
	        &arena);
	assert_int_equal(m.in_count, 1);
	assert_str(m.in[0].content, "[{\"role\":");
	assert_null(m.in[0].role.ptr);
	assert_int_equal(m.out_count, 1);
	assert_str(m.out[0].content, "yes");
	arena_fini(&arena);
}

TEST(agent, llm_messages_beyond_the_bounds_are_counted)
{
	struct arena arena = {0};
	struct buf b = {0};
	buf_str(&b, STR("{\"gen_ai.prompt.999999999999.role\":\"x\",\"gen_ai.output.messages\":["));
	for (size_t i = 0; i < LLM_MESSAGES_MAX + 3; i++)
		buf_str(&b, i ? STR(",{\"content\":\"m\"}") : STR("{\"content\":\"m\"}"));
	buf_str(&b, STR("]}"));
	buf_char(&b, '\0');
	struct llm_messages m = messages_of(b.ptr, NULL, &arena);
	assert_int_equal(m.in_count, 0);
	assert_int_equal(m.out_count, LLM_MESSAGES_MAX);
	assert_int_equal(m.left_out, 4);
	buf_fini(&b);
	arena_fini(&arena);
}

TEST(agent, llm_messages_of_many_parts_take_little_memory)
{
	struct arena arena = {0};
	struct buf b = {0};
	size_t parts = 200000;
	buf_str(&b, STR("{\"gen_ai.input.messages\":[{\"parts\":["));
	for (size_t i = 0; i < parts; i++)
		buf_str(&b, i ? STR(",\"ab\"") : STR("\"ab\""));
	buf_str(&b, STR("]}]}"));
	buf_char(&b, '\0');
	arena_init(&arena, 16 << 20, 0);
	struct llm_messages m = messages_of(b.ptr, NULL, &arena);
	assert_int_equal(m.in_count, 1);
	assert_int_equal(m.in[0].content.len, parts * 3 - 1);
	buf_fini(&b);
	arena_fini(&arena);
}
