/* SPDX-License-Identifier: Apache-2.0 */
/* kernelavx2.c - x86 with AVX2. */
#include "index/kernels.h"

#ifdef __x86_64__
#include <immintrin.h>

#include "index/kernelquant.h"

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
	int16_t *p = to;
	unsigned j;
	size_t k;

	for (j = 0; j < COLUMNS; j++) {
		const int8_t *c = code[j < n ? j : 0];

		for (k = 0; k < len; k += 2) {
			p[k * COLUMNS + 2 * j] = c[k];
			p[k * COLUMNS + 2 * j + 1] = c[k + 1];
		}
	}
}

static void
tile(const void *rows, const int32_t *sum, const void *panel, size_t len,
    int32_t *product)
{
	const int16_t *a = rows;
	const __m256i *b = panel;
	__m256i c[ROWS][2];
	size_t k;
	int i;

	(void)sum;
	for (i = 0; i < ROWS; i++)
		c[i][0] = c[i][1] = _mm256_setzero_si256();
	for (k = 0; k < len; k += 2, b += 2) {
		__m256i b0 = _mm256_load_si256(b);
		__m256i b1 = _mm256_load_si256(b + 1);

#pragma GCC unroll 6
		for (i = 0; i < ROWS; i++) {
			int32_t pair;
			__m256i v;

			memcpy(&pair, a + (size_t)i * len + k, sizeof(pair));
			v = _mm256_set1_epi32(pair);
			c[i][0] = _mm256_add_epi32(c[i][0],
			    _mm256_madd_epi16(b0, v));
			c[i][1] = _mm256_add_epi32(c[i][1],
			    _mm256_madd_epi16(b1, v));
		}
	}
	memcpy(product, c, sizeof(c));
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

static int32_t
total(__m256i v)
{
	__m128i h = _mm_add_epi32(_mm256_castsi256_si128(v),
	    _mm256_extracti128_si256(v, 1));

	h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
	h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1));
	return _mm_cvtsi128_si32(h);
}

/* |x| * sign(y, x) is x * y, and two of them fit into 16 bits: codes end at
 * 127. */
static void
four(const int8_t *query, int32_t query_sum, const int8_t *const code[4],
    size_t len, int32_t product[4])
{
	const __m256i one = _mm256_set1_epi16(1);
	__m256i c[4];
	size_t k;
	int i;

	(void)query_sum;
	for (i = 0; i < 4; i++)
		c[i] = _mm256_setzero_si256();
	for (k = 0; k < len; k += 32) {
		__m256i x = _mm256_load_si256(
		    (const __m256i *)(const void *)(query + k));
		__m256i positive = _mm256_abs_epi8(x);

#pragma GCC unroll 4
		for (i = 0; i < 4; i++)
			c[i] = _mm256_add_epi32(c[i], _mm256_madd_epi16(
			    _mm256_maddubs_epi16(positive, _mm256_sign_epi8(
			    _mm256_load_si256((const __m256i *)(const void *)
			    (code[i] + k)), x)), one));
	}
	for (i = 0; i < 4; i++)
		product[i] = total(c[i]);
}

const struct kernel kernelavx2 = {
	"avx2", ROWS, COLUMNS, 2, 2 * COLUMNS, pack_row, pack_panel, tile,
	distances, four, quantise,
};
#endif
