/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.h - the inner loops over codes, once for each kind of processor.
 *
 * A code is a row of signed bytes, KERNEL_CODE_MAX at most, its length a multiple
 * of KERNEL_ALIGN, aligned to that.  Products
 * of codes are exact integers, and what is done in float is done in the same
 * steps everywhere (no fused multiply-add; the Makefile sees to that), so
 * every kernel gives the same bits.
 */
#ifndef INDEX_KERNEL_H
#define INDEX_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define KERNEL_ALIGN 64		/* bytes */
#define KERNEL_COLUMNS_MAX 64

/* One bit less than there is room for.  So one more than that, added to one of
 * the factors, makes it an unsigned byte, as the instructions of x86 want it
 * (the sum of the other factor's bytes tells what to take away again), and the
 * products of four fit into 16 bits.  It costs less than what is seen of it: a
 * tenth of a point of recall. */
#define KERNEL_CODE_MAX 63
#define KERNEL_SORT_MAX 64

/* What distances are made of: of x and y, with codes cx and cy,
 *	x.add + y.add - 2 * x.scale * y.scale * (cx . cy), not below 0. */
struct kernel_terms {
	float scale, add;
	int32_t sum;		/* of the code's bytes */
	float squared;		/* |x|^2, of the code as a vector */
};

/* Columns of a panel: as struct kernel_terms, one array for each. */
struct kernel_columns {
	float scale[KERNEL_COLUMNS_MAX], add[KERNEL_COLUMNS_MAX];
};

struct kernel {
	const char *name;
	/* A tile: the products of `rows' codes with `columns' others. */
	unsigned rows, columns;
	unsigned row_bytes, panel_bytes;	/* of a packed row, of a panel:
						 * so many for each byte of a
						 * code */
	void (*pack_row)(void *to, const int8_t *code, size_t len);
	/* n of `columns' codes, the others are as the first. */
	void (*pack_panel)(void *to, const int8_t *const code[], unsigned n,
	    size_t len);
	/* sum: of each row's bytes.  product: [rows][columns], aligned. */
	void (*tile)(const void *rows, const int32_t *sum, const void *panel,
	    size_t len, int32_t *product);
	/* The distances of one row of a tile, and which are at most limit, or
	 * at most their column's limit: bits.  All arrays have `columns'
	 * items; those of distance and product are aligned. */
	void (*distances)(const int32_t *product, struct kernel_terms row,
	    float limit, const struct kernel_columns *c,
	    const float *column_limit, float *distance, uint64_t *row_near,
	    uint64_t *column_near);
	/* The products of one code with four; sum: of each one's bytes. */
	void (*four)(const int8_t *query, const int8_t *const code[4],
	    const int32_t sum[4], size_t len, int32_t product[4]);
	/* |x - y|^2 and xy of two vectors of little-endian float32, each
	 * multiplied by a factor. */
	float (*apart)(const uint8_t *x, float a, const uint8_t *y, float b,
	    size_t dim);
	float (*product)(const uint8_t *x, float a, const uint8_t *y, float b,
	    size_t dim);
	/* Sort n keys, KERNEL_SORT_MAX at most; all below 2^63 - 2^53, so that
	 * they have the order of the doubles with their bits. */
	void (*sort)(uint64_t *key, unsigned n);
	/* Turn a vector of len numbers, of 1e19 at most (changed), and round
	 * it to a code; see codes.h.  room: as many.  signs: twice as many, 1
	 * or -1.  Gives scale, sum and squared; that is infinite where a float
	 * cannot hold it.  What is not above 1e-30 when it is turned is 0. */
	struct kernel_terms (*quantise)(float *v, float *room, size_t len,
	    const float *signs, int8_t *code);
};

/* The best for this processor, or that which the environment variable
 * CHROMAUTILS_KERNEL names, if it can be run here. */
const struct kernel *kernel_best(void);

/* By number from 0; NULL after the last, and for those that cannot be run
 * here. */
const struct kernel *kernel_at(unsigned i);
#define KERNELS 4

#endif
