/* SPDX-License-Identifier: Apache-2.0 */
/* connect.h - from every node every other one can be reached, along links of
 * level 0.
 *
 * A search begins on level 0 wherever it came down from the levels above; so it
 * is not enough that all can be reached from the entry.
 */
#ifndef INDEX_CONNECT_H
#define INDEX_CONNECT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/graph.h"
#include "index/near.h"

/* Give each node that cannot be reached from the entry a link from one that
 * can: a near one, if there is any; and each node that cannot reach the entry a
 * link to one that can.  Where there is no room, the link takes the place of
 * one that nothing is reached by.  *repaired: how many links; *left: how many
 * nodes cannot be reached, or cannot reach it, all the same, which would be a
 * fault of ours.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int connect_all(struct graph *g, const struct codes *c,
    const struct near *l, uint32_t *repaired, uint32_t *left,
    struct err *e);

#endif
