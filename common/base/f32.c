/* SPDX-License-Identifier: Apache-2.0 */
/* f32.c - float32 to text and back.
 *
 * Printing is Raffaello Giulietti's Schubfach ("The Schubfach way to render
 * doubles", 2020), for 32 bits: the interval that rounds to the number is
 * scaled by a power of ten so that it holds one or a few integers, and the
 * nearest of the shortest is taken.  All of it is integer arithmetic, so the
 * text is the same on every machine.
 */
#include "base/f32.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

#define POW10_MIN (-31)
#define POW10_MAX 45

/* 10^k for k in [POW10_MIN, POW10_MAX], scaled by a power of two to 64 bits:
 * exact where it fits, else the next integer above.  t_f32 recomputes them. */
static const uint64_t pow10_64[POW10_MAX - POW10_MIN + 1] = {
	0x81ceb32c4b43fcf5, 0xa2425ff75e14fc32, 0xcad2f7f5359a3b3f,
	0xfd87b5f28300ca0e, 0x9e74d1b791e07e49, 0xc612062576589ddb,
	0xf79687aed3eec552, 0x9abe14cd44753b53, 0xc16d9a0095928a28,
	0xf1c90080baf72cb2, 0x971da05074da7bef, 0xbce5086492111aeb,
	0xec1e4a7db69561a6, 0x9392ee8e921d5d08, 0xb877aa3236a4b44a,
	0xe69594bec44de15c, 0x901d7cf73ab0acda, 0xb424dc35095cd810,
	0xe12e13424bb40e14, 0x8cbccc096f5088cc, 0xafebff0bcb24aaff,
	0xdbe6fecebdedd5bf, 0x89705f4136b4a598, 0xabcc77118461cefd,
	0xd6bf94d5e57a42bd, 0x8637bd05af6c69b6, 0xa7c5ac471b478424,
	0xd1b71758e219652c, 0x83126e978d4fdf3c, 0xa3d70a3d70a3d70b,
	0xcccccccccccccccd, 0x8000000000000000, 0xa000000000000000,
	0xc800000000000000, 0xfa00000000000000, 0x9c40000000000000,
	0xc350000000000000, 0xf424000000000000, 0x9896800000000000,
	0xbebc200000000000, 0xee6b280000000000, 0x9502f90000000000,
	0xba43b74000000000, 0xe8d4a51000000000, 0x9184e72a00000000,
	0xb5e620f480000000, 0xe35fa931a0000000, 0x8e1bc9bf04000000,
	0xb1a2bc2ec5000000, 0xde0b6b3a76400000, 0x8ac7230489e80000,
	0xad78ebc5ac620000, 0xd8d726b7177a8000, 0x878678326eac9000,
	0xa968163f0a57b400, 0xd3c21bcecceda100, 0x84595161401484a0,
	0xa56fa5b99019a5c8, 0xcecb8f27f4200f3a, 0x813f3978f8940985,
	0xa18f07d736b90be6, 0xc9f2c9cd04674edf, 0xfc6f7c4045812297,
	0x9dc5ada82b70b59e, 0xc5371912364ce306, 0xf684df56c3e01bc7,
	0x9a130b963a6c115d, 0xc097ce7bc90715b4, 0xf0bdc21abb48db21,
	0x96769950b50d88f5, 0xbc143fa4e250eb32, 0xeb194f8e1ae525fe,
	0x92efd1b8d0cf37bf, 0xb7abc627050305ae, 0xe596b7b0c643c71a,
	0x8f7e32ce7bea5c70, 0xb35dbf821ae4f38c,
};

/* floor(e * log10(2)), floor(log10(3/4 * 2^e)), floor(e * log2(10)), exact
 * for |e| below 1500: the factors are the logarithms in fixed point. */
static int
log10_pow2(int e)
{
	return (e * 1262611) >> 22;
}

static int
log10_3_4_pow2(int e)
{
	return (e * 1262611 - 524031) >> 22;
}

static int
log2_pow10(int e)
{
	return (e * 1741647) >> 19;
}

/* The high 32 bits of the 96-bit g * c, with the lowest set if anything but
 * rounding dust follows ("round to odd"). */
static uint32_t
round_to_odd(uint64_t g, uint32_t c)
{
	uint64_t low = (g & 0xffffffff) * c;
	uint64_t high = (g >> 32) * c + (low >> 32);

	return (uint32_t)(high >> 32) | ((uint32_t)high > 1);
}

/* The shortest decimal digits * 10^*exponent that rounds to c * 2^q.
 * closer: the number below is only half as far away as the one above. */
static uint32_t
shortest(uint32_t c, int q, bool closer, int *exponent)
{
	uint32_t even = !(c & 1);
	int k = closer ? log10_3_4_pow2(q) : log10_pow2(q);
	int h = q + log2_pow10(-k) + 1;
	uint64_t g = pow10_64[-k - POW10_MIN];
	uint32_t below = round_to_odd(g, (4 * c - 2 + closer) << h);
	uint32_t value = round_to_odd(g, (4 * c) << h);
	uint32_t above = round_to_odd(g, (4 * c + 2) << h);
	uint32_t lower = below + !even, upper = above - !even;
	uint32_t s = value / 4, tens;
	uint32_t under, over, fewer, nearer;

	/* With one digit less, if exactly one of its two neighbours fits.
	 * Arithmetic instead of branches, which random numbers would
	 * mispredict every second time. */
	tens = s / 10;
	under = lower <= 40 * tens;
	over = 40 * tens + 40 <= upper;
	fewer = (s >= 10) & (under ^ over);
	tens += over;

	under = lower <= 4 * s;
	over = 4 * s + 4 <= upper;
	nearer = value + (s & 1) > 4 * s + 2;
	s += ((under ^ over) & over) | (~(under ^ over) & nearer);

	*exponent = k + (int)fewer;
	return (tens & -fewer) | (s & (fewer - 1));
}

static const uint32_t pow10_32[] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
};

/* Decimal digits of v, 1 to 9, for 0 < v < 10^9. */
static unsigned
count_digits(uint32_t v)
{
	/* bits * log10(2) in fixed point: right, or one too low */
	unsigned n = ((32 - (unsigned)__builtin_clz(v)) * 1233) >> 12;

	return n > 8 ? 9 : n + (v >= pow10_32[n]);
}

/* Nine digits at out: v, which has n of them, and zeros behind it.  The last
 * eight are split into halves three times, all parts at once in one word,
 * lower part in the higher bits, so that the bytes come out in order. */
static void
put_digits(uint32_t v, unsigned n, char *out)
{
	uint32_t full = v * pow10_32[9 - n], head = full / 100000000;
	uint64_t w = full - head * 100000000, high;

	high = w / 10000;
	w = high | (w - high * 10000) << 32;
	high = (w * 10486 >> 20) & UINT64_C(0x7f0000007f);	/* / 100 */
	w = high | (w - high * 100) << 16;
	high = (w * 103 >> 10) & UINT64_C(0x000f000f000f000f);	/* / 10 */
	w = high | (w - high * 10) << 8;
	out[0] = (char)('0' + head);
	le_put_u64(out + 1, w | UINT64_C(0x3030303030303030));
}

/* v * 10^exponent, v of n digits, as a JSON number.  Writes whole words: the
 * room behind the text is the caller's (F32_ROOM). */
static size_t
put_number(uint32_t v, unsigned n, int exponent, char *out)
{
	int point = (int)n + exponent;	/* digits before the decimal point */
	char *o = out;
	int i;

	if (point > -4 && point <= 0) {
		memcpy(o, "0.000000", 8);
		put_digits(v, n, o + 2 - point);
		return n + (size_t)(2 - point);
	}
	if (exponent >= 0 && point <= 10) {
		put_digits(v, n, o);
		o[9] = '0';
		return (size_t)point;
	}
	put_digits(v, n, o + 1);
	if (point > 0 && point <= 10) {
		for (i = 0; i < point; i++)
			o[i] = o[i + 1];
		o[point] = '.';
		return n + 1;
	}
	o[0] = o[1];
	o[1] = '.';
	o += n > 1 ? n + 1 : 1;
	*o++ = 'e';
	point--;
	if (point < 0) {
		*o++ = '-';
		point = -point;
	}
	if (point >= 10)
		*o++ = (char)('0' + point / 10);
	*o++ = (char)('0' + point % 10);
	return (size_t)(o - out);
}

size_t
f32_format(uint32_t bits, char *out)
{
	uint32_t fraction = bits & 0x7fffff;
	int biased = (int)(bits >> 23 & 0xff), exponent, q;
	size_t sign = bits >> 31;
	uint32_t c, v;

	*out = '-';
	out += sign;
	if (biased == 0 && fraction == 0) {
		memcpy(out, "0.0", 3);
		return sign ? 4 : 1;
	}
	c = biased ? fraction | 0x800000 : fraction;
	q = (biased ? biased : 1) - 150;
	if (q <= 0 && q > -24 && !(c & ((1u << -q) - 1))) {
		/* an integer below 2^24: all its digits, as they are */
		v = c >> -q;
		return sign + put_number(v, count_digits(v), 0, out);
	}
	v = shortest(c, q, fraction == 0 && biased > 1, &exponent);
	while (v % 10 == 0) {
		v /= 10;
		exponent++;
	}
	return sign + put_number(v, count_digits(v), exponent, out);
}

static const double pow10_exact[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* w * 10^exp10, w below 2^53, when one rounding to double decides it: the
 * double is correctly rounded (Clinger), and unless it lies on the middle
 * between two float32 the second rounding agrees with a single one.  With w
 * below 10^15 nothing is near the ends of float32's range. */
static bool
parse_fast(uint64_t w, int exp10, uint32_t *bits)
{
	double d = (double)w;
	uint64_t u;
	float f;

	if (exp10 < -22 || exp10 > 22)
		return false;
	d = exp10 < 0 ? d / pow10_exact[-exp10] : d * pow10_exact[exp10];
	memcpy(&u, &d, sizeof(u));
	if ((u & 0x1fffffff) == 0x10000000)
		return false;
	f = (float)d;
	memcpy(bits, &f, sizeof(*bits));
	return true;
}

/* The C library rounds correctly, and needs a terminated string. */
static int
parse_slow(const char *p, size_t n, uint32_t *bits)
{
	char small[128], *text = small;
	float f;

	if (n >= sizeof(small)) {
		text = malloc(n + 1);
		if (!text)
			return -1;
	}
	memcpy(text, p, n);
	text[n] = '\0';
	f = strtof(text, NULL);
	if (text != small)
		free(text);
	memcpy(bits, &f, sizeof(*bits));
	return f32_finite(*bits) ? 0 : -2;
}

int
f32_scan(const char *start, const char *end, uint32_t *bits,
    const char **after)
{
	const char *p = start, *first;
	uint64_t w = 0;
	int drop = 0, frac = 0, e = 0;
	bool negative = false, eneg = false;

	if (p < end && *p == '-') {
		negative = true;
		p++;
	}
	first = p;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (w < UINT64_C(100000000000000))
			w = w * 10 + (uint64_t)(*p - '0');
		else
			drop++;
	if (p == first || (*first == '0' && p - first > 1))
		return -1;
	if (p < end && *p == '.') {
		first = ++p;
		for (; p < end && *p >= '0' && *p <= '9'; p++)
			if (w < UINT64_C(100000000000000) && drop == 0) {
				w = w * 10 + (uint64_t)(*p - '0');
				frac++;
			} else if (*p != '0') {
				drop++;
			}
		if (p == first)
			return -1;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			eneg = *p++ == '-';
		first = p;
		for (; p < end && *p >= '0' && *p <= '9'; p++)
			if (e < 10000)
				e = e * 10 + (*p - '0');
		if (p == first)
			return -1;
	}
	*after = p;
	if (drop == 0 && frac < 10000 &&
	    parse_fast(w, (eneg ? -e : e) - frac, bits)) {
		*bits |= negative ? 0x80000000u : 0;
		return 0;
	}
	return parse_slow(start, (size_t)(p - start), bits);
}

int
f32_parse(const char *p, size_t n, uint32_t *bits)
{
	const char *after;
	int r = f32_scan(p, p + n, bits, &after);

	return r == -1 || after != p + n ? -1 : r;
}
