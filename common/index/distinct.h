/* SPDX-License-Identifier: Apache-2.0 */
/* distinct.h - which vectors are the same, to the bit: as they were given, in a
 * cosine index divided by their lengths.
 *
 * Memory, while it looks: 36 bytes a vector.
 */
#ifndef INDEX_DISTINCT_H
#define INDEX_DISTINCT_H

#include <stdint.h>

#include "index/vectors.h"

/* Of each vector the first that is the same: first[i] == i if none before it
 * is.  To be freed; NULL: no memory. */
uint32_t *distinct_find(const struct vectors *v, unsigned threads);

#endif
