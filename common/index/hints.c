/* SPDX-License-Identifier: Apache-2.0 */
/* hints.c - who was linked to whom in an older graph. */
#include "index/hints.h"

#include <stdlib.h>
#include <string.h>

#include "base/workers.h"

#define CHUNK 64
#define KEPT 32			/* of a node of the sample */

int
hints_init(struct hints *h, uint32_t n, struct err *e)
{
	*h = (struct hints){ .n = n };
	h->at = calloc((size_t)n + 1, sizeof(*h->at));
	h->count = calloc((size_t)n + 1, sizeof(*h->count));
	return h->at && h->count ? 0 : err_nomem(e);
}

void
hints_release(struct hints *h)
{
	free(h->at);
	free(h->count);
	free(h->to);
	*h = (struct hints){ 0 };
}

int
hints_add(struct hints *h, uint32_t from, const uint32_t *to, size_t n,
    struct err *e)
{
	if (n > HINTS_MAX)
		n = HINTS_MAX;
	if (h->room - h->used < n) {
		size_t room = h->room + h->room / 2 + 4096;
		uint32_t *grown = reallocarray(h->to, room, sizeof(*grown));

		if (!grown)
			return err_nomem(e);
		h->to = grown;
		h->room = room;
	}
	if (n > 0)
		memcpy(h->to + h->used, to, n * sizeof(*to));
	h->known -= h->count[from] > 0;
	h->known += n > 0;
	h->at[from] = h->used;
	h->count[from] = (uint16_t)n;
	h->used += n;
	return 0;
}

/* ---- using them ---- */

struct merging {
	const struct hints *h;
	const struct codes *c;
	const uint32_t *vector, *node;
	struct near *l;
};

/* Nodes waiting to be compared with one. */
struct batch {
	uint32_t to[KERNEL_SORT_MAX];
	uint64_t key[KERNEL_SORT_MAX];
	unsigned n;
	uint64_t nearest;		/* of all that were compared */
};

static void
compare(const struct merging *m, uint32_t node, struct batch *b)
{
	float distance[KERNEL_SORT_MAX];
	unsigned i, n;

	codes_distances(m->c, node, b->to, b->n, distance);
	for (i = 0; i < b->n; i++)
		b->key[i] = near_key(distance[i], b->to[i]);
	m->c->kernel->sort(b->key, b->n);
	for (i = n = 0; i < b->n; i++)
		if (n == 0 || b->key[n - 1] != b->key[i])
			b->key[n++] = b->key[i];
	near_merge(m->l, node, b->key, n);
	if (b->key[0] < b->nearest)
		b->nearest = b->key[0];
	b->n = 0;
}

/* Those that another node was linked to, to the ones that wait. */
static void
collect(const struct merging *m, uint32_t node, uint32_t of, struct batch *b)
{
	uint32_t vector = m->vector[of], i, other;
	const uint32_t *to = m->h->to + m->h->at[vector];

	for (i = 0; i < m->h->count[vector]; i++) {
		other = m->node[to[i]];
		if (other == node)
			continue;
		b->to[b->n++] = other;
		if (b->n == KERNEL_SORT_MAX)
			compare(m, node, b);
	}
}

static void
merge_one(size_t i, unsigned worker, void *arg)
{
	const struct merging *m = arg;
	struct batch b = { .n = 0, .nearest = UINT64_MAX };

	(void)worker;
	collect(m, (uint32_t)i, (uint32_t)i, &b);
	if (b.n > 0)
		compare(m, (uint32_t)i, &b);
	if (b.nearest == UINT64_MAX)
		return;
	collect(m, (uint32_t)i, (uint32_t)b.nearest, &b);
	if (b.n > 0)
		compare(m, (uint32_t)i, &b);
}

void
hints_merge(const struct hints *h, const struct codes *c,
    const uint32_t *vector, const uint32_t *node, struct near *l)
{
	struct merging m = { h, c, vector, node, l };

	workers_run(c->threads, c->n, CHUNK, merge_one, &m);
}

int
hints_measure(const struct hints *h, const struct codes *c,
    const uint32_t *vector, const uint32_t *node, const struct measure *m,
    double *share, struct err *e)
{
	struct measure known = *m;
	struct near l;
	struct merging x = { h, c, vector, node, &l };
	uint32_t s;
	int r = near_init(&l, c->n, KEPT, e);

	for (s = known.n = 0; r == 0 && s < m->n; s++) {
		if (h->count[vector[m->node[s]]] == 0)
			continue;
		merge_one(m->node[s], 0, &x);
		known.node[known.n] = m->node[s];
		known.others[known.n] = m->others[s];
		known.last[known.n++] = m->last[s];
	}
	if (r == 0)
		*share = measure_lists(&known, c, &l);
	near_release(&l);
	return r;
}
