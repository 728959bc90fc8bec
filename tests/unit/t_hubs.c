/* SPDX-License-Identifier: Apache-2.0 */
/* t_hubs - the nodes in the middle, where they are worth it, and their nearest
 * in all lists. */
#include "index/hubs.h"

#include "../given.h"
#include "../tap.h"

#define N 1700
#define DIM 512
#define KEPT 32

/* Which share of all is nearer to the middle. */
static uint32_t
nearer(const struct codes *c, uint32_t node)
{
	uint32_t i, n = 0;

	for (i = 0; i < c->n; i++)
		n += c->terms[i].squared < c->terms[node].squared;
	return n;
}

static void
test_find(struct codes *c, const struct measure *m)
{
	struct measure other = *m;
	struct hubs h, none;
	struct err e;
	uint32_t i, bad = 0, last = 0, t;

	if (hubs_find(&h, c, m, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < h.n; i++)
		bad += nearer(c, h.node[i]) >= N / 16;
	ok(h.n == N / 16 && bad == 0, "%u in the middle (flat %.2f)", h.n,
	    m->flat);
	other.flat = 0.74;
	if (hubs_find(&none, c, &other, &e) < 0)
		scratch_die(e.msg);
	ok(none.n == 0, "none where there is a structure");
	hubs_release(&none);
	for (i = 0; i < N; i++)
		last = nearer(c, i) == N - 1 ? i : last;
	other = *m;
	for (i = 0; i < m->n; i++)
		for (t = 0; t < m->others[i]; t++)
			other.nearest[i][t] = last;
	if (hubs_find(&none, c, &other, &e) < 0)
		scratch_die(e.msg);
	ok(none.n == 0, "none where the nearest are elsewhere");
	hubs_release(&none);
	c->ip = true;
	if (hubs_find(&none, c, m, &e) < 0)
		scratch_die(e.msg);
	ok(none.n == 0, "none for ip");
	hubs_release(&none);
	c->ip = false;
	hubs_release(&h);
}

/* The lists of all nodes, beside what a comparison with each hub gives. */
static void
test_merge(const struct codes *c, struct hubs *h)
{
	static float d[N];
	uint64_t key[N];
	struct near l;
	struct err e;
	uint32_t i, j, n, bad = 0;

	if (near_init(&l, N, KEPT, &e) < 0 || hubs_merge(h, c, &l, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < N; i++) {
		codes_distances(c, i, h->node, h->n, d);
		for (j = n = 0; j < h->n; j++)
			if (h->node[j] != i)
				key[n++] = near_key(d[j], h->node[j]);
		near_sort(c->kernel, key, n);
		n = n < KEPT ? n : KEPT;
		bad += l.count[i] != n || memcmp(near_list(&l, i), key,
		    n * sizeof(*key)) != 0;
	}
	ok(bad == 0, "%s: %u hubs, the nearest in each list (%u wrong)",
	    c->kernel->name, h->n, bad);
	near_release(&l);
}

int
main(void)
{
	static float x[N][DIM];
	static uint32_t order[N];
	struct vectors v = { .base = (const void *)x, .stride = sizeof(x[0]),
	    .dim = DIM, .n = N };
	uint32_t some[] = { 1, 2, 31, 63, 64, 65, 70 }, i, j, first;
	uint64_t seed = 3;
	struct measure m;
	struct hubs h;
	struct codes c;
	struct err e;

	for (i = 0; i < N; i++) {
		float length = 1 + 0.1f * given_number(&seed);

		for (j = 0; j < DIM; j++)
			x[i][j] = length * given_number(&seed);
	}
	for (i = 0; i < KERNELS; i++) {
		if (!kernel_at(i))
			continue;
		setenv("CHROMAUTILS_KERNEL", kernel_at(i)->name, 1);
		given_codes(&c, &v, false, 2);
		if (measure_begin(&m, &c, &e) < 0)
			scratch_die(e.msg);
		test_find(&c, &m);
		if (hubs_find(&h, &c, &m, &e) < 0 || h.n < 70)
			scratch_die("no hubs");
		for (j = 0; j < COUNT(some); j++) {
			h.n = some[j];
			test_merge(&c, &h);
		}
		first = h.node[0];
		for (j = 0; j < N; j++)
			order[j] = N - 1 - j;
		ok(hubs_renumber(&h, order, N, &e) == 0 &&
		    h.node[0] == N - 1 - first, "other numbers");
		hubs_release(&h);
		codes_release(&c);
	}
	return tap_done();
}
