/* SPDX-License-Identifier: Apache-2.0 */
/* fold.h - the rows of one id as the fewest rows that do the same.
 *
 * Replayed into a collection, what a fold gives has the effect of the rows
 * that it took, whatever the collection had before; but for one assumption:
 * an ADD that comes first finds the id absent.  (Chroma does not check on the
 * way into the log whether the id is there, and ignores such an ADD when it
 * is applied.)
 *
 * What Chroma does with a row (chroma 0.4.0 to 1.5.9: python
 * chromadb/segment/impl/metadata/sqlite.py, rust
 * rust/segment/src/sqlite_metadata.rs; docs/COMPAT.md):
 *
 *	          id absent    id present
 *	ADD       created      nothing happens
 *	UPDATE    nothing      merged
 *	UPSERT    created      merged
 *	DELETE    nothing      gone
 *
 * Merged: of metadata, document and uri, null removes and a value, of
 * whatever type, replaces; what is not named stays.  An embedding replaces.
 */
#ifndef STREAM_FOLD_H
#define STREAM_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "stream/record.h"

/* One row that comes out. */
struct fold_row {
	bool there;
	uint64_t rows;		/* that came into it; of one, it is that one */
	uint64_t last;		/* the tag of the last of them */
	struct record r;	/* points into the bufs, if rows > 1 */
	/* private */
	bool known;		/* all of what there is: no null is needed */
	struct buf names, document, uri, metadata, floats;
};

struct fold {
	/* what is left: at most two rows, in this order */
	struct fold_row before;		/* DELETE or UPDATE */
	struct fold_row state;		/* ADD or UPSERT */
	/* private */
	bool born;			/* an ADD came first */
	struct hash_key key;
	struct fold_slot *slots;	/* owned; members of an object */
	size_t room;
	struct buf keys, merged;
};

/* Begin.  0, or -1 with *e set. */
ATTR_NODISCARD int fold_init(struct fold *f, struct err *e);

/* Begin with another id. */
void fold_reset(struct fold *f);

/* The next row: a WAL record with all its fields decoded.  tag: any number of
 * the caller's.  0, or -1 with *e set: STATUS_DATA (metadata that is no JSON
 * object), no memory. */
ATTR_NODISCARD int fold_add(struct fold *f, const struct record *r,
    uint64_t tag, struct err *e);

/* The rows that are left, 0 to 2, in their order. */
int fold_rows(const struct fold *f, const struct fold_row *row[2]);

void fold_release(struct fold *f);

#endif
