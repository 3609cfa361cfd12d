/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file for each (source, server, tenant): {"done":n,"accepted":n,"refused":n,"finished":true,"at":".."}. Without a
 * place for it an import works all the same, but does not go on where it was.
 */
#include "transfer/transfer_priv.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

#include <stdlib.h>

enum { STATE_BYTES_MAX = 4096, SAVE_MS = 250 };

static uint64_t
key_of(const char *file, const struct file_stamp *stamp, struct str server, struct str tenant)
{
	char real[FILE_PATH_BYTES];
	if (!file_real_path(file, real))
		snprintf(real, sizeof(real), "%s", file);
	uint64_t h = hash_u64(str_from(real));
	h = hash_u64_seed(str_of(&stamp->size, sizeof(stamp->size)), h);
	h = hash_u64_seed(str_of(&stamp->changed_ns, sizeof(stamp->changed_ns)), h);
	h = hash_u64_seed(server, h);
	return hash_u64_seed(tenant, h);
}

static void
read_state(struct import_state *s, struct str text)
{
	struct json_reader r;
	struct arena arena = {0};
	enum json_token tok;
	struct str key = STR_EMPTY;
	jsonr_begin(&r, text);
	while ((tok = jsonr_next(&r)) != JSON_END && tok != JSON_ERROR) {
		uint64_t n;
		if (tok == JSON_KEY)
			key = r.raw;
		else if (tok == JSON_STRING && str_eq(key, STR("at")))
			snprintf(s->at, sizeof(s->at), "%.*s", STR_ARG(r.raw));
		else if (tok == JSON_TRUE && str_eq(key, STR("finished")))
			s->finished = true;
		else if (tok == JSON_NUMBER && str_to_u64(r.raw, &n)) {
			if (str_eq(key, STR("done")))
				s->done = n;
			else if (str_eq(key, STR("accepted")))
				s->accepted = n;
			else if (str_eq(key, STR("refused")))
				s->refused = n;
		}
	}
	arena_fini(&arena);
}

void
transfer_state_load(struct import_state *s, const char *file, struct str server, struct str tenant)
{
	char folder[FILE_PATH_BYTES], name[40];
	struct file_stamp stamp;
	struct err err;
	struct buf text = {0};
	*s = (struct import_state){.saved_ns = clock_mono_ns()};
	if (file_stamp(file, &stamp, &err) != ERR_OK ||
	    !file_state_dir(getenv("XDG_STATE_HOME"), getenv("HOME"), "import", folder))
		return;
	snprintf(name, sizeof(name), "%016llx.json",
	    (unsigned long long)key_of(file, &stamp, server, tenant));
	if (file_join(str_from(folder), str_from(name), s->path, &err) != ERR_OK) {
		s->path[0] = '\0';
		return;
	}
	if (file_read_all(s->path, STATE_BYTES_MAX, &text, &err) == ERR_OK)
		read_state(s, buf_view(&text));
	buf_fini(&text);
}

static void
write_state(const struct import_state *s, struct buf *out)
{
	struct json_writer w;
	char at[TIME_RFC3339_BYTES];
	time_rfc3339(clock_unix_ns(), at);
	json_writer_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "done");
	buf_u64(out, s->done);
	buf_printf(out, ",\"accepted\":%llu,\"refused\":%llu,\"finished\":%s,\"at\":\"%.19sZ\"}",
	    (unsigned long long)s->accepted, (unsigned long long)s->refused,
	    s->finished ? "true" : "false", at);
}

void
transfer_state_save(struct import_state *s, bool soon)
{
	struct buf text = {0};
	struct err err;
	uint64_t now_ns = clock_mono_ns();
	if (!s->path[0] || (soon && now_ns - s->saved_ns < SAVE_MS * NS_PER_MS))
		return;
	s->saved_ns = now_ns;
	write_state(s, &text);
	const char *slash = strrchr(s->path, '/');
	struct str all = buf_view(&text);
	if (file_write_whole(str_of(s->path, (size_t)(slash - s->path)), str_from(slash + 1), &all,
	        1, &err) != ERR_OK) {
		fprintf(stderr, "weir import: how far it is cannot be kept: %s\n", err.message);
		s->path[0] = '\0';
	}
	buf_fini(&text);
}
