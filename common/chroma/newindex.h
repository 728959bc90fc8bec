/* SPDX-License-Identifier: Apache-2.0 */
/* newindex.h - the index of a collection, from what records leave to its five
 * files.
 *
 * Labels are 1 to the number of vectors, in the order in which ids came: so no
 * later addition can take one that is in use.
 */
#ifndef CHROMA_NEWINDEX_H
#define CHROMA_NEWINDEX_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/params.h"
#include "index/build.h"
#include "index/hints.h"
#include "index/intake.h"
#include "index/vectors.h"

/* Zeroed but for what the caller says. */
struct newindex {
	/* by the caller; borrowed */
	struct intake *in;		/* all records are in it */
	enum space space;
	unsigned m, ef_construction, threads;
	uint64_t seed;
	const char *old;		/* the directory of an older index, for
					 * candidates; NULL: none */
	void (*progress)(void *arg, double share);	/* see build.h */
	int64_t last;			/* the row up to which it has
					 * everything; 0: none is known */
	/* what came of it */
	struct vectors v;		/* as they were given */
	uint32_t *number;		/* of the id of each; owned */
	struct err old_fault;		/* of old, of which what can be read was
					 * used; status 0: none */
	struct build_result b;
	uint64_t bytes;			/* of the files */
	/* private */
	struct hints hints;
	uint64_t *label;
};

/* Bytes of memory that making it takes, at the most; the vectors are mapped and
 * not among them.  Bytes that its files will have, about. */
uint64_t newindex_memory(const struct newindex *n);
uint64_t newindex_space(const struct newindex *n);

/* The vectors.  0, or -1 with *e set. */
ATTR_NODISCARD int newindex_vectors(struct newindex *n, struct err *e);

/* The graph; after newindex_vectors().  0, or -1 with *e set: STATUS_DATA where
 * a vector cannot be in such an index, no memory. */
ATTR_NODISCARD int newindex_build(struct newindex *n, struct err *e);

/* The files, into a directory that has none of them.  0, or -1 with *e set. */
ATTR_NODISCARD int newindex_write(struct newindex *n, int dirfd,
    struct err *e);

/* Links of a node on level 0, in the mean. */
double newindex_degree(const struct newindex *n);

#endif
