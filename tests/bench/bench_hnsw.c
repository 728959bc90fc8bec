/* SPDX-License-Identifier: Apache-2.0 */
/* bench_hnsw - build an index over a file of float32, and say what it took.
 *
 * usage: bench_hnsw FILE DIM SPACE OUTDIR [M EFC THREADS FACTOR OVERLAP]
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

int
main(int argc, char *argv[])
{
	size_t dim = argc > 4 ? strtoul(argv[2], NULL, 10) : 0, i, n;
	struct build_params p = { .m = 16, .ef_construction = 100,
	    .threads = workers_cpus(), .seed = 42 };
	struct build_result b;
	struct vectors v;
	struct files f;
	struct stat st;
	struct err e = { 0 };
	float *x;
	uint64_t *label;
	double w, c;
	int fd, dir;

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
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return 4;
	n = (size_t)st.st_size / (4 * dim);
	x = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
	    fd, 0);
	label = calloc(n, sizeof(*label));
	w = wall();
	c = cpu();
	for (i = 0; i < n; i++)
		label[i] = i + 1;
	v = (struct vectors){ .base = (const uint8_t *)x, .stride = 4 * dim,
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
	free(label);
	return 0;
}
