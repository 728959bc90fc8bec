/* SPDX-License-Identifier: Apache-2.0 */
/* walrows.h - the rows of embeddings_queue in the order of seq_id, one by one:
 * the one scan of the log, under whatever lock its caller has.
 */
#ifndef CHROMA_WALROWS_H
#define CHROMA_WALROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"

struct walrows {
	struct db *db;
	struct db_stmt st;	/* the row: column 0 is its seq_id, the others
				 * follow (db_col() and so on) */
	int64_t next, last;	/* seq_ids still to read, inclusive */
	bool running, over;
};

/* Prepare to read the rows with from <= seq_id <= to, and of each these
 * columns, as SQL (", topic, operation"; "" for none).  0, or -1 with *e set.
 */
ATTR_NODISCARD int walrows_open(struct walrows *w, struct db *db,
    const char *columns, int64_t from, int64_t to, struct err *e);

/* The next row: 1 and its seq_id; 0 at the end; -1 with *e set.  A damaged
 * seq_id, which in SQLite ends a scan early or turns it back, is an error
 * (STATUS_DATA). */
ATTR_NODISCARD int walrows_next(struct walrows *w, int64_t *seq_id,
    struct err *e);

/* End the read, and so its lock, for now; walrows_next() goes on. */
void walrows_pause(struct walrows *w);

void walrows_close(struct walrows *w);

#endif
