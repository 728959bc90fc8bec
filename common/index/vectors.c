/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.c - the vectors of an index. */
#include "index/vectors.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/workers.h"

#define SUMS 8			/* kept apart, for vector instructions */
#define CHUNK 256
#define NEAR 1e-5

/* In double: no float32 is too large or too small for its square. */
static double
norm(const uint8_t *p, size_t dim)
{
	double sum[SUMS] = { 0 }, all = 0;
	size_t i, j;

	for (i = 0; i + SUMS <= dim; i += SUMS)
		for (j = 0; j < SUMS; j++) {
			double x = (double)le_f32(p + 4 * (i + j));

			sum[j] += x * x;
		}
	for (; i < dim; i++) {
		double x = (double)le_f32(p + 4 * i);

		sum[0] += x * x;
	}
	for (j = 0; j < SUMS; j++)
		all += sum[j];
	return sqrt(all);
}

static void
measure(size_t i, unsigned worker, void *arg)
{
	struct vectors *v = arg;
	const uint8_t *p = vectors_given(v, (uint32_t)i);
	double own = norm(p, v->dim);
	float length = own > (double)FLT_MAX ? INFINITY :
	    own < (double)FLT_MIN ? 0 : (float)own;
	float told = v->told ? le_f32(p + v->told) : 0;

	(void)worker;
	/* not by length: to infinity all are near */
	if (told >= FLT_MIN && fabs((double)told - own) <= own * NEAR)
		length = told;
	v->length[i] = length;
}

int
vectors_make_unit(struct vectors *v, unsigned threads, struct err *e)
{
	v->length = malloc(((size_t)v->n + 1) * sizeof(*v->length));
	if (!v->length)
		return err_nomem(e);
	workers_run(threads, v->n, CHUNK, measure, v);
	return 0;
}

static inline float
step(float f, uint32_t by)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	bits += by;
	memcpy(&f, &bits, sizeof(f));
	return f;
}

/* x / length, or its neighbour, if that times length is x. */
static inline float
unit(float x, float length)
{
	float u = x / length, up = step(u, 1), down = step(u, UINT32_MAX);

	return u * length == x ? u : up * length == x ? up :
	    down * length == x ? down : u;
}

void
vectors_load(const struct vectors *v, uint32_t i, float *to)
{
	const uint8_t *p = vectors_given(v, i);
	size_t j;

	for (j = 0; j < v->dim; j++)
		to[j] = le_f32(p + 4 * j);
	if (!v->length)
		return;
	if (v->length[i] == 0)
		memset(to, 0, v->dim * sizeof(*to));
	else
		for (j = 0; j < v->dim; j++)
			to[j] = unit(to[j], v->length[i]);
}

void
vectors_load_near(const struct vectors *v, uint32_t i, float *to)
{
	const uint8_t *p = vectors_given(v, i);
	float scale = 1;
	size_t j;

	if (v->length)
		scale = v->length[i] > 0 ? 1 / v->length[i] : 0;
	for (j = 0; j < v->dim; j++)
		to[j] = le_f32(p + 4 * j) * scale;
}

void
vectors_release(struct vectors *v)
{
	free(v->length);
	*v = (struct vectors){ 0 };
}
