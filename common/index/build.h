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
#include "index/hints.h"

struct build_params {
	unsigned m, ef_construction;
	bool ip;			/* else l2, or cosine of unit vectors */
	unsigned threads;
	uint64_t seed;
	const struct hints *hints;	/* of an older graph; NULL: none */
	float factor;			/* see prune.h; 0: the default */
	unsigned overlap;		/* clusters a node is in; 0: default */
	/* Called now and then in the calling thread, with the share that is
	 * done; may be NULL. */
	void (*progress)(void *arg, double share);
	void *arg;
};

struct build_result {
	struct graph graph;		/* of the different vectors ... */
	uint32_t *vector;		/* ... each of which is this one */
	uint32_t copies;		/* vectors equal to an earlier one: */
	uint32_t *copy, *copy_of;	/* such a vector, and the node */
	double found, recall;		/* shares of the true nearest: in the
					 * lists, and found in the graph; see
					 * measure.h */
	unsigned rounds;		/* it took, for the lists */
	bool exact;			/* see codes.h */
	uint32_t repaired, left;	/* see connect.h */
};

/* 0, or -1 with *e set: no memory. */
ATTR_NODISCARD int build(struct build_result *b, const struct vectors *v,
    const struct build_params *p, struct err *e);

void build_release(struct build_result *b);

/* Bytes of memory that it takes, at most, beside the vectors. */
uint64_t build_memory(uint32_t n, size_t dim, unsigned m, unsigned threads);

#endif
