/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - how good codes, lists and graphs are, by a sample of nodes whose
 * true nearest are found by comparing them with all others.
 *
 * Compared are the vectors themselves, and by distance: what is as near counts.
 */
#ifndef INDEX_MEASURE_H
#define INDEX_MEASURE_H

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/graph.h"
#include "index/near.h"

#define MEASURE_SAMPLE 32
#define MEASURE_K 10
#define MEASURE_EF 100		/* Chroma's default ef_search */

struct measure {
	uint32_t n;			/* nodes in the sample */
	uint32_t node[MEASURE_SAMPLE];
	unsigned others[MEASURE_SAMPLE];	/* K, if there are so many */
	uint32_t nearest[MEASURE_SAMPLE][MEASURE_K];	/* so many are set */
	float last[MEASURE_SAMPLE];	/* distance of the last of those */
	double codes;			/* the share of them that are among the
					 * K nearest by codes, 0 to 1 */
	double flat;			/* the last of them, by the mean of
					 * all distances: 0 to 1, where all is
					 * equally far; 0 for ip, that has no
					 * such scale */
};

/* Draw the sample and find its nearest.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int measure_begin(struct measure *m, const struct codes *c,
    struct err *e);

/* Nodes have other numbers now: order[new] is the old number. */
ATTR_NODISCARD int measure_renumber(struct measure *m, const uint32_t *order,
    uint32_t n, struct err *e);

/* The share of them that their lists have. */
double measure_lists(const struct measure *m, const struct codes *c,
    const struct near *l);

/* The share that a search in the graph finds.  0, or -1 with *e set: no
 * memory. */
ATTR_NODISCARD int measure_graph(const struct measure *m,
    const struct graph *g, const struct codes *c, double *share,
    struct err *e);

#endif
