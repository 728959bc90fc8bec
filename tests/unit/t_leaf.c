/* SPDX-License-Identifier: Apache-2.0 */
/* t_leaf - of each node in a leaf, what a comparison of all with all finds, on
 * each kernel. */
#include "index/leaf.h"

#include "../given.h"
#include "../tap.h"

#define KEPT 32			/* of one leaf */
#define N 1600

/* The nearest of these to node[i], into a list. */
static void
expect(const struct codes *c, struct near *l, const uint32_t *node,
    uint32_t n, uint32_t i)
{
	static uint64_t key[N];
	static float d[N];
	uint32_t j, m = 0;

	codes_distances(c, node[i], node, n, d);
	for (j = 0; j < n; j++)
		if (j != i)
			key[m++] = near_key(d[j], node[j]);
	near_sort(c->kernel, key, m);
	near_merge(l, node[i], key, m < KEPT ? m : KEPT);
}

static void
test_leaf(enum given_kind kind, bool ip, const uint32_t *sizes,
    unsigned leaves, unsigned kept)
{
	struct vectors v = given_make(kind, N, 7);
	uint32_t node[LEAF_MAX], i, k, bad = 0;
	struct near want, got;
	struct leaf_room r;
	struct codes c;
	struct err e;
	uint64_t seed = 1;

	given_codes(&c, &v, ip, 1);
	if (near_init(&want, N, kept, &e) < 0 ||
	    near_init(&got, N, kept, &e) < 0 || leaf_room_init(&r, &c, &e) < 0)
		scratch_die(e.msg);
	for (k = 0; k < leaves; k++) {
		uint32_t at = (uint32_t)(scratch_random(&seed) % N);

		for (i = 0; i < sizes[k]; i++)
			node[i] = (at + 7 * i) % N;
		leaf_run(&r, &c, &got, node, sizes[k]);
		for (i = 0; i < sizes[k]; i++)
			expect(&c, &want, node, sizes[k], i);
		for (i = 0; i < N; i++)
			bad += want.count[i] != got.count[i] ||
			    memcmp(near_list(&want, i), near_list(&got, i),
			    want.count[i] * sizeof(uint64_t)) != 0;
	}
	ok(bad == 0, "%s: %s, %s, %u leaves from %u nodes, %u kept: %u wrong",
	    c.kernel->name, given_name[kind], ip ? "ip" : "l2", leaves,
	    sizes[0], kept, bad);
	leaf_room_release(&r);
	near_release(&want);
	near_release(&got);
	codes_release(&c);
	given_release(&v);
}

int
main(void)
{
	static const uint32_t small[] = { 2, 3, 5, 6, 7, 31, 32, 33, 34, 47,
	    48, 49, 63, 64, 65, 66, 97, 129 };
	static const uint32_t large[] = { 400, 301 };
	static const uint32_t most[] = { LEAF_MAX };
	const struct kernel *k;
	enum given_kind kind;
	unsigned i;

	for (i = 0; i < KERNELS; i++) {
		if (!(k = kernel_at(i)))
			continue;
		setenv("CHROMAUTILS_KERNEL", k->name, 1);
		for (kind = 0; kind < GIVEN_KINDS; kind +=
		    GIVEN_SLOW ? 2 : 1) {
			test_leaf(kind, kind % 2, small, COUNT(small), 48);
			test_leaf(kind, kind % 2 == 0, large, COUNT(large),
			    32);
		}
	}
	test_leaf(GIVEN_TIGHT, false, most, 1, 32);
	return tap_done();
}
