/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - how many of the true nearest the lists have, by a sample. */
#ifndef INDEX_MEASURE_H
#define INDEX_MEASURE_H

#include "base/attr.h"
#include "base/err.h"
#include "index/codes.h"
#include "index/near.h"

#define MEASURE_SAMPLE 256	/* nodes, whose nearest MEASURE_K are found by */
#define MEASURE_K 10		/* comparing them with all others */

/* *share: of them, those that their lists have, 0 to 1 (by distance: what is
 * as near counts).  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int measure_lists(const struct codes *c, const struct near *l,
    double *share, struct err *e);

#endif
