/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_matrix - bare vectors: what is read is what is there, row by row.  The
 * first byte of the input says the form: bit 0, .fvecs. */
#include "stream/matrix.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define ROWS_MAX 100000		/* of an input, at most so many are read */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct matrix_in m;
	struct err e = { 0 };
	const uint8_t *row;
	uint64_t n = 0, sum = 0;
	size_t i;
	char path[64];
	int fd, got;

	if (size == 0)
		return 0;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	MUST(fd >= 0 && file_write(fd, data + 1, size - 1) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (matrix_in_open(&m, path, data[0] & 1 ? MATRIX_FVECS : MATRIX_NPY,
	    &e) < 0) {
		MUST(e.status >= STATUS_DATA && e.msg[0]);
		close(fd);
		return 0;
	}
	while ((got = matrix_in_next(&m, &row, &e)) > 0 && n < ROWS_MAX) {
		MUST(m.dim <= MATRIX_DIM_MAX && m.rows == ++n);
		for (i = 0; i < 4 * (size_t)m.dim; i++)
			sum += row[i];
	}
	MUST(got >= 0 || (e.status >= STATUS_DATA && e.msg[0]));
	MUST(got != 0 || data[0] & 1 || n == m.total);
	MUST(sum <= 255 * 4 * (uint64_t)MATRIX_DIM_MAX * n);
	matrix_in_close(&m);
	close(fd);
	return 0;
}
