/* SPDX-License-Identifier: Apache-2.0 */
#include "promql/eval.h"

#include <math.h>

static double
round_down(double v)
{
	return floor(v);
}

static double
round_up(double v)
{
	return ceil(v);
}

static double
sign_of(double v)
{
	return v < 0 ? -1 : v > 0 ? 1 : v;
}

static double
degrees(double v)
{
	return v * 180 / M_PI;
}

static double
radians(double v)
{
	return v * M_PI / 180;
}

#define NUMBERS(n, f)                                                                              \
	{.name = n, .type = PROMQL_VECTOR, .args = {ARG_VECTOR}, .required = 1, .number = f}
#define RANGE(n, f)                                                                                \
	{.name = n, .type = PROMQL_VECTOR, .args = {ARG_MATRIX}, .required = 1, .range = f}
#define COUNTER(n, f)                                                                              \
	{.name = n,                                                                                \
	    .type = PROMQL_VECTOR,                                                                 \
	    .args = {ARG_MATRIX},                                                                  \
	    .required = 1,                                                                         \
	    .counter = true,                                                                       \
	    .range = f}
#define VECTOR(n, f, need, ...)                                                                    \
	{.name = n,                                                                                \
	    .type = PROMQL_VECTOR,                                                                 \
	    .args = {__VA_ARGS__},                                                                 \
	    .required = need,                                                                      \
	    .vector = promql_fn_##f}
#define DATE(n)                                                                                    \
	{.name = n,                                                                                \
	    .type = PROMQL_VECTOR,                                                                 \
	    .args = {ARG_VECTOR},                                                                  \
	    .required = 0,                                                                         \
	    .vector = promql_fn_date}

static const struct function functions[] = {
    NUMBERS("abs", fabs),
    VECTOR("absent", absent, 1, ARG_VECTOR),
    VECTOR("absent_over_time", absent_over_time, 1, ARG_MATRIX),
    NUMBERS("acos", acos),
    NUMBERS("acosh", acosh),
    NUMBERS("asin", asin),
    NUMBERS("asinh", asinh),
    NUMBERS("atan", atan),
    NUMBERS("atanh", atanh),
    RANGE("avg_over_time", promql_avg_over_time),
    NUMBERS("ceil", round_up),
    RANGE("changes", promql_changes),
    VECTOR("clamp", clamp, 3, ARG_VECTOR, ARG_SCALAR, ARG_SCALAR),
    VECTOR("clamp_max", clamp_max, 2, ARG_VECTOR, ARG_SCALAR),
    VECTOR("clamp_min", clamp_min, 2, ARG_VECTOR, ARG_SCALAR),
    NUMBERS("cos", cos),
    NUMBERS("cosh", cosh),
    RANGE("count_over_time", promql_count_over_time),
    DATE("day_of_month"),
    DATE("day_of_week"),
    DATE("day_of_year"),
    DATE("days_in_month"),
    NUMBERS("deg", degrees),
    RANGE("delta", promql_delta),
    RANGE("deriv", promql_deriv),
    NUMBERS("exp", exp),
    NUMBERS("floor", round_down),
    VECTOR("histogram_avg", histogram_avg, 1, ARG_VECTOR),
    VECTOR("histogram_count", histogram_count, 1, ARG_VECTOR),
    VECTOR("histogram_fraction", histogram_fraction, 3, ARG_SCALAR, ARG_SCALAR, ARG_VECTOR),
    VECTOR("histogram_quantile", histogram_quantile, 2, ARG_SCALAR, ARG_VECTOR),
    VECTOR("histogram_sum", histogram_sum, 1, ARG_VECTOR),
    DATE("hour"),
    RANGE("idelta", promql_idelta),
    COUNTER("increase", promql_increase),
    COUNTER("irate", promql_irate),
    {.name = "label_join",
        .type = PROMQL_VECTOR,
        .args = {ARG_VECTOR, ARG_STRING, ARG_STRING, ARG_STRING},
        .required = 3,
        .repeats = true,
        .vector = promql_fn_label_join},
    VECTOR("label_replace", label_replace, 5, ARG_VECTOR, ARG_STRING, ARG_STRING, ARG_STRING,
        ARG_STRING),
    {.name = "last_over_time",
        .type = PROMQL_VECTOR,
        .args = {ARG_MATRIX},
        .required = 1,
        .keeps_name = true,
        .range = promql_last_over_time},
    NUMBERS("ln", log),
    NUMBERS("log10", log10),
    NUMBERS("log2", log2),
    RANGE("max_over_time", promql_max_over_time),
    RANGE("min_over_time", promql_min_over_time),
    DATE("minute"),
    DATE("month"),
    {.name = "pi", .type = PROMQL_SCALAR, .vector = promql_fn_pi},
    {.name = "predict_linear",
        .type = PROMQL_VECTOR,
        .args = {ARG_MATRIX, ARG_SCALAR},
        .required = 2,
        .range = promql_predict_linear},
    RANGE("present_over_time", promql_present_over_time),
    {.name = "quantile_over_time",
        .type = PROMQL_VECTOR,
        .args = {ARG_SCALAR, ARG_MATRIX},
        .required = 2,
        .range = promql_quantile_over_time},
    NUMBERS("rad", radians),
    COUNTER("rate", promql_rate),
    COUNTER("resets", promql_resets),
    VECTOR("round", round, 1, ARG_VECTOR, ARG_SCALAR),
    {.name = "scalar",
        .type = PROMQL_SCALAR,
        .args = {ARG_VECTOR},
        .required = 1,
        .vector = promql_fn_scalar},
    NUMBERS("sgn", sign_of),
    NUMBERS("sin", sin),
    NUMBERS("sinh", sinh),
    VECTOR("sort", sort, 1, ARG_VECTOR),
    VECTOR("sort_desc", sort, 1, ARG_VECTOR),
    NUMBERS("sqrt", sqrt),
    RANGE("stddev_over_time", promql_stddev_over_time),
    RANGE("stdvar_over_time", promql_stdvar_over_time),
    RANGE("sum_over_time", promql_sum_over_time),
    NUMBERS("tan", tan),
    NUMBERS("tanh", tanh),
    {.name = "time", .type = PROMQL_SCALAR, .vector = promql_fn_time},
    VECTOR("timestamp", timestamp, 1, ARG_VECTOR),
    VECTOR("vector", vector, 1, ARG_SCALAR),
    DATE("year"),
};

const struct function *
promql_find_function(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (str_eq(name, str_from(functions[i].name)))
			return &functions[i];
	return NULL;
}

size_t
promql_functions(const char **out, size_t max)
{
	size_t n = ARRAY_LEN(functions) < max ? ARRAY_LEN(functions) : max;
	for (size_t i = 0; i < n; i++)
		out[i] = functions[i].name;
	return n;
}
