/* SPDX-License-Identifier: Apache-2.0 */
/* build.c - an HNSW graph over vectors. */
#include "index/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/workers.h"
#include "index/cluster.h"
#include "index/connect.h"
#include "index/leaf.h"
#include "index/measure.h"
#include "index/near.h"
#include "index/prune.h"
#include "index/upper.h"

#define FACTOR 1.05f
#define OVERLAP 6
#define FORCED 4
#define GOOD_ENOUGH 0.9
#define ROUNDS_MAX 4

void
build_release(struct build_result *b)
{
	graph_release(&b->graph);
	free(b->vector);
	free(b->copy);
	free(b->copy_of);
	*b = (struct build_result){ 0 };
}

/* ---- duplicates ---- */

struct fingerprint {
	uint64_t hash;
	uint32_t vector;
};

struct hashing {
	const struct vectors *v;
	struct fingerprint *print;
};

static void
hash_one(size_t i, unsigned worker, void *arg)
{
	struct hashing *h = arg;
	const uint8_t *p = vectors_at(h->v, (uint32_t)i);
	uint64_t a = h->v->dim, b = 1, x;
	size_t n = h->v->dim * 4, k;

	(void)worker;
	for (k = 0; k + 16 <= n; k += 16) {
		memcpy(&x, p + k, 8);
		a = (a ^ x) * 0x9e3779b97f4a7c15;
		a ^= a >> 29;
		memcpy(&x, p + k + 8, 8);
		b = (b ^ x) * 0xbf58476d1ce4e5b9;
		b ^= b >> 31;
	}
	for (; k < n; k++)
		a = (a ^ p[k]) * 0x94d049bb133111eb;
	a ^= b * 0x9e3779b97f4a7c15;
	h->print[i] = (struct fingerprint){ a ^ a >> 32, (uint32_t)i };
}

#define DIGIT 16		/* bits */

/* By hash, those of one hash in the order in which they come.  other: room for
 * as many.  The number of passes is even, so that they end where they were. */
static int
sort_prints(struct fingerprint *print, struct fingerprint *other, uint32_t n)
{
	uint32_t *at = malloc(sizeof(*at) << DIGIT), i, sum, count;
	unsigned shift;

	if (!at)
		return -1;
	for (shift = 0; shift < 64; shift += DIGIT) {
		struct fingerprint *from = print;

		memset(at, 0, sizeof(*at) << DIGIT);
		for (i = 0; i < n; i++)
			at[from[i].hash >> shift & 0xffff]++;
		for (i = sum = 0; i < 1u << DIGIT; i++) {
			count = at[i];
			at[i] = sum;
			sum += count;
		}
		for (i = 0; i < n; i++)
			other[at[from[i].hash >> shift & 0xffff]++] = from[i];
		print = other;
		other = from;
	}
	free(at);
	return 0;
}

/* Of each vector the first that is equal to it: first[i] == i if none is. */
static void
find_first(const struct vectors *v, const struct fingerprint *print,
    uint32_t *first)
{
	uint32_t i, j, k;

	for (i = 0; i < v->n; i = j) {
		first[print[i].vector] = print[i].vector;
		for (j = i + 1; j < v->n && print[j].hash == print[i].hash;
		    j++) {
			uint32_t own = print[j].vector;

			first[own] = own;
			/* of one hash, and yet different: hardly ever */
			for (k = i; k < j && first[own] == own; k++) {
				uint32_t other = print[k].vector;

				if (first[other] == other && memcmp(
				    vectors_at(v, own), vectors_at(v, other),
				    v->dim * 4) == 0)
					first[own] = other;
			}
		}
	}
}

/* find_first() of all vectors; to be freed.  NULL: no memory. */
static uint32_t *
firsts(const struct vectors *v, unsigned threads)
{
	size_t n = (size_t)v->n + 1;
	struct fingerprint *other = malloc(n * sizeof(*other));
	struct hashing h = { v, malloc(n * sizeof(*h.print)) };
	uint32_t *first = malloc(n * sizeof(*first));

	if (other && h.print && first) {
		workers_run(threads, v->n, 256, hash_one, &h);
		if (sort_prints(h.print, other, v->n) == 0) {
			find_first(v, h.print, first);
			free(other);
			free(h.print);
			return first;
		}
	}
	free(other);
	free(h.print);
	free(first);
	return NULL;
}

/* The different vectors into b->vector, the others beside; *n of them. */
static int
tell_apart(struct build_result *b, const struct vectors *v, unsigned threads,
    uint32_t *n)
{
	uint32_t *first = firsts(v, threads), i;

	if (!first)
		return -1;
	for (i = 0, *n = 0; i < v->n; i++)
		*n += first[i] == i;
	b->vector = malloc(((size_t)*n + 1) * sizeof(*b->vector));
	b->copy = malloc(((size_t)v->n - *n + 1) * sizeof(*b->copy));
	b->copy_of = malloc(((size_t)v->n - *n + 1) * sizeof(*b->copy_of));
	for (i = 0, *n = 0; b->vector && b->copy && b->copy_of && i < v->n;
	    i++) {
		if (first[i] == i) {
			b->vector[(*n)++] = i;
		} else {
			b->copy[b->copies] = i;
			b->copy_of[b->copies++] = first[i];
		}
	}
	free(first);
	return b->vector && b->copy && b->copy_of ? 0 : -1;
}

/* Copies know their nodes now, by the vectors that these are. */
static int
settle_copies(struct build_result *b, uint32_t vectors)
{
	uint32_t *node, i;

	if (b->copies == 0)
		return 0;
	node = malloc(((size_t)vectors + 1) * sizeof(*node));
	if (!node)
		return -1;
	for (i = 0; i < b->graph.n; i++)
		node[b->vector[i]] = i;
	for (i = 0; i < b->copies; i++)
		b->copy_of[i] = node[b->copy_of[i]];
	free(node);
	return 0;
}

/* ---- lists ---- */

struct leaves {
	const struct clusters *s;
	const struct codes *c;
	struct near *l;
	struct leaf_room *room;
};

static void
one_leaf(size_t i, unsigned worker, void *arg)
{
	struct leaves *x = arg;

	leaf_run(&x->room[worker], x->c, x->l, x->s->set[i].node,
	    x->s->set[i].n);
}

static int
larger_first(const void *a, const void *b)
{
	const struct cluster_set *x = a, *y = b;

	return x->n > y->n ? -1 : x->n < y->n;
}

static int
run_leaves(struct clusters *s, const struct codes *c, struct near *l,
    struct err *e)
{
	struct leaves x = { s, c, l, calloc(c->threads, sizeof(*x.room)) };
	unsigned w;
	int r = x.room ? 0 : err_nomem(e);

	for (w = 0; w < c->threads && r == 0; w++)
		r = leaf_room_init(&x.room[w], c, e);
	if (r == 0 && s->n > 0) {
		qsort(s->set, s->n, sizeof(*s->set), larger_first);
		workers_run(c->threads, s->n, 1, one_leaf, &x);
	}
	for (w = 0; x.room && w < c->threads; w++)
		leaf_room_release(&x.room[w]);
	free(x.room);
	return r;
}

/* Nodes that lie near one another come to lie near in memory, too. */
static int
reorder(struct build_result *b, struct clusters *s, struct codes *c,
    struct err *e)
{
	uint32_t *order = clusters_order(s, c->n), *vector, i;
	int r = -1;

	vector = malloc(((size_t)c->n + 1) * sizeof(*vector));
	if (!order || !vector) {
		err_nomem(e);
	} else if (codes_permute(c, order, e) == 0 &&
	    clusters_renumber(s, order, c->n, e) == 0) {
		for (i = 0; i < c->n; i++)
			vector[i] = b->vector[order[i]];
		memcpy(b->vector, vector, c->n * sizeof(*vector));
		r = 0;
	}
	free(order);
	free(vector);
	return r;
}

/* Lists that are good enough, in as many rounds as it takes. */
static int
make_lists(struct build_result *b, struct codes *c, struct near *l,
    const struct build_params *p, struct err *e)
{
	unsigned overlap = p->overlap ? p->overlap : OVERLAP;
	struct clusters s;
	int r;

	do {
		r = clusters_make(&s, c, overlap, p->seed + b->rounds, e);
		if (r == 0 && b->rounds == 0)
			r = reorder(b, &s, c, e);
		if (r == 0)
			r = run_leaves(&s, c, l, e);
		clusters_release(&s);
		b->rounds++;
		if (r == 0)
			r = measure_lists(c, l, &b->found, e);
	} while (r == 0 && b->found < GOOD_ENOUGH && b->rounds < ROUNDS_MAX);
	return r;
}

/* ---- the graph ---- */

/* Upper neighbours are candidates on level 0, too. */
static void
add_uppers(const struct graph *g, const struct codes *c, struct near *l)
{
	float distance[GRAPH_M_MAX];
	uint64_t key[GRAPH_M_MAX];
	uint16_t *count;
	uint32_t i, j;
	int level;

	for (i = 0; i < g->uppers; i++) {
		uint32_t node = g->upper_node[i];

		for (level = 1; level <= g->level[node]; level++) {
			const uint32_t *link = graph_links(g, node, level,
			    &count);

			codes_distances(c, node, link, *count, distance);
			for (j = 0; j < *count; j++)
				key[j] = near_key(distance[j], link[j]);
			near_sort(key, *count);
			near_merge(l, node, key, *count < NEAR_KEPT ?
			    *count : NEAR_KEPT);
		}
	}
}

static int
draw_levels(struct build_result *b, const struct build_params *p, uint32_t n,
    struct err *e)
{
	uint8_t *level = malloc((size_t)n + 1);
	uint32_t i;
	int r;

	if (!level)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		level[i] = graph_draw_level(b->vector[i], p->seed, p->m);
	r = graph_init(&b->graph, n, p->m, level, e);
	free(level);
	return r;
}

int
build(struct build_result *b, const struct vectors *v,
    const struct build_params *p, struct err *e)
{
	float factor = p->factor > 0 ? p->factor : FACTOR;
	struct codes c = { 0 };
	struct near l = { 0 };
	uint32_t n;
	int r;

	*b = (struct build_result){ 0 };
	if (tell_apart(b, v, p->threads, &n) < 0)
		return err_nomem(e);
	r = codes_make(&c, v, b->vector, n, p->ip, p->threads, e);
	if (r == 0)
		r = near_init(&l, n, e);
	if (r == 0)
		r = make_lists(b, &c, &l, p, e);
	if (r == 0)
		r = draw_levels(b, p, n, e);
	if (r == 0)
		r = upper_build(&b->graph, &c, p->ef_construction, p->seed, e);
	if (r == 0) {
		add_uppers(&b->graph, &c, &l);
		r = prune_level0(&b->graph, &c, &l, factor, FORCED, e);
	}
	if (r == 0)
		r = connect_all(&b->graph, &c, &l, &b->repaired, &b->left, e);
	if (r == 0 && settle_copies(b, v->n) < 0)
		r = err_nomem(e);
	near_release(&l);
	codes_release(&c);
	return r;
}
