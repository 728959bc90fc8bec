/* SPDX-License-Identifier: Apache-2.0 */
/* near.h - of each node, the nearest others that were met so far.
 *
 * A neighbour is a key: the bits of its distance (not below 0, so that they
 * have the order of the number) above its number.  Keys are totally ordered,
 * so what a list has in the end does not depend on who met whom first.
 *
 * Memory: 8 * kept + 2 bytes a node.
 */
#ifndef INDEX_NEAR_H
#define INDEX_NEAR_H

#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/kernel.h"

#define NEAR_KEPT_MAX 192

struct near {
	uint32_t n;			/* nodes */
	unsigned kept;			/* neighbours of each, at most */
	uint64_t *key;			/* [n][kept], each list sorted */
	uint8_t *count;
	uint8_t *lock;
};

static inline uint64_t
near_key(float distance, uint32_t node)
{
	uint32_t bits;

	memcpy(&bits, &distance, sizeof(bits));
	return (uint64_t)bits << 32 | node;
}

static inline float
near_distance(uint64_t key)
{
	uint32_t bits = (uint32_t)(key >> 32);
	float distance;

	memcpy(&distance, &bits, sizeof(distance));
	return distance;
}

static inline const uint64_t *
near_list(const struct near *l, uint32_t node)
{
	return l->key + (size_t)node * l->kept;
}

/* Empty lists of up to `kept', NEAR_KEPT_MAX at most.  0, or -1 with *e set: no
 * memory. */
ATTR_NODISCARD int near_init(struct near *l, uint32_t n, unsigned kept,
    struct err *e);

/* Merge sorted keys, none twice, into the list of a node; from any thread. */
void near_merge(struct near *l, uint32_t node, const uint64_t *key,
    unsigned n);

/* What a key must not be above to get into the list. */
float near_limit(const struct near *l, uint32_t node);

/* Sort keys. */
void near_sort(const struct kernel *kernel, uint64_t *key, size_t n);

void near_release(struct near *l);

#endif
