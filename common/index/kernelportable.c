/* SPDX-License-Identifier: Apache-2.0 */
/* kernelportable.c - for any processor. */
#include "index/kernels.h"

#include "index/kernelquant.h"

#define ROWS 4
#define COLUMNS 16

/* Rows and panels as 16-bit numbers in pairs: their products and sums are one
 * instruction on many processors. */
static void
pack_row(void *to, const int8_t *code, size_t len)
{
	int16_t *p = to;
	size_t k;

	for (k = 0; k < len; k++)
		p[k] = code[k];
}

static void
pack_panel(void *to, const int8_t *const code[], unsigned n, size_t len)
{
	int16_t *p = to;
	size_t k, j;

	for (k = 0; k < len; k += 2)
		for (j = 0; j < COLUMNS; j++) {
			const int8_t *c = code[j < n ? j : 0];

			*p++ = c[k];
			*p++ = c[k + 1];
		}
}

static void
tile(const void *rows, const int32_t *sum, const void *panel, size_t len,
    int32_t *product)
{
	const int16_t *a = rows, *b = panel;
	int32_t c[ROWS][COLUMNS] = { { 0 } };
	size_t k, i, j;

	(void)sum;
	for (k = 0; k < len; k += 2, b += 2 * COLUMNS)
		for (i = 0; i < ROWS; i++) {
			int32_t a0 = a[i * len + k], a1 = a[i * len + k + 1];

			for (j = 0; j < COLUMNS; j++)
				c[i][j] += a0 * b[2 * j] + a1 * b[2 * j + 1];
		}
	memcpy(product, c, sizeof(c));
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
four(const int8_t *query, int32_t query_sum, const int8_t *const code[4],
    size_t len, int32_t product[4])
{
	size_t i, k;

	(void)query_sum;
	for (i = 0; i < 4; i++) {
		int32_t s = 0;

		for (k = 0; k < len; k++)
			s += query[k] * code[i][k];
		product[i] = s;
	}
}

const struct kernel kernelportable = {
	"portable", ROWS, COLUMNS, 2, 2 * COLUMNS, pack_row, pack_panel, tile,
	distances, four, quantise,
};
