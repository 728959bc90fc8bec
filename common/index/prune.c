/* SPDX-License-Identifier: Apache-2.0 */
/* prune.c - of many neighbours, those that are worth a link. */
#include "index/prune.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/large.h"
#include "base/workers.h"

#define AHEAD 4			/* rows asked for before they are needed */
#define CHUNK 64		/* nodes that a thread takes at once */
#define BACKWARD 300		/* nodes that ask for it and are heard */

/* Whether a candidate is nearer to one of those that were kept. */
static bool
covered(const struct codes *c, uint64_t key, const uint32_t *kept, unsigned n,
    float factor)
{
	const float limit = near_distance(key);
	float distance[4];
	uint32_t last[4];
	unsigned i, j;

	for (i = 0; i + 4 <= n; i += 4) {
		codes_four(c, (uint32_t)key, kept + i, distance);
		for (j = 0; j < 4; j++)
			if (distance[j] * factor < limit)
				return true;
	}
	if (i == n)
		return false;
	for (j = 0; j < 4; j++)
		last[j] = kept[i + j < n ? i + j : i];
	codes_four(c, (uint32_t)key, last, distance);
	for (j = 0; i + j < n; j++)
		if (distance[j] * factor < limit)
			return true;
	return false;
}

unsigned
prune_select(const struct codes *c, const uint64_t *key,
    const uint8_t *mutual, unsigned n, unsigned most, float factor,
    uint64_t *out)
{
	uint32_t kept[PRUNE_MAX], others[PRUNE_MAX];
	unsigned i, kept_n = 0, others_n = 0;

	for (i = 0; i < n && i < AHEAD; i++)
		codes_prefetch(c, (uint32_t)key[i]);
	for (i = 0; i < n && kept_n < most; i++) {
		bool one = mutual && mutual[i];
		uint64_t k = key[i];

		if (i + AHEAD < n)
			codes_prefetch(c, (uint32_t)key[i + AHEAD]);

		if (one ? covered(c, k, others, others_n, factor) :
		    covered(c, k, kept, kept_n, factor))
			continue;
		if (!one)
			others[others_n++] = (uint32_t)k;
		kept[kept_n] = (uint32_t)k;
		out[kept_n++] = k;
	}
	return kept_n;
}

/* ---- level 0 ---- */

struct pruning {
	struct graph *g;
	const struct codes *c;
	const struct near *l;
	float factor;
	unsigned forced;
	unsigned asked;			/* links that a node asks for, at most */
	uint64_t *forward;		/* [n][asked] */
	uint8_t *count;
	uint64_t *backward;		/* those who ask, by whom they ask */
	size_t *at;
};

static void
ask(size_t i, unsigned worker, void *arg)
{
	struct pruning *p = arg;

	(void)worker;
	p->count[i] = (uint8_t)prune_select(p->c, near_list(p->l,
	    (uint32_t)i), NULL, p->l->count[i], p->asked, p->factor,
	    p->forward + i * p->asked);
}

/* Who asks for whom, in the order of those who ask. */
static int
turn_round(struct pruning *p)
{
	uint32_t n = p->g->n, i;
	size_t *to, all;
	unsigned j;

	for (i = 0; i < n; i++)
		for (j = 0; j < p->count[i]; j++)
			p->at[(uint32_t)p->forward[(size_t)i * p->asked + j] +
			    1]++;
	for (i = 0; i < n; i++)
		p->at[i + 1] += p->at[i];
	all = p->at[n];
	p->backward = malloc((all + 1) * sizeof(*p->backward));
	to = malloc(((size_t)n + 1) * sizeof(*to));
	if (!p->backward || !to) {
		free(to);
		return -1;
	}
	memcpy(to, p->at, ((size_t)n + 1) * sizeof(*to));
	for (i = 0; i < n; i++)
		for (j = 0; j < p->count[i]; j++) {
			uint64_t k = p->forward[(size_t)i * p->asked + j];

			p->backward[to[(uint32_t)k]++] =
			    (k & 0xffffffff00000000) | i;
		}
	free(to);
	return 0;
}

/* Both sides of a node's links, sorted, none twice; which of them it asked for
 * itself, in mutual. */
static unsigned
join(struct pruning *p, uint32_t node, uint64_t key[PRUNE_MAX],
    uint8_t mutual[PRUNE_MAX])
{
	const uint64_t *own = p->forward + (size_t)node * p->asked;
	uint64_t *other = p->backward + p->at[node];
	size_t others = p->at[node + 1] - p->at[node];
	unsigned i = 0, n = 0;
	size_t j = 0;

	near_sort(p->c->kernel, other, others);
	if (others > BACKWARD)
		others = BACKWARD;
	while (i < p->count[node] || j < others) {
		bool mine = j == others ||
		    (i < p->count[node] && own[i] <= other[j]);
		uint64_t k = mine ? own[i++] : other[j++];

		if (!mine && n > 0 && key[n - 1] == k)
			continue;
		mutual[n] = mine;
		key[n++] = k;
	}
	return n;
}

static bool
among(const uint64_t *key, unsigned n, uint32_t node)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if ((uint32_t)key[i] == node)
			return true;
	return false;
}

/* Add the nearest that are not there yet. */
static unsigned
fill(const struct pruning *p, uint32_t node, uint64_t *key, unsigned n)
{
	const uint64_t *near = near_list(p->l, node);
	unsigned most = graph_room0(p->g, node), i;

	if (most > p->g->m)
		most = p->g->m;

	for (i = 0; i < p->l->count[node] && n < most; i++)
		if (!among(key, n, (uint32_t)near[i]))
			key[n++] = near[i];
	return n;
}

/* Upper neighbours keep parts of the graph together that lie far apart. */
static unsigned
force(const struct pruning *p, uint32_t node, uint64_t *key, unsigned n)
{
	const struct graph *g = p->g;
	unsigned most = graph_room0(g, node), i, added;
	uint16_t *count;
	int level;

	for (level = 1; level <= g->level[node]; level++) {
		const uint32_t *link = graph_links(g, node, level, &count);

		for (i = *count, added = 0; i-- > 0 && added < p->forced &&
		    added < most;) {
			if (among(key, n, link[i]))
				continue;
			added++;
			if (n < most)
				key[n++] = link[i];
			else
				key[most - added] = link[i];
		}
	}
	return n;
}

static void
answer(size_t i, unsigned worker, void *arg)
{
	struct pruning *p = arg;
	struct graph *g = p->g;
	uint64_t key[PRUNE_MAX + 2 * GRAPH_M_MAX];
	uint8_t mutual[PRUNE_MAX];
	uint32_t node = (uint32_t)i, *link;
	unsigned most = graph_room0(g, node), n, j;
	uint16_t *count;

	(void)worker;
	n = join(p, node, key, mutual);
	if (n > most)
		n = prune_select(p->c, key, mutual, n, most, p->factor, key);
	n = fill(p, node, key, n);
	n = force(p, node, key, n);
	link = graph_links(g, node, 0, &count);
	for (j = 0; j < n; j++)
		link[j] = (uint32_t)key[j];
	*count = (uint16_t)n;
}

int
prune_level0(struct graph *g, const struct codes *c, const struct near *l,
    float factor, unsigned asked, unsigned forced, struct err *e)
{
	struct pruning p = { .g = g, .c = c, .l = l, .factor = factor,
	    .forced = forced };
	int r = 0;

	p.asked = asked < g->m0 ? asked : g->m0;
	if (p.asked > l->kept)
		p.asked = l->kept;
	p.forward = large_alloc(g->n, p.asked * sizeof(*p.forward));
	p.count = calloc((size_t)g->n + 1, 1);
	p.at = calloc((size_t)g->n + 2, sizeof(*p.at));
	if (!p.forward || !p.count || !p.at) {
		r = err_nomem(e);
	} else {
		workers_run(c->threads, g->n, CHUNK, ask, &p);
		if (turn_round(&p) < 0)
			r = err_nomem(e);
		else
			workers_run(c->threads, g->n, CHUNK, answer, &p);
	}
	large_free(p.forward);
	free(p.count);
	free(p.at);
	free(p.backward);
	return r;
}
