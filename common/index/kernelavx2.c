/* SPDX-License-Identifier: Apache-2.0 */
/* kernelavx2.c - x86 with AVX2. */
#include "index/kernels.h"

#ifdef __x86_64__
#include "index/kernelcommon.h"
#include "index/kernelx86.h"

#define ROWS 6
#define COLUMNS 16

static void
pack_row(void *to, const int8_t *code, size_t len)
{
	__m256i *p = to;
	size_t k;

	for (k = 0; k < len; k += 16)
		_mm256_store_si256(p++, _mm256_cvtepi8_epi16(_mm_load_si128(
		    (const __m128i *)(const void *)(code + k))));
}

/* [len / 2][COLUMNS][2] */
static void
pack_panel(void *to, const int8_t *const code[], unsigned n, size_t len)
{
	unsigned j, i;
	size_t k;

	for (j = 0; j < COLUMNS; j += 4)
		for (k = 0; k < len; k += 8) {
			int16_t *p = (int16_t *)to + k * COLUMNS + 2 * j;
			__m128i r[4];

			for (i = 0; i < 4; i++)
				r[i] = _mm_cvtepi8_epi16(_mm_loadl_epi64(
				    (const __m128i *)(const void *)
				    (code[j + i < n ? j + i : 0] + k)));
			transpose4(r);
			for (i = 0; i < 4; i++)
				_mm_store_si128((__m128i *)(void *)(p + i * 2 *
				    COLUMNS), r[i]);
		}
}

static void
tile(const void *rows, const int32_t *sum, const void *panel, size_t len,
    int32_t *product)
{
	const int16_t *a = rows, *end = a + len;
	const __m256i *b = panel;
	__m256i c[ROWS][2], v;
	int i;

	(void)sum;
	/* all loops over c are unrolled: it lives in registers */
#pragma GCC unroll 6
	for (i = 0; i < ROWS; i++)
		c[i][0] = c[i][1] = _mm256_setzero_si256();
	for (; a < end; a += 2, b += 2) {
		__m256i b0 = _mm256_load_si256(b);
		__m256i b1 = _mm256_load_si256(b + 1);

#pragma GCC unroll 6
		for (i = 0; i < ROWS; i++) {
			int32_t pair;

			memcpy(&pair, a + (size_t)i * len, sizeof(pair));
			v = _mm256_set1_epi32(pair);
			c[i][0] = _mm256_add_epi32(c[i][0],
			    _mm256_madd_epi16(b0, v));
			c[i][1] = _mm256_add_epi32(c[i][1],
			    _mm256_madd_epi16(b1, v));
		}
	}
#pragma GCC unroll 6
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

/* Four more products in each of 8 sums.  |x| * sign(y, x) is x * y, and two of
 * them fit into 16 bits: codes end at 127. */
static inline __m256i
more(__m256i sums, __m256i x, __m256i positive, const int8_t *p)
{
	__m256i y = _mm256_load_si256((const __m256i *)(const void *)p);

	return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(
	    positive, _mm256_sign_epi8(y, x)), _mm256_set1_epi16(1)));
}

static void
four(const int8_t *query, const int8_t *const code[4], const int32_t sum[4],
    size_t len, int32_t product[4])
{
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
	size_t k;

	(void)sum;
	for (k = 0; k < len; k += 32) {
		__m256i x = _mm256_load_si256(
		    (const __m256i *)(const void *)(query + k));
		__m256i positive = _mm256_abs_epi8(x);

		a = more(a, x, positive, code[0] + k);
		b = more(b, x, positive, code[1] + k);
		c = more(c, x, positive, code[2] + k);
		d = more(d, x, positive, code[3] + k);
	}
	_mm_storeu_si128((__m128i *)(void *)product, totals(a, b, c, d));
}

const struct kernel kernelavx2 = {
	"avx2", ROWS, COLUMNS, 2, 2 * COLUMNS, pack_row, pack_panel, tile,
	distances, four, sort, quantise,
};
#endif
