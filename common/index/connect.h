/* SPDX-License-Identifier: Apache-2.0 */
/* connect.h - every node can be reached from the entry, along links of level
 * 0.
 */
#ifndef INDEX_CONNECT_H
#define INDEX_CONNECT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/graph.h"
#include "index/near.h"

/* Give nodes that cannot be reached a link from one that can, and has room for
 * one: a near one if there is any.  *repaired: to how many; *left: how many
 * are not reached all the same (0, but for a graph that is full of links).
 * 0, or -1 with *e set: no memory. */
ATTR_NODISCARD int connect_all(struct graph *g, const struct codes *c,
    const struct near *l, uint32_t *repaired, uint32_t *left, struct err *e);

#endif
