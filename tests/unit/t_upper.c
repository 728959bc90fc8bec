/* SPDX-License-Identifier: Apache-2.0 */
/* t_upper - the upper levels: sound, reached, the same for any number of
 * threads; also where all keep one another. */
#include "index/upper.h"

#include "../given.h"
#include "../tap.h"
#include "index/prune.h"

static void
make(struct graph *g, struct codes *c, enum given_kind kind, uint32_t n,
    unsigned m, unsigned ef, int all_of_level, unsigned threads)
{
	struct vectors v = given_make(kind, n, 12);
	uint8_t *level = malloc(n + 1);
	struct err e;
	uint32_t i;

	for (i = 0; i < n; i++)
		level[i] = all_of_level >= 0 ? (uint8_t)all_of_level :
		    graph_draw_level(i, 5, m);
	given_codes(c, &v, false, threads);
	if (graph_init(g, n, m, level, &e) < 0 ||
	    upper_build(g, c, ef, 42, &e) < 0)
		scratch_die(e.msg);
	free(level);
	given_release(&v);
}

/* How many links are wrong. */
static unsigned
wrong(const struct graph *g, int level)
{
	unsigned bad = 0, i, j;
	uint32_t k, node;
	uint16_t *count;

	for (k = 0; k < g->uppers; k++) {
		const uint32_t *link;

		node = g->upper_node[k];
		if (g->level[node] < level)
			continue;
		link = graph_links(g, node, level, &count);
		bad += *count > g->m;
		for (i = 0; i < *count && i < g->m; i++) {
			bad += link[i] >= g->n || link[i] == node ||
			    g->level[link[i]] < level;
			for (j = 0; j < i; j++)
				bad += link[i] == link[j];
		}
	}
	return bad;
}

static uint32_t
reached(const struct graph *g, int level)
{
	uint8_t *seen = calloc(g->n + 1, 1);
	uint32_t *stack = malloc((g->n + 1) * sizeof(*stack));
	uint32_t depth = 0, n = 0, i;
	uint16_t *count;

	seen[g->entry] = 1;
	stack[depth++] = g->entry;
	while (depth > 0) {
		const uint32_t *link = graph_links(g, stack[--depth], level,
		    &count);

		n++;
		for (i = 0; i < *count; i++)
			if (!seen[link[i]]) {
				seen[link[i]] = 1;
				stack[depth++] = link[i];
			}
	}
	free(seen);
	free(stack);
	return n;
}

static void
test_kind(enum given_kind kind, unsigned m)
{
	struct graph g, h;
	struct codes c, d;
	unsigned bad = 0, most = 0;
	uint32_t want = 0, got = 0, lists = 0, i;
	int level;

	make(&g, &c, kind, 800, m, 100, -1, 1);
	make(&h, &d, kind, 800, m, 100, -1, 3);
	for (i = 0; i < g.n; i++)
		lists += g.level[i];
	ok(memcmp(g.count, h.count, lists * 2) == 0 && memcmp(g.link, h.link,
	    (size_t)lists * m * 4) == 0, "%s, M %u: the same for 1 and 3 "
	    "threads", given_name[kind], m);
	for (level = 1; level <= g.max_level; level++) {
		bad += wrong(&g, level);
		got += reached(&g, level);
		for (i = 0; i < g.n; i++)
			want += g.level[i] >= level;
	}
	for (i = 0; i < g.uppers; i++)
		most = g.count[g.upper_at[i]] > most ?
		    g.count[g.upper_at[i]] : most;
	ok(bad == 0, "  links are sound (%u)", bad);
	/* two links do not reach far; nor do any where all are equal */
	ok(most > 1 && (m == 2 || kind == GIVEN_SAME ||
	    got * 100 >= want * 95), "  reached: %u of %u", got,
	    want);
	graph_release(&g);
	graph_release(&h);
	codes_release(&c);
	codes_release(&d);
}

/* Where all are equal no neighbour covers another, and as many are kept as
 * there is room for: more than candidates are. */
static void
test_greatest(void)
{
	struct graph g;
	struct codes c;

	make(&g, &c, GIVEN_SAME, 560, GRAPH_M_MAX, 10, 1, 2);
	ok(wrong(&g, 1) == 0 && reached(&g, 1) > 510,
	    "the greatest M, all equal");
	graph_release(&g);
	codes_release(&c);
}

static void
test_few(void)
{
	struct graph g;
	struct codes c;
	uint16_t *count;

	make(&g, &c, GIVEN_RANDOM, 0, 16, 100, -1, 2);
	ok(g.uppers == 0, "no node");
	graph_release(&g);
	codes_release(&c);
	make(&g, &c, GIVEN_RANDOM, 5, 16, 100, 0, 2);
	ok(g.uppers == 0, "none above level 0");
	graph_release(&g);
	codes_release(&c);
	make(&g, &c, GIVEN_RANDOM, 1, 16, 100, 3, 2);
	(void)graph_links(&g, 0, 3, &count);
	ok(*count == 0, "one");
	graph_release(&g);
	codes_release(&c);
	make(&g, &c, GIVEN_RANDOM, 2, 16, 1, 2, 2);
	ok(wrong(&g, 1) == 0 && wrong(&g, 2) == 0 && reached(&g, 1) == 2 &&
	    reached(&g, 2) == 2, "two, linked on both levels");
	graph_release(&g);
	codes_release(&c);
}

int
main(void)
{
	enum given_kind k;

	for (k = 0; k < GIVEN_KINDS; k += GIVEN_SLOW ? 2 : 1) {
		test_kind(k, 2);
		test_kind(k, 16);
	}
	test_greatest();
	test_few();
	return tap_done();
}
