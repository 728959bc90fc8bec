/* SPDX-License-Identifier: Apache-2.0 */
/* regexsets.h - the sets of characters of a regular expression, each once. */
#ifndef BASE_REGEXSETS_H
#define BASE_REGEXSETS_H

#include <stdint.h>

#include "base/attr.h"
#include "base/ranges.h"

#define REGEXSETS_RANGES_MAX	(2u << 20)	/* in all together: 16 MiB */

struct regexsets {
	struct ranges *v;	/* owned: n of them, tidy, no two the same */
	uint32_t n, cap;
	uint32_t *table;	/* owned: finds a set by its hash */
	uint32_t slots;
	uint64_t ranges;	/* in all sets */
};

/* The number of the set *r (tidy), which is taken over and emptied: 1. 0: too
 * many ranges, -1: no memory; *r is then as it was. */
ATTR_NODISCARD int regexsets_add(struct regexsets *t, struct ranges *r,
    uint32_t *number);

void regexsets_release(struct regexsets *t);

#endif
