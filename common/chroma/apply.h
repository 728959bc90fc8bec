/* SPDX-License-Identifier: Apache-2.0 */
/* apply.h - the pending rows of the log into the metadata segment, as the Chroma
 * of the era applies them: what it would do itself at its next start or first
 * request, so that it then finds nothing to do.
 *
 * Source: chroma 0.4.0 to 0.6.3, segment/impl/metadata/sqlite.py; 1.0.0 to
 * 1.5.9, rust/log/src/local_compaction_manager.rs and rust/segment/src/
 * sqlite_metadata.rs.  Where this is not what Chroma does, docs/COMPAT.md says
 * so: no full-text row stays that is of no record, and a new record inherits
 * nothing.
 *
 * Memory: a row of the log, SQLite's cache, and what schemakeys.h takes.
 */
#ifndef CHROMA_APPLY_H
#define CHROMA_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/catalog.h"
#include "chroma/claim.h"
#include "chroma/db.h"
#include "chroma/metarows.h"
#include "chroma/metavalues.h"

/* A collection, and what was done to it. */
struct apply_of {
	uint64_t rows;		/* pending: above M */
	int64_t first, last;	/* their seq_ids; M is last afterwards */
	uint64_t added, updated, deleted;
	uint64_t ignored;	/* rows without effect: an add of what is
				 * there, a delete of what is not, markers */
	uint64_t repaired;	/* new records whose number something had been
				 * left behind under, now removed */
	uint64_t schema_keys;	/* that schema_str lists now */
	const char *refused;	/* why nothing of it was applied, or NULL;
				 * static */
	int64_t refused_at;	/* the row that it is about; 0: none */
	const char *effect;	/* what Chroma does with that row, or NULL */
};

struct apply {
	struct apply_of *of;	/* owned; as catalog->collection[] */
	uint64_t pending;	/* rows of all selected collections */
	/* called now and then, with a share from 0 to 1; or NULL */
	void (*progress)(void *arg, double share);
	/* private */
	const struct catalog *catalog;
	struct db *db;
	bool dry_run;
	bool markers;		/* this era passes over operation 4 */
	uint64_t done;
	struct metarows rows;
	struct metavalues values;
	struct db_stmt find, insert, touch, erase, mark;
	struct db_stmt seen, see;	/* for dry_run */
};

/* Prepare, and count what is pending for the selected collections: one pass
 * over the log above the least M.  dry_run: nothing will be changed, db may be
 * open for reading.  0, or -1 with *e set; apply_close() in either case. */
ATTR_NODISCARD int apply_open(struct apply *a, struct db *db,
    const struct catalog *c, bool dry_run, struct err *e);

/* Apply what is pending for one collection, in one transaction, or count what
 * would be; nothing happens if there is nothing.  A row that Chroma would choke
 * on refuses the whole collection (a->of[]).  claim: looked at before the
 * commit; NULL in a dry run.  0, or -1 with *e set: then nothing of this
 * collection was applied, unless *e says that this is not certain. */
ATTR_NODISCARD int apply_collection(struct apply *a, size_t i,
    struct claim *claim, struct err *e);

void apply_close(struct apply *a);

#endif
