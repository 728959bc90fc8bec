/* SPDX-License-Identifier: Apache-2.0 */
/* regexstep.c - from one set of a program's instructions to the next. */
#include "base/regexstep.h"

#include <stdlib.h>
#include <string.h>

#define AFTER_UNKNOWN	256u	/* no kind of a character */

static void
set_clear(struct regexstep_set *s, uint32_t n)
{
	if (++s->generation == 0) {
		memset(s->stamp, 0, n * sizeof(*s->stamp));
		s->generation = 1;
	}
	s->n = 0;
	s->match = false;
}

static bool
word_holds(uint32_t which, bool before, bool after)
{
	switch (which) {
	case ASSERT_WORD:
		return before != after;
	case ASSERT_NOT_WORD:
		return before == after;
	case ASSERT_WORD_START:
		return !before && after;
	case ASSERT_WORD_END:
		return before && !after;
	case ASSERT_WORD_START_HALF:
		return !before;
	default:
		return !after;
	}
}

/* Whether the assertion holds between characters of these kinds; start and
 * end of the text have REGEXPROG_START. */
static bool
holds(uint32_t which, unsigned before, unsigned after)
{
	switch (which) {
	case ASSERT_TEXT_START:
		return before & REGEXPROG_START;
	case ASSERT_TEXT_END:
		return after & REGEXPROG_START;
	case ASSERT_LINE_START:
		return before & (REGEXPROG_START | REGEXPROG_LF);
	case ASSERT_LINE_END:
		return after & (REGEXPROG_START | REGEXPROG_LF);
	case ASSERT_CRLF_START:
		return before & (REGEXPROG_START | REGEXPROG_LF) ||
		    (before & REGEXPROG_CR && !(after & REGEXPROG_LF));
	case ASSERT_CRLF_END:
		return after & (REGEXPROG_START | REGEXPROG_CR) ||
		    (after & REGEXPROG_LF && !(before & REGEXPROG_CR));
	default:
		break;
	}
	if (which >= ASSERT_ASCII_WORD)
		return word_holds(which - (ASSERT_ASCII_WORD - ASSERT_WORD),
		    before & REGEXPROG_ASCII_WORD,
		    after & REGEXPROG_ASCII_WORD);
	return word_holds(which, before & REGEXPROG_WORD,
	    after & REGEXPROG_WORD);
}

/* Add pc and what it leads to without a character.  Where the kind of the
 * character after is unknown, assertions stay in the set, but for those that
 * only ask for the one before. */
static void
follow(struct regexstep *r, struct regexstep_set *s, uint32_t pc,
    unsigned before, unsigned after)
{
	uint32_t *stack = r->stack, n = 0;
	const struct regexprog_inst *i;

	stack[n++] = pc;
	while (n) {
		pc = stack[--n];
		if (s->stamp[pc] == s->generation)
			continue;
		s->stamp[pc] = s->generation;
		i = &r->p->inst[pc];
		switch (i->op) {
		case OP_SPLIT:
			stack[n++] = pc + 1;
			stack[n++] = i->x;
			break;
		case OP_JUMP:
			stack[n++] = i->x;
			break;
		case OP_MATCH:
			s->match = true;
			break;
		case OP_ASSERT:
			if (after != AFTER_UNKNOWN ||
			    i->x == ASSERT_TEXT_START ||
			    i->x == ASSERT_LINE_START) {
				if (holds(i->x, before, after))
					stack[n++] = pc + 1;
				break;
			}
			/* FALLTHROUGH */
		default:
			s->v[s->n++] = pc;
		}
	}
}

void
regexstep_begin(struct regexstep *r)
{
	set_clear(&r->then, r->p->n);
	follow(r, &r->then, 0, REGEXPROG_START, AFTER_UNKNOWN);
}

bool
regexstep(struct regexstep *r, const uint32_t *v, uint32_t n, unsigned before,
    uint32_t class)
{
	bool end = class == r->p->nclasses;
	unsigned kind = end ? REGEXPROG_START : r->p->kind[class];
	uint32_t i;

	set_clear(&r->now, r->p->n);
	if (r->p->kinds) {
		for (i = 0; i < n; i++)
			follow(r, &r->now, v[i], before, kind);
		if (r->now.match)
			return true;
		v = r->now.v;
		n = r->now.n;
	}
	set_clear(&r->then, r->p->n);
	if (end)
		return false;
	for (i = 0; i < n; i++) {
		const struct regexprog_inst *at = &r->p->inst[v[i]];

		if (at->op == OP_CLASS ? at->x == class :
		    regexprog_set_has(r->p, at->x, class))
			follow(r, &r->then, v[i] + 1, kind, AFTER_UNKNOWN);
	}
	if (!r->p->anchored)
		follow(r, &r->then, 0, kind, AFTER_UNKNOWN);
	return r->then.match;
}

static int
init_set(struct regexstep_set *s, uint32_t n)
{
	s->v = malloc(n * sizeof(*s->v));
	s->stamp = calloc(n, sizeof(*s->stamp));
	return s->v && s->stamp ? 0 : -1;
}

int
regexstep_init(struct regexstep *r, const struct regexprog *p)
{
	r->p = p;
	/* an instruction is followed once, to two others */
	r->stack = malloc((2 * (size_t)p->n + 1) * sizeof(*r->stack));
	return r->stack && init_set(&r->now, p->n) == 0 ?
	    init_set(&r->then, p->n) : -1;
}

void
regexstep_release(struct regexstep *r)
{
	free(r->now.v);
	free(r->now.stamp);
	free(r->then.v);
	free(r->then.stamp);
	free(r->stack);
}
