// SPDX-License-Identifier: MIT
/*
 * Time as text, in the C locale.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const day_names[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"January", "February", "March", "April", "May", "June",
	"July", "August", "September", "October", "November", "December"};

struct output {
	char *to;
	size_t size, length;
	int full;
};

static void add(struct output *o, const char *text, size_t n)
{
	if (n >= o->size - o->length) {
		o->full = 1;
		return;
	}
	memcpy(o->to + o->length, text, n);
	o->length += n;
}

static void add_number(struct output *o, const char *format, long value)
{
	char text[24];

	add(o, text, (size_t)snprintf(text, sizeof(text), format, value));
}

static void add_name(struct output *o, const char *const *names, int count, int i, size_t max)
{
	const char *name = i >= 0 && i < count ? names[i] : "?";

	add(o, name, strnlen(name, max));
}

static int is_leap(long year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* ISO 8601: weeks begin on Monday, and belong to the year that has their Thursday. */
static int iso_week(const struct tm *t, long *year)
{
	int monday_based = (t->tm_wday + 6) % 7, week = (t->tm_yday - monday_based + 10) / 7;

	*year = t->tm_year + 1900L;
	if (week < 1) {
		int days = 365 + is_leap(*year - 1);

		--*year;
		return (t->tm_yday + days - monday_based + 10) / 7;
	}
	if (week == 53 && t->tm_yday - monday_based + 3 >= 365 + is_leap(*year)) {
		++*year;
		return 1;
	}
	return week;
}

/* Conversions that stand for others; NULL when c is none. */
static const char *composite(char c)
{
	switch (c) {
	case 'c':
		return "%a %b %e %H:%M:%S %Y";
	case 'D':
	case 'x':
		return "%m/%d/%y";
	case 'F':
		return "%Y-%m-%d";
	case 'R':
		return "%H:%M";
	case 'r':
		return "%I:%M:%S %p";
	case 'T':
	case 'X':
		return "%H:%M:%S";
	default:
		return NULL;
	}
}

/* Conversions that print a field of struct tm, plus a constant. */
static const struct field {
	char conversion;
	unsigned char offset;
	short plus;
	const char *format;
} fields[] = {
	{'d', offsetof(struct tm, tm_mday), 0, "%02ld"},
	{'e', offsetof(struct tm, tm_mday), 0, "%2ld"},
	{'H', offsetof(struct tm, tm_hour), 0, "%02ld"},
	{'j', offsetof(struct tm, tm_yday), 1, "%03ld"},
	{'m', offsetof(struct tm, tm_mon), 1, "%02ld"},
	{'M', offsetof(struct tm, tm_min), 0, "%02ld"},
	{'S', offsetof(struct tm, tm_sec), 0, "%02ld"},
	{'w', offsetof(struct tm, tm_wday), 0, "%ld"},
	{'Y', offsetof(struct tm, tm_year), 1900, "%ld"},
};

static int add_field(struct output *o, char c, const struct tm *t)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *f = &fields[i];

		if (f->conversion != c)
			continue;
		add_number(o, f->format, *(const int *)((const char *)t + f->offset) + f->plus);
		return 1;
	}
	return 0;
}

/* Numbers that are computed. */
static int add_computed(struct output *o, char c, const struct tm *t)
{
	int monday_based = (t->tm_wday + 6) % 7;
	struct tm copy = *t;
	long year, week = iso_week(t, &year);

	switch (c) {
	case 'C':
		add_number(o, "%02ld", (t->tm_year + 1900L) / 100);
		return 1;
	case 'g':
		add_number(o, "%02ld", year % 100);
		return 1;
	case 'G':
		add_number(o, "%ld", year);
		return 1;
	case 'I':
		add_number(o, "%02ld", t->tm_hour % 12 ? t->tm_hour % 12 : 12);
		return 1;
	case 's':
		add_number(o, "%ld", timegm(&copy));
		return 1;
	case 'u':
		add_number(o, "%ld", monday_based + 1);
		return 1;
	case 'U':
		add_number(o, "%02ld", (t->tm_yday + 7 - t->tm_wday) / 7);
		return 1;
	case 'V':
		add_number(o, "%02ld", week);
		return 1;
	case 'W':
		add_number(o, "%02ld", (t->tm_yday + 7 - monday_based) / 7);
		return 1;
	case 'y':
		add_number(o, "%02ld", (t->tm_year % 100 + 100) % 100);
		return 1;
	default:
		return 0;
	}
}

static void add_text(struct output *o, char c, const struct tm *t)
{
	switch (c) {
	case 'a':
	case 'A':
		add_name(o, day_names, 7, t->tm_wday, c == 'a' ? 3 : 16);
		break;
	case 'b':
	case 'h':
	case 'B':
		add_name(o, month_names, 12, t->tm_mon, c == 'B' ? 16 : 3);
		break;
	case 'n':
		add(o, "\n", 1);
		break;
	case 'p':
		add(o, t->tm_hour < 12 ? "AM" : "PM", 2);
		break;
	case 't':
		add(o, "\t", 1);
		break;
	case 'z':
		add(o, "+0000", 5);
		break;
	case 'Z':
		add(o, "UTC", 3);
		break;
	default: /* '%', and what is no conversion */
		add(o, &c, 1);
	}
}

static void add_format(struct output *o, const char *format, const struct tm *t)
{
	while (*format && !o->full) {
		const char *percent = strchrnul(format, '%'), *inner;

		add(o, format, (size_t)(percent - format));
		if (!*percent)
			return;
		format = percent + 1;
		if (*format == 'E' || *format == 'O')
			format++;
		if (!*format)
			return;
		inner = composite(*format);
		if (inner)
			add_format(o, inner, t);
		else if (!add_field(o, *format, t) && !add_computed(o, *format, t))
			add_text(o, *format, t);
		format++;
	}
}

size_t strftime(
	char *restrict to, size_t size, const char *restrict format, const struct tm *restrict when)
{
	struct output o = {.to = to, .size = size, .full = size == 0};

	add_format(&o, format, when);
	if (o.full)
		return 0;
	to[o.length] = 0;
	return o.length;
}
