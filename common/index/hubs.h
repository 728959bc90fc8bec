/* SPDX-License-Identifier: Apache-2.0 */
/* hubs.h - nodes that are near to a great many others.
 *
 * In many dimensions, where vectors have no structure, the nearest of most are
 * among the few that lie in the middle.  Clusters find them late, comparing all
 * nodes with those finds them at once.
 *
 * Memory: 8 bytes a node while they are looked for.
 */
#ifndef INDEX_HUBS_H
#define INDEX_HUBS_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/measure.h"
#include "index/near.h"

struct hubs {
	uint32_t n;
	uint32_t *node;			/* owned */
};

/* The nodes in the middle, where all is about equally far and most of the
 * sample's nearest are among them; else none.  m: of the same codes.  0, or -1
 * with *e set: no memory. */
ATTR_NODISCARD int hubs_find(struct hubs *h, const struct codes *c,
    const struct measure *m, struct err *e);

/* Nodes have other numbers now: order[new] is the old number. */
ATTR_NODISCARD int hubs_renumber(struct hubs *h, const uint32_t *order,
    uint32_t n, struct err *e);

/* Merge into the list of each node the nearest of them.  0, or -1 with *e set:
 * no memory. */
ATTR_NODISCARD int hubs_merge(const struct hubs *h, const struct codes *c,
    struct near *l, struct err *e);

void hubs_release(struct hubs *h);

#endif
