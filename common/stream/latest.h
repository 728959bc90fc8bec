/* SPDX-License-Identifier: Apache-2.0 */
/* latest.h - log compaction: of each id of each collection, what its rows come
 * to (fold.h).
 *
 * Records go in in the order in which they were written; out they come in the
 * order of the last row that each holds.  What one row alone says comes out
 * as it went in, byte for byte.  A row that cannot be merged (it has "raw": no
 * Chroma can apply it as it stands) keeps all that follow it of its id as they
 * are; one whose only fault is a null as its document is merged.  Records of
 * unknown types pass.
 *
 * Memory: some 30 MiB and the largest records, whatever the number of rows and
 * ids; the records lie in a file without a name meanwhile.
 */
#ifndef STREAM_LATEST_H
#define STREAM_LATEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/spill.h"
#include "base/spool.h"
#include "stream/fold.h"
#include "stream/stream.h"

/* The fields that latest_add() looks at. */
#define LATEST_FIELDS (FIELD_TENANT | FIELD_DATABASE | FIELD_COLLECTION | \
	FIELD_COLLECTION_ID | FIELD_OPERATION | FIELD_ID | FIELD_RAW)

struct latest {
	uint64_t rows;			/* that went in */
	char place[32];			/* which of them came out last: "record
					 * 5", for messages */
	/* private */
	struct hash_key key;
	struct buf name;
	struct spool spool;
	struct spill in, out;		/* struct entry */
	struct fold fold;
	struct record_memory memory;
	struct buf line;
};

/* Begin.  tmpdir: see spill.h.  0, or -1 with *e set. */
ATTR_NODISCARD int latest_init(struct latest *l, const char *tmpdir,
    struct err *e);

/* One more; r: decoded from item, LATEST_FIELDS at least.  0, or -1 with *e
 * set: STATUS_DATA where it is no WAL record. */
ATTR_NODISCARD int latest_add(struct latest *l, const struct item *item,
    const struct record *r, struct err *e);

/* All are in: fold.  0, or -1 with *e set. */
ATTR_NODISCARD int latest_fold(struct latest *l, struct err *e);

/* The next of what is left, to be written with stream_put_item(); valid until
 * the next call.  1; 0 after the last; -1 with *e set. */
ATTR_NODISCARD int latest_next(struct latest *l, struct item *item,
    struct err *e);

void latest_release(struct latest *l);

#endif
