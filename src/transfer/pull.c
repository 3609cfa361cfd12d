/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weir pull`: where weir stands in a source, what is behind that, brought; again and again.
 *
 * The position is weir's to know (POST /api/v1/pulls, ingest/pull.h), never ours: it is asked at the start and after every doubt, so
 * that a process that was killed anywhere goes on exactly behind what is durable. While one end is away the batch in
 * hand is kept, and tried again. A batch whose answer was lost is known by the position: when weir stands at its end it was taken.
 *
 * What may pass (refused, not found, unavailable, silent) is tried again without an end, for somebody watches who can end it; with
 * --once a script waits for an answer, and gets one after --tries in a row. An end that is busy has answered, and is waited for
 * longer. What cannot pass (no such service, the key is not good) ends it at once.
 */
#include "transfer/pull_priv.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/signal.h"
#include "sys/tcp.h"
#include "wire/json_read.h"
#include "wire/pb.h"

#include <stdlib.h>

#define API_DEFAULT "http://127.0.0.1:7700"

enum {
	CONNECT_MS = 5000,
	TIMEOUT_S = 60,
	BATCH_DEFAULT = 1000,
	BATCH_MAX = 10000,
	BACKOFF_MS = 250,
	BACKOFF_MAX_MS = 15000,
	BUSY_PAUSE_MS = 1000, /* as weir's Retry-After says */
	BUSY_MINUTES = 10, /* with --once */
	TRIES_DEFAULT = 5,
	TRIES_MAX = 1000,
	SMALL_RESOURCE_BYTES = 512, /* goes along with a span that does not */
	NAME_MAX_BYTES = LIMIT_SOURCE_BYTES,
};

struct pulling {
	struct transfer_args args;
	char name[NAME_MAX_BYTES + 1];
	char path[NAME_MAX_BYTES + 32]; /* of the API */
	uint64_t batch_max, interval_ns;
	bool once, quiet, stopped;
	struct http_client *api;
	struct pull_source source;
	struct pull_position at;
	struct pull_batch batch;
	struct buf body, answer;
	uint64_t
	    limit; /* spans of the next batch: less than batch_max after one that was too large */
	uint64_t accepted, rejected, batches;
	uint64_t backoff_ms;
	uint64_t tries_max; /* of an end that is away, in a row; 0: without an end */
	uint64_t tries; /* that have failed */
	uint64_t busy_since_ns; /* clock_mono_ns; 0: it is not */
	bool away; /* that an end is away has been said */
	bool rival; /* that somebody else pulls it too has been said */
	struct progress progress;
};

static const struct usage_option options[] = {
    {.name = "source",
        .value = "NAME",
        .help = "what weir calls it, and remembers its position by",
        .fallback = "made of ADDR"},
    {.name = "source-key",
        .value = "KEY",
        .help = "sent to it as x-junjo-api-key ($WEIR_SOURCE_KEY)"},
    {.name = "batch",
        .value = "N",
        .help = "spans to ask for at once",
        .fallback = "1000",
        .min = 1,
        .max = BATCH_MAX},
    {.name = "interval",
        .value = "TIME",
        .help = "wait so long when there is nothing new",
        .fallback = "1s"},
    {.name = "once", .help = "end when all there is has been pulled"},
    {.name = "tries",
        .value = "N",
        .help = "with --once: ask an end that is away so often",
        .fallback = "5",
        .min = 1,
        .max = TRIES_MAX},
    {.name = "url", .value = "URL", .help = "the API of weir ($WEIR_URL)", .fallback = API_DEFAULT},
    {.name = "token", .value = "KEY", .help = "a key that may ingest (better: $WEIR_TOKEN)"},
    {.name = "tenant", .value = "NAME", .help = "whose spans they become ($WEIR_TENANT)"},
    TRANSFER_OPTIONS_TLS,
    {.name = ""},
};
_Static_assert(ARRAY_LEN(options) <= TRANSFER_OPTIONS_MAX, "a place for the value of each");

const struct usage transfer_pull_usage = {.name = "pull",
    .help = "pull spans out of a service that keeps them in a log",
    .arguments = "ADDR",
    .argument = {.value = "ADDR"},
    .about = "ADDR is host:port, or an http:// or https:// URL, of a gRPC service that has\n"
             "ingestion.InternalIngestionService/ReadSpans. Each span becomes visible exactly\n"
             "once: the position in the source is kept by weir, with the spans. What is no\n"
             "valid span, or is larger than weir takes at once (--max-wire-bytes), is put into\n"
             "quarantine (weir dlq list) and does not stop the others; of one that is larger\n"
             "than --max-body-bytes only its ids are, and it is said and counted.\n"
             "It goes on until it is interrupted, whichever end goes away meanwhile. With\n"
             "--once it ends when there is nothing more, and with an error when an end cannot\n"
             "be asked --tries times in a row (5 take 4 seconds, and what connecting takes)\n"
             "or weir says for 10 minutes that it is busy. No such service, or a key that is\n"
             "not good, is an error at once either way.\n",
    .example = "weir pull junjo-ingestion:50052 --once",
    .options = options};

/* ---- words */

static bool
is_stopped(void *ctx)
{
	struct pulling *p = ctx;
	p->stopped = p->stopped || signal_wait_stop(clock_mono_ns()) != 0;
	return p->stopped;
}

static void
note(struct pulling *p, const char *what, const struct err *err)
{
	struct buf text = {0};
	transfer_progress_end(&p->progress);
	buf_printf(&text, "%s%s%s", what, err ? ": " : "", err ? err->message : "");
	transfer_say_text("pull", buf_view(&text));
	buf_fini(&text);
}

/* It may go well later. */
static bool
may_pass(enum err_code code)
{
	return code == ERR_UNAVAILABLE || code == ERR_BUSY;
}

/* It has been tried often enough. */
static bool
is_enough(struct pulling *p, bool busy)
{
	uint64_t now_ns = clock_mono_ns();
	if (!busy)
		return p->tries_max > 0 && ++p->tries >= p->tries_max;
	p->tries = 0; /* it is there */
	if (p->busy_since_ns == 0)
		p->busy_since_ns = now_ns;
	return p->tries_max > 0 && now_ns > p->busy_since_ns + BUSY_MINUTES * 60 * NS_PER_S;
}

static enum err_code
give_up(const struct pulling *p, const char *who, struct err *err)
{
	if (err->code == ERR_BUSY)
		return err_wrap(err, "%s has been busy for %d minutes", who, BUSY_MINUTES);
	return err_wrap(err, "%s cannot be asked, tried %llu %s (--tries)", who,
	    (unsigned long long)p->tries, p->tries == 1 ? "time" : "times");
}

static void
say_away(struct pulling *p, const char *who, const struct err *err)
{
	char what[120];
	if (p->tries_max == 0)
		snprintf(what, sizeof(what),
		    "%s cannot be asked now, it is tried again until it can", who);
	else if (err->code == ERR_BUSY)
		snprintf(what, sizeof(what), "%s is busy, it is tried again for %d minutes", who,
		    BUSY_MINUTES);
	else
		snprintf(what, sizeof(what),
		    "%s cannot be asked now, it is tried %llu times in all", who,
		    (unsigned long long)p->tries_max);
	note(p, what, err);
}

/* It was asked and failed with what may pass. Say so once, and wait, longer each time; ERR_OK: now again. ERR_CANCELLED: stopped;
 * else it was enough, and *err says of what. */
static enum err_code
back_off(struct pulling *p, const char *who, struct err *err)
{
	bool busy = err->code == ERR_BUSY;
	uint64_t most_ms = busy ? BUSY_PAUSE_MS : BACKOFF_MAX_MS;
	if (is_enough(p, busy))
		return give_up(p, who, err);
	if (!p->away)
		say_away(p, who, err);
	p->away = true;
	p->backoff_ms = p->backoff_ms == 0 ? BACKOFF_MS : 2 * p->backoff_ms;
	if (p->backoff_ms > most_ms)
		p->backoff_ms = most_ms;
	p->stopped =
	    p->stopped || signal_wait_stop(clock_mono_ns() + p->backoff_ms * NS_PER_MS) != 0;
	return p->stopped ? ERR_CANCELLED : ERR_OK;
}

static void
all_well(struct pulling *p)
{
	if (p->away && !p->quiet)
		note(p, "it goes on", NULL);
	p->away = false;
	p->backoff_ms = p->tries = p->busy_since_ns = 0;
}

/* ---- weir */

/* A member of the answer, which is an object; empty: it has none such. */
static struct str
member(const struct buf *json, const char *name)
{
	struct json_reader r;
	enum json_token token;
	jsonr_begin(&r, buf_view(json));
	if (jsonr_next(&r) != JSON_OBJECT)
		return STR_EMPTY;
	while (jsonr_next(&r) == JSON_KEY) {
		bool found = str_eq(r.raw, str_from(name));
		token = jsonr_next(&r);
		if (found)
			return token == JSON_STRING || token == JSON_NUMBER ? r.raw : STR_EMPTY;
		if (!jsonr_skip(&r, token))
			break;
	}
	return STR_EMPTY;
}

static enum err_code
read_position(const struct buf *json, struct pull_position *out, struct err *err)
{
	struct str hex = member(json, "position");
	if (!hex.ptr || hex.len > 2 * LIMIT_POSITION_BYTES || hex.len % 2 != 0 ||
	    !hex_decode(hex.ptr, hex.len / 2, out->bytes))
		return err_set(err, ERR_CORRUPT,
		    "weir answers with what is no position: is that the right --url?");
	out->len = hex.len / 2;
	return ERR_OK;
}

/* What an answer that is none of 200, 409 means. */
static enum err_code
code_of_status(int status)
{
	if (status == 429)
		return ERR_BUSY;
	if (status == 413)
		return ERR_TOO_LARGE;
	return status == 500 || transfer_comes_again(status) ? ERR_UNAVAILABLE : ERR_FORBIDDEN;
}

/* One request; what may pass is may_pass(), a conflict ERR_CONFLICT. */
static enum err_code
ask_weir_once(struct pulling *p, const char *method, struct str body, struct err *err)
{
	struct http_client_answer answer = {.body = &p->answer};
	struct http_client_request req = {.method = method,
	    .path_and_query = str_from(p->path),
	    .content_type = body.len > 0 ? "application/x-protobuf" : NULL,
	    .body = body};
	enum err_code code = http_client_exchange(p->api, &req, &answer, err);
	if (code == ERR_DEADLINE)
		return err_set(err, ERR_UNAVAILABLE, "%s", err->message);
	if (code != ERR_OK || answer.status == 200)
		return code;
	if (answer.status == 409)
		return err_set(err, ERR_CONFLICT, "weir stands somewhere else");
	struct str said = str_trim(buf_view(&p->answer));
	return err_set(err, code_of_status(answer.status), "weir answers %d: %.*s", answer.status,
	    (int)(said.len < 120 ? said.len : 120), said.len > 0 ? said.ptr : "");
}

/* Until it answers what does not pass. */
static enum err_code
ask_weir(struct pulling *p, const char *method, struct str body, struct err *err)
{
	enum err_code code;
	while (may_pass(code = ask_weir_once(p, method, body, err))) {
		code = back_off(p, "weir", err);
		if (code != ERR_OK)
			return code;
	}
	if (code == ERR_OK)
		all_well(p);
	return code;
}

/* Where the source stands, as weir says. */
static enum err_code
ask_position(struct pulling *p, struct err *err)
{
	enum err_code code = ask_weir(p, "GET", STR_EMPTY, err);
	return code == ERR_OK ? read_position(&p->answer, &p->at, err) : code;
}

static bool
is_at(const struct pull_position *a, const struct pull_position *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void
count_answer(struct pulling *p)
{
	uint64_t accepted = 0, rejected = 0;
	if (str_to_u64(member(&p->answer, "accepted"), &accepted))
		p->accepted += accepted;
	if (str_to_u64(member(&p->answer, "rejected"), &rejected))
		p->rejected += rejected;
	if (rejected > 0 && !p->quiet) {
		char text[300];
		struct str why = member(&p->answer, "reason");
		snprintf(text, sizeof(text),
		    "%llu of %llu spans cannot be taken and are in quarantine: %.*s",
		    (unsigned long long)rejected,
		    (unsigned long long)accepted + (unsigned long long)rejected,
		    (int)(why.len < 160 ? why.len : 160), why.len > 0 ? why.ptr : "");
		note(p, text, NULL);
	}
}

/* Weir does not stand where the batch begins: because it was taken and the answer was lost, or by somebody else's doing. */
static enum err_code
resolve(struct pulling *p, struct err *err)
{
	enum err_code code = ask_position(p, err);
	if (code != ERR_OK)
		return code;
	if (is_at(&p->at, &p->batch.end)) {
		p->accepted += p->batch.count;
		p->batches++;
	} else if (!p->rival) {
		p->rival = true;
		note(p,
		    "somebody else pulls this source too, or the name is another's: each span is taken once all "
		    "the same",
		    NULL);
	}
	return ERR_OK;
}

static void
begin_body(struct pulling *p)
{
	buf_reset(&p->body);
	pb_put_bytes(&p->body, 1, str_of((const char *)p->at.bytes, p->at.len));
	pb_put_bytes(&p->body, 2, str_of((const char *)p->batch.end.bytes, p->batch.end.len));
}

static enum err_code
send_body(struct pulling *p, struct err *err)
{
	if (p->body.failed)
		return err_set(err, ERR_INTERNAL, "no memory for a batch");
	return ask_weir(p, "POST", buf_view(&p->body), err);
}

/* The first field of this number in a message; empty: there is none. */
static struct str
field_of(struct str message, uint32_t number)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(number, PB_BYTES))
			return f.bytes;
	return STR_EMPTY;
}

/* Instead of the one span in hand, which weir does not take at all: what is known of it, so that it is noted and holds nothing up. */
static enum err_code
leave_out(struct pulling *p, struct err *err)
{
	char text[160];
	struct str record = field_of(buf_view(&p->batch.records), 3);
	struct str span = field_of(record, 2), resource = field_of(record, 3);
	snprintf(text, sizeof(text),
	    "the next span has %zu bytes and is left out, only the source has it: more than weir takes "
	    "(weir serve --max-body-bytes)",
	    record.len);
	begin_body(p);
	size_t mark = pb_open(&p->body, 3);
	pb_put_bytes(&p->body, 1, field_of(record, 1));
	if (resource.len > 0 && resource.len <= SMALL_RESOURCE_BYTES)
		pb_put_bytes(&p->body, 3, resource);
	pb_put_u64(&p->body, 7, record.len);
	pb_put_bytes(&p->body, 8, field_of(span, 1));
	pb_put_bytes(&p->body, 9, field_of(span, 2));
	pb_close(&p->body, mark);
	note(p, text, NULL);
	return send_body(p, err);
}

/* The batch is in hand until it is taken. */
static enum err_code
bring(struct pulling *p, struct err *err)
{
	begin_body(p);
	buf_str(&p->body, buf_view(&p->batch.records));
	enum err_code code = send_body(p, err);
	if (code == ERR_CONFLICT)
		return resolve(p, err);
	if (code == ERR_TOO_LARGE && p->batch.count > 1) {
		p->limit = p->batch.count / 2;
		return ERR_OK; /* from the same place, with less */
	}
	if (code == ERR_TOO_LARGE) {
		code = leave_out(p, err);
		if (code == ERR_CONFLICT)
			return resolve(p, err);
	}
	if (code != ERR_OK)
		return code;
	count_answer(p);
	p->at = p->batch.end;
	p->batches++;
	p->limit = p->limit * 2 < p->batch_max ? p->limit * 2 : p->batch_max;
	return ERR_OK;
}

/* ---- the loop */

static enum err_code
read_batch(struct pulling *p, struct err *err)
{
	enum err_code code;
	while (may_pass(code = pull_source_read(&p->source, &p->at, p->limit, &p->batch, err))) {
		code = back_off(p, "the source", err);
		if (code != ERR_OK)
			return code;
	}
	if (code == ERR_OK)
		all_well(p);
	return code == ERR_OK || code == ERR_CANCELLED ? code : err_wrap(err, "the source");
}

static enum err_code
pull(struct pulling *p, struct err *err)
{
	enum err_code code = ask_position(p, err);
	while (code == ERR_OK && !is_stopped(p)) {
		uint64_t asked = p->limit;
		code = read_batch(p, err);
		if (code != ERR_OK)
			break;
		bool moved = p->batch.end.len > 0 && !is_at(&p->batch.end, &p->at);
		bool more =
		    moved && (p->batch.count >= asked || p->batch.remaining > 0 || p->batch.cut);
		if (moved) {
			code = bring(p, err);
			more = more || p->limit < asked;
		}
		transfer_progress_move(&p->progress, 0, p->accepted + p->rejected);
		if (code != ERR_OK || more)
			continue;
		if (p->once)
			return ERR_OK;
		p->stopped = signal_wait_stop(clock_mono_ns() + p->interval_ns) != 0;
	}
	return code == ERR_CANCELLED ? ERR_OK : code;
}

/* ---- the command */

static struct str
bare_address(struct str address)
{
	static const char *const schemes[] = {"http://", "https://"};
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (str_starts(address, str_from(schemes[i])))
			address = str_skip(address, strlen(schemes[i]));
	while (address.len > 1 && address.ptr[address.len - 1] == '/')
		address.len--;
	return address;
}

/* "http://10.0.0.7:50052/" is 10.0.0.7_50052. */
static void
make_name(struct str address, char out[NAME_MAX_BYTES + 1])
{
	size_t n = 0;
	address = bare_address(address);
	for (size_t i = 0; i < address.len && n < NAME_MAX_BYTES; i++) {
		char c = address.ptr[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
		out[n++] = plain ? c : '_';
	}
	out[n] = '\0';
}

static bool
name_is_good(const char *name)
{
	char made[NAME_MAX_BYTES + 1];
	size_t len = strlen(name);
	if (len == 0 || len > NAME_MAX_BYTES || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	make_name(str_from(name), made);
	return strcmp(name, made) == 0;
}

/* An option that is a number from 1 to max. */
static enum err_code
read_number(const struct pulling *p, const char *name, uint64_t max, uint64_t *out, struct err *err)
{
	const char *text = transfer_value(&p->args, name);
	if (!text || (str_to_u64(str_from(text), out) && *out > 0 && *out <= max))
		return ERR_OK;
	return err_set(err, ERR_INVALID, "--%s: \"%.40s\" is no number from 1 to %llu", name, text,
	    (unsigned long long)max);
}

static enum err_code
read_numbers(struct pulling *p, struct err *err)
{
	const char *interval = transfer_value(&p->args, "interval");
	p->batch_max = BATCH_DEFAULT;
	p->interval_ns = NS_PER_S;
	p->tries_max = p->once ? TRIES_DEFAULT : 0;
	enum err_code code = read_number(p, "batch", BATCH_MAX, &p->batch_max, err);
	if (code == ERR_OK)
		code = read_number(p, "tries", TRIES_MAX, &p->tries_max, err);
	if (code != ERR_OK)
		return code;
	if (interval && !time_parse_span(str_from(interval), &p->interval_ns))
		return err_set(err, ERR_INVALID,
		    "--interval: \"%.40s\" is no length of time, like 500ms or 2s", interval);
	if (transfer_value(&p->args, "tries") && !p->once)
		return err_set(err, ERR_INVALID,
		    "--tries is for --once: without it an end that is away is asked again until it answers");
	p->limit = p->batch_max;
	return ERR_OK;
}

static enum err_code
prepare(struct pulling *p, struct err *err)
{
	if (p->args.word_count != 1)
		return err_set(err, ERR_INVALID, "which service? One address is needed");
	p->source.address = str_from(p->args.words[0]);
	if (tcp_address_check(bare_address(p->source.address), err) != ERR_OK)
		return ERR_INVALID;
	const char *name = transfer_value(&p->args, "source");
	make_name(p->source.address, p->name);
	if (name && !name_is_good(name))
		return err_set(err, ERR_INVALID,
		    "--source: a name is 1 to %d of the characters A-Z a-z 0-9 . _ -",
		    NAME_MAX_BYTES);
	if (name)
		snprintf(p->name, sizeof(p->name), "%s", name);
	if (!name_is_good(p->name))
		return err_set(err, ERR_INVALID,
		    "no name can be made of the address: say --source");
	snprintf(p->path, sizeof(p->path), "/api/v1/pulls/%s", p->name);
	p->once = transfer_value(&p->args, "once") != NULL;
	p->quiet = transfer_value(&p->args, "quiet") != NULL;
	enum err_code code = read_numbers(p, err);
	if (code != ERR_OK)
		return code;
	p->source.key = transfer_setting(&p->args, "source-key", "WEIR_SOURCE_KEY", NULL, "");
	p->source.tls = transfer_tls(&p->args);
	p->source.stopped = is_stopped;
	p->source.ctx = p;
	p->answer.bytes_max = 1 << 20;
	return http_client_open(&(struct http_client_options){.base_url = transfer_setting(&p->args,
	                                                          "url", "WEIR_URL", NULL,
	                                                          API_DEFAULT),
	                            .connect_timeout_ms = CONNECT_MS,
	                            .timeout_ms = TIMEOUT_S * UINT64_C(1000),
	                            .body_bytes_max = 1 << 20,
	                            .tls = transfer_tls(&p->args),
	                            .token =
	                                transfer_setting(&p->args, "token", "WEIR_TOKEN", NULL, ""),
	                            .tenant = transfer_setting(&p->args, "tenant", "WEIR_TENANT",
	                                NULL, "")},
	    &p->api, err);
}

static void
sum_up(struct pulling *p)
{
	char sum[120];
	transfer_progress_end(&p->progress);
	transfer_progress_sum(&p->progress, sum, sizeof(sum));
	if (p->quiet)
		return;
	fprintf(stderr, "%s: %s, %llu of them in quarantine, %llu %s\n", p->name, sum,
	    (unsigned long long)p->rejected, (unsigned long long)p->batches,
	    p->batches == 1 ? "batch" : "batches");
}

int
transfer_pull(int argc, char **argv)
{
	struct pulling *p = xcalloc(1, sizeof(*p));
	struct err err = {0};
	int exit_code = TRANSFER_OK;
	p->args.usage = &transfer_pull_usage;
	enum err_code code = transfer_parse(argc - 1, argv + 1, false, &p->args, &err);
	if (code == ERR_OK)
		code = prepare(p, &err);
	if (code != ERR_OK) {
		transfer_say("pull", &err);
		fputs("try: weir pull --help\n", stderr);
		exit_code = TRANSFER_USAGE;
	} else {
		signal_block_stop();
		transfer_progress_start(&p->progress, "spans", 0, p->quiet);
		code = pull(p, &err);
		transfer_progress_end(&p->progress);
		if (code != ERR_OK) {
			transfer_say("pull", &err);
			exit_code = TRANSFER_ERROR;
		}
		sum_up(p);
	}
	pull_source_close(&p->source);
	http_client_close(p->api);
	buf_fini(&p->batch.records);
	buf_fini(&p->body);
	buf_fini(&p->answer);
	free(p);
	return exit_code;
}
