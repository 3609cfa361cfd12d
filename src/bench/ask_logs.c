/* SPDX-License-Identifier: Apache-2.0 */
/* Questions for words in the bodies of log records. */
#include "bench/ask_priv.h"

#include "bench/payload_priv.h"

/* p: of a record that was acknowledged. */
static enum err_code
ask_word(struct asker *a, const struct payload *p, enum payload_word kind, uint64_t word,
    bool *right_out, struct err *err)
{
	char text[PAYLOAD_TEXT_BYTES];
	struct newest newest = {0};
	if (kind != PAYLOAD_NOWHERE)
		ledger_newest_records(a->opt->logs, kind, word, &newest);
	payload_log_word_text(p, kind, word, text);
	buf_printf(&a->path, "/api/v1/logs?limit=%d&text=%s", NEWEST_MAX, text);
	enum err_code code = ask_get(a, err);
	*right_out = code == ERR_OK && ask_has_status(a, 200) &&
	    answer_is_records(buf_view(&a->body), p, &newest, &a->wrong);
	return code;
}

/* The word of a record. */
static enum err_code
ask_word_of(struct asker *a, enum payload_word kind, bool *right_out, struct err *err)
{
	struct payload p;
	uint64_t n;
	if (!ledger_pick_record(a->opt->logs, &a->random, &p, &n))
		return err_set(err, ERR_NOT_FOUND, "no log record was acknowledged");
	uint64_t word = kind == PAYLOAD_NOWHERE ? n % PAYLOAD_LOG_RARE : payload_log_word(kind, n);
	return ask_word(a, &p, kind, word, right_out, err);
}

enum err_code
ask_body_frequent(struct asker *a, bool *right_out, struct err *err)
{
	return ask_word_of(a, PAYLOAD_FREQUENT, right_out, err);
}

enum err_code
ask_body_rare(struct asker *a, bool *right_out, struct err *err)
{
	return ask_word_of(a, PAYLOAD_RARE, right_out, err);
}

enum err_code
ask_body_once(struct asker *a, bool *right_out, struct err *err)
{
	return ask_word_of(a, PAYLOAD_ONCE, right_out, err);
}

enum err_code
ask_body_absent(struct asker *a, bool *right_out, struct err *err)
{
	return ask_word_of(a, PAYLOAD_NOWHERE, right_out, err);
}
