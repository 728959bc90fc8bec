/* SPDX-License-Identifier: Apache-2.0 */
/* whereparse.h - a filter as a tree; for where.c, which answers with it. */
#ifndef STREAM_WHEREPARSE_H
#define STREAM_WHEREPARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/regex.h"
#include "base/slice.h"
#include "stream/where.h"
#include "stream/whereset.h"

enum where_op {
	OP_AND, OP_OR,		/* of the children */
	OP_IN,			/* value of the key is one of the set */
	OP_GT, OP_GTE, OP_LT, OP_LTE,
	OP_HAS,			/* array of the key has the element */
	OP_SEARCH,		/* the document contains the text */
	OP_REGEX,		/* the document matches */
};

enum where_source { FROM_METADATA, FROM_DOCUMENT, FROM_URI };

struct where_node {
	enum where_op op;
	bool negate;			/* the answer is the other one */
	struct where_node *child, *next;	/* first; next of my parent */
	struct where_node *next_leaf;	/* of those FROM_METADATA */
	struct slice key;		/* as json.h has text in memory */
	enum where_source source;
	size_t slot;			/* FROM_METADATA: where.c's */
	struct where_set set;		/* OP_IN */
	struct where_scalar want;	/* other operands; OP_SEARCH: .s */
	bool at_end;			/* OP_SEARCH: the text must stand at
					 * the end of the document */
	struct regex *regex;		/* owned */
	struct where_node *next_regex;
};

/* {0} is empty. */
struct where_tree {
	struct arena mem;		/* the nodes and their texts */
	struct where_node *root, *leaves, *regexes;
	bool document, uri;		/* are looked at */
	struct buf scratch;
};

/* where_parse() into *t, which is empty, and the caller's to release also when
 * that fails. */
ATTR_NODISCARD int whereparse(struct where_tree *t, struct slice json,
    enum where_kind kind, struct err *e);

void whereparse_release(struct where_tree *t);

#endif
