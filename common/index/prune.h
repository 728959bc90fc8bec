/* SPDX-License-Identifier: Apache-2.0 */
/* prune.h - of many neighbours, those that are worth a link; and from lists of
 * the nearest, the links of level 0.
 *
 * A candidate is kept unless one that was kept before it is nearer to it than
 * the node is: hnswlib's heuristic (hnswalg.h, getNeighborsByHeuristic2).
 * With a factor above 1 on that nearness more are kept.
 */
#ifndef INDEX_PRUNE_H
#define INDEX_PRUNE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/graph.h"
#include "index/near.h"

#define PRUNE_MAX 512		/* candidates */
/* Bytes a node, while m0 links of it are chosen. */
#define PRUNE_MEMORY(m0) (16 * (size_t)(m0) + 17)

/* Of n sorted keys (PRUNE_MAX at most) at most `most' into out; their number.
 * mutual: those that are known to keep one another; or NULL.  out may be key.
 */
unsigned prune_select(const struct codes *c, const uint64_t *key,
    const uint8_t *mutual, unsigned n, unsigned most, float factor,
    uint64_t *out);

/* The links of level 0 from the lists: pruned to `asked' at most, made to go
 * both ways, pruned again, filled up to m of the nearest; and up to `forced'
 * neighbours of each upper level.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int prune_level0(struct graph *g, const struct codes *c,
    const struct near *l, float factor, unsigned asked, unsigned forced,
    struct err *e);

#endif
