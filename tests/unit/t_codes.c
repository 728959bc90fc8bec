/* SPDX-License-Identifier: Apache-2.0 */
/* t_codes - codes have the distances of their vectors, nearly, however long
 * these are. */
#include "index/codes.h"

#include <float.h>

#include "../given.h"
#include "../tap.h"

static struct vectors
scaled(uint32_t n, size_t dim, float by)
{
	struct vectors v = given_make(GIVEN_RANDOM, n, dim);
	float *x = (float *)(uintptr_t)v.base;
	size_t i;

	for (i = 0; i < n * dim; i++)
		x[i] = (x[i] + 0.3f) * by;
	return v;
}

/* Distances against those of the vectors: the greatest error, as a part of the
 * greatest |x|^2; by the codes, or by the vectors themselves.  What is not
 * finite is an error of 9. */
static double
error(const struct codes *c, const struct vectors *v, bool ip, bool exact)
{
	const float *x = (const float *)(const void *)v->base;
	const double by = (double)c->scale;
	double most = 0, worst = 0, shift = 0, want, one;
	struct codes by_which = *c;
	float four[4];
	uint32_t i, j;
	float got;

	by_which.exact = exact;
	for (i = 0; i < c->n; i++) {
		one = -given_distance(x + i * v->dim, x + i * v->dim, v->dim,
		    true);
		most = one > most ? one : most;
	}
	if (ip)
		shift = (exact ? (double)c->add : 2 *
		    (double)c->terms[0].add) / by / by;
	for (i = 0; i < c->n; i += 7)
		for (j = 0; j < c->n; j++) {
			codes_distances(&by_which, i, &j, 1, &got);
			codes_four_exact(c, i, (uint32_t[]){ 0, j, j, 1 },
			    four);
			if (!isfinite(got) || got < 0 || (exact &&
			    (four[1] != got || four[2] != got)))
				return 9;
			want = given_distance(x + i * v->dim, x + j * v->dim,
			    v->dim, ip);
			want = ip ? shift + (exact ? 1 : 2) * want : want;
			want = fabs(want - (double)got / by / by) / most;
			worst = want > worst ? want : worst;
		}
	return worst;
}

/* What is neither large nor small stays as it is; else the greatest number
 * comes to lie below 1, or as near to that as float32 can bring it. */
static bool
scale_fits(const struct codes *c, const struct vectors *v)
{
	const float *x = (const float *)(const void *)v->base;
	float most = 0;
	size_t i;
	int power;

	for (i = 0; i < v->n * v->dim; i++)
		most = fmaxf(most, fabsf(x[i]));
	if (most == 0 || (most >= 0x1p-20f && most <= 0x1p20f))
		return c->scale == 1;
	if (frexpf(c->scale, &power) != 0.5f)
		return false;
	return most * c->scale < 1 && (most * c->scale >= 0.5f ||
	    c->scale == 0x1p120f);
}

/* ip: R^2 is the greatest |x|^2 (of what was scaled); in the terms it is a
 * little more, for codes that are longer. */
static bool
add_fits(const struct codes *c, const struct vectors *v, bool ip)
{
	const float *x = (const float *)(const void *)v->base;
	double most = 0, by = (double)c->scale, one;
	uint32_t i;

	for (i = 0; i < c->n; i++) {
		one = -given_distance(x + i * v->dim, x + i * v->dim, v->dim,
		    true) * by * by;
		most = one > most ? one : most;
		if (c->terms[i].add != (ip ? c->add * 1.05f :
		    c->terms[i].squared))
			return false;
	}
	return !ip || fabs((double)c->add / most - 1) < 1e-5;
}

static void
test_distances(void)
{
	static const size_t dims[] = { 1, 2, 63, 64, 65, 300 };
	static const float scales[] = { 1, 0x1p-18f, 0x1p-21f, 1e-10f, 1e-30f,
	    1e-37f, 0x1p17f, 0x1p21f, 1e15f, 1e18f, 1e20f, 1e30f, 3e37f };
	unsigned d, s, ip;
	double worst, exact;

	for (d = 0; d < COUNT(dims); d++)
		for (s = 0; s < COUNT(scales); s++)
			for (ip = 0; ip < 2; ip++) {
				struct vectors v = scaled(70, dims[d],
				    scales[s]);
				struct codes c;

				given_codes(&c, &v, ip, 2);
				worst = error(&c, &v, ip, false);
				exact = error(&c, &v, ip, true);
				ok(worst < 0.05 && exact < 1e-5, "%s, %zu "
				    "numbers * %g: %g, exact %g", ip ? "ip" :
				    "l2", dims[d], (double)scales[s], worst,
				    exact);
				ok(scale_fits(&c, &v) && add_fits(&c, &v, ip),
				    "  scaled by %g", (double)c.scale);
				codes_release(&c);
				given_release(&v);
			}
}

/* One long vector among short ones, where no part of the sample has it. */
static void
test_one(void)
{
	static float x[1000][3];
	struct vectors v = { .base = (const uint8_t *)x, .stride = 12,
	    .dim = 3, .n = 1000 };
	struct codes c;
	uint32_t i, j, bad = 0;
	float got;

	for (i = 0; i < 1000; i++)
		x[i][0] = (float)i;
	x[900][1] = 2e25f;
	given_codes(&c, &v, false, 2);
	for (i = 0; i < 1000; i++)
		for (j = 0; j < 1000; j += 50) {
			codes_distances(&c, i, &j, 1, &got);
			bad += !isfinite(got) ||
			    (got > 0) != ((i == 900) != (j == 900));
		}
	ok(bad == 0, "one that is huge (%u)", bad);
	codes_release(&c);
}

/* ip: a few that are much longer than usual do not cost the others their bits;
 * between one of those and what lies in its direction the distance is 0. */
static void
test_longer(float by)
{
	struct vectors v = given_make(GIVEN_UNIFORM, 1000, 20);
	float *x = (float *)(uintptr_t)v.base, got;
	struct codes c;
	uint32_t i, j, k, bad = 0, zero = 0;
	double worst = 0, want;

	for (k = 0; k < 20; k++)
		x[500 * 20 + k] *= by;
	given_codes(&c, &v, true, 2);
	for (i = 0; i < 1000; i += 9)
		for (j = 0; j < 1000; j++) {
			codes_distances(&c, i, &j, 1, &got);
			bad += !isfinite(got) || got < 0;
			want = 2 * (double)c.terms[0].add + 2 *
			    given_distance(x + i * 20, x + j * 20, 20, true);
			if (j != 500)
				worst = fmax(worst, fabs(want - (double)got));
			zero += j == 500 && got == 0;
		}
	ok(bad == 0 && (double)c.add < 20 * 1e4 && worst < 0.3 && (zero > 0) ==
	    (by > 1e4f) && zero < 80, "one that is %g times as long: R^2 %g, error %g, %u "
	    "at 0", (double)by, (double)c.add, worst, zero);
	codes_release(&c);
	given_release(&v);
}

/* What all have in common is taken away, and costs no bits. */
static void
test_mean(void)
{
	struct vectors v = given_make(GIVEN_UNIFORM, 2000, 30);
	float *x = (float *)(uintptr_t)v.base, got, most = 0;
	struct codes c;
	uint32_t i, j = 1;
	size_t k;

	for (k = 0; k < 2000 * 30; k++)
		x[k] += 100;
	given_codes(&c, &v, false, 2);
	for (i = 0; i < 2000; i += 9) {
		double want = given_distance(x + i * 30, x + 30, 30, false);

		codes_distances(&c, i, &j, 1, &got);
		most = fmaxf(most, (float)fabs(want - (double)got));
	}
	ok(most < 1, "far from the origin: %g", (double)most);
	codes_release(&c);
	given_release(&v);
}

/* Many at once are as one by one; the same for any number of threads. */
static void
test_same(void)
{
	struct vectors v = given_make(GIVEN_RANDOM, 900, 100);
	struct codes a, b;
	uint32_t to[61], i, n, bad = 0;
	float many[64], one;

	for (i = 0; i < 61; i++)
		to[i] = i * 13 % 50;
	given_codes(&a, &v, false, 1);
	given_codes(&b, &v, false, 3);
	ok(memcmp(a.code, b.code, a.n * a.len) == 0 && memcmp(a.terms,
	    b.terms, a.n * sizeof(*a.terms)) == 0,
	    "one thread, three threads: the same");
	for (n = 0; n <= 61; n++) {
		many[n] = 77;
		codes_distances(&a, 899, to, n, many);
		bad += memcmp(&many[n], &(float){ 77 }, 4) != 0;
		for (i = 0; i < n; i++) {
			codes_distances(&a, 899, &to[i], 1, &one);
			bad += memcmp(&one, &many[i], 4) != 0;
		}
	}
	ok(bad == 0, "many distances as one by one (%u)", bad);
	codes_release(&a);
	codes_release(&b);
	given_release(&v);
}

static void
test_permute(void)
{
	struct vectors v = given_make(GIVEN_RANDOM, 500, 65);
	struct codes a, b;
	uint32_t order[500], i, j, t, bad = 0;
	uint64_t seed = 4;
	struct err e;

	given_codes(&a, &v, false, 1);
	given_codes(&b, &v, false, 1);
	for (i = 0; i < 500; i++)
		order[i] = i;
	for (i = 480; i > 100; i--) {	/* some stay */
		j = (uint32_t)(scratch_random(&seed) % i);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	if (codes_permute(&b, order, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < 500; i++)
		bad += memcmp(codes_at(&b, i), codes_at(&a, order[i]),
		    a.len) != 0 || memcmp(&b.terms[i], &a.terms[order[i]],
		    sizeof(a.terms[0])) != 0;
	ok(bad == 0, "in another order (%u)", bad);
	codes_release(&a);
	codes_release(&b);
	given_release(&v);
}

/* Only those that are asked for, and all of what a cosine index has. */
static void
test_which(void)
{
	struct vectors v = given_make(GIVEN_RANDOM, 40, 9);
	static const uint32_t which[] = { 30, 7, 7, 0 };
	struct codes c;
	struct err e;
	float d[4];

	if (codes_make(&c, &v, which, 4, false, 1, &e) < 0)
		scratch_die(e.msg);
	codes_distances(&c, 1, (uint32_t[]){ 0, 1, 2, 3 }, 4, d);
	ok(c.n == 4 && c.len == 64 && d[1] < 1e-3f && d[2] < 1e-3f &&
	    d[0] > 0.1f && d[3] > 0.1f, "those that are asked for: %g %g %g "
	    "%g", (double)d[0], (double)d[1], (double)d[2], (double)d[3]);
	codes_release(&c);
	if (codes_make(&c, &v, which, 0, true, 2, &e) < 0)
		scratch_die(e.msg);
	ok(c.n == 0, "none");
	codes_release(&c);
	ok(!c.code, "released");
	given_release(&v);
}

int
main(void)
{
	test_distances();
	test_one();
	test_longer(1e3f);
	test_longer(1e5f);
	test_mean();
	test_same();
	test_permute();
	test_which();
	return tap_done();
}
