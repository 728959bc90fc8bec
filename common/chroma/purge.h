/* SPDX-License-Identifier: Apache-2.0 */
/* purge.h - whether Chroma purges its log by itself: what is in the table
 * embeddings_queue_config, which Chroma has from 0.5.6 on.
 *
 * Source: chroma, chromadb/db/mixins/embeddings_queue.py (0.5.6 to 0.6.3),
 * rust/sqlite and rust/log/src/sqlite_log.rs (1.0.0 to 1.5.9): one row, id 1,
 * read when Chroma starts.  Where there is none, the first use of the log
 * makes one: true if the log is empty then, else false.
 */
#ifndef CHROMA_PURGE_H
#define CHROMA_PURGE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"
#include "chroma/era.h"

enum purge {
	PURGE_NO_TABLE,		/* this era has no such setting */
	PURGE_NO_ROW,		/* not said yet */
	PURGE_OFF,
	PURGE_AUTO,
};

/* What db says.  0, or -1 with *e set: STATUS_DATA too if the row is not JSON
 * with a boolean automatically_purge, which no Chroma starts with. */
ATTR_NODISCARD int purge_read(struct db *db, const struct era *era,
    enum purge *p, struct err *e);

/* Say PURGE_OFF or PURGE_AUTO, within the caller's transaction: every other
 * byte of the row stays; a new row is spelled as that era's Chroma does.  Not
 * for PURGE_NO_TABLE.  0, or -1 with *e set. */
ATTR_NODISCARD int purge_write(struct db *db, const struct era *era,
    enum purge p, struct err *e);

#endif
