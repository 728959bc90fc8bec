/* SPDX-License-Identifier: Apache-2.0 */
/* given.h - for unit tests: vectors of several kinds, and codes of them. */
#ifndef GIVEN_H
#define GIVEN_H

#include <math.h>
#include <stdlib.h>

#include "index/codes.h"
#include "scratch.h"

/* Sanitizers: less of the same. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GIVEN_SLOW 1
#else
#define GIVEN_SLOW 0
#endif

enum given_kind {
	GIVEN_RANDOM,			/* around 0 in all directions, of
					 * differing lengths */
	GIVEN_UNIFORM,			/* in a cube */
	GIVEN_TIGHT,			/* five clusters, each almost a point */
	GIVEN_COPIES,			/* of ten that are different */
	GIVEN_SAME,			/* all are one */
	GIVEN_KINDS
};

static const char *const given_name[] = { "random", "uniform", "tight",
	"copies", "same" };

/* In [-1, 1). */
static inline float
given_number(uint64_t *seed)
{
	return (float)(scratch_random(seed) >> 40) / (float)(1 << 23) - 1;
}

static inline void
given_one(enum given_kind kind, size_t dim, uint64_t number, float *to)
{
	uint64_t center = kind == GIVEN_TIGHT ? number % 5 : kind ==
	    GIVEN_COPIES ? number % 10 : 0, seed;
	size_t j;

	for (j = 0; j < dim; j++) {
		seed = center * 1000003 + j;
		to[j] = given_number(&seed);
	}
	seed = number * 7919 + 1;
	for (j = 0; kind < GIVEN_COPIES && j < dim; j++) {
		float x = given_number(&seed);

		to[j] = kind == GIVEN_TIGHT ? to[j] + x * 1e-3f :
		    kind == GIVEN_UNIFORM ? x : x * x * x * 3;
	}
}

/* n vectors of a kind; given_release() frees them. */
static inline struct vectors
given_make(enum given_kind kind, uint32_t n, size_t dim)
{
	struct vectors v = { .stride = dim * 4, .dim = dim, .n = n };
	float *x = malloc(((size_t)n + 1) * dim * sizeof(*x));
	uint32_t i;

	if (!x)
		scratch_die("no memory");
	for (i = 0; i < n; i++)
		given_one(kind, dim, i, x + i * dim);
	v.base = (const uint8_t *)x;
	return v;
}

static inline void
given_release(struct vectors *v)
{
	free((void *)(uintptr_t)v->base);
	vectors_release(v);
}

#define GIVEN_CODES_MAX 10000

/* Codes of all of them, GIVEN_CODES_MAX at most, in their order. */
static inline void
given_codes(struct codes *c, const struct vectors *v, bool ip,
    unsigned threads)
{
	static uint32_t which[GIVEN_CODES_MAX];	/* the codes borrow it */
	struct err e;
	uint32_t i;

	if (v->n > GIVEN_CODES_MAX)
		scratch_die("too many vectors");
	for (i = 0; i < v->n; i++)
		which[i] = i;
	if (codes_make(c, v, which, v->n, ip, threads, &e) < 0)
		scratch_die(e.msg);
}

/* The distance of two vectors, as the index stores them: l2 squared, or -xy. */
static inline double
given_distance(const float *x, const float *y, size_t dim, bool ip)
{
	double sum = 0, d;
	size_t j;

	for (j = 0; j < dim; j++) {
		d = (double)x[j] - (double)y[j];
		sum += ip ? -(double)x[j] * (double)y[j] : d * d;
	}
	return sum;
}

static inline int
given_compare_keys(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

#endif
