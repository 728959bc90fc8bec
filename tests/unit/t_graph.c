/* SPDX-License-Identifier: Apache-2.0 */
/* t_graph - levels as hnswlib would draw them, and where links lie. */
#include "index/graph.h"

#include <math.h>
#include <string.h>

#include "../given.h"
#include "../tap.h"

#define MANY 200000

/* Of MANY nodes so many have at least that level: within five standard
 * deviations. */
static void
test_levels(unsigned m, uint64_t seed)
{
	unsigned count[GRAPH_LEVEL_MAX + 1] = { 0 }, i, bad = 0;
	double want = MANY;
	int l, level;

	for (i = 0; i < MANY; i++) {
		level = graph_draw_level(i, seed, m);
		bad += level > GRAPH_LEVEL_MAX ||
		    level != graph_draw_level(i, seed, m);
		for (l = 0; l <= level && l <= GRAPH_LEVEL_MAX; l++)
			count[l]++;
	}
	for (l = 1; l <= GRAPH_LEVEL_MAX; l++) {
		want /= m;
		bad += fabs(count[l] - want) > 5 * sqrt(want) + 1;
	}
	ok(bad == 0, "levels of M %u: %u of %u, then %u", m, count[1], MANY,
	    count[2]);
}

static void
test_seeds(void)
{
	unsigned i, both = 0, first = 0, next = 0;

	for (i = 0; i < MANY; i++) {
		bool up = graph_draw_level(i, 1, 4) > 0;

		first += up;
		both += up && graph_draw_level(i, 2, 4) > 0;
		next += up && graph_draw_level(i + 1, 1, 4) > 0;
	}
	ok(both < first / 3 && both > first / 5 && next < first / 3 &&
	    next > first / 5, "another seed, another number: another draw "
	    "(%u of %u, %u)", both, first, next);
	ok(graph_draw_level(0, 42, 16) == 0 && graph_draw_level(7, 42, 2) <=
	    GRAPH_LEVEL_MAX, "one draw");
	for (i = both = 0; i < 1000; i++)	/* as they have always been */
		both = both * 31 + graph_draw_level(i, 42, 16);
	ok(both == 3384173799, "the same on every machine: %u", both);
}

/* Each link at a place of its own: what is written is there at the end. */
static void
test_places(unsigned m)
{
	static uint8_t level[300];
	struct graph g;
	struct err e;
	uint32_t i, k, *link, bad = 0, mark = 0, uppers = 0;
	uint16_t *count;
	int l, round;

	for (i = 0; i < 300; i++)
		level[i] = i == 200 || i == 250 ? 6 :
		    graph_draw_level(i, 3, 3) % 6;
	if (graph_init(&g, 300, m, level, &e) < 0)
		scratch_die(e.msg);
	for (round = 0, mark = 0; round < 2; round++, mark = 0)
		for (i = 0; i < 300; i++)
			for (l = 0; l <= level[i]; l++) {
				link = graph_links(&g, i, l, &count);
				bad += *count != (round ? (mark & 0xff) : 0);
				*count = (uint16_t)(mark & 0xff);
				for (k = 0; k < (l ? m : 2 * m); k++) {
					bad += link[k] != (round ? mark : 0);
					link[k] = mark;
				}
				mark++;
			}
	for (i = 0; i < 300; i++) {
		uppers += level[i] > 0;
		bad += g.level[i] != level[i] || g.reserved[i] != 0 ||
		    graph_room0(&g, i) != 2 * m;
		g.reserved[i] = 1;
		bad += graph_room0(&g, i) != 2 * m - 1;
		bad += level[i] > 0 ? g.upper_node[g.upper_of[i]] != i :
		    g.upper_of[i] != GRAPH_NOBODY;
	}
	ok(bad == 0, "M %u: a place for each link (%u)", m, bad);
	ok(g.n == 300 && g.m == m && g.m0 == 2 * m && g.max_level == 6 &&
	    g.entry == 200 && g.uppers == uppers, "  the entry is the first "
	    "of the top");
	graph_release(&g);
	ok(!g.link0 && g.n == 0, "  released");
}

static void
test_none(void)
{
	struct graph g;
	struct err e;

	if (graph_init(&g, 0, 16, (const uint8_t *)"", &e) < 0)
		scratch_die(e.msg);
	ok(g.n == 0 && g.max_level == -1 && g.uppers == 0, "no node");
	graph_release(&g);
}

int
main(void)
{
	static const unsigned m[] = { 2, 3, 16, 64, 1024 };
	unsigned i;

	for (i = 0; i < COUNT(m); i++)
		test_levels(m[i], i);
	test_seeds();
	test_places(2);
	test_places(16);
	test_none();
	return tap_done();
}
