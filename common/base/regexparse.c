/* SPDX-License-Identifier: Apache-2.0 */
/* regexparse.c - a regular expression as a tree. */
#include "base/regexparse.h"

#include <stdlib.h>

#include "base/regex.h"
#include "base/regexclass.h"
#include "base/uniprop.h"

struct name {
	uint32_t at, len;
};

struct parser {
	struct regexlex l;
	struct regexparse_tree *t;
	unsigned level;		/* of groups */
	struct name *names;	/* owned: those of groups */
	size_t nnames, names_cap;
};

/* Nodes side by side. */
struct list {
	struct regexparse_node *first;
	struct regexparse_node **last;	/* what points to the last one */
	size_t n;
	unsigned depth;		/* of the deepest */
	bool solid;		/* one of them is not empty */
};

static int alternatives(struct parser *p, struct regexparse_node **out);

static struct regexparse_node *
make(struct parser *p, enum regexparse_kind kind, size_t at)
{
	struct regexparse_node *n = arena_alloc(&p->t->arena, sizeof(*n));

	if (n) {
		n->kind = kind;
		n->at = (uint32_t)at;
		n->empty = kind != NODE_CHAR && kind != NODE_SET;
	}
	return n;
}

/* n may be NULL: no memory. */
static int
append(struct parser *p, struct list *list, struct regexparse_node *n)
{
	if (!n)
		return err_nomem(p->l.e);
	list->last = list->n ? &(*list->last)->next : &list->first;
	*list->last = n;
	list->n++;
	list->solid |= !n->empty;
	if (n->depth > list->depth)
		list->depth = n->depth;
	return 0;
}

static int
deepen(struct parser *p, struct regexparse_node *n, unsigned below)
{
	if (below >= REGEXLEX_DEPTH)
		return regexlex_bad(&p->l, n->at, "nested too deeply");
	n->depth = (uint16_t)(below + 1);
	return 0;
}

/* One node for all of the list: the only one, or a new one. */
static int
enclose(struct parser *p, struct list *list, enum regexparse_kind kind,
    size_t at, struct regexparse_node **out)
{
	struct regexparse_node *n;

	if (list->n == 1) {
		*out = list->first;
		return 0;
	}
	n = make(p, list->n ? kind : NODE_EMPTY, at);
	if (!n)
		return err_nomem(p->l.e);
	n->child = list->first;
	n->empty = !list->solid;
	*out = n;
	return list->n ? deepen(p, n, list->depth) : 0;
}

/* ---- sets ---- */

/* The number of the set; takes *r over, and empties it. */
static int
intern(struct parser *p, struct ranges *r, uint32_t *number)
{
	int has = ranges_ok(r) ? regexsets_add(&p->t->sets, r, number) : -1;

	if (has < 0)
		return err_nomem(p->l.e);
	return has ? 0 : regexlex_bad(&p->l, p->l.at,
	    "too large: its classes have too many ranges");
}

/* Append a set, or the one character that it is.  Takes *r over. */
static int
append_set(struct parser *p, struct list *list, struct ranges *r, size_t at,
    unsigned depth)
{
	struct regexparse_node *n = make(p, NODE_SET, at);
	int bad = 0;

	if (n && ranges_is_one(r, &n->value))
		n->kind = NODE_CHAR;
	else if (n)
		bad = intern(p, r, &n->value);
	ranges_release(r);
	if (n) {
		n->depth = (uint16_t)depth;
		n->bytes = !(p->l.flags & REGEXLEX_U);
	}
	return bad < 0 ? -1 : append(p, list, n);
}

static int
append_char(struct parser *p, struct list *list, uint32_t c, size_t at)
{
	struct regexparse_node *n;
	struct ranges r = { 0 };

	/* without the flag u only ASCII has two cases */
	if (p->l.flags & REGEXLEX_I &&
	    (c <= 0x7f || p->l.flags & REGEXLEX_U)) {
		ranges_add(&r, c, c);
		if (regexlex_fold_negate(&p->l, at, &r, false) < 0) {
			ranges_release(&r);
			return -1;
		}
		return append_set(p, list, &r, at, 0);
	}
	n = make(p, NODE_CHAR, at);
	if (n)
		n->value = c;
	return append(p, list, n);
}

static int
append_assert(struct parser *p, struct list *list, enum regexlex_assert which,
    size_t at)
{
	struct regexparse_node *n = make(p, NODE_ASSERT, at);

	if (n)
		n->value = which;
	return append(p, list, n);
}

/* ---- what stands by itself ---- */

static int
dot(struct parser *p, struct list *list)
{
	struct ranges r = { 0 };
	size_t at = p->l.at;
	unsigned flags = p->l.flags;

	if (!(flags & REGEXLEX_U))
		return regexlex_bad(&p->l, at,
		    "without the flag u this matches what is not UTF-8");
	regexlex_bump(&p->l);
	if (!(flags & REGEXLEX_S)) {
		ranges_add(&r, '\n', '\n');
		if (flags & REGEXLEX_R)
			ranges_add(&r, '\r', '\r');
	}
	ranges_negate(&r);
	return append_set(p, list, &r, at, 0);
}

static int
line_assert(struct parser *p, struct list *list)
{
	bool start = p->l.c == '^';
	enum regexlex_assert which = ASSERT_TEXT_START;
	size_t at = p->l.at;

	if (p->l.flags & REGEXLEX_M)
		which = p->l.flags & REGEXLEX_R ? ASSERT_CRLF_START :
		    ASSERT_LINE_START;
	if (!start)
		which++;	/* the end follows its start */
	regexlex_bump(&p->l);
	return append_assert(p, list, which, at);
}

static int
escape(struct parser *p, struct list *list)
{
	struct regexlex_item item;
	size_t at = p->l.at;

	if (regexlex_escape(&p->l, &item) < 0)
		return -1;
	switch (item.kind) {
	case ITEM_LITERAL:
		if (item.byte && item.c > 0x7f && !(p->l.flags & REGEXLEX_U))
			return regexlex_bad(&p->l, at,
			    "without the flag u this is not UTF-8");
		return append_char(p, list, item.c, at);
	case ITEM_SET:
		return append_set(p, list, &item.set, at, 0);
	default:
		return append_assert(p, list, item.assert, at);
	}
}

static int
class(struct parser *p, struct list *list)
{
	struct ranges r = { 0 };
	size_t at = p->l.at;
	unsigned depth;

	if (regexclass_parse(&p->l, &r, &depth) < 0) {
		ranges_release(&r);
		return -1;
	}
	return append_set(p, list, &r, at, depth);
}

/* ---- repetition ---- */

/* A number between the braces. */
static int
decimal(struct parser *p, uint32_t *out)
{
	struct regexlex *l = &p->l;
	size_t at, digits = 0;
	uint64_t v = 0;

	while (l->c != REGEXLEX_END && uniprop_is_space(l->c))
		regexlex_bump(l);
	at = l->at;
	for (; l->c >= '0' && l->c <= '9'; digits++) {
		v = v * 10 + (l->c - '0');
		if (v > UINT32_MAX)
			return regexlex_bad(l, at, "the count is too large");
		regexlex_bump_space(l);
	}
	while (l->c != REGEXLEX_END && uniprop_is_space(l->c))
		regexlex_bump_space(l);
	if (!digits)
		return regexlex_bad(l, at, "a count was expected");
	*out = (uint32_t)v;
	return 0;
}

static int
counts(struct parser *p, uint32_t *min, uint32_t *max)
{
	struct regexlex *l = &p->l;
	size_t at = l->at;
	bool forever = false;

	if (!regexlex_bump_space(l))
		return regexlex_bad(l, at, "the brace is not closed");
	if (decimal(p, min) < 0)
		return -1;
	*max = *min;
	if (l->c == ',') {
		*max = REGEXPARSE_FOREVER;
		if (!regexlex_bump_space(l))
			return regexlex_bad(l, at, "the brace is not closed");
		forever = l->c == '}';
		if (!forever && decimal(p, max) < 0)
			return -1;
	}
	if (l->c != '}')
		return regexlex_bad(l, at, "the brace is not closed");
	if (*max < *min)
		return regexlex_bad(l, at, "the counts are out of order");
	/* any such count is too large, or of nothing */
	if (*min == REGEXPARSE_FOREVER)
		--*min;
	if (*max == REGEXPARSE_FOREVER && !forever)
		--*max;
	return 0;
}

/* * + ? {n,m}, greedy or not. */
static int
repeat(struct parser *p, struct list *list)
{
	struct regexparse_node *sub = list->n ? *list->last : NULL, *n;
	size_t at = p->l.at;
	uint32_t min = p->l.c == '+', c = p->l.c;
	uint32_t max = c == '?' ? 1 : REGEXPARSE_FOREVER;

	if (!sub || sub->kind == NODE_EMPTY)
		return regexlex_bad(&p->l, at, "there is nothing to repeat");
	if (c == '{' && counts(p, &min, &max) < 0)
		return -1;
	if (c == '{')
		regexlex_bump_space(&p->l);
	else
		regexlex_bump(&p->l);
	if (p->l.c == '?')
		regexlex_bump(&p->l);
	n = make(p, NODE_REPEAT, sub->at);
	if (!n)
		return err_nomem(p->l.e);
	n->min = min;
	n->max = max;
	n->child = sub;
	n->empty = sub->empty || max == 0;
	*list->last = n;
	if (deepen(p, n, sub->depth) < 0)
		return -1;
	if (n->depth > list->depth)
		list->depth = n->depth;
	return 0;
}

/* ---- groups ---- */

/* The letters up to : or ), in *flags. */
static int
group_flags(struct parser *p, unsigned *flags, bool *any)
{
	static const char letters[] = "imsRUux";
	struct regexlex *l = &p->l;
	unsigned seen = 0, bit;
	bool off = false, dangling = false;
	const char *s;

	*any = false;
	for (; l->c != ':' && l->c != ')'; regexlex_bump(l)) {
		if (l->c == REGEXLEX_END)
			return regexlex_bad(l, l->at, "the flags end early");
		*any = true;
		dangling = l->c == '-';
		if (dangling) {
			if (off)
				return regexlex_bad(l, l->at, "a second -");
			off = true;
			continue;
		}
		s = l->c && l->c < 0x80 ? strchr(letters, (int)l->c) : NULL;
		if (!s)
			return regexlex_bad(l, l->at, "no such flag or group");
		bit = 1u << (s - letters);
		if (seen & bit)
			return regexlex_bad(l, l->at, "the flag stands twice");
		seen |= bit;
		*flags = off ? *flags & ~bit : *flags | bit;
	}
	if (dangling)
		return regexlex_bad(l, l->at, "no flag after the -");
	return 0;
}

static int
group_name(struct parser *p)
{
	struct regexlex *l = &p->l;
	size_t at = l->at;

	for (; l->c != '>'; regexlex_bump(l)) {
		if (l->c == REGEXLEX_END)
			return regexlex_bad(l, at, "the name is not closed");
		if (l->c != '_' && !uniprop_is_alphabetic(l->c) &&
		    (l->at == at || (l->c != '.' && l->c != '[' &&
		    l->c != ']' && !uniprop_is_numeric(l->c))))
			return regexlex_bad(l, l->at, "a name has no such "
			    "character here");
	}
	if (l->at == at)
		return regexlex_bad(l, at, "the name is empty");
	if (p->nnames == p->names_cap) {
		size_t cap = p->names_cap ? p->names_cap * 2 : 16;
		struct name *names = realloc(p->names, cap * sizeof(*names));

		if (!names)
			return err_nomem(l->e);
		p->names = names;
		p->names_cap = cap;
	}
	p->names[p->nnames++] = (struct name){ (uint32_t)at,
		(uint32_t)(l->at - at) };
	regexlex_bump(l);
	return 0;
}

/* What follows a parenthesis: *set when it was only flags, which now hold;
 * *captures unless it is (?:...). */
static int
group_begin(struct parser *p, size_t at, bool *set, bool *captures)
{
	struct regexlex *l = &p->l;
	unsigned flags = l->flags;
	bool any;

	*set = false;
	*captures = true;
	regexlex_bump(l);
	regexlex_space(l);
	if (regexlex_next_is(l, "?=") || regexlex_next_is(l, "?!") ||
	    regexlex_next_is(l, "?<=") || regexlex_next_is(l, "?<!"))
		return regexlex_bad(l, at, "there is no looking around");
	if (regexlex_next_is(l, "?P<") || regexlex_next_is(l, "?<")) {
		while (l->c != '<')
			regexlex_bump(l);
		regexlex_bump(l);
		return group_name(p);
	}
	if (l->c != '?')
		return 0;
	if (!regexlex_bump(l))
		return regexlex_bad(l, at, "the group is not closed");
	if (group_flags(p, &flags, &any) < 0)
		return -1;
	*captures = false;
	*set = l->c == ')';
	if (*set && !any)
		return regexlex_bad(l, at, "there is nothing to repeat");
	regexlex_bump(l);
	l->flags = flags;
	return 0;
}

static int
group(struct parser *p, struct list *list)
{
	struct regexparse_node *n;
	struct regexlex *l = &p->l;
	size_t at = l->at;
	unsigned flags = l->flags;
	bool set, captures;

	n = make(p, NODE_GROUP, at);
	if (!n)
		return err_nomem(l->e);
	if (group_begin(p, at, &set, &captures) < 0)
		return -1;
	if (set) {
		n->kind = NODE_EMPTY;
		n->flags = true;
		return append(p, list, n);
	}
	if (p->level == REGEXLEX_DEPTH)
		return regexlex_bad(l, at, "nested too deeply");
	p->level++;
	if (alternatives(p, &n->child) < 0)
		return -1;
	p->level--;
	if (l->c != ')')
		return regexlex_bad(l, at, "the group is not closed");
	l->flags = flags;
	regexlex_bump(l);
	n->value = captures;
	n->empty = n->child->empty;
	if (deepen(p, n, n->child->depth) < 0)
		return -1;
	return append(p, list, n);
}

/* ---- all of it ---- */

static int
element(struct parser *p, struct list *list)
{
	size_t at = p->l.at;
	uint32_t c = p->l.c;

	switch (c) {
	case '(':
		return group(p, list);
	case '[':
		return class(p, list);
	case '*': case '+': case '?': case '{':
		return repeat(p, list);
	case '\\':
		return escape(p, list);
	case '.':
		return dot(p, list);
	case '^': case '$':
		return line_assert(p, list);
	default:
		regexlex_bump(&p->l);
		return append_char(p, list, c, at);
	}
}

static int
alternatives(struct parser *p, struct regexparse_node **out)
{
	struct list alts = { 0 };
	struct regexparse_node *n;
	size_t at = p->l.at;

	for (;;) {
		struct list list = { 0 };
		size_t from = p->l.at;

		for (;;) {
			regexlex_space(&p->l);
			if (p->l.c == REGEXLEX_END || p->l.c == '|' ||
			    p->l.c == ')')
				break;
			if (element(p, &list) < 0)
				return -1;
		}
		if (enclose(p, &list, NODE_CONCAT, from, &n) < 0 ||
		    append(p, &alts, n) < 0)
			return -1;
		if (p->l.c != '|')
			break;
		regexlex_bump(&p->l);
	}
	return enclose(p, &alts, NODE_ALT, at, out);
}

static int
by_name(const void *a, const void *b, void *arg)
{
	const struct name *x = a, *y = b;
	const char *text = arg;
	int r = memcmp(text + x->at, text + y->at,
	    x->len < y->len ? x->len : y->len);

	if (r == 0)
		r = (x->len > y->len) - (x->len < y->len);
	return r ? r : (x->at > y->at) - (x->at < y->at);
}

static int
check_names(struct parser *p)
{
	const char *text = p->l.text.p;
	size_t i;

	if (p->nnames)
		qsort_r(p->names, p->nnames, sizeof(*p->names), by_name,
		    (void *)(uintptr_t)text);
	for (i = 1; i < p->nnames; i++) {
		struct name a = p->names[i - 1], b = p->names[i];

		if (slice_eq(slice_of(text + a.at, a.len),
		    slice_of(text + b.at, b.len)))
			return regexlex_bad(&p->l, b.at,
			    "the name stands twice");
	}
	return 0;
}

static int
all(struct parser *p)
{
	if (alternatives(p, &p->t->root) < 0)
		return -1;
	if (p->l.c == ')')
		return regexlex_bad(&p->l, p->l.at,
		    "there is no group to close");
	return check_names(p);
}

int
regexparse(struct regexparse_tree *t, struct slice pattern, struct err *e)
{
	struct parser p = { .t = t };
	int r;

	*t = (struct regexparse_tree){ 0 };
	if (pattern.len > REGEX_PATTERN_MAX)
		return err_usage(e, "byte %zu: too large: a pattern has at "
		    "most %u bytes", (size_t)REGEX_PATTERN_MAX + 1,
		    REGEX_PATTERN_MAX);
	r = regexlex_begin(&p.l, pattern, e);
	if (r == 0)
		r = all(&p);
	regexlex_release(&p.l);
	free(p.names);
	return r;
}

void
regexparse_release(struct regexparse_tree *t)
{
	regexsets_release(&t->sets);
	arena_release(&t->arena);
	*t = (struct regexparse_tree){ 0 };
}
