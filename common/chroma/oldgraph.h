/* SPDX-License-Identifier: Apache-2.0 */
/* oldgraph.h - hints for a new graph, from the files of an older one.
 *
 * Who was linked to whom is a hint only: what cannot be read of a damaged index
 * is left out, and what is wrong costs nothing but time.
 */
#ifndef CHROMA_OLDGRAPH_H
#define CHROMA_OLDGRAPH_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/slice.h"
#include "index/hints.h"

/* The number of the vector that has an id now; UINT32_MAX: none. */
typedef uint32_t oldgraph_find(void *arg, struct slice id);

/* Add the links of level 0 of the index in a directory, as far as both ends are
 * live there and found here.  fault: what is wrong with the index, status 0:
 * nothing.  0, or -1 with *e set: no index there, the system. */
ATTR_NODISCARD int oldgraph_read(const char *dir, oldgraph_find *find,
    void *arg, struct hints *h, struct err *fault, struct err *e);

#endif
