/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/answer_priv.h - between the checks of answers: what they read with, and how they say what is wrong.
 */
#ifndef BENCH_ANSWER_PRIV_H
#define BENCH_ANSWER_PRIV_H

#include "base/err.h"
#include "bench/answer.h"
#include "wire/json_read.h"

/* What a check looks at in a span of an answer. Strings point into the answer. */
struct answer_seen_span {
	struct str trace_id, span_id, service, start_ns;
	struct str value; /* of the attribute that is looked for; ptr NULL: it has none */
};

/* A member of an object that is of this type: a string's content, or a number as it stands there. */
struct answer_member {
	struct str name;
	enum json_token type;
	struct str *out; /* stays as it is when there is no such member */
};
/* At an object's beginning, to its end. False: it is no JSON. */
bool answer_read_members(struct json_reader *r, const struct answer_member *members, size_t count);
/* The same of the answer itself, or of the object that is its member `name` (empty: itself). */
bool answer_read_part(struct str json, struct str name, const struct answer_member *members,
    size_t count, struct err *err);

/* At a span's beginning, whose attribute `key` is looked for. */
bool answer_read_span(struct json_reader *r, struct str key, struct answer_seen_span *out);
/* Calls item() at the beginning of each object in the array that is the answer's member `list`, until one is wrong: it reads to the object's end, or says
 * what is wrong. */
bool answer_each(struct str json, struct str list,
    bool (*item)(void *ctx, struct json_reader *r, struct err *err), void *ctx, struct err *err);
/* On to the value of the answer's member `name`; members before it are passed over. */
bool answer_find_member(struct json_reader *r, struct str json, struct str name,
    enum json_token *value_out);

/* The span is of that service and was sent with that attribute. */
bool answer_was_asked_for(const struct answer_newest *want, const struct payload *p,
    uint64_t number);
/* It is one of the clients that are sending. */
bool answer_is_live(const struct answer_world *world, uint32_t client);
/* How many of the ledger's there have to be beside so many that were sent since. */
size_t answer_room(const struct answer_newest *want, size_t live);

/* Which of the services of `jaeger` it is; PAYLOAD_JAEGER_SERVICES: none. */
unsigned answer_service_number(struct str name);
/* Can it be how long one in twenty of so many spans took, or longer? */
bool answer_is_long(double ms, uint64_t spans);

/* These say what is wrong, and that something is: false. */
bool answer_wrong(struct err *err, const char *what, struct str shown);
bool answer_wrong_count(uint64_t count, uint64_t wanted, const char *what, struct err *err);
bool answer_not_json(const struct json_reader *r, struct err *err);

#endif
