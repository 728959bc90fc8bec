/* SPDX-License-Identifier: Apache-2.0 */
/* t_cluster - overlapping sets: of the right size, each node in as many as was
 * asked for, the same for any number of threads on each kernel. */
#include "index/cluster.h"

#include "../given.h"
#include "../tap.h"
#include "index/leaf.h"

static size_t dim = 10;

static struct vectors
kind_of(enum given_kind kind, uint32_t n, float scale)
{
	struct vectors v = given_make(kind, n, dim);
	float *x = (float *)(uintptr_t)v.base;
	size_t i;

	for (i = 0; i < n * dim; i++)
		x[i] *= scale;
	return v;
}

static void
make(struct clusters *s, enum given_kind kind, bool ip, uint32_t n,
    unsigned overlap, unsigned threads, float scale)
{
	struct vectors v = kind_of(kind, n, scale);
	struct codes c;
	struct err e;

	given_codes(&c, &v, ip, threads);
	if (cluster_make(s, &c, overlap, 42, &e) < 0)
		scratch_die(e.msg);
	codes_release(&c);
	given_release(&v);
}

static int
by_content(const void *a, const void *b)
{
	const struct cluster_set *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return memcmp(x->node, y->node, x->n * sizeof(*x->node));
}

/* Sets of one rank come in any order. */
static bool
equal(struct clusters *a, struct clusters *b, uint32_t n)
{
	size_t i;

	qsort(a->set, a->n, sizeof(*a->set), by_content);
	qsort(b->set, b->n, sizeof(*b->set), by_content);
	for (i = 0; i < a->n && a->n == b->n; i++)
		if (by_content(&a->set[i], &b->set[i]) != 0)
			return false;
	return a->n == b->n && a->leaders == b->leaders &&
	    memcmp(a->primary, b->primary, n * sizeof(*a->primary)) == 0;
}

static void
test_sets(enum given_kind kind, bool ip, uint32_t n, unsigned overlap)
{
	struct clusters s;
	uint32_t *in = calloc(n + 1, sizeof(*in)), *last, i, k, bad = 0;
	uint32_t none = 0, twice = 0, most = 3 * overlap;
	uint64_t all = 0;
	uint8_t *home;
	size_t j;

	/* what is divided again three times, and stays as it is */
	if (kind == GIVEN_SAME)
		most = 8 * overlap;
	last = calloc(n + 1, sizeof(*last));
	home = calloc(n + 1, 1);
	make(&s, kind, ip, n, overlap, 2, 1);
	for (j = 0; j < s.n; j++) {
		bad += s.set[j].n < 2 || s.set[j].n > LEAF_MAX ||
		    s.set[j].rank >= s.leaders ||
		    (j > 0 && s.set[j - 1].rank > s.set[j].rank);
		for (i = 0; i < s.set[j].n; i++) {
			k = s.set[j].node[i];
			bad += k >= n;
			if (k >= n)
				continue;
			home[k] |= s.set[j].rank == s.primary[k];
			twice += last[k] == j + 1;
			last[k] = (uint32_t)j + 1;
			in[k]++;
		}
		all += s.set[j].n;
	}
	for (i = 0; i < n; i++) {
		none += in[i] == 0 || !home[i];
		bad += s.primary[i] >= s.leaders;
	}
	ok(bad == 0 && twice == 0, "%s, %s, %u nodes: %zu sets of %u leaders "
	    "(%u wrong, %u twice)", given_name[kind], ip ? "ip" : "l2", n,
	    s.n, s.leaders, bad, twice);
	ok(none * 100 <= n && all * 10 >= (uint64_t)n * 9 * (n <= 1200 ? 1 :
	    overlap) && all <= (uint64_t)n * (n <= 1200 ? 1 : most),
	    "  each in %.2f of them for %u, %u not in that of their nearest leader", (double)all / n,
	    overlap, none);
	cluster_release(&s);
	ok(!s.set && !s.primary, "  released");
	free(in);
	free(last);
	free(home);
}

static void
test_same(enum given_kind kind, bool ip)
{
	struct clusters s, t;
	const struct kernel *k;
	unsigned i, threads;

	setenv("CHROMAUTILS_KERNEL", "portable", 1);
	make(&s, kind, ip, 3000, 6, 1, 1);
	for (i = 0; i < KERNELS; i++) {
		if (!(k = kernel_at(i)))
			continue;
		setenv("CHROMAUTILS_KERNEL", k->name, 1);
		for (threads = GIVEN_SLOW ? 2 : 1; threads <= 2; threads++) {
			make(&t, kind, ip, 3000, 6, threads, 1);
			ok(equal(&s, &t, 3000), "%s, %s, %s, %u threads: the "
			    "same sets", given_name[kind], ip ? "ip" : "l2",
			    k->name, threads);
			cluster_release(&t);
		}
	}
	unsetenv("CHROMAUTILS_KERNEL");
	/* longer by a power of two: the same to the bit */
	make(&t, kind, ip, 3000, 6, 2, 0x1p40f);
	ok(equal(&s, &t, 3000), "  nor does it matter how long they are");
	cluster_release(&t);
	make(&t, kind, ip, 3000, 6, 2, 0x1p-40f);
	ok(equal(&s, &t, 3000), "  or short");
	cluster_release(&t);
	cluster_release(&s);
}

/* Sets are of those that are near: a node has its nearest in one of its sets,
 * mostly. */
static void
test_near(bool ip)
{
	struct vectors v = kind_of(GIVEN_RANDOM, 3000, 1);
	struct clusters s;
	struct codes c;
	uint8_t *with = malloc(3000);
	uint32_t i, j, best, had = 0;
	struct err e;
	float d, least;
	size_t k;

	given_codes(&c, &v, ip, 2);
	if (cluster_make(&s, &c, 5, 1, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < 3000; i += GIVEN_SLOW ? 60 : 15) {
		for (j = best = 0, least = INFINITY; j < 3000; j++) {
			codes_distances(&c, i, &j, 1, &d);
			if (j != i && d < least) {
				least = d;
				best = j;
			}
		}
		for (k = 0, memset(with, 0, 3000); k < s.n; k++) {
			for (j = 0; j < s.set[k].n && s.set[k].node[j] != i;
			    j++)
				;
			if (j == s.set[k].n)
				continue;
			for (j = 0; j < s.set[k].n; j++)
				with[s.set[k].node[j]] = 1;
		}
		had += with[best];
	}
	ok(had > (GIVEN_SLOW ? 30 : 150), "%s: the nearest of %u is in a set "
	    "with it", ip ? "ip" : "l2", had);
	free(with);
	cluster_release(&s);
	codes_release(&c);
	given_release(&v);
}

static void
test_order(void)
{
	struct clusters s, t;
	uint32_t *order, i, bad = 0, seen[3000] = { 0 };
	struct err e;
	size_t k;

	make(&s, GIVEN_RANDOM, false, 3000, 4, 1, 1);
	make(&t, GIVEN_RANDOM, false, 3000, 4, 1, 1);
	order = cluster_order(&s, 3000);
	if (!order || cluster_renumber(&s, order, 3000, &e) < 0)
		scratch_die("no memory");
	for (i = 0; i < 3000; i++) {
		bad += order[i] >= 3000 || seen[order[i] % 3000]++;
		bad += i > 0 && (t.primary[order[i - 1]] >
		    t.primary[order[i]] || (t.primary[order[i - 1]] ==
		    t.primary[order[i]] && order[i - 1] > order[i]));
	}
	ok(bad == 0, "the order is by the nearest leader (%u)", bad);
	for (k = bad = 0; k < s.n; k++)
		for (i = 0; i < s.set[k].n; i++)
			bad += order[s.set[k].node[i]] != t.set[k].node[i];
	ok(bad == 0, "  and sets have the new numbers (%u)", bad);
	free(order);
	cluster_release(&s);
	cluster_release(&t);
}

int
main(void)
{
	static const uint32_t few[] = { 0, 1, 2, 3, 1200, 1201, 1300 };
	enum given_kind kind;
	unsigned i;

	for (i = 2; i < COUNT(few); i++)
		test_sets(GIVEN_RANDOM, false, few[i], 7);
	for (i = 0; i < 2; i++) {
		struct clusters s;

		make(&s, GIVEN_RANDOM, true, few[i], 7, 2, 1);
		ok(s.n == 0, "%u nodes: no set", few[i]);
		cluster_release(&s);
	}
	for (kind = 0; kind < GIVEN_KINDS; kind +=
	    GIVEN_SLOW ? 2 : 1) {
		test_sets(kind, kind % 2, 6000, 1);
		test_sets(kind, kind % 2 == 0, 6000, 7);
		if (!GIVEN_SLOW || kind == GIVEN_TIGHT)
			test_same(kind, kind % 2);
	}
	test_near(false);
	test_near(true);
	dim = 2;	/* many directions are almost the same */
	test_near(true);
	dim = 10;
	test_order();
	return tap_done();
}
