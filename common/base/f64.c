/* SPDX-License-Identifier: Apache-2.0 */
/* f64.c - doubles as JSON writes them, and as Chroma's readers take them. */
#include "base/f64.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POW10_MAX 308

/* Every one of them correctly rounded, by the compiler. */
static const double pow10_f64[POW10_MAX + 1] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23,
	1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34,
	1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45,
	1e46, 1e47, 1e48, 1e49, 1e50, 1e51, 1e52, 1e53, 1e54, 1e55, 1e56,
	1e57, 1e58, 1e59, 1e60, 1e61, 1e62, 1e63, 1e64, 1e65, 1e66, 1e67,
	1e68, 1e69, 1e70, 1e71, 1e72, 1e73, 1e74, 1e75, 1e76, 1e77, 1e78,
	1e79, 1e80, 1e81, 1e82, 1e83, 1e84, 1e85, 1e86, 1e87, 1e88, 1e89,
	1e90, 1e91, 1e92, 1e93, 1e94, 1e95, 1e96, 1e97, 1e98, 1e99, 1e100,
	1e101, 1e102, 1e103, 1e104, 1e105, 1e106, 1e107, 1e108, 1e109, 1e110,
	1e111, 1e112, 1e113, 1e114, 1e115, 1e116, 1e117, 1e118, 1e119, 1e120,
	1e121, 1e122, 1e123, 1e124, 1e125, 1e126, 1e127, 1e128, 1e129, 1e130,
	1e131, 1e132, 1e133, 1e134, 1e135, 1e136, 1e137, 1e138, 1e139, 1e140,
	1e141, 1e142, 1e143, 1e144, 1e145, 1e146, 1e147, 1e148, 1e149, 1e150,
	1e151, 1e152, 1e153, 1e154, 1e155, 1e156, 1e157, 1e158, 1e159, 1e160,
	1e161, 1e162, 1e163, 1e164, 1e165, 1e166, 1e167, 1e168, 1e169, 1e170,
	1e171, 1e172, 1e173, 1e174, 1e175, 1e176, 1e177, 1e178, 1e179, 1e180,
	1e181, 1e182, 1e183, 1e184, 1e185, 1e186, 1e187, 1e188, 1e189, 1e190,
	1e191, 1e192, 1e193, 1e194, 1e195, 1e196, 1e197, 1e198, 1e199, 1e200,
	1e201, 1e202, 1e203, 1e204, 1e205, 1e206, 1e207, 1e208, 1e209, 1e210,
	1e211, 1e212, 1e213, 1e214, 1e215, 1e216, 1e217, 1e218, 1e219, 1e220,
	1e221, 1e222, 1e223, 1e224, 1e225, 1e226, 1e227, 1e228, 1e229, 1e230,
	1e231, 1e232, 1e233, 1e234, 1e235, 1e236, 1e237, 1e238, 1e239, 1e240,
	1e241, 1e242, 1e243, 1e244, 1e245, 1e246, 1e247, 1e248, 1e249, 1e250,
	1e251, 1e252, 1e253, 1e254, 1e255, 1e256, 1e257, 1e258, 1e259, 1e260,
	1e261, 1e262, 1e263, 1e264, 1e265, 1e266, 1e267, 1e268, 1e269, 1e270,
	1e271, 1e272, 1e273, 1e274, 1e275, 1e276, 1e277, 1e278, 1e279, 1e280,
	1e281, 1e282, 1e283, 1e284, 1e285, 1e286, 1e287, 1e288, 1e289, 1e290,
	1e291, 1e292, 1e293, 1e294, 1e295, 1e296, 1e297, 1e298, 1e299, 1e300,
	1e301, 1e302, 1e303, 1e304, 1e305, 1e306, 1e307, 1e308,
};

/* A number taken apart: digits * 10^exp. */
struct decimal {
	bool negative;
	uint64_t sig;		/* the digits that there is room for */
	int64_t exp;
};

static bool
is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

/* Whether one digit more fits; it is then in d->sig. */
static bool
add_digit(struct decimal *d, char c)
{
	uint64_t v = (uint64_t)(c - '0'), sig;

	if (__builtin_mul_overflow(d->sig, UINT64_C(10), &sig) ||
	    __builtin_add_overflow(sig, v, &sig))
		return false;
	d->sig = sig;
	return true;
}

/* Digits from p on.  One that does not fit ends the number as serde_json
 * sees it; behind the point it begins anew (Deserializer::parse_decimal). */
static const char *
take_digits(struct decimal *d, const char *p, const char *end, bool behind)
{
	bool full = false;

	for (; is_digit(p, end); p++) {
		full = full || !add_digit(d, *p);
		if (full != behind)
			d->exp += full ? 1 : -1;
	}
	return p;
}

/* The exponent at p: its end, or NULL if there is none. */
static const char *
take_exponent(struct decimal *d, const char *p, const char *end)
{
	bool negative = p < end && *p == '-';
	int64_t e = 0;

	p += p < end && (*p == '-' || *p == '+');
	if (!is_digit(p, end))
		return NULL;
	for (; is_digit(p, end); p++)
		if (e < INT32_MAX)
			e = e * 10 + (*p - '0');
	d->exp += negative ? -e : e;
	return p;
}

static int
take_apart(const char *p, size_t n, struct decimal *d)
{
	const char *end = p + n, *first;

	*d = (struct decimal){ .negative = n && *p == '-' };
	p += d->negative;
	first = p;
	p = take_digits(d, p, end, false);
	if (p == first || (*first == '0' && p - first > 1))
		return -1;
	if (p < end && *p == '.') {
		first = ++p;
		p = take_digits(d, p, end, true);
		if (p == first)
			return -1;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
		p = take_exponent(d, p + 1, end);
	return p == end ? 0 : -1;
}

/* The C library rounds correctly, and needs a terminated string. */
static int
parse_slow(const char *p, size_t n, double *v)
{
	char small[128], *text = small;

	if (n >= sizeof(small)) {
		text = malloc(n + 1);
		if (!text)
			return -1;
	}
	memcpy(text, p, n);
	text[n] = '\0';
	*v = strtod(text, NULL);
	if (text != small)
		free(text);
	return 0;
}

int
f64_parse(const char *p, size_t n, double *v)
{
	struct decimal d;
	double f;

	if (take_apart(p, n, &d) < 0)
		return -1;
	/* both exact, so the one rounding is the right one (Clinger); where
	 * digits were dropped sig is beyond 2^53 */
	if (d.sig > UINT64_C(1) << 53 || d.exp < -22 || d.exp > 22)
		return parse_slow(p, n, v);
	f = (double)d.sig;
	f = d.exp < 0 ? f / pow10_f64[-d.exp] : f * pow10_f64[d.exp];
	*v = d.negative ? -f : f;
	return 0;
}

int
f64_serde(const char *p, size_t n, double *v)
{
	struct decimal d;
	double f;

	if (take_apart(p, n, &d) < 0)
		return -1;
	f = (double)d.sig;
	while (d.exp < -POW10_MAX && d.sig != 0 && f > 0) {
		f /= 1e308;
		d.exp += 308;
	}
	if (f > 0 && d.exp > POW10_MAX)
		return -2;
	if (f > 0)
		f = d.exp < 0 ? f / pow10_f64[-d.exp] : f * pow10_f64[d.exp];
	if (isinf(f))
		return -2;
	*v = d.negative ? -f : f;
	return 0;
}

size_t
f64_repr(double v, char *out)
{
	char digits[F64_ROOM];
	size_t e;
	int n, i;
	int point;	/* digits before it */

	if (v == 0)
		return (size_t)snprintf(out, F64_ROOM,
		    signbit(v) ? "-0.0" : "0.0");
	for (n = 0; n < 17; n++) {
		snprintf(digits, sizeof(digits), "%.*e", n, fabs(v));
		if (strtod(digits, NULL) == fabs(v))
			break;
	}
	e = strcspn(digits, "e");
	point = (int)strtol(digits + e + 1, NULL, 10) + 1;
	digits[e] = '\0';
	if (digits[1] == '.')
		memmove(digits + 1, digits + 2, strlen(digits + 1));
	n = (int)strlen(digits);
	i = signbit(v) ? snprintf(out, F64_ROOM, "-") : 0;
	if (point > 16 || point < -3)
		i += snprintf(out + i, F64_ROOM - (size_t)i, "%c%s%se%+03d",
		    digits[0], n > 1 ? "." : "", digits + 1, point - 1);
	else if (point <= 0)
		i += snprintf(out + i, F64_ROOM - (size_t)i, "0.%.*s%s",
		    -point, "000", digits);
	else if (point < n)
		i += snprintf(out + i, F64_ROOM - (size_t)i, "%.*s.%s",
		    point, digits, digits + point);
	else
		i += snprintf(out + i, F64_ROOM - (size_t)i, "%s%.*s.0",
		    digits, point - n, "0000000000000000");
	return (size_t)i;
}
