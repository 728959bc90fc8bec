/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - many small things that are freed together. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

#define BLOCK_SIZE ((size_t)16 << 10)
#define ALIGN sizeof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t size;		/* bytes of room */
	max_align_t room[];
};

void *
arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b;
	char *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	if (!a->block || a->block->size - a->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		b = calloc(1, sizeof(*b) + room);
		if (!b)
			return NULL;
		b->next = a->block;
		b->size = room;
		a->block = b;
		a->used = 0;
	}
	p = (char *)a->block->room + a->used;
	a->used += size;
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	return arena_alloc(a, n * size);
}

char *
arena_copy(struct arena *a, const void *p, size_t len)
{
	char *to = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;

	if (to && len)
		memcpy(to, p, len);
	return to;
}

void
arena_release(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->block; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct arena){ 0 };
}
