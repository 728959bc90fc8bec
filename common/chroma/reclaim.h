/* SPDX-License-Identifier: Apache-2.0 */
/* reclaim.h - delete rows of a log in one commit point, and give back the
 * space that they had.
 *
 *	none     a transaction deletes them; their pages are used again later
 *	vacuum   and then SQLite's VACUUM
 *	rewrite  a new file without them (rewrite.h) takes the old one's place
 */
#ifndef CHROMA_RECLAIM_H
#define CHROMA_RECLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "chroma/claim.h"
#include "chroma/prune.h"
#include "chroma/rewrite.h"

enum reclaim {
	RECLAIM_AUTO, RECLAIM_NONE, RECLAIM_VACUUM, RECLAIM_REWRITE,
	RECLAIMS,
};
extern const char *const reclaim_name[RECLAIMS];

struct reclaim_options {
	enum reclaim want;
	const char *backup;	/* keep the old file under this name; or NULL */
	const char *tmpdir;	/* where VACUUM works; NULL: $TMPDIR or /tmp */
	bool maintenance_log;	/* the table is there: add a row to it */
};

struct reclaim_plan {
	enum reclaim how;	/* never AUTO */
	bool idle;		/* no row goes and nothing is to be gained */
	uint64_t rows, goes;	/* that go, and the bytes of their pages */
	uint64_t bytes;		/* of the file now */
	uint64_t stay;		/* of it are in use and stay, about */
};

/* What to do with the space if so many rows go, whose pages have so many bytes:
 * what was asked for, or for RECLAIM_AUTO what pays and for which there is
 * room.  file: the real database file.  0, or -1 with *e set: STATUS_SYSTEM where there is no
 * room for what was asked for, need and have being said. */
ATTR_NODISCARD int reclaim_choose(struct reclaim_plan *rp, struct db *db,
    const char *file, uint64_t rows, uint64_t bytes,
    const struct reclaim_options *o, struct err *e);

/* The work on one database, from claim to release. */
struct reclaim_job {
	struct claim *claim;		/* borrowed */
	struct reclaim_options o;
	struct rewrite rewrite;
	char *path;			/* of the new file, if it was begun */
	bool begun;
};

/* Begin to write the file anew before it is known which rows go, if it looks as
 * if that will be done: what stays in any case is copied while the rows are
 * looked at.  rows: about so many go.  0, or -1 with *e set. */
ATTR_NODISCARD int reclaim_start(struct reclaim_job *j, struct claim *c,
    uint64_t rows, const struct reclaim_options *o, struct err *e);

/* Do it, under the claim; the file is in rollback mode if it is to be
 * rewritten (claim_rollback_mode()).  What prune_next() gives goes, all of it
 * or nothing.  rp->how becomes what was done, where a file turns out not to be
 * replaceable.  0, or -1 with *e set; then nothing has changed, unless *e says
 * that the rows are gone and only the space could not be given back. */
ATTR_NODISCARD int reclaim_run(struct reclaim_job *j, struct prune *p,
    struct reclaim_plan *rp, struct err *e);

/* Right before claim_close(): locks end here. */
void reclaim_end(struct reclaim_job *j);

#endif
