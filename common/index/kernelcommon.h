/* SPDX-License-Identifier: Apache-2.0 */
/* kernelcommon.h - turning, rounding and sorting, in C that compilers make
 * vector instructions of; included by each kernel, compiled for its processor.
 *
 * Turning spreads what single dimensions have over many, and changes no
 * distance: twice, signs are changed at random, blocks of a power of two are
 * transformed (Walsh, Hadamard; but for the steps inside of LANES numbers,
 * which would be slow), and lanes become rows, so that the second time does
 * what the first left out.
 */
#ifndef INDEX_KERNELCOMMON_H
#define INDEX_KERNELCOMMON_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/le.h"
#include "index/kernel.h"

#define LANES 16	/* divides KERNEL_ALIGN */

#define SUMS 32		/* kept apart, for vector instructions */

static inline float
total(const float sum[SUMS])
{
	float all = 0;
	int s;

	for (s = 0; s < SUMS; s++)
		all += sum[s];
	return all;
}

static inline float
apart(const uint8_t *x, float a, const uint8_t *y, float b, size_t dim)
{
	float sum[SUMS] = { 0 }, d;
	size_t k, s;

	for (k = 0; k + SUMS <= dim; k += SUMS)
		for (s = 0; s < SUMS; s++) {
			d = le_f32(x + 4 * (k + s)) * a -
			    le_f32(y + 4 * (k + s)) * b;
			sum[s] += d * d;
		}
	for (; k < dim; k++) {
		d = le_f32(x + 4 * k) * a - le_f32(y + 4 * k) * b;
		sum[0] += d * d;
	}
	return total(sum);
}

static inline float
product(const uint8_t *x, float a, const uint8_t *y, float b, size_t dim)
{
	float sum[SUMS] = { 0 };
	size_t k, s;

	for (k = 0; k + SUMS <= dim; k += SUMS)
		for (s = 0; s < SUMS; s++)
			sum[s] += (le_f32(x + 4 * (k + s)) * a) *
			    (le_f32(y + 4 * (k + s)) * b);
	for (; k < dim; k++)
		sum[0] += (le_f32(x + 4 * k) * a) * (le_f32(y + 4 * k) * b);
	return total(sum);
}

/* Each key goes where as many are before it.  Of equal ones only the first
 * place is taken: the others get what stands before them. */
static inline void
sort(uint64_t *key, unsigned n)
{
	double as[KERNEL_SORT_MAX];
	uint64_t to[KERNEL_SORT_MAX] = { 0 };
	unsigned padded = (n + 7) & ~7u, i, j;

	memcpy(as, key, n * sizeof(*as));
	for (i = n; i < padded; i++)
		as[i] = HUGE_VAL;
	for (i = 0; i < n; i++) {
		const double own = as[i];
		int64_t before = 0;

		for (j = 0; j < padded; j++)
			before += as[j] < own;
		to[before] = key[i];
	}
	for (i = 0; i < n; i++)
		key[i] = to[i] == 0 && i > 0 ? key[i - 1] : to[i];
}

static inline size_t
turn_block(size_t len)
{
	return len & (~len + 1);	/* its lowest bit */
}

static inline void
transform(float *restrict x, size_t n)
{
	size_t h, i, j;

	for (h = n / 2; h >= LANES; h /= 2)
		for (i = 0; i < n; i += 2 * h) {
			float *restrict p = x + i, *restrict q = x + i + h;

			for (j = 0; j < h; j++) {
				float a = p[j], b = q[j];

				p[j] = a + b;
				q[j] = a - b;
			}
		}
}

static inline void
turn(float *restrict from, float *restrict to, size_t len,
    const float *restrict signs)
{
	size_t block = turn_block(len), rows = len / LANES, i, j;

	for (i = 0; i < len; i++)
		from[i] *= signs[i];
	for (i = 0; i < len; i += block)
		transform(from + i, block);
	for (i = 0; i < rows; i++)
		for (j = 0; j < LANES; j++)
			to[j * rows + i] = from[i * LANES + j];
}

/* The greatest number without its sign: as integers they have the same order,
 * and compilers like those better. */
static inline float
greatest(const float *v, size_t len)
{
	uint32_t most = 0, bits;
	float f;
	size_t i;

	for (i = 0; i < len; i++) {
		memcpy(&bits, v + i, sizeof(bits));
		bits &= 0x7fffffff;
		most = bits > most ? bits : most;
	}
	memcpy(&f, &most, sizeof(f));
	return f;
}

#define TINY 1e-30f	/* what is not greater is 0 */

/* 1.5 * 2^23: a float of at most 2^22 plus this has its last bit at 1. */
#define ROUND 12582912.0f

static inline struct kernel_terms
quantise(float *v, float *room, size_t len, const float *signs, int8_t *code)
{
	struct kernel_terms t = { 0 };
	int32_t sum = 0, squares = 0;
	float most, inverse;
	size_t i;

	turn(v, room, len, signs);
	turn(room, v, len, signs + len);
	most = greatest(v, len);
	inverse = most > TINY ? (float)KERNEL_CODE_MAX / most : 0;
	for (i = 0; i < len; i++) {
		int32_t c = (int32_t)((v[i] * inverse + ROUND) - ROUND);

		sum += c;
		squares += c * c;
		code[i] = (int8_t)c;
	}
	if (!(most > TINY))
		most = 0;
	/* each turn has made it longer, together by a power of two */
	t.scale = most / (float)KERNEL_CODE_MAX / (float)(turn_block(len) / LANES);
	t.sum = sum;
	t.squared = (t.scale * t.scale) * (float)squares;
	return t;
}

#endif
