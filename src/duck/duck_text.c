/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words in texts, without regard to case (base/fold.h): store_query.words says in which.
 *
 * Of typed JSON (model/typed.h) only strings count that are values. A string is a key when ':' stands behind it, and
 * what stands behind the keys $bytes and $double is none; a key of the telemetry's that begins so has one more '$'.
 * So nothing has to be parsed: strings are looked for one after the other. Where there is no backslash, a word
 * that is nowhere in the text is in none of its strings, which is so for most.
 *
 * In a column that is compressed with a dictionary the same text comes again and again, at the same place in memory
 * while a chunk lasts: what was found about it is remembered by its place.
 */
#include "duck/duck_priv.h"

#include "duck/duck_json.h"

#include "base/fold.h"

enum { MEMO_SLOTS = 256 };

struct memo {
	const char *ptr; /* NULL: empty */
	size_t len;
	bool found;
};

typedef bool has_fn(struct str text, struct str folded, struct buf *scratch);

static bool
text_has(struct str text, struct str folded, struct buf *scratch)
{
	(void)scratch;
	return fold_contains(text, folded);
}

/* The end of the string that begins at `at`, behind its quote: where its closing quote stands, or the end. */
static size_t
string_end(struct str json, size_t at, bool *escaped)
{
	*escaped = false;
	while (at < json.len) {
		const char *quote = memchr(json.ptr + at, '"', json.len - at);
		const char *end = quote ? quote : json.ptr + json.len;
		const char *slash = memchr(json.ptr + at, '\\', (size_t)(end - json.ptr) - at);
		if (!slash)
			return (size_t)(end - json.ptr);
		*escaped = true;
		at = (size_t)(slash - json.ptr) + 2;
	}
	return json.len;
}

static bool
string_has(struct str raw, bool escaped, struct str folded, struct buf *scratch)
{
	if (!escaped)
		return fold_contains(raw, folded);
	if (raw.len < folded.len)
		return false;
	buf_reset(scratch);
	duck_json_raw_put(scratch, raw);
	return fold_contains(buf_view(scratch), folded);
}

bool
duck_json_has(struct str json, struct str folded, struct buf *scratch)
{
	bool wrapped = false, escaped;
	if (json.len < folded.len)
		return false;
	if (!memchr(json.ptr, '\\', json.len) && !fold_contains(json, folded))
		return false;
	for (size_t at = 0; at < json.len;) {
		const char *quote = memchr(json.ptr + at, '"', json.len - at);
		if (!quote)
			return false;
		size_t first = (size_t)(quote - json.ptr) + 1,
		       end = string_end(json, first, &escaped);
		struct str raw = str_of(json.ptr + first, end - first);
		at = end + 1;
		bool is_key = at < json.len && json.ptr[at] == ':';
		if (!is_key && !wrapped && string_has(raw, escaped, folded, scratch))
			return true;
		wrapped = is_key && (str_eq(raw, STR("$bytes")) || str_eq(raw, STR("$double")));
	}
	return false;
}

static bool
code_has(struct str text, struct str folded, struct buf *scratch)
{
	return text.len > 1 && duck_json_has(str_skip(text, 1), folded, scratch);
}

/* ---- SQL */

static bool
ask_memo(struct memo *memo, has_fn *has, struct str text, struct str folded, struct buf *scratch)
{
	struct memo *m =
	    &memo[((uintptr_t)text.ptr * UINT64_C(0x9E3779B97F4A7C15) >> 32) % MEMO_SLOTS];
	if (m->ptr != text.ptr || m->len != text.len)
		*m = (struct memo){text.ptr, text.len, has(text, folded, scratch)};
	return m->found;
}

static void
run(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out, has_fn *has)
{
	idx_t count = duckdb_data_chunk_get_size(in);
	duckdb_vector texts = duckdb_data_chunk_get_vector(in, 0);
	duckdb_vector words = duckdb_data_chunk_get_vector(in, 1);
	const duckdb_string_t *text = duckdb_vector_get_data(texts);
	const duckdb_string_t *word = duckdb_vector_get_data(words);
	uint64_t *text_valid = duckdb_vector_get_validity(texts);
	uint64_t *word_valid = duckdb_vector_get_validity(words);
	bool *result = duckdb_vector_get_data(out);
	struct memo memo[MEMO_SLOTS] = {0};
	struct str before = {0};
	struct buf scratch = {0};
	for (idx_t row = 0; row < count; row++) {
		result[row] = false;
		if (!duckdb_validity_row_is_valid(text_valid, row) ||
		    !duckdb_validity_row_is_valid(word_valid, row))
			continue;
		struct str folded = duck_text_at(word, row), t = duck_text_at(text, row);
		if (folded.len > FOLD_NEEDLE_BYTES_MAX || t.len < folded.len)
			continue;
		if (!str_eq(folded, before)) /* as good as never */
			memset(memo, 0, sizeof(memo));
		before = folded;
		bool inlined = duckdb_string_is_inlined(text[row]);
		result[row] =
		    inlined ? has(t, folded, &scratch) : ask_memo(memo, has, t, folded, &scratch);
	}
	if (scratch.failed)
		duckdb_scalar_function_set_error(info, "no memory for the text of a value");
	buf_fini(&scratch);
}

static void
run_has(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	run(info, in, out, text_has);
}

static void
run_json_has(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	run(info, in, out, duck_json_has);
}

static void
run_code_has(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	run(info, in, out, code_has);
}

enum err_code
duck_text_register(struct duck *d, duckdb_connection con, struct err *err)
{
	static const struct duck_function functions[] = {
	    {"weir_has", DUCKDB_TYPE_VARCHAR, 2, DUCKDB_TYPE_BOOLEAN, run_has},
	    {"weir_json_has", DUCKDB_TYPE_VARCHAR, 2, DUCKDB_TYPE_BOOLEAN, run_json_has},
	    {"weir_code_has", DUCKDB_TYPE_VARCHAR, 2, DUCKDB_TYPE_BOOLEAN, run_code_has},
	};
	return duck_functions_register(d, con, functions, ARRAY_LEN(functions), err);
}
