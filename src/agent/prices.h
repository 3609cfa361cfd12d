/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/prices.h - what calls of models cost: a table of prices for a million tokens.
 *
 *     {"prices": [
 *         {"provider": "openai", "models": ["gpt-4o", "gpt-4o-2024-*"],
 *          "input": 2.5, "cached": 1.25, "cache_write": 2.5, "output": 10}, ...]}
 *
 * US dollars. `models` are patterns, `provider` is one: * is any run of characters, the rest counts in either case; without
 * a provider any. The first row that matches holds; those of a file come before the built-in ones. `cached` is of input
 * tokens that were read from a cache, `cache_write` of those written to one; without it they cost what `input` says. A
 * row has `models` and `input`; without `output` it holds for calls that have no output tokens, as of embeddings.
 *
 * The built-in table (agent/prices/builtin.json) has list prices of OpenAI and Anthropic, which go out of date: a file may
 * say better. Sources: the tables of prices in the public code of docs.github.com (data/tables/copilot), docs.rs/adk-model.
 *
 * A file is read strictly: members that are not known, prices below 0 or above 1e9, empty lists are errors that name line and column.
 * At most PRICES_FILE_BYTES_MAX bytes and PRICES_PATTERNS_MAX patterns.
 *
 * Ownership. prices_new() keeps nothing of the text. Threads. A table does not change: any number of readers.
 * Errors. ERR_INVALID: the file, with the place. ERR_TOO_LARGE.
 */
#ifndef AGENT_PRICES_H
#define AGENT_PRICES_H

#include "agent/llm.h"

#include "base/embedded.h"
#include "base/err.h"

enum { PRICES_FILE_BYTES_MAX = 1 << 20, PRICES_PATTERNS_MAX = 10000 };

struct prices; /* opaque */

/* A table of the text, before the built-in rows; an empty text has none. */
MUST_CHECK enum err_code prices_new(struct str text, struct prices **out, struct err *err);
void prices_free(struct prices *p); /* NULL allowed */

/* Dollars: what was sent, or what the table says; the model that answered is looked up first, then the one that was asked
 * for. False: nobody knows, for there is no price, or there are no tokens. p NULL: only what was sent. */
bool prices_cost(const struct prices *p, const struct llm_call *call, double *cost_out);
size_t prices_count(const struct prices *p); /* rows, the built-in ones too */

extern const struct embedded_text agent_prices[]; /* "builtin"; ends with a NULL name */

#endif
