/* SPDX-License-Identifier: Apache-2.0 */
/* regexparse.h - a regular expression as a tree.
 *
 * Flags are applied and classes worked out here; what is left is characters,
 * sets, assertions, and how they are put together.  Groups capture nothing.
 */
#ifndef BASE_REGEXPARSE_H
#define BASE_REGEXPARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/ranges.h"
#include "base/regexlex.h"
#include "base/regexsets.h"

#define REGEXPARSE_FOREVER UINT32_MAX	/* no upper limit */

enum regexparse_kind {
	NODE_EMPTY, NODE_CHAR, NODE_SET, NODE_ASSERT, NODE_CONCAT, NODE_ALT,
	NODE_REPEAT, NODE_GROUP
};

struct regexparse_node {
	enum regexparse_kind kind;
	uint16_t depth;		/* of nesting; a leaf has 0 */
	bool flags;		/* NODE_EMPTY: (?flags) */
	bool bytes;		/* NODE_SET: given without the flag u */
	bool empty;		/* matches nothing but the empty string */
	uint32_t at;		/* its first byte in the pattern, from 0 */
	uint32_t value;		/* character, number of the set, assertion */
	uint32_t min, max;	/* NODE_REPEAT; max from REGEXPARSE_FOREVER */
	struct regexparse_node *child;	/* the first of its parts, or NULL */
	struct regexparse_node *next;	/* the next part of its parent */
};

struct regexparse_tree {
	struct regexparse_node *root;
	struct regexsets sets;
	struct arena arena;	/* the nodes */
};

/* The tree of the pattern.  0, or -1 with *e set as regex_compile() says;
 * *t is to be released either way. */
ATTR_NODISCARD int regexparse(struct regexparse_tree *t, struct slice pattern,
    struct err *e);

void regexparse_release(struct regexparse_tree *t);

#endif
