/* SPDX-License-Identifier: Apache-2.0 */
/* connect.c - every node can be reached from the entry. */
#include "index/connect.h"

#include <stdbool.h>
#include <stdlib.h>

struct reaching {
	struct graph *g;
	const struct codes *c;
	const struct near *l;
	uint32_t *from;			/* the node by which each is reached;
					 * NOBODY: it is not yet */
	uint32_t *stack;
	uint32_t n;			/* reached */
};

static void
spread(struct reaching *r, uint32_t start, uint32_t from)
{
	uint32_t depth = 0, node, i;
	const uint32_t *link;
	uint16_t *count;

	r->from[start] = from;
	r->stack[depth++] = start;
	while (depth > 0) {
		node = r->stack[--depth];
		r->n++;
		link = graph_links(r->g, node, 0, &count);
		for (i = 0; i < *count; i++)
			if (r->from[link[i]] == GRAPH_NOBODY) {
				r->from[link[i]] = node;
				r->stack[depth++] = link[i];
			}
	}
}

static bool
reached(const struct reaching *r, uint32_t node)
{
	return r->from[node] != GRAPH_NOBODY;
}

/* Where a link may go: behind the others, or, without room, in place of the
 * last one that nothing is reached by.  NULL: there is none. */
static uint32_t *
place(const struct reaching *r, uint32_t node, bool replace)
{
	uint16_t *count;
	uint32_t *link = graph_links(r->g, node, 0, &count), i;

	if (*count < graph_room0(r->g, node))
		return link + *count;
	for (i = *count; replace && i-- > 0;)
		if (r->from[link[i]] != node)
			return link + i;
	return NULL;
}

static bool
attach(struct reaching *r, uint32_t to, uint32_t node, bool replace)
{
	uint32_t *at;

	if (to == node || !reached(r, to) || !(at = place(r, to, replace)))
		return false;
	if (at == r->g->link0 + (size_t)to * r->g->m0 + r->g->count0[to])
		r->g->count0[to]++;
	*at = node;
	spread(r, node, to);
	return true;
}

/* To one of the nearest that were met, or of its own links. */
static bool
attach_near(struct reaching *r, uint32_t node, bool replace)
{
	const uint64_t *key = near_list(r->l, node);
	const uint32_t *link;
	uint16_t *count;
	uint32_t i;

	for (i = 0; i < r->l->count[node]; i++)
		if (attach(r, (uint32_t)key[i], node, replace))
			return true;
	link = graph_links(r->g, node, 0, &count);
	for (i = 0; i < *count; i++)
		if (attach(r, link[i], node, replace))
			return true;
	return false;
}

/* To the nearest of all. */
static bool
attach_anywhere(struct reaching *r, uint32_t node)
{
	uint64_t best = UINT64_MAX;
	float distance;
	uint32_t i;

	for (i = 0; i < r->g->n; i++) {
		uint64_t key;

		if (!reached(r, i) || !place(r, i, true))
			continue;
		codes_distances(r->c, node, &i, 1, &distance);
		key = near_key(distance, i);
		if (key < best)
			best = key;
	}
	return best != UINT64_MAX && attach(r, (uint32_t)best, node, true);
}

/* All that are still waiting, one by one; what was attached may be near to
 * some.  How many were. */
static uint32_t
attach_all(struct reaching *r, bool replace)
{
	uint32_t i, all = 0;

	for (i = 0; r->n < r->g->n && i < r->g->n; i++)
		all += !reached(r, i) && attach_near(r, i, replace);
	return all;
}

int
connect_all(struct graph *g, const struct codes *c, const struct near *l,
    uint32_t *repaired, uint32_t *left,
    struct err *e)
{
	struct reaching r = { .g = g, .c = c, .l = l };
	uint32_t i, some;

	*repaired = *left = 0;
	if (g->n == 0)
		return 0;
	r.from = malloc(g->n * sizeof(*r.from));
	r.stack = malloc(g->n * sizeof(*r.stack));
	if (!r.from || !r.stack) {
		free(r.from);
		free(r.stack);
		return err_nomem(e);
	}
	for (i = 0; i < g->n; i++)
		r.from[i] = GRAPH_NOBODY;
	spread(&r, g->entry, g->entry);
	/* among k nodes that are reached, links are more than the k - 1 by
	 * which they are, so there is a place for one more */
	for (some = 1; some > 0 && r.n < g->n;) {
		some = attach_all(&r, false);
		if (some == 0)
			some = attach_all(&r, true);
		for (i = 0; some == 0 && i < g->n; i++)
			some = !reached(&r, i) && attach_anywhere(&r, i);
		*repaired += some;
	}
	*left = g->n - r.n;
	free(r.from);
	free(r.stack);
	return 0;
}
