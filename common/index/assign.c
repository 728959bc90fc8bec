/* SPDX-License-Identifier: Apache-2.0 */
/* assign.c - which of some leaders are the nearest to nodes. */
#include "index/assign.h"

#include <float.h>
#include <math.h>

#include "base/large.h"
#include "base/workers.h"

#define CHUNK 192		/* nodes at once */

/* The nearest leaders of one node. */
struct choice {
	unsigned n;
	float distance[ASSIGN_MAX];
	uint32_t leader[ASSIGN_MAX];
};

static void
consider(struct choice *best, unsigned most, float distance,
    uint32_t leader)
{
	unsigned t;

	if (best->n == most && distance >= best->distance[most - 1])
		return;
	t = best->n < most ? best->n++ : most - 1;
	for (; t > 0 && best->distance[t - 1] > distance; t--) {
		best->distance[t] = best->distance[t - 1];
		best->leader[t] = best->leader[t - 1];
	}
	best->distance[t] = distance;
	best->leader[t] = leader;
}

/* As if it were of norm 1, like the leaders: next to the 1 of theirs, |x|^2
 * must not make products vanish, nor vanish itself. */
static struct kernel_terms
direction(struct kernel_terms x)
{
	x.scale /= sqrtf(x.squared) + 1e-30f;
	x.add = 1;
	return x;
}

/* From the vectors themselves. */
static void
assign_exact(const struct assign *a, uint32_t node, struct choice *best)
{
	uint32_t to[4], i, k;
	float distance[4];

	best->n = 0;
	for (i = 0; i < a->leaders.n; i += 4) {
		for (k = 0; k < 4; k++)
			to[k] = a->leader[i + k < a->leaders.n ? i + k :
			    a->leaders.n - 1];
		codes_four(a->c, node, to, distance);
		for (k = 0; k < 4 && i + k < a->leaders.n; k++)
			consider(best, a->most, distance[k], i + k);
	}
}

/* Rows of a tile against all leaders. */
static void
assign_rows(const struct assign *a, uint32_t first, unsigned rows,
    void *packed, struct choice *best)
{
	static const float no_limit[KERNEL_COLUMNS_MAX];
	const struct kernel *k = a->c->kernel;
	int32_t product[8 * KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	float distance[KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	int32_t sum[8] = { 0 };
	uint64_t near, ignored;
	uint32_t p, i;

	for (i = 0; i < k->rows; i++) {
		uint32_t node = a->node[first + (i < rows ? i : 0)];

		k->pack_row((char *)packed + (size_t)i * k->row_bytes *
		    a->c->len, codes_at(a->c, node), a->c->len);
		sum[i] = a->c->terms[node].sum;
		best[i].n = 0;
	}
	for (p = 0; p * k->columns < a->leaders.n; p++) {
		k->tile(packed, sum, (char *)a->leaders.panel + (size_t)p *
		    k->panel_bytes * a->c->len, a->c->len, product);
		for (i = 0; i < rows; i++) {
			struct kernel_terms x = a->c->terms[a->node[first +
			    i]];

			if (a->c->ip)
				x = direction(x);
			k->distances(product + (size_t)i * k->columns, x,
			    best[i].n == a->most ?
			    best[i].distance[a->most - 1] : FLT_MAX,
			    &a->leaders.columns[p], no_limit, distance, &near,
			    &ignored);
			for (; near; near &= near - 1) {
				uint32_t j = (uint32_t)__builtin_ctzll(near);

				if (p * k->columns + j < a->leaders.n)
					consider(&best[i], a->most,
					    distance[j], p * k->columns + j);
			}
		}
	}
}

static void
assign_chunk(size_t chunk, unsigned worker, void *arg)
{
	const struct assign *a = arg;
	const unsigned rows = a->c->kernel->rows;
	uint32_t i, end = (uint32_t)(chunk + 1) * CHUNK;
	uint64_t key[ASSIGN_MAX];
	struct choice best[8] = { { 0 } };
	unsigned some, r, f;

	if (end > a->n)
		end = a->n;
	for (i = (uint32_t)chunk * CHUNK; i < end; i += rows) {
		some = end - i < rows ? end - i : rows;
		if (!a->c->exact)
			assign_rows(a, i, some, a->room + worker *
			    a->room_size, best);
		for (r = 0; r < some; r++) {
			if (a->c->exact)
				assign_exact(a, a->node[i + r], &best[r]);
			for (f = 0; f < best[r].n; f++)
				key[f] = near_key(best[r].distance[f],
				    a->first + best[r].leader[f]);
			near_merge(a->to, a->by_node ? a->node[i + r] : i + r,
			    key, best[r].n);
		}
	}
}

int
assign_run(struct assign *a, const uint32_t *leader, uint32_t leaders,
    unsigned threads)
{
	struct err ignored;
	int r = -1;

	a->leader = leader;
	a->room_size = (size_t)a->c->kernel->rows * a->c->kernel->row_bytes *
	    a->c->len;
	a->room = large_alloc(threads, a->room_size);
	if (a->room && leaf_panels_init(&a->leaders, a->c, leaders,
	    &ignored) == 0) {
		leaf_panels_fill(&a->leaders, a->c, leader, leaders,
		    a->c->ip);
		workers_run(threads, (a->n + CHUNK - 1) / CHUNK, 4,
		    assign_chunk, a);
		r = 0;
	}
	leaf_panels_release(&a->leaders);
	large_free(a->room);
	return r;
}
