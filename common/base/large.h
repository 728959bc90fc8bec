/* SPDX-License-Identifier: Apache-2.0 */
/* large.h - large arrays: zeros, aligned to a line of the cache, in large pages
 * where the system has them.
 */
#ifndef BASE_LARGE_H
#define BASE_LARGE_H

#include <stddef.h>

#define LARGE_ALIGN 64		/* bytes */

/* n items of size bytes, all zero; NULL: no memory.  For large_free() only. */
void *large_alloc(size_t n, size_t size);

void large_free(void *p);	/* NULL is fine */

#endif
