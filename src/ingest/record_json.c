/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record_json.h"

#include "comment/comment.h"
#include "ingest/record.h"
#include "otlp/to_json.h"

enum err_code
record_json(struct str payload, struct buf *json, struct err *err)
{
	struct record rec;
	enum err_code code = record_read(payload, &rec, err);
	if (code == ERR_OK)
		code = rec.signal == SIGNAL_COMMENTS
		    ? comment_to_json(rec.body, json, err)
		    : otlp_to_json(rec.signal, rec.body, LIMIT_MESSAGE_DEPTH, json, err);
	return code;
}
