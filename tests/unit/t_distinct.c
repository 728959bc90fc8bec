/* SPDX-License-Identifier: Apache-2.0 */
/* t_distinct - which vectors are the same, to the bit. */
#include "index/distinct.h"

#include "../given.h"
#include "../tap.h"

/* As a plain comparison of all with all says; with 1 and 3 threads. */
static void
test_all(uint32_t n, size_t dim, uint32_t different, bool cosine)
{
	float *x = calloc(n * dim + 1, sizeof(*x)), *y;
	struct vectors v = { .base = (const uint8_t *)x, .stride = dim * 4,
	    .dim = dim, .n = n };
	uint32_t i, j, *first, *again, bad = 0, copies = 0;
	uint64_t seed = n + dim;
	struct err e;

	for (i = 0; i < n; i++) {
		uint32_t of = (uint32_t)(scratch_random(&seed) % different);

		for (j = 0; j < dim; j++)	/* the last differs, at least */
			x[i * dim + j] = j + 1 < dim ? (float)(j + of / 7) :
			    (float)(of + 1);
		/* in a cosine index lengths do not matter */
		for (j = 0; cosine && j < dim; j++)
			x[i * dim + j] *= (float)(1u << i % 5);
	}
	y = malloc((n * dim + 1) * sizeof(*y));
	if (cosine && vectors_make_unit(&v, 2, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < n; i++)
		vectors_load_near(&v, i, y + i * dim);
	first = distinct_find(&v, 1);
	again = distinct_find(&v, 3);
	if (!first || !again)
		scratch_die("no memory");
	for (i = 0; i < n; i++) {
		for (j = 0; j < i; j++)
			if (memcmp(y + i * dim, y + j * dim, dim * 4) == 0)
				break;
		copies += j < i;
		bad += first[i] != j || again[i] != j;
	}
	ok(bad == 0 && (copies > 0 || different >= n),
	    "%u of %zu numbers%s: %u copies (%u wrong)", n, dim,
	    cosine ? ", cosine" : "", copies, bad);
	free(first);
	free(again);
	free(x);
	free(y);
	vectors_release(&v);
}

/* Zeros of both signs are not the same; what differs in one bit is not. */
static void
test_bits(void)
{
	static float x[40][19];
	struct vectors v = { .base = (const uint8_t *)x, .dim = 19, .n = 40,
	    .stride = sizeof(x[0]) };
	uint32_t i, *first, bad = 0;

	for (i = 1; i < 20; i++)
		x[i][i - 1] = 1e-45f;
	for (i = 20; i < 39; i++)
		x[i][i - 20] = -0.0f;
	first = distinct_find(&v, 2);
	for (i = 0; first && i < 39; i++)
		bad += first[i] != i;
	ok(first && bad == 0 && first[39] == 0, "one bit makes a difference "
	    "(%u)", bad);
	free(first);
	v.n = 0;
	first = distinct_find(&v, 2);
	ok(first != NULL, "none");
	free(first);
}

#define A UINT64_C(0x9e3779b97f4a7c15)	/* of distinct.c */
#define B UINT64_C(0xbf58476d1ce4e5b9)

static uint64_t
inverse(uint64_t odd)
{
	uint64_t x = odd;
	int i;

	for (i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

/* Vectors that are not the same, and yet have one hash: of four numbers, of
 * which the last two undo what the first two do. */
static void
test_collision(void)
{
	uint64_t word[6][2] = { { 0 } }, seed = 8, want = 0, a, b, x;
	struct vectors v = { .base = (const uint8_t *)word, .dim = 4, .n = 6,
	    .stride = sizeof(word[0]) };
	uint32_t *first, i;

	for (i = 0; i < 6; i++) {
		/* float32 of common sizes, that no load changes */
		do {
			x = (scratch_random(&seed) & 0x3fffffff3fffffff) |
			    0x3000000030000000;
			a = (4 ^ x) * A;
			a ^= a >> 29;
			word[i][0] = x;
			b = i == 0 ? scratch_random(&seed) : (want ^ a) *
			    inverse(A);
			if (i == 0)
				want = a ^ b * A;
			b ^= b >> 31 ^ b >> 62;
			word[i][1] = b * inverse(B) ^ 1;
			x = word[i][1] & 0x7f8000007f800000;
		} while ((x >> 32) - 0x800000 >= 0x7f800000 - 0x800000 ||
		    (uint32_t)x - 0x800000 >= 0x7f800000 - 0x800000);
	}
	memcpy(word[3], word[1], sizeof(word[3]));
	memcpy(word[5], word[2], sizeof(word[5]));
	first = distinct_find(&v, 1);
	ok(first && first[0] == 0 && first[1] == 1 && first[2] == 2 &&
	    first[3] == 1 && first[4] == 4 && first[5] == 2,
	    "one hash, and yet different");
	free(first);
}

int
main(void)
{
	static const size_t dims[] = { 1, 2, 3, 4, 5, 8, 64, 101 };
	unsigned i;

	for (i = 0; i < COUNT(dims); i++) {
		test_all(700, dims[i], 300, false);
		test_all(300, dims[i], 40, true);
	}
	test_all(500, 6, 1, false);
	test_all(500, 6, 1000000, false);
	test_all(1, 6, 1, false);
	test_bits();
	test_collision();
	return tap_done();
}
