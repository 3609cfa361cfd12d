/* SPDX-License-Identifier: Apache-2.0 */
#include "reads/message.h"

#include "base/bits.h"
#include "wire/pb.h"

static enum err_code
read_key(struct str key, uint64_t newest_seq, struct store_cursor *out, struct err *err)
{
	*out = (struct store_cursor){0};
	if (key.len == 0)
		return ERR_OK;
	if (key.len != READS_KEY_BYTES)
		return err_set(err, ERR_INVALID,
		    "start_key_ulid has %zu bytes: it is empty, or the %d bytes of a key that was "
		    "given in an answer",
		    key.len, READS_KEY_BYTES);
	uint64_t ord = get_u64be(key.ptr + 8);
	out->set = true;
	out->seq = get_u64be(key.ptr);
	out->ord = ord < UINT32_MAX ? (uint32_t)ord : UINT32_MAX;
	if (out->seq > newest_seq)
		return err_set(err, ERR_INVALID,
		    "start_key_ulid is beyond all that was written here: it is a key of another "
		    "server or data folder; begin with an empty one");
	return ERR_OK;
}

enum err_code
reads_request_read(struct str message, uint64_t newest_seq, struct reads_request *out,
    struct err *err)
{
	struct pb_reader r;
	struct pb_field f;
	struct str key = STR_EMPTY;
	*out = (struct reads_request){.batch_size = 0};
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_BYTES): key = f.bytes; break;
		case PB_KEY(2, PB_VARINT): out->batch_size = (uint32_t)f.value; break;
		}
	if (pb_failed(&r))
		return err_set(err, ERR_INVALID, "the request is no ReadSpansRequest: %s", r.error);
	return read_key(key, newest_seq, &out->after, err);
}

enum err_code
reads_key_request_read(struct str message, struct str *out, struct err *err)
{
	struct pb_reader r;
	struct pb_field f;
	*out = STR_EMPTY;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(1, PB_BYTES))
			*out = f.bytes;
	if (pb_failed(&r))
		return err_set(err, ERR_INVALID, "the request is no ValidateApiKeyRequest: %s",
		    r.error);
	return ERR_OK;
}

void
reads_key_write(uint64_t seq, uint32_t ord, char out[READS_KEY_BYTES])
{
	put_u32be(out, (uint32_t)(seq >> 32));
	put_u32be(out + 4, (uint32_t)seq);
	put_u32be(out + 8, 0);
	put_u32be(out + 12, ord);
}
