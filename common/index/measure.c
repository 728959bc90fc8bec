/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - how good lists and graphs are, by a sample. */
#include "index/measure.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/large.h"
#include "base/workers.h"
#include "index/leaf.h"
#include "index/search.h"

#define CHUNK 512		/* nodes that a thread takes at once */
#define SAMPLE_MAX (MEASURE_SAMPLE + KERNEL_COLUMNS_MAX)

/* Of each thread. */
struct nearest {
	uint64_t key[SAMPLE_MAX][MEASURE_K];	/* sorted */
	float limit[SAMPLE_MAX];
	void *rows;
};

struct measuring {
	const struct codes *c;
	struct measure *m;
	struct leaf_panels sample;
	struct nearest *nearest;
};

static void
put(struct nearest *x, uint32_t s, uint64_t key)
{
	uint64_t *k = x->key[s];
	unsigned t;

	if (key >= k[MEASURE_K - 1])
		return;
	for (t = MEASURE_K - 1; t > 0 && k[t - 1] > key; t--)
		k[t] = k[t - 1];
	k[t] = key;
	if (k[MEASURE_K - 1] != UINT64_MAX)
		x->limit[s] = near_distance(k[MEASURE_K - 1]);
}

static void
measure_rows(const struct measuring *m, struct nearest *x, uint32_t first,
    unsigned rows)
{
	const struct kernel *k = m->c->kernel;
	int32_t product[8 * KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	float distance[KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	int32_t sum[8] = { 0 };
	uint64_t ignored, near;
	uint32_t i, j, p;

	for (i = 0; i < k->rows; i++) {
		uint32_t node = first + (i < rows ? i : 0);

		k->pack_row((char *)x->rows + (size_t)i * k->row_bytes *
		    m->c->len, codes_at(m->c, node), m->c->len);
		sum[i] = m->c->terms[node].sum;
	}
	for (p = 0; p * k->columns < m->sample.n; p++) {
		k->tile(x->rows, sum, (char *)m->sample.panel + (size_t)p *
		    k->panel_bytes * m->c->len, m->c->len, product);
		for (i = 0; i < rows; i++) {
			k->distances(product + (size_t)i * k->columns,
			    m->c->terms[first + i], -1,
			    &m->sample.columns[p], x->limit + p * k->columns,
			    distance, &ignored, &near);
			for (; near; near &= near - 1) {
				j = (uint32_t)__builtin_ctzll(near);
				if (p * k->columns + j < m->sample.n &&
				    m->m->node[p * k->columns + j] !=
				    first + i)
					put(x, p * k->columns + j,
					    near_key(distance[j], first + i));
			}
		}
	}
}

static void
measure_chunk(size_t chunk, unsigned worker, void *arg)
{
	const struct measuring *m = arg;
	const unsigned rows = m->c->kernel->rows;
	uint32_t i = (uint32_t)chunk * CHUNK, end = i + CHUNK;

	if (end > m->c->n)
		end = m->c->n;
	for (; i < end; i += rows)
		measure_rows(m, &m->nearest[worker], i,
		    end - i < rows ? end - i : rows);
}

/* What all threads have found. */
static void
gather(struct measuring *x)
{
	struct measure *m = x->m;
	unsigned w, t;
	uint32_t s;

	for (s = 0; s < m->n; s++) {
		for (w = 1; w < x->c->threads; w++)
			for (t = 0; t < MEASURE_K; t++)
				put(&x->nearest[0], s, x->nearest[w].key[s][t]);
		for (t = 0; t < MEASURE_K && x->nearest[0].key[s][t] !=
		    UINT64_MAX; t++)
			m->last[s] = near_distance(x->nearest[0].key[s][t]);
		m->others[s] = t;
	}
}

static int
room_init(struct nearest *x, const struct codes *c, struct err *e)
{
	unsigned i;

	memset(x->key, 0xff, sizeof(x->key));
	for (i = 0; i < SAMPLE_MAX; i++)
		x->limit[i] = FLT_MAX;
	x->rows = large_alloc(c->kernel->rows, c->kernel->row_bytes * c->len);
	return x->rows ? 0 : err_nomem(e);
}

int
measure_begin(struct measure *m, const struct codes *c, struct err *e)
{
	struct measuring x = { .c = c, .m = m };
	unsigned i;
	int r = 0;

	*m = (struct measure){ .n = c->n < MEASURE_SAMPLE ? c->n :
	    MEASURE_SAMPLE };
	for (i = 0; i < m->n; i++)
		m->node[i] = (uint32_t)((uint64_t)i * c->n / m->n);
	x.nearest = large_alloc(c->threads, sizeof(*x.nearest));
	if (!x.nearest)
		return err_nomem(e);
	for (i = 0; i < c->threads && r == 0; i++)
		r = room_init(&x.nearest[i], c, e);
	if (r == 0)
		r = leaf_panels_init(&x.sample, c, m->n, e);
	if (r == 0) {
		leaf_panels_fill(&x.sample, c, m->node, m->n, false);
		workers_run(c->threads, (c->n + CHUNK - 1) / CHUNK, 1,
		    measure_chunk, &x);
		gather(&x);
	}
	leaf_panels_release(&x.sample);
	for (i = 0; i < c->threads; i++)
		large_free(x.nearest[i].rows);
	large_free(x.nearest);
	return r;
}

/* ---- comparing ---- */

struct score {
	uint64_t all, had;
};

/* Keys, sorted, that are to have what node s of the sample is nearest to. */
static void
compare(struct score *score, const struct measure *m, uint32_t s,
    const uint64_t *key, unsigned n)
{
	unsigned i, had = 0;

	for (i = 0; i < n && had < m->others[s]; i++)
		had += (uint32_t)key[i] != m->node[s] &&
		    near_distance(key[i]) <= m->last[s];
	score->had += had;
	score->all += m->others[s];
}

static double
share_of(const struct score *score)
{
	return score->all == 0 ? 1 : (double)score->had / (double)score->all;
}

double
measure_lists(const struct measure *m, const struct near *l)
{
	struct score score = { 0 };
	uint32_t s;

	for (s = 0; s < m->n; s++)
		compare(&score, m, s, near_list(l, m->node[s]),
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
		compare(&score, m, s, room.pool, n < MEASURE_K + 1 ? n :
		    MEASURE_K + 1);
	}
	search_release(&room);
	*share = share_of(&score);
	return r;
}
