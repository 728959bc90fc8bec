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

/* Give each node that cannot be reached a link from one that can: a near one,
 * if there is any.  Where that has no room, the link takes the place of one
 * that nothing is reached by.  *repaired: how many; *left: how many are not reached
 * all the same, which would be a fault of ours.  0, or -1 with *e set: no
 * memory. */
ATTR_NODISCARD int connect_all(struct graph *g, const struct codes *c,
    const struct near *l, uint32_t *repaired, uint32_t *left,
    struct err *e);

#endif
