/* SPDX-License-Identifier: Apache-2.0 */
/* t_measure - what is said of lists and graphs is so. */
#include "index/measure.h"

#include "../given.h"
#include "../tap.h"

/* The distances of node i to all others, sorted: by the vectors, or by the
 * codes. */
static uint32_t
others_by(const struct codes *c, uint32_t i, uint64_t *key, bool exact)
{
	uint32_t j, n = 0;
	float d[4];

	for (j = 0; j < c->n; j++)
		if (j != i) {
			if (exact)
				codes_four_exact(c, i, (uint32_t[]){ j, j, j,
				    j }, d);
			else
				codes_distances(c, i, &j, 1, d);
			key[n++] = near_key(d[0], j);
		}
	near_sort(c->kernel, key, n);
	return n;
}

static uint32_t
others(const struct codes *c, uint32_t i, uint64_t *key)
{
	return others_by(c, i, key, true);
}

/* The sample, and the distance of the tenth of each. */
static void
test_begin(enum given_kind kind, uint32_t n, unsigned threads)
{
	static uint64_t key[3000];
	struct vectors v = given_make(kind, n, 9);
	struct measure m;
	struct codes c;
	struct err e;
	uint32_t s, all, bad = 0;

	given_codes(&c, &v, kind == GIVEN_UNIFORM, threads);
	if (measure_begin(&m, &c, &e) < 0)
		scratch_die(e.msg);
	ok(m.n == (n < MEASURE_SAMPLE ? n : MEASURE_SAMPLE), "%s, %u nodes: a "
	    "sample of %u", given_name[kind], n, m.n);
	for (s = 0; s < m.n; s++) {
		bad += m.node[s] >= n || (s > 0 && m.node[s] <= m.node[s - 1]);
		all = others(&c, m.node[s], key);
		all = all < MEASURE_K ? all : MEASURE_K;
		bad += m.others[s] != all ||
		    (all > 0 && m.last[s] != near_distance(key[all - 1]));
	}
	ok(bad == 0 && (n < 100 || m.node[m.n - 1] > n / 10 * 9),
	    "  from all over, and its nearest (%u wrong)", bad);
	codes_release(&c);
	given_release(&v);
}

/* How good codes are: how many of the true nearest are among as many by codes.
 * apart: every other vector is moved so far. */
static void
test_codes(float apart, bool exact, double least, double most)
{
	static uint64_t key[1000];
	struct vectors v = given_make(GIVEN_UNIFORM, 1000, 16);
	float *x = (float *)(uintptr_t)v.base, d[4];
	uint32_t i, k, s, to, all, had = 0;
	struct measure m;
	struct codes c;
	struct err e;

	for (i = 0; i < 1000; i += 2)
		x[i * 16 + 3] += apart;
	given_codes(&c, &v, false, 2);
	c.exact = exact;
	if (measure_begin(&m, &c, &e) < 0)
		scratch_die(e.msg);
	for (s = all = 0; s < m.n; s++) {
		(void)others_by(&c, m.node[s], key, exact);
		for (k = 0; k < m.others[s]; k++) {
			to = (uint32_t)key[k];
			codes_four_exact(&c, m.node[s], (uint32_t[]){ to, to,
			    to, to }, d);
			had += d[0] <= m.last[s];
		}
		all += m.others[s];
	}
	ok(m.codes >= least && m.codes <= most && all == MEASURE_SAMPLE *
	    MEASURE_K && fabs(m.codes - (double)had / all) < 1e-9,
	    "codes of vectors %g apart%s: %g", (double)apart, exact ?
	    ", by the vectors" : "", m.codes);
	codes_release(&c);
	given_release(&v);
}

/* Lists with the first `had' of the nearest, and then what is far. */
static void
test_lists(unsigned had, double want)
{
	static uint64_t key[900];
	struct vectors v = given_make(GIVEN_RANDOM, 900, 9);
	struct measure m;
	struct codes c;
	struct near l;
	struct err e;
	uint32_t i, n;
	double got;

	given_codes(&c, &v, false, 2);
	if (measure_begin(&m, &c, &e) < 0 || near_init(&l, 900, 32, &e) < 0)
		scratch_die(e.msg);
	ok(measure_lists(&m, &c, &l) == 0, "empty lists have nothing");
	for (i = 0; i < 900; i++) {
		n = others(&c, i, key);
		near_merge(&l, i, key, had);
		near_merge(&l, i, key + n - 15, 15);
	}
	got = measure_lists(&m, &c, &l);
	ok(fabs(got - want) < 1e-9, "with %u of them: %g", had, got);
	near_release(&l);
	codes_release(&c);
	given_release(&v);
}

/* A graph in which only the nodes below n are reached, all from the entry. */
static void
test_graph(uint32_t n, uint32_t all, double least, double most)
{
	struct vectors v = given_make(GIVEN_RANDOM, all, 9);
	uint8_t level[1000] = { 0 };
	struct measure m;
	struct codes c;
	struct graph g;
	struct err e;
	uint16_t *count;
	static uint64_t key[1000];
	uint32_t i, k, near = 0, want = 0;
	double got;

	given_codes(&c, &v, false, 2);
	level[n / 2] = 2;
	level[0] = 1;
	if (measure_begin(&m, &c, &e) < 0 ||
	    graph_init(&g, all, 300, level, &e) < 0)
		scratch_die(e.msg);
	*graph_links(&g, n / 2, 1, &count) = 0;
	*count = n / 2 != 0;
	for (i = 0; i < n; i++) {
		uint32_t *link = graph_links(&g, i, 0, &count);

		for (k = 0; k < n && *count < 600; k++)
			if (k != i)
				link[(*count)++] = k;
	}
	if (measure_graph(&m, &g, &c, &got, &e) < 0)
		scratch_die(e.msg);
	/* a search finds what is reached, and does not find itself */
	for (i = 0; i < m.n; i++) {
		want += m.others[i];
		(void)others(&c, m.node[i], key);
		for (k = 0; k < m.others[i]; k++)
			near += (uint32_t)key[k] < n;
	}
	ok(got >= least && got <= most && fabs(got - (double)near / want) <
	    1e-9, "%u of %u reached: %g", n, all, got);
	graph_release(&g);
	codes_release(&c);
	given_release(&v);
}

/* The entry has no links on level 0, but one above, to node 0: who is nearer to
 * that comes down there, and finds all. */
static void
test_descent(void)
{
	struct vectors v = given_make(GIVEN_RANDOM, 200, 9);
	uint8_t level[200] = { [0] = 1, [100] = 2 };
	struct measure m;
	struct codes c;
	struct graph g;
	struct err e;
	uint16_t *count;
	uint32_t i, k, want = 0;
	double got;
	float d[2];

	given_codes(&c, &v, false, 2);
	if (measure_begin(&m, &c, &e) < 0 ||
	    graph_init(&g, 200, 120, level, &e) < 0)
		scratch_die(e.msg);
	*graph_links(&g, 100, 1, &count) = 0;
	*count = 1;
	for (i = 0; i < 200; i++) {
		uint32_t *link = graph_links(&g, i, 0, &count);

		for (k = 0; k < 200 && i != 100; k++)
			if (k != i)
				link[(*count)++] = k;
	}
	for (i = 0; i < m.n; i++) {
		codes_distances(&c, m.node[i], (uint32_t[]){ 0, 100 }, 2, d);
		want += d[0] < d[1];
	}
	if (measure_graph(&m, &g, &c, &got, &e) < 0)
		scratch_die(e.msg);
	ok(want > 3 && want < m.n - 3 && fabs(got - (double)want / m.n) <
	    0.01, "%u of %u come down where links are: %g", want, m.n, got);
	graph_release(&g);
	codes_release(&c);
	given_release(&v);
}

int
main(void)
{
	static const uint32_t sizes[] = { 0, 1, 2, 3, 10, 11, 12, 31, 32, 33,
	    63, 65, 257, 2000 };
	unsigned i;

	for (i = 0; i < COUNT(sizes); i += GIVEN_SLOW ? 2 : 1)
		test_begin(i % 2 ? GIVEN_RANDOM : GIVEN_UNIFORM, sizes[i],
		    1 + i % 3);
	test_begin(GIVEN_TIGHT, 1100, 2);
	test_begin(GIVEN_COPIES, 1100, 2);
	test_begin(GIVEN_SAME, 1100, 2);
	test_codes(0, false, 0.9, 1);
	test_codes(1000, false, 0, 0.6);
	test_codes(1000, true, 1, 1);
	test_lists(10, 1);
	test_lists(7, 0.7);
	test_lists(12, 1);
	test_lists(1, 0.1);
	test_graph(500, 500, 1, 1);
	test_graph(250, 500, 0.4, 0.6);
	test_graph(2, 500, 0, 0.02);
	test_graph(2, 2, 1, 1);
	test_descent();
	return tap_done();
}
