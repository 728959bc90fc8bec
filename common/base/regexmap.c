/* SPDX-License-Identifier: Apache-2.0 */
/* regexmap.c - from characters to the classes of a program.
 *
 * Code points are cut into intervals wherever a set of the program begins or
 * ends; the intervals that are in the same sets are one class.
 */
#include "base/regexmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/uniprop.h"

#define CLASSES_MAX	UINT16_MAX
#define SETS_MAX	((size_t)32 << 20)	/* bytes */
#define WORK_MAX	(UINT64_C(64) << 20)
#define NONE		UINT32_MAX

struct split {
	struct regexprog *p;
	const struct regexparse_tree *t;
	uint32_t *from;		/* where each interval of characters begins */
	uint32_t *class;	/* of each interval */
	uint32_t n;		/* intervals; from[n] is the end of all */
	uint32_t *size;		/* of each class, in intervals */
	uint32_t *hits, *to;	/* of each class, while one set splits them */
	uint32_t *number;	/* of each set of the tree, in the program */
	uint32_t nsets;		/* in the program */
	struct ranges asked[4];	/* what assertions ask for */
	uint64_t work;
	struct err *e;
};

static const uint8_t asked_kind[4] = { REGEXPROG_LF, REGEXPROG_CR,
	REGEXPROG_WORD, REGEXPROG_ASCII_WORD };

/* The kinds that an assertion asks for. */
static uint8_t
assert_kinds(uint32_t which)
{
	if (which >= ASSERT_ASCII_WORD)
		return REGEXPROG_ASCII_WORD;
	if (which >= ASSERT_WORD)
		return REGEXPROG_WORD;
	if (which >= ASSERT_CRLF_START)
		return REGEXPROG_START | REGEXPROG_LF | REGEXPROG_CR;
	if (which >= ASSERT_LINE_START)
		return REGEXPROG_START | REGEXPROG_LF;
	return REGEXPROG_START;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
put_points(uint32_t *v, size_t *n, const struct ranges *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		v[(*n)++] = r->v[i].lo;
		v[(*n)++] = r->v[i].hi + 1;
	}
}

/* Where what the program asks for begins and ends: the intervals. */
static int
intervals(struct split *s)
{
	size_t n = 2, i, k;
	uint32_t *v;

	for (i = 0; i < s->t->sets.n; i++)
		n += s->number[i] != NONE ? 2 * s->t->sets.v[i].n : 0;
	for (i = 0; i < 4; i++)
		n += 2 * s->asked[i].n;
	for (i = 0; i < s->p->n; i++)
		n += s->p->inst[i].op == OP_CLASS ? 2 : 0;
	v = s->from = malloc(n * sizeof(*v));
	if (!v)
		return err_nomem(s->e);
	v[0] = 0;
	v[1] = RANGES_MAX + 1;
	n = 2;
	for (i = 0; i < s->t->sets.n; i++)
		if (s->number[i] != NONE)
			put_points(v, &n, &s->t->sets.v[i]);
	for (i = 0; i < 4; i++)
		put_points(v, &n, &s->asked[i]);
	for (i = 0; i < s->p->n; i++) {
		if (s->p->inst[i].op == OP_CLASS) {
			v[n++] = s->p->inst[i].x;
			v[n++] = s->p->inst[i].x + 1;
		}
	}
	qsort(v, n, sizeof(*v), by_value);
	for (i = k = 1; i < n; i++)
		if (v[i] != v[k - 1])
			v[k++] = v[i];
	s->n = (uint32_t)k - 1;
	return 0;
}

/* The interval that begins at c. */
static uint32_t
interval(const struct split *s, uint32_t c)
{
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->from[mid] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Take the intervals of one range, in the two passes of split_by(). */
static void
split_range(struct split *s, struct range r, int pass)
{
	uint32_t i, old;

	for (i = interval(s, r.lo); s->from[i] <= r.hi; i++) {
		old = s->class[i];
		s->work++;
		if (pass == 0) {
			s->hits[old]++;
			continue;
		}
		/* a class that is in the set as a whole stays */
		if (s->to[old] == NONE)
			s->to[old] = old && s->hits[old] == s->size[old] ?
			    old : s->p->nclasses++;
		if (s->to[old] != old) {
			s->class[i] = s->to[old];
			s->size[old]--;
			s->size[s->to[old]]++;
		}
	}
}

/* Undo what the passes noted of the classes that the set now has, and of
 * those that they came from. */
static int
split_by(struct split *s, const struct ranges *r)
{
	size_t i;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < r->n; i++) {
			split_range(s, r->v[i], pass);
			if (s->work > WORK_MAX)
				return err_usage(s->e, "byte 1: too large: its "
				    "classes have too many ranges");
		}
	}
	return 0;
}

/* Every set splits the classes that are partly in it. */
static int
split_all(struct split *s)
{
	uint32_t i, c, top;
	int r = 0;

	for (i = 0; r == 0 && i < s->t->sets.n + 4; i++) {
		const struct ranges *set = i < 4 ? &s->asked[i] :
		    &s->t->sets.v[i - 4];

		if (i >= 4 && s->number[i - 4] == NONE)
			continue;
		top = s->p->nclasses;
		r = split_by(s, set);
		for (c = 0; c < top; c++) {
			s->hits[c] = 0;
			s->to[c] = NONE;
		}
		s->work += top / 8;
	}
	for (i = 0; r == 0 && i < s->p->n; i++) {
		uint32_t k, x = s->p->inst[i].x;

		if (s->p->inst[i].op != OP_CLASS)
			continue;
		k = interval(s, x);
		c = s->class[k];
		if (c == 0 || s->size[c] > 1) {
			s->size[c]--;
			c = s->class[k] = s->p->nclasses++;
			s->size[c] = 1;
		}
		s->p->inst[i].x = c;
	}
	return r;
}

/* The classes of each set, as bits; OP_SET gets numbers of these. */
static int
fill_sets(struct split *s)
{
	struct regexprog *p = s->p;
	size_t i, k;
	uint32_t at;

	p->words = (p->nclasses + 63) / 64;
	if ((size_t)s->nsets * p->words > SETS_MAX / 8)
		return err_usage(s->e, "byte 1: too large: too many "
		    "classes");
	p->sets = calloc((size_t)s->nsets * p->words + 1, sizeof(*p->sets));
	if (!p->sets)
		return err_nomem(s->e);
	for (i = 0; i < s->t->sets.n; i++) {
		const struct ranges *r = &s->t->sets.v[i];
		uint64_t *bits;

		if (s->number[i] == NONE)
			continue;
		bits = p->sets + (size_t)s->number[i] * p->words;
		for (k = 0; k < r->n; k++)
			for (at = interval(s, r->v[k].lo);
			    s->from[at] <= r->v[k].hi; at++)
				bits[s->class[at] / 64] |=
				    UINT64_C(1) << s->class[at] % 64;
	}
	for (i = 0; i < p->n; i++)
		if (p->inst[i].op == OP_SET)
			p->inst[i].x = s->number[p->inst[i].x];
	return 0;
}

static int
fill_kinds(struct split *s)
{
	uint32_t i, k;

	s->p->kind = calloc(s->p->nclasses, 1);
	if (!s->p->kind)
		return err_nomem(s->e);
	for (i = 0; i < s->n; i++)
		for (k = 0; k < 4; k++)
			if (ranges_has(&s->asked[k], s->from[i]))
				s->p->kind[s->class[i]] |= asked_kind[k];
	return 0;
}

/* The map from characters to classes; blocks of one class are shared. */
static int
fill_map(struct split *s)
{
	struct regexprog *p = s->p;
	uint32_t *shared = s->to, i, k, at = 0, blocks = 0;
	size_t cap = 0;

	for (i = 0; i < p->nclasses; i++)
		shared[i] = NONE;
	for (i = 0; i < REGEXPROG_BLOCKS; i++) {
		uint32_t c = i * REGEXPROG_BLOCK;
		bool one;

		while (s->from[at + 1] <= c)
			at++;
		one = s->from[at + 1] >= c + REGEXPROG_BLOCK;
		if (one && shared[s->class[at]] != NONE) {
			p->block[i] = (uint16_t)shared[s->class[at]];
			continue;
		}
		if (blocks == cap) {
			uint16_t *map;

			cap = cap ? cap * 2 : 16;
			map = realloc(p->map,
			    cap * REGEXPROG_BLOCK * sizeof(*map));
			if (!map)
				return err_nomem(s->e);
			p->map = map;
		}
		if (one)
			shared[s->class[at]] = blocks;
		for (k = 0; k < REGEXPROG_BLOCK; k++) {
			while (s->from[at + 1] <= c + k)
				at++;
			p->map[blocks * REGEXPROG_BLOCK + k] =
			    (uint16_t)s->class[at];
		}
		p->block[i] = (uint16_t)blocks++;
	}
	return 0;
}

static int
make_classes(struct split *s)
{
	size_t room;

	if (intervals(s) < 0)
		return -1;
	/* new classes are no more than intervals, but for those that a set
	 * has from each of the old */
	room = 2 * ((size_t)s->n + 2);
	s->class = calloc(s->n, sizeof(*s->class));
	s->size = calloc(room, sizeof(*s->size));
	s->hits = calloc(room, sizeof(*s->hits));
	s->to = malloc(room * sizeof(*s->to));
	if (!s->class || !s->size || !s->hits || !s->to)
		return err_nomem(s->e);
	memset(s->to, 0xff, room * sizeof(*s->to));
	s->size[0] = s->n;
	s->p->nclasses = 1;
	if (split_all(s) < 0)
		return -1;
	if (s->p->nclasses > CLASSES_MAX)
		return err_usage(s->e, "byte 1: too large: too many "
		    "classes");
	if (fill_sets(s) < 0 || fill_kinds(s) < 0)
		return -1;
	return fill_map(s);
}

int
regexmap_make(struct regexprog *p, const struct regexparse_tree *t,
    struct err *e)
{
	struct split s = { .p = p, .t = t, .e = e };
	uint32_t i;
	int r;

	s.number = malloc(((size_t)t->sets.n + 1) * sizeof(*s.number));
	if (!s.number)
		return err_nomem(e);
	for (i = 0; i < t->sets.n; i++)
		s.number[i] = NONE;
	for (i = 0; i < p->n; i++) {
		if (p->inst[i].op == OP_SET &&
		    s.number[p->inst[i].x] == NONE)
			s.number[p->inst[i].x] = s.nsets++;
		if (p->inst[i].op == OP_ASSERT)
			p->kinds |= assert_kinds(p->inst[i].x);
	}
	if (p->kinds & REGEXPROG_LF)
		ranges_add(&s.asked[0], '\n', '\n');
	if (p->kinds & REGEXPROG_CR)
		ranges_add(&s.asked[1], '\r', '\r');
	if (p->kinds & REGEXPROG_WORD)
		uniprop_word(&s.asked[2]);
	if (p->kinds & REGEXPROG_ASCII_WORD) {
		ranges_add(&s.asked[3], '0', '9');
		ranges_add(&s.asked[3], 'A', 'Z');
		ranges_add(&s.asked[3], '_', '_');
		ranges_add(&s.asked[3], 'a', 'z');
	}
	r = 0;
	for (i = 0; i < 4; i++)
		if (!ranges_ok(&s.asked[i]))
			r = err_nomem(e);
	if (r == 0)
		r = make_classes(&s);
	for (i = 0; i < 4; i++)
		ranges_release(&s.asked[i]);
	free(s.from);
	free(s.class);
	free(s.size);
	free(s.hits);
	free(s.to);
	free(s.number);
	return r;
}
