/* SPDX-License-Identifier: Apache-2.0 */
/* Help for who asked for a service that is not there: which ones there are. */
#include "cli/cli_priv.h"

#include "base/nearest.h"

#include <jansson.h>

enum { NAMES_MAX = 200, NAME_BYTES_MAX = 40 };

static struct str
service_asked_for(const struct cli_request *req)
{
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, STR("service")))
			return req->values[i].value;
	return STR_EMPTY;
}

static const char *
nearest_service(const json_t *services, struct str asked)
{
	const char *names[NAMES_MAX + 1] = {NULL};
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(services) && n < NAMES_MAX; i++) {
		struct str name = cli_item_str(json_array_get(services, i), "name");
		if (name.len > 0 && name.len <= NAME_BYTES_MAX)
			names[n++] = name.ptr;
	}
	return nearest_name(asked, names);
}

static void
put_line(struct buf *out, struct buf *raw, const struct cli_style *style)
{
	struct buf clean = {0};
	text_clean(&clean, buf_view(raw), style->utf8);
	text_fit(out, buf_view(&clean), style->width > 0 ? style->width : SIZE_MAX, style->utf8);
	buf_char(out, '\n');
	buf_fini(&clean);
	buf_reset(raw);
}

static void
put_services(struct buf *out, const json_t *services, struct str asked,
    const struct cli_style *style)
{
	struct buf line = {0};
	const char *near = nearest_service(services, asked);
	size_t count = json_array_size(services);
	buf_printf(&line, "no service is called \"%.*s\"", STR_ARG(asked));
	if (near)
		buf_printf(&line, "; did you mean %s?", near);
	put_line(out, &line, style);
	buf_str(&line, count > 0 ? STR("services: ") : STR("there are no services yet"));
	for (size_t i = 0; i < count && i < NAMES_MAX; i++) {
		if (i > 0)
			buf_str(&line, STR(", "));
		buf_str(&line, cli_item_str(json_array_get(services, i), "name"));
	}
	put_line(out, &line, style);
	buf_fini(&line);
}

void
cli_hint_services(const struct cli_io *io, const struct cli_request *req, struct buf *out,
    const struct cli_style *style)
{
	struct str asked = service_asked_for(req);
	struct cli_request ask = {.op = ops_find_name(STR("services")), .server = req->server};
	struct err ignored;
	struct buf body;
	int status = 0;
	CHECK(ask.op != NULL);
	if (asked.len == 0)
		return;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	/* A hint that cannot be given is no error. */
	enum err_code code =
	    io->get(io->ctx, &ask.server, str_from(ask.op->path), &status, &body, &ignored);
	json_t *answer = code == ERR_OK && status == 200 ? cli_json_load(&body) : NULL;
	const json_t *services = json_object_get(answer, "services");
	bool known = !json_is_array(services) || json_is_true(json_object_get(answer, "truncated"));
	for (size_t i = 0; i < json_array_size(services) && !known; i++)
		known = str_eq(cli_item_str(json_array_get(services, i), "name"), asked);
	if (!known)
		put_services(out, services, asked, style);
	json_decref(answer);
	buf_fini(&body);
}
