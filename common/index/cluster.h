/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.h - overlapping sets of nodes that lie near one another.
 *
 * Leaders are drawn; each node goes to the few nearest of them; what is too
 * large is divided again.  What comes out depends on the codes and the seed
 * alone.
 */
#ifndef INDEX_CLUSTER_H
#define INDEX_CLUSTER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"

#define CLUSTER_LEAF 400		/* nodes in one, about */

struct cluster_set {
	uint32_t *node;			/* owned */
	uint32_t n;
	uint32_t rank;			/* of its leader; those of neighbours
					 * are near one another */
};

struct clusters {
	struct cluster_set *set;	/* owned; sets of 2 nodes or more, at
					 * most LEAF_MAX; by rank */
	size_t n, room;
	uint32_t leaders;
	uint32_t *primary;		/* owned; of each node, the rank of
					 * its nearest leader */
};

/* Sets such that each node is in about `overlap' of them.  0, or -1 with *e
 * set: no memory. */
ATTR_NODISCARD int cluster_make(struct clusters *s, const struct codes *c,
    unsigned overlap, uint64_t seed, struct err *e);

/* The order of nodes by their nearest leader: order[new] is the old number;
 * to be freed.  NULL: no memory. */
uint32_t *cluster_order(const struct clusters *s, uint32_t n);

/* Nodes have other numbers now: order as above. */
ATTR_NODISCARD int cluster_renumber(struct clusters *s, const uint32_t *order,
    uint32_t n, struct err *e);

void cluster_release(struct clusters *s);

#endif
