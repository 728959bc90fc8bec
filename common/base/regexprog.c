/* SPDX-License-Identifier: Apache-2.0 */
/* regexprog.c - a regular expression as a program over classes of characters.
 */
#include "base/regexprog.h"

#include <stdlib.h>

#include "base/regex.h"
#include "base/regexmap.h"
#include "base/utf8.h"

#define VISITS_MAX	(UINT64_C(16) << 20)	/* of nodes, to write all */
#define NONE		UINT32_MAX

/* ---- how large it will be ---- */

/* How often the part is written out at least, and at most: repeating what is
 * empty changes nothing. */
static void
copies(const struct regexparse_node *n, uint32_t *min, uint32_t *max)
{
	*min = n->min;
	*max = n->max;
	if (n->child->empty) {
		*min = *min > 1 ? 1 : *min;
		*max = *max > 1 ? 1 : *max;
	}
}

/* Instructions, and nodes to be looked at for them. */
struct cost {
	uint64_t states, nodes;
};

/* a + n times b; at most VISITS_MAX. */
static uint64_t
sum(uint64_t a, uint64_t n, uint64_t b)
{
	uint64_t all = a + n * b;	/* n < 2^32, b < 2^25 */

	return all < VISITS_MAX ? all : VISITS_MAX;
}

static struct cost
cost(const struct regexparse_node *n)
{
	const struct regexparse_node *k;
	struct cost c = { 0, 1 }, one;
	uint32_t min, max;

	if (n->kind == NODE_CHAR || n->kind == NODE_SET ||
	    n->kind == NODE_ASSERT)
		c.states = 1;
	if (n->kind == NODE_REPEAT) {
		one = cost(n->child);
		copies(n, &min, &max);
		if (max == REGEXPARSE_FOREVER)
			max = min + 1;
		c.states = sum(sum(0, max, one.states), max - min, 2);
		c.nodes = sum(1, max, one.nodes);
		return c;
	}
	for (k = n->child; k; k = k->next) {
		one = cost(k);
		c.states = sum(c.states + (n->kind == NODE_ALT ? 2 : 0), 1,
		    one.states);
		c.nodes = sum(c.nodes, 1, one.nodes);
	}
	return c;
}

/* ---- instructions ---- */

/* The operands of OP_CLASS and OP_SET are characters and numbers of sets
 * until the classes are known. */
static uint32_t
emit(struct regexprog *p, enum regexprog_op op, uint32_t x)
{
	p->inst[p->n] = (struct regexprog_inst){ op, x };
	return p->n++;
}

/* Let the chain of instructions that wait for their target go here. */
static void
patch(struct regexprog *p, uint32_t chain)
{
	while (chain != NONE) {
		uint32_t next = p->inst[chain].x;

		p->inst[chain].x = p->n;
		chain = next;
	}
}

static void write_node(struct regexprog *p, const struct regexparse_node *n);

static void
write_alt(struct regexprog *p, const struct regexparse_node *n)
{
	const struct regexparse_node *k;
	uint32_t chain = NONE, split;

	for (k = n->child; k->next; k = k->next) {
		split = emit(p, OP_SPLIT, NONE);
		write_node(p, k);
		chain = emit(p, OP_JUMP, chain);
		patch(p, split);
	}
	write_node(p, k);
	patch(p, chain);
}

static void
write_repeat(struct regexprog *p, const struct regexparse_node *n)
{
	uint32_t min, max, i, chain = NONE, from = p->n, split;

	copies(n, &min, &max);
	for (i = 0; i < min; i++) {
		from = p->n;
		write_node(p, n->child);
	}
	if (max == REGEXPARSE_FOREVER && min) {
		/* back to the last copy, or on */
		emit(p, OP_SPLIT, from);
	} else if (max == REGEXPARSE_FOREVER) {
		split = emit(p, OP_SPLIT, NONE);
		write_node(p, n->child);
		emit(p, OP_JUMP, split);
		patch(p, split);
	} else {
		for (; i < max; i++) {
			chain = emit(p, OP_SPLIT, chain);
			write_node(p, n->child);
		}
		patch(p, chain);
	}
}

static void
write_node(struct regexprog *p, const struct regexparse_node *n)
{
	const struct regexparse_node *k;

	switch (n->kind) {
	case NODE_EMPTY:
		break;
	case NODE_CHAR:
		emit(p, OP_CLASS, n->value);
		break;
	case NODE_SET:
		emit(p, OP_SET, n->value);
		break;
	case NODE_ASSERT:
		emit(p, OP_ASSERT, n->value);
		break;
	case NODE_ALT:
		write_alt(p, n);
		break;
	case NODE_REPEAT:
		write_repeat(p, n);
		break;
	default:
		for (k = n->child; k; k = k->next)
			write_node(p, k);
	}
}

/* ---- literals ---- */

static const struct regexparse_node *
inside(const struct regexparse_node *n)
{
	while (n->kind == NODE_GROUP)
		n = n->child;
	return n;
}

/* Keep the string if it is the longest so far, and begin another. */
static void
end_string(struct regexprog *p, struct buf *now, bool first)
{
	if (now->len > p->literal.len) {
		p->literal.len = 0;
		buf_add(&p->literal, now->p, now->len);
		p->literal_first = first;
	}
	now->len = 0;
}

/* The longest string of characters that stand side by side at the top. */
static int
find_literal(struct regexprog *p, const struct regexparse_node *root,
    struct err *e)
{
	const struct regexparse_node *n = inside(root), *k, *c;
	struct buf now = { 0 };
	bool first = true;
	char utf8[4];
	int r = 0;

	for (k = n->kind == NODE_CONCAT ? n->child : n; k; k = k->next) {
		c = inside(k);
		if (c->kind == NODE_CHAR) {
			buf_add(&now, utf8, utf8_put(utf8, c->value));
		} else if (c->kind != NODE_EMPTY) {
			end_string(p, &now, first);
			first = false;
		}
		if (n->kind != NODE_CONCAT)
			break;
	}
	end_string(p, &now, first);
	p->literal_all = first && p->literal.len;
	if (!buf_ok(&now) || !buf_ok(&p->literal))
		r = err_nomem(e);
	buf_release(&now);
	return r;
}

/* Whether every way from the start meets \A before anything else. */
static int
find_anchor(struct regexprog *p, struct err *e)
{
	uint32_t *stack, n = 0, pc;
	uint8_t *seen = calloc(p->n, 1);

	stack = malloc(((size_t)p->n * 2 + 1) * sizeof(*stack));
	if (!seen || !stack) {
		free(seen);
		free(stack);
		return err_nomem(e);
	}
	p->anchored = true;
	stack[n++] = 0;
	while (n && p->anchored) {
		pc = stack[--n];
		if (seen[pc]++)
			continue;
		switch (p->inst[pc].op) {
		case OP_SPLIT:
			stack[n++] = pc + 1;
			stack[n++] = p->inst[pc].x;
			break;
		case OP_JUMP:
			stack[n++] = p->inst[pc].x;
			break;
		case OP_ASSERT:
			if (p->inst[pc].x != ASSERT_TEXT_START)
				stack[n++] = pc + 1;
			break;
		default:
			p->anchored = false;
		}
	}
	free(seen);
	free(stack);
	return 0;
}

int
regexprog_make(struct regexprog *p, const struct regexparse_tree *t,
    struct err *e)
{
	struct cost c;

	*p = (struct regexprog){ 0 };
	if (find_literal(p, t->root, e) < 0)
		return -1;
	if (p->literal_all)
		return 0;	/* nothing else is needed */
	c = cost(t->root);
	if (c.states >= REGEX_STATES_MAX || c.nodes >= VISITS_MAX)
		return err_usage(e, "byte 1: too large: with its counts "
		    "written out it has more than %u states",
		    REGEX_STATES_MAX);
	p->inst = malloc((c.states + 1) * sizeof(*p->inst));
	if (!p->inst)
		return err_nomem(e);
	write_node(p, t->root);
	emit(p, OP_MATCH, 0);
	if (find_anchor(p, e) < 0)
		return -1;
	return regexmap_make(p, t, e);
}

void
regexprog_release(struct regexprog *p)
{
	free(p->inst);
	free(p->kind);
	free(p->sets);
	free(p->map);
	buf_release(&p->literal);
	*p = (struct regexprog){ 0 };
}
