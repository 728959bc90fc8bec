/* SPDX-License-Identifier: Apache-2.0 */
/* matrix.c - vectors alone, in the forms that other programs read. */
#include "stream/matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/le.h"

#define NPY_MAGIC "\223NUMPY\1"	/* and a zero: version 1.0 */
#define NPY_MAGIC_LEN 8
#define NPY_ALIGN 64		/* of the first number */

int
matrix_head(struct out *out, enum matrix_form form, uint64_t rows,
    uint64_t dim, struct err *e)
{
	char head[4 * NPY_ALIGN];
	size_t at = NPY_MAGIC_LEN + 2, n;

	if (form != MATRIX_NPY)
		return 0;
	n = at + (size_t)snprintf(head + at, sizeof(head) - at,
	    "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64
	    ", %" PRIu64 "), }", rows, dim);
	while ((n + 1) % NPY_ALIGN)
		head[n++] = ' ';
	head[n++] = '\n';
	memcpy(head, NPY_MAGIC, NPY_MAGIC_LEN);
	le_put_u16(head + NPY_MAGIC_LEN, (uint16_t)(n - at));
	return out_write(out, head, n, e);
}

int
matrix_row(struct out *out, enum matrix_form form, const uint8_t *vector,
    uint64_t dim, struct err *e)
{
	uint8_t count[4];

	le_put_u32(count, (uint32_t)dim);
	if (form == MATRIX_FVECS && out_write(out, count, 4, e) < 0)
		return -1;
	return out_write(out, vector, (size_t)(4 * dim), e);
}
