/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/llm.h - spans that call a model, read page by page from the store (llm_walk.c), and what is made of them: sums
 * (llm.c), a list (llm_calls.c).
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
	/* What has come of it. */
	uint64_t spans_read;
	struct store_cursor at; /* behind the last span that was looked at */
	bool more; /* there may be more behind it */
	const char *partial; /* NULL: nothing is missing for want of time or room */
};

/* Sets *enough_out to end the walk behind this call. What is in the arena is gone after the page. */
typedef enum err_code ops_llm_fn(void *ctx, const struct store_result *r, size_t row,
    const struct llm_call *call, bool *enough_out, struct err *err);

/* The parameters model, provider, agent, conversation. */
void ops_llm_filter(const struct op *op, const struct op_value *values, size_t value_count,
    struct ops_llm_walk *w);
MUST_CHECK enum err_code ops_llm_walk(const struct op_context *ctx, struct ops_llm_walk *w,
    ops_llm_fn *each, void *each_ctx, struct err *err);

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
