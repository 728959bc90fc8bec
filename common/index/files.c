/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - a graph and its vectors as hnswlib's four files. */
#include "index/files.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/le.h"

#define FLUSH ((size_t)1 << 20)

/* A file in the making. */
struct sink {
	struct buf b;
	const char *name;
	int fd;
	uint64_t written;
};

static int
sink_open(struct sink *s, int dirfd, const char *name, struct err *e)
{
	*s = (struct sink){ .name = name };
	s->fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0666);
	return s->fd < 0 ? err_system(e, "%s", name) : 0;
}

static int
sink_flush(struct sink *s, struct err *e)
{
	if (!buf_ok(&s->b))
		return err_nomem(e);
	if (file_write(s->fd, s->b.p, s->b.len) < 0)
		return err_system(e, "%s", s->name);
	s->written += s->b.len;
	buf_reset(&s->b);
	return 0;
}

static int
sink_close(struct sink *s, int r, struct err *e)
{
	if (r == 0)
		r = sink_flush(s, e);
	if (s->fd >= 0)
		close(s->fd);
	buf_release(&s->b);
	return r;
}

static void
put_u16(struct buf *b, uint16_t v)
{
	uint8_t p[2] = { (uint8_t)v, (uint8_t)(v >> 8) };

	buf_add(b, p, sizeof(p));
}

static void
put_u32(struct buf *b, uint32_t v)
{
	uint8_t p[4];

	le_put_u32(p, v);
	buf_add(b, p, sizeof(p));
}

static void
put_u64(struct buf *b, uint64_t v)
{
	uint8_t p[8];

	le_put_u64(p, v);
	buf_add(b, p, sizeof(p));
}

static void
put_f64(struct buf *b, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_u64(b, bits);
}

/* ---- who lies where ---- */

/* Copies of each node: copy[start[node]..start[node + 1]), by their number in
 * b->copy. */
struct groups {
	uint32_t *start, *copy;
	uint32_t *place;		/* of each copy in its group, from 1 */
};

static void
groups_release(struct groups *g)
{
	free(g->start);
	free(g->copy);
	free(g->place);
}

static int
groups_make(struct groups *g, const struct build_result *b)
{
	uint32_t n = b->graph.n, i, *at;

	g->start = calloc((size_t)n + 2, sizeof(*g->start));
	g->copy = calloc((size_t)b->copies + 1, sizeof(*g->copy));
	g->place = calloc((size_t)b->copies + 1, sizeof(*g->place));
	at = malloc(((size_t)n + 1) * sizeof(*at));
	if (!g->start || !g->copy || !g->place || !at) {
		free(at);
		return -1;
	}
	for (i = 0; i < b->copies; i++)
		g->start[b->copy_of[i] + 1]++;
	for (i = 0; i < n; i++)
		g->start[i + 1] += g->start[i];
	memcpy(at, g->start, ((size_t)n + 1) * sizeof(*at));
	for (i = 0; i < b->copies; i++) {
		uint32_t node = b->copy_of[i];

		g->place[i] = at[node] - g->start[node] + 1;
		g->copy[at[node]++] = i;
	}
	free(at);
	return 0;
}

/* The element at a place of a node's group: 0 is the node. */
static uint32_t
member(const struct build_result *b, const struct groups *g, uint32_t node,
    uint32_t place)
{
	return place == 0 ? node :
	    b->graph.n + g->copy[g->start[node] + place - 1];
}

/* The links of level 0 of an element: in a group of copies, those of a tree
 * over them first, then as many of the node's as fit. */
static unsigned
links_of(const struct build_result *b, const struct groups *g, uint32_t node,
    uint32_t place, uint32_t *out)
{
	const struct graph *gr = &b->graph;
	uint32_t size = g->start[node + 1] - g->start[node] + 1, k;
	const uint32_t tree = gr->m < GRAPH_TREE ? gr->m : GRAPH_TREE;
	const uint32_t *own;
	uint16_t *count;
	unsigned n = 0, i;

	if (place > 0)
		out[n++] = member(b, g, node, (place - 1) / tree);
	for (k = tree * place + 1; k <= tree * place + tree && k < size; k++)
		out[n++] = member(b, g, node, k);
	own = graph_links(gr, node, 0, &count);
	for (i = 0; i < *count && n < gr->m0; i++)
		out[n++] = own[i];
	return n;
}

/* ---- the files ---- */

static int
put_header(struct files *f, struct sink *s, struct err *e)
{
	const struct graph *g = &f->b->graph;
	uint64_t n = (uint64_t)g->n + f->b->copies;
	uint64_t data = 4 + 4 * (uint64_t)g->m0;
	uint64_t label = data + 4 * f->v->dim;

	(void)e;
	put_u32(&s->b, 1);
	put_u64(&s->b, 0);
	put_u64(&s->b, n);
	put_u64(&s->b, n);
	put_u64(&s->b, label + 8);
	put_u64(&s->b, label);
	put_u64(&s->b, data);
	put_u32(&s->b, n == 0 ? UINT32_MAX : (uint32_t)g->max_level);
	put_u32(&s->b, n == 0 ? UINT32_MAX : g->entry);
	put_u64(&s->b, g->m);
	put_u64(&s->b, g->m0);
	put_u64(&s->b, g->m);
	put_f64(&s->b, 1 / log((double)g->m));
	put_u64(&s->b, f->ef_construction < g->m ? g->m : f->ef_construction);
	return 0;
}

/* One element, as its bytes lie; room: for its vector. */
static void
make_element(const struct files *f, const uint32_t *link, unsigned n,
    uint32_t vector, uint8_t *element, float *room)
{
	uint8_t *p = element;
	unsigned i;
	size_t k;

	le_put_u32(p, n);	/* 16 bits of flags behind 16 of the number */
	for (i = 0; i < n; i++)
		le_put_u32(p += 4, link[i]);
	for (; i < f->b->graph.m0; i++)
		le_put_u32(p += 4, 0);
	p += 4;
	vectors_load(f->v, vector, room);
	for (k = 0; k < f->v->dim; k++)
		le_put_f32(p + 4 * k, room[k]);
	le_put_u64(p + 4 * f->v->dim, f->label[vector]);
}

static int
put_level0(struct files *f, struct sink *s, struct err *e)
{
	const struct build_result *b = f->b;
	size_t size = 4 + 4 * (size_t)b->graph.m0 + 4 * f->v->dim + 8;
	uint8_t *element = malloc(size);
	float *room = malloc((f->v->dim + 1) * sizeof(*room));
	uint32_t link[2 * GRAPH_M_MAX + 1], all = b->graph.n + b->copies, i;
	struct groups g = { 0 };
	int r = 0;

	if (!element || !room || groups_make(&g, b) < 0)
		r = err_nomem(e);
	for (i = 0; i < all && r == 0; i++) {
		bool copy = i >= b->graph.n;
		uint32_t k = copy ? i - b->graph.n : i;
		unsigned n = links_of(b, &g, copy ? b->copy_of[k] : k,
		    copy ? g.place[k] : 0, link);

		make_element(f, link, n, copy ? b->copy[k] : b->vector[k],
		    element, room);
		buf_add(&s->b, element, size);
		if (s->b.len >= FLUSH)
			r = sink_flush(s, e);
	}
	groups_release(&g);
	free(element);
	free(room);
	return r;
}

static int
put_lengths(struct files *f, struct sink *s, struct err *e)
{
	const struct build_result *b = f->b;
	uint8_t p[4];
	uint32_t i;

	for (i = 0; i < b->graph.n + b->copies; i++) {
		uint32_t vector = i < b->graph.n ? b->vector[i] :
		    b->copy[i - b->graph.n];

		le_put_f32(p, f->v->length ? f->v->length[vector] : 0);
		buf_add(&s->b, p, sizeof(p));
		if (s->b.len >= FLUSH && sink_flush(s, e) < 0)
			return -1;
	}
	return 0;
}

static int
put_uppers(struct files *f, struct sink *s, struct err *e)
{
	const struct graph *g = &f->b->graph;
	uint32_t i, j;
	int level;

	for (i = 0; i < g->n + f->b->copies; i++) {
		int levels = i < g->n ? g->level[i] : 0;

		put_u32(&s->b, (uint32_t)levels * (4 + 4 * g->m));
		for (level = 1; level <= levels; level++) {
			uint16_t *count;
			const uint32_t *link = graph_links(g, i, level,
			    &count);

			put_u16(&s->b, *count);
			put_u16(&s->b, 0);
			for (j = 0; j < *count; j++)
				put_u32(&s->b, link[j]);
			for (; j < g->m; j++)
				put_u32(&s->b, 0);
		}
		if (s->b.len >= FLUSH && sink_flush(s, e) < 0)
			return -1;
	}
	return 0;
}

int
files_write(struct files *f, int dirfd, struct err *e)
{
	static const struct {
		const char *name;
		int (*put)(struct files *, struct sink *, struct err *);
	} all[] = {
		{ "header.bin", put_header },
		{ "data_level0.bin", put_level0 },
		{ "length.bin", put_lengths },
		{ "link_lists.bin", put_uppers },
	};
	struct sink s;
	size_t i;

	f->bytes = 0;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (sink_open(&s, dirfd, all[i].name, e) < 0 ||
		    sink_close(&s, all[i].put(f, &s, e), e) < 0)
			return -1;
		f->bytes += s.written;
	}
	return 0;
}
