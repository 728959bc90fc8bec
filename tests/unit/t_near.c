/* SPDX-License-Identifier: Apache-2.0 */
/* t_near - lists of the nearest: what a plain sort of all that was merged
 * leaves, for any order and from any thread. */
#include "index/near.h"

#include <float.h>

#include "../given.h"
#include "../tap.h"
#include "base/workers.h"

#define NODES 3
#define MERGES 300
#define ALL (MERGES * 500)

static uint64_t model[NODES][ALL];
static unsigned models[NODES];

/* Sorted, none twice; how many are left. */
static unsigned
tidy(uint64_t *key, unsigned n)
{
	unsigned i, m = 0;

	qsort(key, n, sizeof(*key), given_compare_keys);
	for (i = 0; i < n; i++)
		if (m == 0 || key[m - 1] != key[i])
			key[m++] = key[i];
	return m;
}

static unsigned
draw(uint64_t *seed, uint64_t *key, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		key[i] = near_key((float)(scratch_random(seed) % 400),
		    (uint32_t)(scratch_random(seed) % 6));
	return tidy(key, n);
}

static unsigned
differ(const struct near *l, uint32_t node)
{
	unsigned n, i, bad = 0;

	n = models[node] = tidy(model[node], models[node]);
	if (n > l->kept)
		n = l->kept;
	bad += l->count[node] != n;
	for (i = 0; i < n && !bad; i++)
		bad += near_list(l, node)[i] != model[node][i];
	bad += near_limit(l, node) != (n < l->kept ? FLT_MAX :
	    near_distance(model[node][n - 1]));
	return bad;
}

static void
test_merge(unsigned kept)
{
	uint64_t seed = kept, key[500];
	unsigned bad = 0, full = 0, round, n;
	struct near l;
	struct err e;

	if (near_init(&l, NODES, kept, &e) < 0)
		scratch_die(e.msg);
	memset(models, 0, sizeof(models));
	for (round = 0; round < NODES; round++)
		bad += differ(&l, round);
	for (round = 0; round < MERGES; round++) {
		uint32_t node = (uint32_t)(scratch_random(&seed) % NODES);

		n = draw(&seed, key, (unsigned)(scratch_random(&seed) %
		    (round % 10 == 0 ? 500 : 20)));
		near_merge(&l, node, key, n);
		memcpy(model[node] + models[node], key, n * sizeof(*key));
		models[node] += n;
		bad += differ(&l, node);
		full += l.count[node] == kept;
	}
	ok(bad == 0 && full > 0 && full < MERGES,
	    "%u kept: as a plain sort (%u), full in %u", kept, bad, full);
	near_release(&l);
	ok(!l.key && l.n == 0, "  released");
}

/* ---- from several threads ---- */

static struct near shared;

static void
merge_some(size_t i, unsigned worker, void *arg)
{
	uint64_t seed = i, key[40];
	unsigned n = draw(&seed, key, 40);
	unsigned *wider = arg;

	near_merge(&shared, 1, key, n);
	/* it never grows */
	if (near_limit(&shared, 1) < 0)
		wider[worker]++;
}

static void
test_threads(void)
{
	unsigned i, n, bad = 0, wrong[8] = { 0 };
	uint64_t seed, key[40];
	struct err e;

	if (near_init(&shared, NODES, 64, &e) < 0)
		scratch_die(e.msg);
	memset(models, 0, sizeof(models));
	workers_run(4, 4000, 1, merge_some, wrong);
	for (i = 0; i < 4000; i++) {
		seed = i;
		n = draw(&seed, key, 40);
		memcpy(model[1] + models[1], key, n * sizeof(*key));
		models[1] += n;
		if (models[1] > ALL - 40)
			models[1] = tidy(model[1], models[1]);
	}
	for (i = 0; i < NODES; i++)
		bad += differ(&shared, i);
	ok(bad == 0, "from four threads the same (%u)", bad);
	near_release(&shared);
}

static void
test_keys(void)
{
	static const float up[] = { 0, 1e-45f, 1e-20f, 1, 1.5f, 1e30f,
	    FLT_MAX };
	unsigned i, bad = 0;

	for (i = 0; i < COUNT(up); i++) {
		bad += near_distance(near_key(up[i], 77)) != up[i];
		bad += (uint32_t)near_key(up[i], UINT32_MAX) != UINT32_MAX;
		bad += i > 0 && near_key(up[i - 1], UINT32_MAX) >=
		    near_key(up[i], 0);
	}
	ok(bad == 0, "keys have the order of distances, then of numbers");
}

static void
test_sort(void)
{
	static uint64_t key[3000], want[3000];
	uint64_t seed = 9;
	unsigned n, i, bad = 0;

	for (n = 0; n < 3000; n = n < 70 ? n + 1 : n * 2 + 1) {
		for (i = 0; i < n; i++)
			key[i] = near_key((float)(scratch_random(&seed) % 99),
			    (uint32_t)scratch_random(&seed) % 100);
		memcpy(want, key, n * sizeof(*key));
		qsort(want, n, sizeof(*want), given_compare_keys);
		near_sort(kernel_best(), key, n);
		bad += memcmp(key, want, n * sizeof(*key)) != 0;
	}
	ok(bad == 0, "any number of keys is sorted (%u)", bad);
}

int
main(void)
{
	static const unsigned kept[] = { 32, 33, 48, 64, 191, NEAR_KEPT_MAX };
	unsigned i;

	for (i = 0; i < COUNT(kept); i++)
		test_merge(kept[i]);
	test_threads();
	test_keys();
	test_sort();
	return tap_done();
}
