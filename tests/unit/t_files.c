/* SPDX-License-Identifier: Apache-2.0 */
/* t_files - a graph as files: every size and byte of them, and copies as a
 * tree behind the vector that they equal. */
#include "index/files.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "../given.h"
#include "../tap.h"
#include "base/le.h"

#define N_MAX 1300

static struct buf header, level0, lengths, uppers;
static struct build_result b;
static struct vectors v;
static uint64_t label[N_MAX];
static uint32_t place_of[N_MAX];	/* of each copy in its group */

static void
read_all(int dirfd, const char *name, struct buf *to)
{
	char path[512];

	(void)dirfd;
	buf_reset(to);
	snprintf(path, sizeof(path), "%s/%s", scratch_path("out"), name);
	scratch_read(path, to);
	if (unlink(path) < 0)
		scratch_die(path);
}

static const uint8_t *
at(const struct buf *f, size_t offset)
{
	return (const uint8_t *)f->p + offset;
}

static unsigned
wrong_header(uint64_t ef)
{
	const uint64_t n = b.graph.n + b.copies, m = b.graph.m, dim = v.dim;
	unsigned bad = 0;
	double mult;

	if (header.len != 100)
		return 1;
	memcpy(&mult, at(&header, 84), 8);
	bad += le_u32(at(&header, 0)) != 1;
	bad += le_u64(at(&header, 4)) != 0;
	bad += le_u64(at(&header, 12)) != n || le_u64(at(&header, 20)) != n;
	bad += le_u64(at(&header, 28)) != 4 + 8 * m + 4 * dim + 8;
	bad += le_u64(at(&header, 36)) != 4 + 8 * m + 4 * dim;
	bad += le_u64(at(&header, 44)) != 4 + 8 * m;
	bad += le_u32(at(&header, 52)) != (n ? (uint32_t)b.graph.max_level :
	    UINT32_MAX);
	bad += le_u32(at(&header, 56)) != (n ? b.graph.entry : UINT32_MAX);
	bad += le_u64(at(&header, 60)) != m || le_u64(at(&header, 76)) != m;
	bad += le_u64(at(&header, 68)) != 2 * m;
	bad += mult < 1 / log((double)m) || mult > 1 / log((double)m);
	bad += le_u64(at(&header, 92)) != (ef < m ? m : ef);
	return bad;
}

static uint32_t
vector_of(uint32_t i)
{
	return i < b.graph.n ? b.vector[i] : b.copy[i - b.graph.n];
}

/* The element at a place of a node's group. */
static uint32_t
member(uint32_t node, uint32_t place)
{
	uint32_t i;

	for (i = 0; place > 0 && i < b.copies; i++)
		if (b.copy_of[i] == node && place_of[i] == place)
			return b.graph.n + i;
	return place == 0 ? node : GRAPH_NOBODY;
}

/* What an element is linked to: up the tree, down the tree, as its node. */
static unsigned
expected(uint32_t i, uint32_t *to)
{
	const struct graph *g = &b.graph;
	uint32_t node = i < g->n ? i : b.copy_of[i - g->n];
	uint32_t place = i < g->n ? 0 : place_of[i - g->n], tree, k, child;
	uint16_t *count;
	const uint32_t *own = graph_links(g, node, 0, &count);
	unsigned n = 0;

	tree = g->m < 4 ? g->m : 4;
	if (place > 0)
		to[n++] = member(node, (place - 1) / tree);
	for (k = 1; k <= tree; k++) {
		child = member(node, place * tree + k);
		if (child != GRAPH_NOBODY)
			to[n++] = child;
	}
	for (k = 0; k < *count && n < g->m0; k++)
		to[n++] = own[k];
	return n;
}

static unsigned
wrong_level0(void)
{
	const size_t size = 4 + 8 * (size_t)b.graph.m + 4 * v.dim + 8;
	uint32_t all = b.graph.n + b.copies, i, j, to[200], bad = 0;
	float *x = malloc((v.dim + 1) * sizeof(*x));

	if (level0.len != all * size)
		return 1;
	for (i = 0; i < all; i++) {
		const uint8_t *p = at(&level0, i * size);
		unsigned n = expected(i, to);

		bad += le_u32(p) != n;
		for (j = 0; j < 2 * b.graph.m; j++)
			bad += le_u32(p + 4 + 4 * j) != (j < n ? to[j] : 0);
		p += 4 + 8 * b.graph.m;
		vectors_load(&v, vector_of(i), x);
		for (j = 0; j < v.dim; j++)
			bad += memcmp(&x[j], &(float){ le_f32(p + 4 * j) },
			    4) != 0;
		bad += le_u64(p + 4 * v.dim) != label[vector_of(i)];
	}
	free(x);
	return bad;
}

static unsigned
wrong_others(void)
{
	const struct graph *g = &b.graph;
	uint32_t i, j, bad = 0;
	size_t o = 0;
	int level;

	if (lengths.len != 4 * (size_t)(g->n + b.copies))
		return 1;
	for (i = 0; i < g->n + b.copies; i++) {
		float f = le_f32(at(&lengths, 4 * (size_t)i));
		int levels = i < g->n ? g->level[i] : 0;

		bad += v.length ? f != v.length[vector_of(i)] : f != 0;
		if (o + 4 + (size_t)levels * (4 + 4 * g->m) > uppers.len)
			return bad + 1;
		bad += le_u32(at(&uppers, o)) != (uint32_t)levels *
		    (4 + 4 * g->m);
		for (o += 4, level = 1; level <= levels; level++) {
			uint16_t *count;
			const uint32_t *link = graph_links(g, i, level,
			    &count);

			bad += le_u32(at(&uppers, o)) != *count;
			for (o += 4, j = 0; j < g->m; j++, o += 4)
				bad += le_u32(at(&uppers, o)) != (j < *count ?
				    link[j] : 0);
		}
	}
	return bad + (o != uppers.len);
}

static void
test_write(enum given_kind kind, uint32_t n, size_t dim, unsigned m,
    uint64_t ef, bool cosine)
{
	struct build_params p = { .m = m, .ef_construction = 100,
	    .threads = 1, .seed = 5 };
	struct files f = { .b = &b, .v = &v, .label = label,
	    .ef_construction = ef };
	int fd = open(scratch_path("out"), O_RDONLY | O_DIRECTORY);
	uint32_t seen[N_MAX] = { 0 }, i;
	struct err e;

	v = given_make(kind, n, dim);
	/* copies of different lengths */
	for (i = 0; cosine && i < n * dim; i++)
		((float *)(uintptr_t)v.base)[i] *= (float)(1u << i / dim % 3);
	if (cosine && vectors_make_unit(&v, 1, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < n; i++)
		label[i] = (uint64_t)i * 0x100000001 + 7;
	if (build(&b, &v, &p, &e) < 0 || files_write(&f, fd, &e) < 0)
		scratch_die(e.msg);
	for (i = 0; i < b.copies; i++)
		place_of[i] = ++seen[b.copy_of[i]];
	ok(files_write(&f, fd, &e) < 0 && e.status != 0 &&
	    strstr(e.msg, strerror(EEXIST)), "never over others: %s", e.msg);
	read_all(fd, "header.bin", &header);
	read_all(fd, "data_level0.bin", &level0);
	read_all(fd, "length.bin", &lengths);
	read_all(fd, "link_lists.bin", &uppers);
	ok(wrong_header(ef) == 0, "%s, %u vectors of %zu numbers, M %u, %u "
	    "copies: header", given_name[kind], n, dim, m, b.copies);
	i = wrong_level0();
	ok(i == 0, "  level 0 (%u wrong)", i);
	i = wrong_others();
	ok(i == 0, "  lengths, upper levels (%u wrong)", i);
	ok(files_write(&f, fd, &e) == 0 && f.bytes == header.len +
	    level0.len + lengths.len + uppers.len, "  bytes: %llu",
	    (unsigned long long)f.bytes);
	read_all(fd, "header.bin", &header);
	read_all(fd, "data_level0.bin", &level0);
	read_all(fd, "length.bin", &lengths);
	read_all(fd, "link_lists.bin", &uppers);
	close(fd);
	build_release(&b);
	given_release(&v);
}

/* Nothing is taken for written that is not. */
static void
test_failure(void)
{
	struct build_params p = { .m = 2, .ef_construction = 10,
	    .threads = 1 };
	struct files f = { .b = &b, .v = &v, .label = label };
	struct err e;

	v = given_make(GIVEN_RANDOM, 3, 4);
	if (build(&b, &v, &p, &e) < 0)
		scratch_die(e.msg);
	ok(files_write(&f, -1, &e) < 0 && strstr(e.msg, "header.bin"),
	    "no directory: %s", e.msg);
	build_release(&b);
	given_release(&v);
}

int
main(void)
{
	if (mkdir(scratch_path("out"), 0777) < 0)
		scratch_die("mkdir");
	test_write(GIVEN_RANDOM, 0, 3, 16, 100, false);
	test_write(GIVEN_RANDOM, 1, 1, 16, 100, false);
	test_write(GIVEN_RANDOM, 500, 65, 2, 1, true);
	test_write(GIVEN_COPIES, 300, 5, 16, 200, true);
	test_write(GIVEN_COPIES, 300, 4, 2, 100, false);
	test_write(GIVEN_COPIES, 25, 4, 3, 100, false);
	test_write(GIVEN_SAME, 100, 3, 4, 100, false);
	test_write(GIVEN_SAME, 2, 3, 2, 100, false);
	test_write(GIVEN_RANDOM, 1300, 4, 8, 100, true);	/* in another order */
	/* more than is written at once */
	test_write(GIVEN_TIGHT, 600, 900, 64, 100, true);
	test_failure();
	buf_release(&header);
	buf_release(&level0);
	buf_release(&lengths);
	buf_release(&uppers);
	return tap_done();
}
