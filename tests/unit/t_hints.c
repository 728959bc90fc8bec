/* SPDX-License-Identifier: Apache-2.0 */
/* t_hints - candidates from an older graph: its links, and those of the
 * nearest of them; copies as their nodes. */
#include "index/hints.h"

#include "../given.h"
#include "../tap.h"

#define N 400

static void
test_add(void)
{
	static uint32_t to[HINTS_MAX + 40];
	struct hints h;
	struct err e;
	uint32_t i, bad = 0, round;

	for (i = 0; i < COUNT(to); i++)
		to[i] = i * 3;
	if (hints_init(&h, N, &e) < 0)
		scratch_die(e.msg);
	ok(h.n == N && h.known == 0 && h.count[0] == 0 && h.count[N - 1] == 0,
	    "none at first");
	for (round = 0; round < 3; round++)
		for (i = 0; i < N; i++)
			bad += hints_add(&h, i, to + i % 9 + round,
			    i % (HINTS_MAX + 20), &e) < 0;
	for (i = 0; i < N; i++) {
		uint32_t n = i % (HINTS_MAX + 20);

		n = n > HINTS_MAX ? HINTS_MAX : n;
		bad += h.count[i] != n || (n > 0 && memcmp(h.to + h.at[i],
		    to + i % 9 + 2, n * 4) != 0);
	}
	ok(bad == 0, "the last that were added, no more than %u (%u)",
	    HINTS_MAX, bad);
	ok(h.known == N - 3, "%u have some", h.known);
	if (hints_add(&h, 5, NULL, 0, &e) < 0)
		scratch_die(e.msg);
	ok(h.known == N - 4 && h.count[5] == 0, "one has none any more");
	if (hints_add(&h, 5, NULL, 0, &e) < 0 ||
	    hints_add(&h, 7, to, 1, &e) < 0)
		scratch_die(e.msg);
	ok(h.known == N - 4, "  and is not taken away twice");
	if (hints_add(&h, 5, to, 2, &e) < 0)
		scratch_die(e.msg);
	ok(h.known == N - 3 && h.count[5] == 2, "  and has some again");
	hints_release(&h);
	ok(!h.to && h.n == 0, "released");
}

/* ---- merging ---- */

struct model {
	struct codes c;
	struct near want, got;
	struct hints h;
	uint32_t vector[N], node[2 * N];
};

/* Distances of one to others, sorted, none twice, itself left out. */
static unsigned
keys(struct model *m, uint32_t node, const uint32_t *vector, unsigned n,
    uint64_t *key)
{
	unsigned i, k = 0, all = 0;
	float d;

	for (i = 0; i < n; i++) {
		uint32_t other = m->node[vector[i]];

		if (other == node)
			continue;
		codes_distances(&m->c, node, &other, 1, &d);
		key[all++] = near_key(d, other);
	}
	qsort(key, all, sizeof(*key), given_compare_keys);
	for (i = 0; i < all; i++)
		if (k == 0 || key[k - 1] != key[i])
			key[k++] = key[i];
	return k;
}

static void
expect(struct model *m, uint32_t node)
{
	uint64_t key[HINTS_MAX], more[HINTS_MAX];
	uint32_t v = m->vector[node];
	unsigned n = keys(m, node, m->h.to + m->h.at[v], m->h.count[v], key);
	unsigned k;

	near_merge(&m->want, node, key, n);
	if (n > 0) {
		v = m->vector[(uint32_t)key[0]];
		k = keys(m, node, m->h.to + m->h.at[v], m->h.count[v], more);
		near_merge(&m->want, node, more, k);
	}
}

/* links: of each vector, at most; half of the vectors are copies. */
static void
test_merge(unsigned links, unsigned threads)
{
	struct model *m = calloc(1, sizeof(*m));
	struct vectors v = given_make(GIVEN_RANDOM, N, 20);
	uint32_t to[HINTS_MAX], i, j, bad = 0, n;
	uint64_t seed = links;
	struct err e;

	given_codes(&m->c, &v, false, threads);
	if (hints_init(&m->h, 2 * N, &e) < 0 ||
	    near_init(&m->want, N, 192, &e) < 0 ||
	    near_init(&m->got, N, 192, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < N; i++) {
		m->vector[i] = (i * 7 + 3) % N * 2;
		m->node[m->vector[i]] = i;
		m->node[m->vector[i] + 1] = i;
	}
	for (i = 0; i < 2 * N; i++) {
		n = i % 5 ? links : (uint32_t)(scratch_random(&seed) %
		    (links + 1));
		for (j = 0; j < n; j++)
			to[j] = (uint32_t)(scratch_random(&seed) % (2 * N));
		if (hints_add(&m->h, i, to, n, &e) < 0)
			scratch_die(e.msg);
	}
	hints_merge(&m->h, &m->c, m->vector, m->node, &m->got);
	for (i = 0; i < N; i++) {
		expect(m, i);
		bad += m->want.count[i] != m->got.count[i] ||
		    memcmp(near_list(&m->want, i), near_list(&m->got, i),
		    m->want.count[i] * sizeof(uint64_t)) != 0;
	}
	ok(bad == 0, "up to %u links, %u threads: %u wrong", links, threads,
	    bad);
	near_release(&m->want);
	near_release(&m->got);
	hints_release(&m->h);
	codes_release(&m->c);
	given_release(&v);
	free(m);
}

/* Links to the true nearest, to others, and none. */
static void
test_measure(void)
{
	struct vectors v = given_make(GIVEN_UNIFORM, N, 20);
	uint32_t same[N], none[2] = { 0, 1 }, i;
	double share[3] = { 0 };
	struct measure m;
	struct hints h;
	struct codes c;
	struct err e;

	given_codes(&c, &v, false, 2);
	for (i = 0; i < N; i++)
		same[i] = i;
	if (measure_begin(&m, &c, &e) < 0 || hints_init(&h, N, &e) < 0 ||
	    hints_measure(&h, &c, same, same, &m, &share[0], &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < m.n; i++)
		if (hints_add(&h, m.node[i], none, 2, &e) < 0)
			scratch_die(e.msg);
	if (hints_measure(&h, &c, same, same, &m, &share[1], &e) < 0)
		scratch_die(e.msg);
	/* half of the sample is not known: it does not count */
	for (i = 0; i < m.n; i++)
		if (hints_add(&h, m.node[i], m.nearest[i], i % 2 ? m.others[i] :
		    0, &e) < 0)
			scratch_die(e.msg);
	if (hints_measure(&h, &c, same, same, &m, &share[2], &e) < 0)
		scratch_die(e.msg);
	ok(share[0] == 1 && share[1] < 0.1 && share[2] == 1, "what they would "
	    "find: %.3f %.3f %.3f", share[0], share[1], share[2]);
	hints_release(&h);
	codes_release(&c);
	given_release(&v);
}

int
main(void)
{
	static const unsigned links[] = { 0, 1, 3, 32, 63, 64, 65, HINTS_MAX };
	unsigned i;

	test_add();
	for (i = 0; i < COUNT(links); i++)
		test_merge(links[i], 1 + i % 3);
	test_measure();
	return tap_done();
}
