/* SPDX-License-Identifier: Apache-2.0 */
/* t_kernel - each kernel that this processor runs gives the bits that the
 * portable one gives, and that gives what plain loops give. */
#include "index/kernel.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"

#define CODES 64
#define LEN_MAX 1600

static int8_t code[CODES][LEN_MAX] __attribute__((aligned(KERNEL_ALIGN)));
static int32_t sum[CODES];

static void
fill(size_t dim, size_t len)
{
	size_t i, j;

	for (i = 0; i < CODES; i++) {
		sum[i] = 0;
		for (j = 0; j < len; j++) {
			/* the first two at the ends of their range */
			int v = j >= dim ? 0 : i < 2 ? (i ? 127 : -127) :
			    rand() % 255 - 127;

			code[i][j] = (int8_t)v;
			sum[i] += v;
		}
	}
}

static int32_t
plain(size_t i, size_t j, size_t len)
{
	int32_t s = 0;
	size_t k;

	for (k = 0; k < len; k++)
		s += code[i][k] * code[j][k];
	return s;
}

static void
test_tile(const struct kernel *k, size_t len, unsigned columns)
{
	char *rows = aligned_alloc(64, k->rows * (k->row_bytes * len + 64));
	char *panel = aligned_alloc(64, k->panel_bytes * len + 64);
	int32_t product[8 * KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	const int8_t *column[KERNEL_COLUMNS_MAX];
	unsigned i, j, bad = 0;

	for (j = 0; j < columns; j++)
		column[j] = code[CODES - 1 - j];
	for (i = 0; i < k->rows; i++)
		k->pack_row(rows + i * k->row_bytes * len, code[i], len);
	k->pack_panel(panel, column, columns, len);
	k->tile(rows, sum, panel, len, product);
	for (i = 0; i < k->rows; i++)
		for (j = 0; j < k->columns; j++)
			bad += product[i * k->columns + j] != plain(i, CODES -
			    1 - (j < columns ? j : 0), len);
	ok(bad == 0, "%s: a tile of %u columns over %zu bytes: %u wrong",
	    k->name, columns, len, bad);
	free(rows);
	free(panel);
}

static void
test_four(const struct kernel *k, size_t len)
{
	const int8_t *row[4];
	int32_t product[4];
	unsigned i, j, bad = 0;

	for (i = 0; i < CODES; i++) {
		for (j = 0; j < 4; j++)
			row[j] = code[(i + 7 * j) % CODES];
		k->four(code[i], sum[i], row, len, product);
		for (j = 0; j < 4; j++)
			bad += product[j] != plain(i, (i + 7 * j) % CODES,
			    len);
	}
	ok(bad == 0, "%s: four products over %zu bytes: %u wrong", k->name,
	    len, bad);
}

static float
any(void)
{
	return (float)(rand() % 20001 - 10000) / 977;
}

static void
test_distances(const struct kernel *k)
{
	int32_t product[KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	float distance[KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	float limits[KERNEL_COLUMNS_MAX];
	struct kernel_columns c;
	struct kernel_terms row = { 0.013f, 77 };
	uint64_t near, column;
	unsigned j, bad = 0, below = 0, round;

	for (round = 0; round < 50; round++) {
		for (j = 0; j < k->columns; j++) {
			product[j] = rand() % 400000 - 200000;
			c.scale[j] = any() / 100;
			c.add[j] = any() + 10;
			limits[j] = any() * 10;
		}
		c.add[0] = FLT_MAX;
		k->distances(product, row, 80, &c, limits, distance, &near,
		    &column);
		for (j = 0; j < k->columns; j++) {
			float p = (row.scale * c.scale[j]) *
			    (float)product[j];
			float d = (row.add + c.add[j]) - (p + p);

			d = d > 0 ? d : 0;
			below += d == 0;
			bad += memcmp(&d, &distance[j], sizeof(d)) != 0 ||
			    (near >> j & 1) != (d <= 80) ||
			    (column >> j & 1) != (d <= limits[j]);
		}
	}
	ok(bad == 0 && below > 0, "%s: distances: %u wrong", k->name, bad);
}

/* To the bit what the portable one gives; near what it was told to round. */
static void
test_quantise(const struct kernel *k, size_t dim, size_t len)
{
	static float v[LEN_MAX], w[LEN_MAX], room[LEN_MAX];
	static float signs[2 * LEN_MAX];
	static int8_t a[LEN_MAX], b[LEN_MAX];
	int32_t sums[2], squares[2], s = 0, q = 0;
	float scale[2], norm = 0, turned = 0;
	size_t j;

	for (j = 0; j < 2 * dim; j++)
		signs[j] = rand() % 2 ? 1 : -1;
	for (j = 0; j < dim; j++) {
		v[j] = w[j] = any() * (j == 3 ? 100 : 1);
		norm += v[j] * v[j];
	}
	memset(a, 99, sizeof(a));
	memset(b, 77, sizeof(b));
	scale[0] = kernel_at(0)->quantise(v, room, dim, len, signs, a,
	    &sums[0], &squares[0]);
	scale[1] = k->quantise(w, room, dim, len, signs, b, &sums[1],
	    &squares[1]);
	ok(memcmp(a, b, len) == 0 && memcmp(scale, scale + 1, 4) == 0 &&
	    sums[0] == sums[1] && squares[0] == squares[1],
	    "%s: a code of %zu numbers: the same bits", k->name, dim);
	for (j = 0; j < len; j++) {
		s += b[j];
		q += b[j] * b[j];
	}
	turned = scale[1] * scale[1] * (float)q;
	ok(s == sums[1] && q == squares[1] && turned > 0.97f * norm &&
	    turned < 1.03f * norm, "  summed, and as long as it was");
}

static void
test_zero(const struct kernel *k)
{
	float v[64] = { 0 }, room[64], signs[128] = { 0 };
	int8_t c[64];
	int32_t s = 1, q = 1;
	float scale = k->quantise(v, room, 60, 64, signs, c, &s, &q);

	ok(scale == 0 && s == 0 && q == 0 && c[0] == 0 && c[63] == 0,
	    "%s: zeros", k->name);
}

int
main(void)
{
	static const size_t dims[] = { 1, 2, 3, 64, 100, 384, 768, 1536 };
	const struct kernel *k;
	unsigned i, tried = 0;
	size_t d;

	srand(5);
	for (i = 0; i < KERNELS; i++) {
		k = kernel_at(i);
		if (!k)
			continue;
		tried++;
		for (d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
			size_t len = (dims[d] + 63) / 64 * 64;

			fill(dims[d], len);
			test_tile(k, len, k->columns);
			test_tile(k, len, 1);
			test_tile(k, len, k->columns - 3);
			test_four(k, len);
			if (dims[d] > 4)
				test_quantise(k, dims[d], len);
		}
		test_distances(k);
		test_zero(k);
		setenv("CHROMAUTILS_KERNEL", k->name, 1);
		ok(kernel_best() == k, "%s is chosen by name", k->name);
	}
	ok(tried > 0, "%u kernels", tried);
	setenv("CHROMAUTILS_KERNEL", "abacus", 1);
	ok(kernel_best() != NULL, "there is always one");
	return tap_done();
}
