/* SPDX-License-Identifier: Apache-2.0 */
/* build.c - an HNSW graph over vectors. */
#include "index/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/workers.h"
#include "index/cluster.h"
#include "index/connect.h"
#include "index/distinct.h"
#include "index/hubs.h"
#include "index/leaf.h"
#include "index/measure.h"
#include "index/near.h"
#include "index/prune.h"
#include "index/upper.h"

#define FACTOR 1.06f
#define FACTOR_FEW 1.08f	/* more links, of few nodes */
#define OVERLAP 7
#define OVERLAP_MORE 4		/* of that, at most, for an effort that is
				 * greater than usual */
#define OVERLAP_FEW 5		/* more of that, for few nodes */
#define FEW 50000
#define MANY 80000		/* and one more for many */
#define OVERLAP_HINTED 2	/* for nodes that an older graph knew */
#define EF_USUAL 100		/* Chroma's default ef_construction */
#define FORCED 2
#define OVERLAP_HUBS 1		/* where there are hubs */
#define GOOD_ENOUGH 0.8		/* of the true nearest in the lists: hnswlib's
				 * own graphs have no more ... */
#define FLAT 0.45		/* ... and where all is about equally far, so
				 * much less: measured, hnswlib's recall on
				 * uniform and gaussian sets of 32 to 768
				 * dimensions is met with this */
#define FLAT_SLOPE 1.5
#define GOOD_LEAST 0.25
#define TRUSTED 0.5		/* of what is good enough: what an older graph
				 * must have to be of use */
#define GOOD_CODES 0.8		/* of the true nearest that are so by codes */
#define ROUNDS_MAX 4

/* What is under way. */
struct building {
	struct build_result *b;
	const struct vectors *v;
	const struct build_params *p;
	uint32_t n;			/* nodes */
	uint32_t *node;			/* of each vector */
	struct codes c;
	struct near l;
	struct measure m;
	struct hubs h;
	const struct hints *hints;	/* if they are of use */
	double done, part;		/* of the whole; of what runs now */
};

void
build_release(struct build_result *b)
{
	graph_release(&b->graph);
	free(b->vector);
	free(b->copy);
	free(b->copy_of);
	*b = (struct build_result){ 0 };
}

/* Part of the whole is done; the next one begins, and is so much of what is
 * left: so it never goes back, however many rounds there are. */
static void
progress(struct building *x, double of_rest)
{
	x->done += x->part;
	x->part = x->done < 1 ? (1 - x->done) * of_rest : 0;
	if (x->p->progress)
		x->p->progress(x->p->arg, x->done < 1 ? x->done : 1);
}

/* ---- copies ---- */

/* The different vectors into b->vector, the others beside; *n of them. */
static int
tell_apart(struct build_result *b, const struct vectors *v, unsigned threads,
    uint32_t *n)
{
	uint32_t *first = distinct_find(v, threads), i;

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

/* The node of each vector: its own, or that of the one that it equals. */
static int
number_nodes(struct building *x, struct err *e)
{
	const struct build_result *b = x->b;
	uint32_t i;

	if (!x->node)
		x->node = malloc(((size_t)x->v->n + 1) * sizeof(*x->node));
	if (!x->node)
		return err_nomem(e);
	for (i = 0; i < x->n; i++)
		x->node[b->vector[i]] = i;
	for (i = 0; i < b->copies; i++)
		x->node[b->copy[i]] = x->node[b->copy_of[i]];
	return 0;
}

/* Copies get to know their nodes, and these keep room for them. */
static void
settle_copies(struct building *x)
{
	struct build_result *b = x->b;
	const unsigned most = b->graph.m < GRAPH_TREE ? b->graph.m :
	    GRAPH_TREE;
	uint32_t i;

	for (i = 0; i < b->copies; i++) {
		b->copy_of[i] = x->node[b->copy_of[i]];
		if (b->graph.reserved[b->copy_of[i]] < most)
			b->graph.reserved[b->copy_of[i]]++;
	}
}

/* ---- lists ---- */

struct leaves {
	struct building *x;
	const struct clusters *s;
	struct leaf_room *room;
};

static void
one_leaf(size_t i, unsigned worker, void *arg)
{
	struct leaves *w = arg;
	struct building *x = w->x;

	leaf_run(&w->room[worker], &x->c, &x->l, w->s->set[i].node,
	    w->s->set[i].n);
	if (worker == 0 && x->p->progress)
		x->p->progress(x->p->arg, x->done + x->part * (double)i /
		    (double)w->s->n);
}

static int
run_leaves(struct building *x, struct clusters *s, struct err *e)
{
	unsigned threads = x->c.threads, i;
	struct leaves w = { x, s, calloc(threads, sizeof(*w.room)) };
	int r = w.room ? 0 : err_nomem(e);

	for (i = 0; i < threads && r == 0; i++)
		r = leaf_room_init(&w.room[i], &x->c, e);
	if (r == 0)
		workers_run(threads, s->n, 4, one_leaf, &w);
	for (i = 0; w.room && i < threads; i++)
		leaf_room_release(&w.room[i]);
	free(w.room);
	return r;
}

/* Nodes that lie near one another come to lie near in memory, too. */
static int
reorder(struct building *x, struct clusters *s, struct err *e)
{
	uint32_t *order = cluster_order(s, x->n), *vector, i;
	int r = -1;

	vector = malloc(((size_t)x->n + 1) * sizeof(*vector));
	if (!order || !vector) {
		err_nomem(e);
	} else if (codes_permute(&x->c, order, e) == 0 &&
	    cluster_renumber(s, order, x->n, e) == 0 &&
	    measure_renumber(&x->m, order, x->n, e) == 0 &&
	    hubs_renumber(&x->h, order, x->n, e) == 0) {
		for (i = 0; i < x->n; i++)
			vector[i] = x->b->vector[order[i]];
		memcpy(x->b->vector, vector, x->n * sizeof(*vector));
		r = number_nodes(x, e);
	}
	free(order);
	free(vector);
	return r;
}

/* Candidates of a node: what hnswlib looks at with ef_construction 100 is more,
 * and gives the same links. */
static unsigned
kept(unsigned m)
{
	return m < 11 ? 32 : 3 * m > NEAR_KEPT_MAX ? NEAR_KEPT_MAX : 3 * m;
}

/* How often the effort doubles, as far as it counts. */
static unsigned
doubled(const struct building *x)
{
	unsigned ef, more = 0;

	for (ef = x->p->ef_construction; ef >= 2 * EF_USUAL &&
	    more < OVERLAP_MORE && !x->p->overlap; ef /= 2)
		more++;
	return more;
}

/* How many clusters a node is in: more in a small index, where it takes little,
 * and in a large one, where it is needed; one more each time the effort
 * doubles, and fewer, the more are known by hints, or found by hubs. */
static unsigned
overlap(const struct building *x)
{
	const struct hints *h = x->hints;
	unsigned most = x->p->overlap ? x->p->overlap : OVERLAP;

	if (x->n < FEW && !x->p->overlap)
		most += x->n < FEW / 2 ? OVERLAP_FEW : (FEW - x->n) *
		    OVERLAP_FEW / (FEW / 2);
	if (x->n >= MANY && !x->p->overlap)
		most++;
	most += doubled(x);
	if (x->b->rounds > 0)
		return most;
	if (x->h.n > 0 && most > OVERLAP_HUBS)
		return OVERLAP_HUBS + doubled(x);
	if (!h || h->n == 0 || most <= OVERLAP_HINTED)
		return most;
	return most - (unsigned)((uint64_t)(most - OVERLAP_HINTED) * h->known /
	    h->n);
}

/* What the lists should have of the true nearest. */
static double
good_enough(const struct building *x)
{
	double less = x->c.exact ? 0 : (x->m.flat - FLAT) * FLAT_SLOPE /
	    (1 + doubled(x)), good = GOOD_ENOUGH - (less > 0 ? less : 0);

	return good > GOOD_LEAST ? good : GOOD_LEAST;
}

/* What kind of data it is, and whether an older graph helps. */
static int
look(struct building *x, struct err *e)
{
	const struct build_params *p = x->p;
	double share = 1;

	if (measure_begin(&x->m, &x->c, e) < 0 ||
	    hubs_find(&x->h, &x->c, &x->m, e) < 0 || number_nodes(x, e) < 0)
		return -1;
	if (p->hints && hints_measure(p->hints, &x->c, x->b->vector, x->node,
	    &x->m, &share, e) < 0)
		return -1;
	x->hints = share < TRUSTED * good_enough(x) ? NULL : p->hints;
	return 0;
}

static int
one_round(struct building *x, struct err *e)
{
	const bool first = x->b->rounds == 0;
	struct clusters s = { 0 };
	int r = 0;

	progress(x, 1.0 / 6);
	if (first && !x->c.exact)
		r = look(x, e);
	if (r == 0)
		r = cluster_make(&s, &x->c, overlap(x), x->p->seed +
		    x->b->rounds, e);
	if (r == 0 && first && !x->c.exact)
		r = reorder(x, &s, e);
	if (r == 0 && first && x->h.n > 0)
		r = hubs_merge(&x->h, &x->c, &x->l, e);
	progress(x, 0.6);
	if (r == 0)
		r = run_leaves(x, &s, e);
	cluster_release(&s);
	if (r == 0 && first && x->hints)
		hints_merge(x->hints, &x->c, x->b->vector, x->node, &x->l);
	x->b->rounds++;
	return r;
}

/* Whether it is the codes that are not good enough. */
static bool
blind(const struct building *x)
{
	return x->m.codes < GOOD_CODES && !x->c.exact;
}

/* Lists that are good enough, in as many rounds as it takes. */
static int
make_rounds(struct building *x, struct err *e)
{
	x->b->rounds = 0;
	do {
		if (one_round(x, e) < 0)
			return -1;
		x->b->found = measure_lists(&x->m, &x->c, &x->l);
		if (x->b->found < good_enough(x) && blind(x))
			return 0;
	} while (x->b->found < good_enough(x) && x->b->rounds < ROUNDS_MAX);
	return 0;
}

/* The same without codes, where these cannot tell what is near. */
static int
make_lists(struct building *x, struct err *e)
{
	if (make_rounds(x, e) < 0)
		return -1;
	if (x->b->found >= good_enough(x) || !blind(x))
		return 0;
	x->b->exact = x->c.exact = true;
	hubs_release(&x->h);
	near_release(&x->l);
	return near_init(&x->l, x->n, kept(x->p->m), e) < 0 ? -1 :
	    make_rounds(x, e);
}

/* ---- the graph ---- */

/* Links that a node asks for: where nothing has structure none covers another,
 * so that all of them would be kept, and few do as well. */
static unsigned
asked(const struct building *x)
{
	return x->h.n > 0 ? x->p->m + x->p->m / 4 : 2 * x->p->m;
}

/* Upper neighbours are candidates on level 0, too. */
static void
add_uppers(struct building *x)
{
	const struct graph *g = &x->b->graph;
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

			codes_distances(&x->c, node, link, *count, distance);
			for (j = 0; j < *count; j++)
				key[j] = near_key(distance[j], link[j]);
			near_sort(x->c.kernel, key, *count);
			near_merge(&x->l, node, key, *count);
		}
	}
}

static int
draw_levels(struct building *x, struct err *e)
{
	uint8_t *level = malloc((size_t)x->n + 1);
	uint32_t i;
	int r;

	if (!level)
		return err_nomem(e);
	for (i = 0; i < x->n; i++)
		level[i] = graph_draw_level(x->b->vector[i], x->p->seed,
		    x->p->m);
	r = graph_init(&x->b->graph, x->n, x->p->m, level, e);
	free(level);
	return r;
}

static int
make_graph(struct building *x, struct err *e)
{
	const struct build_params *p = x->p;
	struct build_result *b = x->b;
	float factor = p->factor > 0 ? p->factor :
	    x->n < FEW ? FACTOR_FEW : FACTOR;

	if (draw_levels(x, e) < 0)
		return -1;
	settle_copies(x);
	progress(x, 1.0 / 3);
	/* where there are hubs, any way leads to them */
	if (upper_build(&b->graph, &x->c, x->h.n > 0 ? p->ef_construction / 2 :
	    p->ef_construction, p->seed, e) < 0)
		return -1;
	add_uppers(x);
	progress(x, 1);
	if (prune_level0(&b->graph, &x->c, &x->l, factor, asked(x),
	    FORCED, e) < 0 ||
	    connect_all(&b->graph, &x->c, &x->l, &b->repaired, &b->left,
	    e) < 0 ||
	    measure_graph(&x->m, &b->graph, &x->c, &b->recall, e) < 0)
		return -1;
	progress(x, 0);
	return 0;
}

int
build(struct build_result *b, const struct vectors *v,
    const struct build_params *p, struct err *e)
{
	struct building x = { .b = b, .v = v, .p = p };
	int r;

	*b = (struct build_result){ 0 };
	progress(&x, 0.1);
	if (tell_apart(b, v, p->threads, &x.n) < 0)
		return err_nomem(e);
	r = codes_make(&x.c, v, b->vector, x.n, p->ip, p->threads, e);
	if (r == 0)
		r = near_init(&x.l, x.n, kept(p->m), e);
	if (r == 0)
		r = make_lists(&x, e);
	if (r == 0)
		r = make_graph(&x, e);
	near_release(&x.l);
	hubs_release(&x.h);
	codes_release(&x.c);
	free(x.node);
	return r;
}

uint64_t
build_memory(uint32_t n, size_t dim, unsigned m, unsigned threads)
{
	const uint64_t leaf = n < LEAF_MAX ? n : LEAF_MAX;
	size_t code = (dim + KERNEL_ALIGN - 1) / KERNEL_ALIGN * KERNEL_ALIGN;
	size_t list = 8 * (size_t)kept(m) + 2, links = 8 * (size_t)m + 20;

	return (uint64_t)n * (code + sizeof(struct kernel_terms) + list +
	    links + PRUNE_MEMORY(2 * m)) +
	    codes_memory(code, threads) + threads * (leaf_memory(leaf, code) +
	    2 * (uint64_t)n);
}
