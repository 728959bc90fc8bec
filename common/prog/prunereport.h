/* SPDX-License-Identifier: Apache-2.0 */
/* prunereport.h - what a prune did, or would do, and why the rest stays. */
#ifndef PROG_PRUNEREPORT_H
#define PROG_PRUNEREPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "chroma/prune.h"
#include "chroma/reclaim.h"
#include "stream/json.h"
#include "stream/out.h"

/* Ids that are named one by one, for each collection. */
#define PRUNEREPORT_IDS 20

struct prunereport {
	const char *dir;
	struct prune *prune;
	const struct reclaim_plan *space;
	const char *backup;		/* or NULL */
	bool dry_run, changed;
	uint64_t bytes_after;		/* if changed */
	struct buf *ids;		/* owned; of each collection, what stands
					 * between the brackets of an array */
};

/* Warn of each collection that is refused, with the ids that stand in the way;
 * all of them go to all (or NULL) as JSON lines.  Before the database is
 * changed.  0, or -1 with *e set. */
ATTR_NODISCARD int prunereport_refused(struct prunereport *pr,
    struct out *all, struct err *e);

/* The members of the receipt. */
void prunereport_receipt(struct prunereport *pr, struct jsonw *w);

/* The same as text for people, appended to *b.  Its last line is
 * PRUNEREPORT_IDLE where there is nothing to do. */
#define PRUNEREPORT_IDLE "Nothing to do."
void prunereport_text(struct prunereport *pr, struct buf *b);

void prunereport_end(struct prunereport *pr);

#endif
