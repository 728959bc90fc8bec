/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c - the pages that rows take in a table of SQLite's. */
#include "chroma/pages.h"

#define PAGE_HEADER 8
#define CELL_HEADER 7	/* its place in the page, its length, its rowid */
#define LINK 4		/* to the next page of a long row */

void
pages_add(struct pages *p, uint64_t payload)
{
	uint64_t most = p->size - 35, least = (p->size - 12) * 32 / 255 - 23;
	uint64_t chained = p->size - LINK, own = payload;

	if (payload > most) {
		own = least + (payload - least) % chained;
		if (own > most)
			own = least;
		p->n += (payload - own + chained - 1) / chained;
		own += LINK;
	}
	own += CELL_HEADER;
	if (own > p->left) {
		p->n++;
		p->left = p->size - PAGE_HEADER;
	}
	p->left -= own;
}
