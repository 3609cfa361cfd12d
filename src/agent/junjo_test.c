/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/junjo.h"

#include "tests/test.h"

static struct junjo_span
read_ok(const char *typed, struct arena *arena)
{
	struct junjo_span s;
	struct err err = {0};
	assert_int_equal(junjo_read(str_from(typed), arena, &s, &err), ERR_OK);
	return s;
}

static void
assert_str(struct str have, const char *want)
{
	assert_int_equal(have.ptr == NULL, want == NULL);
	assert_int_equal(have.len, want ? strlen(want) : 0);
	if (want)
		assert_memory_equal(have.ptr, want, have.len);
}

TEST(agent, junjo_first_generation_is_read)
{
	struct arena arena = {0};
	struct junjo_span s = read_ok(
	    "{\"junjo.workflow.state.start\":\"{\\\"n\\\":1}\",\"junjo.workflow.state.end\":\"{}\","
	    "\"junjo.workflow.graph_structure\":\"{\\\"v\\\":1}\",\"junjo.workflow.store.id\":\"st\","
	    "\"junjo.workflow.parent_store.id\":\"pst\",\"junjo.span_type\":\"subflow\","
	    "\"junjo.id\":\"i\",\"junjo.parent_id\":\"p\",\"junjo.workflow.node.count\":7,"
	    "\"junjo.workflow_id\":\"w\",\"node.id\":\"no\"}",
	    &arena);
	assert_true(s.is_junjo);
	assert_int_equal(s.generation, 1);
	assert_int_equal(s.type, JUNJO_SUBFLOW);
	assert_str(s.type_text, "subflow");
	assert_str(s.id, "i");
	assert_str(s.parent_id, "p");
	assert_str(s.definition_id, NULL);
	assert_str(s.store_id, "st");
	assert_str(s.parent_store_id, "pst");
	assert_str(s.state_start, "{\"n\":1}");
	assert_str(s.state_end, "{}");
	assert_str(s.graph, "{\"v\":1}");
	assert_true(s.has_node_count);
	assert_int_equal(s.node_count, 7);
	assert_int_equal(s.state_start_mode, JUNJO_FULL);
	assert_false(s.has_revisions || s.has_transition_count || s.has_reconstructable);
	assert_str(s.legacy_workflow_id, "w");
	assert_str(s.legacy_node_id, "no");
	arena_fini(&arena);
}

TEST(agent, junjo_second_generation_is_read)
{
	struct arena arena = {0};
	struct junjo_span s = read_ok(
	    "{\"junjo.telemetry.contract_version\":1,\"junjo.span_type\":\"node\","
	    "\"junjo.executable_definition_id\":\"d\",\"junjo.executable_runtime_id\":\"r\","
	    "\"junjo.executable_structural_id\":\"s\",\"junjo.enclosing_graph_structural_id\":\"g\","
	    "\"junjo.parent_executable_definition_id\":\"pd\","
	    "\"junjo.parent_executable_runtime_id\":\"pr\","
	    "\"junjo.parent_executable_structural_id\":\"ps\",\"error.type\":\"ValueError\","
	    "\"junjo.workflow.execution_graph_snapshot\":\"{\\\"v\\\":2}\","
	    "\"junjo.cancelled\":true,\"junjo.cancelled_reason\":\"sibling_failed\"}",
	    &arena);
	assert_int_equal(s.generation, 2);
	assert_int_equal(s.type, JUNJO_NODE);
	assert_str(s.id, "r");
	assert_str(s.definition_id, "d");
	assert_str(s.structural_id, "s");
	assert_str(s.parent_id, "pr");
	assert_str(s.parent_definition_id, "pd");
	assert_str(s.parent_structural_id, "ps");
	assert_str(s.enclosing_graph_id, "g");
	assert_str(s.graph, "{\"v\":2}");
	assert_str(s.error_type, "ValueError");
	assert_true(s.cancelled);
	assert_str(s.cancelled_reason, "sibling_failed");
	s = read_ok("{\"junjo.executable_runtime_id\":\"r\",\"junjo.span_type\":\"workflow\"}",
	    &arena);
	assert_int_equal(s.generation, 2); /* 0.63 may not say its version */
	assert_int_equal(s.type, JUNJO_WORKFLOW);
	arena_fini(&arena);
}

TEST(agent, junjo_third_generation_has_payload_modes_and_revisions)
{
	struct arena arena = {0};
	struct junjo_span s =
	    read_ok("{\"junjo.telemetry.contract_version\":2,\"junjo.span_type\":\"workflow\","
	            "\"junjo.parent_executable_type\":\"agent\","
	            "\"junjo.workflow.state.start.mode\":\"excluded\","
	            "\"junjo.workflow.state.start.policy\":\"x\",\"junjo.workflow.state.end.mode\":"
	            "\"reference\",\"junjo.workflow.state.end.reference\":\"s3://b/k\","
	            "\"junjo.store.revision.start\":2,\"junjo.store.revision.end\":5,"
	            "\"junjo.store.transition.count\":3,\"junjo.store.reconstructable\":false,"
	            "\"junjo.correlation.type\":\"order\",\"junjo.correlation.id\":\"o-1\"}",
	        &arena);
	assert_int_equal(s.generation, 3);
	assert_str(s.parent_type, "agent");
	assert_str(s.state_start, NULL);
	assert_int_equal(s.state_start_mode, JUNJO_EXCLUDED);
	assert_int_equal(s.state_end_mode, JUNJO_REFERENCE);
	assert_str(s.state_end_reference, "s3://b/k");
	assert_true(s.has_revisions && s.has_transition_count && s.has_reconstructable);
	assert_int_equal(s.revision_start, 2);
	assert_int_equal(s.revision_end, 5);
	assert_int_equal(s.transition_count, 3);
	assert_false(s.reconstructable);
	assert_str(s.correlation_type, "order");
	assert_str(s.correlation_id, "o-1");
	s = read_ok("{\"junjo.workflow.state.start.mode\":\"sealed\"}", &arena);
	assert_int_equal(s.state_start_mode, JUNJO_REDACTED); /* never taken for the value */
	arena_fini(&arena);
}

TEST(agent, junjo_agents_own_a_store_and_operations_belong_to_them)
{
	struct arena arena = {0};
	struct junjo_span s = read_ok(
	    "{\"junjo.telemetry.contract_version\":2,\"junjo.span_type\":\"agent\","
	    "\"junjo.agent.key\":\"k\",\"junjo.agent.name\":\"N\",\"junjo.agent.store.id\":\"st\","
	    "\"junjo.agent.state.start\":\"{}\",\"junjo.agent.state.start.mode\":\"redacted\","
	    "\"junjo.agent.state.end\":\"[]\",\"junjo.agent.outcome\":\"completed\","
	    "\"junjo.agent.termination_reason\":\"final_output\",\"junjo.executable_runtime_id\":\"r\"}",
	    &arena);
	assert_int_equal(s.type, JUNJO_AGENT);
	assert_str(s.store_id, "st");
	assert_str(s.state_start, "{}");
	assert_int_equal(s.state_start_mode, JUNJO_REDACTED);
	assert_str(s.state_end, "[]");
	assert_str(s.agent_key, "k");
	assert_str(s.agent_name, "N");
	assert_str(s.outcome, "completed");
	assert_str(s.termination_reason, "final_output");
	s = read_ok(
	    "{\"junjo.telemetry.contract_version\":2,\"junjo.agent.operation_type\":\"tool\","
	    "\"junjo.agent.operation.sequence\":4,\"junjo.agent.runtime_id\":\"r\"}",
	    &arena);
	assert_true(s.is_junjo);
	assert_int_equal(s.type, JUNJO_NONE);
	assert_str(s.operation_type, "tool");
	assert_true(s.has_operation_sequence);
	assert_int_equal(s.operation_sequence, 4);
	assert_str(s.agent_runtime_id, "r");
	arena_fini(&arena);
}

TEST(agent, junjo_is_not_seen_where_there_is_none)
{
	static const char *const texts[] = {"{}", "{\"http.method\":\"GET\"}",
	    "{\"a\":\"junjo.id\"}", "{\"node.id\":\"n\"}", "{\"a\":{\"junjo.id\":\"i\"}}",
	    "{\"xjunjo.id\":\"i\",\"a\":\"\\\"junjo.\"}"};
	struct arena arena = {0};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct junjo_span s = read_ok(texts[i], &arena);
		assert_false(s.is_junjo);
		assert_int_equal(s.generation, 0);
		assert_str(s.id, NULL);
		assert_str(s.legacy_node_id, NULL);
	}
	assert_false(read_ok(NULL, &arena).is_junjo);
	assert_int_equal(arena.used_bytes, 0);
	arena_fini(&arena);
}

TEST(agent, junjo_attributes_of_a_wrong_type_are_not_there)
{
	struct arena arena = {0};
	struct junjo_span s = read_ok(
	    "{\"junjo.id\":7,\"junjo.span_type\":[\"node\"],\"junjo.workflow.node.count\":\"7\","
	    "\"junjo.cancelled\":\"true\",\"junjo.workflow.state.start\":{\"a\":1},"
	    "\"junjo.store.revision.start\":1.0,\"junjo.store.revision.end\":99999999999999999999}",
	    &arena);
	assert_true(s.is_junjo);
	assert_str(s.id, NULL);
	assert_int_equal(s.type, JUNJO_NONE);
	assert_false(s.has_node_count || s.cancelled || s.has_revisions);
	assert_str(s.state_start, NULL);
	s = read_ok("{\"junjo.span_type\":\"robot\",\"junjo.id\":\"a\",\"junjo.id\":\"b\"}",
	    &arena);
	assert_int_equal(s.type, JUNJO_OTHER);
	assert_str(s.type_text, "robot");
	assert_str(s.id, "b");
	arena_fini(&arena);
}

TEST(agent, junjo_patches_keep_order_ordinal_and_text)
{
	struct arena arena = {0};
	struct junjo_patches p;
	struct err err = {0};
	const char *events =
	    "[{\"t\":5,\"name\":\"log\"},"
	    "{\"t\":18446744073709551615,\"name\":\"set_state\",\"attributes\":{\"id\":\"e1\","
	    "\"junjo.store.name\":\"S\",\"junjo.store.id\":\"s1\",\"junjo.store.action\":\"act\","
	    "\"junjo.state_json_patch\":\"[{\\\"op\\\":\\\"add\\\"}]\"},\"dropped\":2},"
	    "{\"t\":6,\"name\":\"set_state\"},"
	    "{\"attributes\":{\"junjo.state_json_patch.mode\":\"reference\","
	    "\"junjo.state_json_patch.reference\":\"u\",\"junjo.store.transition.sequence\":3,"
	    "\"junjo.store.revision.before\":2,\"junjo.store.revision.after\":3},"
	    "\"name\":\"set_state\",\"t\":7}]";
	assert_int_equal(junjo_patches(str_from(events), &arena, &p, &err), ERR_OK);
	assert_int_equal(p.count, 3);
	assert_int_equal(p.list[0].ordinal, 1);
	assert_true(p.list[0].time_ns == UINT64_MAX);
	assert_str(p.list[0].id, "e1");
	assert_str(p.list[0].store_id, "s1");
	assert_str(p.list[0].store_name, "S");
	assert_str(p.list[0].action, "act");
	assert_str(p.list[0].patch, "[{\"op\":\"add\"}]");
	assert_int_equal(p.list[0].mode, JUNJO_FULL);
	assert_false(p.list[0].has_sequence || p.list[0].has_revisions);
	assert_int_equal(p.list[1].ordinal, 2);
	assert_str(p.list[1].patch, NULL);
	assert_int_equal(p.list[2].ordinal, 3);
	assert_int_equal(p.list[2].time_ns, 7);
	assert_int_equal(p.list[2].mode, JUNJO_REFERENCE);
	assert_str(p.list[2].reference, "u");
	assert_true(p.list[2].has_sequence && p.list[2].has_revisions);
	assert_int_equal(p.list[2].sequence, 3);
	assert_int_equal(p.list[2].revision_before, 2);
	assert_int_equal(p.list[2].revision_after, 3);
	assert_int_equal(junjo_patches(STR_EMPTY, &arena, &p, &err), ERR_OK);
	assert_int_equal(p.count, 0);
	arena_fini(&arena);
}

TEST(agent, junjo_exceptions_are_events_of_that_name)
{
	struct arena arena = {0};
	struct junjo_exceptions e;
	struct err err = {0};
	const char *events =
	    "[{\"t\":1,\"name\":\"x\",\"attributes\":{\"a\":\"exception\"}},"
	    "{\"t\":2,\"name\":\"exception\",\"attributes\":{\"exception.type\":\"E\","
	    "\"exception.message\":\"a\\nb\",\"exception.stacktrace\":\"s\"}}]";
	assert_int_equal(junjo_exceptions(str_from(events), &arena, &e, &err), ERR_OK);
	assert_int_equal(e.count, 1);
	assert_int_equal(e.list[0].ordinal, 1);
	assert_int_equal(e.list[0].time_ns, 2);
	assert_str(e.list[0].type, "E");
	assert_str(e.list[0].message, "a\nb");
	assert_str(e.list[0].stacktrace, "s");
	arena_fini(&arena);
}

TEST(agent, junjo_reports_a_damaged_store_and_a_spent_arena)
{
	struct arena arena = {0};
	struct junjo_span s;
	struct junjo_patches p;
	struct err err = {0};
	assert_int_equal(junjo_read(STR("{\"junjo.id\":\"x\""), &arena, &s, &err), ERR_CORRUPT);
	assert_int_equal(junjo_read(STR("[\"junjo.id\"]"), &arena, &s, &err), ERR_CORRUPT);
	assert_int_equal(junjo_patches(STR("[{\"t\":-1,\"name\":\"set_state\"}]"), &arena, &p,
	                     &err),
	    ERR_CORRUPT);
	assert_int_equal(junjo_patches(STR("{\"name\":\"set_state\"}"), &arena, &p, &err),
	    ERR_CORRUPT);
	arena_fini(&arena);
	arena_init(&arena, 4, 0);
	assert_int_equal(junjo_read(STR("{\"junjo.id\":\"0123456789\\n\"}"), &arena, &s, &err),
	    ERR_TOO_LARGE);
	assert_int_equal(junjo_patches(STR("[{\"t\":1,\"name\":\"set_state\"}]"), &arena, &p, &err),
	    ERR_TOO_LARGE);
	arena_fini(&arena);
}

TEST(agent, junjo_own_keys_are_the_nine)
{
	static const char *const other[] = {"junjo.workflow.parent_store.id",
	    "junjo.workflow.node.count", "junjo.executable_runtime_id", "", "junjo.id2"};
	static const char *const own[] = {"junjo.workflow_id", "node.id", "junjo.id",
	    "junjo.parent_id", "junjo.span_type", "junjo.workflow.state.start",
	    "junjo.workflow.state.end", "junjo.workflow.graph_structure",
	    "junjo.workflow.store.id"};
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		assert_true(junjo_is_own_key(str_from(own[i])));
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_false(junjo_is_own_key(str_from(other[i])));
}
