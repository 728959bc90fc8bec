/* SPDX-License-Identifier: Apache-2.0 */
/* kernelquant.h - turning and rounding, in C that compilers make vector
 * instructions of; included by each kernel, compiled for its processor.
 *
 * Turning spreads what single dimensions have over all of them: twice, signs
 * are changed at random, blocks of a power of two are transformed (Walsh,
 * Hadamard) and the blocks mixed.  It changes no distance.
 */
#include <math.h>
#include <string.h>

static void
transform(float *x, size_t n)
{
	size_t h, i, j;

	for (h = n / 2; h >= 1; h /= 2)
		for (i = 0; i < n; i += 2 * h)
			for (j = i; j < i + h; j++) {
				float a = x[j], b = x[j + h];

				x[j] = a + b;
				x[j + h] = a - b;
			}
}

/* room has dim floats. */
static void
turn(float *v, float *room, size_t dim, const float *signs)
{
	size_t block = dim & (~dim + 1), blocks = dim / block, b, j;
	float scale = 1.0f / sqrtf((float)block);
	int round;

	for (round = 0; round < 2; round++) {
		for (j = 0; j < dim; j++)
			v[j] *= signs[(size_t)round * dim + j];
		for (b = 0; b < blocks; b++)
			transform(v + b * block, block);
		for (b = 0; b < blocks; b++)
			for (j = 0; j < block; j++)
				room[j * blocks + b] = v[b * block + j] *
				    scale;
		memcpy(v, room, dim * sizeof(*v));
	}
}

/* 1.5 * 2^23: a float of at most 2^22 plus this has its last bit at 1. */
#define ROUND 12582912.0f

static float
quantise(float *v, float *room, size_t dim, size_t len, const float *signs,
    int8_t *code, int32_t *sum, int32_t *squares)
{
	float most = 0, inverse;
	int32_t total = 0, squared = 0;
	size_t j;

	turn(v, room, dim, signs);
	for (j = 0; j < dim; j++) {
		float a = fabsf(v[j]);

		most = a > most ? a : most;
	}
	inverse = most > 0 ? 127.0f / most : 0;
	for (j = 0; j < dim; j++) {
		int32_t c = (int32_t)((v[j] * inverse + ROUND) - ROUND);

		total += c;
		squared += c * c;
		code[j] = (int8_t)c;
	}
	memset(code + dim, 0, len - dim);
	*sum = total;
	*squares = squared;
	return most / 127.0f;
}
