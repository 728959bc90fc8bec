/* SPDX-License-Identifier: Apache-2.0 */
/* regexcheck.c - what Chroma refuses of the regular expressions that Rust
 * takes. */
#include "base/regexcheck.h"

#include <inttypes.h>
#include <stdbool.h>

/* What Rust makes of a node when it simplifies, as far as it decides whether
 * Chroma takes the expression: it refuses classes of bytes, which are those
 * without the flag u and those without any member; but first an alternation of
 * characters alone, or of classes alone, becomes one class, and x{0} nothing.
 */
enum shape { SHAPE_OTHER, SHAPE_EMPTY, SHAPE_CHAR, SHAPE_CLASS, SHAPE_BYTES,
	SHAPE_NONE };

struct checker {
	const struct regexparse_tree *t;
	uint32_t c;		/* of the last SHAPE_CHAR */
	struct err *e;
};

static int check(struct checker *p, const struct regexparse_node *n);

/* The first class of bytes in n, or NULL. */
static const struct regexparse_node *
find_bytes(struct checker *p, const struct regexparse_node *n)
{
	const struct regexparse_node *k, *found;

	if (n->kind == NODE_REPEAT && n->max == 0)
		return NULL;
	if (n->kind == NODE_SET)
		return n->bytes || !p->t->sets.v[n->value].n ? n : NULL;
	for (k = n->child; k; k = k->next) {
		found = find_bytes(p, k);
		if (found)
			return found;
	}
	return NULL;
}

static int
byte_class(struct checker *p, const struct regexparse_node *n, int shape)
{
	const struct regexparse_node *at = find_bytes(p, n);

	return err_usage(p->e, "byte %" PRIu32 ": %s", (at ? at : n)->at + 1,
	    shape == SHAPE_NONE ? "a class without any member" :
	    "a class without the flag u");
}

/* The shape of an alternation whose parts have seen[] shapes, all the same
 * character or not; SHAPE_OTHER if it stays one. */
static int
merged(const bool seen[], bool same_char)
{
	if (seen[SHAPE_OTHER] || seen[SHAPE_EMPTY])
		return SHAPE_OTHER;
	if (!seen[SHAPE_CLASS] && !seen[SHAPE_BYTES] && !seen[SHAPE_NONE])
		return same_char ? SHAPE_CHAR : SHAPE_CLASS;
	if (seen[SHAPE_CHAR])
		return SHAPE_OTHER;
	return seen[SHAPE_CLASS] || seen[SHAPE_BYTES] ? SHAPE_CLASS :
	    SHAPE_NONE;
}

static int
check_parts(struct checker *p, const struct regexparse_node *n)
{
	const struct regexparse_node *k, *bad = NULL;
	int shape, last = SHAPE_EMPTY, bad_shape = 0, full = 0;
	bool seen[SHAPE_NONE + 1] = { false }, same_char = true;
	uint32_t first = UINT32_MAX;

	for (k = n->child; k; k = k->next) {
		shape = check(p, k);
		if (shape < 0)
			return -1;
		if (shape == SHAPE_EMPTY && n->kind == NODE_CONCAT)
			continue;
		last = shape;
		full++;
		seen[shape] = true;
		if (shape == SHAPE_CHAR) {
			same_char = same_char &&
			    (first == UINT32_MAX || first == p->c);
			first = p->c;
		}
		if ((shape == SHAPE_BYTES || shape == SHAPE_NONE) && !bad) {
			bad = k;
			bad_shape = shape;
		}
	}
	if (n->kind == NODE_CONCAT && full < 2)
		return last;
	if (n->kind == NODE_ALT) {
		shape = merged(seen, same_char);
		if (shape != SHAPE_OTHER)
			return shape;
	}
	return bad ? byte_class(p, bad, bad_shape) : SHAPE_OTHER;
}

/* The shape of n, and of SHAPE_CHAR the character; or -1. */
static int
check(struct checker *p, const struct regexparse_node *n)
{
	int shape;

	switch (n->kind) {
	case NODE_EMPTY:
		return SHAPE_EMPTY;
	case NODE_CHAR:
		p->c = n->value;
		return SHAPE_CHAR;
	case NODE_SET:
		return p->t->sets.v[n->value].n == 0 ? SHAPE_NONE :
		    n->bytes ? SHAPE_BYTES : SHAPE_CLASS;
	case NODE_CONCAT:
	case NODE_ALT:
		return check_parts(p, n);
	case NODE_REPEAT:
		if (n->max == 0)
			return SHAPE_EMPTY;
		break;
	case NODE_GROUP:
		break;
	default:
		return SHAPE_OTHER;
	}
	shape = check(p, n->child);
	if (n->kind == NODE_GROUP ? !n->value : n->min == 1 && n->max == 1)
		return shape;
	if (shape == SHAPE_BYTES || shape == SHAPE_NONE)
		return byte_class(p, n->child, shape);
	return shape < 0 ? -1 : SHAPE_OTHER;
}

int
regexcheck(const struct regexparse_tree *t, struct err *e)
{
	struct checker p = { .t = t, .e = e };
	int shape = check(&p, t->root);

	if (shape == SHAPE_BYTES || shape == SHAPE_NONE)
		return byte_class(&p, t->root, shape);
	return shape < 0 ? -1 : 0;
}
