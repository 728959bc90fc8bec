/* SPDX-License-Identifier: Apache-2.0 */
/* hubs.c - nodes that are near to a great many others. */
#include "index/hubs.h"

#include <stdlib.h>

#include "base/workers.h"
#include "index/leaf.h"

#define CHUNK 192		/* nodes at once */
#define SHARE 16		/* one of so many is a hub, ... */
#define HUBS_MAX 3072		/* ... but no more: all are compared with all */
#define FLAT 0.75		/* below, there is a structure, and clusters
				 * follow it */
#define WORTH 0.5		/* of the sample's nearest */

void
hubs_release(struct hubs *h)
{
	free(h->node);
	*h = (struct hubs){ 0 };
}

/* How far from the middle, which is 0: codes are centred. */
static uint64_t
outward(const struct codes *c, uint32_t node)
{
	return near_key(c->terms[node].squared, node);
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Which share of the sample's nearest is not further out than this. */
static double
share_within(const struct codes *c, const struct measure *m, uint64_t last)
{
	uint64_t within = 0, all = 0;
	uint32_t s;
	unsigned t;

	for (s = 0; s < m->n; s++)
		for (t = 0; t < m->others[s]; t++) {
			within += outward(c, m->nearest[s][t]) <= last;
			all++;
		}
	return all > 0 ? (double)within / (double)all : 0;
}

int
hubs_find(struct hubs *h, const struct codes *c, const struct measure *m,
    struct err *e)
{
	const uint32_t n = c->n / SHARE < HUBS_MAX ? c->n / SHARE : HUBS_MAX;
	uint64_t *key;
	uint32_t i;

	*h = (struct hubs){ 0 };
	if (n == 0 || c->exact || c->ip || m->flat < FLAT)
		return 0;
	key = malloc(c->n * sizeof(*key));
	h->node = malloc(n * sizeof(*h->node));
	if (!key || !h->node) {
		free(key);
		hubs_release(h);
		return err_nomem(e);
	}
	for (i = 0; i < c->n; i++)
		key[i] = outward(c, i);
	qsort(key, c->n, sizeof(*key), compare);
	if (share_within(c, m, key[n - 1]) >= WORTH)
		h->n = n;
	for (i = 0; i < h->n; i++)
		h->node[i] = (uint32_t)key[i];
	free(key);
	return 0;
}

int
hubs_renumber(struct hubs *h, const uint32_t *order, uint32_t n, struct err *e)
{
	uint32_t *to = malloc(((size_t)n + 1) * sizeof(*to)), i;

	if (!to)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		to[order[i]] = i;
	for (i = 0; i < h->n; i++)
		h->node[i] = to[h->node[i]];
	free(to);
	return 0;
}

struct merging {
	const struct hubs *h;
	const struct codes *c;
	struct near *l;
	struct leaf_panels panels;
	struct leaf_room *room;
};

static void
merge_chunk(size_t chunk, unsigned worker, void *arg)
{
	struct merging *m = arg;
	uint32_t node[CHUNK], n, first = (uint32_t)chunk * CHUNK;

	for (n = 0; n < CHUNK && first + n < m->c->n; n++)
		node[n] = first + n;
	leaf_against(&m->room[worker], m->c, m->l, node, n, &m->panels,
	    m->h->node);
}

int
hubs_merge(const struct hubs *h, const struct codes *c, struct near *l,
    struct err *e)
{
	struct merging m = { .h = h, .c = c, .l = l,
	    .room = calloc(c->threads, sizeof(*m.room)) };
	unsigned i;
	int r = m.room ? 0 : err_nomem(e);

	if (r == 0)
		r = leaf_panels_init(&m.panels, c, h->n, e);
	for (i = 0; i < c->threads && r == 0; i++)
		r = leaf_room_init(&m.room[i], c, e);
	if (r == 0) {
		leaf_panels_fill(&m.panels, c, h->node, h->n, false);
		workers_run(c->threads, ((size_t)c->n + CHUNK - 1) / CHUNK, 1,
		    merge_chunk, &m);
	}
	for (i = 0; m.room && i < c->threads; i++)
		leaf_room_release(&m.room[i]);
	free(m.room);
	leaf_panels_release(&m.panels);
	return r;
}
