/* SPDX-License-Identifier: Apache-2.0 */
/* connect.c - from every node every other one can be reached. */
#include "index/connect.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TRIED_MAX 1000		/* nodes, when none is known to be near */

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

/* To the nearest of some, beginning behind it. */
static bool
attach_anywhere(struct reaching *r, uint32_t node)
{
	const uint32_t n = r->g->n;
	uint64_t best = UINT64_MAX;
	uint32_t i, other, tried = 0;
	float distance;

	for (i = 1; i < n && tried < TRIED_MAX; i++) {
		uint64_t key;

		other = n - node > i ? node + i : i - (n - node);
		if (!reached(r, other) || !place(r, other, true))
			continue;
		tried++;
		codes_distances(r->c, node, &other, 1, &distance);
		key = near_key(distance, other);
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

static void
reach_all(struct reaching *r, uint32_t *repaired)
{
	const uint32_t all = r->g->n;
	uint32_t i, some;

	spread(r, r->g->entry, r->g->entry);
	/* among k nodes that are reached, links are more than the k - 1 by
	 * which they are, so there is a place for one more */
	for (some = 1; some > 0 && r->n < all;) {
		some = attach_all(r, false);
		if (some == 0)
			some = attach_all(r, true);
		for (i = 0; some == 0 && i < all; i++)
			some = !reached(r, i) && attach_anywhere(r, i);
		*repaired += some;
	}
}

/* ---- and back ---- */

struct returning {
	struct reaching *r;
	uint32_t *by;			/* who links to each: ... */
	uint64_t *at;			/* ... by[at[node]..at[node + 1]) */
	uint8_t *can;			/* it can reach the entry */
	uint32_t n;			/* of them */
};

/* Turn all links round. */
static int
turn_round(struct returning *b)
{
	const struct graph *g = b->r->g;
	uint64_t *to = calloc((size_t)g->n + 2, sizeof(*to));
	uint32_t i, k;

	b->at = calloc((size_t)g->n + 2, sizeof(*b->at));
	if (!to || !b->at) {
		free(to);
		return -1;
	}
	for (i = 0; i < g->n; i++)
		for (k = 0; k < g->count0[i]; k++)
			b->at[g->link0[(size_t)i * g->m0 + k] + 1]++;
	for (i = 0; i < g->n; i++)
		b->at[i + 1] += b->at[i];
	b->by = malloc((b->at[g->n] + 1) * sizeof(*b->by));
	memcpy(to, b->at, ((size_t)g->n + 1) * sizeof(*to));
	for (i = 0; b->by && i < g->n; i++)
		for (k = 0; k < g->count0[i]; k++)
			b->by[to[g->link0[(size_t)i * g->m0 + k]]++] = i;
	free(to);
	return b->by ? 0 : -1;
}

/* A node can, and so can all that reach it.  Links that were replaced are still
 * in b->by; they went from nodes that can by now. */
static void
allow(struct returning *b, uint32_t node)
{
	uint32_t depth = 0, *stack = b->r->stack;
	uint64_t i;

	b->can[node] = 1;
	stack[depth++] = node;
	while (depth > 0) {
		node = stack[--depth];
		b->n++;
		for (i = b->at[node]; i < b->at[node + 1]; i++)
			if (!b->can[b->by[i]]) {
				b->can[b->by[i]] = 1;
				stack[depth++] = b->by[i];
			}
	}
}

/* The nearest that can, of those that were met; else the entry. */
static uint32_t
nearest_that_can(const struct returning *b, uint32_t node)
{
	const uint64_t *key = near_list(b->r->l, node);
	uint32_t i;

	for (i = 0; i < b->r->l->count[node]; i++)
		if (b->can[(uint32_t)key[i]])
			return (uint32_t)key[i];
	return b->r->g->entry;
}

/* A node without a place has only links by which others are reached, so that
 * these cannot either, and some of those has one. */
static bool
give_back(struct returning *b, uint32_t node)
{
	struct graph *g = b->r->g;
	uint32_t *link = place(b->r, node, true);

	if (!link)
		return false;
	if (link == g->link0 + (size_t)node * g->m0 + g->count0[node])
		g->count0[node]++;
	*link = nearest_that_can(b, node);
	allow(b, node);
	return true;
}

static int
return_all(struct reaching *r, uint32_t *repaired)
{
	struct returning b = { .r = r };
	uint32_t i, some = 1;
	int result = -1;

	b.can = calloc((size_t)r->g->n + 1, 1);
	if (b.can && turn_round(&b) == 0) {
		allow(&b, r->g->entry);
		while (some > 0 && b.n < r->g->n) {
			for (i = some = 0; i < r->g->n; i++)
				some += !b.can[i] && give_back(&b, i);
			*repaired += some;
		}
		r->n = b.n;
		result = 0;
	}
	free(b.can);
	free(b.at);
	free(b.by);
	return result;
}

int
connect_all(struct graph *g, const struct codes *c, const struct near *l,
    uint32_t *repaired, uint32_t *left, struct err *e)
{
	struct reaching r = { .g = g, .c = c, .l = l };
	uint32_t i, lost;
	int result = 0;

	*repaired = *left = 0;
	if (g->n == 0)
		return 0;
	r.from = malloc(g->n * sizeof(*r.from));
	r.stack = malloc(g->n * sizeof(*r.stack));
	if (!r.from || !r.stack) {
		result = err_nomem(e);
	} else {
		for (i = 0; i < g->n; i++)
			r.from[i] = GRAPH_NOBODY;
		reach_all(&r, repaired);
		lost = g->n - r.n;
		if (return_all(&r, repaired) < 0)
			result = err_nomem(e);
		*left = lost > g->n - r.n ? lost : g->n - r.n;
	}
	free(r.from);
	free(r.stack);
	return result;
}
