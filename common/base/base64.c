/* SPDX-License-Identifier: Apache-2.0 */
/* base64.c - RFC 4648 section 4. */
#include "base/base64.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <stdbool.h>
#include <string.h>

static const char alphabet[64] = {
	'A','B','C','D','E','F','G','H','I','J','K','L','M','N','O','P',
	'Q','R','S','T','U','V','W','X','Y','Z','a','b','c','d','e','f',
	'g','h','i','j','k','l','m','n','o','p','q','r','s','t','u','v',
	'w','x','y','z','0','1','2','3','4','5','6','7','8','9','+','/',
};

/* Two characters for each 12 bits: one load and one store where the alphabet
 * needs two.  And the way back, NONE for what is not in the alphabet. */
static char pairs[4096][2];
static uint8_t value[256];
#ifdef __x86_64__
static bool have_avx2;
#endif
#define NONE 0x80

/* Before main, so that no thread ever sees them half filled. */
static void __attribute__((constructor))
fill_tables(void)
{
	unsigned i;

	memset(value, NONE, sizeof(value));
	for (i = 0; i < 64; i++)
		value[(unsigned char)alphabet[i]] = (uint8_t)i;
	for (i = 0; i < 4096; i++) {
		pairs[i][0] = alphabet[i >> 6];
		pairs[i][1] = alphabet[i & 63];
	}
#ifdef __x86_64__
	__builtin_cpu_init();
	have_avx2 = __builtin_cpu_supports("avx2");
#endif
}

/* Six bytes, the first the most significant. */
static uint64_t
load48(const uint8_t *p)
{
	return (uint64_t)p[0] << 40 | (uint64_t)p[1] << 32 |
	    (uint64_t)p[2] << 24 | (uint64_t)p[3] << 16 |
	    (uint64_t)p[4] << 8 | p[5];
}

#ifdef __x86_64__
/* 24 bytes to 32 characters at a time: shuffle each three bytes into a lane of
 * four, split the lane into four times six bits with two multiplications, and
 * add to each what the alphabet puts before it (W. Mula and D. Lemire, "Faster
 * Base64 Encoding and Decoding Using AVX2 Instructions", 2018).  Reads four
 * bytes before p, which therefore is not the first, and four behind the 24.
 * The number of bytes encoded. */
static size_t ATTR_TARGET("avx2")
encode_avx2(const uint8_t *p, size_t n, char *o)
{
	const __m256i lanes = _mm256_setr_epi8(
	    5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14,
	    1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	/* by class: 0 a-z, 1-10 digits, 11 '+', 12 '/', 13 A-Z */
	const __m256i offsets = _mm256_setr_epi8(
	    'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
	    '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62,
	    '/' - 63, 'A', 0, 0,
	    'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
	    '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62,
	    '/' - 63, 'A', 0, 0);
	size_t i;

	for (i = 0; n - i >= 28; i += 24, o += 32) {
		__m256i in = _mm256_loadu_si256(
		    (const __m256i *)(const void *)(p + i - 4));
		__m256i high, low, six, class, upper;

		in = _mm256_shuffle_epi8(in, lanes);
		high = _mm256_mulhi_epu16(_mm256_and_si256(in,
		    _mm256_set1_epi32(0x0fc0fc00)),
		    _mm256_set1_epi32(0x04000040));
		low = _mm256_mullo_epi16(_mm256_and_si256(in,
		    _mm256_set1_epi32(0x003f03f0)),
		    _mm256_set1_epi32(0x01000010));
		six = _mm256_or_si256(high, low);
		class = _mm256_subs_epu8(six, _mm256_set1_epi8(51));
		upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), six);
		class = _mm256_or_si256(class,
		    _mm256_and_si256(upper, _mm256_set1_epi8(13)));
		_mm256_storeu_si256((__m256i *)(void *)o, _mm256_add_epi8(six,
		    _mm256_shuffle_epi8(offsets, class)));
	}
	return i;
}
#endif

size_t
base64_encode(const void *from, size_t n, char *out)
{
	size_t done = 0;
#ifdef __x86_64__

	if (have_avx2 && n >= 64) {
		/* two groups first, because encode_avx2 reads before p */
		base64_encode_portable(from, 6, out);
		done = 6 + encode_avx2((const uint8_t *)from + 6, n - 6,
		    out + 8);
	}
#endif
	return done / 3 * 4 + base64_encode_portable(
	    (const uint8_t *)from + done, n - done, out + done / 3 * 4);
}

size_t
base64_encode_portable(const void *from, size_t n, char *out)
{
	const uint8_t *p = from;
	char *o = out;

	for (; n >= 6; n -= 6, p += 6, o += 8) {
		uint64_t w = load48(p);

		memcpy(o, pairs[w >> 36], 2);
		memcpy(o + 2, pairs[w >> 24 & 0xfff], 2);
		memcpy(o + 4, pairs[w >> 12 & 0xfff], 2);
		memcpy(o + 6, pairs[w & 0xfff], 2);
	}
	for (; n >= 3; n -= 3, p += 3, o += 4) {
		memcpy(o, pairs[p[0] << 4 | p[1] >> 4], 2);
		memcpy(o + 2, pairs[(p[1] & 15) << 8 | p[2]], 2);
	}
	if (n > 0) {
		unsigned second = n > 1 ? p[1] : 0;

		memcpy(o, pairs[(unsigned)p[0] << 4 | second >> 4], 2);
		o[2] = n > 1 ? alphabet[(second & 15) << 2] : '=';
		o[3] = '=';
		o += 4;
	}
	return (size_t)(o - out);
}

int
base64_decode(const char *from, size_t n, uint8_t *out, size_t *len)
{
	const unsigned char *p = (const unsigned char *)from;
	const unsigned char *end = p + n;
	uint8_t *o = out;
	unsigned a, b, c, d;

	if (n % 4)
		return -1;
	for (; p < end; p += 4) {
		a = value[p[0]];
		b = value[p[1]];
		c = value[p[2]];
		d = value[p[3]];
		if ((a | b | c | d) & NONE)
			break;
		o[0] = (uint8_t)(a << 2 | b >> 4);
		o[1] = (uint8_t)(b << 4 | c >> 2);
		o[2] = (uint8_t)(c << 6 | d);
		o += 3;
	}
	if (p < end) {			/* only padding may have stopped it */
		if (p + 4 != end || ((a | b) & NONE) || p[3] != '=')
			return -1;
		*o++ = (uint8_t)(a << 2 | b >> 4);
		if (p[2] == '=') {
			if (b & 15)
				return -1;
		} else {
			if ((c & NONE) || (c & 3))
				return -1;
			*o++ = (uint8_t)(b << 4 | c >> 2);
		}
	}
	*len = (size_t)(o - out);
	return 0;
}
