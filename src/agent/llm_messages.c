/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages stand in a span in four ways: attributes with a number in their key (gen_ai.prompt.0.role,
 * llm.input_messages.0.message.role), one attribute with all of them (gen_ai.input.messages, as a list or as its JSON text),
 * events (gen_ai.user.message, gen_ai.choice), or only as what went in and came out (input.value). The first way that
 * a side of the call has counts, for a span may say the same in several; numbered ones are taken before lists, lists before
 * events, and input.value and output.value only where there is nothing else.
 */
#include "agent/llm.h"

#include "agent/agent_priv.h"
#include "wire/json_write.h"

struct tool_call {
	struct str id, name, arguments;
};

/* A text that grows; cap 0: it is borrowed, or nothing. */
struct growing {
	struct str text;
	size_t cap;
};

struct slot {
	struct str role;
	struct growing content;
	struct tool_call *calls;
	size_t call_count, call_cap;
	struct growing raw_calls; /* of lists: JSON objects with commas between */
	bool used;
};

struct side {
	struct slot *slots;
	size_t count, cap;
	struct agent_value list, whole; /* of the second and the last way */
	bool numbered;
};

struct reading {
	struct arena *arena;
	struct side in, out;
	struct agent_value instructions;
	bool in_listed, out_listed;
	size_t left_out;
};

static enum err_code
slot_at(struct reading *r, struct side *s, uint64_t n, struct slot **out, struct err *err)
{
	*out = NULL;
	if (n >= LLM_MESSAGES_MAX) {
		r->left_out++;
		return ERR_OK;
	}
	while (s->count <= n) {
		void *list = s->slots;
		if (!agent_grow(r->arena, &list, &s->cap, s->count, sizeof(*s->slots)))
			return agent_too_large(err);
		s->slots = list;
		s->slots[s->count++] = (struct slot){0};
	}
	*out = &s->slots[n];
	(*out)->used = true;
	return ERR_OK;
}

/* Text of any value: of one that is no string its JSON. */
static enum err_code
any_text(struct reading *r, const struct agent_value *v, struct str *out, struct err *err)
{
	if (v->token == JSON_STRING)
		return agent_text(v, r->arena, out, err);
	if (v->token == JSON_OBJECT || v->token == JSON_ARRAY || v->token == JSON_NUMBER)
		*out = v->raw;
	return ERR_OK;
}

/* Room is doubled, so that many small parts cost no more than a few times their bytes. */
static enum err_code
append_with(struct reading *r, struct growing *to, const char *between, struct str more,
    struct err *err)
{
	if (to->text.len == 0) {
		*to = (struct growing){.text = more};
		return ERR_OK;
	}
	size_t gap = strlen(between), need = to->text.len + gap + more.len;
	if (need > to->cap) {
		char *p = arena_alloc(r->arena, need * 2);
		if (!p)
			return agent_too_large(err);
		memcpy(p, to->text.ptr, to->text.len);
		*to = (struct growing){str_of(p, to->text.len), need * 2};
	}
	char *end = (char *)to->text.ptr + to->text.len;
	memcpy(end, between, gap);
	if (more.len)
		memcpy(end + gap, more.ptr, more.len);
	to->text.len = need;
	return ERR_OK;
}

/* ---- numbered attributes */

static bool
take_head(struct str *s, struct str head)
{
	if (!str_starts(*s, head))
		return false;
	*s = str_skip(*s, head.len);
	return true;
}

/* "12.rest" */
static bool
take_number(struct str *s, uint64_t *out)
{
	size_t n = str_find(*s, '.');
	if (n == s->len || !str_to_u64(str_of(s->ptr, n), out))
		return false;
	*s = str_skip(*s, n + 1);
	return true;
}

static enum err_code
take_call(struct reading *r, struct slot *slot, struct str rest, const struct agent_value *v,
    struct err *err)
{
	uint64_t n;
	if (!take_number(&rest, &n))
		return ERR_OK;
	if (n >= LLM_TOOL_CALLS_MAX) {
		r->left_out++;
		return ERR_OK;
	}
	while (slot->call_count <= n) {
		void *list = slot->calls;
		if (!agent_grow(r->arena, &list, &slot->call_cap, slot->call_count,
		        sizeof(*slot->calls)))
			return agent_too_large(err);
		slot->calls = list;
		slot->calls[slot->call_count++] = (struct tool_call){0};
	}
	(void)take_head(&rest, STR("tool_call."));
	(void)take_head(&rest, STR("function."));
	if (str_eq(rest, STR("id")))
		return any_text(r, v, &slot->calls[n].id, err);
	if (str_eq(rest, STR("name")))
		return any_text(r, v, &slot->calls[n].name, err);
	if (str_eq(rest, STR("arguments")))
		return any_text(r, v, &slot->calls[n].arguments, err);
	return ERR_OK;
}

static enum err_code
take_numbered(struct reading *r, struct side *s, struct str rest, const struct agent_value *v,
    struct err *err)
{
	struct slot *slot;
	struct str text = {0};
	uint64_t n;
	if (!take_number(&rest, &n))
		return ERR_OK;
	enum err_code code = slot_at(r, s, n, &slot, err);
	if (code || !slot)
		return code;
	s->numbered = true;
	(void)take_head(&rest, STR("message."));
	if (str_eq(rest, STR("role")))
		return any_text(r, v, &slot->role, err);
	if (str_eq(rest, STR("content"))) {
		slot->content.cap = 0;
		return any_text(r, v, &slot->content.text, err);
	}
	if (take_head(&rest, STR("tool_calls.")))
		return take_call(r, slot, rest, v, err);
	if (take_head(&rest, STR("contents.")) && take_number(&rest, &n) &&
	    str_eq(rest, STR("message_content.text"))) {
		code = any_text(r, v, &text, err);
		return code ? code : append_with(r, &slot->content, "\n", text, err);
	}
	return ERR_OK;
}

/* ---- lists */

static enum err_code
take_part(struct reading *r, struct slot *slot, struct str object, struct err *err)
{
	struct agent_map map;
	struct agent_value v, type = {0}, content = {0};
	struct str text = {0};
	enum err_code ignored;
	if (agent_map_begin(&map, object, NULL))
		return ERR_OK;
	while (agent_map_next(&map, &v, &ignored, NULL)) {
		if (str_eq(v.key, STR("type")))
			type = v;
		else if (str_eq(v.key, STR("content")) || str_eq(v.key, STR("text")))
			content = v;
	}
	if (type.token == JSON_STRING &&
	    (str_eq(type.raw, STR("tool_call")) || str_eq(type.raw, STR("tool_use"))))
		return append_with(r, &slot->raw_calls, ",", object, err);
	if (content.token != JSON_STRING)
		text = object; /* an image, a tool's result: as it is */
	else if (agent_text(&content, r->arena, &text, err))
		return ERR_TOO_LARGE;
	return append_with(r, &slot->content, "\n", text, err);
}

static enum err_code
take_parts(struct reading *r, struct slot *slot, const struct agent_value *parts, struct err *err)
{
	struct json_reader list;
	enum json_token tok;
	if (parts->token != JSON_ARRAY) {
		struct str text = {0};
		enum err_code code = any_text(r, parts, &text, err);
		return code || !text.ptr ? code : append_with(r, &slot->content, "\n", text, err);
	}
	jsonr_begin(&list, parts->raw);
	CHECK(jsonr_next(&list) == JSON_ARRAY);
	while ((tok = jsonr_next(&list)) != JSON_ARRAY_END && tok != JSON_ERROR) {
		const char *start = list.at - 1;
		struct agent_value item = {.token = tok, .raw = list.raw, .escaped = list.escaped};
		enum err_code code = ERR_OK;
		struct str text = {0};
		if (!jsonr_skip(&list, tok))
			return ERR_OK;
		if (tok == JSON_OBJECT)
			code = take_part(r, slot, str_of(start, (size_t)(list.at - start)), err);
		else if (tok == JSON_STRING) {
			code = agent_text(&item, r->arena, &text, err);
			if (!code)
				code = append_with(r, &slot->content, "\n", text, err);
		}
		if (code)
			return code;
	}
	return ERR_OK;
}

/* The inside of a list "[a,b]" is what stands between its brackets. */
static struct str
inside(struct str list)
{
	return list.len >= 2 ? str_trim(str_of(list.ptr + 1, list.len - 2)) : STR_EMPTY;
}

static enum err_code
take_member(struct reading *r, struct slot *slot, const struct agent_value *v, struct err *err)
{
	if (str_eq(v->key, STR("role")))
		return any_text(r, v, &slot->role, err);
	if (str_eq(v->key, STR("parts")) || str_eq(v->key, STR("content")))
		return take_parts(r, slot, v, err);
	if (!str_eq(v->key, STR("tool_calls")))
		return ERR_OK;
	struct str list = v->token == JSON_ARRAY ? v->raw : STR_EMPTY;
	if (v->token == JSON_STRING && agent_text(v, r->arena, &list, err))
		return ERR_TOO_LARGE;
	struct json_reader check;
	jsonr_begin(&check, list);
	if (jsonr_next(&check) != JSON_ARRAY || !jsonr_skip(&check, JSON_ARRAY) ||
	    jsonr_next(&check) != JSON_END)
		return ERR_OK;
	list = inside(str_trim(list));
	return list.len ? append_with(r, &slot->raw_calls, ",", list, err) : ERR_OK;
}

static enum err_code
take_message(struct reading *r, struct side *s, struct str object, struct err *err)
{
	struct agent_map map;
	struct agent_value v;
	struct slot *slot;
	enum err_code ignored, code = slot_at(r, s, s->count, &slot, err);
	if (code || !slot || agent_map_begin(&map, object, NULL))
		return code;
	while (!code && agent_map_next(&map, &v, &ignored, NULL))
		code = take_member(r, slot, &v, err);
	return code;
}

static enum err_code
take_text(struct reading *r, struct side *s, struct str role, struct str text, struct err *err)
{
	struct slot *slot;
	enum err_code code = slot_at(r, s, s->count, &slot, err);
	if (code || !slot)
		return code;
	slot->role = role;
	slot->content.text = text;
	return ERR_OK;
}

static bool
is_json(struct str text, enum json_token *kind)
{
	struct json_reader check;
	jsonr_begin(&check, text);
	*kind = jsonr_next(&check);
	return (*kind == JSON_ARRAY || *kind == JSON_OBJECT) && jsonr_skip(&check, *kind) &&
	    jsonr_next(&check) == JSON_END;
}

/* A list of messages, or its JSON text, or a text that is the one message. */
static enum err_code
take_list(struct reading *r, struct side *s, const struct agent_value *v, struct err *err)
{
	struct json_reader list;
	enum json_token tok;
	struct str text = v->raw;
	if (v->token == JSON_STRING && agent_text(v, r->arena, &text, err))
		return ERR_TOO_LARGE;
	text = str_trim(text);
	if (!is_json(text, &tok))
		return text.len ? take_text(r, s, STR_EMPTY, text, err) : ERR_OK;
	if (tok == JSON_OBJECT)
		return take_message(r, s, text, err);
	jsonr_begin(&list, text);
	CHECK(jsonr_next(&list) == JSON_ARRAY);
	while ((tok = jsonr_next(&list)) != JSON_ARRAY_END) {
		const char *start = list.at - 1;
		struct agent_value item = {.token = tok, .raw = list.raw, .escaped = list.escaped};
		struct str one = {0};
		enum err_code code = ERR_OK;
		CHECK(jsonr_skip(&list, tok));
		if (tok == JSON_OBJECT)
			code = take_message(r, s, str_of(start, (size_t)(list.at - start)), err);
		else if (tok == JSON_STRING) {
			code = agent_text(&item, r->arena, &one, err);
			if (!code)
				code = take_text(r, s, STR_EMPTY, one, err);
		}
		if (code)
			return code;
	}
	return ERR_OK;
}

/* ---- events */

static enum err_code
take_choice(struct reading *r, struct side *s, const struct agent_event *event, struct err *err)
{
	struct agent_map map;
	struct agent_value v, message = {0};
	enum err_code code = agent_map_begin(&map, event->attributes, err);
	while (!code && agent_map_next(&map, &v, &code, err))
		if (str_eq(v.key, STR("message")))
			message = v;
	if (code)
		return code;
	if (message.token == JSON_STRING || message.token == JSON_OBJECT)
		return take_list(r, s, &message, err);
	return take_message(r, s, event->attributes, err);
}

/* Events of up to 1.36, and what came before and after them. */
static enum err_code
see_event(void *ctx, const struct agent_event *event, struct err *err)
{
	static const struct str heads[] = {STR_INIT("gen_ai.system.message"),
	    STR_INIT("gen_ai.user.message"), STR_INIT("gen_ai.assistant.message"),
	    STR_INIT("gen_ai.tool.message")};
	struct reading *r = ctx;
	if (!event->attributes.ptr || !str_starts(event->name, STR("gen_ai.")))
		return ERR_OK;
	if (!r->out_listed && str_eq(event->name, STR("gen_ai.choice")))
		return take_choice(r, &r->out, event, err);
	for (size_t i = 0; !r->in_listed && i < ARRAY_LEN(heads); i++) {
		if (!str_eq(event->name, heads[i]))
			continue;
		size_t before = r->in.count;
		enum err_code code = take_message(r, &r->in, event->attributes, err);
		if (!code && r->in.count > before && !r->in.slots[before].role.ptr)
			r->in.slots[before].role =
			    str_of(heads[i].ptr + 7, heads[i].len - 7 - 8); /* gen_ai. .message */
		return code;
	}
	struct agent_map map;
	struct agent_value v;
	enum err_code code = agent_map_begin(&map, event->attributes, err);
	while (!code && agent_map_next(&map, &v, &code, err)) {
		if (!r->in_listed &&
		    (str_eq(v.key, STR("gen_ai.prompt")) ||
		        str_eq(v.key, STR("gen_ai.input.messages"))))
			code = take_list(r, &r->in, &v, err);
		else if (!r->out_listed &&
		    (str_eq(v.key, STR("gen_ai.completion")) ||
		        str_eq(v.key, STR("gen_ai.output.messages"))))
			code = take_list(r, &r->out, &v, err);
	}
	return code;
}

/* ---- all of it */

static enum err_code
take_attribute(struct reading *r, const struct agent_value *v, struct err *err)
{
	static const struct {
		struct str head;
		bool out;
	} heads[] = {
	    {STR_INIT("gen_ai.prompt."), false},
	    {STR_INIT("gen_ai.completion."), true},
	    {STR_INIT("llm.prompts."), false},
	    {STR_INIT("llm.completions."), true},
	    {STR_INIT("llm.input_messages."), false},
	    {STR_INIT("llm.output_messages."), true},
	};
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct str rest = v->key;
		if (take_head(&rest, heads[i].head))
			return take_numbered(r, heads[i].out ? &r->out : &r->in, rest, v, err);
	}
	bool usable = v->token == JSON_STRING || v->token == JSON_ARRAY || v->token == JSON_OBJECT;
	if (!usable)
		return ERR_OK;
	if (str_eq(v->key, STR("gen_ai.input.messages")) || str_eq(v->key, STR("gen_ai.prompt")))
		r->in.list = *v;
	else if (str_eq(v->key, STR("gen_ai.output.messages")) ||
	    str_eq(v->key, STR("gen_ai.completion")))
		r->out.list = *v;
	else if (str_eq(v->key, STR("gen_ai.system_instructions")))
		r->instructions = *v;
	else if (v->token == JSON_STRING && str_eq(v->key, STR("input.value")))
		r->in.whole = *v;
	else if (v->token == JSON_STRING && str_eq(v->key, STR("output.value")))
		r->out.whole = *v;
	return ERR_OK;
}

static enum err_code
take_lists(struct reading *r, struct err *err)
{
	enum err_code code = ERR_OK;
	bool in_list = !r->in.numbered && r->in.list.key.ptr;
	if (in_list && r->instructions.key.ptr) {
		struct slot *slot;
		struct agent_value v = r->instructions;
		enum json_token tok;
		struct str text = v.raw;
		code = slot_at(r, &r->in, 0, &slot, err);
		if (!code && v.token == JSON_STRING)
			code = agent_text(&v, r->arena, &text, err);
		if (!code && v.token == JSON_STRING && is_json(text, &tok) && tok == JSON_ARRAY)
			v = (struct agent_value){.token = JSON_ARRAY, .raw = str_trim(text)};
		if (!code)
			code = take_parts(r, slot, &v, err);
		if (!code)
			slot->role = STR("system");
	}
	if (!code && in_list)
		code = take_list(r, &r->in, &r->in.list, err);
	if (!code && !r->out.numbered && r->out.list.key.ptr)
		code = take_list(r, &r->out, &r->out.list, err);
	r->in_listed = r->in.count > 0;
	r->out_listed = r->out.count > 0;
	return code;
}

static enum err_code
take_whole(struct reading *r, struct side *s, struct err *err)
{
	struct str text;
	if (s->count > 0 || s->whole.token != JSON_STRING || s->whole.raw.len == 0)
		return ERR_OK;
	if (agent_text(&s->whole, r->arena, &text, err))
		return ERR_TOO_LARGE;
	return take_text(r, s, STR_EMPTY, text, err);
}

static enum err_code
write_calls(struct reading *r, struct slot *slot, struct str *out, struct err *err)
{
	struct buf b = {0};
	struct json_writer w;
	if (slot->raw_calls.text.len == 0 && slot->call_count == 0)
		return ERR_OK;
	json_writer_init(&w, &b);
	jsonw_array(&w);
	if (slot->raw_calls.text.len)
		jsonw_raw(&w, slot->raw_calls.text);
	for (size_t i = 0; i < slot->call_count; i++) {
		jsonw_object(&w);
		jsonw_key(&w, "id");
		jsonw_str(&w, slot->calls[i].id);
		jsonw_key(&w, "name");
		jsonw_str(&w, slot->calls[i].name);
		jsonw_key(&w, "arguments");
		jsonw_str(&w, slot->calls[i].arguments);
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	*out = arena_str(r->arena, buf_view(&b));
	buf_fini(&b);
	return out->ptr ? ERR_OK : agent_too_large(err);
}

/* Numbers that no attribute had leave holes. */
static enum err_code
finish(struct reading *r, struct side *s, struct llm_message **list, size_t *count, struct err *err)
{
	*list = arena_array(r->arena, s->count ? s->count : 1, sizeof(**list));
	if (!*list)
		return agent_too_large(err);
	for (size_t i = 0; i < s->count; i++) {
		struct slot *slot = &s->slots[i];
		struct llm_message *m = &(*list)[*count];
		if (!slot->used)
			continue;
		m->role = slot->role;
		m->content = slot->content.text;
		if (write_calls(r, slot, &m->tool_calls, err))
			return ERR_TOO_LARGE;
		(*count)++;
	}
	return ERR_OK;
}

enum err_code
llm_read_messages(struct str typed_attributes, struct str typed_events, struct arena *arena,
    struct llm_messages *out, struct err *err)
{
	struct reading r = {.arena = arena};
	struct agent_map map;
	struct agent_value v;
	enum err_code code = ERR_OK;
	*out = (struct llm_messages){0};
	if (typed_attributes.ptr) {
		code = agent_map_begin(&map, typed_attributes, err);
		while (!code && agent_map_next(&map, &v, &code, err))
			code = take_attribute(&r, &v, err);
	}
	if (!code)
		code = take_lists(&r, err);
	if (!code)
		code = agent_each_event(typed_events, arena, see_event, &r, err);
	if (!code)
		code = take_whole(&r, &r.in, err);
	if (!code)
		code = take_whole(&r, &r.out, err);
	if (!code)
		code = finish(&r, &r.in, &out->in, &out->in_count, err);
	if (!code)
		code = finish(&r, &r.out, &out->out, &out->out_count, err);
	out->left_out = r.left_out;
	return code;
}
