/* SPDX-License-Identifier: Apache-2.0 */
/* t_connect - whatever a graph is like, in the end every node reaches every
 * other one. */
#include "index/connect.h"

#include "../given.h"
#include "../tap.h"

#define N_MAX 2000

static struct vectors v;
static struct codes c;
static struct near l;
static struct graph g;

static void
begin(uint32_t n, unsigned m, uint32_t entry)
{
	uint8_t level[N_MAX] = { 0 };
	struct err e;

	v = given_make(GIVEN_RANDOM, n, 8);
	level[entry] = 1;
	given_codes(&c, &v, false, 1);
	if (near_init(&l, n, 32, &e) < 0 || graph_init(&g, n, m, level, &e) < 0)
		scratch_die(e.msg);
}

static void
release(void)
{
	graph_release(&g);
	near_release(&l);
	codes_release(&c);
	given_release(&v);
}

static void
link_to(uint32_t from, uint32_t to)
{
	uint16_t *count;
	uint32_t *link = graph_links(&g, from, 0, &count);

	link[(*count)++] = to;
}

static uint32_t
reached(void)
{
	static uint32_t stack[N_MAX];
	static uint8_t seen[N_MAX];
	uint32_t depth = 0, n = 0, i;
	uint16_t *count;

	memset(seen, 0, sizeof(seen));
	seen[g.entry] = 1;
	stack[depth++] = g.entry;
	while (depth > 0) {
		const uint32_t *link = graph_links(&g, stack[--depth], 0,
		    &count);

		n++;
		for (i = 0; i < *count; i++)
			if (!seen[link[i]]) {
				seen[link[i]] = 1;
				stack[depth++] = link[i];
			}
	}
	return n;
}

/* How many can reach the entry: in rounds, each in the direction in which more
 * may be found. */
static uint32_t
returns(void)
{
	static uint8_t can[N_MAX];
	uint32_t n = 1, last, round, k, i, j;
	uint16_t *count;

	memset(can, 0, sizeof(can));
	can[g.entry] = 1;
	for (round = last = 0; n != last || round % 2; round++) {
		last = round % 2 ? last : n;
		for (k = 0; k < g.n; k++) {
			const uint32_t *link;

			i = round % 2 ? k : g.n - 1 - k;
			link = graph_links(&g, i, 0, &count);
			for (j = 0; j < *count && !can[i]; j++)
				n += can[i] = can[link[j]];
		}
	}
	return n;
}

static void
end(const char *name)
{
	uint32_t repaired, left, i, j, k, bad = 0, before = reached(), moved;
	uint32_t back = returns();
	uint32_t *old = malloc((size_t)g.n * g.m0 * 4 + 1);
	uint16_t *count;
	struct err e;

	memcpy(old, g.link0, (size_t)g.n * g.m0 * 4);
	if (connect_all(&g, &c, &l, &repaired, &left, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < g.n; i++) {
		const uint32_t *link = graph_links(&g, i, 0, &count);

		bad += *count > graph_room0(&g, i);
		for (j = 0; j < *count; j++) {
			bad += link[j] >= g.n || link[j] == i;
			for (k = 0; k < j; k++)
				bad += link[j] == link[k];
		}
	}
	for (i = moved = 0; i < g.n * g.m0; i++)
		moved += old[i] != g.link0[i];
	ok(bad == 0 && left == 0 && reached() == g.n && returns() == g.n,
	    "%s: %u of %u, %u back, then all; %u repaired (%u wrong, %u left)",
	    name, before, g.n, back, repaired, bad, left);
	ok((repaired == 0) == (before == g.n && back == g.n) &&
	    moved <= repaired && repaired <= g.n - before + (g.n - back),
	    "  no more than is needed: %u changed", moved);
	free(old);
	release();
}

static void
test_simple(void)
{
	uint32_t i;

	begin(1, 2, 0);
	end("one");
	begin(2, 2, 1);
	end("two, no link");
	begin(500, 16, 250);
	end("no link at all");
	begin(N_MAX, 2, 0);
	for (i = 0; i + 1 < N_MAX; i++)
		link_to(i, i + 1);
	end("a chain");
	begin(N_MAX, 2, 0);
	for (i = 0; i + 1 < N_MAX; i++)
		link_to(i + 1, i);
	end("a chain that goes the other way");
	begin(600, 2, 300);
	for (i = 0; i + 1 < 600; i++)
		link_to(i, i + 1);
	end("a chain from its middle");
	begin(600, 16, 300);
	for (i = 0; i < 600; i++)
		link_to(i, (i + 1) % 600);
	end("a ring");
}

/* All nodes are full, and all links lead one way, to the last group or to the
 * first, from which none leads out. */
static void
test_one_way(unsigned m, uint32_t entry)
{
	const uint32_t n = 300, some = 2 * m;
	uint32_t i, k, at, ways;
	char name[64];

	for (ways = 0; ways < 2; ways++) {
		begin(n, m, entry);
		for (i = 0; i < n; i++)
			for (k = 0; k <= some; k++) {
				at = i + some < n ? i + k : n - 1 - some + k;
				if (at != i)
					link_to(ways ? n - 1 - i : i, ways ?
					    n - 1 - at : at);
			}
		snprintf(name, sizeof(name), "one way %s, all nodes full, M "
		    "%u, from %u", ways ? "down" : "up", m, entry);
		end(name);
	}
}

/* Groups of size nodes, each linked to all the others of its group: with M and
 * reserved links such that all are full. */
static void
test_full(uint32_t n, unsigned m, uint32_t size, uint8_t reserved,
    bool lists)
{
	uint32_t i, j;
	char name[99];
	float d;

	begin(n, m, n / 2);
	for (i = 0; i < n; i++) {
		uint64_t key[64];
		unsigned keys = 0;

		g.reserved[i] = reserved;
		for (j = i / size * size; j < i / size * size + size && j < n;
		    j++)
			if (j != i && g.count0[i] < graph_room0(&g, i))
				link_to(i, j);
		for (j = i + 1; lists && j < n && j < i + 20; j++) {
			codes_distances(&c, i, &j, 1, &d);
			key[keys++] = near_key(d, j);
		}
		near_sort(c.kernel, key, keys);
		near_merge(&l, i, key, keys);
	}
	snprintf(name, sizeof(name), "groups of %u, M %u, %u reserved%s", size,
	    m, reserved, lists ? ", lists" : "");
	end(name);
}

/* A cycle and more links back along it, so that each node is full. */
static void
test_cycle(void)
{
	uint32_t i, k;

	begin(200, 2, 0);
	for (i = 0; i < 100; i++)
		for (k = 1; k <= 4; k++)
			link_to(i, (i + 100 - k) % 100);
	for (i = 100; i < 200; i++)
		for (k = 1; k <= 4; k++)
			link_to(i, 100 + (i + k) % 100);
	end("two cycles, all nodes full");
	begin(50, 2, 7);
	for (i = 0; i < 40; i++)		/* one path, and no more links */
		for (g.reserved[i] = 2, k = 1; k <= 2; k++)
			link_to(i, (i + k) % 40);
	end("reserved links are left alone");
}

static void
test_random(uint64_t seed)
{
	uint32_t n = 100 + (uint32_t)(scratch_random(&seed) % 900), i, j;
	unsigned m = 2 + (unsigned)(scratch_random(&seed) % 6), links;
	char name[64];

	begin(n, m, (uint32_t)(scratch_random(&seed) % n));
	for (i = 0; i < n; i++) {
		uint32_t base = i / 30 * 30, some = n - base < 30 ? n - base :
		    30, step = 1 + (uint32_t)(scratch_random(&seed) % 5);

		g.reserved[i] = (uint8_t)(scratch_random(&seed) % 3);
		links = (unsigned)(scratch_random(&seed) %
		    (graph_room0(&g, i) + 1));
		for (j = 1; j <= links && j * step < some; j++)
			link_to(i, base + (i - base + j * step) % some);
	}
	snprintf(name, sizeof(name), "at random: %u nodes, M %u", n, m);
	end(name);
}

/* The nearest of the list gets the link, if it is reached and has room. */
static void
test_nearest(void)
{
	uint32_t repaired, left, i;
	uint64_t key[3];
	struct err e;

	begin(8, 2, 0);
	for (i = 0; i < 5; i++)
		link_to(i, i + 1);
	for (i = 2; i < 5; i++)		/* 3 is full */
		link_to(3, (i + 3) % 5);
	for (i = 0; i < 3; i++)
		key[i] = near_key((float)i, i == 0 ? 7 : i == 1 ? 3 : 2);
	near_merge(&l, 6, key, 3);
	link_to(7, 6);
	link_to(7, 4);
	/* ways back: 5 cannot itself when 4 is looked at, and is then */
	key[0] = near_key(1, 5);
	key[1] = near_key(2, 3);
	key[2] = near_key(3, 0);
	near_merge(&l, 4, key, 3);
	near_merge(&l, 5, (uint64_t[]){ near_key(4, 6) }, 1);
	if (connect_all(&g, &c, &l, &repaired, &left, &e) < 0)
		scratch_die(e.msg);
	ok(repaired == 4 && g.count0[2] == 2 && g.link0[2 * 4 + 1] == 6 &&
	    g.count0[6] == 1 && g.link0[6 * 4] == 7 && g.count0[3] == 4,
	    "by the nearest that is reached and has room, or by one of its "
	    "own links");
	ok(g.count0[4] == 2 && g.link0[4 * 4 + 1] == 3 && g.count0[5] == 1 &&
	    g.link0[5 * 4] == 6, "back by the nearest that can");
	release();

	/* without any: by the nearest of all */
	begin(60, 4, 0);
	for (i = 0; i + 1 < 60; i++)
		link_to(i, (i + 1) % 59);
	if (connect_all(&g, &c, &l, &repaired, &left, &e) < 0)
		scratch_die(e.msg);
	for (i = 0, key[0] = UINT64_MAX; i < 59; i++) {
		float d;

		codes_distances(&c, 59, &i, 1, &d);
		if (near_key(d, i) < key[0])
			key[0] = near_key(d, i);
	}
	i = (uint32_t)key[0];
	ok(repaired == 2 && g.count0[i] == 2 && g.link0[i * 8 + 1] == 59 &&
	    g.count0[59] == 1 && g.link0[59 * 8] == 0,
	    "the nearest of all is %u, and back to the entry", i);
	release();
}

/* The nearest of the next `some' nodes to one. */
static uint32_t
nearest_of(uint32_t node, uint32_t some)
{
	uint64_t best = UINT64_MAX, key;
	uint32_t i, other;
	float d;

	for (i = 1; i <= some; i++) {
		other = (node + i) % g.n;
		codes_distances(&c, node, &other, 1, &d);
		key = near_key(d, other);
		best = key < best ? key : best;
	}
	return (uint32_t)best;
}

/* Where nothing is known, not all are looked at: 1,000. */
static void
test_many(void)
{
	uint32_t repaired, left, i, last, lone, to;
	struct err e;

	begin(N_MAX, 4, 0);
	for (lone = 1500; lone < N_MAX - 1 && nearest_of(lone, 1000) ==
	    nearest_of(lone, N_MAX - 1); lone++)
		;
	to = nearest_of(lone, 1000);
	for (i = 1, last = 0; i <= N_MAX; i++)
		if (i != lone) {
			link_to(last, i % N_MAX);
			last = i;
		}
	if (connect_all(&g, &c, &l, &repaired, &left, &e) < 0)
		scratch_die(e.msg);
	ok(repaired == 2 && left == 0 && g.count0[to] == 2 && g.link0[to * 8 +
	    1] == lone && to != nearest_of(lone, N_MAX - 1),
	    "of 1,000 nodes behind %u the nearest is %u", lone, to);
	release();
}

int
main(void)
{
	uint32_t repaired = 9, left = 9;
	struct graph none = { .n = 0 };
	unsigned m;
	uint64_t seed;
	struct err e;

	ok(connect_all(&none, &c, &l, &repaired, &left, &e) == 0 &&
	    repaired == 0 && left == 0, "none");
	test_simple();
	test_full(500, 2, 5, 0, false);
	test_full(500, 2, 5, 0, true);
	test_full(501, 2, 3, 2, true);
	test_full(501, 2, 3, 2, false);
	test_full(400, 4, 9, 0, true);
	test_full(400, 4, 5, 4, false);
	test_cycle();
	for (m = 2; m < 5; m++) {
		test_one_way(m, 0);
		test_one_way(m, 150);
		test_one_way(m, 299);
	}
	for (seed = 1; seed < 25; seed++)
		test_random(seed);
	test_nearest();
	test_many();
	return tap_done();
}
