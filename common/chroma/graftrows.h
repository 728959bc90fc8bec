/* SPDX-License-Identifier: Apache-2.0 */
/* graftrows.h - the rows of a snapshot's collections, put among those of another
 * directory under numbers of their own.
 *
 * New are: the ids of segments, the numbers of records (embeddings.id: above
 * all that are in use, by whatever row, as the full-text index and leftovers
 * share them), and the numbers in the log (seq_id: dense, above all that the
 * log or any watermark has).  Watermarks are renumbered with the log, so what
 * was applied stays so, and what was pending is.  The full-text index is written
 * from the documents.  A table or column that the snapshot's era had not is
 * empty, as after the migration that made it.
 *
 * Source: the migrations of chroma 0.4.0 to 1.5.9; chroma-layout(5).
 */
#ifndef CHROMA_GRAFTROWS_H
#define CHROMA_GRAFTROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/uuid.h"
#include "chroma/catalog.h"
#include "chroma/db.h"

struct graft_of {
	/* by the caller */
	const struct collection *from;		/* of the snapshot */
	const struct collection *replaced;	/* of the target, or NULL */
	const char *name, *tenant, *database;	/* that it gets */
	char id[UUID_LEN + 1];			/* the collection's */
	char vector[UUID_LEN + 1], metadata[UUID_LEN + 1];	/* segments' */
	/* by graftrows_number() */
	bool has_m, has_h;
	uint64_t m, h;				/* watermarks, above 0; h also
						 * where there is none: what
						 * a pickle is to say then */
	/* as the manifest has them */
	uint64_t records, rows;			/* of embeddings, of the log */
};

struct graftrows {
	struct db *db;			/* of the target; attached as old: the
					 * snapshot */
	const struct catalog *to;
	const struct era *from;
	struct graft_of *of;		/* borrowed */
	size_t n;
	/* private */
	int64_t base;			/* no seq_id above it is in use */
	int64_t shift;			/* of embeddings.id */
};

/* Attach the database at path, which is checked (safeschema.h) and nobody
 * changes, and choose numbers.  Nothing of the target changes.  0, or -1 with
 * *e set (STATUS_DATA: no numbers are left). */
ATTR_NODISCARD int graftrows_number(struct graftrows *g, const char *path,
    struct err *e);

/* In a transaction of the target: remove what is replaced, write what is new.
 * create: tenants and databases that are missing; without it they are there.
 * 0, or -1 with *e set. */
ATTR_NODISCARD int graftrows_write(struct graftrows *g, bool create,
    struct err *e);

/* Instead, in a transaction of a directory that has the collections already,
 * under their own ids: their names, tenants and databases.  0, or -1 with *e
 * set. */
ATTR_NODISCARD int graftrows_rename(struct graftrows *g, struct err *e);

#endif
