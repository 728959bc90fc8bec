/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - how many of the true nearest the lists have, by a sample. */
#include "index/measure.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/workers.h"
#include "index/leaf.h"

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
	struct leaf_panels sample;
	uint32_t node[MEASURE_SAMPLE];
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
		sum[i] = m->c->sum[node];
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
				    m->node[p * k->columns + j] != first + i)
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

/* Of the sample's nearest, those that the lists have, too. */
static double
compare(struct measuring *m, const struct near *l)
{
	uint64_t all = 0, had = 0, last = 0;
	unsigned w, t;
	uint32_t s;

	for (s = 0; s < m->sample.n; s++) {
		const uint64_t *key = near_list(l, m->node[s]);
		unsigned count = l->count[m->node[s]];

		for (w = 1; w < m->c->threads; w++)
			for (t = 0; t < MEASURE_K; t++)
				put(&m->nearest[0], s,
				    m->nearest[w].key[s][t]);
		for (t = 0; t < MEASURE_K; t++)
			if (m->nearest[0].key[s][t] != UINT64_MAX) {
				all++;
				last = m->nearest[0].key[s][t];
			}
		/* the list is sorted, and as near is as good */
		for (t = 0; t < count && t < MEASURE_K; t++)
			had += near_distance(key[t]) <= near_distance(last);
	}
	return all == 0 ? 1 : (double)had / (double)all;
}

int
measure_lists(const struct codes *c, const struct near *l, double *share,
    struct err *e)
{
	struct measuring m = { .c = c };
	uint32_t n = c->n < MEASURE_SAMPLE ? c->n : MEASURE_SAMPLE, i;
	unsigned w;
	int r = 0;

	for (i = 0; i < n; i++)
		m.node[i] = (uint32_t)((uint64_t)i * c->n / n);
	m.nearest = codes_alloc(c->threads, sizeof(*m.nearest));
	if (!m.nearest)
		return err_nomem(e);
	for (w = 0; w < c->threads && r == 0; w++) {
		struct nearest *x = &m.nearest[w];

		memset(x->key, 0xff, sizeof(x->key));
		for (i = 0; i < SAMPLE_MAX; i++)
			x->limit[i] = FLT_MAX;
		x->rows = codes_alloc(c->kernel->rows,
		    c->kernel->row_bytes * c->len);
		if (!x->rows)
			r = err_nomem(e);
	}
	if (r == 0)
		r = leaf_panels_init(&m.sample, c, n, e);
	if (r == 0) {
		leaf_panels_fill(&m.sample, c, m.node, n, false);
		workers_run(c->threads, (c->n + CHUNK - 1) / CHUNK, 1,
		    measure_chunk, &m);
		*share = compare(&m, l);
	}
	leaf_panels_release(&m.sample);
	for (w = 0; w < c->threads; w++)
		free(m.nearest[w].rows);
	free(m.nearest);
	return r;
}
