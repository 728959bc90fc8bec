/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.h - the vectors of an index: as they were given, and as it stores
 * them.
 *
 * l2 and ip store what was given.  cosine stores unit vectors and, beside them,
 * lengths: what Chroma's get() returns is the product.  Here a unit vector is
 * made when it is needed, such that this product is what was given, to the
 * bit, wherever float32 allows (always, if it was such a product before and
 * the length came with it).
 *
 * Source: chroma-core/hnswlib, python_bindings/bindings.cpp and
 * hnswlib/hnswalg.h at 6868102 (normalize_vector(), getDataByLabel()).
 */
#ifndef INDEX_VECTORS_H
#define INDEX_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct vectors {
	const uint8_t *base;	/* little-endian float32 ... */
	size_t stride;		/* ... every so many bytes */
	const uint32_t *place;	/* borrowed; vector i is the place[i]th there;
				 * NULL: the ith */
	size_t dim;
	uint32_t n;
	size_t told;		/* bytes from there to the length that it came
				 * with, a float32; 0: with none */
	float *length;		/* owned; of each; NULL: no cosine */
};

/* The bytes of a vector as it was given. */
static inline const uint8_t *
vectors_given(const struct vectors *v, uint32_t i)
{
	return v->base + (size_t)(v->place ? v->place[i] : i) * v->stride;
}

/* Make this a cosine index's: fill in length.  One that a vector came with and
 * that is not its own (within 1e-5) is left aside.  Below 2^-126 a length is 0,
 * and the vector zeros; what is too long for a float32 is infinity, and such a
 * vector cannot be in an index.  0, or -1 with *e set: no memory. */
ATTR_NODISCARD int vectors_make_unit(struct vectors *v, unsigned threads,
    struct err *e);

/* A vector as the index stores it; dim numbers. */
void vectors_load(const struct vectors *v, uint32_t i, float *to);

/* The same, but for the last bits: cheaper. */
void vectors_load_near(const struct vectors *v, uint32_t i, float *to);

void vectors_release(struct vectors *v);

#endif
