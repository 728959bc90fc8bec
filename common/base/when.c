/* SPDX-License-Identifier: Apache-2.0 */
/* when.c - times as Chroma's log stores them. */
#include "base/when.h"

struct cur {
	const char *p, *end;
};

/* Exactly n digits, from min to max; -1 if not. */
static int
digits(struct cur *c, int n, int min, int max)
{
	int v = 0;

	while (n-- > 0) {
		if (c->p == c->end || *c->p < '0' || *c->p > '9')
			return -1;
		v = v * 10 + (*c->p++ - '0');
	}
	return v >= min && v <= max ? v : -1;
}

static int
take(struct cur *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return 0;
	c->p++;
	return 1;
}

/* Days from 1970-01-01 to the first of March of year y, in which leap days
 * come last: Gregorian, proleptic, as SQLite counts. */
static int64_t
days(int y, int m, int d)
{
	static const int before[] = { 0, 31, 61, 92, 122, 153, 184, 214, 245,
	    275, 306, 337 };
	int64_t year = m > 2 ? y : y - 1;
	int month = m > 2 ? m - 3 : m + 9;
	/* +400 keeps the divisions away from negative years */
	int64_t leaps = (year + 400) / 4 - (year + 400) / 100 +
	    (year + 400) / 400;

	return (year + 400) * 365 + leaps + before[month] + d - 1 -
	    (INT64_C(719468) + 146097);
}

int
when_parse(const char *p, size_t n, int64_t *ms)
{
	struct cur c = { p, p + n };
	int y, mon, d, h = 0, min = 0, sec = 0, frac = 0, zone = 0, place, sign;

	y = digits(&c, 4, 0, 9999);
	if (y < 0 || !take(&c, '-') || (mon = digits(&c, 2, 1, 12)) < 0 ||
	    !take(&c, '-') || (d = digits(&c, 2, 1, 31)) < 0)
		return -1;
	if (take(&c, ' ') || take(&c, 'T')) {
		h = digits(&c, 2, 0, 24);
		if (h < 0 || !take(&c, ':') || (min = digits(&c, 2, 0, 59)) < 0)
			return -1;
		if (take(&c, ':') && (sec = digits(&c, 2, 0, 59)) < 0)
			return -1;
		if (take(&c, '.')) {
			const char *first = c.p;

			for (place = 100; c.p < c.end && *c.p >= '0' &&
			    *c.p <= '9'; c.p++, place /= 10)
				frac += (*c.p - '0') * place;
			if (c.p == first)
				return -1;
		}
		if (take(&c, 'Z')) {
			;
		} else if ((sign = take(&c, '+') ? 1 : take(&c, '-') ? -1 : 0)) {
			int zh = digits(&c, 2, 0, 14), zm;

			if (zh < 0 || !take(&c, ':') ||
			    (zm = digits(&c, 2, 0, 59)) < 0)
				return -1;
			zone = sign * (zh * 60 + zm);
		}
	}
	if (c.p != c.end)
		return -1;
	*ms = (((days(y, mon, d) * 24 + h) * 60 + min - zone) * 60 + sec) *
	    1000 + frac;
	return 0;
}
