/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq/format.c - a letter's file, little-endian:
 *
 *        0  "weirdlq\0"   u32 version (1)   u32 crc32c of the head, this field as zero
 *       16  u8 kind (1 letter, 2 mark)  u8 tenant_len  u8 signal_len  u8 zero
 *       20  u32 error_len   u64 payload_len   u32 crc32c of the payload   u32 revision
 *       40  u64 seq   u32 item_first   u32 item_count   u64 identity_hi   u64 identity_lo
 *       72  u64 created_ns   u64 last_ns   u64 next_ns   u32 attempts   u32 zero
 *      104  tenant[64]   signal[8]   error[256]                            (432 bytes)
 *           payload[payload_len]
 *
 * A mark has no payload: it says that this part of the record has been done or dropped. The file
 * ends where it says. Two checksums, so that opening reads heads only and a file without a payload
 * is known by its length.
 */
#include "dlq/dlq_priv.h"

#include "base/bits.h"
#include "base/utf8.h"

#include <stdio.h>

enum {
	VERSION = 1,
	AT_VERSION = 8,
	AT_CRC = 12,
	AT_KIND = 16,
	AT_TENANT_LEN = 17,
	AT_SIGNAL_LEN = 18,
	AT_ERROR_LEN = 20,
	AT_PAYLOAD_LEN = 24,
	AT_PAYLOAD_CRC = 32,
	AT_REVISION = 36,
	AT_SEQ = 40,
	AT_FIRST = 48,
	AT_COUNT = 52,
	AT_IDENTITY = 56,
	AT_CREATED = 72,
	AT_LAST = 80,
	AT_NEXT = 88,
	AT_ATTEMPTS = 96,
	AT_TENANT = 104,
	AT_SIGNAL = 168,
	AT_ERROR = 176,
	SIGNAL_BYTES = AT_ERROR - AT_SIGNAL,
};

static const char magic[8] = "weirdlq";

_Static_assert(AT_ERROR + DLQ_ERROR_BYTES == DLQ_HEAD_BYTES, "the head's fields fill it");
_Static_assert(AT_SIGNAL - AT_TENANT == LIMIT_TENANT_BYTES, "a tenant fits");

static uint32_t
head_crc(const unsigned char *raw)
{
	static const unsigned char none[4] = {0};
	uint32_t crc = hash_crc32c(0, raw, AT_CRC);
	crc = hash_crc32c(crc, none, sizeof(none));
	return hash_crc32c(crc, raw + AT_KIND, DLQ_HEAD_BYTES - AT_KIND);
}

void
dlq_head_write(const struct dlq_head *h, unsigned char out[DLQ_HEAD_BYTES])
{
	const struct dlq_letter *l = &h->letter;
	size_t tenant_len = strlen(l->tenant), signal_len = strlen(l->signal);
	size_t error_len = strlen(l->error);
	CHECK(tenant_len <= LIMIT_TENANT_BYTES);
	CHECK(signal_len <= SIGNAL_BYTES);
	CHECK(error_len < DLQ_ERROR_BYTES);
	memset(out, 0, DLQ_HEAD_BYTES);
	memcpy(out, magic, sizeof(magic));
	put_u32le(out + AT_VERSION, VERSION);
	out[AT_KIND] = (unsigned char)h->kind;
	out[AT_TENANT_LEN] = (unsigned char)tenant_len;
	out[AT_SIGNAL_LEN] = (unsigned char)signal_len;
	put_u32le(out + AT_ERROR_LEN, (uint32_t)error_len);
	put_u64le(out + AT_PAYLOAD_LEN, l->bytes);
	put_u32le(out + AT_PAYLOAD_CRC, h->payload_crc);
	put_u32le(out + AT_REVISION, h->revision);
	put_u64le(out + AT_SEQ, l->seq);
	put_u32le(out + AT_FIRST, l->item_first);
	put_u32le(out + AT_COUNT, l->item_count);
	put_u64le(out + AT_IDENTITY, l->identity.hi);
	put_u64le(out + AT_IDENTITY + 8, l->identity.lo);
	put_u64le(out + AT_CREATED, l->created_ns);
	put_u64le(out + AT_LAST, l->last_ns);
	put_u64le(out + AT_NEXT, l->next_ns);
	put_u32le(out + AT_ATTEMPTS, l->attempts);
	memcpy(out + AT_TENANT, l->tenant, tenant_len);
	memcpy(out + AT_SIGNAL, l->signal, signal_len);
	memcpy(out + AT_ERROR, l->error, error_len);
	put_u32le(out + AT_CRC, head_crc(out));
}

/* NULL, or what is wrong. */
static const char *
check_head(const unsigned char *raw)
{
	if (memcmp(raw, magic, sizeof(magic)) != 0)
		return "it is no letter";
	if (get_u32le(raw + AT_VERSION) != VERSION)
		return "it was written by another version of weir";
	if (get_u32le(raw + AT_CRC) != head_crc(raw))
		return "the checksum of its head does not match";
	if ((raw[AT_KIND] != DLQ_KIND_LETTER && raw[AT_KIND] != DLQ_KIND_MARK) ||
	    raw[AT_TENANT_LEN] > LIMIT_TENANT_BYTES || raw[AT_SIGNAL_LEN] > SIGNAL_BYTES ||
	    get_u32le(raw + AT_ERROR_LEN) >= DLQ_ERROR_BYTES)
		return "its head is malformed";
	uint32_t first = get_u32le(raw + AT_FIRST), count = get_u32le(raw + AT_COUNT);
	if (count == 0 || (count > UINT32_MAX - first && count != DLQ_ALL_ITEMS))
		return "its head names items that cannot be";
	return NULL;
}

static void
decode_head(const unsigned char *raw, struct dlq_head *out)
{
	struct dlq_letter *l = &out->letter;
	*out = (struct dlq_head){
	    .kind = raw[AT_KIND] == DLQ_KIND_MARK ? DLQ_KIND_MARK : DLQ_KIND_LETTER,
	    .revision = get_u32le(raw + AT_REVISION),
	    .payload_crc = get_u32le(raw + AT_PAYLOAD_CRC)};
	l->seq = get_u64le(raw + AT_SEQ);
	l->item_first = get_u32le(raw + AT_FIRST);
	l->item_count = get_u32le(raw + AT_COUNT);
	l->identity.hi = get_u64le(raw + AT_IDENTITY);
	l->identity.lo = get_u64le(raw + AT_IDENTITY + 8);
	l->attempts = get_u32le(raw + AT_ATTEMPTS);
	l->created_ns = get_u64le(raw + AT_CREATED);
	l->last_ns = get_u64le(raw + AT_LAST);
	l->next_ns = get_u64le(raw + AT_NEXT);
	l->bytes = get_u64le(raw + AT_PAYLOAD_LEN);
	dlq_text_clean(l->tenant, sizeof(l->tenant), str_of(raw + AT_TENANT, raw[AT_TENANT_LEN]));
	dlq_text_clean(l->signal, sizeof(l->signal), str_of(raw + AT_SIGNAL, raw[AT_SIGNAL_LEN]));
	dlq_text_clean(l->error, sizeof(l->error),
	    str_of(raw + AT_ERROR, get_u32le(raw + AT_ERROR_LEN)));
}

static enum err_code
corrupt(const char *path, const char *why, const char **why_out, struct err *err)
{
	*why_out = why;
	return err_set(err, ERR_CORRUPT, "%s: %s", path, why);
}

static enum err_code
read_open_head(const struct file *f, struct dlq_head *out, const char **why_out, struct err *err)
{
	unsigned char raw[DLQ_HEAD_BYTES];
	size_t got;
	uint64_t size;
	enum err_code code = file_size(f, &size, err);
	if (code == ERR_OK)
		code = file_pread(f, 0, raw, sizeof(raw), &got, err);
	if (code != ERR_OK)
		return code;
	if (size == 0)
		return corrupt(f->path, "it is empty", why_out, err);
	if (size > DLQ_HEAD_BYTES + DLQ_PAYLOAD_BYTES_MAX)
		return corrupt(f->path, "it is too large for a letter", why_out, err);
	if (got < sizeof(raw))
		return corrupt(f->path, "it ends inside its head", why_out, err);
	const char *why = check_head(raw);
	if (why)
		return corrupt(f->path, why, why_out, err);
	decode_head(raw, out);
	if (size - DLQ_HEAD_BYTES != out->letter.bytes)
		return corrupt(f->path, "it is not as long as it says", why_out, err);
	return ERR_OK;
}

static enum err_code
read_open_payload(const struct file *f, const struct dlq_head *h, struct buf *payload,
    const char **why_out, struct err *err)
{
	size_t n = (size_t)h->letter.bytes, got = 0;
	char *to = buf_reserve(payload, n);
	if (!to)
		return err_set(err, ERR_TOO_LARGE, "%s: its payload of %zu bytes is too large",
		    f->path, n);
	enum err_code code = file_pread(f, DLQ_HEAD_BYTES, to, n, &got, err);
	if (code != ERR_OK)
		return code;
	if (got < n || hash_crc32c(0, to, n) != h->payload_crc)
		return corrupt(f->path, "the checksum of its payload does not match", why_out, err);
	payload->len += n;
	return ERR_OK;
}

enum err_code
dlq_file_read(const char *path, struct dlq_head *out, struct buf *payload, const char **why_out,
    struct err *err)
{
	struct file f;
	*why_out = NULL;
	enum err_code code = file_open(path, FILE_READ, &f, err);
	if (code == ERR_OK)
		code = read_open_head(&f, out, why_out, err);
	if (code == ERR_OK && payload)
		code = read_open_payload(&f, out, payload, why_out, err);
	file_close(&f);
	return code;
}

enum err_code
dlq_head_read(const char *path, struct dlq_head *out, const char **why_out, struct err *err)
{
	return dlq_file_read(path, out, NULL, why_out, err);
}

void
dlq_text_clean(char *out, size_t size, struct str text)
{
	size_t n = 0;
	CHECK(size > 0);
	while (text.len > 0 && n + 1 < size) {
		size_t valid = utf8_valid_len((struct str){text.ptr, text.len < 4 ? text.len : 4});
		unsigned char c = (unsigned char)text.ptr[0];
		uint32_t cp = 0;
		size_t len = valid > 0 ? utf8_get(text, &cp) : 1;
		if (n + len >= size)
			break;
		if (valid == 0 || c < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
			out[n++] = valid == 0 ? '?' : ' ';
		} else {
			memcpy(out + n, text.ptr, len);
			n += len;
		}
		text = str_skip(text, len);
	}
	out[n] = '\0';
}

void
dlq_id_write(struct dlq_key key, char out[DLQ_ID_BYTES])
{
	snprintf(out, DLQ_ID_BYTES, "%016llx-%08x", (unsigned long long)key.seq, key.first);
}

bool
dlq_id_read(struct str id, struct dlq_key *out)
{
	char again[DLQ_ID_BYTES];
	uint64_t first;
	char padded[16];
	if (id.len != 25 || id.ptr[16] != '-' || !hex_to_u64(id.ptr, 16, &out->seq))
		return false;
	memset(padded, '0', 8);
	memcpy(padded + 8, id.ptr + 17, 8);
	if (!hex_to_u64(padded, 16, &first))
		return false;
	out->first = (uint32_t)first;
	dlq_id_write(*out, again); /* in this spelling only, for it is a file's name */
	return str_eq(str_from(again), id);
}

int
dlq_key_cmp(struct dlq_key a, struct dlq_key b)
{
	if (a.seq != b.seq)
		return a.seq < b.seq ? -1 : 1;
	return a.first < b.first ? -1 : a.first > b.first;
}
