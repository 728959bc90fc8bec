/* SPDX-License-Identifier: Apache-2.0 */
/* hnswsearch - search an index as hnswlib does, and count the work.
 *
 * usage: hnswsearch INDEXDIR SPACE QUERY-FILE K EF... >LABELS
 *        hnswsearch INDEXDIR
 *
 * With a directory alone: elements, levels, links per element on level 0, and
 * how many elements no way leads to from the entry point.
 *
 * For each EF, the labels of the K nearest of each query go to standard output
 * (u64, nearest first; 0xff.. where there are fewer), and a line to standard
 * error: EF, distances computed per query, links read per query, microseconds
 * per query.
 * Links read is what hnswlib's own metric_distance_computations counts: it has
 * those in it that had been seen, whose distances are not computed again.
 *
 * The search is that of hnswlib/hnswalg.h (chroma-hnswlib 0.7.6): searchKnn()
 * and searchBaseLayerST().  To give the same answers also where distances are
 * equal, distances are summed in four lanes like its SSE code, and the heaps
 * move as those of libstdc++ do.
 */
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/le.h"

typedef float lanes __attribute__((vector_size(16)));

struct index {
	const uint8_t *level0;
	const uint8_t **upper;		/* of each element; NULL: none */
	uint32_t n, enter;
	int32_t max_level;
	size_t size, label, vector, dim, stride; /* stride: an upper level's */
	bool ip, deleted;
};

struct found {
	float dist;			/* the heap's top has the greatest */
	uint32_t id;
};

struct heap {
	struct found *at;
	size_t n, room;
};

struct work {
	uint64_t distances, links;
	uint32_t *seen, turn;
	struct heap top, next;
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void *
must(void *p)
{
	if (!p)
		die("hnswsearch");
	return p;
}

/* ---- files ---- */

static const uint8_t *
map(const char *dir, const char *name, size_t *len)
{
	char path[4096];
	const uint8_t *p;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s%s%s", dir, *name ? "/" : "", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	*len = (size_t)st.st_size;
	if (*len == 0) {
		close(fd);
		return NULL;
	}
	p = mmap(NULL, *len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		die(path);
	close(fd);
	return p;
}

static void
index_open(struct index *x, const char *dir, const char *space)
{
	size_t len, at = 0, bytes;
	const uint8_t *h = map(dir, "header.bin", &len), *lists;
	uint32_t i;

	if (len != 100 || le_u32(h) != 1) {
		fprintf(stderr, "%s: not an index\n", dir);
		exit(1);
	}
	memset(x, 0, sizeof(*x));
	x->n = (uint32_t)le_u64(h + 20);
	x->size = le_u64(h + 28);
	x->label = le_u64(h + 36);
	x->vector = le_u64(h + 44);
	x->max_level = (int32_t)le_u32(h + 52);
	x->enter = le_u32(h + 56);
	x->dim = (x->label - x->vector) / 4;
	x->stride = 4 + 4 * le_u64(h + 60);
	x->ip = strcmp(space, "l2") != 0;
	x->level0 = map(dir, "data_level0.bin", &len);
	if (len < x->n * x->size) {
		fprintf(stderr, "%s: data_level0.bin is short\n", dir);
		exit(1);
	}
	x->upper = must(calloc(x->n + 1, sizeof(*x->upper)));
	lists = map(dir, "link_lists.bin", &len);
	for (i = 0; i < x->n; i++) {
		bytes = at + 4 <= len ? le_u32(lists + at) : len;
		if (at + 4 + bytes > len) {
			fprintf(stderr, "%s: link_lists.bin is short\n", dir);
			exit(1);
		}
		x->upper[i] = bytes ? lists + at + 4 : NULL;
		at += 4 + bytes;
		x->deleted |= x->level0[i * x->size + 2] & 1;
	}
}

static const uint8_t *
element(const struct index *x, uint32_t id)
{
	return x->level0 + id * x->size;
}

/* ---- distances ---- */

static float
distance(const struct index *x, const float *q, uint32_t id)
{
	const uint8_t *p = element(x, id) + x->vector;
	lanes sum = { 0 }, a, b;
	float rest = 0, y;
	size_t j;

	for (j = 0; j + 4 <= x->dim; j += 4) {
		memcpy(&a, q + j, sizeof(a));
		memcpy(&b, p + 4 * j, sizeof(b));
		if (!x->ip) {
			a -= b;
			b = a;
		}
		sum += a * b;
	}
	for (; j < x->dim; j++) {
		memcpy(&y, p + 4 * j, sizeof(y));
		rest += x->ip ? q[j] * y : (q[j] - y) * (q[j] - y);
	}
	rest += sum[0] + sum[1] + sum[2] + sum[3];
	return x->ip ? 1.0f - rest : rest;
}

/* ---- heaps ---- */

/* Up from place i, as far as it is greater than what is above. */
static void
rise(struct heap *h, size_t i, struct found x)
{
	size_t above;

	while (i > 0 && h->at[above = (i - 1) / 2].dist < x.dist) {
		h->at[i] = h->at[above];
		i = above;
	}
	h->at[i] = x;
}

static void
push(struct heap *h, float dist, uint32_t id)
{
	if (h->n == h->room) {
		h->room = h->room ? 2 * h->room : 1024;
		h->at = must(realloc(h->at, h->room * sizeof(*h->at)));
	}
	rise(h, h->n++, (struct found){ dist, id });
}

/* The hole goes down to a leaf, always to the greater child (the right one of
 * equal ones), and what was last rises from there. */
static struct found
pop(struct heap *h)
{
	struct found top = h->at[0], last = h->at[--h->n];
	size_t hole = 0, child;

	while ((child = 2 * hole + 2) < h->n) {
		if (h->at[child].dist < h->at[child - 1].dist)
			child--;
		h->at[hole] = h->at[child];
		hole = child;
	}
	if (child == h->n) {
		h->at[hole] = h->at[child - 1];
		hole = child - 1;
	}
	if (h->n > 0)
		rise(h, hole, last);
	return top;
}

/* ---- the search ---- */

static uint32_t
descend(const struct index *x, struct work *w, const float *q)
{
	uint32_t at = x->enter, links, i, id;
	float best = distance(x, q, at), d;
	const uint8_t *list;
	int32_t level;
	bool better;

	w->distances++;
	for (level = x->max_level; level > 0; level--)
		do {
			better = false;
			list = x->upper[at] + (size_t)(level - 1) * x->stride;
			links = le_u16(list);
			w->links += links;
			w->distances += links;
			for (i = 0; i < links; i++) {
				id = le_u32(list + 4 + 4 * i);
				d = distance(x, q, id);
				if (d < best) {
					best = d;
					at = id;
					better = true;
				}
			}
		} while (better);
	return at;
}

static bool
live(const struct index *x, uint32_t id)
{
	return !(element(x, id)[2] & 1);
}

/* The neighbours of an element: those that are near enough are kept. */
static void
expand(const struct index *x, struct work *w, const float *q, size_t ef,
    uint32_t at, float *bound)
{
	const uint8_t *list = element(x, at);
	uint32_t links = le_u16(list), i, id;
	float d;

	w->links += links;
	for (i = 0; i < links; i++) {
		id = le_u32(list + 4 + 4 * i);
		if (w->seen[id] == w->turn)
			continue;
		w->seen[id] = w->turn;
		w->distances++;
		d = distance(x, q, id);
		if (w->top.n >= ef && *bound <= d)
			continue;
		push(&w->next, -d, id);
		if (live(x, id))
			push(&w->top, d, id);
		if (w->top.n > ef)
			(void)pop(&w->top);
		if (w->top.n > 0)
			*bound = w->top.at[0].dist;
	}
}

/* The ef nearest that the search meets, in w->top. */
static void
search(const struct index *x, struct work *w, const float *q, size_t ef)
{
	uint32_t at;
	float bound;

	w->top.n = w->next.n = 0;
	w->turn++;
	if (x->n == 0)
		return;
	at = descend(x, w, q);
	bound = 3.402823466e38f;
	if (live(x, at)) {
		bound = distance(x, q, at);
		push(&w->top, bound, at);
		w->distances++;
	}
	push(&w->next, -bound, at);
	w->seen[at] = w->turn;
	while (w->next.n > 0) {
		if (-w->next.at[0].dist > bound &&
		    (w->top.n == ef || !x->deleted))
			break;
		expand(x, w, q, ef, pop(&w->next).id, &bound);
	}
}

static void
answer(const struct index *x, struct work *w, size_t k, uint64_t *label)
{
	size_t i;

	while (w->top.n > k)
		(void)pop(&w->top);
	for (i = k; i > w->top.n; i--)
		label[i - 1] = UINT64_MAX;
	while (w->top.n > 0) {
		i = w->top.n - 1;
		label[i] = le_u64(element(x, pop(&w->top).id) + x->label);
	}
}

/* ---- what the graph is like ---- */

/* Visit the neighbours of an element on one level. */
static void
visit(const struct index *x, struct work *w, const uint8_t *list)
{
	uint32_t i, id, links = le_u16(list);

	for (i = 0; i < links; i++) {
		id = le_u32(list + 4 + 4 * i);
		if (id >= x->n) {
			fprintf(stderr, "link out of range\n");
			exit(1);
		}
		if (!w->seen[id])
			push(&w->next, 0, id);
		w->seen[id] = 1;
	}
}

static uint32_t
level(const struct index *x, uint32_t id)
{
	return x->upper[id] ? (uint32_t)(le_u32(x->upper[id] - 4) / x->stride) :
	    0;
}

static void
describe(const struct index *x, struct work *w)
{
	uint64_t links = 0;
	uint32_t seen = 0, at, l, i;

	for (i = 0; i < x->n; i++)
		links += le_u16(element(x, i));
	if (x->n > 0) {
		push(&w->next, 0, x->enter);
		w->seen[x->enter] = 1;
	}
	while (w->next.n > 0) {
		at = w->next.at[--w->next.n].id;
		seen++;
		visit(x, w, element(x, at));
		for (l = 0; l < level(x, at); l++)
			visit(x, w, x->upper[at] + l * x->stride);
	}
	printf("%u %d %.3f %u\n", x->n, x->max_level + 1,
	    (double)links / (double)(x->n ? x->n : 1), x->n - seen);
}

/* As hnswlib's Python binding does it. */
static void
normalise(float *q, size_t n, size_t dim)
{
	float sum;
	size_t j;

	for (; n > 0; n--, q += dim) {
		sum = 0;
		for (j = 0; j < dim; j++)
			sum += q[j] * q[j];
		sum = 1.0f / (sqrtf(sum) + 1e-30f);
		for (j = 0; j < dim; j++)
			q[j] *= sum;
	}
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float *
queries(const struct index *x, const char *path, bool cosine, size_t *n)
{
	size_t len;
	const uint8_t *p = map(path, "", &len);
	float *q = must(malloc(len + 1));

	*n = len / (4 * x->dim);
	memcpy(q, p, len);
	if (cosine)
		normalise(q, *n, x->dim);
	return q;
}

/* One EF: the answers to standard output, the cost to standard error. */
static void
run(const struct index *x, struct work *w, const float *q, size_t n,
    size_t k, size_t ef, uint64_t *label)
{
	double began = seconds(), per = n ? (double)n : 1;
	size_t i;

	w->distances = w->links = 0;
	for (i = 0; i < n; i++) {
		search(x, w, q + i * x->dim, ef < k ? k : ef);
		answer(x, w, k, label + i * k);
	}
	if (fwrite(label, sizeof(*label), n * k, stdout) != n * k)
		die("standard output");
	fprintf(stderr, "%zu %.2f %.2f %.2f\n", ef, (double)w->distances / per,
	    (double)w->links / per, (seconds() - began) * 1e6 / per);
}

int
main(int argc, char *argv[])
{
	struct work w = { 0 };
	struct index x;
	uint64_t *label;
	float *q;
	size_t k, n;
	int a;

	if (argc != 2 && argc < 6) {
		fprintf(stderr, "usage: hnswsearch INDEXDIR [SPACE QUERY-FILE "
		    "K EF...] >LABELS\n");
		return 2;
	}
	index_open(&x, argv[1], argc > 2 ? argv[2] : "l2");
	w.seen = must(calloc(x.n + 1, sizeof(*w.seen)));
	if (argc == 2) {
		describe(&x, &w);
		return 0;
	}
	q = queries(&x, argv[3], strcmp(argv[2], "cosine") == 0, &n);
	k = strtoul(argv[4], NULL, 10);
	label = must(calloc(n * k + 1, sizeof(*label)));
	for (a = 5; a < argc; a++)
		run(&x, &w, q, n, k, strtoul(argv[a], NULL, 10), label);
	return fflush(stdout) == 0 ? 0 : 1;
}
