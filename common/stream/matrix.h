/* SPDX-License-Identifier: Apache-2.0 */
/* matrix.h - vectors alone, in the forms that other programs read.
 *
 * Sources: numpy.org, numpy.lib.format, versions 1.0 and 2.0 (.npy);
 * corpus-texmex.irisa.fr, "vector files" (.fvecs).
 */
#ifndef STREAM_MATRIX_H
#define STREAM_MATRIX_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "stream/in.h"
#include "stream/out.h"

enum matrix_form {
	MATRIX_NPY,	/* one array, float32, a row a vector */
	MATRIX_FVECS,	/* for each vector its dimension in int32, then
			 * float32 */
};

/* What stands before the first of rows vectors.  0, or -1 with *e set. */
ATTR_NODISCARD int matrix_head(struct out *out, enum matrix_form form,
    uint64_t rows, uint64_t dim, struct err *e);

/* One vector: dim little-endian float32.  0, or -1 with *e set. */
ATTR_NODISCARD int matrix_row(struct out *out, enum matrix_form form,
    const uint8_t *vector, uint64_t dim, struct err *e);

#define MATRIX_DIM_MAX 65536

/* Rows, one after the other.  Memory: in.h. */
struct matrix_in {
	struct in in;
	enum matrix_form form;
	uint32_t dim;		/* of each row; MATRIX_FVECS: 0 before the
				 * first one */
	uint64_t rows;		/* read */
	uint64_t total;		/* MATRIX_NPY: there are so many */
};

/* Open path (NULL or "-": standard input), also compressed with zstd, and read
 * what stands before the rows.  Of .npy: little-endian float32, two
 * dimensions, a row after the other.  0, or -1 with *e set, the name
 * included. */
ATTR_NODISCARD int matrix_in_open(struct matrix_in *m, const char *path,
    enum matrix_form form, struct err *e);

/* The next row: dim little-endian float32, not aligned, valid until the next
 * call.  1; 0 at the end; -1 with *e set, the place included: the end came too
 * early, or too late, or a row has another dimension than those before. */
ATTR_NODISCARD int matrix_in_next(struct matrix_in *m, const uint8_t **row,
    struct err *e);

/* Put the name and the row that came last before the message; -1. */
int matrix_in_at(const struct matrix_in *m, struct err *e);

void matrix_in_close(struct matrix_in *m);

#endif
