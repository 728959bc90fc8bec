/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - how good codes, lists and graphs are, by a sample. */
#include "index/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/large.h"
#include "base/workers.h"
#include "index/search.h"

#define CHUNK 64		/* times four nodes: a thread takes them at once */
#define NEAR 256		/* by codes: if these are any good, the
				 * nearest are among so many ... */
#define DOUBTFUL 0.9		/* ... and below this they may be not */

/* The nearest of each of the sample, sorted; what is not there is above all. */
struct nearest {
	uint64_t exact[MEASURE_SAMPLE][MEASURE_K];
	uint64_t code[MEASURE_SAMPLE][NEAR];
};

struct measuring {
	const struct codes *c;
	struct measure *m;
	struct nearest *nearest;	/* of each thread */
};

/* Into a sorted list of so many. */
static void
put(uint64_t *k, unsigned most, uint64_t key)
{
	unsigned t;

	if (key >= k[most - 1])
		return;
	for (t = most - 1; t > 0 && k[t - 1] > key; t--)
		k[t] = k[t - 1];
	k[t] = key;
}

/* Four nodes, with all of the sample. */
static void
measure_four(size_t i, unsigned worker, void *arg)
{
	const struct measuring *x = arg;
	struct nearest *own = &x->nearest[worker];
	float distance[4];
	uint32_t to[4], n = 0, s, k;

	for (k = 0; k < 4; k++) {
		to[k] = (uint32_t)(4 * i + k);
		if (to[k] < x->c->n)
			n++;
		else
			to[k] = x->c->n - 1;
	}
	for (s = 0; s < x->m->n; s++) {
		codes_four(x->c, x->m->node[s], to, distance);
		for (k = 0; k < n; k++)
			if (to[k] != x->m->node[s])
				put(own->code[s], NEAR, near_key(distance[k],
				    to[k]));
	}
}

/* The nearest of those that are near by codes. */
static void
refine(size_t s, unsigned worker, void *arg)
{
	const struct measuring *x = arg;
	struct nearest *all = &x->nearest[0];
	float distance[4];
	uint32_t to[4], k;
	unsigned i;

	(void)worker;
	for (i = 0; i < NEAR && all->code[s][i] != UINT64_MAX; i += 4) {
		for (k = 0; k < 4; k++)
			to[k] = (uint32_t)all->code[s][i + k < NEAR && all->
			    code[s][i + k] != UINT64_MAX ? i + k : i];
		codes_four_exact(x->c, x->m->node[s], to, distance);
		for (k = 0; k < 4; k++)
			if (k == 0 || to[k] != to[0])
				put(all->exact[s], MEASURE_K, near_key(
				    distance[k], to[k]));
	}
}

/* ---- comparing ---- */

struct score {
	uint64_t all, had;
};

static double
share_of(const struct score *score)
{
	return score->all == 0 ? 1 : (double)score->had / (double)score->all;
}

/* Of n keys, those that are as near to node s of the sample as its nearest. */
static void
compare(struct score *score, const struct measure *m, const struct codes *c,
    uint32_t s, const uint64_t *key, unsigned n)
{
	unsigned i, had = 0;
	uint32_t to[4];
	float exact[4];

	for (i = 0; i < n && had < m->others[s]; i++) {
		to[0] = to[1] = to[2] = to[3] = (uint32_t)key[i];
		if (to[0] == m->node[s])
			continue;
		codes_four_exact(c, m->node[s], to, exact);
		had += exact[0] <= m->last[s];
	}
	score->had += had;
	score->all += m->others[s];
}

/* The nearest, by these codes first. */
static void
find_nearest(struct measuring *x)
{
	struct nearest *all = &x->nearest[0];
	struct measure *m = x->m;
	unsigned w, t;
	uint32_t s;

	memset(x->nearest, 0xff, x->c->threads * sizeof(*x->nearest));
	workers_run(x->c->threads, ((size_t)x->c->n + 3) / 4, CHUNK,
	    measure_four, x);
	for (s = 0; s < m->n; s++)
		for (w = 1; w < x->c->threads; w++)
			for (t = 0; t < NEAR; t++)
				put(all->code[s], NEAR,
				    x->nearest[w].code[s][t]);
	workers_run(x->c->threads, m->n, 1, refine, x);
	for (s = 0; s < m->n; s++) {
		for (t = 0; t < MEASURE_K && all->exact[s][t] != UINT64_MAX;
		    t++) {
			m->nearest[s][t] = (uint32_t)all->exact[s][t];
			m->last[s] = near_distance(all->exact[s][t]);
		}
		m->others[s] = t;
	}
}

/* How good the codes are; where that is in doubt, the nearest are found without
 * them. */
static void
measure_codes(struct measuring *x)
{
	uint64_t best[MEASURE_SAMPLE][MEASURE_K];
	const struct codes *coarse = x->c;
	struct codes exact = *coarse;
	struct score score = { 0 }, again = { 0 };
	uint32_t s;

	for (s = 0; s < x->m->n; s++) {
		memcpy(best[s], x->nearest[0].code[s], sizeof(best[s]));
		compare(&score, x->m, &exact, s, best[s], x->m->others[s]);
	}
	x->m->codes = share_of(&score);
	if (x->m->codes >= DOUBTFUL || exact.exact)
		return;
	exact.exact = true;
	x->c = &exact;
	find_nearest(x);
	for (s = 0; s < x->m->n; s++)
		compare(&again, x->m, &exact, s, best[s], x->m->others[s]);
	x->c = coarse;
	x->m->codes = share_of(&again);
}

/* The mean distance from a node is |x|^2 and the mean of all |y|^2, for the
 * mean of l2 codes is 0. */
static void
measure_flat(struct measure *m, const struct codes *c)
{
	double all = 0, mean = 0, apart;
	uint32_t i;

	for (i = 0; i < c->n; i++)
		mean += (double)c->terms[i].squared / (double)c->n;
	for (i = 0; i < m->n; i++) {
		apart = (double)c->terms[m->node[i]].squared + mean;
		if (m->others[i] == MEASURE_K && apart > 0)
			all += (double)m->last[i] / apart;
	}
	if (!c->ip && isfinite(all) && m->n > 0)
		m->flat = all / (double)m->n;
}

int
measure_begin(struct measure *m, const struct codes *c, struct err *e)
{
	struct measuring x = { .c = c, .m = m };
	unsigned i;

	*m = (struct measure){ .n = c->n < MEASURE_SAMPLE ? c->n :
	    MEASURE_SAMPLE };
	for (i = 0; i < m->n; i++)
		m->node[i] = (uint32_t)((uint64_t)i * c->n / m->n);
	x.nearest = large_alloc(c->threads, sizeof(*x.nearest));
	if (!x.nearest)
		return err_nomem(e);
	find_nearest(&x);
	measure_codes(&x);
	measure_flat(m, c);
	large_free(x.nearest);
	return 0;
}

int
measure_renumber(struct measure *m, const uint32_t *order, uint32_t n,
    struct err *e)
{
	uint32_t *to = malloc(((size_t)n + 1) * sizeof(*to)), i, s;
	unsigned t;

	if (!to)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		to[order[i]] = i;
	for (s = 0; s < m->n; s++) {
		m->node[s] = to[m->node[s]];
		for (t = 0; t < m->others[s]; t++)
			m->nearest[s][t] = to[m->nearest[s][t]];
	}
	free(to);
	return 0;
}

double
measure_lists(const struct measure *m, const struct codes *c,
    const struct near *l)
{
	struct score score = { 0 };
	uint32_t s;

	for (s = 0; s < m->n; s++)
		compare(&score, m, c, s, near_list(l, m->node[s]),
		    l->count[m->node[s]]);
	return share_of(&score);
}

int
measure_graph(const struct measure *m, const struct graph *g,
    const struct codes *c, double *share, struct err *e)
{
	struct score score = { 0 };
	struct search room;
	uint32_t s, at;
	unsigned n;
	int level, r = search_init(&room, g, MEASURE_EF, e);

	for (s = 0; r == 0 && s < m->n; s++) {
		at = g->entry;
		for (level = g->max_level; level > 0; level--) {
			(void)search_level(&room, g, c, m->node[s], level, at,
			    1);
			at = (uint32_t)room.pool[0];
		}
		n = search_level(&room, g, c, m->node[s], 0, at, MEASURE_EF);
		compare(&score, m, c, s, room.pool, n);
	}
	search_release(&room);
	*share = share_of(&score);
	return r;
}
