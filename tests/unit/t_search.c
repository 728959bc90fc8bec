/* SPDX-License-Identifier: Apache-2.0 */
/* t_search - a search finds what one with plain lists finds. */
#include "index/search.h"

#include "../given.h"
#include "../tap.h"
#include "index/near.h"

#define N 300

/* Look from the nearest that was not looked from, as long as it is among the
 * ef nearest. */
static unsigned
plain(const struct graph *g, const struct codes *c, uint32_t node, int level,
    uint32_t start, unsigned ef, uint64_t *pool)
{
	bool seen[N] = { 0 }, done[N] = { 0 };
	unsigned n = 0, i;
	uint16_t *count;
	float d;

	codes_distances(c, node, &start, 1, &d);
	pool[n++] = near_key(d, start);
	seen[start] = true;
	for (;;) {
		const uint32_t *link;

		for (i = 0; i < n && done[(uint32_t)pool[i]]; i++)
			;
		if (i == n)
			return n;
		done[(uint32_t)pool[i]] = true;
		link = graph_links(g, (uint32_t)pool[i], level, &count);
		for (i = 0; i < *count; i++) {
			if (seen[link[i]])
				continue;
			seen[link[i]] = true;
			codes_distances(c, node, &link[i], 1, &d);
			pool[n++] = near_key(d, link[i]);
		}
		qsort(pool, n, sizeof(*pool), given_compare_keys);
		n = n < ef ? n : ef;
	}
}

static void
make(struct graph *g, uint64_t seed, unsigned m)
{
	uint8_t level[N];
	uint16_t *count;
	struct err e;
	uint32_t i, j;
	int l;

	for (i = 0; i < N; i++)
		level[i] = i % 3 == 0;
	if (graph_init(g, N, m, level, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < N; i++)
		for (l = 0; l <= level[i]; l++) {
			uint32_t *link = graph_links(g, i, l, &count);

			*count = (uint16_t)(scratch_random(&seed) %
			    (l ? m + 1 : 2 * m + 1));
			for (j = 0; j < *count; j++)
				link[j] = (uint32_t)(scratch_random(&seed) %
				    (N / 3)) * (l ? 3 : 2);
		}
}

static void
test_kind(enum given_kind kind, unsigned m, unsigned ef)
{
	struct vectors v = given_make(kind, N, 5);
	uint64_t pool[N + 100], seed = m + ef;
	unsigned bad = 0, n, most = 0;
	struct search s;
	struct graph g;
	struct codes c;
	struct err e;
	uint32_t i;

	given_codes(&c, &v, false, 1);
	make(&g, seed, m);
	if (search_init(&s, &g, ef, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < N; i++) {
		uint32_t start = (uint32_t)(scratch_random(&seed) % 100) * 3;
		int level = i % 2;

		n = plain(&g, &c, i, level, start, ef, pool);
		most = n > most ? n : most;
		bad += search_level(&s, &g, &c, i, level, start, ef) != n ||
		    memcmp(pool, s.pool, n * sizeof(*pool)) != 0;
	}
	ok(bad == 0 && most > 0, "%s, M %u, ef %u: up to %u found (%u wrong)",
	    given_name[kind], m, ef, most, bad);
	search_release(&s);
	ok(!s.pool, "  released");
	graph_release(&g);
	codes_release(&c);
	given_release(&v);
}

/* More searches than there are tags. */
static void
test_many(void)
{
	struct vectors v = given_make(GIVEN_RANDOM, N, 1);
	uint64_t pool[N + 100];
	unsigned bad = 0, i, n;
	struct search s;
	struct graph g;
	struct codes c;
	struct err e;

	given_codes(&c, &v, false, 1);
	make(&g, 1, 8);
	n = plain(&g, &c, 7, 0, 3, 200, pool);
	if (search_init(&s, &g, 200, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < 3 * 65536; i++) {
		/* the first time, what is found then was never seen */
		if (i > 0 && i % 65535 == 0)
			bad += search_level(&s, &g, &c, 7, 0, 3, 200) != n ||
			    memcmp(pool, s.pool, n * sizeof(*pool)) != 0;
		else			/* two nodes are seen, no more */
			(void)search_level(&s, &g, &c, 0, 0, 299, 1);
	}
	ok(bad == 0 && n > 50, "the 65536th time, too (%u, %u)", n, bad);
	search_release(&s);
	graph_release(&g);
	codes_release(&c);
	given_release(&v);
}

int
main(void)
{
	static const unsigned ef[] = { 1, 2, 3, 10, 50, 400 };
	enum given_kind kind;
	unsigned i;

	for (kind = 0; kind < GIVEN_KINDS; kind++)
		for (i = 0; i < COUNT(ef); i++)
			test_kind(kind, i % 2 ? 2 : 8, ef[i]);
	test_many();
	return tap_done();
}
