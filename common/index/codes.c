/* SPDX-License-Identifier: Apache-2.0 */
/* codes.c - vectors as rows of bytes. */
#include "index/codes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/le.h"
#include "base/workers.h"

#define LARGE_PAGE ((size_t)2 << 20)
#define PARTS 64		/* sums of the mean, for any number of threads */
#define SAMPLE_STEP 8		/* one vector of so many makes the mean */

void *
codes_alloc(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n ? n : 1, size, &bytes))
		return NULL;
	bytes = (bytes + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
	if (bytes == 0 || posix_memalign(&p, bytes > LARGE_PAGE ? LARGE_PAGE :
	    KERNEL_ALIGN, bytes) != 0)
		return NULL;
	if (bytes > LARGE_PAGE)
		(void)madvise(p, bytes, MADV_HUGEPAGE);
	memset(p, 0, bytes);
	return p;
}

void
codes_release(struct codes *c)
{
	free(c->code);
	free(c->terms);
	free(c->squared);
	free(c->sum);
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

static void
load(float *to, const struct vectors *v, uint32_t i)
{
	const uint8_t *p = vectors_at(v, i);
	size_t j;

	for (j = 0; j < v->dim; j++)
		to[j] = le_f32(p + 4 * j);
}

/* One part of the mean, and of the greatest |x|^2. */
static void
sum_part(size_t part, unsigned worker, void *arg)
{
	struct making *m = arg;
	size_t dim = m->c->dim, i, j;
	float *sum = m->parts + part * dim;
	float *x = m->room + (size_t)worker * 2 * dim;

	for (i = part; i < m->c->n; i += PARTS) {
		float squared = 0;

		if (!m->c->ip && i / PARTS % SAMPLE_STEP != 0)
			continue;
		load(x, m->v, m->which[i]);
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
	float *x = m->room + (size_t)worker * 2 * c->dim;
	struct kernel_terms *t = &c->terms[i];
	int32_t squares;
	size_t j;

	load(x, m->v, m->which[i]);
	for (j = 0; j < c->dim; j++)
		x[j] -= m->mean[j];
	t->scale = c->kernel->quantise(x, x + c->dim, c->dim, c->len,
	    m->signs, c->code + i * c->len, &c->sum[i], &squares);
	c->squared[i] = (t->scale * t->scale) * (float)squares;
	t->add = c->ip ? m->most[0] : c->squared[i];
}

static uint64_t
mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void
make(struct making *m)
{
	struct codes *c = m->c;
	uint64_t state = 99;
	uint32_t summed = 0;
	size_t part, i, j;

	for (j = 0; j < 2 * c->dim; j++)
		m->signs[j] = mix(&state) >> 40 & 1 ? 1.0f : -1.0f;
	workers_run(c->threads, PARTS, 1, sum_part, m);
	for (part = 0; part < PARTS; part++) {
		for (i = part; i < c->n; i += PARTS)
			summed += i / PARTS % SAMPLE_STEP == 0;
		for (j = 0; j < c->dim; j++)
			m->mean[j] += m->parts[part * c->dim + j];
		if (m->most[part] > m->most[0])
			m->most[0] = m->most[part];
	}
	for (j = 0; j < c->dim; j++)
		m->mean[j] = c->ip || summed == 0 ? 0 :
		    m->mean[j] / (float)summed;
	m->most[0] *= 1.05f;	/* rounding makes some codes longer */
	workers_run(c->threads, c->n, 256, make_one, m);
}

int
codes_make(struct codes *c, const struct vectors *v, const uint32_t *which,
    uint32_t n, bool ip, unsigned threads, struct err *e)
{
	struct making m = { .c = c, .v = v, .which = which };
	int r = 0;

	*c = (struct codes){ .kernel = kernel_best(), .n = n, .dim = v->dim,
	    .len = (v->dim + KERNEL_ALIGN - 1) & ~(size_t)(KERNEL_ALIGN - 1),
	    .ip = ip, .threads = threads };
	c->code = codes_alloc(n, c->len);
	c->terms = codes_alloc(n, sizeof(*c->terms));
	c->squared = codes_alloc(n, sizeof(*c->squared));
	c->sum = codes_alloc(n, sizeof(*c->sum));
	m.mean = calloc(v->dim, sizeof(float));
	m.parts = calloc(PARTS * v->dim, sizeof(float));
	m.signs = calloc(2 * v->dim, sizeof(float));
	m.room = calloc((size_t)threads * 2 * v->dim, sizeof(float));
	m.most = calloc(PARTS, sizeof(float));
	if (!c->code || !c->terms || !c->squared || !c->sum || !m.mean ||
	    !m.parts || !m.signs || !m.room || !m.most)
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

/* ---- another order ---- */

struct permuting {
	const struct codes *from;
	struct codes *to;
	const uint32_t *order;
};

static void
move_one(size_t i, unsigned worker, void *arg)
{
	struct permuting *p = arg;
	uint32_t was = p->order[i];

	(void)worker;
	memcpy(p->to->code + i * p->to->len, codes_at(p->from, was),
	    p->to->len);
	p->to->terms[i] = p->from->terms[was];
	p->to->squared[i] = p->from->squared[was];
	p->to->sum[i] = p->from->sum[was];
}

int
codes_permute(struct codes *c, const uint32_t *order, struct err *e)
{
	struct codes to = *c;
	struct permuting p = { c, &to, order };

	to.code = codes_alloc(c->n, c->len);
	to.terms = codes_alloc(c->n, sizeof(*c->terms));
	to.squared = codes_alloc(c->n, sizeof(*c->squared));
	to.sum = codes_alloc(c->n, sizeof(*c->sum));
	if (!to.code || !to.terms || !to.squared || !to.sum) {
		codes_release(&to);
		return err_nomem(e);
	}
	workers_run(c->threads, c->n, 512, move_one, &p);
	codes_release(c);
	*c = to;
	return 0;
}

/* ---- distances ---- */

static void
prefetch(const int8_t *row, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += 64)
		__builtin_prefetch(row + i);
}

void
codes_distances(const struct codes *c, uint32_t from, const uint32_t *to,
    unsigned n, float *distance)
{
	const struct kernel_terms *x = &c->terms[from];
	const int8_t *row[4];
	int32_t product[4];
	unsigned i, j;

	for (i = 0; i < n && i < 4; i++)
		prefetch(codes_at(c, to[i]), c->len);
	for (i = 0; i < n; i += 4) {
		unsigned some = n - i < 4 ? n - i : 4;

		for (j = 0; j < 4; j++)
			row[j] = codes_at(c, to[i + (j < some ? j : 0)]);
		for (j = i + 4; j < n && j < i + 8; j++)
			prefetch(codes_at(c, to[j]), c->len);
		c->kernel->four(codes_at(c, from), c->sum[from], row, c->len,
		    product);
		for (j = 0; j < some; j++) {
			const struct kernel_terms *y = &c->terms[to[i + j]];
			float p = (x->scale * y->scale) * (float)product[j];
			float d = (x->add + y->add) - (p + p);

			distance[i + j] = d > 0 ? d : 0;
		}
	}
}
