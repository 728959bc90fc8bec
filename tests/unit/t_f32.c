/* SPDX-License-Identifier: Apache-2.0 */
/* t_f32 - float32 to text and back.  The C library, which rounds correctly,
 * is what both are compared with. */
#include <math.h>

/* the table of powers is private; the library's copy is then not linked */
#include "base/f32.c"		/* NOLINT(bugprone-suspicious-include) */

#include "../scratch.h"
#include "../tap.h"

__extension__ typedef unsigned __int128 u128;

static uint32_t
bits_of(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

static float
float_of(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

/* ---- the powers of ten ---- */

/* 10^k to 64 bits, rounded up. */
static uint64_t
power(int k)
{
	u128 five = 1, v, rest;
	uint64_t q = 0;
	int i;

	for (i = 0; i < (k < 0 ? -k : k); i++)
		five *= 5;
	if (k >= 0) {			/* at most 105 bits */
		for (v = five; v >> 127 == 0; v <<= 1)
			;
		return (uint64_t)(v >> 64) + ((uint64_t)v != 0);
	}
	for (rest = 1; q >> 63 == 0; ) {	/* 1 / five, bit by bit */
		rest <<= 1;
		q <<= 1;
		if (rest >= five) {
			rest -= five;
			q |= 1;
		}
	}
	return q + (rest != 0);
}

static void
test_powers(void)
{
	int k, bad = 0;

	for (k = POW10_MIN; k <= POW10_MAX; k++)
		bad += pow10_64[k - POW10_MIN] != power(k);
	ok(bad == 0, "powers of ten: %d of %d are wrong", bad,
	    POW10_MAX - POW10_MIN + 1);
}

/* ---- printing ---- */

static const struct {
	uint32_t bits;
	const char *text;
} known[] = {
	{ 0x00000000, "0" },
	{ 0x80000000, "-0.0" },
	{ 0x3f800000, "1" },
	{ 0xbf800000, "-1" },
	{ 0x3f800001, "1.0000001" },
	{ 0x3f7fffff, "0.99999994" },
	{ 0x3dcccccd, "0.1" },
	{ 0x3e99999a, "0.3" },
	{ 0x3eaaaaab, "0.33333334" },
	{ 0x40490fdb, "3.1415927" },
	{ 0x41200000, "10" },
	{ 0x41240000, "10.25" },
	{ 0x42f6e979, "123.456" },
	{ 0x49742400, "1000000" },
	/* where the notation changes */
	{ 0x38d1b717, "0.0001" },
	{ 0x38d1b716, "9.999999e-5" },
	{ 0x38d1b718, "0.000100000005" },
	{ 0x501502f8, "9999999000" },
	{ 0x501502f9, "1e10" },
	{ 0x501502fa, "1.0000001e10" },
	{ 0xd01502f8, "-9999999000" },
	/* around 2^24, where integers stop being all there */
	{ 0x4b7fffff, "16777215" },
	{ 0x4b800000, "16777216" },
	{ 0x4b800001, "16777218" },
	{ 0x4bffffff, "33554430" },
	{ 0x4c000000, "33554432" },
	{ 0x4e6e6b28, "1000000000" },
	/* powers of two: the number below is nearer */
	{ 0x0c000000, "9.8607613e-32" },
	{ 0x5f800000, "1.8446744e19" },
	{ 0x6a800000, "7.7371252e25" },
	{ 0x1f800000, "5.421011e-20" },
	/* the ends of the range */
	{ 0x7f7fffff, "3.4028235e38" },
	{ 0xff7fffff, "-3.4028235e38" },
	{ 0x7f000000, "1.7014118e38" },
	{ 0x00800000, "1.1754944e-38" },
	{ 0x80800000, "-1.1754944e-38" },
	{ 0x00800001, "1.1754945e-38" },
	{ 0x007fffff, "1.1754942e-38" },
	{ 0x00000001, "1e-45" },
	{ 0x80000001, "-1e-45" },
	{ 0x00000002, "3e-45" },
	{ 0x00000003, "4e-45" },
	{ 0x00000007, "1e-44" },
	{ 0x00001000, "5.74e-42" },
};

static const char *
format(uint32_t bits)
{
	static char text[F32_ROOM + 1];
	size_t n;

	memset(text, '?', sizeof(text));
	n = f32_format(bits, text);
	if (n > F32_TEXT_MAX || text[F32_ROOM] != '?')
		return "longer than F32_TEXT_MAX";
	text[n] = '\0';
	return text;
}

static void
test_known(void)
{
	size_t i;

	for (i = 0; i < COUNT(known); i++)
		ok(strcmp(format(known[i].bits), known[i].text) == 0,
		    "%08x is %s: %s", (unsigned)known[i].bits, known[i].text,
		    format(known[i].bits));
}

/* Bits from everywhere: any pattern, or close to a power of two or of ten. */
static uint32_t
sample(uint64_t *seed)
{
	uint64_t r = scratch_random(seed);
	uint32_t u = (uint32_t)r;

	switch (r >> 32 & 7) {
	case 0:
		u = (u & 0xff800000) + (uint32_t)(r >> 40 & 15) - 8;
		break;
	case 1:
		u = bits_of((float)pow(10, (int)(r >> 40) % 77 - 38)) +
		    (uint32_t)(r >> 60) - 8;
		break;
	case 2:		/* as embeddings are: from -1 to 1 */
		u = bits_of((float)((double)(u >> 8) / (1 << 24)));
		break;
	case 3:		/* integers */
		u = bits_of((float)(u >> (r >> 59)));
		break;
	default:
		break;
	}
	return u ^ (uint32_t)(r >> 33 & 0x80000000);
}

/* A JSON number, by its grammar. */
static bool
is_number(const char *p)
{
	p += *p == '-';
	if (*p == '0')
		p++;
	else if (*p >= '1' && *p <= '9')
		p += strspn(p, "0123456789");
	else
		return false;
	if (*p == '.') {
		size_t n = strspn(p + 1, "0123456789");

		if (n == 0)
			return false;
		p += 1 + n;
	}
	if (*p == 'e') {
		p += 1 + (p[1] == '-');
		if (*p < '1' || *p > '9')
			return false;
		p += strspn(p, "0123456789");
	}
	return !*p;
}

static void
test_round_trip(void)
{
	uint64_t seed = 20240101;
	uint32_t u, back;
	size_t i, n = 0, bad = 0;
	int b;

	for (i = 0; i < 2000000; i++) {
		const char *text;

		u = sample(&seed);
		if (!f32_finite(u))
			continue;
		text = format(u);
		n++;
		if (bits_of(strtof(text, NULL)) == u && is_number(text) &&
		    f32_parse(text, strlen(text), &back) == 0 && back == u)
			continue;
		if (bad++ < 5)
			printf("# %08x: %s\n", (unsigned)u, text);
	}
	ok(bad == 0, "%zu numbers come back", n);
	/* every power of two with its neighbours, of both signs */
	for (b = 0, bad = 0; b < 255; b++)
		for (i = 0; i < 64; i++) {
			u = ((uint32_t)b << 23) + (uint32_t)(i & 31);
			u = i < 32 ? u : u - 32;
			if (f32_finite(u) && (f32_parse(format(u),
			    strlen(format(u)), &back) < 0 || back != u))
				bad++;
		}
	ok(bad == 0, "around all powers of two: %zu do not", bad);
}

/* How many digits the number has, without zeros at either end. */
static int
digits(const char *text)
{
	int n = 0, zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9')
			continue;
		if (*text != '0') {
			n += zeros + 1;
			zeros = 0;
		} else if (n > 0) {
			zeros++;
		}
	}
	return n;
}

/* No decimal with fewer digits gives the same number, and none with as many
 * is nearer: %.*e rounds correctly, so one of as many digits is the nearest
 * of all; if it reads back it must be ours. */
static void
test_shortest(void)
{
	uint64_t seed = 7;
	size_t i, n = 0, longer = 0, farther = 0;

	for (i = 0; i < 200000; i++) {
		uint32_t u = sample(&seed) & 0x7fffffff;
		const char *text;
		char other[64];
		int d;

		if (!f32_finite(u) || u == 0)
			continue;
		text = format(u);
		d = digits(text);
		n++;
		if (d > 1) {
			snprintf(other, sizeof(other), "%.*e", d - 2,
			    (double)float_of(u));
			longer += bits_of(strtof(other, NULL)) == u;
		}
		snprintf(other, sizeof(other), "%.*e", d - 1,
		    (double)float_of(u));
		if (bits_of(strtof(other, NULL)) == u &&
		    (strtod(other, NULL) < strtod(text, NULL) ||
		    strtod(other, NULL) > strtod(text, NULL))) {
			if (farther++ < 5)
				printf("# %08x: %s, not %s\n", (unsigned)u,
				    text, other);
		}
	}
	ok(longer == 0, "of %zu numbers %zu could be shorter", n, longer);
	ok(farther == 0, "  and %zu nearer", farther);
}

/* ---- reading ---- */

/* Half the least number, exactly: 2^-150. */
#define HALF "7.0064923216240853546186479164495806564013097093825788587853" \
	"4141944895541342930300743319094181060791015625"

static const struct {
	const char *text;
	int r;
	uint32_t bits;
} reads[] = {
	{ "0", 0, 0 },
	{ "-0", 0, 0x80000000 },
	{ "-0.0", 0, 0x80000000 },
	{ "0e99999999999999999999", 0, 0 },
	{ "-0e-99999999999999999999", 0, 0x80000000 },
	{ "1", 0, 0x3f800000 },
	{ "1.0", 0, 0x3f800000 },
	{ "1E0", 0, 0x3f800000 },
	{ "10e-1", 0, 0x3f800000 },
	{ "0.1e+1", 0, 0x3f800000 },
	{ "0.1", 0, 0x3dcccccd },
	{ "-123.456", 0, 0xc2f6e979 },
	{ "1e-45", 0, 1 },
	{ "1.4e-45", 0, 1 },
	{ "1e-46", 0, 0 },
	{ "-1e-46", 0, 0x80000000 },
	{ "1e-999999999999", 0, 0 },
	{ "1.1754944e-38", 0, 0x00800000 },
	{ "1.1754942e-38", 0, 0x007fffff },
	{ "3.4028235e38", 0, 0x7f7fffff },
	{ "340282346638528859811704183484516925440", 0, 0x7f7fffff },
	/* ties go to the even one, whatever follows far behind does not */
	{ "16777217", 0, 0x4b800000 },
	{ "16777219", 0, 0x4b800002 },
	{ "16777217.000000000000000000000000000000000001", 0, 0x4b800001 },
	{ "16777216.999999999999999999999999999999999999", 0, 0x4b800000 },
	{ "1.000000059604644775390625", 0, 0x3f800000 },
	{ "1.000000059604644775390625000000000000000000000", 0, 0x3f800000 },
	{ "1.00000005960464477539062500000000000000000000000000000001", 0,
	    0x3f800001 },
	{ "1.000000178813934326171875", 0, 0x3f800002 },
	{ HALF "e-46", 0, 0 },
	{ HALF "000000001e-46", 0, 1 },
	{ "340282356779733661637539395458142568447", 0, 0x7f7fffff },
	{ "340282356779733661637539395458142568448", -2, 0 },
	/* many digits */
	{ "100000000000000000000000000000000000000", 0, 0x7e967699 },
	{ "0.00000000000000000000000000000000000001", 0, 0x006ce3ee },
	{ "123456789012345", 0, 0x56e0910c },
	{ "1234567890123456789012345", 0, 0x6782b708 },
	{ "0.123456789012345678901234567890", 0, 0x3dfcd6ea },
	{ "1000000000000000000000000000000000000000000000000000e-51", 0,
	    0x3f800000 },
	{ "0.0000000000000000000000000000000000000000000000000001e52", 0,
	    0x3f800000 },
	/* beyond the range */
	{ "1e39", -2, 0 },
	{ "-1e39", -2, 0 },
	{ "3.5e38", -2, 0 },
	{ "1e999999999999", -2, 0 },
	/* no JSON numbers */
	{ "", -1, 0 },
	{ "-", -1, 0 },
	{ "+1", -1, 0 },
	{ ".5", -1, 0 },
	{ "-.5", -1, 0 },
	{ "1.", -1, 0 },
	{ "1.e5", -1, 0 },
	{ "01", -1, 0 },
	{ "-01", -1, 0 },
	{ "00", -1, 0 },
	{ "1e", -1, 0 },
	{ "1e+", -1, 0 },
	{ "1e5.0", -1, 0 },
	{ "--1", -1, 0 },
	{ " 1", -1, 0 },
	{ "1 ", -1, 0 },
	{ "1,", -1, 0 },
	{ "1,5", -1, 0 },
	{ "0x10", -1, 0 },
	{ "1f", -1, 0 },
	{ "nan", -1, 0 },
	{ "NaN", -1, 0 },
	{ "inf", -1, 0 },
	{ "Infinity", -1, 0 },
	{ "1e39x", -1, 0 },
};

static void
test_reads(void)
{
	size_t i;

	for (i = 0; i < COUNT(reads); i++) {
		size_t n = strlen(reads[i].text);
		char *text = malloc(n + 1);	/* asan sees a read beyond */
		uint32_t u = 0;
		int r;

		if (!text)
			scratch_die("no memory");
		memcpy(text + 1, reads[i].text, n);
		r = f32_parse(text + 1, n, &u);
		free(text);
		ok(r == reads[i].r && (r < 0 || u == reads[i].bits),
		    "%s: %d, %08x", shown_str(reads[i].text), r, (unsigned)u);
	}
}

static void
test_long(void)
{
	static char text[20001];
	uint32_t u;

	memset(text, '0', sizeof(text));
	text[0] = '1';
	text[1] = '.';
	text[20000] = '1';
	ok(f32_parse(text, 20001, &u) == 0 && u == 0x3f800000,
	    "1 and 20000 digits behind the point");
	memcpy(text, "16777217.", 9);
	ok(f32_parse(text, 20001, &u) == 0 && u == 0x4b800001,
	    "a tie that is none, 20000 digits on");
	ok(f32_parse(text, 20000, &u) == 0 && u == 0x4b800000,
	    "  and one digit less");
	memset(text, '1', sizeof(text));
	ok(f32_parse(text, 20001, &u) == -2, "20001 digits before it");
	memset(text, '0', sizeof(text));
	text[1] = '.';
	ok(f32_parse(text, 20001, &u) == 0 && u == 0, "20000 zeros");
	memcpy(text + 19990, "1e19990", 8);
	ok(f32_parse(text, 19997, &u) == 0 && u ==
	    bits_of(10.f), "19988 zeros, and an exponent: %08x", (unsigned)u);
}

/* Decimals exactly between two numbers, and next to that, and any others,
 * against the C library. */
static void
test_against_libc(void)
{
	uint64_t seed = 99;
	size_t i, n = 0, bad = 0;
	char text[256];

	for (i = 0; i < 400000; i++) {
		uint64_t r = scratch_random(&seed);
		uint32_t u = sample(&seed) & 0x7fffffff, back = 0;
		float want;
		int got;

		if (!f32_finite(u) || !f32_finite(u + 1))
			continue;
		switch (r & 3) {
		case 0:		/* a double holds the middle exactly */
			snprintf(text, sizeof(text), "%.*e",
			    r & 4 ? 120 : 16 + (int)(r >> 8) % 20,
			    ((double)float_of(u) + (double)float_of(u + 1)) /
			    2);
			break;
		case 1:
			snprintf(text, sizeof(text), "%.*e",
			    (int)(r >> 8) % 25, (double)float_of(u));
			break;
		case 2:
			snprintf(text, sizeof(text), "%llu.%llue%d",
			    (unsigned long long)(r >> (r >> 58)),
			    (unsigned long long)scratch_random(&seed),
			    (int)(r >> 8) % 90 - 55);
			break;
		default:
			snprintf(text, sizeof(text), "%llue%d",
			    (unsigned long long)(r >> (r >> 58)),
			    (int)(r >> 8) % 70 - 55);
			break;
		}
		want = strtof(text, NULL);
		got = f32_parse(text, strlen(text), &back);
		n++;
		if (got == (isfinite(want) ? 0 : -2) && (got < 0 ||
		    back == bits_of(want)))
			continue;
		if (bad++ < 5)
			printf("# %s: %d %08x, not %08x\n", text, got,
			    (unsigned)back, (unsigned)bits_of(want));
	}
	ok(bad == 0, "%zu decimals as the C library reads them", n);
}

static void
test_scan(void)
{
	static const char text[] = "1.5,2";
	const char *after = NULL;
	uint32_t u;

	ok(f32_scan(text, text + 5, &u, &after) == 0 && after == text + 3 &&
	    u == 0x3fc00000, "a number, and what follows it");
	ok(f32_scan(text, text + 2, &u, &after) == -1, "  cut short");
	ok(f32_scan(text, text + 1, &u, &after) == 0 && after == text + 1,
	    "  shorter");
	ok(f32_scan(text, text, &u, &after) == -1, "  of nothing");
	ok(!f32_finite(0x7f800000) && !f32_finite(0xffc00000) &&
	    f32_finite(0x7f7fffff) && f32_finite(0), "finite");
}

int
main(void)
{
	test_powers();
	test_known();
	test_round_trip();
	test_shortest();
	test_reads();
	test_long();
	test_against_libc();
	test_scan();
	return tap_done();
}
