/* SPDX-License-Identifier: Apache-2.0 */
#include "series/names.h"
#include "tests/test.h"

TEST(series, metrics_are_called_as_the_compatibility_specification_says)
{
	static const struct {
		const char *name, *unit;
		bool counter, gauge;
		const char *wanted;
	} cases[] = {
	    {"http.server.duration", "ms", false, false, "http_server_duration_milliseconds"},
	    {"a", "", false, true, "a"}, {"a", "s", true, false, "a_seconds_total"},
	    {"a_seconds_total", "s", true, false, "a_seconds_total"},
	    {"total.a", "", true, false, "a_total"}, {"total", "", true, false, "total"},
	    {"a", "1", false, true, "a_ratio"}, {"a", "1", true, false, "a_total"},
	    {"a", "1", false, false, "a"}, {"a", "{things}", true, false, "a_total"},
	    {"a", "{things}/s", false, true, "a_per_second"},
	    {"a", "By/{thing}", false, true, "a_bytes"},
	    {"a", "m/s", false, true, "a_meters_per_second"},
	    {"a.meters.per.second", "m/s", false, true, "a_meters_per_second"},
	    {"a", "foo/bar/baz", false, true, "a_foo_per_bar_baz"},
	    {"a", "%", false, true, "a_percent"}, {"a", "/s", false, true, "a_per_second"},
	    {"a", "s/", false, true, "a_seconds"}, {"a", "°F", false, true, "a_F"},
	    {"3rd", "", false, true, "_3rd"}, {".3rd", "", false, true, "_3rd"},
	    {"_a_", "", false, true, "a"}, {"a::b", "", false, true, "a::b"},
	    {"é", "", false, true, "é"}, {"éa", "", false, true, "a"}, {"", "", false, true, ""},
	    {"...", "s", false, true, "..."}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = {0};
		series_metric_name(&out, str_from(cases[i].name), str_from(cases[i].unit),
		    cases[i].counter, cases[i].gauge);
		if (!str_eq(buf_view(&out), str_from(cases[i].wanted)))
			fail_msg("%s in %s: %.*s, not %s", cases[i].name, cases[i].unit,
			    STR_ARG(buf_view(&out)), cases[i].wanted);
		buf_fini(&out);
	}
}

TEST(series, attributes_are_called_so_too)
{
	static const char *const cases[][2] = {{"http.route", "http_route"}, {"a", "a"},
	    {"2xx", "key_2xx"}, {"_a", "key_a"}, {"__a__", "__a__"}, {"a..b", "a_b"}, {"a_", "a_"},
	    {"a b-c/d", "a_b_c_d"}, {"é", "é"}, {"éa", "key_a"}, {"", ""}, {"__a..b", "__a_b"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = {0};
		series_label_name(&out, str_from(cases[i][0]));
		if (!str_eq(buf_view(&out), str_from(cases[i][1])))
			fail_msg("%s: %.*s, not %s", cases[i][0], STR_ARG(buf_view(&out)),
			    cases[i][1]);
		buf_fini(&out);
	}
}

TEST(series, units_are_words)
{
	static const char *const cases[][2] = {{"s", "seconds"}, {"1", ""}, {"{x}", ""},
	    {"By/s", "bytes_per_second"}, {"KiBy", "kibibytes"}, {"", ""}, {"furlong", "furlong"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = {0};
		series_unit(&out, str_from(cases[i][0]));
		assert_true(str_eq(buf_view(&out), str_from(cases[i][1])));
		buf_fini(&out);
	}
}
