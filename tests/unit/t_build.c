/* SPDX-License-Identifier: Apache-2.0 */
/* t_build - graphs of all kinds of vectors: sound, reached, as good as they
 * say, and the same for any number of threads on each kernel. */
#include "index/build.h"

#include <string.h>

#include "../given.h"
#include "../tap.h"

enum space { L2, IP, COSINE };
static const char *const space_name[] = { "l2", "ip", "cosine" };

struct given {
	enum given_kind kind;
	uint32_t n;
	size_t dim;
	unsigned m;
	enum space space;
	float scale;
};

static struct vectors
vectors_of(const struct given *a)
{
	struct vectors v = given_make(a->kind, a->n, a->dim);
	float *x = (float *)(uintptr_t)v.base;
	struct err e;
	size_t i;

	for (i = 0; i < a->n * a->dim && a->scale > 0; i++)
		x[i] *= a->scale;
	if (a->space == COSINE && vectors_make_unit(&v, 2, &e) < 0)
		scratch_die(e.msg);
	return v;
}

static struct {
	double last;
	unsigned calls, wrong;
} seen;

static void
progress(void *arg, double share)
{
	seen.wrong += arg != &seen || share < seen.last || share > 1;
	seen.last = share;
	seen.calls++;
}

static void
make(struct build_result *b, const struct vectors *v, const struct given *a,
    unsigned threads, const struct hints *h)
{
	struct build_params p = { .m = a->m, .ef_construction = 100,
	    .ip = a->space == IP, .threads = threads, .seed = 42, .hints = h,
	    .progress = progress, .arg = &seen };
	struct err e;

	memset(&seen, 0, sizeof(seen));
	if (build(b, v, &p, &e) < 0)
		scratch_die(e.msg);
}

/* ---- sound ---- */

static unsigned
wrong_list(const struct graph *g, uint32_t node, int level)
{
	unsigned bad = 0, i, j, room = level ? g->m : graph_room0(g, node);
	uint16_t *count;
	const uint32_t *link = graph_links(g, node, level, &count);

	if (*count > room)
		return 1;
	for (i = 0; i < *count; i++) {
		if (link[i] >= g->n)
			return bad + 1;
		bad += link[i] == node || g->level[link[i]] < level;
		for (j = 0; j < i; j++)
			bad += link[i] == link[j];
	}
	return bad;
}

static uint32_t
reached(const struct graph *g)
{
	uint8_t *been = calloc(g->n + 1, 1);
	uint32_t *stack = malloc((g->n + 1) * sizeof(*stack));
	uint32_t depth = 0, n = 0, i;
	uint16_t *count;

	if (g->n > 0) {
		been[g->entry] = 1;
		stack[depth++] = g->entry;
	}
	while (depth > 0) {
		const uint32_t *link = graph_links(g, stack[--depth], 0,
		    &count);

		n++;
		for (i = 0; i < *count; i++)
			if (!been[link[i]]) {
				been[link[i]] = 1;
				stack[depth++] = link[i];
			}
	}
	free(been);
	free(stack);
	return n;
}

/* Each vector is a node or a copy of one. */
static unsigned
wrong_vectors(const struct build_result *b, const struct vectors *v)
{
	uint8_t *been = calloc(v->n + 1, 1);
	uint32_t *copies = calloc(v->n + 1, sizeof(*copies)), i, k, bad = 0;
	const unsigned most = b->graph.m < GRAPH_TREE ? b->graph.m :
	    GRAPH_TREE;
	float *x = malloc(2 * v->dim * sizeof(*x));

	for (i = 0; i < b->graph.n; i++)
		bad += b->vector[i] >= v->n || been[b->vector[i]]++;
	for (i = 0; i < b->copies; i++) {
		k = b->copy_of[i];
		bad += b->copy[i] >= v->n || been[b->copy[i]]++ ||
		    k >= b->graph.n;
		vectors_load_near(v, b->copy[i], x);
		vectors_load_near(v, b->vector[k], x + v->dim);
		bad += memcmp(x, x + v->dim, v->dim * 4) != 0 ||
		    b->vector[k] > b->copy[i];
		copies[k]++;
	}
	for (i = 0; i < b->graph.n; i++)
		bad += b->graph.reserved[i] != (copies[i] < most ? copies[i] :
		    most) || b->graph.level[i] != graph_draw_level(
		    b->vector[i], 42, b->graph.m);
	free(been);
	free(copies);
	free(x);
	return bad + (b->graph.n + b->copies != v->n);
}

/* ---- good ---- */

struct found {
	double distance;
	uint32_t node;
	bool done;
};

static int
by_distance(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->distance != y->distance ? x->distance < y->distance ? -1 :
	    1 : x->node < y->node ? -1 : x->node > y->node;
}

#define EF 100

/* Where level 0 is entered. */
static uint32_t
descend(const struct graph *g, const struct found *all)
{
	uint32_t at = g->entry, from, j;
	uint16_t *count;
	int level;

	for (level = g->max_level; level > 0; level--)
		do {
			const uint32_t *link = graph_links(g, from = at, level,
			    &count);

			for (j = 0; j < *count; j++)
				if (all[link[j]].distance < all[at].distance)
					at = link[j];
		} while (at != from);
	return at;
}

/* A search like hnswlib's, by the vectors themselves; how many of
 * the true nearest it finds. */
static unsigned
finds(const struct graph *g, const float *x, size_t dim, bool ip,
    uint32_t node, unsigned k)
{
	static struct found all[5000], pool[EF + 2 * 64 + 1];
	static uint8_t been[5000];
	unsigned n = 0, i, had = 0;
	uint16_t *count;
	uint32_t j, start;
	double last;

	for (j = 0; j < g->n; j++)
		all[j] = (struct found){ given_distance(x + node * dim, x + j *
		    dim, dim, ip), j, false };
	memset(been, 0, g->n);
	start = descend(g, all);
	been[start] = 1;
	pool[n++] = all[start];
	for (i = 0; i < n;) {
		const uint32_t *link;

		if (pool[i].done) {
			i++;
			continue;
		}
		pool[i].done = true;
		link = graph_links(g, pool[i].node, 0, &count);
		for (j = 0; j < *count; j++) {
			if (been[link[j]]++)
				continue;
			pool[n++] = all[link[j]];
		}
		qsort(pool, n, sizeof(*pool), by_distance);
		n = n < EF ? n : EF;
		i = 0;
	}
	all[node].distance = HUGE_VAL;
	qsort(all, g->n, sizeof(*all), by_distance);
	last = all[k - 1].distance;
	for (i = j = 0; i < n && j < k + 1; i++, j++)
		had += pool[i].node != node && pool[i].distance <= last;
	return had < k ? had : k;
}

static double
recall(const struct build_result *b, const struct vectors *v, bool ip)
{
	float *x = malloc((size_t)(b->graph.n + 1) * v->dim * sizeof(*x));
	unsigned k = b->graph.n < 11 ? b->graph.n - 1 : 10, had = 0, all = 0;
	uint32_t i;

	for (i = 0; i < b->graph.n; i++)
		vectors_load(v, b->vector[i], x + i * v->dim);
	for (i = 0; i < b->graph.n; i += 1 + b->graph.n /
	    (GIVEN_SLOW ? 8 : 30)) {
		had += finds(&b->graph, x, v->dim, ip, i, k);
		all += k;
	}
	free(x);
	return all == 0 ? 1 : (double)had / all;
}

static void
test_one(const struct given *a, double least)
{
	struct vectors v = vectors_of(a);
	struct build_result b;
	uint32_t i, bad = 0, far = 0;
	double got;
	int level;

	make(&b, &v, a, 2, NULL);
	for (i = 0; i < b.graph.n; i++)
		for (level = 0; level <= b.graph.level[i]; level++)
			bad += wrong_list(&b.graph, i, level);
	far = b.graph.n - reached(&b.graph);
	bad += wrong_vectors(&b, &v);
	bad += b.graph.m != a->m || b.graph.m0 != 2 * a->m;
	ok(bad == 0 && far == 0 && b.left == 0 && b.exact ==
	    (a->kind == GIVEN_TIGHT && a->n > 3), "%s, %s, %u vectors of %zu "
	    "numbers * %g, M %u: %u wrong, %u not reached, %u repaired",
	    given_name[a->kind], space_name[a->space], a->n, a->dim,
	    a->scale > 0 ? (double)a->scale : 1.0, a->m, bad, far,
	    b.repaired);
	got = b.graph.n > 1 ? recall(&b, &v, a->space == IP) : 1;
	if (a->scale > 0 && a->scale < 1e-25f)	/* in float32 all are as far */
		got = b.recall;
	ok(b.recall <= 1 && b.recall >= least && got >= least - 0.1 &&
	    fabs(got - b.recall) < (least > 0.5 ? 0.1 : 0.35) &&
	    (b.found >= 0.8 || b.rounds == 4),
	    "  recall: %.3f, by the vectors %.3f; lists %.3f in %u rounds",
	    b.recall, got, b.found, b.rounds);
	ok(seen.calls > 5 && seen.wrong == 0 && seen.last > 0.99,
	    "  progress: up to %g in %u calls", seen.last, seen.calls);
	build_release(&b);
	ok(!b.vector && !b.copy && b.graph.n == 0, "  released");
	given_release(&v);
}

/* ---- the same ---- */

static bool
equal(const struct build_result *a, const struct build_result *b)
{
	const struct graph *g = &a->graph, *h = &b->graph;
	size_t n = g->n, lists = 0, i;

	if (h->n != g->n || h->m != g->m || h->entry != g->entry ||
	    h->max_level != g->max_level || h->uppers != g->uppers ||
	    a->copies != b->copies)
		return false;
	for (i = 0; i < n; i++)
		lists += g->level[i];
	return memcmp(g->level, h->level, n) == 0 &&
	    memcmp(g->link0, h->link0, n * g->m0 * 4) == 0 &&
	    memcmp(g->count0, h->count0, n * 2) == 0 &&
	    memcmp(g->reserved, h->reserved, n) == 0 &&
	    memcmp(g->link, h->link, lists * g->m * 4) == 0 &&
	    memcmp(g->count, h->count, lists * 2) == 0 &&
	    memcmp(a->vector, b->vector, n * 4) == 0 &&
	    memcmp(a->copy, b->copy, a->copies * 4) == 0 &&
	    memcmp(a->copy_of, b->copy_of, a->copies * 4) == 0 &&
	    a->recall == b->recall && a->found == b->found &&
	    a->rounds == b->rounds && a->exact == b->exact &&
	    a->repaired == b->repaired;
}

static void
test_same(const struct given *a)
{
	struct vectors v = vectors_of(a);
	struct build_result first, b;
	const struct kernel *k, *best = kernel_best();
	unsigned i, threads;

	setenv("CHROMAUTILS_KERNEL", "portable", 1);
	make(&first, &v, a, 1, NULL);
	for (i = 0; i < KERNELS; i++)
		for (threads = 1; (k = kernel_at(i)) && threads <= 3;
		    threads += k == best ? 1 : 2) {
			setenv("CHROMAUTILS_KERNEL", k->name, 1);
			make(&b, &v, a, threads, NULL);
			ok(equal(&first, &b), "%s, %s, %s, %u threads: the "
			    "same graph", given_name[a->kind],
			    space_name[a->space], k->name, threads);
			build_release(&b);
		}
	unsetenv("CHROMAUTILS_KERNEL");
	build_release(&first);
	given_release(&v);
}

/* ---- hints ---- */

/* With the links of a graph before: sound again, no worse, and fewer sets. */
static void
test_hints(void)
{
	const struct given a = { GIVEN_RANDOM, GIVEN_SLOW ? 1300 : 2500, 24,
	    16, L2, 0 };
	struct vectors v = vectors_of(&a);
	struct build_result b, c;
	uint32_t i, j, bad = 0, to[64];
	struct hints h;
	struct err e;
	uint16_t *count;

	make(&b, &v, &a, 2, NULL);
	if (hints_init(&h, v.n, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < b.graph.n; i++) {
		const uint32_t *link = graph_links(&b.graph, i, 0, &count);

		for (j = 0; j < *count; j++)
			to[j] = b.vector[link[j]];
		if (hints_add(&h, b.vector[i], to, *count, &e) < 0)
			scratch_die(e.msg);
	}
	make(&c, &v, &a, 2, &h);
	for (i = 0; i < c.graph.n; i++)
		bad += wrong_list(&c.graph, i, 0);
	ok(bad == 0 && reached(&c.graph) == v.n && wrong_vectors(&c, &v) == 0,
	    "with hints: sound (%u)", bad);
	ok(c.found > 0.9 && c.recall > b.recall - 0.02 && c.rounds == 1 &&
	    !equal(&b, &c), "  and as good: lists %.3f, %.3f; recall %.3f, "
	    "%.3f", b.found, c.found, b.recall, c.recall);
	build_release(&b);
	build_release(&c);
	hints_release(&h);
	given_release(&v);
}

/* Where one round does not find enough, others do. */
static void
test_rounds(void)
{
	struct build_params p = { .m = 16, .ef_construction = 100,
	    .threads = 2, .seed = 42, .overlap = 1, .progress = progress,
	    .arg = &seen };
	struct vectors v = given_make(GIVEN_UNIFORM, 2500, 12);
	struct build_result b;
	struct err e;

	memset(&seen, 0, sizeof(seen));
	if (build(&b, &v, &p, &e) < 0)
		scratch_die(e.msg);
	ok(b.rounds > 1 && b.found >= 0.8,
	    "one set for each: %u rounds, lists %.3f", b.rounds, b.found);
	ok(reached(&b.graph) == v.n && wrong_vectors(&b, &v) == 0, "  sound");
	ok(seen.calls > 5 && seen.wrong == 0 && seen.last > 0.99,
	    "  progress: up to %g in %u calls", seen.last, seen.calls);
	build_release(&b);
	given_release(&v);
}

/* Two clusters so far apart that their codes cannot tell what is near inside of
 * them: the vectors themselves can. */
static void
test_exact(unsigned threads, bool hinted)
{
	const struct given a = { GIVEN_UNIFORM, GIVEN_SLOW ? 2000 : 5000, 32,
	    16, L2, 0.5f };
	struct vectors v = vectors_of(&a);
	float *x = (float *)(uintptr_t)v.base;
	struct build_result b;
	uint32_t i, bad = 0;
	struct hints h;
	double got;
	struct err e;

	for (i = 0; i < v.n; i += 2)
		x[i * v.dim] += 1000;
	if (hints_init(&h, v.n, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i + 1 < v.n; i++)
		if (hints_add(&h, i, (uint32_t[]){ i + 1 }, 1, &e) < 0)
			scratch_die(e.msg);
	make(&b, &v, &a, threads, hinted ? &h : NULL);
	got = recall(&b, &v, false);
	ok(b.exact && got > 0.95 && b.found > 0.8 && b.recall > 0.95,
	    "two clusters far apart, %u threads: recall %.3f, by the vectors "
	    "%.3f; lists %.3f", threads, b.recall, got, b.found);
	for (i = 0; i < b.graph.n; i++)
		bad += wrong_list(&b.graph, i, 0);
	ok(bad == 0 && reached(&b.graph) == v.n && b.left == 0 &&
	    wrong_vectors(&b, &v) == 0, "  sound (%u), %u repaired", bad,
	    b.repaired);
	ok(seen.calls > 5 && seen.wrong == 0 && seen.last > 0.99,
	    "  progress: up to %g in %u calls", seen.last, seen.calls);
	build_release(&b);
	hints_release(&h);
	given_release(&v);
}

int
main(void)
{
	static const struct given all[] = {
		{ GIVEN_RANDOM, 1200, 64, 16, L2, 0 },
		{ GIVEN_RANDOM, 1201, 65, 16, IP, 0 },
		{ GIVEN_RANDOM, 1201, 300, 16, COSINE, 0 },
		{ GIVEN_UNIFORM, 1201, 2, 16, L2, 0 },
		{ GIVEN_UNIFORM, 1300, 63, 64, IP, 0 },
		{ GIVEN_TIGHT, 1201, 63, 16, COSINE, 0 },
		{ GIVEN_TIGHT, 1300, 1, 16, L2, 0 },
		{ GIVEN_COPIES, 1300, 2, 16, IP, 0 },
		{ GIVEN_COPIES, 1201, 65, 2, COSINE, 0 },
		{ GIVEN_SAME, 1201, 1, 16, L2, 0 },
		{ GIVEN_RANDOM, 1300, 8, 16, IP, 1e20f },
		{ GIVEN_RANDOM, 1300, 8, 16, L2, 1e25f },
		{ GIVEN_RANDOM, 1300, 8, 16, COSINE, 1e37f },
	};
	static const struct given poor[] = {
		{ GIVEN_UNIFORM, 1300, 20, 2, L2, 0 },
		{ GIVEN_TIGHT, 1300, 20, 2, IP, 0 },
		{ GIVEN_RANDOM, 400, 8, 16, L2, 1e-30f },
	};
	static const size_t dims[] = { 1, 2, 63, 64, 65, 300 };
	static const struct given same[] = {
		{ GIVEN_TIGHT, 1300, 20, 16, L2, 0 },
		{ GIVEN_RANDOM, 1300, 65, 8, IP, 0 },
		{ GIVEN_UNIFORM, 1201, 3, 2, COSINE, 0 },
	};
	unsigned i, n;

	for (i = 0; i < COUNT(dims); i++)
		for (n = 0; n <= 3; n++) {
			struct given a = { (enum given_kind)((i + n) %
			    GIVEN_KINDS), n, dims[i], i % 2 ? 16 : 2,
			    (enum space)((i + n) % 3), 0 };

			test_one(&a, 1);
		}
	for (i = 0; i < COUNT(all); i += GIVEN_SLOW ? 3 : 1)
		test_one(&all[i], 0.95);
	for (i = 0; i < COUNT(poor); i++)
		test_one(&poor[i], 0.05);
	for (i = 0; i < (GIVEN_SLOW ? 1 : COUNT(same)); i++)
		test_same(&same[i]);
	test_hints();
	test_rounds();
	test_exact(2, false);
	test_exact(1, true);
	ok(build_memory(100000, 768, 16, 1) > 100000 * (768 + 16 * 8 * 4) &&
	    build_memory(100000, 768, 16, 1) < 100000 * 2000 &&
	    build_memory(1, 65536, 16, 2) > 65536 * 4 * 64, "memory");
	return tap_done();
}
