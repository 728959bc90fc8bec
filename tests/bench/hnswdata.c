/* SPDX-License-Identifier: Apache-2.0 */
/* hnswdata - vectors to try an index with, and queries that are not in it.
 *
 * usage: hnswdata SET COUNT QUERIES DIM SEED BASE-FILE QUERY-FILE
 *
 * Raw float32, row after row.  The same arguments give the same vectors.
 *
 * emb    like embeddings of text: points of a mixture of Gaussians in few
 *        latent dimensions, its centres themselves in groups, the variance
 *        falling as a power of the dimension; mapped into DIM dimensions, with
 *        noise, and some dimensions much larger than the others; unit length
 * dup    three of four are exact copies, 30 of each original
 * tight  clusters of 500 that are far apart for their width
 * nrm    lengths from a lognormal distribution
 * uni    uniform in the cube
 * gauss  normal in every dimension: no structure at all
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATENT 64		/* dimensions in which the mixture lives */
#define CLUSTER 500		/* points of a cluster, about */
#define GROUP 20		/* clusters of a group */
#define OUTLIER 97		/* one dimension of so many is an outlier */
#define COPIES 30		/* of each original of dup */

struct set {
	const char *name;
	float width;		/* of a cluster; centres are 1 apart, about */
	float noise;		/* its length by that of the vector */
	float spread;		/* of the logarithm of the length */
	bool unit, copies;
};

static const struct set sets[] = {
	{ "emb",   1.2f,  0.4f,  0,    1, 0 },
	{ "dup",   1.2f,  0.4f,  0,    1, 1 },
	{ "tight", 0.02f, 0.01f, 0,    1, 0 },
	{ "nrm",   1.2f,  0.4f,  0.3f, true, false },
	{ "uni",   0,     0,     0,    0, 0 },
	{ "gauss", 0,     0,     0,    0, 0 },
};

struct world {
	const struct set *set;
	size_t dim, clusters, originals;
	float *centre;		/* clusters x LATENT */
	float *map;		/* LATENT x dim */
	uint64_t seed;
};

/* splitmix64: the state is a counter, so that each row has its own sequence. */
static uint64_t
next(uint64_t *s)
{
	uint64_t z = *s += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static float
uniform(uint64_t *s)
{
	return (float)(next(s) >> 40) * 0x1p-24f;
}

/* Mean 0, deviation 1, near enough to normal: the sum of eight bytes. */
static float
normal(uint64_t *s)
{
	uint64_t z = next(s), even, sum;

	even = (z & UINT64_C(0x00ff00ff00ff00ff)) +
	    (z >> 8 & UINT64_C(0x00ff00ff00ff00ff));
	sum = even * UINT64_C(0x0001000100010001) >> 48;
	/* mean 1020, variance 8 * (256^2 - 1) / 12; the uniform part fills
	 * the steps between the sums */
	return ((float)sum - 1020.0f + uniform(s) - 0.5f) * (1 / 209.02f);
}

static void *
must(void *p)
{
	if (!p) {
		fprintf(stderr, "hnswdata: out of memory\n");
		exit(1);
	}
	return p;
}

static void
world_init(struct world *w, const struct set *set, size_t n, size_t dim,
    uint64_t seed)
{
	uint64_t s = seed;
	size_t i, j, groups;
	float *group, scale;

	*w = (struct world){ .set = set, .dim = dim, .seed = seed };
	w->clusters = n / CLUSTER < 10 ? 10 : n / CLUSTER;
	w->originals = n / (4 * COPIES / 3) + 1;
	groups = w->clusters / GROUP + 1;
	group = must(malloc(groups * LATENT * sizeof(*group)));
	w->centre = must(malloc(w->clusters * LATENT * sizeof(float)));
	w->map = must(malloc(LATENT * dim * sizeof(float)));
	for (i = 0; i < groups * LATENT; i++)
		group[i] = normal(&s);
	for (i = 0; i < w->clusters; i++) {
		const float *g = group + next(&s) % groups * LATENT;

		for (j = 0; j < LATENT; j++)
			w->centre[i * LATENT + j] = 0.8f * g[j] +
			    0.6f * normal(&s);
	}
	for (i = 0; i < LATENT; i++) {
		scale = powf((float)(i + 1), -0.35f) / sqrtf((float)dim);
		for (j = 0; j < dim; j++)
			w->map[i * dim + j] = scale * normal(&s) *
			    (j % OUTLIER == 0 ? 4.0f : 1.0f);
	}
	free(group);
}

static float
length(const float *x, size_t dim)
{
	double sum = 0;
	size_t j;

	for (j = 0; j < dim; j++)
		sum += (double)x[j] * (double)x[j];
	return (float)sqrt(sum);
}

/* Row i of the world into x. */
static void
row(const struct world *w, uint64_t i, float *restrict x)
{
	uint64_t s = w->seed * UINT64_C(0x2545f4914f6cdd1d) + (i << 24);
	const struct set *set = w->set;
	const float *c;
	size_t r, j;
	float z, k;

	for (j = 0; strcmp(set->name, "uni") == 0 && j < w->dim; j++)
		x[j] = uniform(&s);
	for (j = 0; strcmp(set->name, "gauss") == 0 && j < w->dim; j++)
		x[j] = normal(&s);
	if (!set->unit)
		return;
	c = w->centre + next(&s) % w->clusters * LATENT;
	memset(x, 0, w->dim * sizeof(*x));
	for (r = 0; r < LATENT; r++) {
		const float *restrict m = w->map + r * w->dim;

		z = c[r] + set->width * normal(&s);
		for (j = 0; j < w->dim; j++)
			x[j] += z * m[j];
	}
	k = set->noise * length(x, w->dim) / sqrtf((float)w->dim);
	for (j = 0; j < w->dim; j++)
		x[j] += k * normal(&s);
	k = expf(set->spread * normal(&s)) / length(x, w->dim);
	for (j = 0; j < w->dim; j++)
		x[j] *= k;
}

/* Which row stands at place i of a base with copies. */
static uint64_t
place(const struct world *w, uint64_t i)
{
	uint64_t s = w->seed ^ i << 20;

	if (i % 4 == 0)
		return i;
	return next(&s) % w->originals * 4;
}

static void
rows(const struct world *w, uint64_t first, uint64_t n, bool copies,
    const char *path)
{
	float *x = must(malloc(w->dim * sizeof(*x)));
	FILE *f = fopen(path, "wb");
	uint64_t i;
	int bad = !f;

	for (i = first; !bad && i < first + n; i++) {
		row(w, copies ? place(w, i) : i, x);
		bad = fwrite(x, sizeof(*x), w->dim, f) != w->dim;
	}
	if (bad || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
	free(x);
}

int
main(int argc, char *argv[])
{
	const struct set *set = NULL;
	struct world w;
	uint64_t n, queries;
	size_t i, dim;

	for (i = 0; argc == 8 && i < sizeof(sets) / sizeof(*sets); i++)
		if (strcmp(sets[i].name, argv[1]) == 0)
			set = &sets[i];
	if (!set) {
		fprintf(stderr, "usage: hnswdata emb|dup|tight|nrm|uni|gauss "
		    "COUNT QUERIES DIM SEED BASE-FILE QUERY-FILE\n");
		return 2;
	}
	n = strtoull(argv[2], NULL, 10);
	queries = strtoull(argv[3], NULL, 10);
	dim = strtoull(argv[4], NULL, 10);
	world_init(&w, set, n, dim, strtoull(argv[5], NULL, 10));
	rows(&w, 0, n, set->copies, argv[6]);
	rows(&w, n, queries, false, argv[7]);
	free(w.centre);
	free(w.map);
	return 0;
}
