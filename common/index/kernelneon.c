/* SPDX-License-Identifier: Apache-2.0 */
/* kernelneon.c - ARM of 64 bits with the dot product instructions. */
#include "index/kernels.h"

#ifdef __aarch64__
#include <arm_neon.h>

#include "index/kernelcommon.h"

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
	char *p = to;
	unsigned j;
	size_t k;

	for (j = 0; j < COLUMNS; j++) {
		const int8_t *c = code[j < n ? j : 0];

		for (k = 0; k < len; k += 4)
			memcpy(p + k * COLUMNS + 4 * j, c + k, 4);
	}
}

static void
tile(const void *rows, const int32_t *sum, const void *panel, size_t len,
    int32_t *product)
{
	const int8_t *a = rows, *b = panel;
	int32x4_t c[ROWS][4];
	size_t k, i, j;

	(void)sum;
	/* all loops over c are unrolled: it lives in registers */
#pragma GCC unroll 4
	for (i = 0; i < ROWS; i++)
#pragma GCC unroll 4
		for (j = 0; j < 4; j++)
			c[i][j] = vdupq_n_s32(0);
	for (k = 0; k < len; k += 4, b += 64)
#pragma GCC unroll 4
		for (i = 0; i < ROWS; i++) {
			int32_t four;
			int8x16_t v;

			memcpy(&four, a + i * len + k, sizeof(four));
			v = vreinterpretq_s8_s32(vdupq_n_s32(four));
#pragma GCC unroll 4
			for (j = 0; j < 4; j++)
				c[i][j] = vdotq_s32(c[i][j],
				    vld1q_s8(b + 16 * j), v);
		}
#pragma GCC unroll 4
	for (i = 0; i < ROWS; i++)
#pragma GCC unroll 4
		for (j = 0; j < 4; j++)
			vst1q_s32(product + i * COLUMNS + 4 * j, c[i][j]);
}

static void
distances(const int32_t *product, struct kernel_terms row, float limit,
    const struct kernel_columns *c, const float *column_limit,
    float *distance, uint64_t *row_near, uint64_t *column_near)
{
	uint64_t r = 0, q = 0;
	size_t j;

	for (j = 0; j < COLUMNS; j++) {
		float p = (row.scale * c->scale[j]) * (float)product[j];
		float d = (row.add + c->add[j]) - (p + p);

		distance[j] = d > 0 ? d : 0;
	}
	for (j = 0; j < COLUMNS; j++) {
		r |= (uint64_t)(distance[j] <= limit) << j;
		q |= (uint64_t)(distance[j] <= column_limit[j]) << j;
	}
	*row_near = r;
	*column_near = q;
}

static void
four(const int8_t *query, const int8_t *const code[4], const int32_t sum[4],
    size_t len, int32_t product[4])
{
	int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
	size_t k;

	(void)sum;
	for (k = 0; k < len; k += 16) {
		int8x16_t x = vld1q_s8(query + k);

		a = vdotq_s32(a, vld1q_s8(code[0] + k), x);
		b = vdotq_s32(b, vld1q_s8(code[1] + k), x);
		c = vdotq_s32(c, vld1q_s8(code[2] + k), x);
		d = vdotq_s32(d, vld1q_s8(code[3] + k), x);
	}
	vst1q_s32(product, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
}

const struct kernel kernelneon = {
	"neon", ROWS, COLUMNS, 1, COLUMNS, pack_row, pack_panel, tile,
	distances, four, apart, product, sort, quantise,
};
#endif
