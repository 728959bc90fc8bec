/* SPDX-License-Identifier: Apache-2.0 */
/* wal.h - the rows of embeddings_queue, in the order of seq_id.
 *
 * Read in short batches: the lock on the database is never held while the
 * caller does something with a row.  Memory: a batch (DB_BATCH_BYTES, or one
 * larger row).
 */
#ifndef CHROMA_WAL_H
#define CHROMA_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "chroma/catalog.h"
#include "chroma/db.h"
#include "chroma/walrows.h"
#include "stream/record.h"

enum wal_column {
	WAL_SEQ_ID, WAL_CREATED_AT, WAL_OPERATION, WAL_TOPIC, WAL_ID,
	WAL_VECTOR, WAL_ENCODING, WAL_METADATA, WAL_COLUMNS,
};
extern const char *const wal_column_name[WAL_COLUMNS];

struct wal_row {
	struct db_value col[WAL_COLUMNS];
	const struct collection *collection;	/* NULL: of none that lives */
};

struct wal {
	const struct catalog *catalog;
	struct db *db;
	struct walrows scan;
	bool dead_too;
	bool over;
	int64_t version;	/* of the database, see db_version() */
	bool shared;
	uint64_t expected;	/* if shared: rows there at the start */
	uint64_t seen;		/* rows read, of whatever collection */
	struct buf rows, bytes;	/* the batch; owned */
	size_t at;		/* next row of the batch */
};

/* Prepare to read the rows with from <= seq_id <= to.  Rows of collections
 * that are not selected are passed over, and those of no collection unless
 * dead_too.  identity: without vector, encoding and metadata.  shared: somebody else has the database open, so a first pass
 * counts the rows, which tells at the end whether any went before we came to
 * it.  Called before the catalog is loaded, so that whatever goes after this
 * moment is noticed.  0, or -1 with *e set. */
ATTR_NODISCARD int wal_open(struct wal *w, struct db *db, int64_t from,
    int64_t to, bool dead_too, bool identity, bool shared, struct err *e);

/* Whose rows they are: needed before the first wal_next(); must outlive *w. */
void wal_use(struct wal *w, const struct catalog *c);

/* The next row: 1, valid until the next call; 0 at the end; -1 with *e set.
 * STATUS_BUSY when rows were removed that had not been read yet (Chroma purges,
 * and deletes those of a collection with it), or when somebody began to write
 * who had not been there at the start, so that this cannot be told. */
ATTR_NODISCARD int wal_next(struct wal *w, struct wal_row *row, struct err *e);

void wal_close(struct wal *w);

/* For who scans the log by walrows.h, with these columns, under a lock of his
 * own: the row that is under the scan, without vector, encoding and metadata
 * (which cost a read of their own); and these.  Valid until the scan moves. */
#define WAL_ROW_COLUMNS ", created_at, operation, topic, id, vector, " \
	"encoding, metadata"
void wal_row_take(struct walrows *rows, const struct catalog *c,
    int64_t seq_id, struct wal_row *row);
void wal_row_payload(struct walrows *rows, struct wal_row *row);

/* ---- rows as records ---- */

/* Why a row cannot be shown faithfully; Chroma chokes on most of these. */
enum wal_poison {
	POISON_NONE, POISON_OPERATION, POISON_MARKER, POISON_ENCODING,
	POISON_INT32, POISON_VECTOR_LENGTH,
	POISON_NO_VECTOR, POISON_JSON, POISON_DOCUMENT, POISON_NESTED,
	POISON_TEXT, POISON_CREATED_AT, POISON_TOPIC, POISON_TYPE, POISONS,
};

/* What is wrong, in words; and what a Chroma does when it meets it. */
const char *wal_poison_what(enum wal_poison p);
const char *wal_poison_effect(enum wal_poison p);

/* The row as a WAL record (record.h) that points into row and *mem.  A row
 * that a record cannot show carries all of it in raw, and *poison says why.
 * 0, or -1 with *e set (no memory). */
ATTR_NODISCARD int wal_record(const struct wal_row *row, struct record *r,
    struct buf *mem, enum wal_poison *poison, struct err *e);

/* What is wrong with the row, its metadata aside.  Of the vector only type and
 * length are looked at: its bytes need not be there. */
enum wal_poison wal_row_poison(const struct wal_row *row);

/* What identifies the row, as far as it is what it should be: seq_id,
 * operation, id, created_at and whose it is.  r points into row. */
void wal_identity(const struct wal_row *row, struct record *r);

/* The row as one line of JSON without newline, appended to *out, in the keys
 * and encodings (and to the byte) of `chops wal export`, chromadb-ops 0.1.5,
 * which has no rule for a NULL vector: here it is null. */
void wal_columns(const struct wal_row *row, struct buf *out);

#endif
