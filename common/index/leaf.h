/* SPDX-License-Identifier: Apache-2.0 */
/* leaf.h - all distances inside a small set of nodes, and of each node the
 * nearest of them.
 */
#ifndef INDEX_LEAF_H
#define INDEX_LEAF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/near.h"

#define LEAF_MAX 1536		/* nodes in one */

/* Codes as the columns of tiles. */
struct leaf_panels {
	uint32_t n;
	void *panel;
	struct kernel_columns *columns;
};

/* What one thread needs. */
struct leaf_room {
	void *rows;			/* packed */
	int32_t *sums;
	struct leaf_panels panels;
	float *limit;
	struct leaf_list *list;
	uint64_t pairs;			/* distances computed */
};

ATTR_NODISCARD int leaf_room_init(struct leaf_room *r, const struct codes *c,
    struct err *e);
void leaf_room_release(struct leaf_room *r);

/* Bytes that it has in use, when leaves of so many nodes were run. */
uint64_t leaf_memory(uint64_t nodes, size_t len);

/* Panels for up to `most' codes. */
ATTR_NODISCARD int leaf_panels_init(struct leaf_panels *p,
    const struct codes *c, uint32_t most, struct err *e);

/* Put these nodes in.  by_direction: as if all were of norm 1. */
void leaf_panels_fill(struct leaf_panels *p, const struct codes *c,
    const uint32_t *node, uint32_t n, bool by_direction);
void leaf_panels_release(struct leaf_panels *p);

/* Of each of these nodes (LEAF_MAX at most), merge the nearest of the others
 * into its list. */
void leaf_run(struct leaf_room *r, const struct codes *c, struct near *l,
    const uint32_t *node, uint32_t n);

/* The same for the nodes of some panels, as a set that all others are compared
 * with: into the list of each node[0..n) (LEAF_MAX at most) the nearest of them.
 * column[0..p->n): which nodes they are.  Not if distances are exact. */
void leaf_against(struct leaf_room *r, const struct codes *c, struct near *l,
    const uint32_t *node, uint32_t n, const struct leaf_panels *p,
    const uint32_t *column);

#endif
