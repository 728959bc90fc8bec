/* SPDX-License-Identifier: Apache-2.0 */
/* regexclass.c - the [...] of a regular expression. */
#include "base/regexclass.h"

#include <string.h>

/* Items side by side; with the depth that Rust's tree of them has, which
 * limits it. */
struct items {
	struct ranges set;
	size_t n;
	unsigned depth;		/* of the deepest */
};

/* One pair of brackets being read. */
struct bracket {
	struct items now;	/* since the last operator */
	struct ranges left;	/* what the operators so far have left */
	unsigned left_depth;
	uint32_t op;		/* waits for what is in now; 0: none */
	bool negate;
	size_t at;
};

static int bracket(struct regexlex *l, struct ranges *out, unsigned *depth,
    unsigned level);

static int
unclosed(struct regexlex *l, size_t at)
{
	return regexlex_bad(l, at, "the class is not closed");
}

static void
add_item(struct items *s, unsigned depth)
{
	s->n++;
	if (depth > s->depth)
		s->depth = depth;
}

static int
add_char(struct regexlex *l, struct items *s, uint32_t lo, uint32_t hi,
    size_t at)
{
	if (hi > 0x7f && !(l->flags & REGEXLEX_U))
		return regexlex_bad(l, at,
		    "without the flag u only ASCII can be matched");
	ranges_add(&s->set, lo, hi);
	add_item(s, 0);
	return 0;
}

static unsigned
items_depth(const struct items *s)
{
	return s->n > 1 ? s->depth + 1 : s->depth;
}

/* Do the operator that waits: now becomes left. */
static int
apply(struct regexlex *l, struct bracket *b)
{
	struct ranges *r = &b->now.set;
	unsigned depth = items_depth(&b->now);

	if (!b->op) {
		ranges_tidy(r);
		b->left = *r;
		b->left_depth = depth;
		b->now = (struct items){ 0 };
		return ranges_ok(&b->left) ? 0 : err_nomem(l->e);
	}
	if (regexlex_fold_negate(l, b->at, &b->left, false) < 0 ||
	    regexlex_fold_negate(l, b->at, r, false) < 0)
		return -1;
	if (b->op == '&')
		ranges_intersect(&b->left, r);
	else if (b->op == '-')
		ranges_subtract(&b->left, r);
	else
		ranges_differ(&b->left, r);
	b->left_depth = 1 + (depth > b->left_depth ? depth : b->left_depth);
	ranges_release(r);
	b->now = (struct items){ 0 };
	if (b->left_depth > REGEXLEX_DEPTH)
		return regexlex_bad(l, l->at, "nested too deeply");
	return ranges_ok(&b->left) ? 0 : err_nomem(l->e);
}

/* What may stand first: ^, any number of -, and a ]. */
static int
begin(struct regexlex *l, struct bracket *b)
{
	b->at = l->at;
	if (!regexlex_bump_space(l))
		return unclosed(l, b->at);
	if (l->c == '^') {
		b->negate = true;
		if (!regexlex_bump_space(l))
			return unclosed(l, b->at);
	}
	while (l->c == '-') {
		(void)!add_char(l, &b->now, '-', '-', l->at);
		if (!regexlex_bump_space(l))
			return unclosed(l, b->at);
	}
	if (b->now.n == 0 && l->c == ']') {
		(void)!add_char(l, &b->now, ']', ']', l->at);
		if (!regexlex_bump_space(l))
			return unclosed(l, b->at);
	}
	return 0;
}

/* ---- [:alpha:] ---- */

static const struct {
	const char *name;
	const char *set;	/* pairs */
} posix[] = {
	{ "alnum", "09AZaz" }, { "alpha", "AZaz" }, { "ascii", NULL },
	{ "blank", "\t\t  " }, { "cntrl", NULL }, { "digit", "09" },
	{ "graph", "!~" }, { "lower", "az" }, { "print", " ~" },
	{ "punct", "!/:@[`{~" }, { "space", "\t\r  " }, { "upper", "AZ" },
	{ "word", "09AZ__az" }, { "xdigit", "09AFaf" },
};

static void
add_posix(struct ranges *r, size_t i)
{
	const char *p;

	if (strcmp(posix[i].name, "ascii") == 0)
		ranges_add(r, 0, 0x7f);
	if (strcmp(posix[i].name, "cntrl") == 0) {
		ranges_add(r, 0, 0x1f);
		ranges_add(r, 0x7f, 0x7f);
	}
	for (p = posix[i].set; p && *p; p += 2)
		ranges_add(r, (unsigned char)p[0], (unsigned char)p[1]);
}

/* 1 if one was there; 0, at the same place, if it is no such name. */
static int
posix_class(struct regexlex *l, struct items *s)
{
	size_t at = l->at, i, n;
	bool negate = false;
	struct ranges r = { 0 };
	int bad;

	if (!regexlex_next_is(l, "[:"))
		return 0;
	regexlex_bump(l);
	regexlex_bump(l);
	if (l->c == '^') {
		negate = true;
		regexlex_bump(l);
	}
	for (i = 0; i < sizeof(posix) / sizeof(*posix); i++) {
		n = strlen(posix[i].name);
		if (regexlex_next_is(l, posix[i].name) &&
		    l->text.len - l->at >= n + 2 &&
		    memcmp(l->text.p + l->at + n, ":]", 2) == 0)
			break;
	}
	if (i == sizeof(posix) / sizeof(*posix)) {
		regexlex_seek(l, at);
		return 0;
	}
	regexlex_seek(l, l->at + n + 2);
	add_posix(&r, i);
	bad = regexlex_fold_negate(l, at, &r, negate);
	ranges_union(&s->set, &r);
	ranges_release(&r);
	add_item(s, 0);
	return bad < 0 ? -1 : 1;
}

/* ---- items ---- */

/* One character, or an escape. */
static int
item(struct regexlex *l, struct regexlex_item *it)
{
	if (l->c == '\\')
		return regexlex_escape(l, it);
	*it = (struct regexlex_item){ .kind = ITEM_LITERAL, .c = l->c };
	regexlex_bump(l);
	return 0;
}

static int
alone(struct regexlex *l, struct items *s, struct regexlex_item *it,
    size_t at)
{
	switch (it->kind) {
	case ITEM_LITERAL:
		return add_char(l, s, it->c, it->c, at);
	case ITEM_SET:
		if (regexlex_work(l, s->set.n) < 0)
			return -1;
		ranges_union(&s->set, &it->set);
		add_item(s, 0);
		return 0;
	default:
		return regexlex_bad(l, at,
		    "this escape has no place in a class");
	}
}

/* A character or a set; or, if - follows and something behind it, a range. */
static int
range(struct regexlex *l, struct items *s, size_t open)
{
	struct regexlex_item a, b = { 0 };
	size_t at = l->at;
	uint32_t then;
	int r;

	if (item(l, &a) < 0)
		return -1;
	regexlex_space(l);
	r = l->c == REGEXLEX_END ? unclosed(l, open) : 0;
	then = r == 0 && l->c == '-' ? regexlex_peek_space(l) : ']';
	if (r == 0 && (then == ']' || then == '-')) {
		r = alone(l, s, &a, at);
	} else if (r == 0) {
		if (!regexlex_bump_space(l))
			r = unclosed(l, open);
		else
			r = item(l, &b);
		if (r == 0 && (a.kind != ITEM_LITERAL ||
		    b.kind != ITEM_LITERAL))
			r = regexlex_bad(l, at,
			    "a range goes from a character to a character");
		if (r == 0 && a.c > b.c)
			r = regexlex_bad(l, at, "the range is upside down");
		if (r == 0)
			r = add_char(l, s, a.c, b.c, at);
		ranges_release(&b.set);
	}
	ranges_release(&a.set);
	return r;
}

static int
nested(struct regexlex *l, struct items *s, unsigned level)
{
	struct ranges r = { 0 };
	unsigned depth = 0;
	int bad = bracket(l, &r, &depth, level + 1);

	if (bad == 0)
		bad = regexlex_work(l, s->set.n);
	if (bad == 0)
		ranges_union(&s->set, &r);
	add_item(s, depth);
	ranges_release(&r);
	return bad;
}

/* Up to the closing bracket. */
static int
contents(struct regexlex *l, struct bracket *b, unsigned level)
{
	int r;

	for (;;) {
		regexlex_space(l);
		if (l->c == REGEXLEX_END)
			return unclosed(l, b->at);
		if (l->c == ']')
			break;
		if (l->c == '[') {
			r = posix_class(l, &b->now);
			if (r == 0)
				r = nested(l, &b->now, level);
			if (r < 0)
				return -1;
		} else if (regexlex_next_is(l, "&&") ||
		    regexlex_next_is(l, "--") || regexlex_next_is(l, "~~")) {
			uint32_t op = l->c;

			if (apply(l, b) < 0)
				return -1;
			b->op = op;
			regexlex_bump(l);
			regexlex_bump(l);
		} else if (range(l, &b->now, b->at) < 0)
			return -1;
	}
	if (apply(l, b) < 0)
		return -1;
	regexlex_bump(l);
	return 0;
}

static int
bracket(struct regexlex *l, struct ranges *out, unsigned *depth,
    unsigned level)
{
	struct bracket b = { 0 };
	int r;

	if (level > REGEXLEX_DEPTH)
		return regexlex_bad(l, l->at, "nested too deeply");
	r = begin(l, &b);
	if (r == 0)
		r = contents(l, &b, level);
	if (r == 0)
		r = regexlex_fold_negate(l, b.at, &b.left, b.negate);
	if (r == 0) {
		*out = b.left;
		b.left = (struct ranges){ 0 };
	}
	*depth = b.left_depth + 1;
	ranges_release(&b.left);
	ranges_release(&b.now.set);
	if (r == 0 && *depth > REGEXLEX_DEPTH)
		return regexlex_bad(l, b.at, "nested too deeply");
	return r;
}

int
regexclass_parse(struct regexlex *l, struct ranges *out, unsigned *depth)
{
	return bracket(l, out, depth, 1);
}
