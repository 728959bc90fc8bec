/* SPDX-License-Identifier: Apache-2.0 */
/* codes.h - vectors as rows of bytes, from which all distances are computed
 * while a graph is built.
 *
 * l2 and cosine (unit vectors, whose order by l2 is that by 1 - ip): the mean
 * is taken away.  ip: it is not, and the distance is R^2 - xy (or twice that)
 * for one R^2 above all |x|^2, which has the order of -xy.  Vectors whose squares would
 * not fit are made shorter, all by the same.
 *
 * Memory: the dimension rounded up to 64, and 16 bytes, a vector.
 */
#ifndef INDEX_CODES_H
#define INDEX_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "index/kernel.h"
#include "index/vectors.h"

/* Where vectors lie so near to one another, for their size, that codes cannot
 * tell them apart, distances are computed from the vectors themselves: `exact'.
 * That takes several times as long. */
struct codes {
	const struct kernel *kernel;
	bool exact;
	uint32_t n;
	size_t len;			/* of a code, bytes */
	bool ip;
	int8_t *code;			/* n rows */
	struct kernel_terms *terms;	/* of each; ip: add is R^2 */
	unsigned threads;
	/* private */
	const struct vectors *v;
	const uint32_t *vector;		/* of each; borrowed */
	float scale;			/* all vectors are multiplied by it */
	float add;			/* exact, ip: R^2 */
};

/* Codes of v[which[0..n)], in that order.  Both are borrowed, and which must be
 * brought into another order together with the codes.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int codes_make(struct codes *c, const struct vectors *v,
    const uint32_t *which, uint32_t n, bool ip, unsigned threads,
    struct err *e);

/* Bring them into another order: node i becomes what order[i] was.  0, or -1
 * with *e set. */
ATTR_NODISCARD int codes_permute(struct codes *c, const uint32_t *order,
    struct err *e);

static inline const int8_t *
codes_at(const struct codes *c, uint32_t i)
{
	return c->code + (size_t)i * c->len;
}

/* It will be asked for soon. */
static inline void
codes_prefetch(const struct codes *c, uint32_t i)
{
	const int8_t *row = codes_at(c, i);
	size_t k;

	__builtin_prefetch(&c->terms[i]);
	for (k = 0; k < c->len; k += 64)
		__builtin_prefetch(row + k);
}

/* The distances from one to four others, which may be the same; from the
 * vectors themselves.  Slow. */
void codes_four_exact(const struct codes *c, uint32_t from,
    const uint32_t to[4], float distance[4]);

/* The same, from the codes, unless they are to be exact. */
void codes_four(const struct codes *c, uint32_t from, const uint32_t to[4],
    float distance[4]);

/* The distances from one to n others, that lie anywhere. */
void codes_distances(const struct codes *c, uint32_t from, const uint32_t *to,
    unsigned n, float *distance);

/* Bytes that making codes of so many bytes takes beside them. */
uint64_t codes_memory(size_t len, unsigned threads);

void codes_release(struct codes *c);

#endif
