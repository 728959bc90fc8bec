/* SPDX-License-Identifier: Apache-2.0 */
/* spool.h - pieces of bytes, put down one after the other and read again by
 * their place.
 *
 * Memory: SPOOL_MEMORY, whatever their number and size, and the largest one
 * that is read; what is more goes to a file without a name, which is gone with
 * the process.
 */
#ifndef BASE_SPOOL_H
#define BASE_SPOOL_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define SPOOL_MEMORY ((size_t)4 << 20)	/* bytes */

struct spool {
	uint64_t size;			/* of all pieces, bytes */
	/* private */
	const char *dir;		/* borrowed */
	int fd;				/* -1: all are in tail */
	uint64_t filed;			/* bytes in the file */
	struct buf tail;		/* those behind them */
	struct buf window;		/* a part of the file ... */
	uint64_t at;			/* ... from here on */
	size_t ahead;			/* bytes that it was read with */
};

/* Begin, empty.  Never fails.  dir: where the file goes, borrowed; NULL:
 * $TMPDIR, or /tmp. */
void spool_init(struct spool *s, const char *dir);

/* Put a piece down; it lies at s->size as it is before.  0, or -1 with *e set
 * (STATUS_SYSTEM). */
ATTR_NODISCARD int spool_add(struct spool *s, struct slice piece,
    struct err *e);

/* n bytes from a place on, all of them there; valid until the next call of
 * either function.  Places that ascend are read fastest.  0, or -1 with *e
 * set. */
ATTR_NODISCARD int spool_get(struct spool *s, uint64_t at, size_t n,
    struct slice *piece, struct err *e);

void spool_release(struct spool *s);

#endif
