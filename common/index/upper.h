/* SPDX-License-Identifier: Apache-2.0 */
/* upper.h - the links of the upper levels, by insertion.
 *
 * Nodes are inserted in batches: each looks for its neighbours in the graph as
 * it was before its batch, then all of the batch are linked, in one order.  So
 * the graph depends on the codes and the seed alone.
 */
#ifndef INDEX_UPPER_H
#define INDEX_UPPER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/graph.h"

/* ef: candidates that a search keeps.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int upper_build(struct graph *g, const struct codes *c,
    unsigned ef, uint64_t seed, struct err *e);

#endif
