/* SPDX-License-Identifier: Apache-2.0 */
/* near.c - of each node, the nearest others that were met so far. */
#include "index/near.h"

#include <float.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/large.h"

int
near_init(struct near *l, uint32_t n, unsigned kept, struct err *e)
{
	*l = (struct near){ .n = n, .kept = kept };
	l->key = large_alloc(n, kept * sizeof(*l->key));
	l->count = calloc((size_t)n + 1, 1);
	l->lock = calloc((size_t)n + 1, 1);
	return l->key && l->count && l->lock ? 0 : err_nomem(e);
}

void
near_release(struct near *l)
{
	large_free(l->key);
	free(l->count);
	free(l->lock);
	*l = (struct near){ 0 };
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void
near_sort(const struct kernel *kernel, uint64_t *key, size_t n)
{
	if (n <= KERNEL_SORT_MAX)
		kernel->sort(key, (unsigned)n);
	else
		qsort(key, n, sizeof(*key), compare);
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
	uint64_t a[NEAR_KEPT_MAX + 1], b[NEAR_KEPT_MAX + 1];
	uint64_t *own = l->key + (size_t)node * l->kept, x, y;
	unsigned i = 0, j = 0, m, count;

	if (n > l->kept)
		n = l->kept;
	memcpy(a, key, n * sizeof(*a));
	a[n] = UINT64_MAX;
	lock(l, node);
	count = l->count[node];
	memcpy(b, own, count * sizeof(*b));
	b[count] = UINT64_MAX;
	/* without branches but one; what both have is taken from both */
	for (m = 0; m < l->kept; m++) {
		x = a[i];
		y = b[j];
		if ((x & y) == UINT64_MAX)
			break;
		__atomic_store_n(&own[m], x < y ? x : y, __ATOMIC_RELAXED);
		i += x <= y;
		j += y <= x;
	}
	__atomic_store_n(&l->count[node], (uint8_t)m, __ATOMIC_RELEASE);
	unlock(l, node);
}

float
near_limit(const struct near *l, uint32_t node)
{
	const uint64_t *last = near_list(l, node) + l->kept - 1;

	/* another thread may be at it: an older limit is only wider, and when
	 * the list is seen to be full, its last is there */
	if (__atomic_load_n(&l->count[node], __ATOMIC_ACQUIRE) < l->kept)
		return FLT_MAX;
	return near_distance(__atomic_load_n(last, __ATOMIC_RELAXED));
}
