/* SPDX-License-Identifier: Apache-2.0 */
/* t_vectors - vectors as they were given, and as an index stores them: unit
 * times length is what was given, to the bit. */
#include "index/vectors.h"

#include <float.h>
#include <math.h>

#include "../given.h"
#include "../tap.h"

#define DIM 37
#define MANY 400

static float row[MANY][DIM + 1];
static float unit[DIM], near[DIM];

/* Rows of DIM numbers and a length behind them. */
static void
begin(struct vectors *v, uint32_t n, bool told)
{
	struct err e;

	*v = (struct vectors){ .base = (const uint8_t *)row, .n = n,
	    .stride = sizeof(row[0]), .dim = DIM, .told = told ? DIM * 4 : 0 };
	if (vectors_make_unit(v, 2, &e) < 0)
		scratch_die(e.msg);
}

static double
norm(const float *x)
{
	double sum = 0;
	size_t j;

	for (j = 0; j < DIM; j++)
		sum += (double)x[j] * (double)x[j];
	return sqrt(sum);
}

/* Some float times length is x: one near x / length, if any. */
static bool
some_does(float x, float length)
{
	float u = x / length, up = u, down = u;
	int k;

	if (u * length == x)
		return true;
	for (k = 0; k < 8; k++) {
		up = nextafterf(up, INFINITY);
		down = nextafterf(down, -INFINITY);
		if (up * length == x || down * length == x)
			return true;
	}
	return false;
}

/* How many numbers of vector i do not come back, though they could; how many
 * could not. */
static unsigned
lost(const struct vectors *v, uint32_t i, unsigned *impossible)
{
	unsigned n = 0, j;

	vectors_load(v, i, unit);
	for (j = 0; j < DIM; j++) {
		if (unit[j] * v->length[i] == row[i][j])
			continue;
		if (some_does(row[i][j], v->length[i]))
			n++;
		else
			++*impossible;
	}
	return n;
}

/* As a cosine index gives them back: of any unit vector, times any length. */
static void
test_told(void)
{
	uint64_t seed = 1;
	unsigned bad = 0, none = 0, off = 0, round, i, j;
	struct vectors v;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < MANY; i++) {
			float length = ldexpf(1.5f + given_number(&seed) / 2,
			    (int)(scratch_random(&seed) % 60) - 30);
			double n;

			for (j = 0; j < DIM; j++)
				unit[j] = given_number(&seed);
			n = norm(unit);
			for (j = 0; j < DIM; j++)
				row[i][j] = (float)((double)unit[j] / n) *
				    length;
			row[i][DIM] = length;
		}
		begin(&v, MANY, true);
		for (i = 0; i < MANY; i++) {
			off += v.length[i] != row[i][DIM];
			bad += lost(&v, i, &none);
		}
		vectors_release(&v);
	}
	ok(off == 0, "a length that came with it is kept (%u)", off);
	ok(bad == 0 && none == 0, "and all comes back, to the bit (%u, %u)",
	    bad, none);
}

static void
test_own(void)
{
	uint64_t seed = 2;
	unsigned bad = 0, none = 0, off = 0, round, i, j;
	struct vectors v;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < MANY; i++)
			for (j = 0; j < DIM; j++)
				row[i][j] = given_number(&seed) *
				    (float)(1 + i);
		begin(&v, MANY, false);
		for (i = 0; i < MANY; i++) {
			off += v.length[i] != (float)norm(row[i]) &&
			    fabs((double)v.length[i] - norm(row[i])) >
			    1e-7 * norm(row[i]);
			bad += lost(&v, i, &none);
			off += fabs(norm(unit) - 1) > 1e-6;
		}
		vectors_release(&v);
	}
	ok(off == 0, "without: its own length, and a unit vector (%u)", off);
	ok(bad == 0, "what some float32 gives back comes back (%u, %u others)",
	    bad, none);
}

/* All numbers of a vector are x, but the first, which is y. */
static void
fill(unsigned i, float x, float y, float told)
{
	unsigned j;

	for (j = 0; j < DIM; j++)
		row[i][j] = j ? x : y;
	row[i][DIM] = told;
}

static void
test_extremes(void)
{
	static const struct {
		float x, y;
		const char *name;
	} all[] = {
		{ 0, 1.4e-45f, "the least number" },
		{ 1.4e-45f, 1.4e-45f, "the least numbers" },
		{ 3e-42f, -7e-40f, "denormal" },
		{ 1e-38f, 2e-38f, "hardly normal" },
		{ 1e-20f, 0, "squares that vanish" },
		{ 0, FLT_MAX, "the greatest number" },
		{ 1e37f, -1e37f, "huge" },
		{ 1e-45f, FLT_MAX, "both" },
	};
	unsigned none = 0, i, j, off;
	struct vectors v;

	for (i = 0; i < COUNT(all); i++) {
		fill(i, all[i].x, all[i].y, 0);
		row[i][1] = all[i].x / 3;
	}
	begin(&v, COUNT(all), false);
	for (i = 0; i < COUNT(all); i++) {
		double want = norm(row[i]), is = (double)v.length[i];

		vectors_load(&v, i, unit);
		if (want < (double)FLT_MIN) {
			for (j = 0, off = is != 0; j < DIM; j++)
				off += unit[j] != 0;
			ok(off == 0, "%s: zeros (%u)", all[i].name, off);
		} else {
			off = fabs(want - is) > want * 1e-7;
			ok(off == 0 && lost(&v, i, &none) == 0, "%s: %g",
			    all[i].name, is);
		}
		vectors_load_near(&v, i, near);
		for (j = off = 0; j < DIM; j++)
			off += !(fabsf(unit[j] - near[j]) <= 1e-6f) ||
			    !isfinite(unit[j]);
		ok(off == 0, "  and nearly the same (%u)", off);
	}
	vectors_release(&v);
}

/* Longer than a float32: infinite, whatever length it came with, unless that
 * is its own but for rounding. */
static void
test_long(void)
{
	static const float told[] = { 0, 5, 3e38f, FLT_MAX, INFINITY, NAN };
	const float less = nextafterf(FLT_MIN, 0);
	struct vectors v;
	unsigned i, bad = 0;

	for (i = 0; i < COUNT(told); i++)
		fill(i, FLT_MAX / 2, FLT_MAX, told[i]);
	begin(&v, COUNT(told), true);
	for (i = 0; i < COUNT(told); i++)
		bad += !isinf(v.length[i]);
	ok(bad == 0, "a length that no float32 has is infinite (%u)", bad);
	vectors_release(&v);
	fill(0, 0, FLT_MAX, 0);
	fill(1, 0, FLT_MAX, FLT_MAX);
	row[1][1] = FLT_MAX * 1e-3f;
	fill(2, 0, FLT_MIN, 0);
	fill(3, 0, less, less);
	begin(&v, 4, true);
	ok(v.length[0] == FLT_MAX && v.length[1] == FLT_MAX && v.length[2] ==
	    FLT_MIN && v.length[3] == 0, "the greatest and the least: %g %g "
	    "%g %g", (double)v.length[0], (double)v.length[1],
	    (double)v.length[2], (double)v.length[3]);
	vectors_release(&v);
}

static void
test_zero(void)
{
	struct vectors v;
	unsigned j, bad = 0;

	fill(0, 0, 0, 0);
	fill(1, 0, 0, 5);
	begin(&v, 2, true);
	vectors_load(&v, 0, unit);
	vectors_load_near(&v, 1, near);
	for (j = 0; j < DIM; j++)
		bad += unit[j] != 0 || near[j] != 0;
	ok(bad == 0 && v.length[0] == 0 && v.length[1] == 0,
	    "zeros stay, and have no length");
	vectors_release(&v);
}

/* Lengths that came with a vector of length 5. */
static void
test_wrong(void)
{
	static const float told[] = { 0, -5, 5.001f, 4.999f, 50, NAN, INFINITY,
	    -INFINITY, 1e-40f, 5.0000601f, 4.9999399f };
	static const float fine[] = { 5, 5.00004f, 4.99996f };
	struct vectors v;
	unsigned i, bad = 0;

	for (i = 0; i < COUNT(told); i++) {
		fill(i, 0, 3, told[i]);
		row[i][DIM - 1] = 4;
	}
	begin(&v, COUNT(told), true);
	for (i = 0; i < COUNT(told); i++)
		bad += v.length[i] != 5;
	ok(bad == 0, "a length that is not its own is left aside (%u)", bad);
	vectors_release(&v);
	for (i = bad = 0; i < COUNT(fine); i++) {
		fill(i, 0, 3, fine[i]);
		row[i][DIM - 1] = 4;
	}
	begin(&v, COUNT(fine), true);
	for (i = 0; i < COUNT(fine); i++)
		bad += v.length[i] != fine[i];
	ok(bad == 0, "one that is, is not (%u)", bad);
	vectors_release(&v);
	begin(&v, COUNT(fine), false);
	ok(v.length[1] == 5, "none is asked for");
	vectors_release(&v);
}

static void
test_place(void)
{
	static const uint32_t place[] = { 5, 0, 5, 399, 17 };
	struct vectors v = { .base = (const uint8_t *)row, .n = 5,
	    .stride = sizeof(row[0]), .dim = DIM, .place = place };
	unsigned i, j, bad = 0;
	struct err e;

	for (i = 0; i < MANY; i++)
		fill(i, (float)i + 1, (float)(2 * i), 0);
	for (i = 0; i < 5; i++) {
		vectors_load(&v, i, unit);
		vectors_load_near(&v, i, near);
		for (j = 0; j < DIM; j++)
			bad += unit[j] != row[place[i]][j] ||
			    near[j] != unit[j];
		bad += vectors_given(&v, i) !=
		    (const uint8_t *)row[place[i]];
	}
	ok(bad == 0, "in places, as they were given (%u)", bad);
	if (vectors_make_unit(&v, 1, &e) < 0)
		scratch_die(e.msg);
	for (i = bad = 0; i < 5; i++)
		bad += fabs((double)v.length[i] - norm(row[place[i]])) > 1e-3;
	ok(bad == 0, "  each with its length (%u)", bad);
	vectors_release(&v);
	ok(!v.length && v.n == 0, "released");
}

int
main(void)
{
	test_told();
	test_own();
	test_extremes();
	test_long();
	test_zero();
	test_wrong();
	test_place();
	return tap_done();
}
