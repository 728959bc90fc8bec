/* SPDX-License-Identifier: Apache-2.0 */
/* t_kernel - each kernel that this processor runs gives the bits that the
 * portable one gives, and that gives what plain loops give. */
#include "index/kernel.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"

#define CODES 64
#define LEN_MAX 1600
#define MOST KERNEL_CODE_MAX

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
			int v = j >= dim ? 0 : i < 2 ? (i ? MOST : -MOST) :
			    rand() % (2 * MOST + 1) - MOST;

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
	int32_t product[4], sums[4];
	unsigned i, j, bad = 0;

	for (i = 0; i < CODES; i++) {
		for (j = 0; j < 4; j++) {
			row[j] = code[(i + 7 * j) % CODES];
			sums[j] = sum[(i + 7 * j) % CODES];
		}
		k->four(code[i], row, sums, len, product);
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
	struct kernel_terms row = { .scale = 0.013f, .add = 77 };
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

/* To the bit what the portable one gives; as long as it was, what stood in one
 * place is spread, and distances are as they were. */
static void
test_quantise(const struct kernel *k, size_t len)
{
	static float v[LEN_MAX], w[LEN_MAX], room[LEN_MAX];
	static float signs[2 * LEN_MAX];
	static int8_t a[LEN_MAX], b[LEN_MAX];
	struct kernel_terms one, other;
	float norm = 0;
	int32_t s = 0, q = 0;
	size_t j, large = 0;

	for (j = 0; j < 2 * len; j++)
		signs[j] = rand() % 2 ? 1 : -1;
	for (j = 0; j < len; j++) {
		v[j] = w[j] = any() * (j == 3 ? 100 : 1);
		norm += v[j] * v[j];
	}
	memset(a, 99, sizeof(a));
	memset(b, 77, sizeof(b));
	one = kernel_at(0)->quantise(v, room, len, signs, a);
	other = k->quantise(w, room, len, signs, b);
	ok(memcmp(a, b, len) == 0 && memcmp(&one.scale, &other.scale, 4) == 0 &&
	    one.sum == other.sum && memcmp(&one.squared, &other.squared, 4) ==
	    0, "%s: a code of %zu numbers: the same bits", k->name, len);
	for (j = 0; j < len; j++) {
		s += b[j];
		q += b[j] * b[j];
		large += abs(b[j]) > 10;
	}
	ok(s == other.sum && other.squared == other.scale * other.scale *
	    (float)q && other.squared > 0.97f * norm &&
	    other.squared < 1.03f * norm && large >= 8,
	    "  summed, as long as it was, and spread (%zu)", large);
}

static void
test_zero(const struct kernel *k)
{
	float v[64] = { 0 }, room[64], signs[128] = { 0 };
	int8_t c[64] = { 1, [63] = 1 };
	struct kernel_terms t = k->quantise(v, room, 64, signs, c);

	ok(t.scale == 0 && t.sum == 0 && t.squared == 0 && c[0] == 0 &&
	    c[63] == 0, "%s: zeros", k->name);
}

/* What is as good as nothing is 0; what is as large as may be has a code. */
static void
test_ends(const struct kernel *k)
{
	static const float all[] = { 1e-45f, 1e-38f, 1e-35f, 6e-32f, 1e-29f,
	    1e-20f, 1, 1e10f, 1e17f, 1e19f };
	float v[64], room[64], signs[128];
	struct kernel_terms t;
	unsigned i, j, bad = 0;
	double norm, is;
	int8_t c[64];
	int32_t s;

	for (j = 0; j < 128; j++)
		signs[j] = 1;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (j = 0, norm = 0; j < 64; j++) {
			v[j] = j % 3 ? all[i] : -all[i] / 2;
			norm += (double)v[j] * (double)v[j];
		}
		memset(c, 99, sizeof(c));
		t = k->quantise(v, room, 64, signs, c);
		for (j = 0, s = 0, is = 0; j < 64; j++) {
			s += c[j];
			is += (double)c[j] * c[j];
			bad += abs(c[j]) > MOST;
		}
		bad += t.sum != s || !(t.scale >= 0) || !(t.scale <= FLT_MAX);
		if (all[i] < 1e-31f)
			bad += is > 0 || t.scale > 0 || t.squared > 0;
		else
			bad += !(fabs(is * (double)t.scale *
			    (double)t.scale / norm - 1) < 0.05);
		if (all[i] > 1e-10f && all[i] < 1e18f)
			bad += !(fabs((double)t.squared / norm - 1) < 0.05);
		bad += isnan(t.squared) || (all[i] > 1e18f &&
		    !isinf(t.squared));
	}
	ok(bad == 0, "%s: hardly anything, and too much (%u wrong)", k->name,
	    bad);
}

/* The vectors themselves: as plain loops, and to the bit as the portable. */
static void
test_vectors(const struct kernel *k)
{
	static float x[300], y[300];
	const uint8_t *p = (const uint8_t *)x, *q = (const uint8_t *)y;
	const struct kernel *first = kernel_at(0);
	unsigned dim, j, bad = 0;

	for (dim = 1; dim <= 300; dim++) {
		double apart = 0, product = 0, most = 0, d;
		float a, b, c;

		for (j = 0; j < dim; j++) {
			x[j] = any();
			y[j] = any();
			d = (double)x[j] * 0.5 - (double)y[j] * 3;
			apart += d * d;
			d = (double)x[j] * 0.5 * (double)y[j] * 3;
			product += d;
			most += fabs(d);
		}
		a = k->apart(p, 0.5f, q, 3, dim);
		b = first->apart(p, 0.5f, q, 3, dim);
		bad += memcmp(&a, &b, 4) != 0 ||
		    fabs((double)a - apart) > apart * 1e-5;
		b = k->product(p, 0.5f, q, 3, dim);
		c = first->product(p, 0.5f, q, 3, dim);
		bad += memcmp(&b, &c, 4) != 0 ||
		    fabs((double)b - product) > most * 1e-5;
	}
	ok(bad == 0, "%s: by the vectors: %u wrong", k->name, bad);
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Keys of all sizes, many of them equal. */
static void
test_sort(const struct kernel *k)
{
	uint64_t key[KERNEL_SORT_MAX + 1], want[KERNEL_SORT_MAX];
	unsigned n, i, bad = 0;

	for (n = 0; n <= KERNEL_SORT_MAX; n++) {
		for (i = 0; i < n; i++)
			key[i] = rand() % 4 == 0 ? (uint64_t)rand() % 3 :
			    (uint64_t)(rand() % 0x7f7fffff) << 32 |
			    (unsigned)rand();
		if (n > 1)
			key[n - 1] = (uint64_t)0x7f7fffff << 32 | 0xffffffff;
		key[n] = 5;
		memcpy(want, key, n * sizeof(*key));
		qsort(want, n, sizeof(*want), compare);
		k->sort(key, n);
		bad += memcmp(key, want, n * sizeof(*key)) != 0 ||
		    key[n] != 5;
	}
	ok(bad == 0, "%s: sorting: %u wrong", k->name, bad);
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
			if (d == 0 || dims[d] > 64)
				test_quantise(k, len);
		}
		test_distances(k);
		test_zero(k);
		test_ends(k);
		test_vectors(k);
		test_sort(k);
		setenv("CHROMAUTILS_KERNEL", k->name, 1);
		ok(kernel_best() == k, "%s is chosen by name", k->name);
	}
	ok(tried > 0, "%u kernels", tried);
	setenv("CHROMAUTILS_KERNEL", "abacus", 1);
	ok(kernel_best() != NULL, "there is always one");
	return tap_done();
}
