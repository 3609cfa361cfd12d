/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timefmt.h"

#include "base/check.h"

#include <stdio.h>

/* Civil date of a day number, for years 1970 and later. Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms" (days_from_civil and civil_from_days), public domain. */
static void
civil_from_days(uint32_t days, unsigned *year, unsigned *month, unsigned *day)
{
	uint32_t z = days + 719468;
	uint32_t era = z / 146097;
	uint32_t doe = z - era * 146097;
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint32_t mp = (5 * doy + 2) / 153;
	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = yoe + era * 400 + (*month <= 2 ? 1 : 0);
}

static int64_t
days_from_civil(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = year / 400;
	int64_t yoe = year - era * 400;
	int64_t doy = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static void
put_digits(char *out, unsigned v, int width)
{
	for (int i = width - 1; i >= 0; i--) {
		out[i] = (char)('0' + v % 10);
		v /= 10;
	}
}

void
time_rfc3339(uint64_t unix_ns, char out[TIME_RFC3339_BYTES])
{
	unsigned year, month, day;
	uint64_t seconds = unix_ns / NS_PER_S;
	unsigned in_day = (unsigned)(seconds % 86400);
	civil_from_days((uint32_t)(seconds / 86400), &year, &month, &day);
	memcpy(out, "0000-00-00T00:00:00.000000000Z", TIME_RFC3339_BYTES);
	put_digits(out, year, 4);
	put_digits(out + 5, month, 2);
	put_digits(out + 8, day, 2);
	put_digits(out + 11, in_day / 3600, 2);
	put_digits(out + 14, in_day / 60 % 60, 2);
	put_digits(out + 17, in_day % 60, 2);
	put_digits(out + 20, (unsigned)(unix_ns % NS_PER_S), 9);
}

void
time_day_text(uint32_t unix_day, char out[8])
{
	unsigned year, month, day;
	civil_from_days(unix_day, &year, &month, &day);
	CHECK(year <= 9999);
	put_digits(out, year, 4);
	put_digits(out + 4, month, 2);
	put_digits(out + 6, day, 2);
}

static bool
take_digits(struct str *s, size_t width, unsigned *out)
{
	uint64_t v;
	if (s->len < width || !str_to_u64((struct str){s->ptr, width}, &v))
		return false;
	*out = (unsigned)v;
	*s = str_skip(*s, width);
	return true;
}

static bool
take_char(struct str *s, char c)
{
	if (s->len == 0 || s->ptr[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static bool
date_ok(unsigned year, unsigned month, unsigned day)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (year < 1970 || month < 1 || month > 12 || day < 1)
		return false;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool
time_day_parse(struct str s, uint32_t *unix_day_out)
{
	unsigned year, month, day;
	if (!take_digits(&s, 4, &year) || !take_digits(&s, 2, &month) || !take_digits(&s, 2, &day))
		return false;
	if (s.len || !date_ok(year, month, day))
		return false;
	*unix_day_out = (uint32_t)days_from_civil(year, month, day);
	return true;
}

static bool
take_fraction(struct str *s, uint64_t *ns_out)
{
	uint64_t ns = 0, unit = NS_PER_S / 10;
	size_t n = 0;
	if (!take_char(s, '.'))
		return true;
	for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++, unit /= 10)
		ns += (uint64_t)(s->ptr[n] - '0') * unit;
	*s = str_skip(*s, n);
	*ns_out = ns;
	return n > 0;
}

static bool
take_offset(struct str *s, int64_t *seconds_out)
{
	unsigned hours, minutes;
	if (take_char(s, 'Z') || take_char(s, 'z')) {
		*seconds_out = 0;
		return true;
	}
	bool west = s->len && s->ptr[0] == '-';
	if (!take_char(s, '+') && !take_char(s, '-'))
		return false;
	if (!take_digits(s, 2, &hours) || !take_char(s, ':') || !take_digits(s, 2, &minutes))
		return false;
	if (hours > 23 || minutes > 59)
		return false;
	int64_t seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
	*seconds_out = west ? -seconds : seconds;
	return true;
}

/* "16:00", "16:00:05", "16:00:05.25", and behind it an offset or nothing. */
static bool
take_time_of_day(struct str *s, int64_t *seconds_out, uint64_t *fraction_ns_out)
{
	unsigned hour, minute, second = 0;
	int64_t offset_s = 0;
	if (!take_digits(s, 2, &hour) || !take_char(s, ':') || !take_digits(s, 2, &minute))
		return false;
	if (take_char(s, ':') &&
	    (!take_digits(s, 2, &second) || !take_fraction(s, fraction_ns_out)))
		return false;
	if (s->len > 0 && !take_offset(s, &offset_s))
		return false;
	*seconds_out = (int64_t)hour * 3600 + (int64_t)minute * 60 + second - offset_s;
	return hour <= 23 && minute <= 59 && second <= 60;
}

static bool
parse_rfc3339(struct str s, uint64_t *unix_ns_out)
{
	unsigned year, month, day;
	uint64_t fraction_ns = 0;
	int64_t in_day_s = 0;
	if (!take_digits(&s, 4, &year) || !take_char(&s, '-') || !take_digits(&s, 2, &month) ||
	    !take_char(&s, '-') || !take_digits(&s, 2, &day))
		return false;
	if (s.len > 0) {
		if (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' '))
			return false;
		if (!take_time_of_day(&s, &in_day_s, &fraction_ns) || s.len)
			return false;
	}
	if (!date_ok(year, month, day))
		return false;
	int64_t seconds = days_from_civil(year, month, day) * 86400 + in_day_s;
	uint64_t ns;
	if (seconds < 0 || __builtin_mul_overflow((uint64_t)seconds, NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, fraction_ns, &ns))
		return false;
	*unix_ns_out = ns;
	return true;
}

bool
time_parse(struct str s, uint64_t *unix_ns_out)
{
	uint64_t v;
	if (!str_to_u64(s, &v))
		return parse_rfc3339(s, unix_ns_out);
	uint64_t unit = s.len <= 11 ? NS_PER_S
	    : s.len <= 14           ? NS_PER_MS
	    : s.len <= 17           ? NS_PER_US
	                            : 1;
	return !__builtin_mul_overflow(v, unit, unix_ns_out);
}

static bool
unit_ns(struct str unit, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"ns", 1}, {"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S},
	    {"", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"d", NS_PER_DAY},
	    {"w", 7 * NS_PER_DAY}};
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (str_eq(unit, str_from(units[i].name))) {
			*out = units[i].ns;
			return true;
		}
	}
	return false;
}

static size_t
digit_count(struct str s)
{
	size_t n = 0;
	while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
		n++;
	return n;
}

/* The `digits` behind a decimal point, of one `unit`. */
static uint64_t
fraction_of(struct str digits, uint64_t unit)
{
	uint64_t part = 0;
	/* From the last digit on; 18 of them are more than any unit has. */
	for (size_t i = digits.len < 18 ? digits.len : 18; i-- > 0;)
		part = ((uint64_t)(digits.ptr[i] - '0') * unit + part) / 10;
	return part;
}

/* "1.5h" off the head of s. */
static bool
take_span(struct str *s, uint64_t *ns_out)
{
	uint64_t count, unit;
	struct str whole = {s->ptr, digit_count(*s)}, fraction = STR_EMPTY;
	*s = str_skip(*s, whole.len);
	if (take_char(s, '.')) {
		fraction = (struct str){s->ptr, digit_count(*s)};
		*s = str_skip(*s, fraction.len);
		if (fraction.len == 0)
			return false;
	}
	size_t end = 0;
	while (end < s->len && (s->ptr[end] < '0' || s->ptr[end] > '9'))
		end++;
	struct str name = {s->ptr, end};
	*s = str_skip(*s, end);
	return str_to_u64(whole, &count) && unit_ns(name, &unit) &&
	    !__builtin_mul_overflow(count, unit, ns_out) &&
	    !__builtin_add_overflow(*ns_out, fraction_of(fraction, unit), ns_out);
}

bool
time_parse_length(struct str s, uint64_t *ns_out)
{
	uint64_t total = 0;
	if (s.len == 0)
		return false;
	while (s.len) {
		uint64_t part;
		if (!take_span(&s, &part) || __builtin_add_overflow(total, part, &total))
			return false;
	}
	*ns_out = total;
	return true;
}

bool
time_parse_span(struct str s, uint64_t *ns_out)
{
	uint64_t total;
	if (!time_parse_length(s, &total) || total == 0)
		return false;
	*ns_out = total;
	return true;
}

size_t
time_span_text(uint64_t ns, char *out, size_t size)
{
	int n;
	double v = (double)ns;
	if (ns < NS_PER_US)
		n = snprintf(out, size, "%uns", (unsigned)ns);
	else if (ns < NS_PER_MS)
		n = snprintf(out, size, "%.3gus", v / 1e3);
	else if (ns < NS_PER_S)
		n = snprintf(out, size, "%.3gms", v / 1e6);
	else if (ns < 60 * NS_PER_S)
		n = snprintf(out, size, "%.3gs", v / 1e9);
	else if (ns < 3600 * NS_PER_S)
		n = snprintf(out, size, "%um%02us", (unsigned)(ns / (60 * NS_PER_S)),
		    (unsigned)(ns / NS_PER_S % 60));
	else
		n = snprintf(out, size, "%lluh%02um", (unsigned long long)(ns / (3600 * NS_PER_S)),
		    (unsigned)(ns / (60 * NS_PER_S) % 60));
	CHECK(n >= 0);
	return (size_t)n < size ? (size_t)n : size - 1;
}
