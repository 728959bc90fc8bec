/* SPDX-License-Identifier: Apache-2.0 */
/* search.c - search in a graph that is being built. */
#include "index/search.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "index/near.h"

int
search_init(struct search *s, const struct graph *g, unsigned ef_max,
    struct err *e)
{
	*s = (struct search){ .n = g->n };
	s->seen = calloc((size_t)g->n + 1, sizeof(*s->seen));
	s->pool = calloc((size_t)ef_max + 1, sizeof(*s->pool));
	s->done = calloc((size_t)ef_max + 1, 1);
	return s->seen && s->pool && s->done ? 0 : err_nomem(e);
}

void
search_release(struct search *s)
{
	free(s->seen);
	free(s->pool);
	free(s->done);
	*s = (struct search){ 0 };
}

/* Put a key in its place; *n grows up to ef.  Where it stands. */
static unsigned
put(struct search *s, unsigned *n, unsigned ef, uint64_t key)
{
	unsigned a = 0, b = *n;

	while (a < b) {
		unsigned h = (a + b) / 2;

		if (s->pool[h] <= key)
			a = h + 1;
		else
			b = h;
	}
	if (*n < ef)
		++*n;
	memmove(s->pool + a + 1, s->pool + a, (*n - 1 - a) *
	    sizeof(*s->pool));
	memmove(s->done + a + 1, s->done + a, *n - 1 - a);
	s->pool[a] = key;
	s->done[a] = 0;
	return a;
}

static bool
first_time(struct search *s, uint32_t node)
{
	if (s->seen[node] == s->tag)
		return false;
	s->seen[node] = s->tag;
	return true;
}

static void
begin(struct search *s)
{
	if (++s->tag == 0) {
		memset(s->seen, 0, s->n * sizeof(*s->seen));
		s->tag = 1;
	}
}

unsigned
search_level(struct search *s, const struct graph *g, const struct codes *c,
    uint32_t node, int level, uint32_t start, unsigned ef)
{
	uint32_t fresh[2 * GRAPH_M_MAX];
	float distance[2 * GRAPH_M_MAX];
	unsigned n = 0, at = 0, low, place, m, i;
	uint16_t *count;

	begin(s);
	(void)first_time(s, start);
	codes_distances(c, node, &start, 1, distance);
	put(s, &n, ef, near_key(distance[0], start));
	while (at < n) {
		const uint32_t *link;

		if (s->done[at]) {
			at++;
			continue;
		}
		s->done[at] = 1;
		link = graph_links(g, (uint32_t)s->pool[at], level, &count);
		for (m = i = 0; i < *count; i++)
			if (first_time(s, link[i]))
				fresh[m++] = link[i];
		codes_distances(c, node, fresh, m, distance);
		low = at + 1;
		for (i = 0; i < m; i++) {
			uint64_t key = near_key(distance[i], fresh[i]);

			if (n == ef && key >= s->pool[n - 1])
				continue;
			place = put(s, &n, ef, key);
			low = place < low ? place : low;
		}
		at = low;
	}
	return n;
}
