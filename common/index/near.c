/* SPDX-License-Identifier: Apache-2.0 */
/* near.c - of each node, the nearest others that were met so far. */
#include "index/near.h"

#include <float.h>
#include <stdbool.h>
#include <stdlib.h>

#include "index/codes.h"

#define FEW 96			/* are sorted by insertion */

int
near_init(struct near *l, uint32_t n, struct err *e)
{
	*l = (struct near){ .n = n };
	l->key = codes_alloc(n, NEAR_KEPT * sizeof(*l->key));
	l->count = calloc((size_t)n + 1, 1);
	l->lock = calloc((size_t)n + 1, 1);
	return l->key && l->count && l->lock ? 0 : err_nomem(e);
}

void
near_release(struct near *l)
{
	free(l->key);
	free(l->count);
	free(l->lock);
	*l = (struct near){ 0 };
}

int
near_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void
near_sort(uint64_t *key, unsigned n)
{
	unsigned i, j;

	if (n > FEW) {
		qsort(key, n, sizeof(*key), near_compare);
		return;
	}
	for (i = 1; i < n; i++) {
		uint64_t k = key[i];

		for (j = i; j > 0 && key[j - 1] > k; j--)
			key[j] = key[j - 1];
		key[j] = k;
	}
}

static void
lock(struct near *l, uint32_t node)
{
	while (__atomic_exchange_n(&l->lock[node], 1, __ATOMIC_ACQUIRE))
		;
}

static void
unlock(struct near *l, uint32_t node)
{
	__atomic_store_n(&l->lock[node], 0, __ATOMIC_RELEASE);
}

void
near_merge(struct near *l, uint32_t node, const uint64_t *key, unsigned n)
{
	uint64_t merged[NEAR_KEPT], *own = l->key + (size_t)node * NEAR_KEPT;
	unsigned i = 0, j = 0, m = 0, count;

	lock(l, node);
	count = l->count[node];
	while (m < NEAR_KEPT && (i < n || j < count)) {
		uint64_t k = j >= count || (i < n && key[i] < own[j]) ?
		    key[i++] : own[j++];

		if (m == 0 || merged[m - 1] != k)
			merged[m++] = k;
	}
	memcpy(own, merged, m * sizeof(*own));
	__atomic_store_n(&l->count[node], (uint8_t)m, __ATOMIC_RELAXED);
	unlock(l, node);
}

float
near_limit(const struct near *l, uint32_t node)
{
	const uint64_t *last = near_list(l, node) + NEAR_KEPT - 1;

	/* another thread may be at it: an older limit is only wider */
	if (__atomic_load_n(&l->count[node], __ATOMIC_RELAXED) < NEAR_KEPT)
		return FLT_MAX;
	return near_distance(__atomic_load_n(last, __ATOMIC_RELAXED));
}
