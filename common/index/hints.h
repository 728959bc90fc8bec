/* SPDX-License-Identifier: Apache-2.0 */
/* hints.h - who was linked to whom in an older graph: candidates, no more.
 *
 * Memory: 10 bytes a vector, 4 a link.
 */
#ifndef INDEX_HINTS_H
#define INDEX_HINTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/measure.h"
#include "index/near.h"

#define HINTS_MAX 128		/* of one vector; the others are left out */

struct hints {
	uint32_t n;		/* vectors */
	uint32_t known;		/* of them, those with links */
	uint64_t *at;		/* owned; of each, its first link ... */
	uint16_t *count;	/* owned; ... and their number */
	uint32_t *to;		/* owned; vectors */
	size_t used, room;
};

/* None, for n vectors.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int hints_init(struct hints *h, uint32_t n, struct err *e);

/* The links of a vector, to other vectors, in place of those it has.  0, or -1 with *e set:
 * no memory. */
ATTR_NODISCARD int hints_add(struct hints *h, uint32_t from,
    const uint32_t *to, size_t n, struct err *e);

/* How many of the sample's nearest would be found by them, 0 to 1: of those
 * nodes that they know; 1 if they know none.  0, or -1 with *e set: no memory.
 */
ATTR_NODISCARD int hints_measure(const struct hints *h, const struct codes *c,
    const uint32_t *vector, const uint32_t *node, const struct measure *m,
    double *share, struct err *e);

/* Merge into the list of each node the nodes it was linked to, and those that
 * the nearest of them was linked to.  vector: of each node; node: of each
 * vector. */
void hints_merge(const struct hints *h, const struct codes *c,
    const uint32_t *vector, const uint32_t *node, struct near *l);

void hints_release(struct hints *h);

#endif
