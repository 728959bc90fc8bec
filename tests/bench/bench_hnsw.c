/* SPDX-License-Identifier: Apache-2.0 */
/* bench_hnsw - build an index over a file of float32, and say what it took.
 *
 * usage: bench_hnsw FILE DIM SPACE OUTDIR [M EFC THREADS FACTOR OVERLAP OLD]
 *
 * OUTDIR "-": nothing is written.  FACTOR, OVERLAP 0: as usual.  OLD: an index of
 * the same file by this program, from which candidates are taken.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/le.h"
#include "index/build.h"
#include "index/files.h"
#include "base/workers.h"

static double
wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

/* A file as it lies; NULL: it cannot be had. */
static uint8_t *
map(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	*size = (size_t)st.st_size;
	p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

/* The links of an index of ours, whose labels are numbers from 1. */
static int
read_old(const char *dir, uint32_t n, struct hints *h, struct err *e)
{
	char path[4096];
	uint32_t to[HINTS_MAX], i, k, all;
	uint64_t element, label;
	const uint8_t *header, *level0, *p;
	size_t size;

	snprintf(path, sizeof(path), "%s/header.bin", dir);
	header = map(path, &size);
	snprintf(path, sizeof(path), "%s/data_level0.bin", dir);
	level0 = map(path, &size);
	if (!header || !level0)
		return err_fail(e, "%s: no index", dir);
	element = le_u64(header + 28);
	label = le_u64(header + 36);
	if (size != n * element)
		return err_fail(e, "%s: of another file", dir);
	if (hints_init(h, n, e) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		p = level0 + i * element;
		all = le_u16(p);
		for (k = 0; k < all && k < HINTS_MAX; k++)
			to[k] = (uint32_t)le_u64(level0 + le_u32(p + 4 + 4 *
			    (size_t)k) * element + label) - 1;
		if (hints_add(h, (uint32_t)le_u64(p + label) - 1, to, k, e) <
		    0)
			return -1;
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	size_t dim = argc > 4 ? strtoul(argv[2], NULL, 10) : 0, i, n;
	struct build_params p = { .m = 16, .ef_construction = 100,
	    .threads = workers_cpus(), .seed = 42 };
	struct build_result b;
	struct vectors v;
	struct files f;
	struct hints hints = { 0 };
	struct err e = { 0 };
	uint8_t *x;
	uint64_t *label;
	double w, c;
	int dir;

	if (argc < 5)
		return 2;
	if (argc > 5)
		p.m = (unsigned)atoi(argv[5]);
	if (argc > 6)
		p.ef_construction = (unsigned)atoi(argv[6]);
	if (argc > 7)
		p.threads = (unsigned)atoi(argv[7]);
	if (argc > 8)
		p.factor = (float)atof(argv[8]);
	if (argc > 9)
		p.overlap = (unsigned)atoi(argv[9]);
	p.ip = strcmp(argv[3], "ip") == 0;
	x = map(argv[1], &n);
	if (!x)
		return 4;
	n /= 4 * dim;
	label = calloc(n, sizeof(*label));
	w = wall();
	c = cpu();
	for (i = 0; i < n; i++)
		label[i] = i + 1;
	if (argc > 10) {
		if (read_old(argv[10], (uint32_t)n, &hints, &e) < 0) {
			fprintf(stderr, "%s\n", e.msg);
			return 1;
		}
		p.hints = &hints;
	}
	v = (struct vectors){ .base = x, .stride = 4 * dim,
	    .dim = dim, .n = (uint32_t)n };
	if ((strcmp(argv[3], "cosine") == 0 &&
	    vectors_make_unit(&v, p.threads, &e) < 0) || build(&b, &v, &p, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	printf("%s n=%zu dim=%zu m=%u efc=%u threads=%u wall=%.3f cpu=%.3f "
	    "found=%.4f rounds=%u copies=%u repaired=%u recall=%.4f levels=%d\n",
	    kernel_best()->name, n, dim, p.m, p.ef_construction, p.threads,
	    wall() - w, cpu() - c, b.found, b.rounds, b.copies, b.repaired,
	    b.recall, b.graph.max_level);
	if (strcmp(argv[4], "-") != 0) {
		mkdir(argv[4], 0777);
		dir = open(argv[4], O_RDONLY | O_DIRECTORY);
		f = (struct files){ .b = &b, .v = &v, .label = label, .ef_construction = p.ef_construction };
		if (files_write(&f, dir, &e) < 0) {
			fprintf(stderr, "%s\n", e.msg);
			return 1;
		}
	}
	build_release(&b);
	vectors_release(&v);
	hints_release(&hints);
	free(label);
	return 0;
}
