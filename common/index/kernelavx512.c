/* SPDX-License-Identifier: Apache-2.0 */
/* kernelavx512.c - x86 with AVX-512 and its VNNI. */
#include "index/kernels.h"

#ifdef __x86_64__
#include <immintrin.h>

#include "index/kernelquant.h"

#define ROWS 6
#define COLUMNS 64

/* The instruction multiplies unsigned with signed bytes.  So the bytes of a
 * panel have 128 added (their top bit turned), and the sums begin at -128
 * times the sum of the row. */
#define TOP _mm512_set1_epi8((char)0x80)

static void
pack_row(void *to, const int8_t *code, size_t len)
{
	memcpy(to, code, len);
}

/* [len / 4][COLUMNS][4] */
static void
pack_panel(void *to, const int8_t *const code[], unsigned n, size_t len)
{
	char *p = to;
	unsigned j;
	size_t k;

	for (j = 0; j < COLUMNS; j++) {
		const int8_t *c = code[j < n ? j : 0];

		for (k = 0; k < len; k += 4) {
			uint32_t four;

			memcpy(&four, c + k, 4);
			four ^= 0x80808080;
			memcpy(p + k * COLUMNS + 4 * j, &four, 4);
		}
	}
}

static void
tile(const void *rows, const int32_t *sum, const void *panel, size_t len,
    int32_t *product)
{
	const int8_t *a = rows;
	const __m512i *b = panel;
	__m512i c[ROWS][4];
	size_t k;
	int i, j;

	for (i = 0; i < ROWS; i++)
		for (j = 0; j < 4; j++)
			c[i][j] = _mm512_set1_epi32(-128 * sum[i]);
	for (k = 0; k < len; k += 4, b += 4) {
		__m512i b0 = _mm512_load_si512(b);
		__m512i b1 = _mm512_load_si512(b + 1);
		__m512i b2 = _mm512_load_si512(b + 2);
		__m512i b3 = _mm512_load_si512(b + 3);

#pragma GCC unroll 6
		for (i = 0; i < ROWS; i++) {
			int32_t four;
			__m512i v;

			memcpy(&four, a + (size_t)i * len + k, sizeof(four));
			v = _mm512_set1_epi32(four);
			c[i][0] = _mm512_dpbusd_epi32(c[i][0], b0, v);
			c[i][1] = _mm512_dpbusd_epi32(c[i][1], b1, v);
			c[i][2] = _mm512_dpbusd_epi32(c[i][2], b2, v);
			c[i][3] = _mm512_dpbusd_epi32(c[i][3], b3, v);
		}
	}
	for (i = 0; i < ROWS; i++)
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

static void
four(const int8_t *query, int32_t query_sum, const int8_t *const code[4],
    size_t len, int32_t product[4])
{
	__m512i c[4];
	size_t k;
	int i;

	for (i = 0; i < 4; i++)
		c[i] = _mm512_setzero_si512();
	for (k = 0; k < len; k += 64) {
		__m512i x = _mm512_load_si512(query + k);

#pragma GCC unroll 4
		for (i = 0; i < 4; i++)
			c[i] = _mm512_dpbusd_epi32(c[i], _mm512_xor_si512(
			    _mm512_load_si512(code[i] + k), TOP), x);
	}
	for (i = 0; i < 4; i++)
		product[i] = _mm512_reduce_add_epi32(c[i]) - 128 * query_sum;
}

const struct kernel kernelavx512 = {
	"avx512vnni", ROWS, COLUMNS, 1, COLUMNS, pack_row, pack_panel, tile,
	distances, four, quantise,
};
#endif
