/* SPDX-License-Identifier: Apache-2.0 */
/* spill.h - many records of one size, sorted, in bounded memory: what does
 * not fit goes to a file.
 *
 * Memory: limit, whatever the number of records.  The file has no name, is as
 * long as the records are (twice that while very many runs are merged), and
 * is gone with the process, however that ends.
 *
 *	spill_init(&s, sizeof(struct x), 0, NULL, by_id);
 *	while (...)
 *		spill_add(&s, &x, e)
 *	spill_rewind(&s, e)
 *	while ((r = spill_next(&s, &p, e)) > 0)
 *		...
 *	spill_release(&s);
 */
#ifndef BASE_SPILL_H
#define BASE_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define SPILL_DEFAULT ((size_t)16 << 20)	/* bytes of memory */

/* As for qsort(3). */
typedef int spill_compare(const void *a, const void *b);

struct spill_run {
	uint64_t at, n;			/* in the file, in records */
};

/* A run that is being read: the part of it in memory, and the rest. */
struct spill_source {
	const char *p, *end;
	char *buffer;
	struct spill_run rest;
};

struct spill {
	uint64_t n;			/* records added */

	/* private */
	const char *dir;		/* borrowed */
	spill_compare *compare;
	size_t size, limit;		/* bytes */
	size_t max;			/* records that fit into limit */
	char *mem;			/* owned; what is not in the file, then
					 * the buffers of the runs being read */
	size_t len, cap;		/* of mem, in records */
	const char **order;		/* owned; NULL: mem is in order */
	bool unordered;			/* mem is not in order */
	bool reading;			/* rewound */
	size_t next;			/* of mem, where there is no file */
	int fd;				/* -1: all are in mem */
	char *last;			/* owned; the last record in the file */
	struct spill_run *runs;		/* owned */
	size_t runs_n;
	struct spill_source *sources;	/* owned; of the runs being merged */
	uint32_t *heap;			/* owned; of those, the least on top */
	size_t heap_n;
	bool taken;			/* the top was returned already */
};

/* Begin, with no record.  Allocates nothing; never fails.
 * size: bytes of a record, 1 to limit / 8.  Records are handed out aligned as
 * in an array from malloc(3).
 * limit: bytes of memory; 0: SPILL_DEFAULT.
 * dir: where the file goes when they are full, borrowed; NULL: $TMPDIR, or
 * /tmp.
 * compare: NULL keeps the order of adding. */
void spill_init(struct spill *s, size_t size, size_t limit, const char *dir,
    spill_compare *compare);

/* Add a copy of the record; not after spill_rewind().  0, or -1 with *e set
 * (STATUS_SYSTEM: no memory; the file cannot be made or written, with its
 * directory and what helps). */
ATTR_NODISCARD int spill_add(struct spill *s, const void *record,
    struct err *e);

/* All are in: sort them, equal ones in the order of adding, and go to the
 * first.  Again: to the first again.  0, or -1 with *e set as above. */
ATTR_NODISCARD int spill_rewind(struct spill *s, struct err *e);

/* 1 and *record, valid until the next call; 0 at the end; -1 with *e set. */
ATTR_NODISCARD int spill_next(struct spill *s, const void **record,
    struct err *e);

/* Free it all; s can be initialised again.  Also after an error. */
void spill_release(struct spill *s);

#endif
