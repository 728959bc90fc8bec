/* SPDX-License-Identifier: Apache-2.0 */
/* connect.c - every node can be reached from the entry. */
#include "index/connect.h"

#include <stdbool.h>
#include <stdlib.h>

struct reaching {
	struct graph *g;
	uint8_t *reached;
	uint32_t *stack;
	uint32_t n;			/* reached */
};

static void
spread(struct reaching *r, uint32_t from)
{
	uint32_t depth = 0, node, i;
	const uint32_t *link;
	uint16_t *count;

	r->reached[from] = 1;
	r->stack[depth++] = from;
	while (depth > 0) {
		node = r->stack[--depth];
		r->n++;
		link = graph_links(r->g, node, 0, &count);
		for (i = 0; i < *count; i++)
			if (!r->reached[link[i]]) {
				r->reached[link[i]] = 1;
				r->stack[depth++] = link[i];
			}
	}
}

static bool
has_room(const struct reaching *r, uint32_t node)
{
	return r->reached[node] && r->g->count0[node] < r->g->m0;
}

static void
attach(struct reaching *r, uint32_t to, uint32_t node)
{
	struct graph *g = r->g;

	g->link0[(size_t)to * g->m0 + g->count0[to]++] = node;
	spread(r, node);
}

/* One of its own links, or of the nearest that were met, has room. */
static bool
attach_near(struct reaching *r, const struct near *l, uint32_t node)
{
	const uint64_t *key = near_list(l, node);
	const uint32_t *link;
	uint16_t *count;
	uint32_t i;

	for (i = 0; i < l->count[node]; i++)
		if (has_room(r, (uint32_t)key[i])) {
			attach(r, (uint32_t)key[i], node);
			return true;
		}
	link = graph_links(r->g, node, 0, &count);
	for (i = 0; i < *count; i++)
		if (has_room(r, link[i])) {
			attach(r, link[i], node);
			return true;
		}
	return false;
}

/* The nearest of all that are reached and have room. */
static bool
attach_anywhere(struct reaching *r, const struct codes *c, uint32_t node)
{
	uint64_t best = UINT64_MAX;
	float distance;
	uint32_t i;

	for (i = 0; i < r->g->n; i++) {
		uint64_t key;

		if (!has_room(r, i))
			continue;
		codes_distances(c, node, &i, 1, &distance);
		key = near_key(distance, i);
		if (key < best)
			best = key;
	}
	if (best == UINT64_MAX)
		return false;
	attach(r, (uint32_t)best, node);
	return true;
}

int
connect_all(struct graph *g, const struct codes *c, const struct near *l,
    uint32_t *repaired, uint32_t *left, struct err *e)
{
	struct reaching r = { .g = g };
	bool progress;
	uint32_t i;

	*repaired = *left = 0;
	if (g->n == 0)
		return 0;
	r.reached = calloc(g->n, 1);
	r.stack = calloc(g->n, sizeof(*r.stack));
	if (!r.reached || !r.stack) {
		free(r.reached);
		free(r.stack);
		return err_nomem(e);
	}
	spread(&r, g->entry);
	/* what was attached may have near ones that wait for it */
	do {
		progress = false;
		for (i = 0; r.n < g->n && i < g->n; i++)
			if (!r.reached[i] && attach_near(&r, l, i)) {
				++*repaired;
				progress = true;
			}
		for (i = 0; !progress && r.n < g->n && i < g->n; i++)
			if (!r.reached[i] && attach_anywhere(&r, c, i)) {
				++*repaired;
				progress = true;
			}
	} while (progress && r.n < g->n);
	*left = g->n - r.n;
	free(r.reached);
	free(r.stack);
	return 0;
}
