/* SPDX-License-Identifier: Apache-2.0 */
/* metarows.h - what belongs to one record of the metadata segment, by its number
 * (embeddings.id): rows of embedding_metadata, embedding_metadata_array and the
 * full-text table, written as the Chroma of the era writes them.
 *
 * Source: chroma 0.4.0 to 0.6.3, segment/impl/metadata/sqlite.py; 1.0.0 to
 * 1.5.9, rust/segment/src/sqlite_metadata.rs, rust/sqlite/src/helpers.rs.
 */
#ifndef CHROMA_METAROWS_H
#define CHROMA_METAROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"
#include "chroma/era.h"
#include "chroma/metavalues.h"

struct metarows {
	struct meta_dialect dialect;
	/* private */
	bool bools;		/* embedding_metadata.bool_value is there */
	int64_t highest;	/* no number above it has rows but ours */
	struct db *db;
	struct db_stmt put, drop_key, drop;
	struct db_stmt list_put, list_drop_key, list_drop;
	struct db_stmt text_put, text_drop;
};

/* Prepare; before anything of the metadata segment is written.  0, or -1 with
 * *e set. */
ATTR_NODISCARD int metarows_open(struct metarows *m, struct db *db,
    const struct era *era, struct err *e);

/* Remove all that number has.  1: there was something; 0; -1 with *e set. */
ATTR_NODISCARD int metarows_clear(struct metarows *m, int64_t number,
    struct err *e);

/* The same for a number that a new record was given: what a record had left
 * behind would be taken for its own.  Chroma leaves full-text rows (0.4) and lists
 * (1.5, of a collection) of what it deletes, tools metadata. */
ATTR_NODISCARD int metarows_start(struct metarows *m, int64_t number,
    struct err *e);

/* Merge values into those of a record; fresh: it has none.  0, or -1 with *e
 * set. */
ATTR_NODISCARD int metarows_put(struct metarows *m, int64_t number,
    const struct metavalues *values, bool fresh, struct err *e);

void metarows_close(struct metarows *m);

#endif
