/* SPDX-License-Identifier: Apache-2.0 */
/* upper.c - the links of the upper levels, by insertion. */
#include "index/upper.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/workers.h"
#include "index/near.h"
#include "index/prune.h"

#define EF_MAX (PRUNE_MAX - GRAPH_M_MIN)
#define BATCH_MIN 32		/* a batch is an eighth of what is there, or
				 * this many, or all that is there */

/* Of each thread. */
struct context {
	uint16_t *seen;			/* by number of the upper node */
	uint16_t tag;
	uint64_t *pool;			/* sorted; the lowest bit of a node's
					 * number is kept apart: */
	uint8_t *done;			/* it was looked from */
};

/* A link that goes back: node `to' gets `key'. */
struct back {
	uint32_t to;
	uint64_t key;
};

struct inserting {
	struct graph *g;
	const struct codes *c;
	unsigned ef;
	struct context *context;
	const uint32_t *batch;
	uint64_t *found;		/* [batch][levels][m] */
	uint16_t *found_n;
	unsigned levels;
	int level;			/* that links go back on */
	const struct back *back;
	const size_t *group;		/* where each `to' begins */
};

/* ---- searching ---- */

static uint64_t
key_of(const struct codes *c, uint32_t from, uint32_t to)
{
	float distance;

	codes_distances(c, from, &to, 1, &distance);
	return near_key(distance, to);
}

/* Put a key in its place; *n grows up to ef.  Where it stands. */
static unsigned
put(struct context *x, unsigned *n, unsigned ef, uint64_t key)
{
	unsigned a = 0, b = *n;

	while (a < b) {
		unsigned h = (a + b) / 2;

		if (x->pool[h] <= key)
			a = h + 1;
		else
			b = h;
	}
	if (*n < ef)
		++*n;
	memmove(x->pool + a + 1, x->pool + a, (*n - 1 - a) *
	    sizeof(*x->pool));
	memmove(x->done + a + 1, x->done + a, *n - 1 - a);
	x->pool[a] = key;
	x->done[a] = 0;
	return a;
}

static bool
first_time(const struct graph *g, struct context *x, uint32_t node)
{
	uint16_t *seen = &x->seen[g->upper_of[node]];

	if (*seen == x->tag)
		return false;
	*seen = x->tag;
	return true;
}

/* The nearest to a node on a level, from a start: the pool; their number. */
static unsigned
search(const struct inserting *in, struct context *x, uint32_t node,
    int level, uint64_t start, unsigned ef)
{
	const struct graph *g = in->g;
	uint32_t fresh[GRAPH_M_MAX];
	float distance[GRAPH_M_MAX];
	unsigned n = 0, at = 0, low, m, i;
	uint16_t *count;

	if (++x->tag == 0) {
		memset(x->seen, 0, g->uppers * sizeof(*x->seen));
		x->tag = 1;
	}
	(void)first_time(g, x, (uint32_t)start);
	put(x, &n, ef, start);
	while (at < n) {
		const uint32_t *link;

		if (x->done[at]) {
			at++;
			continue;
		}
		x->done[at] = 1;
		link = graph_links(g, (uint32_t)x->pool[at], level, &count);
		for (m = i = 0; i < *count; i++)
			if (first_time(g, x, link[i]))
				fresh[m++] = link[i];
		codes_distances(in->c, node, fresh, m, distance);
		low = at + 1;
		for (i = 0; i < m; i++) {
			uint64_t key = near_key(distance[i], fresh[i]);

			if (n == ef && key >= x->pool[n - 1])
				continue;
			key = put(x, &n, ef, key);
			if (key < low)
				low = (unsigned)key;
		}
		at = low;
	}
	return n;
}

/* What a node of the batch would be linked to. */
static void
look(size_t i, unsigned worker, void *arg)
{
	struct inserting *in = arg;
	const struct graph *g = in->g;
	struct context *x = &in->context[worker];
	uint32_t node = in->batch[i];
	uint64_t start = key_of(in->c, node, g->entry);
	unsigned n;
	int level;

	for (level = g->max_level; level > 0; level--) {
		bool own = level <= g->level[node];
		size_t at = i * in->levels + (size_t)level - 1;

		n = search(in, x, node, level, start, own ? in->ef : 1);
		start = x->pool[0];
		if (own)
			in->found_n[at] = (uint16_t)prune_select(in->c,
			    x->pool, NULL, n, g->m, 1, in->found + at * g->m);
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
	near_sort(key, all);
	if (all > in->g->m)
		all = prune_select(in->c, key, NULL, all, in->g->m, 1, key);
	for (j = 0; j < all; j++)
		link[j] = (uint32_t)key[j];
	*count = (uint16_t)all;
}

/* The batch gets its links on one level, and gives them back. */
static int
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
		at = i * in->levels + (size_t)in->level - 1;
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
	return 0;
}

/* ---- batches ---- */

static uint64_t
mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* The upper nodes but the entry, shuffled. */
static uint32_t
shuffle(const struct graph *g, uint32_t *order, uint64_t seed)
{
	uint32_t n = 0, i, j, node;

	for (i = 0; i < g->uppers; i++)
		if (g->upper_node[i] != g->entry)
			order[n++] = g->upper_node[i];
	for (i = n; i > 1; i--) {
		j = (uint32_t)(mix(seed + i) % i);
		node = order[i - 1];
		order[i - 1] = order[j];
		order[j] = node;
	}
	return n;
}

static int
insert(struct inserting *in, uint32_t *order, uint64_t seed, uint32_t most)
{
	uint32_t n = shuffle(in->g, order, seed), at, some;
	size_t links = (size_t)most * in->g->m;
	struct back *back = calloc(links + 1, sizeof(*back));
	size_t *group = calloc(links + 2, sizeof(*group));
	int r = back && group ? 0 : -1;

	for (at = 0; at < n && r == 0; at += some) {
		some = at / 8 > BATCH_MIN ? at / 8 : BATCH_MIN;
		some = some > at + 1 ? at + 1 : some;
		some = some > n - at ? n - at : some;
		in->batch = order + at;
		workers_run(in->c->threads, some, 1, look, in);
		for (in->level = 1; in->level <= in->g->max_level &&
		    r == 0; in->level++)
			r = link_level(in, some, back, group);
	}
	free(back);
	free(group);
	return r;
}

int
upper_build(struct graph *g, const struct codes *c, unsigned ef,
    uint64_t seed, struct err *e)
{
	struct inserting in = { .g = g, .c = c,
	    .ef = ef > EF_MAX ? EF_MAX : ef < g->m ? g->m : ef,
	    .levels = g->max_level > 0 ? (unsigned)g->max_level : 0 };
	uint32_t most = g->uppers / 8 + BATCH_MIN + 1;
	uint32_t *order = malloc(((size_t)g->uppers + 1) * sizeof(*order));
	unsigned i;
	int r = 0;

	if (in.ef > EF_MAX)
		in.ef = EF_MAX;
	in.context = calloc(c->threads, sizeof(*in.context));
	in.found = calloc((size_t)most * in.levels * g->m + 1,
	    sizeof(*in.found));
	in.found_n = calloc((size_t)most * in.levels + 1,
	    sizeof(*in.found_n));
	if (!order || !in.context || !in.found || !in.found_n)
		r = -1;
	for (i = 0; r == 0 && i < c->threads; i++) {
		struct context *x = &in.context[i];

		x->seen = calloc((size_t)g->uppers + 1, sizeof(*x->seen));
		x->pool = calloc(in.ef + 1, sizeof(*x->pool));
		x->done = calloc(in.ef + 1, 1);
		if (!x->seen || !x->pool || !x->done)
			r = -1;
	}
	if (r == 0 && in.levels > 0)
		r = insert(&in, order, seed, most);
	for (i = 0; in.context && i < c->threads; i++) {
		free(in.context[i].seen);
		free(in.context[i].pool);
		free(in.context[i].done);
	}
	free(in.context);
	free(in.found);
	free(in.found_n);
	free(order);
	return r < 0 ? err_nomem(e) : 0;
}
