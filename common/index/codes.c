/* SPDX-License-Identifier: Apache-2.0 */
/* codes.c - vectors as rows of bytes. */
#include "index/codes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/large.h"
#include "base/le.h"
#include "base/workers.h"
#include "index/mix.h"

#define PARTS 64		/* sums of the mean, for any number of threads */
#define SAMPLE_STEP 8		/* one vector of so many makes the mean */
#define SMALL 0x1p-20f		/* a greatest number between these is left as
				 * it is */
#define LARGE 0x1p20f
#define LONGER 1e4f		/* times the usual square */
#define AHEAD 8			/* rows asked for before they are needed */

void
codes_release(struct codes *c)
{
	large_free(c->code);
	large_free(c->terms);
	*c = (struct codes){ 0 };
}

/* ---- making ---- */

struct making {
	struct codes *c;
	const struct vectors *v;
	const uint32_t *which;
	float *mean, *parts, *signs, *room;
	float *most;			/* squared, in each part */
};

/* The greatest number of one part. */
static void
greatest_part(size_t part, unsigned worker, void *arg)
{
	struct making *m = arg;
	float *x = m->room + (size_t)worker * 2 * m->c->len;
	uint32_t most = 0, bits;
	size_t i, j;

	for (i = part; i < m->c->n; i += PARTS) {
		vectors_load_near(m->v, m->which[i], x);
		/* without a sign, the order of the bits is theirs */
		for (j = 0; j < m->v->dim; j++) {
			memcpy(&bits, x + j, sizeof(bits));
			bits &= 0x7fffffff;
			most = bits > most ? bits : most;
		}
	}
	memcpy(&m->most[part], &most, sizeof(most));
}

/* Squares and their sums must be numbers: what is very large, or all very
 * small, is scaled, by a power of two. */
static void
choose_scale(struct making *m)
{
	float most = 0;
	size_t part;
	int power;

	m->c->scale = 1;
	if (m->v->length)
		return;			/* unit vectors */
	workers_run(m->c->threads, PARTS, 1, greatest_part, m);
	for (part = 0; part < PARTS; part++) {
		most = m->most[part] > most ? m->most[part] : most;
		m->most[part] = 0;
	}
	if (most > 0 && (most < SMALL || most > LARGE)) {
		(void)frexpf(most, &power);
		m->c->scale = ldexpf(1, power < -120 ? 120 : -power);
	}
}

static void
load(const struct making *m, size_t i, float *x)
{
	size_t j;

	vectors_load_near(m->v, m->which[i], x);
	if (m->c->scale != 1)
		for (j = 0; j < m->v->dim; j++)
			x[j] *= m->c->scale;
}

/* One part of the mean, and of the greatest |x|^2. */
static void
sum_part(size_t part, unsigned worker, void *arg)
{
	struct making *m = arg;
	size_t dim = m->v->dim, i, j;
	float *sum = m->parts + part * dim;
	float *x = m->room + (size_t)worker * 2 * m->c->len;

	for (i = part; i < m->c->n; i += PARTS) {
		float squared = 0;

		if (!m->c->ip && i / PARTS % SAMPLE_STEP != 0)
			continue;
		load(m, i, x);
		for (j = 0; j < dim; j++) {
			sum[j] += x[j];
			squared += x[j] * x[j];
		}
		if (squared > m->most[part])
			m->most[part] = squared;
	}
}

static void
make_one(size_t i, unsigned worker, void *arg)
{
	struct making *m = arg;
	struct codes *c = m->c;
	float *x = m->room + (size_t)worker * 2 * c->len;
	size_t dim = m->v->dim, j;

	load(m, i, x);
	for (j = 0; j < dim; j++)
		x[j] -= m->mean[j];
	memset(x + dim, 0, (c->len - dim) * sizeof(*x));
	c->terms[i] = c->kernel->quantise(x, x + c->len, c->len, m->signs,
	    c->code + i * c->len);
	/* rounding makes some codes longer */
	c->terms[i].add = c->ip ? c->add * 1.05f : c->terms[i].squared;
}

static int
compare_floats(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* R^2: above all |x|^2.  But if a few are so much longer than the others that
 * these would be lost in rounding, it is less, and to all their products with
 * those few the distance is 0.  most: of each part; sorted here. */
static float
ceiling(float most[PARTS])
{
	float usual;

	qsort(most, PARTS, sizeof(*most), compare_floats);
	usual = most[PARTS / 2];
	return most[PARTS - 1] > usual * LONGER && usual > 0 ?
	    usual * LONGER : most[PARTS - 1];
}

static void
make(struct making *m)
{
	struct codes *c = m->c;
	size_t dim = m->v->dim, part, i, j;
	uint32_t summed = 0;

	for (j = 0; j < 2 * c->len; j++)
		m->signs[j] = mix64(j) & 1 ? 1.0f : -1.0f;
	choose_scale(m);
	workers_run(c->threads, PARTS, 1, sum_part, m);
	for (part = 0; part < PARTS; part++) {
		for (i = part; i < c->n; i += PARTS)
			summed += i / PARTS % SAMPLE_STEP == 0;
		for (j = 0; j < dim; j++)
			m->mean[j] += m->parts[part * dim + j];
	}
	for (j = 0; j < dim; j++)
		m->mean[j] = c->ip || summed == 0 ? 0 :
		    m->mean[j] / (float)summed;
	c->add = ceiling(m->most);
	workers_run(c->threads, c->n, 256, make_one, m);
}

int
codes_make(struct codes *c, const struct vectors *v, const uint32_t *which,
    uint32_t n, bool ip, unsigned threads, struct err *e)
{
	struct making m = { .c = c, .v = v, .which = which };
	int r = 0;

	*c = (struct codes){ .kernel = kernel_best(), .n = n,
	    .len = (v->dim + KERNEL_ALIGN - 1) & ~(size_t)(KERNEL_ALIGN - 1),
	    .ip = ip, .threads = threads, .v = v, .vector = which };
	c->code = large_alloc(n, c->len);
	c->terms = large_alloc(n, sizeof(*c->terms));
	m.mean = calloc(v->dim + 1, sizeof(float));
	m.parts = calloc(PARTS * v->dim + 1, sizeof(float));
	m.signs = calloc(2 * c->len + 1, sizeof(float));
	m.room = calloc((size_t)threads * 2 * c->len + 1, sizeof(float));
	m.most = calloc(PARTS, sizeof(float));
	if (!c->code || !c->terms || !m.mean || !m.parts || !m.signs ||
	    !m.room || !m.most)
		r = err_nomem(e);
	else
		make(&m);
	free(m.mean);
	free(m.parts);
	free(m.signs);
	free(m.room);
	free(m.most);
	return r;
}

uint64_t
codes_memory(size_t len, unsigned threads)
{
	return len * sizeof(float) * (1 + PARTS + 2 + 2 * (uint64_t)threads);
}

/* ---- another order ---- */

/* In place: each row goes where it belongs, and makes room for the next. */
int
codes_permute(struct codes *c, const uint32_t *order, struct err *e)
{
	uint8_t *moved = calloc((size_t)c->n + 1, 1);
	int8_t *row = malloc(c->len + 1);
	struct kernel_terms terms;
	uint32_t first, i;

	if (!moved || !row) {
		free(moved);
		free(row);
		return err_nomem(e);
	}
	for (first = 0; first < c->n; first++) {
		if (moved[first])
			continue;
		memcpy(row, codes_at(c, first), c->len);
		terms = c->terms[first];
		for (i = first; order[i] != first; i = order[i]) {
			memcpy(c->code + (size_t)i * c->len,
			    codes_at(c, order[i]), c->len);
			c->terms[i] = c->terms[order[i]];
			moved[i] = 1;
		}
		memcpy(c->code + (size_t)i * c->len, row, c->len);
		c->terms[i] = terms;
		moved[i] = 1;
	}
	free(moved);
	free(row);
	return 0;
}

/* ---- distances ---- */

/* What a vector is multiplied by before it is compared. */
static float
factor(const struct codes *c, uint32_t i)
{
	const float *length = c->v->length;

	return !length ? c->scale : length[i] > 0 ? 1 / length[i] : 0;
}

/* |x - y|^2, or R^2 - xy. */
static float
distance_exact(const struct codes *c, uint32_t from, uint32_t to)
{
	const uint32_t i = c->vector[from], j = c->vector[to];
	const uint8_t *p = vectors_given(c->v, i), *q = vectors_given(c->v, j);
	float d;

	if (c->ip)
		d = c->add - c->kernel->product(p, c->scale, q, c->scale,
		    c->v->dim);
	else
		d = c->kernel->apart(p, factor(c, i), q, factor(c, j),
		    c->v->dim);
	return d > 0 ? d : 0;
}

void
codes_four_exact(const struct codes *c, uint32_t from, const uint32_t to[4],
    float distance[4])
{
	unsigned j;

	for (j = 0; j < 4; j++)
		distance[j] = j > 0 && to[j] == to[j - 1] ? distance[j - 1] :
		    distance_exact(c, from, to[j]);
}

void
codes_four(const struct codes *c, uint32_t from, const uint32_t to[4],
    float distance[4])
{
	const struct kernel_terms *x = &c->terms[from];
	const int8_t *row[4];
	int32_t sum[4], product[4];
	unsigned j;

	if (c->exact) {
		codes_four_exact(c, from, to, distance);
		return;
	}
	for (j = 0; j < 4; j++) {
		row[j] = codes_at(c, to[j]);
		sum[j] = c->terms[to[j]].sum;
	}
	c->kernel->four(codes_at(c, from), row, sum, c->len, product);
	for (j = 0; j < 4; j++) {
		const struct kernel_terms *y = &c->terms[to[j]];
		float p = (x->scale * y->scale) * (float)product[j];
		float d = (x->add + y->add) - (p + p);

		distance[j] = d > 0 ? d : 0;
	}
}

void
codes_distances(const struct codes *c, uint32_t from, const uint32_t *to,
    unsigned n, float *distance)
{
	uint32_t last[4];
	float rest[4];
	unsigned i, j;

	for (i = 0; i < n && i < AHEAD; i++)
		codes_prefetch(c, to[i]);
	for (i = 0; i + 4 <= n; i += 4) {
		for (j = i + AHEAD; j < n && j < i + AHEAD + 4; j++)
			codes_prefetch(c, to[j]);
		codes_four(c, from, to + i, distance + i);
	}
	if (i == n)
		return;
	for (j = 0; j < 4; j++)
		last[j] = to[i + j < n ? i + j : i];
	codes_four(c, from, last, rest);
	for (j = 0; i + j < n; j++)
		distance[i + j] = rest[j];
}
