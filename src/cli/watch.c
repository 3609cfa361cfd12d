/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weir watch`: the summary of the last while, again and again, and what changed since the last time; for scripts, until
 * a condition is met.
 *
 * A tick is one answer to summary and, when something is asked of them, one to anomalies. All that it shows are the
 * fields of one table: numbers of these answers, by the names that conditions use. Its JSON has the same names.
 *
 * A server that cannot be reached at the first tick ends it; later it is said, and asked again.
 */
#include "cli/cli_priv.h"

#include "base/timefmt.h"
#include "wire/json_write.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum { INTERVAL_S = 10, LAST_S = 60, CONDITIONS_MAX = 32, HEADER_EVERY = 20 };

/* ---- fields */

enum unit { UNIT_COUNT, UNIT_RATE, UNIT_MS };

static const struct field {
	const char *group, *member; /* of the tick, and of the summary */
	enum unit unit;
} fields[] = {
    {"traces", "span_count", UNIT_COUNT},
    {"traces", "trace_count", UNIT_COUNT},
    {"traces", "error_count", UNIT_COUNT},
    {"traces", "error_rate", UNIT_RATE},
    {"traces", "avg_ms", UNIT_MS},
    {"traces", "max_ms", UNIT_MS},
    {"traces", "p50_ms", UNIT_MS},
    {"traces", "p95_ms", UNIT_MS},
    {"traces", "p99_ms", UNIT_MS},
    {"logs", "total", UNIT_COUNT},
    {"logs", "error", UNIT_COUNT},
    {"logs", "warn", UNIT_COUNT},
    {"metrics", "point_count", UNIT_COUNT},
    {"metrics", "unique_names", UNIT_COUNT},
    /* Anomalies of this severity or a worse one. */
    {"anomalies", "info", UNIT_COUNT},
    {"anomalies", "warning", UNIT_COUNT},
    {"anomalies", "critical", UNIT_COUNT},
};

enum { FIELDS = ARRAY_LEN(fields), ANOMALIES_FIRST = 14, NONE = -1 };
enum { SPANS = 0, ERRORS = 2, RATE = 3, P50 = 6, P95 = 7, LOGS = 9, LOG_ERRORS = 10, POINTS = 12 };

struct reading {
	double values[FIELDS]; /* NAN: there is none */
	uint64_t time_ns;
	double window_seconds;
};

/* "traces.error_rate", or, of traces, "error_rate". */
static int
find_field(struct str name)
{
	size_t dot = str_find(name, '.');
	bool has_group = dot < name.len;
	struct str group = has_group ? (struct str){name.ptr, dot} : STR("traces");
	struct str member = has_group ? str_skip(name, dot + 1) : name;
	if (!has_group && str_eq(name, STR("anomalies"))) {
		group = name;
		member = STR("info");
	}
	for (int i = 0; i < FIELDS; i++)
		if (str_eq(group, str_from(fields[i].group)) &&
		    str_eq(member, str_from(fields[i].member)))
			return i;
	return NONE;
}

/* ---- conditions */

enum comparison { GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, EQUAL, NOT_EQUAL };

struct condition {
	struct str text;
	int field;
	bool delta; /* of its change */
	enum comparison comparison;
	double value;
};

static const struct {
	const char *text;
	enum comparison comparison;
} comparisons[] = {
    {">=", GREATER_EQUAL},
    {"<=", LESS_EQUAL},
    {"==", EQUAL},
    {"!=", NOT_EQUAL},
    {">", GREATER},
    {"<", LESS},
    {"=", EQUAL},
};

static bool
parse_value(struct str text, enum unit unit, double *out)
{
	uint64_t ns;
	if (unit == UNIT_RATE && text.len > 1 && text.ptr[text.len - 1] == '%') {
		text.len--;
		bool ok = str_to_f64(text, out) && isfinite(*out);
		*out /= 100.0;
		return ok;
	}
	if (str_to_f64(text, out))
		return isfinite(*out);
	if (unit != UNIT_MS || !time_parse_span(text, &ns))
		return false;
	*out = (double)ns / (double)NS_PER_MS;
	return true;
}

/* "traces.delta_error_count" is the change of traces.error_count. */
static int
find_changed_field(struct str name, bool *delta_out)
{
	char plain[64];
	size_t dot = str_find(name, '.'), at = dot < name.len ? dot + 1 : 0;
	*delta_out = str_starts(str_skip(name, at), STR("delta_"));
	struct str rest = str_skip(name, at + (*delta_out ? 6 : 0));
	int n = snprintf(plain, sizeof(plain), "%.*s%.*s", (int)at, name.ptr, STR_ARG(rest));
	return n > 0 && (size_t)n < sizeof(plain) ? find_field(str_of(plain, (size_t)n)) : NONE;
}

static enum err_code
parse_condition(struct str text, struct condition *out, struct err *err)
{
	size_t at = 0;
	while (at < text.len && !memchr("<>=!", text.ptr[at], 4))
		at++;
	struct str name = str_trim((struct str){text.ptr, at}), rest = str_skip(text, at);
	size_t shown = text.len < 60 ? text.len : 60;
	*out = (struct condition){.text = text, .comparison = GREATER};
	out->field = name.len < 60 ? find_changed_field(name, &out->delta) : NONE;
	if (out->field == NONE)
		return err_set(err, ERR_INVALID,
		    "--exit-on: nothing is called \"%.*s\"; weir watch --help lists what is",
		    name.len < 60 ? (int)name.len : 60, name.ptr);
	if (rest.len == 0) /* a name alone: there is some */
		return ERR_OK;
	size_t i = 0;
	while (i < ARRAY_LEN(comparisons) && !str_starts(rest, str_from(comparisons[i].text)))
		i++;
	if (i == ARRAY_LEN(comparisons))
		return err_set(err, ERR_INVALID,
		    "--exit-on: compare with >, >=, <, <=, = or !=: \"%.*s\"", (int)shown,
		    text.ptr);
	out->comparison = comparisons[i].comparison;
	struct str value = str_trim(str_skip(rest, strlen(comparisons[i].text)));
	if (!parse_value(value, fields[out->field].unit, &out->value))
		return err_set(err, ERR_INVALID, "--exit-on: not a %s: \"%.*s\" in \"%.*s\"",
		    fields[out->field].unit == UNIT_RATE     ? "rate (0.05, 5%)"
		        : fields[out->field].unit == UNIT_MS ? "time (500, 500ms, 2s)"
		                                             : "number",
		    value.len < 40 ? (int)value.len : 40, value.ptr, (int)shown, text.ptr);
	return ERR_OK;
}

static bool
is_met(const struct condition *c, const struct reading *now, const struct reading *before)
{
	double v = now->values[c->field];
	if (c->delta)
		v = before ? v - before->values[c->field] : 0;
	if (isnan(v))
		return false;
	switch (c->comparison) {
	case GREATER: return v > c->value;
	case GREATER_EQUAL: return v >= c->value;
	case LESS: return v < c->value;
	case LESS_EQUAL: return v <= c->value;
	case EQUAL: return v == c->value;
	case NOT_EQUAL: return v != c->value;
	}
	return false;
}

/* ---- the command */

static const struct op_param watch_params[] = {
    {.name = "service", .type = OP_TEXT, .help = "of this service"},
    {.name = "last",
        .type = OP_SPAN,
        .help = "how long the window is, up to now",
        .fallback = "1m"},
    {.name = "interval", .type = OP_SPAN, .help = "from one look to the next", .fallback = "10s"},
    {.name = "exit_on",
        .type = OP_TEXT,
        .repeat = true,
        .help = "stop when this holds, like error_rate>5%"},
    {.name = "for", .type = OP_SPAN, .help = "stop after so long"},
    {.name = "count",
        .type = OP_INT,
        .min = 1,
        .max = 1000000000,
        .help = "stop after so many looks"},
    {.name = "anomalies", .type = OP_BOOL, .help = "look for anomalies too"},
    {.name = "baseline",
        .type = OP_SPAN,
        .help = "what anomalies are compared with: the time before (6 times as long)"},
    {.name = NULL},
};

#define HELP "repeat the summary, and stop when a condition is met"
#define EXAMPLE "weir watch -s checkout --exit-on 'error_rate>5%' --exit-on 'p95_ms>500'"

static const struct cli_verb verbs[] = {
    {.name = "watch",
        .op = {.name = "watch",
            .path = "/api/v1/summary",
            .help = HELP,
            .example = EXAMPLE,
            .params = watch_params}},
    {.name = NULL},
};

struct watching {
	const struct cli_io *io;
	const struct cli_request *req; /* as given */
	struct cli_request summary, anomalies; /* as asked */
	struct condition conditions[CONDITIONS_MAX];
	size_t condition_count;
	bool wants_anomalies;
	uint64_t interval_ns, for_ns, count; /* 0: no end */
	struct cli_style style;
	bool table;
};

static void
add_value(struct cli_request *req, struct op_value v)
{
	CHECK(req->value_count < CLI_VALUES_MAX);
	req->values[req->value_count++] = v;
}

static enum err_code
take_value(struct watching *w, struct op_value v, struct err *err)
{
	struct str name = v.name;
	uint64_t ns = 0;
	if (str_eq(name, STR("exit_on"))) {
		struct condition *c = &w->conditions[w->condition_count];
		if (w->condition_count == CONDITIONS_MAX)
			return err_set(err, ERR_INVALID, "--exit-on: given more than %d times",
			    CONDITIONS_MAX);
		w->condition_count++;
		enum err_code code = parse_condition(v.value, c, err);
		w->wants_anomalies =
		    w->wants_anomalies || (code == ERR_OK && c->field >= ANOMALIES_FIRST);
		return code;
	}
	if (str_eq(name, STR("service")) || str_eq(name, STR("last"))) {
		add_value(&w->summary, v);
		add_value(&w->anomalies, v);
	} else if (str_eq(name, STR("baseline"))) {
		add_value(&w->anomalies, v);
	} else if (str_eq(name, STR("anomalies"))) {
		w->wants_anomalies = w->wants_anomalies ||
		    !(str_eq(v.value, STR("false")) || str_eq(v.value, STR("0")));
	} else if (str_eq(name, STR("count"))) {
		bool ok = str_to_u64(v.value, &w->count);
		CHECK(ok); /* it has been checked */
	} else if (time_parse_span(v.value, &ns)) {
		*(str_eq(name, STR("for")) ? &w->for_ns : &w->interval_ns) = ns;
	}
	return ERR_OK;
}

static enum err_code
prepare(struct watching *w, struct err *err)
{
	bool has_last = false;
	enum err_code code = ERR_OK;
	const struct cli_request asked = {
	    .server = w->req->server, .format = w->req->format, .color = w->req->color};
	w->summary = w->anomalies = asked;
	w->summary.op = ops_find_name(STR("summary"));
	w->anomalies.op = ops_find_name(STR("anomalies"));
	CHECK(w->summary.op && w->anomalies.op);
	w->interval_ns = INTERVAL_S * NS_PER_S;
	for (size_t i = 0; i < w->req->value_count && code == ERR_OK; i++) {
		has_last = has_last || str_eq(w->req->values[i].name, STR("last"));
		code = take_value(w, w->req->values[i], err);
	}
	if (!has_last) {
		struct op_value last = {STR("last"), STR("1m")};
		add_value(&w->summary, last);
		add_value(&w->anomalies, last);
	}
	return code;
}

/* ---- a tick */

static void
read_summary(const json_t *answer, struct reading *r)
{
	for (int i = 0; i < ANOMALIES_FIRST; i++) {
		const json_t *group = json_object_get(answer, fields[i].group);
		const json_t *v = json_object_get(group, fields[i].member);
		r->values[i] = json_is_number(v) ? json_number_value(v)
		    : json_is_string(v)          ? (double)cli_item_u64(group, fields[i].member)
		                                 : (double)NAN;
	}
	r->time_ns = cli_item_u64(answer, "to_unix_nano");
	r->window_seconds = cli_item_f64(answer, "window_seconds");
}

static void
read_anomalies(const json_t *answer, struct reading *r)
{
	const json_t *list = json_object_get(answer, "anomalies");
	for (int i = ANOMALIES_FIRST; i < FIELDS; i++)
		r->values[i] = 0;
	for (size_t k = 0; k < json_array_size(list); k++)
		for (int i = ANOMALIES_FIRST, worse = true; i < FIELDS && worse; i++) {
			r->values[i]++;
			worse = !cli_item_is(json_array_get(list, k), "severity", fields[i].member);
		}
}

static int
fetch(const struct watching *w, const struct cli_request *req, const char *member,
    void (*use)(const json_t *answer, struct reading *r), struct reading *r)
{
	struct buf body;
	struct err e = {0};
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(w->io, req, STR_EMPTY, &body);
	json_t *answer = exit_code == CLI_OK ? cli_json_load(&body) : NULL;
	if (exit_code == CLI_OK && !json_object_get(answer, member))
		exit_code = cli_fail(w->io, CLI_ERROR,
		    (err_set(&e, ERR_CORRUPT, "the server's answer is none of %s", req->op->name),
		        &e));
	else if (exit_code == CLI_OK)
		use(answer, r);
	if (json_is_true(json_object_get(answer, "partial")))
		exit_code = cli_warn_if_partial(w->io, &body);
	json_decref(answer);
	buf_fini(&body);
	return exit_code;
}

static int
look(const struct watching *w, struct reading *r)
{
	for (int i = 0; i < FIELDS; i++)
		r->values[i] = (double)NAN;
	int exit_code = fetch(w, &w->summary, "traces", read_summary, r);
	int partial = exit_code;
	if ((exit_code == CLI_OK || exit_code == CLI_PARTIAL) && w->wants_anomalies)
		exit_code = fetch(w, &w->anomalies, "anomalies", read_anomalies, r);
	return exit_code == CLI_OK ? partial : exit_code;
}

/* ---- as JSON */

static void
write_number(struct json_writer *j, double v, enum unit unit)
{
	if (isnan(v))
		jsonw_null(j);
	else if (unit == UNIT_COUNT)
		jsonw_i64(j, (int64_t)v);
	else
		jsonw_f64(j, v);
}

static void
write_group(struct json_writer *j, const char *group, const struct reading *now,
    const struct reading *before)
{
	char delta[40];
	jsonw_key(j, group);
	jsonw_object(j);
	for (int i = 0; i < FIELDS; i++) {
		if (strcmp(fields[i].group, group) != 0)
			continue;
		double change = before ? now->values[i] - before->values[i] : 0;
		jsonw_key(j, fields[i].member);
		write_number(j, now->values[i], fields[i].unit);
		snprintf(delta, sizeof(delta), "delta_%s", fields[i].member);
		jsonw_key(j, delta);
		write_number(j, isnan(now->values[i]) ? (double)NAN : change, fields[i].unit);
	}
	jsonw_object_end(j);
}

static void
write_tick(struct buf *out, const struct watching *w, const struct reading *now,
    const struct reading *before)
{
	struct json_writer j;
	char time[TIME_RFC3339_BYTES];
	json_writer_init(&j, out);
	jsonw_object(&j);
	time_rfc3339(now->time_ns, time);
	jsonw_key(&j, "timestamp");
	jsonw_str(&j, str_of(time, sizeof(time)));
	jsonw_key(&j, "window_seconds");
	jsonw_f64(&j, now->window_seconds);
	write_group(&j, "traces", now, before);
	write_group(&j, "logs", now, before);
	write_group(&j, "metrics", now, before);
	if (w->wants_anomalies)
		write_group(&j, "anomalies", now, before);
	jsonw_key(&j, "met");
	jsonw_array(&j);
	for (size_t i = 0; i < w->condition_count; i++)
		if (is_met(&w->conditions[i], now, before))
			jsonw_str(&j, w->conditions[i].text);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	buf_char(out, '\n');
}

/* ---- as rows */

static const struct {
	const char *title;
	int width, field;
} columns[] = {
    {"SPANS", 9, SPANS},
    {"ERRORS", 8, ERRORS},
    {"RATE", 7, RATE},
    {"P50", 8, P50},
    {"P95", 8, P95},
    {"LOGS", 8, LOGS},
    {"LOG ERR", 8, LOG_ERRORS},
    {"POINTS", 8, POINTS},
    {"ANOMALIES", 10, ANOMALIES_FIRST},
};

static void
put_padded(struct buf *out, struct str text, int width)
{
	size_t room = (size_t)width > text_width(text) ? (size_t)width - text_width(text) : 1;
	text_spaces(out, room);
	buf_str(out, text);
}

static void
put_header(struct buf *out, const struct watching *w)
{
	text_color_on(out, &w->style, COLOR_BOLD);
	buf_str(out, STR("TIME    "));
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (columns[i].field < ANOMALIES_FIRST || w->wants_anomalies)
			put_padded(out, str_from(columns[i].title), columns[i].width);
	text_color_off(out, &w->style, COLOR_BOLD);
	buf_char(out, '\n');
}

static void
put_value(struct buf *b, double v, enum unit unit)
{
	if (isnan(v))
		buf_char(b, '-');
	else if (unit == UNIT_RATE)
		buf_printf(b, "%.3g%%", v * 100.0);
	else if (unit == UNIT_MS)
		text_duration(b, v * (double)NS_PER_MS);
	else
		buf_printf(b, "%.0f", v);
}

static void
put_row(struct buf *out, const struct watching *w, const struct reading *now)
{
	char time[TIME_RFC3339_BYTES];
	struct buf b = {0};
	time_rfc3339(now->time_ns, time);
	buf_str(out, str_of(time + 11, 8)); /* of the day */
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		int field = columns[i].field;
		if (field >= ANOMALIES_FIRST && !w->wants_anomalies)
			continue;
		bool bad = (field == ERRORS || field == LOG_ERRORS || field >= ANOMALIES_FIRST) &&
		    now->values[field] > 0;
		put_value(&b, now->values[field], fields[field].unit);
		text_color_on(out, &w->style, bad ? COLOR_RED : COLOR_NONE);
		put_padded(out, buf_view(&b), columns[i].width);
		text_color_off(out, &w->style, bad ? COLOR_RED : COLOR_NONE);
		buf_reset(&b);
	}
	buf_char(out, '\n');
	buf_fini(&b);
}

/* ---- again and again */

/* Says which on standard error; how many are met. */
static size_t
say_met(const struct watching *w, const struct reading *now, const struct reading *before)
{
	size_t met = 0;
	for (size_t i = 0; i < w->condition_count; i++) {
		const struct condition *c = &w->conditions[i];
		struct buf line = {0};
		if (!is_met(c, now, before))
			continue;
		met++;
		buf_printf(&line, "weir: met: %.*s (%s.%s is ", STR_ARG(c->text),
		    fields[c->field].group, fields[c->field].member);
		put_value(&line, now->values[c->field], fields[c->field].unit);
		buf_str(&line, STR(")"));
		struct buf clean = {0};
		text_clean(&clean, buf_view(&line), false);
		fflush(w->io->out);
		fprintf(w->io->err, "%.*s\n", STR_ARG(buf_view(&clean)));
		buf_fini(&clean);
		buf_fini(&line);
	}
	return met;
}

static int
show(const struct watching *w, uint64_t tick, const struct reading *now,
    const struct reading *before)
{
	struct buf out = {0};
	if (w->table && tick % HEADER_EVERY == 0)
		put_header(&out, w);
	if (w->table)
		put_row(&out, w, now);
	else
		write_tick(&out, w, now, before);
	int exit_code = cli_write_out(w->io, &out);
	buf_fini(&out);
	return exit_code;
}

static bool
is_over(const struct watching *w, uint64_t looks, uint64_t elapsed_ns)
{
	return (w->count > 0 && looks >= w->count) || (w->for_ns > 0 && elapsed_ns >= w->for_ns);
}

/* Until the next look, or the end. The time since the first one. */
static uint64_t
wait_for_next(const struct watching *w, uint64_t elapsed_ns)
{
	uint64_t begun_ns = w->io->now_unix_ns, ns = w->interval_ns;
	if (w->for_ns > 0 && w->for_ns - elapsed_ns < ns)
		ns = w->for_ns - elapsed_ns;
	uint64_t now_ns = w->io->wait(w->io->ctx, ns);
	return now_ns > begun_ns ? now_ns - begun_ns : 0;
}

static int
watch(const struct watching *w)
{
	struct reading readings[2];
	const struct reading *before = NULL;
	uint64_t elapsed_ns = 0, shown = 0;
	bool partial = false;
	for (uint64_t looks = 1;; looks++) {
		struct reading *now = &readings[shown % 2]; /* the other one is `before` */
		int exit_code = look(w, now);
		partial = exit_code == CLI_PARTIAL;
		if (exit_code != CLI_OK && !partial && (shown == 0 || exit_code != CLI_ERROR))
			return exit_code;
		if (exit_code == CLI_OK || partial) {
			exit_code = show(w, shown++, now, before);
			if (exit_code != CLI_OK)
				return exit_code;
			if (say_met(w, now, before) > 0)
				return partial ? CLI_PARTIAL : CLI_OK;
			before = now;
		}
		if (is_over(w, looks, elapsed_ns))
			break;
		elapsed_ns = wait_for_next(w, elapsed_ns);
	}
	if (w->condition_count > 0)
		return CLI_NOT_FOUND;
	return partial ? CLI_PARTIAL : CLI_OK;
}

/* ---- the command line */

static void
print_help(FILE *out)
{
	fprintf(out,
	    "--exit-on NAME OP NUMBER, OP being >, >=, <, <=, = or !=; NAME alone: more than\n"
	    "0. Names, of traces also without \"traces.\"; delta_ before the last part: its\n"
	    "change since the look before (logs.delta_error>10):\n ");
	for (int i = 0, column = 1; i < FIELDS; i++) {
		int n = (int)(strlen(fields[i].group) + strlen(fields[i].member)) + 2;
		if (column + n > 78) {
			fprintf(out, "\n ");
			column = 1;
		}
		fprintf(out, " %s.%s", fields[i].group, fields[i].member);
		column += n;
	}
	fprintf(out,
	    "\nRates may be written as 5%%, times as 500ms or 2s. What has no value, like p95_ms\n"
	    "without spans, meets nothing. Of anomalies: of this severity or a worse one.\n"
	    "\nA terminal gets rows, a pipe a line of JSON for each look (also with -o json).\n"
	    "Exit codes: 0 a condition is met, or none was given; 1 error; 2 usage; 3 --for\n"
	    "or --count is over and no condition was met; 4 the last answer was partial.\n");
}

static enum err_code
check(const struct cli_verb *verb, const struct cli_request *req, struct err *err)
{
	struct watching *w = xcalloc(1, sizeof(*w));
	(void)verb;
	w->req = req;
	enum err_code code = prepare(w, err);
	free(w);
	return code;
}

static int
run(const struct cli_io *io, const struct cli_verb *verb, struct cli_request *req)
{
	struct watching *w = xcalloc(1, sizeof(*w));
	struct err checked;
	(void)verb;
	w->io = io;
	w->req = req;
	CHECK(prepare(w, &checked) == ERR_OK);
	w->style = cli_style_of(io, req);
	w->table = cli_format_of(io, req) == FORMAT_TABLE;
	int exit_code = watch(w);
	free(w);
	return exit_code;
}

const struct cli_group cli_watch = {.name = "watch",
    .help = HELP,
    .section = OP_ANALYSE,
    .verbs = verbs,
    .print_more = print_help,
    .check = check,
    .run = run};
