/* SPDX-License-Identifier: Apache-2.0 */
/* bench_f32 - f32_format() against snprintf("%.9g"), in ns a number
 *
 * usage: bench_f32         print both and their ratio
 *        bench_f32 all     check every finite float32: its text leads back to
 *                          the same bits through f32_parse() and strtof()
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/f32.h"

#define DIM 384
#define VECTORS 512
#define REPEATS 15	/* the shortest counts: noise only adds */

static volatile size_t sink;

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* splitmix64 (Steele, Lea, Flood 2014): the same numbers everywhere. */
static uint64_t
next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Nearly Gaussian: the sum of twelve uniform numbers. */
static double
gaussian(uint64_t *state)
{
	double sum = -6;
	int i;

	for (i = 0; i < 12; i++)
		sum += (double)(next(state) >> 11) * 0x1p-53;
	return sum;
}

/* Vectors of length 1, as embedding models give them. */
static void
fill(uint32_t *bits)
{
	uint64_t state = 1;
	double v[DIM], sum;
	float f;
	int i, k;

	for (i = 0; i < VECTORS; i++) {
		sum = 0;
		for (k = 0; k < DIM; k++) {
			v[k] = gaussian(&state);
			sum += v[k] * v[k];
		}
		for (k = 0; k < DIM; k++) {
			f = (float)(v[k] / sqrt(sum));
			memcpy(&bits[i * DIM + k], &f, sizeof(f));
		}
	}
}

static size_t
ours(const uint32_t *bits, size_t n)
{
	char text[F32_ROOM];
	size_t i, len = 0;

	for (i = 0; i < n; i++)
		len += f32_format(bits[i], text);
	return len;
}

static size_t
theirs(const uint32_t *bits, size_t n)
{
	char text[64];
	size_t i, len = 0;
	float f;

	for (i = 0; i < n; i++) {
		memcpy(&f, &bits[i], sizeof(f));
		len += (size_t)snprintf(text, sizeof(text), "%.9g", (double)f);
	}
	return len;
}

static double
shortest(size_t (*run)(const uint32_t *, size_t), const uint32_t *bits)
{
	double best = 0, took;
	int i;

	for (i = 0; i < REPEATS; i++) {
		took = now_ns();
		sink += run(bits, VECTORS * DIM);
		took = now_ns() - took;
		if (i == 0 || took < best)
			best = took;
	}
	return best / (VECTORS * DIM);
}

static int
compare(void)
{
	static uint32_t bits[VECTORS * DIM];
	double a, b;

	fill(bits);
	a = shortest(ours, bits);
	b = shortest(theirs, bits);
	printf("f32_format %.1f ns, snprintf %.1f ns, ratio %.1f\n", a, b,
	    b / a);
	return 0;
}

static bool
survives(uint32_t bits)
{
	char text[F32_ROOM], *end;
	size_t n = f32_format(bits, text);
	uint32_t back;
	float f;

	if (n > F32_TEXT_MAX || f32_parse(text, n, &back) != 0 || back != bits)
		return false;
	text[n] = '\0';
	f = strtof(text, &end);
	memcpy(&back, &f, sizeof(back));
	return end == text + n && back == bits;
}

/* The part'th of parts of all float32s.  The number that do not survive. */
static int
check_part(unsigned part, unsigned parts)
{
	uint64_t step = (UINT64_C(1) << 32) / parts, i = step * part;
	uint64_t end = part + 1 == parts ? UINT64_C(1) << 32 : i + step;
	int bad = 0;

	for (; i < end; i++)
		if (f32_finite((uint32_t)i) && !survives((uint32_t)i) &&
		    bad++ < 5)
			printf("0x%08x does not survive\n", (unsigned)i);
	fflush(stdout);
	return bad;
}

/* A process for each core. */
static int
check_all(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned parts = cores > 0 && cores < 1024 ? (unsigned)cores : 1, i;
	int status, bad = 0;

	for (i = 0; i < parts; i++)
		switch (fork()) {
		case -1:
			perror("fork");
			return 1;
		case 0:
			_exit(check_part(i, parts) != 0);
		default:
			break;
		}
	for (i = 0; i < parts; i++)
		if (wait(&status) < 0 || status != 0)
			bad = 1;
	printf("%s\n", bad ? "not all survive" :
	    "all finite float32 survive f32_format and f32_parse, strtof");
	return bad;
}

int
main(int argc, char *argv[])
{
	if (argc == 2 && strcmp(argv[1], "all") == 0)
		return check_all();
	if (argc != 1) {
		fprintf(stderr, "usage: bench_f32 [all]\n");
		return 2;
	}
	return compare();
}
