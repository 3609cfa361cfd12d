/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timefmt.h"

#include "tests/test.h"

#include <stdio.h>
#include <time.h>

/* Independent computation: the C library's gmtime. */
TEST(base, rfc3339_agrees_with_gmtime_over_five_centuries)
{
	for (uint64_t day = 0; day < 213503; day += 7) {
		uint64_t ns = day * NS_PER_DAY + day * 1234567891;
		time_t seconds = (time_t)(ns / NS_PER_S);
		struct tm tm;
		char want[64], got[TIME_RFC3339_BYTES + 1] = {0};
		assert_non_null(gmtime_r(&seconds, &tm));
		size_t n = strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(want + n, sizeof(want) - n, ".%09uZ", (unsigned)(ns % NS_PER_S));
		time_rfc3339(ns, got);
		assert_string_equal(got, want);
		uint64_t back = 0;
		assert_true(time_parse(str_from(got), &back));
		assert_true(back == ns);
	}
	char last[TIME_RFC3339_BYTES];
	time_rfc3339(UINT64_MAX, last);
	assert_memory_equal(last, "2554-07-21T23:34:33.709551615Z", TIME_RFC3339_BYTES);
}

TEST(base, times_are_read_in_every_form_people_use)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
	} rows[] = {
	    {"1970-01-01T00:00:01Z", NS_PER_S},
	    {"1970-01-01 00:00:01.5Z", NS_PER_S + NS_PER_S / 2},
	    {"1970-01-01T01:00:01+01:00", NS_PER_S},
	    {"1969-12-31T23:00:01-01:00", 0},
	    {"1970-01-01T00:00:00.0000000019Z", 1},
	    {"1795187531", UINT64_C(1795187531) * NS_PER_S},
	    {"1795187531123", UINT64_C(1795187531123) * NS_PER_MS},
	    {"1795187531123456", UINT64_C(1795187531123456) * NS_PER_US},
	    {"1795187531123456789", UINT64_C(1795187531123456789)},
	    {"2026-02-30T00:00:00Z", 0},
	    {"2026-13-01T00:00:00Z", 0},
	    {"2026-01-01T24:00:00Z", 0},
	    {"2026-11-20T15:12:11", UINT64_C(1795187531) * NS_PER_S},
	    {"2026-11-20 15:12:11.5", UINT64_C(1795187531500) * NS_PER_MS},
	    {"2026-11-20T15:12", UINT64_C(1795187520) * NS_PER_S},
	    {"2026-11-20T16:12+01:00", UINT64_C(1795187520) * NS_PER_S},
	    {"2026-11-20", UINT64_C(20777) * NS_PER_DAY},
	    {"2026-11-20T", 0},
	    {"2026-11-20Z", 0},
	    {"2026-11-20T15", 0},
	    {"2026-11-20T15:", 0},
	    {"2026-11-20T15:12:", 0},
	    {"2026-11-20T15:12.5", 0},
	    {"2026-11-31", 0},
	    {"2026-11", 0},
	    {"2026-01-01T00:00:00.Z", 0},
	    {"", 0},
	    {"yesterday", 0},
	    {"2600-01-01T00:00:00Z", 0},
	    {"99999999999999999999", 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns = 0;
		bool ok = time_parse(str_from(rows[i].text), &ns);
		assert_int_equal(ok, rows[i].ns != 0);
		assert_true(!ok || ns == rows[i].ns);
	}
}

TEST(base, lengths_of_time_are_read_with_their_units)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
	} rows[] = {
	    {"90s", 90 * NS_PER_S},
	    {"1h30m", 5400 * NS_PER_S},
	    {"250ms", 250 * NS_PER_MS},
	    {"15", 15 * NS_PER_S},
	    {"2d", 2 * NS_PER_DAY},
	    {"1w", 7 * NS_PER_DAY},
	    {"5us", 5000},
	    {"7ns", 7},
	    {"0s", 0},
	    {"", 0},
	    {"h", 0},
	    {"1x", 0},
	    {"-1s", 0},
	    {"1.5h", 5400 * NS_PER_S},
	    {"0.25s", 250 * NS_PER_MS},
	    {"1.5", 1500 * NS_PER_MS},
	    {"1h0.5m", 3630 * NS_PER_S},
	    {"0.1w", 60480 * NS_PER_S},
	    {"1.999999999999999999999s", 1999999999},
	    {"0.9ns", 0},
	    {"1.h", 0},
	    {".5h", 0},
	    {"1.5.5h", 0},
	    {"1.5 h", 0},
	    {"213503.99d", 0},
	    {"999999999999d", 0},
	    {"1 h", 0},
	};
	uint64_t zero = 1;
	assert_true(time_parse_length(STR("0s"), &zero) && zero == 0);
	assert_false(time_parse_length(STR(""), &zero) || time_parse_length(STR("1x"), &zero));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns = 0;
		assert_int_equal(time_parse_span(str_from(rows[i].text), &ns), rows[i].ns != 0);
		assert_true(rows[i].ns == 0 || ns == rows[i].ns);
	}
}

TEST(base, lengths_of_time_read_well)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {{0, "0ns"}, {950, "950ns"}, {1250, "1.25us"}, {3400000, "3.4ms"},
	    {UINT64_C(2500000000), "2.5s"}, {125 * NS_PER_S, "2m05s"}, {3720 * NS_PER_S, "1h02m"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[32];
		time_span_text(rows[i].ns, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

TEST(base, days_go_there_and_back)
{
	for (uint32_t day = 0; day < 213503; day++) {
		char text[8];
		uint32_t back;
		time_day_text(day, text);
		assert_true(time_day_parse(str_of(text, 8), &back));
		assert_int_equal(back, day);
	}
	uint32_t day;
	assert_false(time_day_parse(STR("20260230"), &day));
	assert_false(time_day_parse(STR("2026011"), &day));
}
