/* SPDX-License-Identifier: Apache-2.0 */
/* textindex.h - the full-text index of a database that is made out of another
 * one: of the documents of its records and of no others.
 *
 * Making such an index takes many times as long as copying one.  So the old one
 * is copied where it is right, copied and corrected where little is wrong or
 * left over, and made anew where much is.  (A copy has what SQLite has not yet
 * merged away: trigrams of documents that were deleted, as the original.)
 *
 * Source: chroma, migrations/metadb: embedding_fulltext (id, string_value) up to
 * 0.4.5, embedding_fulltext_search (string_value; its rowid is the record's
 * number) from 0.4.6 on; sqlite.org/fts5.html for the tables behind it.
 */
#ifndef CHROMA_TEXTINDEX_H
#define CHROMA_TEXTINDEX_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"
#include "chroma/era.h"

struct textindex {
	bool correct;		/* see textindex_finish() */
};

/* In a transaction of tablecopy_begin(), when embedding_metadata is filled: the
 * table and its rows.  A database that has none gets none.  0, or -1 with *e
 * set. */
ATTR_NODISCARD int textindex_copy(struct textindex *t, struct db *db,
    const struct era *era, struct err *e);

/* Correct what was copied, if need be; the database at path is closed.  What is
 * taken out leaves no bytes behind.  0, or -1 with *e set: the file is for
 * nothing then. */
ATTR_NODISCARD int textindex_finish(const struct textindex *t,
    const char *path, const struct era *era, struct err *e);

/* Of a database of a stranger, at path and ours alone: it has the documents of
 * its records, each one's text, and nothing else, and the tables behind it are
 * sound ('integrity-check').  Takes about a sixth of the time in which it was
 * made.  0, or -1 with *e set (STATUS_DATA). */
ATTR_NODISCARD int textindex_check(const char *path, const struct era *era,
    struct err *e);

#endif
