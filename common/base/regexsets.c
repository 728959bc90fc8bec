/* SPDX-License-Identifier: Apache-2.0 */
/* regexsets.c - the sets of characters of a regular expression, each once. */
#include "base/regexsets.h"

#include <stdlib.h>
#include <string.h>

static uint32_t
hash(const struct ranges *r)
{
	uint64_t h = r->n;
	size_t i;

	for (i = 0; i < r->n; i++)
		h = (h ^ r->v[i].lo ^ (uint64_t)r->v[i].hi << 32) *
		    UINT64_C(0x9e3779b97f4a7c15) ^ h >> 29;
	return (uint32_t)(h >> 32);
}

static bool
same(const struct ranges *a, const struct ranges *b)
{
	return a->n == b->n &&
	    (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

/* Room for one more set. */
static int
grow(struct regexsets *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 16, i, k, slots = cap * 2;
	struct ranges *v;
	uint32_t *table;

	if (t->n < t->cap)
		return 0;
	v = realloc(t->v, cap * sizeof(*v));
	if (!v)
		return -1;
	t->v = v;
	t->cap = cap;
	table = calloc(slots, sizeof(*table));
	if (!table)
		return -1;
	for (i = 0; i < t->n; i++) {
		for (k = hash(&v[i]) & (slots - 1); table[k]; )
			k = (k + 1) & (slots - 1);
		table[k] = i + 1;
	}
	free(t->table);
	t->table = table;
	t->slots = slots;
	return 0;
}

int
regexsets_add(struct regexsets *t, struct ranges *r, uint32_t *number)
{
	uint32_t k;

	if (grow(t) < 0)
		return -1;
	for (k = hash(r) & (t->slots - 1); t->table[k];
	    k = (k + 1) & (t->slots - 1)) {
		if (same(&t->v[t->table[k] - 1], r)) {
			*number = t->table[k] - 1;
			ranges_release(r);
			return 1;
		}
	}
	if (t->ranges + r->n > REGEXSETS_RANGES_MAX)
		return 0;
	t->ranges += r->n;
	t->table[k] = t->n + 1;
	t->v[t->n] = *r;
	*r = (struct ranges){ 0 };
	*number = t->n++;
	return 1;
}

void
regexsets_release(struct regexsets *t)
{
	uint32_t i;

	for (i = 0; i < t->n; i++)
		ranges_release(&t->v[i]);
	free(t->v);
	free(t->table);
	*t = (struct regexsets){ 0 };
}
