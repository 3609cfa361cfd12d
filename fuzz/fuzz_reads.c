/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of ReadSpans and ValidateApiKey: whatever is taken is a place that is written as a key and read again. */
#include "reads/message.h"

#include "wire/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const struct reads_request *q, uint64_t newest)
{
	struct reads_request again;
	struct buf b = {0};
	struct err err;
	char key[READS_KEY_BYTES];
	reads_key_write(q->after.seq, q->after.ord, key);
	pb_put_bytes(&b, 1, str_of(key, sizeof(key)));
	pb_put_u64(&b, 2, q->batch_size);
	enum err_code code = reads_request_read(buf_view(&b), newest, &again, &err);
	CHECK(code == ERR_OK && again.after.set);
	CHECK(again.after.seq == q->after.seq && again.after.ord == q->after.ord);
	CHECK(again.batch_size == q->batch_size);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t newest = UINT64_C(1) << 60;
	struct reads_request q;
	struct str token;
	struct err err;
	if (reads_request_read(str_of(data, size), newest, &q, &err) == ERR_OK && q.after.set) {
		CHECK(q.after.seq <= newest);
		check_again(&q, newest);
	}
	if (reads_key_request_read(str_of(data, size), &token, &err) == ERR_OK)
		CHECK(token.len <= size);
	return 0;
}
