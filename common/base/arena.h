/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - many small things that are freed together.
 *
 * {0} is a valid empty arena.  Pointers stay valid until reset or release.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/slice.h"

struct arena {
	struct arena_block *block;	/* owned; the newest first */
	size_t used;			/* bytes in use of the newest */
};

/* size bytes, zeroed, aligned for any type; NULL when there is no memory. */
void *arena_alloc(struct arena *a, size_t size);

/* n elements of size bytes; NULL also when n * size does not fit. */
void *arena_array(struct arena *a, size_t n, size_t size);

/* A NUL-terminated copy; NULL when there is no memory. */
char *arena_copy(struct arena *a, const void *p, size_t len);

void arena_release(struct arena *a);

#endif
