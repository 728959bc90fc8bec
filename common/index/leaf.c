/* SPDX-License-Identifier: Apache-2.0 */
/* leaf.c - all distances inside a small set of nodes. */
#include "index/leaf.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/large.h"

#define KEPT 32			/* of the nodes that one has met in a leaf */
#define ROOM 64			/* when it is full, it is made shorter */
#define SLACK 8			/* more than KEPT may stay, to save work */

/* Neighbours that one node has met, as bits of distance and number. */
struct leaf_list {
	uint32_t n;
	uint32_t bits[ROOM], node[ROOM];
};

int
leaf_panels_init(struct leaf_panels *p, const struct codes *c, uint32_t most,
    struct err *e)
{
	size_t panels = (most + c->kernel->columns - 1) / c->kernel->columns;

	*p = (struct leaf_panels){ 0 };
	p->panel = large_alloc(panels, c->kernel->panel_bytes * c->len);
	p->columns = large_alloc(panels, sizeof(*p->columns));
	return p->panel && p->columns ? 0 : err_nomem(e);
}

void
leaf_panels_release(struct leaf_panels *p)
{
	large_free(p->panel);
	large_free(p->columns);
	*p = (struct leaf_panels){ 0 };
}

static void
set_column(struct kernel_columns *to, uint32_t j, const struct codes *c,
    uint32_t node, bool by_direction)
{
	float norm = by_direction ? sqrtf(c->terms[node].squared) + 1e-30f : 1;

	to->scale[j] = c->terms[node].scale / norm;
	to->add[j] = by_direction ? 1 : c->terms[node].add;
}

void
leaf_panels_fill(struct leaf_panels *p, const struct codes *c,
    const uint32_t *node, uint32_t n, bool by_direction)
{
	const struct kernel *k = c->kernel;
	const int8_t *row[KERNEL_COLUMNS_MAX];
	uint32_t i, j, some;

	p->n = n;
	for (i = 0; i < n; i += k->columns) {
		struct kernel_columns *to = &p->columns[i / k->columns];

		some = n - i < k->columns ? n - i : k->columns;
		for (j = 0; j < some; j++) {
			row[j] = codes_at(c, node[i + j]);
			set_column(to, j, c, node[i + j], by_direction);
		}
		for (; j < k->columns; j++) {	/* nobody's neighbour */
			to->scale[j] = 0;
			to->add[j] = FLT_MAX;
		}
		k->pack_panel((char *)p->panel + (size_t)(i / k->columns) *
		    k->panel_bytes * c->len, row, some, c->len);
	}
}

int
leaf_room_init(struct leaf_room *r, const struct codes *c, struct err *e)
{
	const size_t rows = LEAF_MAX + KERNEL_COLUMNS_MAX;

	*r = (struct leaf_room){ 0 };
	r->rows = large_alloc(rows, c->kernel->row_bytes * c->len);
	r->sums = large_alloc(rows, sizeof(*r->sums));
	r->limit = large_alloc(rows, sizeof(*r->limit));
	r->list = large_alloc(rows, sizeof(*r->list));
	if (!r->rows || !r->sums || !r->limit || !r->list)
		return err_nomem(e);
	return leaf_panels_init(&r->panels, c, LEAF_MAX, e);
}

void
leaf_room_release(struct leaf_room *r)
{
	large_free(r->rows);
	large_free(r->sums);
	large_free(r->limit);
	large_free(r->list);
	leaf_panels_release(&r->panels);
	*r = (struct leaf_room){ 0 };
}

uint64_t
leaf_memory(uint64_t nodes, size_t len)
{
	/* the most that any kernel makes of a byte, in rows and in panels */
	return (nodes + KERNEL_COLUMNS_MAX) * (len * (2 + 2) +
	    sizeof(struct leaf_list) + 16);
}

/* ---- the nearest of many ---- */

static unsigned
count_up_to(const uint32_t *bits, uint32_t limit)
{
	unsigned n = 0, i;

	for (i = 0; i < ROOM; i++)
		n += bits[i] <= limit;
	return n;
}

/* The keys of a list, sorted, the first KEPT of them; their number. */
static unsigned
sorted(const struct kernel *k, const struct leaf_list *l, uint64_t key[ROOM])
{
	uint32_t i;

	for (i = 0; i < l->n; i++)
		key[i] = (uint64_t)l->bits[i] << 32 | l->node[i];
	k->sort(key, l->n);
	return l->n < KEPT ? l->n : KEPT;
}

/* Keep the nearest KEPT, and a few more where that is less work.  All of what
 * is kept is at most as far as the new limit, and what goes is further than
 * KEPT others. */
static void
shorten(const struct kernel *k, struct leaf_list *l, float *limit)
{
	uint32_t low = UINT32_MAX, high = 0, cut, i, kept = 0;
	uint64_t key[ROOM];
	float at;

	if (l->n <= KEPT)
		return;
	for (i = l->n; i < ROOM; i++)
		l->bits[i] = UINT32_MAX;
	for (i = 0; i < l->n; i++) {
		low = l->bits[i] < low ? l->bits[i] : low;
		high = l->bits[i] > high ? l->bits[i] : high;
	}
	for (cut = high; low < high;) {
		uint32_t middle = low + (high - low) / 2;
		unsigned n = count_up_to(l->bits, middle);

		if (n < KEPT) {
			low = middle + 1;
			continue;
		}
		cut = high = middle;
		if (n <= KEPT + SLACK)
			break;
	}
	if (count_up_to(l->bits, cut) > KEPT + SLACK) {	/* many are equal */
		kept = sorted(k, l, key);
		for (i = 0; i < kept; i++) {
			l->bits[i] = (uint32_t)(key[i] >> 32);
			l->node[i] = (uint32_t)key[i];
		}
	} else {
		for (i = 0; i < l->n; i++) {
			l->bits[kept] = l->bits[i];
			l->node[kept] = l->node[i];
			kept += l->bits[i] <= cut;
		}
	}
	l->n = kept;
	memcpy(&at, &cut, sizeof(at));
	if (at < *limit)
		*limit = at;
}

static inline void
meet(struct leaf_room *r, const struct kernel *k, uint32_t i, float distance,
    uint32_t node)
{
	struct leaf_list *l = &r->list[i];

	memcpy(&l->bits[l->n], &distance, sizeof(distance));
	l->node[l->n++] = node;
	if (l->n == ROOM)
		shorten(k, l, &r->limit[i]);
}

/* ---- the leaf ---- */

/* One row against the columns of a panel that come after it. */
static void
row_against(struct leaf_room *r, const struct codes *c, const uint32_t *node,
    uint32_t n, uint32_t i, uint32_t first, const int32_t *product)
{
	const struct kernel *k = c->kernel;
	float distance[KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	uint64_t row, column, valid = ~(uint64_t)0;
	uint32_t j;

	k->distances(product, c->terms[node[i]], r->limit[i],
	    &r->panels.columns[first / k->columns], r->limit + first,
	    distance, &row, &column);
	if (n - first < 64)
		valid = ((uint64_t)1 << (n - first)) - 1;
	if (first <= i)			/* only those after it */
		valid &= i - first >= 63 ? 0 : ~(uint64_t)0 << (i - first + 1);
	for (column &= valid; column; column &= column - 1) {
		j = (uint32_t)__builtin_ctzll(column);
		meet(r, k, first + j, distance[j], node[i]);
	}
	for (row &= valid; row; row &= row - 1) {
		j = (uint32_t)__builtin_ctzll(row);
		if (distance[j] <= r->limit[i])
			meet(r, k, i, distance[j], node[first + j]);
	}
}

static void
products(struct leaf_room *r, const struct codes *c, const uint32_t *node,
    uint32_t n)
{
	const struct kernel *k = c->kernel;
	int32_t product[8 * KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	uint32_t first, end, i, j;

	for (first = 0; first < n; first += k->columns) {
		end = first + k->columns < n ? first + k->columns : n;
		for (i = 0; i < end; i += k->rows) {
			k->tile((const char *)r->rows + (size_t)i *
			    k->row_bytes * c->len, r->sums + i,
			    (const char *)r->panels.panel +
			    (size_t)(first / k->columns) * k->panel_bytes *
			    c->len, c->len, product);
			r->pairs += (uint64_t)k->rows * k->columns;
			for (j = i; j < i + k->rows && j < end; j++)
				row_against(r, c, node, n, j, first,
				    product + (size_t)(j - i) * k->columns);
		}
	}
}

/* The same from the vectors themselves. */
static void
compare_all(struct leaf_room *r, const struct codes *c, const uint32_t *node,
    uint32_t n)
{
	uint32_t to[4], i, j, k;
	float distance[4];

	for (i = 1; i < n; i++)
		for (j = 0; j < i; j += 4) {
			for (k = 0; k < 4; k++)
				to[k] = node[j + k < i ? j + k : i - 1];
			codes_four(c, node[i], to, distance);
			for (k = 0; k < 4 && j + k < i; k++) {
				if (distance[k] <= r->limit[i])
					meet(r, c->kernel, i, distance[k],
					    to[k]);
				if (distance[k] <= r->limit[j + k])
					meet(r, c->kernel, j + k, distance[k],
					    node[i]);
			}
		}
}

static void
pack_rows(struct leaf_room *r, const struct codes *c, const uint32_t *node,
    uint32_t n)
{
	const struct kernel *k = c->kernel;
	uint32_t i;

	for (i = 0; i < n; i++) {
		k->pack_row((char *)r->rows + (size_t)i * k->row_bytes *
		    c->len, codes_at(c, node[i]), c->len);
		r->sums[i] = c->terms[node[i]].sum;
	}
}

/* Empty lists, and what must be met to get into them. */
static void
begin(struct leaf_room *r, const struct near *l, const uint32_t *node,
    uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		r->list[i].n = 0;
		r->limit[i] = near_limit(l, node[i]);
	}
	for (; i < n + KERNEL_COLUMNS_MAX; i++)
		r->limit[i] = -1;
}

static void
merge(struct leaf_room *r, const struct codes *c, struct near *l,
    const uint32_t *node, uint32_t n)
{
	uint64_t key[ROOM];
	uint32_t i;

	for (i = 0; i < n; i++)
		near_merge(l, node[i], key, sorted(c->kernel, &r->list[i],
		    key));
}

void
leaf_run(struct leaf_room *r, const struct codes *c, struct near *l,
    const uint32_t *node, uint32_t n)
{
	begin(r, l, node, n);
	if (c->exact) {
		compare_all(r, c, node, n);
	} else {
		leaf_panels_fill(&r->panels, c, node, n, false);
		pack_rows(r, c, node, n);
		products(r, c, node, n);
	}
	merge(r, c, l, node, n);
}

/* ---- against others ---- */

/* Row i of a tile; the columns are those of a panel, from first on. */
static void
row_of_others(struct leaf_room *r, const struct codes *c, uint32_t i,
    uint32_t node, const struct leaf_panels *p, uint32_t first,
    const uint32_t *column, const int32_t *product)
{
	static const float no_limit[KERNEL_COLUMNS_MAX];
	const struct kernel *k = c->kernel;
	float distance[KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	uint64_t near, ignored;
	uint32_t j;

	k->distances(product, c->terms[node], r->limit[i],
	    &p->columns[first / k->columns], no_limit, distance, &near,
	    &ignored);
	if (p->n - first < 64)
		near &= ((uint64_t)1 << (p->n - first)) - 1;
	for (; near; near &= near - 1) {
		j = (uint32_t)__builtin_ctzll(near);
		if (distance[j] <= r->limit[i] && column[first + j] != node)
			meet(r, k, i, distance[j], column[first + j]);
	}
}

void
leaf_against(struct leaf_room *r, const struct codes *c, struct near *l,
    const uint32_t *node, uint32_t n, const struct leaf_panels *p,
    const uint32_t *column)
{
	const struct kernel *k = c->kernel;
	int32_t product[8 * KERNEL_COLUMNS_MAX] __attribute__((aligned(64)));
	uint32_t first, i, j;

	begin(r, l, node, n);
	pack_rows(r, c, node, n);
	for (first = 0; first < p->n; first += k->columns)
		for (i = 0; i < n; i += k->rows) {
			k->tile((const char *)r->rows + (size_t)i *
			    k->row_bytes * c->len, r->sums + i,
			    (const char *)p->panel + (size_t)(first /
			    k->columns) * k->panel_bytes * c->len, c->len,
			    product);
			r->pairs += (uint64_t)k->rows * k->columns;
			for (j = i; j < i + k->rows && j < n; j++)
				row_of_others(r, c, j, node[j], p, first,
				    column, product + (size_t)(j - i) *
				    k->columns);
		}
	merge(r, c, l, node, n);
}
