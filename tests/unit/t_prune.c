/* SPDX-License-Identifier: Apache-2.0 */
/* t_prune - which neighbours are worth a link: what plain loops say. */
#include "index/prune.h"

#include "../given.h"
#include "../tap.h"

static struct codes c;

static float
between(uint32_t a, uint32_t b)
{
	float d;

	codes_distances(&c, a, &b, 1, &d);
	return d;
}

/* hnswlib's heuristic. */
static unsigned
plain(const uint64_t *key, unsigned n, unsigned most, float factor,
    uint64_t *out)
{
	unsigned kept = 0, i, j;

	for (i = 0; i < n && kept < most; i++) {
		for (j = 0; j < kept; j++)
			if (between((uint32_t)key[i], (uint32_t)out[j]) *
			    factor < near_distance(key[i]))
				break;
		if (j == kept)
			out[kept++] = key[i];
	}
	return kept;
}

/* The nearest of all to a node. */
static unsigned
nearest(uint32_t node, unsigned n, uint64_t *key)
{
	static uint64_t all[2000];
	uint32_t i, m = 0;

	for (i = 0; i < c.n; i++)
		if (i != node)
			all[m++] = near_key(between(node, i), i);
	near_sort(c.kernel, all, m);
	n = n < m ? n : m;
	memcpy(key, all, n * sizeof(*key));
	return n;
}

static void
test_select(enum given_kind kind, float factor)
{
	static const unsigned most[] = { 0, 1, 4, 5, 32, 600 };
	uint64_t key[PRUNE_MAX], want[PRUNE_MAX], got[PRUNE_MAX];
	uint64_t again[PRUNE_MAX], join[PRUNE_MAX];
	uint8_t mutual[PRUNE_MAX];
	unsigned n, m, i, k, t, bad = 0, fewer = 0;
	uint32_t node;

	for (node = 0; node < (GIVEN_SLOW ? 4 : 16); node++)
		for (t = 0; t < COUNT(most); t++) {
			n = nearest(node, t < 3 ? 40 + node : 511, key);
			m = plain(key, n, most[t], factor, want);
			fewer += m < n;
			bad += prune_select(&c, key, NULL, n, most[t], factor,
			    got) != m || memcmp(want, got, m * 8) != 0;
			memcpy(again, key, n * 8);
			bad += prune_select(&c, again, NULL, n, most[t],
			    factor, again) != m || memcmp(want, again, m * 8)
			    != 0;
			/* what was kept before, among others */
			for (i = k = 0; i < n; i++) {
				mutual[i] = k < m && want[k] == key[i];
				k += mutual[i];
				join[i] = key[i];
			}
			if (k == m)
				bad += prune_select(&c, join, mutual, n,
				    most[t], factor, got) != m ||
				    memcmp(want, got, m * 8) != 0;
		}
	ok(bad == 0 && (fewer > 0 || kind == GIVEN_SAME),
	    "%s, factor %g: %u wrong", given_name[kind], (double)factor, bad);
}

/* ---- level 0 ---- */

struct plain {
	uint64_t key[700];
	unsigned n;
};

static struct near l;
static struct graph g;

static void
add_once(struct plain *p, uint64_t key)
{
	unsigned i;

	for (i = 0; i < p->n; i++)
		if ((uint32_t)p->key[i] == (uint32_t)key)
			return;
	p->key[p->n++] = key;
}

/* What prune.h says, step by step. */
static void
model(struct plain *p, uint32_t node, const struct plain *asked,
    float factor, unsigned forced)
{
	unsigned room = graph_room0(&g, node), i, n, some;
	uint16_t *count;
	uint32_t k;
	int level;

	*p = asked[node];
	for (k = 0; k < g.n; k++)
		for (i = 0; i < asked[k].n; i++)
			if ((uint32_t)asked[k].key[i] == node)
				add_once(p, (asked[k].key[i] &
				    0xffffffff00000000) | k);
	near_sort(c.kernel, p->key, p->n);
	if (p->n > room)
		p->n = plain(p->key, p->n, room, factor, p->key);
	some = room < g.m ? room : g.m;
	for (i = 0; i < l.count[node] && p->n < some; i++)
		add_once(p, near_list(&l, node)[i]);
	for (level = 1; level <= g.level[node]; level++) {
		const uint32_t *link = graph_links(&g, node, level, &count);

		for (i = *count, n = 0; i-- > 0 && n < forced;) {
			some = p->n;
			add_once(p, link[i]);
			n += p->n > some;
			if (p->n > room) {
				p->n = room;
				p->key[room - n] = link[i];
			}
		}
	}
}

static void
set_up(uint32_t n, unsigned m, unsigned kept, bool reserved)
{
	uint8_t level[1000];
	uint64_t key[NEAR_KEPT_MAX];
	uint16_t *count;
	uint32_t i, j, k;
	struct err e;
	int lv;

	for (i = 0; i < n; i++)
		level[i] = i % 7 == 0 ? (uint8_t)(1 + (i % 21 == 0)) : 0;
	if (graph_init(&g, n, m, level, &e) < 0 ||
	    near_init(&l, n, kept, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < n; i++) {
		near_merge(&l, i, key, nearest(i, i % 5 ? kept : i % 11, key));
		g.reserved[i] = reserved ? (uint8_t)(i % 3) : 0;
		for (lv = 1; lv <= level[i]; lv++) {
			uint32_t *link = graph_links(&g, i, lv, &count);

			for (j = *count = 0; j < m && j < 6; j++) {
				k = (i + 21 * (j + (uint32_t)lv)) % (n / 21 *
				    21) / 21 * 21;
				if (k != i)
					link[(*count)++] = k;
			}
		}
	}
}

static void
test_level0(enum given_kind kind, uint32_t n, unsigned m, unsigned kept,
    bool reserved, float factor)
{
	struct plain *asked = calloc(n, sizeof(*asked)), want;
	uint32_t node, i, bad = 0;
	uint64_t full = 0;
	struct err e;

	set_up(n, m, kept, reserved);
	for (node = 0; node < n; node++)
		asked[node].n = plain(near_list(&l, node), l.count[node],
		    2 * m < kept ? 2 * m : kept, factor, asked[node].key);
	if (prune_level0(&g, &c, &l, factor, 2 * g.m, 2, &e) < 0)
		scratch_die(e.msg);
	for (node = 0; node < n; node++) {
		const uint32_t *link = g.link0 + (size_t)node * g.m0;

		model(&want, node, asked, factor, 2);
		full += want.n == graph_room0(&g, node);
		bad += g.count0[node] != want.n;
		for (i = 0; i < want.n && i < g.m0; i++)
			bad += link[i] != (uint32_t)want.key[i];
	}
	ok(bad == 0, "level 0: %s, M %u, %u kept%s, factor %g: %u wrong, "
	    "%u of %u full", given_name[kind], m, kept,
	    reserved ? ", some reserved" : "", (double)factor, bad,
	    (unsigned)full, n);
	graph_release(&g);
	near_release(&l);
	free(asked);
}

/* One that all ask for. */
static void
test_hub(void)
{
	struct err e;
	uint32_t i;
	uint64_t key;

	set_up(900, 2, 32, false);
	memset(l.count, 0, 900);
	for (i = 1; i < 900; i++) {
		key = near_key(between(i, 0), 0);
		near_merge(&l, i, &key, 1);
	}
	if (prune_level0(&g, &c, &l, 1.06f, 2 * g.m, 2, &e) < 0)
		scratch_die(e.msg);
	ok(g.count0[0] > 0 && g.count0[0] <= 4 && g.link0[4 * 5] == 0 &&
	    g.count0[5] == 1, "one that all ask for");
	graph_release(&g);
	near_release(&l);
}

int
main(void)
{
	enum given_kind kind;

	for (kind = 0; kind < GIVEN_KINDS; kind +=
	    GIVEN_SLOW ? 3 : 1) {
		struct vectors v = given_make(kind, 900, 6);

		given_codes(&c, &v, kind == GIVEN_UNIFORM, 2);
		test_select(kind, 1);
		test_select(kind, 1.2f);
		c.n = 300;
		test_level0(kind, 300, 2, 32, true, 1);
		test_level0(kind, 300, 4, 48, false, 1.06f);
		test_level0(kind, 300, 16, 48, true, 1.06f);
		test_level0(kind, 300, 32, 40, true, 1);
		c.n = 900;
		if (kind == GIVEN_RANDOM)
			test_hub();
		codes_release(&c);
		given_release(&v);
	}
	return tap_done();
}
