/* SPDX-License-Identifier: Apache-2.0 */
/* distinct.c - which vectors are the same. */
#include "index/distinct.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/workers.h"

struct fingerprint {
	uint64_t hash;
	uint32_t vector;
};

struct hashing {
	const struct vectors *v;
	struct fingerprint *print;
	float *room;			/* for one vector of each thread */
};

static void
hash_one(size_t i, unsigned worker, void *arg)
{
	struct hashing *h = arg;
	float *own = h->room + worker * h->v->dim;
	const char *p = (const char *)own;
	uint64_t a = h->v->dim, b = 1, x;
	size_t n = h->v->dim * 4, k;

	vectors_load_near(h->v, (uint32_t)i, own);
	for (k = 0; k + 16 <= n; k += 16) {
		memcpy(&x, p + k, 8);
		a = (a ^ x) * 0x9e3779b97f4a7c15;
		a ^= a >> 29;
		memcpy(&x, p + k + 8, 8);
		b = (b ^ x) * 0xbf58476d1ce4e5b9;
		b ^= b >> 31;
	}
	for (; k < n; k++)
		a = (a ^ (uint8_t)p[k]) * 0x94d049bb133111eb;
	a ^= b * 0x9e3779b97f4a7c15;
	h->print[i] = (struct fingerprint){ a ^ a >> 32, (uint32_t)i };
}

#define DIGIT 16		/* bits */

/* By hash, those of one hash in the order in which they come.  other: room for
 * as many.  The number of passes is even, so that they end where they were. */
static int
sort_prints(struct fingerprint *print, struct fingerprint *other, uint32_t n)
{
	uint32_t *at = malloc(sizeof(*at) << DIGIT), i, sum, count;
	unsigned shift;

	if (!at)
		return -1;
	for (shift = 0; shift < 64; shift += DIGIT) {
		struct fingerprint *from = print;

		memset(at, 0, sizeof(*at) << DIGIT);
		for (i = 0; i < n; i++)
			at[from[i].hash >> shift & 0xffff]++;
		for (i = sum = 0; i < 1u << DIGIT; i++) {
			count = at[i];
			at[i] = sum;
			sum += count;
		}
		for (i = 0; i < n; i++)
			other[at[from[i].hash >> shift & 0xffff]++] = from[i];
		print = other;
		other = from;
	}
	free(at);
	return 0;
}

static bool
same(const struct hashing *h, uint32_t x, uint32_t y)
{
	vectors_load_near(h->v, x, h->room);
	vectors_load_near(h->v, y, h->room + h->v->dim);
	return memcmp(h->room, h->room + h->v->dim, h->v->dim * 4) == 0;
}

/* Of each vector the first that is equal to it: first[i] == i if none is. */
static void
find_first(const struct hashing *h, uint32_t *first)
{
	const struct vectors *v = h->v;
	const struct fingerprint *print = h->print;
	uint32_t i, j, k;

	for (i = 0; i < v->n; i = j) {
		first[print[i].vector] = print[i].vector;
		for (j = i + 1; j < v->n && print[j].hash == print[i].hash;
		    j++) {
			uint32_t own = print[j].vector;

			first[own] = own;
			/* of one hash, and yet different: hardly ever */
			for (k = i; k < j && first[own] == own; k++) {
				uint32_t other = print[k].vector;

				if (first[other] == other &&
				    same(h, own, other))
					first[own] = other;
			}
		}
	}
}

uint32_t *
distinct_find(const struct vectors *v, unsigned threads)
{
	size_t n = (size_t)v->n + 1;
	struct hashing h = { v, malloc(n * sizeof(*h.print)),
	    calloc((size_t)threads + 1, (v->dim + 1) * sizeof(*h.room)) };
	struct fingerprint *other = malloc(n * sizeof(*other));
	uint32_t *first = malloc(n * sizeof(*first));
	bool good = h.print && h.room && other && first;

	if (good) {
		workers_run(threads, v->n, 256, hash_one, &h);
		good = sort_prints(h.print, other, v->n) == 0;
	}
	if (good)
		find_first(&h, first);
	free(h.print);
	free(h.room);
	free(other);
	if (good)
		return first;
	free(first);
	return NULL;
}
