/* SPDX-License-Identifier: Apache-2.0 */
/* pages.h - the pages that rows take in a table of SQLite's.
 *
 * Rows lie one after the other; one that does not fit into what a page has left
 * begins the next, and what is too long for a page goes on in pages of its own
 * (sqlite.org/fileformat2.html, 1.6).  So a row of half a page and a bit takes
 * a whole one, and the payload alone says too little.
 */
#ifndef CHROMA_PAGES_H
#define CHROMA_PAGES_H

#include <stdint.h>

struct pages {
	uint64_t size;		/* of a page, bytes */
	/* private */
	uint64_t n;
	uint64_t left;		/* in the last one */
};

static inline void
pages_init(struct pages *p, uint64_t page_size)
{
	*p = (struct pages){ .size = page_size };
}

/* The next row, of so many bytes of content. */
void pages_add(struct pages *p, uint64_t payload);

/* What the rows take, bytes. */
static inline uint64_t
pages_bytes(const struct pages *p)
{
	return p->n * p->size;
}

#endif
