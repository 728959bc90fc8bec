/* SPDX-License-Identifier: Apache-2.0 */
/* graph.c - the links of an HNSW index, in memory. */
#include "index/graph.h"

#include <stdlib.h>

#include "base/large.h"
#include "index/mix.h"

uint8_t
graph_draw_level(uint64_t number, uint64_t seed, unsigned m)
{
	uint64_t z = mix64(mix64(seed) + number), chance = UINT64_MAX;
	uint8_t level = 0;

	/* integers: no logarithm of some library decides */
	while (level < GRAPH_LEVEL_MAX && z < (chance /= m))
		level++;
	return level;
}

void
graph_release(struct graph *g)
{
	free(g->level);
	large_free(g->link0);
	free(g->count0);
	free(g->reserved);
	free(g->upper_node);
	free(g->upper_of);
	free(g->upper_at);
	free(g->link);
	free(g->count);
	*g = (struct graph){ 0 };
}

int
graph_init(struct graph *g, uint32_t n, unsigned m, const uint8_t *level,
    struct err *e)
{
	uint32_t i, lists = 0, k = 0;

	*g = (struct graph){ .n = n, .m = m, .m0 = 2 * m, .max_level = -1 };
	for (i = 0; i < n; i++) {
		g->uppers += level[i] > 0;
		lists += level[i];
		if (level[i] > g->max_level) {
			g->max_level = level[i];
			g->entry = i;
		}
	}
	g->level = malloc((size_t)n + 1);
	g->link0 = large_alloc(n, g->m0 * sizeof(*g->link0));
	g->count0 = calloc((size_t)n + 1, sizeof(*g->count0));
	g->reserved = calloc((size_t)n + 1, 1);
	g->upper_node = calloc((size_t)g->uppers + 1, sizeof(uint32_t));
	g->upper_at = calloc((size_t)g->uppers + 1, sizeof(uint32_t));
	g->upper_of = malloc(((size_t)n + 1) * sizeof(uint32_t));
	g->link = calloc((size_t)lists * m + 1, sizeof(*g->link));
	g->count = calloc((size_t)lists + 1, sizeof(*g->count));
	if (!g->level || !g->link0 || !g->count0 || !g->reserved || !g->upper_node ||
	    !g->upper_at || !g->upper_of || !g->link || !g->count)
		return err_nomem(e);
	for (i = 0, lists = 0; i < n; i++) {
		g->level[i] = level[i];
		g->upper_of[i] = level[i] > 0 ? k : GRAPH_NOBODY;
		if (level[i] == 0)
			continue;
		g->upper_node[k] = i;
		g->upper_at[k++] = lists;
		lists += level[i];
	}
	return 0;
}
