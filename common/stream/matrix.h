/* SPDX-License-Identifier: Apache-2.0 */
/* matrix.h - vectors alone, in the forms that other programs read.
 *
 * Sources: numpy.org, numpy.lib.format, version 1.0 (.npy);
 * corpus-texmex.irisa.fr, "vector files" (.fvecs).
 */
#ifndef STREAM_MATRIX_H
#define STREAM_MATRIX_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
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

#endif
