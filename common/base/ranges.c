/* SPDX-License-Identifier: Apache-2.0 */
/* ranges.c - sets of characters, as ranges of code points. */
#include "base/ranges.h"

#include <stdlib.h>

#include "base/unidata.h"

#define SURROGATE_LO 0xd800u
#define SURROGATE_HI 0xdfffu

static void
push(struct ranges *r, uint32_t lo, uint32_t hi)
{
	struct range *last = r->n ? &r->v[r->n - 1] : NULL;

	if (last && !r->untidy && lo >= last->lo && lo <= last->hi + 1) {
		if (hi > last->hi)
			last->hi = hi;
		return;
	}
	if (last && lo < last->lo)
		r->untidy = true;
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 8;
		struct range *v = r->failed ? NULL :
		    realloc(r->v, cap * sizeof(*v));

		if (!v) {
			r->failed = true;
			return;
		}
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = (struct range){ lo, hi };
}

void
ranges_add(struct ranges *r, uint32_t lo, uint32_t hi)
{
	if (lo < SURROGATE_LO)
		push(r, lo, hi < SURROGATE_LO ? hi : SURROGATE_LO - 1);
	if (hi > SURROGATE_HI)
		push(r, lo > SURROGATE_HI ? lo : SURROGATE_HI + 1, hi);
}

static int
by_lo(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

void
ranges_tidy(struct ranges *r)
{
	size_t i, n = r->n;

	if (!r->untidy)
		return;
	qsort(r->v, n, sizeof(*r->v), by_lo);
	r->untidy = false;
	r->n = 0;
	for (i = 0; i < n; i++)		/* never ahead of what is read */
		push(r, r->v[i].lo, r->v[i].hi);
}

void
ranges_union(struct ranges *r, struct ranges *o)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		push(r, o->v[i].lo, o->v[i].hi);
	r->failed |= o->failed;
	ranges_tidy(r);
}

/* *r becomes *to, which is given up. */
static void
replace(struct ranges *r, struct ranges *to)
{
	to->failed |= r->failed;
	free(r->v);
	*r = *to;
}

void
ranges_intersect(struct ranges *r, struct ranges *o)
{
	struct ranges out = { .failed = o->failed };
	size_t i = 0, k = 0;

	ranges_tidy(r);
	ranges_tidy(o);
	while (i < r->n && k < o->n) {
		struct range a = r->v[i], b = o->v[k];
		uint32_t lo = a.lo > b.lo ? a.lo : b.lo;
		uint32_t hi = a.hi < b.hi ? a.hi : b.hi;

		if (lo <= hi)
			push(&out, lo, hi);
		if (a.hi < b.hi)
			i++;
		else
			k++;
	}
	replace(r, &out);
}

void
ranges_negate(struct ranges *r)
{
	struct ranges out = { 0 };
	uint32_t from = 0;
	size_t i;

	ranges_tidy(r);
	for (i = 0; i < r->n; i++) {
		if (r->v[i].lo > from)
			ranges_add(&out, from, r->v[i].lo - 1);
		from = r->v[i].hi + 1;
	}
	if (from <= RANGES_MAX)
		ranges_add(&out, from, RANGES_MAX);
	replace(r, &out);
}

static void
copy(struct ranges *to, struct ranges *from)
{
	*to = (struct ranges){ 0 };
	ranges_union(to, from);
}

void
ranges_subtract(struct ranges *r, struct ranges *o)
{
	struct ranges not;

	copy(&not, o);
	ranges_negate(&not);
	ranges_intersect(r, &not);
	ranges_release(&not);
}

void
ranges_differ(struct ranges *r, struct ranges *o)
{
	struct ranges both;

	copy(&both, o);
	ranges_intersect(&both, r);
	ranges_union(r, o);
	ranges_subtract(r, &both);
	ranges_release(&both);
}

/* The first of the tidy ranges [0, n) that ends at c or after it; n if none. */
static size_t
find(const struct range *v, size_t n, uint32_t c)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v[mid].hi < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
ranges_has(const struct ranges *r, uint32_t c)
{
	size_t i = find(r->v, r->n, c);

	return i < r->n && r->v[i].lo <= c;
}

void
ranges_fold(struct ranges *r)
{
	const struct unidata_fold *f;
	size_t i, n;

	ranges_tidy(r);
	n = r->n;		/* what is added behind needs no folding */
	if (n == 0)
		return;
	for (f = unidata_folds; f->count; f++) {
		uint32_t last = f->first + (f->count - 1u) * f->stride;
		struct ranges add = { 0 };

		if (r->v[n - 1].hi < f->first || last < r->v[0].lo)
			continue;
		for (i = find(r->v, n, f->first);
		    i < n && r->v[i].lo <= last; i++) {
			uint32_t c = r->v[i].lo, end = r->v[i].hi;

			if (c < f->first)
				c = f->first;
			c += (c - f->first) % f->stride;
			for (; c <= end && c <= last; c += f->stride) {
				uint32_t to = c + (uint32_t)f->delta;

				ranges_add(&add, to, to);
			}
		}
		/* not through push(), which could merge with the old ones */
		for (i = 0; i < add.n; i++) {
			r->untidy = true;
			push(r, add.v[i].lo, add.v[i].hi);
		}
		r->failed |= add.failed;
		ranges_release(&add);
	}
	ranges_tidy(r);
}

void
ranges_release(struct ranges *r)
{
	free(r->v);
	*r = (struct ranges){ 0 };
}
