/* SPDX-License-Identifier: Apache-2.0 */
/* build.h - an HNSW graph over vectors, not inserted but computed.
 *
 * Vectors become bytes (codes.h) and are put into overlapping clusters
 * (cluster.h); inside them all distances are computed (leaf.h), and each node
 * keeps the nearest it met (near.h); of those, and of who asks for it, its
 * links are chosen (prune.h).  Only the upper levels are inserted (upper.h).
 * Exact duplicates are linked as one; what cannot be reached is attached
 * (connect.h).  A sample tells whether the lists are good; if not, there is
 * another round (measure.h).
 *
 * The same vectors, in the same order, and the same parameters give the same
 * graph, for any number of threads on any processor.
 */
#ifndef INDEX_BUILD_H
#define INDEX_BUILD_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/graph.h"

struct build_params {
	unsigned m, ef_construction;
	bool ip;			/* else l2, or cosine of unit vectors */
	unsigned threads;
	uint64_t seed;
	float factor;			/* see prune.h; 0: the default */
	unsigned overlap;		/* clusters a node is in; 0: default */
};

struct build_result {
	struct graph graph;		/* of the different vectors ... */
	uint32_t *vector;		/* ... each of which is this one */
	uint32_t copies;		/* vectors equal to an earlier one: */
	uint32_t *copy, *copy_of;	/* such a vector, and the node */
	double found;			/* share of the sampled nearest */
	unsigned rounds;
	uint32_t repaired, left;	/* see connect.h */
};

/* 0, or -1 with *e set: no memory. */
ATTR_NODISCARD int build(struct build_result *b, const struct vectors *v,
    const struct build_params *p, struct err *e);

void build_release(struct build_result *b);

#endif
