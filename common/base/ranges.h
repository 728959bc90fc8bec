/* SPDX-License-Identifier: Apache-2.0 */
/* ranges.h - sets of characters, as ranges of code points.
 *
 * Members are Unicode scalar values: U+0000 to U+10FFFF without the
 * surrogates, which ranges_add() leaves out.  {0} is the empty set.  Growth
 * that fails is sticky, as in buf.h: the caller asks ranges_ok() at the end.
 */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANGES_MAX 0x10ffffu	/* the last code point */

struct range {
	uint32_t lo, hi;	/* both are in it; lo <= hi */
};

struct ranges {
	struct range *v;	/* owned; in order, apart, once tidy */
	size_t n, cap;
	bool untidy;		/* additions came out of order */
	bool failed;
};

/* lo to hi join the set; hi is at most RANGES_MAX.  Cheap in ascending order;
 * otherwise the set is untidy until ranges_tidy(), which the functions below
 * call for what they read. */
void ranges_add(struct ranges *r, uint32_t lo, uint32_t hi);
void ranges_tidy(struct ranges *r);

/* *r becomes: what is in it or in *o; in both; in it but not in *o; in
 * exactly one of them; not in it.  o may not be r. */
void ranges_union(struct ranges *r, struct ranges *o);
void ranges_intersect(struct ranges *r, struct ranges *o);
void ranges_subtract(struct ranges *r, struct ranges *o);
void ranges_differ(struct ranges *r, struct ranges *o);
void ranges_negate(struct ranges *r);

/* Add whatever is the same letter in simple case folding (Unicode 16.0, one
 * character to one, no locale). */
void ranges_fold(struct ranges *r);

/* Of a tidy set: whether c is in it; whether it is c alone. */
bool ranges_has(const struct ranges *r, uint32_t c);

static inline bool
ranges_is_one(const struct ranges *r, uint32_t *c)
{
	if (r->n != 1 || r->v[0].lo != r->v[0].hi)
		return false;
	*c = r->v[0].lo;
	return true;
}

static inline bool
ranges_ok(const struct ranges *r)
{
	return !r->failed;
}

/* Empty it, keep the memory. */
static inline void
ranges_reset(struct ranges *r)
{
	r->n = 0;
	r->untidy = r->failed = false;
}

void ranges_release(struct ranges *r);

#endif
