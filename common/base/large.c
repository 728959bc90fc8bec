/* SPDX-License-Identifier: Apache-2.0 */
/* large.c - large arrays. */
#include "base/large.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

/* Stands before the array. */
struct head {
	size_t bytes;			/* mapped; 0: of malloc's */
};

_Static_assert(sizeof(struct head) <= LARGE_ALIGN, "room for the head");

void *
large_alloc(size_t n, size_t size)
{
	struct head h = { 0 };
	size_t bytes;
	char *p;
	void *got;

	if (__builtin_mul_overflow(n, size, &bytes) ||
	    __builtin_add_overflow(bytes, LARGE_PAGE, &h.bytes))
		return NULL;
	if (bytes < LARGE_PAGE) {
		h.bytes = 0;
		if (posix_memalign(&got, LARGE_ALIGN, bytes + LARGE_ALIGN) !=
		    0)
			return NULL;
		memset(got, 0, bytes + LARGE_ALIGN);
	} else {
		h.bytes &= ~(LARGE_PAGE - 1);
		if (bytes + LARGE_ALIGN > h.bytes)
			h.bytes += LARGE_PAGE;
		got = mmap(NULL, h.bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (got == MAP_FAILED)
			return NULL;
		(void)madvise(got, h.bytes, MADV_HUGEPAGE);
	}
	p = got;
	memcpy(p, &h, sizeof(h));
	return p + LARGE_ALIGN;
}

void
large_free(void *array)
{
	struct head h;
	char *p = array;

	if (!p)
		return;
	p -= LARGE_ALIGN;
	memcpy(&h, p, sizeof(h));
	if (h.bytes > 0)
		munmap(p, h.bytes);
	else
		free(p);
}
