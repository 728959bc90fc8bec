/* SPDX-License-Identifier: Apache-2.0 */
/* kernelavx2.c - x86 with AVX2. */
#include "index/kernels.h"

#ifdef __x86_64__
#include "index/kernelcommon.h"
#include "index/kernelx86.h"

#define ROWS 4
#define COLUMNS 16

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

/* The products of eight columns with two times four bytes of a row.  In 16 bits
 * there is room for four of them. */
static inline __m256i
sixteen(__m256i b0, __m256i b1, __m256i v0, __m256i v1)
{
	return _mm256_madd_epi16(_mm256_add_epi16(
	    _mm256_maddubs_epi16(b0, v0), _mm256_maddubs_epi16(b1, v1)),
	    _mm256_set1_epi16(1));
}

static inline __m256i
four_bytes(const int8_t *p)
{
	int32_t four;

	memcpy(&four, p, sizeof(four));
	return _mm256_set1_epi32(four);
}

static void
tile(const void *rows, const int32_t *sum, const void *panel, size_t len,
    int32_t *product)
{
	const int8_t *a = rows, *end = a + len;
	const __m256i *b = panel;
	__m256i c[ROWS][2];
	size_t i;

	/* all loops over c are unrolled: it lives in registers */
#pragma GCC unroll 4
	for (i = 0; i < ROWS; i++)
		c[i][0] = c[i][1] = _mm256_set1_epi32(
		    -(KERNEL_CODE_MAX + 1) * sum[i]);
	for (; a < end; a += 8, b += 4) {
		__m256i b0 = _mm256_load_si256(b);
		__m256i b1 = _mm256_load_si256(b + 1);
		__m256i b2 = _mm256_load_si256(b + 2);
		__m256i b3 = _mm256_load_si256(b + 3);

#pragma GCC unroll 4
		for (i = 0; i < ROWS; i++) {
			__m256i v0 = four_bytes(a + i * len);
			__m256i v1 = four_bytes(a + i * len + 4);

			c[i][0] = _mm256_add_epi32(c[i][0],
			    sixteen(b0, b2, v0, v1));
			c[i][1] = _mm256_add_epi32(c[i][1],
			    sixteen(b1, b3, v0, v1));
		}
	}
#pragma GCC unroll 4
	for (i = 0; i < ROWS; i++) {
		_mm256_store_si256((__m256i *)(void *)(product + i * COLUMNS),
		    c[i][0]);
		_mm256_store_si256((__m256i *)(void *)(product + i * COLUMNS +
		    8), c[i][1]);
	}
}

static void
distances(const int32_t *product, struct kernel_terms row, float limit,
    const struct kernel_columns *c, const float *column_limit,
    float *distance, uint64_t *row_near, uint64_t *column_near)
{
	const __m256 scale = _mm256_set1_ps(row.scale);
	const __m256 add = _mm256_set1_ps(row.add);
	uint64_t r = 0, q = 0;
	int j;

	for (j = 0; j < COLUMNS; j += 8) {
		__m256 x = _mm256_cvtepi32_ps(_mm256_load_si256(
		    (const __m256i *)(const void *)(product + j)));
		__m256 p = _mm256_mul_ps(_mm256_mul_ps(scale,
		    _mm256_loadu_ps(c->scale + j)), x);
		__m256 d = _mm256_sub_ps(_mm256_add_ps(add,
		    _mm256_loadu_ps(c->add + j)), _mm256_add_ps(p, p));

		d = _mm256_max_ps(d, _mm256_setzero_ps());
		_mm256_store_ps(distance + j, d);
		r |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_cmp_ps(d,
		    _mm256_set1_ps(limit), _CMP_LE_OQ)) << j;
		q |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_cmp_ps(d,
		    _mm256_loadu_ps(column_limit + j), _CMP_LE_OQ)) << j;
	}
	*row_near = r;
	*column_near = q;
}

/* The sums of four registers at once. */
static __m128i
totals(__m256i a, __m256i b, __m256i c, __m256i d)
{
	__m256i x = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b),
	    _mm256_hadd_epi32(c, d));

	return _mm_add_epi32(_mm256_castsi256_si128(x),
	    _mm256_extracti128_si256(x, 1));
}

static inline __m256i
load(const int8_t *p)
{
	return _mm256_load_si256((const __m256i *)(const void *)p);
}

static inline __m256i
more(__m256i sums, __m256i x0, __m256i x1, const int8_t *p)
{
	return _mm256_add_epi32(sums, sixteen(x0, x1, load(p), load(p + 32)));
}

static void
four(const int8_t *query, const int8_t *const code[4], const int32_t sum[4],
    size_t len, int32_t product[4])
{
	const __m256i up = _mm256_set1_epi8(KERNEL_CODE_MAX + 1);
	const int8_t *p0 = code[0], *p1 = code[1], *p2 = code[2],
	    *p3 = code[3];
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
	__m128i s = _mm_loadu_si128((const __m128i *)(const void *)sum);
	size_t k;

	for (k = 0; k < len; k += 64) {
		__m256i x0 = _mm256_add_epi8(load(query + k), up);
		__m256i x1 = _mm256_add_epi8(load(query + k + 32), up);

		a = more(a, x0, x1, p0 + k);
		b = more(b, x0, x1, p1 + k);
		c = more(c, x0, x1, p2 + k);
		d = more(d, x0, x1, p3 + k);
	}
	_mm_storeu_si128((__m128i *)(void *)product, _mm_sub_epi32(
	    totals(a, b, c, d), _mm_slli_epi32(s, 6)));
}

const struct kernel kernelavx2 = {
	"avx2", ROWS, COLUMNS, 1, COLUMNS, pack_row, pack_panel, tile,
	distances, four, apart, product, sort, quantise,
};
#endif
