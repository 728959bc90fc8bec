/* SPDX-License-Identifier: Apache-2.0 */
/* t_ranges - sets of characters, against plain arrays of bits. */
#include "base/ranges.h"

#include "base/uniprop.h"

#include "../scratch.h"
#include "../tap.h"

#define SURROGATE(c) ((c) >= 0xd800 && (c) < 0xe000)
#define ALL (RANGES_MAX + 1)

static uint32_t state = 1;

static uint32_t
pick(uint32_t n)
{
	state = state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)state * n >> 32);
}

/* A range among small numbers, or round the surrogates, or at the end. */
static void
some_range(uint32_t *lo, uint32_t *hi)
{
	static const uint32_t bases[] = { 0, 0xd7f8, 0xdff8, RANGES_MAX - 63 };
	uint32_t base = bases[pick(4)];

	*lo = base + pick(60);
	*hi = *lo + pick(4);
}

static void
fill(struct ranges *r, bool *bits)
{
	uint32_t n = pick(12), lo, hi, c;

	while (n-- > 0) {
		some_range(&lo, &hi);
		ranges_add(r, lo, hi);
		for (c = lo; c <= hi; c++)
			bits[c] = !SURROGATE(c);
	}
}

/* In order, apart, and with these members. */
static bool
agrees(struct ranges *r, const bool *bits)
{
	size_t i;
	uint32_t c = 0, k;

	ranges_tidy(r);
	if (!ranges_ok(r))
		return false;
	for (i = 0; i < r->n; i++) {
		if (r->v[i].lo > r->v[i].hi || (i > 0 &&
		    r->v[i].lo <= r->v[i - 1].hi + 1))
			return false;
		for (; c < r->v[i].lo; c++)
			if (bits[c])
				return false;
		for (; c <= r->v[i].hi; c++)
			if (!bits[c])
				return false;
	}
	for (; c < ALL; c++)
		if (bits[c])
			return false;
	for (k = 0; k < 200; k++) {
		c = pick(2) ? pick(80) : 0xd7f0 + pick(0x830);
		if (ranges_has(r, c) != bits[c])
			return false;
	}
	return true;
}

static void
test_operations(void)
{
	static const char *const names[] = { "union", "intersection",
		"difference", "symmetric difference", "negation" };
	static void (*const f[])(struct ranges *, struct ranges *) = {
		ranges_union, ranges_intersect, ranges_subtract,
		ranges_differ };
	bool *a = malloc(ALL), *b = malloc(ALL);
	uint32_t op, i, c, bad;

	if (!a || !b)
		scratch_die("no memory");
	for (op = 0; op < 5; op++) {
		for (i = bad = 0; i < 40; i++) {
			struct ranges r = { 0 }, o = { 0 };

			memset(a, 0, ALL);
			memset(b, 0, ALL);
			fill(&r, a);
			fill(&o, b);
			if (op < 4)
				f[op](&r, &o);
			else
				ranges_negate(&r);
			for (c = 0; c < ALL; c++)
				a[c] = op == 0 ? a[c] || b[c] :
				    op == 1 ? a[c] && b[c] :
				    op == 2 ? a[c] && !b[c] :
				    op == 3 ? a[c] != b[c] :
				    !a[c] && !SURROGATE(c);
			bad += !agrees(&r, a);
			bad += op < 4 && !agrees(&o, b);
			ranges_release(&r);
			ranges_release(&o);
		}
		ok(bad == 0, "%s: %u of 40 wrong", names[op], bad);
	}
	free(a);
	free(b);
}

static bool
is(struct ranges *r, size_t n, const uint32_t *members)
{
	size_t i, sum = 0;

	for (i = 0; i < r->n; i++)
		sum += r->v[i].hi - r->v[i].lo + 1;
	for (i = 0; i < n; i++)
		if (!ranges_has(r, members[i]))
			return false;
	ranges_release(r);
	return sum == n;
}

#define IS(r, ...) is(r, COUNT(((uint32_t[]){ __VA_ARGS__ })),	\
    (uint32_t[]){ __VA_ARGS__ })

static void
folded(struct ranges *r, uint32_t lo, uint32_t hi)
{
	ranges_add(r, lo, hi);
	ranges_fold(r);
}

static void
test_folding(void)
{
	struct ranges r = { 0 };
	uint32_t c, k, wrong = 0, n = 0;

	folded(&r, 'k', 'k');
	ok(IS(&r, 'k', 'K', 0x212a), "k");
	folded(&r, 'R', 'S');
	ok(IS(&r, 'r', 's', 'R', 'S', 0x17f), "R to S");
	folded(&r, 0xb5, 0xb5);
	ok(IS(&r, 0xb5, 0x3bc, 0x39c), "the sign of micro");
	folded(&r, 0x345, 0x345);
	ok(IS(&r, 0x345, 0x399, 0x3b9, 0x1fbe), "iota, four of them");
	folded(&r, 0x1c4, 0x1c4);
	ok(IS(&r, 0x1c4, 0x1c5, 0x1c6), "with a title case");
	folded(&r, 0xdf, 0xdf);
	ok(IS(&r, 0xdf, 0x1e9e), "sharp s");
	folded(&r, 0x130, 0x131);
	ok(IS(&r, 0x130, 0x131), "i with a dot and without one");
	folded(&r, 0x10d52, 0x10d52);
	ok(IS(&r, 0x10d52, 0x10d72), "Garay, new in 16.0");
	folded(&r, 0x10ffff, 0x10ffff);
	ok(IS(&r, 0x10ffff), "the last");
	ranges_fold(&r);
	ok(r.n == 0, "nothing");
	/* closed, and the same from each member */
	for (c = 0; c < 0x1f000; c++) {
		size_t i;

		ranges_reset(&r);
		folded(&r, c, c);
		if (SURROGATE(c) || (r.n == 1 && r.v[0].lo == r.v[0].hi))
			continue;
		n++;
		for (i = 0; i < r.n; i++) {
			for (k = r.v[i].lo; k <= r.v[i].hi; k++) {
				struct ranges o = { 0 };

				folded(&o, k, k);
				wrong += o.n != r.n || memcmp(o.v, r.v,
				    r.n * sizeof(*r.v)) != 0;
				ranges_release(&o);
			}
		}
	}
	ok(n > 2500 && wrong == 0, "%u letters of %u are in no circle", wrong,
	    n);
	ranges_release(&r);
}

/* How many characters have it. */
static uint32_t
count(const char *name, const char *value)
{
	struct ranges r = { 0 };
	uint32_t n = 0;
	size_t i;

	if (uniprop_get(&r, slice_str(name), slice_str(value)) != UNIPROP_OK)
		return 0;
	ranges_tidy(&r);
	for (i = 0; i < r.n; i++)
		n += r.v[i].hi - r.v[i].lo + 1;
	ranges_release(&r);
	return n;
}

/* The numbers are those of Unicode 16.0: its DerivedGeneralCategory.txt,
 * Scripts.txt and PropList.txt have them as "Total code points". */
static void
test_properties(void)
{
	static const struct {
		const char *name, *value;
		uint32_t n;
	} known[] = {
		{ "Any", NULL, 0x110000 - 2048 }, { "ASCII", NULL, 128 },
		{ "Lu", NULL, 1858 }, { "Ll", NULL, 2258 },
		{ "gc", "Lt", 31 }, { "Nd", NULL, 760 }, { "Cc", NULL, 65 },
		{ "Co", NULL, 137468 }, { "Zs", NULL, 17 },
		{ "sc", "Greek", 518 }, { "Latn", NULL, 1487 },
		{ "White_Space", NULL, 25 }, { "Join_Control", NULL, 2 },
		{ "Hangul", NULL, 11739 }, { "sc", "Han", 99030 },
		{ "age", "1.1", 33979 }, { "Cs", NULL, 0 },
		{ "sc", "Zzzz", 0 }, { "", NULL, 0 }, { "gc", "", 0 },
		{ "isc", NULL, 0 }, { "is L u", NULL, 1858 },
		{ "\xc3\xa9Lu", NULL, 1858 },
		{ "a name that is longer than any other could be", NULL, 0 },
	};
	size_t i;
	uint32_t c, bad = 0;
	struct ranges r = { 0 };

	for (i = 0; i < COUNT(known); i++)
		ok(count(known[i].name, known[i].value) == known[i].n,
		    "%s %s: %u", known[i].name, known[i].value ?
		    known[i].value : "", count(known[i].name,
		    known[i].value));
	ok(count("C", NULL) + count("Assigned", NULL) == count("Any", NULL) +
	    count("C", NULL) - count("Cn", NULL), "assigned or not");
	uniprop_space(&r);
	for (c = 0; c < ALL; c++)
		bad += ranges_has(&r, c) != uniprop_is_space(c);
	ok(bad == 0, "space, said twice: %u", bad);
	ok(uniprop_is_alphabetic('a') && uniprop_is_alphabetic(0x4e2d) &&
	    !uniprop_is_alphabetic('1') && uniprop_is_numeric('1') &&
	    uniprop_is_numeric(0xb2) && !uniprop_is_numeric('a'),
	    "alphabetic and numeric");
	ranges_release(&r);
}

int
main(void)
{
	test_operations();
	test_folding();
	test_properties();
	return tap_done();
}
