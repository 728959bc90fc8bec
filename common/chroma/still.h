/* SPDX-License-Identifier: Apache-2.0 */
/* still.h - a persist dir of one moment, database and index files, for who needs
 * longer to read it than a running Chroma may be kept waiting.
 *
 * Where nobody has it open, it is the directory itself, read under SQLite's
 * shared lock.  Else it is a copy in a scratch directory: the database in one
 * read transaction, then the index files of the selected collections.  Chroma
 * guards those by nothing: they count if none of them moved from before the
 * transaction to the end of the copy, and if no writer was in the middle of a
 * transaction when that began (before 1.0 Chroma writes its index files in one);
 * else it is done again, STILL_TRIES times in all.
 *
 * Source: chroma 0.5.6 to 0.6.3, db/mixins/embeddings_queue.py (consumers are
 * told inside the transaction); from 1.0 on an index that is written is ahead of
 * its watermark, and rows that it has are applied to it without effect
 * (rust/segment/src/local_hnsw.rs).
 */
#ifndef CHROMA_STILL_H
#define CHROMA_STILL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/dirnew.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/index.h"
#include "chroma/persist.h"
#include "chroma/select.h"

#define STILL_TRIES 3

struct still {
	struct persist pd;		/* open for reading */
	struct catalog catalog;		/* of it; selected as asked for */
	struct dirnew scratch;		/* a directory for what is temporary */
	bool copied;
	uint64_t index_bytes;		/* of the selected collections */
	/* private */
	struct index_stamp *stamp;	/* owned; as catalog.collection */
};

/* Open path.  tmpdir: where the scratch directory goes; NULL: $TMPDIR or /tmp.
 * 0, or -1 with *e set: what persist_open() and select_apply() say; STATUS_BUSY
 * where index files moved each time; STATUS_SYSTEM without room for a copy, need
 * and have said.  still_close() in either case. */
ATTR_NODISCARD int still_open(struct still *s, const char *path,
    const struct select *sel, const struct persist_options *o,
    struct err *e);

/* The database is not read any more: nobody waits for its lock, however long the
 * rest takes.  What comes now is noticed by still_done(). */
void still_unlock(struct still *s);

/* All is read: nothing has moved, and the directory is let go; the catalog
 * stays.  0, or -1 with *e set (STATUS_BUSY). */
ATTR_NODISCARD int still_done(struct still *s, struct err *e);

void still_close(struct still *s);

#endif
