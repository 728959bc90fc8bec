/* SPDX-License-Identifier: Apache-2.0 */
/* kernelavx512.c - x86 with AVX-512 and its VNNI. */
#include "index/kernels.h"

#ifdef __x86_64__
#include "index/kernelcommon.h"
#include "index/kernelx86.h"

#define ROWS 6
#define COLUMNS 64

static void
pack_row(void *to, const int8_t *code, size_t len)
{
	memcpy(to, code, len);
}

/* [len / 4][COLUMNS][4] */
static void
pack_panel(void *to, const int8_t *const code[], unsigned n, size_t len)
{
	kernelx86_panel(to, code, n, COLUMNS, len, KERNEL_CODE_MAX + 1);
}

static void
tile(const void *rows, const int32_t *sum, const void *panel, size_t len,
    int32_t *product)
{
	const int8_t *a = rows, *end = a + len;
	const __m512i *b = panel;
	__m512i c[ROWS][4], v;
	size_t i, j;

	/* all loops over c are unrolled: it lives in registers */
#pragma GCC unroll 6
	for (i = 0; i < ROWS; i++) {
		v = _mm512_set1_epi32(-(KERNEL_CODE_MAX + 1) * sum[i]);
#pragma GCC unroll 4
		for (j = 0; j < 4; j++)
			c[i][j] = v;
	}
	for (; a < end; a += 4, b += 4) {
		__m512i b0 = _mm512_load_si512(b);
		__m512i b1 = _mm512_load_si512(b + 1);
		__m512i b2 = _mm512_load_si512(b + 2);
		__m512i b3 = _mm512_load_si512(b + 3);

#pragma GCC unroll 6
		for (i = 0; i < ROWS; i++) {
			int32_t four;

			memcpy(&four, a + i * len, sizeof(four));
			v = _mm512_set1_epi32(four);
			c[i][0] = _mm512_dpbusd_epi32(c[i][0], b0, v);
			c[i][1] = _mm512_dpbusd_epi32(c[i][1], b1, v);
			c[i][2] = _mm512_dpbusd_epi32(c[i][2], b2, v);
			c[i][3] = _mm512_dpbusd_epi32(c[i][3], b3, v);
		}
	}
#pragma GCC unroll 6
	for (i = 0; i < ROWS; i++)
#pragma GCC unroll 4
		for (j = 0; j < 4; j++)
			_mm512_store_si512(product + i * COLUMNS + j * 16,
			    c[i][j]);
}

static void
distances(const int32_t *product, struct kernel_terms row, float limit,
    const struct kernel_columns *c, const float *column_limit,
    float *distance, uint64_t *row_near, uint64_t *column_near)
{
	const __m512 scale = _mm512_set1_ps(row.scale);
	const __m512 add = _mm512_set1_ps(row.add);
	uint64_t r = 0, q = 0;
	int j;

	for (j = 0; j < COLUMNS; j += 16) {
		__m512 x = _mm512_cvtepi32_ps(_mm512_load_si512(product + j));
		__m512 p = _mm512_mul_ps(_mm512_mul_ps(scale,
		    _mm512_loadu_ps(c->scale + j)), x);
		__m512 d = _mm512_sub_ps(_mm512_add_ps(add,
		    _mm512_loadu_ps(c->add + j)), _mm512_add_ps(p, p));

		d = _mm512_max_ps(d, _mm512_setzero_ps());
		_mm512_store_ps(distance + j, d);
		r |= (uint64_t)_mm512_cmp_ps_mask(d, _mm512_set1_ps(limit),
		    _CMP_LE_OQ) << j;
		q |= (uint64_t)_mm512_cmp_ps_mask(d,
		    _mm512_loadu_ps(column_limit + j), _CMP_LE_OQ) << j;
	}
	*row_near = r;
	*column_near = q;
}

/* The sums of four registers at once. */
static __m128i
totals(__m512i a, __m512i b, __m512i c, __m512i d)
{
	__m512i x = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b),
	    _mm512_unpackhi_epi32(a, b));
	__m512i y = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d),
	    _mm512_unpackhi_epi32(c, d));
	__m512i z = _mm512_add_epi32(_mm512_unpacklo_epi64(x, y),
	    _mm512_unpackhi_epi64(x, y));
	__m256i h = _mm256_add_epi32(_mm512_castsi512_si256(z),
	    _mm512_extracti64x4_epi64(z, 1));

	return _mm_add_epi32(_mm256_castsi256_si128(h),
	    _mm256_extracti128_si256(h, 1));
}

static inline __m512i
more(__m512i sums, __m512i x, const int8_t *p)
{
	return _mm512_dpbusd_epi32(sums, x, _mm512_load_si512(p));
}

/* Two sums for each code, or they would wait for themselves. */
static void
four(const int8_t *query, const int8_t *const code[4], const int32_t sum[4],
    size_t len, int32_t product[4])
{
	const __m512i up = _mm512_set1_epi8(KERNEL_CODE_MAX + 1);
	const int8_t *p0 = code[0], *p1 = code[1], *p2 = code[2],
	    *p3 = code[3];
	__m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
	__m512i e = a, f = a, g = a, h = a, x;
	__m128i s = _mm_loadu_si128((const __m128i *)(const void *)sum);
	size_t k = 0;

	if (len & 64) {
		x = _mm512_add_epi8(_mm512_load_si512(query), up);
		e = more(e, x, p0);
		f = more(f, x, p1);
		g = more(g, x, p2);
		h = more(h, x, p3);
		k = 64;
	}
	for (; k < len; k += 128) {
		x = _mm512_add_epi8(_mm512_load_si512(query + k), up);
		a = more(a, x, p0 + k);
		b = more(b, x, p1 + k);
		c = more(c, x, p2 + k);
		d = more(d, x, p3 + k);
		x = _mm512_add_epi8(_mm512_load_si512(query + k + 64), up);
		e = more(e, x, p0 + k + 64);
		f = more(f, x, p1 + k + 64);
		g = more(g, x, p2 + k + 64);
		h = more(h, x, p3 + k + 64);
	}
	_mm_storeu_si128((__m128i *)(void *)product, _mm_sub_epi32(
	    totals(_mm512_add_epi32(a, e), _mm512_add_epi32(b, f),
	    _mm512_add_epi32(c, g), _mm512_add_epi32(d, h)),
	    _mm_slli_epi32(s, 6)));
}

const struct kernel kernelavx512 = {
	"avx512vnni", ROWS, COLUMNS, 1, COLUMNS, pack_row, pack_panel, tile,
	distances, four, apart, product, sort, quantise,
};
#endif
