/* SPDX-License-Identifier: Apache-2.0 */
/* rowset.h - the rows of a log that a stream of WAL records names.
 *
 * A record names a row only if both have the same seq_id, collection,
 * operation, id and created_at, and the same vector where the record has one:
 * sequence numbers are given out again, and databases restored, so a number
 * alone proves nothing.
 *
 * Memory: bounded; what is known of the records is spilled to a file.
 */
#ifndef CHROMA_ROWSET_H
#define CHROMA_ROWSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/spill.h"
#include "chroma/wal.h"
#include "stream/record.h"

struct rowset {
	struct hash_key key;
	struct spill named;
	struct buf mem, names, collections;
	const char *const *source;	/* names of the streams, for messages;
					 * borrowed */
	const struct rowset_entry *at;	/* the next one; NULL: none */
	uint64_t records;		/* added */
	uint64_t gone;			/* named, but not in the log: numbers
					 * that were passed by rowset_has() */
};

/* tmpdir: see spill.h.  0, or -1 with *e set. */
ATTR_NODISCARD int rowset_start(struct rowset *rs, const char *tmpdir,
    const char *const *source, struct err *e);

/* A record of the stream source[from], its place there being place (a line).
 * 0, or -1 with *e set: a record that cannot name a row (STATUS_DATA), no
 * space. */
ATTR_NODISCARD int rowset_add(struct rowset *rs, const struct record *r,
    uint32_t from, uint64_t place, struct err *e);

/* Whether records of this collection are there, and their lowest number. */
bool rowset_names(const struct rowset *rs, struct slice collection_id,
    int64_t *lowest);

/* All records are in; rows will be asked for from the first. */
ATTR_NODISCARD int rowset_rewind(struct rowset *rs, struct err *e);

/* Whether rowset_has() of a row with this number would look at its columns. */
bool rowset_next_is(const struct rowset *rs, int64_t seq_id);

/* Whether the row is named.  Rows are asked for in the order of seq_id.  file:
 * of the database, for the message.  1, 0, or -1 with *e set: a record has the
 * row's number and is of another row (STATUS_DATA). */
ATTR_NODISCARD int rowset_has(struct rowset *rs, const struct wal_row *row,
    const char *file, struct err *e);

/* No more rows will be asked for: counts what is left into gone. */
ATTR_NODISCARD int rowset_finish(struct rowset *rs, struct err *e);

void rowset_end(struct rowset *rs);

#endif
