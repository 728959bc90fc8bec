/* SPDX-License-Identifier: Apache-2.0 */
/* prune.h - which rows of a log may go, and why the others stay.
 *
 * A row may go when a stream names it (rowset.h), both segments of its
 * collection have applied it and a newer one (seq_id < min(M, H), as Chroma
 * itself purges: chroma 1.5.9, rust/log/src/sqlite_log.rs), it is not the
 * newest of the table (numbers would be given out again), and the collection
 * passes the coverage rule (coverage.h).
 *
 * Memory: that of coverage.h.
 */
#ifndef CHROMA_PRUNE_H
#define CHROMA_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/spill.h"
#include "chroma/catalog.h"
#include "chroma/coverage.h"
#include "chroma/pages.h"
#include "chroma/persist.h"
#include "chroma/rowset.h"

struct prune_collection {
	const struct collection *col;
	uint64_t rows;			/* in the log */
	uint64_t goes, bytes;		/* rows that go, and their payload; 0
					 * if refused */
	struct pages space;		/* that these rows have */
	uint64_t boundary;		/* kept: at min(M, H), or the newest */
	uint64_t pending;		/* kept: above min(M, H) */
	uint64_t not_named;		/* kept: could go, is not in the stream */
	uint64_t held_back;		/* kept: would go, but refused */
	bool refused;
	struct buf why;			/* a sentence, or empty */
	uint64_t failures;		/* ids that failed */
};

struct prune_options {
	bool dead_topics;	/* rows of no collection may go, too */
	const char *tmpdir;	/* see spill.h */
};

/* seq_ids of which every row of the log goes. */
struct prune_range {
	int64_t from, to;	/* inclusive */
	uint64_t rows;
};

struct prune {
	struct catalog *catalog;	/* borrowed */
	struct coverage coverage;
	struct prune_collection *of;	/* as catalog->collection */
	uint64_t rows;			/* in the log, of all collections */
	uint64_t goes, bytes;		/* in all, those of dead topics too */
	uint64_t space;			/* bytes of the pages that they have,
					 * about */
	uint64_t dead, dead_goes;	/* rows of no collection */
	uint64_t gone;			/* named, but not in the log */
	uint64_t refused;		/* collections */
	/* private */
	struct pages dead_space;
	struct spill candidates;
	bool broken;		/* a row that stays came since the last one
				 * that goes */
	bool waiting;		/* next was begun, but not given out */
	struct prune_range next;
};

/* Make the plan, under a lock or in a read transaction.  0, or -1 with *e
 * set: STATUS_DATA where the stream is not of this directory. */
ATTR_NODISCARD int prune_plan(struct prune *p, struct persist *pd,
    struct catalog *c, struct rowset *rs, const struct prune_options *o,
    struct err *e);

/* The rows that go, as ranges, from the first one after prune_rewind().  1, 0
 * after the last, -1 with *e set. */
ATTR_NODISCARD int prune_rewind(struct prune *p, struct err *e);
ATTR_NODISCARD int prune_next(struct prune *p, struct prune_range *r,
    struct err *e);

void prune_end(struct prune *p);

#endif
