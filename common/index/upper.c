/* SPDX-License-Identifier: Apache-2.0 */
/* upper.c - the links of the upper levels, by insertion. */
#include "index/upper.h"

#include <stdlib.h>

#include "base/workers.h"
#include "index/mix.h"
#include "index/near.h"
#include "index/prune.h"
#include "index/search.h"

#define EF_MAX (PRUNE_MAX - GRAPH_M_MIN)
#define BATCH_MIN 32		/* a batch is an eighth of what is there, or
				 * this many, or all that is there */

/* A link that goes back: node `to' gets `key'. */
struct back {
	uint32_t to;
	uint64_t key;
};

struct inserting {
	struct graph *g;
	const struct codes *c;
	unsigned ef;
	struct search *search;		/* of each thread */
	const uint32_t *batch;
	uint64_t *found;		/* [batch][levels][m] */
	uint16_t *found_n;
	unsigned levels;
	int level;			/* that links go back on */
	const struct back *back;
	const size_t *group;		/* where each `to' begins */
};

/* ---- looking ---- */

/* What a node of the batch would be linked to. */
static void
look(size_t i, unsigned worker, void *arg)
{
	struct inserting *in = arg;
	const struct graph *g = in->g;
	struct search *s = &in->search[worker];
	uint32_t node = in->batch[i], start = g->entry;
	unsigned n;
	int level;

	for (level = g->max_level; level > 0; level--) {
		bool own = level <= g->level[node];
		size_t at = i * in->levels + (size_t)level - 1;

		n = search_level(s, g, in->c, node, level, start,
		    own ? in->ef : 1);
		start = (uint32_t)s->pool[0];
		if (own)
			in->found_n[at] = (uint16_t)prune_select(in->c,
			    s->pool, NULL, n, g->m, 1, in->found + at * g->m);
	}
}

/* ---- linking ---- */

static int
compare_back(const void *a, const void *b)
{
	const struct back *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

/* One node gets links back; too many are pruned. */
static void
link_back(size_t i, unsigned worker, void *arg)
{
	const struct inserting *in = arg;
	const struct back *b = in->back + in->group[i];
	size_t n = in->group[i + 1] - in->group[i], j;
	uint64_t key[PRUNE_MAX + GRAPH_M_MAX];
	float distance[GRAPH_M_MAX];
	uint16_t *count;
	uint32_t *link = graph_links(in->g, b->to, in->level, &count);
	unsigned all = *count;

	(void)worker;
	codes_distances(in->c, b->to, link, all, distance);
	for (j = 0; j < all; j++)
		key[j] = near_key(distance[j], link[j]);
	for (j = 0; j < n && all < PRUNE_MAX; j++)
		key[all++] = b[j].key;
	near_sort(in->c->kernel, key, all);
	if (all > in->g->m)
		all = prune_select(in->c, key, NULL, all, in->g->m, 1, key);
	for (j = 0; j < all; j++)
		link[j] = (uint32_t)key[j];
	*count = (uint16_t)all;
}

/* The batch gets its links on one level, and gives them back. */
static void
link_level(struct inserting *in, uint32_t n, struct back *back, size_t *group)
{
	const struct graph *g = in->g;
	size_t backs = 0, groups = 0, at, j;
	uint16_t *count;
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint32_t node = in->batch[i], *link;

		if (g->level[node] < in->level)
			continue;
		at = (size_t)i * in->levels + (size_t)in->level - 1;
		link = graph_links(g, node, in->level, &count);
		for (j = 0; j < in->found_n[at]; j++) {
			uint64_t key = in->found[at * g->m + j];

			link[j] = (uint32_t)key;
			back[backs++] = (struct back){ (uint32_t)key,
			    (key & 0xffffffff00000000) | node };
		}
		*count = in->found_n[at];
	}
	qsort(back, backs, sizeof(*back), compare_back);
	for (j = 0; j < backs; j++)
		if (j == 0 || back[j].to != back[j - 1].to)
			group[groups++] = j;
	group[groups] = backs;
	in->back = back;
	in->group = group;
	workers_run(in->c->threads, groups, 8, link_back, in);
}

/* ---- batches ---- */

/* The upper nodes but the entry, shuffled. */
static uint32_t
shuffle(const struct graph *g, uint32_t *order, uint64_t seed)
{
	uint32_t n = 0, i, j, node;

	for (i = 0; i < g->uppers; i++)
		if (g->upper_node[i] != g->entry)
			order[n++] = g->upper_node[i];
	for (i = n; i > 1; i--) {
		j = (uint32_t)(mix64(seed + i) % i);
		node = order[i - 1];
		order[i - 1] = order[j];
		order[j] = node;
	}
	return n;
}

static int
insert(struct inserting *in, uint32_t *order, uint64_t seed, uint32_t most,
    struct err *e)
{
	uint32_t n = shuffle(in->g, order, seed), at, some;
	size_t links = (size_t)most * in->g->m;
	struct back *back = calloc(links + 1, sizeof(*back));
	size_t *group = calloc(links + 2, sizeof(*group));
	int r = back && group ? 0 : err_nomem(e);

	for (at = 0; at < n && r == 0; at += some) {
		some = at / 8 > BATCH_MIN ? at / 8 : BATCH_MIN;
		some = some > at + 1 ? at + 1 : some;
		some = some > n - at ? n - at : some;
		in->batch = order + at;
		workers_run(in->c->threads, some, 1, look, in);
		for (in->level = 1; in->level <= in->g->max_level;
		    in->level++)
			link_level(in, some, back, group);
	}
	free(back);
	free(group);
	return r;
}

int
upper_build(struct graph *g, const struct codes *c, unsigned ef,
    uint64_t seed, struct err *e)
{
	unsigned least = ef < g->m ? g->m : ef;
	struct inserting in = { .g = g, .c = c,
	    .ef = least > EF_MAX ? EF_MAX : least,
	    .levels = g->max_level > 0 ? (unsigned)g->max_level : 0 };
	uint32_t most = g->uppers / 8 + BATCH_MIN + 1;
	uint32_t *order = malloc(((size_t)g->uppers + 1) * sizeof(*order));
	unsigned i;
	int r = 0;

	in.search = calloc(c->threads, sizeof(*in.search));
	in.found = calloc((size_t)most * in.levels * g->m + 1,
	    sizeof(*in.found));
	in.found_n = calloc((size_t)most * in.levels + 1,
	    sizeof(*in.found_n));
	if (!order || !in.search || !in.found || !in.found_n)
		r = err_nomem(e);
	for (i = 0; r == 0 && i < c->threads; i++)
		r = search_init(&in.search[i], g, in.ef, e);
	if (r == 0 && in.levels > 0)
		r = insert(&in, order, seed, most, e);
	for (i = 0; in.search && i < c->threads; i++)
		search_release(&in.search[i]);
	free(in.search);
	free(in.found);
	free(in.found_n);
	free(order);
	return r;
}
