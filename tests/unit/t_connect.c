/* SPDX-License-Identifier: Apache-2.0 */
/* t_connect - whatever a graph is like, in the end all of it is reached. */
#include "index/connect.h"

#include "../given.h"
#include "../tap.h"

#define N_MAX 2000

static struct codes c;
static struct near l;
static struct graph g;

static void
begin(uint32_t n, unsigned m, uint32_t entry)
{
	struct vectors v = given_make(GIVEN_RANDOM, n, 8);
	uint8_t level[N_MAX] = { 0 };
	struct err e;

	level[entry] = 1;
	given_codes(&c, &v, false, 1);
	if (near_init(&l, n, 32, &e) < 0 || graph_init(&g, n, m, level, &e) < 0)
		scratch_die(e.msg);
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

static void
end(const char *name)
{
	uint32_t repaired, left, i, j, k, bad = 0, before = reached(), moved;
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
	ok(bad == 0 && left == 0 && reached() == g.n, "%s: %u of %u, then all; "
	    "%u repaired (%u wrong, %u left)", name, before, g.n, repaired,
	    bad, left);
	ok((repaired == 0) == (before == g.n) && moved <= repaired &&
	    repaired <= g.n - before, "  no more than is needed: %u changed",
	    moved);
	free(old);
	graph_release(&g);
	near_release(&l);
	codes_release(&c);
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
	if (connect_all(&g, &c, &l, &repaired, &left, &e) < 0)
		scratch_die(e.msg);
	ok(repaired == 2 && g.count0[2] == 2 && g.link0[2 * 4 + 1] == 6 &&
	    g.count0[6] == 1 && g.link0[6 * 4] == 7 && g.count0[3] == 4,
	    "by the nearest that is reached and has room, or by one of its "
	    "own links");
	graph_release(&g);
	near_release(&l);
	codes_release(&c);

	/* without any: by the nearest of all */
	begin(60, 4, 0);
	for (i = 0; i + 2 < 60; i++)
		link_to(i, i + 1);
	if (connect_all(&g, &c, &l, &repaired, &left, &e) < 0)
		scratch_die(e.msg);
	for (i = 0, key[0] = UINT64_MAX; i < 59; i++) {
		float d;

		codes_distances(&c, 59, &i, 1, &d);
		if (near_key(d, i) < key[0])
			key[0] = near_key(d, i);
	}
	i = (uint32_t)key[0];
	ok(repaired == 1 && g.link0[i * 8 + g.count0[i] - 1] == 59,
	    "the nearest of all is %u", i);
	graph_release(&g);
	near_release(&l);
	codes_release(&c);
}

int
main(void)
{
	uint32_t repaired = 9, left = 9;
	struct graph none = { .n = 0 };
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
	for (seed = 1; seed < 25; seed++)
		test_random(seed);
	test_nearest();
	return tap_done();
}
