/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/llm.h - spans that call a model, read page by page from the store (llm_walk.c), and what is made of them: sums
 * (llm.c), a list (llm_calls.c); and the agents that spans above them name (llm_above.c).
 *
 * The store finds candidates by their attributes (ops_ask_for_llm()), llm_read() says which of them are calls. A walk ends
 * when all is read, when whoever is asked has enough, or when LLM_SPANS_MAX spans or most of the time of a query are spent:
 * then `partial` says why, in a sentence.
 */
#ifndef OPS_LLM_H
#define OPS_LLM_H

#include "ops/ops_priv.h"

#include "agent/llm.h"

enum { LLM_SPANS_MAX = 1000000, LLM_PAGE_ROWS = 1000 };

struct ops_llm_walk {
	struct store_query q; /* of STORE_SPANS; its row_max does not matter */
	struct str model, provider, agent, conversation; /* equal; empty: any */
	bool
	    wants_agents; /* a call that names no agent gets that of the spans above it; `agent` implies it */
	/* What has come of it. */
	uint64_t spans_read;
	struct store_cursor at; /* behind the last span that was looked at */
	bool more; /* there may be more behind it */
	const char *partial; /* NULL: nothing is missing for want of time or room */
	struct ops_llm_above *above; /* while it walks; NULL: nobody wants it */
};

/* Sets *enough_out to end the walk behind this call. What is in the arena is gone after the page. */
typedef enum err_code ops_llm_fn(void *ctx, const struct store_result *r, size_t row,
    const struct llm_call *call, bool *enough_out, struct err *err);

/* The parameters model, provider, agent, conversation. */
void ops_llm_filter(const struct op *op, const struct op_value *values, size_t value_count,
    struct ops_llm_walk *w);
MUST_CHECK enum err_code ops_llm_walk(const struct op_context *ctx, struct ops_llm_walk *w,
    ops_llm_fn *each, void *each_ctx, struct err *err);

/* The last part of the time is for the answer, and for the page that is being read. */
bool ops_llm_late(const struct op_context *ctx);

/*
 * Agents above calls. A span that names an agent has begun before its calls, so spans that can stand between the two (those that say
 * anything in one of the dialects) are read newest first, as calls are, and an hour further back than the page of calls in hand; of each its
 * ids and the agent it names are kept. So the way up from a call is exact, and ends where a span on it says nothing of all this, began more than
 * an hour before, or has not come. Each of them costs as much as a call to read (21,000 beside 9,000
 * calls: 0.44 s, 0.12 s without), and no more memory is taken than for LLM_ABOVE_MAX spans: of calls older than those the agents are not
 * known, which `partial` says.
 */
enum { LLM_ABOVE_MAX = 100000, LLM_ABOVE_HOURS = 1 };

struct ops_llm_above *ops_llm_above_new(const struct op_context *ctx, const struct store_query *q);
void ops_llm_above_free(struct ops_llm_above *a); /* NULL allowed */
/* Of the call in this row of a page; empty: nobody names one. The text lives as long as `a`. */
MUST_CHECK enum err_code ops_llm_above_agent(struct ops_llm_above *a, const struct table *page,
    size_t row, struct str *out, struct err *err);
const char *ops_llm_above_partial(const struct ops_llm_above *a); /* as of a walk */

/* Of a call: did it fail? */
bool ops_llm_failed(const struct store_result *r, size_t row, const struct llm_call *call);
/* Time to the first piece of the answer; false: nobody said. */
bool ops_llm_first_token(const struct store_result *r, size_t row, const struct llm_call *call,
    uint64_t *ns_out);
/* llm_call.c: the members of an LlmCall. */
void ops_llm_write_call(struct json_writer *w, const struct op_context *ctx,
    const struct store_result *r, size_t row, const struct llm_call *call);
/* Members partial and partial_reason. */
void ops_llm_write_partial(struct json_writer *w, const char *partial);

extern const struct op_param ops_llm_params[];
extern const struct op_param ops_llm_calls_params[];
enum err_code ops_llm(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_llm_calls(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);

#endif
