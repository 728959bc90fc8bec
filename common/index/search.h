/* SPDX-License-Identifier: Apache-2.0 */
/* search.h - search in a graph that is being built, as hnswlib searches one.
 *
 * Source: chroma-core/hnswlib, hnswlib/hnswalg.h at 6868102
 * (searchBaseLayerST()).
 */
#ifndef INDEX_SEARCH_H
#define INDEX_SEARCH_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/graph.h"

/* What one thread needs.  Memory: 2 bytes a node. */
struct search {
	uint64_t *pool;			/* what was found: keys (near.h),
					 * sorted */
	/* private */
	uint8_t *done;			/* it was looked from */
	uint16_t *seen, tag;
	uint32_t n;
};

/* For searches with up to so much effort.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int search_init(struct search *s, const struct graph *g,
    unsigned ef_max, struct err *e);

/* The nearest to a node on a level, from a start: how many were found, up to
 * ef. */
unsigned search_level(struct search *s, const struct graph *g,
    const struct codes *c, uint32_t node, int level, uint32_t start,
    unsigned ef);

void search_release(struct search *s);

#endif
