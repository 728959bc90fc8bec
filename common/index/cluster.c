/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - overlapping sets of nodes that lie near one another. */
#include "index/cluster.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/workers.h"
#include "index/assign.h"
#include "index/leaf.h"
#include "index/mix.h"
#include "index/near.h"

#ifdef CHROMAUTILS_ANALYZE	/* gcc 12: that loops which free may do nothing */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#define LEADERS_MAX 1600	/* beyond, the sets are divided again: that is
				 * cheaper and finds more */
#define LEADERS_AGAIN 256	/* when dividing again */
#define DEPTH_ONCE 3		/* from here on, no overlap */
#define DEPTH_MAX 6		/* here, cut anywhere */
#define PROBES 8		/* groups of leaders that a node looks into */
#define TOO_LARGE (3 * CLUSTER_LEAF)

_Static_assert(TOO_LARGE <= LEAF_MAX, "a set must fit into a leaf");

void
cluster_release(struct clusters *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->set[i].node);
	free(s->set);
	free(s->primary);
	*s = (struct clusters){ 0 };
}

/* ---- dividing ---- */

/* Leaders from all over the list. */
static void
draw(const uint32_t *node, uint32_t n, uint32_t *leader, uint32_t leaders,
    uint64_t seed)
{
	uint32_t i, from, to;

	for (i = 0; i < leaders; i++) {
		from = (uint32_t)((uint64_t)i * n / leaders);
		to = (uint32_t)((uint64_t)(i + 1) * n / leaders);
		leader[i] = node[from + mix64(seed + i) % (to - from)];
	}
}

static void
free_sets(struct cluster_set *set, uint32_t n)
{
	uint32_t i;

	for (i = 0; set && i < n; i++)
		free(set[i].node);
	free(set);
}

/* Members of each leader's set, from the lists of their leaders.  The sets, to
 * be freed; NULL: no memory. */
static struct cluster_set *
gather(const struct near *to, const uint32_t *node, uint32_t leaders)
{
	struct cluster_set *set = calloc((size_t)leaders + 1,
	    sizeof(*set)), *own;
	const uint64_t *key;
	uint32_t l, i;
	unsigned f;

	if (!set)
		return NULL;
	for (i = 0; i < to->n; i++)
		for (key = near_list(to, i), f = 0; f < to->count[i]; f++)
			set[(uint32_t)key[f]].n++;
	for (l = 0; l < leaders; l++) {
		set[l].node = malloc(((size_t)set[l].n + 1) *
		    sizeof(uint32_t));
		if (!set[l].node) {
			free_sets(set, leaders);
			return NULL;
		}
		set[l].n = 0;
		set[l].rank = l;
	}
	for (i = 0; i < to->n; i++)
		for (key = near_list(to, i), f = 0; f < to->count[i]; f++) {
			own = &set[(uint32_t)key[f]];
			own->node[own->n++] = node[i];
		}
	return set;
}

/* Divide nodes among leaders.  The sets, to be freed; NULL: no memory. */
static struct cluster_set *
divide(const struct codes *c, const uint32_t *node, uint32_t n,
    const uint32_t *leader, uint32_t leaders, unsigned overlap,
    unsigned threads)
{
	struct near to = { 0 };
	struct assign a = { .c = c, .node = node, .n = n,
	    .most = overlap, .to = &to };
	struct cluster_set *set = NULL;
	struct err ignored;

	if (near_init(&to, n, overlap, &ignored) == 0 &&
	    assign_run(&a, leader, leaders, threads) == 0)
		set = gather(&to, node, leaders);
	near_release(&to);
	return set;
}

/* ---- the first time: many leaders, in groups ---- */

struct grouping {
	const struct codes *c;
	unsigned overlap;
	uint32_t groups;
	uint32_t *leader;		/* group by group */
	uint32_t leaders;
	struct cluster_set *group;	/* the leaders of each ... */
	struct cluster_set *nodes;	/* ... and the nodes near to it */
	struct near to;			/* of each node: its leaders */
};

static void
grouping_release(struct grouping *g)
{
	free_sets(g->group, g->groups);
	free_sets(g->nodes, g->groups);
	free(g->leader);
	near_release(&g->to);
}

/* Leaders in groups, and who is near to these.  all: the nodes, 0, 1, 2 ... */
static int
make_groups(struct grouping *g, const uint32_t *all, uint64_t seed)
{
	const struct codes *c = g->c;
	uint32_t *leader = malloc(g->leaders * sizeof(*leader));
	uint32_t *head = malloc(g->groups * sizeof(*head)), i, n = 0;
	unsigned probes;

	g->leader = malloc(g->leaders * sizeof(*g->leader));
	if (leader && head && g->leader) {
		draw(all, c->n, leader, g->leaders, seed);
		draw(leader, g->leaders, head, g->groups, seed);
		g->group = divide(c, leader, g->leaders, head, g->groups, 1,
		    c->threads);
		probes = g->overlap + 2 < PROBES ? g->overlap + 2 : PROBES;
		g->nodes = divide(c, all, c->n, head, g->groups,
		    g->groups < probes ? g->groups : probes, c->threads);
	}
	free(leader);
	free(head);
	if (!g->group || !g->nodes)
		return -1;
	for (i = 0; i < g->groups; i++) {
		memcpy(g->leader + n, g->group[i].node, g->group[i].n *
		    sizeof(*g->leader));
		n += g->group[i].n;
	}
	return 0;
}

/* Each node to the nearest leaders of the groups near to it.  The sets, to be
 * freed; NULL: no memory. */
static struct cluster_set *
divide_all(const struct codes *c, const uint32_t *all, uint32_t leaders,
    unsigned overlap, uint64_t seed, uint32_t *primary)
{
	struct grouping g = { .c = c, .overlap = overlap, .groups = 1,
	    .leaders = leaders };
	struct cluster_set *set = NULL;
	struct err ignored;
	uint32_t i, first = 0;
	int r;

	while (g.groups * g.groups < leaders)
		g.groups++;
	r = make_groups(&g, all, seed);
	if (r == 0)
		r = near_init(&g.to, c->n, overlap, &ignored);
	for (i = 0; r == 0 && i < g.groups; i++) {
		struct assign a = { .c = c, .node = g.nodes[i].node,
		    .n = g.nodes[i].n, .most = overlap, .first = first,
		    .to = &g.to, .by_node = true };

		if (g.group[i].n > 0)
			r = assign_run(&a, g.leader + first, g.group[i].n,
			    c->threads);
		first += g.group[i].n;
	}
	if (r == 0)
		set = gather(&g.to, all, leaders);
	for (i = 0; r == 0 && i < c->n; i++)
		primary[i] = g.to.count[i] > 0 ? (uint32_t)near_list(&g.to,
		    i)[0] : 0;
	grouping_release(&g);
	return set;
}

/* ---- all of it ---- */

struct dividing {
	struct clusters *s;
	const struct codes *c;
	struct cluster_set *top;
	uint64_t seed;
	pthread_mutex_t lock;
	bool failed;
};

/* The set is *s's now. */
static void
keep(struct dividing *d, struct cluster_set set)
{
	struct clusters *s = d->s;
	struct cluster_set *grown;

	if (set.n < 2) {
		free(set.node);
		return;
	}
	pthread_mutex_lock(&d->lock);
	if (s->n == s->room) {
		grown = reallocarray(s->set, s->room ? 2 * s->room : 256,
		    sizeof(*grown));
		if (grown) {
			s->set = grown;
			s->room = s->room ? 2 * s->room : 256;
		}
	}
	if (s->n < s->room)
		s->set[s->n++] = set;
	else {
		d->failed = true;
		free(set.node);
	}
	pthread_mutex_unlock(&d->lock);
}

static void
fail(struct dividing *d)
{
	pthread_mutex_lock(&d->lock);
	d->failed = true;
	pthread_mutex_unlock(&d->lock);
}

/* Cut anywhere what does not divide: it is as good as one point. */
static void
cut(struct dividing *d, struct cluster_set set)
{
	uint32_t at, some;

	for (at = 0; at < set.n; at += some) {
		struct cluster_set part = { .rank = set.rank };

		some = set.n - at < CLUSTER_LEAF ? set.n - at : CLUSTER_LEAF;
		part.node = malloc(some * sizeof(*part.node));
		if (!part.node) {
			fail(d);
			break;
		}
		memcpy(part.node, set.node + at, some * sizeof(*part.node));
		part.n = some;
		keep(d, part);
	}
	free(set.node);
}

/* Divide until it fits; the nodes are taken over. */
static void
descend(struct dividing *d, struct cluster_set set, int depth)
{
	uint32_t leaders = set.n * 2 / CLUSTER_LEAF + 1, i;
	uint32_t leader[LEADERS_AGAIN];
	struct cluster_set *sub;

	if (set.n <= TOO_LARGE) {
		keep(d, set);
		return;
	}
	if (depth > DEPTH_MAX) {
		cut(d, set);
		return;
	}
	if (leaders > LEADERS_AGAIN)
		leaders = LEADERS_AGAIN;
	draw(set.node, set.n, leader, leaders, d->seed + set.n);
	sub = divide(d->c, set.node, set.n, leader, leaders,
	    depth > DEPTH_ONCE ? 1 : 2, 1);
	free(set.node);
	if (!sub) {
		fail(d);
		return;
	}
	for (i = 0; i < leaders; i++) {
		sub[i].rank = set.rank;
		descend(d, sub[i], depth + 1);
	}
	free(sub);
}

static void
descend_one(size_t i, unsigned worker, void *arg)
{
	struct dividing *d = arg;

	(void)worker;
	descend(d, d->top[i], 1);
}

static int
by_rank(const void *a, const void *b)
{
	const struct cluster_set *x = a, *y = b;

	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

int
cluster_make(struct clusters *s, const struct codes *c, unsigned overlap,
    uint64_t seed, struct err *e)
{
	struct dividing d = { .s = s, .c = c, .seed = seed,
	    .lock = PTHREAD_MUTEX_INITIALIZER };
	uint32_t *all = malloc(((size_t)c->n + 1) * sizeof(*all)), i;
	uint64_t leaders = (uint64_t)c->n * overlap / CLUSTER_LEAF;
	int r;

	*s = (struct clusters){ 0 };
	s->primary = calloc((size_t)c->n + 1, sizeof(*s->primary));
	if (!all || !s->primary) {
		free(all);
		return err_nomem(e);
	}
	for (i = 0; i < c->n; i++)
		all[i] = i;
	if (c->n <= TOO_LARGE) {
		s->leaders = 1;
		keep(&d, (struct cluster_set){ all, c->n, 0 });
		return d.failed ? err_nomem(e) : 0;
	}
	s->leaders = leaders < 2 ? 2 : leaders > LEADERS_MAX ? LEADERS_MAX :
	    (uint32_t)leaders;
	d.top = divide_all(c, all, s->leaders, overlap, seed, s->primary);
	free(all);
	if (d.top) {
		workers_run(c->threads, s->leaders, 1, descend_one, &d);
		qsort(s->set, s->n, sizeof(*s->set), by_rank);
	}
	r = !d.top || d.failed ? err_nomem(e) : 0;
	free(d.top);
	return r;
}

uint32_t *
cluster_order(const struct clusters *s, uint32_t n)
{
	uint32_t *at = calloc((size_t)s->leaders + 1, sizeof(*at));
	uint32_t *order = malloc(((size_t)n + 1) * sizeof(*order)), i;

	if (at && order) {
		for (i = 0; i < n; i++)
			at[s->primary[i] + 1]++;
		for (i = 0; i < s->leaders; i++)
			at[i + 1] += at[i];
		for (i = 0; i < n; i++)
			order[at[s->primary[i]]++] = i;
		free(at);
		return order;
	}
	free(at);
	free(order);
	return NULL;
}

int
cluster_renumber(struct clusters *s, const uint32_t *order, uint32_t n,
    struct err *e)
{
	uint32_t *to = malloc(((size_t)n + 1) * sizeof(*to)), i;
	size_t k;

	if (!to)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		to[order[i]] = i;
	for (k = 0; k < s->n; k++)
		for (i = 0; i < s->set[k].n; i++)
			s->set[k].node[i] = to[s->set[k].node[i]];
	free(to);
	return 0;
}
