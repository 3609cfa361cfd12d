/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/log.h"

#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

/* What a message becomes, in this format. */
static void
line_of(enum log_format format, const char *message, char out[8192])
{
	int ends[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	log_setup(LOG_INFO, format);
	log_debug("test", "not at this level");
	log_warn("test", "%s", message);
	log_setup(LOG_INFO, LOG_TEXT);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	close(saved);
	ssize_t n = read(ends[0], out, 8191);
	assert_true(n > 0);
	out[n] = '\0';
	close(ends[0]);
	assert_ptr_equal(strchr(out, '\n'), out + n - 1);
}

TEST(sys, log_line_is_one_line_in_every_format)
{
	static const char message[] = "a \"quote\", a \\, a \x1b[2J\nforged line";
	char line[8192];
	line_of(LOG_TEXT, message, line);
	assert_non_null(strstr(line,
	    "Z warn  test: a \"quote\", a \\, a \\u001b[2J\\u000aforged line\n"));
	line_of(LOG_LOGFMT, message, line);
	assert_int_equal(strncmp(line, "time=2", 6), 0);
	assert_non_null(strstr(line,
	    "Z level=warn component=test msg=\"a \\u0022quote\\u0022, a \\u005c, a \\u001b[2J\\u000aforged line\"\n"));
	line_of(LOG_JSON, message, line);
	json_t *json = json_loads(line, 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "message")), message);
	assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
	json_decref(json);
}

TEST(sys, log_names_its_formats)
{
	enum log_format f;
	assert_true(log_format_parse(STR("text"), &f) && f == LOG_TEXT);
	assert_true(log_format_parse(STR("json"), &f) && f == LOG_JSON);
	assert_true(log_format_parse(STR("logfmt"), &f) && f == LOG_LOGFMT);
	assert_false(log_format_parse(STR("xml"), &f));
}
