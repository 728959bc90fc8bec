/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what the fuzz targets share. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that holds for every input. */
#define MUST(cond) do {							\
	if (!(cond))							\
		abort();						\
} while (0)

/* The bytes in a block of exactly their size, so that the sanitizer sees
 * every access beyond them.  Freed by fuzz_free(). */
static inline struct slice
fuzz_copy(const void *p, size_t n)
{
	char *to = calloc(n ? n : 1, 1);

	MUST(to);
	if (n)
		memcpy(to, p, n);
	return slice_of(to, n);
}

static inline void
fuzz_free(struct slice s)
{
	free((void *)(uintptr_t)s.p);
}

#endif
