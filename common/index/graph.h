/* SPDX-License-Identifier: Apache-2.0 */
/* graph.h - the links of an HNSW index, in memory.
 *
 * Memory: 4 * m0 + 8 bytes a node, and 4 * m + 10 for each of its upper
 * levels.
 */
#ifndef INDEX_GRAPH_H
#define INDEX_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define GRAPH_M_MIN 2
#define GRAPH_M_MAX 1024
#define GRAPH_LEVEL_MAX 30
#define GRAPH_NOBODY UINT32_MAX
#define GRAPH_TREE 4		/* copies that hang on one element; with M below
				 * 4, M */

struct graph {
	uint32_t n;
	unsigned m, m0;			/* links at most, above and on level 0 */
	uint8_t *level;			/* of each node */
	int max_level;			/* -1: no node */
	uint32_t entry;			/* a node of that level */
	uint32_t *link0;		/* [n][m0] */
	uint16_t *count0;
	uint8_t *reserved;		/* of each: links that are kept free on
					 * level 0, at most GRAPH_TREE */
	uint32_t uppers;		/* nodes of level 1 and above: */
	uint32_t *upper_node;		/* these ... */
	uint32_t *upper_of;		/* ... of which a node is this one */
	uint32_t *upper_at;		/* its first list: level 1, then 2 ... */
	uint32_t *link;			/* [lists][m] */
	uint16_t *count;
};

/* A graph without links, each node with its level.  m0 is 2 * m.  0, or -1
 * with *e set: no memory. */
ATTR_NODISCARD int graph_init(struct graph *g, uint32_t n, unsigned m,
    const uint8_t *level, struct err *e);

/* Links that a node may have on level 0. */
static inline unsigned
graph_room0(const struct graph *g, uint32_t node)
{
	return g->m0 - g->reserved[node];
}

/* The links of a node on one of its levels. */
static inline uint32_t *
graph_links(const struct graph *g, uint32_t node, int level, uint16_t **count)
{
	size_t at;

	if (level == 0) {
		*count = &g->count0[node];
		return g->link0 + (size_t)node * g->m0;
	}
	at = g->upper_at[g->upper_of[node]] + (size_t)level - 1;
	*count = &g->count[at];
	return g->link + at * g->m;
}

/* The level that hnswlib would draw, of a node by its number and a seed: l
 * with a chance of m^-l. */
uint8_t graph_draw_level(uint64_t number, uint64_t seed, unsigned m);

void graph_release(struct graph *g);

#endif
