/* SPDX-License-Identifier: Apache-2.0 */
/* kernelportable.c - for any processor. */
#include "index/kernels.h"

#include "index/kernelcommon.h"

#define ROWS 4
#define COLUMNS ((size_t)16)

/* Rows and columns as 16-bit numbers, one after the other: the sum of the
 * products of pairs of those is one instruction on many processors, and
 * compilers know it. */
static void
pack_row(void *to, const int8_t *code, size_t len)
{
	int16_t *p = to;
	size_t k;

	for (k = 0; k < len; k++)
		p[k] = (int16_t)(int)code[k];
}

static void
pack_panel(void *to, const int8_t *const code[], unsigned n, size_t len)
{
	int16_t *p = to;
	unsigned j;

	for (j = 0; j < COLUMNS; j++)
		pack_row(p + j * len, code[j < n ? j : 0], len);
}

static void
tile(const void *rows, const int32_t *sum, const void *panel, size_t len,
    int32_t *product)
{
	const int16_t *a0 = rows, *a1 = a0 + len, *a2 = a1 + len,
	    *a3 = a2 + len, *b = panel;
	size_t j, k;

	(void)sum;
	for (j = 0; j < COLUMNS; j++, b += len) {
		int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;

		for (k = 0; k < len; k++) {
			s0 += a0[k] * b[k];
			s1 += a1[k] * b[k];
			s2 += a2[k] * b[k];
			s3 += a3[k] * b[k];
		}
		product[0 * COLUMNS + j] = s0;
		product[1 * COLUMNS + j] = s1;
		product[2 * COLUMNS + j] = s2;
		product[3 * COLUMNS + j] = s3;
	}
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
	size_t i, k;

	(void)sum;
	for (i = 0; i < 4; i++) {
		const int8_t *c = code[i];
		int32_t s = 0;

		for (k = 0; k < len; k++)
			s += query[k] * c[k];
		product[i] = s;
	}
}

const struct kernel kernelportable = {
	"portable", ROWS, COLUMNS, 2, 2 * COLUMNS, pack_row, pack_panel, tile,
	distances, four, apart, product, sort, quantise,
};
